"""Expectation propagation: exact for one answer, and near brute force for many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from belief_cases import Sampled, covariance, log_likelihood, make_component, make_picks
from scipy.integrate import quad
from scipy.special import expit, ndtr
from scipy.stats import norm

from palate.preference import propagation
from palate.preference.laplace import laplace
from palate.preference.propagation import Propagated, propagate

if TYPE_CHECKING:
    from belief_cases import Picks

    from palate._typing import FloatArray, IndexArray
    from palate.preference.gaussian import Component

SLOPES = (0.75, 3.0, 12.0)


def rows_of(picks: Picks, n: int) -> tuple[FloatArray, IndexArray]:
    """Answers as differences of utilities, and the pick of each row."""
    rows = [np.eye(n)[w] - np.eye(n)[v] for w, losers in picks for v in losers]
    groups = [g for g, (_, losers) in enumerate(picks) for _ in losers]
    return np.array(rows), np.array(groups)


def fitted(component: Component, picks: Picks, slope: float) -> Propagated:
    rows, groups = rows_of(picks, len(component.mean))
    return propagate(
        component.mean[None], covariance(component)[None], rows, groups, np.array([slope])
    )


def test_the_mixture_is_the_logistic_function() -> None:
    x = np.linspace(-30.0, 30.0, 2001)
    assert ndtr(
        x[:, None] / np.sqrt(propagation._VARIANCES)
    ) @ propagation._SHARES == pytest.approx(expit(x), abs=3e-9)


@pytest.mark.parametrize("slope", [0.1, *SLOPES, 60.0])
@pytest.mark.parametrize("mean", [-2.0, 0.0, 1.0])
def test_one_pair_has_the_moments_of_quadrature(mean: float, slope: float) -> None:
    """Utilities of mean (mean, 0) and variances 0.7 and 0.5: a margin of variance 1.2."""
    prior = np.diag([0.7, 0.5])
    fit = propagate(
        np.array([[mean, 0.0]]),
        prior[None],
        np.array([[1.0, -1.0]]),
        np.array([0]),
        np.array([slope]),
    )

    def moment(power: int) -> float:
        def integrand(f: float) -> float:
            return f**power * expit(slope * f) * norm.pdf(f, mean, np.sqrt(1.2))

        return float(quad(integrand, -9.0, 9.0, points=[0.0], limit=400)[0])

    total, first, second = (moment(power) for power in range(3))
    assert fit.log_evidence[0] == pytest.approx(np.log(total), abs=1e-6)
    towards = np.array([1.0, -1.0]) @ prior
    assert mean + towards @ fit.coefficients[0] == pytest.approx(first / total, abs=1e-6)
    variance = second / total - (first / total) ** 2
    assert 1.2 - towards @ fit.gain[0] @ towards == pytest.approx(variance, abs=1e-6)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("seed", range(3))
def test_many_pairs_have_the_moments_of_brute_force(seed: int, slope: float) -> None:
    component = make_component(6, seed=seed)
    picks = make_picks(6, 7, seed=seed)
    fit, truth = fitted(component, picks, slope), Sampled(component, slope, picks)
    k = covariance(component)
    margins = rows_of(picks, 6)[0]
    means = margins @ (component.mean + k @ fit.coefficients[0])
    exact = truth.utilities @ margins.T
    assert means == pytest.approx(truth.mean(exact), abs=0.06)
    variances = np.diagonal(margins @ (k - k @ fit.gain[0] @ k) @ margins.T)
    assert variances == pytest.approx(truth.mean((exact - truth.mean(exact)) ** 2), abs=0.1)
    assert fit.log_evidence[0] == pytest.approx(truth.log_evidence, abs=0.12)


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize("k", [3, 4])
def test_picks_out_of_more_are_near_brute_force(k: int, slope: float) -> None:
    component = make_component(8, seed=k)
    picks = make_picks(8, 4, k=k, seed=k)
    fit, truth = fitted(component, picks, slope), Sampled(component, slope, picks)
    means = component.mean + covariance(component) @ fit.coefficients[0]
    margins = rows_of(picks, 8)[0]
    exact = truth.mean(truth.utilities @ margins.T)
    assert np.sqrt(np.mean((margins @ means - exact) ** 2)) < 0.15
    assert fit.log_evidence[0] == pytest.approx(truth.log_evidence, abs=0.1 * len(picks))


def test_it_is_nearer_than_laplace_where_answers_are_certain() -> None:
    component = make_component(6, seed=1)
    utilities = np.arange(6.0)
    picks: Picks = [(j, [i]) for i in range(6) for j in range(i + 1, 6)][::2]
    assert all(utilities[w] > utilities[v] for w, (v,) in picks)
    rows, groups = rows_of(picks, 6)
    truth = Sampled(component, 12.0, picks, n=400_000)
    k = covariance(component)
    mode = laplace(
        (rows @ component.mean)[None], (rows @ k @ rows.T)[None], groups, np.array([12.0])
    )
    fit = fitted(component, picks, 12.0)
    exact = truth.mean(truth.utilities @ rows.T)
    margins = [
        rows @ (component.mean + k @ fit.coefficients[0]),
        rows @ component.mean + rows @ k @ rows.T @ mode.coefficients[0],
    ]
    errors = [float(np.abs(m - exact).max()) for m in margins]
    assert errors[0] < 0.2 * errors[1]
    evidences = [fit.log_evidence[0], mode.log_evidence[0]]
    doubts = [abs(e - truth.log_evidence) for e in evidences]
    assert doubts[0] < 0.2 * doubts[1]


@pytest.mark.parametrize("slope", [*SLOPES, 240.0])
@pytest.mark.parametrize("t", [1, 5, 30, 60])
def test_a_pair_asked_again_and_again_ends(t: int, slope: float) -> None:
    """All factors of one margin at once overshoot, unless the steps become shorter."""
    component = make_component(3, residual=0.5)
    for picks in ([(0, [1])] * t, [(0, [1]), (1, [0])] * t, [(0, [1, 2])] * t):
        fit = fitted(component, picks, slope)
        assert np.isfinite(fit.coefficients).all()
        rows, groups = rows_of(picks, 3)
        # A fixed point: nothing is left to move but what the tolerance allows.
        again = propagate(
            component.mean[None],
            covariance(component)[None],
            np.vstack([rows, np.zeros((1, 3))]),
            np.append(groups, groups[-1] + 1),
            np.array([slope]),
        )
        moved = covariance(component) @ (again.coefficients - fit.coefficients)[0]
        assert np.abs(moved).max() < 5e-3
        assert again.log_evidence - np.log(0.5) == pytest.approx(fit.log_evidence, abs=2e-2)


def test_contradictions_speak_for_shallow_slopes_and_agreement_for_steep_ones() -> None:
    component = make_component(4, seed=2)
    evidence = [
        [fitted(component, picks, slope).log_evidence[0] for slope in SLOPES]
        for picks in ([(0, [1]), (1, [2]), (2, [0])] * 2, [(0, [1]), (1, [2]), (0, [2])] * 2)
    ]
    assert evidence[0] == sorted(evidence[0], reverse=True)
    assert evidence[1] == sorted(evidence[1])


def test_margins_that_cannot_vary_are_left_alone() -> None:
    """Equal responses without a residual: the answer is a coin flip, and teaches nothing."""
    prior = np.ones((2, 2))
    fit = propagate(
        np.zeros((1, 2)), prior[None], np.array([[1.0, -1.0]]), np.array([0]), np.array([3.0])
    )
    assert prior @ fit.coefficients[0] == pytest.approx([0.0, 0.0], abs=1e-6)
    assert fit.log_evidence[0] == pytest.approx(-np.log(2.0), abs=1e-6)


def test_each_combination_is_as_it_is_alone() -> None:
    components = [make_component(6, seed=seed) for seed in range(3)]
    rows, groups = rows_of([*make_picks(6, 4), (0, [1, 2, 3])], 6)
    slopes = np.array(SLOPES)
    means = np.stack([c.mean for c in components])
    covariances = np.stack([covariance(c) for c in components])
    together = propagate(means, covariances, rows, groups, slopes)
    for c in range(3):
        alone = propagate(means[[c]], covariances[[c]], rows, groups, slopes[[c]])
        for name in ("coefficients", "gain", "precision", "shift", "log_evidence"):
            got, expected = getattr(together, name)[c], getattr(alone, name)[0]
            assert got == pytest.approx(expected, rel=1e-9, abs=1e-10), name


def test_where_it_starts_makes_it_quicker_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """From the factors without the last picks, as a belief does, or from far away."""
    sweeps, moments = [], propagation._moments

    def counting(*arguments: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        sweeps.append(1)
        return moments(*arguments)

    monkeypatch.setattr(propagation, "_moments", counting)
    slopes, taken = np.array(SLOPES), np.zeros(2)
    for seed in range(8):
        component = make_component(8, seed=seed)
        mean = np.repeat(component.mean[None], len(slopes), axis=0)
        prior = np.repeat(covariance(component)[None], len(slopes), axis=0)
        rows, groups = rows_of(make_picks(8, 12, seed=seed), 8)
        less = propagate(mean, prior, rows[:-1], groups[:-1], slopes)
        sweeps.clear()
        anew = propagate(mean, prior, rows, groups, slopes)
        taken[0] += len(sweeps)
        sweeps.clear()
        on = propagate(mean, prior, rows, groups, slopes, start=(less.precision, less.shift))
        taken[1] += len(sweeps)
        wrong = (anew.precision + 10.0, -anew.shift)
        far = propagate(mean, prior, rows, groups, slopes, start=wrong)
        for other in (on, far):
            for name in ("coefficients", "log_evidence"):
                expected = pytest.approx(getattr(anew, name), rel=0.01, abs=1e-3)
                assert getattr(other, name) == expected
    assert taken[1] < 0.8 * taken[0]


@pytest.mark.parametrize("groups", [[0, 1, 2], [0, 0, 1], [0, 0, 0]], ids=str)
def test_the_likelihood_is_the_multinomial_one(groups: list[int]) -> None:
    logits = np.random.default_rng(0).normal(size=(5, 3)) * 50.0
    first = np.flatnonzero(np.diff(groups, prepend=-1))
    expected = [log_likelihood(row, np.array(groups)) for row in logits]
    assert propagation.log_likelihood(logits, first) == pytest.approx(expected)
