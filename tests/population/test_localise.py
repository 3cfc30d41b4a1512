from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from localise_cases import KINDS, Case, make_case
from population_cases import VARIANTS, Variant, make_data, make_model

from palate.errors import ParameterError
from palate.population import LoRe, PalA, PreferenceData
from palate.population._answers import Answers
from palate.population._multistart import linear_surrogate, multistart
from palate.population._newton import Penalty
from palate.population._simplex import minimise_on_simplex
from palate.population.localise import (
    choose_prior_weight,
    covariance,
    locate,
    locate_on_simplex,
)
from palate.population.misfit import misfit

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.population import PopulationModel

LINEAR = [v for v in VARIANTS if make_model(v).linear_in_weights]
BENT = [v for v in VARIANTS if not make_model(v).linear_in_weights]


def by_variant(variants: list[Variant]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("variant", variants, ids=lambda v: v.name)


def grid(k: int, steps: int) -> FloatArray:
    """Points of the simplex, a step apart."""
    bars = np.array(list(combinations(range(steps + k - 1), k - 1)), dtype=np.intp)
    edges = np.pad(bars.reshape(-1, k - 1), ((0, 0), (1, 1)), constant_values=-1)
    edges[:, -1] = steps + k - 1
    return (np.diff(edges) - 1) / steps


# -- the problem ----------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [2, 4])
def test_loss_gradient_and_hessian(options: int) -> None:
    case = make_case("based", people=5, n=np.array([1, 7, 3, 2, 30]), options=options, seed=3)
    answers, who = Answers.of_people(case.b, case.gains, case.person, case.pick, 5)
    assert who.tolist() == [0, 1, 2, 3, 4]
    w = np.random.default_rng(0).dirichlet(np.ones(4), size=5).T
    margins = answers.margins(w)
    loss, gradient = answers.loss(margins), answers.gradient(margins)
    hessian = answers.hessian(margins)
    for u in range(5):
        assert loss[u] == pytest.approx(case.objective(u, w[:, u]), rel=1e-13)
        assert gradient[:, u] == pytest.approx(case.gradient(u, w[:, u]), rel=1e-10, abs=1e-12)
    for k in range(4):
        step = 1e-6 * np.eye(4)[:, k : k + 1]
        ahead, behind = answers.margins(w + step), answers.margins(w - step)
        slope = (answers.loss(ahead) - answers.loss(behind)) / 2e-6
        assert slope == pytest.approx(gradient[k], rel=1e-5, abs=1e-8)
        curve = (answers.gradient(ahead) - answers.gradient(behind)) / 2e-6
        assert curve == pytest.approx(hessian[k], rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("options", [2, 3])
def test_losses_do_not_overflow(options: int) -> None:
    sizes = None if options == 2 else np.array([2])
    rows = np.full((1, options - 1), 1.0)
    answers = Answers(np.zeros(options - 1), rows, np.array([options - 1]), sizes, np.array([1]))
    for margin in (-1e5, 1e5):
        margins = np.full(options - 1, margin)
        expected = max(-margin, 0.0) + (np.log(options - 1.0) if margin < 0.0 else 0.0)
        assert answers.loss(margins) == pytest.approx([expected])
        assert answers.gradient(margins) == pytest.approx(np.full((1, 1), -1.0 * (margin < 0.0)))
        assert answers.hessian(margins) == pytest.approx(np.zeros((1, 1, 1)))


@pytest.mark.parametrize("k", [1, 2, 3, 5])
@pytest.mark.parametrize("rank", [1, 5])
def test_quadratic_programs_against_every_face(k: int, rank: int) -> None:
    rng = np.random.default_rng([k, rank])
    people = 40
    roots = rng.normal(size=(people, rank, k))
    H = np.einsum("uri,urj->uij", roots, roots) + 1e-9 * np.eye(k)
    c = 3.0 * rng.normal(size=(people, k))
    start = rng.dirichlet(np.full(k, 0.5), size=people)
    start[::3] = np.eye(k)[0]
    found = minimise_on_simplex(H.transpose(1, 2, 0), c.T, start.T).T
    assert found.min() >= 0.0
    assert found.sum(axis=1) == pytest.approx(np.ones(people), abs=1e-12)
    for u in range(people):
        best = np.inf
        for size in range(1, k + 1):
            for face in combinations(range(k), size):
                F = list(face)
                kkt = np.block([[H[u][np.ix_(F, F)], np.ones((size, 1))], [np.ones(size), 0.0]])
                x = np.linalg.solve(kkt, np.append(-c[u, F], 1.0))[:-1]
                if x.min() >= 0.0:
                    best = min(best, c[u, F] @ x + 0.5 * x @ H[u][np.ix_(F, F)] @ x)
        value = c[u] @ found[u] + 0.5 * found[u] @ H[u] @ found[u]
        assert value == pytest.approx(best, abs=1e-9)


# -- the solver -----------------------------------------------------------------------------------


def check(case: Case) -> None:
    """Weights on the simplex, and a gap that is small and true."""
    located = case.solve()
    assert located.certified
    assert located.weights.min() >= 0.0
    assert located.weights.sum(axis=1) == pytest.approx(np.ones(case.people), abs=1e-12)
    for u in np.unique(case.person):
        gap = case.gap(int(u), located.weights[u])
        assert gap <= 1e-6
        assert located.gap[u] == pytest.approx(gap, abs=1e-10)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    kind=st.sampled_from(KINDS),
    n=st.sampled_from([20, 1, 5, 2, 100]),
    k=st.sampled_from([5, 2, 10, 1, 3]),
    scale=st.sampled_from([3.0, 1.0, 10.0, 100.0, 0.0]),
    prior_weight=st.sampled_from([0.0, 1.0, 1e-6, 1e6]),
    options=st.sampled_from([2, 3, 6]),
    seed=st.integers(0, 1000),
)
def test_everybody_is_certified(**shape: Any) -> None:
    check(make_case(**shape))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_as_a_linear_program_nearly(kind: str) -> None:
    check(make_case(kind, n=5, k=10, scale=1000.0))


def test_ten_thousand_people_of_every_size() -> None:
    rng = np.random.default_rng(0)
    people = 10_000 // 9 + 1
    for k in range(2, 11):
        n, scale = rng.integers(1, 101, size=people), rng.uniform(1.0, 10.0, size=people)
        located = make_case("likely", people=people, n=n, k=k, scale=scale, seed=k).solve()
        assert located.gap.max() <= 1e-6


@pytest.mark.parametrize("options", [2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_no_worse_than_a_general_solver(kind: str, options: int) -> None:
    for scale, prior_weight in ((3.0, 1.0), (10.0, 0.0)):
        case = make_case(kind, scale=scale, prior_weight=prior_weight, options=options, seed=5)
        located = case.solve()
        for u in range(3):
            least, value = case.by_slsqp(u), case.objective(u, located.weights[u])
            assert value <= least + 1e-8
            if kind != "nearly duplicated prototypes":  # where SLSQP stops early
                assert value == pytest.approx(least, abs=1e-6)


def test_objective_against_cvxpy() -> None:
    cp = pytest.importorskip("cvxpy", reason="the reference solver is not installed")
    pytest.importorskip("clarabel", reason="the reference solver is not installed")
    for kind in ("likely", "contradictory", "based", "duplicated prototypes"):
        case = make_case(kind, people=3, scale=5.0, prior_weight=0.5, options=3, seed=7)
        located = case.solve()
        for u in range(3):
            b, gains, answer = case.rows(u)
            w = cp.Variable(gains.shape[1])
            terms = [
                cp.log_sum_exp(cp.hstack([0.0, -(b[answer == a] + gains[answer == a] @ w)]))
                for a in range(answer.max() + 1)
            ]
            prior = 0.5 * case.prior_weight * cp.sum_squares(w - case.prior_mean)
            mean = (sum(terms) + prior) / len(terms)
            problem = cp.Problem(cp.Minimize(mean), [w >= 0, cp.sum(w) == 1])
            problem.solve(solver="CLARABEL")
            value = case.objective(u, located.weights[u])
            assert value == pytest.approx(problem.value, abs=1e-7)
            assert located.weights[u] == pytest.approx(w.value, abs=2e-3)


def test_order_of_rows_people_and_prototypes_changes_nothing() -> None:
    case = make_case("likely", people=8, n=np.array([3, 20, 1, 7, 5, 9, 2, 4]), prior_weight=1.0)
    located = case.solve()
    rng = np.random.default_rng(0)
    row, prototype = rng.permutation(len(case.b)), rng.permutation(4)
    people = rng.permutation(8)
    shuffled = Case(
        case.b[row],
        case.gains[row][:, prototype],
        people[case.person[row]],
        8,
        1.0,
        case.prior_mean[prototype],
    ).solve()
    assert shuffled.weights[people] == pytest.approx(located.weights[:, prototype], abs=1e-5)
    assert shuffled.loss[people] == pytest.approx(located.loss, abs=1e-5)


def test_picks_out_of_two_are_comparisons() -> None:
    case = make_case("likely", people=4, n=6)
    picks = Case(case.b, case.gains, case.person, 4, 0.0, case.prior_mean, np.arange(24))
    assert np.array_equal(picks.solve().weights, case.solve().weights)


def test_picks_may_be_numbered_for_each_person() -> None:
    case = make_case("likely", people=3, n=1, options=4)
    again = Case(case.b, case.gains, case.person, 3, 0.0, case.prior_mean, np.zeros(9, dtype=int))
    assert np.array_equal(again.solve().weights, case.solve().weights)


def test_starting_where_one_was_takes_fewer_steps() -> None:
    before = make_case("likely", people=200, n=20, k=5, prior_weight=1.0)
    located = before.solve()
    assert before.solve(located.weights).steps.max() == 0
    more = make_case("likely", people=200, n=1, k=5, seed=1)
    after = Case(
        np.concatenate([before.b, more.b]),
        np.concatenate([before.gains, more.gains]),
        np.concatenate([before.person, more.person]),
        200,
        1.0,
        before.prior_mean,
    )
    cold, warm = after.solve(), after.solve(located.weights)
    assert warm.certified
    assert warm.weights == pytest.approx(cold.weights, abs=2e-3)
    assert warm.steps.mean() < 0.8 * cold.steps.mean()


# -- people of a model ----------------------------------------------------------------------------


@by_variant(LINEAR)
def test_locating_by_every_linear_model(variant: Variant) -> None:
    model, data = make_model(variant), make_data(variant, n=40)
    located = locate(model, data, prior_weight=0.5)
    assert located.certified
    assert located.prior_weight == 0.5
    rest = located.weights - model.mean_weights
    losses = np.logaddexp(0.0, -model.margins(data, located.weights))
    for u in range(len(data.people)):
        mine = losses[data.person == u]
        assert located.loss[u] == pytest.approx(mine.mean())
        best = mine.sum() + 0.25 * rest[u] @ rest[u]
        for w in np.random.default_rng(u).dirichlet(np.ones(model.k), size=20):
            at = located.weights.copy()
            at[u] = w
            there = np.logaddexp(0.0, -model.margins(data, at))[data.person == u].sum()
            assert best <= there + 0.25 * ((w - model.mean_weights) ** 2).sum() + 1e-6


def test_nobody_answered() -> None:
    model = make_model(Variant("lore"))
    for data in (
        make_data(Variant("lore"), n=0),
        make_data(Variant("lore"), people=(*make_data(Variant("lore")).people, "late")),
    ):
        silent = data.rows(data.person != len(data.people) - 1)
        located = locate(model, silent, prior_weight=0.0)
        assert located.certified
        assert located.weights[-1] == pytest.approx(model.mean_weights)
        assert located.gap[-1] == 0.0
        assert located.steps[-1] == 0
        assert np.isnan(located.loss[-1])
        mine = np.tile([0.2, 0.5, 0.3], (len(data.people), 1))
        assert locate(model, silent, prior_mean=mine).weights[-1] == pytest.approx(mine[-1])


def test_the_prior_holds_and_fades() -> None:
    model, data = make_model(Variant("lore")), make_data(Variant("lore"), n=30)
    corner = np.array([0.0, 1.0, 0.0])
    held = locate(model, data, prior_weight=1e9, prior_mean=corner)
    assert held.weights == pytest.approx(np.tile(corner, (4, 1)), abs=1e-6)
    free = locate(model, data, prior_weight=0.0, prior_mean=corner)
    away = [
        np.abs(locate(model, data, prior_weight=c, prior_mean=corner).weights - free.weights).max()
        for c in (10.0, 1.0, 0.1, 1e-4)
    ]
    assert sorted(away, reverse=True) == away
    assert away[-1] < 1e-3
    assert away[0] > 0.05


def test_prior_weight_chosen_on_held_out_answers() -> None:
    model, data = simulated(seed=2, people=60)
    half = np.random.default_rng(0).permutation(len(data))
    support, validation = data.rows(half[: len(data) // 8]), data.rows(half[len(data) // 2 :])
    grid = (0.0, 0.3, 3.0, 1e4)
    losses = []
    for c in grid:
        at = locate(model, support, prior_weight=c).weights
        losses.append(np.logaddexp(0.0, -model.margins(validation, at)).mean())
    chosen = choose_prior_weight(model, support, validation, grid)
    assert chosen == grid[int(np.argmin(losses))]
    assert 0.0 < chosen < 1e4


def simulated(
    seed: int, people: int = 40, k: int = 3, n: int = 40, outside: int = 0
) -> tuple[LoRe, PreferenceData]:
    """People of a LoRe model who answer by it; the last ``outside`` of them by its opposite."""
    rng = np.random.default_rng(seed)
    names = tuple(f"person {i}" for i in range(people))
    weights = rng.dirichlet(np.ones(k), size=people)
    model = LoRe(people=names, weights=weights, basis=3.0 * rng.normal(size=(8, k)))
    items = rng.normal(size=(200, 8)) / np.sqrt(8.0)
    person = np.repeat(np.arange(people), n)
    pairs = np.array([rng.choice(200, size=2, replace=False) for _ in person])
    data = PreferenceData(items, person, pairs[:, 0], pairs[:, 1], names)
    sign = np.where(person >= people - outside, -1.0, 1.0)
    right = rng.random(len(person)) < 1.0 / (1.0 + np.exp(-sign * model.margins(data)))
    chosen = np.where(right, pairs[:, 0], pairs[:, 1])
    rejected = np.where(right, pairs[:, 1], pairs[:, 0])
    return model, PreferenceData(items, person, chosen, rejected, names)


def test_who_is_outside_the_hull() -> None:
    model, data = simulated(seed=3, people=60, outside=5)
    inside, last = data.of_people(range(55)), data.of_people(range(55, 60))
    own = inside.of_people(range(30))
    assert misfit(model, own, last).max() <= 0.05
    assert np.median(misfit(model, own, inside.of_people(range(30, 55)))) > 0.2
    # Of one's own people, the worst fitted is the only one of that rank.
    assert misfit(model, own, own).min() == pytest.approx(2.0 / 31.0)
    # Judged by as many answers as they gave themselves.
    first = np.arange(len(own)) % 40 < 10
    some = own.rows(first)
    assert np.array_equal(misfit(model, own, some), misfit(model, some, some))
    few = last.rows(np.arange(len(last)) >= 40)  # the first of them says nothing
    assert np.isnan(misfit(model, own, few)).tolist() == [True, False, False, False, False]
    assert np.isnan(misfit(model, few, own)).sum() == 0
    assert np.isnan(misfit(model, few.rows(np.arange(len(few)) % 40 < 39), own)).all()


# -- how uncertain --------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", [Variant("lore"), Variant("pal-a", power=1)])
def test_covariance_is_the_inverse_curvature_of_the_face(variant: Variant) -> None:
    model, data = make_model(variant), make_data(variant, n=24)
    located = locate(model, data, prior_weight=2.0)
    found = covariance(model, data, located)
    for u in range(len(data.people)):
        w = located.weights[u]
        face = np.flatnonzero(w)
        if len(face) == 1:
            assert not found[u].any()
            continue
        # Any orthonormal basis of the directions on the face.
        basis = np.zeros((3, len(face) - 1))
        basis[face] = np.linalg.svd(np.ones((1, len(face))))[2][1:].T
        at = np.tile(w, (len(data.people), 1))

        def slopes(along: FloatArray, u: int = u, at: FloatArray = at) -> FloatArray:
            step = np.zeros_like(at)
            step[u] = 1e-5 * along
            change = model.margins(data, at + step) - model.margins(data, at - step)
            return np.asarray(change[data.person == u] / 2e-5)

        J = np.column_stack([slopes(b) for b in basis.T])
        p = 1.0 / (1.0 + np.exp(model.margins(data, at)[data.person == u]))
        information = (J.T * (p * (1.0 - p))) @ J + 2.0 * np.eye(basis.shape[1])
        expected = basis @ np.linalg.inv(information) @ basis.T
        assert found[u] == pytest.approx(expected, rel=1e-4, abs=1e-6)
        assert found[u].sum(axis=0) == pytest.approx(np.zeros(3), abs=1e-12)


def test_covariance_without_answers_is_the_prior_and_shrinks() -> None:
    model, data = simulated(seed=4, people=5)
    none = data.rows(np.zeros(len(data), dtype=bool))
    prior = covariance(model, none, locate(model, none, prior_weight=4.0))
    assert prior[0] == pytest.approx((np.eye(3) - 1.0 / 3.0) / 4.0)
    located = locate(model, data, prior_weight=4.0)
    inside = (located.weights > 0.0).all(axis=1)
    assert inside.any()
    after = covariance(model, data, located)[inside]
    assert (np.trace(after, axis1=1, axis2=2) < 0.7 * np.trace(prior[0])).all()
    at_corner = locate(model, none, prior_mean=[0.0, 1.0, 0.0])
    assert not covariance(model, none, at_corner).any()


# -- rewards that are not linear in the weights ---------------------------------------------------


def sums(
    model: PopulationModel, data: PreferenceData, w: FloatArray, prior_weight: float
) -> FloatArray:
    """(U,) what is minimised, summed over answers, at (U, K) weights."""
    losses = np.logaddexp(0.0, -model.margins(data, w))
    prior = 0.5 * prior_weight * ((w - model.mean_weights) ** 2).sum(axis=1)
    return np.bincount(data.person, losses, len(data.people)) + prior


@by_variant([v for v in BENT if v.k == 3])
def test_many_starts_find_what_a_grid_finds(variant: Variant) -> None:
    model, data = make_model(variant), make_data(variant, n=30)
    located = locate(model, data, prior_weight=0.3)
    assert not located.certified
    assert np.isnan(located.gap).all()
    best = np.full(len(data.people), np.inf)
    for w in grid(3, 40):
        best = np.minimum(best, sums(model, data, np.tile(w, (len(best), 1)), 0.3))
    assert (sums(model, data, located.weights, 0.3) <= best + 1e-9).all()
    assert located.loss == pytest.approx(
        np.bincount(data.person, np.logaddexp(0.0, -model.margins(data, located.weights)))
        / data.per_person
    )


@by_variant([v for v in BENT if v.k == 1])
def test_one_prototype_needs_no_search(variant: Variant) -> None:
    located = locate(make_model(variant), make_data(variant))
    assert np.array_equal(located.weights, np.ones((4, 1)))


def test_many_starts_agree_with_the_convex_solver() -> None:
    for variant in (Variant("lore"), Variant("pal-b"), Variant("pal-a")):
        model, data = make_model(variant), make_data(variant)
        exact = locate(model, data, prior_weight=1.0)
        mean = np.tile(model.mean_weights[:, None], 4)
        found, _ = multistart(model, data, Penalty(1.0 / data.per_person, mean), mean[None])
        there = sums(model, data, found.T, 1.0)
        assert there == pytest.approx(sums(model, data, exact.weights, 1.0), abs=1e-5)


def test_picks_and_silent_people_without_a_certificate() -> None:
    model = make_model(Variant("pal-a", power=1))
    base = make_data(Variant("pal-a"))
    data = PreferenceData(
        base.items,
        np.array([0, 0, 2, 2, 2]),
        np.array([1, 1, 3, 3, 4]),
        np.array([2, 5, 6, 7, 8]),
        base.people,
        pick=np.array([0, 0, 1, 1, 2]),
    )
    located = locate(model, data, prior_weight=0.1)
    assert located.weights[1] == pytest.approx(model.mean_weights)
    assert np.isnan(located.loss).tolist() == [False, True, False, True]

    def objective(w: FloatArray) -> FloatArray:
        m = model.margins(data, np.tile(w, (4, 1)))
        first = np.log1p(np.exp(-m[:2]).sum())
        third = np.log1p(np.exp(-m[2:4]).sum()) + np.logaddexp(0.0, -m[4])
        prior = 0.05 * ((w - model.mean_weights) ** 2).sum()
        return np.array([first + prior, third + prior])

    best = np.min([objective(w) for w in grid(3, 40)], axis=0)
    assert objective(located.weights[0])[0] <= best[0] + 1e-9
    assert objective(located.weights[2])[1] <= best[1] + 1e-9
    nobody = locate(model, data.rows(np.zeros(5, dtype=bool)))
    assert nobody.weights == pytest.approx(np.tile(model.mean_weights, (4, 1)))


@by_variant(VARIANTS)
def test_the_surrogate_is_linear_and_has_the_same_maps(variant: Variant) -> None:
    model = make_model(variant)
    surrogate = linear_surrogate(model)
    assert surrogate.linear_in_weights
    assert surrogate.k == model.k
    if isinstance(model, PalA) and model.power == 1 and surrogate.linear_in_weights:
        assert isinstance(surrogate, PalA)
        assert surrogate.prototypes is model.prototypes


# -- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", [Variant("lore"), Variant("pal-a", power=1)])
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prior_weight": -1.0}, r"prior_weight must be at least 0 and finite, not -1\.0"),
        ({"prior_weight": np.nan}, "prior_weight must be at least 0"),
        ({"prior_mean": [0.5, 0.5]}, r"prior_mean must have shape \(4, 3\) or \(3,\), not \(2,\)"),
        ({"prior_mean": [0.5, 0.5, 0.5]}, "prior_mean must be weights: at least 0, with sum 1"),
        ({"prior_mean": [1.5, -0.5, 0.0]}, "prior_mean must be weights"),
        ({"start": np.full((4, 3), np.nan)}, "start must be weights"),
        ({"start": np.ones((3, 3)) / 3.0}, r"start must have shape"),
    ],
)
def test_settings_out_of_range(variant: Variant, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        locate(make_model(variant), make_data(variant), **settings)


def test_other_mistakes() -> None:
    model, data = simulated(seed=5, people=4)
    with pytest.raises(ParameterError, match="rewards of these items are not finite"):
        locate_on_simplex(
            np.array([np.inf]),
            np.ones((1, 2)),
            np.array([0]),
            1,
            prior_weight=0.0,
            prior_mean=[0.5, 0.5],
        )
    with pytest.raises(ParameterError, match="a prior_weight above 0"):
        covariance(model, data, locate(model, data, prior_weight=0.0))
    with pytest.raises(ParameterError, match="of the same people"):
        choose_prior_weight(model, data, data.of_people([1, 0, 2, 3]))
    nothing = data.rows(np.zeros(len(data), dtype=bool))
    with pytest.raises(ParameterError, match="at least one prior weight"):
        choose_prior_weight(model, data, nothing)
    with pytest.raises(ParameterError, match="at least one prior weight"):
        choose_prior_weight(model, data, data, ())
