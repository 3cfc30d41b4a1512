"""Slates are drawn as their samplers say, and answered by a multinomial logit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import softmax

from palate.diversity.rows import margins
from palate.diversity.slates import answer, draw_slates, joined, no_answers
from palate.diversity.world import simulate_world
from palate.errors import ParameterError

N = 40_000
SCORES = np.array([0.0, 1.0, -1.0, 2.0])


def frequencies(drawn: np.ndarray) -> np.ndarray:
    return np.bincount(drawn.reshape(-1), minlength=4) / drawn.size


def test_samplers_draw_what_they_say() -> None:
    rng = np.random.default_rng(0)
    scores, deployed = np.tile(SCORES, (N, 1)), np.full(N, 3)
    uniform = np.full(4, 0.25)
    slates = draw_slates(rng, "reference", scores, deployed, options=3)
    assert slates.shape == (N, 3)
    np.testing.assert_allclose(frequencies(slates), uniform, atol=0.01)
    slates = draw_slates(rng, "softmax", scores, deployed, temperature=0.5)
    np.testing.assert_allclose(frequencies(slates), softmax(SCORES / 0.5), atol=0.01)
    # Both places are drawn independently.
    both = (slates == 3).all(axis=1).mean()
    assert both == pytest.approx(softmax(SCORES / 0.5)[3] ** 2, abs=0.01)
    slates = draw_slates(rng, "greedy", scores, deployed, options=3)
    assert (slates[:, 0] == 3).all()
    np.testing.assert_allclose(frequencies(slates[:, 1:]), uniform, atol=0.01)
    slates = draw_slates(rng, "baseline", scores, deployed)
    assert (slates == [3, 0]).all()


def test_scores_of_any_size_can_be_drawn_from() -> None:
    rng = np.random.default_rng(0)
    scores = np.array([[1e4, 0.0, -1e4], [0.0, 0.0, 800.0]])
    slates = draw_slates(rng, "softmax", scores, scores.argmax(axis=1), options=5)
    np.testing.assert_array_equal(slates, [[0] * 5, [2] * 5])


def test_answers_are_multinomial_logit_picks() -> None:
    world = simulate_world(people=2, d=2, latent=2, contexts=3, actions=4, min_gap=0.0, scale=1.0)
    person, context = np.full(N, 1), np.full(N, 2)
    slate = np.array([0, 2, 3])
    rows = answer(np.random.default_rng(0), world, person, context, np.tile(slate, (N, 1)))
    assert len(rows) == 2 * N
    assert rows.pick is not None
    np.testing.assert_array_equal(rows.pick, np.repeat(np.arange(N), 2))
    # The margins of a row name the response picked and the other one.
    rewards = world.rewards[1, 2, slate]
    margin = margins(rows, world.heads, world.basis).reshape(N, 2)
    shares = []
    for place in range(3):
        others = rewards[place] - np.delete(rewards, place)
        shares.append(np.isclose(margin, others).all(axis=1).mean())
    assert sum(shares) == pytest.approx(1.0)
    np.testing.assert_allclose(shares, softmax(rewards), atol=0.01)


def test_pairs_are_rows_of_their_own_and_join() -> None:
    world = simulate_world(people=2, d=2, latent=2, contexts=3, actions=4, min_gap=0.0)
    rng = np.random.default_rng(0)
    for options in (2, 3):
        rows = no_answers(world, options)
        assert len(rows) == 0
        for n in (3, 5):
            person, context = rng.integers(2, size=n), rng.integers(3, size=n)
            slates = rng.integers(4, size=(n, options))
            rows = joined(rows, answer(rng, world, person, context, slates))
        assert len(rows) == 8 * (options - 1)
        assert len(rows.starts) == 8
        if options == 3:
            np.testing.assert_array_equal(rows.pick, np.repeat(np.arange(8), 2))


def test_unknown_samplers_and_odd_slates_are_refused() -> None:
    rng, scores, deployed = np.random.default_rng(0), np.zeros((1, 4)), np.zeros(1, dtype=np.intp)
    with pytest.raises(ParameterError, match="sampler is one of reference"):
        draw_slates(rng, "best", scores, deployed)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="at least 2 options"):
        draw_slates(rng, "reference", scores, deployed, options=1)
    with pytest.raises(ParameterError, match="just 2, not 3"):
        draw_slates(rng, "baseline", scores, deployed, options=3)
    with pytest.raises(ParameterError, match="temperature"):
        draw_slates(rng, "softmax", scores, deployed, temperature=0.0)
