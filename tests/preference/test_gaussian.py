"""Gaussian beliefs: against dense computations, against brute force, and what they must tell."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from belief_cases import (
    Sampled,
    as_mixture,
    consistent_picks,
    covariance,
    make_component,
    make_picks,
    one_belief,
    told,
)
from scipy.stats import norm

from palate.preference.belief import Draws, best_of_options, best_shares, expected_regret
from palate.preference.gaussian import Component
from palate.preference.propagation import propagate

if TYPE_CHECKING:
    from belief_cases import Picks

    from palate._typing import FloatArray
    from palate.preference.gaussian import GaussianBelief

SLOPES = (0.75, 1.5, 3.0, 6.0, 12.0)


def drawn(belief: GaussianBelief, n: int = 20_000, seed: int = 0) -> FloatArray:
    return belief.draws(np.random.default_rng(seed), n).utilities


def whole(n: int, picks: Picks) -> tuple[FloatArray, list[int]]:
    """Answers as rows over all N responses, and their picks."""
    rows = [np.eye(n)[w] - np.eye(n)[v] for w, losers in picks for v in losers]
    return np.array(rows), [g for g, (_, losers) in enumerate(picks) for _ in losers]


# --- against dense computations ------------------------------------------------------------------


@pytest.mark.parametrize("k", [2, 3])
def test_means_and_spreads_are_those_of_the_dense_posterior(k: int) -> None:
    """In all N dimensions, from the factors of the rows: a Gaussian regression by the book."""
    n, slope = 9, 3.0
    component, picks = make_component(n), make_picks(n, 6, k=k)
    belief = told(one_belief(component, slope), picks)
    rows, groups = whole(n, picks)
    prior = covariance(component)
    fit = propagate(component.mean[None], prior[None], rows, np.array(groups), np.array([slope]))
    precision = np.linalg.inv(prior) + rows.T @ np.diag(fit.precision[0]) @ rows
    posterior = np.linalg.inv(precision)
    mean = posterior @ (np.linalg.solve(prior, component.mean) + fit.shift[0] @ rows)
    assert belief.mean() == pytest.approx(mean, abs=1e-4)
    for incumbent in (0, n - 1):
        gaps, deviations = belief._differences(incumbent)
        off = np.eye(n) - np.eye(n)[incumbent]
        expected = np.sqrt(np.maximum(np.diagonal(off @ posterior @ off.T), 1e-12))
        assert gaps[0] == pytest.approx(off @ mean, abs=1e-4)
        assert deviations[0] == pytest.approx(expected, abs=1e-4)


def test_answers_one_by_one_are_answers_all_at_once() -> None:
    """Whether what an answer before left in store is used or not."""
    components = [make_component(8, seed=s, weight=w) for s, w in ((0, 1.0), (1, 2.0))]
    picks = [*make_picks(8, 12), (3, [1, 4, 6]), (2, []), (7, [3])]
    start = as_mixture(components, SLOPES)
    step_by_step = start
    for winner, losers in picks:
        step_by_step.mean()
        step_by_step = step_by_step.update(winner, losers)
    at_once = told(start, picks)
    assert step_by_step.mean() == pytest.approx(at_once.mean(), abs=1e-9)
    assert step_by_step.weights == pytest.approx(at_once.weights, abs=1e-9)
    assert drawn(step_by_step, 50) == pytest.approx(drawn(at_once, 50), abs=1e-6)


def test_an_update_leaves_the_belief_as_it_was() -> None:
    belief = told(as_mixture([make_component(6)], SLOPES), make_picks(6, 3))
    mean, weights, some = belief.mean().copy(), belief.weights.copy(), drawn(belief, 20)
    branches = [belief.update(0, [1]), belief.update(1, [0]), belief.update(2, [3, 4])]
    assert len({tuple(branch.mean().round(6)) for branch in branches}) == 3
    assert np.array_equal(belief.mean(), mean)
    assert np.array_equal(belief.weights, weights)
    assert np.array_equal(drawn(belief, 20), some)


# --- draws ---------------------------------------------------------------------------------------


def test_before_any_answer_draws_have_the_moments_of_the_prior() -> None:
    component = make_component(6)
    u = drawn(one_belief(component, 3.0), 100_000)
    assert u.mean(axis=0) == pytest.approx(component.mean, abs=0.02)
    assert np.cov(u.T) == pytest.approx(covariance(component), abs=0.03)


@pytest.mark.parametrize("slope", [0.75, 4.0])
@pytest.mark.parametrize("k", [2, 4])
def test_draws_have_the_moments_of_brute_force(k: int, slope: float) -> None:
    component, picks = make_component(7, seed=3), make_picks(7, 4, k=k, seed=3)
    truth = Sampled(component, slope, picks)
    u = drawn(told(one_belief(component, slope), picks), 40_000)
    mean = truth.mean(truth.utilities)
    assert u.mean(axis=0) == pytest.approx(mean, abs=0.05)
    off = truth.utilities - mean
    expected = truth.mean(off[:, :, None] * off[:, None, :])
    assert np.cov(u.T) == pytest.approx(expected, abs=0.06)


def test_draws_keep_what_certain_answers_say() -> None:
    """Where Gaussians alone would give a tenth of each margin the wrong sign."""
    component = make_component(8, seed=4)
    truth = np.random.default_rng(4).normal(size=8)
    picks: Picks = [
        (i, [j]) if truth[i] > truth[j] else (j, [i])
        for i, j in itertools.combinations(range(8), 2)
    ][::3]
    exact = Sampled(component, 60.0, picks, n=400_000)
    belief = told(one_belief(component, 60.0), picks)
    u = drawn(belief, 20_000)
    for winner, (loser,) in picks:
        wrong = float((u[:, winner] < u[:, loser]).mean())
        contrary = exact.utilities[:, winner] < exact.utilities[:, loser]
        expected = float(exact.mean(contrary.astype(np.float64)))
        assert wrong == pytest.approx(expected, abs=0.03)
    best = np.bincount(exact.utilities.argmax(axis=1), exact.weights, 8)
    shares = best_shares(belief.draws(np.random.default_rng(1), 20_000))
    assert shares == pytest.approx(best, abs=0.04)


def test_the_expected_regret_is_that_of_brute_force() -> None:
    component = make_component(10, seed=5)
    utilities = np.random.default_rng(5).normal(size=10)
    picks = consistent_picks(utilities, 6, seed=5)
    exact = Sampled(component, 6.0, picks, n=400_000)
    belief = told(one_belief(component, 6.0), picks)
    incumbent = int(belief.mean().argmax())
    best = exact.utilities.max(axis=1)
    lost = exact.mean(best - exact.utilities[:, incumbent])
    share = float(lost / exact.mean(best - exact.utilities.min(axis=1)))
    draws = belief.draws(np.random.default_rng(0), 20_000)
    assert expected_regret(draws, incumbent) == pytest.approx(share, rel=0.08)


def test_components_and_slopes_are_drawn_in_proportion_and_in_no_order() -> None:
    belief = told(as_mixture([make_component(6)], SLOPES), make_picks(6, 3))
    draws = belief.draws(np.random.default_rng(0), 2000)
    counts = [(draws.slopes == s).mean() for s in SLOPES]
    assert counts == pytest.approx(belief.weights[0], abs=2e-3)
    halves = [(draws.slopes[part] == SLOPES[0]).mean() for part in (slice(1000), slice(1000, None))]
    assert abs(halves[0] - halves[1]) < 0.1


def test_the_same_generator_draws_the_same() -> None:
    belief = told(as_mixture([make_component(6)], SLOPES), make_picks(6, 3))
    assert np.array_equal(drawn(belief, 30, seed=1), drawn(belief, 30, seed=1))
    assert not np.array_equal(drawn(belief, 30, seed=1), drawn(belief, 30, seed=2))


# --- what follows from it ------------------------------------------------------------------------


def mixed() -> GaussianBelief:
    components = [make_component(7, seed=6, weight=0.3), make_component(7, seed=7, weight=0.7)]
    return told(as_mixture(components, (1.5, 6.0)), make_picks(7, 4, seed=6))


def test_the_advantage_is_the_quantile_of_the_mixture() -> None:
    belief = mixed()
    for level in (0.6, 0.95, 0.999):
        advantage = belief.advantage(2, level)
        means, deviations = belief._differences(2)
        inside = norm.cdf((advantage - means) / deviations)
        others = np.arange(7) != 2
        assert (belief.weights.reshape(-1) @ inside)[others] == pytest.approx(level, abs=1e-6)
        assert advantage[2] == 0.0


def test_the_advantage_of_a_single_component_is_in_closed_form() -> None:
    belief = told(one_belief(make_component(6), 3.0), make_picks(6, 3))
    means, deviations = belief._differences(1)
    expected = norm.ppf(0.9, means[0], deviations[0])
    assert np.delete(belief.advantage(1, 0.9), 1) == pytest.approx(np.delete(expected, 1))


def test_the_challenger_has_the_largest_advantage_of_those_left() -> None:
    belief = mixed()
    advantage = belief.advantage(2, 0.95)
    first, second = [i for i in np.argsort(-advantage).tolist() if i != 2][:2]
    assert belief.challenger(2, 0.95).index == first
    assert belief.challenger(2, 0.95).value == pytest.approx(advantage[first])
    assert belief.challenger(2, 0.95, [first]).index == second
    assert belief.challenger(2, 0.95, [0, 1, 3, 4, 5, 6]).index == -1


def test_the_best_of_two_is_that_of_many_draws() -> None:
    belief = mixed()
    draws = Draws(drawn(belief, 200_000), np.ones(200_000))
    # The closed form is of the Gaussians; what draws add to them is small for answers in doubt.
    by_draws = super(type(belief), belief).best_of_two(3, lambda: draws)
    assert belief.best_of_two(3, lambda: draws) == pytest.approx(by_draws, abs=0.03)


def test_the_best_of_two_is_in_closed_form_before_any_answer() -> None:
    component = make_component(5)
    belief = one_belief(component, 3.0)
    draws = Draws(drawn(belief, 200_000), np.ones(200_000))
    pairs = np.array([(3, j) for j in range(5)])
    assert belief.best_of_two(3, lambda: draws) == pytest.approx(
        best_of_options(draws, pairs), abs=0.01
    )


# --- what it must tell ---------------------------------------------------------------------------


def slope_weights(picks: Picks) -> FloatArray:
    component = make_component(8, seed=8)
    return np.asarray(told(as_mixture([component], SLOPES), picks).weights[0])


def test_consistent_answers_make_steep_slopes_likely_and_coin_flips_shallow_ones() -> None:
    utilities = make_component(8, seed=8).factor @ np.array([2.0, 1.0, -1.0, 0.5])
    sure = slope_weights(consistent_picks(utilities, 25))
    flips = slope_weights(make_picks(8, 25))
    assert sure[3:].sum() > 0.6
    assert flips[:2].sum() > 0.9


def test_a_component_that_answers_speak_against_loses_its_weight() -> None:
    right, wrong = make_component(10, seed=9), make_component(10, seed=10)
    utilities = right.mean + right.factor @ np.random.default_rng(9).normal(size=4)
    belief = told(as_mixture([right, wrong], (3.0, 6.0)), consistent_picks(utilities, 20))
    before = as_mixture([right, wrong], (3.0, 6.0)).weights.sum(axis=1)
    assert before == pytest.approx([0.5, 0.5])
    assert belief.weights.sum(axis=1)[0] > 0.85


def test_the_weights_are_those_of_the_evidence() -> None:
    components = [make_component(5, seed=s, weight=w) for s, w in ((0, 0.2), (1, 0.8))]
    picks = make_picks(5, 4)
    belief = told(as_mixture(components, (1.5, 6.0)), picks)
    evidence = np.array(
        [
            [c.weight * np.exp(Sampled(c, s, picks).log_evidence) for s in (1.5, 6.0)]
            for c in components
        ]
    )
    assert belief.weights == pytest.approx(evidence / evidence.sum(), abs=0.02)


def test_a_pick_out_of_more_says_more() -> None:
    component = make_component(8, seed=11)
    narrow = told(one_belief(component, 3.0), [(0, [1])])
    wide = told(one_belief(component, 3.0), [(0, [1, 2, 3])])
    assert wide.mean()[0] > narrow.mean()[0]
    spreads = [b._differences(7)[1][0, 0] for b in (narrow, wide)]
    assert spreads[1] < spreads[0]
    assert (wide.mean()[[1, 2, 3]] < component.mean[[1, 2, 3]]).all()


def test_features_carry_answers_over_to_what_was_not_shown() -> None:
    factor = np.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [0.1, 0.9]])
    belief = told(one_belief(Component(np.zeros(4), factor, 0.1), 3.0), [(0, [1])])
    assert belief.mean()[2] > belief.mean()[3]


# --- edges ---------------------------------------------------------------------------------------


def test_without_features_only_what_was_shown_changes() -> None:
    component = Component(np.zeros(6), np.zeros((6, 1)), 1.0)
    belief = told(one_belief(component, 3.0), [(0, [1]), (0, [2])])
    assert belief.mean()[3:] == pytest.approx([0.0, 0.0, 0.0], abs=1e-9)
    assert belief.mean()[0] > 0.3
    assert np.cov(drawn(belief, 50_000).T)[3:, 3:] == pytest.approx(np.eye(3), abs=0.03)


def test_without_a_residual_equal_features_have_equal_utilities() -> None:
    factor = np.array([[1.0], [1.0], [-0.5]])
    belief = told(one_belief(Component(np.zeros(3), factor, 0.0), 6.0), [(0, [2]), (1, [0])])
    assert belief.mean()[0] == pytest.approx(belief.mean()[1])
    u = drawn(belief, 100)
    assert u[:, 0] == pytest.approx(u[:, 1], abs=1e-6)
    assert belief.advantage(0, 0.95)[1] == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("n", [1, 2])
def test_the_smallest_pools(n: int) -> None:
    belief = as_mixture([make_component(n)], SLOPES)
    if n == 2:
        belief = belief.update(1, [0])
        assert belief.mean()[1] > belief.mean()[0]
    assert drawn(belief, 10).shape == (10, n)
    assert belief.challenger(0, 0.95).index == (-1 if n == 1 else 1)


@pytest.mark.parametrize("slope", [1e-3, 1e3])
def test_extreme_slopes_and_long_contradictions_stay_finite(slope: float) -> None:
    picks: Picks = [(0, [1]), (1, [0])] * 20 + [(2, [0, 1])] * 10
    belief = told(as_mixture([make_component(4)], (slope, 3.0)), picks)
    assert np.isfinite(belief.mean()).all()
    assert np.isfinite(belief.weights).all()
    assert np.isfinite(drawn(belief, 50)).all()


def test_a_generator_that_is_used_again_draws_something_else() -> None:
    """Though the numbers of one that begins alike are kept, in pools small and large."""
    for n in (6, 300):
        belief = told(as_mixture([make_component(n)], SLOPES), make_picks(6, 3))
        rng, alike = np.random.default_rng(5), np.random.default_rng(5)
        first, second = (belief.draws(rng, 50).utilities for _ in range(2))
        assert np.array_equal(first, belief.draws(alike, 50).utilities)
        assert np.array_equal(second, belief.draws(alike, 50).utilities)
        assert not np.allclose(first, second)
        other = np.random.Generator(np.random.MT19937(5))
        assert not np.allclose(belief.draws(other, 50).utilities, first)


def test_draws_of_few_responses_shown_agree_with_those_of_more() -> None:
    """The numbers behind them stay when a further response is shown, in whatever order asked."""
    start = as_mixture([make_component(7)], SLOPES)
    less, more = told(start, make_picks(7, 2)), told(start, make_picks(7, 6))
    several = [drawn(belief, 40, 9) for belief in (more, less, more)]
    assert np.array_equal(several[0], several[2])
    assert np.array_equal(several[1], drawn(less, 40, 9))
