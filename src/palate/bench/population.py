"""The numerical experiment of PAL on simulated people, measured (Section 4.2, Appendix D.2).

Every figure is a mean over seeds, each of which is another population, with the standard deviation
over them. Accuracies are of held-out answers, in percent.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from palate.population.evaluate import evaluate, learning_curve
from palate.population.linear import fit_pal_a
from palate.population.localise import locate
from palate.population.projector import Projector
from palate.population.simulate import simulate_population

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from palate._typing import FloatArray
    from palate.bench.population_reference import Style
    from palate.population.fit import Fit
    from palate.population.model import PalA
    from palate.population.simulate import SimulatedPopulation

COUNTS = (0, 5, 10, 20, 30, 40, 50, 100)
"""Answers of an unseen person to locate them by; 0 is zero-shot."""


PEOPLE_A_PROTOTYPE = 50
"""Where the true K is varied."""

Sweep: TypeAlias = Literal["answers", "people", "d", "k"]

SWEEPS: dict[Sweep, tuple[int, ...]] = {
    "answers": (20, 40, 60, 80, 100, 400),
    "people": (25, 50, 100, 250, 500),
    "d": (2, 4, 8, 16, 32),
    "k": (2, 3, 4, 5, 6),
}
"""Values of a sweep by default; the paper's answers go on to 800 and 1000."""


@dataclass(slots=True)
class KRow:
    """PAL-A with K prototypes, a list entry a seed.

    Attributes:
        k: prototypes; 0 for the truth, of which people's weights alone are estimated.
        seen: accuracy of people trained on.
        unseen: by the numbers of answers of ``COUNTS``, accuracies of new people.
        seconds: of CPU, of the fit.
    """

    k: int
    seen: list[float] = field(default_factory=list)
    unseen: list[list[float]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, model: PalA, population: SimulatedPopulation, seen: FloatArray) -> None:
        """Measure a model, given the weights of the people seen."""
        self.seen.append(100.0 * evaluate(model, population.held_out, seen).accuracy)
        curve = learning_curve(model, population.support, population.unseen_held_out, COUNTS)
        self.unseen.append([100.0 * float(accuracy) for accuracy in curve.accuracy])

    def unseen_with(self, count: int) -> list[float]:
        """Accuracies of unseen people with so many answers."""
        return [curve[COUNTS.index(count)] for curve in self.unseen]


def simulation(ks: Sequence[int], seeds: int, settings: Mapping[str, Any]) -> list[KRow]:
    """Fit each K to the same populations, and locate unseen people.

    Where the true K is among them, a last row tells what can be had at best from so few answers:
    everybody is located by the true map and prototypes.

    Args:
        ks: numbers of prototypes to fit.
        seeds: how many populations.
        settings: of :func:`palate.population.simulate.simulate_population`.
    """
    rows, best = [KRow(k) for k in ks], KRow(0)
    for seed in range(seeds):
        population = simulate_population(**settings, seed=seed)
        for row in rows:
            seconds, fit = timed_fit(population, row.k, seed)
            row.seconds.append(seconds)
            row.add(fit.model, population, fit.model.weights)
            if row.k == population.truth.k:
                truth = _as_sure_as(fit.model, population)
                best.add(truth, population, locate(truth, population.train).weights)
    return [*rows, best] if best.seen else rows


def timed_fit(population: SimulatedPopulation, k: int, seed: int) -> tuple[float, Fit[PalA]]:
    """CPU seconds of a fit, its map as large as the true one, and the fit."""
    began = time.process_time()
    fit = fit_pal_a(population.train, k, d_out=population.truth.f.d_out, seed=seed)
    return time.process_time() - began, fit


def simulation_header() -> tuple[str, ...]:
    """Of :func:`simulation_rows`."""
    counts = (f"{n} answers" for n in COUNTS[1:])
    return ("K", "seen people", "unseen, zero-shot", *counts, "CPU s a fit")


def simulation_rows(rows: Sequence[KRow]) -> list[tuple[str, ...]]:
    """The cells of a table."""
    return [
        (
            str(row.k or "truth"),
            spread(row.seen),
            *(spread(row.unseen_with(count)) for count in COUNTS),
            f"{np.mean(row.seconds):.2f} (most {max(row.seconds):.2f})" if row.seconds else "",
        )
        for row in rows
    ]


