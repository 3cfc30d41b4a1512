from __future__ import annotations

import numpy as np
import pytest
from diversity_cases import every_z, fitted, town
from scipy.stats import norm

from palate.diversity import (
    Rows,
    conditioning,
    contests,
    curvature,
    error_exponent,
    leverage,
    selector_error,
)
from palate.diversity.rows import fisher, margins
from palate.diversity.scores import MOST, answers_needed

PLACE = town(dims=2)
ROWS = PLACE.answers(500)
ANSWERED = curvature(ROWS, PLACE.heads)
CONTESTS = contests(PLACE.served(), PLACE.basis).rows
SILENT = CONTESTS.person >= PLACE.answering


def test_leverage_is_the_variance_of_a_margin_or_infinite() -> None:
    found = leverage(CONTESTS, PLACE.heads, ANSWERED)
    z = every_z(ROWS, PLACE.heads)
    inverse = np.linalg.pinv(z.T @ z, rcond=1e-9)
    served = every_z(CONTESTS.of(~SILENT), PLACE.heads)
    np.testing.assert_allclose(found[~SILENT], np.einsum("na,ab,nb->n", served, inverse, served))
    assert np.isinf(found[SILENT]).all()


def test_conditioning_is_the_least_information_of_a_unit_row() -> None:
    own = CONTESTS.of(~SILENT)
    z = every_z(own, PLACE.heads)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    inverse = np.linalg.pinv(every_z(ROWS, PLACE.heads).T @ every_z(ROWS, PLACE.heads), rcond=1e-9)
    expected = 1.0 / np.einsum("na,ab,nb->n", z, inverse, z).max()
    assert conditioning(own, PLACE.heads, ANSWERED) == pytest.approx(expected)
    assert conditioning(CONTESTS, PLACE.heads, ANSWERED) == 0.0
    equal = Rows(np.array([0]), np.zeros((1, 5)))
    assert conditioning(equal, PLACE.heads, ANSWERED) == np.inf


def test_the_exponent_is_that_of_the_closest_contest() -> None:
    gap, variance = np.array([2.0, 1.0, 0.0]), np.array([1.0, 4.0, 0.0])
    assert error_exponent(gap, variance) == pytest.approx(1.0 / 8.0)
    assert error_exponent(gap, np.array([1.0, np.inf, 0.0])) == 0.0
    assert error_exponent(np.zeros(1), np.zeros(1)) == np.inf


def test_errors_add_up_over_competitors_and_stop_at_one() -> None:
    gap, variance = np.array([1.0, 2.0, 0.1, 0.1, 0.1]), np.array([4.0, 9.0, 1.0, np.inf, np.inf])
    question = np.array([0, 0, 1, 1, 1])
    first = norm.sf(np.sqrt(9.0) / 2.0) + norm.sf(2.0 * np.sqrt(9.0) / 3.0)
    found = selector_error(gap, variance, question, 4, 9.0)
    assert found == pytest.approx((first + 1.0) / 4.0)
    assert selector_error(gap, variance, question, 4, 0.0) == pytest.approx(2.0 / 4.0)
    # Equal responses cannot be confused, and no question is nothing wrong.
    assert selector_error(np.zeros(1), np.zeros(1), np.zeros(1, dtype=np.intp), 1, 5.0) == 0.0
    assert selector_error(np.zeros(0), np.zeros(0), np.zeros(0, dtype=np.intp), 0, 5.0) == 0.0


def test_the_fewest_answers_for_a_tolerance() -> None:
    assert answers_needed(lambda n: 1.0 / n, 1e-4) == pytest.approx(10_000, rel=2e-3)
    assert answers_needed(lambda n: 1.0 / n, 1.0) == 1
    assert answers_needed(lambda n: max(0.1, 1.0 / n), 0.05) is None
    assert answers_needed(lambda n: 1.0 / n, 0.9 / MOST) is None
    found = answers_needed(lambda n: 1.0 / n, 0.013)
    assert found is not None
    assert 1.0 / found <= 0.013


def test_predicted_errors_are_those_of_estimates() -> None:
    """Simulated: without a fit against fits, within a factor of 2.5 either way, and falling."""
    place = town(latent=4, dims=4, features=8, answering=30, silent=20, seed=2)
    counts = (2_000, 8_000)
    served = place.served()
    found = contests(served, place.basis).rows
    assert found.pick is not None
    many = place.answers(20_000, seed=9)
    weighted, weights = fisher(many, margins(many, place.heads, place.basis))
    one = curvature(weighted, place.heads, weights / len(many))
    gap = margins(found, place.heads, place.basis)
    variance = leverage(found, place.heads, one)
    predicted, actual = [], []
    for n in counts:
        error = selector_error(gap, variance, found.pick, len(served.person), n)
        predicted.append(error)
        fits = [fitted(place, place.answers(n, seed=seed)) for seed in range(5)]
        wrong = [
            (served.rewards(fit).reshape(-1, 12).argmax(axis=1) != best).mean()
            for best in [served.rewards(place.basis).reshape(-1, 12).argmax(axis=1)]
            for fit in fits
        ]
        actual.append(np.mean(wrong))
    ratio = np.array(predicted) / np.array(actual)
    assert (ratio > 1.0 / 2.5).all()
    assert (ratio < 2.5).all()
    assert predicted[1] < 0.6 * predicted[0]
