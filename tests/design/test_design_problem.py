from __future__ import annotations

import numpy as np
import pytest
from design_problems import problem_of, random_problem

from palate import Pool
from palate.design import Problem, Slot
from palate.errors import ParameterError, PoolError

ROWS = np.arange(6.0).reshape(3, 2)


def test_a_pool_is_one_slot() -> None:
    pool = Pool("q", ["a", "b", "c"], ROWS.astype(np.float32), scaling="diameter", id="food")
    problem = Problem.of_pool(pool)
    (slot,) = problem.slots
    assert (slot.name, slot.tokens, problem.d, problem.sizes) == (
        "food",
        ("r1", "r2", "r3"),
        2,
        (3,),
    )
    assert slot.features.dtype == np.float64
    assert pool.features is not None
    np.testing.assert_array_equal(slot.features, pool.features)


def test_pools_are_slots_with_weights() -> None:
    pools = [Pool("q", ["a", "b", "c"], ROWS), Pool("p", ["a", "b", "c"], ROWS, id="other")]
    problem = Problem.of_pools(pools, [1.0, 3.0])
    assert [slot.name for slot in problem.slots] == ["pool 1", "other"]
    assert [slot.weight for slot in problem.slots] == [1.0, 3.0]


def test_features_are_copied_and_read_only() -> None:
    rows = ROWS.copy()
    slot = Slot("s", ("a", "b", "c"), rows)
    rows[0, 0] = 9.0
    assert slot.features[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        slot.features[0, 0] = 1.0


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("s", ("a",), ROWS[:1]), "slot 's' needs at least 2 tokens, not 1"),
        (("s", ("a", "b", "a"), ROWS), "slot 's' has the token 'a' twice"),
        (("s", ("a", "b"), ROWS), r"slot 's' needs \(2, d\) features, one row a token; \(3, 2\)"),
        (("s", ("a", "b"), np.zeros((2, 0))), r"needs \(2, d\) features"),
        (("s", ("a", "b"), np.zeros(2)), r"needs \(2, d\) features"),
        (("s", ("a", "b"), np.array([[0.0], [np.nan]])), "features of 'b' must be finite"),
        (("s", ("a", "b"), np.full((2, 1), 1e200)), r"features of 'a' .* at most 1e\+50"),
        (("s", ("a", "b"), np.array([["x"], ["y"]])), "features must be a table of numbers"),
        (("s", ("a", "b"), ROWS[:2], 0.0), "weight must be positive and finite, not 0.0"),
        (("s", ("a", "b"), ROWS[:2], np.inf), "weight must be positive and finite, not inf"),
    ],
)
def test_slots_that_cannot_be(arguments: tuple[object, ...], line: str) -> None:
    with pytest.raises(ParameterError, match=line):
        Slot(*arguments)  # type: ignore[arg-type]


def test_problems_that_cannot_be() -> None:
    one, two = Slot("s", ("a", "b"), ROWS[:2]), Slot("t", ("a", "b"), np.zeros((2, 3)))
    with pytest.raises(ParameterError, match="at least one slot"):
        Problem(())
    with pytest.raises(ParameterError, match="two slots are named 's'"):
        Problem((one, one))
    with pytest.raises(ParameterError, match="slot 't' has 3 features a token and slot 's' has 2"):
        Problem((one, two))
    with pytest.raises(PoolError, match="'pool 1' has no features"):
        Problem.of_pool(Pool("q", ["a", "b"]))
    with pytest.raises(ParameterError, match="2 pools need as many weights, not 1"):
        Problem.of_pools([Pool("q", ["a", "b"], ROWS[:2])] * 2, [1.0])


def test_weights_are_checked() -> None:
    problem = problem_of([ROWS, ROWS[:2]])
    good = (np.array([0.5, 0.5, 0.0]), np.array([0.25, 0.75]))
    checked = problem.check_weights(good)
    assert all((a == b).all() for a, b in zip(checked, good, strict=True))
    with pytest.raises(ParameterError, match=r"weights of shapes \(\(3,\), \(2,\)\), not"):
        problem.check_weights(good[:1])
    for wrong in ([0.5, 0.6], [1.5, -0.5], [np.nan, 1.0]):
        with pytest.raises(ParameterError, match="slot 'slot 1': weights must be at least 0"):
            problem.check_weights((good[0], np.array(wrong)))


def test_uniform_weights() -> None:
    uniform = random_problem(0).uniform()
    assert [w.tolist() for w in uniform] == [[1 / 6] * 6, [0.2] * 5, [1 / 7] * 7]
