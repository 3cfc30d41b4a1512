"""A person's earlier elicitations: what is remembered of them, and what a later one starts from.

A past is kept as references to the log: which elicitations, and how many events of each had
happened. Events and pools never change, so that it can be made again whatever happens later.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import text

from palate.elicitation import Elicitation
from palate.errors import StoreError
from palate.profile.past import LATEST, ages, counted, past_of, rows_of
from palate.profile.records import remembered
from palate.store.events import read_events
from palate.store.rows import dump, load
from palate.strategies import WinnerStays

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sqlalchemy import Connection

    from palate.pool import Pool
    from palate.preference.memory import Past
    from palate.profile import Remembered
    from palate.store.database import Database

FURTHEST = 300
"""Elicitations with answers that are looked back at; drift has long drowned what was before."""

_AT_ONCE = 30
_STYLED = 2_000  # responses up to which the style of all is found out; of many it takes seconds
_DIGITS = 6  # of style, whose last digits may depend on the processor

_REMEMBERED = (
    "NOT EXISTS (SELECT 1 FROM forgotten f WHERE f.person = e.person AND f.upto >= e.number "
    "AND (f.pool IS NULL OR f.pool = e.pool))"
)
_STANDING = "sum(CASE v.kind WHEN 'undo' THEN -1 WHEN 'extend' THEN 0 ELSE 1 END)"
_EARLIER = text(
    "SELECT e.number, e.id, e.pool, o.embedder, o.scaling, a.d, "  # noqa: S608 - our own words
    "(SELECT max(v.number) FROM events v WHERE v.elicitation = e.number) AS events, "
    f"(SELECT {_STANDING} FROM events v WHERE v.elicitation = e.number) AS standing "
    "FROM elicitations e JOIN pools o ON o.number = e.pool "
    "LEFT JOIN feature_arrays a ON a.fingerprint = o.features "
    f"WHERE e.person = :person AND e.number < :before AND {_REMEMBERED} "
    "AND EXISTS (SELECT 1 FROM events v WHERE v.elicitation = e.number) "
    "ORDER BY e.number DESC LIMIT :most"
)
_COUNT = (
    f"SELECT {_STANDING} FROM elicitations e JOIN events v ON v.elicitation = e.number "  # noqa: S608
    f"WHERE e.person = :person AND {_REMEMBERED}"
)
_FORGET = text(
    "INSERT INTO forgotten (person, pool, upto, at) SELECT :person, CAST(:pool AS BIGINT), "
    "coalesce(max(number), 0), :at FROM elicitations WHERE person = :person"
)
_BEGAN = text(
    "INSERT INTO remembered (elicitation, picks, sources) VALUES (:elicitation, :picks, :sources)"
)
_SOURCES = text("SELECT sources FROM remembered WHERE elicitation = :elicitation")
_POOL = text("SELECT id, pool FROM elicitations WHERE number = :number")


@dataclass(frozen=True, slots=True)
class Earlier:
    """An elicitation in which answers stand.

    Attributes:
        number: of the elicitation.
        id: of the elicitation.
        pool: number of its pool.
        made: embedder, scaling and number of the pool's features.
        events: how many have happened.
    """

    number: int
    id: str
    pool: int
    made: tuple[str | None, str, int]
    events: int


@dataclass(frozen=True, slots=True)
class Source:
    """What a later elicitation takes from an earlier one: the picks that stood, but for the oldest.

    Attributes:
        elicitation: number of the earlier one.
        events: how many had happened there.
        age: how many prompts ago that was, from 1.
        left_out: how many of its picks are left out.
    """

    elicitation: int
    events: int
    age: int
    left_out: int


class History:
    """What the log says of people's earlier elicitations.

    Args:
        database: to read.
        pool: the pool of a number.
    """

    def __init__(self, database: Database, pool: Callable[[int], Pool]) -> None:
        self._database = database
        self._pool = pool

    def answers(self, person: int, *, most: int) -> list[Remembered]:
        """The latest answers of a person that stand and are not forgotten, in order.

        Args:
            person: their number.
            most: how many answers to look for, at least; those of an elicitation go together.
        """
        told: list[list[Remembered]] = []
        for earlier in self._earlier(person):
            told.append(self._answers(earlier.id, earlier.pool, earlier.number, earlier.events))
            if sum(map(len, told)) >= most:
                break
        return [answer for answers in reversed(told) for answer in answers]

    def past(self, person: int, pool: Pool) -> tuple[Past, list[Source]]:
        """What a person's answers tell of a pool with features, and where that stands.

        See :meth:`palate.Profile.past` for what counts; elicitations are looked at from the latest
        on, until there is enough.
        """
        made = pool.embedder, pool.scaling, 0 if pool.features is None else pool.features.shape[1]
        found: list[tuple[Earlier, int, list[Remembered]]] = []
        rows = 0
        for age, earlier in enumerate(self._earlier(person), start=1):
            if earlier.made != made:
                continue
            picks = self._picks(earlier.id, earlier.pool, earlier.number, earlier.events)
            found.append((earlier, age, picks))
            rows += sum(map(rows_of, picks))
            if rows > LATEST:
                break
        found.reverse()
        kept = counted([answer for _, _, picks in found for answer in picks], pool)
        of_run = ages(kept)
        sources = []
        for earlier, age, picks in found:
            if earlier.id in of_run:
                stay = sum(answer.run == earlier.id for answer in kept)
                left_out = len(picks) - stay
                sources.append(Source(earlier.number, earlier.events, age, left_out))
                of_run[earlier.id] = age
        return _rounded(past_of(kept, of_run, pool)), sources

    def past_again(self, sources: Sequence[Source], pool: Pool) -> Past:
        """The past that :meth:`past` made of a pool, from where it stands."""
        age: dict[str, int] = {}
        answers: list[Remembered] = []
        for source in sources:
            with self._database.reading() as connection:
                row = connection.execute(_POOL, {"number": source.elicitation}).one_or_none()
            if row is None:
                msg = f"the database is damaged: elicitation {source.elicitation} is missing"
                raise StoreError(msg)
            picks = self._picks(row.id, row.pool, source.elicitation, source.events)
            answers += picks[source.left_out :]
            age[row.id] = source.age
        return _rounded(past_of(answers, age, pool))

    def _earlier(self, person: int) -> Iterator[Earlier]:
        """The elicitations of a person that count and in which answers stand, the latest first."""
        limits = {"person": person, "before": 2**62, "most": _AT_ONCE}
        for _ in range(FURTHEST // _AT_ONCE):
            with self._database.reading() as connection:
                rows = connection.execute(_EARLIER, limits).all()
            for row in rows:
                if row.standing:
                    made = load(row.embedder), row.scaling, row.d or 0
                    yield Earlier(row.number, row.id, row.pool, made, row.events)
            if len(rows) < _AT_ONCE:
                return
            limits["before"] = rows[-1].number

    def _picks(self, id: str, pool: int, number: int, events: int) -> list[Remembered]:  # noqa: A002
        return [answer for answer in self._answers(id, pool, number, events) if answer.stages]

    def _answers(self, id: str, pool: int, number: int, events: int) -> list[Remembered]:  # noqa: A002
        """The answers that stood in an elicitation after so many events."""
        elicitation = Elicitation(self._pool(pool), WinnerStays())  # who only reads asks nothing
        with self._database.reading() as connection:
            recorded = read_events(connection, number, 0)
        for event in recorded[:events]:
            elicitation.replay(event.content)
        style = len(elicitation.pool) <= _STYLED
        return [remembered(elicitation, a, id, style=style) for a in elicitation.history]


def write_sources(
    connection: Connection, elicitation: int, past: Past, sources: Sequence[Source]
) -> None:
    """Record what an elicitation began from."""
    row = {
        "elicitation": elicitation,
        "picks": len(set(past.group.tolist())),
        "sources": dump([dataclasses.asdict(source) for source in sources]),
    }
    connection.execute(_BEGAN, row)


def read_sources(connection: Connection, elicitation: int) -> list[Source] | None:
    """Where the past stands that an elicitation began from; None where it began from none.

    Raises:
        StoreError: what is there is no such thing.
    """
    row = connection.execute(_SOURCES, {"elicitation": elicitation}).one_or_none()
    if row is None:
        return None
    try:
        return [Source(**source) for source in load(row.sources)]
    except TypeError as error:
        msg = f"the database is damaged: elicitation {elicitation} began from nothing ({error})"
        raise StoreError(msg) from error


def forget(connection: Connection, person: int, pool: int | None, at: str) -> int:
    """Record that a person's answers so far are not to be remembered, or those about a pool.

    Returns:
        How many that stand are remembered no more.
    """
    row: dict[str, Any] = {"person": person, "pool": pool, "at": at}
    about = "" if pool is None else " AND e.pool = :pool"
    count = connection.execute(text(_COUNT + about), row).scalar_one() or 0
    connection.execute(_FORGET, row)
    return int(count)


def _rounded(past: Past) -> Past:
    """A past whose digest is the same on every processor; adding 0 makes -0 one with it."""
    if past.style is None:
        return past
    return dataclasses.replace(past, style=np.round(past.style, _DIGITS) + 0.0)
