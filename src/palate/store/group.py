"""Group commit: what many threads want written at a time goes into one transaction."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy import Connection

Result = TypeVar("Result")


class Writing(Protocol):
    """Opens a transaction."""

    def __call__(self, *, durable: bool) -> AbstractContextManager[Connection]:
        """A transaction that is committed at the end."""
        ...


@dataclass(slots=True, eq=False)
class _Job:
    work: Callable[[Connection], Any]
    durable: bool
    done: bool = False
    value: Any = None
    error: Exception | None = None
    called: threading.Event = field(default_factory=threading.Event)


class GroupCommit:
    """Runs pieces of work from many threads in as few transactions as it can.

    A thread that finds nobody at work runs what waits, its own and that of others. Once that is
    committed it calls those whose work is done, and one of those who came meanwhile: who is called
    with work undone runs what waits by then. So the disk is waited for once, and not once an
    answer, and nobody stands in a queue to hear that their work was done long ago.

    Args:
        writing: opens a transaction.
    """

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._lock = threading.Lock()  # of the two below
        self._waiting: list[_Job] = []
        self._at_work = False

    def run(self, work: Callable[[Connection], Result], *, durable: bool) -> Result:
        """What the work returns, once the transaction that it was part of is committed.

        Args:
            work: reads and writes by the connection; may be run again where somebody else's failed.
            durable: whether to wait until the disk has it.
        """
        job = _Job(work, durable)
        with self._lock:
            self._waiting.append(job)
            mine = not self._at_work
            self._at_work = True
        if not mine:
            self._wait(job)
        if not job.done:
            self._run_all(job)
        if job.error is not None:
            raise job.error
        value: Result = job.value
        return value

    def _wait(self, job: _Job) -> None:
        try:
            job.called.wait()
        except BaseException:  # Ctrl-C: nobody will hear of this work
            with self._lock:
                if job in self._waiting:
                    self._waiting.remove(job)
                    if job.called.is_set():
                        self._call_next()
            raise

    def _run_all(self, mine: _Job) -> None:
        with self._lock:
            jobs, self._waiting = self._waiting, []
        try:
            self._commit(jobs)
            for job in jobs if len(jobs) > 1 else ():
                if job.error is not None:  # somebody's fault took all of them back
                    self._commit([job])
        finally:
            with self._lock:
                # Where Ctrl-C came in between, the others find their work undone.
                self._waiting[:0] = [job for job in jobs if not job.done and job is not mine]
                for job in jobs:
                    if job.done:
                        job.called.set()
                self._call_next()

    def _call_next(self) -> None:
        """Let somebody who waits run what waits; holding the lock."""
        self._at_work = bool(self._waiting)
        if self._waiting:
            self._waiting[0].called.set()

    def _commit(self, jobs: list[_Job]) -> None:
        error: Exception | None = None
        try:
            with self._writing(durable=any(job.durable for job in jobs)) as connection:
                for job in jobs:
                    job.value = job.work(connection)
        except Exception as caught:  # noqa: BLE001 - it is raised where the work came from
            error = caught
        for job in jobs:
            job.done, job.error = error is None or len(jobs) == 1, error
