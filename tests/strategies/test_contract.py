"""Every built-in strategy, embedder and person keeps to the contract that others can import."""

from __future__ import annotations

import inspect
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from palate.feedback import Answer, Query
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.preference.prior import Ball, Features, Mixture
from palate.strategies import (
    STRATEGIES,
    Challenge,
    Choice,
    Eubo,
    IIDBest,
    InformationGain,
    Oracle,
    Planned,
    Random,
    Strategy,
    Thompson,
    UserAlign,
    UserAlignLoss,
    View,
    WinnerStays,
)
from palate.testing import EmbedderContract, PersonContract, StrategyContract

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from palate._typing import FloatArray
    from palate.feedback import Person

BUILT_IN: tuple[Strategy, ...] = (
    UserAlign(),
    UserAlign(estimate="inside"),
    UserAlign(epsilon=0.5, norm_bound=2.0, delta=0.1, max_steps=30),
    UserAlign(epsilon=None, max_steps=16),
    UserAlign(epsilon=None, max_steps=16, estimate="inside"),
    UserAlignLoss(max_steps=8),
    Eubo(),
    Eubo(options=3, max_steps=5),
    Eubo(prior=Ball(), max_steps=4),
    Eubo(prior=Mixture((Features(), Features("rbf", 0.1)), (3.0, 1.0)), max_steps=5),
    InformationGain(max_steps=5),
    InformationGain(options=3, max_steps=4),
    Thompson(max_steps=5),
    Thompson(options=3, max_steps=4),
    Challenge(),
    Challenge(options=3),
    Challenge(prior=Features(), epsilon=0.5, max_steps=6),
    IIDBest(max_steps=15),
    Random(),
    WinnerStays(),
    Planned(queries=((0, 1), (3, 1, 2), (2, 0), (4, 0, 1, 3), (1, 4))),
    Planned(queries=((0, 1), (1, 0), (0, 1)), prior=Ball(), max_steps=2),
    Oracle(utilities=tuple(float(u) for u in range(12))),
)


class TestBuiltIn(StrategyContract):
    @pytest.fixture(params=BUILT_IN, ids=str)
    def strategy(self, request: pytest.FixtureRequest) -> Strategy:
        chosen: Strategy = request.param
        return chosen

    @pytest.fixture
    def lone_strategy(self, strategy: Strategy) -> Strategy:
        return Oracle(utilities=(1.0,)) if isinstance(strategy, Oracle) else strategy


def subclasses(cls: type[Any]) -> set[type[Any]]:
    return {cls}.union(*(subclasses(sub) for sub in cls.__subclasses__()))


def test_no_built_in_strategy_is_left_out_of_the_contract() -> None:
    assert {type(strategy) for strategy in BUILT_IN} == set(STRATEGIES.values())


def test_every_strategy_of_the_package_is_registered_under_its_own_name() -> None:
    ours = {c for c in subclasses(Strategy) if c.__module__.startswith("palate.strategies.")}
    assert {c for c in ours if not inspect.isabstract(c)} == set(STRATEGIES.values())
    assert all(cls.name == name for name, cls in STRATEGIES.items())


@dataclass(frozen=True)
class Fair(Strategy):
    """A small strategy that keeps the contract: neighbours in the pool meet once."""

    name: ClassVar[str] = "fair"

    max_steps: int | None = None

    def propose(self, view: View) -> tuple[int, ...] | None:
        place = len(view.answers)
        if place >= len(view.pool) - 1 or self.steps_left(view) == 0:
            return None
        return place, place + 1

    def choose(self, view: View) -> Choice:
        wins = np.bincount(
            [a.winner for a in view.answers if a.winner is not None], minlength=len(view.pool)
        )
        left, most = len(view.pool) - 1 - len(view.answers), self.steps_left(view)
        left = left if most is None else min(left, most)
        return Choice(int(wins.argmax()), None, len(view.pool) == 1, left)


@dataclass(frozen=True)
class Several(WinnerStays):
    """Shows the winner so far and as many more as it may: the smallest strategy for orders."""

    name: ClassVar[str] = "several"

    options: int = 4

    def propose(self, view: View) -> tuple[int, ...] | None:
        incumbent, challengers, _ = self._standing(view)
        if not challengers or self.steps_left(view) == 0:
            return None
        return incumbent, *challengers[: self.options - 1]


class TestSeveral(StrategyContract):
    @pytest.fixture(params=[3, 4])
    def strategy(self, request: pytest.FixtureRequest) -> Strategy:
        return Several(options=request.param)


class TestFair(StrategyContract):
    @pytest.fixture
    def strategy(self) -> Strategy:
        return Fair()


@dataclass(frozen=True)
class ShowsOneTwice(Fair):
    def propose(self, view: View) -> tuple[int, ...] | None:
        options = super().propose(view)
        return options and (options[0], options[0])


@dataclass(frozen=True)
class LeavesThePool(Fair):
    def propose(self, view: View) -> tuple[int, ...] | None:
        options = super().propose(view)
        return options and (-1, options[0])


