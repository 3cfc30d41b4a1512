"""What a store keeps of people and pools, its listings, and what it refuses."""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate._store_contract.basis import NOBODY, ODD, StoreBasis, asked_by, some_pool
from palate.errors import (
    ParameterError,
    PoolError,
    UnknownIdError,
)
from palate.pool import Pool, Response
from palate.strategies import UserAlign, WinnerStays

if TYPE_CHECKING:
    from collections.abc import Callable

    from palate.store import Store


class RecordsContract(StoreBasis):
    """Records are as they were added, and mistakes are said."""

    def test_keeps_people(self, store: Store) -> None:
        """A name is one person; without one, it is always somebody new."""
        ann, somebody, other = store.add_person("Ann Ö."), store.add_person(), store.add_person()
        assert len({ann, somebody, other}) == 3
        assert store.add_person("Ann Ö.") == ann
        assert store.person(ann).name == "Ann Ö."
        assert store.person(somebody).name is None
        assert [p.id for p in store.people().items] == [ann, somebody, other]
        assert store.person(ann).added_at.endswith("+00:00"), "times are in UTC"

    def test_refuses_a_name_that_is_none(self, store: Store) -> None:
        """A name can be read, and a database can hold it."""
        names: list[Any] = ["", "  ", "a\0b", "\ud83c", "x" * 201, 7]
        for name in names:
            with pytest.raises(ParameterError, match="name"):
                store.add_person(name)

    def test_ids_cannot_be_guessed(self, store: Store) -> None:
        """Ids have at least 90 random bits."""
        elicitation = self.started(store)
        asked = asked_by(store, elicitation)
        for value in (store.add_person(), elicitation, asked.id, store.add_pool(some_pool())):
            assert len(value) >= 15, f"{value} is short"
            assert not value.isdecimal(), f"{value} is a number"

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("scaling", ["half", "diameter"])
    def test_keeps_a_pool_bit_for_bit(self, store: Store, scaling: Any, dtype: str) -> None:  # noqa: ANN401
        """Responses, metadata, features and how they were scaled are as they were."""
        rows = np.random.default_rng(0).normal(size=(3, 4)).astype(dtype)
        responses = [
            Response("r1", ODD, metadata={"model": ODD, "tags": [1, None]}),
            Response(ODD, image="a/b.png"),
            Response("r3", "text"),
        ]
        pool = Pool(ODD, responses, rows, scaling=scaling, id="p 1", baseline=ODD, embedder="made")
        added = store.add_pool(pool)
        kept = store.pool(added)
        assert kept.content_fingerprint == pool.content_fingerprint
        assert kept.features_fingerprint == pool.features_fingerprint
        assert kept.responses == pool.responses
        assert [r.metadata for r in kept.responses] == [r.metadata for r in pool.responses]
        for name in ("prompt", "id", "baseline", "embedder", "scaling", "scale"):
            assert getattr(kept, name) == getattr(pool, name), name
        listed = store.pools().items[0]
        assert (listed.id, listed.name, listed.prompt, listed.size) == (added, "p 1", ODD, 3)

    def test_keeps_a_pool_without_features(self, store: Store) -> None:
        """Such a pool can be asked about by strategies that look at none."""
        pool = Pool("Which?", ["a", "b", "c"])
        assert store.pool(store.add_pool(pool)).features is None
        with pytest.raises(PoolError):
            self.started(store, UserAlign(), pool)
        assert asked_by(store, self.started(store, WinnerStays(), pool)).query.number == 0

    def test_refuses_metadata_that_is_not_json(self, store: Store) -> None:
        """And then keeps nothing of the pool."""
        with pytest.raises(PoolError, match="metadata"):
            store.add_pool(Pool("Which?", [Response("a", "x", metadata={"p": float("nan")}), "y"]))
        assert store.pools().items == ()

    def test_lists_in_pages(self, store: Store) -> None:
        """Each row comes once, oldest or newest first, whatever the size of the pages."""
        people = [store.add_person() for _ in range(7)]
        pool, other = store.add_pool(some_pool()), store.add_pool(some_pool())
        started = [store.start(p, pool, WinnerStays(), seed=i) for i, p in enumerate(people)]
        elsewhere = store.start(people[0], other, {"name": "winner-stays"}, seed=9)

        def listed(page: Callable[..., Any], limit: int, **wanted: str | bool) -> list[str]:
            ids, after = [], None
            while True:
                found = page(after=after, limit=limit, **wanted)
                assert len(found.items) <= limit
                ids += [item.id for item in found.items]
                if found.after is None:
                    return ids
                after = found.after

        for limit in (1, 3, 7, 8, 1000):
            assert listed(store.people, limit) == people
            assert listed(store.pools, limit) == [pool, other]
            assert listed(store.elicitations, limit) == [*started, elsewhere]
            assert listed(store.elicitations, limit, person=people[0]) == [started[0], elsewhere]
            assert listed(store.elicitations, limit, pool=other) == [elsewhere]
            assert listed(store.elicitations, limit, person=people[1], pool=other) == []
            assert listed(store.people, limit, newest=True) == people[::-1]
            assert listed(store.pools, limit, newest=True) == [other, pool]
            assert listed(store.elicitations, limit, newest=True) == [elsewhere, *started[::-1]]
            assert listed(store.elicitations, limit, pool=pool, newest=True) == started[::-1]
        last = store.elicitation(elsewhere)
        assert (last.person, last.pool, last.seed) == (people[0], other, 9)
        assert last.strategy == WinnerStays().settings()
        assert (last.answers, last.events) == (0, 0)

    def test_refuses_a_page_that_is_none(self, store: Store) -> None:
        """The message names what was wrong."""
        wrongs: list[dict[str, Any]]
        wrongs = [{"limit": 0}, {"limit": 1001}, {"limit": True}, {"after": "x"}, {"after": "-1"}]
        pages = (store.people, store.pools, store.elicitations)
        for page, wrong in itertools.product(pages, wrongs):
            with pytest.raises(ParameterError, match=next(iter(wrong))):
                page(**wrong)

    def test_exports_answers_in_texts(self, store: Store) -> None:
        """Of all people, of one, or about one pool; without those taken back."""
        pool = store.add_pool(some_pool())
        for k in range(3):
            elicitation = store.start(store.add_person(), pool, WinnerStays(), seed=k)
            for picked in (0, "tie"):
                asked = asked_by(store, elicitation)
                store.tell(elicitation, asked.id, picked, response_ms=50)
            store.undo(elicitation)
        rows = list(store.export())
        assert [row.picked for row in rows] == [0, 0, 0]
        assert len({row.person for row in rows}) == 3
        assert list(store.export(pool=pool)) == rows
        assert list(store.export(person=rows[1].person)) == rows[1:2]
        assert rows[2].metadata["elicitation"] == elicitation
        assert rows[2].metadata["seconds"] == 0.05
        (answer,) = store.answers(elicitation)
        assert rows[2].chosen == some_pool().responses[answer.query.options[0]].text
        assert list(store.export(pool=store.add_pool(some_pool()))) == []

    def test_refuses_ids_that_nobody_has(self, store: Store) -> None:
        """Whatever is done, and whatever the id is."""
        person, pool = store.add_person(), store.add_pool(some_pool())
        attempts: list[Callable[[Any], object]] = [
            store.person,
            store.pool,
            store.elicitation,
            lambda unknown: store.start(unknown, pool),
            lambda unknown: store.start(person, unknown),
            store.ask,
            lambda unknown: store.tell(unknown, NOBODY, 0),
            store.undo,
            lambda unknown: store.extend(unknown, ["a"]),
            store.recommend,
            store.answers,
            store.log,
        ]
        for attempt, unknown in itertools.product(attempts, [NOBODY, ODD, "", None, 7]):
            with pytest.raises(UnknownIdError, match="there is no"):
                attempt(unknown)

    def test_refuses_a_strategy_that_is_none(self, store: Store) -> None:
        """The message is one line, and nothing is started."""
        person, pool = store.add_person(), store.add_pool(some_pool())
        wrong: list[Any] = [
            "eubo",
            {},
            {"name": "best"},
            {"name": "oracle", "utilities": [1, 2]},
            {"name": "useralign", "gamma": 1},
            {"name": "useralign", "epsilon": "much"},
            {"name": "eubo", "prior": {"name": "learned"}},
        ]
        for strategy in wrong:
            with pytest.raises(ParameterError) as caught:
                store.start(person, pool, strategy)
            assert "\n" not in str(caught.value)
        assert store.elicitations().items == ()

    def test_refuses_a_seed_that_is_none(self, store: Store) -> None:
        """A seed is a whole number that a database can hold."""
        person, pool = store.add_person(), store.add_pool(some_pool())
        seeds: list[Any] = [-1, 2**63, True, 1.0, "1"]
        for seed in seeds:
            with pytest.raises(ParameterError, match="seed"):
                store.start(person, pool, seed=seed)

    def test_draws_a_seed_where_none_is_given(self, store: Store) -> None:
        """It is recorded, and the largest that is allowed can be."""
        person, pool = store.add_person(), store.add_pool(some_pool())
        first, second = (store.start(person, pool, WinnerStays()) for _ in range(2))
        assert store.elicitation(first).seed != store.elicitation(second).seed
        largest = store.start(person, pool, WinnerStays(), seed=2**63 - 1)
        assert store.elicitation(largest).seed == 2**63 - 1
        assert asked_by(store, largest).query.number == 0
