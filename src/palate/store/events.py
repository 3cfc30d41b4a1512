"""The log of an elicitation in the database: queries asked, and what happened, a row each.

Two constraints keep the log whole, whoever writes: an elicitation has one event of each number, and
one query after each event. Who finds the place taken was slower than somebody else, and reads on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import text

from palate.errors import UnknownIdError
from palate.store.pools import read_features, write_features
from palate.store.rows import dump, dump_response, load, new_id, now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Row

    from palate.elicitation import Extension
    from palate.feedback import Picked, Query

_QUERY = text(
    "INSERT INTO queries (id, elicitation, after_event, number, shown, asked_at) "
    "SELECT :id, :elicitation, :after, :number, :shown, :at WHERE NOT EXISTS "
    "(SELECT 1 FROM events e WHERE e.elicitation = :elicitation AND e.number > :after) "
    "ON CONFLICT DO NOTHING"
)
_WAITING = text(
    "SELECT id, number, shown FROM queries "
    "WHERE elicitation = :elicitation AND after_event = :after"
)
_EVENT = text(
    "INSERT INTO events (elicitation, number, kind, query, said, response_ms, at) "
    "VALUES (:elicitation, :number, :kind, :query, :said, :response_ms, :at) "
    "ON CONFLICT DO NOTHING"
)
_EXTENSION = text(
    "INSERT INTO events (elicitation, number, kind, pending, features, at) "
    "VALUES (:elicitation, :number, 'extend', :pending, :features, :at) ON CONFLICT DO NOTHING"
)
_ADDED = text(
    "INSERT INTO added_responses (elicitation, event, position, content) "
    "VALUES (:elicitation, :event, :position, :content)"
)
_EVENTS = text(
    "SELECT e.number, e.kind, e.query, e.said, e.response_ms, e.at, e.pending, e.features, "
    "q.number AS asked, q.shown FROM elicitations l "
    "LEFT JOIN events e ON e.elicitation = l.number AND e.number > :seen "
    "LEFT JOIN queries q ON q.id = coalesce(e.query, e.pending) "
    "WHERE l.number = :elicitation ORDER BY e.number"
)
_CONTENTS = text(
    "SELECT content FROM added_responses WHERE elicitation = :elicitation AND event = :event "
    "ORDER BY position"
)
_KNOWN = text(
    "SELECT e.number FROM queries q LEFT JOIN events e ON e.query = q.id "
    "WHERE q.id = :id AND q.elicitation = :elicitation"
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event of a log.

    Attributes:
        number: its place, from 1.
        kind: "pick", "order", "tie", "skip", "undo" or "extend".
        query: id of the query that it answers, or None.
        pending: id of the query that waited when the pool grew, or None.
        content: as :meth:`palate.Elicitation.replay` takes it.
    """

    number: int
    kind: str
    query: str | None
    pending: str | None
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A query that was asked.

    Attributes:
        id: of the query.
        number: how many answers stood before it.
        shown: ids of the responses in the order shown.
    """

    id: str
    number: int
    shown: list[str]


def read_events(connection: Connection, elicitation: int, seen: int) -> list[Recorded]:
    """The events after those seen, in order.

    Raises:
        UnknownIdError: the elicitation is gone, with whoever was asked.
    """
    rows = connection.execute(_EVENTS, {"elicitation": elicitation, "seen": seen}).all()
    if not rows:  # of one that is there comes a row, though nothing may have happened
        raise UnknownIdError("there is no such elicitation any more: its person was deleted")
    return [_recorded(connection, elicitation, row) for row in rows if row.number is not None]


def _recorded(connection: Connection, elicitation: int, row: Row[Any]) -> Recorded:
    content: dict[str, Any]
    if row.kind == "undo":
        content = {"undo": True}
    elif row.kind == "extend":
        event = {"elicitation": elicitation, "event": row.number}
        contents = connection.execute(_CONTENTS, event).scalars()
        content = {"extend": [load(response) for response in contents]}
        if row.features is not None:
            content["features"] = read_features(connection, row.features).tolist()
        if row.pending is not None:
            content["pending"] = load(row.shown)
    else:
        content = {"query": row.asked, "shown": load(row.shown), "answer": row.kind}
        if row.kind == "pick":
            content["picked"] = load(row.said)[0]
        elif row.kind == "order":
            content["order"] = load(row.said)
        if row.response_ms is not None:
            content["seconds"] = row.response_ms / 1000.0
    return Recorded(row.number, row.kind, row.query, row.pending, content | {"at": row.at})


def read_waiting(connection: Connection, elicitation: int, after: int) -> Waiting | None:
    """The query that was asked after an event, or None."""
    row = connection.execute(_WAITING, {"elicitation": elicitation, "after": after}).one_or_none()
    return None if row is None else Waiting(row[0], row[1], load(row[2]))


def query_columns(elicitation: int, after: int, query: Query) -> dict[str, Any]:
    """A row of a query that is asked after an event, under a new id."""
    return {
        "id": new_id(),
        "elicitation": elicitation,
        "after": after,
        "number": query.number,
        "shown": dump(list(query.ids)),
        "at": now(),
    }


def write_query(connection: Connection, columns: Mapping[str, Any]) -> bool:
    """Whether a query was recorded: nothing happened since, and nothing else is asked there."""
    return connection.execute(_QUERY, columns).rowcount == 1


def event_columns(elicitation: int, number: int, kind: str, at: str) -> dict[str, Any]:
    """A row of an event, to which an answer adds its query and what was said."""
    event = {"elicitation": elicitation, "number": number, "kind": kind, "at": at}
    return event | {"query": None, "said": None, "response_ms": None}


def answer_columns(asked: Query, picked: Picked) -> tuple[str, str | None]:
    """The kind of an answer, and what was said."""
    if isinstance(picked, int):
        return "pick", dump([asked.ids[picked]])
    if isinstance(picked, tuple):
        return "order", dump([asked.ids[i] for i in picked])
    return picked, None


def write_event(connection: Connection, columns: Mapping[str, Any]) -> bool:
    """Whether an answer or an undo was recorded: its place in the log was free."""
    return connection.execute(_EVENT, columns).rowcount == 1


def write_extension(
    connection: Connection,
    elicitation: int,
    number: int,
    extension: Extension,
    *,
    pending: str | None,
    first: int,
) -> bool:
    """Whether it was recorded that responses join the pool: the place in the log was free.

    Args:
        connection: within a transaction.
        elicitation: its number.
        number: of the event.
        extension: what joins.
        pending: id of the query that waits.
        first: place in the pool of the first that joins.
    """
    features = None
    if extension.features is not None:
        features = write_features(connection, np.array(extension.features))
    row = {"elicitation": elicitation, "number": number, "pending": pending}
    done = connection.execute(_EXTENSION, row | {"features": features, "at": extension.at})
    if not done.rowcount:
        return False
    added = [
        {
            "elicitation": elicitation,
            "event": number,
            "position": position,
            "content": dump_response(response),
        }
        for position, response in enumerate(extension.responses, start=first)
    ]
    connection.execute(_ADDED, added)
    return True


def was_asked(connection: Connection, elicitation: int, query: str) -> bool | None:
    """Whether a query of an elicitation was answered, perhaps in vain; None where it is not one."""
    row = connection.execute(_KNOWN, {"elicitation": elicitation, "id": query}).one_or_none()
    return None if row is None else row[0] is not None
