"""Interior points for the rare case in which the loss constraint of Eq. 3 can bind.

Maximises linear functions, or minimises the loss, over
``{ ||x|| <= S, H y >= 0, L(y) <= b }`` with ``x = (y, s)``: y the coordinates in the row space of
the answers and s the length along what is left of a direction outside it. All directions are
solved at once, one Newton iteration for the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray, IndexArray

_GAP = 1e-11  # duality gap at the end, relative to S ||c||
_GROWTH = 100.0
_MAX_NEWTON = 400  # a few dozen as a rule; a sliver of a cone can take hundreds


@dataclass(frozen=True, slots=True)
class Region:
    """The convex set, by its constraints.

    Attributes:
        rows: (m, r) differences in the loss.
        starts: (g,) first row of each answer's group.
        halfspaces: (h, r) unit normals; an empty array where answers need not be consistent.
        radius: S.
        level: b, or None where the loss is the objective and not a constraint.
    """

    rows: FloatArray
    starts: IndexArray
    halfspaces: FloatArray
    radius: float
    level: float | None

    def loss(self, y: FloatArray) -> FloatArray:
        """(n,) losses of (n, r) points."""
        return self._partition(y)[0].sum(axis=1)

    def _partition(self, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(n, g) losses by answer and (n, m) probabilities of what was not picked."""
        utilities = -(y @ self.rows.T)
        sizes = np.diff(np.append(self.starts, utilities.shape[1]))
        top = np.maximum(np.maximum.reduceat(utilities, self.starts, axis=1), 0.0)
        shifted = np.exp(utilities - np.repeat(top, sizes, axis=1))
        losses = top + np.log(np.exp(-top) + np.add.reduceat(shifted, self.starts, axis=1))
        return losses, np.exp(utilities - np.repeat(losses, sizes, axis=1))

    def _loss_derivatives(self, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        losses, p = self._partition(y)
        weighted = p[:, :, None] * self.rows
        means = np.add.reduceat(weighted, self.starts, axis=1)
        hessian = weighted.swapaxes(1, 2) @ self.rows - means.swapaxes(1, 2) @ means
        return losses.sum(axis=1), -weighted.sum(axis=1), hessian

    def value(self, x: FloatArray, c: FloatArray, tau: FloatArray, sign: float) -> FloatArray:
        """(n,) barrier objective, -inf outside the region; ``sign`` -1 makes the loss the goal."""
        y = x[:, :-1]
        ball = self.radius**2 - (x * x).sum(axis=1)
        sides = y @ self.halfspaces.T
        feasible = (ball > 0.0) & (sides > 0.0).all(axis=1)
        loss = self.loss(y)
        goal = (c * x).sum(axis=1) - (loss if sign < 0 else 0.0)
        room = np.ones(len(x))
        if self.level is not None:
            room = self.level - loss
            feasible &= room > 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            total = tau * goal + np.log(ball) + np.log(room) + np.log(sides).sum(axis=1)
        return np.where(feasible, total, -np.inf)

    def derivatives(
        self, x: FloatArray, c: FloatArray, tau: FloatArray, sign: float
    ) -> tuple[FloatArray, FloatArray]:
        """Gradient (n, r + 1) and negated Hessian (n, r + 1, r + 1) of :meth:`value`."""
        y = x[:, :-1]
        size = x.shape[1]
        ball = self.radius**2 - (x * x).sum(axis=1)
        loss, loss_gradient, loss_hessian = self._loss_derivatives(y)
        inverse = 1.0 / (y @ self.halfspaces.T)
        gradient = tau[:, None] * c - 2.0 * x / ball[:, None]
        curvature = 4.0 * x[:, :, None] * x[:, None, :] / (ball * ball)[:, None, None]
        curvature[:, np.arange(size), np.arange(size)] += 2.0 / ball[:, None]
        gradient[:, :-1] += inverse @ self.halfspaces
        block = (inverse * inverse)[:, :, None] * self.halfspaces
        curvature[:, :-1, :-1] += block.swapaxes(1, 2) @ self.halfspaces
        if sign < 0:
            gradient[:, :-1] -= tau[:, None] * loss_gradient
            curvature[:, :-1, :-1] += tau[:, None, None] * loss_hessian
        if self.level is not None:
            room = (self.level - loss)[:, None]
            gradient[:, :-1] -= loss_gradient / room
            outer = loss_gradient[:, :, None] * loss_gradient[:, None, :]
            curvature[:, :-1, :-1] += loss_hessian / room[:, None] + outer / (room * room)[:, None]
        return gradient, curvature


def maximise(region: Region, c: FloatArray, start: FloatArray) -> FloatArray:
    """Points (n, r + 1) that maximise ``<c, x>`` a row of ``c`` (n, r + 1), from one start.

    ``start`` (r + 1,) is strictly inside the region.
    """
    lengths = np.sqrt((c * c).sum(axis=1))
    unit = c / np.where(lengths > 0.0, lengths, 1.0)[:, None]
    x = np.repeat(start[None], len(c), axis=0)
    return _follow(region, x, unit, sign=1.0, stop=None)


def minimise_loss(region: Region, start: FloatArray, *, below: float | None = None) -> FloatArray:
    """The point (r + 1,) of least loss in the region, or the first one found under ``below``."""
    x = _follow(region, start[None], np.zeros((1, len(start))), sign=-1.0, stop=below)
    return x[0]


def _follow(
    region: Region, x: FloatArray, c: FloatArray, *, sign: float, stop: float | None
) -> FloatArray:
    """Follow the central path until the gap, (number of constraints) / tau, is small."""
    constraints = 1 + len(region.halfspaces) + (region.level is not None)
    tau = np.full(len(x), 1.0 / region.radius)
    while True:
        x = _newton(region, x, c, tau, sign)
        if stop is not None and region.loss(x[:, :-1])[0] < stop:
            return x
        if constraints / tau[0] <= _GAP * region.radius:
            return x
        tau = tau * _GROWTH


def _newton(
    region: Region, x: FloatArray, c: FloatArray, tau: FloatArray, sign: float
) -> FloatArray:
    active: BoolArray = np.ones(len(x), dtype=bool)
    value = region.value(x, c, tau, sign)
    for _ in range(_MAX_NEWTON):
        on = np.flatnonzero(active)
        if len(on) == 0:
            break
        gradient, curvature = region.derivatives(x[on], c[on], tau[on], sign)
        step = _solve(curvature, gradient)
        decrement = (gradient * step).sum(axis=1)
        scale = np.where(decrement > 0.25, 1.0 / (1.0 + np.sqrt(np.abs(decrement))), 1.0)
        moved = np.zeros(len(on), dtype=bool)
        for _ in range(40):
            todo = ~moved
            candidate = x[on[todo]] + scale[todo, None] * step[todo]
            trial = region.value(candidate, c[on[todo]], tau[on[todo]], sign)
            better = trial > value[on[todo]]
            hit = np.flatnonzero(todo)[better]
            x[on[hit]], value[on[hit]] = candidate[better], trial[better]
            moved[hit] = True
            if moved.all():
                break
            scale = np.where(moved, scale, 0.5 * scale)
        active[on] = moved & (decrement > 1e-9)
    return x


def _solve(curvature: FloatArray, gradient: FloatArray) -> FloatArray:
    try:
        return np.asarray(np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0])
    except np.linalg.LinAlgError:  # a direction without curvature to working precision
        return np.asarray((np.linalg.pinv(curvature) @ gradient[:, :, None])[:, :, 0])
