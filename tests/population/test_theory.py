from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from palate.errors import ParameterError
from palate.population.theory import (
    ASSUMPTIONS,
    Bound,
    Setting,
    answers_needed,
    canal_bound,
    explain,
    mixture_advantage,
    people_needed,
    seen_bound,
    unseen_bound,
)

if TYPE_CHECKING:
    from collections.abc import Callable

BOUNDS = (seen_bound, canal_bound, unseen_bound)
every_bound = pytest.mark.parametrize("bound", BOUNDS, ids=lambda b: b.__name__)


@pytest.mark.parametrize(
    ("people", "answers", "seen", "canal", "unseen"),
    [  # K = 3, D = 16, L = 1/4, delta = 0.05
        (100, 100, 3.53, 0.673, 9.72),
        (10_000, 1000, 1.52, 0.191, 1.00),
        (1_000_000, 1000, 2.27, 0.190, 0.137),
    ],
)
def test_values_to_three_digits(
    people: int, answers: int, seen: float, canal: float, unseen: float
) -> None:
    setting = Setting(people, answers, prototypes=3, dimension=16)
    values = [bound(setting).value for bound in BOUNDS]
    assert [float(f"{value:.3g}") for value in values] == [seen, canal, unseen]
    assert [bound(setting).vacuous for bound in BOUNDS] == [value >= 1.0 for value in values]


def test_values_worked_by_hand() -> None:
    # zeta_M^2 = 4, zeta_v^2 = 1 and delta = 2/e make every root a small one.
    setting = Setting(
        8, 2, prototypes=2, dimension=4, lipschitz=1.0, delta=2 / math.e, zeta_m=2.0, zeta_v=1.0
    )
    # (4 + (2 * 8 / 4 + 2) * 1) / 16 = 10 / 16
    assert seen_bound(setting).shared == pytest.approx(12 * math.sqrt(10 / 16) * math.log(12))
    assert seen_bound(setting).chance == pytest.approx(math.sqrt(2 / 16))
    assert canal_bound(setting).shared == pytest.approx(6 * math.sqrt(12 / 16))
    new = unseen_bound(setting)
    assert (new.shared, new.own) == pytest.approx((18 * 1.0, 3 * 0.5))
    assert new.chance == pytest.approx(math.sqrt(1 + math.log(2)))
    assert new.value == pytest.approx(new.shared + new.own + new.chance)


@every_bound
def test_more_answers_and_more_confidence(bound: Callable[[Setting], Bound]) -> None:
    setting = Setting(500, 10, 3, 16)
    by_answers = [bound(replace(setting, answers=m)).value for m in (1, 2, 5, 100, 10_000)]
    assert by_answers == sorted(by_answers, reverse=True)
    assert bound(replace(setting, delta=0.01)).value > bound(setting).value
    assert bound(replace(setting, lipschitz=0.5)).value > bound(setting).value


@every_bound
@pytest.mark.parametrize("target", [0.2, 0.6, 1.5, 4.0])
def test_answers_needed_is_the_least(bound: Callable[[Setting], Bound], target: float) -> None:
    setting = Setting(20_000, 1, 3, 16)
    m = answers_needed(bound, setting, target)
    if m is None:
        assert bound(replace(setting, answers=10**15)).value > target
        return
    assert bound(replace(setting, answers=m)).value <= target
    assert m == 1 or bound(replace(setting, answers=m - 1)).value > target


@every_bound
@pytest.mark.parametrize("target", [0.25, 0.5, 2.2, 2.35, 3.0, 8.0])
def test_people_needed_is_the_least(bound: Callable[[Setting], Bound], target: float) -> None:
    setting = Setting(1, 300, 3, 16)
    values = {n: bound(replace(setting, people=n)).value for n in range(4, 4000)}
    brute = next((n for n, value in values.items() if value <= target), None)
    found = people_needed(bound, setting, target)
    if brute is None and found is not None:
        assert found >= 4000
        assert bound(replace(setting, people=found)).value <= target
        assert bound(replace(setting, people=found - 1)).value > target
    else:
        assert found == brute


def test_there_is_a_target_that_no_number_of_people_reaches() -> None:
    few_answers = Setting(1, 10, 3, 16)
    assert people_needed(seen_bound, few_answers, 1.0) is None
    assert people_needed(unseen_bound, few_answers, 0.4) is None
    assert answers_needed(unseen_bound, Setting(100, 1, 3, 16), 1.0) is None
    # The bound of Theorem 1 falls to 10.9 and rises again.
    assert people_needed(seen_bound, few_answers, 10.0) is None
    n = people_needed(seen_bound, few_answers, 12.0)
    assert n is not None
    assert 40 < n < 60
    assert seen_bound(replace(few_answers, people=10**9)).value > 12.0


def test_prototypes_pay_only_far_below_the_dimension() -> None:
    setting = Setting(10**12, 100, prototypes=1, dimension=16)
    assert mixture_advantage(setting) < 1.0
    high = replace(setting, dimension=10**5)
    assert mixture_advantage(high) > 1.0
    rate = 10**5 / (4 * math.log(10**12 + 10**5) ** 2)
    assert mixture_advantage(high) == pytest.approx(rate, rel=0.05)
    # It is the ratio of the answers needed for one target.
    without = answers_needed(canal_bound, setting, 0.01)
    needed = answers_needed(seen_bound, setting, 0.01)
    assert without is not None
    assert needed is not None
    assert mixture_advantage(setting) == pytest.approx(without / needed, rel=1e-4)


def test_explain_says_what_is_vacuous_and_assumed() -> None:
    text = explain(Setting(100, 100, 3, 16))
    assert "3.53, vacuous" in text
    assert "0.673\n" in text
    assert all(f"- {line}" in text for line in ASSUMPTIONS)


@pytest.mark.parametrize(
    "change",
    [
        {"people": 0},
        {"answers": 0},
        {"prototypes": 0},
        {"dimension": 0},
        {"lipschitz": 0.0},
        {"lipschitz": math.nan},
        {"delta": 1.0},
        {"zeta_m": -1.0},
        {"zeta_v": math.inf},
    ],
)
def test_settings_out_of_range_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(change))):
        Setting(**({"people": 9, "answers": 9, "prototypes": 2, "dimension": 4} | change))  # type: ignore[arg-type]


def test_bounds_refuse_what_the_theorems_exclude() -> None:
    for setting in (Setting(3, 5, 3, 16), Setting(100, 5, 16, 16)):
        for bound in (seen_bound, unseen_bound, mixture_advantage):
            with pytest.raises(ParameterError, match="fewer prototypes"):
                bound(setting)
        assert canal_bound(setting).value > 0.0
    for needed in (answers_needed, people_needed):
        with pytest.raises(ParameterError, match="target"):
            needed(seen_bound, Setting(9, 9, 2, 4), 0.0)
