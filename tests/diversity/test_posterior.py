from __future__ import annotations

import numpy as np
import pytest
from diversity_cases import every_z, fitted, town

from palate.diversity import Served, expected_gap, laplace
from palate.diversity.posterior import prior_variance
from palate.diversity.rows import margins

PLACE = town(dims=2, silent=10)


def test_the_posterior_is_the_inverse_of_fisher_information_and_prior() -> None:
    rows = PLACE.answers(300)
    found = laplace(rows, PLACE.heads, PLACE.basis, variance=0.7)
    z = every_z(rows, PLACE.heads)
    p = 1.0 / (1.0 + np.exp(-margins(rows, PLACE.heads, PLACE.basis)))
    precision = (z.T * (p * (1.0 - p))) @ z + np.eye(z.shape[1]) / 0.7
    units = np.eye(z.shape[1]).reshape(-1, *PLACE.basis.shape)
    covariance = found.answered.applied(units, found.deviations() ** 2).reshape(z.shape[1], -1)
    np.testing.assert_allclose(covariance, np.linalg.inv(precision), rtol=1e-7, atol=1e-10)
    # With ever more answers only what they say nothing of stays, at the prior's variance.
    left = found.answered.applied(units, found.deviations(np.inf) ** 2).reshape(z.shape[1], -1)
    expected = np.zeros(PLACE.basis.shape)
    expected[2] = 0.7
    np.testing.assert_allclose(left, np.diag(expected.reshape(-1)), atol=1e-9)


def test_the_evidence_finds_the_variance_of_the_entries() -> None:
    place = town(latent=6, dims=6, features=10, answering=40, silent=0, seed=3)
    rows = place.answers(20_000)
    basis = fitted(place, rows)
    found = laplace(rows, place.heads, basis)
    assert found.variance == pytest.approx(float((place.basis**2).mean()), rel=0.2)
    # A fixed point: s2 = |B|^2 / gamma, gamma the number of entries that answers determine.
    many = prior_variance(found.answered, basis, steps=200)
    gamma = (found.answered.values / (found.answered.values + 1.0 / many)).sum()
    assert many == pytest.approx(float((basis**2).sum() / gamma))


def test_unseen_entries_do_not_lower_the_variance() -> None:
    rows = PLACE.answers(5_000)
    basis = fitted(PLACE, rows)
    found = laplace(rows, PLACE.heads, basis)
    seen = float((basis[:2] ** 2).mean())
    assert found.variance == pytest.approx(seen, rel=0.1)


def test_without_answers_or_basis_the_variance_is_that_of_the_entries() -> None:
    nothing = PLACE.answers(5).of(np.arange(0))
    found = laplace(nothing, PLACE.heads, PLACE.basis)
    assert found.variance == pytest.approx(float((PLACE.basis**2).mean()))
    flat = laplace(PLACE.answers(5), PLACE.heads, np.zeros_like(PLACE.basis))
    assert flat.variance == 0.0
    assert not expected_gap(PLACE.served(), flat).gap.any()


def test_the_expected_gap_is_that_of_truths_drawn_from_the_posterior() -> None:
    rows = PLACE.answers(400)
    found = laplace(rows, PLACE.heads, PLACE.basis, variance=2.0)
    served = PLACE.served()
    said = expected_gap(served, found, draws=400)
    z = every_z(rows, PLACE.heads)
    units = np.eye(z.shape[1]).reshape(-1, *PLACE.basis.shape)
    covariance = found.answered.applied(units, found.deviations() ** 2).reshape(z.shape[1], -1)
    rng = np.random.default_rng(1)
    drawn = rng.multivariate_normal(PLACE.basis.reshape(-1), covariance, size=400)
    rewards = np.stack([served.rewards(b.reshape(PLACE.basis.shape)) for b in drawn])
    rewards = rewards.reshape(400, -1, 12)
    best = served.rewards(PLACE.basis).reshape(-1, 12).argmax(axis=1)
    taken = np.take_along_axis(rewards, best[None, :, None], axis=2)[:, :, 0]
    lost = rewards.max(axis=2) - taken
    assert said.gap.mean() == pytest.approx(lost.mean(), rel=0.1)
    assert said.flip.mean() == pytest.approx((lost > 0.0).mean(), rel=0.1)
    assert np.corrcoef(said.gap, lost.mean(axis=0))[0, 1] > 0.95


@pytest.mark.parametrize("n", [2_000, 8_000])
def test_it_comes_near_the_true_loss_and_tells_the_uncovered(n: int) -> None:
    """Simulated, as the experiment on fitted models but smaller."""
    rng = range(6)
    said = np.zeros(2)
    true = np.zeros(2)
    for seed in rng:
        place = town(latent=4, dims=3, features=8, answering=30, silent=20, seed=seed)
        rows = place.answers(n, seed=seed)
        basis = fitted(place, rows)
        found = expected_gap(place.served(), laplace(rows, place.heads, basis))
        by_person = found.gap.reshape(-1, 10).mean(axis=1)
        loss = place.loss(basis)
        said += by_person[:30].mean(), by_person[30:].mean()
        true += loss[:30].mean(), loss[30:].mean()
    ratio = said / true
    assert (ratio > 0.7).all()
    assert (ratio < 1.4).all()
    assert said[1] > 10.0 * said[0]


def test_more_answers_lower_it_to_the_floor() -> None:
    rows = PLACE.answers(500)
    found = laplace(rows, PLACE.heads, fitted(PLACE, rows))
    served = PLACE.served()
    by_growth = [
        expected_gap(served, found, growth=g).gap.reshape(-1, 10).mean(axis=1)
        for g in (0.2, 1.0, 5.0, 1e9, np.inf)
    ]
    main = [gap[:20].mean() for gap in by_growth]
    silent = [gap[20:].mean() for gap in by_growth]
    assert main[0] > main[1] > main[2] > 1e-3
    assert main[4] == 0.0
    assert silent[4] > 0.5 * silent[1] > 0.0
    np.testing.assert_allclose(by_growth[3], by_growth[4], atol=1e-3)


def test_questions_of_one_response_lose_nothing() -> None:
    rows = PLACE.answers(100)
    found = laplace(rows, PLACE.heads, PLACE.basis)
    served = Served.of_pools(PLACE.heads, [PLACE.pools[0][:1], PLACE.pools[1]])
    gap = expected_gap(served, found).gap.reshape(-1, 2)
    assert not gap[:, 0].any()
    assert gap[:, 1].any()
