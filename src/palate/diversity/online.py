"""Greedy learning online, round by round, and what it costs in regret.

A round serves one person in one context, deploys a response for them, shows a slate, and learns
from the answer to it. Between two fits the rounds do not depend on each other, and are drawn
together.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np

from palate._random import generator
from palate.diversity.learners import RIDGE, draw_bases, first_estimate
from palate.diversity.slates import answer, check_sampler, draw_slates, joined, no_answers
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.diversity.learners import Heads
    from palate.diversity.slates import Sampler
    from palate.diversity.world import BilinearWorld

Deploy: TypeAlias = Literal["greedy", "thompson", "explore"]
"""Which response a person is given. ``greedy``: the one of the highest score. ``thompson``: that of
a basis drawn anew in each round from the Laplace posterior (heads known). ``explore``: one of the
reference policy with the chance ``min(1, exploration / t)`` in round t, else as ``greedy``."""


@dataclass(frozen=True, slots=True)
class Service:
    """Whom the rounds serve: a latecomer with some chance, else one of the main people.

    Attributes:
        late_share: chance that a round serves a latecomer.
        late_budget: c, where that chance is at most ``c / t`` in round t.
        late_answers: whether latecomers are shown slates; else they are served in silence.

    Raises:
        ParameterError: the chance is none, or the budget is negative.
    """

    late_share: float = 0.1
    late_budget: float = math.inf
    late_answers: bool = False

    def __post_init__(self) -> None:
        if not (0.0 <= self.late_share <= 1.0 and self.late_budget >= 0.0):
            msg = (
                "late_share must lie from 0 to 1 and late_budget be at least 0, not "
                f"{self.late_share} and {self.late_budget}"
            )
            raise ParameterError(msg)

    def shares(self, rounds: IndexArray) -> FloatArray:
        """Chances of a latecomer in rounds, which count from 1."""
        return np.asarray(np.minimum(self.late_share, self.late_budget / rounds))


@dataclass(frozen=True, eq=False)
class OnlineRun:
    """What a run cost, told at the R rounds after which the learner was fitted again.

    Attributes:
        rounds: (R,) from 0, before any answer, to the last.
        regret: (R, 2) cumulative regret until then, of main people and of latecomers.
        gap: (R, U) mean regret of each person over their contexts, under the fit made then; before
            the first one, of the reference policy.
        wrong: (R, U) share of a person's contexts for which that fit deploys another response than
            the best.
        late: how many of the U people, the last ones, are latecomers.
    """

    rounds: IndexArray
    regret: FloatArray
    gap: FloatArray
    wrong: FloatArray
    late: int

    def cumulative(self, round: float) -> FloatArray:  # noqa: A002
        """(2,) regret until a round, of main people and of latecomers."""
        return np.array([np.interp(round, self.rounds, column) for column in self.regret.T])

    def slope(self, first: float, last: float) -> FloatArray:
        """(2,) growth of the regret between two rounds, per unit of ln t."""
        return (self.cumulative(last) - self.cumulative(first)) / math.log(last / first)

    @property
    def last_wrong(self) -> int:
        """The last of ``rounds`` whose fit deploys a wrong response to somebody; -1 if none."""
        (wrong,) = np.nonzero(self.wrong.any(axis=1))
        return int(self.rounds[wrong[-1]]) if len(wrong) else -1


def run_online(
    world: BilinearWorld,
    *,
    rounds: int = 64_000,
    heads: Heads = "known",
    sampler: Sampler = "softmax",
    options: int = 2,
    temperature: float = 1.0,
    deploy: Deploy = "greedy",
    exploration: float = 10.0,
    service: Service = Service(),
    first: int = 50,
    growth: float = 0.1,
    ridge: float = RIDGE,
    seed: int = 0,
) -> OnlineRun:
    """Learn from answers to slates, and count the regret of the deployed responses.

    The regret is that of the deployed response; slates cost nothing. That criterion is our reading
    of the paper (Kang 2026), after its author's earlier work. What a round costs is not sampled but
    exact: the mean over people and contexts under the fit that serves it. Under ``thompson`` it is
    what the draws of that round cost.

    Args:
        world: people, pools and the truth.
        rounds: T.
        heads: whether the learner knows everybody's head, or fits heads and basis together.
        sampler: how slates are drawn.
        options: K of a slate.
        temperature: beta of the sampler ``softmax``.
        deploy: which response a person is given.
        exploration: of ``explore``.
        service: who is served, and who answers; it matters only where there are latecomers.
        first: round after which the first fit is made; until then the reference policy is
            deployed.
        growth: by which share the rounds grow from fit to fit.
        ridge: of the fits.
        seed: of visits, slates, answers and starts.

    Raises:
        ParameterError: a setting is outside its range, or Thompson sampling is asked for with
            unknown heads.
    """
    check_sampler(sampler, options, temperature)
    if deploy not in get_args(Deploy):
        msg = f"deploy is one of {', '.join(get_args(Deploy))}, not {deploy!r}"
        raise ParameterError(msg)
    if deploy == "thompson" and heads != "known":
        raise ParameterError("deploy='thompson' draws a basis for known heads; set heads='known'")
    if not exploration >= 0.0:
        msg = f"exploration must be at least 0, not {exploration}"
        raise ParameterError(msg)
    rng = generator(seed, "online")
    estimate = first_estimate(world, heads, seed=seed)
    rows = no_answers(world, options)
    blind = world.best - world.rewards.mean(axis=2)
    lost, regret = [blind], [np.zeros(2)]
    marks = refit_rounds(rounds, first, growth)
    for begin, end in itertools.pairwise(marks):
        t = np.arange(begin + 1, end + 1)
        late = service.shares(t) if world.late else np.zeros(len(t))
        person, context = _visits(rng, world, late)
        directions = estimate.directions[person]
        if deploy == "thompson":
            bases = draw_bases(rng, rows, estimate, len(t), ridge=ridge)
            directions = np.einsum("nj,njf->nf", estimate.heads[person], bases)
        scores = world.scores_of(person, context, directions)
        explored = np.full(len(t), float(begin == 0))
        if deploy == "explore":
            explored = np.maximum(explored, np.minimum(1.0, exploration / t))
        deployed = _deployed(rng, scores, explored)
        if deploy == "thompson":
            cost = _realised(world, person, context, deployed)
        else:
            cost = _expected(world, lost[-1], blind, late, explored)
        regret.append(regret[-1] + cost)

        told = np.flatnonzero((person < world.main) | service.late_answers)
        slates = draw_slates(
            rng, sampler, scores[told], deployed[told], options=options, temperature=temperature
        )
        rows = joined(rows, answer(rng, world, person[told], context[told], slates))
        estimate = estimate.refit(rows, heads, ridge=ridge)
        lost.append(world.regret(world.scores(estimate.directions)))
    every = np.array(lost)
    return OnlineRun(
        np.array(marks),
        np.array(regret),
        every.mean(axis=2),
        (every > 0.0).mean(axis=2),
        world.late,
    )


def refit_rounds(rounds: int, first: int, growth: float) -> list[int]:
    """0, the first round, each next one larger by a share, and the last.

    Raises:
        ParameterError: a number is not positive.
    """
    if min(rounds, first) < 1 or not 0.0 < growth < np.inf:
        msg = f"rounds, first and growth must be positive, not {rounds}, {first} and {growth}"
        raise ParameterError(msg)
    marks = [0, min(first, rounds)]
    while marks[-1] < rounds:
        marks.append(min(rounds, max(marks[-1] + 1, int(marks[-1] * (1.0 + growth)))))
    return marks


def _visits(
    rng: np.random.Generator, world: BilinearWorld, late: FloatArray
) -> tuple[IndexArray, IndexArray]:
    """(n,) persons and contexts of rounds with such chances of a latecomer."""
    comes = rng.random(len(late)) < late
    person = rng.integers(world.main, size=len(late))
    person[comes] = rng.integers(world.main, world.people, size=int(comes.sum()))
    return person, rng.integers(world.contexts.shape[1], size=len(late))


def _deployed(rng: np.random.Generator, scores: FloatArray, explored: FloatArray) -> IndexArray:
    """(n,) the best of (n, A) scores or, with such a chance, one of the reference policy."""
    deployed = scores.argmax(axis=1)
    drawn = rng.random(len(scores)) < explored
    deployed[drawn] = rng.integers(scores.shape[1], size=int(drawn.sum()))
    return np.asarray(deployed)


def _expected(
    world: BilinearWorld,
    lost: FloatArray,
    blind: FloatArray,
    late: FloatArray,
    explored: FloatArray,
) -> FloatArray:
    """(2,) regret of rounds in the mean, for (U, C) losses of the scores and of exploring."""
    cost = np.zeros(2)
    parts = ((slice(world.main), 1.0 - late), (slice(world.main, None), late))
    for group, (people, chance) in enumerate(parts[: 2 if world.late else 1]):
        each = (1.0 - explored) * lost[people].mean() + explored * blind[people].mean()
        cost[group] = chance @ each
    return cost


def _realised(
    world: BilinearWorld, person: IndexArray, context: IndexArray, deployed: IndexArray
) -> FloatArray:
    """(2,) regret of rounds as they were."""
    lost = world.best[person, context] - world.rewards[person, context, deployed]
    groups = (lost[person < world.main], lost[person >= world.main])
    return np.array([group.sum() for group in groups])
