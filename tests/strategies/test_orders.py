"""Orders of what is shown: their likelihood, their half-spaces, what strategies make of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from palate.elicitation import Elicitation
from palate.errors import ParameterError
from palate.feedback import Answer, Picked, Query
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.preference import VersionSpace, fit_multinomial, multinomial_loss
from palate.preference.confidence import confidence_radius
from palate.strategies import (
    IIDBest,
    UserAlign,
    UserAlignLoss,
    View,
    WinnerStays,
    comparisons,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from palate._typing import FloatArray

FOUR = (4, 1, 5, 2)


def table(n: int, d: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(n, d))


def a_pool(n: int, d: int, seed: int = 0) -> Pool:
    return Pool("Which?", [f"Text {i}." for i in range(n)], table(n, d, seed))


def features_of(pool: Pool) -> FloatArray:
    assert pool.features is not None
    return pool.features.astype(np.float64)


def answer(options: Sequence[int], picked: Picked, number: int = 0) -> Answer:
    return Answer(Query(number, tuple(options), tuple(f"r{i + 1}" for i in options)), picked)


def plackett_luce(utilities: FloatArray, order: Iterable[int]) -> float:
    """Probability of an order: the product formula, as Plackett and Luce have it."""
    weights, probability = np.exp(utilities), 1.0
    rest = float(weights.sum())
    for place in order:
        probability *= weights[place] / rest
        rest -= weights[place]
    return probability


# --- the likelihood -----------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [0.1, 1.0, 4.0])
@pytest.mark.parametrize("m", [2, 3, 4])
def test_the_loss_of_an_order_is_that_of_plackett_and_luce(m: int, scale: float) -> None:
    x, theta = table(6, 3), scale * table(1, 3, seed=1)[0]
    utilities = x[list(FOUR)] @ theta
    total = 0.0
    for order in itertools.permutations(range(4), m):
        rows, stages = comparisons([answer(FOUR, order)], x)
        probability = np.exp(-multinomial_loss(theta, rows, stages))
        assert probability == pytest.approx(plackett_luce(utilities, order), rel=1e-9)
        total += probability
    assert total == pytest.approx(1.0, rel=1e-12)


def test_the_first_places_are_as_probable_as_all_orders_that_begin_with_them() -> None:
    x, theta = table(6, 3), table(1, 3, seed=2)[0]

    def probability(order: tuple[int, ...]) -> float:
        return float(np.exp(-multinomial_loss(theta, *comparisons([answer(FOUR, order)], x))))

    for top in itertools.permutations(range(4), 2):
        whole = [o for o in itertools.permutations(range(4)) if o[:2] == top]
        assert probability(top) == pytest.approx(sum(map(probability, whole)), rel=1e-12)


def test_each_stage_has_rows_of_its_own() -> None:
    x = table(6, 3)
    answers = [
        answer(FOUR, (2, 0, 3, 1)),
        answer(FOUR, "tie", 1),
        answer((0, 3), 1, 2),
        answer(FOUR, (1, 3), 3),
        answer((2, 3, 5), 0, 4),
    ]
    rows, stages = comparisons(answers, x)
    assert stages.tolist() == [0, 0, 0, 1, 1, 2, 3, 4, 4, 4, 5, 5, 6, 6]
    winners = [5, 5, 5, 4, 4, 2, 3, 1, 1, 1, 2, 2, 2, 2]
    losers = [4, 1, 2, 1, 2, 1, 0, 4, 5, 2, 4, 5, 3, 5]
    assert np.array_equal(rows, x[winners] - x[losers])


def test_a_taste_is_learnt_from_simulated_orders() -> None:
    """The person's noise and the likelihood are one model."""
    pool, theta = a_pool(8, 2, seed=3), np.array([3.0, -2.0])
    person = SimulatedPerson(theta, noise="logit", order=True, seed=1)
    rng = np.random.default_rng(5)
    answers = []
    for t in range(600):
        shown = answer(rng.permutation(8)[:4].tolist(), 0, t).query
        answers.append(Answer(shown, person.answer(shown, pool)))  # type: ignore[arg-type]
    rows, stages = comparisons(answers, features_of(pool))
    found = fit_multinomial(rows, stages, 20.0)
    assert np.abs(found - theta).max() < 0.4


