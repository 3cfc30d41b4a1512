"""Questions and answers: what is shown to a person, and what they said.

A query holds K >= 2 responses. It names them twice: by their place in the pool, in the order in
which they are shown, and by id, so that a log of answers stays right when the pool is stored
elsewhere. An answer is one of the options, a tie, or a skip.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

from palate.errors import AnswerError

if TYPE_CHECKING:
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


class Person(Protocol):
    """Somebody who answers queries: at a terminal, in a browser, or simulated."""

    def answer(self, query: Query, pool: Pool) -> Reply:
        """Reply to a query about a pool."""
        ...


def check_picked(picked: object, query: Query) -> Picked:
    """A valid answer to the query, or an AnswerError that names the value and the rule."""
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
