from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from design_problems import problem_of, random_precision, random_problem, random_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from palate.design import (
    Problem,
    criterion_of,
    design_information,
    duality_gap,
    plan,
    slot_gradients,
    uniform_design,
)
from palate.design._objective import objective_of
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.design.criteria import CriterionName
    from palate.design.solve import Design, Solver

FAST: list[Solver] = ["newton", "pairwise"]
ALL: list[Solver] = [*FAST, "multiplicative", "fw", "fw-open"]


def true_gap(design: Design) -> float:
    """The duality gap by definition, in the features as given."""
    gradients = slot_gradients(
        design.problem,
        design.weights,
        design.criterion.gradient(design.information()),
        n_queries=design.n_queries,
    )
    return duality_gap(gradients, design.weights)


def optimum_by_cvxpy(problem: Problem, prior: FloatArray, n: float, name: str) -> float:
    """``max f`` by a conic solver: M is bounded by Schur complements of ``E[phi phi^T]``."""
    cp = pytest.importorskip("cvxpy")
    d = problem.d
    weights = [cp.Variable(k, nonneg=True) for k in problem.sizes]
    total = cp.Constant(prior)
    constraints = [cp.sum(w) == 1 for w in weights]
    for slot, w in zip(problem.slots, weights, strict=True):
        rows = slot.features
        covariance = cp.Variable((d, d), symmetric=True)
        moment = rows.T @ cp.diag(w) @ rows
        mean = cp.reshape(rows.T @ w, (d, 1), order="C")
        corner = cp.reshape(cp.Constant(1.0), (1, 1), order="C")
        constraints.append(cp.bmat([[moment - covariance, mean], [mean.T, corner]]) >> 0)
        total = total + n * slot.weight * covariance
    target = criterion_of(name, problem).target  # type: ignore[arg-type]
    if target is None:
        objective = cp.log_det(total)
    else:
        objective = -cp.matrix_frac(np.linalg.cholesky(target), total)
    found = cp.Problem(cp.Maximize(objective), constraints).solve(solver="CLARABEL")
    return float(found)


@pytest.mark.parametrize("name", ["D", "A", "V"])
def test_the_gap_bounds_what_a_conic_solver_finds(name: CriterionName) -> None:
    problem = random_problem(1, sizes=(5, 4), d=3)
    prior = random_precision(3, 2)
    best = optimum_by_cvxpy(problem, prior, 6.0, name)
    for tol in (0.3, 1e-2, 1e-5):
        for solver in FAST:
            design = plan(
                problem,
                n_queries=6.0,
                prior_precision=prior,
                criterion=name,
                solver=solver,
                tol=tol,
            )
            assert design.relative_gap <= tol
            assert -1e-6 * abs(best) <= best - design.value <= design.gap + 1e-6 * abs(best)
    lazy = uniform_design(problem, n_queries=6.0, prior_precision=prior, criterion=name)
    assert 0.0 < best - lazy.value <= lazy.gap


@pytest.mark.parametrize("name", ["D", "A", "V"])
@pytest.mark.parametrize("lam", [0.1, 100.0])
def test_solvers_agree(name: CriterionName, lam: float) -> None:
    problem = random_problem(2, sizes=(12, 9, 15), d=6)
    designs = {
        solver: plan(
            problem, n_queries=20, lam=lam, criterion=name, solver=solver, tol=1e-3, max_steps=800
        )
        for solver in ALL
    }
    best = plan(problem, n_queries=20, lam=lam, criterion=name, tol=1e-8)
    for solver, design in designs.items():
        assert design.solver == solver
        assert design.relative_gap <= (1e-3 if solver in FAST else 1e-2)
        assert 0.0 <= best.value + best.gap - design.value <= design.gap + best.gap
        assert design.gap == pytest.approx(true_gap(design), rel=1e-5, abs=1e-9 * abs(best.value))
        assert all(w.sum() == pytest.approx(1.0, abs=1e-12) for w in design.weights)
        assert min(w.min() for w in design.weights) >= 0.0


