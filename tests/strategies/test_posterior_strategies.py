"""Strategies on a belief: when they stop, what they show, and what they say of it."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate.elicitation import Elicitation
from palate.errors import ParameterError, PoolError
from palate.feedback import SKIP, TIE, Answer, Query
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.preference.belief import (
    best_of_options,
    expected_regret,
    information,
    value_of_asking,
)
from palate.preference.prior import Ball, Features, Mixture, Prior
from palate.preference.sets import SimplexBelief
from palate.strategies import (
    Challenge,
    Eubo,
    InformationGain,
    Strategy,
    Thompson,
    UserAlign,
    View,
    contrary_share,
    doubts,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from palate._typing import FloatArray
    from palate.feedback import Picked
    from palate.strategies.posterior import BeliefStrategy

EVERY: tuple[BeliefStrategy, ...] = (Eubo(), InformationGain(), Thompson(), Challenge())
each = pytest.mark.parametrize("strategy", EVERY, ids=lambda s: s.name)


def make_pool(n: int = 10, d: int = 4, seed: int = 0) -> Pool:
    features = np.random.default_rng(seed).normal(size=(n, d))
    return Pool("Which?", [f"Text {i}." for i in range(n)], features)


def answer(pool: Pool, number: int, options: tuple[int, ...], picked: Picked) -> Answer:
    return Answer(Query(number, options, tuple(pool.responses[i].id for i in options)), picked)


def view_of(pool: Pool, *said: tuple[tuple[int, ...], Picked], seed: int = 0) -> View:
    """A view of answers: what was shown, and the position picked."""
    return View(pool, [answer(pool, t, *one) for t, one in enumerate(said)], seed)


def wins(*pairs: tuple[int, int]) -> list[tuple[tuple[int, ...], Picked]]:
    """Answers of who was picked over whom."""
    return [(pair, 0) for pair in pairs]


def drawn_person(pool: Pool, prior: Features, seed: int) -> tuple[SimulatedPerson, FloatArray]:
    """Somebody drawn from the prior, slope and all, and their utilities in the prior's units."""
    rng = np.random.default_rng([seed, 1])
    (c,) = prior.components(pool)
    u = c.mean + c.factor @ rng.normal(size=c.factor.shape[1])
    u += np.sqrt(c.residual) * rng.normal(size=len(pool))
    slope = float(rng.choice(prior.slopes))
    return SimulatedPerson(utilities=slope * u, noise="logit", seed=seed), u


# --- when they stop ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "people"),
    [
        (lambda prior: Eubo(prior=prior, tolerance=0.06), 100),
        (lambda prior: Eubo(prior=prior, tolerance=0.06, options=3), 60),
        (lambda prior: Thompson(prior=prior, tolerance=0.06), 60),
        (lambda prior: Eubo(prior=prior, tolerance=None, max_steps=4), 120),
    ],
    ids=["eubo", "eubo of three", "thompson", "eubo cut short"],
)
def test_regret_is_what_was_stated(make: Callable[[Features], BeliefStrategy], people: int) -> None:
    """Over people drawn from the prior: at most the tolerance, and as much as was expected."""
    prior = Features(slopes=(1.5, 6.0))
    strategy, stated, lost, ranges = make(prior), [], [], []
    for seed in range(people):
        pool = make_pool(8, 3, seed)
        person, u = drawn_person(pool, prior, seed)
        got = Elicitation(pool, strategy, seed).run(person)
        assert got.expected_regret is not None
        stated.append(got.expected_regret)
        lost.append(u.max() - u[got.index])
        ranges.append(np.ptp(u))
    shares = np.array(lost) / np.mean(ranges)
    error = float(shares.std()) / np.sqrt(people)
    assert abs(shares.mean() - np.mean(stated)) < 3.0 * error
    if strategy.max_steps is None:
        assert np.mean(stated) < 0.06
        assert shares.mean() < 0.06 + 2.0 * error


