"""Group commits and the objects kept in memory, without a store around them."""

from __future__ import annotations

import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from palate.store.database import Database
from palate.store.group import GroupCommit, _Job
from palate.store.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Ledger:
    """Transactions on a list; any that writes "bad" fails as a whole.

    The first is committed once so many others wait for the next.
    """

    def __init__(self, others: int = 0) -> None:
        self.kept: list[Any] = []
        self.durable: list[bool] = []
        self.fails: type[BaseException] = ValueError
        self.group = GroupCommit(self)
        self._others = others

    @contextlib.contextmanager
    def __call__(self, *, durable: bool) -> Iterator[Any]:
        written: list[Any] = []
        yield written
        while len(self.group._waiting) < self._others:
            time.sleep(0.001)
        self._others = 0
        if "bad" in written:
            raise self.fails("bad")
        self.kept += written
        self.durable.append(durable)


def writing(value: Any) -> Callable[[Any], Any]:
    def work(written: list[Any]) -> Any:
        written.append(value)
        return value

    return work


def test_many_threads_share_a_transaction() -> None:
    ledger = Ledger(others=19)
    with ThreadPoolExecutor(20) as threads:
        said = list(threads.map(lambda i: ledger.group.run(writing(i), durable=True), range(20)))
    assert said == list(range(20))
    assert sorted(ledger.kept) == said
    assert len(ledger.durable) == 2


def test_every_piece_of_work_is_done_once() -> None:
    ledger = Ledger()
    with ThreadPoolExecutor(20) as threads:
        said = list(threads.map(lambda i: ledger.group.run(writing(i), durable=True), range(2_000)))
    assert said == list(range(2_000))
    assert sorted(ledger.kept) == said


def test_one_that_fails_fails_alone() -> None:
    ledger = Ledger(others=19)
    values = ["bad" if i % 10 == 7 else i for i in range(60)]

    def run(value: Any) -> Any:
        try:
            return ledger.group.run(writing(value), durable=True)
        except ValueError:
            return "bad"

    with ThreadPoolExecutor(20) as threads:
        assert list(threads.map(run, values)) == values
    assert sorted(ledger.kept) == [v for v in values if v != "bad"]


def test_it_waits_for_the_disk_where_one_of_them_must() -> None:
    ledger = Ledger(others=4)
    with ThreadPoolExecutor(5) as threads:
        threads.submit(ledger.group.run, writing(0), durable=False)
        while not ledger.group._at_work:
            time.sleep(0.001)
        for i in range(4):
            threads.submit(ledger.group.run, writing(i), durable=i == 2)
    assert ledger.durable == [False, True]


def test_who_is_interrupted_leaves_the_others_their_work() -> None:
    ledger = Ledger(others=3)
    ledger.fails = KeyboardInterrupt
    with ThreadPoolExecutor(4) as threads:
        interrupted = threads.submit(ledger.group.run, writing("bad"), durable=True)
        while not ledger.group._at_work:
            time.sleep(0.001)
        others = [threads.submit(ledger.group.run, writing(i), durable=True) for i in range(3)]
        with pytest.raises(KeyboardInterrupt):
            interrupted.result(timeout=30)
        assert [other.result(timeout=30) for other in others] == [0, 1, 2]
    assert ledger.kept == [0, 1, 2]


def test_who_is_interrupted_while_waiting_calls_the_next() -> None:
    """Ctrl-C reaches a thread that waits, before or after it was called to run what waits."""

    class Interrupted(threading.Event):
        def __init__(self, until: threading.Event) -> None:
            super().__init__()
            self._until = until

        def wait(self, timeout: float | None = None) -> bool:
            assert self._until.wait(timeout)
            raise KeyboardInterrupt

    for when in ("before", "after"):
        ledger = Ledger(others=2)
        ready = threading.Event()
        with ThreadPoolExecutor(3) as threads:
            first = threads.submit(ledger.group.run, writing(0), durable=True)
            while not ledger.group._at_work:
                time.sleep(0.001)
            job = _Job(writing(1), durable=True, called=Interrupted(ready))
            with ledger.group._lock:
                ledger.group._waiting.append(job)
            if when == "before":
                ready.set()
                with pytest.raises(KeyboardInterrupt):
                    ledger.group._wait(job)
                ledger._others = 1
            last = threads.submit(ledger.group.run, writing(2), durable=True)
            assert first.result(timeout=30) == 0
            if when == "after":
                assert job.called.is_set()
                ready.set()
                with pytest.raises(KeyboardInterrupt):
                    ledger.group._wait(job)
            assert last.result(timeout=30) == 2
        assert ledger.kept == [0, 2]


def test_the_least_recently_used_goes_first() -> None:
    made: list[str] = []
    recent: Recent[str] = Recent(2)

    def get(key: str) -> str:
        return recent.get(key, lambda: made.append(key) or key)  # type: ignore[func-returns-value]

    for key in "abacaba":
        assert get(key) == key
    assert "".join(made) == "abcb"


def test_what_cannot_be_made_drives_out_nobody() -> None:
    recent: Recent[str] = Recent(1)
    assert recent.get("a", lambda: "first") == "first"
    for key in "bcd":
        with pytest.raises(ZeroDivisionError):
            recent.get(key, lambda: str(1 // 0))
    assert recent.get("a", lambda: "second") == "first"


def test_an_error_loses_the_object_unless_it_is_harmless() -> None:
    recent: Recent[str] = Recent(5, (KeyError,))
    with pytest.raises(KeyError), recent.held("a", lambda: "first"):
        raise KeyError
    with recent.held("a", lambda: "second") as value:
        assert value == "first"
    with pytest.raises(ValueError, match="other"), recent.held("a", lambda: "second"):
        raise ValueError("other")
    with recent.held("a", lambda: "third") as value:
        assert value == "third"


def test_one_thread_holds_an_object_and_makes_it_once() -> None:
    recent: Recent[list[int]] = Recent(5)
    made: list[int] = []
    inside = threading.Semaphore(1)

    def make() -> list[int]:
        time.sleep(0.01)
        made.append(1)
        return []

    def use(i: int) -> None:
        with recent.held("a", make) as value:
            assert inside.acquire(blocking=False), "two threads hold it"
            value.append(i)
            inside.release()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(40)))
    assert made == [1]
    assert sorted(recent.get("a", make)) == list(range(40))


def test_in_memory_who_reads_waits_for_who_writes() -> None:
    """They share a connection: the end of reading would take back what is being written."""
    with Database("memory:") as database, ThreadPoolExecutor(1) as threads:

        def count() -> int:
            with database.reading() as connection:
                return int(connection.execute(text("SELECT count(*) FROM t")).scalar_one())

        with database.writing() as connection:
            connection.execute(text("CREATE TABLE t (x)"))
            reading = threads.submit(count)
            time.sleep(0.05)
            assert not reading.done()
            connection.execute(text("INSERT INTO t VALUES (1)"))
        assert reading.result(timeout=5) == 1
        assert count() == 1
