"""Simulated people answer as their model says, whatever the order on the screen."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import binom, chisquare

from palate.elicitation import Elicitation
from palate.errors import ParameterError, PoolError
from palate.feedback import TIE, Query
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.strategies import IIDBest

if TYPE_CHECKING:
    from palate.people.simulated import Noise


def make_pool(n: int, d: int = 4, seed: int = 0) -> Pool:
    features = np.random.default_rng(seed).normal(size=(n, d))
    return Pool("Which?", [f"Text {i}." for i in range(n)], features)


def query(number: int, *options: int) -> Query:
    return Query(number, options, tuple(f"r{i + 1}" for i in options))


def winner(person: SimulatedPerson, asked: Query, pool: Pool) -> int:
    reply = person.answer(asked, pool)
    assert isinstance(reply, int)
    return asked.options[reply]


def likely(successes: int, trials: int, probability: float) -> bool:
    """Whether a count lies in the central 99.9 % of its binomial distribution."""
    low, high = binom.interval(0.999, trials, probability)
    return bool(low <= successes <= high)


def test_a_consistent_person_picks_the_best_option_of_any_number() -> None:
    pool = make_pool(7)
    theta = np.random.default_rng(1).normal(size=4)
    person = SimulatedPerson(theta)
    assert pool.features is not None
    utilities = pool.features @ theta
    assert np.array_equal(person.utilities(pool), utilities)
    for size in (2, 3, 4, 7):
        for options in itertools.permutations(range(7), size):
            if options[0] == 3 or size == 2:
                best = max(options, key=lambda i: utilities[i])
                assert winner(person, query(0, *options), pool) == best
    assert person.contrary == 0
    assert person.contrary_rate == 0.0


def test_utilities_need_no_features() -> None:
    pool = Pool("Which?", ["a", "b", "c"])
    person = SimulatedPerson(utilities=[0.0, 2.0, 1.0])
    assert winner(person, query(0, 0, 2), pool) == 2
    assert winner(person, query(1, 2, 1, 0), pool) == 1


@pytest.mark.parametrize("gap", [0.0, 0.3, 1.0, 2.5])
def test_logit_picks_by_the_sigmoid_of_the_difference(gap: float) -> None:
    pool = Pool("Which?", ["a", "b"])
    person = SimulatedPerson(utilities=[gap, 0.0], noise="logit", seed=3)
    trials = 2000
    wins = sum(winner(person, query(t, *[(0, 1), (1, 0)][t % 2]), pool) == 0 for t in range(trials))
    assert likely(wins, trials, float(expit(gap)))


def test_logit_of_four_picks_by_the_softmax() -> None:
    pool = Pool("Which?", ["a", "b", "c", "d"])
    utilities = np.array([0.0, 1.0, -1.0, 0.5])
    person = SimulatedPerson(utilities=utilities, noise="logit", seed=5)
    rng = np.random.default_rng(0)
    picked = [winner(person, query(t, *rng.permutation(4).tolist()), pool) for t in range(3000)]
    expected = np.exp(utilities) / np.exp(utilities).sum() * 3000
    assert chisquare(np.bincount(picked, minlength=4), expected).pvalue > 0.001


def test_logit_stands_utilities_of_any_size() -> None:
    pool = Pool("Which?", ["a", "b", "c"])
    person = SimulatedPerson(utilities=[1e6, -1e6, 0.0], noise="logit")
    assert all(winner(person, query(t, 1, 0, 2), pool) == 0 for t in range(50))


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_flips_happen_at_their_rate_and_are_counted(rate: float) -> None:
    pool = Pool("Which?", ["a", "b", "c"])
    person = SimulatedPerson(utilities=[2.0, 1.0, 0.0], flip_rate=rate, seed=8)
    picked = np.bincount(
        [winner(person, query(t, 0, 1, 2), pool) for t in range(2000)], minlength=3
    )
    assert person.asked == 2000
    assert person.contrary == 2000 - picked[0]
    assert person.contrary_rate == person.contrary / 2000
    assert likely(person.contrary, 2000, rate)
    if person.contrary:  # a flip goes to either of the others
        assert likely(int(picked[1]), person.contrary, 0.5)


def ranking(person: SimulatedPerson, asked: Query, pool: Pool) -> tuple[int, ...]:
    """The order given, in pool indices."""
    reply = person.answer(asked, pool)
    assert isinstance(reply, tuple)
    return tuple(asked.options[i] for i in reply)


def test_a_consistent_person_orders_by_utility() -> None:
    pool, utilities = Pool("Which?", list("abcdef")), [0.3, 2.0, -1.0, 0.3, 5.0, 0.0]
    person = SimulatedPerson(utilities=utilities, order=True)
    expected = [4, 1, 0, 3, 5, 2]  # of equal ones the first in the pool
    for size in (3, 4, 6):
        for options in itertools.permutations(range(6), size):
            if size < 6 or options[0] == 2:
                ranked = ranking(person, query(0, *options), pool)
                assert ranked == tuple(i for i in expected if i in options)
    assert person.contrary == 0


def test_logit_orders_follow_plackett_and_luce() -> None:
    pool, utilities = Pool("Which?", list("abcd")), np.array([0.0, 1.0, -1.0, 0.5])
    person = SimulatedPerson(utilities=utilities, noise="logit", order=True, seed=5)
    rng = np.random.default_rng(0)
    orders = list(itertools.permutations(range(4)))
    counts = dict.fromkeys(orders, 0)
    for t in range(4000):
        counts[ranking(person, query(t, *rng.permutation(4).tolist()), pool)] += 1
    weights = np.exp(utilities)
    expected = [
        np.prod([weights[i] / weights[list(order[place:])].sum() for place, i in enumerate(order)])
        for order in orders
    ]
    assert sum(expected) == pytest.approx(1.0)
    assert chisquare(list(counts.values()), 4000 * np.array(expected)).pvalue > 0.001


@pytest.mark.parametrize("rate", [0.0, 0.2, 1.0])
def test_a_flip_of_an_order_exchanges_two_neighbours_any_two_alike(rate: float) -> None:
    pool = Pool("Which?", list("abcd"))
    person = SimulatedPerson(utilities=[3.0, 2.0, 1.0, 0.0], order=True, flip_rate=rate, seed=8)
    seen = {(0, 1, 2, 3): 0, (1, 0, 2, 3): 0, (0, 2, 1, 3): 0, (0, 1, 3, 2): 0}
    for t in range(2000):
        seen[ranking(person, query(t, 3, 1, 0, 2), pool)] += 1  # type: ignore[index]
    right, first, *others = seen.values()
    assert likely(2000 - right, 2000, rate)
    if rate:
        assert chisquare([first, *others]).pvalue > 0.001
    assert person.contrary == first  # only those change who comes first


@pytest.mark.parametrize("flip_rate", [0.0, 0.3])
@pytest.mark.parametrize("noise", ["none", "logit"])
def test_of_two_an_order_is_the_pick_and_of_more_it_begins_with_it(
    noise: Noise, flip_rate: float
) -> None:
    pool = Pool("Which?", list("abcde"))
    utilities = [0.3, 0.1, 0.2, 0.0, -0.5]
    picks, orders = (
        SimulatedPerson(utilities=utilities, noise=noise, flip_rate=flip_rate, order=order, seed=4)
        for order in (False, True)
    )
    for t in range(200):
        asked = query(t, t % 5, (t + 1 + t % 3) % 5)
        assert picks.answer(asked, pool) == orders.answer(asked, pool)
        several = query(t, *np.random.default_rng(t).permutation(5)[: 3 + t % 3].tolist())
        first = ranking(orders, several, pool)[0]
        assert flip_rate or first == winner(picks, several, pool)


def test_a_person_who_orders_calls_ties_as_well() -> None:
    pool = Pool("Which?", list("abc"))
    person = SimulatedPerson(utilities=[0.0, 0.09, 0.5], tie_below=0.1, order=True)
    assert person.answer(query(0, 0, 1), pool) == TIE
    assert ranking(person, query(1, 0, 1, 2), pool) == (2, 1, 0)


def test_a_seed_keeps_its_answers() -> None:
    """Runs of simulated people are compared from version to version."""
    pool = Pool("Which?", list("abcde"))
    person = SimulatedPerson(utilities=np.arange(5) / 4, noise="logit", flip_rate=0.2, seed=3)
    said = [winner(person, query(t, t % 5, (t + 2) % 5), pool) for t in range(16)]
    assert said == [0, 1, 4, 0, 4, 2, 1, 4, 3, 1, 0, 3, 4, 3, 4, 2]


def test_the_realised_rate_of_logit_answers_is_counted_too() -> None:
    pool = Pool("Which?", ["a", "b"])
    person = SimulatedPerson(utilities=[0.4, 0.0], noise="logit", flip_rate=0.2, seed=1)
    wrong = sum(winner(person, query(t, 0, 1), pool) == 1 for t in range(3000))
    assert person.contrary == wrong
    right = float(expit(0.4))
    assert likely(wrong, 3000, 1.0 - (right * 0.8 + (1.0 - right) * 0.2))


def test_nobody_asked_has_no_contrary_answers() -> None:
    assert SimulatedPerson([1.0]).contrary_rate == 0.0


def test_close_utilities_are_a_tie() -> None:
    pool = Pool("Which?", ["a", "b", "c"])
    person = SimulatedPerson(utilities=[0.0, 0.09, 0.5], tie_below=0.1)
    assert person.answer(query(0, 0, 1), pool) == TIE
    assert person.answer(query(1, 1, 0), pool) == TIE
    assert winner(person, query(2, 0, 2), pool) == 2
    assert winner(person, query(3, 0, 1, 2), pool) == 2  # the three are not alike
    assert person.contrary == 0


@pytest.mark.parametrize("noise", ["none", "logit"])
@pytest.mark.parametrize("utilities", [[0.3, 0.1, 0.2, 0.0], [1.0, 1.0, 1.0, 0.0]])
def test_the_order_shown_does_not_change_the_answer(noise: str, utilities: list[float]) -> None:
    """Of equal utilities the same one is picked as well."""
    pool = Pool("Which?", ["a", "b", "c", "d"])
    person = SimulatedPerson(utilities=utilities, noise=noise, flip_rate=0.3, seed=4)  # type: ignore[arg-type]
    for size in (2, 3, 4):
        for options in itertools.combinations(range(4), size):
            for number in range(6):
                picked = {
                    winner(person, query(number, *shown), pool)
                    for shown in itertools.permutations(options)
                }
                assert len(picked) == 1
                person.order = size > 2
                ranked = {
                    ranking(person, query(number, *shown), pool)
                    for shown in itertools.permutations(options)
                    if size > 2
                }
                assert len(ranked) <= 1
                person.order = False


def test_the_same_person_answers_the_same_again() -> None:
    pool = make_pool(9)
    strategy = IIDBest(max_steps=30)
    histories = []
    for seed in (1, 1, 2):
        person = SimulatedPerson(np.ones(4), noise="logit", flip_rate=0.2, seed=seed)
        elicitation = Elicitation(pool, strategy, seed=6)
        elicitation.run(person)
        histories.append([answer.picked for answer in elicitation.history])
    assert histories[0] == histories[1]
    assert histories[0] != histories[2]


def test_answers_to_other_questions_do_not_disturb_the_noise() -> None:
    """A question asked in between, or asked twice, changes no other answer."""
    pool = make_pool(6)
    plain, disturbed = (SimulatedPerson(np.ones(4), noise="logit", seed=2) for _ in range(2))
    for t in range(40):
        asked = query(t, t % 6, (t + 1) % 6)
        disturbed.answer(query(1000 + t, 0, 1), pool)
        disturbed.answer(asked, pool)
        assert plain.answer(asked, pool) == disturbed.answer(asked, pool)


def test_float32_features_are_judged_in_double_precision() -> None:
    features = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    pool = Pool("Which?", list("abcde"), features)
    assert SimulatedPerson(np.ones(3)).utilities(pool).dtype == np.float64


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({}, "theta or utilities"),
        ({"theta": [1.0], "utilities": [1.0]}, "theta or utilities"),
        ({"theta": [1.0], "noise": "gumbel"}, "'gumbel'"),
        ({"theta": [1.0], "flip_rate": -0.1}, "flip_rate=-0.1"),
        ({"theta": [1.0], "flip_rate": 1.1}, "flip_rate=1.1"),
        ({"theta": [1.0], "flip_rate": float("nan")}, "flip_rate=nan"),
        ({"theta": [1.0], "tie_below": -1.0}, "tie_below=-1.0"),
        ({"theta": [1.0], "tie_below": float("nan")}, "tie_below=nan"),
        ({"theta": [1.0], "seed": -1}, "seed"),
        ({"theta": [1.0, float("nan")]}, "theta must be a list of finite numbers"),
        ({"theta": [[1.0]]}, "theta must be a list of finite numbers"),
        ({"utilities": [1.0, float("inf")]}, "utilities must be a list of finite numbers"),
    ],
)
def test_settings_outside_their_range_are_refused(settings: dict[str, object], named: str) -> None:
    with pytest.raises(ParameterError, match=named):
        SimulatedPerson(**settings)  # type: ignore[arg-type]  # wrong on purpose


def test_a_person_who_does_not_fit_the_pool_is_refused() -> None:
    pool = make_pool(3, d=4)
    with pytest.raises(PoolError, match=r"\(3, 4\)"):
        SimulatedPerson([1.0, 2.0]).answer(query(0, 0, 1), pool)
    with pytest.raises(PoolError, match="None"):
        SimulatedPerson([1.0]).answer(query(0, 0, 1), Pool("Which?", ["a", "b"]))
    with pytest.raises(PoolError, match="the pool has 3"):
        SimulatedPerson(utilities=[1.0, 2.0]).answer(query(0, 0, 1), pool)
