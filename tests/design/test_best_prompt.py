"""The prompt that suits best, and prompts near it."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palate.design import Problem, Slot, best_prompt, near, ranked_prompts, tokens_of
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray


def made_up(seed: int = 0, sizes: Sequence[int] = (3, 4, 2), d: int = 5) -> Problem:
    """Slots of different weights, with features that belong to nobody's words."""
    rng = np.random.default_rng(seed)
    return Problem(
        tuple(
            Slot(f"s{h}", tuple(f"{h}-{i}" for i in range(n)), rng.normal(size=(n, d)), h + 1.0)
            for h, n in enumerate(sizes)
        )
    )


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_no_other_prompt_is_better(seed: int) -> None:
    problem = made_up(seed)
    theta = np.random.default_rng(seed + 1).normal(size=problem.d)

    def utility(prompt: tuple[int, ...]) -> float:
        return sum(float(s.features[i] @ theta) for s, i in zip(problem.slots, prompt, strict=True))

    every = itertools.product(*(range(len(slot.tokens)) for slot in problem.slots))
    assert best_prompt(problem, theta) == max(every, key=utility)


def test_of_equal_tokens_the_first_is_taken() -> None:
    assert best_prompt(made_up(), np.zeros(5)) == (0, 0, 0)


def test_draws_follow_the_softmax_of_each_slot() -> None:
    problem = made_up(2)
    theta = 0.8 * np.random.default_rng(3).normal(size=problem.d)
    n, temperature = 3000, 0.7
    drawn = near(problem, theta, n, temperature=temperature, seed=4)
    assert len(drawn) == n
    for place, slot in enumerate(problem.slots):
        weights = np.exp(slot.features @ theta / temperature)
        expected = n * weights / weights.sum()
        counts = Counter(prompt[place] for prompt in drawn)
        chi = sum((counts[i] - e) ** 2 / e for i, e in enumerate(expected))
        assert chi < 16.3  # the 99.9th percentile at 3 degrees of freedom
    first, last = ([prompt[h] for prompt in drawn] for h in (0, 2))
    assert abs(np.corrcoef(first, last)[0, 1]) < 0.07, "slots are drawn independently"


def test_draws_are_the_best_prompt_at_temperature_zero_and_replay() -> None:
    problem = made_up(2)
    theta = np.random.default_rng(3).normal(size=problem.d)
    assert set(near(problem, theta, 50, temperature=1e-6)) == {best_prompt(problem, theta)}
    assert near(problem, theta, 9, seed=1) == near(problem, theta, 20, seed=1)[:9]
    assert near(problem, theta, 20, seed=1) != near(problem, theta, 20, seed=2)
    assert near(problem, theta, 0) == []


def test_whole_prompts_are_ranked_by_what_they_say_together() -> None:
    def embed(texts: Sequence[str]) -> FloatArray:
        return np.array([[3.0, 0.0] if "a, b" in t else [1.0, 1.0] for t in texts])

    ranked = ranked_prompts(["b, a", "a, b", "c", "a, b"], [2.0, 0.0], embed)
    assert [text for text, _ in ranked] == ["a, b", "b, a", "c"]
    np.testing.assert_allclose([u for _, u in ranked], [2.0, np.sqrt(2.0), np.sqrt(2.0)])
    assert ranked_prompts([], [2.0, 0.0], embed) == []
    assert len(ranked_prompts(["a castle", "noon"], np.ones(64))) == 2
    with pytest.raises(ParameterError, match="theta must be 2 numbers"):
        ranked_prompts(["c"], [1.0, 2.0, 3.0], embed)


def test_tokens_are_the_words_of_a_prompt() -> None:
    problem = made_up()
    assert tokens_of(problem, (2, 0, 1)) == ("0-2", "1-0", "2-1")
    assert tokens_of(problem, (2,)) == ("0-2",)
    with pytest.raises(ParameterError, match="slot 's1' has 4 tokens; there is none at 4"):
        tokens_of(problem, (0, 4))
    with pytest.raises(ParameterError, match="slot 's0' has 3 tokens; there is none at -1"):
        tokens_of(problem, (-1,))
    with pytest.raises(ParameterError, match="a prompt has 3 slots, not 4"):
        tokens_of(problem, (0, 0, 0, 0))


@pytest.mark.parametrize(
    ("theta", "n", "temperature", "says"),
    [
        (np.ones(4), 1, 1.0, r"theta must be 5 numbers, .* not of shape \(4,\)"),
        (np.full(5, np.nan), 1, 1.0, "theta must be finite"),
        (np.ones(5), -1, 1.0, "needs n of at least 0"),
        (np.ones(5), 1, 0.0, "a positive temperature"),
    ],
)
def test_mistakes_are_one_line(theta: Any, n: int, temperature: float, says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        near(made_up(), theta, n, temperature=temperature)
