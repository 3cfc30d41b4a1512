"""A JSONL file that is only ever appended to: a header, then a record a line, each synced to disk.

A line counts once it ends: a process killed in the middle of a write leaves a torn last line,
which is dropped when the file is written to again. One process holds it at a time.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any, Self

from palate.errors import LogError

if TYPE_CHECKING:
    from io import FileIO
    from pathlib import Path


class Journal:
    """An open journal; close it, or use it in a ``with`` block.

    Attributes:
        path: the file.
        header: its first line.
        records: the lines that were there when it was opened.
    """

    def __init__(
        self, path: Path, file: FileIO, header: dict[str, Any], records: list[dict[str, Any]]
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
        except OSError as error:  # a file in the way of a folder "exists" as well
            raise _cannot("write", path, error) from error
        try:
            file = path.open("xb", buffering=0)
        except FileExistsError:
            raise
        except OSError as error:
            raise _cannot("write", path, error) from error
        journal = cls(path, file, header, [])
        try:
            _lock(file, path)
            journal.append(header)
        except LogError:
            journal.close()
            path.unlink()
            raise
        return journal

    @classmethod
    def open(cls, path: Path) -> Journal:
        """Open a journal to go on with it.

        Raises:
            LogError: the file cannot be read, is in use, or is not a journal.
        """
        try:
            file = path.open("rb+", buffering=0)
        except OSError as error:
            raise _cannot("read", path, error) from error
        try:
            _lock(file, path)
            whole, records = _read(path)
        except LogError:
            file.close()
            raise
        file.seek(whole)  # a torn line is cut off by the first append: this may not be our file
        return cls(path, file, records[0] if records else {}, records[1:])

    def append(self, record: dict[str, Any]) -> None:
        """Write a record so that it survives whatever happens to this process.

        Raises:
            LogError: it cannot be written; the file then ends with the record before it.
        """
        left = memoryview(_line(record))
        start = self._file.tell()
        try:
            self._file.truncate(start)
            while left:  # a disk that fills up takes a part
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except BaseException as error:  # Ctrl-C too: half a line must not stay
            with contextlib.suppress(OSError):
                self._file.truncate(self._file.seek(start))
            if isinstance(error, OSError):
                raise _cannot("write", self.path, error) from error
            raise


def _line(record: dict[str, Any]) -> bytes:
    try:
        return (json.dumps(record, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError:  # half an emoji, cut off by a limit on tokens, has no UTF-8
        return (json.dumps(record) + "\n").encode()


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and records of a journal as it stands, whoever holds it; the file is left as it is.

    Raises:
        LogError: the file cannot be read, or is not a journal.
    """
    _, records = _read(path)
    return records[0] if records else {}, records[1:]


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


def _lock(file: FileIO, path: Path) -> None:
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
