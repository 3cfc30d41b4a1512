"""How many latent directions the answers support, told from noise by cross-fitting.

The singular values of a fitted ``M = H B`` are too large, since each fits some noise, and a
bootstrap repeats the noise with the signal: its interval leaves out the truth. Singular vectors of
one half of the answers, applied to the fit of the other half, have nothing to gain from noise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from palate._random import generator
from palate.diversity.learners import fit_low_rank
from palate.diversity.rows import unit_scale
from palate.errors import ParameterError
from palate.preference.likelihood import multinomial_loss

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray
    from palate.diversity.rows import Rows

SPLITS = 3

RIDGES = (0.1, 1.0, 10.0)
"""Of the fits; the one is taken whose fits to halves predict the other halves best."""

_TOLERANCE = 1e-2  # nats of the summed loss; singular values need no more
_ROWS = 40_000  # beyond which people are drawn: more would tell little more, and take longer


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Singular values of ``M = H B / sqrt(U)``, features scaled by :func:`unit_scale`.

    Attributes:
        in_sample: (J,) of the fit to all answers; never 0, whatever the truth.
        values: (J,) cross-fitted, mean over the splits; about 0 where a direction is noise.
        deviation: (J,) standard deviation over the splits.
        people: how many people they are from.
    """

    in_sample: FloatArray
    values: FloatArray
    deviation: FloatArray
    people: int

    @property
    def supported(self) -> BoolArray:
        """(J,) which directions more than half of the in-sample value, and two deviations, show."""
        needed = np.maximum(0.5 * self.in_sample, 2.0 * self.deviation)
        return (self.values > needed) & (self.in_sample > 1e-9 * self.in_sample.max(initial=0.0))

    @property
    def rank(self) -> int:
        """How many directions are supported."""
        return int(self.supported.sum())


def cross_fitted(
    rows: Rows, people: int, latent: int, *, splits: int = SPLITS, seed: int = 0
) -> Spectrum:
    """Cross-fitted singular values ``s_j = u_j(a)' M(b) v_j(a) / sqrt(U)`` of the population.

    Each person's answers are split in halves a and b by chance, a low-rank model is fitted to each,
    see :func:`palate.diversity.learners.fit_low_rank`, and the two are applied to each other both
    ways. Of large data people are drawn.

    Args:
        rows: answers.
        people: U.
        latent: J; no more directions are looked for than there are people or features.
        splits: how many.
        seed: of people and splits.

    Raises:
        ParameterError: nobody answered twice, or ``splits`` is below 1.
    """
    if splits < 1:
        msg = f"splits must be at least 1, not {splits}"
        raise ParameterError(msg)
    rows, people = _enough(_with_offset(rows), people, generator(seed, "spectrum people"))
    rows = replace(rows, delta=unit_scale(rows) * rows.delta)
    starts = rows.starts
    if np.bincount(rows.person[starts], minlength=people).max(initial=0) < 2:
        raise ParameterError("cross-fitting splits people's answers: somebody must have given two")
    latent = min(latent, people, rows.delta.shape[1])

    def fitted(part: Rows, ridge: float) -> FloatArray:
        heads, basis = fit_low_rank(
            part, people, latent, ridge=ridge, tolerance=_TOLERANCE, seed=seed
        )
        return heads @ basis

    halves = [_halves(rows, generator(seed, "spectrum split", split)) for split in range(splits)]
    first, second = rows.of(halves[0]), rows.of(~halves[0])

    def held_out(ridge: float) -> float:
        return _loss(fitted(first, ridge), second) + _loss(fitted(second, ridge), first)

    ridge = min(RIDGES, key=held_out)
    found = []
    for half in halves:
        one, other = fitted(rows.of(half), ridge), fitted(rows.of(~half), ridge)
        found.append([_applied(one, other, latent), _applied(other, one, latent)])
    scale = np.sqrt(people)
    by_split = np.array(found).mean(axis=1) / scale
    # Of one split the two ways are all there is to tell how far it may be off.
    several = by_split if splits > 1 else np.array(found[0]) / scale
    whole = np.linalg.svd(fitted(rows, ridge))[1][:latent] / scale
    return Spectrum(whole, by_split.mean(axis=0), several.std(axis=0, ddof=1), people)


def _loss(wants: FloatArray, rows: Rows) -> float:
    """Summed loss of answers under (U, F) rewards."""
    margin = np.einsum("nf,nf->n", rows.delta, wants[rows.person])
    groups = np.repeat(np.arange(len(rows.starts)), np.diff(rows.starts, append=len(rows)))
    return multinomial_loss(np.ones(1), margin[:, None], groups)


def _applied(one: FloatArray, other: FloatArray, latent: int) -> FloatArray:
    left, _, right = np.linalg.svd(one, full_matrices=False)
    return np.einsum("uj,uf,jf->j", left[:, :latent], other, right[:latent])


def _halves(rows: Rows, rng: np.random.Generator) -> BoolArray:
    """(n,) the rows of one half of each person's answers."""
    starts = rows.starts
    owner, key = rows.person[starts], rng.random(len(starts))
    order = np.lexsort((key, owner))
    sorted_owner = owner[order]
    rank = np.arange(len(order)) - np.searchsorted(sorted_owner, sorted_owner)
    half = np.empty(len(order), dtype=bool)
    half[order] = rank % 2 == 0
    return np.repeat(half, np.diff(starts, append=len(rows)))


def _enough(rows: Rows, people: int, rng: np.random.Generator) -> tuple[Rows, int]:
    """People with answers, in all of about as many rows as are needed, numbered anew."""
    per_person = np.bincount(rows.person, minlength=people)
    who = rng.permutation(np.flatnonzero(per_person))
    who = who[np.cumsum(per_person[who]) - per_person[who] < _ROWS]
    places = np.full(people, -1, dtype=np.intp)
    places[who] = np.arange(len(who))
    part = rows.of(places[rows.person] >= 0)
    return replace(part, person=places[part.person]), len(who)


def _with_offset(rows: Rows) -> Rows:
    """What is everybody's as one more feature, so that a low-rank fit has room for it."""
    if rows.offset is None:
        return rows
    return replace(rows, delta=np.column_stack([rows.delta, rows.offset]), offset=None)
