from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from design_problems import random_precision, random_problem, random_weights
from scipy.special import softmax

from palate.design import (
    Criterion,
    criterion_of,
    design_information,
    expected_information,
    past_information,
    plan,
    prior_of,
    query_information,
    slot_gradients,
    surrogate,
)
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.design.criteria import CriterionName
    from palate.design.problem import Problem

NAMES: list[CriterionName] = ["D", "A", "V", "C"]


def criterion_for(name: CriterionName, problem: Problem) -> Criterion:
    directions = np.eye(problem.d)[:2] + 0.1 if name == "C" else None
    return criterion_of(name, problem, directions=directions)


def value_at(problem: Problem, weights: tuple[FloatArray, ...], criterion: Criterion) -> float:
    prior = random_precision(problem.d, 1)
    return criterion.value(
        design_information(problem, weights, n_queries=7.0, prior_precision=prior)
    )


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_differences(name: CriterionName) -> None:
    problem = random_problem(3)
    weights = random_weights(problem, 4)
    criterion = criterion_for(name, problem)
    information = design_information(
        problem, weights, n_queries=7.0, prior_precision=random_precision(problem.d, 1)
    )
    gradients = slot_gradients(problem, weights, criterion.gradient(information), n_queries=7.0)
    step = 1e-5
    for h, n in enumerate(problem.sizes):
        for a in range(1, n):  # derivatives are known up to a constant a slot: move from token 0
            values = []
            for sign in (1.0, -1.0):
                moved = [w.copy() for w in weights]
                moved[h][a] += sign * step
                moved[h][0] -= sign * step
                values.append(value_at(problem, tuple(moved), criterion))
            numeric = (values[0] - values[1]) / (2 * step)
            exact = gradients[h][a] - gradients[h][0]
            assert exact == pytest.approx(numeric, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_criteria_are_concave_in_the_design(name: CriterionName) -> None:
    problem = random_problem(5)
    criterion = criterion_for(name, problem)
    for seed in range(60):
        one, two = random_weights(problem, seed), random_weights(problem, 1000 + seed)
        middle = tuple(0.5 * (a + b) for a, b in zip(one, two, strict=True))
        ends = 0.5 * (value_at(problem, one, criterion) + value_at(problem, two, criterion))
        assert value_at(problem, middle, criterion) >= ends - 1e-12


def test_expected_information_is_what_independent_policies_tell() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(5, 3))
    policies = rng.dirichlet(np.full(5, 0.5), size=3)
    expected = expected_information(features, policies)
    draws = np.stack([rng.choice(5, size=40_000, p=p) for p in policies], axis=1)
    shown = features[draws]
    centred = shown - shown.mean(axis=1, keepdims=True)
    sampled = np.einsum("tki,tkj->ij", centred, centred) / (3 * len(draws))
    np.testing.assert_allclose(sampled, expected, atol=0.02 * np.abs(expected).max())
    mean = surrogate(features, policies.mean(axis=0))
    own = sum(surrogate(features, p) for p in policies)
    np.testing.assert_allclose(expected, mean - own / 9, atol=1e-12)
    assert np.linalg.eigvalsh(mean - expected).min() > -1e-12


def test_equal_policies_lose_one_kth_and_deterministic_ones_nothing() -> None:
    features = np.random.default_rng(1).normal(size=(6, 4))
    weights = np.random.default_rng(2).dirichlet(np.ones(6))
    together = expected_information(features, np.tile(weights, (4, 1)))
    np.testing.assert_allclose(together, 0.75 * surrogate(features, weights), atol=1e-12)
    fixed = expected_information(features, np.eye(6)[:4])
    even = np.repeat([0.25, 0.0], [4, 2])
    np.testing.assert_allclose(fixed, surrogate(features, even), atol=1e-12)
    np.testing.assert_allclose(fixed, query_information(features[:4]), atol=1e-12)


def test_query_information_is_the_covariance_of_the_score() -> None:
    rng = np.random.default_rng(3)
    options, theta = rng.normal(size=(4, 3)), rng.normal(size=3)
    p = softmax(options @ theta)
    scores = options - p @ options
    np.testing.assert_allclose(
        query_information(options, theta), (scores.T * p) @ scores, atol=1e-14
    )
    by_hand = sum(q * np.outer(x, x) for q, x in zip(p, options, strict=True))
    mean = p @ options
    np.testing.assert_allclose(
        query_information(options, theta), by_hand - np.outer(mean, mean), atol=1e-14
    )


def test_past_information_sums_queries_of_any_size() -> None:
    rng = np.random.default_rng(4)
    asked = [rng.normal(size=(k, 3)) for k in (2, 4, 3)]
    theta = rng.normal(size=3)
    for weights in (None, theta):
        summed = sum(query_information(options, weights) for options in asked)
        np.testing.assert_allclose(past_information(asked, weights), summed, atol=1e-13)
    assert np.trace(past_information(asked, 10 * theta)) < np.trace(past_information(asked))
    np.testing.assert_array_equal(past_information([], d=3), np.zeros((3, 3)))


def test_the_surrogate_of_a_design_adds_to_what_is_known() -> None:
    problem = random_problem(6)
    weights = random_weights(problem, 7)
    prior = random_precision(problem.d, 8)
    total = prior.copy()
    for slot, w in zip(problem.slots, weights, strict=True):
        mean = w @ slot.features
        spread = (slot.features.T * w) @ slot.features - np.outer(mean, mean)
        total += 9.0 * slot.weight * spread
    made = design_information(problem, weights, n_queries=9.0, prior_precision=prior)
    np.testing.assert_allclose(made, total, atol=1e-12)
    design = plan(problem, n_queries=9.0, prior_precision=prior, criterion="A")
    assert design.value == pytest.approx(-np.trace(np.linalg.inv(design.information())), rel=1e-10)


def test_priors() -> None:
    np.testing.assert_array_equal(prior_of(2, lam=3.0), 3.0 * np.eye(2))
    precision = random_precision(3, 0)
    np.testing.assert_array_equal(prior_of(3, prior_precision=precision), precision)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({}, "either lam or prior_precision"),
        ({"lam": 1.0, "prior_precision": np.eye(3)}, "either lam or prior_precision"),
        ({"lam": 0.0}, "positive and finite, not 0.0"),
        ({"lam": np.nan}, "positive and finite, not nan"),
        ({"prior_precision": np.eye(2)}, r"prior_precision must have shape \(3, 3\), not \(2, 2\)"),
        ({"prior_precision": np.full((3, 3), np.nan)}, "prior_precision must be finite"),
        ({"prior_precision": np.triu(np.ones((3, 3)))}, "must be symmetric"),
    ],
)
def test_priors_that_cannot_be(settings: dict[str, float], line: str) -> None:
    with pytest.raises(ParameterError, match=line):
        prior_of(3, **settings)


def test_queries_that_cannot_be() -> None:
    pair = np.zeros((2, 3))
    with pytest.raises(ParameterError, match="say how many features"):
        past_information([])
    with pytest.raises(ParameterError, match=r"K at least 2, not shape \(1, 3\)"):
        past_information([pair[:1]])
    with pytest.raises(ParameterError, match="2 features and another 3"):
        past_information([pair, np.zeros((2, 2))])
    with pytest.raises(ParameterError, match="3 features where 4 are expected"):
        past_information([pair], d=4)
    with pytest.raises(ParameterError, match="theta must be 3 numbers"):
        past_information([pair], np.zeros(2))
