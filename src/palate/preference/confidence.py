"""How wide the loss-based confidence set is, and how long its method can take."""

from __future__ import annotations

import math

from palate.errors import ParameterError


def confidence_radius(t: int, d: int, norm_bound: float, delta: float) -> float:
    """Slack of the loss-based confidence set, in nats (USERALIGN, below Eq. 3).

    ``beta_t = 10 d ln(S t / (4 d) + e) + 2 ((e - 2) + S) ln(1 / delta)``.

    Args:
        t: number of answers, >= 0.
        d: number of features, >= 1.
        norm_bound: S > 0.
        delta: probability with which the set may miss the truth, in (0, 1).

    Raises:
        ParameterError: an argument is outside its range.
    """
    if t < 0 or d < 1 or not 0.0 < norm_bound < math.inf:
        msg = f"needs t >= 0, d >= 1 and norm_bound > 0, not t={t}, d={d}, norm_bound={norm_bound}"
        raise ParameterError(msg)
    check_delta(delta)
    return 10.0 * d * math.log(norm_bound * t / (4.0 * d) + math.e) + 2.0 * (
        (math.e - 2.0) + norm_bound
    ) * math.log(1.0 / delta)


def check_delta(delta: float) -> float:
    """A probability strictly between 0 and 1, or a ParameterError."""
    if not 0.0 < delta < 1.0:
        msg = f"delta must lie strictly between 0 and 1, not {delta}"
        raise ParameterError(msg)
    return float(delta)


def stopping_time_bound(
    pool_size: int,
    d: int,
    *,
    norm_bound: float,
    delta: float,
    epsilon: float,
    gap: float,
    kappa: float,
) -> float:
    """Comparisons after which USERALIGN_LOSS has stopped, with probability 1 - delta (Theorem 2).

    ``24 Omega K^2 ln(8 S Omega K^2 / d)`` with
    ``Omega = S^2 kappa / max(epsilon, Delta)^2 (d + ln(1 / delta))``.

    Args:
        pool_size: K >= 2 responses.
        d: number of features.
        norm_bound: S.
        delta: failure probability.
        epsilon: stopping threshold, >= 0.
        gap: Delta >= 0, the smallest difference in utility between two responses of the pool.
        kappa: largest inverse slope of the logistic function over the pool's pairs, >= 4.

    Returns:
        The bound; infinite where ``epsilon`` and ``gap`` are both zero.

    Raises:
        ParameterError: an argument is outside its range.
    """
    check_delta(delta)
    in_range = 0.0 < norm_bound < math.inf and epsilon >= 0 and gap >= 0 and kappa >= 4
    if pool_size < 2 or d < 1 or not in_range:  # written so that a NaN is out of range
        msg = (
            "needs pool_size >= 2, d >= 1, norm_bound > 0, epsilon >= 0, gap >= 0, kappa >= 4, not "
            f"{pool_size}, {d}, {norm_bound}, {epsilon}, {gap}, {kappa}"
        )
        raise ParameterError(msg)
    resolution = max(epsilon, gap)
    if resolution == 0.0:
        return math.inf
    omega = norm_bound**2 * kappa / resolution**2 * (d + math.log(1.0 / delta))
    pairs = omega * pool_size**2
    return 24.0 * pairs * math.log(8.0 * norm_bound * pairs / d)
