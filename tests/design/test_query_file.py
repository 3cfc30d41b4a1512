"""The file of queries: whatever happens to it, it is read as it was or refused in one line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate.design import Problem, QueryFile, Slot, TextRenderer, pose, read_queries
from palate.design.queries import PlannedQuery
from palate.errors import AnswerError, LogError, ParameterError
from palate.pool import Response

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from palate.design import Questions

PROBLEM = Problem(
    (
        Slot("subject", ("a cat", "a dog", "a héron 🎉"), np.eye(3)),
        Slot("light", ("dawn", "noon", "dusk"), -np.eye(3)),
    )
)
PLANNED = (
    PlannedQuery(0, 1, ((0,), (2,), (1,))),
    PlannedQuery(0, 2, ((0, 1), (1, 0), (2, 2))),
    PlannedQuery(1, 1, ((2,), (0,))),
)
SETTINGS = {"vocabulary": "mine", "criterion": "V", "lambda": 0.5, "seed": 3, "K": 3}


@pytest.fixture
def asked() -> Questions:
    """The queries as they are asked."""
    return pose(PROBLEM, PLANNED, question="Which one?")


@pytest.fixture
def path(tmp_path: Path, asked: Questions) -> Path:
    """A file of three queries."""
    path = tmp_path / "queries.jsonl"
    QueryFile.create(path, PLANNED, asked, SETTINGS).close()
    return path


def same(one: Questions, other: Questions) -> bool:
    """Whether the same is asked, in the same words or pictures."""
    return (
        one.pool.prompt == other.pool.prompt
        and one.pool.responses == other.pool.responses
        and (one.queries, one.prompts, one.shows) == (other.queries, other.prompts, other.shows)
    )


def test_what_was_written_is_read(path: Path, asked: Questions) -> None:
    file = read_queries(path)
    assert file.settings == SETTINGS
    assert file.planned == PLANNED
    assert same(file.asked, asked)
    assert file.answers == {}
    assert file.unanswered() == list(asked.queries)
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(lines) == 4
    assert lines[2] == {
        "query": 1,
        "episode": 0,
        "depth": 2,
        "options": [[0, 1], [1, 0], [2, 2]],
        "prompts": ["a cat, noon", "a dog, dawn", "a héron 🎉, dusk"],
    }


def test_answers_are_there_as_soon_as_they_are_given(path: Path) -> None:
    with QueryFile.open(path) as file:
        answer = file.tell(1, 2, seconds=1.5)
        assert (answer.query.number, answer.picked, answer.seconds) == (1, 2, 1.5)
        assert answer.at.endswith("+00:00")
        beside = read_queries(path)
        assert beside.answers == file.answers == {1: answer}
        file.tell(0, "tie")
        file.tell(2, 0)
        file.tell(2, (1, 0))
        assert file.unanswered() == []
    again = read_queries(path)
    assert again.picked() == ["tie", 2, 1]
    assert again.answers[1] == answer
    assert len(path.read_text(encoding="utf-8").splitlines()) == 8


def test_numbers_of_numpy_are_numbers(path: Path) -> None:
    with QueryFile.open(path) as file:
        file.tell(0, np.array([2, 0, 1]))  # type: ignore[arg-type]
        file.tell(1, np.int64(1))  # type: ignore[arg-type]
    assert read_queries(path).picked() == [(2, 0, 1), 1, "skip"]


def test_queries_without_an_answer_count_as_skipped(path: Path) -> None:
    with QueryFile.open(path) as file:
        file.tell(1, 0)
        assert file.picked() == ["skip", 0, "skip"]
        assert [query.number for query in file.unanswered()] == [0, 2]


@pytest.mark.parametrize(("number", "picked"), [(3, 0), (-1, 0), (True, 0), (0, 3), (0, "stop")])
def test_an_answer_that_does_not_fit_is_not_written(path: Path, number: Any, picked: Any) -> None:
    before = path.read_bytes()
    with QueryFile.open(path) as file, pytest.raises(AnswerError):
        file.tell(number, picked)
    assert path.read_bytes() == before


def test_a_torn_last_line_does_not_count(path: Path) -> None:
    """Cut anywhere in the last answer, the file is read without it and goes on."""
    with QueryFile.open(path) as file:
        file.tell(0, 1)
        whole = path.stat().st_size
        file.tell(1, 1)
    content = path.read_bytes()
    for length in range(whole, len(content)):
        path.write_bytes(content[:length])
        assert list(read_queries(path).answers) == [0]
    with QueryFile.open(path) as file:
        file.tell(2, 0)
    assert read_queries(path).picked() == [1, "skip", 0]


def test_a_killed_process_loses_no_answer(path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from palate.design.files import QueryFile\n"
        "file = QueryFile.open(sys.argv[1])\n"
        "file.tell(0, 2); file.tell(1, 0)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, path], check=False, env=os.environ)
    assert done.returncode == -signal.SIGKILL
    assert read_queries(path).picked() == [2, 0, "skip"]


def test_one_process_holds_it_and_any_may_read(path: Path) -> None:
    with QueryFile.open(path) as file:
        with pytest.raises(LogError, match="in use by another process"):
            QueryFile.open(path)
        reader = read_queries(path)
        with pytest.raises(LogError, match="opened to read alone"):
            reader.tell(0, 0)
        reader.close()
        file.tell(0, 0)
    with pytest.raises(LogError, match="opened to read alone"):
        file.tell(1, 0)


def test_a_file_is_never_overwritten(path: Path, asked: Questions) -> None:
    before = path.read_bytes()
    with pytest.raises(FileExistsError):
        QueryFile.create(path, PLANNED, asked, SETTINGS)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["queries.jsonl"]


def test_what_cannot_be_written_is_one_line(tmp_path: Path, asked: Questions) -> None:
    with pytest.raises(LogError, match=r"the settings of .* cannot be written as JSON"):
        QueryFile.create(tmp_path / "a", PLANNED, asked, {"lambda": float("nan")})
    with pytest.raises(LogError, match=r"the settings of .* cannot be written as JSON"):
        QueryFile.create(tmp_path / "a", PLANNED, asked, {"embedder": object()})
    with pytest.raises(ParameterError, match="2 planned queries were posed as 3"):
        QueryFile.create(tmp_path / "a", PLANNED[:2], asked, {})
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match="cannot write"):
        QueryFile.create(tmp_path / "file" / "queries.jsonl", PLANNED, asked, {})
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


class Painter:
    """Shows each prompt as a picture in a folder, or in other words."""

    identity = "painter"

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder

    def render(self, prompts: Sequence[str]) -> list[Response]:
        shown = TextRenderer().render(prompts)
        if self.folder is None:
            return [Response(r.id, f"picture: {r.text}", metadata=r.metadata) for r in shown]
        paths = [self.folder / f"{i}.png" for i in range(len(prompts))]
        return [
            Response(r.id, image=str(p), metadata=r.metadata)
            for r, p in zip(shown, paths, strict=True)
        ]


def test_pictures_move_with_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    asked = pose(PROBLEM, PLANNED, Painter(folder / "pictures"))
    QueryFile.create(folder / "queries.jsonl", PLANNED, asked, {}).close()
    assert same(read_queries(folder / "queries.jsonl").asked, asked)
    assert str(tmp_path) not in (folder / "queries.jsonl").read_text(encoding="utf-8")
    folder.rename(tmp_path / "moved")
    moved = read_queries(tmp_path / "moved" / "queries.jsonl").asked.pool
    assert moved.responses[1].image == str(tmp_path / "moved" / "pictures" / "1.png")


def test_pictures_elsewhere_keep_their_path(tmp_path: Path) -> None:
    asked = pose(PROBLEM, PLANNED, Painter(tmp_path / "pictures"))
    QueryFile.create(tmp_path / "study" / "q.jsonl", PLANNED, asked, {}).close()
    assert same(read_queries(tmp_path / "study" / "q.jsonl").asked, asked)


def test_a_renderer_may_use_other_words(tmp_path: Path) -> None:
    asked = pose(PROBLEM, PLANNED, Painter(None), shows="token")
    QueryFile.create(tmp_path / "q.jsonl", PLANNED, asked, {}).close()
    found = read_queries(tmp_path / "q.jsonl").asked
    assert same(found, asked)
    assert found.pool.responses[0].text == "picture: a cat"
    assert found.pool.responses[0].metadata["prompt"] == "a cat"


def changed(path: Path, line: int, **fields: Any) -> None:
    """Damage one line, from 1."""
    lines = path.read_text(encoding="utf-8").splitlines()
    record = json.loads(lines[line - 1]) | fields
    lines[line - 1] = json.dumps({k: v for k, v in record.items() if v is not ...})
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "fields", "says"),
    [
        (1, {"format": "other"}, "is no file of queries"),
        (1, {"version": 2}, "has version 2, this palate reads 1"),
        (1, {"queries": 9}, "should hold 9 queries and holds 4; it was cut off"),
        (1, {"queries": 0}, "line 1: queries, question, shows or settings is missing"),
        (1, {"queries": True}, "line 1: queries, question, shows or settings is missing"),
        (1, {"question": ...}, "line 1: queries, question, shows or settings is missing"),
        (1, {"shows": "all"}, "line 1: queries, question, shows or settings is missing"),
        (1, {"settings": []}, "line 1: queries, question, shows or settings is missing"),
        (2, {"query": 1}, "line 2: this is not query 0 (it says 1)"),
        (3, {"options": ...}, "line 3: this is not query 1 (it lacks 'options')"),
        (3, {"options": [[0]]}, "line 3: this is not query 1 (options are two or more lists"),
        (3, {"options": [[0], [], [1]]}, "line 3: this is not query 1 (options are two or more"),
        (3, {"options": [[0], ["1"], [1]]}, "line 3: this is not query 1 (a whole number of"),
        (3, {"options": [[0], [1]]}, "line 3: this is not query 1 (2 options need 2 different"),
        (3, {"options": 7}, "line 3: this is not query 1 ("),
        (3, {"episode": -1}, "line 3: this is not query 1 (a whole number of at least 0"),
        (3, {"depth": None}, "line 3: this is not query 1 (a whole number of at least 0"),
        (3, {"prompts": ["a", "a", "b"]}, "line 3: this is not query 1 (3 options need 3"),
        (3, {"prompts": ["a", "", "b"]}, "line 3: this is not query 1 ("),
        (3, {"prompts": ["a", 5, "b"]}, "line 3: this is not query 1 ("),
        (3, {"images": ["a.png"]}, "line 3: this is not query 1 (3 options need 3"),
        (3, {"images": ["a.png", 5, "b.png"]}, "line 3: this is not query 1 ("),
        (3, {"images": ["a.png", "a.png", "b.png"]}, "the options of its queries are no pool"),
        (5, {"answer": 3}, "line 5: an answer is to a query from 0 to 2, not to 3"),
        (5, {"answer": ...}, "line 5: an answer is to a query from 0 to 2, not to None"),
        (5, {"picked": 3}, "line 5: an answer is a position from 0 to 2"),
        (5, {"picked": ...}, "line 5: an answer is a position from 0 to 2"),
        (5, {"seconds": "soon"}, "line 5: an answer's time is a text and its seconds a number"),
        (5, {"seconds": -1}, "line 5: an answer's time is a text and its seconds a number"),
        (5, {"at": 5}, "line 5: an answer's time is a text and its seconds a number"),
    ],
)
def test_a_damaged_line_is_named(path: Path, line: int, fields: dict[str, Any], says: str) -> None:
    with QueryFile.open(path) as file:
        file.tell(0, 0)
    changed(path, line, **fields)
    for use in (read_queries, QueryFile.open):
        with pytest.raises(LogError) as caught:
            use(path)
        message = str(caught.value)
        assert says in message
        assert str(path) in message
        assert message.isprintable()
    changed(path, 2)  # it is not held any more
    path.write_text("x\n", encoding="utf-8")
    with pytest.raises(LogError, match="line 1: not JSON"):
        QueryFile.open(path)


def test_no_file_and_an_empty_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="cannot read"):
        read_queries(tmp_path / "none.jsonl")
    (tmp_path / "empty.jsonl").write_text("")
    with pytest.raises(LogError, match="is no file of queries"):
        read_queries(tmp_path / "empty.jsonl")
