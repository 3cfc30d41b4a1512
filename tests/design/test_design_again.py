from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from design_problems import random_precision, random_problem

from palate.design import past_information, plan, redesign, sample_queries, token_options
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.design.solve import Solver


def test_what_was_asked_is_asked_less() -> None:
    problem = random_problem(1, sizes=(15, 12), d=5)
    before = plan(problem, n_queries=20, lam=1.0, criterion="D")
    one = problem.slots[0].features
    asked = [one[[0, 1]]] * 200
    after = redesign(before, asked, n_left=10)
    np.testing.assert_allclose(
        after.prior_precision, np.eye(5) + past_information(asked), atol=1e-12
    )
    difference = (one[0] - one[1]) / np.linalg.norm(one[0] - one[1])

    def learnt(weights: tuple[FloatArray, ...]) -> float:
        return sum(
            float(w @ (slot.features @ difference - w @ slot.features @ difference) ** 2)
            for slot, w in zip(problem.slots, weights, strict=True)
        )

    assert learnt(after.weights) < 0.9 * learnt(before.weights)
    assert (after.n_queries, after.criterion) == (10, before.criterion)


def test_a_warm_start_ends_where_a_cold_one_does() -> None:
    problem = random_problem(2, sizes=(30, 25, 20), d=8)
    before = plan(problem, n_queries=20, lam=1.0)
    queries = sample_queries(before, episodes=5, seed=3)
    asked = [token_options(problem, query) for query in queries]
    solvers: list[Solver] = ["newton", "pairwise"]
    for solver in solvers:
        warm = redesign(before, asked, n_left=15, solver=solver, tol=1e-6)
        cold = plan(
            problem, n_queries=15, prior_precision=np.eye(8) + past_information(asked), tol=1e-6
        )
        assert warm.value == pytest.approx(cold.value, abs=warm.gap + cold.gap)
        assert warm.relative_gap <= 1e-6
    prior = np.eye(8) + past_information(asked)
    slow = plan(problem, n_queries=15, prior_precision=prior, solver="multiplicative", tol=1e-2)
    quick = redesign(before, asked, n_left=15, solver="multiplicative", tol=1e-2)
    assert quick.steps < 0.7 * slow.steps


def test_at_an_estimate_sure_picks_tell_less() -> None:
    problem = random_problem(3, sizes=(10, 10), d=4)
    before = plan(problem, n_queries=20, lam=1.0, criterion="A")
    asked = [problem.slots[0].features[:4]] * 5
    theta = np.array([8.0, -5.0, 3.0, 1.0])
    agnostic = redesign(before, asked, n_left=10)
    at_estimate = redesign(before, asked, n_left=10, theta=theta)
    np.testing.assert_allclose(
        at_estimate.prior_precision, np.eye(4) + past_information(asked, theta), atol=1e-12
    )
    assert at_estimate.criterion.value(at_estimate.prior_precision) < agnostic.criterion.value(
        agnostic.prior_precision
    )


def test_the_prior_can_be_given_anew() -> None:
    problem = random_problem(4)
    before = plan(problem, n_queries=20, lam=1.0)
    asked = [problem.slots[0].features[:3]]
    first = redesign(before, asked, n_left=10)
    second = redesign(first, asked, n_left=5)  # its prior counts the first answer already
    np.testing.assert_allclose(
        second.prior_precision, np.eye(4) + 2 * past_information(asked), atol=1e-12
    )
    by_lam = redesign(first, asked * 2, n_left=5, lam=1.0)
    np.testing.assert_allclose(by_lam.prior_precision, second.prior_precision, atol=1e-12)
    assert by_lam.value == pytest.approx(second.value, rel=1e-3)
    precision = random_precision(4, 5)
    nothing = redesign(before, [], n_left=5, prior_precision=precision)
    np.testing.assert_allclose(nothing.prior_precision, precision, atol=1e-12)
    with pytest.raises(ParameterError, match="3 features where 4 are expected"):
        redesign(before, [np.zeros((2, 3))], n_left=5)
    with pytest.raises(ParameterError, match="n_queries must be positive"):
        redesign(before, asked, n_left=0)
