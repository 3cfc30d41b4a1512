"""Beliefs that are sets: support values against other solvers, draws against rejection."""

from __future__ import annotations

import itertools
import warnings
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pytest
from preference_cases import unit
from scipy.optimize import linprog

from palate.preference import VersionSpace, multinomial_loss, sets
from palate.preference.belief import Belief
from palate.preference.sets import BallBelief, SimplexBelief

if TYPE_CHECKING:
    from types import ModuleType

    from palate._typing import FloatArray

B = TypeVar("B", bound=Belief)

S = 3.0


@pytest.fixture(scope="module")
def cvxpy() -> ModuleType:
    module: ModuleType = pytest.importorskip("cvxpy")
    return module


def make_ball(n: int, d: int, seed: int = 0) -> BallBelief:
    features = 0.5 * unit(np.random.default_rng(seed).normal(size=(n, d)))
    return BallBelief(features, VersionSpace(np.zeros((0, d)), S))


def make_simplex(n: int, k: int, seed: int = 0) -> SimplexBelief:
    rng = np.random.default_rng(seed)
    scores = 2.0 * rng.normal(size=(n, k))
    return SimplexBelief.start(rng.normal(size=n), scores, rng.dirichlet(5.0 * np.ones(k)))


def asked(belief: B, utilities: FloatArray, t: int, *, seed: int = 0, k: int = 2) -> B:
    """The belief after t consistent answers about random responses."""
    rng = np.random.default_rng(seed)
    for _ in range(t):
        options = sorted(rng.choice(len(utilities), k, replace=False), key=lambda i: -utilities[i])
        belief = belief.update(int(options[0]), [int(i) for i in options[1:]])
    return belief


def challenged(belief: B, utilities: FloatArray, t: int) -> list[B]:
    """The beliefs of a run in which challengers are asked about, each after one answer more."""
    beliefs = [belief]
    for _ in range(t):
        incumbent = int(belief.mean().argmax())
        found = belief.challenger(incumbent, 0.95)
        if found.value <= 1e-6:
            break
        pair = sorted((incumbent, found.index), key=lambda i: -utilities[i])
        belief = belief.update(pair[0], pair[1:])
        beliefs.append(belief)
    return beliefs


# --- the ball ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "d"), [(12, 3), (12, 8), (60, 16)])
def test_the_advantage_in_a_ball_is_the_support_function(n: int, d: int) -> None:
    belief = make_ball(n, d)
    utilities = belief.features @ np.random.default_rng(1).normal(size=d)
    for after in challenged(belief, utilities, 6):
        incumbent = int(after.mean().argmax())
        support = after.space.support(after.features - after.features[incumbent])
        support[incumbent] = 0.0
        assert after.advantage(incumbent, 0.95) == pytest.approx(support, abs=1e-9)


def test_the_advantage_in_a_ball_is_that_of_a_conic_solver(cvxpy: ModuleType) -> None:
    belief = make_ball(8, 4)
    belief = asked(belief, belief.features @ np.ones(4), 4, k=3)
    theta = cvxpy.Variable(4)
    rows = belief.space.differences
    for incumbent in (0, 5):
        advantage = belief.advantage(incumbent, 0.95)
        for i in range(8):
            gain = belief.features[i] - belief.features[incumbent]
            sides = [cvxpy.norm(theta) <= S, rows @ theta >= 0.0]
            problem = cvxpy.Problem(cvxpy.Maximize(gain @ theta), sides)
            assert advantage[i] == pytest.approx(problem.solve("CLARABEL"), abs=2e-6)


def test_in_a_large_pool_the_challenger_is_exact_and_the_rest_is_bounded() -> None:
    belief = make_ball(300, 16)
    utilities = belief.features @ np.random.default_rng(2).normal(size=16)
    for after in challenged(belief, utilities, 8):
        incumbent = int(after.mean().argmax())
        support = after.space.support(after.features - after.features[incumbent])
        found = after.challenger(incumbent, 0.95)
        assert found.index == int(support.argmax())
        assert found.value == pytest.approx(support.max(), abs=1e-9)
        assert (after.advantage(incumbent, 0.95) >= support - 1e-9).all()
        left = np.setdiff1d(np.arange(300), [incumbent, found.index])
        second = after.challenger(incumbent, 0.95, [found.index])
        assert second.index == left[support[left].argmax()]


