"""Simulated new people on a basis that others made, and whom to ask for a missing direction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate._random import generator
from palate.bench.diversity import Panel, at_least, at_most
from palate.diversity.adequacy import adequacy
from palate.diversity.directions import open_directions
from palate.diversity.learners import fit_basis, fit_low_rank
from palate.diversity.offline import reference_answers
from palate.diversity.plans import plan_users
from palate.diversity.posterior import laplace
from palate.diversity.rows import Rows
from palate.diversity.served import contests
from palate.diversity.slates import joined
from palate.diversity.spectrum import cross_fitted
from palate.diversity.world import simulate_world

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from palate._typing import FloatArray, IndexArray
    from palate.bench.diversity import Check
    from palate.diversity.spectrum import Spectrum
    from palate.diversity.world import BilinearWorld

LATENT = 10
FROZEN_DIMS = (10, 9, 8)
"""Of the training people's heads, of 10."""

TRAINING, ANSWERS = 50, 32_000
NEW, COUNTS = 20, (50, 200, 1_000, 4_000)
"""New people, and answers of each."""

JUDGED = 1_000
"""Answers of each new person by which the basis is judged."""


@dataclass(frozen=True, eq=False)
class Frozen:
    """A basis fitted together with 50 people's heads, and 20 new people with heads of all kinds.

    Attributes:
        dims: of the training people's heads.
        frozen: by ``COUNTS``, gap of new people whose head is found in the frozen basis.
        free: the same where they have a reward of their own, without the basis.
        ratio: likelihood ratio over degrees of freedom at 1,000 answers a person.
        spectrum: of the training people.
        truth: (J,) singular values of the training people's true ``H B / sqrt(U)``.
    """

    dims: int
    frozen: FloatArray
    free: FloatArray
    ratio: float
    spectrum: Spectrum
    truth: FloatArray


def frozen_basis(dims: int, seed: int) -> Frozen:
    """Fit heads and basis to training people, and find new people's heads in that basis."""
    world = simulate_world(people=TRAINING, late=NEW, latent=LATENT, head_dims=dims)
    training, new = np.arange(TRAINING), np.arange(TRAINING, TRAINING + NEW)
    rows = reference_answers(world, training, ANSWERS, seed=seed)
    _, basis = fit_low_rank(rows, TRAINING, LATENT, seed=seed)
    told = reference_answers(world, new, NEW * COUNTS[-1], seed=seed + 1_000)
    told = Rows(told.person - TRAINING, told.delta)
    gaps = []
    for count in COUNTS:
        some = told.of(np.arange(NEW * count))
        in_basis = _own_weights(Rows(some.person, some.delta @ basis.T)) @ basis
        gaps.append([_new_gap(world, wants) for wants in (in_basis, _own_weights(some))])
    frozen, free = np.array(gaps).T
    ratio = adequacy(told.of(np.arange(NEW * JUDGED)), basis, seed=seed).ratio
    spectrum = cross_fitted(rows, TRAINING, LATENT, seed=seed)
    wants = world.heads[training] @ world.basis
    truth = np.linalg.svd(wants, compute_uv=False)[:LATENT] / TRAINING**0.5
    return Frozen(dims, frozen, free, ratio, spectrum, truth)


def _own_weights(rows: Rows) -> FloatArray:
    """(U, F) weights of each new person by their own answers alone."""
    # One head a person makes the rows of the basis their weights.
    return fit_basis(rows, np.eye(NEW))


def _new_gap(world: BilinearWorld, wants: FloatArray) -> float:
    directions = np.concatenate([np.zeros((TRAINING, wants.shape[1])), wants])
    return float(world.regret(world.scores(directions))[TRAINING:].mean())


FROZEN_HEADER = (
    "heads, training people",
    *(f"{count:,} answers: frozen / free" for count in COUNTS),
    "likelihood ratio / df",
    "in-sample s9, s10",
    "cross-fitted s9, s10",
    "true s9, s10",
)


def frozen_row(runs: Sequence[Frozen]) -> tuple[str, ...]:
    """Cells of a table, means over seeds: gaps of new people, and what tells that they will be."""
    frozen = np.mean([run.frozen for run in runs], axis=0)
    free = np.mean([run.free for run in runs], axis=0)
    in_sample = np.mean([run.spectrum.in_sample[-2:] for run in runs], axis=0)
    fitted = np.array([run.spectrum.values[-2:] for run in runs])
    deviation = fitted.std(axis=0, ddof=1) if len(runs) > 1 else np.zeros(2)
    return (
        f"k = {runs[0].dims}",
        *(f"{a:.2g} / {b:.2g}" for a, b in zip(frozen, free, strict=True)),
        f"{np.mean([run.ratio for run in runs]):.2f}",
        ", ".join(f"{value:.2f}" for value in in_sample),
        ", ".join(
            f"{value:.2f} ± {sd:.2f}"
            for value, sd in zip(fitted.mean(axis=0), deviation, strict=True)
        ),
        ", ".join(f"{value:.2f}" for value in runs[0].truth[-2:]),
    )


