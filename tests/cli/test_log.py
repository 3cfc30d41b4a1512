"""An answer once acknowledged survives whatever happens to the process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any, cast

import pytest

from palate.cli.log import LogFile, Source, latest_path, new_path, replayed, source_of
from palate.elicitation import Elicitation
from palate.errors import LogError
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.strategies import WinnerStays

if TYPE_CHECKING:
    from pathlib import Path
    from typing import IO

SOURCE = Source("file.jsonl", None, 0.0, drop_duplicates=False)


def a_pool() -> Pool:
    return Pool("p", [f"text {i}" for i in range(8)])


def a_log(path: Path, answers: int = 3) -> Elicitation:
    elicitation = Elicitation(a_pool(), WinnerStays(), seed=4)
    person = SimulatedPerson(utilities=range(8))
    with LogFile.create(path, elicitation, SOURCE) as log:
        for _ in range(answers):
            query = elicitation.ask()
            assert query is not None
            elicitation.tell(query, cast("int", person.answer(query, elicitation.pool)))
            log.append(elicitation.log[-1])
    return elicitation


def read(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    log, header, events = LogFile.resume(path)
    log.close()
    return header, events


def test_log_replays_to_the_same_elicitation(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    elicitation = a_log(path)
    log, header, events = LogFile.resume(path)
    again = replayed(header, events, a_pool())
    assert again.history == elicitation.history
    assert again.ask() == elicitation.ask()
    assert source_of(header, path) == SOURCE
    with log:
        log.append(elicitation.log[-1])
    assert len(path.read_text(encoding="utf-8").splitlines()) == 5


def test_torn_last_line_is_dropped_and_written_over(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    elicitation = a_log(path)
    whole = path.read_bytes()
    for cut in range(1, 30):
        path.write_bytes(whole[:-cut])
        header, events = read(path)
        again = replayed(header, events, a_pool())
        assert again.history == elicitation.history[:2]
        with LogFile.resume(path)[0] as log:
            log.append(elicitation.log[-1])
        assert path.read_bytes() == whole


def test_torn_text_in_a_wide_character_is_dropped_too(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    a_log(path)
    path.write_bytes(path.read_bytes() + '{"query": 3, "shown": ["é'.encode()[:-1])
    _, events = read(path)
    assert len(events) == 3


def test_damage_in_the_middle_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    a_log(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[2] = lines[2][:10]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(LogError, match="line 3: not JSON"):
        LogFile.resume(path)


def test_events_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    a_log(path)
    header, events = read(path)
    for change in (
        {"query": 7},
        {"shown": ["r1"]},
        {"shown": ["r1", "r1"]},
        {"shown": ["r1", "nobody"]},
        {"picked": "nobody"},
        {"answer": None, "picked": None},
        {"shown": 5},
    ):
        damaged = [events[0], events[1] | change, events[2]]
        with pytest.raises(LogError):
            replayed(header, damaged, a_pool())
    with pytest.raises(LogError, match="damaged"):
        replayed(header, [{"undo": True}], a_pool())
    with pytest.raises(LogError, match="damaged"):
        replayed(header, [cast("dict[str, object]", ["not an object"])], a_pool())


def test_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    a_log(path)
    held, _, _ = LogFile.resume(path)
    with held, pytest.raises(LogError, match="in use by another process"):
        LogFile.resume(path)
    read(path)


def test_new_logs_do_not_collide_and_the_latest_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    with pytest.raises(LogError, match="no log"):
        latest_path()
    first = new_path()
    a_log(first)
    second = new_path()
    assert second != first
    a_log(second)
    os.utime(first, (0, 0))
    assert latest_path() == second


@pytest.mark.parametrize("killed_after", [1, 2, 5])
def test_kill_9_loses_no_acknowledged_answer(tmp_path: Path, killed_after: int) -> None:
    log = tmp_path / "answers.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "palate", "align", "--pool", "cook", "--log", str(log)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stdin, stdout = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
    for number in range(1, killed_after + 1):
        read_until(stdout, f"question {number},")
        stdin.write("1\n")
        stdin.flush()
    read_until(stdout, f"question {killed_after + 1},")  # this acknowledges the last answer
    process.send_signal(signal.SIGKILL)
    process.wait()
    stdin.close()
    stdout.close()
    lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [line["query"] for line in lines[1:]] == list(range(killed_after))
    resumed = subprocess.run(
        [sys.executable, "-m", "palate", "align", "--resume", str(log)],
        input="q\n",
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"question {killed_after + 1}," in resumed.stdout


def read_until(stream: IO[str], text: str) -> None:
    for line in stream:
        if text in line:
            return
    pytest.fail(f"the output ended before {text!r}")
