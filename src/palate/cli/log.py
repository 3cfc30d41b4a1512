"""A file that keeps the answers of one elicitation: one JSON object a line, appended and synced.

The first line says what the answers belong to, and where the pool came from. Each further line is
an event of the elicitation's log.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from palate._journal import Journal, read
from palate.elicitation import FORMAT, Elicitation, event_to_object
from palate.errors import LogError
from palate.strategies import WinnerStays

if TYPE_CHECKING:
    from palate.elicitation import Event
    from palate.pool import Pool
    from palate.strategies import Strategy


@dataclass(frozen=True, slots=True)
class Source:
    """Where an elicitation's pool came from, so that resuming needs no more than the log.

    Attributes:
        pool: name of a shipped pool, or the path of a file.
        prompt: which pool of the file: its id, number or prompt; None where there is only one.
        style: weight of the style features.
        drop_duplicates: whether responses that occur twice were dropped.
        prior: path of the population that the strategy's prior was learned from, or None.
        profile: path of the person's profile, or None.
        remembered: how many of its records counted at the start.
    """

    pool: str
    prompt: str | None
    style: float
    drop_duplicates: bool
    prior: str | None = None
    profile: str | None = None
    remembered: int = 0


class LogFile:
    """An open log, held by one process at a time; close it, or use it in a ``with`` block."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def path(self) -> Path:
        """The file."""
        return self._journal.path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._journal.close()

    @classmethod
    def create(cls, path: Path, elicitation: Elicitation, source: Source) -> LogFile:
        """Start a log; an existing file is never overwritten.

        Raises:
            LogError: the file exists or cannot be written.
        """
        header = {"palate": FORMAT, "fingerprint": elicitation.fingerprint()}
        try:
            return cls(Journal.create(path, header | {"source": dataclasses.asdict(source)}))
        except FileExistsError as error:
            msg = f"{path} exists; go on with it by --resume {path}, or name another --log"
            raise LogError(msg) from error

    @classmethod
    def resume(cls, path: Path) -> tuple[LogFile, dict[str, Any], list[dict[str, Any]]]:
        """Open a log to go on with it: the file, its header and its events.

        Raises:
            LogError: the file cannot be read, is in use, or is not a log.
        """
        journal = Journal.open(path)
        try:
            _check_format(journal.header, path)
        except LogError:
            journal.close()
            raise
        return cls(journal), journal.header, journal.records

    def append(self, event: Event) -> None:
        """Write an event so that it survives whatever happens to this process."""
        self._journal.append(event_to_object(event))


def read_log(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Header and events of a log as it stands: nothing is locked, and the file stays as it is.

    Raises:
        LogError: the file cannot be read, or is not a log.
    """
    header, events = read(path)
    _check_format(header, path)
    return header, events


def _check_format(header: dict[str, Any], path: Path) -> None:
    if header.get("palate") != FORMAT:
        msg = f"{path} is not a log of answers, format {FORMAT}"
        raise LogError(msg)


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


def replayed(
    header: dict[str, Any],
    events: list[dict[str, Any]],
    pool: Pool,
    strategy: Strategy | None = None,
) -> Elicitation:
    """The elicitation that a log describes.

    Args:
        header: of the log.
        events: of the log.
        pool: the one that the log belongs to.
        strategy: with the prior that was learned from answers, where it had one.
    """
    elicitation = Elicitation.resumed(header.get("fingerprint"), pool, strategy)
    for event in events:
        elicitation.replay(event)
    return elicitation


def answered(header: dict[str, Any], events: list[dict[str, Any]], pool: Pool) -> Elicitation:
    """The answers of a log, to be read; whatever asked, and from whatever prior, it asks no more.

    So they can be read when a prior that was learned from other answers is gone.
    """
    idle = WinnerStays()
    if isinstance(fingerprint := header.get("fingerprint"), dict):
        header = header | {"fingerprint": fingerprint | {"strategy": idle.settings()}}
    return replayed(header, events, pool, idle)
