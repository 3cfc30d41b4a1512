"""The simulated population is the paper's, and its parts have nothing but the truth in common."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy.special import expit

from palate.errors import ParameterError
from palate.population import Projector, evaluate, simulate_population
from palate.population.simulate import _prototypes

if TYPE_CHECKING:
    from palate.population import PreferenceData, SimulatedPopulation
    from palate.population.simulate import Mixture

PARTS = ("train", "held_out", "support", "unseen_held_out")


def part(population: SimulatedPopulation, name: str) -> PreferenceData:
    data: PreferenceData = getattr(population, name)
    return data


@pytest.mark.parametrize("options", [2, 3])
@pytest.mark.parametrize("mixture", ["softmax", "dirichlet", "partition"])
def test_everybody_answers_by_their_distances(mixture: Mixture, options: int) -> None:
    population = simulate_population(
        people=7, answers=5, held_out=4, unseen=3, support=2, mixture=mixture, options=options
    )
    truth = population.truth
    points = truth.weights @ truth.prototypes
    for name, people, each in (
        ("train", 7, 5),
        ("held_out", 7, 4),
        ("support", 3, 2),
        ("unseen_held_out", 3, 4),
    ):
        data = part(population, name)
        assert data.answers == people * each
        assert len(data) == people * each * (options - 1)
        np.testing.assert_array_equal(data.per_person, np.full(people, each * (options - 1)))
        for row in range(len(data)):
            point = points[truth.people.index(data.people[data.person[row]])]
            near, far = (
                float(np.linalg.norm(truth.f.weights[0] @ (data.items[places[row]] - point)))
                for places in (data.chosen, data.rejected)
            )
            assert near < far
        assert evaluate(truth, data).accuracy == 1.0


def test_weights_are_drawn_as_said() -> None:
    def weights(mixture: Mixture) -> Any:
        return simulate_population(
            people=4000, answers=0, held_out=0, unseen=0, mixture=mixture, seed=1
        ).truth.weights

    logs = np.log(weights("softmax"))
    contrasts = logs[:, 0] - logs[:, 1]  # the difference of two standard normals
    assert contrasts.mean() == pytest.approx(0.0, abs=0.1)
    assert contrasts.std() == pytest.approx(np.sqrt(2.0), abs=0.1)
    assert weights("dirichlet").std(axis=0) == pytest.approx(np.sqrt(1 / 18), abs=0.02)
    one_hot = weights("partition")
    assert set(one_hot.reshape(-1)) == {0.0, 1.0}
    np.testing.assert_allclose(one_hot.mean(axis=0), 1 / 3, atol=0.05)


def test_items_and_map_have_the_variance_of_the_paper() -> None:
    population = simulate_population(people=50, answers=50, d=16, unseen=0)
    assert population.train.items.std() == pytest.approx(1 / 4, rel=0.02)
    assert population.truth.f.weights[0].std() == pytest.approx(1 / 4, rel=0.15)


def test_prototypes_keep_their_distance() -> None:
    for d in (2, 16):
        truth = simulate_population(k=5, d=d, people=1, answers=0, unseen=0, separation=1.2).truth
        apart = np.linalg.norm(truth.prototypes[:, None] - truth.prototypes, axis=2)
        assert apart[np.triu_indices(5, 1)].min() >= 1.2
    with pytest.raises(ParameterError, match="lower the separation"):
        _prototypes(np.random.default_rng(0), 3, 1, 20.0)


def test_the_seed_fixes_everything_and_parts_are_drawn_for_themselves() -> None:
    settings: dict[str, Any] = {"people": 3, "held_out": 2, "unseen": 2, "support": 4}
    one, again, more, other = (
        simulate_population(**settings, answers=answers, seed=seed)
        for answers, seed in ((5, 1), (5, 1), (9, 1), (5, 2))
    )
    for name in PARTS:
        np.testing.assert_array_equal(part(one, name).items, part(again, name).items)
        assert (part(one, name).items != part(other, name).items).all()
    np.testing.assert_array_equal(one.truth.prototypes, more.truth.prototypes)
    np.testing.assert_array_equal(one.truth.weights, more.truth.weights)
    np.testing.assert_array_equal(one.held_out.items, more.held_out.items)
    assert (one.truth.weights[:2] != one.truth.weights[3:]).all()  # the unseen are other people
    items = [part(one, name).items for name in PARTS]
    rows = np.concatenate(items)
    assert len(np.unique(rows, axis=0)) == len(rows)  # no answer is in two parts


@pytest.mark.parametrize("options", [2, 3])
def test_noisy_answers_are_as_likely_as_the_model_says(options: int) -> None:
    noise = 0.5
    population = simulate_population(
        people=40, answers=200, unseen=0, noise=noise, options=options, seed=3
    )
    truth = population.truth
    sure = replace(truth, f=Projector.linear(truth.f.weights[0] / np.sqrt(noise)))
    margins = sure.margins(population.train)
    said = expit(np.abs(margins))
    if options == 2:
        right = margins > 0
        error = np.sqrt((said * (1 - said)).sum()) / len(said)
        assert right.mean() == pytest.approx(said.mean(), abs=4 * error)
        assert right.mean() < 0.9
    found = evaluate(sure, population.train)
    sharper, flatter = (
        evaluate(replace(sure, f=Projector.linear(scale * sure.f.weights[0])), population.train)
        for scale in (1.2, 0.8)
    )
    assert found.log_loss < min(sharper.log_loss, flatter.log_loss)
    assert found.calibration.error < 0.03


def test_parts_may_be_empty() -> None:
    population = simulate_population(people=2, answers=0, held_out=0, unseen=0, support=0)
    assert [len(part(population, name)) for name in PARTS] == [0, 0, 0, 0]
    assert population.support.people == ()


@pytest.mark.parametrize(
    "setting",
    [
        {"people": 0},
        {"k": 0},
        {"d": 0},
        {"answers": -1},
        {"unseen": -1},
        {"options": 1},
        {"noise": -0.1},
        {"noise": np.inf},
        {"mixture": "pure"},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=r"must be|is one of"):
        simulate_population(**setting)
