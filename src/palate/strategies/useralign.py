"""USERALIGN: an incumbent, and the challenger that may still beat it by most (Algorithms 2, 3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from palate.errors import ParameterError
from palate.preference import ChallengerSearch, VersionSpace
from palate.preference.challenger import best_responses
from palate.preference.confidence import check_delta
from palate.preference.estimate import check_norm_bound
from palate.strategies.base import Choice, Strategy, View, check_max_steps, comparisons

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import Features, FloatArray, IndexArray
    from palate.feedback import Answer

ZERO = 1e-6
"""Bounds up to this, relative to S, count as zero; else epsilon = 0 would never stop."""

TIE = 1e-9
"""Utilities this close, relative to S, are equal; the lower index wins."""

_COUNTED = 1000  # largest pool whose remaining challengers are measured exactly


@dataclass(frozen=True)
class UserAlign(Strategy):
    """Best-arm identification in a logistic bandit with a version space (USERALIGN).

    The incumbent is the best response under the norm-constrained maximum-likelihood estimate; the
    challenger is the response that some weights consistent with every answer prefer to it by most;
    that margin is the bound B(t). It stops once B(t) <= epsilon. Before any answer the estimate is
    a random direction from the seed and B(0) = S.

    A tie or a skip adds no constraint, and the pair is not shown again. A response that tied with
    the incumbent counts as no better; one that was skipped stays in the bound, so that a choice
    beside it is not certified. An order is taken as its stages: every pair that it settles is a
    half-space (those of neighbours imply the rest), and t grows by one a stage.

    Args:
        epsilon: utility by which another response may still be better when it stops, in [0, S]; 0
            asks until the best response is certain. None: no stopping rule, exactly ``max_steps``
            questions; when no challenger is left, a random one is drawn (the paper's footnote 3).
        delta: probability with which the loss-based set may miss the truth.
        norm_bound: S, the largest norm of the weights.
        max_steps: most questions to ask, or None.
        estimate: "mle": the estimate as printed, which can leave the half-spaces, so that a
            response that lost becomes the incumbent again and a pair is repeated; "inside": the
            estimate restricted to the half-spaces, and no pair is shown twice.

    Raises:
        ParameterError: a setting is outside its range.
    """

    name: ClassVar[str] = "useralign"
    consistent: ClassVar[bool] = True

    epsilon: float | None = 0.0
    delta: float = 0.05
    norm_bound: float = 3.0
    max_steps: int | None = None
    estimate: Literal["mle", "inside"] = "mle"

    def __post_init__(self) -> None:
        check_norm_bound(self.norm_bound)
        check_delta(self.delta)
        check_max_steps(self.max_steps)
        if self.epsilon is None and self.max_steps is None:
            raise ParameterError("epsilon=None means no stopping rule: give max_steps as well")
        if self.epsilon is not None and not 0.0 <= self.epsilon <= self.norm_bound:
            msg = f"epsilon must lie between 0 and norm_bound={self.norm_bound}, not {self.epsilon}"
            raise ParameterError(msg)
        if self.estimate not in {"mle", "inside"}:
            msg = f"estimate is 'mle' or 'inside', not {self.estimate!r}"
            raise ParameterError(msg)

    def propose(self, view: View) -> tuple[int, ...] | None:
        if len(view.pool) == 1 or self.steps_left(view) == 0:
            return None
        step = self.step(view)
        if self.epsilon is not None:
            # Not by the bound: it may rest on a skipped response, which no question can settle.
            return (step.incumbent, step.challenger) if self._worth_asking(step) else None
        if step.challenger >= 0 and step.reach > ZERO * self.norm_bound:
            return step.incumbent, step.challenger
        others = self._other_challengers(view, step.incumbent)
        if len(others) == 0:
            return None
        rng = view.rng(f"{self.name}/random", len(view.answers))
        return step.incumbent, int(rng.choice(others))

    def choose(self, view: View) -> Choice:
        if len(view.pool) == 1:
            return Choice(0, 0.0, certified=True, questions_left=0)
        step = self.step(view)
        consistent = not (self.consistent and self._run(view).space.contradictory)
        certified = step.bound <= self._threshold and consistent
        left = self._questions_left(view, step)
        return Choice(step.incumbent, step.bound, certified, left, consistent)

    @property
    def _threshold(self) -> float:
        return (self.epsilon or 0.0) + ZERO * self.norm_bound

    def _run(self, view: View) -> _Run:
        run: _Run | None = view.memo.get(self.name)
        if run is None or run.seen > len(view.answers):
            run = view.memo[self.name] = _Run(view.features, self)
        run.catch_up(view.answers)
        return run

    def step(self, view: View) -> Step:
        """What Algorithm 2 computes after the answers so far."""
        run = self._run(view)
        if run.step is None:
            run.step = self._compute_step(view, run)
        return run.step

    def _compute_step(self, view: View, run: _Run) -> Step:
        space = run.space
        if space.answers == 0:
            theta = self._first_estimate(view)
        elif self.estimate == "inside":
            theta = space.estimate_inside
        else:
            theta = space.estimate
        best = best_responses(view.features, theta, tolerance=TIE * self.norm_bound).tolist()
        incumbent = run.undefeated(best) if self.estimate == "inside" else best[0]
        closed, tied = run.closed(incumbent), run.tied_with(incumbent)
        found = run.search.search(space, incumbent, without=closed)
        bound = reach = max(found.value, 0.0)
        if len(tied) < len(closed):
            bound = max(run.search.search(space, incumbent, without=tied).value, 0.0)
        if space.answers == 0 and len(closed) < len(view.pool) - 1:
            bound = reach = self.norm_bound  # nothing is known, and ||phi(y) - phi(y')|| <= 1
        return Step(incumbent, found.index, bound, reach, found.exact_solves)

    def _first_estimate(self, view: View) -> FloatArray:
        """Before any answer there is nothing to fit: a random direction, of random length."""
        rng = view.rng(f"{self.name}/start")
        direction = rng.normal(size=(view.features.shape[1],))
        return np.asarray(
            direction * (self.norm_bound * rng.random() / np.sqrt(direction @ direction))
        )

    def _worth_asking(self, step: Step) -> bool:
        return step.challenger >= 0 and step.reach > self._threshold

    def _other_challengers(self, view: View, incumbent: int) -> IndexArray:
        """Whom to draw from once no challenger is left; nobody where all were skipped."""
        run = self._run(view)
        everyone = np.arange(len(view.pool))
        others = np.setdiff1d(everyone, np.append(run.closed(incumbent), incumbent))
        if len(others) == 0:
            others = np.setdiff1d(everyone, [*run.skipped.get(incumbent, ()), incumbent])
        return others

    def _questions_left(self, view: View, step: Step) -> int:
        left = self.steps_left(view)
        if self.epsilon is None:
            stuck = step.challenger < 0 and len(self._other_challengers(view, step.incumbent)) == 0
            return 0 if stuck else left or 0
        if not self._worth_asking(step):
            return 0
        run = self._run(view)
        if len(view.pool) <= _COUNTED:
            features = view.features.astype(np.float64)
            reach = run.space.support(features - features[step.incumbent])
        else:
            reach = run.search.bounds()
        reach[run.closed(step.incumbent)] = 0.0  # not shown again, whatever they may be
        reach = reach[reach > self._threshold]
        # Each challenger beyond epsilon needs an answer, of its own at epsilon = 0; the closer it
        # is to epsilon, the likelier another answer settles it on the way. The square root fits
        # simulated people on real pools (mean error 1.9 questions, 3.4 for the plain count).
        expected = max(1, round(float(np.sqrt(1.0 - self.epsilon / reach).sum())))
        return expected if left is None else min(expected, left)


@dataclass(frozen=True)
class UserAlignLoss(UserAlign):
    """USERALIGN without the half-spaces: the loss-based confidence set alone (Section 4.1).

    The set for which Theorems 1 and 2 hold under noisy answers. It shrinks slowly and keeps asking
    the same pair; a cap on the questions is advisable.
    """

    name: ClassVar[str] = "useralign-loss"
    consistent: ClassVar[bool] = False


@dataclass(frozen=True, slots=True)
class Step:
    """What Algorithm 2 computes at one t.

    Attributes:
        incumbent: pool index of the best response under the estimate.
        challenger: pool index of the response to show against it, or -1 where none is left.
        bound: B(t), over every response that may still be better.
        reach: the same, over the responses that may still be shown.
        exact_solves: how many support values had to be solved exactly.
    """

    incumbent: int
    challenger: int
    bound: float
    reach: float
    exact_solves: int


@dataclass(slots=True)
class _Run:
    """What the answers so far amount to, kept up to date answer by answer."""

    features: Features
    strategy: UserAlign
    space: VersionSpace = field(init=False)
    search: ChallengerSearch = field(init=False)
    seen: int = 0
    step: Step | None = None
    tied: dict[int, set[int]] = field(default_factory=dict)
    skipped: dict[int, set[int]] = field(default_factory=dict)
    lost_to: dict[int, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        s = self.strategy
        nothing = np.zeros((0, self.features.shape[1]))
        self.space = VersionSpace(nothing, s.norm_bound, s.delta, s.consistent)
        self.search = ChallengerSearch(self.features, s.norm_bound)

    def catch_up(self, answers: Sequence[Answer]) -> None:
        for answer in answers[self.seen :]:
            self.step = None
            if answer.winner is None:
                pairs = self.tied if answer.picked == "tie" else self.skipped
                for i in answer.query.options:
                    pairs.setdefault(i, set()).update(set(answer.query.options) - {i})
            else:
                for winner, losers in answer.stages:
                    for loser in losers:
                        self.lost_to.setdefault(loser, set()).add(winner)
                differences, stages = comparisons([answer], self.features)
                self.space = self.space.extended(differences, groups=stages)
        self.seen = len(answers)

    def tied_with(self, incumbent: int) -> IndexArray:
        return _rows(self.tied.get(incumbent))

    def closed(self, incumbent: int) -> IndexArray:
        """Responses that are not shown against the incumbent again."""
        if self.strategy.estimate != "inside" and not self.skipped:
            return self.tied_with(incumbent)
        pairs = self.tied.get(incumbent, set()) | self.skipped.get(incumbent, set())
        if self.strategy.estimate == "inside":
            pairs |= self.lost_to.get(incumbent, set())
            pairs |= {loser for loser, winners in self.lost_to.items() if incumbent in winners}
        return _rows(pairs)

    def undefeated(self, best: list[int]) -> int:
        """Of responses with equal utility the first that lost to none of the others.

        The estimate inside the half-spaces often lies on one, where winner and loser are equal.
        """
        others = set(best)
        return next((i for i in best if not self.lost_to.get(i, set()) & others), best[0])


_NONE = np.zeros(0, dtype=np.intp)


def _rows(places: set[int] | None) -> IndexArray:
    return np.array(sorted(places), dtype=np.intp) if places else _NONE
