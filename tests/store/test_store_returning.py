"""What a store keeps of people who return: damage to it, its limits, and that nothing is left."""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate.errors import FingerprintError, LogError, PalateError, StoreError
from palate.pool import Pool
from palate.population.gaussian import GaussianPopulation
from palate.population.prior import with_outsiders
from palate.store import Store, events, history, open_store
from palate.strategies import Eubo
from palate.strategies.default import LARGEST

if TYPE_CHECKING:
    from pathlib import Path

EUBO = {"name": "eubo", "tolerance": 0.0}
LEARNED = GaussianPopulation(np.array([1.0, 0.0, -1.0]), np.eye(3)[:, :2], 9, 90)


def named_pool(seed: int, n: int = 6) -> Pool:
    rows = np.random.default_rng(seed).normal(size=(n, 3))
    return Pool(f"Which of {seed}?", [f"text {i} of {seed}" for i in range(n)], rows, embedder="me")


def answered(store: Store, person: str, pool: str, strategy: Any = None) -> str:
    elicitation = store.start(person, pool, EUBO if strategy is None else strategy, seed=1)
    asked = store.ask(elicitation)
    assert asked is not None
    store.tell(elicitation, asked.id, 0)
    return elicitation


def began(path: Path) -> tuple[str, str]:
    """A file, and in it an elicitation that began from a population and an earlier answer."""
    url = str(path / "s.db")
    with open_store(url) as store:
        person = store.add_person("Ann")
        answered(store, person, store.add_pool(named_pool(1)))
        last = store.add_pool(named_pool(2))
        strategy = Eubo(with_outsiders(LEARNED))
        return url, store.start(person, last, strategy, seed=1, remember=True)


def rows_of(url: str) -> dict[str, int]:
    with contextlib.closing(sqlite3.connect(url)) as connection:
        names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        counts = {
            name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608
            for (name,) in names
        }
    del counts["sqlite_sequence"]
    return counts


DAMAGE: dict[str, tuple[str, type[PalateError], str]] = {
    "no JSON": ("UPDATE remembered SET sources = '['", StoreError, "is not JSON"),
    "no sources": ("UPDATE remembered SET sources = '[{}]'", StoreError, "began from nothing"),
    "not a list": ("UPDATE remembered SET sources = '[1]'", StoreError, "began from nothing"),
    "nobody's": (
        """UPDATE remembered SET sources = replace(sources, 'on": 1', 'on": 99')""",
        StoreError,
        "elicitation 99 is missing",
    ),
    "another age": (
        """UPDATE remembered SET sources = replace(sources, '"age": 1', '"age": 2')""",
        FingerprintError,
        "another strategy",
    ),
    "another answer": (
        "UPDATE events SET kind = 'tie', said = NULL",
        FingerprintError,
        "another strategy",
    ),
    "no past": ("DELETE FROM remembered", LogError, "learned from answers"),
    "no population": ("DELETE FROM populations", LogError, "learned from answers"),
    "a shorter population": (
        "UPDATE populations SET content = zeroblob(8)",
        StoreError,
        "has 8 bytes",
    ),
    "another population": (
        "UPDATE populations SET content = zeroblob(72)",
        FingerprintError,
        "another strategy",
    ),
    "no settings": (
        "UPDATE elicitations SET settings = replace(settings, 'residual', 'rest')",
        StoreError,
        "no settings of a prior",
    ),
}


@pytest.mark.parametrize("change", DAMAGE)
def test_what_was_changed_behind_its_back_is_noticed(tmp_path: Path, change: str) -> None:
    url, elicitation = began(tmp_path)
    statement, error, said = DAMAGE[change]
    with contextlib.closing(sqlite3.connect(url)) as connection, connection:
        assert connection.execute(statement).rowcount > 0
    with open_store(url) as store:
        for _ in range(2):
            with pytest.raises(error, match=said) as caught:
                store.ask(elicitation)
            assert "\n" not in str(caught.value)
        assert store.answers(elicitation) == (), "it can be read all the same"


def test_a_population_is_kept_once(tmp_path: Path) -> None:
    url, _ = began(tmp_path)
    with open_store(url) as store:
        person, pool = store.add_person(), store.add_pool(named_pool(3))
        for prior in (LEARNED, with_outsiders(LEARNED, outside=0.2)):
            store.start(person, pool, Eubo(prior), seed=1)
    assert rows_of(url)["populations"] == 1


def test_nothing_of_who_is_deleted_is_left_in_the_file(tmp_path: Path) -> None:
    url = str(tmp_path / "s.db")
    with open_store(url) as store:
        pools = [store.add_pool(named_pool(seed)) for seed in (1, 2)]
        somebody = store.add_person("Bob")
        answered(store, somebody, pools[0])
        before = rows_of(url)
        person = store.add_person("Ann who wants to be forgotten")
        for pool in pools:
            elicitation = answered(store, person, pool)
        store.extend(elicitation, ["Her very own words."], features=[[1.0, 2.0, 3.0]])
        store.forget(person, pools[0])
        assert store.elicitation(store.start(person, pools[1], seed=1)).remembered == 1
        assert all(rows_of(url)[table] > before[table] for table in ("events", "feature_arrays"))
        store.delete_person(person)
        assert rows_of(url) == before
    content = (tmp_path / "s.db").read_bytes()
    assert b"Bob" in content
    for words in (b"wants to be forgotten", b"Her very own words"):
        assert words not in content


def test_elicitations_without_answers_hide_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_AT_ONCE", 2)
    monkeypatch.setattr(history, "FURTHEST", 4)
    with open_store(str(tmp_path / "s.db")) as store:
        person, pool = store.add_person(), store.add_pool(named_pool(1))
        for count in range(7):
            assert store.elicitation(store.start(person, pool, seed=1)).remembered == min(count, 4)
            answered(store, person, pool)
            for _ in range(3):
                store.start(person, pool, EUBO)


def test_only_as_much_is_read_as_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    real = events.read_events

    def counting(connection: Any, elicitation: int, seen: int) -> Any:
        read.append(elicitation)
        return real(connection, elicitation, seen)

    with open_store(str(tmp_path / "s.db")) as store:
        person, pool = store.add_person(), store.add_pool(named_pool(1))
        for _ in range(8):
            answered(store, person, pool)
        monkeypatch.setattr(history, "read_events", counting)
        monkeypatch.setattr("palate.profile.past.LATEST", 3)
        monkeypatch.setattr(history, "LATEST", 3)
        assert store.elicitation(store.start(person, pool, seed=1)).remembered == 3
        assert read == [8, 7, 6, 5]


def test_a_large_pool_remembers_where_it_is_told_to(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    texts = [str(i) for i in range(LARGEST + 1)]
    large = Pool("?", texts, rng.normal(size=(LARGEST + 1, 3)), embedder="me")
    with open_store(str(tmp_path / "s.db")) as store:
        person, pool = store.add_person(), store.add_pool(large)
        told = answered(store, person, pool, {"name": "useralign", "estimate": "inside"})
        usual = store.elicitation(store.start(person, pool, seed=1))
        assert (usual.strategy["name"], usual.remembered) == ("useralign", 0)
        known = store.elicitation(store.start(person, pool, seed=1, remember=True))
        assert (known.strategy["name"], known.remembered) == ("eubo", 1)
        assert store.profile(person).answers()[0].style is None, "thousands of texts take long"
        assert len(store.answers(told)) == 1
