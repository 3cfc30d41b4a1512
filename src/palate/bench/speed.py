"""How long a step takes: against the paper's solver, and as the pool grows.

A step is what stands between an answer and the next question: take the answer over, fit, find
incumbent and challenger, check the bound. Both sides are timed in this process, on one thread, on
the same answers of a simulated consistent person; ratios are the claim, milliseconds the context.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from palate.bench.exact import random_theta
from palate.elicitation import Elicitation
from palate.errors import PoolError
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.preference import VersionSpace
from palate.strategies import UserAlign, comparisons

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palate._typing import Features
    from palate.feedback import Answer
    from palate.strategies.useralign import Step

REFERENCE_SIZES = ((20, 64), (40, 512))
POOL_SIZES = (1_000, 10_000, 100_000, 1_000_000)
POOL_FEATURES = 64
POOL_STEPS = 20
_REPLAYS = 9
_WARM_UP = 2  # replays not counted, after the reference has had the processor's caches


@dataclass(slots=True)
class ReferenceRow:
    """Steps of one pool size on both sides, in milliseconds, over the same answers."""

    n: int
    d: int
    ours: list[float] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)
    rebuilt: list[float] = field(default_factory=list)
    largest_difference: float = 0.0

    @property
    def ratio(self) -> float:
        """The reference's median step divided by ours."""
        return median(self.reference) / median(self.ours)

    @property
    def rebuilt_ratio(self) -> float:
        """The same against the reference that builds every program anew, as a script does."""
        return median(self.rebuilt) / median(self.ours)


@dataclass(slots=True)
class ScalingRow:
    """Steps at one pool size, in milliseconds, and what a pass over the features takes."""

    n: int
    steps: list[float]
    passes: list[float]
    exact_solves: list[int]
    all_exact: bool

    @property
    def ratio(self) -> float:
        """Median step in passes ``features @ theta``."""
        return median(self.steps) / median(self.passes)

    @property
    def worst_ratio(self) -> float:
        """Slowest step in passes ``features @ theta``."""
        return max(self.steps) / median(self.passes)


def against_reference(n: int, d: int, *, elicitations: int, every: int, seed: int) -> ReferenceRow:
    """Time our steps and the reference's on the same answers.

    Args:
        n: responses in the pool.
        d: features.
        elicitations: runs to take, each to the certificate at epsilon = 0.
        every: the reference is timed at every so-manieth step, since it is slow.
        seed: fixes pools, people and strategies.

    Raises:
        MissingExtraError: cvxpy is not installed.
    """
    from palate.bench.reference import reference_step  # noqa: PLC0415

    row = ReferenceRow(n, d)
    strategy = UserAlign()
    for run in range(elicitations):
        rng = np.random.default_rng([seed, n, d, run])
        pool, person = _pool(rng, n, d, np.dtype(np.float64)), _person(rng, d)
        features = _features(pool)
        steps = list(_timed_steps(pool, person, strategy, run))
        for t in range(1 + run % every, len(steps), every):
            # The machine's speed drifts: our run is timed again beside each step of the reference.
            runs = [list(_timed_steps(pool, person, strategy, run)) for _ in range(_REPLAYS)]
            row.ours.append(median(replay[t].milliseconds for replay in runs[_WARM_UP:]))
            step = steps[t]
            differences, _ = comparisons(step.answers, features)
            for rebuild, timings in ((False, row.reference), (True, row.rebuilt)):
                began = time.perf_counter()
                _, _, bound = reference_step(
                    features, differences, strategy.norm_bound, strategy.delta, rebuild=rebuild
                )
                timings.append(1e3 * (time.perf_counter() - began))
            difference = abs(max(bound, 0.0) - step.step.bound)
            row.largest_difference = max(row.largest_difference, difference)
    return row


def scaling(n: int, *, steps: int, seed: int, check: bool) -> ScalingRow:
    """Time the first steps on a large float32 pool.

    Args:
        n: responses in the pool; features are uniform on the sphere, 64 of them.
        steps: how many questions to ask.
        seed: fixes pool, person and strategy.
        check: whether to compare every bound with the support values of the whole pool.
    """
    rng = np.random.default_rng([seed, n])
    pool, person = _pool(rng, n, POOL_FEATURES, np.dtype(np.float32)), _person(rng, POOL_FEATURES)
    theta = rng.normal(size=(POOL_FEATURES,)).astype(np.float32)
    row = ScalingRow(n, [], [], [], all_exact=True)
    features, strategy = _features(pool), UserAlign(max_steps=steps)
    for t, step in enumerate(_timed_steps(pool, person, strategy, seed)):
        row.steps.append(step.milliseconds)
        row.exact_solves.append(step.step.exact_solves)
        began = time.perf_counter()
        features @ theta
        row.passes.append(1e3 * (time.perf_counter() - began))
        if check and t > 0:
            row.all_exact &= abs(_largest_support(pool, strategy, step) - step.step.bound) <= 1e-9
    return row


@dataclass(frozen=True, slots=True)
class _TimedStep:
    answers: tuple[Answer, ...]
    milliseconds: float
    step: Step


def _timed_steps(
    pool: Pool, person: SimulatedPerson, strategy: UserAlign, seed: int
) -> Iterator[_TimedStep]:
    """Each step of a run: the time from an answer to the next question, and what it found."""
    elicitation = Elicitation(pool, strategy, seed)
    began = time.perf_counter()
    query = elicitation.ask()
    while True:
        elapsed = 1e3 * (time.perf_counter() - began)
        yield _TimedStep(elicitation.history, elapsed, strategy.step(elicitation.view))
        if query is None:
            return
        reply = person.answer(query, pool)
        if not isinstance(reply, int):
            raise TypeError
        began = time.perf_counter()
        elicitation.tell(query, reply)
        query = elicitation.ask()


def _pool(rng: np.random.Generator, n: int, d: int, dtype: np.dtype[np.floating]) -> Pool:
    features = rng.standard_normal((n, d), dtype=dtype.type)
    return Pool("simulated", [f"response {i}" for i in range(n)], features, scaling="half")


def _person(rng: np.random.Generator, d: int) -> SimulatedPerson:
    return SimulatedPerson(random_theta(rng, d))


def _largest_support(pool: Pool, strategy: UserAlign, step: _TimedStep) -> float:
    """B(t) without any shortcut over the pool: every response's support value."""
    features = _features(pool).astype(np.float64)
    differences, _ = comparisons(step.answers, features)
    space = VersionSpace(differences, strategy.norm_bound, strategy.delta)
    values = space.support(features - features[step.step.incumbent])
    return max(0.0, float(values.max()))


def _features(pool: Pool) -> Features:
    if pool.features is None:
        raise PoolError("the pool has no features")
    return pool.features
