from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from palate.preference import (
    logistic_gradient,
    logistic_hessian,
    logistic_loss,
    multinomial_gradient,
    multinomial_hessian,
    multinomial_loss,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from palate._typing import FloatArray, IndexArray

SCALES = (1e-3, 0.1, 1.0, 10.0, 40.0)
# Answers out of 2, 4, 3, 2 and 6 responses.
GROUPS = np.repeat(np.arange(5), (1, 3, 2, 1, 5))


def difference_quotient(
    function: Callable[[FloatArray], FloatArray | float], theta: FloatArray, step: float
) -> FloatArray:
    """Central differences of a function along each axis, of fourth order; axes come first."""
    rows = []
    for axis in np.eye(len(theta)):
        one = np.subtract(function(theta + step * axis), function(theta - step * axis))
        two = np.subtract(function(theta + 2 * step * axis), function(theta - 2 * step * axis))
        rows.append((8.0 * one - two) / (12.0 * step))
    return np.array(rows)


def some_answers(scale: float, seed: int) -> tuple[FloatArray, FloatArray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=4) * scale, rng.normal(size=(len(GROUPS), 4))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", SCALES)
def test_logistic_derivatives_are_those_of_the_loss(scale: float, seed: int) -> None:
    theta, z = some_answers(scale, seed)
    gradient, hessian = logistic_gradient(theta, z), logistic_hessian(theta, z)
    assert gradient.shape == (4,)
    assert hessian.shape == (4, 4)
    # Steps are absolute, as what bends the loss is a margin of order one; what cancellation leaves
    # of a digit grows with the loss.
    loss_noise = 1e-12 * (1.0 + logistic_loss(theta, z))
    slopes = difference_quotient(lambda x: logistic_loss(x, z), theta, 2e-3)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-8, atol=1e-8 + loss_noise)
    bends = difference_quotient(lambda x: logistic_gradient(x, z), theta, 2e-3)
    np.testing.assert_allclose(hessian, bends, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", SCALES)
def test_multinomial_derivatives_are_those_of_the_loss(scale: float, seed: int) -> None:
    theta, z = some_answers(scale, seed)
    gradient, hessian = (
        multinomial_gradient(theta, z, GROUPS),
        multinomial_hessian(theta, z, GROUPS),
    )
    assert gradient.shape == (4,)
    assert hessian.shape == (4, 4)
    loss_noise = 1e-12 * (1.0 + multinomial_loss(theta, z, GROUPS))
    slopes = difference_quotient(lambda x: multinomial_loss(x, z, GROUPS), theta, 2e-3)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-8, atol=1e-8 + loss_noise)
    bends = difference_quotient(lambda x: multinomial_gradient(x, z, GROUPS), theta, 2e-3)
    np.testing.assert_allclose(hessian, bends, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("scale", SCALES)
def test_losses_are_convex(scale: float) -> None:
    theta, z = some_answers(scale, 0)
    for hessian in (logistic_hessian(theta, z), multinomial_hessian(theta, z, GROUPS)):
        np.testing.assert_allclose(hessian, hessian.T, atol=1e-14)
        assert np.linalg.eigvalsh(hessian).min() >= -1e-12


@pytest.mark.parametrize("scale", SCALES)
def test_multinomial_of_pairs_is_logistic(scale: float) -> None:
    theta, z = some_answers(scale, 1)
    pairs = np.arange(len(z))
    assert multinomial_loss(theta, z, pairs) == pytest.approx(logistic_loss(theta, z), rel=1e-14)
    np.testing.assert_allclose(
        multinomial_gradient(theta, z, pairs), logistic_gradient(theta, z), rtol=1e-12, atol=1e-14
    )
    np.testing.assert_allclose(
        multinomial_hessian(theta, z, pairs), logistic_hessian(theta, z), rtol=1e-9, atol=1e-14
    )


def test_losses_worked_by_hand() -> None:
    z = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    # Nothing known: each pair costs ln 2, a pick out of four costs ln 4.
    assert logistic_loss(np.zeros(2), z) == pytest.approx(3 * np.log(2.0))
    assert multinomial_loss(np.zeros(2), z, np.zeros(3, dtype=int)) == pytest.approx(np.log(4.0))
    # exp(-<theta, z>) is 1/2, 1/3 and 1/6 for theta = (ln 2, ln 3).
    theta = np.log([2.0, 3.0])
    assert logistic_loss(theta, z) == pytest.approx(np.log(3 / 2 * 4 / 3 * 7 / 6))
    assert multinomial_loss(theta, z, np.array([0, 0, 0])) == pytest.approx(np.log(2.0))
    assert multinomial_loss(theta, z, np.array([0, 0, 1])) == pytest.approx(np.log(11 / 6 * 7 / 6))
    # Probabilities of the three options not picked: 1/4, 1/6 and 1/12.
    np.testing.assert_allclose(
        multinomial_gradient(theta, z, np.array([0, 0, 0])), [-1 / 3, -1 / 4], rtol=1e-14
    )


@pytest.mark.parametrize("groups", [np.arange(2), np.zeros(2, dtype=int)])
def test_margins_of_ten_thousand_do_not_overflow(groups: IndexArray) -> None:
    z = np.array([[1.0, 0.5], [0.5, 1.0]])
    for theta, wrong in ((np.array([1e4, 0.0]), False), (np.array([-1e4, 0.0]), True)):
        # Vanishing probabilities may underflow to zero; nothing else may happen.
        with np.errstate(over="raise", invalid="raise", divide="raise"):
            values = [
                np.array([logistic_loss(theta, z), multinomial_loss(theta, z, groups)]),
                logistic_gradient(theta, z),
                multinomial_gradient(theta, z, groups),
                logistic_hessian(theta, z),
                multinomial_hessian(theta, z, groups),
            ]
        assert all(np.isfinite(value).all() for value in values)
        # Either the answers are certain and cost nothing, or each costs its margin; of two options
        # that beat the pick in one answer only the better one counts.
        of_pairs = 15_000.0 if wrong else 0.0
        of_groups = 10_000.0 if wrong and groups[1] == 0 else of_pairs
        np.testing.assert_allclose(values[0], [of_pairs, of_groups])
        slope = -z.sum(axis=0) if wrong else np.zeros(2)
        np.testing.assert_allclose(values[1], slope, atol=1e-12)
        np.testing.assert_allclose(
            values[2], -z[0] if wrong and groups[1] == 0 else slope, atol=1e-12
        )


def test_order_within_an_answer_and_of_answers_does_not_matter() -> None:
    theta, z = some_answers(1.0, 2)
    order = np.r_[7:12, 0:1, 6:7, [3, 1, 2], 4:6]
    moved, groups = z[order], np.repeat(np.arange(5), (5, 1, 1, 3, 2))
    assert multinomial_loss(theta, moved, groups) == pytest.approx(
        multinomial_loss(theta, z, GROUPS), rel=1e-14
    )
    np.testing.assert_allclose(
        multinomial_gradient(theta, moved, groups), multinomial_gradient(theta, z, GROUPS)
    )


def test_no_answers_cost_nothing() -> None:
    theta, none, groups = np.ones(3), np.zeros((0, 3)), np.zeros(0, dtype=int)
    assert logistic_loss(theta, none) == 0.0
    assert multinomial_loss(theta, none, groups) == 0.0
    for gradient in (logistic_gradient(theta, none), multinomial_gradient(theta, none, groups)):
        np.testing.assert_array_equal(gradient, np.zeros(3))
    for hessian in (logistic_hessian(theta, none), multinomial_hessian(theta, none, groups)):
        np.testing.assert_array_equal(hessian, np.zeros((3, 3)))