@dataclass(frozen=True)
class DrawsFromAGlobalGenerator(Fair):
    rng: ClassVar[np.random.Generator] = np.random.default_rng(0)

    def propose(self, view: View) -> tuple[int, ...] | None:
        options = super().propose(view)
        return options and tuple(self.rng.choice(len(view.pool), 2, replace=False).tolist())


@dataclass(frozen=True)
class RemembersOnItself(Fair):
    calls: ClassVar[dict[int, int]] = {}

    def choose(self, view: View) -> Choice:
        self.calls[id(self)] = self.calls.get(id(self), 0) + 1
        right = super().choose(view)
        return Choice(self.calls[id(self)] % len(view.pool), None, right.certified, 0)


@dataclass(frozen=True)
class TrustsItsMemo(Fair):
    def propose(self, view: View) -> tuple[int, ...] | None:
        options = super().propose(view)
        seen = view.memo.setdefault("seen", [])
        seen.append(options)
        return options if len(seen) < 3 else seen[-2]


@dataclass(frozen=True)
class TakesPicksForPlaces(Several):
    """Knows no orders: what was picked is the place of one option."""

    def choose(self, view: View) -> Choice:
        for answer in view.answers:
            if answer.picked not in {"tie", "skip"}:
                answer.query.options[answer.picked]  # type: ignore[index]
        return super().choose(view)


@dataclass(frozen=True)
class TakesOrdersForWhole(Several):
    """Knows no order of the best alone."""

    def choose(self, view: View) -> Choice:
        for answer in view.answers:
            if isinstance(answer.picked, tuple):
                answer.query.options[answer.picked[len(answer.query.options) - 1]]
        return super().choose(view)


@dataclass(frozen=True)
class NeverEnds(Fair):
    def propose(self, view: View) -> tuple[int, ...] | None:
        return (0, 1) if len(view.pool) > 1 and self.steps_left(view) != 0 else None


@dataclass(frozen=True)
class CountsNoSteps(Fair):
    def propose(self, view: View) -> tuple[int, ...] | None:
        place = len(view.answers)
        return (place, place + 1) if place < len(view.pool) - 1 else None


@dataclass(frozen=True)
class AsksAboutOne(Fair):
    def propose(self, view: View) -> tuple[int, ...] | None:
        return (0,) if not view.answers else None


@dataclass(frozen=True)
class RemembersTheSize(Fair):
    sizes: ClassVar[dict[int, int]] = {}

    def propose(self, view: View) -> tuple[int, ...] | None:
        size = self.sizes.setdefault(id(view), len(view.pool))
        return super().propose(view) if len(view.answers) < size - 1 else None


@dataclass(frozen=True)
class ForgetsASetting(Fair):
    weight: float = field(default=0.5)

    def settings(self) -> dict[str, object]:
        return {"name": self.name, "max_steps": self.max_steps}


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (ShowsOneTwice(), StrategyContract.test_shows_distinct_responses_of_the_pool),
        (LeavesThePool(), StrategyContract.test_shows_distinct_responses_of_the_pool),
        (AsksAboutOne(), StrategyContract.test_shows_distinct_responses_of_the_pool),
        (
            DrawsFromAGlobalGenerator(),
            StrategyContract.test_propose_and_choose_depend_on_the_view_alone,
        ),
        (DrawsFromAGlobalGenerator(), StrategyContract.test_same_seed_and_answers_ask_the_same),
        (DrawsFromAGlobalGenerator(), StrategyContract.test_serves_two_elicitations_at_once),
        (DrawsFromAGlobalGenerator(), StrategyContract.test_goes_on_from_json),
        (RemembersOnItself(), StrategyContract.test_propose_and_choose_depend_on_the_view_alone),
        (
            RemembersOnItself(),
            StrategyContract.test_undo_restores_the_query_and_the_recommendation,
        ),
        (TrustsItsMemo(), StrategyContract.test_propose_and_choose_depend_on_the_view_alone),
        (NeverEnds(), StrategyContract.test_ends_for_a_consistent_person),
        (NeverEnds(), StrategyContract.test_ends_for_a_capricious_person),
        (NeverEnds(), StrategyContract.test_recommends_before_any_answer_and_after_each),
        (
            RemembersOnItself(),
            StrategyContract.test_recommends_before_any_answer_and_after_each,
        ),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_the_contract_refuses_what_breaks_it(
    broken: Strategy, check: Callable[[StrategyContract, Strategy, Pool], None]
) -> None:
    with pytest.raises(AssertionError):
        check(StrategyContract(), broken, contract_pool())


def test_the_contract_refuses_a_strategy_that_knows_no_orders() -> None:
    check = StrategyContract.test_learns_from_orders
    check(StrategyContract(), Several(), contract_pool())
    with pytest.raises(TypeError):
        check(StrategyContract(), TakesPicksForPlaces(), contract_pool())
    with pytest.raises(IndexError):
        check(StrategyContract(), TakesOrdersForWhole(), contract_pool())


