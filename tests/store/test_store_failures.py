"""A database that fails in the middle: what was acknowledged stands, and telling again is safe."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

import pytest
from databases import postgres_engine, postgres_url
from sqlalchemy import make_url, text

from palate.errors import StoreError
from palate.pool import Pool
from palate.store import Store, memory, open_store
from palate.store.database import Database
from palate.store.events import write_extension

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def store() -> Iterator[Store]:
    with open_store("memory:") as store:
        yield store


@pytest.fixture
def elicitation(store: Store) -> str:
    pool = store.add_pool(Pool("Which?", ["a", "b", "c"]))
    return store.start(store.add_person(), pool, {"name": "winner-stays"}, seed=1)


def failing(monkeypatch: pytest.MonkeyPatch, *, after: bool) -> Callable[[], None]:
    """Make the next write fail, before or after it is committed; call what is returned to stop."""
    real = Database.write

    def write(self: Database, work: Callable[..., Any], **how: bool) -> Any:
        if after:
            real(self, work, **how)
        raise StoreError("the connection is lost")

    monkeypatch.setattr(Database, "write", write)
    return lambda: monkeypatch.setattr(Database, "write", real)


@pytest.mark.parametrize("after", [False, True], ids=["in vain", "reply lost"])
def test_telling_again_is_safe(
    store: Store, elicitation: str, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    asked = store.ask(elicitation)
    assert asked is not None
    recover = failing(monkeypatch, after=after)
    with pytest.raises(StoreError, match="lost"):
        store.tell(elicitation, asked.id, 0)
    recover()
    assert store.tell(elicitation, asked.id, 0) is not after
    assert [a.picked for a in store.answers(elicitation)] == [0]
    following = store.ask(elicitation)
    assert following is not None
    assert following.query.number == 1


@pytest.mark.parametrize("after", [False, True], ids=["in vain", "reply lost"])
def test_asking_again_is_safe(
    store: Store, elicitation: str, monkeypatch: pytest.MonkeyPatch, *, after: bool
) -> None:
    recover = failing(monkeypatch, after=after)
    with pytest.raises(StoreError, match="lost"):
        store.ask(elicitation)
    recover()
    asked = store.ask(elicitation)
    assert asked is not None
    assert store.ask(elicitation) == asked
    assert store.tell(elicitation, asked.id, 0)


def test_what_joined_in_vain_is_forgotten(
    store: Store, elicitation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> bool:
        raise StoreError("the connection is lost")

    with monkeypatch.context() as patched:
        patched.setattr(memory, "write_extension", fail)
        with pytest.raises(StoreError, match="lost"):
            store.extend(elicitation, ["d"])
    assert store.log(elicitation) == ()
    (new,) = store.extend(elicitation, ["d"])
    assert new.id == "r4"


def test_who_is_slower_extends_what_the_other_left(
    store: Store, elicitation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[object] = []

    def slower(*given: Any, **options: Any) -> bool:
        tried.append(given)
        return len(tried) > 2 and write_extension(*given, **options)

    monkeypatch.setattr(memory, "write_extension", slower)
    (new,) = store.extend(elicitation, ["d"])
    assert new.id == "r4"
    assert len(store.log(elicitation)) == 1


def test_a_log_that_cannot_go_on_is_said(
    store: Store, elicitation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "write_query", lambda *_: False)
    with pytest.raises(StoreError, match="damaged"):
        store.ask(elicitation)


def test_connections_that_the_server_dropped_are_made_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As after a restart of PostgreSQL, while nobody asked anything."""
    monkeypatch.setattr("palate.store.database._REST", 0.0)
    drop = text(
        "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity "
        "WHERE application_name = :name"
    )
    name = f"palate_{secrets.token_hex(8)}"
    engine = postgres_engine()
    with postgres_url() as url, engine.connect() as other:
        named = make_url(url).update_query_dict({"application_name": name})
        with open_store(named.render_as_string(hide_password=False)) as store:
            person = store.add_person("ann")
            for _ in range(3):
                assert other.execute(drop, {"name": name}).scalar_one()
                assert store.person(person).name == "ann"
    engine.dispose()
