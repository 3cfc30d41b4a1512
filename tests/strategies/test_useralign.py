"""USERALIGN: when it stops, what it shows, and that its certificate can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, cast

import numpy as np
import pytest

from palate.elicitation import Elicitation
from palate.errors import ParameterError, PoolError
from palate.feedback import SKIP, TIE, Query
from palate.people import SimulatedPerson
from palate.pool import Pool, Scaling, diameter
from palate.preference import VersionSpace
from palate.strategies import UserAlign, UserAlignLoss, View, comparisons
from palate.strategies.useralign import ZERO

if TYPE_CHECKING:
    from palate._typing import Features, FloatArray
    from palate.feedback import Picked, Reply

Estimate = Literal["mle", "inside"]
ESTIMATES: tuple[Estimate, ...] = ("mle", "inside")


def random_features(n: int, d: int, seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(n, d))


def make_pool(features: Features, scaling: Scaling = "half") -> Pool:
    return Pool("Which?", [f"Text {i}." for i in range(len(features))], features, scaling=scaling)


def random_pool(n: int, d: int, seed: int, scaling: Scaling = "half") -> Pool:
    return make_pool(random_features(n, d, seed), scaling)


class Patient(SimulatedPerson):
    """Somebody whose patience ends, so that an endless run is a failed test."""

    def answer(self, query: Query, pool: Pool) -> Reply:
        assert self.asked < 500, "asked for ever"
        return super().answer(query, pool)


def random_person(pool: Pool, seed: int, flip_rate: float = 0.0) -> SimulatedPerson:
    assert pool.features is not None
    theta = np.random.default_rng([seed, 1]).normal(size=pool.features.shape[1])
    return Patient(theta, flip_rate=flip_rate, seed=seed)


def said(person: SimulatedPerson, query: Query, pool: Pool) -> Picked:
    """An answer: simulated people neither undo nor stop."""
    reply = person.answer(query, pool)
    assert reply not in ("undo", "stop")
    return cast("Picked", reply)


def pair(query: Query) -> frozenset[int]:
    return frozenset(query.options)


def pick(query: Query, index: int) -> int:
    """The position at which a response of the pool is shown."""
    return query.options.index(index)


class Scripted:
    """Says the same to everything, except where a pair has its own answer."""

    def __init__(self, said: Picked, pairs: dict[frozenset[int], Picked] | None = None) -> None:
        self.said = said
        self.pairs = pairs or {}
        self.asked: list[frozenset[int]] = []

    def answer(self, query: Query, pool: Pool) -> Picked:  # noqa: ARG002 - a Person
        assert len(self.asked) < 300, "asked for ever"
        self.asked.append(pair(query))
        return self.pairs.get(pair(query), self.said)


# --- when it stops ------------------------------------------------------------------------------


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_asked_when_epsilon_is_the_norm_bound(estimate: Estimate, seed: int) -> None:
    pool = random_pool(20, 64, seed)
    elicitation = Elicitation(pool, UserAlign(epsilon=3.0, estimate=estimate), seed)
    assert elicitation.recommend().bound == 3.0
    assert elicitation.ask() is None
    assert elicitation.recommend().certified


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("seed", range(10))
def test_one_question_is_asked_at_epsilon_two(estimate: Estimate, seed: int) -> None:
    """The cost of Tables 4 and 5: 1.00 with a standard error of 0.

    Responses to one prompt resemble each other: at distances up to 2 / 3 no bound exceeds 2.
    """
    rng = np.random.default_rng(seed)
    pool = make_pool(rng.normal(size=(20, 64)) + 1.3 * rng.normal(size=64))
    assert pool.features is not None
    assert diameter(pool.features) <= 2.0 / 3.0
    strategy = UserAlign(epsilon=2.0, estimate=estimate)
    recommendation = Elicitation(pool, strategy, seed).run(random_person(pool, seed))
    assert recommendation.answers == 1
    assert recommendation.certified


def test_one_question_is_asked_at_epsilon_two_even_if_nothing_lies_so_far() -> None:
    """B(0) = S although no two responses differ by more than 2 / S."""
    features = np.eye(4, 6) * 0.01 + 0.2
    pool = make_pool(features, "none")
    recommendation = Elicitation(pool, UserAlign(epsilon=2.0), 1).run(random_person(pool, 1))
    assert recommendation.answers == 1


@pytest.mark.parametrize("norm_bound", [0.5, 1.0, 3.0, 7.0])
def test_bound_before_any_answer_is_the_norm_bound(norm_bound: float) -> None:
    elicitation = Elicitation(random_pool(6, 4, 0), UserAlign(norm_bound=norm_bound))
    assert elicitation.recommend().bound == norm_bound
    assert not elicitation.recommend().certified


def test_a_larger_epsilon_never_asks_more() -> None:
    pool = random_pool(16, 24, 3)
    costs = [
        Elicitation(pool, UserAlign(epsilon=e), 3).run(random_person(pool, 3)).answers
        for e in (3.0, 2.0, 1.0, 0.5, 0.3, 0.1, 0.0)
    ]
    assert costs == sorted(costs)
    assert costs[0] == 0
    assert costs[-1] >= 15


def test_epsilon_in_utility_bounds_what_is_lost() -> None:
    """Where it stops at epsilon, no response is better by more, for weights of norm S."""
    for seed in range(30):
        pool = random_pool(15, 10, seed)
        rng = np.random.default_rng(seed + 1000)
        theta = rng.normal(size=10)
        theta *= 3.0 / np.sqrt(theta @ theta)
        got = Elicitation(pool, UserAlign(epsilon=0.4), seed).run(Patient(theta))
        utilities = SimulatedPerson(theta).utilities(pool)
        assert got.certified
        assert got.bound is not None
        assert utilities.max() - utilities[got.index] <= got.bound + 1e-6
        assert got.bound <= 0.4 + 3e-6


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_answers_to_certainty_are_close_to_one_less_than_the_pool(estimate: Estimate) -> None:
    """With d >= N every ranking is possible; the paper counts 19.1 at N = 20 and 64 features."""
    costs = []
    for seed in range(20):
        pool = random_pool(20, 64, seed)
        strategy = UserAlign(estimate=estimate)
        recommendation = Elicitation(pool, strategy, seed).run(random_person(pool, seed))
        assert recommendation.certified
        costs.append(recommendation.answers)
    assert min(costs) >= 19
    assert np.mean(costs) <= (22.5 if estimate == "mle" else 19.0)


@pytest.mark.parametrize("block", range(10))
def test_certified_response_is_the_best_of_every_consistent_person(block: int) -> None:
    """1,000 people in all, of mixed pools and tastes; every seed is tried, none is chosen."""
    for seed in range(100 * block, 100 * block + 100):
        rng = np.random.default_rng(seed)
        estimate: Estimate = "inside" if seed % 8 == 0 else "mle"
        n = int(rng.integers(2, 25 if estimate == "inside" else 41))
        d = int(rng.integers(1, 65))
        # One feature of unit length is a sign, and leaves two kinds of responses.
        rules: tuple[Scaling, ...] = ("half", "diameter", "none")
        scaling = rules[seed % 3] if d > 1 else "diameter"
        features: Features = rng.normal(size=(n, d))
        if scaling == "none":
            features = features / (2.0 * np.sqrt((features**2).sum(axis=1)).max())
        if seed % 4 == 1:
            features = features.astype(np.float32)
        pool = make_pool(features, scaling)
        theta = rng.normal(size=d)
        # In few dimensions the printed estimate can ask one pair hundreds of times.
        strategy = UserAlign(estimate=estimate, max_steps=60 if d < 4 else 400)
        got = Elicitation(pool, strategy, seed).run(Patient(theta))
        utilities = SimulatedPerson(theta).utilities(pool)
        assert got.certified or d < 4, (seed, got)
        if got.certified:
            assert utilities[got.index] >= utilities.max() - 1e-9, (seed, got)


def test_max_steps_stops_without_a_certificate() -> None:
    pool = random_pool(20, 30, 0)
    recommendation = Elicitation(pool, UserAlign(max_steps=4)).run(random_person(pool, 0))
    assert recommendation.answers == 4
    assert not recommendation.certified
    assert recommendation.questions_left == 0
    assert recommendation.bound is not None
    assert recommendation.bound > 0.0


# --- what it shows ------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("flip_rate", [0.0, 0.2])
@pytest.mark.parametrize(
    "strategy",
    [
        UserAlign(max_steps=25),
        UserAlign(max_steps=25, norm_bound=1.5, delta=0.2),
        UserAlignLoss(max_steps=12, delta=0.5, norm_bound=6.0),
    ],
    ids=["printed", "other-settings", "loss"],
)
@pytest.mark.parametrize(("n", "d"), [(2, 3), (9, 2), (14, 20), (40, 5)])
def test_each_step_is_what_brute_force_over_all_responses_gives(
    n: int, d: int, strategy: UserAlign, flip_rate: float, dtype: type[np.floating]
) -> None:
    """Algorithm 2, lines 5 to 9, stated again with one support value a response."""
    features = random_features(n, d, 17 * n + d).astype(dtype)
    pool = make_pool(features, "diameter")
    person = random_person(pool, n, flip_rate)
    elicitation = Elicitation(pool, strategy, seed=n)
    tolerance = 1e-6 * strategy.norm_bound
    while (query := elicitation.ask()) is not None:
        if elicitation.history:
            check_step(elicitation, strategy, query, tolerance)
        elicitation.tell(query, said(person, query, pool))


def check_step(
    elicitation: Elicitation, strategy: UserAlign, query: Query, tolerance: float
) -> None:
    scaled = elicitation.pool.features
    assert scaled is not None
    differences, groups = comparisons(elicitation.history, scaled)
    space = VersionSpace(
        differences, strategy.norm_bound, strategy.delta, strategy.consistent, groups=groups
    )
    step = strategy.step(elicitation.view)
    x = scaled.astype(np.float64)
    utilities = x @ space.estimate
    assert utilities[step.incumbent] == pytest.approx(utilities.max(), abs=tolerance)
    margins = space.support(x - x[step.incumbent])
    margins[step.incumbent] = -np.inf
    assert step.bound == pytest.approx(max(margins.max(), 0.0), abs=tolerance)
    assert margins[step.challenger] == pytest.approx(margins.max(), abs=tolerance)
    assert pair(query) == {step.incumbent, step.challenger}
    assert elicitation.recommend().index == step.incumbent
    assert elicitation.recommend().bound == step.bound


def test_equal_utilities_and_margins_go_to_the_lower_index() -> None:
    """Corners of a simplex that was not touched yet are all alike."""
    pool = make_pool(np.eye(6), "diameter")
    for seed in range(10):
        elicitation = Elicitation(pool, UserAlign(), seed)
        query = elicitation.ask()
        assert query is not None
        incumbent = elicitation.recommend().index
        assert pair(query) == {incumbent, 0 if incumbent else 1}


def test_first_estimate_is_a_random_direction_of_the_seed() -> None:
    """RANDOM and USERALIGN agree at t = 0 in Tables 4 and 5: any response may come first."""
    pool = make_pool(np.eye(4), "diameter")
    chosen = [Elicitation(pool, UserAlign(), seed).recommend().index for seed in range(400)]
    counts = np.bincount(chosen, minlength=4)
    assert ((counts - 100.0) ** 2 / 100.0).sum() < 16.3  # chi-square, 3 degrees, p = 0.001
    again = [Elicitation(pool, UserAlign(), seed).recommend().index for seed in range(400)]
    assert again == chosen


@pytest.mark.parametrize("flip_rate", [0.0, 0.25])
@pytest.mark.parametrize("seed", range(6))
def test_inside_never_shows_a_pair_twice_nor_a_loser_to_who_beat_it(
    seed: int, flip_rate: float
) -> None:
    n, d = 12, (2, 4, 30)[seed % 3]
    pool = random_pool(n, d, seed, "diameter")
    strategy = UserAlign(estimate="inside")
    elicitation = Elicitation(pool, strategy, seed)
    person = random_person(pool, seed, flip_rate)
    shown: set[frozenset[int]] = set()
    lost: set[tuple[int, int]] = set()
    while (query := elicitation.ask()) is not None:
        assert pair(query) not in shown
        shown.add(pair(query))
        step = strategy.step(elicitation.view)
        assert (step.incumbent, step.challenger) not in lost
        elicitation.tell(query, said(person, query, pool))
        answer = elicitation.history[-1]
        assert answer.winner is not None
        lost |= {(loser, answer.winner) for loser in answer.losers}
    assert len(shown) <= n * (n - 1) // 2


def test_inside_keeps_an_incumbent_that_lost_to_nobody() -> None:
    """Of a consistent person: the estimate agrees with every answer."""
    for seed in range(8):
        pool = random_pool(14, 20, seed)
        elicitation = Elicitation(pool, UserAlign(estimate="inside"), seed)
        person = random_person(pool, seed)
        losers: set[int] = set()
        while (query := elicitation.ask()) is not None:
            assert elicitation.recommend().index not in losers
            elicitation.tell(query, said(person, query, pool))
            losers.update(elicitation.history[-1].losers)
        assert elicitation.recommend().index not in losers


def test_printed_estimate_does_show_pairs_twice() -> None:
    """As printed, the estimate can leave the half-spaces; "inside" exists for that reason."""
    repeats = 0
    for seed in range(10):
        pool = random_pool(20, 64, seed)
        elicitation = Elicitation(pool, UserAlign(), seed)
        elicitation.run(random_person(pool, seed))
        pairs = [pair(answer.query) for answer in elicitation.history]
        repeats += len(pairs) - len(set(pairs))
    assert repeats > 0


def test_loss_alone_shows_the_same_pair_again_and_again() -> None:
    """The set hardly shrinks at d = 64: the rows of Tables 4 and 5 are frozen for that reason."""
    distinct = []
    for seed in range(5):
        pool = random_pool(20, 64, seed)
        elicitation = Elicitation(pool, UserAlignLoss(max_steps=20), seed)
        recommendation = elicitation.run(random_person(pool, seed))
        distinct.append(len({pair(answer.query) for answer in elicitation.history}))
        assert recommendation.answers == 20
        assert not recommendation.certified
        assert recommendation.consistent
    assert max(distinct) <= 6
    assert np.mean(distinct) <= 4.0


def test_loss_alone_keeps_its_bound_where_answers_contradict_each_other() -> None:
    pool = make_pool(np.eye(3), "diameter")
    elicitation = Elicitation(pool, UserAlignLoss(max_steps=2), 0)
    person = Scripted(0)
    elicitation.run(person)
    first, second = (answer.winner for answer in elicitation.history)
    assert first is not None
    assert second is not None
    recommendation = elicitation.recommend()
    assert recommendation.consistent
    assert recommendation.bound == pytest.approx(3.0)


def test_a_large_pool_of_float32_is_searched_exactly() -> None:
    """Beyond 1,000 responses the questions left are estimated; the query is still the right one."""
    features = random_features(6000, 16, 5).astype(np.float32)
    pool = make_pool(features, "half")
    assert pool.features is not None
    assert pool.features.dtype == np.float32
    strategy = UserAlign(max_steps=12)
    elicitation = Elicitation(pool, strategy, seed=5)
    person = random_person(pool, 5)
    while (query := elicitation.ask()) is not None:
        if elicitation.history:
            step = strategy.step(elicitation.view)
            check_step(elicitation, strategy, query, 1e-5)
            assert step.exact_solves < 200
        elicitation.tell(query, said(person, query, pool))
        recommendation = elicitation.recommend()
        assert (recommendation.questions_left > 0) == (elicitation.ask() is not None)


# --- a fixed number of steps --------------------------------------------------------------------


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("most", [1, 5, 40])
def test_fixed_steps_ask_exactly_so_many(estimate: Estimate, most: int) -> None:
    pool = random_pool(8, 12, most)
    strategy = UserAlign(epsilon=None, max_steps=most, estimate=estimate)
    recommendation = Elicitation(pool, strategy, most).run(random_person(pool, most))
    assert recommendation.answers == most
    assert recommendation.questions_left == 0


def test_fixed_steps_ask_what_the_stopping_rule_would_until_it_stops() -> None:
    pool = random_pool(10, 16, 2)
    person = random_person(pool, 2)
    stops = Elicitation(pool, UserAlign(), 2)
    stops.run(person)
    goes_on = Elicitation(pool, UserAlign(epsilon=None, max_steps=60), 2)
    goes_on.run(person)
    asked = [pair(answer.query) for answer in stops.history]
    assert [pair(answer.query) for answer in goes_on.history[: len(asked)]] == asked
    assert goes_on.recommend().index == stops.recommend().index
    assert goes_on.recommend().certified


def test_fixed_steps_draw_at_random_once_no_challenger_is_left() -> None:
    """Footnote 3 of the paper: i.i.d. from the pool, against the best response."""
    n, drawn = 6, np.zeros(6, dtype=int)
    for seed in range(40):
        pool = random_pool(n, 12, 7)
        person = random_person(pool, 7)
        certain = Elicitation(pool, UserAlign(), seed)
        certain.run(person)
        best = certain.recommend().index
        elicitation = Elicitation(pool, UserAlign(epsilon=None, max_steps=40), seed)
        elicitation.run(person)
        for answer in elicitation.history[len(certain.history) :]:
            assert best in answer.query.options
            drawn[[i for i in answer.query.options if i != best]] += 1
    expected = drawn.sum() / (n - 1)
    others = drawn[drawn > 0]
    assert len(others) == n - 1
    assert ((others - expected) ** 2 / expected).sum() < 18.5  # chi-square, 4 degrees, p = 0.001


def test_fixed_steps_stop_where_every_pair_of_the_incumbent_was_skipped() -> None:
    pool = random_pool(5, 4, 0)
    person = Scripted(SKIP)
    recommendation = Elicitation(pool, UserAlign(epsilon=None, max_steps=50)).run(person)
    assert len(person.asked) == len(set(person.asked)) == 4
    assert recommendation.answers == 0
    assert recommendation.questions_left == 0
    assert not recommendation.certified


# --- ties, skips and contradictions --------------------------------------------------------------


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_a_tie_and_a_skip_add_no_constraint_and_are_not_shown_again(estimate: Estimate) -> None:
    for unable in (TIE, SKIP):
        pool = random_pool(8, 12, 1)
        strategy = UserAlign(estimate=estimate)
        elicitation = Elicitation(pool, strategy, 1)
        query = elicitation.ask()
        assert query is not None
        before = strategy.step(elicitation.view)
        elicitation.tell(query, unable)
        after = strategy.step(elicitation.view)
        assert (after.incumbent, after.bound) == (before.incumbent, before.bound)
        assert after.challenger != before.challenger
        assert comparisons(elicitation.history, elicitation.view.features)[0].shape == (0, 12)


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_ties_with_everything_certify_the_incumbent(estimate: Estimate) -> None:
    """A response that tied with the incumbent counts as no better."""
    pool = random_pool(7, 12, 2)
    person = Scripted(TIE)
    recommendation = Elicitation(pool, UserAlign(estimate=estimate), 2).run(person)
    assert len(person.asked) == len(set(person.asked)) == 6
    assert recommendation.answers == 6
    assert recommendation.bound == 0.0
    assert recommendation.certified


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_skips_of_everything_leave_the_bound_open(estimate: Estimate) -> None:
    """A skipped response stays in the bound: nobody said that it is no better."""
    pool = random_pool(7, 12, 2)
    person = Scripted(SKIP)
    recommendation = Elicitation(pool, UserAlign(estimate=estimate), 2).run(person)
    assert len(person.asked) == len(set(person.asked)) == 6
    assert recommendation.answers == 0
    assert recommendation.bound is not None
    assert recommendation.bound > 1.0
    assert not recommendation.certified
    assert recommendation.questions_left == 0


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("unable", [TIE, SKIP])
def test_one_pair_left_open_ends_with_or_without_a_certificate(
    estimate: Estimate, unable: Picked
) -> None:
    """The two best are never compared: a tie settles that, a skip does not."""
    for seed in range(10):
        pool = random_pool(5, 8, seed)
        person = random_person(pool, seed)
        order = np.argsort(-person.utilities(pool)).tolist()
        unsure = Scripted(unable)

        class Unsure:
            def answer(
                self,
                query: Query,
                pool: Pool,
                top: frozenset[int] = frozenset(order[:2]),
                person: SimulatedPerson = person,
                unsure: Scripted = unsure,
            ) -> Picked:
                said_to_all = unsure.answer(query, pool)
                return said_to_all if pair(query) == top else said(person, query, pool)

        recommendation = Elicitation(pool, UserAlign(estimate=estimate), seed).run(Unsure())
        if frozenset(order[:2]) in unsure.asked:
            assert recommendation.certified == (unable == TIE)
        assert recommendation.index in order[:2]
        assert recommendation.questions_left == 0


CONTRADICTIONS = {
    "a circle": [(1, 0), (2, 1), (0, 2)],
    "both ways": [(1, 0), (0, 1)],
    "both ways, later": [(1, 0), (2, 0), (2, 1), (0, 1)],
}


@pytest.mark.parametrize("estimate", ESTIMATES)
@pytest.mark.parametrize("told", CONTRADICTIONS.values(), ids=CONTRADICTIONS)
def test_contradictory_answers_are_reported_and_never_certified(
    told: list[tuple[int, int]], estimate: Estimate
) -> None:
    """Only weights that call some responses equal are left, and the bound falls to 0 between them.

    A run asks nothing whose answer it knows, so contradictions come from a repeated pair, from a
    fixed number of steps, or from a log, as here.
    """
    pool = make_pool(np.eye(3), "diameter")
    elicitation = Elicitation(pool, UserAlign(estimate=estimate))
    for number, (winner, loser) in enumerate(told):
        assert elicitation.recommend().consistent
        shown = [pool.responses[i].id for i in (winner, loser)]
        elicitation.replay({"query": number, "shown": shown, "answer": "pick", "picked": shown[0]})
    recommendation = elicitation.recommend()
    assert not recommendation.consistent
    assert not recommendation.certified
    while (query := elicitation.ask()) is not None:
        assert len(elicitation.history) < 50
        elicitation.tell(query, 0)
    assert not elicitation.recommend().certified
    assert len(elicitation.history) <= len(told) + 3


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_a_fixed_number_of_steps_notices_a_contradiction(estimate: Estimate) -> None:
    pool = make_pool(np.eye(3), "diameter")
    strategy = UserAlign(epsilon=None, max_steps=30, estimate=estimate)
    elicitation = Elicitation(pool, strategy)
    beats = {frozenset((0, 1)): 1, frozenset((1, 2)): 2, frozenset((0, 2)): 0}
    while (query := elicitation.ask()) is not None:
        assert len(elicitation.history) < 50
        elicitation.tell(query, pick(query, beats[pair(query)]))
    assert len(elicitation.history) == 30
    assert not elicitation.recommend().consistent
    assert not elicitation.recommend().certified


def test_a_noisy_person_ends_it_and_a_certificate_never_stands_on_contradictions() -> None:
    """Fixed seeds: some of these runs contradict themselves, some happen not to."""
    told = set()
    for seed in range(30):
        pool = random_pool(10, 6, seed)
        person = random_person(pool, seed, flip_rate=0.3)
        got = Elicitation(pool, UserAlign(max_steps=100), seed).run(person)
        assert not (got.certified and not got.consistent)
        told.add(got.consistent)
    assert told == {True, False}


# --- picks out of more than two -----------------------------------------------------------------


@dataclass(frozen=True)
class FourAtOnce(UserAlign):
    """Shows the incumbent with the three challengers whose support values are largest."""

    name: ClassVar[str] = "four-at-once"

    def propose(self, view: View) -> tuple[int, ...] | None:
        if super().propose(view) is None:
            return None
        incumbent = self.step(view).incumbent
        x = view.features
        margins = self._run(view).space.support(x - x[incumbent])
        margins[incumbent] = -np.inf
        return incumbent, *np.argsort(-margins)[:3].tolist()


def test_a_pick_out_of_four_counts_as_one_answer_of_three_comparisons() -> None:
    pool = random_pool(16, 24, 4)
    person = random_person(pool, 4)
    strategy = FourAtOnce()
    elicitation = Elicitation(pool, strategy, 4)
    answers = 0
    while (query := elicitation.ask()) is not None:
        assert len(query.options) == 4
        elicitation.tell(query, said(person, query, pool))
        answers += 1
        space = strategy._run(elicitation.view).space
        assert space.answers == answers
        assert space.groups.tolist() == [i for i in range(answers) for _ in range(3)]
        differences, groups = comparisons(elicitation.history, elicitation.view.features)
        assert np.array_equal(groups, space.groups)
        assert np.array_equal(differences, space.differences)
        winner = elicitation.history[-1].winner
        assert winner is not None
        assert pool.features is not None
        losers = [i for i in query.options if i != winner]
        assert np.array_equal(differences[-3:], pool.features[winner] - pool.features[losers])
    recommendation = elicitation.recommend()
    assert recommendation.certified
    assert recommendation.index == int(person.utilities(pool).argmax())
    assert recommendation.answers < 15  # fewer than N - 1 pairs would take
    again = Elicitation.from_json(elicitation.to_json(), pool, strategy)
    assert again.recommend().index == recommendation.index


def test_a_tie_among_four_closes_each_of_their_pairs() -> None:
    pool = random_pool(6, 8, 4)
    strategy = FourAtOnce()
    elicitation = Elicitation(pool, strategy, 4)
    query = elicitation.ask()
    assert query is not None
    elicitation.tell(query, TIE)
    run = strategy._run(elicitation.view)
    for i in query.options:
        assert set(run.closed(i).tolist()) == set(query.options) - {i}


# --- settings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"epsilon": -0.1}, "-0.1"),
        ({"epsilon": 3.5}, "3.5"),
        ({"epsilon": float("nan")}, "nan"),
        ({"epsilon": 1.5, "norm_bound": 1.0}, "norm_bound=1.0"),
        ({"norm_bound": 0.0}, "norm_bound"),
        ({"norm_bound": float("inf")}, "norm_bound"),
        ({"delta": 0.0}, "delta"),
        ({"delta": 1.0}, "delta"),
        ({"max_steps": -1}, "-1"),
        ({"max_steps": 2.5}, "2.5"),
        ({"max_steps": True}, "True"),
        ({"epsilon": None}, "max_steps"),
        ({"estimate": "outside"}, "'outside'"),
    ],
)
@pytest.mark.parametrize("kind", [UserAlign, UserAlignLoss])
def test_settings_outside_their_range_are_refused(
    kind: type[UserAlign], settings: dict[str, float], named: str
) -> None:
    with pytest.raises(ParameterError, match=named):
        kind(**settings)  # type: ignore[arg-type]  # wrong on purpose


def test_a_pool_without_features_is_refused() -> None:
    elicitation = Elicitation(Pool("Which?", ["a", "b"]), UserAlign())
    with pytest.raises(PoolError, match="features"):
        elicitation.ask()


def test_questions_left_falls_to_zero_and_is_about_right() -> None:
    pool = random_pool(20, 64, 9)
    elicitation = Elicitation(pool, UserAlign(), 9)
    person = random_person(pool, 9)
    left = [elicitation.recommend().questions_left]
    while (query := elicitation.ask()) is not None:
        elicitation.tell(query, said(person, query, pool))
        left.append(elicitation.recommend().questions_left)
    assert left[0] == 19
    assert left[-1] == 0
    assert min(left[:-1]) >= 1


def test_bounds_count_as_zero_up_to_rounding_only() -> None:
    assert 0.0 < ZERO <= 1e-6
