"""What a person at a terminal sees and types."""

from __future__ import annotations

import io
import os
import re
import sys
import time
from typing import TYPE_CHECKING

import pexpect
import pytest
from rich.console import Console

from palate.cli.terminal import TerminalPerson
from palate.elicitation import Elicitation, Recommendation
from palate.pool import Pool, Response
from palate.strategies import UserAlign
from palate.wording import printable, progress, sureness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def a_pool() -> Pool:
    responses = [Response(f"id{i}", f"text of response {i}") for i in range(4)]
    features = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.3, -1.0]]
    return Pool("which one?", responses, features, scaling="half")


class Keys:
    def __init__(self, *keys: str) -> None:
        self._keys: Iterator[str] = iter(keys)

    def __call__(self) -> str:
        return next(self._keys)


def asked(*keys: str, width: int = 100, pool: Pool | None = None) -> tuple[object, str]:
    console = Console(file=io.StringIO(), width=width, height=30, force_terminal=False)
    elicitation = Elicitation(pool or a_pool(), UserAlign(), seed=0)
    query = elicitation.ask()
    assert query is not None
    person = TerminalPerson(elicitation, console, Keys(*keys))
    reply = person.answer(query, elicitation.pool)
    assert isinstance(console.file, io.StringIO)
    return reply, console.file.getvalue()


@pytest.mark.parametrize(
    ("key", "reply"),
    [
        ("1", 0),
        ("2", 1),
        ("\x1b[D", 0),
        ("\x1b[C", 1),
        ("t", "tie"),
        ("T", "tie"),
        ("s", "skip"),
        ("q", "stop"),
    ],
)
def test_each_key_says_one_thing(key: str, reply: object) -> None:
    assert asked(key)[0] == reply


def test_other_keys_are_refused_and_asked_again() -> None:
    for key in ("3", "0", "x", " ", "\r", "\u00b2"):
        reply, screen = asked(key, "1")
        assert reply == 0
        assert "That key means nothing here." in screen


def test_undo_before_any_answer_is_told_so() -> None:
    reply, screen = asked("u", "2")
    assert reply == 1
    assert "no answer to take back" in screen


def test_interrupt_and_end_of_input_stop() -> None:
    def interrupted() -> str:
        raise KeyboardInterrupt

    elicitation = Elicitation(a_pool(), seed=0)
    query = elicitation.ask()
    assert query is not None
    console = Console(file=io.StringIO(), width=80)
    assert TerminalPerson(elicitation, console, interrupted).answer(query, a_pool()) == "stop"


def test_wide_screens_show_the_cards_side_by_side_and_narrow_ones_below_each_other() -> None:
    _, wide = asked("1", width=100)
    _, narrow = asked("1", width=50)
    texts = re.compile(r"text of response \d.*text of response \d")
    assert texts.search(wide)
    assert not texts.search(narrow)
    assert max(len(line) for line in narrow.splitlines()) <= 50


def test_long_response_is_cut_to_the_screen_and_can_be_read_whole() -> None:
    long = " ".join(f"word{i}" for i in range(3000))
    responses = [Response("a", long), Response("b", "short")]
    pool = Pool("p", responses, [[1.0, 0.0], [0.0, 1.0]], scaling="half")
    _, screen = asked("1", pool=pool)
    assert "press m to read it all" in screen
    assert "word2999" not in screen
    assert len(screen.splitlines()) <= 30


def test_the_whole_text_is_read_a_screen_at_a_time() -> None:
    long = " ".join(f"word{i}" for i in range(1000))
    responses = [Response("a", long), Response("b", "short")]
    pool = Pool("p", responses, [[1.0, 0.0], [0.0, 1.0]], scaling="half")
    reply, screen = asked("m", *[" "] * 4, "2", pool=pool)
    assert reply == 1
    words = re.findall(r"word\d+", screen)
    assert set(words) >= {f"word{i}" for i in range(1000)}
    assert screen.count("any key: read on") == 3
    assert screen.count("back to the question") == 1


def test_the_best_so_far_can_be_read_and_the_question_comes_back() -> None:
    reply, screen = asked("b", " ", "1")
    assert reply == 0
    assert screen.count("which one?") == 2


