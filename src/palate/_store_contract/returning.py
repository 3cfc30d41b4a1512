"""People who return, are forgotten or are deleted; and priors that were learned."""

# ruff: noqa: S101 - these are tests

from __future__ import annotations

import contextlib
import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate._store_contract.basis import NOBODY, StoreBasis, asked_by, assert_close, some_pool
from palate.elicitation import Elicitation
from palate.errors import ParameterError, PoolError, UnknownIdError
from palate.pool import Pool
from palate.population.gaussian import GaussianPopulation
from palate.population.prior import with_outsiders
from palate.preference.prior import Features
from palate.profile import Profile
from palate.strategies import Eubo, IIDBest, UserAlign, WinnerStays, default_strategy

if TYPE_CHECKING:
    from collections.abc import Callable

    from palate.store import Store
    from palate.strategies import Strategy

D = 5
TASTE = np.array([2.0, -1.0, 0.5, 0.0, 0.0])


def named_pool(seed: int, n: int = 8, **settings: Any) -> Pool:  # noqa: ANN401 - of a pool
    """A pool whose features say what made them."""
    rows = np.random.default_rng(seed).normal(size=(n, D))
    texts = [f"Text {i} of {seed}." + " And more." * (i % 3) for i in range(n)]
    made = {"scaling": "diameter", "embedder": "mine"} | settings
    return Pool(f"Prompt {seed}?", texts, rows, **made)


def population() -> GaussianPopulation:
    """What many people might have taught."""
    rng = np.random.default_rng(3)
    return GaussianPopulation(rng.normal(size=D), rng.normal(size=(D, 2)), 20, 400)


