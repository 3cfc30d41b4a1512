"""Exact empirical risk minimisation, with heads known and unknown: what a greedy learner refits.

Letters: U people, J latent dimensions, F features, n rows. A learner's estimate enters a world as
directions (U, F), ``h_i^T B`` of each person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from palate._random import generator
from palate.diversity.posterior import laplace
from palate.diversity.rows import fisher, information
from palate.errors import ParameterError
from palate.population._descent import Parts, Value, descend

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palate._typing import FloatArray, IndexArray
    from palate.diversity.rows import Rows
    from palate.diversity.world import BilinearWorld

Heads: TypeAlias = Literal["known", "unknown"]
"""Whether everybody's head is given, or fitted together with the basis."""

RIDGE = 0.1
"""Weight of half the squared parameters beside the summed loss. Without it, few answers that can
all be satisfied have no estimate."""

_MAX_STEPS = 50
_DECREMENT = 1e-9  # nats of the summed loss that one more Newton step would save
_SHORTEST = 1e-6  # of a line search


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a learner believes.

    Attributes:
        heads: (U, J).
        basis: (J, F).
    """

    heads: FloatArray
    basis: FloatArray

    @property
    def directions(self) -> FloatArray:
        """(U, F) of each person."""
        return self.heads @ self.basis

    def refit(self, rows: Rows, heads: Heads, *, ridge: float = RIDGE) -> Estimate:
        """The estimate from more answers, by :func:`fit_basis` or :func:`fit_low_rank`."""
        if heads == "known":
            return Estimate(self.heads, fit_basis(rows, self.heads, ridge=ridge, start=self.basis))
        start = self.heads, self.basis
        return Estimate(*fit_low_rank(rows, *self.heads.shape, ridge=ridge, start=start))


def first_estimate(world: BilinearWorld, heads: Heads, *, seed: int = 0) -> Estimate:
    """Before any answer: a basis of 0, with the true heads or, where they are unknown, random ones.

    Raises:
        ParameterError: ``heads`` is neither.
    """
    if heads not in get_args(Heads):
        msg = f"heads are 'known' or 'unknown', not {heads!r}"
        raise ParameterError(msg)
    people, latent = world.heads.shape
    start = world.heads if heads == "known" else _random_heads(people, latent, seed)
    return Estimate(start, np.zeros_like(world.basis))


def fit_basis(
    rows: Rows, heads: FloatArray, *, ridge: float = RIDGE, start: FloatArray | None = None
) -> FloatArray:
    """The basis of least loss where everybody's head is known: convex, and solved by Newton.

    Minimised is the summed multinomial-logit loss of the margins ``h_i^T B delta``, plus
    ``ridge / 2`` times the squares of B.

    Args:
        rows: answers.
        heads: (U, J).
        ridge: above 0.
        start: (J, F) to start from, such as the estimate from fewer answers.

    Returns:
        (J, F).

    Raises:
        ParameterError: the ridge is not above 0.
    """
    _check_ridge(ridge)
    answers = _ByPerson(rows, len(heads))
    shape = heads.shape[1], rows.delta.shape[1]

    def pull(basis: FloatArray) -> tuple[float, FloatArray]:
        loss, slopes = answers.pull(heads @ basis)
        return loss + 0.5 * ridge * float((basis * basis).sum()), heads.T @ slopes + ridge * basis

    basis = np.zeros(shape) if start is None else start
    loss, gradient = pull(basis)
    for _ in range(_MAX_STEPS):
        curvature = _curvature(answers, heads, basis, ridge)
        step = cho_solve(cho_factor(curvature), gradient.reshape(-1)).reshape(shape)
        decrement = float((gradient * step).sum())
        if decrement < _DECREMENT:
            break
        scale = 1.0
        while True:
            trial = basis - scale * step
            trial_loss, trial_gradient = pull(trial)
            if trial_loss <= loss - 1e-4 * scale * decrement or scale < _SHORTEST:
                break
            scale *= 0.5
        basis, loss, gradient = trial, trial_loss, trial_gradient
    return basis


def fit_low_rank(
    rows: Rows,
    people: int,
    latent: int,
    *,
    ridge: float = RIDGE,
    start: tuple[FloatArray, FloatArray] | None = None,
    max_iterations: int = 500,
    tolerance: float = 1e-4,
    seed: int = 0,
) -> tuple[FloatArray, FloatArray]:
    """Heads and basis of least loss together: low-rank empirical risk minimisation, by L-BFGS.

    Loss and ridge are those of :func:`fit_basis`, the ridge on the heads too. Heads and basis are
    found up to a rotation of the latent space. The problem is not convex: the minimum is the one
    that descent finds from the start.

    Args:
        rows: answers.
        people: U; whoever gave no answer ends with a head near 0.
        latent: J.
        ridge: above 0.
        start: heads (U, J), not all 0, and basis (J, F) to start from; by default random heads
            and a basis of 0.
        max_iterations: of the descent.
        tolerance: descent ends when an iteration lowers the summed loss by less, in nats.
        seed: of the random start.

    Returns:
        Heads (U, J) and basis (J, F).

    Raises:
        ParameterError: the ridge is not above 0.
    """
    _check_ridge(ridge)
    answers = _ByPerson(rows, people)
    first = start or (_random_heads(people, latent, seed), np.zeros((latent, rows.delta.shape[1])))

    def objective(parts: Parts) -> Value:
        heads, basis = parts
        loss, slopes = answers.pull(heads @ basis)
        return Value(loss, np.nan, (slopes @ basis.T, heads.T @ slopes))

    found = descend(
        objective,
        [first],
        ridge=ridge,
        max_iterations=max_iterations,
        tolerance=tolerance,
        validate=None,
        on_step=None,
    )
    return found.parts[0], found.parts[1]


def _random_heads(people: int, latent: int, seed: int) -> FloatArray:
    """(U, J) heads to start from, N(0, I/J)."""
    drawn = generator(seed, "random heads").normal(size=(people, latent))
    return np.asarray(drawn / np.sqrt(latent))


def draw_bases(
    rng: np.random.Generator,
    rows: Rows,
    estimate: Estimate,
    draws: int,
    *,
    ridge: float = RIDGE,
) -> FloatArray:
    """(draws, J, F) bases of the Laplace posterior about an estimate by :func:`fit_basis`.

    Raises:
        ParameterError: the ridge is not above 0.
    """
    _check_ridge(ridge)
    posterior = laplace(rows, estimate.heads, estimate.basis, variance=1.0 / ridge)
    noise = rng.normal(size=(draws, estimate.basis.size))
    return estimate.basis + posterior.answered.mixed(noise, posterior.deviations())


def _curvature(
    answers: _ByPerson, heads: FloatArray, basis: FloatArray, ridge: float
) -> FloatArray:
    """(JF, JF) Hessian of what :func:`fit_basis` minimises."""
    options, weights = fisher(answers.rows, answers.margins(heads @ basis))
    curvature = information(options, heads, weights)
    curvature.reshape(-1)[:: len(curvature) + 1] += ridge
    return curvature


class _ByPerson:
    """Answers, those of a person adjoining: one small product a person instead of n gathered rows.

    Attributes:
        rows: in that order.
    """

    def __init__(self, rows: Rows, people: int) -> None:
        order = np.argsort(rows.person, kind="stable")
        self.rows = rows.of(order)
        self._ends = np.searchsorted(self.rows.person, np.arange(people + 1)).tolist()
        self._starts = self.rows.starts if rows.pick is not None else None

    def margins(self, directions: FloatArray) -> FloatArray:
        """(n,) at directions (U, F)."""
        margin = np.empty(len(self.rows))
        for i, part in self._parts():
            np.matmul(self.rows.delta[part], directions[i], out=margin[part])
        return margin if self.rows.offset is None else margin + self.rows.offset

    def pull(self, directions: FloatArray) -> tuple[float, FloatArray]:
        """Summed loss at directions (U, F), and its gradient in them."""
        loss, others = _summed_loss(self.margins(directions), self._starts)
        gradient = np.zeros_like(directions)
        for i, part in self._parts():
            np.matmul(others[part], self.rows.delta[part], out=gradient[i])
        return loss, -gradient

    def _parts(self) -> Iterator[tuple[int, slice]]:
        for i, (first, end) in enumerate(zip(self._ends, self._ends[1:], strict=False)):
            if first < end:
                yield i, slice(first, end)


def _summed_loss(margins: FloatArray, starts: IndexArray | None) -> tuple[float, FloatArray]:
    """Loss of all answers, and the probability of each row's option that was not picked."""
    if starts is None:
        small = np.exp(-np.abs(margins))
        loss = float(np.log1p(small).sum() - np.minimum(margins, 0.0).sum())
        return loss, np.where(margins > 0.0, small, 1.0) / (1.0 + small)
    sizes = np.diff(starts, append=len(margins))
    top = np.maximum(np.maximum.reduceat(-margins, starts), 0.0)
    terms = np.exp(-margins - np.repeat(top, sizes))
    total = np.exp(-top) + np.add.reduceat(terms, starts)
    return float((top + np.log(total)).sum()), terms / np.repeat(total, sizes)


def _check_ridge(ridge: float) -> None:
    if not 0.0 < ridge < np.inf:
        msg = f"ridge must be above 0, not {ridge}"
        raise ParameterError(msg)