def test_more_tolerance_means_fewer_questions() -> None:
    asked = []
    for tolerance in (0.3, 0.1, 0.03):
        total = 0
        for seed in range(6):
            pool = make_pool(10, 4, seed)
            person = SimulatedPerson(6.0 * np.random.default_rng(seed).normal(size=4))
            total += Elicitation(pool, Eubo(tolerance=tolerance), seed).run(person).answers
        asked.append(total)
    assert asked == sorted(asked)
    assert asked[0] < asked[-1]


def test_nothing_is_asked_where_all_is_tolerated() -> None:
    for strategy in (Eubo(tolerance=1.0), Thompson(tolerance=1.0), InformationGain(tolerance=1.0)):
        elicitation = Elicitation(make_pool(), strategy)
        assert elicitation.ask() is None
        assert elicitation.recommend().certified
    assert Elicitation(make_pool(), Challenge(epsilon=10.0)).ask() is None


@each
def test_a_certificate_is_what_the_rule_says(strategy: BeliefStrategy) -> None:
    pool = make_pool(8, 3)
    elicitation = Elicitation(pool, strategy, 1)
    person = SimulatedPerson(np.array([2.0, -1.0, 1.0]))
    for _ in range(40):
        got = elicitation.recommend()
        number = got.bound if isinstance(strategy, Challenge) else got.expected_regret
        assert number is not None
        assert (got.bound is None) != (got.expected_regret is None)
        threshold = strategy.epsilon + 1e-6 if isinstance(strategy, Challenge) else 0.02
        assert got.certified == (number <= threshold)
        query = elicitation.ask()
        assert (query is None) == (got.questions_left == 0)
        if query is None:
            break
        elicitation.tell(query, person.answer(query, pool))  # type: ignore[arg-type]
    assert got.certified


@each
def test_without_a_limit_it_ends_after_three_questions_a_response(
    strategy: BeliefStrategy,
) -> None:
    pool = make_pool(4)
    pairs = list(itertools.combinations(range(4), 2))
    said = wins(*(pair if i % 2 else pair[::-1] for i, pair in enumerate(pairs * 2)))
    assert strategy.propose(view_of(pool, *said)) is None
    assert strategy.choose(view_of(pool, *said)).questions_left == 0


def test_on_a_gaussian_prior_a_challenge_keeps_to_its_level() -> None:
    """Nobody certified by a quantile, but with the probability that it names."""
    prior = Features(slopes=(3.0,))
    missed = pairs = 0
    for seed in range(60):
        pool = make_pool(8, 3, seed)
        person, u = drawn_person(pool, prior, seed)
        strategy = Challenge(prior=prior, epsilon=0.3, level=0.9)
        got = Elicitation(pool, strategy, seed).run(person)
        assert got.bound is None
        assert got.expected_regret is not None
        missed += int((u > u[got.index] + 0.3).sum()) if got.certified else 0
        pairs += 7 if got.certified else 0
    assert pairs > 200
    assert missed / pairs < 0.1


# --- contradictions ------------------------------------------------------------------------------


@each
@pytest.mark.parametrize(
    "pairs",
    [[(0, 1), (1, 0)], [(0, 1), (1, 2), (2, 0)], [(3, 4), (0, 1), (1, 2), (2, 3), (3, 0)]],
)
def test_contradictions_are_told(strategy: BeliefStrategy, pairs: list[tuple[int, int]]) -> None:
    pool = make_pool(8, 6)
    assert strategy.choose(view_of(pool, *wins(*pairs[:-1]))).consistent
    choice = strategy.choose(view_of(pool, *wins(*pairs)))
    assert not choice.consistent
    if isinstance(strategy, Challenge):
        assert not choice.certified


def test_a_set_is_contradicted_where_no_two_answers_are() -> None:
    """The one in the middle of a line cannot be the best of three, whatever the weights."""
    pool = Pool(
        "Which?", ["a", "b", "c"], [[-1.0, 0.1], [0.0, 0.1], [1.0, 0.1]], scaling="diameter"
    )
    said = wins((1, 0), (1, 2))
    assert not Challenge().choose(view_of(pool, *said)).consistent
    assert Eubo().choose(view_of(pool, *said)).consistent


