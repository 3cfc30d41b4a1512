from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from preference_cases import (
    Shape,
    every_kind,
    few,
    kkt_residual,
    make_case,
    make_picks,
    many,
    optimality_gap,
    shapes,
    some,
    unit,
)

from palate.bench.reference import reference_estimate
from palate.errors import ParameterError
from palate.preference import (
    VersionSpace,
    fit_logistic,
    fit_multinomial,
    multinomial_gradient,
    multinomial_hessian,
    multinomial_loss,
)

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray


def curvature(
    theta: FloatArray, differences: FloatArray, groups: IndexArray, norm_bound: float
) -> float:
    """How sharply the minimum is bent in its flattest direction that the answers speak about."""
    _, lengths, directions = np.linalg.svd(differences, full_matrices=False)
    basis = directions[lengths > 1e-9 * max(lengths.max(initial=0.0), 1e-300)]
    if len(basis) == 0:
        return np.inf
    bend = basis @ multinomial_hessian(theta, differences, groups) @ basis.T
    multiplier = 0.0
    if np.sqrt(theta @ theta) > norm_bound * (1.0 - 1e-9):
        slope = -multinomial_gradient(theta, differences, groups) @ theta
        multiplier = max(0.0, float(slope)) / norm_bound**2
    return float(np.linalg.eigvalsh(bend).min()) + multiplier


def assert_equals_reference(
    theta: FloatArray,
    reference: FloatArray,
    differences: FloatArray,
    groups: IndexArray,
    norm_bound: float,
) -> None:
    ours = multinomial_loss(theta, differences, groups)
    theirs = multinomial_loss(reference, differences, groups)
    # The reference may leave the ball by its tolerance, and gains at most its slope for that.
    slope = multinomial_gradient(reference, differences, groups)
    excess = max(0.0, float(np.sqrt(reference @ reference)) - norm_bound)
    assert ours <= theirs + float(np.sqrt(slope @ slope)) * excess + 1e-10
    assert theirs <= ours + 1e-5
    # The reference stops once its loss is within 1e-8 or so of the least, which is then about
    # sqrt(1e-8 / curvature) away. Where the loss is all but flat, as for answers that contradict
    # each other up to a sliver, that is anywhere, and only the losses are compared. The optimality
    # conditions, which need no reference, are tested for every case below, and to more digits.
    bend = curvature(theta, differences, groups, norm_bound)
    if bend >= 1e-3:
        distance = float(np.sqrt(((theta - reference) ** 2).sum()))
        assert distance <= 3e-4 * max(1.0, norm_bound) / np.sqrt(min(1.0, bend))


@every_kind
@few
@given(shape=shapes())
def test_logistic_estimate_equals_the_reference(kind: str, shape: Shape) -> None:
    case = make_case(kind, *shape)
    theta = fit_logistic(case.differences, case.norm_bound)
    reference = reference_estimate(case.differences, case.norm_bound)
    assert_equals_reference(theta, reference, case.differences, case.each, case.norm_bound)


@every_kind
@few
@given(shape=shapes())
def test_multinomial_estimate_equals_the_reference(kind: str, shape: Shape) -> None:
    case = make_case(kind, *shape)
    differences, groups = make_picks(case)
    theta = fit_multinomial(differences, groups, case.norm_bound)
    reference = reference_estimate(differences, case.norm_bound, groups=groups)
    assert_equals_reference(theta, reference, differences, groups, case.norm_bound)


def assert_optimal(
    theta: FloatArray, differences: FloatArray, groups: IndexArray, norm_bound: float
) -> None:
    assert np.sqrt(theta @ theta) <= norm_bound * (1.0 + 1e-11)
    assert kkt_residual(theta, differences, groups, norm_bound) <= 1e-7
    assert optimality_gap(theta, differences, groups, norm_bound) <= 1e-9
    # Of several minimisers the one in the row space.
    inside = np.linalg.lstsq(differences.T, theta, rcond=None)[0] @ differences
    np.testing.assert_allclose(inside, theta, atol=1e-7 * norm_bound)


@every_kind
@many
@given(shape=shapes())
def test_estimates_satisfy_the_optimality_conditions(kind: str, shape: Shape) -> None:
    case = make_case(kind, *shape)
    theta = fit_logistic(case.differences, case.norm_bound)
    assert_optimal(theta, case.differences, case.each, case.norm_bound)
    differences, groups = make_picks(case)
    theta = fit_multinomial(differences, groups, case.norm_bound)
    assert_optimal(theta, differences, groups, case.norm_bound)


@every_kind
@some
@given(shape=shapes(), length=st.sampled_from((0.0, 0.3, 1.0, 40.0)))
def test_a_warm_start_changes_nothing(kind: str, shape: Shape, length: float) -> None:
    case = make_case(kind, *shape)
    bound = case.norm_bound
    theta = fit_logistic(case.differences, bound)
    starts = [
        length * bound * unit(case.rng.normal(size=len(theta))),
        -theta,
        theta,
        fit_logistic(case.differences[:-1], bound),
    ]
    for start in starts:
        again = fit_logistic(case.differences, bound, start=start)
        np.testing.assert_allclose(again, theta, atol=1e-6 * bound)
        assert_optimal(again, case.differences, case.each, bound)


