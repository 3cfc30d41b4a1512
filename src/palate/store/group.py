"""Group commit: what many threads want written at a time goes into one transaction."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass
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


@dataclass(slots=True)
class _Job:
    work: Callable[[Connection], Any]
    durable: bool
    done: bool = False
    value: Any = None
    error: Exception | None = None


class GroupCommit:
    """Runs pieces of work from many threads in as few transactions as it can.

    The first thread whose turn it is runs all that wait, while others queue up for the next
    transaction; so that the disk is waited for once, and not once an answer.

    Args:
        writing: opens a transaction.
    """

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._turn = threading.Lock()
        self._waiting: deque[_Job] = deque()

    def run(self, work: Callable[[Connection], Result], *, durable: bool) -> Result:
        """What the work returns, once the transaction that it was part of is committed.

        Args:
            work: reads and writes by the connection; may be run again where somebody else's failed.
            durable: whether to wait until the disk has it.
        """
        job = _Job(work, durable)
        self._waiting.append(job)
        with self._turn:
            if not job.done:
                self._run_all()
        if job.error is not None:
            raise job.error
        value: Result = job.value
        return value

    def _run_all(self) -> None:
        jobs = []
        while self._waiting:
            jobs.append(self._waiting.popleft())
        try:
            self._commit(jobs)
            for job in jobs if len(jobs) > 1 else ():
                if job.error is not None:  # somebody's fault took all of them back
                    self._commit([job])
        finally:
            # Where Ctrl-C came in between, the others find their work undone when it is their turn.
            self._waiting.extendleft(reversed([job for job in jobs if not job.done]))

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
