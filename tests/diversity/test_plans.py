from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from diversity_cases import Town, every_z, fitted, town

from palate.diversity import (
    Posterior,
    Rows,
    contests,
    laplace,
    open_directions,
    plan_queries,
    plan_users,
)
from palate.diversity.rows import margins
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate.diversity.directions import Open

PLACE = town(dims=2)


def state(place: Town, n: int = 600) -> tuple[Posterior, Rows, Open]:
    rows = place.answers(n)
    posterior = laplace(rows, place.heads, fitted(place, rows))
    served = contests(place.served(), posterior.basis).rows
    return posterior, served, open_directions(served, place.heads, posterior)


def dense(posterior: Posterior, served: Rows, heads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A and Omega, in full."""
    size = posterior.basis.size
    units = np.eye(size).reshape(size, *posterior.basis.shape)
    covariance = posterior.answered.applied(units, posterior.deviations() ** 2).reshape(size, size)
    z = every_z(served, heads)
    spread = np.einsum("na,ab,nb->n", z, covariance, z)
    weights = np.exp(-0.5 * margins(served, heads, posterior.basis) ** 2 / spread)
    return covariance, (z.T * weights) @ z


def test_open_directions_are_those_of_the_weighted_contests() -> None:
    posterior, served, unknown = state(PLACE)
    covariance, omega = dense(posterior, served, PLACE.heads)
    assert unknown.total == pytest.approx(np.trace(covariance @ omega))
    sums = unknown.sums.reshape(len(unknown.sums), -1)
    np.testing.assert_allclose(sums.T @ sums, omega, atol=1e-6 * np.abs(omega).max())
    np.testing.assert_allclose(
        unknown.loadings.reshape(len(sums), -1), sums @ covariance, atol=1e-7
    )
    assert unknown.shares.sum() == pytest.approx(1.0, abs=1e-6)
    assert (np.diff(unknown.shares) <= 1e-12).all()
    # What nobody who answered has carries nearly all of it.
    lacking = (unknown.vectors[:, 2] ** 2).sum() / unknown.total
    assert lacking > 0.9


def test_a_large_basis_gives_the_same_without_a_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    posterior, served, exact = state(PLACE)
    monkeypatch.setattr("palate.diversity.directions.EXACT", 1)
    found = open_directions(served, PLACE.heads, posterior, most=6)
    np.testing.assert_allclose(found.shares, exact.shares[:6], rtol=1e-3)
    np.testing.assert_allclose(np.abs(found.vectors), np.abs(exact.vectors[:6]), atol=1e-2)
    monkeypatch.setattr("palate.diversity.directions.MOST_LARGE", 2)
    assert len(open_directions(served, PLACE.heads, posterior).vectors) == 2


def test_the_worth_of_an_answer_is_what_it_closes() -> None:
    posterior, served, unknown = state(PLACE)
    candidates = served.of(np.arange(0, len(served), 40))
    covariance, omega = dense(posterior, served, PLACE.heads)
    plan = plan_queries(candidates, PLACE.heads, posterior, unknown, 4)
    z = every_z(candidates, PLACE.heads)
    first = np.trace(covariance @ omega)
    for chosen, gain in zip(plan.chosen, plan.gains, strict=True):
        # Each choice is the best there is, worth what the trace falls by.
        falls = []
        for q in z:
            after = covariance - np.outer(covariance @ q, covariance @ q) / (4 + q @ covariance @ q)
            falls.append(np.trace((covariance - after) @ omega) / first)
        assert gain == pytest.approx(falls[chosen], rel=1e-4)
        assert gain == pytest.approx(max(falls), rel=1e-4)
        q = z[chosen]
        covariance -= np.outer(covariance @ q, covariance @ q) / (4 + q @ covariance @ q)
    assert plan.left == pytest.approx(np.trace(covariance @ omega) / first, rel=1e-4)
    assert len(set(plan.chosen.tolist())) == 4


def test_people_are_worth_what_their_questions_are() -> None:
    posterior, served, unknown = state(PLACE)
    candidates = served.of(np.arange(0, len(served), 10))
    plan = plan_users(candidates, PLACE.heads, posterior, unknown, 2)
    covariance, omega = dense(posterior, served, PLACE.heads)
    z = every_z(candidates, PLACE.heads)
    first = np.trace(covariance @ omega)
    for person, gain in zip(plan.chosen, plan.gains, strict=True):
        pulled = z @ covariance
        worth = np.einsum("na,ab,nb->n", pulled, omega, pulled) / (
            4 + np.einsum("na,na->n", pulled, z)
        )
        by_person = np.array([worth[candidates.person == i].mean() for i in range(26)]) / first
        assert gain == pytest.approx(by_person[person], rel=1e-4)
        assert person == by_person.argmax()
        for q in z[candidates.person == person]:
            covariance -= np.outer(covariance @ q, covariance @ q) / (4 + q @ covariance @ q)
    assert plan.left == pytest.approx(np.trace(covariance @ omega) / first, rel=1e-4)


@pytest.mark.parametrize("seed", range(5))
def test_those_who_cover_the_missing_direction_are_recruited(seed: int) -> None:
    """Simulated, as the experiment on recruiting but smaller: 3 of 40 candidates cover it."""
    place = town(latent=4, dims=3, features=8, answering=37, silent=23, seed=seed)
    rows = place.answers(4_000, seed=seed)
    basis = fitted(place, rows)
    posterior = laplace(rows, place.heads, basis)
    served = place.served()
    found = contests(served, basis).rows
    unknown = open_directions(found.of(found.person >= 40), place.heads, posterior)
    pool = place.answers_of(np.arange(40), 1_500, seed=8)
    plan = plan_users(pool, place.heads, posterior, unknown, 3)
    # Once two of them are counted as asked, somebody else may be worth more than the third.
    assert set(plan.chosen[:2].tolist()) < {37, 38, 39}
    # Their answers close the gap, and those of anybody else do not.
    lost = []
    for asked in (plan.chosen, np.arange(3)):
        more = place.answers_of(asked, 400, seed=9)
        together = Rows(
            np.concatenate([rows.person, more.person]), np.concatenate([rows.delta, more.delta])
        )
        lost.append(place.loss(fitted(place, together))[40:].mean())
    assert lost[0] <= 0.6 * lost[1]


def test_plans_for_more_than_there_is_and_for_nothing_open() -> None:
    posterior, served, unknown = state(PLACE)
    few = served.of(np.array([0, 1, 900]))
    assert len(plan_queries(few, PLACE.heads, posterior, unknown, 9).chosen) == 3
    assert len(plan_users(few, PLACE.heads, posterior, unknown, 9).chosen) == 2
    sure = Posterior(posterior.basis, posterior.answered, 0.0)
    closed = open_directions(served, PLACE.heads, sure)
    assert closed.total == 0.0
    plan = plan_queries(few, PLACE.heads, sure, closed, 1)
    assert (plan.gains.tolist(), plan.left) == ([0.0], 0.0)
    with pytest.raises(ParameterError, match="at least 1, not 0"):
        plan_users(few, PLACE.heads, posterior, unknown, 0)