def test_a_gaussian_belief_goes_on_to_a_certificate_after_a_contradiction() -> None:
    pool = make_pool(5, 4)
    said = wins((0, 1), (1, 0), *[(0, i) for i in range(1, 5)] * 12)
    choice = Eubo(tolerance=0.05).choose(view_of(pool, *said))
    assert choice.index == 0
    assert not choice.consistent
    assert choice.certified


# --- asking again --------------------------------------------------------------------------------


def rechecked(said: list[tuple[tuple[int, ...], Picked]], pool: Pool, **settings: Any) -> bool:
    """Whether asking again is what makes the difference, after checking that it is worth it."""
    view = view_of(pool, *said)
    strategy = Eubo(**settings)
    again, plain = strategy.propose(view), Eubo(recheck=False, **settings).propose(view)
    assert again is not None
    assert plain is not None
    if set(again) == set(plain):
        return False
    run = strategy.run(view)
    assert run.contradictory
    assert any(set(pair) <= set(again) for pair in run.disputed())
    worth = value_of_asking(run.draws, np.array([again, plain]))
    assert worth[0] > worth[1]
    return True


def test_a_disputed_pair_is_asked_again_where_it_matters() -> None:
    """Two are far ahead of the rest and have each won once: who is better is all that matters."""
    pool = make_pool(6, 8)
    others = [(i, j) for i in (0, 1) for j in range(2, 6)] * 3
    said = wins(*others, (0, 1), (1, 0), (0, 1), (1, 0))
    strategy = Eubo(max_steps=99)
    assert set(strategy.propose(view_of(pool, *said)) or ()) == {0, 1}
    said = wins(*others, (2, 3), (3, 2))
    query = strategy.propose(view_of(pool, *said))
    assert query is not None
    assert set(query) != {2, 3}


def test_asking_again_beats_the_challenger_now_and_then_and_never_unasked() -> None:
    prior = Features(residual=1.0)
    counts = {2: 0, 3: 0}
    for options, seed in itertools.product(counts, range(32)):
        pool = make_pool(6, 4, seed)
        rng = np.random.default_rng(seed)
        said: list[tuple[tuple[int, ...], Picked]] = []
        for _ in range(12):
            pair = tuple(rng.choice(6, 2, replace=False).tolist())
            said.append((pair, int((pair[0] < pair[1]) ^ (rng.random() < 0.8))))
        counts[options] += rechecked(
            said, pool, prior=prior, options=options, tolerance=None, max_steps=99
        )
    assert min(counts.values()) > 0


def test_without_contradictions_asking_again_is_not_considered() -> None:
    for seed in range(5):
        pool = make_pool(8, 3, seed)
        said = wins(*((i, j) for i, j in itertools.combinations(range(8), 2) if (i + j) % 3))
        assert not rechecked(said, pool, tolerance=None, max_steps=99)


# --- what is shown -------------------------------------------------------------------------------


@pytest.mark.parametrize("answers", [0, 2, 5, 9])
def test_a_bound_says_early_that_the_regret_is_above_the_tolerance(answers: int) -> None:
    """It must be below what draws have, and spare them where the regret is large."""
    spared = 0
    for seed in range(10):
        pool, rng = make_pool(10, 4, seed), np.random.default_rng(seed)
        said = [tuple(rng.choice(10, 2, replace=False).tolist()) for _ in range(answers)]
        strategy = Eubo(recheck=False)
        run = strategy.run(view_of(pool, *wins(*said), seed=seed))
        regret = expected_regret(run.draws, run.incumbent)
        assert not run.regret_is_above(1.2 * regret)
        assert run.regret_is_above(0.99 * regret)
        again = strategy.run(view_of(pool, *wins(*said), seed=seed))
        assert again.regret_is_above(0.1 * regret)
        spared += "draws" not in again.__dict__
    assert spared == 10


