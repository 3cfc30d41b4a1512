"""Comparisons of summaries by the workers of "Learning to summarize from human feedback"."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from palate.errors import AnswerError, LogError
from palate.feedback import Comparison
from palate.formats._columns import name_of, objects_of, text_of
from palate.formats._files import comparisons_in, read_rows


def read_reddit_tldr(path: str | Path) -> list[Comparison]:
    """Read the comparisons of Reddit TL;DR as OpenAI published them (Stiennon et al., 2020).

    A row has ``info`` (``id``, ``post``, ``title``, ``subreddit``), ``summaries`` (two, each with
    ``text`` and ``policy``), ``choice`` (0 or 1), ``worker``, ``batch``, ``split`` and ``extra``.
    The prompt is the post, the options are the two summaries in the order given, the person is
    the worker; title, subreddit, post's id, policies, batch, split and confidence become the
    metadata. Rows that lack the post (news articles), a summary's text or the worker are left out;
    a warning says how many.

    The columns are those of the README of openai/summarize-from-feedback and of the data set card
    ``openai/summarize_from_feedback``, "comparisons"; no original file was at hand to read.

    Args:
        path: a file of JSON lines (``.gz`` too) or parquet; or a folder of ``*.json``, such as
            ``comparisons/`` with its ``batch3.json`` and so on.

    Raises:
        LogError: a file cannot be read, holds no comparison, or a row is none; the message names
            the row.
        MissingExtraError: the file is parquet and pyarrow is not installed.
    """
    path = Path(path)
    comparisons: list[Comparison] = []
    total = 0
    for file in sorted(path.glob("*.json")) if path.is_dir() else [path]:
        found = list(comparisons_in(read_rows(file, LogError), _comparison))
        total += len(found)
        comparisons += [comparison for comparison in found if comparison is not None]
    if not comparisons:
        msg = f"{path} holds no comparison of summaries of a post"
        raise LogError(msg)
    if len(comparisons) < total:
        warnings.warn(
            f"{total - len(comparisons)} of {total} rows in {path} lack the post, a summary or "
            "the worker and are left out",
            stacklevel=2,
        )
    return comparisons


def _comparison(row: dict[str, Any]) -> Comparison | None:
    """The comparison of a row, None where the post, a summary or the worker is missing."""
    info = row.get("info")
    if not isinstance(info, dict):
        raise AnswerError("info is an object with a post")
    summaries = objects_of(row, "summaries")
    if len(summaries) != 2:
        msg = f"summaries are two, not {len(summaries)}"
        raise AnswerError(msg)
    if None in (info.get("post"), row.get("worker"), *(item.get("text") for item in summaries)):
        return None
    texts = [text_of(item, "text", f"summaries, {i}: ") for i, item in enumerate(summaries, 1)]
    choice = row.get("choice")
    if not isinstance(choice, int) or isinstance(choice, bool) or not 0 <= choice <= 1:
        msg = f"choice is 0 or 1, not {choice!r}"
        raise AnswerError(msg)
    extra = row.get("extra")
    known = {
        "id": info.get("id"),
        "title": info.get("title"),
        "subreddit": info.get("subreddit"),
        "policies": [item.get("policy") for item in summaries],
        "batch": row.get("batch"),
        "split": row.get("split"),
        "confidence": extra.get("confidence") if isinstance(extra, dict) else None,
    }
    return Comparison(
        text_of(info, "post", "info: "),
        (texts[0], texts[1]),
        choice,
        name_of(row, "worker"),
        {key: value for key, value in known.items() if value is not None},
    )
