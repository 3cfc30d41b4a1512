"""What the person came for: the prompts that suit them best."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from palate._random import generator
from palate.design.problem import checked_theta
from palate.design.vocabulary import unit_rows
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from palate._typing import FloatArray
    from palate.design.problem import Problem
    from palate.embed import Embedder

Prompt: TypeAlias = tuple[int, ...]
"""The token of each slot, by its place there; the words are :func:`tokens_of`."""


def best_prompt(problem: Problem, theta: ArrayLike) -> Prompt:
    """The prompt of highest utility, where a prompt's features are the sum of its tokens'.

    Then slots do not depend on each other, and the best token of each is exact. Slot weights say
    how often a slot is asked about and nothing of taste, so they do not enter. Of equal tokens the
    first is taken.

    Args:
        problem: of H slots.
        theta: (d,) weights, such as :attr:`palate.design.ChoiceEstimate.theta`.

    Raises:
        ParameterError: theta is no finite vector of the problem's d.
    """
    return tuple(int(np.argmax(u)) for u in _utilities(problem, theta))


def near(
    problem: Problem, theta: ArrayLike, n: int, *, temperature: float = 1.0, seed: int = 0
) -> list[Prompt]:
    """Prompts that are likely to suit: each slot's token drawn by its utility.

    A token is drawn with probability proportional to ``exp(<theta, phi> / temperature)``: as the
    person would pick it out of all of its slot, at temperature 1. Towards 0 every draw is
    :func:`best_prompt`.

    Args:
        problem: of H slots.
        theta: (d,) weights.
        n: how many, 0 or more; they may repeat.
        temperature: > 0, in units of utility.
        seed: fixes the draws; the first of them are the same whatever n is.

    Raises:
        ParameterError: theta does not fit, n is below 0, or the temperature is not positive.
    """
    if n < 0 or not 0.0 < temperature < np.inf:
        msg = f"needs n of at least 0 and a positive temperature, not n={n}, {temperature}"
        raise ParameterError(msg)
    utilities = _utilities(problem, theta)
    draws = []
    for number in range(n):
        rng = generator(seed, "near", number)
        # The largest of utilities with Gumbel noise is a draw from their softmax.
        noisy = (u + temperature * rng.gumbel(size=len(u)) for u in utilities)
        draws.append(tuple(int(np.argmax(u)) for u in noisy))
    return draws


def ranked_prompts(
    texts: Sequence[str], theta: ArrayLike, embedder: Embedder | None = None
) -> list[tuple[str, float]]:
    """Whole prompts by utility, best first, each embedded as one text.

    Tokens may mean more together than apart: candidates of :func:`near` are ranked anew by what
    the person would see. Prompts of equal utility stay in the order given.

    Args:
        texts: prompts; of equal ones the first counts.
        theta: (d,) weights in the embedder's dimensions.
        embedder: by default the shipped one.

    Returns:
        Each prompt and its utility.

    Raises:
        ParameterError: theta does not fit the embedder.
        ModelError: the embedder gave something else than (n, d) finite numbers.
    """
    distinct = list(dict.fromkeys(texts))
    if not distinct:
        return []
    rows = unit_rows(embedder, distinct)
    utilities = rows @ checked_theta(theta, rows.shape[1])
    order = np.argsort(-utilities, kind="stable")
    return [(distinct[i], float(utilities[i])) for i in order]


def tokens_of(problem: Problem, prompt: Sequence[int]) -> tuple[str, ...]:
    """The tokens of a prompt, or of the first slots of one.

    Raises:
        ParameterError: a place that its slot does not have, or more of them than slots.
    """
    if len(prompt) > len(problem.slots):
        msg = f"a prompt has {len(problem.slots)} slots, not {len(prompt)}"
        raise ParameterError(msg)
    for slot, place in zip(problem.slots, prompt, strict=False):
        if not 0 <= place < len(slot.tokens):
            msg = f"slot {slot.name!r} has {len(slot.tokens)} tokens; there is none at {place}"
            raise ParameterError(msg)
    return tuple(slot.tokens[i] for slot, i in zip(problem.slots, prompt, strict=False))


def _utilities(problem: Problem, theta: ArrayLike) -> list[FloatArray]:
    checked = checked_theta(theta, problem.d)
    return [slot.features @ checked for slot in problem.slots]
