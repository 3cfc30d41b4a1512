from __future__ import annotations

import math

import pytest

from palate.errors import ParameterError
from palate.preference import confidence_radius, stopping_time_bound


def test_radius_worked_by_hand() -> None:
    # No answers: ln e = 1, so 10 d; and with delta = 1/e the rest is 2 (e - 2 + S).
    radius = confidence_radius(0, 3, 2.0, math.exp(-1.0))
    assert radius == pytest.approx(30.0 + 2.0 * math.e, rel=1e-15)
    # S t / 4 d = e (e - 1) makes the logarithm ln e^2 = 2.
    radius = confidence_radius(4, 1, math.e * (math.e - 1.0), math.exp(-2.0))
    assert radius == pytest.approx(20.0 + 4.0 * (math.e**2 - 2.0), rel=1e-15)


@pytest.mark.parametrize(
    ("t", "d", "norm_bound", "delta", "radius"),
    [  # in 40 digits, from the formula below Eq. 3
        (0, 64, 3.0, 0.05, 662.277953751368213),
        (10, 64, 3.0, 0.05, 689.290735470087982),
        (8, 2, 3.0, 0.05, 57.1513213639417958),
        (199, 2, 3.0, 0.05, 109.243028132523207),
        (20, 512, 3.0, 0.05, 5197.16462186715494),
        (40, 1, 0.5, 0.9, 20.6926353851845853),
    ],
)
def test_radius_at_the_settings_of_the_paper(
    t: int, d: int, norm_bound: float, delta: float, radius: float
) -> None:
    assert confidence_radius(t, d, norm_bound, delta) == pytest.approx(radius, rel=1e-14)


def test_radius_grows_with_answers_and_with_confidence() -> None:
    by_answers = [confidence_radius(t, 2, 3.0, 0.05) for t in range(200)]
    assert by_answers == sorted(by_answers)
    by_confidence = [confidence_radius(9, 2, 3.0, delta) for delta in (0.9, 0.5, 0.05, 1e-9)]
    assert by_confidence == sorted(by_confidence)


@pytest.mark.parametrize(
    ("t", "d", "norm_bound", "delta"),
    [
        (-1, 2, 3.0, 0.05),
        (1, 0, 3.0, 0.05),
        (1, 2, 0.0, 0.05),
        (1, 2, -3.0, 0.05),
        (1, 2, math.inf, 0.05),
        (1, 2, math.nan, 0.05),
        (1, 2, 3.0, 0.0),
        (1, 2, 3.0, 1.0),
        (1, 2, 3.0, -0.1),
        (1, 2, 3.0, math.nan),
    ],
)
def test_radius_refuses_what_is_out_of_range(
    t: int, d: int, norm_bound: float, delta: float
) -> None:
    with pytest.raises(ParameterError, match="not"):
        confidence_radius(t, d, norm_bound, delta)


def test_stopping_time_worked_by_hand() -> None:
    # Omega = 1 * 4 / 1 * (1 + 1) = 8, Omega K^2 = 32: 24 * 32 * ln(8 * 32).
    bound = stopping_time_bound(
        2, 1, norm_bound=1.0, delta=math.exp(-1.0), epsilon=1.0, gap=0.0, kappa=4.0
    )
    assert bound == pytest.approx(768.0 * math.log(256.0), rel=1e-15)
    # Omega = 9 * 5 / 0.25 * (2 + 3) = 900, Omega K^2 = 360,000: 8 S / 2 = 12 times that.
    bound = stopping_time_bound(
        20, 2, norm_bound=3.0, delta=math.exp(-3.0), epsilon=0.1, gap=0.5, kappa=5.0
    )
    assert bound == pytest.approx(8_640_000.0 * math.log(4_320_000.0), rel=1e-15)


def test_stopping_time_depends_on_the_larger_of_threshold_and_gap() -> None:
    def bound(epsilon: float, gap: float) -> float:
        return stopping_time_bound(
            5, 2, norm_bound=3.0, delta=0.05, epsilon=epsilon, gap=gap, kappa=4.0
        )

    assert bound(0.5, 0.1) == bound(0.1, 0.5) == bound(0.5, 0.5)
    assert bound(0.5, 0.0) < bound(0.25, 0.0)
    assert bound(0.0, 0.0) == math.inf


@pytest.mark.parametrize(
    "wrong",
    [
        {"pool_size": 1},
        {"d": 0},
        {"norm_bound": 0.0},
        {"norm_bound": math.inf},
        {"norm_bound": math.nan},
        {"delta": 0.0},
        {"delta": 1.0},
        {"epsilon": -0.1},
        {"epsilon": math.nan},
        {"gap": -0.1},
        {"gap": math.nan},
        {"kappa": 3.9},
        {"kappa": math.nan},
    ],
)
def test_stopping_time_refuses_what_is_out_of_range(wrong: dict[str, float]) -> None:
    right = {
        "pool_size": 5,
        "d": 2,
        "norm_bound": 3.0,
        "delta": 0.05,
        "epsilon": 0.1,
        "gap": 0.0,
        "kappa": 4.0,
    }
    stopping_time_bound(**right)  # type: ignore[arg-type]
    with pytest.raises(ParameterError):
        stopping_time_bound(**(right | wrong))  # type: ignore[arg-type]
