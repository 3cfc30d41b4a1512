"""The design by multiplicative passes (Silvey, Titterington and Torsney, 1978)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.design._objective import Objective, Point


def multiplicative_pass(objective: Objective, point: Point) -> FloatArray:
    """(N,) weights times a power of their derivatives: 1 for D, 1/2 for the others."""
    power = 1.0 if objective.criterion.target is None else 0.5
    # A slot whose tokens are all equal has no derivatives: there the weights stay as they are.
    raised = point.weights * np.maximum(point.gradient, 1e-100) ** power
    return raised / objective.total(raised)[objective.slot_of]


def multiplicative(
    objective: Objective, start: FloatArray, *, tol: float, max_steps: int
) -> tuple[Point, int]:
    """Passes over all weights at once, and how many; weights that are 0 stay 0.

    Args:
        objective: f.
        start: (N,) weights.
        tol: stop at a duality gap of this share of f's gain over the prior.
        max_steps: passes at most.
    """
    point = objective.at(start)
    for step in range(max_steps):
        if point.gap <= tol * objective.gain(point):
            return point, step
        point = objective.at(multiplicative_pass(objective, point))
    return point, max_steps
