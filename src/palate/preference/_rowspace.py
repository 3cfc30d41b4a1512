"""Coordinates in the space that the answers span.

Few answers in many dimensions touch few directions: everything that t differences say about
theta lives in their row space, r <= min(t, d) coordinates. The solvers work there, and what
lies outside is a single number per direction, the norm of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from palate._typing import FloatArray

_DEPENDENT = 1e-13  # relative length below which what is left of a row is rounding noise


@dataclass(frozen=True, slots=True)
class RowSpace:
    """An orthonormal basis of the rows, and the rows in it: ``differences = rows @ basis``.

    Attributes:
        basis: (r, d) orthonormal rows.
        rows: (m, r) coordinates of the differences, lower triangular where rows are independent.
    """

    basis: FloatArray
    rows: FloatArray

    @classmethod
    def of(cls, differences: FloatArray) -> RowSpace:
        """The row space of an (m, d) array, by Gram-Schmidt in the order given."""
        space = cls(np.zeros((0, differences.shape[1])), np.zeros((0, 0)))
        for difference in differences:
            space = space.extended(difference)
        return space

    def extended(self, difference: FloatArray) -> RowSpace:
        """The same space with one more (d,) row; the coordinates of the others do not change."""
        basis, (m, r) = self.basis, self.rows.shape
        coordinates = basis @ difference
        rest = difference - coordinates @ basis
        again = basis @ rest  # a second pass: one is not orthogonal to working precision
        rest -= again @ basis
        length = np.sqrt(rest @ rest)
        grown = length > _DEPENDENT * np.sqrt(difference @ difference)
        rows = np.zeros((m + 1, r + grown))
        rows[:m, :r] = self.rows
        rows[m, :r] = coordinates + again
        if grown:
            rows[m, r] = length
            basis = np.concatenate((basis, (rest / length)[None]))
        return RowSpace(basis, rows)

    def split(self, directions: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Coordinates (n, r) of (n, d) directions, and the part (n, d) outside the space."""
        coordinates = directions @ self.basis.T
        outside = directions - coordinates @ self.basis
        again = outside @ self.basis.T  # a second pass, as above: solvers scale what is left up
        outside -= again @ self.basis
        least = _DEPENDENT**2 * (directions**2).sum(axis=1)
        outside[(outside**2).sum(axis=1) <= least] = 0.0
        return coordinates + again, outside