def test_responses_cannot_drive_the_terminal() -> None:
    assert "\x1b" not in printable("before \x1b[2J after")
    assert printable("a\r\nb\tc") == "a\nb   c"
    assert printable("héllo 日本 👩‍🍳") == "héllo 日本 👩‍🍳"
    bad = Pool("\x1b]0;title\x07", [Response("a", "x\x1b[31mred"), Response("b", "y")])
    _, screen = asked("1", pool=bad.with_features([[1.0], [0.0]]))
    assert "\x1b" not in screen
    assert "[31mred" in screen  # shown as it is, markup included


def a_recommendation(**changes: object) -> Recommendation:
    values: dict[str, object] = {
        "index": 0,
        "response": Response("a", "text"),
        "bound": 0.0,
        "certified": True,
        "answers": 5,
        "questions_left": 0,
        "consistent": True,
    }
    return Recommendation(**(values | changes))  # type: ignore[arg-type]


def test_sureness_says_what_the_bound_means() -> None:
    assert "certain" in sureness(a_recommendation())
    half = sureness(a_recommendation(bound=0.5))
    assert "up to 0.50" in half
    assert "at most 62 times in 100" in half  # sigmoid(0.5) = 0.6225
    assert "certain" not in sureness(a_recommendation(bound=0.0, consistent=False)).split(".")[0]
    assert "contradict" in sureness(a_recommendation(consistent=False, certified=False))
    assert "best so far" in sureness(a_recommendation(bound=None, certified=False))
    assert sureness(a_recommendation(answers=0)).startswith("Before any question")


def test_sureness_says_what_is_expected_where_there_is_no_bound() -> None:
    sure = sureness(a_recommendation(bound=None, expected_regret=0.0131))
    assert "as sure as was asked for" in sure
    assert "within 2 %" in sure
    assert "contradict" not in sure
    far = a_recommendation(bound=None, expected_regret=0.3, certified=False, consistent=False)
    assert "the best so far" in sureness(far)
    assert "within 30 %" in sureness(far)
    assert "contradict" in sureness(far)
    assert "within 1 %" in sureness(a_recommendation(bound=None, expected_regret=0.0))


def test_progress_counts_the_questions_left() -> None:
    assert progress(a_recommendation(questions_left=1)) == "question 6, about 1 question left"
    assert "about 7 questions left" in progress(a_recommendation(questions_left=7))


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[pexpect.spawn]:
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm-256color"}
    child = pexpect.spawn(
        sys.executable,
        ["-m", "palate", "demo", "--seed", "3"],
        env=environment,
        dimensions=(36, 110),
        encoding="utf-8",
        timeout=30,
    )
    child.delaybeforesend = 0.2  # keys that come before the question is drawn are lost
    yield child
    child.close(force=True)


def test_a_person_answers_the_demo_on_a_real_terminal(terminal: pexpect.spawn) -> None:
    terminal.expect("question 1, about 10 questions left")
    for number in range(1, 10):
        terminal.send("1")
        terminal.expect(f"question {number + 1}, about")
    terminal.send("2")
    terminal.expect("your response")
    terminal.expect("After 10 questions")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 0


def test_quitting_keeps_the_answers_and_the_printed_command_goes_on(
    terminal: pexpect.spawn, tmp_path: Path
) -> None:
    terminal.expect("question 1, about")
    terminal.send("1")
    terminal.expect("question 2, about")
    terminal.send("t")
    terminal.expect("question 3, about")
    terminal.send("u")
    terminal.expect("question 2, about")
    terminal.send("q")
    terminal.expect(r"palate align --resume (\S+\.jsonl)")
    log = terminal.match.group(1)
    terminal.expect(pexpect.EOF)
    again = pexpect.spawn(
        sys.executable,
        ["-m", "palate", "align", "--resume", log],
        env=os.environ | {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm-256color"},
        dimensions=(36, 110),
        encoding="utf-8",
        timeout=30,
    )
    again.delaybeforesend = 0.2
    again.expect("question 2, about")
    again.send("q")
    again.expect("your response")
    again.close(force=True)


def test_the_first_question_comes_soon(terminal: pexpect.spawn) -> None:
    began = time.monotonic()
    terminal.expect("question 1, about")
    # Two seconds on a quiet machine is the promise; a shared one may take longer.
    assert time.monotonic() - began < 4.0
