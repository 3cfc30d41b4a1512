from __future__ import annotations

import numpy as np
import pytest
from diversity_cases import town

from palate.diversity import Rows, cross_fitted
from palate.errors import ParameterError


def true_values(place: object) -> np.ndarray:
    wants = (place.heads @ place.basis)[: place.answering]  # type: ignore[attr-defined]
    return np.linalg.svd(wants, compute_uv=False) / np.sqrt(len(wants))


@pytest.mark.parametrize("dims", [3, 4])
@pytest.mark.parametrize("seed", range(4))
def test_the_last_direction_is_found_where_there_is_one(dims: int, seed: int) -> None:
    """Simulated, as the experiment with heads and basis unknown but smaller."""
    place = town(latent=4, dims=dims, features=12, answering=30, silent=0, seed=seed)
    rows = place.answers(10_000, seed=seed)
    found = cross_fitted(rows, 30, 4, splits=2, seed=seed)
    # As fitted it is never 0: only cross-fitting tells.
    assert found.in_sample[3] > 0.4
    if dims == 3:
        assert abs(found.values[3]) < 0.3
        assert found.supported.tolist() == [True, True, True, False]
    else:
        assert found.values[3] > 0.6 * true_values(place)[3]
        assert found.rank == 4
    np.testing.assert_allclose(found.values[:3], true_values(place)[:3], rtol=0.35)


@pytest.mark.parametrize("seed", range(3))
def test_few_answers_are_not_overfitted(seed: int) -> None:
    """The ridge is the one that predicts; with little of it, halves can all be satisfied."""
    place = town(latent=4, dims=4, features=12, answering=30, silent=0, seed=seed)
    found = cross_fitted(place.answers(1_500, seed=seed), 30, 5, splits=2, seed=seed)
    assert (found.values[:4] < 1.3 * true_values(place)[:4]).all()
    assert not found.supported[4]


def test_it_does_not_depend_on_the_unit_of_the_features() -> None:
    place = town(answering=15, silent=0)
    rows = place.answers(600, options=3)
    one = cross_fitted(rows, 15, 3, splits=1)
    other = cross_fitted(Rows(rows.person, 50.0 * rows.delta, rows.pick), 15, 3, splits=1)
    np.testing.assert_allclose(other.values, one.values, rtol=1e-4)
    assert (one.deviation >= 0.0).all()


def test_what_everybody_shares_is_a_feature_of_its_own() -> None:
    place = town(answering=15, silent=0)
    rows = place.answers(3_000)
    base = np.random.default_rng(0).normal(size=len(rows))
    shared = Rows(rows.person, np.zeros_like(rows.delta), None, np.abs(base))
    found = cross_fitted(shared, 15, 3, splits=1)
    assert found.rank == 1
    assert found.values[0] > 1.0


def test_of_large_data_people_are_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("palate.diversity.spectrum._ROWS", 300)
    place = town(answering=20, silent=5)
    rows = place.answers(1_000)
    found = cross_fitted(rows, 25, 3, splits=1)
    assert 5 <= found.people <= 8


@pytest.mark.parametrize(("people", "latent", "expected"), [(1, 3, 1), (6, 9, 5), (6, 1, 1)])
def test_few_people_features_or_directions(people: int, latent: int, expected: int) -> None:
    place = town(answering=people, silent=0)
    found = cross_fitted(place.answers(400), people, latent, splits=1)
    assert len(found.values) == expected
    assert np.isfinite(found.values).all()


def test_equal_responses_support_nothing() -> None:
    rows = Rows(np.repeat(np.arange(4), 10), np.zeros((40, 5)))
    found = cross_fitted(rows, 4, 2)
    assert found.rank == 0
    assert not found.values.any()


def test_what_cannot_be_split_is_refused() -> None:
    place = town()
    with pytest.raises(ParameterError, match="at least 1, not 0"):
        cross_fitted(place.answers(100), 26, 3, splits=0)
    alone = Rows(np.arange(4), np.ones((4, 5)))
    with pytest.raises(ParameterError, match="given two"):
        cross_fitted(alone, 4, 2)