# --- the version space --------------------------------------------------------------------------


def test_neighbours_imply_the_other_half_spaces_of_an_order() -> None:
    x = table(7, 5)
    shown = (3, 0, 6, 2, 5)
    for picked, kept in (((2, 4, 0, 1, 3), 4), ((2, 4), 4), ((2, 4, 0), 4), (2, 4)):
        one = answer(shown, picked)
        rows, stages = comparisons([one], x)
        space = VersionSpace(rows, groups=stages)
        assert len(space._normals) == kept
        every = VersionSpace(rows)  # each row an answer, none left out
        assert len(every._normals) == len(rows)
        directions = table(20, 5, seed=9)
        np.testing.assert_allclose(space.support(directions), every.support(directions), atol=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_half_spaces_left_out_change_nothing(seed: int) -> None:
    """Picks and orders of a person in few dimensions, where answers repeat and imply each other."""
    rng = np.random.default_rng(seed)
    x, theta = table(6, 3, seed), rng.normal(size=3)
    answers = []
    for t in range(8):
        k = int(rng.integers(2, 6))
        shown = rng.permutation(6)[:k].tolist()
        ranked = np.argsort(-x[shown] @ theta).tolist()
        picked = ranked[0] if t % 3 == 0 or k == 2 else tuple(ranked[: int(rng.integers(2, k + 1))])
        answers.append(answer(shown, picked, t))
    rows, stages = comparisons(answers, x)
    space, every = VersionSpace(rows, groups=stages), VersionSpace(rows)
    assert len(space._normals) < len(every._normals)
    assert not space.loss_can_bind
    directions = table(30, 3, seed + 100)
    np.testing.assert_allclose(space.support(directions), every.support(directions), atol=1e-8)
    assert space.contradictory == every.contradictory
    assert space.contains(3.0 * theta / np.sqrt(theta @ theta))


def test_picks_that_are_no_stages_keep_all_their_half_spaces() -> None:
    x = table(8, 6)
    rows, stages = comparisons([answer((0, 1, 2, 3), 0), answer((1, 4, 5), 0, 1)], x)
    assert len(VersionSpace(rows, groups=stages)._normals) == 5
    # The same number of rows in turn, but of other responses.
    rows, stages = comparisons([answer((0, 1, 2, 3), 0), answer((1, 2, 4), 0, 1)], x)
    assert len(VersionSpace(rows, groups=stages)._normals) == 5


def test_an_order_counts_towards_t_once_a_stage() -> None:
    x = table(6, 3)
    first, second = answer(FOUR, (2, 0, 3, 1)), answer((0, 3, 5), 1, 1)
    grown = VersionSpace(np.zeros((0, 3)))
    for one in (first, second):
        rows, stages = comparisons([one], x)
        grown = grown.extended(rows, groups=stages)
    rows, stages = comparisons([first, second], x)
    whole = VersionSpace(rows, groups=stages)
    assert grown.groups.tolist() == whole.groups.tolist() == stages.tolist()
    assert np.array_equal(grown.differences, whole.differences)
    assert grown.answers == 4
    assert grown.radius == confidence_radius(4, 3, 3.0, 0.05)
    np.testing.assert_allclose(grown.estimate, whole.estimate, atol=1e-6)


@pytest.mark.parametrize("groups", [[0], [1, 1], [0, 2], [1, 0], [0, 0, 0]])
def test_groups_that_do_not_number_the_rows_are_refused(groups: list[int]) -> None:
    with pytest.raises(ParameterError, match="groups must number the answers of the 2 rows"):
        VersionSpace(table(3, 2)).extended(table(2, 2), groups=np.array(groups))


# --- strategies ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class FiveInOrder(UserAlign):
    """Shows the incumbent with the four challengers whose support values are largest."""

    name: ClassVar[str] = "five-in-order"

    def propose(self, view: View) -> tuple[int, ...] | None:
        if super().propose(view) is None:
            return None
        incumbent = self.step(view).incumbent
        x = view.features
        margins = self._run(view).space.support(x - x[incumbent])
        margins[incumbent] = -np.inf
        return incumbent, *np.argsort(-margins)[:4].tolist()


@pytest.mark.parametrize("seed", range(5))
def test_useralign_learns_more_from_orders_and_certifies_what_is_best(seed: int) -> None:
    pool = a_pool(16, 24, seed)
    theta = table(1, 24, seed + 50)[0]
    costs = {}
    for order in (False, True):
        strategy, person = FiveInOrder(), SimulatedPerson(theta, order=order)
        elicitation = Elicitation(pool, strategy, seed)
        recommendation = elicitation.run(person)
        assert recommendation.certified
        assert recommendation.index == int(person.utilities(pool).argmax())
        costs[order] = recommendation.answers
        space = strategy._run(elicitation.view).space
        rows, stages = comparisons(elicitation.history, features_of(pool))
        assert np.array_equal(space.differences, rows)
        assert np.array_equal(space.groups, stages)
        assert space.answers == recommendation.answers * (4 if order else 1)
        again = Elicitation.from_json(elicitation.to_json(), pool, strategy).recommend()
        assert (again.index, again.certified) == (recommendation.index, True)
    assert costs[True] <= costs[False]


def test_useralign_knows_every_pair_of_an_order() -> None:
    view = View(a_pool(6, 8), [answer(FOUR, (2, 0, 3, 1))], seed=0)
    run = UserAlign(estimate="inside")._run(view)
    assert run.lost_to == {4: {5}, 1: {5, 4, 2}, 2: {5, 4}}
    for i in FOUR:
        assert set(run.closed(i).tolist()) == set(FOUR) - {i}
    top = View(a_pool(6, 8), [answer(FOUR, (2, 0))], seed=0)
    run = UserAlign(estimate="inside")._run(top)
    assert set(run.closed(1).tolist()) == {5, 4}  # nothing was said of 1 and 2


def test_orders_that_contradict_each_other_are_reported() -> None:
    pool = a_pool(6, 8)
    agreed = [answer(FOUR, (2, 0, 3, 1)), answer((5, 2, 0), (0, 1, 2), 1)]
    for strategy in (UserAlign(), IIDBest()):
        assert strategy.choose(View(pool, agreed, seed=0)).consistent
        turned = [*agreed, answer((1, 2, 0), (0, 2, 1), 2)]  # 1 was below 2
        choice = strategy.choose(View(pool, turned, seed=0))
        assert not choice.consistent
        assert not choice.certified


def test_the_loss_based_set_takes_each_stage_as_a_term() -> None:
    pool = a_pool(6, 3)
    answers = [answer(FOUR, (2, 0, 3, 1)), answer((0, 3, 5), (2, 1), 1)]
    space = UserAlignLoss()._run(View(pool, answers, seed=0)).space
    rows, stages = comparisons(answers, features_of(pool))
    assert space.answers == 5
    assert not space.consistent
    np.testing.assert_allclose(space.estimate, fit_multinomial(rows, stages, 3.0), atol=1e-6)


def test_iidbest_fits_the_stages() -> None:
    pool, rng = a_pool(8, 4), np.random.default_rng(1)
    answers = [
        answer(rng.permutation(8)[:4].tolist(), tuple(rng.permutation(4).tolist()), t)
        for t in range(5)
    ]
    x = features_of(pool)
    theta = fit_multinomial(*comparisons(answers, x), 3.0)
    choice = IIDBest().choose(View(pool, answers, seed=0))
    assert choice.index == int((x @ theta).argmax())
    assert choice.questions_left == 15  # each order is one question


def test_the_first_of_an_order_stays_as_the_winner() -> None:
    pool = Pool("Which?", [f"Text {i}." for i in range(6)])
    view = View(pool, [answer(FOUR, (2, 0, 3, 1))], seed=0)
    asked = WinnerStays().propose(view)
    assert asked is not None
    assert asked[0] == 5
    assert asked[1] in {0, 3}
    assert WinnerStays().choose(view).questions_left == 2
