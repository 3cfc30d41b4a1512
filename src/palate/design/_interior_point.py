"""The design by second derivatives: a primal-dual interior point method.

The Hessian of every criterion is an elementwise product of two N x N matrices, ``X M^-1 X^T`` and
``X G X^T``, so a Newton step over all N weights costs no more than a few evaluations. Of a large
vocabulary only a working set takes part; the duality gap over all tokens says what it lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from palate.design._multiplicative import multiplicative_pass

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray, IndexArray
    from palate.design._objective import Objective, Point

WORKING_SET = 1200
"""Tokens up to which all take part; N^2 numbers are kept, and N^3 / 3 operations done, a step."""

_PASSES = 3  # multiplicative, before the first step: cheap, and they do most of the way
_CENTRING = 0.1  # the barrier aimed for, as a share of the present gap
_TO_BOUNDARY = 0.95
_HALVINGS = 30
_FLOOR = 1e-3  # of a uniform weight: below it a token is left out of the working set
_AIM = 0.3  # of the gap asked for: the last step costs little, and leaves room to drop tokens
_CRUMBS = (0.1, 0.01)  # of a uniform weight, tried one after the other
_MIXED_IN = 0.05  # weight of the tokens that join it


def interior_point(
    objective: Objective, start: FloatArray, *, tol: float, max_steps: int
) -> tuple[Point, int]:
    """The best design, and the Newton steps that it took.

    Args:
        objective: f.
        start: (N,) weights.
        tol: stop at a duality gap of this share of f's gain over the prior.
        max_steps: Newton steps at most.
    """
    uniform = objective.uniform()
    point = objective.at((1.0 - _MIXED_IN) * start + _MIXED_IN * uniform)
    for _ in range(_PASSES):
        point = objective.at(multiplicative_pass(objective, point))
    if len(start) <= WORKING_SET:
        point, steps = _follow(objective, point, aim=_AIM * tol, max_steps=max_steps)
    else:
        point, steps = _by_working_sets(objective, point, tol=tol, max_steps=max_steps)
    return _without_crumbs(objective, point, tol), steps


def _by_working_sets(
    objective: Objective, point: Point, *, tol: float, max_steps: int
) -> tuple[Point, int]:
    """The best design of ever better working sets, until the gap over all tokens is small."""
    steps = idle = 0
    kept = _seeds(objective, point)
    inside = objective.restricted(kept)
    part = inside.at(_normalised(inside, point.weights[kept]))
    while True:
        aim = max(_AIM * tol, 0.1 * point.gap / objective.gain(point))
        part, taken = _follow(inside, part, aim=aim, max_steps=max_steps - steps)
        steps += taken
        idle = 0 if taken else idle + 1  # the set may be good already, or rounding forbid more
        weights = np.zeros(len(point.weights))
        weights[kept] = part.weights
        point = objective.at(weights)
        if point.gap <= tol * objective.gain(point) or steps >= max_steps or idle > 1:
            return point, steps
        joining = _lacking(objective, point, kept)
        weights[weights < _FLOOR * objective.uniform()] = 0.0
        kept = np.union1d(np.flatnonzero(weights), joining)
        inside = objective.restricted(kept)
        part = inside.at(_mixed(inside, weights[kept], np.isin(kept, joining)))


def _without_crumbs(objective: Objective, point: Point, tol: float) -> Point:
    """The design without the little weight that a barrier leaves everywhere, if as good."""
    uniform = objective.uniform()
    for share in _CRUMBS:
        weights = np.where(point.weights < share * uniform, 0.0, point.weights)
        sparse = objective.at(_normalised(objective, weights))
        if sparse.gap <= max(tol * objective.gain(sparse), point.gap):
            return sparse
    return point


def _follow(objective: Objective, point: Point, *, aim: float, max_steps: int) -> tuple[Point, int]:
    """Newton steps for a falling barrier ``mu sum log d``, all weights staying positive."""
    n = len(point.weights)
    mu = _CENTRING * point.gap / n
    dual = mu / point.weights
    for step in range(max_steps):
        if point.gap <= aim * objective.gain(point):
            return point, step
        mu = min(mu, _CENTRING * point.gap / n)
        direction, dual_direction = _newton(objective, point, dual, mu)
        moved = _line_search(objective, point, direction, mu)
        if moved is None:
            return point, step
        dual = dual + _reach(dual, dual_direction) * dual_direction
        point = moved
    return point, max_steps


def _newton(
    objective: Objective, point: Point, dual: FloatArray, mu: float
) -> tuple[FloatArray, FloatArray]:
    """Steps of the weights d and their multipliers z towards ``g + z = nu_h``, ``z d = mu``."""
    weights = point.weights
    matrix = _curvature(objective, point)
    matrix[np.diag_indices_from(matrix)] += dual / weights
    slots = np.zeros((len(weights), len(objective.starts)))
    slots[np.arange(len(weights)), objective.slot_of] = 1.0
    slope = point.gradient + mu / weights
    solved = _solve(matrix, np.column_stack([slope, slots]))
    sums = np.linalg.solve(slots.T @ solved[:, 1:], slots.T @ solved[:, 0])
    direction = solved[:, 0] - solved[:, 1:] @ sums
    return direction, mu / weights - dual - dual / weights * direction


def _curvature(objective: Objective, point: Point) -> FloatArray:
    """(N, N) minus the Hessian of f on directions that keep the sum of every slot."""
    scale = objective.scale
    by_gradient = point.mapped @ point.centred.T
    if objective.criterion.target is None:
        result = by_gradient * by_gradient
    else:
        result = point.centred @ point.inverse @ point.centred.T
        result *= by_gradient
        result *= 2.0
    result *= scale[:, None]
    result *= scale
    for s in objective.slots:
        result[s, s] += 2.0 * scale[s.start] * by_gradient[s, s]
    return result


def _solve(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solve with a positive definite matrix, nudged where rounding made it otherwise."""
    nudge = 0.0
    diagonal = np.diag(matrix).copy()
    while True:
        try:
            factor = cho_factor(matrix, lower=True, check_finite=False)
        except LinAlgError:
            nudge = 10.0 * nudge or 1e-14
            matrix[np.diag_indices_from(matrix)] = diagonal * (1.0 + nudge)
            continue
        return np.asarray(cho_solve(factor, right, check_finite=False))


