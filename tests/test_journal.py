"""A journal loses no record that was acknowledged, and keeps nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from palate._journal import Journal
from palate.errors import LogError

if TYPE_CHECKING:
    from pathlib import Path

HEADER = {"journal": 1}
RECORDS: list[dict[str, Any]] = [
    {"i": 0, "text": "Käse 🧀\u2028 two\r\nlines\x85"},
    {"i": 1, "text": "cut off \ud83d"},
    {"i": 2},
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "new" / "journal.jsonl"
    with Journal.create(path, HEADER) as journal:
        for record in RECORDS:
            journal.append(record)
    return path


def opened(path: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    with Journal.open(path) as journal:
        return journal.header, journal.records


def test_what_was_appended_is_read(path: Path) -> None:
    assert opened(path) == (HEADER, RECORDS)
    with Journal.open(path) as journal:
        journal.append({"i": 3})
    assert opened(path) == (HEADER, [*RECORDS, {"i": 3}])
    assert len(path.read_bytes().splitlines()) == 5


def test_text_is_readable_in_the_file(path: Path) -> None:
    assert "Käse 🧀" in path.read_text(encoding="utf-8")


def test_a_journal_cut_anywhere_keeps_its_whole_lines(path: Path) -> None:
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        kept = whole[:cut].count(b"\n")
        lines = [HEADER, *RECORDS][:kept]
        with Journal.open(path) as journal:
            assert journal.header == (lines[0] if lines else {})
            assert journal.records == lines[1:]
            journal.append({"i": "next"})
        assert path.read_bytes().splitlines()[kept:] == [b'{"i": "next"}']


def test_opening_alone_changes_no_file(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("somebody's notes, in one line without an end", encoding="utf-8")
    before = path.read_bytes()
    assert opened(path) == ({}, [])
    assert path.read_bytes() == before


def test_damage_in_the_middle_is_named_by_its_line(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    for damage in (b"{\n", b"\n", b"\xff\n", b"[1]\n"):
        path.write_bytes(b"".join([*lines[:2], damage, *lines[2:]]))
        with pytest.raises(LogError, match="line 3"):
            Journal.open(path)


def test_an_existing_file_is_never_overwritten(path: Path) -> None:
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        Journal.create(path, HEADER)
    assert path.read_bytes() == before


def test_one_holds_it_at_a_time(path: Path) -> None:
    with Journal.open(path):
        with pytest.raises(LogError, match=r"journal\.jsonl is in use by another process"):
            Journal.open(path)
        program = (
            "import pathlib, sys; from palate._journal import Journal\n"
            "Journal.open(pathlib.Path(sys.argv[1]))"
        )
        other = subprocess.run(
            [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=False
        )
        assert "is in use by another process" in other.stderr
    assert opened(path) == (HEADER, RECORDS)


@pytest.mark.parametrize("where", ["absent.jsonl", ".", "file/journal.jsonl"])
def test_what_cannot_be_opened_is_named(tmp_path: Path, where: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="cannot read"):
        Journal.open(tmp_path / where)


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(LogError, match="cannot write"):
        Journal.create(tmp_path / "file" / "journal.jsonl", HEADER)


WRITER = """
import sys
from pathlib import Path
from palate._journal import Journal

journal = Journal.create(Path(sys.argv[1]), {})
i = 0
while True:
    journal.append({"i": i, "text": "x" * (i * 997 % 50000)})
    print(i, flush=True)
    i += 1
"""


def test_a_killed_process_loses_no_acknowledged_record(tmp_path: Path) -> None:
    for trial in range(3):
        path = tmp_path / f"{trial}.jsonl"
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert writer.stdout is not None
        for _ in range(10 + 7 * trial):
            writer.stdout.readline()
        writer.kill()
        acknowledged = 9 + 7 * trial + len(writer.stdout.read().splitlines())
        writer.wait()
        writer.stdout.close()
        _, records = opened(path)
        assert [record["i"] for record in records] == list(range(len(records)))
        assert len(records) - 1 >= acknowledged


FULL = """
import resource, signal, sys
from pathlib import Path
from palate._journal import Journal
from palate.errors import LogError

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
journal = Journal.create(path, {})
journal.append({"i": 0})
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
try:
    journal.append({"text": "x" * 1000})
except LogError as error:
    print(error)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append({"i": 1})
journal.close()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of a file's size are POSIX")
def test_a_disk_that_fills_up_leaves_no_half_record(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith(f"cannot write {path}: "), done.stderr
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{}, {"i": 0}, {"i": 1}]