def findings(rows: Sequence[KRow], true_k: int) -> Iterator[tuple[str, str]]:
    """What the paper says of such a table, as measured: differences within a seed, in points."""
    at = {row.k: row for row in rows}
    if true_k not in at:
        return
    row = at[true_k]
    if 1 in at and true_k > 1:
        yield f"K = {true_k} less K = 1, seen people", spread(_less(row.seen, at[1].seen))
    for count in (40, 100):
        less = _less(row.unseen_with(count), row.seen)
        yield f"K = {true_k}, unseen people with {count} answers less seen people", spread(less)
    less = _less(row.unseen_with(40), at[0].unseen_with(40))
    yield f"K = {true_k}, unseen people with 40 answers less the same by the truth", spread(less)
    for other in rows:
        if other.k > 1:
            five = _less(other.unseen_with(5), other.unseen_with(0))
            yield (
                f"K = {other.k}, unseen people with 5 answers less zero-shot",
                f"{spread(five)} (least {min(five):.1f})",
            )


def sweep(
    over: Sweep, values: Sequence[int], ks: Sequence[int], seeds: int, settings: Mapping[str, Any]
) -> Iterator[tuple[str, ...]]:
    """Accuracy of seen people as one setting of the simulation varies, a row a value.

    Args:
        over: the setting. With the true K vary the people, 50 a prototype, as in the paper.
        values: of that setting.
        ks: numbers of prototypes to fit.
        seeds: how many populations.
        settings: the others.
    """
    for value in values:
        rows = [KRow(k) for k in ks]
        varied = {**settings, over: value, "unseen": 0}
        if over == "k":
            varied["people"] = PEOPLE_A_PROTOTYPE * value
        for seed in range(seeds):
            population = simulate_population(**varied, seed=seed)
            for row in rows:
                seconds, fit = timed_fit(population, row.k, seed)
                row.seconds.append(seconds)
                row.seen.append(100.0 * evaluate(fit.model, population.held_out).accuracy)
        slowest = max(max(row.seconds) for row in rows)
        yield (f"{value:,}", *(spread(row.seen) for row in rows), f"{slowest:.2f}")


def speed_rows(k: int, epochs: int, seed: int, *, full: bool) -> Iterator[tuple[str, ...]]:
    """Our fit against minibatches on the same answers, in this process.

    Args:
        k: prototypes, true and fitted.
        epochs: of the loop written as the authors' code is, to be timed; its 1000 are scaled.
        seed: of the population, the fit and the reference.
        full: run all 1000 epochs of that loop instead.

    Raises:
        MissingExtraError: torch is not installed.
    """
    from palate.bench.population_reference import EPOCHS, train_by_minibatches  # noqa: PLC0415

    population = simulate_population(k=k, seed=seed)
    data = population.train

    def accuracy(model: PalA) -> str:
        return f"{100.0 * evaluate(model, population.held_out).accuracy:.1f}"

    timed_fit(population, k, seed)  # what is set up once is not timed
    ours, fit = timed_fit(population, k, seed)
    yield ("palate", f"{len(fit.history)} iterations", f"{ours:.3f}", "", "1", accuracy(fit.model))
    train_by_minibatches(data, k, epochs=1, style="loader", seed=seed)
    runs: tuple[tuple[str, Style, int], ...] = (
        ("minibatches as the authors' code", "loader", EPOCHS if full else epochs),
        ("the same on whole tensors", "tensors", EPOCHS),
    )
    for name, style, run in runs:
        done = train_by_minibatches(data, k, epochs=run, style=style, seed=seed)
        whole = done.seconds * EPOCHS / done.epochs
        yield (
            name,
            f"{done.epochs} epochs",
            f"{done.seconds:.2f}",
            f"{whole:.1f}" + ("" if done.epochs == EPOCHS else " (scaled)"),
            f"{whole / ours:.0f}",
            accuracy(done.model),
        )


def _as_sure_as(model: PalA, population: SimulatedPopulation) -> PalA:
    """The truth, its rewards scaled to margins as large as the model's: it has no scale itself."""
    truth = population.truth
    margins = [np.abs(one.margins(population.held_out)).mean() for one in (model, truth)]
    scale = np.sqrt(margins[0] / margins[1])
    return replace(truth, f=Projector.linear(scale * truth.f.weights[0]))


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation over seeds."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return f"{np.mean(values):.1f} ± {deviation:.1f}"


def _less(one: Sequence[float], other: Sequence[float]) -> list[float]:
    return [a - b for a, b in zip(one, other, strict=True)]
