"""Projections onto the cone of the answers' half-spaces, in coordinates of their row space.

By Moreau's decomposition the support function of the cone cut by a ball of radius S is
``h(c) = S ||projection of c||``, and the projection is a non-negative least-squares problem with as
many unknowns as there are half-spaces.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import lsq_linear, nnls

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray
    from palate.preference._rowspace import RowSpace

NOWHERE = 1e-8  # a projection shorter than this, relative to its direction, is rounding noise
_INSIDE = 1e-15  # how far outside a half-space, relative to its length, is still rounding noise
_OPTIMAL = 1e-12  # violation of the optimality conditions that a projection may have
_ROUNDING = 1e-14  # relative error of a squared norm that is a difference of two


class ConeSupport:
    """Support values of many directions on the cone: exact one at a time, or bounded all at once.

    Any ``lambda >= 0`` bounds ``h(c) <= S ||c + Z^T lambda||``; a sweep of coordinate descent
    improves every multiplier in turn and costs O(n t^2). Cheap where n is large and few directions
    need their exact value.
    """

    def __init__(
        self, normals: FloatArray, space: RowSpace, directions: FloatArray, norm_bound: float
    ) -> None:
        self._normals = normals
        self._space = space
        self._directions = directions
        self._coordinates = directions @ space.basis.T
        self._norm_bound = norm_bound
        self._sweeps: _Sweeps | None = None

    def exact(self, row: int) -> float:
        """The support value of one direction."""
        coordinates = self._coordinates[row]
        # From the residual, not from the Gram form: near zero that loses half the digits.
        outside = self._directions[row] - coordinates @ self._space.basis
        inside = project_on_cone(self._normals, coordinates)
        return self._norm_bound * math.sqrt(inside @ inside + outside @ outside)

    def bounds(self, sweeps: int) -> FloatArray:
        """Sweep so many times more, and return (n,) upper bounds."""
        if self._sweeps is None:
            self._sweeps = _Sweeps(self._normals, self._directions, self._coordinates)
        return self._norm_bound * self._sweeps.lengths(sweeps)

    def keep(self, mask: BoolArray) -> None:
        """Drop the directions that are of no more interest."""
        self._directions = self._directions[mask]
        self._coordinates = self._coordinates[mask]
        if self._sweeps is not None:
            self._sweeps = self._sweeps.kept(mask)


class _Sweeps:
    """Multipliers of many directions, improved by coordinate descent."""

    def __init__(
        self, normals: FloatArray, directions: FloatArray, coordinates: FloatArray
    ) -> None:
        self._normals = normals
        self._gram = normals @ normals.T
        self._coordinates = coordinates
        self._slopes = normals @ coordinates.T
        self._multipliers = np.zeros_like(self._slopes)
        squares = np.einsum("nd,nd->n", directions, directions)
        inside = np.einsum("nr,nr->n", coordinates, coordinates)
        # The squared length outside the row space; rounding may not make the bound too small.
        self._rest = np.maximum(squares - inside, 0.0) + _ROUNDING * squares

    def lengths(self, sweeps: int) -> FloatArray:
        multipliers = self._multipliers
        for _ in range(sweeps):
            for row, slopes, own in zip(self._gram, self._slopes, multipliers, strict=True):
                slope = row @ multipliers
                slope += slopes
                np.subtract(own, slope, out=own)
                np.maximum(own, 0.0, out=own)
        inside = multipliers.T @ self._normals
        inside += self._coordinates
        return np.sqrt(np.einsum("nr,nr->n", inside, inside) + self._rest)

    def kept(self, mask: BoolArray) -> _Sweeps:
        new = object.__new__(_Sweeps)
        new._normals, new._gram = self._normals, self._gram
        new._coordinates, new._rest = self._coordinates[mask], self._rest[mask]
        new._slopes = np.ascontiguousarray(self._slopes[:, mask])
        new._multipliers = np.ascontiguousarray(self._multipliers[:, mask])
        return new


def project_on_cone(normals: FloatArray, direction: FloatArray) -> FloatArray:
    """Project (r,) onto ``{ x : normals x >= 0 }``: direction + normals^T lambda, lambda >= 0."""
    scale = math.sqrt(direction @ direction)
    if scale == 0.0 or len(normals) == 0:
        return direction
    unit = direction / scale
    if (normals @ unit).min(initial=0.0) >= -_INSIDE:
        return direction
    inside = unit
    with contextlib.suppress(RuntimeError):  # cycles on rows that are equal to working precision
        multipliers, _ = nnls(normals.T, -unit)
        inside = unit + multipliers @ normals
        # scipy's nnls (1.15 to 1.17 at least) now and then stops elsewhere without a word, most
        # often for a direction on the boundary: the conditions of optimality decide.
        tolerance = _OPTIMAL * (1.0 + float(multipliers.sum()))
        slack = float((normals @ inside).min())
        if slack >= -tolerance and inside @ (inside - unit) <= tolerance:
            return scale * inside
    multipliers = lsq_linear(normals.T, -unit, bounds=(0.0, np.inf), method="bvls", tol=1e-15).x
    # The projection is the shortest of all such sums.
    return scale * min(inside, unit + multipliers @ normals, key=lambda x: float(x @ x))


def project_to_unit_length(
    normals: FloatArray, inside: FloatArray, outside: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Project (n, r) directions onto the cone and scale them, with what is outside, to length 1."""
    before = np.sqrt((inside**2).sum(axis=1) + (outside**2).sum(axis=1))
    for _ in range(2):  # scaling magnifies what rounding left outside the half-spaces
        projected = [project_on_cone(normals, direction) for direction in inside]
        inside = np.array(projected).reshape(inside.shape)
        lengths = np.sqrt((inside**2).sum(axis=1) + (outside**2).sum(axis=1))
        # What is left of a direction in the polar cone is rounding noise and points anywhere:
        # there the origin is the answer.
        somewhere = lengths > NOWHERE * before
        scale = (somewhere / np.where(somewhere, lengths, 1.0))[:, None]
        inside, outside, before = inside * scale, outside * scale, np.ones(len(inside))
    return inside, outside
