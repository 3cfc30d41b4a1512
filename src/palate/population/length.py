"""People who like long summaries and people who like short ones: the paper's Reddit TL;DR.

The data set is real, its preferences are not: whoever chose, and whatever they chose, a worker is
made to prefer the longer summary, or the shorter one (PAL, Appendix D.3; Li et al., 2024).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from palate._random import generator
from palate.errors import ParameterError
from palate.feedback import TIE

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from palate.feedback import Comparison


@dataclass(frozen=True, eq=False)
class LengthPeople:
    """Workers with preferences of length in place of their own.

    Attributes:
        seen: comparisons of those to train on; ``metadata["split"]`` says which to test on.
        unseen: comparisons of others.
        shorter: who, of either, prefers the shorter summary; the others prefer the longer.
    """

    seen: tuple[Comparison, ...]
    unseen: tuple[Comparison, ...]
    shorter: frozenset[str]


def people_by_length(
    comparisons: Iterable[Comparison],
    *,
    seen: int = 10,
    shorter: Collection[int] = (3, 4, 5),
    at_least: int = 100,
    shorter_share: float = 0.3,
    seed: int = 0,
) -> LengthPeople:
    """Give workers the preferences of the paper's experiment (Section 3.1, Appendix D.3).

    From the paper: the workers who compared most are seen, a majority of them prefers the longer
    summary and a minority the shorter; of the others those with at least 100 comparisons are
    unseen, and 70 % of them, drawn by chance, prefer the longer. From the authors' code: only
    summaries by supervised models are compared (a policy that has "sup" in its name and not
    "ppo"); the minority are the workers at places 3, 4 and 5, from 0; length is counted in
    characters. Ours: summaries of the same length are a tie, where the code has the second
    preferred whoever judges; and unseen workers are drawn from the seed, where the code lists them.

    The paper counts seen workers' comparisons in the training split and unseen ones' in the
    validation split; to do the same, call it on each.

    Args:
        comparisons: such as :func:`palate.formats.read_reddit_tldr` reads.
        seen: how many workers are seen.
        shorter: which of them, by their place, prefer the shorter.
        at_least: comparisons that an unseen worker has.
        shorter_share: of the unseen workers, those who prefer the shorter.
        seed: of the unseen workers' preferences.

    Raises:
        ParameterError: there are fewer workers than are to be seen, or a setting is outside its
            range.
    """
    if not 0.0 <= shorter_share <= 1.0 or at_least < 1 or seen < 0:
        msg = (
            f"shorter_share must be from 0 to 1, at_least from 1, seen from 0, not {shorter_share}"
            f", {at_least}, {seen}"
        )
        raise ParameterError(msg)
    kept = [c for c in comparisons if c.person is not None and _is_supervised(c)]
    counts = Counter(c.person for c in kept if c.person is not None)
    ranked = [name for name, _ in counts.most_common()]
    if len(ranked) < seen or any(not 0 <= place < seen for place in shorter):
        msg = (
            f"{seen} workers are to be seen, those at places {sorted(shorter)} with a liking for "
            f"the shorter; there are {len(ranked)} with comparisons of supervised models"
        )
        raise ParameterError(msg)
    others = [name for name in ranked[seen:] if counts[name] >= at_least]
    drawn = generator(seed, "people by length").permutation(len(others))
    few = round(shorter_share * len(others))
    liking = {ranked[place] for place in shorter} | {others[i] for i in drawn[:few]}
    known, new = set(ranked[:seen]), set(others)
    return LengthPeople(
        tuple(_by_length(c, liking) for c in kept if c.person in known),
        tuple(_by_length(c, liking) for c in kept if c.person in new),
        frozenset(liking),
    )


def _is_supervised(comparison: Comparison) -> bool:
    policies = comparison.metadata.get("policies", ())
    return len(policies) == 2 and all(
        isinstance(name, str) and "sup" in name and "ppo" not in name for name in policies
    )


def _by_length(comparison: Comparison, shorter: Collection[str | None]) -> Comparison:
    first, second = (len(text) for text in comparison.options)
    if first == second:
        return replace(comparison, picked=TIE)
    return replace(comparison, picked=int((first < second) != (comparison.person in shorter)))
