"""Questions and answers: what is shown to a person, and what they said.

A query holds K >= 2 responses. It names them twice: by their place in the pool, in the order in
which they are shown, and by id, so that a log of answers stays right when the pool is stored
elsewhere. An answer is one of the options, an order of them, a tie, or a skip. A comparison is a
query with its answer in texts, which needs no pool: what data sets of preferences hold.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias, TypeVar

from palate.errors import AnswerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from palate.pool import Pool

Option = TypeVar("Option")

TIE: Final = "tie"
SKIP: Final = "skip"

Picked: TypeAlias = int | tuple[int, ...] | Literal["tie", "skip"]
"""A position in ``query.options``; several of them, an order; "tie": equally good; "skip": no
opinion, or not now.

An order names m different positions, 2 <= m <= K, best first. Options that it does not name are
worse than all those that it names; it says nothing about them among themselves.
"""

Reply: TypeAlias = int | tuple[int, ...] | Literal["tie", "skip", "undo", "stop"]
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
        picked: a position in ``query.options``, an order of them, "tie" or "skip".
        at: when, as an ISO 8601 time in UTC; empty where nobody noted it.
        seconds: how long the person took, or None where nobody measured it.
    """

    query: Query
    picked: Picked
    at: str = ""
    seconds: float | None = None

    @property
    def winner(self) -> int | None:
        """Pool index of the option picked or put first, or None for a tie or a skip."""
        stages = self.stages
        return stages[0][0] if stages else None

    @property
    def losers(self) -> tuple[int, ...]:
        """Pool indices of all other options that were shown; none for a tie or a skip."""
        stages = self.stages
        return stages[0][1] if stages else ()

    @property
    def stages(self) -> tuple[tuple[int, tuple[int, ...]], ...]:
        """The picks that the answer amounts to, in pool indices; see :func:`stages_of`."""
        return stages_of(self.picked, self.query.options)


@dataclass(frozen=True, slots=True)
class Comparison:
    """An answered query in texts: what one person picked, whatever pool it came from.

    Attributes:
        prompt: what was asked.
        options: K >= 2 texts, in the order shown where that is known.
        picked: a position in ``options``, an order of them, "tie" or "skip".
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
        """The option picked or put first, or None for a tie or a skip."""
        stages = self.stages
        return stages[0][0] if stages else None

    @property
    def rejected(self) -> tuple[str, ...]:
        """All other options that were shown; none for a tie or a skip."""
        stages = self.stages
        return stages[0][1] if stages else ()

    @property
    def stages(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The picks that the answer amounts to, in texts; see :func:`stages_of`."""
        return stages_of(self.picked, self.options)


class Person(Protocol):
    """Somebody who answers queries: at a terminal, in a browser, or simulated."""

    def answer(self, query: Query, pool: Pool) -> Reply:
        """Reply to a query about a pool."""
        ...


def stages_of(
    picked: Picked, options: Sequence[Option]
) -> tuple[tuple[Option, tuple[Option, ...]], ...]:
    """The picks that an answer amounts to: a winner each, and those that it was picked over.

    An order is made as if by picking the best option, then the best of those left, and so on: the
    stages of Plackett and Luce (Plackett, "The analysis of permutations", 1975; Luce, "Individual
    choice behavior", 1959). A pick is one stage, a tie or a skip none; an order of m out of K is m
    stages, or K - 1 where it names all, since the last one had no other to be picked over.

    Args:
        picked: an answer as :func:`check_picked` returns it.
        options: what was shown, as pool indices, texts or anything else.
    """
    if isinstance(picked, str):
        return ()
    left = list(range(len(options)))
    stages = []
    for position in (picked,) if isinstance(picked, int) else picked:
        left.remove(position)
        if left:
            stages.append((options[position], tuple(options[i] for i in left)))
    return tuple(stages)


def check_picked(picked: object, query: Query | Comparison) -> Picked:
    """A valid answer to what was shown, in the one form that says it.

    An order may be a list, a tuple or an array; where it leaves out one option, that one is last,
    and an order of two is a pick.

    Raises:
        AnswerError: it is none; the message names the value and the rule.
    """
    k = len(query.options)
    if isinstance(picked, list | tuple) or getattr(picked, "ndim", 0) == 1:
        return _checked_order(picked, k)
    if isinstance(picked, str):
        if picked == TIE:
            return TIE
        if picked == SKIP:
            return SKIP
    else:
        position = _position(picked, k)
        if position is not None:
            return position
    msg = (
        f"an answer is a position from 0 to {k - 1}, an order of them (best first), 'tie' or "
        f"'skip', not {picked!r}"
    )
    raise AnswerError(msg)


def _checked_order(named: Any, k: int) -> int | tuple[int, ...]:  # noqa: ANN401 - a list or so
    positions = [position for value in named if (position := _position(value, k)) is not None]
    if len(positions) < len(named) or len(set(positions)) < len(named) or len(named) < 2:
        msg = (
            f"an order is at least 2 different positions from 0 to {k - 1}, best first, "
            f"not {named!r}"
        )
        raise AnswerError(msg)
    if len(positions) == k - 1:
        positions += set(range(k)) - set(positions)
    return positions[0] if k == 2 else tuple(positions)


def _position(value: Any, k: int) -> int | None:  # noqa: ANN401 - whatever was given
    """A position from 0 to k - 1, or None."""
    try:
        position = -1 if isinstance(value, bool) else operator.index(value)  # numpy's too
    except TypeError:
        return None
    return position if 0 <= position < k else None
