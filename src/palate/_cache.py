"""What was computed once and need not be again: one SQLite file, keyed by owner and key."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BATCH = 500  # keys a statement; SQLite's oldest limit on its variables is 999


class Cache:
    """Bytes by owner and key, kept in a file that several processes and threads may share.

    Losing it costs time or money and never an answer: a file that is damaged is started anew.

    Args:
        path: the file; by default ``cache.sqlite`` in the folder for programs' caches.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = default_path() if path is None else Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._db = self._opened()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # locked, read-only, no space: not ours
                raise
            self.path.unlink()
            self._db = self._opened()

    def _opened(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=30.0, check_same_thread=False, isolation_level=None)
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

    def get(self, owner: str, keys: Sequence[str]) -> dict[str, bytes]:
        """The values of those keys that there are."""
        found: dict[str, bytes] = {}
        for first in range(0, len(keys), _BATCH):
            part = keys[first : first + _BATCH]
            marks = ", ".join("?" * len(part))
            query = f"SELECT key, value FROM entry WHERE owner = ? AND key IN ({marks})"  # noqa: S608
            with self._lock:
                found.update(self._db.execute(query, (owner, *part)).fetchall())
        return found

    def put(self, owner: str, values: Mapping[str, bytes]) -> None:
        """Keep values by their keys."""
        rows = [(owner, key, value) for key, value in values.items()]
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO entry VALUES (?, ?, ?)", rows)
            self._db.execute("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def digest(*parts: str) -> str:
    """A key for texts of any length: SHA-256, 32 hexadecimal digits."""
    joined = "\0".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(joined.encode(errors="surrogatepass")).hexdigest()[:32]


def default_path() -> Path:
    """``$XDG_CACHE_HOME/palate/cache.sqlite``, by default under the home folder."""
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "palate" / "cache.sqlite"