def _reach(values: FloatArray, direction: FloatArray) -> float:
    """The largest step up to 1 that keeps all values positive, with something to spare."""
    falling = direction < 0.0
    if not falling.any():
        return 1.0
    return min(1.0, _TO_BOUNDARY * float((-values[falling] / direction[falling]).min()))


def _line_search(
    objective: Objective, point: Point, direction: FloatArray, mu: float
) -> Point | None:
    """The point after a step that raises ``f + mu sum log d``; None where rounding forbids any."""
    slope = float((point.gradient + mu / point.weights) @ direction)
    length = _reach(point.weights, direction)
    for _ in range(_HALVINGS):
        weights = _normalised(objective, point.weights + length * direction)
        moved = objective.at(weights)
        logs = float(np.log(weights / point.weights).sum())
        if moved.value - point.value + mu * logs >= 1e-4 * length * slope:
            return moved
        length *= 0.5
    return None


def _normalised(objective: Objective, weights: FloatArray) -> FloatArray:
    return weights / objective.total(weights)[objective.slot_of]


def _mixed(objective: Objective, weights: FloatArray, joining: BoolArray) -> FloatArray:
    """The weights of a working set, some for the tokens that join it."""
    new = joining & (weights == 0.0)
    share = np.where(objective.total(new * 1.0) > 0.0, _MIXED_IN, 0.0)[objective.slot_of]
    fresh = new / np.maximum(objective.total(new * 1.0), 1.0)[objective.slot_of]
    return (1.0 - share) * _normalised(objective, weights) + share * fresh


def _seeds(objective: Objective, point: Point) -> IndexArray:
    """The rows with the steepest derivatives, relative to the best of their slots."""
    best = np.maximum(objective.best(point.gradient), 1e-100)
    relative = point.gradient / best[objective.slot_of]
    number = max(WORKING_SET, 2 * len(best))
    return np.sort(np.argsort(-relative, kind="stable")[:number])


def _lacking(objective: Objective, point: Point, kept: IndexArray) -> IndexArray:
    """Rows outside the working set that would raise f most, a third of its size at most."""
    mean = objective.total(point.gradient * point.weights)[objective.slot_of]
    excess = point.gradient - mean
    excess[kept] = -np.inf
    best = np.argsort(-excess, kind="stable")[: WORKING_SET // 3]
    return np.sort(best[excess[best] > 0.0])
