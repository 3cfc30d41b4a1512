"""Deleting a person: every row that is theirs, and none of anybody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from palate.errors import ConflictError, UnknownIdError
from palate.store.base import Deleted

if TYPE_CHECKING:
    from sqlalchemy import Connection

_THEIRS = "SELECT number FROM elicitations WHERE person = :person"
_IN_A_STUDY = text(
    "SELECT 1 FROM study_elicitations s JOIN elicitations e ON e.id = s.elicitation "
    "WHERE e.person = :person LIMIT 1"
)
_COUNT = text(
    "SELECT (SELECT count(*) FROM elicitations WHERE person = :person) AS elicitations, "  # noqa: S608
    "(SELECT sum(CASE kind WHEN 'undo' THEN -1 WHEN 'extend' THEN 0 ELSE 1 END) "
    f"FROM events WHERE elicitation IN ({_THEIRS})) AS answers"
)
_ARRAYS = text(
    "SELECT DISTINCT features FROM events "  # noqa: S608
    f"WHERE features IS NOT NULL AND elicitation IN ({_THEIRS})"
)
_ROWS = [
    text(f"DELETE FROM {table} WHERE elicitation IN ({_THEIRS})")  # noqa: S608
    for table in ("remembered", "added_responses", "events", "queries")
] + [
    text("DELETE FROM elicitations WHERE person = :person"),
    text("DELETE FROM forgotten WHERE person = :person"),
]
_PERSON = text("DELETE FROM people WHERE number = :person")
_ARRAY = text(
    "DELETE FROM feature_arrays WHERE fingerprint = :fingerprint "
    "AND NOT EXISTS (SELECT 1 FROM pools WHERE features = :fingerprint) "
    "AND NOT EXISTS (SELECT 1 FROM events WHERE features = :fingerprint)"
)


def delete_person(connection: Connection, person: int) -> Deleted:
    """Delete a person and all that is theirs, within a transaction.

    Raises:
        ConflictError: they took part in a study.
        UnknownIdError: somebody else was faster.
    """
    of = {"person": person}
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")  # overwritten, and not only let go
    else:
        # Nothing is started or answered meanwhile: that would refer to what is going.
        connection.execute(text("SELECT 1 FROM people WHERE number = :person FOR UPDATE"), of)
        connection.execute(text(f"{_THEIRS} FOR UPDATE"), of)
    if connection.execute(_IN_A_STUDY, of).first() is not None:
        raise ConflictError(
            "this person took part in a study, whose answers are kept for its report; they can be "
            "deleted with the whole study's database alone"
        )
    count = connection.execute(_COUNT, of).one()
    arrays = connection.execute(_ARRAYS, of).scalars().all()
    for rows in _ROWS:
        connection.execute(rows, of)
    if not connection.execute(_PERSON, of).rowcount:
        raise UnknownIdError("there is no such person any more: somebody else deleted them")
    for fingerprint in arrays:
        connection.execute(_ARRAY, {"fingerprint": fingerprint})
    return Deleted(count.elicitations, int(count.answers or 0))
