"""Log-losses of one person's answers, with gradients and Hessians, as functions of arrays.

A comparison enters as ``z = phi(winner) - phi(loser)``, so a positive margin ``<theta, z>`` agrees
with the answer. A pick out of K responses gives K - 1 such rows that share one multinomial-logit
term; ``groups`` says which rows belong to the same answer. An order is a pick a stage: the best of
all, the best of those left, and so on (Plackett 1975; Luce 1959), each a group of its own. No term
is divided by the number of answers and nothing is regularised.

Letters: t answers, m rows of differences (m = t where every query showed two), d features.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray


def logistic_loss(theta: FloatArray, differences: FloatArray) -> float:
    """Negative log-likelihood of pairwise answers under Bradley-Terry-Luce.

    Args:
        theta: (d,) weights.
        differences: (t, d) features of the winner minus features of the loser.

    Returns:
        ``L_t(theta) = sum_i log(1 + exp(-<theta, z_i>))``, in nats (USERALIGN, above Eq. 2).
    """
    return float(np.logaddexp(0.0, -(differences @ theta)).sum())


def logistic_gradient(theta: FloatArray, differences: FloatArray) -> FloatArray:
    """Gradient of :func:`logistic_loss`: ``-sum_i sigmoid(-<theta, z_i>) z_i``, shape (d,)."""
    return -(expit(-(differences @ theta)) @ differences)


def logistic_hessian(theta: FloatArray, differences: FloatArray) -> FloatArray:
    """Hessian of :func:`logistic_loss`: ``sum_i s_i (1 - s_i) z_i z_i^T``, shape (d, d)."""
    probability = expit(-(differences @ theta))
    return (differences.T * (probability * (1.0 - probability))) @ differences


def multinomial_loss(theta: FloatArray, differences: FloatArray, groups: IndexArray) -> float:
    """Negative log-likelihood of K-way picks under the multinomial logit.

    Args:
        theta: (d,) weights.
        differences: (m, d) rows ``phi(picked) - phi(other)``; the K - 1 rows of an answer adjoin.
        groups: (m,) number of the answer that each row belongs to, never decreasing.

    Returns:
        ``sum_g log(1 + sum_{i in g} exp(-<theta, z_i>))``, in nats; with K = 2 throughout this is
        :func:`logistic_loss`.
    """
    if len(differences) == 0:
        return 0.0
    return float(_log_partition(-(differences @ theta), _starts(groups)).sum())


def multinomial_gradient(
    theta: FloatArray, differences: FloatArray, groups: IndexArray
) -> FloatArray:
    """Gradient of :func:`multinomial_loss`, shape (d,)."""
    return -(_other_probabilities(theta, differences, groups) @ differences)


def multinomial_hessian(
    theta: FloatArray, differences: FloatArray, groups: IndexArray
) -> FloatArray:
    """Hessian of :func:`multinomial_loss`, shape (d, d).

    ``sum_g (sum_{i in g} p_i z_i z_i^T - v_g v_g^T)`` with ``v_g = sum_{i in g} p_i z_i`` and
    ``p_i`` the probability of the option that row i compares the pick with.
    """
    probability = _other_probabilities(theta, differences, groups)
    weighted = differences * probability[:, None]
    if len(differences) == 0:
        return weighted.T @ differences
    means = np.add.reduceat(weighted, _starts(groups), axis=0)
    return weighted.T @ differences - means.T @ means


def _other_probabilities(
    theta: FloatArray, differences: FloatArray, groups: IndexArray
) -> FloatArray:
    """(m,) probability of each option that was shown and not picked."""
    if len(differences) == 0:
        return np.zeros(0)
    utilities = -(differences @ theta)
    starts = _starts(groups)
    lengths = np.diff(np.append(starts, len(utilities)))
    return np.exp(utilities - np.repeat(_log_partition(utilities, starts), lengths))


def _log_partition(utilities: FloatArray, starts: IndexArray) -> FloatArray:
    """``log(1 + sum exp(u))`` a group, shifted by the largest term so that nothing overflows."""
    top = np.maximum(np.maximum.reduceat(utilities, starts), 0.0)
    lengths = np.diff(np.append(starts, len(utilities)))
    rest = np.add.reduceat(np.exp(utilities - np.repeat(top, lengths)), starts)
    return top + np.log(np.exp(-top) + rest)


def _starts(groups: IndexArray) -> IndexArray:
    """First row of each group; groups are contiguous."""
    return np.flatnonzero(np.r_[True, groups[1:] != groups[:-1]])
