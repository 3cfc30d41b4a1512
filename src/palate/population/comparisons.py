"""Preferences in texts, as data sets and logs hold them, to arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from palate.errors import ModelError, ParameterError
from palate.population.data import PreferenceData

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import ArrayLike

    from palate._typing import FloatArray
    from palate.feedback import Comparison

Prompts: TypeAlias = Literal["inside", "separate", "none"]
"""Where the prompt goes: into the text of each item, beside the items, or nowhere."""

ANONYMOUS = "anonymous"
"""The name of whoever answered where nobody noted it."""


def from_comparisons(
    comparisons: Iterable[Comparison],
    embedder: Callable[[Sequence[str]], ArrayLike],
    *,
    prompts: Prompts = "inside",
) -> tuple[PreferenceData, int]:
    """Embed what people compared; each different text once.

    An order becomes its stages, each the pick of one option over all below it
    (:attr:`palate.feedback.Comparison.stages`): the likelihood of Plackett and Luce. Given a taste
    the stages are independent of each other, as the pairs of one order are not. Each is an answer
    of its own, so that a split may part them. Where a text is shown twice, its best place counts.

    Args:
        comparisons: such as :func:`palate.formats.read_comparisons` reads.
        embedder: texts to rows of features; see :class:`palate.embed.Embedder`.
        prompts: "inside": an item is the prompt, an empty line and the option, as one text, for
            models without a map of prompts; "separate": prompts have features of their own, for
            PAL-B; "none": options alone.

    Returns:
        The preferences, and how many comparisons gave none: ties, skips, and picks among options
        that are all the same text. Those without a person count as one, "anonymous".

    Raises:
        ParameterError: ``prompts`` is something else, or there is no pick at all.
        ModelError: the embedder gave no (n, d) finite numbers.
    """
    if prompts not in {"inside", "separate", "none"}:
        msg = f"prompts is 'inside', 'separate' or 'none', not {prompts!r}"
        raise ParameterError(msg)
    inside, separate = prompts == "inside", prompts == "separate"
    items: dict[str, int] = {}
    asked: dict[str, int] = {}
    person: list[str] = []
    rows: list[tuple[int, int, int, int]] = []
    picks = left_out = 0
    for comparison in comparisons:
        stages = _different(comparison)
        left_out += not stages
        before = f"{comparison.prompt}\n\n" if inside else ""
        name = ANONYMOUS if comparison.person is None else comparison.person
        for stage in stages:
            winner, *losers = (items.setdefault(before + text, len(items)) for text in stage)
            prompt = asked.setdefault(comparison.prompt, len(asked))
            rows += [(winner, loser, prompt, picks) for loser in losers]
            person += [name] * len(losers)
            picks += 1
    if not rows:
        msg = f"none of the {left_out} comparisons is a pick; ties and skips cannot be learnt from"
        raise ParameterError(msg)
    # A text that is a prompt here and an option there is embedded once.
    texts = list(dict.fromkeys((*items, *asked) if separate else items))
    features = _embedded(embedder, texts)
    place = {text: i for i, text in enumerate(texts)}
    table = np.array(rows, dtype=np.intp)
    data = PreferenceData.from_arrays(
        features[[place[text] for text in items]],
        person,
        table[:, 0],
        table[:, 1],
        prompts=features[[place[text] for text in asked]] if separate else None,
        prompt=table[:, 2] if separate else None,
        pick=None if picks == len(rows) else table[:, 3],
    )
    return data, left_out


def _different(comparison: Comparison) -> list[list[str]]:
    """The stages of an answer, each the text picked and the different ones that it was picked over.

    A text that is shown twice is no worse than itself.
    """
    stages, above = [], set[str]()
    for chosen, rejected in comparison.stages:
        if chosen not in above:
            above.add(chosen)
            others = [text for text in dict.fromkeys(rejected) if text not in above]
            stages += [[chosen, *others]] if others else []
    return stages


def _embedded(embedder: Callable[[Sequence[str]], ArrayLike], texts: list[str]) -> FloatArray:
    rows = np.asarray(embedder(texts), dtype=np.float64)
    if rows.ndim != 2 or len(rows) != len(texts) or not np.isfinite(rows).all():
        msg = (
            f"the embedder gave an array of shape {rows.shape}, or numbers that are not finite, "
            f"for {len(texts)} texts; expected one row of features each"
        )
        raise ModelError(msg)
    return rows
