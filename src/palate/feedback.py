"""Questions and answers: what is shown to a person, and what they said.

A query holds K >= 2 responses. It names them twice: by their place in the pool, in the order in
which they are shown, and by id, so that a log of answers stays right when the pool is stored
elsewhere. An answer is one of the options, a tie, or a skip. A comparison is a query with its
answer in texts, which needs no pool: what data sets of preferences hold.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

from palate.errors import AnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from palate.pool import Pool

TIE: Final = "tie"
SKIP: Final = "skip"

Picked: TypeAlias = int | Literal["tie", "skip"]
"""A position in ``query.options``; "tie": equally good; "skip": no opinion, or not now."""

Reply: TypeAlias = int | Literal["tie", "skip", "undo", "stop"]
"""What a person can say to a query: an answer, "undo" of the one before, or "stop"."""


@dataclass(frozen=True, slots=True)
class Query:
    """K >= 2 responses shown together.

    Attributes:
        number: how many answers stood before this query was asked, from 0.
        options: pool indices in the order shown.
        ids: ids of the same responses.
    """

    number: int
    options: tuple[int, ...]
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a person said to one query.

    Attributes:
        query: what was shown.
        picked: a position in ``query.options``, "tie" or "skip".
        at: when, as an ISO 8601 time in UTC; empty where nobody noted it.
        seconds: how long the person took, or None where nobody measured it.
    """

    query: Query
    picked: Picked
    at: str = ""
    seconds: float | None = None

    @property
    def winner(self) -> int | None:
        """Pool index of the option picked, or None for a tie or a skip."""
        return self.query.options[self.picked] if isinstance(self.picked, int) else None

    @property
    def losers(self) -> tuple[int, ...]:
        """Pool indices of the options that were shown and not picked; none for a tie or a skip."""
        winner = self.winner
        return () if winner is None else tuple(i for i in self.query.options if i != winner)


@dataclass(frozen=True, slots=True)
class Comparison:
    """An answered query in texts: what one person picked, whatever pool it came from.

    Attributes:
        prompt: what was asked.
        options: K >= 2 texts, in the order shown where that is known.
        picked: a position in ``options``, "tie" or "skip".
        person: who answered, or None where nobody noted it.
        metadata: whatever else is known about it, such as the models that wrote the options.

    Raises:
        AnswerError: fewer than two options, something that is no text, or no such position.
    """

    prompt: str
    options: tuple[str, ...]
    picked: Picked
    person: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if isinstance(self.options, str) or len(self.options) < 2:
            msg = f"a comparison has at least two options, not {self.options!r}"
            raise AnswerError(msg)
        for value in (self.prompt, *self.options):
            if not isinstance(value, str):
                msg = f"the prompt and the options of a comparison are texts, not {value!r}"
                raise AnswerError(msg)
        if self.person is not None and not isinstance(self.person, str):
            msg = f"a person is a text or None, not {self.person!r}"
            raise AnswerError(msg)
        object.__setattr__(self, "options", tuple(self.options))
        object.__setattr__(self, "picked", check_picked(self.picked, self))

    @property
    def chosen(self) -> str | None:
        """The option picked, or None for a tie or a skip."""
        return self.options[self.picked] if isinstance(self.picked, int) else None

    @property
    def rejected(self) -> tuple[str, ...]:
        """The options that were shown and not picked; none for a tie or a skip."""
        if not isinstance(self.picked, int):
            return ()
        return self.options[: self.picked] + self.options[self.picked + 1 :]


class Person(Protocol):
    """Somebody who answers queries: at a terminal, in a browser, or simulated."""

    def answer(self, query: Query, pool: Pool) -> Reply:
        """Reply to a query about a pool."""
        ...


def check_picked(picked: object, query: Query | Comparison) -> Picked:
    """A valid answer to what was shown, or an AnswerError that names the value and the rule."""
    if isinstance(picked, str):
        if picked == TIE:
            return TIE
        if picked == SKIP:
            return SKIP
    elif not isinstance(picked, bool):
        try:
            position = operator.index(picked)  # type: ignore[arg-type]  # numpy's integers too
        except TypeError:
            position = -1
        if 0 <= position < len(query.options):
            return position
    msg = (
        f"an answer is a position from 0 to {len(query.options) - 1}, 'tie' or 'skip', "
        f"not {picked!r}"
    )
    raise AnswerError(msg)
