"""``palate design share`` and ``collect``: a plan's questions answered at a service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from palate.cli import app
from palate.design import read_queries
from palate.errors import ParameterError
from palate.feedback import SKIP
from palate.store import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from pytest import CaptureFixture  # noqa: PT013 - a type alone

    from palate.feedback import Picked, Query
    from palate.store import Store

SLOTS = [
    {"name": "subject", "tokens": ["a beach", "a castle", "a robot", "a fox", "a ship"]},
    {"name": "light", "tokens": ["noon sun", "torch light", "neon glow", "moonlight", "dusk"]},
]


def run(*arguments: object) -> None:
    app(["design", *map(str, arguments)], standalone_mode=False)


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    """Four episodes of two questions with three options."""
    vocabulary, path = tmp_path / "small.json", tmp_path / "queries.jsonl"
    vocabulary.write_text(json.dumps(SLOTS), encoding="utf-8")
    run("plan", vocabulary, "-o", path, "--episodes", 4, "--options", 3, "--lambda", 0.2)
    return path


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "palate.db"


def links(capsys: CaptureFixture[str], *arguments: object) -> list[str]:
    capsys.readouterr()
    run("share", *arguments)
    return capsys.readouterr().out.splitlines()


def favourite(query: Query) -> int:
    """The position of the option whose id comes first."""
    return query.ids.index(min(query.ids))


def answered(store: Store, elicitation: str, most: int = 99) -> int:
    """Let somebody pick their favourites, and skip every third question."""
    n = 0
    while n < most and (asked := store.ask(elicitation)) is not None:
        said: Picked = SKIP if n % 3 == 2 else favourite(asked.query)
        store.tell(elicitation, asked.id, said, response_ms=1500)
        n += 1
    return n


def test_answers_come_back_as_the_plan_has_them(
    queries: Path, db: Path, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    said = links(capsys, queries, "--db", db, "--person", "ann", "-n", 2)
    assert said[0].startswith("ann: http://127.0.0.1:8000/e/")
    assert len({line.rpartition("/")[2] for line in said}) == 3
    with open_store(str(db)) as store:
        assert answered(store, said[0].rpartition("/")[2]) == 8
        nobody = store.elicitation(said[1].rpartition("/")[2]).person
    run("collect", queries, "--db", db, "-o", tmp_path / "out")
    assert "ann: 8 of 8 answered" in capsys.readouterr().out
    assert len(list((tmp_path / "out").iterdir())) == 3
    file = read_queries(tmp_path / "out" / "ann.jsonl")
    assert file.planned == read_queries(queries).planned
    for number, answer in file.answers.items():
        assert answer.picked == (SKIP if number % 3 == 2 else favourite(answer.query))
        assert answer.seconds == 1.5
        assert answer.at.endswith("+00:00")
    assert sorted(file.answers) == list(range(8))
    assert not read_queries(tmp_path / "out" / f"{nobody}.jsonl").answers
    run("fit", tmp_path / "out" / "ann.jsonl")
    assert "6 picks of 8 questions" in capsys.readouterr().out


def test_who_has_a_link_gets_the_same_again(
    queries: Path, db: Path, capsys: CaptureFixture[str]
) -> None:
    first = links(capsys, queries, "--db", db, "--person", "ann")
    again = links(capsys, queries, "--db", db, "--person", "bob", "--person", "ann")
    assert again[1:] == first
    assert again[0] != first[0]


def test_collected_again_it_is_as_it_stands(
    queries: Path, db: Path, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    """With more answers, and without those taken back; an order and a tie are kept."""
    (link,) = links(capsys, queries, "--db", db, "--person", "ann")
    elicitation, out = link.rpartition("/")[2], tmp_path / "ann.jsonl"
    with open_store(str(db)) as store:
        for said in ((2, 0, 1), "tie", 1):
            asked = store.ask(elicitation)
            assert asked is not None
            if isinstance(said, tuple):
                best = [asked.query.ids[i] for i in said]
            store.tell(elicitation, asked.id, said)
        run("collect", queries, "--db", db, "-o", tmp_path)
        file = read_queries(out)
        order = file.answers[0].picked
        assert isinstance(order, tuple)
        assert [file.asked.queries[0].ids[i] for i in order] == best
        assert file.answers[1].picked == "tie"
        store.undo(elicitation)
        store.undo(elicitation)
        run("collect", queries, "--db", db, "-o", tmp_path)
    assert sorted(read_queries(out).answers) == [0]


def test_what_cannot_be_shared_or_collected_is_refused(
    queries: Path, db: Path, tmp_path: Path
) -> None:
    with pytest.raises(ParameterError, match="who is to answer"):
        run("share", queries, "--db", db)
    with pytest.raises(ParameterError, match="there is no database"):
        run("collect", queries, "--db", db, "-o", tmp_path / "out")
    with pytest.raises(ParameterError, match="a file or on a server"):
        run("share", queries, "--db", "memory:", "-n", 1)
    with open_store(str(db)):
        pass
    with pytest.raises(ParameterError, match="nobody was handed"):
        run("collect", queries, "--db", db, "-o", tmp_path / "out")
    run("share", queries, "--db", db, "--person", "a/b", "--person", "a b")
    with pytest.raises(ParameterError, match="is taken"):
        run("collect", queries, "--db", db, "-o", tmp_path / "out")
    run("share", queries, "--db", db, "--person", "queries")
    with pytest.raises(ParameterError, match="is taken"):
        run("collect", queries, "--db", db, "-o", tmp_path)


def test_a_pool_can_be_shared_and_several_cannot(
    db: Path, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    run("plan", "--pool", "cook", "-o", one, "--episodes", 3)
    (link,) = links(capsys, one, "--db", db, "--person", "ann")
    with open_store(str(db)) as store:
        elicitation = link.rpartition("/")[2]
        assert store.pool(store.elicitation(elicitation).pool).prompt.startswith("What should I")
        assert answered(store, elicitation) == 3
        assert store.recommend(elicitation).answers == 2  # a skip is none
    pools = tmp_path / "pools.jsonl"
    pools.write_text(
        "".join(
            json.dumps({"prompt": p, "responses": [f"{p} {r}" for r in "abcd"]}) + "\n"
            for p in ("first", "second")
        ),
        encoding="utf-8",
    )
    run("plan", "--pool", pools, "-o", two, "--episodes", 3, "--options", 2)
    with pytest.raises(ParameterError, match="one prompt at a time"):
        run("share", two, "--db", db, "-n", 1)
