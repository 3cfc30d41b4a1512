"""Ask, tell and undo of a store, one after the other."""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from palate._store_contract.basis import NOBODY, ODD, StoreBasis, asked_by
from palate.elicitation import Undo
from palate.errors import (
    AnswerError,
    ConflictError,
    ParameterError,
    PoolError,
    UnknownQueryError,
)
from palate.pool import Pool
from palate.strategies import WinnerStays

if TYPE_CHECKING:
    from palate.store import Store


class AskingContract(StoreBasis):
    """A query waits for one answer, whoever tells it, and however often."""

    def test_a_query_waits_until_it_is_answered(self, store: Store) -> None:
        """Asked again it is the same, and shows its responses in the order of the query."""
        elicitation = self.started(store)
        first = asked_by(store, elicitation)
        assert asked_by(store, elicitation) == first
        assert first.query.number == 0
        assert tuple(r.id for r in first.responses) == first.query.ids
        assert store.tell(elicitation, first.id, 1, response_ms=1234)
        second = asked_by(store, elicitation)
        assert second.id != first.id
        (answer,) = store.answers(elicitation)
        assert (answer.query, answer.picked, answer.seconds) == (first.query, 1, 1.234)
        assert answer.at.endswith("+00:00"), "times are in UTC"

    def test_the_same_answer_counts_once(self, store: Store) -> None:
        """Whoever got no reply tells again, and is told that it was there; now and later."""
        elicitation = self.started(store)
        first = asked_by(store, elicitation)
        assert store.tell(elicitation, first.id, 0)
        assert not store.tell(elicitation, first.id, 0)
        second = asked_by(store, elicitation)
        assert not store.tell(elicitation, first.id, 0)
        assert store.tell(elicitation, second.id, "skip")
        assert not store.tell(elicitation, first.id, 0)
        assert [a.picked for a in store.answers(elicitation)] == [0, "skip"]

    def test_another_answer_to_the_same_query_is_a_conflict(self, store: Store) -> None:
        """The one that was recorded first stands."""
        elicitation = self.started(store)
        first = asked_by(store, elicitation)
        store.tell(elicitation, first.id, 0)
        for _ in range(2):
            with pytest.raises(ConflictError, match="undo"):
                store.tell(elicitation, first.id, "tie")
            asked_by(store, elicitation)
        assert [a.picked for a in store.answers(elicitation)] == [0]

    def test_refuses_what_is_no_answer(self, store: Store) -> None:
        """The query goes on waiting."""
        elicitation = self.started(store)
        first = asked_by(store, elicitation)
        wrong: list[Any] = [2, -1, True, "both", None, 0.5, (0, 0), [0]]
        for picked in wrong:
            with pytest.raises(AnswerError):
                store.tell(elicitation, first.id, picked)
            assert asked_by(store, elicitation) == first

    def test_refuses_a_time_that_is_none(self, store: Store) -> None:
        """Times are whole milliseconds."""
        elicitation = self.started(store)
        wrong: list[Any] = [-1, 1.5, True, "9", 2**60]
        for ms in wrong:
            with pytest.raises(ParameterError, match="response_ms"):
                store.tell(elicitation, asked_by(store, elicitation).id, 0, response_ms=ms)

    def test_refuses_a_query_of_another_elicitation(self, store: Store) -> None:
        """Nobody answers for somebody else."""
        mine, foreign = self.started(store), self.started(store)
        asked_by(store, mine)
        other = asked_by(store, foreign)
        store.tell(foreign, other.id, 0)
        answered = store.answers(foreign)
        for query in (other.id, NOBODY, ODD, ""):
            with pytest.raises(UnknownQueryError, match="not one of this elicitation"):
                store.tell(mine, query, 0)
            with pytest.raises(UnknownQueryError, match="not one of this elicitation"):
                store.undo(mine, query)
        assert store.answers(mine) == ()
        assert store.answers(foreign) == answered

    def test_an_undo_is_one_more_event(self, store: Store) -> None:
        """The query is asked again under a new id, and the old one is no longer answered."""
        elicitation = self.started(store)
        first = asked_by(store, elicitation)
        store.tell(elicitation, first.id, 0)
        stale = asked_by(store, elicitation)
        assert store.undo(elicitation)
        again = asked_by(store, elicitation)
        assert again.query == first.query
        assert len({first.id, stale.id, again.id}) == 3
        for query in (first.id, stale.id):
            with pytest.raises(UnknownQueryError, match="no longer asked"):
                store.tell(elicitation, query, 0)
        assert store.tell(elicitation, again.id, 1)
        log = store.log(elicitation)
        assert [getattr(event, "picked", None) for event in log] == [0, None, 1]
        assert isinstance(log[1], Undo)
        assert [a.picked for a in store.answers(elicitation)] == [1]
        stored = store.elicitation(elicitation)
        assert (stored.answers, stored.events) == (1, 3)

    def test_the_same_undo_counts_once(self, store: Store) -> None:
        """Where it names the query whose answer is taken back."""
        elicitation = self.started(store)
        queries = [asked_by(store, elicitation)]
        with pytest.raises(AnswerError, match="no answer"):
            store.undo(elicitation)
        with pytest.raises(UnknownQueryError, match="no answer"):
            store.undo(elicitation, queries[0].id)
        store.tell(elicitation, queries[0].id, 0)
        queries.append(asked_by(store, elicitation))
        store.tell(elicitation, queries[1].id, 1)
        with pytest.raises(ConflictError, match="not the last"):
            store.undo(elicitation, queries[0].id)
        assert store.undo(elicitation, queries[1].id)
        assert not store.undo(elicitation, queries[1].id)
        assert len(store.answers(elicitation)) == 1
        assert store.undo(elicitation, queries[0].id)
        assert store.answers(elicitation) == ()

    def test_an_undo_of_somebody_who_looked_before_the_last_event_does_nothing(
        self, store: Store
    ) -> None:
        """So that a form sent twice, to whatever process, takes back one answer."""
        elicitation = self.started(store)
        with pytest.raises(AnswerError, match="no answer"):
            store.undo(elicitation, events=0)
        for picked in (0, 1):
            store.tell(elicitation, asked_by(store, elicitation).id, picked)
        assert not store.undo(elicitation, events=1)
        assert not store.undo(elicitation, events=3)
        assert store.undo(elicitation, events=2)
        assert not store.undo(elicitation, events=2)
        assert store.elicitation(elicitation).events == 3
        assert len(store.answers(elicitation)) == 1

    def test_ends_and_goes_on_when_the_pool_grows(self, store: Store) -> None:
        """Answers stand, and what joined can be asked about and recommended."""
        pool = Pool("Which?", ["a", "b"])
        elicitation = self.started(store, WinnerStays(), pool)
        store.tell(elicitation, asked_by(store, elicitation).id, 0)
        assert store.ask(elicitation) is None
        (new,) = store.extend(elicitation, ["c"])
        assert store.extend(elicitation, []) == ()
        asked = asked_by(store, elicitation)
        assert new.id in asked.query.ids
        store.tell(elicitation, asked.id, asked.query.ids.index(new.id))
        assert store.recommend(elicitation).response == new
        with pytest.raises(PoolError):
            store.extend(elicitation, ["c"])
        assert store.ask(elicitation) is None
        assert len(store.pool(store.elicitation(elicitation).pool)) == 2, "the pool itself stays"
