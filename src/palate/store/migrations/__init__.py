"""The schema, in numbered steps: ``0001_first.sql`` makes version 1, and so on.

A step that was released is never changed; what comes later is a further step.
"""

from __future__ import annotations

import string
from importlib import resources
from typing import TYPE_CHECKING

from sqlalchemy import inspect, text

from palate.errors import StoreError
from palate.store.rows import now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from palate.store.database import Database

_TYPES = {
    "sqlite": {"identity": "INTEGER PRIMARY KEY AUTOINCREMENT", "bytes": "BLOB"},
    "postgresql": {
        "identity": "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
        "bytes": "BYTEA",
    },
}
_LOCK = 7_065_108_116_101  # any number that other programs do not lock by


def steps() -> list[str]:
    """The SQL of each step, with ``$identity`` and ``$bytes`` for the types that differ."""
    folder = resources.files(__name__)
    files = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return [(folder / name).read_text(encoding="utf-8") for name in files]


def migrate(database: Database) -> int:
    """Bring a database to the newest schema, in one transaction; several may try at once.

    Returns:
        The version that it had before; 0 where it was empty.

    Raises:
        StoreError: it belongs to something else, or a newer palate has written it.
    """
    known = steps()
    types = _TYPES[database.dialect]
    with database.reading() as connection:
        found = _version(connection, database.name)
    if found == len(known):
        return found
    with database.writing() as connection:
        if database.dialect == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        found = _version(connection, database.name)  # another process may have been faster
        if found > len(known):
            msg = (
                f"the database {database.name} has schema {found} and this palate knows "
                f"{len(known)}; use the palate that wrote it, or a newer one"
            )
            raise StoreError(msg)
        if found == 0:
            connection.exec_driver_sql(
                "CREATE TABLE schema_version (version INTEGER PRIMARY KEY, at TEXT NOT NULL)"
            )
        for version, step in enumerate(known[found:], start=found + 1):
            for statement in statements(step, types):
                connection.exec_driver_sql(statement)
            connection.execute(
                text("INSERT INTO schema_version (version, at) VALUES (:version, :at)"),
                {"version": version, "at": now()},
            )
    return found


def statements(step: str, types: Mapping[str, str]) -> list[str]:
    """The statements of a step, without its comments."""
    code = "\n".join(line.partition("--")[0].rstrip() for line in step.splitlines())
    whole = string.Template(code).substitute(types)
    return [statement.strip() for statement in whole.split(";") if statement.strip()]


def _version(connection: Connection, name: str) -> int:
    tables = inspect(connection).get_table_names()
    if "schema_version" not in tables:
        if tables:
            msg = f"the database {name} is not a store: it holds {', '.join(sorted(tables)[:3])}"
            raise StoreError(msg)
        return 0
    return connection.execute(text("SELECT max(version) FROM schema_version")).scalar() or 0
