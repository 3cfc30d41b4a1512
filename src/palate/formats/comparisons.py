"""Preferences of people: data sets that exist are read, answers are written as trainers read them.

Read are the rows that TRL trains on, and battles as Arena and MT-Bench record them; written are
TRL's. See https://huggingface.co/docs/trl/dataset_formats for the former.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from palate.errors import AnswerError, LogError, PoolError
from palate.feedback import TIE, Comparison, Picked, stages_of
from palate.formats._files import cannot, comparisons_in, read_rows, write_rows
from palate.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from palate.feedback import Answer

_Message: TypeAlias = tuple[str, str]
"""The role and the content."""

_WINNERS: dict[str, Picked] = {
    "model_a": 0,
    "model_b": 1,
    "tie": TIE,
    "tie (bothbad)": TIE,
    "both_bad": TIE,
    "tie (inconsistent)": TIE,
}


def read_comparisons(path: str | Path) -> list[Comparison]:
    """Read what people preferred from JSONL (``.gz`` is decompressed) or parquet.

    What a row is shows in its keys:

    * ``prompt, chosen, rejected``: TRL's preferences, as texts or as lists of messages with
      ``role`` and ``content``; messages that both begin with belong to the prompt, which may then
      be missing. ``user_id`` is the person. The order shown is not known: chosen comes first.
    * ``conversation_a, conversation_b, winner``: a battle of Arena or MT-Bench, in the order
      shown, up to the ``turn`` that was judged. ``judge`` is the person. Ties of any kind are
      ties, and the metadata keeps which.

    Several messages become one text, a paragraph a message: "user: ...". Other keys, and those
    inside ``metadata``, become the metadata.

    Raises:
        LogError: the file cannot be read, holds no comparison, or a row is none; the message
            names the row.
        MissingExtraError: the file is parquet and pyarrow is not installed.
    """
    path = Path(path)
    comparisons = list(comparisons_in(read_rows(path, LogError), _comparison))
    if not comparisons:
        msg = f"{path} holds no comparison"
        raise LogError(msg)
    return comparisons


def comparisons_of(
    pool: Pool, answers: Iterable[Answer], *, person: str | None = None
) -> list[Comparison]:
    """The answers of an elicitation with their texts, ties and skips among them.

    Args:
        pool: what the answers are about.
        answers: such as :attr:`palate.Elicitation.history`.
        person: who answered.

    Raises:
        PoolError: the pool has no such response, or it has no text.
    """
    comparisons = []
    for answer in answers:
        options = [pool.responses[pool.index(i)] for i in answer.query.ids]
        texts = []
        for response in options:
            if response.text is None:
                msg = f"response {response.id!r} is an image; comparisons hold texts"
                raise PoolError(msg)
            texts.append(response.text)
        known = {
            "pool": pool.id,
            "ids": list(answer.query.ids),
            "at": answer.at or None,
            "seconds": answer.seconds,
        }
        metadata = {key: value for key, value in known.items() if value is not None}
        comparisons.append(Comparison(pool.prompt, tuple(texts), answer.picked, person, metadata))
    return comparisons


def pools_of(comparisons: Iterable[Comparison]) -> list[Pool]:
    """One pool a prompt: the different options that were shown for it, in order; blank ones not."""
    shown: dict[str, list[str]] = {}
    for comparison in comparisons:
        shown.setdefault(comparison.prompt, []).extend(comparison.options)
    pools = []
    for prompt, options in shown.items():
        texts = dict.fromkeys(text for text in options if text.strip())
        if texts:
            pools.append(Pool(prompt, texts))
    return pools


def write_comparisons(
    path: str | Path,
    comparisons: Iterable[Comparison],
    *,
    conversational: bool = False,
    metadata: bool = False,
) -> int:
    """Write comparisons as :func:`trl_rows`, to JSONL (``.gz`` is compressed) or parquet.

    The file appears whole or not at all: what stood there before is kept until the end. Parquet
    holds the metadata as JSON, since a column there has one type.

    Returns:
        How many ties and skips were left out.

    Raises:
        LogError: the file cannot be written, or some metadata is not JSON.
        MissingExtraError: the file is parquet and pyarrow is not installed.
    """
    path = Path(path)
    rows, left_out = trl_rows(comparisons, conversational=conversational, metadata=metadata)
    if metadata and path.suffix == ".parquet":
        try:
            rows = [
                row | {"metadata": json.dumps(row["metadata"], allow_nan=False)} for row in rows
            ]
        except (TypeError, ValueError) as error:
            raise cannot("write", path, error, LogError) from error
    write_rows(path, rows, LogError)
    return left_out


def trl_rows(
    comparisons: Iterable[Comparison], *, conversational: bool = False, metadata: bool = False
) -> tuple[list[dict[str, Any]], int]:
    """Comparisons as rows that TRL trains on: ``prompt``, ``chosen``, ``rejected`` and no other.

    A pick out of K gives K - 1 rows, one a rejected option; an order of K gives K (K - 1) / 2, each
    option before each that it was put above. A tie and a skip have no such row.

    Args:
        comparisons: what was answered.
        conversational: each value is a list of one message instead of a text.
        metadata: add a column ``metadata`` with what is known about the comparison: its own
            metadata, ``person``, and ``positions``, where chosen and rejected stood as shown. Many
            trainers refuse further columns.

    Returns:
        The rows, and how many ties and skips were left out.
    """
    rows: list[dict[str, Any]] = []
    left_out = 0
    for comparison in comparisons:
        left_out += comparison.chosen is None
        rows += _rows_of(comparison, conversational=conversational, metadata=metadata)
    return rows, left_out


def _rows_of(
    comparison: Comparison, *, conversational: bool, metadata: bool
) -> Iterator[dict[str, Any]]:
    known = {k: v for k, v in comparison.metadata.items() if k not in {"person", "positions"}}
    if comparison.person is not None:
        known["person"] = comparison.person
    stages = stages_of(comparison.picked, range(len(comparison.options)))
    for positions in [(winner, loser) for winner, losers in stages for loser in losers]:
        chosen, rejected = (comparison.options[position] for position in positions)
        texts = {"prompt": comparison.prompt, "chosen": chosen, "rejected": rejected}
        row: dict[str, Any] = dict(texts)
        if conversational:
            for key, text in texts.items():
                role = "user" if key == "prompt" else "assistant"
                row[key] = [{"role": role, "content": text}]
        if metadata:
            row["metadata"] = known | {"positions": list(positions)}
        yield row


def _comparison(row: dict[str, Any]) -> Comparison:
    keys = row.keys()
    if keys >= {"chosen", "rejected"}:
        return _from_preference(row)
    if keys >= {"conversation_a", "conversation_b", "winner"}:
        return _from_battle(row)
    if keys >= {"completion", "label"}:
        raise AnswerError("an unpaired row (completion, label) compares nothing; pair it first")
    if "responses" in keys:
        raise AnswerError("a pool compares nothing yet; read it by read_pools")
    msg = (
        "expected chosen and rejected, or conversation_a, conversation_b and winner; "
        f"the keys are {', '.join(keys) or 'none'}"
    )
    raise AnswerError(msg)


def _from_preference(row: dict[str, Any]) -> Comparison:
    if row.get("images") or row.get("image"):
        raise AnswerError("the row has images; comparisons hold texts")
    prompt = _messages(row["prompt"], "prompt", "user") if row.get("prompt") is not None else []
    chosen, rejected = (_messages(row[key], key, "assistant") for key in ("chosen", "rejected"))
    shared = _shared(chosen, rejected)
    # Conversations often repeat the prompt, sometimes after a system's message.
    repeated = prompt in (shared[: len(prompt)], shared[-len(prompt) :])
    prompt = shared if repeated else prompt + shared
    if not prompt:
        raise AnswerError("no prompt, and chosen and rejected do not begin with the same message")
    extra = {k: v for k, v in row.items() if k not in {"prompt", "chosen", "rejected", "user_id"}}
    own = _opened(extra.pop("metadata", {}))
    person, positions = row.get("user_id"), None
    if isinstance(own.get("person"), str) and person is None:
        person = own.pop("person")
    if _is_two_places(own.get("positions")):
        positions = own.pop("positions")
    options = (_text(chosen[len(shared) :]), _text(rejected[len(shared) :]))
    swapped = positions is not None and positions[0] > positions[1]
    return Comparison(
        _text(prompt),
        options[::-1] if swapped else options,
        int(swapped),
        None if person is None else str(person),
        extra | own,
    )


def _from_battle(row: dict[str, Any]) -> Comparison:
    winner, turn, judge = row["winner"], row.get("turn"), row.get("judge")
    if not isinstance(winner, str) or winner not in _WINNERS:
        msg = f"winner is one of {', '.join(_WINNERS)}, not {winner!r}"
        raise AnswerError(msg)
    if turn is not None and (isinstance(turn, bool) or not isinstance(turn, int) or turn < 1):
        msg = f"turn is a whole number from 1, not {turn!r}"
        raise AnswerError(msg)
    a, b = (
        _up_to_turn(_messages(row[key], key, "assistant"), turn)
        for key in ("conversation_a", "conversation_b")
    )
    shared = _shared(a, b)
    if not shared:
        raise AnswerError("the two conversations do not begin with the same message")
    if isinstance(judge, list):  # a model and how it was asked
        judge = "/".join(str(part) for part in judge)
    return Comparison(
        _text(shared),
        (_text(a[len(shared) :]), _text(b[len(shared) :])),
        _WINNERS[winner],
        None if judge is None else str(judge),
        {k: v for k, v in row.items() if k not in {"conversation_a", "conversation_b", "judge"}},
    )


def _messages(value: object, name: str, role: str) -> list[_Message]:
    """Messages of a list, or the one that a text is; at least one."""
    if isinstance(value, str):
        return [(role, value)]
    if not isinstance(value, list) or not value:
        msg = f"{name} is a text or a list of messages, not {_short(value)}"
        raise AnswerError(msg)
    return [_message(item, f"{name}, message {i}") for i, item in enumerate(value, start=1)]


def _message(item: object, name: str) -> _Message:
    role, content = (item.get("role"), item.get("content")) if isinstance(item, dict) else (0, 0)
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        texts = [part.get("text") if part.get("type") == "text" else None for part in content]
        whole = all(isinstance(text, str) for text in texts)
        content = "".join(str(text) for text in texts) if whole else None
    if not isinstance(role, str) or not isinstance(content, str):
        msg = f"{name}: a message has a role and a content, both texts, not {_short(item)}"
        raise AnswerError(msg)
    return role, content


def _shared(one: list[_Message], two: list[_Message]) -> list[_Message]:
    """What both begin with, short of the last message of either: that is what was compared."""
    most = min(len(one), len(two)) - 1
    same = itertools.takewhile(lambda i: one[i] == two[i], range(most))
    return one[: len(list(same))]


def _up_to_turn(messages: list[_Message], turn: int | None) -> list[_Message]:
    """A conversation to its reply number ``turn``, from 1; all of it where there are fewer."""
    if turn is None:
        return messages
    ends = [i for i, (role, _) in enumerate(messages, start=1) if role == "assistant"]
    return messages[: ends[turn - 1]] if turn <= len(ends) else messages


def _text(messages: list[_Message]) -> str:
    if len(messages) == 1:
        return messages[0][1]
    return "\n\n".join(f"{role}: {content}" for role, content in messages)


def _opened(metadata: object) -> dict[str, Any]:
    """A column of metadata, which is JSON in parquet; one of another kind stays as it is."""
    if isinstance(metadata, str):
        try:
            parsed = json.loads(metadata)
        except (ValueError, RecursionError):
            parsed = None
        metadata = parsed if isinstance(parsed, dict) else metadata
    return dict(metadata) if isinstance(metadata, dict) else {"metadata": metadata}


def _is_two_places(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(v, int) for v in value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
