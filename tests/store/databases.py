"""Databases for tests: a file, memory, and a schema of its own in PostgreSQL."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, make_url, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine


def postgres_engine() -> Engine:
    """The server that ``PALATE_TEST_POSTGRES`` names; the test is skipped where it does not."""
    why = _unreachable()
    if why:
        pytest.skip(why)
    return create_engine(_url())


def _url() -> str:
    named = make_url(os.environ["PALATE_TEST_POSTGRES"])
    return named.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


@functools.cache
def _unreachable() -> str:
    if not os.environ.get("PALATE_TEST_POSTGRES"):
        return "PALATE_TEST_POSTGRES does not name a server"
    engine = create_engine(_url(), connect_args={"connect_timeout": 3})
    try:
        with engine.connect():
            return ""
    except Exception as error:  # noqa: BLE001 - no driver, no server, no such database
        return f"PALATE_TEST_POSTGRES cannot be reached: {str(error).splitlines()[0]}"
    finally:
        engine.dispose()


@contextlib.contextmanager
def postgres_url() -> Iterator[str]:
    """A URL whose tables lie in a new schema, dropped at the end."""
    engine = postgres_engine()
    schema = f"palate_test_{secrets.token_hex(8)}"
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    try:
        named = make_url(os.environ["PALATE_TEST_POSTGRES"])
        url = named.update_query_dict({"options": f"-csearch_path={schema}"})
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        engine.dispose()


@contextlib.contextmanager
def new_url(kind: str, folder: Path) -> Iterator[str]:
    """A URL of a store that is not there yet, of kind "file" or "postgres"."""
    if kind == "file":
        yield f"sqlite:///{folder}/store.db"
    else:
        with postgres_url() as url:
            yield url
