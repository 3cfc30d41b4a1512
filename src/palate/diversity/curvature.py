"""What answers say of a basis, direction by direction: the information matrix, decomposed.

Exactly, or for large feature spaces as the Kronecker product of a matrix of heads and one of
features, which needs no JF x JF matrix.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate.diversity.rows import information, quadratic

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray
    from palate.diversity.rows import Rows

EXACT = 1_500
"""Most entries of a basis, JF, for which the exact matrix is taken by default."""

NULL = 1e-9
"""A direction with less than this share of the greatest eigenvalue carries no information."""


@dataclass(frozen=True, eq=False)
class Curvature(ABC):
    """An information matrix ``Q diag(values) Q'`` over the entries of a (J, F) basis.

    Functions of it are given by what becomes of the eigenvalues: ``of`` is (JF,), in their order.

    Attributes:
        values: (JF,) eigenvalues, at least 0.
    """

    values: FloatArray

    @property
    def seen(self) -> BoolArray:
        """(JF,) which eigenvectors the answers say anything of."""
        return self.values > NULL * self.values.max(initial=0.0)

    @property
    def inverse(self) -> FloatArray:
        """(JF,) eigenvalues of the pseudo-inverse."""
        return np.divide(1.0, self.values, out=np.zeros(len(self.values)), where=self.seen)

    @abstractmethod
    def quadratic(self, rows: Rows, heads: FloatArray, of: FloatArray) -> FloatArray:
        """(n,) ``z' Q diag(of) Q' z`` of each row."""

    @abstractmethod
    def mixed(self, noise: FloatArray, of: FloatArray) -> FloatArray:
        """(p, J, F) sums of eigenvectors, ``Q diag(of) noise_k`` of (p, JF) noise."""

    @abstractmethod
    def applied(self, directions: FloatArray, of: FloatArray) -> FloatArray:
        """(p, J, F) ``Q diag(of) Q' D_k`` of (p, J, F) directions."""


def curvature(
    rows: Rows, heads: FloatArray, weights: FloatArray | None = None, *, exact: bool | None = None
) -> Curvature:
    """The information matrix ``sum_n w_n z_n z_n'`` of some comparisons, decomposed.

    Args:
        rows: n comparisons.
        heads: (U, J).
        weights: (n,), at least 0; by default 1 each. See :func:`palate.diversity.rows.fisher`.
        exact: False for the Kronecker product ``(sum w h h') (x) (sum w delta delta') / sum w``;
            by default where JF is above 1,500. Where everybody compares the same kind of
            responses, leverages lie within about 0.86 to 1.14 of the exact ones.
    """
    J, F = heads.shape[1], rows.delta.shape[1]
    if exact is None:
        exact = J * F <= EXACT
    if exact:
        values, vectors = np.linalg.eigh(information(rows, heads, weights))
        return _Exact(np.maximum(values, 0.0), vectors, (J, F))
    w = np.ones(len(rows)) if weights is None else weights
    by_person = np.bincount(rows.person, weights=w, minlength=len(heads))
    of_heads, left = np.linalg.eigh((heads.T * by_person) @ heads)
    of_features, right = np.linalg.eigh((rows.delta.T * w) @ rows.delta)
    total = float(w.sum())
    product = np.outer(np.maximum(of_heads, 0.0), np.maximum(of_features, 0.0))
    return _Kronecker(product.reshape(-1) / (total or 1.0), left, right)


@dataclass(frozen=True, eq=False)
class _Exact(Curvature):
    """Eigenvectors are the columns of a (JF, JF) matrix."""

    vectors: FloatArray
    shape: tuple[int, int]

    def quadratic(self, rows: Rows, heads: FloatArray, of: FloatArray) -> FloatArray:
        return quadratic(rows, heads, (self.vectors * of) @ self.vectors.T)

    def mixed(self, noise: FloatArray, of: FloatArray) -> FloatArray:
        return ((noise * of) @ self.vectors.T).reshape(len(noise), *self.shape)

    def applied(self, directions: FloatArray, of: FloatArray) -> FloatArray:
        flat = directions.reshape(len(directions), len(self.values))
        return self.mixed(flat @ self.vectors, of)


@dataclass(frozen=True, eq=False)
class _Kronecker(Curvature):
    """Eigenvectors are the products of those of (J, J) ``left`` and (F, F) ``right``."""

    left: FloatArray
    right: FloatArray

    def quadratic(self, rows: Rows, heads: FloatArray, of: FloatArray) -> FloatArray:
        of_heads = ((heads @ self.left) ** 2 @ self._grid(of))[rows.person]
        return np.einsum("nf,nf->n", of_heads, (rows.delta @ self.right) ** 2)

    def mixed(self, noise: FloatArray, of: FloatArray) -> FloatArray:
        return np.asarray(self.left @ self._grid(noise * of) @ self.right.T)

    def applied(self, directions: FloatArray, of: FloatArray) -> FloatArray:
        rotated = self.left.T @ directions @ self.right
        return self.mixed(rotated.reshape(len(directions), len(self.values)), of)

    def _grid(self, of: FloatArray) -> FloatArray:
        return of.reshape(*of.shape[:-1], len(self.left), len(self.right))