@pytest.mark.parametrize(
    "belief", [make_ball(100, 4), make_simplex(100, 4)], ids=["ball", "simplex"]
)
def test_two_answers_to_one_question_do_not_share_their_bounds(belief: Belief) -> None:
    """What one of two beliefs knows of its own set must not enter the other, nor that before."""
    belief = challenged(belief, np.random.default_rng(0).permutation(belief.mean()), 1)[-1]
    incumbent = int(belief.mean().argmax())
    rival = belief.challenger(incumbent, 0.95).index
    pairs = [(incumbent, rival), (rival, incumbent), (incumbent, rival)]
    branches = [belief.update(winner, [loser]) for winner, loser in pairs]
    values = [branch.challenger(5, 0.95).value for branch in branches]
    before = belief.challenger(5, 0.95).value
    for first in pairs:  # asked anew, where another was the first to be told
        belief.challenger(5, 0.95)
        others = [belief.update(first[0], [first[1]]).challenger(5, 0.95).value]
        others += [belief.update(w, [v]).challenger(5, 0.95).value for w, v in pairs]
        assert others[1:] == pytest.approx(values, abs=1e-7)
    assert before >= max(values) - 1e-9
    assert values[0] == pytest.approx(values[2], abs=1e-7)


@pytest.mark.parametrize(("d", "t"), [(2, 0), (2, 3), (8, 5), (30, 12)])
def test_draws_from_a_ball_lie_in_it(d: int, t: int) -> None:
    belief = make_ball(40, d)
    theta = np.random.default_rng(3).normal(size=d)
    belief = asked(belief, belief.features @ theta, t, seed=3)
    draws = belief.draws(np.random.default_rng(0), 64)
    assert (draws.slopes == 1.0).all()
    thetas = draws.utilities @ np.linalg.pinv(belief.features).T
    assert thetas @ belief.features.T == pytest.approx(draws.utilities, abs=1e-9)
    assert belief.space.contains(thetas, tolerance=1e-9).all()
    assert len(np.unique(thetas[:, 0].round(9))) == 64


@pytest.mark.parametrize("t", [0, 1, 3])
def test_draws_from_a_ball_are_spread_as_rejection_spreads_them(t: int) -> None:
    belief = make_ball(12, 2, seed=4)
    belief = asked(belief, belief.features @ np.array([1.0, 0.4]), t, seed=4)
    u = belief.draws(np.random.default_rng(0), 4000).utilities
    thetas = np.random.default_rng(1).uniform(-S, S, size=(400_000, 2))
    exact = thetas[belief.space.contains(thetas)] @ belief.features.T
    error = exact.std(axis=0) / np.sqrt(4000)
    assert (np.abs(u.mean(axis=0) - exact.mean(axis=0)) < 4.5 * error).all()
    assert u.std(axis=0) == pytest.approx(exact.std(axis=0), rel=0.06)


