"""How decisive somebody is, and what lambda suits them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate.design import (
    check_lambda,
    fit_choice_model,
    fit_matched,
    matched_lambda,
    mse_bound,
    strength,
)
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray


def picks_of(beta: float, seed: int, *, d: int = 30, n: int = 300) -> tuple[FloatArray, list[int]]:
    """Options (n, 4, d) and the picks of a simulated person whose weights have length beta."""
    rng = np.random.default_rng(seed)
    options = rng.normal(size=(n, 4, d))
    options /= np.linalg.norm(options, axis=-1, keepdims=True)
    theta = rng.normal(size=d)
    theta *= beta / np.linalg.norm(theta)
    return options, np.argmax(options @ theta + rng.gumbel(size=(n, 4)), axis=1).tolist()


def estimates(beta: float, lam: float) -> list[float]:
    """Estimated strengths of six people."""
    drawn = (picks_of(beta, seed) for seed in range(6))
    return [strength(fit_choice_model(*drawn_one, lam=lam)) for drawn_one in drawn]


@pytest.mark.parametrize("beta", [5.0, 20.0])
def test_it_is_right_at_the_matched_lambda(beta: float) -> None:
    found = estimates(beta, matched_lambda(30, beta))
    assert abs(np.mean(found) / beta - 1.0) < 0.15


def test_it_undoes_what_a_large_lambda_shrinks() -> None:
    """At 100 times the matched lambda, the strength is halved and is enough to be warned."""
    lam = 100.0 * matched_lambda(30, 20.0)
    options, picked = picks_of(20.0, 0)
    estimate = fit_choice_model(options, picked, lam=lam)
    assert np.linalg.norm(estimate.theta) < 0.6 * strength(estimate)
    assert 7.0 < np.mean(estimates(20.0, lam)) < 22.0
    assert check_lambda(lam, 30, strength(estimate))


@pytest.mark.parametrize("beta", [3.0, 20.0])
def test_the_matched_lambda_is_found_from_picks(beta: float) -> None:
    found = [fit_matched(*picks_of(beta, seed)) for seed in range(6)]
    betas = [np.sqrt(30.0 / float(np.max(estimate.prior_precision))) for estimate in found]
    assert abs(np.mean(betas) / beta - 1.0) < 0.2
    assert max(estimate.gradient_norm for estimate in found) < 1e-8 * np.sqrt(300)


def test_somebody_who_picks_at_random_is_of_strength_one() -> None:
    options, _ = picks_of(1.0, 0)
    estimate = fit_matched(options, np.random.default_rng(2).integers(4, size=300).tolist())
    assert estimate.prior_precision == 30.0


def test_without_a_prior_it_takes_the_noise_off() -> None:
    found = estimates(2.0, 0.0)
    assert abs(np.mean(found) / 2.0 - 1.0) < 0.25


def test_matrix_and_number_agree() -> None:
    options = np.random.default_rng(0).normal(size=(20, 3, 4))
    picked = np.argmax(options[:, :, 0], axis=1).tolist()
    one = fit_choice_model(options, picked, lam=0.5)
    other = fit_choice_model(options, picked, prior_precision=0.5 * np.eye(4))
    assert strength(one) == pytest.approx(strength(other))


def test_picks_that_show_nothing_have_no_strength() -> None:
    options = np.random.default_rng(0).normal(size=(5, 3, 4))
    assert strength(fit_choice_model(options, ["tie"] * 5, lam=1.0)) == 0.0


def test_a_lambda_far_too_large_is_warned_of() -> None:
    """Ten times the matched lambda is where it begins."""
    assert matched_lambda(384, 20.0) == 0.96
    assert check_lambda(9.6, 384, 20.0) is None
    warning = check_lambda(100.0, 384, 20.0)
    assert warning is not None
    assert warning.isprintable()
    assert "lambda 100 is 104 times what suits a person of strength 20 in 384" in warning
    assert warning.endswith("so plan anew with lambda near 0.96")
    assert check_lambda(100.0, 384, 1.0) is None
    assert check_lambda(100.0, 384, 0.0) is None
    with pytest.raises(ParameterError, match="needs d of at least 1 and a positive beta"):
        matched_lambda(384, 0.0)


def test_the_bound_is_the_trace_of_the_inverse_times_its_constant() -> None:
    information = np.array([[4.0, 1.0], [1.0, 2.0]])
    assert mse_bound(information) == pytest.approx(6.0 / 7.0)
    assert mse_bound(information, 0.5) == pytest.approx(16.0 * 6.0 / 7.0)


@pytest.mark.parametrize(
    ("information", "r", "says"),
    [
        (np.eye(2), 1.0, "r must be at least 0 and below 1, not 1.0"),
        (np.eye(2), -0.1, "r must be at least 0 and below 1, not -0.1"),
        (np.ones((2, 3)), 0.0, r"a finite \(d, d\) array, not \(2, 3\)"),
        (np.diag([1.0, 0.0]), 0.0, "must be positive definite; give lam > 0"),
    ],
)
def test_no_bound_without_information(information: Any, r: float, says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        mse_bound(information, r)
