"""What ``palate bench`` refuses before it measures anything: one line, and status 2."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from palate.cli import main

if TYPE_CHECKING:
    from pathlib import Path

# Each of these would run for a minute or more if it were not refused at once.
LONG = [
    ("diversity", "curves"),
    ("design", "styles"),
    ("priors", "low-rank"),
]


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> str:
    monkeypatch.setattr(sys, "argv", ["palate", "bench", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err


@pytest.mark.parametrize("verb", LONG, ids=" ".join)
def test_a_folder_that_cannot_be_is_said_before_anything_is_measured(
    verb: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file\n", encoding="utf-8")
    said = refused(monkeypatch, capsys, *verb, "--out", str(taken))
    assert f"cannot write to {taken}: File exists" in said


@pytest.mark.parametrize(
    "verb", [*LONG[1:], ("elicitation", "--out", "none")], ids=lambda verb: verb[0]
)
def test_no_runs_at_a_time_are_refused(
    verb: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refused(monkeypatch, capsys, *verb, "--jobs", "0")
    assert "jobs must be at least 1, or -1 for as many as there are cores, not 0" in said
    assert not (tmp_path / "none").exists()