def test_the_worst_response_is_worth_no_less_than_said() -> None:
    pool = make_pool(10, 4, 3)
    run = Eubo().run(view_of(pool, *wins((0, 1), (2, 3), (2, 0))))
    drawn = run.belief.draws(np.random.default_rng(0), 20_000).utilities
    least = run.belief.worst_at_least()
    assert drawn.min(axis=1).mean() - 2.0 < least < drawn.min(axis=1).mean()


def test_eubo_shows_what_makes_the_best_of_two_most_valuable() -> None:
    pool = make_pool(10, 4, 3)
    strategy = Eubo(recheck=False)
    view = view_of(pool, *wins((0, 1), (2, 3), (2, 0)))
    query = strategy.propose(view)
    assert query is not None
    run = strategy.run(view)
    assert query[0] == run.incumbent
    worth = run.worth.copy()
    assert query[1] == max(set(range(10)) - {run.incumbent}, key=lambda i: worth[i])


@pytest.mark.parametrize("k", [3, 4])
def test_options_chosen_jointly_are_worth_no_less_than_greedy_ones(k: int) -> None:
    better = 0
    for seed in range(30):
        pool = make_pool(12, 4, seed)
        strategy = Eubo(options=k, recheck=False, tolerance=None, max_steps=99)
        view = view_of(pool, *wins((0, 1), (2, 3), (4, 5)), seed=seed)
        query = strategy.propose(view)
        assert query is not None
        assert len(query) == k
        run = strategy.run(view)
        worth = run.worth.copy()
        worth[run.incumbent] = -np.inf
        greedy: tuple[int, ...] = (run.incumbent, int(worth.argmax()))
        while len(greedy) < k:
            more = [(*greedy, i) for i in range(12) if i not in greedy]
            greedy = more[int(best_of_options(run.draws, np.array(more)).argmax())]
        values = best_of_options(run.draws, np.array([query, greedy]))
        assert values[0] >= values[1] - 1e-12
        better += values[0] > values[1] + 1e-9
    assert better > 0


def test_information_gain_shows_the_pair_that_says_most() -> None:
    pool = make_pool(9, 4, 5)
    strategy = InformationGain()
    view = view_of(pool, *wins((0, 1), (2, 3)))
    query = strategy.propose(view)
    run = strategy.run(view)
    pairs = list(itertools.combinations(range(9), 2))
    gained = information(run.draws, np.array(pairs))
    assert query is not None
    assert tuple(sorted(query)) == pairs[int(gained.argmax())]


def test_thompson_shows_the_favourites_of_drawn_tastes() -> None:
    pool = make_pool(9, 4, 5)
    firsts = []
    for seed in range(40):
        view = view_of(pool, *wins((0, 1), (0, 2), (0, 3), (0, 4)), seed=seed)
        query = Thompson(tolerance=None, max_steps=9).propose(view)
        assert query is not None
        firsts.append(query[0])
    shares = np.bincount(firsts, minlength=9) / 40
    run = Thompson().run(view)
    best = np.bincount(run.draws.utilities.argmax(axis=1), minlength=9) / len(run.draws.slopes)
    assert np.abs(shares - best).max() < 0.3
    assert len(set(firsts)) > 1


@pytest.mark.parametrize(("n", "d"), [(6, 2), (12, 4), (20, 16)])
@pytest.mark.parametrize("seed", range(3))
def test_a_challenge_in_a_ball_is_useralign_inside(n: int, d: int, seed: int) -> None:
    """Step by step after the first answer, which a random incumbent of each strategy precedes."""
    pool = make_pool(n, d, seed)
    useralign, challenge = UserAlign(estimate="inside"), Challenge()
    person = SimulatedPerson(np.random.default_rng(seed).normal(size=d))
    elicitation = Elicitation(pool, useralign, seed)
    while (query := elicitation.ask()) is not None:
        elicitation.tell(query, person.answer(query, pool))  # type: ignore[arg-type]
        view = elicitation.view
        assert challenge.propose(view) == useralign.propose(view)
        one, two = challenge.choose(view), useralign.choose(view)
        assert (one.index, one.certified, one.consistent) == (two.index, two.certified, True)
        assert one.bound == pytest.approx(two.bound, abs=1e-7)
        assert one.questions_left == two.questions_left


