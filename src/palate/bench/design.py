"""What the experiments about planned questions share: tastes, ways to ask, and how far they come.

An option of a question is one token of one slot, and a prompt has the sum of its tokens' features.
That is the model the design reckons with; pictures and whole prompts are not in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from palate._random import generator
from palate.design import (
    STYLES,
    fit_choice_model,
    load_vocabulary,
    matched_lambda,
    past_information,
    plan,
    problem_from,
    redesign,
    sample_queries,
    style_sentences,
    style_theta,
    token_options,
    uniform_design,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray, IndexArray
    from palate.design import Design, Problem
    from palate.design.criteria import CriterionName
    from palate.design.estimate import ChoiceEstimate
    from palate.design.queries import Rounding
    from palate.design.styles import StyleName
    from palate.design.vocabulary import ShippedVocabulary
    from palate.embed import Embedder

OPTIONS = 4
"""K, as in the paper."""

_PROMPTS, _PAIRS, _DROPPED = 1000, 5000, 0.2  # on which preferences are predicted
_POOL = 600  # questions held out
_SEEN = 0.95  # of the tokens' variance, in the directions where answers can tell something
_TOL, _LOOSE = 1e-2, 5e-2  # relative gaps of designs, and of those made anew on the way


@dataclass(frozen=True, eq=False)
class World:
    """A vocabulary as features, and the tastes of simulated people in the same dimensions.

    Attributes:
        name: of the vocabulary.
        problem: its slots.
        features: what the features are, for a table's note.
        directions: (d,) a taste, of length 1.
    """

    name: str
    problem: Problem
    features: str
    directions: dict[StyleName, FloatArray]

    @classmethod
    def shipped(cls, name: ShippedVocabulary, embedder: Embedder, features: str) -> World:
        """A shipped vocabulary, and the shipped styles as tastes."""
        problem = problem_from(load_vocabulary(name), embedder)
        tastes = {style: style_theta(style_sentences(style), embedder) for style in STYLES}
        return cls(name, problem, features, tastes)

    def matched(self, beta: float) -> float:
        """Lambda for people of that strength."""
        return matched_lambda(self.problem.d, beta)

    @cached_property
    def seen(self) -> FloatArray:
        """(d, m) directions that hold nearly all of the tokens' variance within slots."""
        centred = [s.features - s.features.mean(axis=0) for s in self.problem.slots]
        values, vectors = np.linalg.eigh(sum(x.T @ x / len(x) for x in centred))
        shares = np.cumsum(values[::-1]) / values.sum()
        return np.asarray(vectors[:, ::-1][:, : int(np.searchsorted(shares, _SEEN)) + 1])


@dataclass(frozen=True, slots=True)
class Method:
    """A way to choose questions.

    Attributes:
        name: for tables.
        criterion: of the design; None asks uniformly at random.
        rounding: see :data:`palate.design.queries.Rounding`.
        every: episodes after which what is left is chosen anew at the estimate; None plans once.
        replan: whether that makes a new design; otherwise the old one stays and only the rounding,
            which is then greedy, takes the information at the estimate.
    """

    name: str
    criterion: CriterionName | None = None
    rounding: Rounding = "iid"
    every: int | None = None
    replan: bool = True


RANDOM = Method("random")
CRITERIA = (Method("D", "D"), Method("A", "A"), Method("V", "V"))


@dataclass(frozen=True, slots=True)
class Score:
    """How far an estimate is from the truth.

    Attributes:
        cosine: 1 - cos(theta_hat, theta).
        seen: the same in the directions where the tokens differ.
        wrong: share of pairs of prompts that the estimate orders otherwise than the truth.
        accuracy: probability that the pick in a held-out question at random is predicted.
        oracle: what knowing theta would reach there.
        strength: of the person, as estimated; see :func:`palate.design.strength`.
    """

    cosine: float
    seen: float
    wrong: float
    accuracy: float
    oracle: float
    strength: float


def designs(
    world: World, methods: Sequence[Method], episodes: int, lam: float
) -> dict[Method, Design]:
    """The design of each method for so many episodes; of random ones, the uniform design for V."""
    found: dict[Method, Design] = {}
    planned: dict[CriterionName, Design] = {}
    for method in methods:
        if method.criterion is None:
            found[method] = uniform_design(world.problem, n_queries=episodes, lam=lam)
            continue
        if method.criterion not in planned:
            planned[method.criterion] = plan(
                world.problem, n_queries=episodes, lam=lam, criterion=method.criterion, tol=_TOL
            )
        found[method] = planned[method.criterion]
    return found


def shown(
    design: Design,
    episodes: int,
    rounding: Rounding,
    seed: int,
    theta: FloatArray | None = None,
) -> FloatArray:
    """(n, K, d) features of the options of a plan's questions."""
    queries = sample_queries(
        design, n_options=OPTIONS, episodes=episodes, rounding=rounding, theta=theta, seed=seed
    )
    return np.array([token_options(design.problem, query) for query in queries])


