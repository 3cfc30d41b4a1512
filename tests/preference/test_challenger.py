from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from preference_cases import (
    Shape,
    every_kind,
    few,
    make_case,
    make_directions,
    shapes,
    unit,
)

from palate.errors import ParameterError
from palate.preference import Challenger, ChallengerSearch, VersionSpace
from palate.preference.challenger import best_responses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from palate._typing import Features

NORM_BOUND = 3.0


def make_pool(n: int, d: int, seed: int, *, dtype: type = np.float64, equal: int = 0) -> Features:
    """(n, d) features of half unit length, the last ``equal`` of them copies of earlier ones."""
    rng = np.random.default_rng(seed)
    features = 0.5 * unit(rng.normal(size=(n, d)))
    if equal:
        features[n - equal :] = features[rng.integers(0, n - equal, size=equal)]
    return np.asarray(features.astype(dtype))


def brute_force(
    space: VersionSpace, features: Features, incumbent: int, left: NDArray[np.bool_]
) -> tuple[int, float]:
    """The largest support value over all rows, one by one; the first of equal ones."""
    wide = features.astype(np.float64)
    values = np.where(left, space.support(wide - wide[incumbent]), -np.inf)
    best = float(values.max())
    return int(np.argmax(values >= best - 1e-9 * space.norm_bound)), best


def run(
    features: Features, seed: int, *, steps: int, flips: float, wander: float, **settings: Any
) -> Iterator[tuple[VersionSpace, int]]:
    """Version spaces and incumbents of a run that answers its own questions.

    The incumbent is the estimate's best response, or with chance ``wander`` an earlier one or any.
    """
    rng = np.random.default_rng(seed)
    wide = features.astype(np.float64)
    utilities = wide @ rng.normal(size=wide.shape[1])
    space = VersionSpace(np.zeros((0, wide.shape[1])), NORM_BOUND, **settings)
    seen = [int(rng.integers(len(wide)))]
    for _ in range(steps):
        incumbent = int(np.argmax(wide @ space.estimate))
        if rng.random() < wander:
            incumbent = (
                int(rng.choice(seen)) if rng.random() < 0.6 else int(rng.integers(len(wide)))
            )
        seen.append(incumbent)
        yield space, incumbent
        other = brute_force(space, features, incumbent, np.arange(len(wide)) != incumbent)[0]
        pair = (incumbent, other) if rng.random() < 0.8 else tuple(rng.integers(len(wide), size=2))
        first_wins = (utilities[pair[0]] >= utilities[pair[1]]) ^ (rng.random() < flips)
        difference = wide[pair[0]] - wide[pair[1]]
        space = space.extended((difference if first_wins else -difference)[None])


def assert_exact_throughout(
    features: Features, seed: int, *, steps: int, flips: float, wander: float, **settings: Any
) -> list[Challenger]:
    search = ChallengerSearch(features, NORM_BOUND)
    rng = np.random.default_rng(seed)
    found = []
    for space, incumbent in run(
        features, seed, steps=steps, flips=flips, wander=wander, **settings
    ):
        without = None
        left = np.arange(len(features)) != incumbent
        if rng.random() < 0.3:
            without = rng.choice(len(features), size=len(features) // 3, replace=False)
            left[without] = False
        challenger = search.search(space, incumbent, without=without)
        index, value = brute_force(space, features, incumbent, left)
        assert challenger.index == index
        assert challenger.value == pytest.approx(value, abs=2e-9 * NORM_BOUND)
        bounds = search.bounds()
        wide = features.astype(np.float64)
        cone = space.cone_support(wide - wide[incumbent])
        assert (bounds >= cone - 1e-9 * NORM_BOUND).all()
        found.append(challenger)
    return found


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("wander", [0.0, 0.6])
@pytest.mark.parametrize("flips", [0.0, 0.2])
@pytest.mark.parametrize(("n", "d"), [(2, 3), (20, 2), (20, 64), (60, 5), (400, 16)])
def test_the_challenger_is_the_largest_of_all(
    n: int, d: int, flips: float, wander: float, dtype: type
) -> None:
    features = make_pool(n, d, seed=n + d, dtype=dtype)
    assert_exact_throughout(features, n, steps=14, flips=flips, wander=wander)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("d", "wander"), [(64, 0.0), (8, 0.5)])
