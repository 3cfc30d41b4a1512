"""A design problem as one concave function of N stacked weights, in as few features as it needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve, lapack

from palate.design.criteria import Criterion, symmetric
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.design.problem import Problem


@dataclass(frozen=True, eq=False)
class Point:
    """The function at some weights.

    Attributes:
        weights: (N,) every slot's weights, one slot after the other.
        value: f there.
        information: (r, r) M.
        inverse: (r, r) of M.
        centred: (N, r) tokens minus their slot's mean under the weights.
        mapped: (N, r) the same times G, the gradient of the criterion at M.
        gradient: (N,) derivatives of f, up to a constant a slot: at least 0.
        gap: duality gap: f is at most this below its maximum.
    """

    weights: FloatArray
    value: float
    information: FloatArray
    inverse: FloatArray
    centred: FloatArray
    mapped: FloatArray
    gradient: FloatArray
    gap: float


@dataclass(frozen=True, eq=False)
class Objective:
    """``f(d) = criterion(M0 + sum_h c_h Cov_{d_h}(phi))`` over a product of simplices.

    Attributes:
        rows: (N, r) tokens, one slot after the other, in coordinates of what they span.
        starts: (H,) the first row of each slot.
        scale: (N,) c_h = n w_h of each row's slot.
        prior: (r, r) M0 as far as the design can add to it.
        criterion: in the same coordinates.
        offset: what it lacks there of the criterion of the whole M.
    """

    rows: FloatArray
    starts: IndexArray
    scale: FloatArray
    prior: FloatArray
    criterion: Criterion
    offset: float = 0.0

    @cached_property
    def slots(self) -> tuple[slice, ...]:
        """The rows of each slot."""
        ends = (*self.starts[1:], len(self.rows))
        return tuple(slice(a, b) for a, b in zip(self.starts, ends, strict=True))

    @cached_property
    def slot_of(self) -> IndexArray:
        """(N,) the slot of each row."""
        return np.repeat(np.arange(len(self.slots)), [s.stop - s.start for s in self.slots])

    @cached_property
    def value_at_prior(self) -> float:
        """What f is before any query."""
        return self.criterion.value(self.prior) + self.offset

    def uniform(self) -> FloatArray:
        """(N,) every token of a slot equally often."""
        return 1.0 / np.bincount(self.slot_of)[self.slot_of]

    def best(self, scores: FloatArray) -> FloatArray:
        """(H,) the largest of (N,) scores in each slot."""
        return np.maximum.reduceat(scores, self.starts)

    def total(self, amounts: FloatArray) -> FloatArray:
        """(H,) the sum of (N,) amounts in each slot."""
        return np.add.reduceat(amounts, self.starts)

    def centred(self, weights: FloatArray) -> FloatArray:
        """(N, r) rows minus their slot's mean under the weights."""
        result = np.empty_like(self.rows)
        for s in self.slots:
            np.subtract(self.rows[s], weights[s] @ self.rows[s], out=result[s])
        return result

    def at(self, weights: FloatArray) -> Point:
        """Everything that solvers ask about the weights: O(N r^2 + r^3)."""
        centred = self.centred(weights)
        information = self.prior + centred.T @ (centred * (self.scale * weights)[:, None])
        inverse, logdet = inverse_and_logdet(information)
        if self.criterion.target is None:
            value, gradient = logdet, inverse
        else:
            half = inverse @ self.criterion.target
            value, gradient = -float(np.trace(half)), symmetric(half @ inverse)
        mapped = centred @ gradient
        slopes = self.scale * np.einsum("ij,ij->i", mapped, centred)
        gap = float((self.best(slopes) - self.total(slopes * weights)).sum())
        value += self.offset
        return Point(weights, value, information, inverse, centred, mapped, slopes, gap)

    def gain(self, point: Point) -> float:
        """How much f is above its value before any query."""
        return point.value - self.value_at_prior

    def restricted(self, kept: IndexArray) -> Objective:
        """The same function with the weights of all other rows held at 0.

        Args:
            kept: increasing row numbers, at least one a slot.
        """
        starts = np.searchsorted(self.slot_of[kept], np.arange(len(self.starts)))
        return replace(self, rows=self.rows[kept], starts=starts, scale=self.scale[kept])


def objective_of(
    problem: Problem, criterion: Criterion, *, n_queries: float, prior_precision: FloatArray
) -> Objective:
    """The function that a design maximises.

    With basis U of what the slot-centred tokens span, ``M = M0 + U N U^T``. By Woodbury's identity
    the design enters D and ``tr(V M^-1)`` only through ``R + N`` with ``R = (U^T M0^-1 U)^-1``, so
    r features replace d without error, whatever M0.

    Raises:
        ParameterError: M0 is not positive definite, or no two tokens of a slot differ.
    """
    rows = np.concatenate([slot.features - slot.features.mean(axis=0) for slot in problem.slots])
    if np.abs(rows).max() <= 1e-12 * max(np.abs(slot.features).max() for slot in problem.slots):
        raise ParameterError("nothing to learn: the tokens of each slot all have equal features")
    sizes = np.array(problem.sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    scale = np.repeat([n_queries * slot.weight for slot in problem.slots], sizes)
    value_at_prior = criterion.value(prior_precision)
    basis = _span(rows)
    if basis is None:
        return Objective(rows, starts, scale, prior_precision, criterion)
    spread = cho_solve(cho_factor(prior_precision, lower=True), basis)  # M0^-1 U
    prior = symmetric(inverse_and_logdet(symmetric(basis.T @ spread))[0])
    target = criterion.target
    if target is not None:
        back = spread @ prior
        target = symmetric(back.T @ target @ back)
    reduced = Criterion(criterion.name, target)
    objective = Objective(rows @ basis, starts, scale, prior, reduced)
    return replace(objective, offset=value_at_prior - objective.value_at_prior)


def inverse_and_logdet(matrix: FloatArray) -> tuple[FloatArray, float]:
    """The inverse of a positive definite matrix, and the logarithm of its determinant."""
    factor, failed = lapack.dpotrf(matrix, lower=True)
    if failed:
        raise ParameterError(
            "the information matrix is not positive definite: give a larger prior precision"
        )
    logdet = 2.0 * float(np.log(np.diag(factor)).sum())
    inverse, _ = lapack.dpotri(factor, lower=True, overwrite_c=True)
    lower = np.tril(inverse, -1)
    return lower + lower.T + np.diag(np.diag(inverse)), logdet


def _span(rows: FloatArray) -> FloatArray | None:
    """(d, r) orthonormal basis of what (N, d) rows span, or None where that is everything."""
    n, d = rows.shape
    wide = n < d
    gram = rows @ rows.T if wide else rows.T @ rows
    squares, vectors = np.linalg.eigh(gram)
    kept = squares > np.finfo(np.float64).eps * max(n, d) * squares[-1]
    if wide:
        basis, _ = np.linalg.qr(rows.T @ vectors[:, kept])
        return np.asarray(basis)
    return None if kept.all() else np.asarray(vectors[:, kept])
