"""A JSONL file that is only ever appended to: a header, then a record a line, each synced to disk.

A line counts once it ends: a process killed in the middle of a write leaves a torn last line,
which is dropped when the file is opened again. One process holds it at a time.
"""

from __future__ import annotations

import json
import os
from typing import IO, TYPE_CHECKING, Any, Self

from palate.errors import LogError

if TYPE_CHECKING:
    from pathlib import Path


class Journal:
    """An open journal; close it, or use it in a ``with`` block.

    Attributes:
        path: the file.
        header: its first line.
        records: the lines that were there when it was opened.
    """

    def __init__(
        self, path: Path, file: IO[str], header: dict[str, Any], records: list[dict[str, Any]]
    ) -> None:
        self.path, self.header, self.records = path, header, records
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @classmethod
    def create(cls, path: Path, header: dict[str, Any]) -> Journal:
        """Start a journal; an existing file is never overwritten.

        Raises:
            FileExistsError: the file exists.
            LogError: it cannot be written, or is in use.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("x", encoding="utf-8")
        except FileExistsError:
            raise
        except OSError as error:
            raise _cannot("write", path, error) from error
        _lock(file, path)
        journal = cls(path, file, header, [])
        journal.append(header)
        return journal

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Open a journal to go on with it.

        Raises:
            LogError: the file cannot be read, is in use, or is not a journal.
        """
        try:
            file = path.open("r+", encoding="utf-8")
        except OSError as error:
            raise _cannot("read", path, error) from error
        try:
            _lock(file, path)
            whole, records = _read(path)
        except LogError:
            file.close()
            raise
        file.truncate(whole)
        file.seek(whole)
        return cls(path, file, records[0] if records else {}, records[1:])

    def append(self, record: dict[str, Any]) -> None:
        """Write a record so that it survives whatever happens to this process.

        Raises:
            LogError: it cannot be written.
        """
        try:
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _cannot("write", self.path, error) from error


def _read(path: Path) -> tuple[int, list[dict[str, Any]]]:
    """Length in bytes of the whole lines of a file, and what they hold."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _cannot("read", path, error) from error
    whole = content.rfind(b"\n") + 1
    records = []
    for number, line in enumerate(content[:whole].splitlines(), start=1):
        try:
            record = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            msg = f"{path}, line {number}: not JSON ({error})"
            raise LogError(msg) from error
        if not isinstance(record, dict):
            msg = f"{path}, line {number}: a record is a JSON object, not {type(record).__name__}"
            raise LogError(msg)
        records.append(record)
    return whole, records


def _lock(file: IO[str], path: Path) -> None:
    try:
        import fcntl  # noqa: PLC0415
    except ImportError:  # not on this platform: two processes on one file are then not noticed
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        msg = f"{path} is in use by another process"
        raise LogError(msg) from error


def _cannot(verb: str, path: Path, error: Exception) -> LogError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return LogError(f"cannot {verb} {path}: {reason}")
