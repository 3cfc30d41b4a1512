"""Scored replies of several models in conversations that people led: PRISM."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palate.errors import AnswerError, LogError
from palate.feedback import TIE, Comparison, Picked
from palate.formats._columns import name_of, objects_of, short, text_of
from palate.formats._files import read_rows

if TYPE_CHECKING:
    from collections.abc import Iterator


def read_prism(path: str | Path) -> list[Comparison]:
    """Read PRISM's ``conversations.jsonl`` or ``utterances.jsonl`` (Kirk et al., 2024).

    At each turn a person wrote a message and scored the replies to it, up to four at the first
    turn and two later, from 1 to 100. A turn becomes one comparison among its replies, in the order
    of ``within_turn_id``: picked is the reply with the highest score, and two replies that share
    the highest are a tie (where ``if_chosen`` is drawn by chance). The prompt is the conversation
    so far, a paragraph a message ("user: ..."), with the replies that it went on with
    (``if_chosen``); at the first turn it is the message alone. The person is the ``user_id``; the
    metadata has the conversation's id and type, the turn, the models and the scores. Turns with one
    reply compare nothing and are left out; a warning says how many.

    Both files hold the same. In the first a row is a conversation, whose ``conversation_history``
    lists messages with ``turn``, ``role`` ("user" or "model"), ``content`` and, for replies,
    ``within_turn_id``, ``score``, ``if_chosen`` and ``model_name``; in the second it is a reply,
    with ``conversation_id``, ``user_prompt`` and ``model_response``. The columns of the second are
    those of the authors' codebook; those of the first are its counterparts, and known from programs
    that read it. No original file was at hand to read.

    Args:
        path: a file of JSON lines (``.gz`` too) or parquet.

    Raises:
        LogError: the file cannot be read, holds no comparison, or a row is no such row; the message
            names it.
        MissingExtraError: the file is parquet and pyarrow is not installed.
    """
    path = Path(path)
    conversations: dict[str, _Conversation] = {}
    for place, row in read_rows(path, LogError):
        try:
            conversation = conversations.setdefault(
                name_of(row, "conversation_id"),
                _Conversation(name_of(row, "user_id"), row.get("conversation_type")),
            )
            if "conversation_history" in row:
                conversation.add_history(objects_of(row, "conversation_history"))
            else:
                conversation.add_reply(row, text_of(row, "user_prompt"), "model_response")
        except AnswerError as error:
            msg = f"{place}: {error}"
            raise LogError(msg) from error
    comparisons: list[Comparison] = []
    for name, conversation in conversations.items():
        try:
            comparisons += conversation.comparisons(name)
        except AnswerError as error:
            msg = f"{path}, conversation {name}: {error}"
            raise LogError(msg) from error
    if not comparisons:
        msg = f"{path} holds no turn with several replies"
        raise LogError(msg)
    single = sum(len(c.turns) for c in conversations.values()) - len(comparisons)
    if single:
        warnings.warn(
            f"{single} turns in {path} have one reply, which compares nothing, and are left out",
            stacklevel=2,
        )
    return comparisons


@dataclass
class _Reply:
    order: str
    text: str
    score: float
    chosen: bool
    model: str | None


@dataclass
class _Turn:
    message: str | None = None
    replies: list[_Reply] = field(default_factory=list)


@dataclass
class _Conversation:
    """Turns by their numbers, as they are read in whatever order."""

    person: str
    kind: str | None
    turns: dict[int, _Turn] = field(default_factory=dict)

    def add_history(self, messages: list[dict[str, Any]]) -> None:
        for number, message in enumerate(messages, start=1):
            try:
                self._add_message(message)
            except AnswerError as error:
                msg = f"conversation_history, message {number}: {error}"
                raise AnswerError(msg) from error

    def _add_message(self, message: dict[str, Any]) -> None:
        role = message.get("role")
        if role == "user":
            self._turn(message).message = text_of(message, "content")
        elif role == "model":
            self.add_reply(message, None, "content")
        else:
            msg = f"role is 'user' or 'model', not {short(role)}"
            raise AnswerError(msg)

    def add_reply(self, row: dict[str, Any], message: str | None, key: str) -> None:
        turn = self._turn(row)
        if message is not None:
            turn.message = message
        score = row.get("score")
        if isinstance(score, bool) or not isinstance(score, int | float) or math.isnan(score):
            msg = f"score is a number, not {short(score)}"
            raise AnswerError(msg)
        model = row.get("model_name")
        turn.replies.append(
            _Reply(
                str(row.get("within_turn_id", len(turn.replies))),
                text_of(row, key),
                float(score),
                row.get("if_chosen") is True,
                model if isinstance(model, str) else None,
            )
        )

    def _turn(self, row: dict[str, Any]) -> _Turn:
        number = row.get("turn")
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            msg = f"turn is a whole number from 0, not {short(number)}"
            raise AnswerError(msg)
        return self.turns.setdefault(number, _Turn())

    def comparisons(self, name: str) -> Iterator[Comparison]:
        said: list[str] = []
        for number, turn in sorted(self.turns.items()):
            if turn.message is None:
                msg = f"turn {number} has replies and no message of the user"
                raise AnswerError(msg)
            said.append(f"user: {turn.message}")
            replies = sorted(turn.replies, key=lambda reply: reply.order)
            if len(replies) > 1:
                yield Comparison(
                    "\n\n".join(said) if len(said) > 1 else turn.message,
                    tuple(reply.text for reply in replies),
                    _picked([reply.score for reply in replies]),
                    self.person,
                    {
                        "conversation_id": name,
                        "conversation_type": self.kind,
                        "turn": number,
                        "models": [reply.model for reply in replies],
                        "scores": [reply.score for reply in replies],
                    },
                )
            said += [f"assistant: {reply.text}" for reply in replies if reply.chosen][:1]


def _picked(scores: list[float]) -> Picked:
    best = max(scores)
    return scores.index(best) if scores.count(best) == 1 else TIE
