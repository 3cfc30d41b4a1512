"""Orders at the terminal and in lines: what is shown, what is typed, and what is kept."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
import pytest
from order_cases import Several
from rich.console import Console

from palate.cli.session import Narrated
from palate.cli.terminal import LinePerson, TerminalPerson, typed_order
from palate.elicitation import Elicitation
from palate.people import SimulatedPerson
from palate.pool import Pool, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palate.feedback import Query, Reply

ESCAPE, ENTER, BACKSPACE = "\x1b", "\r", "\x7f"


def a_pool(n: int = 9, words: int = 4) -> Pool:
    texts = [f"dish-{i} " + " ".join(["word"] * words) for i in range(1, n + 1)]
    return Pool("which one?", [Response(f"id{i}", text) for i, text in enumerate(texts)])


def started(k: int, pool: Pool | None = None) -> tuple[Elicitation, Query]:
    elicitation = Elicitation(pool or a_pool(), Several(options=k), seed=0)
    query = elicitation.ask()
    assert query is not None
    return elicitation, query


def typed(
    *keys: str,
    k: int = 4,
    order: bool = False,
    width: int = 100,
    height: int = 40,
    pool: Pool | None = None,
) -> tuple[Reply, str]:
    """The reply to some keys, all of which are read, and what was drawn."""
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=False)
    elicitation, query = started(k, pool)
    left = iter(keys)
    person = TerminalPerson(elicitation, console, lambda: next(left), order=order)
    reply = person.answer(query, elicitation.pool)
    assert list(left) == []
    assert isinstance(console.file, io.StringIO)
    return reply, console.file.getvalue()


# --- what is shown ------------------------------------------------------------------------------


def rows_of_cards(screen: str) -> list[int]:
    """How many cards stand beside each other in each row."""
    return [len(re.findall("╭", line)) for line in screen.splitlines() if "╭" in line]


@pytest.mark.parametrize(
    ("k", "width", "rows"),
    [
        (2, 100, [2]),
        (2, 60, [1, 1]),
        (3, 120, [3]),
        (3, 100, [2, 1]),
        (4, 160, [4]),
        (4, 120, [2, 2]),
        (4, 100, [2, 2]),
        (5, 160, [3, 2]),
        (4, 60, [1, 1, 1, 1]),
        (9, 200, [5, 4]),
    ],
)
def test_cards_stand_beside_each_other_where_there_is_room(
    k: int, width: int, rows: list[int]
) -> None:
    _, screen = typed("1", k=k, width=width)
    assert rows_of_cards(screen) == rows
    assert max(len(line) for line in screen.splitlines()) <= width
    for number in range(1, k + 1):
        assert f"╭─  {number}  ─" in screen
    assert len(set(re.findall(r"dish-\d", screen))) == k


@pytest.mark.parametrize("k", range(2, 10))
def test_a_usual_screen_holds_nine_long_responses(k: int) -> None:
    """With the best so far, a note, and where there are more than two an order half typed."""
    console = Console(file=io.StringIO(), width=80, height=24)
    elicitation, _ = started(k, a_pool(25, words=300))
    keys = iter(["1", *(["o", "1"] if k > 2 else []), "x", "q"])
    elicitation.run(TerminalPerson(elicitation, console, lambda: next(keys)))
    assert isinstance(console.file, io.StringIO)
    screen = console.file.getvalue().rpartition("which one?")[2]
    assert len(screen.splitlines()) <= 24
    assert len(re.findall(r"│ dish-\d", screen)) == k
    assert "... press m" in screen
    assert "best so far: dish-" in screen
    assert "means nothing here" in screen
    assert ("best first: 1" in screen) == (k > 2)


def test_the_keys_are_named() -> None:
    assert "o order" not in typed("1", k=2)[1]
    assert "1, 2 or arrows pick" in typed("1", k=2)[1]
    screen = typed("1", k=5)[1]
    assert "1 to 5 pick" in screen
    assert "o order" in screen
    assert "arrows" not in screen
    assert "Enter done" in typed("o", "12", ENTER)[1]


# --- what is typed ------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [3, 4, 9])
def test_digits_pick(k: int) -> None:
    for place in range(k):
        assert typed(str(place + 1), k=k)[0] == place
    reply, screen = typed("0", "12", "\x1b[D", "\x1b[C", ENTER, BACKSPACE, ESCAPE, str(k), k=k)
    assert reply == k - 1
    assert screen.count("That key means nothing here.") == 7


@pytest.mark.parametrize(
    ("keys", "order"),
    [
        (["o", "3", "1", "2", "4", ENTER], (2, 0, 1, 3)),
        (["O", "3", "1", "2", "\n"], (2, 0, 1)),
        (["o", "31", ENTER], (2, 0)),  # the top of it
        (["o", "31\r"], (2, 0)),  # typed faster than it is read
        (["o", "3", "1", BACKSPACE, "2", ENTER], (2, 1)),
        (["o", "3", "\b", BACKSPACE, BACKSPACE, "1", "4", ENTER], (0, 3)),
        (["o", "3", "3", "1", ENTER], (2, 0)),
        (["o", ENTER, "3", ENTER, "1", ENTER], (2, 0)),
        (["o", "3", "9", "0", "x", "1", ENTER], (2, 0)),
        (["o", "3", "m", " ", "1", "b", " ", ENTER], (2, 0)),  # reading keeps what was typed
        (["o", "3", "\x1b[A", "1", ENTER], (2, 0)),  # an arrow is no escape
        (["o", "3", "u", "1", ENTER], (2, 0)),  # there is nothing to take back
    ],
)
def test_digits_after_o_are_an_order(keys: list[str], order: tuple[int, ...]) -> None:
    assert typed(*keys)[0] == order


def test_what_was_typed_is_shown_and_what_is_missing_is_said() -> None:
    _, screen = typed("o", "3", ENTER, "3", "1", ENTER)
    for line in (
        "best first: 3",
        "best first: 3 1",
        "3  (name at least two)",
        "3  (3 is there already)",
    ):
        assert line in screen
    narrow = typed("o", "1", ENTER, "2", ENTER, width=24)[1]
    assert max(len(line) for line in narrow.split("best first")[1].splitlines()) <= 24


def test_escape_goes_back_to_a_single_key_and_drops_what_was_typed() -> None:
    assert typed("o", "3", "1", ESCAPE, "2")[0] == 1
    assert typed("o", "3", ESCAPE, "o", "1", "2", ENTER)[0] == (0, 1)


@pytest.mark.parametrize(("key", "reply"), [("t", "tie"), ("s", "skip"), ("q", "stop")])
def test_other_answers_are_keys_all_the_same(key: str, reply: Reply) -> None:
    assert typed("o", "3", key)[0] == reply
    assert typed(key, order=True)[0] == reply


def test_an_order_can_be_asked_for_from_the_start() -> None:
    assert typed("3", "1", ENTER, order=True)[0] == (2, 0)
    assert typed(ESCAPE, "3", order=True)[0] == 2
    assert typed("2", k=2, order=True)[0] == 1  # of two, a key is the order
    assert "means nothing here" in typed("o", "2", k=2)[1]


def test_each_question_begins_with_an_order_of_its_own() -> None:
    console = Console(file=io.StringIO(), width=100, height=40)
    elicitation, _ = started(4, a_pool(13))
    keys = iter(["3", "1", ENTER, ESCAPE, "2", "4", "2", ENTER, "q"])
    person = TerminalPerson(elicitation, console, lambda: next(keys), order=True)
    elicitation.run(person)
    assert [answer.picked for answer in elicitation.history] == [(2, 0), 1, (3, 1)]


def test_an_interrupt_stops_an_order() -> None:
    elicitation, query = started(4)
    keys = iter(["o", "3"])

    def read() -> str:
        for key in keys:
            return key
        raise KeyboardInterrupt

    person = TerminalPerson(elicitation, Console(file=io.StringIO()), read)
    assert person.answer(query, elicitation.pool) == "stop"


@pytest.mark.parametrize(
    ("line", "options", "order"),
    [
        ("312", 4, (2, 0, 1)),
        ("3 1", 4, (2, 0)),
        ("3, 1,2", 4, (2, 0, 1)),
        (" 3>1 > 2 ", 4, (2, 0, 1)),
        ("12 1 3", 12, (11, 0, 2)),
        ("3", 4, None),
        ("33", 4, None),
        ("35", 4, None),
        ("30", 4, None),
        ("3 x", 4, None),
        ("3 t", 4, None),
        ("", 4, None),
        ("123", 12, None),  # which numbers?
        ("21", 2, None),  # of two, one number is the answer
    ],
)
def test_numbers_in_a_line_are_an_order(
    line: str, options: int, order: tuple[int, ...] | None
) -> None:
    assert typed_order(line, options) == order


@pytest.mark.parametrize("order", [False, True])
def test_lines_take_orders_and_picks(order: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    console = Console(file=io.StringIO(), width=100)
    elicitation, query = started(4)
    monkeypatch.setattr("sys.stdin", io.StringIO("33\n5\n312\n1\nt\n"))
    person = LinePerson(elicitation, console, order=order)
    replies = [person.answer(query, elicitation.pool) for _ in range(4)]
    assert replies == [(2, 0, 1), 0, "tie", "stop"]
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert said.count("is no answer: 1 to 4, an order such as 31, t, s, u or q") == 2
    assert said.count("all 4 in order, best first?") == (4 if order else 0)


def test_an_order_that_nobody_watches_is_printed() -> None:
    console = Console(file=io.StringIO(), width=100)
    elicitation, query = started(4)
    simulated = SimulatedPerson(utilities=range(9), order=True)
    reply = Narrated(simulated, console, elicitation).answer(query, elicitation.pool)
    assert isinstance(reply, tuple)
    assert isinstance(console.file, io.StringIO)
    said = console.file.getvalue()
    assert f"-> best first: {' '.join(str(place + 1) for place in reply)}" in said
    assert re.findall(r"-> (\d)\. ", said) == [str(reply[0] + 1)]


# --- from the command line ----------------------------------------------------------------------


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"XDG_STATE_HOME": str(tmp_path), "COLUMNS": "100"}


COMMAND = (sys.executable, str(Path(__file__).parent / "order_cases.py"))
SEVERAL = ("align", "--pool", "cook", "--strategy", "several")


def palate(
    *arguments: str | Path, env: dict[str, str], answers: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=answers,
        capture_output=True,
        text=True,
        env=env,
        timeout=120,
        check=False,
    )


def events(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()[1:]]


def test_orders_reach_the_log_and_go_on_and_are_exported(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log, rows = tmp_path / "answers.jsonl", tmp_path / "rows.jsonl"
    done = palate(
        *SEVERAL, "--options", "4", "--order", "--log", log, env=environment, answers="3124\n12\n"
    )
    assert done.returncode == 0, done.stderr
    assert "1 to 4, an order such as 31 (best first), t (tie)" in done.stdout
    assert "all 4 in order, best first?" in done.stdout
    done = palate("align", "--resume", log, env=environment, answers="2\nt\nq\n")
    assert "question 3" in done.stdout
    assert "in order" not in done.stdout
    kept = events(log)
    assert [event["answer"] for event in kept] == ["order", "order", "pick", "tie"]
    assert kept[0]["order"] == [kept[0]["shown"][i] for i in (2, 0, 1, 3)]
    assert kept[1]["order"] == kept[1]["shown"][:2]
    done = palate("export", log, "-o", rows, env=environment)
    said = "14 rows written (11 of them from 2 orders), 1 of 4 answers left out"
    assert said in done.stderr
    assert len(rows.read_text(encoding="utf-8").splitlines()) == 14


def test_a_simulated_person_orders(environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    arguments = ("--options", "5", "--order", "--simulate", "--budget", "2", "--log", log)
    done = palate(*SEVERAL, *arguments, env=environment)
    assert done.returncode == 0, done.stderr
    assert [len(event["order"]) for event in events(log)] == [5, 5]
    assert done.stdout.count("-> best first: ") == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--strategy", "useralign", "--options", "3"),
            "the strategy useralign shows two responses at a time, not 3; leave out --options, or ",
        ),
        (("--strategy", "several", "--options", "1"), "Invalid value for '--options'"),
        (("--strategy", "several", "--options", "10"), "Invalid value for '--options'"),
        (("--strategy", "several", "--order"), "start one with --options 3 or more"),
        (("--order",), "start one with --options 3 or more"),
        (
            ("--strategy", "several", "--options", "3", "--order", "--persona", "Vegan."),
            "somebody played by a model picks one",
        ),
    ],
)
def test_what_cannot_be_shown_or_ordered_gets_one_clear_line(
    arguments: tuple[str, ...], said: str, environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    done = palate("align", "--pool", "cook", "--log", log, *arguments, env=environment)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("palate: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert not log.exists()


def test_a_run_that_shows_two_cannot_be_resumed_for_orders(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = tmp_path / "log.jsonl"
    palate("align", "--pool", "cook", "--log", log, env=environment, answers="1\n")
    done = palate("align", "--resume", log, "--order", env=environment)
    assert done.returncode == 2
    assert "this run shows two" in done.stderr
    done = palate("align", "--resume", log, env=environment, answers="q\n")
    assert done.returncode == 0  # the log is free again


def test_two_options_are_what_every_strategy_shows(environment: dict[str, str]) -> None:
    for strategy in ("useralign", "several"):
        arguments = ("--strategy", strategy, "--options", "2", "--simulate", "--budget", "1")
        done = palate("align", "--pool", "cook", *arguments, env=environment)
        assert done.returncode == 0, done.stderr
        assert len(re.findall(r"^(?:->|  ) \d\. ", done.stdout, re.MULTILINE)) == 2


@pytest.fixture
def terminal(environment: dict[str, str], tmp_path: Path) -> Iterator[pexpect.spawn]:
    log = str(tmp_path / "log.jsonl")
    child = pexpect.spawn(
        COMMAND[0],
        [COMMAND[1], *SEVERAL, "--options", "4", "--order", "--log", log],
        env=environment | {"TERM": "xterm-256color"},
        dimensions=(40, 110),
        encoding="utf-8",
        timeout=30,
    )
    child.delaybeforesend = 0.2  # keys that come before the question is drawn are lost
    yield child
    child.close(force=True)


def test_a_person_orders_on_a_real_terminal(terminal: pexpect.spawn, tmp_path: Path) -> None:
    terminal.expect("question 1, about")
    terminal.expect("best first: ")
    for digit, shown in (
        ("3", "3"),
        ("1", "3 1"),
        ("4", "3 1 4"),
        (BACKSPACE, "3 1"),
        ("2", "3 1 2"),
    ):
        terminal.send(digit)
        terminal.expect(f"best first: {shown}")
    terminal.send(ENTER)
    terminal.expect("question 2, about")
    terminal.expect("best first: ")
    terminal.send("42\r")
    terminal.expect("question 3, about")
    terminal.expect("best first: ")
    terminal.send(ESCAPE)
    terminal.expect("o\x1b\\[0m order")
    terminal.send("2")
    terminal.expect("question 4, about")
    terminal.expect("best first: ")
    terminal.send("q")
    terminal.expect("Your answers are kept")
    terminal.expect(pexpect.EOF)
    kept = events(tmp_path / "log.jsonl")
    places = [[event["shown"].index(i) for i in event.get("order", [])] for event in kept]
    assert places == [[2, 0, 1, 3], [3, 1], []]
    assert kept[2]["picked"] == kept[2]["shown"][1]