class ReturningContract(StoreBasis):
    """What a person answered before counts, unless it is forgotten; and can be deleted."""

    def answered(self, store: Store, person: str, pool: str, n: int = 5, **start: Any) -> str:  # noqa: ANN401
        """An elicitation with n answers of a steady taste; a skip among them."""
        strategy = start.pop("strategy", Eubo(tolerance=0.0, max_steps=40))
        elicitation = store.start(person, pool, strategy, seed=2, **start)
        for number in range(n):
            asked = asked_by(store, elicitation)
            features = store.pool(pool).features
            assert features is not None
            liked = features[list(asked.query.options)] @ TASTE
            store.tell(elicitation, asked.id, "skip" if number == 2 else int(liked.argmax()))
        return elicitation

    @pytest.mark.parametrize("restarts", [False, True], ids=["", "restarts"])
    def test_a_returning_person_is_known(self, store: Store, *, restarts: bool) -> None:
        """It asks and recommends as an elicitation in memory does with a profile."""
        person, profile = store.add_person("ann"), Profile()
        pools = [named_pool(seed) for seed in (1, 2, 3)]
        kept = [store.add_pool(pool) for pool in pools]
        for pool, id in zip(pools[:2], kept[:2], strict=True):  # noqa: A001
            told = self.answered(store, person, id)
            stored = store.elicitation(told)
            plain = Elicitation(pool, Eubo(tolerance=0.0, max_steps=40), stored.seed)
            for answer in store.answers(told):
                plain.tell(plain.asked(answer.query.number, list(answer.query.ids)), answer.picked)
            profile.remember(plain)
        plain = Elicitation(pools[2], default_strategy(pools[2], profile.prior(pools[2])), 7)
        elicitation = store.start(person, kept[2], seed=7)
        assert store.elicitation(elicitation).remembered == 8, "two of ten were skips"
        anew = store.start(person, kept[2], seed=7, remember=False)
        assert store.elicitation(anew).strategy["prior"] == Features().settings()
        assert store.elicitation(anew).remembered == 0
        for _ in range(4):
            with self.second() if restarts else contextlib.nullcontext(store) as current:
                assert_close(current.recommend(elicitation), plain.recommend())
                asked, query = current.ask(elicitation), plain.ask()
                assert (None if asked is None else asked.query) == query
                if asked is not None and query is not None:
                    current.tell(elicitation, asked.id, 0)
                    plain.tell(query, 0)
        somebody = store.start(store.add_person(), kept[2], seed=7)
        assert store.elicitation(somebody).strategy["prior"] == Features().settings()
        assert [a.prompt for a in store.profile(person).answers()] == [
            *["Prompt 1?"] * 5,
            *["Prompt 2?"] * 5,
            *["Prompt 3?"] * len(store.answers(elicitation)),
        ]

    def test_what_it_began_from_stays_whatever_comes(self, store: Store) -> None:
        """Earlier elicitations get more answers, lose some and grow: it replays all the same."""
        person = store.add_person()
        first, second, last = (store.add_pool(named_pool(seed)) for seed in (1, 2, 3))
        early = self.answered(store, person, first)
        store.extend(early, ["Far off."], features=[[9.0] * D])  # all other features shrink
        late = self.answered(store, person, second)
        elicitation = store.start(person, last, seed=1)
        before = store.elicitation(elicitation).strategy
        asked = asked_by(store, elicitation)
        found = store.recommend(elicitation)
        store.extend(early, ["Further off."], features=[[-20.0] * D])
        store.tell(early, asked_by(store, early).id, 0)
        for _ in range(3):
            store.undo(late)
        store.tell(late, asked_by(store, late).id, 1)
        store.forget(person)
        with self.second() as other:
            assert other.ask(elicitation) == asked
            assert other.recommend(elicitation) == found
            other.tell(elicitation, asked.id, 1)
            following = asked_by(other, elicitation)
        assert asked_by(store, elicitation) == following
        assert store.elicitation(elicitation).strategy == before

    def test_a_strategy_that_is_given_is_taken_as_it_is(self, store: Store) -> None:
        """Unless it is to remember: then its prior does, if it has one that can."""
        person = store.add_person()
        pool, other = store.add_pool(named_pool(1)), store.add_pool(named_pool(2))
        self.answered(store, person, pool)
        given: list[Any] = [Eubo(), {"name": "eubo"}, WinnerStays(), {"name": "useralign"}]
        for strategy in given:
            assert store.elicitation(store.start(person, other, strategy)).remembered == 0
        asked = store.start(person, other, Eubo(options=3), seed=1, remember=True)
        stored = store.elicitation(asked)
        assert (stored.remembered, stored.strategy["options"]) == (4, 3)
        assert stored.strategy["prior"]["base"] == Features().settings()
        for cannot in (
            WinnerStays(),
            UserAlign(),
            {"name": "challenge", "prior": {"name": "ball"}},
        ):
            with pytest.raises(ParameterError, match="no prior that could remember"):
                store.start(person, other, cannot, remember=True)
        wrong: Any = "yes"
        with pytest.raises(ParameterError, match="remember must be"):
            store.start(person, other, remember=wrong)

    def test_only_features_that_are_alike_are_compared(self, store: Store) -> None:
        """By embedder, scaling and number; a pool that does not name what made its own has none."""
        person = store.add_person()
        self.answered(store, person, store.add_pool(named_pool(1)))
        unlike = [
            named_pool(2, embedder="other"),
            named_pool(2, scaling="half"),
            named_pool(2, embedder=None),
            some_pool(),
            Pool("Which?", ["a", "b"]),
        ]
        for pool in unlike:
            strategy = WinnerStays() if pool.features is None else None
            id = store.start(person, store.add_pool(pool), strategy)  # noqa: A001
            assert store.elicitation(id).remembered == 0
        for pool in unlike[2:]:
            with pytest.raises(PoolError, match="what made them"):
                store.start(person, store.add_pool(pool), Eubo(), remember=True)

    def test_of_many_answers_the_latest_count(self, store: Store) -> None:
        """As many as a profile takes, from as many elicitations as it needs."""
        person = store.add_person()
        told = []
        for seed in range(12):
            pool = store.add_pool(named_pool(seed))
            told.append(self.answered(store, person, pool, 20, strategy=IIDBest(max_steps=20)))
        last = named_pool(90)
        past = store.profile(person).past(last)
        rows = [
            sum(len(losers) for a in store.answers(id) for _, losers in a.stages)
            for id in told  # noqa: A001
        ]
        assert sum(rows) > 200, "there is nothing to leave out"
        elicitation = store.start(person, store.add_pool(last), seed=1)
        stored = store.elicitation(elicitation)
        assert stored.remembered == len(set(past.group.tolist()))
        assert past.style is not None
        rounded = dataclasses.replace(past, style=np.round(past.style, 6) + 0.0)
        assert stored.strategy["prior"]["past"] in {past.digest(), rounded.digest()}
        with self.second() as other:
            assert other.recommend(elicitation) == store.recommend(elicitation)

    def test_what_is_forgotten_enters_nothing_later(self, store: Store) -> None:
        """All of it, or the answers about a pool; what is answered from then on counts again."""
        person, somebody = store.add_person(), store.add_person()
        pools = [store.add_pool(named_pool(seed)) for seed in (1, 2, 3)]
        for who in (person, somebody):
            for pool in pools[:2]:
                self.answered(store, who, pool)
        under_way = store.start(person, pools[2], seed=1)

        def remembered(who: str) -> int:
            return store.elicitation(store.start(who, pools[2], seed=1)).remembered

        assert store.forget(person, pools[2]) == 0
        assert remembered(person) == 8
        assert store.forget(person, pools[0]) == 5
        assert store.forget(person, pools[0]) == 0
        assert remembered(person) == 4
        assert store.profile(person).summary().prompts == 1
        assert store.forget(person) == 5
        assert (remembered(person), remembered(somebody)) == (0, 8)
        assert str(store.profile(person).summary()) == "Nothing is remembered."
        store.tell(under_way, asked_by(store, under_way).id, 0)
        assert remembered(person) == 0, "what had begun stays forgotten"
        self.answered(store, person, pools[0], 3)
        assert remembered(person) == 2
        assert store.elicitation(under_way).remembered == 8
        assert len(list(store.export(person=person))) == 5 + 5 + 1 + 3, "the log keeps them"
        attempts: list[Callable[[str], object]] = [
            store.forget,
            store.profile,
            lambda unknown: store.forget(person, unknown),
            store.delete_person,
        ]
        for attempt in attempts:
            with pytest.raises(UnknownIdError, match="there is no"):
                attempt(NOBODY)

    @pytest.mark.parametrize("strategy", [Eubo(tolerance=0.0), WinnerStays()], ids=lambda s: s.name)
    def test_a_person_is_deleted_whole(self, store: Store, strategy: Strategy) -> None:
        """With all that is theirs, in every process, and nothing of anybody else."""
        person, somebody = store.add_person("Ann"), store.add_person("Bob")
        pool = store.add_pool(named_pool(1))
        gone = [self.answered(store, person, pool, strategy=strategy) for _ in range(2)]
        gone.append(store.start(person, pool, seed=1))
        waits = [asked_by(store, id).id for id in gone]  # noqa: A001
        stays = self.answered(store, somebody, pool)
        rows = [[9.0] * D]
        for id in (gone[0], stays):  # noqa: A001
            store.extend(id, ["More."], features=rows)
        store.extend(gone[1], ["Other."], features=[[8.0] * D])
        store.forget(person)
        with contextlib.ExitStack() as stack:
            stores = [store]
            with contextlib.suppress(pytest.skip.Exception):
                stores.append(stack.enter_context(self.second()))
            for current in stores:
                for id in gone:  # noqa: A001
                    current.recommend(id)
            found = store.delete_person(person)
            assert (found.elicitations, found.answers) == (3, 10)
            for current in stores:
                for id, query in zip(gone, waits, strict=True):  # noqa: A001
                    attempts: list[Callable[[str], object]] = [
                        lambda x, q=query, s=current: s.tell(x, q, 0),  # type: ignore[misc]
                        current.ask,
                        current.recommend,
                        current.undo,
                        current.answers,
                        current.log,
                        current.elicitation,
                        lambda x, s=current: s.extend(x, ["a"], features=rows),  # type: ignore[misc]
                    ]
                    for attempt in attempts:
                        with pytest.raises(UnknownIdError):
                            attempt(id)
                with pytest.raises(UnknownIdError):
                    current.delete_person(person)
                with pytest.raises(UnknownIdError):
                    current.start(person, pool)
                assert len(current.answers(stays)) == 5
                current.recommend(stays)
        assert [p.id for p in store.people().items] == [somebody]
        assert [e.id for e in store.elicitations().items] == [stays]
        assert {row.person for row in store.export()} == {somebody}
        assert store.add_person("Ann") != person, "the name is somebody else's now"
        assert store.pool(pool).features is not None

    def test_a_person_is_deleted_while_they_answer(self, store: Store) -> None:
        """Whoever asks, tells or starts hears that they are gone, and nothing comes back."""
        person = store.add_person()
        pool = store.add_pool(named_pool(1))
        begun = [store.start(person, pool, Eubo(tolerance=0.0), seed=i) for i in range(3)]
        ready = threading.Barrier(5)

        def answer(elicitation: str) -> str:
            ready.wait(timeout=60)
            try:
                while True:
                    asked = store.ask(elicitation)
                    if asked is not None:
                        store.tell(elicitation, asked.id, 0)
                    elif store.answers(elicitation):
                        store.undo(elicitation)
            except UnknownIdError as error:
                return str(error)

        def start(_: str) -> str:
            ready.wait(timeout=60)
            try:
                while True:
                    store.start(person, pool, WinnerStays(), seed=1)
            except UnknownIdError as error:
                return str(error)

        with ThreadPoolExecutor(4) as threads:
            said = [threads.submit(answer, id) for id in begun]  # noqa: A001
            said.append(threads.submit(start, person))
            ready.wait(timeout=60)
            store.delete_person(person)
            assert all("there is no" in told.result(timeout=60) for told in said)
        assert store.elicitations().items == ()
        assert store.people().items == ()
        assert list(store.export()) == []

    def test_a_person_is_deleted_once(self, store: Store) -> None:
        """Of several who do so at a time one hears what went, and the others that nobody is."""
        person = store.add_person()
        self.answered(store, person, store.add_pool(named_pool(1)))
        ready = threading.Barrier(4)

        def delete(_: int) -> int | None:
            ready.wait(timeout=60)
            try:
                return store.delete_person(person).answers
            except UnknownIdError:
                return None

        with ThreadPoolExecutor(4) as threads:
            assert sorted(threads.map(delete, range(4)), key=str) == [5, None, None, None]

    def test_a_population_is_kept_with_what_began_from_it(self, store: Store) -> None:
        """Another process needs nothing else, with a past or without."""
        learned, person = with_outsiders(population()), store.add_person()
        first, second = (store.add_pool(named_pool(seed)) for seed in (1, 2))
        begun = [
            self.answered(store, person, first, strategy=Eubo(learned)),
            store.start(person, second, Eubo(learned), seed=1, remember=True),
            store.start(person, second, Eubo(population()), seed=1),
        ]
        assert [store.elicitation(id).remembered for id in begun] == [0, 4, 0]  # noqa: A001
        with self.second() as other:
            for id in begun:  # noqa: A001
                assert_close(other.recommend(id), store.recommend(id))
                assert other.ask(id) == store.ask(id)
