"""The design by Frank-Wolfe steps, as the paper has it (ED-PBRL, Theorem 5.0)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

from palate.design._objective import inverse_and_logdet

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.design._objective import Objective, Point

_SHORTEST = 1e-7


def frank_wolfe(
    objective: Objective, start: FloatArray, *, tol: float, max_steps: int, open_loop: bool = False
) -> tuple[Point, int]:
    """The design after steps towards the best token of every slot, and how many.

    Args:
        objective: f.
        start: (N,) weights.
        tol: stop at a duality gap of this share of f's gain over the prior.
        max_steps: steps at most.
        open_loop: steps of length 2 / (k + 2), k = 1, 2, ..., instead of the best length.
    """
    point = objective.at(start)
    for step in range(max_steps):
        if point.gap <= tol * objective.gain(point):
            return point, step
        best = [s.start + int(point.gradient[s].argmax()) for s in objective.slots]
        length = 2.0 / (step + 3) if open_loop else _length(objective, point, best)
        weights = (1.0 - length) * point.weights
        weights[best] += length
        point = objective.at(weights)
    return point, max_steps


def best_share(objective: Objective, point: Point, direction: FloatArray) -> float:
    """The best part of a step of the weights, between 0 and 1, by its effect on M alone.

    M is quadratic in the share t: with X the centred tokens, ``M + t X^T diag(c delta) X -
    t^2 sum_h c_h m_h m_h^T``, where ``m_h = X_h^T delta_h`` is how far the slot's mean moves.

    Args:
        objective: f.
        point: where the step starts.
        direction: (N,) the whole step delta, whose sums over slots are 0.
    """
    slope = point.centred.T @ (point.centred * (objective.scale * direction)[:, None])
    means = np.array([direction[s] @ point.centred[s] for s in objective.slots])
    bend = (means.T * objective.scale[objective.starts]) @ means
    return _line_search(objective, point.information, slope, bend)


def _length(objective: Objective, point: Point, best: list[int]) -> float:
    """:func:`best_share` of the step to one token a slot, without looking at the vocabulary.

    With C the design's part of M and ``v_h = phi_best - mu_h``, a step t gives
    ``(1 - t) C + t (1 - t) sum_h c_h v_h v_h^T``.
    """
    added = point.centred[best]
    outer = (added.T * objective.scale[best]) @ added
    slope = outer - (point.information - objective.prior)
    return _line_search(objective, point.information, slope, outer)


def _line_search(
    objective: Objective, information: FloatArray, slope: FloatArray, bend: FloatArray
) -> float:
    """The t in [0, 1] that maximises f at ``M + t A - t^2 B``, which is concave in t."""
    target = objective.criterion.target

    def loss(t: float) -> float:
        moved = information + t * slope - t * t * bend
        if target is None:
            return -objective.criterion.value(moved)
        return float(np.vdot(inverse_and_logdet(moved)[0], target))

    found = minimize_scalar(loss, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-5})
    return max(float(found.x), _SHORTEST)
