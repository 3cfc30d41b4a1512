"""Two stores on one file against elicitations in memory, whatever is done in whatever order."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from palate.elicitation import Elicitation
from palate.errors import AnswerError, ConflictError, UnknownQueryError
from palate.pool import Pool
from palate.store import Store, open_store
from palate.strategies import Random, WinnerStays

if TYPE_CHECKING:
    from palate.feedback import Picked

PICKS = st.sampled_from([0, 1, "tie", "skip"])
WHO = st.integers(0, 1)


@dataclass
class Expected:
    """An elicitation in memory, and the ids that the stores gave to its queries."""

    id: str
    plain: Elicitation
    waiting: str | None = None
    standing: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    taken_back: list[str] = field(default_factory=list)


class Stores(RuleBasedStateMachine):
    """Each store keeps one elicitation in memory, so that two are replayed all the time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{self.folder.name}/s.db?synchronous=normal"
        self.stores: list[Store] = [open_store(self.url, live=1) for _ in range(2)]
        pool = Pool("Which?", ["a", "b", "c", "d"])
        person, kept = self.stores[0].add_person(), self.stores[0].add_pool(pool)
        self.runs = [
            Expected(self.stores[0].start(person, kept, s, seed=i), Elicitation(pool, s, i))
            for i, s in enumerate((WinnerStays(), Random(max_steps=6)))
        ]
        self.joined = 0

    def teardown(self) -> None:
        for store in self.stores:
            store.close()
        self.folder.cleanup()

    @rule(by=WHO, of=WHO)
    def ask(self, by: int, of: int) -> None:
        run = self.runs[of]
        asked, query = self.stores[by].ask(run.id), run.plain.ask()
        assert (None if asked is None else asked.query) == query
        if asked is not None:
            known = {*run.standing, *run.gone, *run.taken_back}
            assert asked.id == run.waiting or (run.waiting is None and asked.id not in known)
            run.waiting = asked.id

    @rule(by=WHO, of=WHO, picked=PICKS)
    def tell(self, by: int, of: int, picked: Picked) -> None:
        run = self.runs[of]
        query = run.plain.ask()
        if run.waiting is not None and query is not None:
            assert self.stores[by].tell(run.id, run.waiting, picked)
            run.plain.tell(query, picked)
            run.standing.append(run.waiting)
            run.waiting = None

    @precondition(lambda self: any(run.standing for run in self.runs))
    @rule(by=WHO, of=WHO, picked=PICKS, data=st.data())
    def tell_again(self, by: int, of: int, picked: Picked, data: st.DataObject) -> None:
        run = self.runs[of]
        if run.standing:
            place = data.draw(st.integers(0, len(run.standing) - 1))
            if run.plain.history[place].picked == picked:
                assert not self.stores[by].tell(run.id, run.standing[place], picked)
            else:
                with pytest.raises(ConflictError):
                    self.stores[by].tell(run.id, run.standing[place], picked)

    @rule(by=WHO, of=WHO, picked=PICKS)
    def tell_what_is_gone(self, by: int, of: int, picked: Picked) -> None:
        run, other = self.runs[of], self.runs[1 - of]
        foreign = [x for x in (other.waiting, *other.standing) if x is not None]
        for query in [*run.gone, *run.taken_back, *foreign]:
            with pytest.raises(UnknownQueryError):
                self.stores[by].tell(run.id, query, picked)

    @rule(by=WHO, of=WHO, named=st.booleans())
    def undo(self, by: int, of: int, *, named: bool) -> None:
        run = self.runs[of]
        for query in run.taken_back:
            assert not self.stores[by].undo(run.id, query)
        for query in run.standing[:-1]:
            with pytest.raises(ConflictError):
                self.stores[by].undo(run.id, query)
        if not run.standing:
            with pytest.raises(AnswerError):
                self.stores[by].undo(run.id)
            return
        assert self.stores[by].undo(run.id, run.standing[-1] if named else None)
        run.plain.undo()
        run.taken_back.append(run.standing.pop())
        if run.waiting is not None:
            run.gone.append(run.waiting)
        run.waiting = None

    @precondition(lambda self: self.joined < 4)
    @rule(by=WHO, of=WHO)
    def extend(self, by: int, of: int) -> None:
        run = self.runs[of]
        if run.waiting is None:  # else what waits in memory alone would be kept as asked
            run.plain.ask()
            self.ask(by, of)
        self.joined += 1
        new = [f"joined {self.joined}"]
        assert self.stores[by].extend(run.id, new) == run.plain.extend(new)

    @rule(who=WHO)
    def restart(self, who: int) -> None:
        self.stores[who].close()
        self.stores[who] = open_store(self.url, live=1)

    @invariant()
    def the_answers_are_the_same(self) -> None:
        for run in self.runs:
            answers = self.stores[0].answers(run.id)
            assert [(a.query, a.picked) for a in answers] == [
                (a.query, a.picked) for a in run.plain.history
            ]


TestStores = Stores.TestCase
TestStores.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None, derandomize=True, database=None
)