def test_a_challenge_of_four_shows_the_largest_margins() -> None:
    pool = make_pool(10, 4)
    strategy = Challenge(options=4)
    view = view_of(pool, *wins((0, 1), (2, 3)))
    query = strategy.propose(view)
    run = strategy.run(view)
    margins = run.belief.advantage(run.incumbent, 0.95)
    others = [i for i in np.argsort(-margins).tolist() if i != 3]  # 3 lost to 2, which is shown
    assert query == (run.incumbent, *others[:3])


def test_a_challenge_shows_no_more_than_may_be_better() -> None:
    """Of five on a line, once the direction is known, none; before, the two ends."""
    features = [[0.1 * i, 0.2] for i in range(5)]
    pool = Pool("Which?", list("abcde"), features, scaling="diameter")
    strategy = Challenge(options=5, epsilon=0.0)
    assert strategy.propose(view_of(pool, *wins((4, 0)))) is None
    query = strategy.propose(view_of(pool, ((0, 4), SKIP)))
    assert query is not None
    assert not {0, 4} <= set(query)


class Pair(Prior):
    """The simplex of two prototypes, of whom one likes the first responses and one the last."""

    name = "pair"

    def start(self, pool: Pool) -> SimplexBelief:
        place = np.linspace(0.0, 1.0, len(pool))
        hump = -((place[:, None] - np.array([0.2, 0.8])) ** 2)
        return SimplexBelief.start(np.zeros(len(pool)), 4.0 * hump, np.array([0.5, 0.5]))

    def settings(self) -> dict[str, Any]:
        return {"name": self.name}


@pytest.mark.parametrize("share", [0.05, 0.4, 0.9])
def test_on_a_simplex_few_questions_make_a_certificate(share: float) -> None:
    pool = Pool("Which?", [f"Text {i}." for i in range(30)])  # it needs no features
    belief = Pair().start(pool)
    utilities = belief.scores @ np.array([1.0 - share, share])
    got = Elicitation(pool, Challenge(prior=Pair()), 2).run(SimulatedPerson(utilities=utilities))
    assert got.certified
    assert got.index == int(utilities.argmax())
    assert got.answers <= 8


# --- ties and skips ------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("said", [TIE, SKIP])
@pytest.mark.parametrize("options", [2, 3])
def test_what_tied_or_was_skipped_is_not_shown_together_again(
    strategy: BeliefStrategy, said: Picked, options: int
) -> None:
    settings = {k: v for k, v in strategy.settings().items() if k != "name"}
    strategy = type(strategy)(**(settings | {"options": options}))
    pool = make_pool(6, 3)
    elicitation = Elicitation(pool, strategy)
    closed: set[frozenset[int]] = set()
    while (query := elicitation.ask()) is not None:
        pairs = {frozenset(pair) for pair in itertools.combinations(query.options, 2)}
        assert not pairs & closed
        elicitation.tell(query, said)
        closed |= pairs
    assert elicitation.recommend().questions_left == 0


def test_what_tied_is_no_better_and_what_was_skipped_may_be() -> None:
    """With one rival left, a tie settles it and a skip leaves the bound as it was."""
    pool = make_pool(2, 3)
    before = Challenge().choose(view_of(pool)).bound
    tied = Challenge().choose(view_of(pool, ((0, 1), TIE)))
    assert (tied.bound, tied.certified) == (0.0, True)
    skipped = Challenge().choose(view_of(pool, ((0, 1), SKIP)))
    assert skipped.bound == pytest.approx(before)
    assert not skipped.certified
    assert skipped.questions_left == 0


