"""What a store can be opened by, and what is said of anything else."""

from __future__ import annotations

import sqlite3.dbapi2
import sys
from pathlib import Path
from typing import Any

import pytest

from palate.errors import MissingExtraError, ParameterError, StoreError
from palate.pool import Pool
from palate.store import open_store


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "memory:"),
        ("  ", "memory:"),
        (None, "memory:"),
        (Path("store.db"), "memory:"),
        ("mysql://me:secret@host/db", "not mysql"),
        ("http://me:secret@host/db", "not http"),
        ("postgresql+asyncpg://me:secret@host/db", "not postgresql+asyncpg"),
        ("://", "no URL"),
        ("postgresql://me:secret@host:port/db", "no URL"),
        ("sqlite://store.db", "three slashes"),
        ("sqlite://folder/store.db", "sqlite:///folder/store.db"),
        ("sqlite:///store.db?synchronous=off", "synchronous=off"),
        ("sqlite:///store.db?mode=ro", "mode=ro"),
    ],
)
def test_a_url_that_is_none_is_one_line(url: Any, said: str) -> None:
    with pytest.raises(ParameterError) as caught:
        open_store(url)
    message = str(caught.value)
    assert said in message
    assert "\n" not in message
    assert "secret" not in message


@pytest.mark.parametrize("live", [0, -1, True, 1.5, "many"])
def test_it_keeps_at_least_one_elicitation(live: Any) -> None:
    with pytest.raises(ParameterError, match="live must be"):
        open_store("memory:", live=live)


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}", "sqlite:///{}?synchronous=NORMAL"])
def test_a_file_is_made_with_its_folder(tmp_path: Path, form: str) -> None:
    path = tmp_path / "some folder" / "s.db"
    for people in range(2):
        with open_store(form.format(path)) as store:
            assert len(store.people().items) == people
            store.add_person()
    assert path.read_bytes().startswith(b"SQLite format 3")


def test_a_relative_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("one.db").close()
    open_store("sqlite:///two.db").close()
    assert {p.name for p in tmp_path.iterdir()} >= {"one.db", "two.db"}


@pytest.mark.parametrize("url", ["memory:", ":memory:", "sqlite://", "sqlite:///:memory:"])
def test_memory_ends_with_the_store(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store(url) as store:
        store.add_person()
        with open_store(url) as other:
            assert other.people().items == ()
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_opened_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "s.db", tmp_path / "folder"):
        with pytest.raises(StoreError) as caught:
            open_store(str(path))
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_a_server_that_does_not_answer_is_one_line_without_the_password() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError) as caught:
        open_store("postgresql://me:secret@127.0.0.1:1/db?connect_timeout=2")
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_missing_driver_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'palate\[postgres\]'"):
        open_store("postgresql://me@127.0.0.1/db")


def test_an_answer_waits_for_the_disk_unless_asked_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Queries do not: they would be derived again."""
    levels: list[tuple[int, bool]] = []

    class Traced(sqlite3.Connection):
        def commit(self) -> None:
            ((level,),) = self.execute("PRAGMA synchronous")
            levels.append((level, self.in_transaction))
            super().commit()

    real = sqlite3.connect
    monkeypatch.setattr(sqlite3.dbapi2, "connect", lambda *a, **k: real(*a, **k, factory=Traced))
    for options, expected in (("", 2), ("?synchronous=normal", 1)):
        with open_store(f"sqlite:///{tmp_path}/s{expected}.db{options}") as store:
            pool = store.add_pool(Pool("Which?", ["a", "b"]))
            elicitation = store.start(store.add_person(), pool, {"name": "winner-stays"})
            levels.clear()
            asked = store.ask(elicitation)
            assert asked is not None
            store.tell(elicitation, asked.id, 0)
            assert levels == [(1, True), (expected, True)]
