from __future__ import annotations

import numpy as np
import pytest
from diversity_cases import every_z, fitted, town

from palate.diversity import Rows, at_risk, contests, coverage, curvature
from palate.diversity.condition import default_radius, identified, least, null_lengths
from palate.diversity.rows import margins


def crossed(heads: np.ndarray, deltas: np.ndarray) -> Rows:
    """Everybody compares every pair."""
    person, pair = np.indices((len(heads), len(deltas))).reshape(2, -1)
    return Rows(person, deltas[pair])


@pytest.mark.parametrize("seed", range(5))
def test_where_all_compare_alike_it_is_the_span_of_heads_and_of_responses(seed: int) -> None:
    rng = np.random.default_rng(seed)
    asked, compared = rng.normal(size=(2, 4)), rng.normal(size=(3, 5))
    answered = curvature(crossed(asked, compared), asked)
    inside, outside = rng.normal(size=2) @ asked, rng.normal(size=4)
    near, far = rng.normal(size=3) @ compared, rng.normal(size=5)
    heads = np.array([inside, outside])
    rows = Rows(np.array([0, 0, 1, 1]), np.array([near, far, near, far]))
    found = coverage(rows, heads, answered)
    assert found[0] == pytest.approx(1.0, abs=1e-6)
    assert (found[1:] < 0.99).all()
    # The uncovered share, from the projections on the two spans.
    both = np.linalg.pinv(asked) @ asked
    share = np.linalg.norm(outside - both @ outside) / np.linalg.norm(outside)
    assert found[2] == pytest.approx(1.0 - share, abs=1e-6)


def test_the_rank_alone_is_not_the_condition() -> None:
    place = town(dims=2)
    rows = place.answers(400)
    answered = curvature(rows, place.heads)
    assert answered.seen.sum() < place.basis.size
    found = contests(place.served(), place.basis).rows
    share = coverage(found, place.heads, answered)
    silent = found.person >= place.answering
    np.testing.assert_allclose(share[~silent], 1.0, atol=1e-6)
    assert (share[silent] < 0.99).all()


def test_equal_responses_ask_nothing() -> None:
    place = town(dims=2)
    answered = curvature(place.answers(400), place.heads)
    rows = Rows(np.array([0, 25]), np.zeros((2, 5)))
    assert coverage(rows, place.heads, answered).tolist() == [1.0, 1.0]
    nothing = curvature(place.answers(1).of(np.arange(0)), place.heads)
    rows = Rows(np.array([0, 25]), np.eye(5)[:2])
    np.testing.assert_allclose(coverage(rows, place.heads, nothing), 0.0)


def test_the_identified_part_is_what_margins_of_those_who_answer_see() -> None:
    place = town(dims=2)
    answered = curvature(place.answers(400), place.heads)
    seen = identified(place.basis, answered)
    np.testing.assert_allclose(seen[:2], place.basis[:2], atol=1e-9)
    np.testing.assert_allclose(seen[2], 0.0, atol=1e-9)


@pytest.mark.parametrize("radius", [0.0, 0.5, 2.0, 10.0])
def test_no_row_outside_the_screen_can_turn_and_some_inside_do(radius: float) -> None:
    place = town(dims=2)
    answered = curvature(place.answers(400), place.heads)
    seen = identified(place.basis, answered)
    rows = contests(place.served(), seen).rows
    risky = at_risk(rows, place.heads, seen, answered, radius)
    rng = np.random.default_rng(0)
    unseen = np.zeros((2_000, *seen.shape))
    directions = rng.normal(size=(2_000, seen.shape[1]))
    unseen[:, 2] = radius * directions / np.linalg.norm(directions, axis=1, keepdims=True)
    turned = (every_z(rows, place.heads) @ (seen + unseen).reshape(2_000, -1).T < -1e-9).any(axis=1)
    assert not (turned & ~risky).any()
    # Where the worst unseen part is along the row, it does turn.
    z = every_z(rows, place.heads).reshape(-1, *seen.shape)[:, 2]
    worst = margins(rows, place.heads, seen) - radius * np.linalg.norm(z, axis=1)
    silent = rows.person >= place.answering
    np.testing.assert_array_equal(risky, (worst < 0.0) & silent)
    assert risky.any() == (radius > 0.0)


def test_the_radius_by_default_counts_the_unseen_dimensions_that_matter() -> None:
    place = town(dims=2)
    answered = curvature(place.answers(400), place.heads)
    rows = contests(place.served(), place.basis).rows
    expected = 3.0 * np.sqrt(0.5 * place.basis.shape[1])
    assert default_radius(rows, place.heads, answered, 0.5) == pytest.approx(expected)
    own = rows.of(rows.person < place.answering)
    assert default_radius(own, place.heads, answered, 0.5) == 0.0
    narrow = Rows(rows.person, rows.delta * [1.0, 0.0, 1.0, 0.0, 0.0])
    expected = 3.0 * np.sqrt(0.5 * 2)
    assert default_radius(narrow, place.heads, answered, 0.5) == pytest.approx(expected)
    whole = town(dims=3)
    everything = curvature(whole.answers(400), whole.heads)
    assert default_radius(rows, place.heads, everything, 0.5) == 0.0
    assert not null_lengths(rows, place.heads, everything).any()


def test_the_least_of_each_group() -> None:
    found = least(np.array([0.4, 0.2, 0.9]), np.array([2, 2, 0]), 4)
    assert found.tolist() == [0.9, 1.0, 0.2, 1.0]


def test_a_weak_uncovered_direction_does_no_harm_and_a_strong_one_does() -> None:
    """Simulated, as the experiment on weak directions but smaller."""
    wrong, risk = {}, {}
    for weak in (0.0, 0.001, 1.0):
        place = town(dims=2, weak=weak, silent=40)
        rows = place.answers(20_000)
        basis = fitted(place, rows)
        answered = curvature(rows, place.heads)
        seen = identified(basis, answered)
        found = contests(place.served(), seen).rows
        radius = 3.0 * 3.0 * weak * np.sqrt(basis.shape[1])
        risky = at_risk(found, place.heads, seen, answered, radius)
        assert found.pick is not None
        risk[weak] = len(np.unique(found.pick[risky])) / (10 * 40)
        wrong[weak] = (place.loss(basis)[place.answering :] > 0.0).mean()
    assert wrong[0.001] <= 2.0 * wrong[0.0]
    assert wrong[1.0] >= 4.0 * wrong[0.0]
    assert risk[0.0] == 0.0
    assert 0.0 < risk[0.001] <= 0.05
    assert risk[1.0] >= 0.8