def test_draws_from_a_narrow_cone_reach_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As those do that walk ten times as long."""
    belief = make_ball(20, 16, seed=5)
    utilities = belief.features @ np.random.default_rng(5).normal(size=16)
    belief = challenged(belief, utilities, 12)[-1]
    u = belief.draws(np.random.default_rng(0), 1000).utilities
    monkeypatch.setattr(sets, "_STEPS", 1200)
    long = belief.draws(np.random.default_rng(1), 1000).utilities
    off = np.abs(u.mean(axis=0) - long.mean(axis=0)) / (long.std(axis=0) * np.sqrt(2.0 / 1000))
    assert off.max() < 4.5
    assert u.std(axis=0) == pytest.approx(long.std(axis=0), rel=0.12)
    # Each wall is come close to, and nobody sits on it.
    room = belief.space.differences @ np.linalg.pinv(belief.features) @ u.T
    typical = np.median(room, axis=1)
    assert (room.min(axis=1) < 0.2 * typical).all()
    assert (room > 0.0).all()


def test_contradictions_leave_a_ball_its_estimate() -> None:
    belief = make_ball(6, 3).update(0, [1]).update(1, [0])
    assert belief.contradictory
    draws = belief.draws(np.random.default_rng(0), 5)
    assert draws.utilities == pytest.approx(np.tile(belief.mean(), (5, 1)))


# --- the simplex ---------------------------------------------------------------------------------


def brute_force(belief: SimplexBelief, gains: FloatArray, steps: int = 400) -> FloatArray:
    """(n,) largest gains (n, 3) over a fine grid of weights that explain every answer."""
    sides = [(i, j) for i, j in itertools.product(range(steps + 1), repeat=2) if i + j <= steps]
    w = np.array([(i, j, steps - i - j) for i, j in sides]) / steps
    w = w[(w @ belief.rows.T >= 0.0).all(axis=1)]
    return np.asarray((w @ gains.T).max(axis=0))


def exact_support(belief: SimplexBelief, incumbent: int) -> FloatArray:
    """(N,) by a linear program each."""
    k = belief.scores.shape[1]
    values = []
    for gain in belief.scores - belief.scores[incumbent]:
        sides = {"A_ub": -belief.rows, "b_ub": np.zeros(len(belief.rows))}
        found = linprog(-gain, **sides, A_eq=np.ones((1, k)), b_eq=[1.0])
        values.append(-found.fun)
    return np.array(values)


def test_the_challenger_in_a_simplex_is_that_of_a_fine_grid() -> None:
    belief = make_simplex(15, 3)
    utilities = belief.scores @ np.array([0.5, 0.3, 0.2])
    for after in challenged(belief, utilities, 5):
        incumbent = int(after.mean().argmax())
        support = brute_force(after, after.scores - after.scores[incumbent])
        support[incumbent] = -np.inf
        found = after.challenger(incumbent, 0.95)
        assert found.value == pytest.approx(support.max(), abs=0.02)
        assert support[found.index] == pytest.approx(support.max(), abs=0.02)
        assert found.value >= support.max() - 1e-9
        bounds = np.delete(after.advantage(incumbent, 0.95), incumbent)
        assert (bounds >= np.delete(support, incumbent) - 1e-9).all()


@pytest.mark.parametrize(("n", "k", "t", "options"), [(40, 4, 8, 2), (40, 8, 12, 2), (25, 5, 4, 3)])
def test_the_challenger_in_a_simplex_is_that_of_linear_programs(
    n: int, k: int, t: int, options: int
) -> None:
    belief = make_simplex(n, k, seed=k)
    utilities = belief.scores @ np.random.default_rng(k).dirichlet(np.ones(k))
    if options > 2:
        belief = asked(belief, utilities, 3, k=options)
    for after in challenged(belief, utilities, t):
        incumbent = int(after.mean().argmax())
        support = exact_support(after, incumbent)
        support[incumbent] = -np.inf
        found = after.challenger(incumbent, 0.95)
        assert found.index == int(support.argmax())
        assert found.value == pytest.approx(support.max(), abs=1e-8)
        bounds = np.delete(after.advantage(incumbent, 0.95), incumbent)
        assert (bounds >= np.delete(support, incumbent) - 1e-8).all()
        second = after.challenger(incumbent, 0.95, [found.index])
        support[found.index] = -np.inf
        assert second.value == pytest.approx(support.max(), abs=1e-8)


def test_few_programs_are_solved_in_a_large_pool() -> None:
    """Bounds from answers before, and from what is best at the same corner, spare the others."""
    belief = make_simplex(400, 5, seed=1)
    utilities = belief.scores @ np.random.default_rng(1).dirichlet(np.ones(5))
    solved = [
        after.challenger(int(after.mean().argmax()), 0.95).exact_solves
        for after in challenged(belief, utilities, 8)[1:-1]
    ]
    assert max(solved) <= 20


def test_the_part_of_the_reward_that_is_everybodys_counts() -> None:
    base = np.array([0.0, 0.0, 5.0])
    belief = SimplexBelief.start(
        base, np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), np.ones(2) / 2
    )
    assert belief.mean() == pytest.approx([0.5, 0.5, 5.0])
    assert belief.challenger(0, 0.95).index == 2
    after = belief.update(0, [1])
    assert after.challenger(0, 0.95).value == pytest.approx(4.5)
    assert after.challenger(0, 0.95, [2]).value == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("k", [2, 5])
def test_the_weights_are_those_of_a_conic_solver(cvxpy: ModuleType, k: int) -> None:
    belief = make_simplex(12, k, seed=2)
    belief = asked(belief, belief.scores @ np.random.default_rng(2).dirichlet(np.ones(k)), 5)
    w = cvxpy.Variable(k)
    margins = belief.rows @ w
    goal = cvxpy.sum(cvxpy.logistic(-margins)) + 0.5 * cvxpy.sum_squares(w - belief.centre)
    problem = cvxpy.Problem(cvxpy.Minimize(goal), [margins >= 0.0, w >= 0.0, cvxpy.sum(w) == 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem.solve("CLARABEL")
    assert belief.weights == pytest.approx(w.value, abs=2e-4)


def test_a_pick_out_of_three_is_one_term_of_the_loss() -> None:
    belief = make_simplex(6, 3, seed=3).update(0, [1, 2])
    assert belief.group == (0, 0)

    def loss(w: FloatArray) -> float:
        off = w - belief.centre
        return multinomial_loss(w, belief.rows, np.zeros(2, dtype=int)) + 0.5 * float(off @ off)

    steps = [np.array(s) / 60.0 for s in itertools.product(range(61), repeat=3) if sum(s) == 60]
    inside = [w for w in steps if (belief.rows @ w >= 0.0).all()]
    assert loss(belief.weights) <= min(map(loss, inside)) + 1e-9


def test_before_any_answer_the_weights_are_the_centre() -> None:
    belief = make_simplex(6, 3)
    assert np.array_equal(belief.weights, belief.centre)


@pytest.mark.parametrize("circle", [2, 3])
def test_a_simplex_knows_a_contradiction(circle: int) -> None:
    belief = make_simplex(6, 4, seed=4)
    best = np.argsort(-belief.mean())[:circle].tolist()
    for winner, loser in zip(best, [*best[1:], best[0]], strict=True):
        assert not belief.contradictory
        belief = belief.update(winner, [loser])
    assert belief.contradictory
    assert belief.weights.sum() == pytest.approx(1.0)
    assert (belief.weights >= 0.0).all()
    incumbent = int(belief.mean().argmax())
    assert belief.challenger(incumbent, 0.95).value <= 0.0
    draws = belief.draws(np.random.default_rng(0), 3)
    assert draws.utilities == pytest.approx(np.tile(belief.mean(), (3, 1)))


def test_a_simplex_knows_what_no_mixture_would_say() -> None:
    """Every prototype prefers the one, and so does every mixture of them."""
    scores = np.array([[1.0, 2.0], [0.0, 1.0]])
    belief = SimplexBelief.start(np.zeros(2), scores, np.ones(2) / 2)
    assert belief.update(1, [0]).contradictory
    assert not belief.update(0, [1]).contradictory


@pytest.mark.parametrize(("k", "t"), [(2, 2), (3, 3), (6, 5)])
def test_draws_from_a_simplex_lie_in_it_and_are_spread(k: int, t: int) -> None:
    belief = make_simplex(10, k, seed=5)
    belief = asked(belief, belief.scores @ np.random.default_rng(5).dirichlet(np.ones(k)), t)
    u = belief.draws(np.random.default_rng(0), 4000).utilities
    w = u @ np.linalg.pinv(belief.scores).T
    assert w.sum(axis=1) == pytest.approx(np.ones(4000))
    assert (w >= -1e-9).all()
    assert (w @ belief.rows.T >= -1e-9).all()
    many = np.random.default_rng(1).dirichlet(np.ones(k), 400_000)
    exact = many[(many @ belief.rows.T >= 0.0).all(axis=1)]
    assert len(exact) > 3000
    error = exact.std(axis=0) * np.sqrt(1.0 / 4000 + 1.0 / len(exact))
    assert (np.abs(w.mean(axis=0) - exact.mean(axis=0)) < 4.5 * error).all()
    assert w.std(axis=0) == pytest.approx(exact.std(axis=0), rel=0.06)


def test_a_population_of_one_prototype() -> None:
    belief = SimplexBelief.start(np.zeros(3), np.array([[1.0], [3.0], [2.0]]), np.ones(1))
    assert belief.challenger(1, 0.95).value == pytest.approx(-1.0)
    after = belief.update(1, [0])
    assert not after.contradictory
    assert after.challenger(1, 0.95).value == pytest.approx(-1.0)
    draws = after.draws(np.random.default_rng(0), 4)
    assert draws.utilities == pytest.approx(np.tile([1.0, 3.0, 2.0], (4, 1)))
    assert after.update(0, [2]).contradictory


def test_a_pool_of_one() -> None:
    for belief in (make_ball(1, 3), make_simplex(1, 3)):
        assert belief.challenger(0, 0.95).index == -1
        assert belief.advantage(0, 0.95) == pytest.approx([0.0])
