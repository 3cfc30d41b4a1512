"""Ask, tell, undo, recommend: the log is the truth, and everything else follows from it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from scipy.stats import chisquare

from palate.elicitation import Elicitation, Undo, event_to_object, strategy_from_settings
from palate.errors import (
    AnswerError,
    FingerprintError,
    LogError,
    ParameterError,
    UnknownQueryError,
)
from palate.feedback import SKIP, TIE, Answer, Picked, Query, Reply
from palate.people import SimulatedPerson
from palate.pool import Pool, Response
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
    default_strategy,
)
from palate.strategies.default import LARGEST

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.elicitation import Event, Recommendation


def random_features(n: int, d: int, seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(n, d))


def make_pool(n: int = 8, d: int = 6, seed: int = 0, prompt: str = "Which?") -> Pool:
    return Pool(prompt, [f"Text {i}." for i in range(n)], random_features(n, d, seed))


@dataclass(frozen=True)
class Rotating(Strategy):
    """Shows the next ``k`` responses in turn, as often as it may: quick, and with any answers."""

    name: ClassVar[str] = "rotating"

    k: int = 2
    max_steps: int | None = None

    def propose(self, view: View) -> tuple[int, ...] | None:
        if self.steps_left(view) == 0:
            return None
        first = len(view.answers)
        return tuple((first + i) % len(view.pool) for i in range(self.k))

    def choose(self, view: View) -> Choice:
        wins = [a.winner for a in view.answers if a.winner is not None]
        left = self.steps_left(view)
        return Choice(wins[-1] if wins else 0, None, certified=False, questions_left=left or 0)


def asked(elicitation: Elicitation) -> Query:
    query = elicitation.ask()
    assert query is not None
    return query


def assert_same(one: Recommendation, two: Recommendation) -> None:
    """Equal, but for the last digits of a bound, which may depend on the way to it."""
    rest = [dataclasses.replace(r, bound=None, expected_regret=None) for r in (one, two)]
    assert rest[0] == rest[1]
    assert one.bound == pytest.approx(two.bound, abs=1e-6)
    assert one.expected_regret == pytest.approx(two.expected_regret, abs=1e-6)


def answer_all(elicitation: Elicitation, most: int = 100) -> list[Query]:
    """Somebody whose answer depends on the query alone."""
    queries: list[Query] = []
    while (query := elicitation.ask()) is not None:
        assert len(queries) < most
        queries.append(query)
        elicitation.tell(query, int(max(query.options) == query.options[1]))
    return queries


# --- asking and telling -------------------------------------------------------------------------


def test_the_example_of_the_documentation_works() -> None:
    pool = make_pool()
    person = SimulatedPerson(np.arange(6.0))
    elicitation = Elicitation(pool, UserAlign(epsilon=0.3), seed=1)
    while (query := elicitation.ask()) is not None:
        elicitation.tell(query, cast("Picked", person.answer(query, pool)))
    best = int(person.utilities(pool).argmax())
    assert elicitation.recommend().response is pool.responses[best]


def test_the_default_strategy_is_eubo_and_useralign_where_the_pool_is_large() -> None:
    assert Elicitation(make_pool()).strategy == Eubo(Features())
    prior = Features("rbf")
    assert default_strategy(make_pool(), prior) == Eubo(prior)
    large = Pool("p", [f"r{i}" for i in range(LARGEST + 1)], np.eye(LARGEST + 1, 2))
    assert Elicitation(large).strategy == UserAlign(estimate="inside")


def test_useralign_is_by_default_as_the_paper_reports_it() -> None:
    assert UserAlign() == UserAlign(
        epsilon=0.0, delta=0.05, norm_bound=3.0, max_steps=None, estimate="mle"
    )


def test_the_same_query_is_asked_until_it_is_answered() -> None:
    elicitation = Elicitation(make_pool(), Rotating())
    query = asked(elicitation)
    assert query == Query(0, query.options, query.ids)
    assert elicitation.ask() is query
    elicitation.recommend()
    assert elicitation.ask() is query
    elicitation.tell(query, 0)
    assert asked(elicitation).number == 1


def test_a_query_names_what_it_shows_by_place_and_by_id() -> None:
    pool = make_pool()
    query = asked(Elicitation(pool, Rotating(k=4)))
    assert sorted(query.options) == [0, 1, 2, 3]
    assert query.ids == tuple(pool.responses[i].id for i in query.options)


def test_options_are_shown_in_every_order_alike() -> None:
    """Where an option stands says nothing about it."""
    places = [
        asked(Elicitation(make_pool(), Rotating(k=3), seed)).options.index(0) for seed in range(600)
    ]
    assert chisquare(np.bincount(places, minlength=3)).pvalue > 0.001
    one = Elicitation(make_pool(), Rotating(k=2, max_steps=400), 3)
    firsts = [q.options[0] == q.number % 8 for q in answer_all(one, 400)]
    assert chisquare(np.bincount(firsts, minlength=2)).pvalue > 0.001


def test_the_seed_decides_what_is_asked() -> None:
    runs = [answer_all(Elicitation(make_pool(), IIDBest(max_steps=10), seed)) for seed in (4, 4, 5)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_the_same_answer_told_twice_counts_once() -> None:
    elicitation = Elicitation(make_pool(), Rotating())
    query = asked(elicitation)
    elicitation.tell(query, 1)
    log = elicitation.log
    elicitation.tell(query, 1)
    elicitation.tell(query, np.int64(1))  # type: ignore[arg-type]  # as good as an int
    assert elicitation.log == log
    later = asked(elicitation)
    elicitation.tell(query, 1)  # also once the next one is on the screen
    assert elicitation.ask() is later
    elicitation.tell(later, TIE)
    elicitation.tell(query, 1)
    assert len(elicitation.history) == 2


@pytest.mark.parametrize("other", [0, TIE, SKIP])
def test_another_answer_to_an_answered_query_is_refused(other: Picked) -> None:
    elicitation = Elicitation(make_pool(), Rotating())
    query = asked(elicitation)
    elicitation.tell(query, 1)
    with pytest.raises(AnswerError, match=r"answered 1 and cannot be answered .*undo first"):
        elicitation.tell(query, other)
    assert [answer.picked for answer in elicitation.history] == [1]


@pytest.mark.parametrize("picked", [2, -1, True, 0.0, None, "first", "undo", "stop"])
def test_an_answer_that_does_not_fit_is_refused_and_changes_nothing(picked: Any) -> None:
    elicitation = Elicitation(make_pool(), Rotating())
    query = asked(elicitation)
    with pytest.raises(AnswerError, match="0 to 1"):
        elicitation.tell(query, picked)
    assert elicitation.ask() is query
    assert elicitation.log == ()


def test_the_same_order_told_in_another_form_counts_once() -> None:
    elicitation = Elicitation(make_pool(), Rotating(k=4))
    query = asked(elicitation)
    elicitation.tell(query, (2, 0, 3, 1))
    log = elicitation.log
    for same in [(2, 0, 3, 1), (2, 0, 3), [2, 0, 3, 1], np.array([2, 0, 3])]:
        elicitation.tell(query, same)  # type: ignore[arg-type]  # lists and arrays are orders too
    assert elicitation.log == log
    assert [answer.picked for answer in elicitation.history] == [(2, 0, 3, 1)]
    for other in [(2, 0, 1), (2, 0), 2, TIE]:
        said = r"answered \(2, 0, 3, 1\) and cannot be answered .*undo first"
        with pytest.raises(AnswerError, match=said):
            elicitation.tell(query, cast("Picked", other))


def test_an_order_of_two_is_told_as_the_pick_that_it_is() -> None:
    elicitation = Elicitation(make_pool(), Rotating())
    query = asked(elicitation)
    elicitation.tell(query, (1, 0))
    elicitation.tell(query, 1)
    assert [answer.picked for answer in elicitation.history] == [1]


@pytest.mark.parametrize("picked", [(0,), (0, 0), (0, 4), (0, True), [], [1.0, 2.0]])
def test_an_order_that_does_not_fit_is_refused_and_changes_nothing(picked: Any) -> None:
    elicitation = Elicitation(make_pool(), Rotating(k=4))
    query = asked(elicitation)
    with pytest.raises(AnswerError, match="at least 2 different positions from 0 to 3"):
        elicitation.tell(query, picked)
    assert elicitation.ask() is query
    assert elicitation.log == ()


def test_a_query_that_was_not_asked_is_refused() -> None:
    elicitation = Elicitation(make_pool(), Rotating())
    query = asked(elicitation)
    strangers = [
        Query(0, query.options[::-1], query.ids[::-1]),
        Query(1, query.options, query.ids),
        Query(0, query.options, ("a", "b")),
        Query(-1, query.options, query.ids),
        Query(0, (6, 7), ("r7", "r8")),
    ]
    for stranger in strangers:
        with pytest.raises(UnknownQueryError, match="is not one of this elicitation's"):
            elicitation.tell(stranger, 0)
    elicitation.tell(query, 0)
    for stranger in strangers:
        with pytest.raises(UnknownQueryError):
            elicitation.tell(stranger, 0)
    assert len(elicitation.history) == 1


def test_a_query_equal_to_the_one_asked_is_that_query() -> None:
    """It may have travelled to a browser and back."""
    elicitation = Elicitation(make_pool(), Rotating())
    query = asked(elicitation)
    elicitation.tell(Query(query.number, tuple(query.options), tuple(query.ids)), 0)
    assert len(elicitation.history) == 1


def test_an_answer_keeps_its_time_and_its_seconds() -> None:
    elicitation = Elicitation(make_pool(), Rotating())
    before = datetime.now(UTC)
    elicitation.tell(asked(elicitation), 0, seconds=2.5)
    elicitation.tell(asked(elicitation), SKIP, at="2020-01-02T03:04:05+00:00")
    first, second = elicitation.history
    assert first.seconds == 2.5
    told = datetime.fromisoformat(first.at)
    assert abs((told - before).total_seconds()) < 60.0
    assert told.utcoffset() is not None
    assert (second.at, second.seconds) == ("2020-01-02T03:04:05+00:00", None)


def test_skips_are_not_counted_as_answers() -> None:
    elicitation = Elicitation(make_pool(), Rotating())
    for picked in (0, SKIP, TIE, SKIP):
        elicitation.tell(asked(elicitation), picked)
    assert len(elicitation.history) == 4
    assert elicitation.recommend().answers == 2


@pytest.mark.parametrize("seed", [-1, 1.0, "1", None, True])
def test_a_seed_is_a_whole_number(seed: Any) -> None:
    with pytest.raises(ParameterError, match="seed must be a whole number of at least 0"):
        Elicitation(make_pool(), Rotating(), seed)


def test_any_whole_number_is_a_seed() -> None:
    assert asked(Elicitation(make_pool(), Rotating(), 2**200)).number == 0


# --- undo ---------------------------------------------------------------------------------------


def test_undo_brings_the_query_back() -> None:
    elicitation = Elicitation(make_pool(), UserAlign(), 2)
    first = asked(elicitation)
    before = elicitation.recommend()
    elicitation.tell(first, 0, at="now")
    second = asked(elicitation)
    taken = elicitation.undo(at="later")
    assert taken == Answer(first, 0, "now")
    assert elicitation.ask() == first
    assert elicitation.recommend() == before
    assert list(elicitation.history) == []
    assert elicitation.log == (taken, Undo("later"))
    with pytest.raises(UnknownQueryError):
        elicitation.tell(second, 0)
    elicitation.tell(first, 1)
    assert [answer.picked for answer in elicitation.history] == [1]


def test_undo_asks_again_what_was_shown_whatever_the_strategy_would_show() -> None:
    """A log may come from a version of palate that asked something else."""
    elicitation = Elicitation(make_pool(), WinnerStays())
    proposed = asked(elicitation)
    other = next(i for i in range(8) if i not in proposed.options)
    shown = [f"r{i + 1}" for i in (other, proposed.options[0])]
    elicitation.replay({"query": 0, "shown": shown, "answer": "skip"})
    elicitation.undo()
    assert asked(elicitation).options == (other, proposed.options[0])


def test_undo_takes_an_order_back() -> None:
    elicitation = Elicitation(make_pool(), Rotating(k=4))
    query = asked(elicitation)
    elicitation.tell(query, (3, 1), at="now")
    assert elicitation.undo() == Answer(query, (3, 1), "now")
    assert elicitation.ask() == query
    elicitation.tell(query, (3, 2))
    assert [answer.picked for answer in elicitation.history] == [(3, 2)]


def test_undo_goes_back_to_the_beginning_and_no_further() -> None:
    elicitation = Elicitation(make_pool(), UserAlign(), 2)
    start = elicitation.recommend()
    queries = answer_all(elicitation)
    for query in reversed(queries):
        elicitation.undo()
        assert elicitation.ask() == query
    assert elicitation.recommend() == start
    for _ in range(2):
        with pytest.raises(AnswerError, match="no answer to take back"):
            elicitation.undo()
    assert answer_all(elicitation) == queries


# --- running a person ---------------------------------------------------------------------------


class Scripted:
    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)

    def answer(self, query: Query, pool: Pool) -> Reply:  # noqa: ARG002 - a Person
        return self.replies.pop(0)


def test_a_run_ends_where_the_person_stops() -> None:
    elicitation = Elicitation(make_pool(), Rotating())
    recorded: list[Event] = []
    person = Scripted("undo", 0, 1, "undo", SKIP, TIE, "stop", 0)
    recommendation = elicitation.run(person, recorded.append)
    assert person.replies == [0]
    assert [answer.picked for answer in elicitation.history] == [0, SKIP, TIE]
    assert recommendation == elicitation.recommend()
    assert recommendation.answers == 2
    assert tuple(recorded) == elicitation.log
    assert [type(event) for event in recorded] == [Answer, Answer, Undo, Answer, Answer]
    assert all((answer.seconds or 0.0) >= 0.0 for answer in elicitation.history)
    assert None not in [answer.seconds for answer in elicitation.history]


@pytest.mark.parametrize("k", [2, 3, 5])
def test_a_run_takes_orders_of_any_number(k: int) -> None:
    elicitation = Elicitation(make_pool(), Rotating(k=k, max_steps=3))
    backwards = tuple(range(k))[::-1]
    elicitation.run(Scripted(backwards, backwards[:2], "undo", TIE, backwards, 0))
    whole = backwards if k > 2 else 1
    assert [answer.picked for answer in elicitation.history] == [whole, TIE, whole]


def test_a_run_orders_as_a_simulated_person_does() -> None:
    pool, person = make_pool(), SimulatedPerson(np.arange(6.0), order=True)
    elicitation = Elicitation(pool, Rotating(k=3, max_steps=8))
    elicitation.run(person)
    utilities = person.utilities(pool)
    for answer in elicitation.history:
        assert isinstance(answer.picked, tuple)
        ranked = utilities[[answer.query.options[i] for i in answer.picked]]
        assert len(ranked) == 3
        assert (np.diff(ranked) <= 0.0).all()


def test_what_was_recorded_survives_a_person_who_fails() -> None:
    elicitation = Elicitation(make_pool(), Rotating())
    recorded: list[Event] = []
    with pytest.raises(IndexError):
        elicitation.run(Scripted(0, 1), recorded.append)
    assert [a.picked for a in recorded if isinstance(a, Answer)] == [0, 1]


def test_a_run_ends_where_nothing_is_left_to_ask() -> None:
    recommendation = Elicitation(make_pool(), Random()).run(Scripted())
    assert recommendation.answers == 0


# --- JSON ---------------------------------------------------------------------------------------

STARTED: dict[str, Strategy] = {
    "useralign": UserAlign(epsilon=0.1, delta=0.2, norm_bound=2.0, max_steps=9, estimate="inside"),
    "useralign-fixed": UserAlign(epsilon=None, max_steps=4),
    "useralign-loss": UserAlignLoss(max_steps=5),
    "eubo": Eubo(Mixture((Features(), Features("rbf")), (1.0, 2.0)), options=3, tolerance=0.05),
    "information-gain": InformationGain(Features(residual=0.2), max_steps=5),
    "thompson": Thompson(max_steps=5),
    "challenge": Challenge(Ball(2.0), epsilon=0.3),
    "iidbest": IIDBest(max_steps=6),
    "random": Random(),
    "winner-stays": WinnerStays(max_steps=5),
    "planned": Planned(((0, 1), (2, 3, 1)), prior=Features(residual=0.2)),
    "oracle": Oracle(utilities=tuple(float(i) for i in range(8))),
}


def test_every_built_in_strategy_is_among_those_started_here() -> None:
    assert {type(s) for s in STARTED.values()} == set(STRATEGIES.values())


@pytest.mark.parametrize("strategy", STARTED.values(), ids=STARTED)
def test_a_built_in_strategy_is_rebuilt_from_the_log(strategy: Strategy) -> None:
    pool = make_pool()
    elicitation = Elicitation(pool, strategy, 11)
    queries = answer_all(elicitation)
    resumed = Elicitation.from_json(elicitation.to_json(), make_pool())
    assert resumed.strategy == strategy
    assert resumed.seed == 11
    assert resumed.history == elicitation.history
    assert_same(resumed.recommend(), elicitation.recommend())
    for _ in queries:
        resumed.undo()
    assert answer_all(resumed) == queries


def test_json_keeps_retractions_times_and_words_of_any_script() -> None:
    pool = Pool("Was kochen? 今晩", ["Süppchen 🍲", "サラダ", "half an emoji \ud83c"])
    elicitation = Elicitation(pool, WinnerStays(), 1)
    elicitation.tell(asked(elicitation), 0, at="t0", seconds=1.5)
    elicitation.undo(at="t1")
    elicitation.tell(asked(elicitation), TIE, at="t2")
    elicitation.tell(asked(elicitation), SKIP, at="t3")
    text = elicitation.to_json()
    resumed = Elicitation.from_json(text, pool)
    assert resumed.log == elicitation.log
    assert resumed.to_json() == text


def test_events_name_winners_by_id_beside_the_order_shown() -> None:
    query = Query(3, (5, 2), ("r6", "r3"))
    assert event_to_object(Answer(query, 1, "t", 0.5)) == {
        "query": 3,
        "shown": ["r6", "r3"],
        "answer": "pick",
        "picked": "r3",
        "at": "t",
        "seconds": 0.5,
    }
    assert event_to_object(Answer(query, TIE)) == {
        "query": 3,
        "shown": ["r6", "r3"],
        "answer": "tie",
        "at": "",
    }
    assert event_to_object(Undo("t")) == {"undo": True, "at": "t"}


def test_events_name_an_order_by_ids_best_first() -> None:
    query = Query(1, (5, 2, 0, 3), ("r6", "r3", "r1", "r4"))
    assert event_to_object(Answer(query, (2, 0), "t")) == {
        "query": 1,
        "shown": ["r6", "r3", "r1", "r4"],
        "answer": "order",
        "order": ["r1", "r6"],
        "at": "t",
    }


def test_orders_are_read_back_as_they_were_told() -> None:
    pool = make_pool()
    elicitation = Elicitation(pool, Rotating(k=4), 3)
    for picked in ((2, 0, 3, 1), 1, (3, 0), (1, 0, 2), TIE):
        elicitation.tell(asked(elicitation), picked)
    elicitation.undo()
    resumed = Elicitation.from_json(elicitation.to_json(), pool, Rotating(k=4))
    assert resumed.log == elicitation.log
    assert resumed.history == elicitation.history
    told = [answer.picked for answer in resumed.history]
    assert told == [(2, 0, 3, 1), 1, (3, 0), (1, 0, 2, 3)]


def test_an_order_in_a_log_may_leave_out_its_last_response() -> None:
    elicitation = Elicitation(make_pool(), Rotating())
    shown = ["r3", "r1", "r2"]
    order = {"query": 0, "shown": shown, "answer": "order", "order": ["r2", "r3"]}
    elicitation.replay(order)
    elicitation.replay(order | {"query": 1, "shown": shown[:2], "order": ["r1", "r3"]})
    assert [answer.picked for answer in elicitation.history] == [(2, 0, 1), 1]


def test_a_response_named_like_a_word_is_no_tie() -> None:
    pool = Pool("Which?", [Response("tie", "a"), Response("skip", "b"), Response("pick", "c")])
    elicitation = Elicitation(pool, WinnerStays(), 0)
    answer_all(elicitation)
    resumed = Elicitation.from_json(elicitation.to_json(), pool)
    assert resumed.history == elicitation.history


def test_the_fingerprint_names_pool_features_strategy_and_seed() -> None:
    pool = make_pool()
    fingerprint = Elicitation(pool, UserAlign(epsilon=0.5), 3).fingerprint()
    assert fingerprint == {
        "pool": pool.content_fingerprint,
        "features": pool.features_fingerprint,
        "strategy": {
            "name": "useralign",
            "epsilon": 0.5,
            "delta": 0.05,
            "norm_bound": 3.0,
            "max_steps": None,
            "estimate": "mle",
        },
        "seed": 3,
    }


@given(
    part=st.sampled_from(("pool", "features", "strategy", "seed")),
    answers=st.integers(0, 3),
    seed=st.integers(0, 5),
)
@settings(max_examples=40, deadline=None)
def test_a_log_of_something_else_is_refused_by_name(part: str, answers: int, seed: int) -> None:
    strategy = UserAlign(epsilon=0.5)
    elicitation = Elicitation(make_pool(), strategy, seed)
    for _ in range(answers):
        if (query := elicitation.ask()) is not None:
            elicitation.tell(query, 0)
    text = elicitation.to_json()
    assert Elicitation.from_json(text, make_pool(), strategy, seed=seed).log == elicitation.log
    pool = {"pool": make_pool(prompt="What?"), "features": make_pool(seed=1)}.get(part, make_pool())
    other = UserAlign(epsilon=0.4) if part == "strategy" else strategy
    with pytest.raises(FingerprintError, match=f"recorded with another {part}: ") as caught:
        Elicitation.from_json(text, pool, other, seed=seed + (part == "seed"))
    message = str(caught.value)
    if part == "strategy":
        assert '"epsilon": 0.5' in message
        assert '"epsilon": 0.4' in message
    if part == "seed":
        assert f"{seed} there, {seed + 1} here" in message


@pytest.mark.parametrize(
    ("pool", "part"),
    [
        (make_pool(7), "pool"),
        (Pool("Which?", [f"Text {i}." for i in range(8)]), "features"),
        (make_pool(d=5), "features"),
        (
            make_pool().with_features(random_features(8, 6, 0), scaling="half"),
            "features",
        ),
        (
            make_pool().with_features(random_features(8, 6, 0).astype(np.float32)),
            "features",
        ),
    ],
    ids=["other-texts", "no-features", "other-d", "other-scaling", "float32"],
)
def test_a_log_of_another_pool_is_refused_by_name(pool: Pool, part: str) -> None:
    text = Elicitation(make_pool(), WinnerStays()).to_json()
    with pytest.raises(FingerprintError, match=f"another {part}: "):
        Elicitation.from_json(text, pool)


def test_a_log_of_another_strategy_is_refused_whatever_its_settings() -> None:
    text = Elicitation(make_pool(), UserAlign(max_steps=5)).to_json()
    for other in (UserAlignLoss(max_steps=5), UserAlign(max_steps=6), WinnerStays(max_steps=5)):
        with pytest.raises(FingerprintError, match="another strategy"):
            Elicitation.from_json(text, make_pool(), other)


def test_a_strategy_that_is_not_built_in_has_to_be_passed() -> None:
    elicitation = Elicitation(make_pool(), Rotating(k=3), 2)
    elicitation.tell(asked(elicitation), 2)
    text = elicitation.to_json()
    with pytest.raises(LogError, match="'rotating' is not built in"):
        Elicitation.from_json(text, make_pool())
    assert Elicitation.from_json(text, make_pool(), Rotating(k=3)).log == elicitation.log
    with pytest.raises(FingerprintError, match="another strategy"):
        Elicitation.from_json(text, make_pool(), Rotating(k=4))


@pytest.mark.parametrize(
    "settings_",
    [
        {"name": "useralign", "warmth": 1},
        {"name": "useralign", "epsilon": -1},
        {"name": "useralign", "epsilon": "a"},
        {"name": "oracle"},
        {"name": "iidbest", "max_steps": None},
        {},
        {"name": None},
    ],
)
def test_settings_that_fit_no_strategy_are_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(LogError, match="strategy"):
        strategy_from_settings(settings_)


def started() -> tuple[Pool, dict[str, Any]]:
    pool = make_pool()
    elicitation = Elicitation(pool, Rotating(), 0)
    for picked in (0, TIE, 1):
        elicitation.tell(asked(elicitation), picked, at="t")
    return pool, json.loads(elicitation.to_json())


def event(**changes: Any) -> dict[str, Any]:
    return {"query": 3, "shown": ["r1", "r2"], "answer": "pick", "picked": "r2"} | changes


@pytest.mark.parametrize(
    "added",
    [
        event(query=2),
        event(query=4),
        event(query=None),
        event(shown=["r1"]),
        event(shown=[]),
        event(shown=["r1", "r1"]),
        event(shown=["r1", "r99"]),
        event(shown=[["r1"], "r2"]),
        event(shown=None),
        event(shown="r1"),
        event(picked="r3"),
        event(picked=None),
        event(picked=0),
        event(answer="win"),
        event(answer=["tie"]),
        event(answer=None),
        event(answer="order"),
        event(answer="order", order=None),
        event(answer="order", order=[]),
        event(answer="order", order=["r1"]),
        event(answer="order", order=["r1", "r1"]),
        event(answer="order", order=["r1", "r3"]),
        event(answer="order", order=["r1", 1]),
        event(answer="order", order={"r1": 0, "r2": 1}),
        event(answer="order", order="r1 r2"),
        event(answer="order", shown=["a", "b"], order="ab"),
        {},
        {"undo": False},
        [],
        "undo",
        None,
        3,
    ],
    ids=str,
)
def test_a_damaged_event_is_refused_and_the_ones_before_it_stand(added: Any) -> None:
    pool, record = started()
    text = json.dumps(record | {"log": [*record["log"], added]})
    with pytest.raises(LogError):
        Elicitation.from_json(text, pool, Rotating())
    elicitation = Elicitation.from_json(json.dumps(record), pool, Rotating())
    log = elicitation.log
    with pytest.raises(LogError):
        elicitation.replay(added)
    assert elicitation.log == log


def test_an_undo_of_nothing_is_a_damaged_log() -> None:
    pool, record = started()
    with pytest.raises(LogError, match="event 1 is damaged: there is no answer to take back"):
        Elicitation.from_json(json.dumps(record | {"log": [{"undo": True}]}), pool, Rotating())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        '"palate"',
        "{}",
        '{"palate": 2}',
        '{"palate": 1}',
        '{"palate": 1, "fingerprint": []}',
        '{"palate": 1, "fingerprint": {"strategy": "rotating"}}',
    ],
)
def test_what_is_not_a_log_is_refused(text: str) -> None:
    with pytest.raises(LogError):
        Elicitation.from_json(text, make_pool(), Rotating())


@pytest.mark.parametrize("seed", [-1, None, "1", 0.5, True])
def test_a_damaged_seed_is_refused(seed: Any) -> None:
    pool, record = started()
    record["fingerprint"]["seed"] = seed
    with pytest.raises(LogError, match="fingerprint is damaged: seed"):
        Elicitation.from_json(json.dumps(record), pool, Rotating())


@pytest.mark.parametrize("log", [None, {}, 3, "log", {"0": 1}])
def test_a_log_without_a_list_of_events_is_refused(log: Any) -> None:
    pool, record = started()
    with pytest.raises(LogError, match="no list of events"):
        Elicitation.from_json(json.dumps(record | {"log": log}), pool, Rotating())


@pytest.mark.parametrize("part", ["pool", "features", "strategy", "seed"])
def test_a_fingerprint_that_lacks_a_part_is_refused(part: str) -> None:
    pool, record = started()
    del record["fingerprint"][part]
    with pytest.raises(LogError):
        Elicitation.from_json(json.dumps(record), pool, Rotating())


# --- against a model ----------------------------------------------------------------------------


class AgainstAList(RuleBasedStateMachine):
    """Whatever is asked, told, taken back and written: the answers are a list, and no more."""

    strategies: ClassVar[tuple[Strategy, ...]] = (
        Rotating(),
        Rotating(k=4),
        Rotating(k=3, max_steps=5),
        WinnerStays(),
        IIDBest(max_steps=6),
        UserAlign(),
        UserAlign(estimate="inside"),
        UserAlign(epsilon=None, max_steps=7),
    )

    @initialize(strategy=st.sampled_from(strategies), seed=st.integers(0, 3))
    def start(self, strategy: Strategy, seed: int) -> None:
        self.pool = make_pool(5, 3)
        self.elicitation = Elicitation(self.pool, strategy, seed)
        self.answers: list[tuple[Query, Picked]] = []
        self.log: list[tuple[Query, Picked] | None] = []
        self.shown: dict[tuple[tuple[Query, Picked], ...], Query | None] = {}

    def query(self) -> Query | None:
        query = self.elicitation.ask()
        # The same answers always lead to the same query.
        assert self.shown.setdefault(tuple(self.answers), query) == query
        return query

    @rule()
    def ask(self) -> None:
        query = self.query()
        if query is not None:
            assert query.number == len(self.answers)

    @rule(data=st.data())
    def tell(self, data: st.DataObject) -> None:
        query = self.query()
        if query is not None:
            k = len(query.options)
            orders = st.permutations(range(k)).map(tuple)
            if k > 3:
                orders |= orders.map(lambda order: order[:2])
            said: st.SearchStrategy[Any] = st.integers(0, k - 1) | orders
            picked: Picked = data.draw(said | st.sampled_from((TIE, SKIP)))
            self.elicitation.tell(query, picked)
            if isinstance(picked, tuple) and k == 2:
                picked = picked[0]
            self.answers.append((query, picked))
            self.log.append((query, picked))

    @rule(data=st.data(), same=st.booleans())
    def tell_again(self, data: st.DataObject, same: bool) -> None:  # noqa: FBT001 - drawn
        if not self.answers:
            return
        query, picked = data.draw(st.sampled_from(self.answers))
        if same:
            self.elicitation.tell(query, picked)
        else:
            with pytest.raises(AnswerError):
                self.elicitation.tell(query, TIE if picked != TIE else SKIP)

    @rule()
    def undo(self) -> None:
        if self.answers:
            query, picked = self.answers.pop()
            self.log.append(None)
            taken = self.elicitation.undo()
            assert (taken.query, taken.picked) == (query, picked)
            assert self.elicitation.ask() == query
        else:
            with pytest.raises(AnswerError):
                self.elicitation.undo()

    @rule()
    def tell_a_stranger(self) -> None:
        with pytest.raises(UnknownQueryError):
            self.elicitation.tell(Query(len(self.answers) + 1, (0, 1), ("r1", "r2")), 0)

    @rule()
    def write_and_read(self) -> None:
        before = self.elicitation
        strategy = before.strategy
        self.elicitation = Elicitation.from_json(before.to_json(), self.pool, strategy)
        assert self.elicitation.log == before.log

    @rule()
    def recommend(self) -> None:
        recommendation = self.elicitation.recommend()
        assert recommendation.answers == sum(picked != SKIP for _, picked in self.answers)
        assert recommendation.response is self.pool.responses[recommendation.index]
        assert recommendation == self.elicitation.recommend()

    @invariant()
    def answers_are_the_list(self) -> None:
        elicitation = self.elicitation
        assert [(a.query, a.picked) for a in elicitation.history] == self.answers
        logged = [(e.query, e.picked) if isinstance(e, Answer) else None for e in elicitation.log]
        assert logged == self.log


TestAgainstAList = AgainstAList.TestCase
TestAgainstAList.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)


@given(
    said=st.lists(st.integers(0, 3) | st.sampled_from((TIE, SKIP, "undo")), max_size=14),
    cut=st.integers(0, 14),
    strategy=st.sampled_from(
        (UserAlign(), UserAlign(estimate="inside"), WinnerStays(), IIDBest(), Rotating(k=4))
    ),
)
@settings(max_examples=150, deadline=None)
def test_writing_and_reading_at_any_point_changes_nothing_after_it(
    said: list[Any], cut: int, strategy: Strategy
) -> None:
    pool = make_pool(6, 4)
    straight, broken = (Elicitation(pool, strategy, 5) for _ in range(2))
    for i, what in enumerate(said):
        if i == cut:
            broken = Elicitation.from_json(broken.to_json(), pool, strategy)
        queries = straight.ask(), broken.ask()
        assert queries[0] == queries[1]
        for elicitation, query in zip((straight, broken), queries, strict=True):
            if what == "undo":
                if elicitation.history:
                    elicitation.undo(at="")
            elif query is not None:
                position = what % len(query.options) if isinstance(what, int) else what
                elicitation.tell(query, position, at="")
    assert_same(straight.recommend(), broken.recommend())
    assert straight.to_json() == broken.to_json()
