"""Newton's method for the multinomial logit with a Gaussian prior, or with none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from palate.preference import multinomial_gradient, multinomial_hessian, multinomial_loss

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray

_MAX_ITERATIONS = 100
_STILL = 1e-7  # change of a margin; the next step would move by about its square
_SHORTEST = 1e-10  # of a line search
_NOISE = 1e-14  # relative: a decrease smaller than the loss's own rounding


def minimise(rows: FloatArray, groups: IndexArray, ridge: float) -> tuple[FloatArray, int] | None:
    """Minimise ``multinomial_loss(u) + ridge / 2 ||u||^2``.

    Args:
        rows: (m, r) winner minus other, m >= 1; without a ridge they span all r dimensions.
        groups: (m,) the pick that each row belongs to.
        ridge: 0 or more.

    Returns:
        u (r,) and the steps taken; None where there is no minimum: some direction agrees with every
        pick and each step goes on along it.
    """
    u = np.zeros(rows.shape[1])
    value = multinomial_loss(u, rows, groups)
    for iteration in range(1, _MAX_ITERATIONS + 1):
        gradient = multinomial_gradient(u, rows, groups) + ridge * u
        hessian = multinomial_hessian(u, rows, groups)
        hessian.reshape(-1)[:: len(u) + 1] += ridge
        try:
            step = -cho_solve(cho_factor(hessian), gradient)
        except LinAlgError:  # flat to working precision, so far out are the weights
            return None
        slope, scale = float(gradient @ step), 1.0
        noise = _NOISE * (1.0 + value)
        while True:
            candidate = u + scale * step
            trial = multinomial_loss(candidate, rows, groups) + 0.5 * ridge * candidate @ candidate
            if trial <= value + 1e-4 * scale * slope + noise or scale < _SHORTEST:
                break
            scale *= 0.5
        u, value = candidate, trial
        if np.abs(rows @ step).max() <= _STILL:
            return u, iteration
    return None
