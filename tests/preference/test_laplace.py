"""Laplace's approximation: the mode, its curvature and the evidence, against independent ways."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from belief_cases import log_likelihood
from scipy.optimize import approx_fprime, minimize
from scipy.stats import multivariate_normal

from palate.preference.laplace import laplace

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.preference.laplace import Laplace

SLOPES = (0.75, 3.0, 12.0)
SHAPES = ([0, 1, 2, 3], [0, 0, 1, 2, 2, 2], [0, 0, 0], [4, 4, 7])
"""Groups: pairs, picks out of two to four, a single pick, and numbers with gaps."""


def prior(m: int, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(m, m))
    return rng.normal(size=m), root @ root.T / m


def one(
    mean: FloatArray, covariance: FloatArray, groups: list[int], slope: float
) -> tuple[Laplace, FloatArray, IndexArray]:
    """The approximation for one combination, its margins, and the groups as an array."""
    places = np.array(groups)
    fit = laplace(mean[None], covariance[None], places, np.array([slope]))
    return fit, mean + covariance @ fit.coefficients[0], places


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("groups", SHAPES, ids=str)
def test_the_mode_is_that_of_another_optimiser(groups: list[int], slope: float) -> None:
    mean, covariance = prior(len(groups))
    _, margins, places = one(mean, covariance, groups, slope)

    def objective(f: FloatArray) -> float:
        off = f - mean
        square = float(off @ np.linalg.solve(covariance, off))
        return 0.5 * square - log_likelihood(slope * f, places)

    found = minimize(objective, mean, method="BFGS", options={"gtol": 1e-8})
    assert margins == pytest.approx(found.x, abs=2e-5)
    assert objective(margins) <= found.fun + 1e-10


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("groups", SHAPES, ids=str)
def test_the_gradient_is_zero_and_the_hessian_that_of_finite_differences(
    groups: list[int], slope: float
) -> None:
    mean, covariance = prior(len(groups), seed=1)
    fit, margins, places = one(mean, covariance, groups, slope)

    def gradient(f: FloatArray) -> FloatArray:
        return approx_fprime(f, lambda x: log_likelihood(slope * x, places), 1e-6)

    assert fit.coefficients[0] == pytest.approx(gradient(margins), abs=1e-4)
    steps = 1e-4 * np.eye(len(groups))
    hessian = [(gradient(margins + e) - gradient(margins - e)) / 2e-4 for e in steps]
    assert fit.hessian[0] == pytest.approx(-np.array(hessian), abs=2e-3 * slope**2)


@pytest.mark.parametrize("groups", SHAPES, ids=str)
def test_the_gain_is_the_textbook_inverse(groups: list[int]) -> None:
    mean, covariance = prior(len(groups), seed=2)
    fit, _, _ = one(mean, covariance, groups, 3.0)
    inverse = np.linalg.inv(covariance + np.linalg.inv(fit.hessian[0]))
    assert fit.gain[0] == pytest.approx(inverse, rel=1e-6, abs=1e-9)
    assert np.array_equal(fit.gain[0], fit.gain[0].T)


@pytest.mark.parametrize("groups", [[0], [0, 1], [0, 0]], ids=str)
def test_the_evidence_is_near_numerical_integration(groups: list[int]) -> None:
    """By quadrature on a grid; Laplace is good to a few hundredths where the slope is shallow."""
    mean, covariance = prior(len(groups), seed=3)
    fit, _, places = one(mean, covariance, groups, 0.75)
    axis = np.linspace(-8.0, 8.0, 81)
    grid = np.array(list(itertools.product(axis, repeat=len(groups))))
    density = multivariate_normal(mean, covariance).pdf(grid)
    likelihood = np.exp([log_likelihood(0.75 * f, places) for f in grid])
    exact = np.log((density * likelihood).sum() * (axis[1] - axis[0]) ** len(groups))
    assert fit.log_evidence[0] == pytest.approx(exact, abs=0.03)


def test_the_evidence_is_the_determinant_formula() -> None:
    mean, covariance = prior(5, seed=4)
    groups = [0, 0, 1, 2, 2]
    fit, margins, places = one(mean, covariance, groups, 2.0)
    off = margins - mean
    expected = log_likelihood(2.0 * margins, places)
    expected -= 0.5 * float(off @ np.linalg.solve(covariance, off))
    expected -= 0.5 * float(np.linalg.slogdet(np.eye(5) + covariance @ fit.hessian[0])[1])
    assert fit.log_evidence[0] == pytest.approx(expected)


def test_a_warm_start_ends_where_a_cold_one_does() -> None:
    mean, covariance = prior(6, seed=5)
    groups = np.array([0, 1, 1, 2, 3, 3])
    cold = laplace(mean[None], covariance[None], groups, np.array([6.0]))
    for start in (cold.coefficients, 5.0 * np.ones((1, 6)), -cold.coefficients):
        warm = laplace(mean[None], covariance[None], groups, np.array([6.0]), start=start)
        assert warm.coefficients == pytest.approx(cold.coefficients, abs=1e-7)
        assert warm.log_evidence == pytest.approx(cold.log_evidence, abs=1e-9)


def test_a_start_is_left_as_it_was() -> None:
    mean, covariance = prior(3)
    start = np.ones((1, 3))
    laplace(mean[None], covariance[None], np.arange(3), np.array([3.0]), start=start)
    assert (start == 1.0).all()


def test_a_pair_asked_twice_makes_a_singular_prior_and_counts_twice() -> None:
    """Two equal rows are one margin whose likelihood is squared."""
    groups, slopes = np.array([0, 1]), np.array([2.0])
    fit = laplace(np.zeros((1, 2)), np.ones((1, 2, 2)), groups, slopes)
    margin = float(fit.coefficients[0].sum())
    # By bisection: margin = 2 slope sigmoid(-slope margin).
    low, high = 0.0, 4.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        falls = middle < 4.0 / (1.0 + np.exp(2.0 * middle))
        low, high = (middle, high) if falls else (low, middle)
    assert margin == pytest.approx(low, abs=1e-9)


@pytest.mark.parametrize("slope", [*SLOPES, 500.0])
def test_opposite_answers_to_one_pair_cancel(slope: float) -> None:
    covariance = np.array([[1.0, -1.0], [-1.0, 1.0]])
    fit = laplace(np.zeros((1, 2)), covariance[None], np.array([0, 1]), np.array([slope]))
    assert covariance @ fit.coefficients[0] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert fit.log_evidence[0] < -2.0 * np.log(2.0)


@pytest.mark.parametrize("slope", [1e-6, 1e3, 1e6])
@pytest.mark.parametrize("mean", [-50.0, 0.0, 50.0])
@pytest.mark.parametrize("groups", [[0, 1], [0, 0]], ids=str)
def test_nothing_overflows(groups: list[int], mean: float, slope: float) -> None:
    fit, margins, _ = one(np.full(2, mean), np.eye(2), groups, slope)
    for values in (margins, fit.gain, fit.hessian, fit.log_evidence):
        assert np.isfinite(values).all()
    if slope > 1.0:
        assert margins.min() > -1.0, "what was picked is liked better"


def test_each_combination_is_as_it_is_alone() -> None:
    groups = np.array([0, 0, 1, 2])
    priors = [prior(4, seed) for seed in range(3)]
    means, covariances = (np.stack(parts) for parts in zip(*priors, strict=True))
    slopes = np.array([0.75, 3.0, 12.0])
    together = laplace(means, covariances, groups, slopes)
    for c in range(3):
        alone = laplace(means[[c]], covariances[[c]], groups, slopes[[c]])
        for name in ("coefficients", "gain", "hessian", "log_evidence"):
            got, expected = getattr(together, name)[c], getattr(alone, name)[0]
            assert got == pytest.approx(expected, rel=1e-6, abs=1e-8), name
