"""Processes that are killed while they write, and several that write to one database."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from answerer import pick
from databases import new_url

from palate.elicitation import Elicitation
from palate.pool import Pool
from palate.store import open_store
from palate.strategies import IIDBest, UserAlign, WinnerStays, strategy_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palate.store import Store

ANSWERER = [sys.executable, str(Path(__file__).parent / "answerer.py")]
KILLS = {"sqlite": 15, "postgresql": 5}
STRATEGIES = (
    IIDBest(max_steps=400),
    UserAlign(epsilon=None, max_steps=400, estimate="inside"),
    WinnerStays(),
)


@pytest.fixture(params=["file", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with new_url(request.param, tmp_path) as url:
        yield url


def large_pool() -> Pool:
    rows = np.random.default_rng(1).normal(size=(150, 5))
    return Pool("Which?", [f"Text {i}." for i in range(150)], rows)


class Witness:
    """Sees a process answer, kills it, and compares what is kept with what it saw."""

    def __init__(self, url: str, elicitations: list[str]) -> None:
        self.url, self.elicitations = url, elicitations
        self.told: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        self.asked: dict[str, tuple[str, int]] = {}

    def kill(self, lines: Iterator[list[Any]], after: int, pause: float) -> None:
        """Kill the process that is born after so many lines of its, and read what is left."""
        child = 0
        for kind, *rest in lines:
            if kind == "born":
                child = rest[0]
            elif kind == "asked":
                self.asked[rest[0]] = rest[1], rest[2]
            elif kind == "told":
                self.told[rest[0]].append((rest[2], tuple(rest[3]), rest[4]))
            else:
                assert [kind, *rest] == ["died", signal.SIGKILL]
                return
            after -= 1
            if child and after <= 0:
                time.sleep(pause)
                os.kill(child, signal.SIGKILL)
                child = 0

    def compare(self) -> None:
        """All that was acknowledged is kept, once; what was asked waits still."""
        with open_store(self.url) as store:
            for elicitation in self.elicitations:
                answers = store.answers(elicitation)
                kept = [(a.query.number, a.query.ids, a.picked) for a in answers]
                told = self.told[elicitation]
                assert kept[: len(told)] == told
                assert len(kept) - len(told) <= 1, "more is kept than can have been told"
                query, number = self.asked.get(elicitation, ("", -1))
                if number == len(kept):
                    waiting = store.ask(elicitation)
                    assert waiting is not None
                    assert waiting.id == query
                self.told[elicitation] = kept


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(url: str) -> None:
    rng = random.Random(5)  # noqa: S311 - when to kill
    kills = KILLS[url.partition(":")[0]]
    with open_store(url) as store:
        pool = store.add_pool(large_pool())
        ids = [store.start(store.add_person(), pool, s, seed=4) for s in STRATEGIES]
    witness = Witness(url, ids)
    with subprocess.Popen(
        [*ANSWERER, "mortal", url, *ids], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        lines = (json.loads(line) for line in process.stdout)
        assert next(lines) == ["ready"]
        for _ in range(kills):
            print(file=process.stdin, flush=True)
            witness.kill(lines, rng.randrange(1, 18), rng.random() * 0.01)
            witness.compare()
        process.stdin.close()
    assert sum(map(len, witness.told.values())) > kills
    with open_store(url) as store:
        for elicitation in ids:
            assert_goes_on(store, elicitation)


def assert_goes_on(store: Store, elicitation: str) -> None:
    """All that was asked, and what is asked next, is what the answers alone lead to."""
    stored = store.elicitation(elicitation)
    plain = Elicitation(large_pool(), strategy_named(stored.strategy), stored.seed)
    for answer in store.answers(elicitation):
        query = plain.ask()
        assert query == answer.query
        assert answer.picked == pick(query.number, 2)
        plain.tell(query, answer.picked)
    asked = store.ask(elicitation)
    assert asked is not None
    assert asked.query == plain.ask()


def test_two_processes_with_twenty_threads_share_a_database(url: str) -> None:
    rows = np.random.default_rng(1).normal(size=(12, 4))
    with open_store(url) as store:
        pool = store.add_pool(Pool("Which?", [f"Text {i}." for i in range(12)], rows))
        ids = [store.start(store.add_person(), pool, IIDBest(max_steps=12)) for _ in range(8)]
    command = [*ANSWERER, "race", url, "20", *ids]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for process in running:
        assert json.loads(process.stdout.readline()) == ["ready"]
    for process in running:
        print(file=process.stdin, flush=True)
    accepted: list[str] = []
    for process in running:
        said, _ = process.communicate(timeout=100)
        assert process.returncode == 0
        some, raised = json.loads(said)
        assert raised == []
        assert some, "one process was left out"
        accepted += some
    assert len(set(accepted)) == len(accepted) == 8 * 12
    with open_store(url) as store:
        for elicitation in ids:
            answers = store.answers(elicitation)
            assert [a.query.number for a in answers] == list(range(12))
            assert store.ask(elicitation) is None
