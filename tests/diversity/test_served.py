from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from diversity_cases import town

from palate.diversity import Served, contests
from palate.diversity.rows import margins
from palate.diversity.served import new_people, on_simplex
from palate.errors import ParameterError

PLACE = town()


def test_everybody_is_asked_about_every_pool() -> None:
    pools = [PLACE.pools[0][:3], PLACE.pools[1][:1], PLACE.pools[2][:2]]
    heads = PLACE.heads[:2]
    served = Served.of_pools(heads, pools)
    assert served.person.tolist() == [0, 0, 0, 1, 1, 1]
    assert served.question.tolist() == [0, 0, 0, 1, 2, 2, 3, 3, 3, 4, 5, 5]
    assert served.option.tolist() == [0, 1, 2, 3, 4, 5] * 2
    assert served.starts.tolist() == [0, 3, 4, 6, 9, 10]
    wanted = np.concatenate([np.concatenate(pools) @ (h @ PLACE.basis) for h in heads])
    np.testing.assert_allclose(served.rewards(PLACE.basis), wanted)
    assert (served.name(1), served.label(4)) == ("person 2", "response 5")


def test_pools_are_drawn_for_each_person() -> None:
    served = Served.of_pools(PLACE.heads, list(PLACE.pools), each=3, seed=4)
    drawn = served.option.reshape(len(PLACE.heads), 3, 12) // 12
    assert (drawn == drawn[:, :, :1]).all()
    assert (np.diff(drawn[:, :, 0], axis=1) > 0).all()
    assert len({tuple(row) for row in drawn[:, :, 0].tolist()}) > 10
    again = Served.of_pools(PLACE.heads, list(PLACE.pools), each=3, seed=4)
    np.testing.assert_array_equal(again.option, served.option)


def test_offsets_are_added() -> None:
    offset = np.arange(24.0)
    served = Served.of_pools(PLACE.heads[:1], list(PLACE.pools[:2]), offset=offset)
    plain = Served.of_pools(PLACE.heads[:1], list(PLACE.pools[:2]))
    np.testing.assert_allclose(served.rewards(PLACE.basis), plain.rewards(PLACE.basis) + offset)
    rows = contests(served, PLACE.basis).rows
    assert (margins(rows, served.heads, PLACE.basis) >= 0.0).all()


def test_contests_set_the_best_against_the_next() -> None:
    served = PLACE.served()
    found = contests(served, PLACE.basis, most=3)
    assert found.rows.pick is not None
    rewards = served.rewards(PLACE.basis).reshape(-1, 12)
    for question in (0, 7, 100):
        mine = found.rows.pick == question
        ranked = np.sort(rewards[question])[::-1]
        leads = margins(found.rows.of(mine), served.heads, PLACE.basis)
        np.testing.assert_allclose(np.sort(leads), ranked[0] - ranked[1:4])
        assert len(set(found.better[mine])) == 1
        best = served.option[12 * question + rewards[question].argmax()]
        assert found.better[mine][0] == best
    np.testing.assert_array_equal(found.rows.person, served.person[found.rows.pick])
    np.testing.assert_allclose(
        found.rows.delta, served.items[found.better] - served.items[found.worse]
    )


def test_one_response_leaves_nothing_to_decide() -> None:
    found = contests(Served.of_pools(PLACE.heads, [PLACE.pools[0][:1]]), PLACE.basis)
    assert len(found.rows) == 0


def test_some_people_with_some_questions() -> None:
    labels = [f"text {i}" for i in range(120)]
    served = Served.of_pools(PLACE.heads, list(PLACE.pools), labels=labels)
    part = served.of(np.array([3, 5]), 2)
    assert part.person.tolist() == [3, 3, 5, 5]
    assert part.question.tolist() == np.repeat(np.arange(4), 12).tolist()
    whole = served.rewards(PLACE.basis).reshape(-1, 10, 12)
    np.testing.assert_allclose(part.rewards(PLACE.basis).reshape(2, 2, 12), whole[[3, 5], :2])
    assert len(part.items) == 24
    assert part.label(13) == "text 13"


def test_new_people_are_like_those_who_are_known() -> None:
    rng = np.random.default_rng(0)
    weights = rng.dirichlet([4.0, 1.0, 0.5], size=4_000)
    assert on_simplex(weights)
    new = new_people(weights, 4_000, seed=1)
    assert on_simplex(new)
    np.testing.assert_allclose(new.mean(axis=0), weights.mean(axis=0), atol=0.02)
    assert new.var(axis=0).sum() == pytest.approx(weights.var(axis=0).sum(), rel=0.1)
    heads = rng.normal(size=(4_000, 3)) @ np.diag([1.0, 2.0, 0.0]) + [0.0, 1.0, 0.0]
    assert not on_simplex(heads)
    new = new_people(heads, 4_000)
    np.testing.assert_allclose(np.cov(new.T), np.cov(heads.T), atol=0.3)
    np.testing.assert_allclose(new[:, 2], 0.0, atol=1e-12)


@pytest.mark.parametrize("heads", [np.array([[0.2, 0.8]]), np.ones((3, 1)), np.eye(2)])
def test_new_people_of_few_or_like_people(heads: np.ndarray) -> None:
    new = new_people(heads, 5)
    assert new.shape == (5, heads.shape[1])
    assert on_simplex(new)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"heads": np.full((2, 3), np.nan)}, "heads of the served"),
        ({"question": np.array([0, 0, 2, 2])}, "at least one option"),
        ({"question": np.array([1, 1, 0, 0])}, "never falls"),
        ({"option": np.array([0, 1, 2, 9])}, "option of the served must lie"),
        ({"person": np.array([0, 2])}, "person of the served must lie"),
        ({"offset": np.zeros(3)}, "need 4 offset"),
        ({"people": ("ann",)}, "need 2 people"),
        ({"labels": ("a", "b")}, "need 4 labels"),
    ],
)
def test_questions_that_do_not_fit_are_refused(change: dict[str, Any], said: str) -> None:
    good: dict[str, Any] = {
        "heads": np.ones((2, 3)),
        "items": np.ones((4, 5)),
        "person": np.array([0, 1]),
        "question": np.array([0, 0, 1, 1]),
        "option": np.arange(4),
    }
    Served(**good)
    with pytest.raises(ParameterError, match=said):
        Served(**{**good, **change})


def test_pools_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ParameterError, match="none of them empty"):
        Served.of_pools(PLACE.heads, [PLACE.pools[0], PLACE.pools[0][:0]])
    with pytest.raises(ParameterError, match="at least 1 pool"):
        Served.of_pools(PLACE.heads, list(PLACE.pools), each=0)
