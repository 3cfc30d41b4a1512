"""Support values where the loss constraint of Eq. 3 can bind, by interior points.

Maximises linear functions over ``{ ||x|| <= S, L(y) <= b, H y >= 0 }`` with ``x = (y, s)``: y the
coordinates in the row space of the answers and s the length along what is left of a direction
outside it. A primal-dual method with slacks, and with Mehrotra's predictor and corrector (Nocedal
and Wright, Numerical Optimization, chapters 14 and 19): about ten steps, each for all directions at
once, until the duality gap proves the values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray
    from palate.preference._loss import WeightedLoss

_GAP = 1e-11  # by how much a value may be wrong at the end, relative to S ||c||
_MOST_STEPS = 100
_CYCLES = 25  # steps after which it goes in circles, unless it keeps close to the central path
_FIRST_GAP = 0.3  # relative to S ||c||
_BEHIND = 0.1  # least gap that a step aims at, relative to what the gradient is still off by
_TO_BOUNDARY = (0.9, 0.9999)  # share of the way there that a step may go: at first, at the end
_RIDGE = 1e-15  # keeps directions in which nothing bends from being solved for


@dataclass(frozen=True, slots=True)
class Region:
    """The convex set, by its constraints.

    Attributes:
        loss: of the answers, in r coordinates.
        level: b, the largest loss.
        halfspaces: (h, r) unit normals; an empty array where answers need not be consistent.
        radius: S.
    """

    loss: WeightedLoss
    level: float
    halfspaces: FloatArray
    radius: float


def maximise(region: Region, c: FloatArray, start: FloatArray) -> FloatArray:
    """Points (n, r + 1) that maximise ``<c, x>`` a row of ``c`` (n, r + 1), from one start.

    ``start`` (r + 1,) is strictly inside the region.
    """
    lengths = _lengths(c)[:, None]
    c = c / np.where(lengths > 0.0, lengths, 1.0)
    x = np.repeat(start[None], len(c), axis=0)
    here = _Local.at(region, x)
    slacks = -here.values
    q = slacks.shape[1]
    multipliers = _FIRST_GAP * region.radius / q / slacks
    tolerance = _GAP * region.radius
    before = np.full(len(c), np.inf)
    for number in range(_MOST_STEPS):
        gap = (multipliers * slacks).sum(axis=1)
        residual = (multipliers[:, None] @ here.normals)[:, 0] - c
        # No point of the region is better by more than their sum: weak duality, and none is
        # farther away than 2 S.
        off = 2.0 * region.radius * _lengths(residual)
        error = gap + off
        at_rounding = (error > 0.5 * before) & (error <= 1e2 * tolerance)
        done = (error <= tolerance) | at_rounding
        done &= (here.values <= tolerance).all(axis=1)
        if done.all():
            break
        before, mean = error, gap / q
        newton = _Newton(here, c, slacks, multipliers, done)
        outside = here.values + slacks
        # How far a step to no gap at all comes says what the step to take should aim at: which
        # gap, and what products and bends add that a linear model does not see.
        dx, ds, dm = newton.step(np.zeros_like(slacks), outside)
        share = np.minimum(1.0, newton.room(ds, dm))[:, None]
        left = ((slacks + share * ds) * (multipliers + share * dm)).sum(axis=1) / q
        aim = np.maximum(left * left / mean, np.maximum(_BEHIND * off, 1e-3 * tolerance) / q)
        if number >= _CYCLES:
            aim = np.maximum(aim, 0.5 * mean)
        products, bends = share * ds * dm, share**2 * here.bends(dx)
        dx, ds, dm = newton.step(aim[:, None] - products, outside + bends)
        share = np.clip(1.0 - mean / region.radius, *_TO_BOUNDARY)
        share = np.minimum(1.0, share * newton.room(ds, dm))
        share = np.minimum(share, region.radius / np.maximum(_lengths(dx), 1e-300))
        share = np.where(done, 0.0, share)[:, None]
        x = x + share * dx
        here = _Local.at(region, x)
        slacks = np.maximum(slacks + share * ds, -here.values)
        multipliers = multipliers + share * dm
    return x * np.minimum(1.0, region.radius / np.maximum(_lengths(x), 1e-300))[:, None]


@dataclass(frozen=True, slots=True)
class _Local:
    """What the constraints look like at points (n, k), k = r + 1: ball, loss, half-spaces.

    Attributes:
        values: (n, q) of functions that are negative inside.
        normals: (n, q, k) their gradients.
        hessian: (n, r, r) that of the loss; the ball's is the identity.
    """

    values: FloatArray
    normals: FloatArray
    hessian: FloatArray

    @classmethod
    def at(cls, region: Region, x: FloatArray) -> _Local:
        loss, gradient, hessian = region.loss.derivatives(x[:, :-1])
        values = np.empty((len(x), 2 + len(region.halfspaces)))
        normals = np.zeros((*values.shape, x.shape[1]))
        values[:, 0] = 0.5 * ((x * x).sum(axis=1) - region.radius**2)
        values[:, 1] = loss - region.level
        values[:, 2:] = -(x[:, :-1] @ region.halfspaces.T)
        normals[:, 0] = x
        normals[:, 1, :-1] = gradient
        normals[:, 2:, :-1] = -region.halfspaces
        return cls(values, normals, hessian)

    def curvature(self, multipliers: FloatArray) -> FloatArray:
        """(n, k, k) Hessians of the Lagrangian."""
        matrix = multipliers[:, :1, None] * np.eye(self.normals.shape[2])
        matrix[:, :-1, :-1] += multipliers[:, 1, None, None] * self.hessian
        return matrix

    def bends(self, dx: FloatArray) -> FloatArray:
        """(n, q) what the functions rise by beyond their tangents."""
        rise = np.zeros_like(self.values)
        rise[:, 0] = 0.5 * (dx * dx).sum(axis=1)
        y = dx[:, :-1]
        rise[:, 1] = 0.5 * ((y[:, None] @ self.hessian)[:, 0] * y).sum(axis=1)
        return rise


class _Newton:
    """Newton's equations for the conditions of optimality, reduced to x."""

    def __init__(
        self,
        here: _Local,
        c: FloatArray,
        slacks: FloatArray,
        multipliers: FloatArray,
        done: BoolArray,
    ) -> None:
        self._c, self._normals = c, here.normals
        self._slacks, self._multipliers = slacks, multipliers
        self._ratio = multipliers / slacks
        matrix = here.curvature(multipliers)
        matrix += (here.normals.swapaxes(1, 2) * self._ratio[:, None]) @ here.normals
        diagonal = np.einsum("nkk->nk", matrix)
        diagonal += _RIDGE * diagonal.sum(axis=1, keepdims=True)
        matrix[done] = np.eye(matrix.shape[1])  # theirs may have become singular
        self._matrix = matrix

    def step(
        self, products: FloatArray, outside: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Steps of x, slacks and multipliers.

        To first order they make ``slack * multiplier`` the ``products`` (n, q), and close the gap
        ``outside`` (n, q) between constraint and slack.
        """
        push = products / self._slacks + self._ratio * outside
        right = self._c - (push[:, None] @ self._normals)[:, 0]
        try:
            dx = np.linalg.solve(self._matrix, right[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:  # a direction without curvature to working precision
            dx = (np.linalg.pinv(self._matrix) @ right[:, :, None])[:, :, 0]
        ds = -outside - (self._normals @ dx[:, :, None])[:, :, 0]
        dm = products / self._slacks - self._multipliers - self._ratio * ds
        return np.asarray(dx), ds, dm

    def room(self, ds: FloatArray, dm: FloatArray) -> FloatArray:
        """(n,) how many such steps keep slacks and multipliers positive."""
        values, steps = np.hstack((self._slacks, self._multipliers)), np.hstack((ds, dm))
        with np.errstate(divide="ignore"):
            return np.asarray(np.where(steps < 0.0, values / -steps, np.inf).min(axis=1))


def _lengths(vectors: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt((vectors * vectors).sum(axis=1)))
