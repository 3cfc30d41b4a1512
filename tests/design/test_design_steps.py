"""What solvers keep and approximate, against the same computed densely."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from design_problems import random_precision, random_problem
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from palate.design import _interior_point, criterion_of, plan
from palate.design._frank_wolfe import _length, best_share
from palate.design._objective import Objective, inverse_and_logdet, objective_of
from palate.design._pairwise import _Run, best_amount

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.design.criteria import CriterionName


def objective_for(name: CriterionName, seed: int = 1) -> Objective:
    problem = random_problem(seed, sizes=(9, 7, 8), d=5)
    return objective_of(
        problem,
        criterion_of(name, problem),
        n_queries=6.0,
        prior_precision=random_precision(5, seed),
    )


def weights_for(objective: Objective, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    slots = [rng.dirichlet(np.ones(s.stop - s.start)) for s in objective.slots]
    return np.concatenate(slots)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), name=st.sampled_from(["D", "A", "V"]))
def test_the_gain_of_moving_mass_is_the_dense_one_and_its_amount_the_best(
    seed: int, name: CriterionName
) -> None:
    objective = objective_for(name, seed % 7)
    weights = weights_for(objective, seed)
    point = objective.at(weights)
    slot = objective.slots[seed % 3]
    a = slot.start + int(point.gradient[slot].argmax())
    b = slot.start + int(point.gradient[slot].argmin())
    ends = point.centred[[a, b]].T
    inner = ends.T @ point.inverse @ ends
    target = objective.criterion.target
    weighed = None
    if target is not None:
        weighed = ends.T @ point.inverse @ target @ point.inverse @ ends
    x, gained = best_amount(inner, weighed, float(objective.scale[a]), float(weights[b]))

    def dense(amount: float) -> float:
        moved = weights.copy()
        moved[a] += amount
        moved[b] -= amount
        return objective.at(moved).value - point.value

    assert gained == pytest.approx(dense(x), rel=1e-9, abs=1e-9)
    best = minimize_scalar(
        lambda amount: -dense(amount),
        bounds=(0.0, weights[b]),
        method="bounded",
        options={"xatol": 1e-10},
    )
    assert 0.0 < x <= weights[b]
    assert gained >= -best.fun - 1e-9


@pytest.mark.parametrize("name", ["D", "A", "V"])
def test_what_pairwise_steps_keep_is_what_is_there(name: CriterionName) -> None:
    objective = objective_for(name)
    run = _Run(objective, objective.at(objective.uniform()))
    assert run.steps(tol=1e-12, at_most=40) > 20
    point = objective.at(run.weights)
    assert run.gain == pytest.approx(objective.gain(point), rel=1e-9)
    np.testing.assert_allclose(run.inverse, point.inverse, atol=1e-9 * point.inverse.max())
    kept = objective.scale * (run.squares - 2.0 * run.across)
    kept -= objective.best(kept)[objective.slot_of]
    there = point.gradient - objective.best(point.gradient)[objective.slot_of]
    np.testing.assert_allclose(kept, there, atol=1e-9 * point.gradient.max())
    np.testing.assert_allclose(run.tokens - run.means[objective.slot_of], point.centred, atol=1e-12)


@pytest.mark.parametrize("name", ["D", "A", "V"])
def test_the_curvature_is_that_of_f(name: CriterionName) -> None:
    objective = objective_for(name, 2)
    weights = weights_for(objective, 3)
    curvature = _interior_point._curvature(objective, objective.at(weights))
    rng = np.random.default_rng(4)
    for _ in range(10):
        direction = rng.normal(size=len(weights))
        direction -= (objective.total(direction) / np.bincount(objective.slot_of))[
            objective.slot_of
        ]
        step = 1e-4 * weights.min() / np.abs(direction).max()
        ahead, back = (objective.at(weights + s * step * direction) for s in (1.0, -1.0))
        second = direction @ (ahead.gradient - back.gradient) / (2.0 * step)
        assert -(direction @ curvature @ direction) == pytest.approx(second, rel=1e-5)


def test_a_line_search_needs_no_vocabulary() -> None:
    for name in ("D", "V"):
        objective = objective_for(name, 5)
        point = objective.at(weights_for(objective, 6))
        best = [s.start + int(point.gradient[s].argmax()) for s in objective.slots]
        target = np.zeros(len(point.weights))
        target[best] = 1.0
        direction = target - point.weights
        share = _length(objective, point, best)
        assert share == pytest.approx(best_share(objective, point, direction), abs=1e-9)
        found = minimize_scalar(
            lambda t, o=objective, p=point, delta=direction: -o.at(p.weights + t * delta).value,
            bounds=(0.0, 1.0),
            method="bounded",
        )
        assert objective.at(point.weights + share * direction).value >= -found.fun - 1e-9


@pytest.mark.parametrize("name", ["D", "A", "V"])
def test_working_sets_reach_the_same_design(
    name: CriterionName, monkeypatch: pytest.MonkeyPatch
) -> None:
    problem = random_problem(7, sizes=(60, 80, 50), d=6)
    whole = plan(problem, n_queries=30, lam=2.0, criterion=name, tol=1e-6)
    monkeypatch.setattr(_interior_point, "WORKING_SET", 12)
    parts = plan(problem, n_queries=30, lam=2.0, criterion=name, tol=1e-6)
    assert parts.relative_gap <= 1e-6
    assert parts.value == pytest.approx(whole.value, abs=2.0 * (whole.gap + parts.gap))
    assert sum(int((w > 0).sum()) for w in parts.weights) < 120


def test_a_barrier_leaves_no_crumbs() -> None:
    problem = random_problem(8, sizes=(60, 80), d=5)
    design = plan(problem, n_queries=30, lam=50.0, criterion="V")
    for weights in design.weights:
        assert 2 <= (weights > 0.0).sum() <= 25
        assert weights[weights > 0.0].min() >= 0.01 / len(weights)


def test_few_newton_steps_are_enough() -> None:
    """The hard case of the specification in small: little data, many tokens, anisotropic."""
    problem = random_problem(9, sizes=(40,) * 6, d=64, weighted=False)
    for lam in (0.1, 100.0):
        design = plan(problem, n_queries=50, lam=lam, criterion="V")
        assert design.relative_gap <= 1e-3
        assert design.steps <= 15


def test_inverse_and_determinant() -> None:
    matrix = random_precision(6, 10)
    inverse, logdet = inverse_and_logdet(matrix)
    np.testing.assert_allclose(inverse @ matrix, np.eye(6), atol=1e-10)
    np.testing.assert_array_equal(inverse, inverse.T)
    assert logdet == pytest.approx(np.linalg.slogdet(matrix)[1])