@pytest.mark.parametrize("solver", FAST)
@pytest.mark.parametrize("name", ["D", "V"])
def test_fast_solvers_reach_tight_gaps(solver: Solver, name: CriterionName) -> None:
    problem = random_problem(3, sizes=(30, 20, 25), d=10)
    design = plan(problem, n_queries=25, lam=1.0, criterion=name, solver=solver, tol=1e-7)
    assert design.relative_gap <= 1e-7
    assert true_gap(design) <= 2e-7 * (design.value - design.criterion.value(np.eye(10)))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10_000),
    lam=st.floats(1e-3, 1e4),
    n=st.floats(0.5, 500.0),
    name=st.sampled_from(["D", "A", "V"]),
    solver=st.sampled_from(FAST),
)
def test_any_setting_reaches_its_gap(
    seed: int, lam: float, n: float, name: CriterionName, solver: Solver
) -> None:
    problem = random_problem(seed, sizes=(7, 2, 10), d=5)
    design = plan(problem, n_queries=n, lam=lam, criterion=name, solver=solver)
    assert design.relative_gap <= 1e-3
    prior = design.criterion.value(design.prior_precision)
    gain = design.value - prior
    lazy = uniform_design(problem, n_queries=n, lam=lam, criterion=name)
    assert design.relative_gap == pytest.approx(design.gap / gain, rel=1e-3)
    assert design.uniform_share == pytest.approx((lazy.value - prior) / gain, rel=1e-3)
    assert design.uniform_share <= 1.0 + 1e-3


@pytest.mark.parametrize("solver", FAST)
def test_under_a_large_lambda_all_shown_tokens_lie_equally_far_out(solver: Solver) -> None:
    """Then the design is the dual of the smallest ball, in the norm of V, around the tokens."""
    problem = random_problem(4, sizes=(40,), d=5)
    design = plan(problem, n_queries=5, lam=1e4, criterion="V", solver=solver, tol=1e-6)
    (slot,), (weights,) = problem.slots, design.weights
    assert design.criterion.target is not None
    away = slot.features - weights @ slot.features
    radius = np.sqrt(np.einsum("ij,jk,ik->i", away, design.criterion.target, away))
    shown = weights > 1e-3
    assert 2 <= shown.sum() < 20
    np.testing.assert_allclose(radius[shown], radius.max(), rtol=2e-3)


