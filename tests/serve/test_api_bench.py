"""``palate bench serve`` measures a real server."""

from __future__ import annotations

import asyncio
import re
import sys

import pytest

from palate import Elicitation, Pool
from palate._random import generator
from palate.bench.serve_kill import Kept, Killed, compare, replay
from palate.bench.serve_load import Load
from palate.cli import main
from palate.strategies import strategy_named


def test_the_bench_prints_what_it_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--clients", "4", "--seconds", "0.3", "--all-cores"]
    monkeypatch.setattr(sys, "argv", ["palate", "bench", "serve", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code in {0, None}
    printed = capsys.readouterr().out
    rows = re.findall(r"(?m)^\| (useralign|eubo), .*$", printed)
    assert rows == ["useralign"] * 4 + ["eubo"] * 4
    for line in printed.splitlines():
        if line.startswith(("| useralign", "| eubo")):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert int(cells[4]) > 0
            assert 0.0 < float(cells[6]) <= float(cells[7])
            assert cells[8] == "0"
    assert "SQLite, one process on" in printed
    assert "simulated" in printed


def test_a_row_of_what_was_measured() -> None:
    load = Load(seconds=2.0, cpu=0.5, requests=200, times=[0.01] * 99 + [0.1], pairs=100)
    row = load.row("name", 50.0)
    assert row == ("name", "50", "2.0", "200", "50", "5.00", "10.0", "10.9", "0")
    assert load.row("name", None)[1] == "all it takes"


class Server:
    """Answers as a server that has these answers and asks this."""

    def __init__(self, there: list[tuple[list[str], int]], query: object) -> None:
        self._there, self._query = there, query

    async def call(self, _: str, path: str) -> object:
        if path.endswith("/query"):
            return {"query": self._query}
        return {"items": [{"shown": shown, "picked": picked} for shown, picked in self._there]}


ONE, TWO = (["r1", "r2"], 0), (["r1", "r3"], 1)


@pytest.mark.parametrize(
    ("there", "query", "lost", "doubled", "other"),
    [
        ([ONE, TWO], None, 0, 0, 0),
        ([ONE], None, 1, 0, 0),
        ([ONE, (["r1", "r3"], 0)], None, 2, 0, 0),
        ([TWO, ONE], None, 1, 0, 0),
        ([ONE, TWO, TWO], None, 0, 1, 0),
        ([ONE, TWO], {"id": "another"}, 0, 0, 1),
    ],
)
def test_what_the_server_lost_is_found(
    there: list[tuple[list[str], int]], query: object, lost: int, doubled: int, other: int
) -> None:
    found = Killed()
    kept = Kept("id", 0, answers=[ONE, TWO])
    asyncio.run(compare(Server(there, query), kept, found))  # type: ignore[arg-type]
    assert (bool(found.lost), found.doubled, found.other_query) == (bool(lost), doubled, other)
    assert found.flawless == (not (lost or doubled or other))


def test_what_would_not_have_been_asked_is_found() -> None:
    features = generator(0, "kills").normal(size=(5, 3))
    strategy = {"name": "useralign", "epsilon": 0.0, "max_steps": 3}
    pool = Pool("p", [f"r{i}" for i in range(5)], features)
    library = Elicitation(pool, strategy_named(strategy), 7)
    answers = []
    while (query := library.ask()) is not None:
        answers.append((list(query.ids), 0))
        library.tell(query, 0)
    right, wrong = Killed(), Killed()
    replay(Kept("id", 7, answers), features, strategy, right)
    replay(Kept("id", 7, [(shown[::-1], 0) for shown, _ in answers]), features, strategy, wrong)
    pending = {"responses": [{"id": "r1"}]}
    replay(Kept("id", 7, answers, pending), features, strategy, wrong)
    assert (right.other_query, wrong.other_query) == (0, 2)
