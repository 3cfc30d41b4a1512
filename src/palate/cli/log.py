"""A file that keeps the answers of one elicitation: one JSON object a line, appended and synced.

The first line says what the answers belong to, and where the pool came from. Each further line is
an event of the elicitation's log. A line counts once it ends: a process killed in the middle of a
write leaves a torn last line, which is dropped.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from palate.elicitation import FORMAT, Elicitation, Undo, event_to_object
from palate.errors import LogError
from palate.feedback import Answer

if TYPE_CHECKING:
    from palate.pool import Pool


@dataclass(frozen=True, slots=True)
class Source:
    """Where an elicitation's pool came from, so that resuming needs no more than the log.

    Attributes:
        pool: name of a shipped pool, or the path of a file.
        prompt: which pool of the file: its id, number or prompt; None where there is only one.
        style: weight of the style features.
        drop_duplicates: whether responses that occur twice were dropped.
    """

    pool: str
    prompt: str | None
    style: float
    drop_duplicates: bool


class LogFile:
    """An open log, held by one process at a time; close it, or use it in a ``with`` block."""

    def __init__(self, path: Path, file: IO[str]) -> None:
        self.path = path
        self._file = file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @classmethod
    def create(cls, path: Path, elicitation: Elicitation, source: Source) -> LogFile:
        """Start a log; an existing file is never overwritten.

        Raises:
            LogError: the file exists or cannot be written.
        """
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("x", encoding="utf-8")
        except FileExistsError as error:
            msg = f"{path} exists; go on with it by --resume {path}, or name another --log"
            raise LogError(msg) from error
        except OSError as error:
            raise _cannot("write", path, error) from error
        _lock(file, path)
        log = cls(path, file)
        header = {"palate": FORMAT, "fingerprint": elicitation.fingerprint()}
        log._append(header | {"source": _source_to_object(source)})
        return log

    @classmethod
    def resume(cls, path: Path) -> tuple[LogFile, dict[str, Any], list[dict[str, Any]]]:
        """Open a log to go on with it: the file, its header and its events.

        Raises:
            LogError: the file cannot be read, is in use, or is not a log.
        """
        try:
            file = path.open("r+", encoding="utf-8")
        except OSError as error:
            raise _cannot("read", path, error) from error
        try:
            _lock(file, path)
            whole, records = _read(path)
            header = records[0] if records else None
            if not isinstance(header, dict) or header.get("palate") != FORMAT:
                msg = f"{path} is not a log of answers, format {FORMAT}"
                raise LogError(msg)  # noqa: TRY301
        except LogError:
            file.close()
            raise
        file.truncate(whole)
        file.seek(whole)
        return cls(path, file), header, records[1:]

    def append(self, event: Answer | Undo) -> None:
        """Write an event so that it survives whatever happens to this process."""
        self._append(event_to_object(event))

    def _append(self, record: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise _cannot("write", self.path, error) from error


def _read(path: Path) -> tuple[int, list[Any]]:
    """Length in bytes of the whole lines of a file, and what they hold."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _cannot("read", path, error) from error
    whole = content.rfind(b"\n") + 1
    records = []
    for number, line in enumerate(content[:whole].splitlines(), start=1):
        try:
            records.append(json.loads(line))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            msg = f"{path}, line {number}: not JSON ({error})"
            raise LogError(msg) from error
    return whole, records


def new_path() -> Path:
    """A path for a new log, in the folder for programs' state, named by the time."""
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    first = state_folder() / f"{stamp}.jsonl"
    numbers = (state_folder() / f"{stamp}-{i}.jsonl" for i in range(2, 1000))
    return first if not first.exists() else next(p for p in numbers if not p.exists())


def latest_path() -> Path:
    """The log that was written to last.

    Raises:
        LogError: there is none.
    """
    logs = sorted(state_folder().glob("*.jsonl"), key=lambda path: path.stat().st_mtime)
    if not logs:
        msg = f"there is no log of answers in {state_folder()} to resume"
        raise LogError(msg)
    return logs[-1]


def state_folder() -> Path:
    """Where logs are kept: ``$XDG_STATE_HOME/palate``, by default under the home folder."""
    home = os.environ.get("XDG_STATE_HOME")
    return (Path(home) if home else Path.home() / ".local" / "state") / "palate"


def source_of(header: dict[str, Any], path: Path) -> Source:
    """The source that a log's header names.

    Raises:
        LogError: the header has none.
    """
    try:
        return Source(**header["source"])
    except (KeyError, TypeError) as error:
        msg = f"{path} does not say which pool it belongs to; name it with --pool"
        raise LogError(msg) from error


def replayed(header: dict[str, Any], events: list[dict[str, Any]], pool: Pool) -> Elicitation:
    """The elicitation that a log describes."""
    elicitation = Elicitation.resumed(header.get("fingerprint"), pool)
    for event in events:
        elicitation.replay(event)
    return elicitation


def _source_to_object(source: Source) -> dict[str, Any]:
    return {name: getattr(source, name) for name in Source.__slots__}


def _lock(file: IO[str], path: Path) -> None:
    try:
        import fcntl
    except ImportError:  # not on this platform: two processes on one log are then not noticed
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        msg = f"{path} is in use by another process"
        raise LogError(msg) from error


def _cannot(verb: str, path: Path, error: Exception) -> LogError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return LogError(f"cannot {verb} {path}: {reason}")
