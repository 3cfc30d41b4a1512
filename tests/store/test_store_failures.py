"""A database that fails in the middle: what was acknowledged stands, and telling again is safe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

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

    def write(self: Database, work: Callable[..., Any], *, durable: bool = True) -> Any:
        if after:
            real(self, work, durable=durable)
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
