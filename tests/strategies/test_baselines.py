"""What USERALIGN is compared with: exactness, uniformity, and what they refuse."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.stats import chisquare

from palate.elicitation import Elicitation
from palate.errors import ParameterError, PoolError
from palate.feedback import SKIP, TIE
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.preference import fit_logistic
from palate.strategies import IIDBest, Oracle, Random, Strategy, WinnerStays, comparisons

if TYPE_CHECKING:
    from palate.feedback import Picked, Query


def bare_pool(n: int) -> Pool:
    """A pool without features: all that a tournament needs."""
    return Pool("Which?", [f"Text {i}." for i in range(n)])


def random_pool(n: int, d: int, seed: int) -> Pool:
    features = np.random.default_rng(seed).normal(size=(n, d))
    return Pool("Which?", [f"Text {i}." for i in range(n)], features)


def random_person(n: int, seed: int) -> SimulatedPerson:
    """A strict ranking of n responses that no features explain."""
    return SimulatedPerson(utilities=np.random.default_rng(seed).permutation(n))


class Always:
    def __init__(self, said: Picked) -> None:
        self.said = said
        self.asked = 0

    def answer(self, query: Query, pool: Pool) -> Picked:  # noqa: ARG002 - a Person
        self.asked += 1
        assert self.asked <= 300, "asked for ever"
        return self.said


@pytest.mark.parametrize("n", [1, 2, 3, 8, 20, 41])
def test_winner_stays_finds_the_best_in_one_answer_less_than_the_pool(n: int) -> None:
    for seed in range(15):
        person = random_person(n, seed)
        pool = bare_pool(n)
        elicitation = Elicitation(pool, WinnerStays(), seed)
        assert elicitation.recommend().questions_left == n - 1
        recommendation = elicitation.run(person)
        assert recommendation.index == int(person.utilities(pool).argmax())
        assert recommendation.answers == n - 1
        assert recommendation.certified
        assert recommendation.bound == 0.0


def test_winner_stays_shows_each_response_against_the_winner_so_far() -> None:
    pool, person = bare_pool(10), random_person(10, 3)
    elicitation = Elicitation(pool, WinnerStays(), 3)
    elicitation.run(person)
    winner: int | None = None
    met: set[int] = set()
    for answer in elicitation.history:
        assert winner is None or winner in answer.query.options
        fresh = set(answer.query.options) - {winner}
        assert not fresh & met
        met |= fresh
        winner = answer.winner
    assert met | {winner} == set(range(10))


def test_winner_stays_begins_in_a_random_order_of_the_seed() -> None:
    first = [Elicitation(bare_pool(6), WinnerStays(), s).recommend().index for s in range(600)]
    assert chisquare(np.bincount(first, minlength=6)).pvalue > 0.001


def test_winner_stays_keeps_the_incumbent_at_a_tie() -> None:
    pool = bare_pool(7)
    elicitation = Elicitation(pool, WinnerStays(), 2)
    first = elicitation.recommend().index
    recommendation = elicitation.run(Always(TIE))
    assert recommendation.index == first
    assert recommendation.answers == 6
    assert recommendation.certified


def test_winner_stays_does_not_vouch_beside_skipped_responses() -> None:
    recommendation = Elicitation(bare_pool(7), WinnerStays(), 2).run(Always(SKIP))
    assert recommendation.answers == 0
    assert recommendation.bound is None
    assert not recommendation.certified
    assert recommendation.questions_left == 0


def test_winner_stays_brings_a_skipped_response_back_to_the_next_winner() -> None:
    pool = bare_pool(4)
    elicitation = Elicitation(pool, WinnerStays(), 0)
    query = elicitation.ask()
    assert query is not None
    incumbent = elicitation.recommend().index
    skipped = next(i for i in query.options if i != incumbent)
    elicitation.tell(query, SKIP)
    query = elicitation.ask()
    assert query is not None
    assert skipped not in query.options
    elicitation.tell(query, next(p for p, i in enumerate(query.options) if i != incumbent))
    shown: set[int] = set()
    while (query := elicitation.ask()) is not None:
        assert len(elicitation.history) < 10
        shown.update(query.options)
        elicitation.tell(query, query.options.index(elicitation.recommend().index))
    assert skipped in shown
    assert elicitation.recommend().certified
    assert len(elicitation.history) == 4  # three answers and the skip


def test_winner_stays_stops_at_max_steps_without_a_certificate() -> None:
    recommendation = Elicitation(bare_pool(9), WinnerStays(max_steps=3)).run(random_person(9, 1))
    assert recommendation.answers == 3
    assert not recommendation.certified
    assert recommendation.bound is None


def test_iidbest_draws_every_pair_alike() -> None:
    pairs = {frozenset(p): i for i, p in enumerate(itertools.combinations(range(6), 2))}
    counts = np.zeros(len(pairs))
    sides = np.zeros(2)
    pool, person = random_pool(6, 4, 0), random_person(6, 0)
    for seed in range(60):
        elicitation = Elicitation(pool, IIDBest(max_steps=25), seed)
        for query in iter(elicitation.ask, None):
            assert query.number < 25
            counts[pairs[frozenset(query.options)]] += 1
            sides[int(query.options[0] < query.options[1])] += 1
            elicitation.tell(query, person.answer(query, pool))  # type: ignore[arg-type]
    assert counts.sum() == 1500
    assert chisquare(counts).pvalue > 0.001
    assert chisquare(sides).pvalue > 0.001  # the order on the screen is a coin as well


def test_iidbest_draws_do_not_depend_on_the_answers() -> None:
    pool = random_pool(7, 5, 1)
    runs = [Elicitation(pool, IIDBest(max_steps=12), 9) for _ in range(2)]
    for run, said in zip(runs, (0, 1), strict=True):
        run.run(Always(said))
    first, second = ([answer.query for answer in run.history] for run in runs)
    assert first == second


def test_iidbest_returns_the_best_under_the_estimate() -> None:
    for seed in range(10):
        pool = random_pool(12, 6, seed)
        assert pool.features is not None
        person = SimulatedPerson(np.random.default_rng(seed).normal(size=6))
        elicitation = Elicitation(pool, IIDBest(max_steps=20), seed)
        recommendation = elicitation.run(person)
        theta = fit_logistic(comparisons(elicitation.history, pool.features)[0], 3.0)
        utilities = pool.features @ theta
        assert utilities[recommendation.index] == pytest.approx(utilities.max(), abs=1e-7)
        assert recommendation.answers == 20


def test_iidbest_chooses_at_random_before_any_answer() -> None:
    pool = random_pool(5, 3, 0)
    chosen = [Elicitation(pool, IIDBest(), seed).recommend() for seed in range(500)]
    assert chisquare(np.bincount([c.index for c in chosen], minlength=5)).pvalue > 0.001
    assert all(c.bound == 3.0 and not c.certified and c.questions_left == 20 for c in chosen)


def test_iidbest_counts_ties_and_not_skips_and_draws_no_skipped_pair_again() -> None:
    pool = random_pool(5, 3, 0)
    assert Elicitation(pool, IIDBest(max_steps=30)).run(Always(TIE)).answers == 30
    elicitation = Elicitation(pool, IIDBest(max_steps=30))
    recommendation = elicitation.run(Always(SKIP))
    assert recommendation.answers == 0
    assert recommendation.questions_left == 0
    shown = [frozenset(answer.query.options) for answer in elicitation.history]
    assert len(shown) == len(set(shown)) == 10


def test_iidbest_reports_contradictions() -> None:
    pool = random_pool(4, 8, 0)
    recommendation = Elicitation(pool, IIDBest(max_steps=40), 1).run(Always(0))
    assert not recommendation.consistent
    assert not recommendation.certified


def test_iidbest_certifies_once_every_pair_speaks_for_one_response() -> None:
    pool = random_pool(4, 8, 0)
    person = SimulatedPerson(np.random.default_rng(0).normal(size=8))
    recommendation = Elicitation(pool, IIDBest(max_steps=60), 1).run(person)
    assert recommendation.index == int(person.utilities(pool).argmax())
    assert recommendation.certified
    assert recommendation.consistent


def test_iidbest_needs_features_before_it_asks() -> None:
    with pytest.raises(PoolError, match="features"):
        Elicitation(bare_pool(3), IIDBest()).ask()


def test_random_asks_nothing_and_returns_each_response_alike() -> None:
    pool = bare_pool(8)
    chosen = []
    for seed in range(800):
        elicitation = Elicitation(pool, Random(), seed)
        assert elicitation.ask() is None
        recommendation = elicitation.recommend()
        assert not recommendation.certified
        assert recommendation.bound is None
        chosen.append(recommendation.index)
    assert chisquare(np.bincount(chosen, minlength=8)).pvalue > 0.001


def test_oracle_asks_nothing_and_is_right() -> None:
    for seed in range(20):
        utilities = np.random.default_rng(seed).normal(size=9)
        elicitation = Elicitation(bare_pool(9), Oracle(utilities=tuple(utilities)), seed)
        assert elicitation.ask() is None
        recommendation = elicitation.recommend()
        assert recommendation.index == int(utilities.argmax())
        assert recommendation.certified
        assert recommendation.bound == 0.0


def test_oracle_refuses_a_pool_of_another_size() -> None:
    with pytest.raises(ParameterError, match="knows 2 utilities and the pool has 3"):
        Elicitation(bare_pool(3), Oracle(utilities=(0.0, 1.0))).recommend()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_oracle_refuses_utilities_that_are_no_numbers(value: float) -> None:
    with pytest.raises(ParameterError, match="finite"):
        Oracle(utilities=(0.0, value))


def test_iidbest_needs_a_number_of_steps() -> None:
    with pytest.raises(ParameterError, match="max_steps"):
        IIDBest(max_steps=None)


@pytest.mark.parametrize("kind", [IIDBest, WinnerStays])
@pytest.mark.parametrize("most", [-1, 1.5, "3", True])
def test_max_steps_is_a_whole_number(kind: type[Strategy], most: object) -> None:
    with pytest.raises(ParameterError, match="max_steps"):
        kind(max_steps=most)  # type: ignore[call-arg]  # a dataclass of the caller's choice


def test_iidbest_needs_a_positive_norm_bound() -> None:
    with pytest.raises(ParameterError, match="norm_bound"):
        IIDBest(norm_bound=0.0)
