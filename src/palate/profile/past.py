"""From the answers that are remembered to a past: which of them tell of a pool, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.errors import PoolError
from palate.preference.memory import Past

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from palate.pool import Pool
    from palate.profile.records import Remembered

LATEST = 200
"""Rows of a past; more take long, and are long ago."""


def is_comparable(pool: Pool) -> bool:
    """Whether a pool has features, and says what made them, so that others can be compared."""
    return pool.features is not None and pool.embedder is not None


def check_comparable(pool: Pool) -> None:
    """A pool's features can be compared with those of others.

    Raises:
        PoolError: it has none, or does not say what made them.
    """
    if not is_comparable(pool):
        raise PoolError(
            "a profile compares features, so the pool needs some, and the name of what made "
            "them: embed it, or give it embedder='NAME' with its features"
        )


def ages(answers: Iterable[Remembered]) -> dict[str, int]:
    """How many prompts ago each run was: 1 for the latest."""
    runs = list(dict.fromkeys(answer.run for answer in answers))
    return {run: len(runs) - i for i, run in enumerate(runs)}


def counted(answers: Iterable[Remembered], pool: Pool) -> list[Remembered]:
    """The answers that tell of a pool with features, in order; of many the latest.

    Those are about responses with features of the same embedder, scaling and number, and as many as
    make up no more rows than a belief can start from (:data:`LATEST`).
    """
    d = 0 if pool.features is None else pool.features.shape[1]
    made = pool.embedder, pool.scaling, d
    alike = [answer for answer in answers if answer.stages and answer.made == made]
    rows = np.cumsum([rows_of(answer) for answer in alike][::-1])[::-1]  # and of those after it
    rows[-1:] = 0  # the very last counts in any case
    return [answer for answer, so_far in zip(alike, rows, strict=True) if so_far <= LATEST]


def rows_of(answer: Remembered) -> int:
    """How many rows of a past an answer makes: one for each response that another was put above."""
    return sum(len(losers) for _, losers in answer.stages)


def past_of(answers: Sequence[Remembered], age: Mapping[str, int], pool: Pool) -> Past:
    """Answers as arrays, their features on the scale of a pool's.

    Args:
        answers: that tell of the pool; see :func:`counted`.
        age: how many prompts ago each run was.
        pool: what the person will be asked about.
    """
    d = 0 if pool.features is None else pool.features.shape[1]
    wide = 0 if pool.style is None else pool.style.shape[1]
    features, style = [np.zeros((0, d))], [np.zeros((0, wide))]
    when, winners, losers, groups = [], [], [], []
    first = stage = 0
    for answer in answers:
        k = len(answer.options)
        for winner, others in answer.stages:
            winners += [first + winner] * len(others)
            losers += [first + other for other in others]
            groups += [stage] * len(others)
            stage += 1
        features.append(np.asarray(answer.features) * (pool.scale / answer.scale))
        known = answer.style is not None and answer.style.shape[1] == wide
        style.append(np.asarray(answer.style) if known else np.zeros((k, wide)))
        when += [age[answer.run]] * k
        first += k
    return Past(
        np.concatenate(features),
        np.array(when, dtype=np.intp),
        np.array(winners, dtype=np.intp),
        np.array(losers, dtype=np.intp),
        np.array(groups, dtype=np.intp),
        style=np.concatenate(style) if wide else None,
    )