def frozen_checks(runs: Sequence[Frozen]) -> Iterator[Check]:
    """Whether the last direction is told from noise in each seed."""
    dims = runs[0].dims
    last = np.array([run.spectrum.values[-1] for run in runs])
    ratios = np.array([run.ratio for run in runs])
    if dims == LATENT:
        yield at_least(f"k = {dims}: cross-fitted s10, least over seeds", float(last.min()), 1.0)
        what = f"k = {dims}: likelihood ratio / df, most over seeds"
        yield at_most(what, float(ratios.max()), 3.0)
    else:
        what = f"k = {dims}: size of the cross-fitted s10, most over seeds"
        yield at_most(what, float(np.abs(last).max()), 0.3)
        what = f"k = {dims}: likelihood ratio / df, least over seeds"
        yield at_least(what, float(ratios.min()), 3.0)


def frozen_panel(runs: Sequence[Frozen]) -> Panel:
    """Gap of new people by their number of answers."""
    lines = {
        "frozen basis": (np.array(COUNTS), np.array([run.frozen for run in runs])),
        "a reward of one's own": (np.array(COUNTS), np.array([run.free for run in runs])),
    }
    title = f"training heads of {runs[0].dims} dimensions"
    return Panel(title, "answers of a new person", "gap", lines, log="xy")


POOL, COVERING = 100, 5
"""People who could be asked, and how many of them have the missing direction."""

COLLECTED, EXTRA = 16_000, 400
"""Answers so far, and further ones to collect."""

_LATE, _QUERIES = 10, 20


@dataclass(frozen=True)
class Recruited:
    """Latecomers' gap before and after 400 further answers, by whom they came from.

    Attributes:
        found: of the five chosen by the plan, how many have the missing direction.
        before: the gap.
        planned: after answers of those five.
        random: after answers of five of the hundred at random.
        same: after answers of the people who had answered before.
    """

    found: int
    before: float
    planned: float
    random: float
    same: float


def recruit(seed: int) -> Recruited:
    """Whom to ask: 50 people with nine dimensions of ten answered, and latecomers need the tenth.

    Of 100 people who could be asked besides, 95 are like those who answered and 5 have all ten.
    """
    others = POOL - COVERING
    world = simulate_world(
        people=TRAINING + others, late=COVERING + _LATE, latent=LATENT, head_dims=9
    )
    answering = np.arange(TRAINING)
    pool = np.arange(TRAINING, TRAINING + POOL)
    covering, late = pool[others:], np.arange(TRAINING + POOL, world.people)
    rows = reference_answers(world, answering, COLLECTED, seed=seed)
    basis = fit_basis(rows, world.heads)
    posterior = laplace(rows, world.heads, basis)
    served = world.served(late)
    unknown = open_directions(contests(served, basis).rows, served.heads, posterior)
    asked = reference_answers(world, pool, POOL * _QUERIES, seed=seed + 1_000)
    plan = plan_users(asked, world.heads, posterior, unknown, COVERING)
    drawn = generator(seed, "recruit").permutation(pool)[:COVERING]

    def gap(more: Rows | None) -> float:
        known = rows if more is None else joined(rows, more)
        found = fit_basis(known, world.heads, start=basis)
        return float(world.regret(world.scores(world.heads @ found))[late].mean())

    def after(people: IndexArray) -> float:
        return gap(reference_answers(world, people, EXTRA, seed=seed + 2_000))

    return Recruited(
        int(np.isin(plan.chosen, covering).sum()),
        gap(None),
        after(plan.chosen),
        after(drawn),
        after(answering),
    )


RECRUIT_HEADER = ("latecomers' gap", "mean ± sd")

_RECRUITED = {
    "before": f"after {COLLECTED:,} answers",
    "planned": f"{EXTRA} more of the five people planned",
    "random": f"{EXTRA} more of five people at random",
    "same": f"{EXTRA} more of the same people",
}


def recruit_rows(runs: Sequence[Recruited]) -> Iterator[tuple[str, ...]]:
    """The cells of a table."""
    for of, name in _RECRUITED.items():
        values = [getattr(run, of) for run in runs]
        deviation = np.std(values, ddof=1) if len(values) > 1 else 0.0
        yield (name, f"{np.mean(values):.3f} ± {deviation:.3f}")


def recruit_panel(runs: Sequence[Recruited]) -> Panel:
    """Latecomers' gap before and after."""
    places = np.array([COLLECTED, COLLECTED + EXTRA])
    lines = {
        name: (places, np.array([(run.before, getattr(run, of)) for run in runs]))
        for of, name in _RECRUITED.items()
        if of != "before"
    }
    return Panel("whom to ask", "answers", "latecomers' gap", lines, log="")


def recruit_checks(runs: Sequence[Recruited]) -> Iterator[Check]:
    """Whether the plan finds the people who have what is missing, and their answers help."""
    found = min(run.found for run in runs)
    yield at_least("people with the missing direction among the five planned, least", found, 4)
    planned, drawn = (np.mean([getattr(run, of) for run in runs]) for of in ("planned", "random"))
    what = "latecomers' gap after answers of the planned over that after random ones"
    yield at_most(what, float(planned / drawn), 0.6)
