"""A schema of its own in PostgreSQL, for tests that need one."""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, make_url, text

if TYPE_CHECKING:
    from collections.abc import Iterator

POSTGRES = os.environ.get("PALATE_TEST_POSTGRES")


@contextlib.contextmanager
def postgres_url() -> Iterator[str]:
    """A schema of its own, dropped at the end."""
    if not POSTGRES:
        pytest.skip("PALATE_TEST_POSTGRES does not name a server")
    url = make_url(POSTGRES).set(drivername="postgresql+psycopg")
    engine = create_engine(url, connect_args={"connect_timeout": 3})
    schema = f"palate_test_{secrets.token_hex(8)}"
    try:
        with engine.begin() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
    except Exception as error:  # noqa: BLE001 - no driver, no server, no such database
        pytest.skip(f"PALATE_TEST_POSTGRES cannot be reached: {str(error).splitlines()[0]}")
    try:
        named = make_url(POSTGRES).update_query_dict({"options": f"-csearch_path={schema}"})
        yield named.render_as_string(hide_password=False)
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        engine.dispose()
