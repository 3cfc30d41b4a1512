"""What draws from a belief say about responses and about questions."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from palate.preference.belief import (
    Draws,
    best_of_options,
    best_shares,
    expected_regret,
    information,
    value_of_asking,
)

if TYPE_CHECKING:
    from palate._typing import FloatArray


def make_draws(n: int = 200, size: int = 6, seed: int = 0) -> Draws:
    rng = np.random.default_rng(seed)
    return Draws(rng.normal(size=(n, size)), rng.uniform(0.5, 5.0, size=n))


def answers(draws: Draws, query: tuple[int, ...]) -> FloatArray:
    """(n, K) probabilities of each answer, written out."""
    odds = np.exp(draws.slopes[:, None] * draws.utilities[:, list(query)])
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def entropy(p: FloatArray) -> float:
    return float(-(p * np.log(p)).sum())


def test_the_regret_is_a_share_of_the_range() -> None:
    draws = Draws(np.array([[0.0, 1.0, 4.0], [2.0, 1.0, 0.0]]), np.ones(2))
    # Lost with response 0: 4 and 0; the range is 4 and 2.
    assert expected_regret(draws, 0) == pytest.approx(2.0 / 3.0)
    assert expected_regret(draws, 1) == pytest.approx((1.5 + 0.5) / 3.0)


def test_where_nothing_differs_there_is_nothing_to_regret() -> None:
    assert expected_regret(Draws(np.ones((4, 3)), np.ones(4)), 1) == 0.0


def test_the_shares_of_being_the_best_are_counts() -> None:
    draws = Draws(np.array([[0.0, 1.0], [2.0, 1.0], [3.0, 1.0], [5.0, 1.0]]), np.ones(4))
    assert best_shares(draws) == pytest.approx([0.75, 0.25])


@pytest.mark.parametrize("k", [2, 3, 6])
def test_each_query_is_valued_as_written_out(k: int) -> None:
    draws = make_draws()
    queries = list(itertools.combinations(range(6), k))
    best = best_of_options(draws, np.array(queries))
    gained = information(draws, np.array(queries))
    asked = value_of_asking(draws, np.array(queries))
    assert best.shape == gained.shape == asked.shape == (len(queries),)
    now = draws.utilities.mean(axis=0).max()
    for i, query in enumerate(queries):
        p = answers(draws, query)
        assert best[i] == pytest.approx(draws.utilities[:, list(query)].max(axis=1).mean())
        apart = np.mean([entropy(row) for row in p])
        assert gained[i] == pytest.approx(entropy(p.mean(axis=0)) - apart)
        after = 0.0
        for weights in p.T:
            posterior = weights @ draws.utilities / weights.sum()
            after += weights.mean() * posterior.max()
        assert asked[i] == pytest.approx(after - now)


def test_order_does_not_matter_to_what_a_query_is_worth() -> None:
    draws = make_draws()
    for value in (best_of_options, information, value_of_asking):
        assert value(draws, np.array([[1, 4, 2]])) == pytest.approx(
            value(draws, np.array([[4, 2, 1]]))
        )


def test_an_answer_that_is_known_teaches_nothing() -> None:
    u = make_draws().utilities.copy()
    u[:, 0] = u[:, 1] + 50.0
    known = Draws(u, np.full(200, 3.0))
    assert information(known, np.array([[0, 1]])) == pytest.approx([0.0], abs=1e-12)
    assert value_of_asking(known, np.array([[0, 1]])) == pytest.approx([0.0], abs=1e-12)


def test_a_coin_flip_teaches_nothing() -> None:
    alike = Draws(np.repeat(make_draws().utilities[:, :1], 2, axis=1), np.full(200, 3.0))
    assert information(alike, np.array([[0, 1]])) == pytest.approx([0.0], abs=1e-12)


def test_a_noisy_answer_teaches_less() -> None:
    u = make_draws().utilities
    gained = [
        information(Draws(u, np.full(200, s)), np.array([[0, 1]]))[0] for s in (0.3, 1.0, 9.0)
    ]
    assert gained == sorted(gained)
    assert gained[-1] < np.log(2.0)


def test_nothing_overflows() -> None:
    draws = Draws(1e4 * make_draws().utilities, np.full(200, 100.0))
    for value in (information, value_of_asking):
        assert np.isfinite(value(draws, np.array([[0, 1], [2, 3]]))).all()
