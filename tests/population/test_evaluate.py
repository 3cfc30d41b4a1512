from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from population_cases import Variant, every_variant, make_data, make_model, simplex

from palate.errors import ParameterError
from palate.population import LoRe, PreferenceData
from palate.population.evaluate import (
    TEMPERATURES,
    evaluate,
    fit_temperature,
    learning_curve,
)
from palate.population.localise import locate

if TYPE_CHECKING:
    from palate._typing import FloatArray

ONE = LoRe(people=("ann", "bob", "cas"), weights=np.ones((3, 1)), basis=np.ones((1, 1)))
"""Rewards that are the items' only feature."""


def ask(rows: list[tuple[str, float, float, int]]) -> PreferenceData:
    """Rows of a person, the features of chosen and rejected, and the number of the pick."""
    items = [value for _, chosen, rejected, _ in rows for value in (chosen, rejected)]
    values = sorted(set(items))
    place = {value: i for i, value in enumerate(values)}
    twins = len(values)  # each item twice, so that equal ones can be compared
    data = PreferenceData.from_arrays(
        np.array(values * 2)[:, None],
        ["ann", "bob", "cas"] + [row[0] for row in rows],
        [0, 0, 0] + [place[row[1]] for row in rows],
        [1, 1, 1] + [twins + place[row[2]] for row in rows],
        pick=[0, 1, 2] + [3 + row[3] for row in rows],
    )
    return data.rows(np.arange(3, len(data)))


# ann: right, wrong; bob: a tie and a pick out of three; cas: nothing
DATA = ask(
    [
        ("ann", 2.0, 1.0, 0),
        ("ann", 0.0, 3.0, 1),
        ("bob", 1.0, 1.0, 2),
        ("bob", 2.0, 1.0, 3),
        ("bob", 2.0, 0.0, 3),
    ]
)


def test_worked_by_hand() -> None:
    found = evaluate(ONE, DATA, base_rate=0.4, reference=0.3)
    assert found.answers == 4
    assert found.accuracy == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    np.testing.assert_allclose(found.by_person, [0.5, 0.75, np.nan])
    losses = [
        np.log(1 + np.exp(-1)),
        np.log(1 + np.exp(3)),
        np.log(2),
        np.log(1 + np.exp(-1) + np.exp(-2)),
    ]
    assert found.log_loss == pytest.approx(np.mean(losses))
    by_person = [np.mean(losses[:2]), np.mean(losses[2:]), np.nan]
    np.testing.assert_allclose(found.log_loss_by_person, by_person)
    assert found.mean_over_people == pytest.approx(0.625)
    assert found.spread == pytest.approx(np.std([0.5, 0.75], ddof=1))
    np.testing.assert_allclose(found.quantiles((0.0, 0.5, 1.0)), [0.5, 0.625, 0.75])
    assert (found.base_rate, found.reference) == (0.4, 0.3)
    confidences = np.array([1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-3)), 0.5, np.exp(-losses[3])])
    bins = found.calibration
    assert bins.count.sum() == 4
    assert bins.count[[10, 13, 14, 19]].tolist() == [1, 1, 1, 1]
    np.testing.assert_allclose(bins.confidence[[14, 19, 10, 13]], confidences)
    np.testing.assert_allclose(bins.accuracy[[14, 19, 10, 13]], [1, 0, 0.5, 1])
    gaps = np.abs(confidences - [1, 0, 0.5, 1])
    assert bins.error == pytest.approx(gaps.mean())
    assert np.isnan(bins.accuracy[0])


def test_several_options_ranked_first_share_the_credit() -> None:
    rows = [("ann", 1.0, 1.0, 0), ("ann", 1.0, 0.0, 0), ("ann", 1.0, 0.5, 0)]
    assert evaluate(ONE, ask(rows)).accuracy == pytest.approx(0.5)
    assert evaluate(ONE, ask([("ann", 1.0, 1.0, 0), ("ann", 1.0, 9.0, 0)])).accuracy == 0.0
    # not picked, though another option is as good as the best
    again = [("ann", 1.0, 2.0, 0), ("ann", 1.0, 0.0, 0)]
    assert evaluate(ONE, ask(again)).accuracy == 0.0


@every_variant
def test_agrees_with_margins_and_probabilities(variant: Variant) -> None:
    model, data = make_model(variant), make_data(variant, n=200)
    w = simplex(np.random.default_rng(5), 4, model.k)
    for weights in (None, w):
        found = evaluate(model, data, weights)
        p = model.predict_proba(data, weights)
        assert found.accuracy == pytest.approx((p > 0.5).mean())
        assert found.log_loss == pytest.approx(-np.log(p).mean())
        confidence = np.maximum(p, 1 - p)
        shown = found.calibration
        assert (shown.confidence * shown.count)[shown.count > 0].sum() == pytest.approx(
            confidence.sum()
        )
    turned = replace(data, chosen=data.rejected, rejected=data.chosen)
    assert evaluate(model, turned).accuracy == pytest.approx(1 - evaluate(model, data).accuracy)


def test_extreme_margins_overflow_nowhere() -> None:
    big = replace(ONE, scale=1e6)
    found = evaluate(big, DATA)
    assert np.isfinite(found.log_loss)
    assert found.log_loss == pytest.approx((3e6 + np.log(2)) / 4)
    assert found.calibration.count[19] == 3


