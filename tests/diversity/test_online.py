"""Online learning counts the regret that it says, which stops where the condition holds."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from palate.diversity.online import Service, refit_rounds, run_online
from palate.diversity.world import BilinearWorld, simulate_world
from palate.errors import ParameterError

SMALL: dict[str, Any] = {
    "people": 12,
    "d": 3,
    "latent": 3,
    "contexts": 10,
    "actions": 10,
    "min_gap": 0.6,
    "scale": 5.0,
}
ROUNDS = 20_000


@pytest.fixture(scope="module")
def spanned() -> BilinearWorld:
    return simulate_world(**SMALL, late=4)


@pytest.fixture(scope="module")
def missing() -> BilinearWorld:
    return simulate_world(**SMALL, late=4, head_dims=2)


def test_fits_come_at_growing_distances() -> None:
    assert refit_rounds(100, 50, 0.5) == [0, 50, 75, 100]
    assert refit_rounds(10, 50, 0.1) == [0, 10]
    marks = refit_rounds(64_000, 50, 0.1)
    assert marks[:3] == [0, 50, 55]
    assert marks[-1] == 64_000
    assert max(b / a for a, b in itertools.pairwise(marks[1:])) <= 1.1
    assert refit_rounds(5, 2, 0.1) == [0, 2, 3, 4, 5]
    for wrong in ((0, 50, 0.1), (10, 0, 0.1), (10, 5, 0.0)):
        with pytest.raises(ParameterError, match="must be positive"):
            refit_rounds(*wrong)


@pytest.mark.parametrize("heads", ["known", "unknown"])
@pytest.mark.parametrize("sampler", ["reference", "softmax", "greedy"])
def test_regret_stops_where_everybody_answers(sampler: Any, heads: Any) -> None:
    world, T = simulate_world(**SMALL), 2 * ROUNDS
    run = run_online(world, rounds=T, heads=heads, sampler=sampler, temperature=3.0)
    whole, half = run.cumulative(T), run.cumulative(T / 2)
    assert whole[0] - half[0] < 0.02 * whole[0]
    assert run.gap[-1].max() < 0.01
    assert run.gap[1].mean() > 0.3
    assert run.slope(T / 2, T)[0] < 0.1 * run.slope(T / 64, T / 16)[0]
    assert run.regret[:, 1].max() == 0.0  # there is no latecomer


def test_latecomers_are_served_right_where_the_main_people_span(
    spanned: BilinearWorld, missing: BilinearWorld
) -> None:
    """Silent latecomers pay for a direction that nobody who answers has; nobody else does."""
    fine, poor = (run_online(world, rounds=ROUNDS) for world in (spanned, missing))
    assert fine.gap[-1][12:].mean() < 0.05
    assert poor.gap[-1][12:].mean() > 0.3
    late = poor.cumulative(ROUNDS)[1]
    assert late > 4.0 * fine.cumulative(ROUNDS)[1]
    assert 0.4 < (late - poor.cumulative(ROUNDS / 2)[1]) / late < 0.6  # it grows evenly
    main = poor.cumulative(ROUNDS)[0]
    assert main - poor.cumulative(ROUNDS / 2)[0] < 0.02 * main


def test_latecomers_who_answer_mend_it(missing: BilinearWorld) -> None:
    often = run_online(missing, rounds=ROUNDS, service=Service(late_answers=True))
    assert often.gap[-1][12:].mean() < 0.05
    rare = run_online(missing, rounds=ROUNDS, service=Service(0.1, 10.0, late_answers=True))
    assert rare.gap[-1][12:].mean() > 2.0 * often.gap[-1][12:].mean()
    # Those who come with a chance of c / t lose c times their gap per unit of ln t.
    slope, gaps = rare.slope(ROUNDS / 2, ROUNDS)[1], rare.gap[-7:, 12:].mean()
    assert slope == pytest.approx(10.0 * gaps, rel=0.5)


def test_rounds_are_charged_the_mean_gap_of_their_group(missing: BilinearWorld) -> None:
    service = Service(late_share=0.3, late_budget=40.0)
    run = run_online(missing, rounds=500, growth=0.5, service=service)
    expected = [np.zeros(2)]
    for begin, end, gap in zip(run.rounds, run.rounds[1:], run.gap, strict=False):
        late = service.shares(np.arange(begin + 1, end + 1))
        charge = [(1.0 - late).sum() * gap[:12].mean(), late.sum() * gap[12:].mean()]
        expected.append(expected[-1] + charge)
    np.testing.assert_allclose(run.regret, expected)
    assert run.cumulative(125)[0] == pytest.approx(np.interp(125, run.rounds, run.regret[:, 0]))
    blind = (missing.best - missing.rewards.mean(axis=2)).mean(axis=1)
    np.testing.assert_allclose(run.gap[0], blind)  # the reference policy's


def test_latecomers_come_as_often_as_they_should() -> None:
    rounds = np.array([1, 100, 1000])
    np.testing.assert_allclose(Service(0.1).shares(rounds), 0.1)
    np.testing.assert_allclose(Service(0.1, 40.0).shares(rounds), [0.1, 0.1, 0.04])


def test_exploration_costs_what_the_reference_policy_costs(spanned: BilinearWorld) -> None:
    world = simulate_world(**SMALL)
    blind = (world.best - world.rewards.mean(axis=2)).mean()
    always = run_online(world, rounds=400, deploy="explore", exploration=1e9)
    assert always.cumulative(400)[0] == pytest.approx(400 * blind)
    never = run_online(world, rounds=400, deploy="explore", exploration=0.0)
    greedy = run_online(world, rounds=400)
    np.testing.assert_array_equal(never.regret, greedy.regret)
    some = run_online(world, rounds=400, deploy="explore", exploration=20.0)
    t, fit = np.arange(1, 401), np.searchsorted(some.rounds, np.arange(1, 401)) - 1
    chance = np.where(t <= 50, 1.0, np.minimum(1.0, 20.0 / t))
    each = (1.0 - chance) * some.gap.mean(axis=1)[fit] + chance * blind
    assert some.cumulative(400)[0] == pytest.approx(each.sum())


def test_thompson_sampling_learns_and_pays_for_its_draws() -> None:
    world = simulate_world(**SMALL)
    run = run_online(world, rounds=2_000, deploy="thompson")
    assert run.gap[-1].mean() < 0.2 * run.gap[1].mean()
    # More than if it had deployed the best of its fits.
    of_fits = np.diff(run.rounds) @ run.gap[:-1].mean(axis=1)
    assert run.cumulative(2_000)[0] > 1.3 * of_fits
    with pytest.raises(ParameterError, match="set heads='known'"):
        run_online(world, deploy="thompson", heads="unknown")


def test_without_a_reference_response_a_greedy_learner_can_be_stuck() -> None:
    """One head for all and only a fixed baseline to compare with: some run never learns."""
    rng = np.random.default_rng(0)
    ends = []
    for seed in range(6):
        arms = rng.normal(size=(10, 3))
        world = BilinearWorld(
            np.ones((4, 1)),
            rng.normal(scale=2.0, size=(1, 3)),
            np.ones((4, 1, 1)),
            np.broadcast_to(arms, (4, 10, 3)).copy(),
        )
        ends.append(
            [
                run_online(world, rounds=3_000, sampler=sampler, first=5, seed=seed).gap[-1].mean()
                for sampler in ("baseline", "greedy")
            ]
        )
    stuck, mended = np.array(ends).T > 0.1
    assert stuck.any()
    assert not mended.any()


def _regret(world: BilinearWorld, **settings: Any) -> float:
    return run_online(world, rounds=500, sampler="reference", **settings).cumulative(500)[0]


def test_slates_of_more_responses_teach_more() -> None:
    world = simulate_world(**SMALL)
    regret = [np.mean([_regret(world, options=k, seed=seed) for seed in range(4)]) for k in (2, 5)]
    assert regret[1] < 0.8 * regret[0]


def test_the_seed_fixes_a_run() -> None:
    world = simulate_world(**SMALL)
    one, same, other = (run_online(world, rounds=300, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.regret, same.regret)
    assert not np.array_equal(one.regret, other.regret)


def test_the_last_wrong_response_is_known() -> None:
    run = run_online(simulate_world(**SMALL), rounds=ROUNDS)
    after = run.rounds > run.last_wrong
    assert (run.wrong[after] == 0.0).all()
    assert run.wrong[~after][-1].max() > 0.0
    one = run_online(simulate_world(**{**SMALL, "actions": 1}), rounds=100)
    assert one.last_wrong == -1


@pytest.mark.parametrize(
    "degenerate",
    [{"people": 1, "late": 0}, {"latent": 1}, {"actions": 1}, {"contexts": 1}, {"late": 1}],
)
@pytest.mark.parametrize("heads", ["known", "unknown"])
def test_degenerate_worlds_have_finite_regret(degenerate: dict[str, int], heads: Any) -> None:
    world = simulate_world(**{**SMALL, "min_gap": 0.0, "late": 2, **degenerate})
    run = run_online(world, rounds=200, heads=heads)
    for array in (run.regret, run.gap, run.wrong):
        assert np.isfinite(array).all()
    if "actions" in degenerate:
        assert run.regret[-1].max() == 0.0


def test_settings_are_checked() -> None:
    world = simulate_world(**SMALL)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"deploy": "boldly"}, "deploy is one of greedy"),
        ({"sampler": "best"}, "sampler is one of"),
        ({"heads": "guessed"}, "'known' or 'unknown'"),
        ({"options": 1}, "at least 2 options"),
        ({"rounds": 0}, "must be positive"),
        ({"ridge": 0.0}, "ridge"),
        ({"exploration": -1.0}, "exploration"),
    ]
    for wrong, named in cases:
        with pytest.raises(ParameterError, match=named):
            run_online(world, **({"rounds": 10} | wrong))
    for share, budget in ((1.5, 1.0), (-0.1, 1.0), (0.1, -1.0)):
        with pytest.raises(ParameterError, match="late_share must lie from 0 to 1"):
            Service(share, budget)