def test_the_contract_refuses_more_questions_than_max_steps() -> None:
    with pytest.raises(AssertionError):
        StrategyContract().test_keeps_to_max_steps(CountsNoSteps(), contract_pool(), 3)


def test_the_contract_refuses_settings_that_leave_something_out() -> None:
    contract = StrategyContract()
    contract.test_settings_are_json_and_rebuild_the_strategy(ForgetsASetting())
    with pytest.raises(AssertionError):
        contract.test_settings_are_json_and_rebuild_the_strategy(ForgetsASetting(weight=0.7))


def test_the_contract_refuses_a_strategy_that_sees_no_newcomers() -> None:
    with pytest.raises(AssertionError):
        StrategyContract().test_goes_on_when_the_pool_grows(RemembersTheSize(), contract_pool(), 7)


def test_the_contract_refuses_questions_about_a_single_response() -> None:
    with pytest.raises(AssertionError):
        StrategyContract().test_a_single_response_asks_nothing(AsksAboutOne())


def contract_pool() -> Pool:
    features = np.random.default_rng(1).normal(size=(12, 6))
    return Pool("Which?", [f"Text {i}." for i in range(12)], features)


def letters(texts: Sequence[str]) -> FloatArray:
    """Counts of letters: the smallest embedder."""
    return np.array([[text.count(c) for c in "etaoin shrdlu"] for text in texts], dtype=np.float64)


class TestLetters(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Callable[[list[str]], FloatArray]:
        return letters


class TestDefaultEmbedder(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> Callable[[list[str]], FloatArray]:
        from palate.embed import default_embedder  # noqa: PLC0415 - loads a model

        return default_embedder()  # type: ignore[return-value]  # float32


def centred(texts: Sequence[str]) -> FloatArray:
    rows = letters(texts)
    return rows - rows.mean(axis=0)


def one_number(texts: Sequence[str]) -> FloatArray:
    return np.array([float(len(text)) for text in texts])


def logarithm(texts: Sequence[str]) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.log([[len(text.strip())] for text in texts])


def drawn(texts: Sequence[str]) -> FloatArray:
    return np.random.default_rng().normal(size=(len(texts), 3))


def drops_blank(texts: Sequence[str]) -> FloatArray:
    return letters([text for text in texts if text.strip()])


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (centred, EmbedderContract.test_a_row_depends_on_its_own_text_alone),
        (one_number, EmbedderContract.test_gives_one_finite_row_a_text),
        (logarithm, EmbedderContract.test_takes_an_empty_text),
        (drops_blank, EmbedderContract.test_takes_an_empty_text),
        (lambda texts: np.ones((len(texts), 3)), EmbedderContract.test_tells_texts_apart),
        (drawn, EmbedderContract.test_is_deterministic),
    ],
    ids=["centred", "one-number", "logarithm", "drops-blank", "constant", "random"],
)
def test_the_embedder_contract_refuses_what_breaks_it(
    broken: Callable[[Sequence[str]], FloatArray],
    check: Callable[[EmbedderContract, Callable[[Sequence[str]], FloatArray]], None],
) -> None:
    with pytest.raises(AssertionError):
        check(EmbedderContract(), broken)


class TestConsistentPerson(PersonContract):
    @pytest.fixture
    def person(self, pool: Pool) -> Person:
        return SimulatedPerson(utilities=np.arange(len(pool)))


class TestPersonWhoOrders(PersonContract):
    @pytest.fixture
    def person(self) -> Person:
        return SimulatedPerson(np.ones(8), noise="logit", flip_rate=0.3, order=True)


class TestNoisyPerson(PersonContract):
    @pytest.fixture
    def person(self) -> Person:
        return SimulatedPerson(np.ones(8), noise="logit", flip_rate=0.3, tie_below=0.1)


class Shouts:
    """Answers with what no query offers."""

    def __init__(self, reply: object) -> None:
        self.reply = reply

    def answer(self, query: Query, pool: Pool) -> object:  # noqa: ARG002 - a Person
        return self.reply


@pytest.mark.parametrize(
    "reply", [2, -1, True, "yes", None, 0.0, (), (0,), (0, 0), (0, 2), (0, 1.0), (0, True), [0, 1]]
)
def test_the_person_contract_refuses_what_is_no_reply(reply: object) -> None:
    query = Query(0, (0, 1), ("r1", "r2"))
    with pytest.raises(AssertionError):
        PersonContract().test_replies_are_valid(Shouts(reply), contract_pool(), [query])  # type: ignore[arg-type]


def test_a_strategy_sees_answers_and_never_replies() -> None:
    """The view of a strategy is enough to build one by hand, without an elicitation."""
    pool = contract_pool()
    query = Query(0, (0, 1), ("r1", "r2"))
    assert Fair().propose(View(pool, [Answer(query, 1)], seed=0)) == (1, 2)
    assert Fair().choose(View(pool, [Answer(query, 1)], seed=0)).index == 1


def test_pytest_is_needed_by_the_contracts_alone() -> None:
    names = "palate, palate.elicitation, palate.people, palate.pool, palate.strategies, sys"
    code = f"import {names}; sys.exit('pytest' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
