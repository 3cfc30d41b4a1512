"""The simulated world has the gaps, the ranks and the rewards that it says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palate.diversity.world import BilinearWorld, simulate_world
from palate.errors import ParameterError

SMALL: dict[str, Any] = {
    "people": 6,
    "late": 2,
    "d": 3,
    "latent": 4,
    "contexts": 12,
    "actions": 9,
    "min_gap": 0.3,
}


def test_every_best_action_leads_by_the_gap() -> None:
    world = simulate_world(**SMALL)
    top = np.sort(world.rewards, axis=2)
    assert (top[:, :, -1] - top[:, :, -2]).min() >= 0.3
    assert world.rewards.shape == (8, 12, 9)
    assert (world.people, world.main, world.late) == (8, 6, 2)
    for vectors in (world.contexts, world.actions):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=2), 1.0)


def test_rewards_are_bilinear() -> None:
    world = simulate_world(**SMALL)
    for i, x, a in ((0, 0, 0), (5, 11, 8), (7, 3, 2)):
        psi = np.outer(world.contexts[i, x], world.actions[i, a]).reshape(-1)
        assert world.rewards[i, x, a] == pytest.approx(world.heads[i] @ world.basis @ psi)
    assert (world.best == world.rewards.max(axis=2)).all()


def test_heads_have_the_dimensions_asked_for_and_latecomers_all() -> None:
    world = simulate_world(**SMALL, head_dims=2)
    assert np.linalg.matrix_rank(world.heads[: world.main]) == 2
    many = simulate_world(**{**SMALL, "people": 500, "late": 500, "head_dims": 2, "min_gap": 0.0})
    assert np.linalg.matrix_rank(many.heads[many.main :]) == 4
    # Heads are as long on average, however many dimensions they have.
    for heads in (many.heads[:500], many.heads[500:]):
        assert (heads**2).sum(axis=1).mean() == pytest.approx(1.0, rel=0.1)


def test_a_weak_direction_is_one_that_main_heads_lack() -> None:
    whole, weak = (simulate_world(**SMALL, head_dims=3, weak=weak) for weak in (1.0, 0.1))
    np.testing.assert_allclose(
        whole.heads[:6] @ whole.basis, weak.heads[:6] @ weak.basis, atol=1e-12
    )
    missing = np.linalg.svd(whole.heads[:6])[2][3]
    np.testing.assert_allclose(missing @ weak.basis, 0.1 * (missing @ whole.basis), atol=1e-12)


def test_each_part_is_drawn_for_itself() -> None:
    one, other = simulate_world(**SMALL), simulate_world(**{**SMALL, "late": 0})
    np.testing.assert_array_equal(one.heads[:6], other.heads)
    np.testing.assert_array_equal(one.basis, other.basis)
    assert not np.array_equal(one.basis, simulate_world(**SMALL, seed=1).basis)


def test_scores_of_single_rounds_are_those_of_the_table() -> None:
    world = simulate_world(**SMALL)
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(8, 9))
    person, context = rng.integers(8, size=20), rng.integers(12, size=20)
    np.testing.assert_allclose(
        world.scores_of(person, context, directions[person]),
        world.scores(directions)[person, context],
    )


def test_differences_give_the_margins() -> None:
    world = simulate_world(**SMALL)
    rng = np.random.default_rng(0)
    person, context = rng.integers(8, size=20), rng.integers(12, size=20)
    one, other = rng.integers(9, size=(20, 1)), rng.integers(9, size=(20, 2))
    delta = world.differences(person, context, one, other)
    margins = np.einsum("nkf,nf->nk", delta, (world.heads @ world.basis)[person])
    rewards = world.rewards[person, context]
    expected = np.take_along_axis(rewards, one, 1) - np.take_along_axis(rewards, other, 1)
    np.testing.assert_allclose(margins, expected, atol=1e-12)


def test_regret_is_what_the_wrong_choice_costs() -> None:
    world = simulate_world(**SMALL)
    assert (world.regret(world.rewards) == 0.0).all()
    worst = world.best - world.rewards.min(axis=2)
    np.testing.assert_array_equal(world.regret(-world.rewards), worst)
    first = world.best - world.rewards[:, :, 0]
    np.testing.assert_array_equal(world.regret(np.zeros_like(world.rewards)), first)


def test_who_is_served_has_the_rewards_of_the_world() -> None:
    world = simulate_world(**SMALL)
    people = np.array([7, 2])
    for contexts, count in ((None, 12), (5, 5)):
        served = world.served(people, contexts)
        rewards = served.rewards(world.basis).reshape(2, count, 9)
        np.testing.assert_allclose(rewards, world.rewards[people, :count], atol=1e-12)


def test_contexts_and_actions_may_differ_in_dimension() -> None:
    rng = np.random.default_rng(0)
    heads, basis = rng.normal(size=(3, 2)), rng.normal(size=(2, 5))
    world = BilinearWorld(heads, basis, np.ones((3, 1, 1)), rng.normal(size=(3, 7, 5)))
    directions = world.heads @ world.basis
    for i in range(3):
        np.testing.assert_allclose(world.rewards[i, 0], world.actions[i] @ directions[i])


@pytest.mark.parametrize("degenerate", [{"people": 1}, {"latent": 1}, {"actions": 1}, {"d": 1}])
def test_degenerate_worlds_are_worlds(degenerate: dict[str, int]) -> None:
    world = simulate_world(**{**SMALL, "min_gap": 0.0, **degenerate})
    assert np.isfinite(world.rewards).all()
    assert (world.regret(world.rewards) == 0.0).all()


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"people": 0}, "at least 1"),
        ({"late": -1}, "late 0"),
        ({"head_dims": 5}, "head_dims"),
        ({"head_dims": 0}, "head_dims"),
        ({"scale": 0.0}, "scale"),
        ({"weak": -1.0}, "weak"),
        ({"min_gap": float("nan")}, "min_gap"),
        ({"min_gap": 50.0}, "lower min_gap"),
    ],
)
def test_what_cannot_be_is_refused(wrong: dict[str, float], named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        simulate_world(**{**SMALL, **wrong})