def test_before_any_pick_the_seed_says_who_is_first() -> None:
    pool = make_pool(10)
    first = {Eubo().choose(view_of(pool, seed=seed)).index for seed in range(30)}
    assert len(first) > 5
    for seed in range(3):
        skipped = view_of(pool, ((0, 1), SKIP), seed=seed)
        assert Eubo().choose(skipped).index == Eubo().choose(view_of(pool, seed=seed)).index


@each
def test_an_order_says_as_much_as_its_picks(strategy: BeliefStrategy) -> None:
    pool = make_pool(7, 3)
    ordered = view_of(pool, ((4, 2, 0), (0, 1, 2)))
    picked = view_of(pool, ((4, 2, 0), 0), ((2, 0), 0))
    means = [strategy.run(view).belief.mean() for view in (ordered, picked)]
    assert means[0] == pytest.approx(means[1], abs=1e-9)


# --- doubts --------------------------------------------------------------------------------------


def test_the_answer_against_all_others_is_in_doubt_first() -> None:
    pool = make_pool(5, 4)
    said = wins((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3), (3, 0), (0, 1), (0, 2), (0, 3))
    found = doubts(view_of(pool, *said))
    assert sorted(number for number, _ in found) == list(range(10))
    assert found == sorted(found, key=lambda one: -one[1])
    number, probability = found[0]
    assert number == 6
    assert probability > 0.5
    assert found[1][1] < 0.5 * probability


def test_ties_and_skips_are_in_no_doubt() -> None:
    pool = make_pool(4)
    found = doubts(view_of(pool, ((0, 1), TIE), ((1, 2), 0), ((2, 3), SKIP)))
    assert [number for number, _ in found] == [1]
    assert 0.0 < found[0][1] < 0.5
    assert doubts(view_of(pool)) == []
    assert contrary_share(view_of(pool)) == 0.0


def test_the_share_of_contrary_answers_is_told() -> None:
    """On average over people drawn from the prior, and more of those whose answers are flipped."""
    prior = Features(slopes=(0.75, 3.0, 12.0))
    told, true, flipped = [], [], []
    for seed in range(20):
        pool = make_pool(8, 3, seed)
        person, u = drawn_person(pool, prior, seed)
        strategy = Thompson(prior=prior, tolerance=None, max_steps=12)
        elicitation = Elicitation(pool, strategy, seed)
        elicitation.run(person)
        told.append(contrary_share(elicitation.view, prior))
        true.append(person.contrary / person.asked)
        again = Elicitation(pool, strategy, seed)
        again.run(SimulatedPerson(utilities=u, flip_rate=0.4, seed=seed))
        flipped.append(contrary_share(again.view, prior))
    off = np.array(told) - true
    assert abs(off.mean()) < 3.0 * off.std() / np.sqrt(20)
    assert np.corrcoef(told, true)[0, 1] > 0.5
    assert np.mean(flipped) > 0.2


def test_a_pick_out_of_three_is_contrary_where_any_other_was_better() -> None:
    pool = make_pool(4, 3)
    pair, three = view_of(pool, ((0, 1), 0)), view_of(pool, ((0, 1, 2), 0))
    noise = Features(residual=1.0, slopes=(1e-6,))
    assert doubts(pair, noise)[0][1] == pytest.approx(1 / 2, abs=0.06)
    assert doubts(three, noise)[0][1] == pytest.approx(2 / 3, abs=0.06)
    order = view_of(pool, ((0, 1, 2), (0, 1, 2)))
    assert doubts(order, noise)[0][1] == pytest.approx(5 / 6, abs=0.06)


def test_who_takes_answers_as_true_doubts_none_until_they_contradict() -> None:
    pool = make_pool(6, 4)
    assert contrary_share(view_of(pool, *wins((0, 1), (2, 3))), Ball()) == 0.0
    assert contrary_share(view_of(pool, *wins((0, 1), (1, 0), (0, 1))), Ball()) > 0.0