def test_large_pools_need_few_exact_values(d: int, wander: float, dtype: type) -> None:
    features = make_pool(3000, d, seed=d, dtype=dtype)
    found = assert_exact_throughout(features, d, steps=10, flips=0.0, wander=wander)
    # Bounds decide about all but a handful of the 3,000.
    assert max(challenger.exact_solves for challenger in found) <= 24
    assert np.median([challenger.exact_solves for challenger in found]) <= 4


@pytest.mark.parametrize("consistent", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [20, 300])
def test_of_equal_challengers_the_first_wins(n: int, dtype: type, consistent: bool) -> None:  # noqa: FBT001
    features = make_pool(n, 4, seed=n, dtype=dtype, equal=n // 2)
    assert_exact_throughout(features, n, steps=8, flips=0.1, wander=0.3, consistent=consistent)


@pytest.mark.parametrize("consistent", [True, False])
@pytest.mark.parametrize("n", [20, 60])
def test_the_challenger_is_the_largest_where_the_loss_binds(n: int, consistent: bool) -> None:  # noqa: FBT001
    # One person's many answers on responses with two features, in the order they were given.
    features = make_pool(n, 2, seed=n)
    rng = np.random.default_rng(n)
    pairs = rng.integers(n, size=(420, 2))
    z = 2.0 * (features[pairs[:, 0]] - features[pairs[:, 1]])
    z *= np.where(z @ [1.0, 1.0] < 0.0, -1.0, 1.0)[:, None]
    search = ChallengerSearch(features, NORM_BOUND)
    bound = 0
    for t in (1, 50, 200, 420):
        space = VersionSpace(z[:t], NORM_BOUND, 0.9, consistent=consistent)
        bound += space.loss_can_bind
        for incumbent in (int(np.argmax(features @ space.estimate)), *rng.integers(n, size=2)):
            left = np.arange(n) != incumbent
            challenger = search.search(space, int(incumbent))
            index, value = brute_force(space, features, int(incumbent), left)
            assert challenger.index == index
            assert challenger.value == pytest.approx(value, abs=1e-8)
    assert bound >= 2


@pytest.mark.parametrize("n", [5, 60, 3000])
def test_the_challenger_of_an_empty_set_is_the_estimates_choice(n: int) -> None:
    # theta_hat lies outside the cone here, and with it values lie above what bounds the cone.
    z = np.repeat([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], (450, 50, 5), axis=0)
    space = VersionSpace(z, NORM_BOUND)
    assert space.empty
    features = make_pool(n, 2, seed=n, equal=n // 3)
    search = ChallengerSearch(features, NORM_BOUND)
    for incumbent in (0, n // 2, int(np.argmax(features @ space.estimate))):
        challenger = search.search(space, incumbent)
        left = np.arange(n) != incumbent
        index, value = brute_force(space, features, incumbent, left)
        assert challenger.index == index
        assert challenger.value == pytest.approx(value, abs=1e-12)
    nobody = np.arange(n)
    assert search.search(space, 0, without=nobody).index == -1


@pytest.mark.parametrize("n", [30, 3000])
def test_where_nobody_can_win_the_first_response_is_named(n: int) -> None:
    # Contradictions have left the origin alone: every value is zero, to rounding.
    z = np.vstack((np.eye(2), [[-0.7, -0.2]]))
    challenger = ChallengerSearch(make_pool(n, 2, seed=1), NORM_BOUND).search(VersionSpace(z), 0)
    assert challenger.index == 1
    assert challenger.value == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("n", [1, 4, 40])
def test_without_everybody_there_is_no_challenger(n: int) -> None:
    search = ChallengerSearch(make_pool(n, 3, seed=0), NORM_BOUND)
    space = VersionSpace(np.zeros((0, 3)))
    assert search.search(space, 0, without=np.arange(n)) == Challenger(-1, 0.0, 0)
    if n == 1:
        assert search.search(space, 0).index == -1


def test_before_any_answer_the_farthest_response_challenges() -> None:
    features = make_pool(50, 3, seed=3)
    challenger = ChallengerSearch(features, NORM_BOUND).search(VersionSpace(np.zeros((0, 3))), 7)
    distances = np.sqrt(((features - features[7]) ** 2).sum(axis=1))
    assert challenger.index == np.argmax(distances)
    assert challenger.value == pytest.approx(NORM_BOUND * distances.max())


def test_a_shorter_run_starts_afresh() -> None:
    # Bounds that many answers have brought down do not hold for the next person.
    features = make_pool(60, 3, seed=5)
    spaces = [space for space, _ in run(features, 1, steps=12, flips=0.0, wander=0.0)]
    search = ChallengerSearch(features, NORM_BOUND)
    left = np.arange(60) != 7
    for space in (*spaces, spaces[4], spaces[0]):
        challenger = search.search(space, 7)
        index, value = brute_force(space, features, 7, left)
        assert challenger.index == index
        assert challenger.value == pytest.approx(value, abs=1e-8)


def test_the_norm_bound_is_that_of_the_search() -> None:
    search = ChallengerSearch(make_pool(5, 2, seed=0), 2.0)
    with pytest.raises(ParameterError, match=r"norm_bound 2\.0, not 3\.0"):
        search.search(VersionSpace(np.zeros((0, 2)), 3.0), 0)


@every_kind
@few
@given(shape=shapes())
def test_descent_bounds_the_support_from_above(kind: str, shape: Shape) -> None:
    case = make_case(kind, *shape)
    space = VersionSpace(case.differences, case.norm_bound)
    directions = make_directions(case, 9)
    exact = space.cone_support(directions)
    cone, before = space.cone(directions), np.full(9, np.inf)
    slack = 1e-11 * case.norm_bound
    for sweeps in (0, 1, 5, 50):
        bounds = cone.bounds(sweeps)
        assert (bounds >= exact - slack).all()
        assert (bounds <= before + slack).all()
        before = bounds
    kept = np.arange(9) % 2 == 0
    cone.keep(kept)
    np.testing.assert_allclose(cone.bounds(0), before[kept], rtol=1e-12)
    assert (cone.bounds(30) >= exact[kept] - slack).all()
    np.testing.assert_allclose([cone.exact(row) for row in range(5)], exact[kept], rtol=1e-12)


def test_descent_comes_down_to_the_support() -> None:
    case = make_case("separable", 12, 16, NORM_BOUND, seed=4)
    space = VersionSpace(case.differences)
    directions = make_directions(case, 6)
    np.testing.assert_allclose(
        space.cone(directions).bounds(3000), space.cone_support(directions), atol=1e-6
    )


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_best_responses_are_all_within_the_tolerance(dtype: type) -> None:
    for seed in range(20):
        features = make_pool(200, 16, seed=seed, dtype=dtype, equal=100)
        theta = 3.0 * unit(np.random.default_rng(seed).normal(size=16))
        utilities = features.astype(np.float64) @ theta
        for tolerance in (0.0, 1e-12, 0.05):
            rows = best_responses(features, theta, tolerance=tolerance)
            # Equal features may score differently in the last digit, by their place in the matrix.
            certain = np.flatnonzero(utilities > utilities.max() - tolerance + 1e-14)
            possible = np.flatnonzero(utilities >= utilities.max() - tolerance - 1e-14)
            assert set(certain) <= set(rows) <= set(possible)
            assert len(rows) >= 1
            assert (np.diff(rows) > 0).all()
