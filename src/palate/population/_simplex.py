"""Many small convex quadratic programs on the simplex, solved exactly and all at once.

Arrays have the programs last, so that a step of the solver is a few numpy calls on long rows,
however small K is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray, IndexArray

_ROUNDING = 1e-13  # a multiplier this small, relative to the gradient, is zero


def minimise_on_simplex(H: FloatArray, c: FloatArray, start: FloatArray) -> FloatArray:
    """Minimise ``c.x + x.H x / 2`` over the simplex by a primal active-set method.

    Args:
        H: (K, K, U) positive definite matrices, one a program.
        c: (K, U).
        start: (K, U) points of the simplex; zeros in it are taken for the first guess at the face.

    Returns:
        (K, U) minimisers. What is zero is exactly zero. A program that degenerate steps keep beyond
        the limit has a point no worse than its start, since every step is a descent.
    """
    K, U = c.shape
    result = start.copy()
    live = np.arange(U)
    x, free = start.copy(), start > 0.0
    freed = np.full(U, -1)  # the coordinate that each program let go of in its last step
    for _ in range(10 * K):
        y = _minimise_on_face(H, c, x, free)
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(free & (y < 0.0), x / (x - y), np.inf)
        step = reach.min(axis=0)
        inside = step > 1.0
        x = np.where(inside, y, x + np.minimum(step, 1.0) * (y - x))
        blocking = (reach <= step) & ~inside
        x[blocking | ~free] = 0.0
        free &= ~blocking
        # What was let go of rises, but for rounding: then there was nothing left to gain.
        done = (freed >= 0) & blocking[freed, np.arange(len(live))]
        freed = np.where(inside, _most_wanted(H, c, x, free), -1)
        done |= inside & (freed < 0)
        columns = np.flatnonzero(freed >= 0)
        free[freed[columns], columns] = True
        if done.any():
            result[:, live[done]] = x[:, done]
            on = ~done
            live, x, free, freed = live[on], x[:, on], free[:, on], freed[on]
            H, c = H[:, :, on], c[:, on]
            if not len(live):
                return result
    result[:, live] = x
    return result


def inverse_on_face(H: FloatArray, free: BoolArray) -> FloatArray:
    """(K, K, U) inverses of (K, K, U) matrices on the directions that stay in the simplex's face.

    Those directions sum to 0 and are 0 where a coordinate is not free, and so are the rows and
    columns of the result: ``H^-1 - H^-1 1 1' H^-1 / 1' H^-1 1`` among the free.
    """
    K, U = free.shape
    A = H * (free[:, None] & free)
    k = np.arange(K)
    A[k, k] += ~free
    sides = np.zeros((K, K, U))
    sides[k, k] = free
    inverse = _solve(A, sides)
    sums = inverse.sum(axis=1)
    return inverse - sums[:, None] * sums / sums.sum(axis=0)


def _minimise_on_face(H: FloatArray, c: FloatArray, x: FloatArray, free: BoolArray) -> FloatArray:
    """(K, U) minimisers on the affine hull of the face: they sum to 1, but may be negative."""
    # What a square of the sum adds is the same on the whole face, and keeps the sum from rounding.
    k = np.arange(len(c))
    A = (H + H[k, k].max(axis=0)) * (free[:, None] & free)
    A[k, k] += ~free
    gradient = np.einsum("ijn,jn->in", H, x) + c
    # As a step from x, and less its mean: near the minimiser little is left that can be rounded.
    down = ((gradient * x).sum(axis=0) - gradient) * free
    fall, ones = _solve(A, np.stack([down, free.astype(np.float64)], axis=1)).transpose(1, 0, 2)
    return x + fall - ones * (fall.sum(axis=0) / ones.sum(axis=0))


def _most_wanted(H: FloatArray, c: FloatArray, x: FloatArray, free: BoolArray) -> IndexArray:
    """(U,) the fixed coordinate that would lower the objective most; -1 where none would."""
    gradient = np.einsum("ijn,jn->in", H, x) + c
    gain = np.where(free, np.inf, gradient - (gradient * x).sum(axis=0))
    best = gain.argmin(axis=0)
    least = -_ROUNDING * np.abs(gradient).max(axis=0)
    return np.where(gain[best, np.arange(len(best))] < least, best, -1)


def _solve(A: FloatArray, B: FloatArray) -> FloatArray:
    """Solve (K, K, U) positive definite systems for (K, m, U) right sides, in place.

    Elimination needs no pivots here, and one numpy call a row does it for all U systems.
    """
    K = len(A)
    for k in range(K - 1):
        ratio = A[k + 1 :, k] / A[k, k]
        A[k + 1 :, k + 1 :] -= ratio[:, None] * A[k, k + 1 :]
        B[k + 1 :] -= ratio[:, None] * B[k]
    for k in reversed(range(K)):
        if k + 1 < K:
            B[k] -= (A[k, k + 1 :, None] * B[k + 1 :]).sum(axis=0)
        B[k] /= A[k, k]
    return B