def picks(options: FloatArray, theta: FloatArray, seed: int, first: int = 0) -> IndexArray:
    """(n,) what a person of these weights picks; question i is noisy alike for every method."""
    n, k = options.shape[:2]
    noise = generator(seed, "picks").gumbel(size=(first + n, k))[first:]
    return np.asarray((options @ theta + noise).argmax(axis=1))


def estimate_after(
    method: Method,
    design: Design,
    theta: FloatArray,
    *,
    episodes: int,
    lam: float,
    seed: int,
    options: FloatArray | None = None,
) -> ChoiceEstimate:
    """What a person's answers to a method's questions say.

    Args:
        method: how to ask.
        design: that it starts from.
        theta: (d,) the person.
        episodes: of questions.
        lam: prior precision of the estimate.
        seed: of questions and answers.
        options: the questions, where they are at hand; only for methods that plan once.
    """
    if method.every is None:
        asked = shown(design, episodes, method.rounding, seed) if options is None else options
        return fit_choice_model(asked, picks(asked, theta, seed).tolist(), lam=lam)
    return _adaptive(method, design, theta, episodes=episodes, lam=lam, seed=seed)


def _adaptive(
    method: Method, design: Design, theta: FloatArray, *, episodes: int, lam: float, seed: int
) -> ChoiceEstimate:
    """As :func:`estimate_after`, going by the estimate so far after every few episodes."""
    every = method.every or episodes
    asked = shown(design, min(every, episodes), method.rounding, generator_seed(seed, 0))
    said = picks(asked, theta, seed).tolist()
    slots = len(design.problem.slots)
    while (at := len(asked) // slots) < episodes:
        so_far = fit_choice_model(asked, said, lam=lam).theta
        now = at_estimate(design, asked, so_far, left=episodes - at, replan=method.replan)
        more = shown(
            now,
            min(every, episodes - at),
            method.rounding,
            generator_seed(seed, at),
            theta=so_far if method.rounding == "greedy" else None,
        )
        said += picks(more, theta, seed, first=len(asked)).tolist()
        asked = np.concatenate([asked, more])
    return fit_choice_model(asked, said, lam=lam)


def at_estimate(
    design: Design, asked: FloatArray, theta: FloatArray, *, left: int, replan: bool
) -> Design:
    """A design that counts the questions asked, or the same one that does in its prior alone."""
    if replan:
        return redesign(design, list(asked), n_left=left, theta=theta, tol=_LOOSE)
    known = design.prior_precision + past_information(asked, theta)
    return replace(design, prior_precision=known, n_queries=left)


def generator_seed(seed: int, number: int) -> int:
    """A seed for a part of a run."""
    return int(generator(seed, "part", number).integers(2**31))


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What estimates are judged on.

    Attributes:
        world: tokens and tastes.
        differences: (pairs, d) of the features of two prompts at random.
        questions: (n, K, d) questions at random.
    """

    world: World
    differences: FloatArray
    questions: FloatArray

    @classmethod
    def drawn(cls, world: World, seed: int) -> HeldOut:
        """1000 prompts, of which each leaves out a slot in five, as 5000 pairs; 600 questions."""
        rng = generator(seed, "held out")
        prompts = np.zeros((_PROMPTS, world.problem.d))
        for slot in world.problem.slots:
            kept = rng.random(_PROMPTS) >= _DROPPED
            prompts[kept] += slot.features[rng.integers(len(slot), size=int(kept.sum()))]
        one, other = rng.integers(_PROMPTS, size=(2, _PAIRS))
        uniform = uniform_design(world.problem, n_queries=1, lam=1.0, criterion="D")
        episodes = _POOL // len(world.problem.slots)
        questions = shown(uniform, episodes, "iid", generator_seed(seed, 1_000_000))
        return cls(world, prompts[one] - prompts[other], questions)

    def score(self, estimate: FloatArray, theta: FloatArray, beta: float = float("nan")) -> Score:
        """Judge an estimate (d,) of a truth (d,), whose length was estimated to be beta."""
        truth, guess = self.differences @ theta, self.differences @ estimate
        decided = truth != 0.0
        axes = self.world.seen
        return Score(
            cosine=_cosine_error(estimate, theta),
            seen=_cosine_error(estimate @ axes, theta @ axes),
            wrong=float(((guess > 0.0) != (truth > 0.0))[decided].mean()),
            accuracy=accuracy(self.questions, estimate, theta),
            oracle=accuracy(self.questions, theta, theta),
            strength=beta,
        )


def accuracy(options: FloatArray, estimate: FloatArray, theta: FloatArray) -> float:
    """Probability that a person's pick is the option that the estimate likes best."""
    probability = softmax(options @ theta, axis=1)
    guess = (options @ estimate).argmax(axis=1)
    return float(np.take_along_axis(probability, guess[:, None], axis=1).mean())


def _cosine_error(estimate: FloatArray, theta: FloatArray) -> float:
    length = float(np.linalg.norm(estimate) * np.linalg.norm(theta))
    return 1.0 - float(estimate @ theta) / length if length > 0.0 else 1.0
