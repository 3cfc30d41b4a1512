"""What was computed once and need not be again: one SQLite file, keyed by owner and key."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Self

from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_BATCH = 500  # keys a statement; SQLite's oldest limit on its variables is 999
_PATIENCE = 30.0  # seconds to wait for another process that writes


class Cache:
    """Bytes by owner and key, kept in a file that several processes and threads may share.

    Losing it costs time or money and never an answer: a file that is damaged is put aside, as
    "NAME.damaged", and a new one begun; what cannot be written, for want of space, say, is not
    kept, with a RuntimeWarning.

    Args:
        path: the file; by default ``cache.sqlite`` in the folder for programs' caches.

    Raises:
        ParameterError: the file cannot be made or opened.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = default_path() if path is None else Path(path)
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._db = self._opened()
            except sqlite3.DatabaseError as error:
                if not _damaged(error):
                    raise
                self._db = self._started_anew()
        except (OSError, sqlite3.DatabaseError) as error:
            msg = f"cannot keep a cache in {self.path}: {error}; XDG_CACHE_HOME names its folder"
            raise ParameterError(msg) from error

    def _opened(self) -> sqlite3.Connection:
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._opened_once()
            except sqlite3.OperationalError as error:
                # Where two processes make the file at once, SQLite does not wait by itself.
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(0.01)

    def _opened_once(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self.path, timeout=_PATIENCE, check_same_thread=False, isolation_level=None
        )
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(
                "CREATE TABLE IF NOT EXISTS entry (owner TEXT, key TEXT, value BLOB NOT NULL, "
                "PRIMARY KEY (owner, key)) WITHOUT ROWID"
            )
        except sqlite3.DatabaseError:
            db.close()
            raise
        return db

    def _started_anew(self) -> sqlite3.Connection:
        name = self.path.name
        for suffix in ("-wal", "-shm"):
            self.path.with_name(name + suffix).unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):  # another process was faster
            self.path.replace(self.path.with_name(f"{name}.damaged"))
        return self._opened()

    @contextlib.contextmanager
    def _used(self) -> Iterator[sqlite3.Connection]:
        """The database, for one thread at a time; its failures end here."""
        with self._lock:
            try:
                yield self._db
            except sqlite3.DatabaseError as error:
                if _damaged(error):
                    self._db.close()
                    self._db = self._started_anew()
                elif isinstance(error, sqlite3.OperationalError):  # no space, or locked for long
                    msg = f"the cache {self.path} cannot be used just now: {error}"
                    warnings.warn(msg, RuntimeWarning, stacklevel=4)
                else:
                    raise
            finally:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")

    def get(self, owner: str, keys: Sequence[str]) -> dict[str, bytes]:
        """The values of those keys that there are."""
        found: dict[str, bytes] = {}
        for first in range(0, len(keys), _BATCH):
            part = keys[first : first + _BATCH]
            marks = ", ".join("?" * len(part))
            query = f"SELECT key, value FROM entry WHERE owner = ? AND key IN ({marks})"  # noqa: S608
            with self._used() as db:
                found.update(db.execute(query, (owner, *part)).fetchall())
        return found

    def put(self, owner: str, values: Mapping[str, bytes]) -> None:
        """Keep values by their keys."""
        rows = [(owner, key, value) for key, value in values.items()]
        with self._used() as db:
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?)", rows)
            db.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _damaged(error: sqlite3.Error) -> bool:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of it says where
    return code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def digest(*parts: str) -> str:
    """A key for texts of any length: SHA-256, 32 hexadecimal digits."""
    joined = "\0".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode(errors="surrogatepass")).hexdigest()[:32]


def default_path() -> Path:
    """``$XDG_CACHE_HOME/palate/cache.sqlite``, by default under the home folder."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "palate" / "cache.sqlite"
