"""Where the expected loss comes from: directions of the basis that the answers leave open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator, eigsh

from palate.diversity.curvature import EXACT
from palate.diversity.rows import along, information, margins

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.diversity.curvature import Curvature
    from palate.diversity.posterior import Posterior
    from palate.diversity.rows import Rows

MOST, MOST_LARGE = 64, 24
"""Directions kept, and of a basis too large for an exact matrix; the rest carries little."""


@dataclass(frozen=True, eq=False)
class Open:
    """What is open, and what it costs: ``Omega = sum_k S_k S_k'`` over the directions kept.

    Omega weighs each contest by how easily it may turn around, ``exp(-gap^2 / 2 z'Az)``, with A the
    posterior covariance of the basis. Directions are the eigenvectors of ``A^(1/2) Omega A^(1/2)``.

    Attributes:
        total: ``tr(A Omega)``, all of what is open.
        vectors: (p, J, F) eigenvectors, greatest first; their squared lengths are the eigenvalues.
        sums: (p, J, F) ``S_k = A^(-1/2) v_k``.
        loadings: (p, J, F) ``A S_k``: the uncertain basis entries that direction k is made of.
        weights: (n,) of the contests in Omega.
    """

    total: float
    vectors: FloatArray
    sums: FloatArray
    loadings: FloatArray
    weights: FloatArray

    @property
    def shares(self) -> FloatArray:
        """(p,) of the total that each direction carries."""
        values: FloatArray = (self.vectors**2).sum(axis=(1, 2))
        return values / self.total if self.total > 0.0 else values


def open_directions(
    rows: Rows, heads: FloatArray, posterior: Posterior, most: int | None = None
) -> Open:
    """The directions that carry the expected loss of the people who are served.

    Args:
        rows: contests, best less competitor by the estimate.
        heads: (S, J) that go with the rows.
        posterior: of the basis.
        most: directions to keep; by default 64, of a large basis 24.
    """
    answered, deviation = posterior.answered, posterior.deviations()
    spread = answered.quadratic(rows, heads, deviation**2)
    gap = margins(rows, heads, posterior.basis)
    steps = np.divide(gap**2, spread, out=np.full(len(rows), np.inf), where=spread > 0.0)
    weights = np.exp(-0.5 * steps)
    total = float(weights @ spread)
    near = weights * spread > 1e-12 * total
    if not near.any():
        nothing = np.zeros((0, *posterior.basis.shape))
        return Open(0.0, nothing, nothing, nothing, np.zeros(len(rows)))
    half = _Half(answered, deviation)
    if most is None:
        most = MOST if posterior.basis.size <= EXACT else MOST_LARGE
    values, vectors = _leading(rows.of(near), heads, weights[near], half, most)
    keep = values > 1e-9 * total
    vectors = np.sqrt(values[keep])[:, None, None] * vectors[keep]
    return Open(total, vectors, answered.applied(vectors, 1.0 / deviation), half(vectors), weights)


def _leading(
    rows: Rows, heads: FloatArray, weights: FloatArray, half: _Half, most: int
) -> tuple[FloatArray, FloatArray]:
    """Greatest eigenvalues (p,) of ``A^(1/2) Omega A^(1/2)``, and eigenvectors (p, J, F)."""
    J, F = heads.shape[1], rows.delta.shape[1]
    size = J * F
    if size <= EXACT:
        once = half(information(rows, heads, weights).reshape(size, J, F)).reshape(size, size)
        twice = half(once.T.reshape(size, J, F)).reshape(size, size)
        values, vectors = np.linalg.eigh(twice)
        return values[::-1][:most], vectors.T[::-1][:most].reshape(-1, J, F)

    places = np.arange(len(rows))

    def times(vector: FloatArray) -> FloatArray:
        pull = weights * along(rows, heads, half(vector.reshape(1, J, F)))[:, 0]
        of_people = csr_array((pull, (rows.person, places)), shape=(len(heads), len(rows)))
        return half((heads.T @ (of_people @ rows.delta))[None]).reshape(-1)

    operator = LinearOperator((size, size), matvec=times, dtype=np.float64)
    values, vectors = eigsh(operator, k=most, v0=np.ones(size), tol=1e-4)
    return values[::-1], vectors.T[::-1].reshape(-1, J, F)


@dataclass(frozen=True, eq=False)
class _Half:
    """``A^(1/2)``, applied to (p, J, F)."""

    answered: Curvature
    deviation: FloatArray

    def __call__(self, directions: FloatArray) -> FloatArray:
        return self.answered.applied(directions, self.deviation)
