from __future__ import annotations

import numpy as np
import pytest
from design_problems import problem_of, random_precision, random_problem

from palate.design import criterion_of, duality_gap
from palate.design.criteria import differences
from palate.errors import ParameterError


def test_v_by_its_two_formulas() -> None:
    rows = np.random.default_rng(0).normal(size=(7, 3)) + 5.0
    pairs = (rows[:, None] - rows[None]).reshape(-1, 3)
    sums = rows.sum(axis=0)
    np.testing.assert_allclose(differences(rows), pairs.T @ pairs, rtol=1e-12)
    np.testing.assert_allclose(
        differences(rows), 2 * 7 * rows.T @ rows - 2 * np.outer(sums, sums), rtol=1e-9
    )


def test_v_adds_slots_and_has_trace_d() -> None:
    problem = random_problem(1)
    target = criterion_of("V", problem).target
    assert target is not None
    summed = sum(differences(slot.features) for slot in problem.slots)
    assert isinstance(summed, np.ndarray)
    np.testing.assert_allclose(target, summed * (problem.d / np.trace(summed)), rtol=1e-12)
    assert np.trace(target) == pytest.approx(problem.d)


def test_near_duplicates_count_once_in_v() -> None:
    rows = np.random.default_rng(2).normal(size=(5, 3))
    copies = rows[[0, 0, 0, 1, 2, 3, 4]] + 1e-7 * np.arange(7)[:, None]
    once = criterion_of("V", problem_of([rows])).target
    many = criterion_of("V", problem_of([copies])).target
    apart = criterion_of("V", problem_of([copies]), apart=1e-5).target
    assert once is not None
    assert many is not None
    assert apart is not None
    np.testing.assert_allclose(apart, once, atol=1e-5)
    assert np.abs(many - once).max() > 0.01


def test_targets_and_directions() -> None:
    problem = random_problem(3)
    rows = np.random.default_rng(3).normal(size=(4, problem.d))
    by_targets = criterion_of("V", problem, targets=rows).target
    by_directions = criterion_of("C", problem, directions=rows).target
    assert by_targets is not None
    assert by_directions is not None
    spread = differences(rows)
    np.testing.assert_allclose(by_targets, spread * problem.d / np.trace(spread), rtol=1e-12)
    square = rows.T @ rows
    np.testing.assert_allclose(by_directions, square * problem.d / np.trace(square), rtol=1e-12)


def test_values_and_gradients_by_hand() -> None:
    problem = random_problem(4)
    information = random_precision(problem.d, 5)
    inverse = np.linalg.inv(information)
    plain, by_tokens = criterion_of("A", problem), criterion_of("V", problem)
    logdet = criterion_of("D", problem)
    assert by_tokens.target is not None
    assert logdet.value(information) == pytest.approx(np.linalg.slogdet(information)[1])
    assert plain.value(information) == pytest.approx(-np.trace(inverse))
    assert by_tokens.value(information) == pytest.approx(-np.trace(by_tokens.target @ inverse))
    np.testing.assert_allclose(logdet.gradient(information), inverse, rtol=1e-9)
    np.testing.assert_allclose(
        by_tokens.gradient(information), inverse @ by_tokens.target @ inverse, rtol=1e-9
    )


def test_the_gap_is_the_best_move_of_all_slots() -> None:
    gradients = [np.array([1.0, 3.0]), np.array([5.0, 2.0, 2.0])]
    weights = [np.array([0.5, 0.5]), np.array([0.0, 0.5, 0.5])]
    assert duality_gap(gradients, weights) == pytest.approx(1.0 + 3.0)


@pytest.mark.parametrize(
    ("name", "settings", "line"),
    [
        ("E", {}, "must be one of D, A, V, C, not 'E'"),
        ("C", {}, "directions are for criterion C"),
        ("A", {"directions": np.eye(4)}, "directions are for criterion C"),
        ("D", {"targets": np.eye(4)}, "for criterion V, not 'D'"),
        ("A", {"apart": 0.1}, "for criterion V, not 'A'"),
        ("V", {"apart": -1.0}, "distance of at least 0, not -1.0"),
        ("C", {"directions": np.eye(3)}, r"\(m, 4\) finite numbers, not of shape \(3, 3\)"),
        ("C", {"directions": np.zeros((1, 4))}, "the directions are zero"),
        ("V", {"targets": np.ones((3, 4))}, "all that V compares is equal"),
    ],
)
def test_criteria_that_cannot_be(name: str, settings: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError, match=line):
        criterion_of(name, random_problem(6), **settings)  # type: ignore[arg-type]


def test_a_matrix_that_is_not_positive_definite() -> None:
    criterion = criterion_of("D", random_problem(7))
    with pytest.raises(ParameterError, match="give a larger prior precision"):
        criterion.value(-np.eye(4))
