"""People, pools and elicitations by id, and listings of them in pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import text

from palate.errors import ParameterError, UnknownIdError
from palate.store.base import Page, StoredElicitation, StoredPerson, StoredPool
from palate.store.rows import load

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Connection, Row

Item = TypeVar("Item")

_ID = re.compile(r"[\w-]{1,64}", re.ASCII)
_CURSOR = re.compile(r"[0-9]{1,18}", re.ASCII)
_LARGEST = 1000  # rows a page
_LAST = 2**62  # beyond any number

_NUMBER = {
    "person": text("SELECT number FROM people WHERE id = :id"),
    "pool": text("SELECT number FROM pools WHERE id = :id"),
    "elicitation": text("SELECT number FROM elicitations WHERE id = :id"),
}
_PEOPLE = "SELECT number, id, name, added_at FROM people"
_POOLS = (
    "SELECT number, id, name, prompt, embedder, added_at, "
    "(SELECT count(*) FROM responses WHERE pool = pools.number) AS size FROM pools"
)
_ELICITATIONS = (
    "SELECT e.number, e.id, p.id AS person, o.id AS pool, e.settings, e.seed, e.started_at, "
    "(SELECT coalesce(sum(CASE kind WHEN 'undo' THEN -1 WHEN 'extend' THEN 0 ELSE 1 END), 0) "
    "FROM events WHERE elicitation = e.number) AS answers, "
    "(SELECT count(*) FROM events WHERE elicitation = e.number) AS events, "
    "(SELECT picks FROM remembered WHERE elicitation = e.number) AS remembered "
    "FROM elicitations e JOIN people p ON p.number = e.person JOIN pools o ON o.number = e.pool"
)
_PERSON = text(f"{_PEOPLE} WHERE id = :id")
_ELICITATION = text(f"{_ELICITATIONS} WHERE e.id = :id")


def is_id(value: object) -> bool:
    """Whether a value may be an id; a database need not be asked about any other."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def number_of(connection: Connection, kind: str, value: str) -> int:
    """The number of a person, a pool or an elicitation.

    Raises:
        UnknownIdError: none has this id.
    """
    number = None
    if is_id(value):
        number = connection.execute(_NUMBER[kind], {"id": value}).scalar_one_or_none()
    if number is None:
        raise unknown_id(kind, value)
    return int(number)


def person_of(connection: Connection, value: str) -> StoredPerson:
    """The person with an id; see :func:`number_of`."""
    row = connection.execute(_PERSON, {"id": value}).one_or_none() if is_id(value) else None
    if row is None:
        raise unknown_id("person", value)
    return _person(row)


def elicitation_of(connection: Connection, value: str) -> StoredElicitation:
    """The elicitation with an id; see :func:`number_of`."""
    row = connection.execute(_ELICITATION, {"id": value}).one_or_none() if is_id(value) else None
    if row is None:
        raise unknown_id("elicitation", value)
    return _elicitation(row)


def people(
    connection: Connection, after: str | None, limit: int, *, newest: bool
) -> Page[StoredPerson]:
    """A page of people."""
    limits = _limits(after, limit, newest=newest)
    return _page(connection, f"{_PEOPLE} {_from_on('number', newest=newest)}", _person, limits)


def pools(
    connection: Connection, after: str | None, limit: int, *, newest: bool
) -> Page[StoredPool]:
    """A page of pools."""
    limits = _limits(after, limit, newest=newest)
    return _page(connection, f"{_POOLS} {_from_on('number', newest=newest)}", _pool, limits)


def elicitations(
    connection: Connection,
    person: str | None,
    pool: str | None,
    after: str | None,
    limit: int,
    *,
    newest: bool,
) -> Page[StoredElicitation]:
    """A page of elicitations, of a person or about a pool where one is named."""
    limits = _limits(after, limit, newest=newest)
    named = {"person": person, "pool": pool}
    wanted = {k: number_of(connection, k, v) for k, v in named.items() if v is not None}
    conditions = "".join(f" AND e.{kind} = :{kind}" for kind in wanted)
    page = f"{_ELICITATIONS} {_from_on('e.number', conditions, newest=newest)}"
    return _page(connection, page, _elicitation, limits | wanted)


def _from_on(number: str, conditions: str = "", *, newest: bool) -> str:
    """The end of a query for a page, which goes on after what the one before ended with."""
    beyond, order = ("<", " DESC") if newest else (">", "")
    return f"WHERE {number} {beyond} :after{conditions} ORDER BY {number}{order} LIMIT :most"


def _limits(after: str | None, limit: int, *, newest: bool) -> dict[str, int]:
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= _LARGEST:
        msg = f"limit must be a whole number from 1 to {_LARGEST}, not {limit!r}"
        raise ParameterError(msg)
    if after is not None and not (isinstance(after, str) and _CURSOR.fullmatch(after)):
        msg = f"after must be what a page ended with, not {after!r}"
        raise ParameterError(msg)
    first = _LAST if newest else 0
    return {"after": int(after or 0) or first, "most": limit + 1}  # one more: whether more follow


def _page(
    connection: Connection,
    query: str,
    item: Callable[[Row[Any]], Item],
    limits: dict[str, int],
) -> Page[Item]:
    rows = connection.execute(text(query), limits).all()
    shown = rows[: limits["most"] - 1]
    return Page(tuple(map(item, shown)), str(shown[-1].number) if len(shown) < len(rows) else None)


def _person(row: Row[Any]) -> StoredPerson:
    return StoredPerson(row.id, row.name, row.added_at)


def _pool(row: Row[Any]) -> StoredPool:
    name, prompt, embedder = load(row.name), load(row.prompt), load(row.embedder)
    return StoredPool(row.id, name, prompt, row.size, embedder, row.added_at)


def _elicitation(row: Row[Any]) -> StoredElicitation:
    return StoredElicitation(
        row.id,
        row.person,
        row.pool,
        load(row.settings),
        row.seed,
        row.started_at,
        int(row.answers),
        row.events,
        row.remembered or 0,
    )


def unknown_id(kind: str, value: Any) -> UnknownIdError:  # noqa: ANN401 - whatever was given
    """The error that says that no person, pool or elicitation has an id."""
    shown = repr(value)
    msg = f"there is no {kind} with the id {shown if len(shown) <= 80 else shown[:77] + '...'}"
    return UnknownIdError(msg)
