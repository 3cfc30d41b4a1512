"""A database by its URL: SQLite in a file or in memory, or PostgreSQL; and its transactions."""

from __future__ import annotations

import contextlib
import random
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from sqlalchemy import create_engine, event, make_url
from sqlalchemy import exc as sql_errors
from sqlalchemy.pool import QueuePool, StaticPool

from palate.errors import MissingExtraError, ParameterError, StoreError
from palate.store.group import GroupCommit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

Result = TypeVar("Result")

_PATIENCE = 30.0  # seconds to wait for a lock or a connection
_CONNECTIONS = 16
_REST = 2.0  # seconds after which a connection may be gone
_FORMS = "a file, sqlite:///FILE, memory: or postgresql://USER@HOST/DATABASE"


class Database:
    """An engine, and how to read and write by it from any thread; close it at the end.

    A connection does not survive a fork: open one in each process.

    Args:
        url: see :func:`palate.store.open_store`.

    Raises:
        ParameterError: there is no such kind of database.
        StoreError: it cannot be opened.
        MissingExtraError: the driver of PostgreSQL is not installed.
    """

    def __init__(self, url: str) -> None:
        parsed, options = _parsed(url)
        self.name = parsed.render_as_string(hide_password=True)
        self.dialect = parsed.get_backend_name()
        self._synchronous = options.get("synchronous", "full")
        self._writer: AbstractContextManager[object] = contextlib.nullcontext()
        self._reader: AbstractContextManager[object] = contextlib.nullcontext()
        self._group: GroupCommit | None = None
        if self.dialect == "sqlite":
            # It takes one writer at a time; threads queue here, where waiting costs nothing. In
            # memory there is one connection, which takes one thread at a time.
            self._writer = threading.Lock()
            self._reader = self._writer if parsed.database == ":memory:" else self._reader
            self._group = GroupCommit(self.writing)
        try:
            self.engine = _engine(parsed)
        except ModuleNotFoundError as error:
            msg = f"PostgreSQL needs {error.name}: pip install 'palate[postgres]'"
            raise MissingExtraError(msg) from error
        self._reads = self.engine
        if self._group is None:
            self._reads = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read by: each statement sees what is committed when it begins."""
        with self._errors(), self._reader, self._reads.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Connection]:
        """A transaction, committed at the end; what is raised inside takes it back.

        Args:
            durable: whether to wait until the disk has it. Without, it survives the death of the
                process all the same, but perhaps not that of the machine.
        """
        level = self._synchronous if durable else "normal"
        with self._errors(), self._writer, self.engine.connect() as connection:
            writer = connection.execution_options(palate_writes=level)
            with writer.begin():
                if self._group is None and not durable:
                    writer.exec_driver_sql("SET LOCAL synchronous_commit = off")
                yield writer

    def write(
        self,
        work: Callable[[Connection], Result],
        *,
        durable: bool = True,
        statement: bool = False,
    ) -> Result:
        """What a small piece of work returns once it is committed, perhaps with that of others.

        Args:
            work: reads and writes by the connection; may be run twice.
            durable: see :meth:`writing`.
            statement: whether it is a single statement, for which PostgreSQL, which groups by
                itself, need not be told where a transaction begins and ends.
        """
        if self._group is not None:
            return self._group.run(work, durable=durable)
        if statement:
            with self.reading() as connection:
                return work(connection)
        with self.writing(durable=durable) as connection:
            return work(connection)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """What the driver raises, as one line."""
        try:
            yield
        except (sql_errors.SQLAlchemyError, sqlite3.Error) as error:
            reason = " ".join(str(getattr(error, "orig", None) or error).split())
            msg = f"the database {self.name} cannot be used: {reason}"
            raise StoreError(msg) from error


def _parsed(url: str) -> tuple[URL, dict[str, str]]:
    """A URL as SQLAlchemy takes it, and the options that are ours."""
    if not isinstance(url, str) or not url.strip():
        msg = f"a store is {_FORMS}, not {url!r}"
        raise ParameterError(msg)
    if url in {"memory:", ":memory:"}:
        url = "sqlite://"
    elif "://" not in url:
        return make_url("sqlite://").set(database=url), {}
    try:
        parsed = make_url(url)
    except (sql_errors.ArgumentError, ValueError) as error:
        raise ParameterError(f"a store is {_FORMS}; this is no URL") from error
    kind = parsed.drivername
    if kind in {"postgresql", "postgres", "postgresql+psycopg"}:
        return parsed.set(drivername="postgresql+psycopg"), {}
    if kind not in {"sqlite", "sqlite+pysqlite"}:
        raise ParameterError(f"a store is {_FORMS}, not {kind}://...")
    return _sqlite_url(parsed)


def _sqlite_url(parsed: URL) -> tuple[URL, dict[str, str]]:
    if parsed.host:
        path = f"{parsed.host}/{parsed.database or ''}"
        msg = f"a file is sqlite:///{path} with three slashes, or four before a path from the root"
        raise ParameterError(msg)
    options = {name: str(value).casefold() for name, value in parsed.query.items()}
    if options.keys() - {"synchronous"} or options.get("synchronous", "full") not in {
        "full",
        "normal",
    }:
        told = ", ".join(f"{name}={value}" for name, value in options.items())
        msg = f"the one option of SQLite is synchronous=full or synchronous=normal, not {told}"
        raise ParameterError(msg)
    bare = parsed.set(query={})
    return (bare if parsed.database else bare.set(database=":memory:")), options


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        engine = create_engine(url, pool_size=_CONNECTIONS, max_overflow=0, pool_timeout=_PATIENCE)
        _try_after_a_rest(engine)
        return engine
    pool: dict[str, Any] = {"poolclass": StaticPool}
    if url.database != ":memory:":
        pool = {
            "poolclass": QueuePool,
            "pool_size": _CONNECTIONS,
            "max_overflow": 0,
            "pool_timeout": _PATIENCE,
        }
        _make_folder(Path(str(url.database)))
    arguments = {"check_same_thread": False, "timeout": _PATIENCE, "isolation_level": None}
    engine = create_engine(url, connect_args=arguments, **pool)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _try_after_a_rest(engine: Engine) -> None:
    """Try connections that nobody used for a while before they are used again.

    The server may have been restarted meanwhile. Trying each time would take as long as the work.
    """

    def rests(_: object, record: ConnectionPoolEntry) -> None:
        record.info["rests"] = time.monotonic()

    def wakes(raw: DBAPIConnection, record: ConnectionPoolEntry, _: object) -> None:
        now = time.monotonic()
        if now - record.info.get("rests", now) < _REST:
            return
        try:
            engine.dialect.do_ping(raw)
        except engine.dialect.loaded_dbapi.Error as error:
            raise sql_errors.DisconnectionError from error  # the pool tries another connection

    event.listen(engine, "checkin", rests)
    event.listen(engine, "checkout", wakes)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"cannot make a folder for {path}: {error.strerror or error}"
        raise StoreError(msg) from error


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    # Where two processes make the file at once, SQLite does not wait by itself.
    _patiently(connection, "PRAGMA journal_mode = WAL")


def _begin(connection: Connection) -> None:
    """Begin a transaction as its options say; a writer takes the lock at once."""
    raw = connection.connection.dbapi_connection
    if not isinstance(raw, sqlite3.Connection):
        raise TypeError(raw)
    level = connection.get_execution_options().get("palate_writes")
    if level is None:  # who reads needs no transaction: no row is ever changed
        return
    raw.execute(f"PRAGMA synchronous = {level}")
    # SQLite's own waiting grows to 100 ms a try, by which a busy process starves another.
    raw.execute("PRAGMA busy_timeout = 0")
    try:
        _patiently(raw, "BEGIN IMMEDIATE")
    finally:
        raw.execute(f"PRAGMA busy_timeout = {int(_PATIENCE * 1000)}")


def _patiently(connection: sqlite3.Connection, statement: str) -> None:
    """Execute a statement once nobody else holds what it needs."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            connection.execute(statement)
        except sqlite3.OperationalError as error:
            if not _busy(error) or time.monotonic() > until:
                raise
            _pause()
        else:
            return


def _busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _pause() -> None:
    time.sleep(random.uniform(0.0005, 0.002))  # noqa: S311 - of no consequence but to be fair
