"""People's weights on the simplex from their answers: Newton's method for everybody at once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate.population._simplex import minimise_on_simplex

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray, IndexArray
    from palate.population._answers import Answers

_ARMIJO = 1e-4
_ROUNDING = 1e-15
_DAMPING = 1e-10  # of the curvature and the gradient; what is flat stays solvable
_NEWTON_STEPS = 200
_HALVINGS = 40


@dataclass(frozen=True, eq=False)
class Penalty:
    """``strength / 2 |w - mean|^2``: (U,) strengths and (K, U) means."""

    strength: FloatArray
    mean: FloatArray

    def value(self, w: FloatArray) -> FloatArray:
        """(U,) of (K, U) weights."""
        return 0.5 * self.strength * ((w - self.mean) ** 2).sum(axis=0)

    def gradient(self, w: FloatArray) -> FloatArray:
        """(K, U) of (K, U) weights."""
        return self.strength * (w - self.mean)

    def and_near(self, w: FloatArray, strength: FloatArray) -> Penalty:
        """This and one toward (K, U) weights, as one; (U,) strengths above 0."""
        total = self.strength + strength
        return Penalty(total, (self.strength * self.mean + strength * w) / total)

    def of(self, who: IndexArray | BoolArray) -> Penalty:
        """Some people's, by place or mask."""
        return Penalty(self.strength[who], self.mean[:, who])


def newton(
    answers: Answers, penalty: Penalty, start: FloatArray, tolerance: float
) -> tuple[FloatArray, FloatArray, IndexArray]:
    """(K, U) weights, (U,) Frank-Wolfe gaps there, (U,) Newton steps taken.

    Each step minimises the quadratic model over the simplex exactly, and is halved until the
    objective falls (Armijo). A person is done when ``g.w - min g <= tolerance``, which bounds how
    far their objective lies above its least; the gap returned is always that of the weights
    returned, also of a person whose steps end for want of precision.
    """
    weights, gaps = start.copy(), np.zeros(start.shape[1])
    steps = np.zeros(start.shape[1], dtype=np.intp)
    live, w = np.arange(start.shape[1]), start.copy()
    stuck = np.zeros(len(live), dtype=bool)
    for step in range(_NEWTON_STEPS + 1):
        margins = answers.margins(w)
        gradient = answers.gradient(margins) + penalty.gradient(w)
        gap = np.maximum((gradient * w).sum(axis=0) - gradient.min(axis=0), 0.0)
        weights[:, live], gaps[live], steps[live] = w, gap, step
        on = (gap > tolerance) & ~stuck
        if step == _NEWTON_STEPS or not on.any():
            break
        if not on.all():
            margins, gradient = margins[np.repeat(on, answers.rows)], gradient[:, on]
            answers, penalty, live, w = answers.of(on), penalty.of(on), live[on], w[:, on]
        w, stuck = _step(answers, penalty, w, margins, gradient)
    return weights, gaps, steps


def _step(
    answers: Answers, penalty: Penalty, w: FloatArray, margins: FloatArray, gradient: FloatArray
) -> tuple[FloatArray, BoolArray]:
    """The next (K, U) weights, and whether no step was found that lowers the objective."""
    k = np.arange(len(w))
    hessian = answers.hessian(margins)
    size = np.ptp(gradient, axis=0) + hessian[k, k].max(axis=0)
    hessian[k, k] += penalty.strength + _DAMPING * size
    linear = gradient - np.einsum("ijn,jn->in", hessian, w)
    direction = minimise_on_simplex(hessian, linear, w) - w
    slope = (direction * gradient).sum(axis=0)
    before = answers.loss(margins) + penalty.value(w)
    allowed = before + _ROUNDING * (1.0 + before)

    result, live, length = w.copy(), np.arange(w.shape[1]), 1.0
    change = answers.along(direction)
    for _ in range(_HALVINGS):
        there = w + length * direction
        after = answers.loss(margins + length * change) + penalty.value(there)
        good = after <= allowed + _ARMIJO * length * slope
        result[:, live[good]] = there[:, good]
        bad = ~good
        if not bad.any():
            break
        if good.any():
            rows = np.repeat(bad, answers.rows)
            margins, change = margins[rows], change[rows]
            answers, penalty, live = answers.of(bad), penalty.of(bad), live[bad]
            w, direction = w[:, bad], direction[:, bad]
            slope, allowed = slope[bad], allowed[bad]
        length *= 0.5
    result = np.maximum(result, 0.0)
    stuck = np.zeros(result.shape[1], dtype=bool)
    if bad.any():
        stuck[live] = True
    return result / result.sum(axis=0), stuck
