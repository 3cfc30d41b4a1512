"""The reference that the other tests rely on: it must itself be what the paper describes."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from preference_cases import make_case, unit

from palate.bench import reference
from palate.bench.reference import reference_estimate, reference_step, reference_support
from palate.errors import MissingExtraError
from palate.preference import ChallengerSearch, VersionSpace

if TYPE_CHECKING:
    from palate._typing import FloatArray


def make_step(n: int, d: int, t: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """A pool, and answers in which the winner meets the next response."""
    rng = np.random.default_rng(seed)
    features = 0.5 * unit(rng.normal(size=(n, d)))
    utilities = features @ rng.normal(size=d)
    winner, differences = 0, np.zeros((t, d))
    for i in range(t):
        winner, loser = (winner, i + 1) if utilities[winner] > utilities[i + 1] else (i + 1, winner)
        differences[i] = features[winner] - features[loser]
    return features, differences


@pytest.mark.parametrize("rebuild", [True, False])
@pytest.mark.parametrize("consistent", [True, False])
@pytest.mark.parametrize(("n", "d", "t"), [(20, 64, 10), (20, 2, 4), (5, 3, 0)])
def test_a_whole_step_is_ours(
    n: int,
    d: int,
    t: int,
    consistent: bool,  # noqa: FBT001
    rebuild: bool,  # noqa: FBT001
) -> None:
    features, differences = make_step(n, d, t, seed=n + d)
    incumbent, challenger, bound = reference_step(
        features, differences, 3.0, 0.05, consistent=consistent, rebuild=rebuild
    )
    space = VersionSpace(differences, 3.0, 0.05, consistent=consistent)
    assert incumbent == np.argmax(features @ space.estimate)
    found = ChallengerSearch(features, 3.0).search(space, incumbent)
    assert challenger == found.index
    assert bound == pytest.approx(found.value, abs=3e-6)


def test_support_worked_by_hand() -> None:
    z = np.array([[0.5, 0.0]])
    directions = np.array([[3.0, 4.0], [-3.0, 4.0], [0.0, -1.0]])
    values, thetas = reference_support(z, directions, 3.0, 0.05)
    np.testing.assert_allclose(values, [15.0, 12.0, 3.0], atol=1e-6)
    np.testing.assert_allclose(thetas, [[1.8, 2.4], [0.0, 3.0], [0.0, -3.0]], atol=1e-3)
    values, _ = reference_support(z, directions, 3.0, 0.05, consistent=False)
    np.testing.assert_allclose(values, [15.0, 15.0, 3.0], atol=1e-6)
    np.testing.assert_allclose(reference_estimate(z, 3.0), [3.0, 0.0], atol=1e-6)
    np.testing.assert_array_equal(reference_estimate(z[:0], 3.0), [0.0, 0.0])


def test_scs_steps_in_where_clarabel_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    cp: Any = importlib.import_module("cvxpy")
    solve, asked = cp.Problem.solve, []

    def unstable(problem: Any, **settings: Any) -> Any:
        asked.append(settings)
        if settings["solver"] == "CLARABEL":
            raise cp.error.SolverError
        return solve(problem, **settings)

    case = make_case("separable", 6, 3, 3.0, seed=1)
    before = reference_estimate(case.differences, 3.0)
    monkeypatch.setattr(cp.Problem, "solve", unstable)
    np.testing.assert_allclose(reference_estimate(case.differences, 3.0), before, atol=1e-3)
    assert asked == [{"solver": "CLARABEL"}, {"solver": "SCS", "eps": 1e-6, "max_iters": 50_000}]

    monkeypatch.setattr(reference, "_SOLVERS", reference._SOLVERS[:1])
    with pytest.raises(RuntimeError, match="CLARABEL"):
        reference_estimate(case.differences, 3.0)


@pytest.mark.parametrize("missing", ["cvxpy", "clarabel"])
def test_a_missing_solver_is_one_line(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(MissingExtraError, match=r'^[^\n]*pip install "palate\[reference\]"$'):
        reference_estimate(np.ones((1, 2)), 3.0)
