"""The multinomial logit's estimate: against other solvers, its own derivatives, and its limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from palate.design import fit_choice_model
from palate.errors import AnswerError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from palate._typing import FloatArray
    from palate.feedback import Picked


def people_picks(
    n: int, k: int, d: int, *, beta: float = 4.0, seed: int = 0
) -> tuple[FloatArray, list[int], FloatArray]:
    """Options (n, K, d) of unit length, picks by the multinomial logit, and theta."""
    rng = np.random.default_rng(seed)
    options = rng.normal(size=(n, k, d))
    options /= np.linalg.norm(options, axis=-1, keepdims=True)
    theta = rng.normal(size=d)
    theta *= beta / np.linalg.norm(theta)
    noisy = options @ theta + rng.gumbel(size=(n, k))
    return options, np.argmax(noisy, axis=1).tolist(), theta


def penalised(
    theta: FloatArray, options: Iterable[FloatArray], picked: Sequence[int], prior: FloatArray
) -> float:
    """What is minimised, written out."""
    total = 0.5 * theta @ prior @ theta
    for x, y in zip(options, picked, strict=True):
        u = x @ theta
        total += np.log(np.exp(u - u.max()).sum()) + u.max() - u[y]
    return float(total)


@pytest.mark.parametrize(("n", "k", "d"), [(40, 4, 6), (10, 3, 50), (1, 2, 5), (7, 5, 28)])
@pytest.mark.parametrize("lam", [1e-3, 1.0, 100.0])
def test_agrees_with_a_general_solver(n: int, k: int, d: int, lam: float) -> None:
    options, picked, _ = people_picks(n, k, d)
    found = fit_choice_model(options, picked, lam=lam)
    prior = lam * np.eye(d)
    value = penalised(found.theta, options, picked, prior)
    reference = minimize(penalised, np.zeros(d), args=(options, picked, prior), tol=1e-14)
    assert value <= reference.fun + 1e-9
    np.testing.assert_allclose(found.theta, reference.x, atol=2e-4)
    assert found.gradient_norm < 1e-8 * np.sqrt(n)
    assert found.picks == n


def test_agrees_with_scikit_learn() -> None:
    """With pairs, the multinomial logit is the logistic regression of differences."""
    sklearn = pytest.importorskip("sklearn.linear_model")
    options, picked, _ = people_picks(200, 2, 8, seed=3)
    lam = 0.7
    found = fit_choice_model(options, picked, lam=lam)
    differences = options[:, 1] - options[:, 0]
    peer = sklearn.LogisticRegression(C=1 / lam, fit_intercept=False, tol=1e-12, max_iter=1000)
    peer.fit(differences, np.array(picked))
    np.testing.assert_allclose(found.theta, peer.coef_[0], atol=1e-6)


def test_agrees_with_cvxpy_under_any_prior() -> None:
    cvxpy = pytest.importorskip("cvxpy")
    for n, d in ((30, 5), (4, 20)):
        options, picked, _ = people_picks(n, 4, d, seed=n)
        root = np.random.default_rng(1).normal(size=(d, d))
        prior = root @ root.T + 0.1 * np.eye(d)
        theta = cvxpy.Variable(d)
        loss = sum(
            cvxpy.log_sum_exp(x @ theta) - x[y] @ theta
            for x, y in zip(options, picked, strict=True)
        )
        penalty = 0.5 * cvxpy.sum_squares(root.T @ theta) + 0.05 * cvxpy.sum_squares(theta)
        cvxpy.Problem(cvxpy.Minimize(loss + penalty)).solve("CLARABEL")
        found = fit_choice_model(options, picked, prior_precision=prior)
        np.testing.assert_allclose(found.theta, theta.value, atol=1e-4)
        assert found.gradient_norm < 1e-8 * np.sqrt(n)


@pytest.mark.parametrize(("n", "d"), [(30, 5), (3, 12)])
def test_covariance_is_the_inverse_hessian(n: int, d: int) -> None:
    options, picked, _ = people_picks(n, 4, d, seed=2)
    root = np.random.default_rng(4).normal(size=(d, d))
    prior = root @ root.T + np.eye(d)
    found = fit_choice_model(options, picked, prior_precision=prior)
    step = 1e-4
    unit = np.eye(d) * step

    def at(*moves: FloatArray) -> float:
        return penalised(found.theta + np.sum(moves, axis=0), options, picked, prior)

    hessian = np.array(
        [[at(a, b) - at(a, -b) - at(-a, b) + at(-a, -b) for b in unit] for a in unit]
    ) / (4 * step**2)
    np.testing.assert_allclose(found.covariance @ hessian, np.eye(d), atol=2e-4)
    gradient = [(at(a) - at(-a)) / (2 * step) for a in unit]
    np.testing.assert_allclose(gradient, 0.0, atol=1e-6)
    likelihood = -(penalised(found.theta, options, picked, 0.0 * prior))
    assert found.log_likelihood == pytest.approx(likelihood)


def test_lambda_is_the_prior_precision_lambda_times_the_identity() -> None:
    options, picked, _ = people_picks(12, 4, 30)
    one = fit_choice_model(options, picked, lam=2.5)
    other = fit_choice_model(options, picked, prior_precision=2.5 * np.eye(30))
    np.testing.assert_allclose(one.theta, other.theta, atol=1e-10)
    np.testing.assert_allclose(one.covariance, other.covariance, atol=1e-10)


def test_without_a_prior_it_finds_the_truth() -> None:
    options, picked, theta = people_picks(4000, 4, 5, seed=5)
    found = fit_choice_model(options, picked, lam=0.0)
    error = found.theta - theta
    chi = error @ np.linalg.solve(found.covariance, error)
    assert chi < 20.5  # the 99.9th percentile at 5 degrees of freedom
    assert chi > 0.2
    assert found.gradient_norm < 1e-8 * np.sqrt(4000)
    close = fit_choice_model(options, picked, lam=1e-9)
    np.testing.assert_allclose(found.theta, close.theta, atol=1e-6)
    np.testing.assert_allclose(found.covariance, close.covariance, rtol=1e-6)


@given(st.integers(0, 10**6), st.floats(-50.0, 50.0))
@settings(max_examples=20, deadline=None, derandomize=True)
def test_what_all_options_share_is_invisible(seed: int, shift: float) -> None:
    options, picked, _ = people_picks(9, 3, 4, seed=seed)
    moved = options + shift * np.random.default_rng(seed).normal(size=(9, 1, 4))
    one, other = (fit_choice_model(x, picked, lam=0.5).theta for x in (options, moved))
    np.testing.assert_allclose(one, other, atol=1e-9)


def test_queries_may_differ_in_size_and_orders_are_picks_a_stage() -> None:
    options, _, _ = people_picks(6, 4, 3, seed=6)
    shown = [options[0], options[1][:2], options[2], options[3], options[4][:3]]
    picked: list[Picked] = [2, 1, (3, 0, 1), "tie", "skip"]
    found = fit_choice_model(shown, picked, lam=0.3)
    stages = [(shown[0], 2), (shown[1], 1), (shown[2], 3), (shown[2][:3], 0), (shown[2][1:3], 0)]
    same = fit_choice_model([x for x, _ in stages], [y for _, y in stages], lam=0.3)
    np.testing.assert_allclose(found.theta, same.theta, atol=1e-12)
    assert found.picks == same.picks == 5


@pytest.mark.parametrize("k", [2, 4])
def test_with_nothing_answered_the_prior_is_left(k: int) -> None:
    options, _, _ = people_picks(3, k, 7)
    found = fit_choice_model(options, ["skip"] * 3, lam=4.0)
    assert not found.theta.any()
    np.testing.assert_allclose(found.covariance, np.eye(7) / 4.0, atol=1e-15)
    assert found.picks == 0


def test_probabilities_are_the_softmax() -> None:
    options, picked, _ = people_picks(20, 4, 5)
    found = fit_choice_model(options, picked, lam=0.1)
    utilities = np.exp(options @ found.theta)
    expected = utilities / utilities.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.probabilities(options), expected, atol=1e-14)
    likelihood = np.log(expected[np.arange(20), picked]).sum()
    assert found.log_likelihood == pytest.approx(likelihood)


@given(st.integers(0, 10**6))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_without_a_prior_it_exists_just_where_the_picks_overlap(seed: int) -> None:
    """A linear program decides whether some weights agree with every pick."""
    rng = np.random.default_rng(seed)
    d, k = int(rng.integers(1, 4)), int(rng.integers(2, 4))
    options = rng.integers(-2, 3, size=(int(rng.integers(3, 9)), k, d)).astype(float)
    picked = rng.integers(k, size=len(options)).tolist()
    rows = np.concatenate([x[y] - np.delete(x, y, 0) for x, y in zip(options, picked, strict=True)])
    slack = linprog(-rows.sum(axis=0), A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1, 1))
    separable = -slack.fun > 1e-9
    if np.linalg.matrix_rank(rows) < d:
        says = "without a prior"
    elif separable:
        says = "agree with every pick" if len(rows) >= d else "without a prior"
    else:
        found = fit_choice_model(options, picked, lam=0.0)
        assert found.gradient_norm < 1e-8 * np.sqrt(len(options))
        return
    with pytest.raises(ParameterError, match=says):
        fit_choice_model(options, picked, lam=0.0)


def test_separable_picks_under_a_weak_prior_still_have_an_estimate() -> None:
    options, _, theta = people_picks(60, 4, 5, seed=9)
    picked = np.argmax(options @ theta, axis=1).tolist()
    found = fit_choice_model(options, picked, lam=1e-6)
    assert found.gradient_norm < 1e-8 * np.sqrt(60)
    assert (np.argmax(options @ found.theta, axis=1) == picked).all()
    with pytest.raises(ParameterError, match="agree with every pick"):
        fit_choice_model(options, picked, lam=0.0)


ODD = np.array([[1.0, 2.0], [2.0, 1.0]])
INDEFINITE = ODD - 2.0 * np.eye(2)


@pytest.mark.parametrize(
    ("options", "prior", "says"),
    [
        ([], {"lam": 1.0}, "there is no query to learn from"),
        ([[[1.0, 2.0]]], {"lam": 1.0}, "query 0: the options' features must have shape"),
        ([ODD, [[1.0], [2.0]]], {"lam": 1.0}, r"query 1: .* not \(2, 1\)"),
        ([ODD, ODD * np.nan], {"lam": 1.0}, "query 1: the options' features must be finite"),
        ([ODD], {"lam": -1.0}, "lam must be a finite number of at least 0, not -1.0"),
        ([ODD], {"lam": np.nan}, "lam must be a finite number of at least 0, not nan"),
        ([ODD], {}, "either lam or prior_precision"),
        ([ODD], {"lam": 1.0, "prior_precision": np.eye(2)}, "either lam or prior_precision"),
        ([ODD], {"prior_precision": np.eye(3)}, r"a finite \(2, 2\) array, not \(3, 3\)"),
        ([ODD], {"prior_precision": np.triu(ODD)}, "symmetric and positive definite"),
        ([ODD], {"prior_precision": INDEFINITE}, "symmetric and positive definite"),
        ([ODD], {"lam": 0.0}, "without a prior 1 picks fix at most 1 of 2 weights; give lam > 0"),
    ],
)
def test_mistakes_are_one_line(options: Any, prior: dict[str, Any], says: str) -> None:
    with pytest.raises(ParameterError, match=says) as caught:
        fit_choice_model(options, [0] * len(options), **prior)
    assert str(caught.value).isprintable()


def test_answers_must_fit() -> None:
    options, _, _ = people_picks(2, 4, 3)
    with pytest.raises(AnswerError, match="query 1: an answer is a position from 0 to 3"):
        fit_choice_model(options, [0, 4], lam=1.0)
    with pytest.raises(ParameterError, match="2 queries have 1 answers"):
        fit_choice_model(options, [0], lam=1.0)
