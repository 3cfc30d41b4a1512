"""A store beside an elicitation in memory, beside another store, and under threads."""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

import contextlib
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from palate._store_contract.basis import StoreBasis, asked_by, assert_close, capricious, some_pool
from palate.elicitation import Elicitation, Extension
from palate.errors import ConflictError, UnknownQueryError
from palate.strategies import Eubo, IIDBest, UserAlign, WinnerStays

if TYPE_CHECKING:
    from palate.store import Store
    from palate.strategies import Strategy


class TogetherContract(StoreBasis):
    """However it is used, the log is that of one elicitation."""

    @pytest.mark.parametrize("restarts", [False, True], ids=["", "restarts"])
    @pytest.mark.parametrize(
        "strategy",
        [
            UserAlign(estimate="inside"),
            Eubo(max_steps=10),
            Eubo(options=3, max_steps=8),
            IIDBest(max_steps=12),
            WinnerStays(),
        ],
        ids=lambda s: f"{s.name}-{getattr(s, 'options', 2)}-{s.max_steps}",
    )
    def test_asks_as_an_elicitation_in_memory(
        self, store: Store, strategy: Strategy, *, restarts: bool
    ) -> None:
        """Picks, orders, ties, skips, undo and growth lead to the same queries and the same end."""
        pool = some_pool(5, dtype="float32")
        plain = Elicitation(pool, strategy, 3)
        elicitation = self.started(store, strategy, pool)
        for turn in range(60):
            again = restarts and turn % 4 == 3
            with self.second() if again else contextlib.nullcontext(store) as current:
                query, asked = plain.ask(), current.ask(elicitation)
                assert (None if asked is None else asked.query) == query
                if turn == 5:
                    rows = np.random.default_rng(9).normal(size=(2, 8))
                    plain.extend(["New one.", "New two."], features=rows)
                    new = current.extend(elicitation, ["New one.", "New two."], features=rows)
                    assert new == plain.pool.responses[-2:]
                    assert current.ask(elicitation) == asked, "what waits is asked all the same"
                elif turn in {4, 8, 9} and plain.history:
                    plain.undo()
                    assert current.undo(elicitation)
                elif query is not None and asked is not None:
                    said = capricious(11, turn, len(query.options))
                    plain.tell(query, said)
                    assert current.tell(elicitation, asked.id, said)
                elif turn > 9:
                    break
                assert_close(current.recommend(elicitation), plain.recommend())
        assert store.ask(elicitation) is None
        assert [a.picked for a in store.answers(elicitation)] == [a.picked for a in plain.history]
        kinds = [type(event) for event in store.log(elicitation)]
        assert kinds == [type(event) for event in plain.log]
        assert Extension in kinds

    def test_two_stores_on_the_same_data_agree(self, store: Store) -> None:
        """Each sees at once what was recorded by the other, queries, answers and undo."""
        elicitation = self.started(store, UserAlign())
        other = self.second()
        with other:
            for turn in range(8):
                here, there = (store, other) if turn % 2 else (other, store)
                asked = asked_by(here, elicitation)
                if turn % 2:  # else it hears of the query by the answer
                    assert there.ask(elicitation) == asked
                assert there.tell(elicitation, asked.id, turn % 2)
                if turn % 3 == 0:
                    assert asked_by(here, elicitation).query.number == asked.query.number + 1
                elif turn % 3 == 1:
                    assert_close(here.recommend(elicitation), there.recommend(elicitation))
                assert not here.tell(elicitation, asked.id, turn % 2)
                with pytest.raises(ConflictError):
                    here.tell(elicitation, asked.id, "skip")
                assert_close(here.recommend(elicitation), there.recommend(elicitation))
                if turn in {2, 5}:  # the other, which told, knows of nothing that waits
                    assert here.undo(elicitation)
                    assert asked_by(there, elicitation).query == asked.query
            assert len(store.answers(elicitation)) == len(other.answers(elicitation)) == 6

    def test_the_same_undo_in_two_stores_at_once_counts_once(self, store: Store) -> None:
        """Who looked at the same events takes back one answer between them."""
        elicitation = self.started(store)
        other = self.second()
        with other, ThreadPoolExecutor(2) as threads:
            for _ in range(10):
                for picked in (0, 1):
                    store.tell(elicitation, asked_by(store, elicitation).id, picked)
                before = store.elicitation(elicitation)
                undone = [
                    threads.submit(each.undo, elicitation, events=before.events)
                    for each in (store, other)
                ]
                assert sorted(u.result() for u in undone) == [False, True]
                assert store.elicitation(elicitation).answers == before.answers - 1
                assert store.undo(elicitation)

    def test_readers_do_not_disturb_writers(self, store: Store) -> None:
        """All that is added while others read is kept."""
        done = threading.Event()

        def read() -> set[str]:
            seen: set[str] = set()
            while not done.is_set():
                seen |= {person.id for person in store.people().items}
            return seen

        with ThreadPoolExecutor(4) as threads:
            readers = [threads.submit(read) for _ in range(3)]
            added = [store.add_person() for _ in range(60)]
            done.set()
            assert all(reader.result(timeout=60) <= set(added) for reader in readers)
        assert [person.id for person in store.people().items] == added

    def test_threads_that_answer_the_same_queries(self, store: Store) -> None:
        """Of all that answer a query one is accepted, whoever it is."""
        elicitation = self.started(store, IIDBest(max_steps=10), some_pool(8))

        def answer(k: int) -> list[str]:
            accepted = []
            while (asked := store.ask(elicitation)) is not None:
                try:
                    if store.tell(elicitation, asked.id, k % 2):
                        accepted.append(asked.id)
                except (ConflictError, UnknownQueryError):
                    continue
            return accepted

        with ThreadPoolExecutor(8) as threads:
            accepted = [x for some in threads.map(answer, range(8)) for x in some]
        assert max(Counter(accepted).values()) == 1, "an answer was accepted twice"
        answers = store.answers(elicitation)
        assert [a.query.number for a in answers] == list(range(10))
        assert len(accepted) == 10

    def test_threads_with_an_elicitation_each(self, store: Store) -> None:
        """They do not disturb each other."""
        started = [self.started(store, UserAlign(max_steps=5)) for _ in range(6)]

        def run(elicitation: str) -> list[tuple[str, ...]]:
            while (asked := store.ask(elicitation)) is not None:
                assert store.tell(elicitation, asked.id, 0)
            return [a.query.ids for a in store.answers(elicitation)]

        with ThreadPoolExecutor(6) as threads:
            shown = list(threads.map(run, started))
        assert all(ids == shown[0] for ids in shown), "the same seed and answers asked differently"
