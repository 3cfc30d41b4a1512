"""What K-way picks tell about a person's weights: information matrices, (d, d) each.

Letters: H slots, n_h tokens, d features, K options a query, t queries. A pick out of K follows the
multinomial logit; at theta = 0 every option is picked with probability 1 / K.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from palate.design.criteria import symmetric
from palate.design.problem import checked_theta
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import ArrayLike

    from palate._typing import FloatArray
    from palate.design.problem import Problem


def surrogate(features: FloatArray, weights: FloatArray) -> FloatArray:
    """The covariance of the tokens under a design, ``Phi^T (diag(d) - d d^T) Phi``.

    What one query of a slot tells at theta = 0 if its K policies average d is at most this, with
    equality where each policy always shows the same token; concave in d, which what they
    tell exactly is not (ED-PBRL, Section 4; :func:`expected_information`).

    Args:
        features: (n, d) of a slot's tokens.
        weights: (n,) design, summing to 1.
    """
    centred = features - weights @ features
    return symmetric(centred.T @ (centred * weights[:, None]))


def design_information(
    problem: Problem,
    weights: Sequence[FloatArray],
    *,
    n_queries: float,
    prior_precision: FloatArray,
) -> FloatArray:
    """``M = M0 + n sum_h w_h S_h(d_h)``: what a design is judged by.

    Args:
        problem: of H slots.
        weights: (n_h,) design of each slot.
        n_queries: queries of every slot of weight 1; episodes, in a prompt of several slots.
        prior_precision: (d, d) M0.
    """
    total = np.array(prior_precision, dtype=np.float64)
    for slot, w in zip(problem.slots, weights, strict=True):
        total += n_queries * slot.weight * surrogate(slot.features, w)
    return total


def slot_gradients(
    problem: Problem, weights: Sequence[FloatArray], gradient: FloatArray, *, n_queries: float
) -> tuple[FloatArray, ...]:
    """Derivatives of a criterion of M in the design, (n_h,) a slot, up to a constant a slot.

    ``n w_h ||phi_a - mu_h||_G^2`` with mu_h the slot's mean under the design: at least 0.

    Args:
        problem: of H slots.
        weights: (n_h,) design of each slot.
        gradient: (d, d) gradient G of the criterion at M.
        n_queries: as in :func:`design_information`.
    """
    result = []
    for slot, w in zip(problem.slots, weights, strict=True):
        centred = slot.features - w @ slot.features
        squares = np.einsum("ij,ij->i", centred @ gradient, centred)
        result.append(n_queries * slot.weight * squares)
    return tuple(result)


def expected_information(features: FloatArray, policies: FloatArray) -> FloatArray:
    """What one query tells on average, exactly, at theta = 0, if K policies draw independently.

    ``S(mean of the policies) - (1/K^2) sum_q Cov_q``: with K equal policies ``(1 - 1/K) S``, with
    K that always show the same token the surrogate itself.

    Args:
        features: (n, d) of a slot's tokens.
        policies: (K, n) a distribution over tokens a policy.
    """
    own = sum(surrogate(features, policy) for policy in policies)
    return symmetric(surrogate(features, policies.mean(axis=0)) - own / len(policies) ** 2)


def query_information(options: FloatArray, theta: FloatArray | None = None) -> FloatArray:
    """The Fisher information of one K-way pick: the covariance of its options.

    ``sum_q p_q x_q x_q^T - m m^T`` with ``m = sum_q p_q x_q``; ``p = softmax(X theta)``, or 1 / K
    where no theta is given.

    Args:
        options: (K, d) features X of what is shown.
        theta: (d,) weights of the person.
    """
    return surrogate(options, _pick_probabilities(options, theta))


def past_information(
    queries: Iterable[ArrayLike], theta: ArrayLike | None = None, *, d: int | None = None
) -> FloatArray:
    """The Fisher information of queries that were answered, summed: what M0 gains by them.

    Args:
        queries: (K, d) features of the options of each; K may differ.
        theta: (d,) estimate by whose probabilities they are weighted; none makes no use of the
            answers (theta-agnostic), and so overrates the queries of a decisive person.
        d: number of features, needed where there may be no query.

    Raises:
        ParameterError: options that are not (K, d) finite numbers with K at least 2, or a theta of
            another length.
    """
    asked = [_options(options, d) for options in queries]
    if not asked:
        if d is None:
            raise ParameterError("no queries: say how many features they would have by d")
        return np.zeros((d, d))
    d = asked[0].shape[1]
    estimate = None if theta is None else checked_theta(theta, d)
    rows = []
    for options in asked:
        if options.shape[1] != d:
            msg = f"a query has {options.shape[1]} features and another {d}: embed them alike"
            raise ParameterError(msg)
        p = _pick_probabilities(options, estimate)
        rows.append(np.sqrt(p)[:, None] * (options - p @ options))
    stacked = np.concatenate(rows)
    return symmetric(stacked.T @ stacked)


def prior_of(
    d: int, *, lam: float | None = None, prior_precision: ArrayLike | None = None
) -> FloatArray:
    """(d, d) M0, what is known before the first answer: lambda I, or a matrix as given.

    For a person whose weights have length beta, ``lambda = d / beta^2`` matches: a Gaussian prior
    of that strength. A larger lambda plans as if they answered almost at random.

    Raises:
        ParameterError: neither or both are given, lambda is not positive and finite, or the matrix
            is not (d, d), finite and symmetric.
    """
    if (lam is None) is (prior_precision is None):
        raise ParameterError("give either lam or prior_precision: what is known beforehand")
    if lam is not None:
        if not (np.isfinite(lam) and lam > 0.0):
            msg = f"lam, the prior precision, must be positive and finite, not {lam}"
            raise ParameterError(msg)
        return lam * np.eye(d)
    matrix = np.array(prior_precision, dtype=np.float64)
    if matrix.shape != (d, d):
        msg = f"prior_precision must have shape ({d}, {d}), not {matrix.shape}"
        raise ParameterError(msg)
    if not np.isfinite(matrix).all():
        raise ParameterError("prior_precision must be finite; it has a NaN or an infinity")
    if not np.allclose(matrix, matrix.T, rtol=1e-8, atol=1e-8 * np.abs(matrix).max()):
        raise ParameterError("prior_precision must be symmetric")
    return symmetric(matrix)


def _pick_probabilities(options: FloatArray, theta: FloatArray | None) -> FloatArray:
    if theta is None:
        return np.full(len(options), 1.0 / len(options))
    return np.asarray(softmax(options @ theta), dtype=np.float64)


def _options(given: ArrayLike, d: int | None) -> FloatArray:
    options = np.array(given, dtype=np.float64)
    if options.ndim != 2 or len(options) < 2 or not np.isfinite(options).all():
        msg = f"a query needs (K, d) finite features with K at least 2, not shape {options.shape}"
        raise ParameterError(msg)
    if d is not None and options.shape[1] != d:
        msg = f"a query has {options.shape[1]} features where {d} are expected: embed them alike"
        raise ParameterError(msg)
    return options
