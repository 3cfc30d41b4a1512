from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from population_cases import PEOPLE, Variant, make_data, make_model, simplex
from scipy.stats import ortho_group

from palate.errors import ParameterError
from palate.population import LoRe, PalA, Projector
from palate.population.recovery import measure_recovery, reward_correlation


def make_truth(seed: int = 0, d: int = 4, k: int = 3) -> PalA:
    rng = np.random.default_rng(seed)
    return PalA(
        people=PEOPLE,
        weights=simplex(rng, len(PEOPLE), k),
        f=Projector.linear(rng.normal(size=(d, 4))),
        prototypes=rng.normal(size=(k, 4)),
    )


def disguised(truth: PalA, seed: int = 1) -> PalA:
    """The same taste: image turned, scaled and shifted, and prototypes in another order."""
    rng = np.random.default_rng(seed)
    turn = ortho_group.rvs(truth.f.d_out, random_state=rng)
    matrix, shift = 2.5 * turn @ truth.f.weights[0], rng.normal(size=truth.f.d_out)
    order = rng.permutation(truth.k)
    return replace(
        truth,
        f=Projector((matrix,), (shift,)),
        prototypes=truth.prototypes[order],
        weights=truth.weights[:, order],
    )


ITEMS = np.random.default_rng(9).normal(size=(200, 4))


@pytest.mark.parametrize("d", [2, 4])
def test_what_preferences_leave_open_is_no_error(d: int) -> None:
    truth = make_truth(d=d)
    other = disguised(truth)
    found = measure_recovery(other, truth, ITEMS)
    np.testing.assert_allclose(found.ideal_points, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.prototypes, 0.0, atol=1e-12)
    assert found.image == pytest.approx(0.0, abs=1e-12)
    assert found.relative == pytest.approx(0.0, abs=1e-12)
    for mine, true in found.matches.tolist():
        np.testing.assert_allclose(other.prototypes[mine], truth.prototypes[true])
    data = make_data(Variant("pal-a"))
    np.testing.assert_allclose(reward_correlation(other, truth, data), 1.0)


def test_errors_are_distances_in_the_true_image() -> None:
    truth = make_truth()
    moved = np.array([0.3, -0.2, 0.1, 0.5])
    far = replace(truth, prototypes=truth.prototypes + moved)
    found = measure_recovery(disguised(far), truth, ITEMS)
    length = float(np.linalg.norm(truth.f.weights[0] @ moved))
    np.testing.assert_allclose(found.ideal_points, length)
    points = truth.weights @ truth.prototypes @ truth.f.weights[0].T
    spread = np.sqrt(((points - points.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert found.spread == pytest.approx(spread)
    assert found.relative == pytest.approx(length / spread)


def test_the_match_is_the_best_of_all() -> None:
    truth = make_truth()
    turned = replace(truth, prototypes=truth.prototypes[[2, 0, 1]] + 1e-3)
    found = measure_recovery(turned, truth, ITEMS)
    assert found.matches.tolist() == [[0, 2], [1, 0], [2, 1]]
    # Nearest alone would give two the same: both fitted ones lie by the first true one.
    prototypes = np.array([[0.0, 0, 0, 0], [10.0, 0, 0, 0], [20.0, 0, 0, 0]])
    line = replace(truth, f=Projector.linear(np.eye(4)), prototypes=prototypes)
    fitted = replace(line, prototypes=prototypes + np.array([[1.0], [-9.0], [0.0]]) * np.eye(4)[0])
    found = measure_recovery(fitted, line, ITEMS)
    assert sorted(found.matches[:, 1].tolist()) == [0, 1, 2]
    np.testing.assert_allclose(found.prototypes.sum(), 10.0)


def test_models_of_other_sizes_and_images() -> None:
    truth = make_truth(d=2)
    wide = replace(truth, f=Projector.linear(np.vstack([truth.f.weights[0], np.zeros((3, 4))])))
    for one, two in ((wide, truth), (truth, wide)):
        found = measure_recovery(one, two, ITEMS)
        np.testing.assert_allclose(found.ideal_points, 0.0, atol=1e-12)
    single = replace(truth, prototypes=truth.prototypes.mean(axis=0)[None], weights=np.ones((4, 1)))
    found = measure_recovery(single, truth, ITEMS)
    assert found.prototypes.shape == (1,)
    centre = truth.weights.mean(axis=0) @ truth.prototypes
    best = measure_recovery(replace(single, prototypes=centre[None]), truth, ITEMS)
    assert best.relative == pytest.approx(1.0)
    assert found.relative > 1.0


def test_an_image_of_something_else_shows() -> None:
    truth = make_truth()
    other = replace(truth, f=make_truth(seed=5).f)
    assert measure_recovery(other, truth, ITEMS).image > 0.2


def test_people_are_told_by_name_or_by_weights() -> None:
    truth = make_truth()
    fewer = replace(truth, people=("bob", "zoe"), weights=truth.weights[[1, 3]])
    found = measure_recovery(fewer, truth, ITEMS)
    np.testing.assert_allclose(found.ideal_points, [0.0], atol=1e-12)
    with pytest.raises(ParameterError, match="no person in common"):
        measure_recovery(replace(fewer, people=("x", "y")), truth, ITEMS)
    with pytest.raises(ParameterError, match="for both"):
        measure_recovery(fewer, truth, ITEMS, weights=np.eye(3))
    both = measure_recovery(
        fewer, truth, ITEMS, weights=np.eye(3), true_weights=np.eye(3)[[1, 0, 2]]
    )
    apart = truth.f.weights[0] @ (truth.prototypes[0] - truth.prototypes[1])
    distance = float(np.linalg.norm(apart))
    np.testing.assert_allclose(both.ideal_points, [distance, distance, 0.0], atol=1e-12)


def test_correlation_of_each_person_by_hand() -> None:
    one = LoRe(people=PEOPLE, weights=np.ones((4, 1)), basis=np.array([[1.0], [0], [0], [0]]))
    two = replace(one, basis=np.array([[1.0], [1.0], [0], [0]]), scale=9.0)
    data = make_data(Variant("lore"))
    data = data.rows(np.flatnonzero(data.person != 2))
    a, b = one.margins(data), two.margins(data)
    found = reward_correlation(one, two, data)
    for i in (0, 1, 3):
        mine = data.person == i
        cosine = a[mine] @ b[mine] / np.linalg.norm(a[mine]) / np.linalg.norm(b[mine])
        assert found[i] == pytest.approx(cosine)
    assert np.isnan(found[2])
    against = replace(one, basis=-one.basis)
    np.testing.assert_allclose(reward_correlation(one, against, data)[[0, 1, 3]], -1.0)
    w = np.ones((4, 1))
    again = reward_correlation(one, two, data, weights=w, true_weights=w)
    np.testing.assert_array_equal(again, found)


def test_correlation_needs_no_pal_a() -> None:
    data = make_data(Variant("pal-b"))
    model = make_model(Variant("pal-b", norm="mix"))
    np.testing.assert_allclose(reward_correlation(model, model, data), 1.0)
