"""Databases that other versions wrote, that others write, and that are damaged.

``schemas/0001.sql`` is what ``.dump`` of SQLite says of a store that version 1 wrote; it stays
as it is, and so does the step that made it. The same holds of the later versions.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from databases import new_url
from sqlalchemy import inspect, text

from palate.elicitation import Elicitation, Extension, Undo
from palate.errors import FingerprintError, LogError, PalateError, StoreError
from palate.pool import Pool
from palate.profile import Profile
from palate.store import migrations, open_store
from palate.store.database import Database
from palate.strategies import Eubo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from palate.strategies import Strategy

FIRST = Path(__file__).parent / "schemas" / "0001.sql"
THIRD = FIRST.with_name("0003.sql")
USERALIGN, EUBO = "0DePX--iiCfe8MuZ", "Xu05v5EE0Jv9rUDO"
PENDING = "QKZQs5pbI1zvURyk"
KNOWN, OWN = "O6aKvdGbZdv79vEY", "HJDioaDvm4EUqNks"


@pytest.fixture
def old(tmp_path: Path) -> str:
    """The file of version 1."""
    return written_by(FIRST, tmp_path)


def written_by(dump: Path, folder: Path) -> str:
    """The file that a dump was made of."""
    path = folder / "old.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump.read_text(encoding="utf-8"))
    return str(path)


def schema(path: str) -> set[tuple[Any, ...]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return set(connection.execute("SELECT type, name, sql FROM sqlite_master"))


def run_sql(path: str, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_what_version_1_wrote_is_read(old: str, tmp_path: Path) -> None:
    with open_store(old) as store:
        log = store.log(USERALIGN)
        assert [getattr(event, "picked", None) for event in log] == [0, "tie", None, 1, None]
        assert [type(event) for event in log][2::2] == [Undo, Extension]
        assert [a.seconds for a in store.answers(USERALIGN)] == [0.9, 1.5]
        asked = store.ask(USERALIGN)
        assert asked is not None
        assert (asked.id, asked.query.number, asked.query.ids) == (PENDING, 2, ("r2", "r4"))
        assert store.recommend(USERALIGN).response.text == "Grüne Soße 🥣."
        assert store.tell(USERALIGN, asked.id, 0)
        order, skip = store.answers(EUBO)
        assert (order.picked, skip.picked) == ((2, 0, 1), "skip")
        ann, nobody = store.people().items
        assert (ann.name, nobody.name) == ("Ann", None)
        assert store.add_person("Ann") == ann.id
        pools = [store.pool(p.id) for p in store.pools().items]
        assert [(p.id, p.prompt, p.embedder, len(p)) for p in pools] == [
            ("dinner", "What shall I cook tonight?", "made-up", 4),
            (None, "Which?", None, 3),
        ]
        assert pools[0].responses[0].metadata == {"model": "m"}
        assert [e.seed for e in store.elicitations().items] == [7, 8, 2**63 - 1]
    open_store(str(tmp_path / "new.db")).close()
    assert schema(old) == schema(str(tmp_path / "new.db"))


def test_what_version_3_remembered_is_remembered(tmp_path: Path) -> None:
    """Of a population and earlier answers, though since then these grew and were forgotten."""
    old = written_by(THIRD, tmp_path)
    with open_store(old) as store:
        ann, bob = (person.id for person in store.people().items)
        assert [store.elicitation(e).remembered for e in (KNOWN, OWN)] == [4, 4]
        for elicitation, query, shown in (
            (KNOWN, "xFBunJksC7YNYvgH", ("r3", "r4")),
            (OWN, "nmLdJLuJlSHkBxk8", ("r4", "r1")),
        ):
            asked = store.ask(elicitation)
            assert asked is not None
            assert (asked.id, asked.query.ids) == (query, shown)
        assert [store.recommend(e).response.id for e in (KNOWN, OWN)] == ["r4", "r1"]
        assert store.undo(OWN)
        asked = store.ask(OWN)
        assert asked is not None
        assert asked.query.ids == ("r1", "r3")
        third = store.elicitation(OWN).pool
        known = [store.elicitation(store.start(who, third, seed=1)) for who in (ann, bob)]
        assert [stored.remembered for stored in known] == [0, 2]
        assert store.delete_person(ann).elicitations == 4
        assert [e.person for e in store.elicitations().items] == [bob] * 4
    open_store(str(tmp_path / "new.db")).close()
    assert schema(old) == schema(str(tmp_path / "new.db"))


@pytest.mark.parametrize("kind", ["file", "postgres"])
def test_later_steps_follow_those_that_were_made(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = migrations.steps()
    with new_url(kind, tmp_path) as url:
        with Database(url) as database:
            assert migrations.migrate(database) == 0
            assert migrations.migrate(database) == len(first)
            later = "CREATE TABLE later (id $identity, b $bytes); -- ; no statement"
            monkeypatch.setattr(migrations, "steps", lambda: [*first, later])
            assert migrations.migrate(database) == len(first)
            assert "later" in inspect(database.engine).get_table_names()
            monkeypatch.setattr(migrations, "steps", lambda: [*first, later, "NONSENSE"])
            with pytest.raises(StoreError, match="NONSENSE"):
                migrations.migrate(database)
            with database.reading() as connection:
                versions = connection.execute(text("SELECT version FROM schema_version"))
                assert [v for (v,) in versions] == list(range(1, len(first) + 2))
        monkeypatch.undo()
        with pytest.raises(StoreError, match=f"schema {len(first) + 1} and this palate knows"):
            open_store(url)


def test_a_database_of_something_else_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "other.db")
    run_sql(path, "CREATE TABLE recipes (id)")
    with pytest.raises(StoreError, match="is not a store: it holds recipes"):
        open_store(path)
    assert {name for _, name, _ in schema(path)} == {"recipes"}


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Buy milk. " * 200)
    with pytest.raises(StoreError, match="not a database"):
        open_store(str(path))
    assert path.read_text() == "Buy milk. " * 200


CHANGES: dict[str, tuple[str, type[PalateError], str]] = {
    "a response": (
        "UPDATE responses SET content = replace(content, 'Soup', 'Stew')",
        FingerprintError,
        "another pool",
    ),
    "the prompt": (
        "UPDATE pools SET prompt = replace(prompt, 'cook', 'burn')",
        FingerprintError,
        "another pool",
    ),
    "the scaling": ("UPDATE pools SET scaling = 'half'", FingerprintError, "another features"),
    "the features": (
        "UPDATE feature_arrays SET content = zeroblob(48) WHERE n = 4",
        FingerprintError,
        "another features",
    ),
    "the strategy": (
        "UPDATE elicitations SET settings = replace(settings, '0.1', '0.2')",
        FingerprintError,
        "another strategy",
    ),
    "the seed": ("UPDATE elicitations SET seed = 9", FingerprintError, "another seed"),
    "a shorter array": ("UPDATE feature_arrays SET content = zeroblob(7)", StoreError, "damaged"),
    "no responses": ("DELETE FROM responses", StoreError, "damaged"),
    "no JSON": ("UPDATE elicitations SET settings = '{'", StoreError, "damaged"),
    "a gap": ("DELETE FROM events WHERE number = 2", StoreError, "event 2 .* missing"),
    "strangers": ("UPDATE queries SET shown = replace(shown, 'r', 's')", LogError, "damaged"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_was_changed_behind_its_back_is_noticed(old: str, change: str) -> None:
    statement, error, said = CHANGES[change]
    run_sql(old, statement)
    with open_store(old) as store:
        for _ in range(2):
            with pytest.raises(error, match=said) as caught:
                store.ask(USERALIGN)
            assert "\n" not in str(caught.value)
        with pytest.raises(error):
            store.tell(USERALIGN, PENDING, 0)
    with contextlib.closing(sqlite3.connect(old)) as connection:
        ((last,),) = connection.execute("SELECT max(number) FROM events WHERE elicitation = 1")
    assert last == 5, "an answer was recorded all the same"


def test_a_learned_prior_is_given_once_more(tmp_path: Path) -> None:
    url = str(tmp_path / "s.db")
    rng = np.random.default_rng(0)
    pool = Pool("Which?", ["a", "b", "c", "d"], rng.normal(size=(4, 3)), embedder="mine")
    past = Profile()  # of a file, say, of which the store knows nothing
    earlier = Elicitation(Pool("Before?", ["e", "f"], rng.normal(size=(2, 3)), embedder="mine"))
    earlier.tell(earlier.ask(), 0)  # type: ignore[arg-type]  # there is one
    past.remember(earlier)
    learned = past.prior(pool)
    with open_store(url) as store:
        what = store.add_pool(pool)
        elicitation = store.start(store.add_person(), what, Eubo(learned, tolerance=0.0), seed=1)
        asked = store.ask(elicitation)
        assert asked is not None
        store.tell(elicitation, asked.id, 0)
    with open_store(url) as store:
        with pytest.raises(LogError, match="learned from answers"):
            store.ask(elicitation)
        assert [a.picked for a in store.answers(elicitation)] == [0]
        assert len(list(store.export())) == 1

    def known(settings: Mapping[str, Any], about: Pool) -> Strategy:
        assert about.content_fingerprint == pool.content_fingerprint
        assert settings["prior"]["name"] == learned.name
        return Eubo(learned, tolerance=0.0)

    with open_store(url, strategy_for=known) as store:
        assert store.recommend(elicitation).answers == 1
    with (
        open_store(url, strategy_for=lambda *_: Eubo()) as store,
        pytest.raises(FingerprintError, match="another strategy"),
    ):
        store.recommend(elicitation)