def answered(model: LoRe, data: PreferenceData, temperature: float, seed: int) -> PreferenceData:
    """The same questions, answered by chance as the model at a temperature has it."""
    p = 1 / (1 + np.exp(-model.margins(data) / temperature))
    turned = np.random.default_rng(seed).random(len(data)) > p
    chosen = np.where(turned, data.rejected, data.chosen)
    return replace(data, chosen=chosen, rejected=np.where(turned, data.chosen, data.rejected))


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_of_the_answers_is_found(temperature: float) -> None:
    variant = Variant("lore")
    model = make_model(variant)
    assert isinstance(model, LoRe)
    model = replace(model, scale=2.0)
    data = answered(model, make_data(variant, n=6000), temperature, seed=2)
    found = fit_temperature(model, data)
    assert found == pytest.approx(temperature, rel=0.1)
    at = {t: evaluate(model, data, temperature=t) for t in (found, found * 0.98, found * 1.02)}
    assert at[found].log_loss == min(e.log_loss for e in at.values())
    assert len({e.accuracy for e in at.values()}) == 1
    assert at[found].calibration.error < 0.03
    if temperature != 1.0:
        assert evaluate(model, data).calibration.error > 2 * at[found].calibration.error


def test_temperatures_at_the_ends() -> None:
    right = ask([("ann", 2.0, 1.0, 0), ("bob", 3.0, 1.0, 1)])
    assert fit_temperature(ONE, right) == pytest.approx(TEMPERATURES[0])
    wrong = ask([("ann", 1.0, 2.0, 0), ("bob", 1.0, 3.0, 1)])
    assert fit_temperature(ONE, wrong) == pytest.approx(TEMPERATURES[1])
    assert TEMPERATURES[0] <= fit_temperature(ONE, DATA) <= TEMPERATURES[1]


def test_a_pick_out_of_several_has_a_temperature_too() -> None:
    rng = np.random.default_rng(0)
    n, k, temperature = 4000, 4, 2.0
    utility = rng.normal(size=(n, k)) * 3
    picked = (utility / temperature + rng.gumbel(size=(n, k))).argmax(axis=1)
    items = utility.reshape(-1, 1)
    places = np.arange(n * k).reshape(n, k)
    others = np.array([np.delete(row, i) for row, i in zip(places, picked, strict=True)])
    chosen = np.repeat(places[np.arange(n), picked], k - 1)
    pick = np.repeat(np.arange(n), k - 1)
    data = PreferenceData.from_arrays(
        items, ["ann"] * len(chosen), chosen, others.reshape(-1), pick=pick
    )
    assert fit_temperature(ONE, data) == pytest.approx(temperature, rel=0.06)
    assert evaluate(ONE, data, temperature=temperature).calibration.error < 0.03
    assert evaluate(ONE, data).calibration.error > 0.05


def test_mistakes_are_named() -> None:
    nothing = DATA.rows(np.zeros(0, dtype=np.intp))
    for asked in (evaluate, fit_temperature):
        with pytest.raises(ParameterError, match="no answers to evaluate on"):
            asked(ONE, nothing)
    for temperature in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ParameterError, match="temperature must be above 0"):
            evaluate(ONE, DATA, temperature=temperature)
    curve_of = (ONE, DATA, DATA)
    for counts in ((), (3, -1)):
        with pytest.raises(ParameterError, match="counts must be"):
            learning_curve(*curve_of, counts)
    with pytest.raises(ParameterError, match="the same people"):
        learning_curve(ONE, DATA, DATA.of_people([0, 1]), [1])


def newcomers(model: LoRe, n: int, seed: int) -> tuple[PreferenceData, PreferenceData, FloatArray]:
    """Forty people at corners of the simplex, who answer without noise."""
    rng = np.random.default_rng(seed)
    w = np.eye(3)[rng.integers(0, 3, size=40)]
    names = tuple(f"new{i}" for i in range(40))
    parts = []
    for each in (n, 50):
        person = np.repeat(np.arange(40), each)
        items = rng.normal(size=(80 * each, 4))
        one, two = np.arange(0, 80 * each, 2), np.arange(1, 80 * each, 2)
        better = ((items[one] - items[two]) @ model.basis * w[person]).sum(axis=1) > 0
        chosen = np.where(better, one, two)
        rejected = np.where(better, two, one)
        parts.append(PreferenceData(items, person, chosen, rejected, names))
    return parts[0], parts[1], w


def test_a_learning_curve_rises_from_zero_shot_to_everything() -> None:
    model = make_model(Variant("lore"))
    assert isinstance(model, LoRe)
    model = replace(model, scale=3.0)
    support, held_out, w = newcomers(model, 30, seed=0)
    curve = learning_curve(model, support, held_out, [0, 2, 10, 30, 99], seed=1)
    assert curve.counts.tolist() == [0, 2, 10, 30, 99]
    assert curve.short.tolist() == [0, 0, 0, 0, 40]
    assert (np.diff(curve.accuracy[:4]) > 0.0).all()
    assert curve.accuracy[3] > 0.9
    mean = np.tile(model.mean_weights, (40, 1))
    assert curve.accuracy[0] == evaluate(model, held_out, mean).accuracy
    everything = evaluate(model, held_out, locate(model, support).weights)
    assert curve.accuracy[3] == curve.accuracy[4] == pytest.approx(everything.accuracy)
    assert evaluate(model, held_out, w).accuracy == 1.0
    again = learning_curve(model, support, held_out, [2], seed=1)
    assert again.accuracy[0] == curve.accuracy[1]
    other = learning_curve(model, support, held_out, [2], seed=2)
    assert other.accuracy[0] != curve.accuracy[1]
    strict = learning_curve(model, support, held_out, [2], seed=1, prior_weight=1e9)
    np.testing.assert_allclose(strict.evaluations[0].by_person, curve.evaluations[0].by_person)


def test_one_person_has_no_spread() -> None:
    found = evaluate(ONE, DATA.of_people([0]))
    assert found.spread == 0.0
