"""Offline learning on simulated people: how wrong it is, and whether that can be foretold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate.bench.diversity import Panel, at_least, at_most, between
from palate.diversity.condition import at_risk, identified
from palate.diversity.curvature import curvature
from palate.diversity.offline import reference_answers, run_offline
from palate.diversity.posterior import expected_gap, laplace
from palate.diversity.rows import fisher, margins
from palate.diversity.scores import leverage, selector_error
from palate.diversity.served import contests
from palate.diversity.world import PROBLEM_SEED, simulate_world

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from palate._typing import FloatArray, IndexArray
    from palate.bench.diversity import Check
    from palate.diversity.offline import OfflineRun
    from palate.diversity.world import BilinearWorld

MAIN, LATE, LATENT = 50, 10, 10
DIMS = (10, 9, 8)
"""Of the main people's heads, of 10."""

FITTED = (2_000, 4_000, 8_000, 16_000)
"""Numbers of answers at which the gap is predicted from the fit."""

_CONTEXTS = 10
"""Of each main person, for which it is."""

_SAMPLE = 20_000  # answers from which the information of one is taken

_GROUPS = ("main people", "latecomers")


def answer_counts(most: int) -> list[int]:
    """So many answers, and half of them, and so on, down to 1,000 or seven numbers."""
    counts = [most]
    while counts[0] > 1_000 and len(counts) < 7:
        counts.insert(0, counts[0] // 2)
    return counts


@dataclass(frozen=True, eq=False)
class Offline:
    """Offline runs in one world, one a seed, and what was predicted.

    Attributes:
        dims: of the main people's heads.
        world: 50 main people who answer, and 10 latecomers who do not.
        runs: of the seeds.
        predicted: by n, latecomers' share of wrong responses, from the truth and without any fit.
    """

    dims: int
    world: BilinearWorld
    runs: tuple[OfflineRun, ...]
    predicted: FloatArray

    def gap(self, group: int) -> FloatArray:
        """By n, the mean gap of main people or latecomers."""
        return np.mean([run.gap[:, _people(group)].mean(axis=1) for run in self.runs], axis=0)

    def wrong(self, group: int) -> FloatArray:
        """By n, the share of wrong responses."""
        return np.mean([run.wrong[:, _people(group)].mean(axis=1) for run in self.runs], axis=0)


def _people(group: int) -> slice:
    return slice(MAIN, None) if group else slice(MAIN)


def offline_experiment(dims: int, seeds: int, counts: Sequence[int]) -> Offline:
    """Known heads, slates of the reference policy, answers of the main people alone."""
    world = simulate_world(people=MAIN, late=LATE, latent=LATENT, head_dims=dims)
    runs = tuple(run_offline(world, counts, seed=seed) for seed in range(seeds))
    late = np.arange(MAIN, MAIN + LATE)
    return Offline(dims, world, runs, predicted_errors(world, late, counts))


def predicted_errors(world: BilinearWorld, people: IndexArray, counts: Sequence[int]) -> FloatArray:
    """By n, people's share of wrong responses after n answers of the main people.

    From the truth and the Fisher information of an answer, without any fit.
    """
    rows = reference_answers(world, np.arange(world.main), _SAMPLE)
    weighted, weights = fisher(rows, margins(rows, world.heads, world.basis))
    answered = curvature(weighted, world.heads, weights / len(rows))
    served = world.served(people)
    decided = contests(served, world.basis).rows
    gap = margins(decided, served.heads, world.basis)
    variance = leverage(decided, served.heads, answered)
    if decided.pick is None:
        return np.zeros(len(counts))
    questions = len(served.person)
    return np.array([selector_error(gap, variance, decided.pick, questions, n) for n in counts])


def offline_rows(run: Offline) -> Iterator[tuple[str, ...]]:
    """The cells of a table, a column a number of answers."""
    for group, who in enumerate(_GROUPS):
        for name, values in (("gap", run.gap(group)), ("wrong", run.wrong(group))):
            yield (f"k = {run.dims}: {who}, {name}", *(f"{value:.2g}" for value in values))
    cells = (f"{error:.2g}" for error in run.predicted)
    yield (f"k = {run.dims}: latecomers, wrong, predicted", *cells)


def offline_panel(group: int, runs: Iterable[Offline]) -> Panel:
    """Share of wrong responses by the number of answers, and as predicted."""
    lines = {}
    for run in runs:
        counts = run.runs[0].counts
        values = np.array([one.wrong[:, _people(group)].mean(axis=1) for one in run.runs])
        lines[f"heads of {run.dims} dimensions"] = counts, values
        if group and run.dims == LATENT:
            lines["predicted"] = counts, run.predicted[None]
    return Panel(_GROUPS[group], "answers", "share of wrong responses", lines, log="xy")


def offline_checks(spanned: Offline) -> Iterator[Check]:
    """Whether errors fall faster than any power where heads span, and are predicted."""
    counts = spanned.runs[0].counts
    for n, predicted, wrong in zip(counts, spanned.predicted, spanned.wrong(1), strict=True):
        if n in {8_000, 16_000, 32_000}:
            what = f"k = {spanned.dims}, {n:,} answers: wrong for latecomers, predicted over actual"
            yield between(what, float(predicted / wrong) if wrong else np.inf, 0.4, 2.5)
    gap = spanned.gap(0)
    power = float(np.log2(gap[-1] / gap[-2])) if gap[-1] else -np.inf
    what = f"k = {spanned.dims}: local power of the main people's gap at the last doubling"
    yield at_most(what, power, -2.5)


def expected_gaps(dims: int, seeds: int) -> dict[int, FloatArray]:
    """What a fit says of its own gap, without the truth, beside the actual gap.

    Each seed is another world: in the posterior's eyes the truth is one draw, and there is only
    one of it in a world.

    Returns:
        By n, (seeds, 2, 2) of main people and latecomers, predicted and actual.
    """
    found: dict[int, list[list[tuple[float, float]]]] = {n: [] for n in FITTED}
    main, late = np.arange(MAIN), np.arange(MAIN, MAIN + LATE)
    for seed in range(PROBLEM_SEED, PROBLEM_SEED + seeds):
        world = simulate_world(people=MAIN, late=LATE, latent=LATENT, head_dims=dims, seed=seed)
        run = run_offline(world, FITTED, seed=seed)
        rows = reference_answers(world, main, FITTED[-1], seed=seed)
        served = world.served(main, _CONTEXTS), world.served(late)
        for n, estimate, gap in zip(FITTED, run.estimates, run.gap, strict=True):
            posterior = laplace(rows.of(np.arange(n)), estimate.heads, estimate.basis)
            found[n].append(
                [
                    (float(expected_gap(asked, posterior).gap.mean()), float(gap[people].mean()))
                    for asked, people in zip(served, (main, late), strict=True)
                ]
            )
    return {n: np.array(pairs) for n, pairs in found.items()}


def expected_rows(dims: int, found: Mapping[int, FloatArray]) -> Iterator[tuple[str, ...]]:
    """Predicted and actual gaps, means over worlds, a column a number of answers."""
    for group, who in enumerate(_GROUPS):
        means = (pairs[:, group].mean(axis=0) for pairs in found.values())
        cells = (f"{predicted:.2g} / {actual:.2g}" for predicted, actual in means)
        yield (f"k = {dims}: {who}", *cells)


def expected_checks(by_dims: Mapping[int, Mapping[int, FloatArray]]) -> Iterator[Check]:
    """Whether a fit knows its own gap, and whose gap stays."""
    for dims, found in by_dims.items():
        for n, pairs in found.items():
            for group, who in enumerate(_GROUPS):
                if n >= 4_000:
                    predicted, actual = pairs[:, group].mean(axis=0)
                    what = f"k = {dims}, {n:,} answers, {who}: expected gap over actual"
                    yield between(what, float(predicted / actual), 0.7, 1.4)
    last = FITTED[-1]
    main, late = by_dims[9][last][:, :, 0].mean(axis=0)
    what = f"k = 9, {last:,} answers: expected gap, latecomers over main people"
    yield at_least(what, float(late / main), 10.0)


WEAK = (0.0, 0.02, 0.05, 0.1, 0.3, 1.0)
"""By which the basis is multiplied along the direction that the main people lack."""

_SCALE, _FEATURES = 3.0, 25


@dataclass(frozen=True)
class Weak:
    """A missing direction of some weight: latecomers' wrong share, and share at risk."""

    weak: float
    wrong: float
    risk: float


def weak_directions(seeds: int, n: int) -> list[Weak]:
    """Is a missing direction decision-relevant? Main people have nine dimensions of ten."""
    return [_weak(weak, seeds, n) for weak in WEAK]


def _weak(weak: float, seeds: int, n: int) -> Weak:
    world = simulate_world(people=MAIN, late=LATE, latent=LATENT, head_dims=9, weak=weak)
    wrong = [run_offline(world, (n,), seed=seed).wrong[0, MAIN:].mean() for seed in range(seeds)]
    served = world.served(np.arange(MAIN, MAIN + LATE))
    said = curvature(reference_answers(world, np.arange(MAIN), _SAMPLE), world.heads)
    seen = identified(world.basis, said)
    rows = contests(served, seen).rows
    # The norm to expect of what is not seen: one row of the basis, F entries of N(0, scale^2).
    radius = _SCALE * weak * _FEATURES**0.5
    risky = at_risk(rows, served.heads, seen, said, radius)
    questions = 0 if rows.pick is None else len(np.unique(rows.pick[risky]))
    return Weak(weak, float(np.mean(wrong)), questions / len(served.person))


def weak_rows(found: Sequence[Weak]) -> list[tuple[str, ...]]:
    """The cells of a table."""
    return [(f"{one.weak:g}", f"{one.wrong:.4f}", f"{one.risk:.3f}") for one in found]


def weak_checks(found: Sequence[Weak]) -> Iterator[Check]:
    """Whether weak directions do no harm, and the screen passes them and stops strong ones."""
    at = {one.weak: one for one in found}
    for weak in (0.02, 0.05):
        ratio = at[weak].wrong / at[0.0].wrong if at[0.0].wrong else np.inf
        yield at_most(f"weight {weak:g}: latecomers' wrong share over that at 0", ratio, 2.0)
        yield at_most(f"weight {weak:g}: share at risk", at[weak].risk, 0.02)
    yield at_least("weight 1: share at risk", at[1.0].risk, 0.8)


def weak_panel(found: Sequence[Weak]) -> Panel:
    """Both shares by the weight."""
    places = np.array([one.weak for one in found])
    lines = {
        "wrong for latecomers": (places, np.array([[one.wrong for one in found]])),
        "at risk": (places, np.array([[one.risk for one in found]])),
    }
    return Panel("a missing direction", "its weight in the basis", "share", lines, log="")
