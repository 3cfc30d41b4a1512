from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pytest

from palate.errors import ParameterError
from palate.population import LoRe, PreferenceData
from palate.population.select import select_k

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.population import PopulationModel


@dataclass
class Known:
    """What a fit returns here."""

    model: PopulationModel


@dataclass
class FirstAxes:
    """A fit that knows the truth: prototype k likes feature k, of six."""

    seen: list[tuple[int, int, frozenset[str]]] = field(default_factory=list)
    damage: float = 0.0

    def __call__(self, data: PreferenceData, k: int, /, *, seed: int) -> Known:
        self.seen.append((k, seed, frozenset(data.people)))
        basis = 6.0 * np.eye(6)[:, :k]
        if self.damage:
            basis = basis + self.damage * max(0, k - 3)
        return Known(LoRe(people=(), weights=np.zeros((0, k)), basis=basis))


def make_population(groups: int = 3, people: int = 45, each: int = 30) -> PreferenceData:
    """People who go by one of the first features each, most of the time."""
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(people), each)
    items = rng.normal(size=(2 * len(person), 6))
    one, two = np.arange(0, len(items), 2), np.arange(1, len(items), 2)
    axis = person % groups
    margin = items[one, axis] - items[two, axis]
    better = rng.random(len(person)) < 1 / (1 + np.exp(-6.0 * margin))
    chosen, rejected = np.where(better, one, two), np.where(better, two, one)
    return PreferenceData.from_arrays(items, person, chosen, rejected)


def test_the_number_of_groups_is_found() -> None:
    data = make_population()
    found = select_k(data, [5, 1, 2, 3, 4, 3], fit=FirstAxes())
    assert found.k == 3
    assert found.ks.tolist() == [1, 2, 3, 4, 5]
    assert found.by_person.shape == (45, 5)
    np.testing.assert_allclose(found.log_loss, found.by_person.mean(axis=0))
    assert found.log_loss[0] > found.log_loss[1] > found.log_loss[2] + 0.1
    best = int(found.log_loss.argmin())
    assert found.error[best] == 0.0
    excess = found.by_person[:, 0] - found.by_person[:, best]
    assert found.error[0] == pytest.approx(excess.std(ddof=1) / np.sqrt(45))


def test_one_standard_error_prefers_the_smaller() -> None:
    """Two prototypes that do the same but for noise: the better by luck is not better."""
    data = make_population(groups=1)
    lucky = []
    for seed in range(8):
        noise = 0.1 * np.random.default_rng(seed).normal(size=(6, 1))

        def fit(data: PreferenceData, k: int, /, *, seed: int, noise: FloatArray = noise) -> Known:
            basis = np.eye(6)[:, :1] * 6.0 + (noise if k == 2 else 0.0)
            return Known(LoRe(weights=np.zeros((0, k)), basis=np.tile(basis, k)))

        found = select_k(data, [1, 2], fit=fit)
        excess = found.log_loss - found.log_loss.min()
        assert found.k == (1 if excess[0] <= found.error[0] else 2)
        lucky.append(excess[0] > 0.0 and found.k == 1)
    assert any(lucky)
    assert select_k(data, [4], fit=FirstAxes()).k == 4


def test_alike_is_as_good() -> None:
    # Two models that predict all the same: the smaller, for want of any difference.
    same = select_k(make_population(groups=1), [1, 2], fit=_same)
    assert same.log_loss[0] == same.log_loss[1]
    assert same.k == 1


def _same(data: PreferenceData, k: int, /, *, seed: int) -> Known:
    return Known(LoRe(weights=np.zeros((0, k)), basis=np.tile(np.eye(6)[:, :1], k)))


def test_nobody_is_predicted_by_a_model_that_was_fitted_on_them() -> None:
    data, fit = make_population(people=10), FirstAxes()
    select_k(data, [1, 2], fit=fit, folds=4, seed=7)
    assert [k for k, _, _ in fit.seen] == [1, 2] * 4
    assert {seed for _, seed, _ in fit.seen} == {7}
    everybody = frozenset(data.people)
    out = [everybody - kept for k, _, kept in fit.seen if k == 1]
    assert sorted(len(people) for people in out) == [2, 2, 3, 3]
    assert frozenset().union(*out) == everybody
    assert sum(map(len, out)) == 10


def test_people_with_too_few_answers_are_always_trained_on() -> None:
    data = make_population(people=10)
    first = np.flatnonzero(data.person == 0)
    data = data.rows(np.setdiff1d(np.arange(len(data)), first[1:]))
    fit = FirstAxes()
    found = select_k(data, [1], fit=fit, folds=3)
    assert found.by_person.shape == (9, 1)
    assert all("0" in people for _, _, people in fit.seen)
    assert np.isfinite(found.by_person).all()


def test_the_seed_decides() -> None:
    data = make_population(people=12)
    one, two, other = (select_k(data, [1, 2], fit=FirstAxes(), seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.by_person, two.by_person)
    assert not np.array_equal(one.by_person, other.by_person)


@pytest.mark.parametrize(
    ("ks", "folds", "message"),
    [
        ([], 3, "ks must be"),
        ([0, 1], 3, "ks must be"),
        ([1], 1, "folds must be from 2 to the number of people .*, 10, not 1"),
        ([1], 11, "folds must be from 2 to the number of people .*, 10, not 11"),
    ],
)
def test_mistakes_are_named(ks: list[int], folds: int, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        select_k(make_population(people=10), ks, fit=FirstAxes(), folds=folds)


def test_a_fit_that_overfits_is_not_chosen() -> None:
    found = select_k(make_population(), [3, 5], fit=FirstAxes(damage=3.0))
    assert found.k == 3