def test_doubts_need_no_particular_strategy() -> None:
    pool = make_pool(8, 3)
    elicitation = Elicitation(pool, UserAlign(max_steps=5))
    elicitation.run(SimulatedPerson(np.ones(3)))
    assert len(doubts(elicitation.view)) == len(elicitation.history) > 0


# --- settings ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "value", "rule"),
    [
        (lambda: Eubo(options=1), "1", "at least 2"),
        (lambda: Eubo(options=True), "True", "at least 2"),
        (lambda: Eubo(options=2.0), "2.0", "at least 2"),  # type: ignore[arg-type]
        (lambda: Eubo(max_steps=-1), "-1", "at least 0"),
        (lambda: Eubo(tolerance=1.2), "1.2", "between 0 and 1"),
        (lambda: Thompson(tolerance=float("nan")), "nan", "between 0 and 1"),
        (lambda: InformationGain(tolerance=None), "tolerance=None", "max_steps as well"),
        (lambda: Challenge(epsilon=-0.1), "-0.1", "epsilon >= 0"),
        (lambda: Challenge(epsilon=float("inf")), "inf", "epsilon >= 0"),
        (lambda: Challenge(level=0.5), "0.5", "0.5 < level < 1"),
        (lambda: Challenge(prior="ball"), "'ball'", "must be a Prior"),  # type: ignore[arg-type]
        (
            lambda: Eubo(prior={"name": "population"}),  # type: ignore[arg-type]
            "'population'",
            "pass the strategy",
        ),
    ],
)
def test_what_is_out_of_range_is_told_with_its_value(
    make: Callable[[], Strategy], value: str, rule: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        make()
    message = str(caught.value)
    assert value in message
    assert rule in message
    assert "\n" not in message


def test_a_log_names_the_prior_and_a_learned_one_has_to_be_passed() -> None:
    pool = make_pool(6)
    prior = Mixture((Features(), Features("rbf")), (1.0, 2.0))
    elicitation = Elicitation(pool, Eubo(prior=prior, max_steps=3), seed=1)
    elicitation.run(SimulatedPerson(np.ones(4)))
    resumed = Elicitation.from_json(elicitation.to_json(), pool)
    assert resumed.strategy == elicitation.strategy
    assert resumed.recommend().index == elicitation.recommend().index
    assert resumed.ask() == elicitation.ask()


@each
def test_a_pool_without_features_is_refused_where_the_prior_needs_them(
    strategy: BeliefStrategy,
) -> None:
    pool = Pool("Which?", ["a", "b", "c"])
    with pytest.raises(PoolError, match="needs features"):
        strategy.propose(View(pool, [], seed=0))


# --- what is settled -----------------------------------------------------------------------------


@each
def test_a_pair_comes_again_only_where_the_belief_doubts_its_answer(
    strategy: BeliefStrategy,
) -> None:
    elicitation = Elicitation(make_pool(6, 3), strategy, 1)
    picked: dict[frozenset[int], int] = {}
    for _ in range(15):
        query = elicitation.ask()
        if query is None:
            break
        if (winner := picked.get(frozenset(query.options))) is not None:
            mean = strategy.run(elicitation.view).belief.mean()
            [loser] = set(query.options) - {winner}
            assert mean[loser] >= mean[winner]
        best = max(query.options)  # utilities are the responses' places
        elicitation.tell(query, query.options.index(best))
        picked[frozenset(query.options)] = best
    assert elicitation.recommend().index == 5


@pytest.mark.parametrize("strategy", [Eubo(), InformationGain(), Thompson()], ids=lambda s: s.name)
def test_two_responses_take_one_question(strategy: BeliefStrategy) -> None:
    elicitation = Elicitation(make_pool(2, 3), strategy, 0)
    query = elicitation.ask()
    assert query is not None
    elicitation.tell(query, 0)
    assert elicitation.ask() is None
    assert not elicitation.recommend().certified
