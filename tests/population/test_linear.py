"""Fits of PAL-A, LoRe and Bradley-Terry: derivatives, a naive loss, cvxpy, degenerate answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.special import softmax

from palate.errors import ParameterError
from palate.population import (
    PalA,
    PreferenceData,
    Step,
    evaluate,
    fit_bradley_terry,
    fit_lore,
    fit_pal_a,
    learning_curve,
    measure_recovery,
    simulate_population,
)
from palate.population import linear as linear_module
from palate.population import lore as lore_module
from palate.population._pull import LinearAnswers
from palate.population._weights import partitioned
from palate.preference import multinomial_gradient

if TYPE_CHECKING:
    from collections.abc import Callable

    from palate._typing import FloatArray
    from palate.population import Fit, LoRe, PopulationModel
    from palate.population._descent import Value

    Objective = Callable[[tuple[FloatArray, ...], LinearAnswers], Value]
    Fitter = Callable[..., Fit[PopulationModel]]

D, K, PEOPLE = 4, 3, 5
FITS: list[Fitter] = [fit_pal_a, fit_lore]


def some_data(seed: int, *, items: int = 9, options: int = 2, answers: int = 40) -> PreferenceData:
    """Answers at random, of people who answer unequally often; one of them never."""
    rng = np.random.default_rng(seed)
    shown = np.array([rng.permutation(items)[:options] for _ in range(answers)])
    person = np.minimum(rng.geometric(0.4, size=answers) - 1, PEOPLE - 2)
    person[: PEOPLE - 1] = range(PEOPLE - 1)
    return PreferenceData(
        rng.normal(size=(items, D)) * 3.0 + 1.0,
        np.repeat(person, options - 1),
        np.repeat(shown[:, 0], options - 1),
        shown[:, 1:].reshape(-1),
        tuple("abcde"[:PEOPLE]),
        pick=None if options == 2 else np.repeat(np.arange(answers), options - 1),
    )


def with_own_items(data: PreferenceData) -> PreferenceData:
    """The same answers, each about items that occur nowhere else."""
    chosen = data.chosen[data.starts]
    items = np.concatenate([data.items[chosen], data.items[data.rejected]])
    sizes = np.diff(data.starts, append=len(data))
    return replace(
        data,
        items=items,
        chosen=np.repeat(np.arange(data.answers), sizes),
        rejected=np.arange(len(data)) + data.answers,
    )


def parts_of(name: str, seed: int = 0) -> tuple[FloatArray, ...]:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(PEOPLE - 1, K))
    if name == "pal-a":
        return rng.normal(size=(2, D)), rng.normal(size=(K, 2)), logits
    return rng.normal(size=(K, D)), logits


OBJECTIVES: dict[str, Objective] = {
    "pal-a": linear_module._objective,
    "lore": lore_module._objective,
}


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("own", [False, True], ids=["shared", "own"])
@pytest.mark.parametrize("options", [2, 4])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_gradients_are_those_of_the_loss(
    name: str, options: int, *, own: bool, balanced: bool
) -> None:
    data = some_data(1, options=options)
    answers = LinearAnswers(with_own_items(data) if own else data, user_balanced=balanced)
    parts = parts_of(name)
    gradient = OBJECTIVES[name](parts, answers).gradient
    rng = np.random.default_rng(2)
    for i, part in enumerate(parts):
        direction = rng.normal(size=part.shape)

        def loss(step: float, i: int = i, along: FloatArray = direction) -> float:
            moved = [p + step * along if j == i else p for j, p in enumerate(parts)]
            return OBJECTIVES[name](tuple(moved), answers).loss

        h = 1e-3
        slope = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
        assert slope == pytest.approx(float((gradient[i] * direction).sum()), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("options", [2, 4])
def test_loss_is_that_of_the_distances_person_by_person(options: int, *, balanced: bool) -> None:
    data = some_data(3, options=options)
    answers = LinearAnswers(data, user_balanced=balanced)
    matrix, images, logits = parts_of("pal-a")
    weights = softmax(logits, axis=1)
    losses: dict[int, list[float]] = {}
    right = []
    for answer in range(data.answers):
        rows = np.arange(answer * (options - 1), (answer + 1) * (options - 1))
        person = int(data.person[rows[0]])
        point = weights[person] @ images

        def far(item: int, point: FloatArray = point) -> float:
            image = matrix @ (data.items[item] - answers.centre) / answers.unit
            return float(((image - point) ** 2).sum())

        margins = [far(data.rejected[row]) - far(data.chosen[row]) for row in rows]
        losses.setdefault(person, []).append(float(np.log1p(np.exp(-np.array(margins)).sum())))
        right.append(min(margins) > 0)
    each = [loss for own in losses.values() for loss in own]
    if balanced:
        each = [float(np.mean(own)) for own in losses.values()]
    value = linear_module._objective((matrix, images, logits), answers)
    assert value.loss == pytest.approx(np.mean(each), rel=1e-12)
    assert value.accuracy == pytest.approx(np.mean(right))


@pytest.mark.parametrize("options", [2, 3])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_items_held_once_or_a_comparison_each_are_the_same(name: str, options: int) -> None:
    data = some_data(4, options=options)
    one, other = (
        OBJECTIVES[name](parts_of(name), LinearAnswers(part, user_balanced=False))
        for part in (data, with_own_items(data))
    )
    assert one.loss == pytest.approx(other.loss, rel=1e-12)
    for a, b in zip(one.gradient, other.gradient, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_balanced_people_weigh_the_same_however_often_they_answer() -> None:
    data = some_data(5)
    rows = np.concatenate([np.flatnonzero(data.person == i)[:3] for i in range(PEOPLE - 1)])
    even = data.rows(rows[data.person[rows] < 2])
    often = even.rows(np.concatenate([np.arange(len(even)), *3 * [np.flatnonzero(even.person)]]))
    matrix, images, logits = parts_of("pal-a")
    one = linear_module._objective(
        (matrix, images, logits[:2]), LinearAnswers(even, user_balanced=True)
    )
    # Repeating an answer moves the centre and the unit: the same numbers are asked for in each.
    answers = LinearAnswers(often, user_balanced=True)
    before = LinearAnswers(even, user_balanced=True)
    scale = answers.unit / before.unit
    shift = matrix @ (answers.centre - before.centre) / before.unit
    two = linear_module._objective((matrix * scale, images - shift, logits[:2]), answers)
    assert two.loss == pytest.approx(one.loss, rel=1e-10)
    unbalanced = LinearAnswers(often, user_balanced=False)
    three = linear_module._objective((matrix * scale, images - shift, logits[:2]), unbalanced)
    assert abs(three.loss - one.loss) > 1e-3


@pytest.mark.parametrize("options", [2, 3])
@pytest.mark.parametrize("ridge", [0.3, 10.0])
def test_bradley_terry_is_the_minimum_that_cvxpy_finds(options: int, ridge: float) -> None:
    cp = pytest.importorskip("cvxpy", reason="the reference solver is an extra")
    data = some_data(6, options=options)
    fit = fit_bradley_terry(data, ridge=ridge)
    assert fit.converged
    unit = LinearAnswers(data, user_balanced=False).unit
    rows = (data.items[data.chosen] - data.items[data.rejected]) / unit
    theta = cp.Variable(D)
    terms = [
        cp.log_sum_exp(cp.hstack([0.0, -(rows[np.flatnonzero(group)] @ theta)]))
        for group in (np.arange(len(rows)) // (options - 1) == np.arange(data.answers)[:, None])
    ]
    n = data.answers
    problem = cp.Problem(cp.Minimize(sum(terms) / n + ridge / (2 * n) * cp.sum_squares(theta)))
    problem.solve(solver="CLARABEL")
    assert fit.history[-1].loss == pytest.approx(problem.value, abs=1e-9)
    found = fit.model.basis[:, 0] * unit
    np.testing.assert_allclose(found, theta.value, atol=1e-3)  # as near as CLARABEL ends
    picks = np.arange(len(rows)) // (options - 1)
    slope = multinomial_gradient(found, rows, picks) + ridge * found
    np.testing.assert_allclose(slope / n, 0.0, atol=1e-6)
    assert fit.model.weights_of("a") == 1.0


def test_simulated_mixtures_are_learned_as_far_as_k_allows() -> None:
    population = simulate_population(people=60, answers=60, unseen=60, support=40, seed=1)
    fits = {k: fit_pal_a(population.train, k) for k in (1, 2, 3, 4)}
    seen = {k: evaluate(fit.model, population.held_out).accuracy for k, fit in fits.items()}
    assert seen[1] < 0.93
    assert seen[1] < seen[2] < seen[3]
    assert seen[3] >= max(0.95, seen[1] + 0.07)
    assert seen[4] >= seen[3] - 0.02
    model = fits[3].model
    curve = learning_curve(model, population.support, population.unseen_held_out, (0, 5, 40))
    zero_shot, five, forty = curve.accuracy
    assert zero_shot < five < forty
    assert forty >= seen[3] - 0.03
    found = measure_recovery(model, population.truth, population.held_out.items[:500])
    assert found.image < 0.2
    assert found.relative < 0.5


def test_simulated_partition_is_learned() -> None:
    population = simulate_population(mixture="partition", unseen=0, seed=2)
    seen = [
        evaluate(fit_pal_a(population.train, k).model, population.held_out).accuracy for k in (1, 3)
    ]
    assert seen[0] < 0.85
    assert seen[1] >= 0.97


def test_noisy_answers_are_not_fitted_word_for_word() -> None:
    population = simulate_population(people=60, answers=60, unseen=0, noise=0.3, seed=3)
    fit = fit_pal_a(population.train, 3)
    best = evaluate(population.truth, population.held_out).accuracy
    assert evaluate(fit.model, population.held_out).accuracy > best - 0.06


def test_picks_out_of_four_say_more_than_pairs() -> None:
    pairs, picks = (
        simulate_population(people=40, answers=25, unseen=0, seed=4, options=m) for m in (2, 4)
    )
    seen = [
        evaluate(fit_pal_a(drawn.train, 3).model, pairs.held_out).accuracy
        for drawn in (pairs, picks)
    ]
    assert seen[1] > seen[0] + 0.02


@pytest.mark.parametrize("fit", FITS)
def test_two_options_are_a_pair(fit: Fitter) -> None:
    data = some_data(7)
    one, two = (
        fit(part, 2, max_iterations=10) for part in (data, replace(data, pick=np.arange(len(data))))
    )
    np.testing.assert_array_equal(one.model.weights, two.model.weights)


@pytest.mark.parametrize("fit", FITS)
def test_the_seed_fixes_everything_and_touches_nothing(fit: Fitter) -> None:
    data = some_data(8)
    before = np.random.get_state(legacy=False)["state"]["key"].copy()  # noqa: NPY002 - it must stay as it is
    one, again, other = (fit(data, 3, seed=seed).model for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.weights, again.weights)
    np.testing.assert_array_equal(one.margins(data), again.margins(data))
    assert (one.weights != other.weights).any()
    np.testing.assert_array_equal(before, np.random.get_state(legacy=False)["state"]["key"])  # noqa: NPY002


@pytest.mark.parametrize("fit", FITS)
def test_shift_and_scale_of_the_features_do_not_matter(fit: Fitter) -> None:
    data = some_data(9)
    for scale, shift in ((1e3, 0.0), (1e-4, 0.0), (1.0, 50.0)):
        moved = replace(data, items=scale * (data.items + shift))
        one, two = (fit(part, 2, max_iterations=12).model for part in (data, moved))
        np.testing.assert_allclose(two.margins(moved), one.margins(data), rtol=1e-4, atol=1e-5)


def test_prototypes_in_the_input_space_say_what_was_learned_in_the_image() -> None:
    # More dimensions than the image, so that prototypes are not unique; the margins must be.
    population = simulate_population(people=20, answers=30, unseen=0, d=6, seed=5)
    fit = fit_pal_a(population.train, 3, d_out=2, max_iterations=30)
    assert fit.model.f.d_out == 2
    assert fit.model.prototypes.shape == (3, 6)
    found = evaluate(fit.model, population.train)
    assert found.accuracy == pytest.approx(fit.history[-1].accuracy)
    assert found.log_loss < fit.history[-1].loss < found.log_loss + 0.2  # the ridge is the rest


def test_history_falls_and_is_told() -> None:
    told: list[Step] = []
    population = simulate_population(people=20, answers=30, unseen=0, seed=6)
    fit = fit_pal_a(population.train, 2, starts=2, on_step=told.append)
    losses = [step.loss for step in fit.history]
    assert all(np.diff(losses) < 0.0)
    assert [step.number for step in fit.history] == list(range(1, len(losses) + 1))
    assert fit.converged
    assert fit.seconds > 0.0
    assert set(fit.history) <= set(told)
    assert len(told) == len(losses) + 25  # the start that was dropped
    assert fit.history[0].validation_loss is None
    short = fit_pal_a(population.train, 2, starts=1, max_iterations=7)
    assert len(short.history) == 7
    assert not short.converged


def test_more_starts_never_end_worse_at_the_heat() -> None:
    data = simulate_population(people=15, answers=15, unseen=0, d=3, seed=7).train
    losses = [
        fit_pal_a(data, 3, starts=starts, max_iterations=25).history[-1].loss
        for starts in (1, 2, 6)
    ]
    assert losses[0] >= losses[1] >= losses[2]
    assert losses[0] > losses[2]


def test_validation_stops_early_and_returns_the_best_model() -> None:
    population = simulate_population(people=20, answers=12, unseen=0, noise=0.5, seed=8)
    free, fit = (
        fit_pal_a(population.train, 3, ridge=1e-3, starts=1, validation=validation)
        for validation in (None, population.held_out)
    )
    losses = [step.validation_loss for step in fit.history]
    best = min(loss for loss in losses if loss is not None)
    found = evaluate(fit.model, population.held_out)
    assert found.log_loss == pytest.approx(best, rel=1e-12)
    assert found.log_loss < 0.8 * evaluate(free.model, population.held_out).log_loss
    assert fit.converged
    assert len(losses) == losses.index(best) + 21
    assert fit.history[losses.index(best)].validation_accuracy == pytest.approx(found.accuracy)


def test_everybody_has_weights_of_the_simplex_and_the_silent_have_the_mean() -> None:
    data = some_data(10)
    for fit in FITS:
        model = fit(data, 3).model
        assert model.people == data.people
        np.testing.assert_allclose(model.weights.sum(axis=1), 1.0)
        np.testing.assert_allclose(model.weights_of("e"), model.weights[:4].mean(axis=0))
        np.testing.assert_allclose(model.mean_weights, model.weights_of("e"))


def test_one_prototype_is_one_reward_for_everybody() -> None:
    data = some_data(11)
    model = fit_pal_a(data, 1).model
    np.testing.assert_array_equal(model.weights, np.ones((PEOPLE, 1)))
    rewards = model.rewards(model.weights, data.items)
    np.testing.assert_array_equal(rewards, np.tile(rewards[0], (PEOPLE, 1)))


def one_row(times: int = 1) -> PreferenceData:
    zeros = np.zeros(times, dtype=np.intp)
    return PreferenceData(np.eye(2), zeros, zeros, zeros + 1, ("a",))


def homogeneous(data: PreferenceData, _k: int) -> Fit[LoRe]:
    return fit_bradley_terry(data)


@pytest.mark.parametrize("fit", [*FITS, homogeneous])
@pytest.mark.parametrize("k", [1, 4])
def test_degenerate_answers_have_an_answer(fit: Fitter, k: int) -> None:
    contradictory = PreferenceData(
        np.eye(2), np.zeros(2, dtype=np.intp), np.array([0, 1]), np.array([1, 0]), ("a",)
    )
    alike = replace(one_row(), items=np.ones((2, 3)))
    for data, low, high in (
        (one_row(), -1e-2, 1.0),  # the prior may outweigh a single answer
        (one_row(500), 2.0, 20.0),  # separable, and yet finite
        (contradictory, -1e-2, 1e-2),
        (alike, -1e-2, 1e-2),
    ):
        fitted = fit(data, k)
        assert fitted.converged
        margins = fitted.model.margins(data)
        assert low <= margins.min() <= margins.max() <= high


def test_a_person_who_contradicts_themselves_does_not_spoil_the_others() -> None:
    population = simulate_population(people=20, answers=40, unseen=0, d=4, seed=9)
    data = population.train
    last = data.person == 19
    odd = np.flatnonzero(last)[::2]
    chosen, rejected = data.chosen.copy(), data.rejected.copy()
    chosen[odd], rejected[odd] = data.rejected[odd], data.chosen[odd]
    fit = fit_pal_a(replace(data, chosen=chosen, rejected=rejected), 3)
    by_person = evaluate(fit.model, population.held_out).by_person
    assert by_person[:19].mean() > 0.93


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"k": 0}, "at least 1"),
    ({"starts": 0}, "at least 1"),
    ({"ridge": 0.0}, "ridge must be above 0"),
    ({"ridge": np.inf}, "ridge must be"),
    ({"d_out": 0}, "from 1 to 4"),
    ({"d_out": 5}, "from 1 to 4"),
    ({"max_iterations": 0}, "at least 1"),
    ({"tolerance": 0.0}, "above 0"),
]


@pytest.mark.parametrize(("setting", "message"), REFUSED)
def test_settings_out_of_range_are_refused(setting: dict[str, object], message: str) -> None:
    settings: dict[str, object] = {"k": 2, **setting}
    with pytest.raises(ParameterError, match=message):
        fit_pal_a(some_data(0), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("fit", FITS)
def test_data_that_cannot_be_learned_from_is_refused(fit: Fitter) -> None:
    data = some_data(0)
    with pytest.raises(ParameterError, match="no answer"):
        fit(data.rows(np.zeros(0, dtype=np.intp)), 2)
    prompted = replace(data, prompts=np.ones((1, 2)), prompt=np.zeros(len(data), dtype=np.intp))
    with pytest.raises(ParameterError, match="joined"):
        fit(prompted, 2)
    assert np.isfinite(fit(prompted.joined(), 2).model.weights).all()
    stranger = replace(data, people=(*"abcd", "stranger"))
    shown = stranger.rows(np.flatnonzero(stranger.person < 4))
    with pytest.raises(ParameterError, match="stranger"):
        fit(data, 2, validation=shown)


def test_lore_finds_a_linear_population_that_one_direction_cannot() -> None:
    rng = np.random.default_rng(12)
    n, people = 3000, 30
    items = rng.normal(size=(2 * n, D))
    person = rng.integers(people, size=n)
    directions = rng.dirichlet(np.full(2, 0.5), size=people) @ np.array(
        [[3.0, 0, 0, 0], [0, 3.0, 0, 0]]
    )
    margins = np.einsum("nd,nd->n", items[:n] - items[n:], directions[person])
    first = np.where(margins > 0, np.arange(n), np.arange(n) + n)
    data = PreferenceData.from_arrays(items, person, first, (first + n) % (2 * n))
    train, test = data.rows(np.arange(2000)), data.rows(np.arange(2000, n))
    one = evaluate(fit_bradley_terry(train).model, test).accuracy
    two = evaluate(fit_lore(train, 2).model, test).accuracy
    assert two > 0.93
    assert two > one + 0.05


def test_fit_is_a_model_of_its_kind() -> None:
    assert isinstance(fit_pal_a(some_data(0), 2).model, PalA)
    assert fit_lore(some_data(0), 2).model.basis.shape == (D, 2)


@pytest.mark.parametrize("fit", FITS)
def test_a_partition_puts_everybody_whole_where_they_belong(fit: Fitter) -> None:
    world = simulate_population(
        people=30, answers=60, k=3, d=6, held_out=40, unseen=1, support=1, mixture="partition"
    )
    mixed, whole = (fit(world.train, 3, partition=partition) for partition in (False, True))
    assert ((whole.model.weights == 0.0) | (whole.model.weights == 1.0)).all()
    np.testing.assert_array_equal(whole.model.weights.sum(axis=1), 1.0)
    if fit is fit_pal_a:  # whose prototypes are where the people are, and not out at the hull
        accuracies = [evaluate(f.model, world.held_out).accuracy for f in (mixed, whole)]
        assert accuracies[1] > max(0.95, accuracies[0] - 0.005)
        truth = world.truth.weights[:30].argmax(axis=1)
        together = whole.model.weights.argmax(axis=1)
        same = truth[:, None] == truth
        assert ((together[:, None] == together) == same).mean() > 0.98


def test_a_prototype_without_people_stays() -> None:
    weights = np.array([[0.7, 0.2, 0.1], [0.6, 0.3, 0.1], [0.1, 0.8, 0.1]])
    prototypes = np.array([[1.0, 0.0], [0.0, 1.0], [5.0, 5.0]])
    whole, moved = partitioned(weights, prototypes)
    np.testing.assert_array_equal(whole, [[1, 0, 0], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(moved[0], (weights[:2] @ prototypes).mean(axis=0))
    np.testing.assert_allclose(moved[1], weights[2] @ prototypes)
    np.testing.assert_array_equal(moved[2], prototypes[2])
