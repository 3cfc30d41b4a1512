"""The norm-constrained maximum-likelihood estimate of a person's weights (USERALIGN, Eq. 2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg.lapack import dposv, dpotrf, dtrtrs

from palate.errors import ParameterError
from palate.preference._answers import DistinctAnswers
from palate.preference._cone import project_on_cone, project_to_unit_length

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.preference._loss import WeightedLoss

_MAX_ITERATIONS = 100
_STEP = 3e-7  # relative to the norm bound; the error left is about its square
_SHORTEST = 1e-10  # of a line search
_NOISE = 1e-14
_NORM = 1e-11  # relative, of a point on the sphere
_STIFF = 1e4  # how much harder it is to leave the sphere than to move on it


def fit_logistic(
    differences: FloatArray, norm_bound: float, *, start: FloatArray | None = None
) -> FloatArray:
    """Maximum-likelihood weights under Bradley-Terry-Luce within a ball.

    The estimate is ``arg min of L_t(theta) over ||theta|| <= norm_bound`` (USERALIGN, Eq. 2),
    without further regularisation. A few answers are always separable, and then the unbounded
    estimate does not exist: the bound is what makes it finite, and it lies on the sphere. Of
    several minimisers the one of least norm is returned; it lies in the row space of the
    differences.

    Args:
        differences: (t, d) features of the winner minus features of the loser.
        norm_bound: S > 0, in the units of 1 / features.
        start: (d,) weights to start from, such as the estimate before the latest answer.

    Returns:
        theta_hat, shape (d,); zeros where there is no answer.

    Raises:
        ParameterError: the norm bound is not positive, or the differences are not a finite matrix.
    """
    return _fit(differences, norm_bound, None, start)


def fit_multinomial(
    differences: FloatArray,
    groups: IndexArray,
    norm_bound: float,
    *,
    start: FloatArray | None = None,
) -> FloatArray:
    """Maximum-likelihood weights under the multinomial logit within a ball.

    As :func:`fit_logistic`, for picks out of K responses: ``groups`` (m,) names the answer of each
    row of ``differences`` (m, d), and the rows of an answer adjoin.
    """
    return _fit(differences, norm_bound, np.asarray(groups, dtype=np.intp), start)


def _fit(
    differences: FloatArray,
    norm_bound: float,
    groups: IndexArray | None,
    start: FloatArray | None,
) -> FloatArray:
    differences = check_differences(differences)
    groups = np.arange(len(differences)) if groups is None else groups
    answers = DistinctAnswers.of(differences, groups)
    basis = answers.space.basis
    first = np.zeros(len(basis)) if start is None else basis @ start
    return minimise_in_ball(answers.loss, check_norm_bound(norm_bound), first) @ basis


def check_differences(differences: FloatArray) -> FloatArray:
    """A finite float64 (t, d) array, or a ParameterError that says what it is instead."""
    differences = np.asarray(differences, dtype=np.float64)
    if differences.ndim != 2 or differences.shape[1] == 0:
        msg = f"differences must have shape (t, d) with d >= 1, not {differences.shape}"
        raise ParameterError(msg)
    if not np.isfinite(differences).all():
        raise ParameterError("differences must be finite; some are NaN or infinite")
    return differences


def check_norm_bound(norm_bound: float) -> float:
    """A positive finite float, or a ParameterError."""
    if not 0.0 < norm_bound < np.inf:
        msg = f"norm_bound must be a positive number, not {norm_bound}"
        raise ParameterError(msg)
    return float(norm_bound)


def minimise_in_ball(loss: WeightedLoss, radius: float, start: FloatArray) -> FloatArray:
    """Minimise a loss over the ball in its r coordinates, by Newton's method.

    Each step minimises the quadratic model over the ball exactly, one multiplier for the norm, and
    then searches the segment to that point, which stays inside since the ball is convex.
    """
    y = start * min(1.0, radius / max(float(np.sqrt(start @ start)), 1e-300))
    if not loss.rows.any():
        return np.zeros_like(y)
    multiplier, moved = 0.0, 1.0
    value = float(loss.value(y))
    for _ in range(_MAX_ITERATIONS):
        _, gradient, hessian = loss.derivatives(y)
        tolerance = max(_NORM, 1e-3 * moved**4)  # no closer than the model itself is to the loss
        target, multiplier = _model_minimum(
            hessian,
            hessian @ y - gradient,
            radius,
            multiplier or _sphere_multiplier(gradient, y),
            tolerance,
        )
        step = target - y
        slope = float(gradient @ step)
        scale = 1.0
        noise = _NOISE * (1.0 + value)  # a decrease smaller than the loss's own rounding
        while True:
            candidate = y + scale * step
            trial = float(loss.value(candidate))
            if trial <= value + 1e-4 * scale * slope + noise or scale < _SHORTEST:
                break
            scale *= 0.5
        y, value = candidate, trial
        moved = scale * math.sqrt(step @ step) / radius
        if moved <= _STEP or scale < _SHORTEST:
            if tolerance <= _NORM:
                break
            moved = 0.0  # a rough minimum of the model may point uphill: once more, to the end
    return y * min(1.0, radius / max(float(np.sqrt(y @ y)), 1e-300))  # rounding, at most


def minimise_in_cone(
    loss: WeightedLoss, normals: FloatArray, radius: float, start: FloatArray
) -> FloatArray:
    """Minimise a loss over the ball and ``{ y : normals y >= 0 }``, the half-spaces of its rows.

    Inside them longer weights fit every answer better, so the minimum lies on the sphere. Each step
    minimises the quadratic model of the Lagrangian over the cone, a projection in the metric of its
    Hessian, and then searches the arc to that point's direction (sequential quadratic programming;
    Nocedal and Wright, Numerical Optimization, chapter 18).

    Args:
        loss: in r coordinates; some row is not zero.
        normals: (h, r) of unit length, h >= 1.
        radius: S.
        start: (r,) in the cone, not the origin.
    """
    y = start * (radius / math.sqrt(start @ start))
    value = float(loss.value(y))
    for _ in range(_MAX_ITERATIONS):
        _, gradient, hessian = loss.derivatives(y)
        direction = y / radius
        along = float(gradient @ direction)
        # The step is to stay on the sphere: the length is stiff, not fixed, to keep this a cone.
        hessian += _STIFF * np.trace(hessian) / len(y) * np.outer(direction, direction)
        hessian.reshape(-1)[:: len(y) + 1] += max(0.0, -along) / radius
        gradient -= along * direction
        factor, info = dpotrf(hessian, lower=1)
        if info != 0:  # flat to working precision, so far out are the weights
            break
        walls = dtrtrs(factor, normals.T, lower=1)[0].T
        walls /= np.sqrt((walls * walls).sum(axis=1, keepdims=True))
        target = factor.T @ y - dtrtrs(factor, gradient, lower=1)[0]
        step = dtrtrs(factor, project_on_cone(walls, target), lower=1, trans=1)[0] - y
        slope, scale = float(gradient @ step), 1.0
        while True:
            candidate = y + scale * step
            candidate *= radius / math.sqrt(candidate @ candidate)
            trial = float(loss.value(candidate))
            noise = _NOISE * (1.0 + value)
            if trial <= value + 1e-4 * scale * slope + noise or scale < _SHORTEST:
                break
            scale *= 0.5
        y, value = candidate, trial
        if scale * math.sqrt(step @ step) <= _STEP * radius or scale < _SHORTEST:
            break
    # The metric has magnified what rounding left outside the half-spaces.
    return radius * project_to_unit_length(normals, y[None], np.zeros((1, 0)))[0][0]


def _sphere_multiplier(gradient: FloatArray, y: FloatArray) -> float:
    """The multiplier of ``||y|| <= S`` that fits the gradient best, or 0 at the origin."""
    squared = float(y @ y)
    return max(0.0, -float(gradient @ y) / squared) if squared else 0.0


def _model_minimum(
    hessian: FloatArray, target: FloatArray, radius: float, multiplier: float, tolerance: float
) -> tuple[FloatArray, float]:
    """Minimise ``x H x / 2 - target x`` over ``||x|| <= radius``: x and the multiplier of the norm.

    Newton on the secular equation ``1 / ||x(nu)|| = 1 / radius`` (Moré and Sorensen 1983), started
    from the last multiplier: two or so Cholesky factors a call, until the norm is met to the
    relative tolerance. Where that fails (a singular Hessian, a solution inside the ball) the
    eigenvalues decide.
    """
    nu = multiplier
    if nu > 0.0:
        for _ in range(8):
            shifted = hessian.copy()
            shifted.reshape(-1)[:: len(target) + 1] += nu
            factor, x, info = dposv(shifted, target)
            if info != 0:
                break
            norm = math.sqrt(x @ x)
            if abs(norm - radius) <= tolerance * radius:
                # Onto the sphere: a hair outside it the loss is lower than where the search ends,
                # and the line search would stop short.
                return x * (radius / norm), nu
            w, _ = dtrtrs(factor, x, trans=1)
            squared = float(w @ w)
            if squared == 0.0:  # the model's minimum is the origin: the bound is slack
                break
            nu += norm * norm / squared * (norm - radius) / radius
            if nu <= 0.0:
                break
    return _model_minimum_by_eigenvalues(hessian, target, radius)


def _model_minimum_by_eigenvalues(
    hessian: FloatArray, target: FloatArray, radius: float
) -> tuple[FloatArray, float]:
    values, vectors = np.linalg.eigh(hessian)
    values = np.maximum(values, 0.0)
    along = vectors.T @ target
    largest = max(float(values[-1]), 1e-300)
    tiny = values <= 1e-14 * largest
    if not np.any(tiny & (np.abs(along) > 1e-14 * np.abs(along).max(initial=0.0))):
        inside = np.where(tiny, 0.0, along / np.where(tiny, 1.0, values))
        if inside @ inside <= radius * radius:
            return vectors @ inside, 0.0
    low, high = 0.0, float(np.sqrt(along @ along)) / radius
    nu = high
    for _ in range(200):
        x = along / (values + nu)
        norm = float(np.sqrt(x @ x))
        if abs(norm - radius) <= 1e-13 * radius or high - low <= 1e-16 * high:
            break
        low, high = (nu, high) if norm > radius else (low, nu)
        w = float((x * x / (values + nu)).sum())
        nu += norm * norm / w * (norm - radius) / radius
        if not low < nu < high:
            nu = 0.5 * (low + high) if low else 0.1 * high
    x = along / (values + nu)
    return vectors @ x * (radius / float(np.sqrt(x @ x))), nu