@every_kind
@some
@given(shape=shapes())
def test_multinomial_estimate_of_pairs_is_the_logistic_one(kind: str, shape: Shape) -> None:
    case = make_case(kind, *shape)
    np.testing.assert_allclose(
        fit_multinomial(case.differences, case.each, case.norm_bound),
        fit_logistic(case.differences, case.norm_bound),
        atol=1e-9 * case.norm_bound,
    )


@pytest.mark.parametrize("norm_bound", [0.3, 3.0, 10.0])
@pytest.mark.parametrize("d", [1, 2, 64])
def test_separable_answers_put_the_estimate_on_the_sphere(d: int, norm_bound: float) -> None:
    # No finite weights maximise their likelihood: longer ones always fit better.
    case = make_case("separable", 12, d, norm_bound, seed=d)
    theta = fit_logistic(case.differences, norm_bound)
    assert np.sqrt(theta @ theta) == pytest.approx(norm_bound, rel=1e-11)
    if d > 1:
        assert (case.differences @ theta > 0.0).all()


def test_one_answer_points_along_itself() -> None:
    z = np.array([[0.3, -0.4, 0.0]])
    np.testing.assert_allclose(fit_logistic(z, 3.0), [1.8, -2.4, 0.0], rtol=1e-12)


@pytest.mark.parametrize("wins", [1, 2, 5, 9])
def test_repeated_pair_gives_the_log_odds(wins: int) -> None:
    # 10 answers on one pair at distance 1/2: the margin theta / 2 is the logit of the share.
    z = np.where(np.arange(10) < wins, 0.5, -0.5)[:, None]
    theta = fit_logistic(z, 30.0)
    np.testing.assert_allclose(theta, [2.0 * np.log(wins / (10 - wins))], atol=1e-9)
    bounded = fit_logistic(z, 1.0)
    np.testing.assert_allclose(bounded, np.clip(theta, -1.0, 1.0), atol=1e-9)


def test_repeated_picks_give_the_log_shares() -> None:
    # Out of three options with features e1, e2, 0, picked 6, 3 and 1 times.
    features = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    picks = np.repeat([0, 1, 2], (6, 3, 1))
    z = np.concatenate([features[p] - np.delete(features, p, axis=0) for p in picks])
    theta = fit_multinomial(z, np.repeat(np.arange(10), 2), 10.0)
    np.testing.assert_allclose(theta, np.log([6.0, 3.0]), rtol=1e-9)


@pytest.mark.parametrize("start", [None, [1.0, 0.0], [-7.0, 2.0]])
def test_an_answer_taken_back_leaves_no_opinion(start: list[float] | None) -> None:
    # The warm start lies on the sphere, where the estimate was before the second answer.
    z = np.array([[1.0, 0.0], [-1.0, 0.0]])
    theta = fit_logistic(z, 10.0, start=None if start is None else np.array(start))
    np.testing.assert_allclose(theta, 0.0, atol=1e-8)
    space = VersionSpace(z[:1], 10.0)
    np.testing.assert_allclose(space.estimate, [10.0, 0.0])
    np.testing.assert_allclose(space.extended(z[1:]).estimate, 0.0, atol=1e-8)


@pytest.mark.parametrize("t", [0, 1, 7])
def test_answers_that_say_nothing_leave_no_opinion(t: int) -> None:
    nothing = np.zeros((t, 4))
    np.testing.assert_array_equal(fit_logistic(nothing, 3.0), np.zeros(4))
    np.testing.assert_array_equal(fit_multinomial(nothing, np.arange(t), 3.0), np.zeros(4))


def test_rows_of_zeros_change_nothing() -> None:
    case = make_case("separable", 9, 3, 3.0, seed=0)
    padded = np.insert(case.differences, [0, 4, 9], 0.0, axis=0)
    np.testing.assert_allclose(
        fit_logistic(padded, 3.0), fit_logistic(case.differences, 3.0), atol=1e-9
    )


@pytest.mark.parametrize("norm_bound", [0.0, -1.0, np.inf, np.nan])
def test_a_norm_bound_must_be_positive_and_finite(norm_bound: float) -> None:
    with pytest.raises(ParameterError, match="norm_bound must be a positive number"):
        fit_logistic(np.ones((1, 2)), norm_bound)
    with pytest.raises(ParameterError, match="norm_bound must be a positive number"):
        fit_multinomial(np.ones((1, 2)), np.array([0]), norm_bound)


@pytest.mark.parametrize("shape", [(), (3,), (3, 0), (1, 2, 3)])
def test_differences_must_be_a_matrix(shape: tuple[int, ...]) -> None:
    with pytest.raises(ParameterError, match="must have shape"):
        fit_logistic(np.ones(shape), 3.0)
    with pytest.raises(ParameterError, match="must have shape"):
        fit_multinomial(np.ones(shape), np.array([0]), 3.0)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_differences_must_be_finite(value: float) -> None:
    with pytest.raises(ParameterError, match="finite"):
        fit_logistic(np.array([[1.0, value]]), 3.0)
    with pytest.raises(ParameterError, match="finite"):
        fit_multinomial(np.array([[1.0, value]]), np.array([0]), 3.0)
