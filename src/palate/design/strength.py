"""How decisive a person is, the lambda that suits them, and how far off an estimate may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.design.estimate import check_options, fit_choice_model
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from palate.design.estimate import ChoiceEstimate, Options
    from palate.feedback import Picked

TOO_STRONG = 10.0
"""A lambda that is this many times the matched one is warned of."""

_ROUNDS = 12
_STEADY = 0.05  # of the logarithm of lambda, which no decision hangs on more finely


def strength(estimate: ChoiceEstimate) -> float:
    """Beta, the length of the person's true weights, from an estimate that a prior has shrunk.

    To first order ``theta_hat = A theta + S noise``, where S is the estimate's covariance, P its
    prior precision, ``A = I - S P`` what the prior leaves of the truth, and ``S - S P S`` the
    noise's covariance. Of weights of length beta in a direction that nobody knows, that gives
    ``E ||theta_hat||^2 = beta^2 ||A||_F^2 / d + tr(S - S P S)``, which is solved for beta
    (method of moments; derived here).

    It is low, by half at the worst we saw, under a lambda far too large, since picks of decisive
    people saturate (:func:`fit_matched` mends that). It means little under one far too small,
    where the estimate is mostly noise.

    Returns:
        beta_hat in the units of theta; 0 where the picks show no more than chance.
    """
    S, P, d = estimate.covariance, estimate.prior_precision, len(estimate.theta)
    left = np.eye(d) - (S * P if isinstance(P, float) else S @ P)
    noise = float((left * S).sum())  # tr(S - S P S), both being symmetric in S
    kept = float((left * left).sum())
    squared = float(estimate.theta @ estimate.theta) - noise
    return float(np.sqrt(d * squared / kept)) if squared > 0.0 and kept > 0.0 else 0.0


def matched_lambda(d: int, beta: float) -> float:
    """``d / beta^2``: the precision of a prior under which weights in R^d have length beta.

    Raises:
        ParameterError: d or beta is not positive.
    """
    if d < 1 or not 0.0 < beta < np.inf:
        msg = f"needs d of at least 1 and a positive beta, not d={d}, beta={beta}"
        raise ParameterError(msg)
    return d / beta**2


def fit_matched(options: Options, picked: Sequence[Picked]) -> ChoiceEstimate:
    """The estimate under the lambda that suits the person, found from their picks.

    Strength is estimated under lambda = d, as for weights of length 1, then again under the lambda
    that this strength matches, until it stays. Somebody whose picks show no more than chance is
    taken to be of strength 1.

    Args:
        options: as for :func:`palate.design.fit_choice_model`.
        picked: likewise.

    Returns:
        The estimate; lambda is its ``prior_precision``.

    Raises:
        ParameterError, AnswerError: as :func:`palate.design.fit_choice_model`.
    """
    lam = float(check_options(options)[0].shape[1])
    for _ in range(_ROUNDS):
        estimate = fit_choice_model(options, picked, lam=lam)
        beta = strength(estimate)
        before, lam = lam, matched_lambda(len(estimate.theta), beta) if beta > 0.0 else lam
        if abs(np.log(lam / before)) < _STEADY:
            break
    return estimate


def check_lambda(lam: float, d: int, beta_hat: float) -> str | None:
    """A warning where a lambda is far too large for somebody so decisive; None where it is not.

    The information that a design plans with knows nothing of theta. Somebody decisive picks the
    extreme options with near certainty, which tells less than it promises, and under a large lambda
    the plan leans on those: in our measurements such a design was 38 % worse than random questions.

    Args:
        lam: of the design.
        d: features.
        beta_hat: the person's strength, as :func:`strength` estimates it; 0 warns of nothing.
    """
    if beta_hat <= 0.0 or lam <= TOO_STRONG * matched_lambda(d, beta_hat):
        return None
    matched = matched_lambda(d, beta_hat)
    return (
        f"lambda {lam:g} is {lam / matched:.0f} times what suits a person of strength "
        f"{beta_hat:.3g} in {d} dimensions; such a design can lose to random questions, "
        f"so plan anew with lambda near {matched:.2g}"
    )


def mse_bound(information: ArrayLike, r: float = 0.0) -> float:
    """How far off the estimate is: ``C tr(I_lambda^-1)``, ``C = (1 - r)^-4`` (ED-PBRL, Thm 4.0).

    The constant and the trace are the theorem's. That it bounds the expected squared distance
    ``E ||theta_hat - theta||^2``, and that r measures how far the information may vary between
    the truth and the estimate, is our reading of it. With r = 0 it is what the error tends to with
    many picks, not a bound.

    Args:
        information: I_lambda (d, d), the Fisher information of the picks at the true theta plus
            the prior precision.
        r: in [0, 1), the local consistency radius.

    Raises:
        ParameterError: r lies elsewhere, or the information is not positive definite.
    """
    matrix = np.asarray(information, dtype=np.float64)
    if not 0.0 <= r < 1.0:
        msg = f"r must be at least 0 and below 1, not {r}"
        raise ParameterError(msg)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        msg = f"the information must be a finite (d, d) array, not {matrix.shape}"
        raise ParameterError(msg)
    values = np.linalg.eigvalsh(matrix)
    if not len(values) or values[0] <= 0.0:
        raise ParameterError("the information must be positive definite; give lam > 0")
    return float((1.0 / values).sum() / (1.0 - r) ** 4)
