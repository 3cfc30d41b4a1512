"""A person's weights from what they picked out of K: the regularised multinomial logit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from scipy.linalg import cholesky, qr, solve_triangular

from palate.design._newton import minimise
from palate.errors import AnswerError, ParameterError
from palate.feedback import Query, check_picked, stages_of
from palate.preference import multinomial_gradient, multinomial_hessian, multinomial_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from palate._typing import FloatArray, IndexArray
    from palate.feedback import Picked

Options: TypeAlias = "Sequence[ArrayLike] | FloatArray"
"""Features of what each query showed: one (n, K, d) array, or n arrays (K_i, d)."""


@dataclass(frozen=True, eq=False, slots=True)
class ChoiceEstimate:
    """The weights that explain a person's picks best, and how sure they are.

    Attributes:
        theta: (d,) the estimate.
        covariance: (d, d) inverse of the Hessian of what was minimised: Laplace's approximation of
            the posterior under the prior ``N(0, P^-1)``, or the inverse Fisher information where
            there is no prior.
        prior_precision: P as it was given, (d, d) or lambda alone.
        log_likelihood: of the picks at theta, in nats.
        gradient_norm: length of the gradient at theta of what was minimised.
        picks: how many picks it rests on; an order is a pick a stage.
        steps: Newton steps taken.
    """

    theta: FloatArray
    covariance: FloatArray
    prior_precision: FloatArray | float
    log_likelihood: float
    gradient_norm: float
    picks: int
    steps: int

    def probabilities(self, options: ArrayLike) -> FloatArray:
        """(..., K) probability that each of (..., K, d) options is picked."""
        utilities = np.asarray(options, dtype=np.float64) @ self.theta
        weights = np.exp(utilities - utilities.max(axis=-1, keepdims=True))
        return np.asarray(weights / weights.sum(axis=-1, keepdims=True))


def fit_choice_model(
    options: Options,
    picked: Sequence[Picked],
    *,
    lam: float | None = None,
    prior_precision: ArrayLike | None = None,
) -> ChoiceEstimate:
    """The regularised maximum-likelihood weights under the multinomial logit (ED-PBRL, Section 4).

    ``theta_hat = arg min of -sum_i log softmax(X_i theta)[y_i] + <theta, P theta> / 2``. Newton's
    method runs where the picks speak, in ``min(n (K - 1), d)`` dimensions: what they leave open
    stays as the prior has it. Only differences between options of a query count, so it is all the
    same what is added to the features of all of them.

    Args:
        options: features of what each of n queries showed: an (n, K, d) array, or n arrays
            (K_i, d) where queries differ in K.
        picked: for each the position picked, an order of positions, or "tie" or "skip", which say
            nothing here; see :data:`palate.feedback.Picked`.
        lam: P = lam I; 0 is no prior at all.
        prior_precision: P, (d, d) symmetric and positive definite, instead.

    Returns:
        The estimate. Its gradient norm is below ``1e-8 sqrt(n)``.

    Raises:
        ParameterError: the features are no such arrays; both priors or neither are given, or none
            that is one; without a prior, the estimate does not exist, since there are fewer
            differences than weights or some direction agrees with every pick.
        AnswerError: an answer does not fit its query.
    """
    shown = check_options(options)
    rows, groups = _differences(shown, picked)
    d = shown[0].shape[1]
    prior = _checked_prior(lam, prior_precision, d)
    picks = len(np.unique(groups))
    if isinstance(prior, float) and prior == 0.0:
        return _without_prior(rows, groups, picks)
    root = np.sqrt(prior) if isinstance(prior, float) else cholesky(prior, lower=True)
    # In u = root^T theta the prior is the identity, and u lies in the row space of what follows.
    white = _divided(root, rows)
    few = len(rows) < d
    basis, triangle = qr(white.T, mode="economic") if few else (np.zeros((d, 0)), white.T)
    white = np.ascontiguousarray(triangle.T)
    found = minimise(white, groups, 1.0) if len(rows) else (np.zeros(0), 0)
    if found is None:
        msg = f"the estimate is lost to rounding under a prior as weak as {lam}; give a larger one"
        raise ParameterError(msg)
    u, steps = found
    theta = _divided(root, (basis @ u if few else u)[None], transposed=True)[0]
    hessian = multinomial_hessian(u, white, groups)
    spread: FloatArray = np.linalg.inv(hessian + np.eye(len(u))).astype(np.float64)
    if few:
        spread = np.eye(d) - basis @ (np.eye(len(u)) - spread) @ basis.T
    covariance = _divided(root, _divided(root, spread, transposed=True).T, transposed=True)
    pull = prior * theta if isinstance(prior, float) else prior @ theta
    return _estimate(theta, covariance, prior, (rows, groups, picks, steps), pull)


def _without_prior(rows: FloatArray, groups: IndexArray, picks: int) -> ChoiceEstimate:
    m, d = rows.shape
    rank = int(np.linalg.matrix_rank(rows)) if m >= d else m
    if rank < d:
        of = "at most " if m < d else ""
        msg = f"without a prior {picks} picks fix {of}{rank} of {d} weights; give lam > 0"
        raise ParameterError(msg)
    found = minimise(rows, groups, 0.0)
    if found is None:
        raise ParameterError(
            "without a prior there is no estimate: weights exist that agree with every pick, and "
            "the longer they are the better; give lam > 0"
        )
    theta, steps = found
    hessian = multinomial_hessian(theta, rows, groups)
    covariance: FloatArray = np.linalg.inv(hessian).astype(np.float64)
    return _estimate(theta, covariance, 0.0, (rows, groups, picks, steps), np.zeros(d))


def _estimate(
    theta: FloatArray,
    covariance: FloatArray,
    prior: FloatArray | float,
    fit: tuple[FloatArray, IndexArray, int, int],
    pull: FloatArray,
) -> ChoiceEstimate:
    rows, groups, picks, steps = fit
    gradient = multinomial_gradient(theta, rows, groups) + pull
    return ChoiceEstimate(
        theta,
        0.5 * (covariance + covariance.T),
        prior,
        -multinomial_loss(theta, rows, groups),
        float(np.linalg.norm(gradient)),
        picks,
        steps,
    )


def check_options(options: Options) -> list[FloatArray]:
    """The features of each query as finite (K, d) arrays of one d.

    Raises:
        ParameterError: they are something else; the message says which query and how.
    """
    shown = [np.asarray(x, dtype=np.float64) for x in options]
    if not shown:
        raise ParameterError("there is no query to learn from; give at least one")
    shape = shown[0].shape
    for place, x in enumerate(shown):
        if x.ndim != 2 or len(x) < 2 or not x.shape[1] or x.shape[1:] != shape[1:]:
            msg = (
                f"query {place}: the options' features must have shape (K, d), K >= 2 and one d "
                f"for all queries, not {x.shape}"
            )
            raise ParameterError(msg)
        if not np.isfinite(x).all():
            msg = f"query {place}: the options' features must be finite; some are NaN or infinite"
            raise ParameterError(msg)
    return shown


def _differences(
    shown: Sequence[FloatArray], picked: Sequence[Picked]
) -> tuple[FloatArray, IndexArray]:
    """(m, d) features picked minus features passed over, and the pick (m,) each row belongs to."""
    if len(shown) != len(picked):
        msg = f"{len(shown)} queries have {len(picked)} answers; give one for each"
        raise ParameterError(msg)
    rows, sizes = [np.zeros((0, shown[0].shape[1]))], []
    for number, (x, said) in enumerate(zip(shown, picked, strict=True)):
        places = tuple(range(len(x)))
        try:
            checked = check_picked(said, Query(number, places, ()))
        except AnswerError as error:
            msg = f"query {number}: {error}"
            raise AnswerError(msg) from None
        for winner, losers in stages_of(checked, places):
            rows.append(x[winner] - x[list(losers)])
            sizes.append(len(losers))
    return np.concatenate(rows), np.repeat(np.arange(len(sizes)), sizes)


def _checked_prior(
    lam: float | None, prior_precision: ArrayLike | None, d: int
) -> FloatArray | float:
    if (lam is None) == (prior_precision is None):
        raise ParameterError("give either lam or prior_precision, one of the two")
    if lam is not None:
        if not 0.0 <= lam < np.inf:
            msg = f"lam must be a finite number of at least 0, not {lam}"
            raise ParameterError(msg)
        return float(lam)
    prior = np.asarray(prior_precision, dtype=np.float64)
    if prior.shape != (d, d) or not np.isfinite(prior).all():
        msg = f"prior_precision must be a finite ({d}, {d}) array, not {prior.shape}"
        raise ParameterError(msg)
    if not np.allclose(prior, prior.T, rtol=1e-9) or np.linalg.eigvalsh(prior)[0] <= 0.0:
        raise ParameterError("prior_precision must be symmetric and positive definite")
    return prior


def _divided(root: FloatArray | float, rows: FloatArray, *, transposed: bool = False) -> FloatArray:
    """Each row x as ``root^-1 x``, or as ``root^-T x``."""
    if isinstance(root, float):
        return rows / root
    solved = solve_triangular(root, rows.T, lower=True, trans="T" if transposed else "N")
    return np.asarray(solved.T)
