"""Which numbers of a user's a computation can do with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from palate._typing import FloatArray

LARGEST = 1e50
"""Products of four such numbers, as in an information matrix, are numbers still."""


def unfit_row(table: FloatArray) -> int | None:
    """The first row with a NaN, an infinity or a number above :data:`LARGEST`; None if none has."""
    fits = (np.abs(table) <= LARGEST).all(axis=1)  # NaN does not
    return None if fits.all() else int(np.argmin(fits))