def test_the_order_of_slots_is_of_no_matter() -> None:
    problem = random_problem(5)
    turned = Problem(problem.slots[::-1])
    one = plan(problem, n_queries=9, lam=1.0, tol=1e-8)
    two = plan(turned, n_queries=9, lam=1.0, tol=1e-8)
    assert one.value == pytest.approx(two.value, rel=1e-9)
    for a, b in zip(one.weights, two.weights[::-1], strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


@pytest.mark.parametrize("solver", FAST)
def test_a_duplicate_token_changes_uniform_and_not_the_optimum(solver: Solver) -> None:
    problem = random_problem(6, sizes=(8, 6))
    rows = [slot.features for slot in problem.slots]
    again = problem_of([np.concatenate([rows[0], rows[0][[0] * 9]]), rows[1]])
    criterion = criterion_of("A", problem)
    values = []
    for each in (problem_of(rows), again):
        best = plan(each, n_queries=9, lam=1.0, criterion=criterion, solver=solver, tol=1e-7)
        lazy = uniform_design(each, n_queries=9, lam=1.0, criterion=criterion)
        values.append((best.value, lazy.value, best.uniform_share))
    assert values[1][0] == pytest.approx(values[0][0], rel=1e-6)
    assert values[1][1] < values[0][1] - 1e-2
    assert values[1][2] < values[0][2]


@pytest.mark.parametrize("name", ["D", "A", "V"])
@pytest.mark.parametrize("sizes", [(4, 3), (9, 8)], ids=["few tokens", "flat tokens"])
def test_fewer_features_than_given_are_exact(name: CriterionName, sizes: tuple[int, ...]) -> None:
    """Tokens that span less than R^d, under a prior that mixes what they span with the rest."""
    problem = random_problem(7, sizes=sizes, d=12)
    if sizes == (9, 8):
        basis = np.linalg.qr(np.random.default_rng(8).normal(size=(12, 4)))[0]
        flat = [3.0 + slot.features @ basis @ basis.T for slot in problem.slots]
        problem = problem_of(flat)
    prior, criterion = random_precision(12, 9), criterion_of(name, problem)
    objective = objective_of(problem, criterion, n_queries=15, prior_precision=prior)
    assert objective.rows.shape[1] == (4 if sizes == (9, 8) else 5)
    design = plan(problem, n_queries=15, prior_precision=prior, criterion=name, tol=1e-6)
    information = design_information(
        problem, design.weights, n_queries=15, prior_precision=design.prior_precision
    )
    assert design.value == pytest.approx(design.criterion.value(information), rel=1e-10)
    assert true_gap(design) == pytest.approx(design.gap, rel=1e-4)


@pytest.mark.parametrize("solver", ALL)
def test_a_start_is_used(solver: Solver) -> None:
    problem = random_problem(8, sizes=(20, 25), d=6)
    cold = plan(problem, n_queries=20, lam=5.0, solver=solver, tol=5e-3)
    warm = plan(problem, n_queries=20, lam=5.0, solver=solver, tol=5e-3, start=cold)
    assert warm.steps < cold.steps or warm.steps == 0
    if solver in {"fw", "multiplicative"}:
        assert warm.steps == 0
    by_weights = plan(problem, n_queries=20, lam=5.0, solver=solver, tol=5e-3, start=cold.weights)
    assert by_weights.value == warm.value


def test_steps_can_be_limited() -> None:
    problem = random_problem(9, sizes=(20, 25), d=6)
    for solver in ALL:
        design = plan(problem, n_queries=20, lam=5.0, solver=solver, tol=1e-8, max_steps=2)
        assert design.steps <= 2
        assert design.relative_gap > 1e-8
        assert design.gap == pytest.approx(true_gap(design), rel=1e-6)


def test_a_slot_without_differences_does_not_matter() -> None:
    rows = random_problem(10, sizes=(6,)).slots[0].features
    problem = problem_of([rows, np.ones((3, 4))])
    for solver in ALL:
        both = plan(problem, n_queries=5, lam=1.0, criterion="A", solver=solver, tol=2e-2)
        assert both.relative_gap <= 2e-2
        np.testing.assert_allclose(both.weights[1].sum(), 1.0, atol=1e-12)


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"n_queries": 0}, "n_queries must be positive and finite, not 0"),
        ({"n_queries": np.inf}, "n_queries must be positive and finite, not inf"),
        ({"solver": "sgd"}, "must be one of newton, pairwise, multiplicative, fw, fw-open"),
        ({"tol": 0.0}, "must lie between 0 and 1, not 0.0"),
        ({"max_steps": 0}, "max_steps must be at least 1, not 0"),
        ({"criterion": "E"}, "must be one of D, A, V, C, not 'E'"),
        ({"lam": -1.0}, "must be positive and finite, not -1.0"),
        ({"lam": None, "prior_precision": np.diag([1.0, 1, 1, -1])}, "larger prior precision"),
        ({"start": random_weights(random_problem(1, sizes=(3, 3)), 0)}, "needs weights of shapes"),
    ],
)
def test_plans_that_cannot_be(wrong: dict[str, object], line: str) -> None:
    given: dict[str, object] = {"n_queries": 5, "lam": 1.0, **wrong}
    with pytest.raises(ParameterError, match=line):
        plan(random_problem(11), **given)  # type: ignore[arg-type]


def test_tokens_that_do_not_differ() -> None:
    problem = problem_of([np.full((3, 4), 0.1), np.full((2, 4), 0.7)])
    with pytest.raises(ParameterError, match="nothing to learn"):
        plan(problem, n_queries=5, lam=1.0, criterion="A")
