"""Picks that an estimate has not seen: predicted well where there is a taste, and by chance not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from palate.design import predicted_picks
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.feedback import Picked


def answers(theta: FloatArray, n: int = 120, seed: int = 0) -> tuple[FloatArray, list[Picked]]:
    """Picks out of three by the multinomial logit."""
    rng = np.random.default_rng(seed)
    options = rng.normal(size=(n, 3, len(theta)))
    return options, (options @ theta + rng.gumbel(size=(n, 3))).argmax(axis=1).tolist()


def test_a_taste_is_predicted_and_noise_is_not() -> None:
    options, picked = answers(np.array([3.0, -2.0, 0.0]))
    found = predicted_picks(options, picked, [i // 4 for i in range(120)], lam=0.1)
    assert found is not None
    assert found.picks == 120
    assert found.chance == pytest.approx(1 / 3)
    assert found.accuracy > 0.75
    assert found.log_loss < 0.65
    options, noise = answers(np.zeros(3))
    none = predicted_picks(options, noise, list(range(120)), lam=0.1)
    assert none is not None
    assert none.accuracy < 0.45
    assert none.log_loss > 1.05


def test_an_episode_never_predicts_itself() -> None:
    """Each group has a feature of its own: whoever fits it with itself predicts it perfectly."""
    options = np.zeros((8, 2, 4))
    for i in range(8):
        options[i, i % 2, i // 2] = 1.0
    picked: list[Picked] = [i % 2 for i in range(8)]
    found = predicted_picks(options, picked, [i // 2 for i in range(8)], lam=0.01, folds=4)
    assert found is not None
    assert found.accuracy == 0.5
    assert found.log_loss == pytest.approx(np.log(2.0))
    same = predicted_picks(options, picked, list(range(8)), lam=0.01, folds=8)
    assert same is not None
    assert same.accuracy == 1.0


def test_ties_say_nothing_and_orders_say_their_first() -> None:
    options, picked = answers(np.array([3.0, -2.0, 0.0]))
    whole = predicted_picks(options[:60], picked[:60], list(range(60)), lam=0.1)
    ties: list[Picked] = [*picked[:60]]
    ties += ["tie", "skip"] * 30
    with_ties = predicted_picks(options, ties, list(range(120)), lam=0.1)
    assert with_ties == whole
    orders: list[Picked] = [
        (p, *(i for i in range(3) if i != p)) for p in picked if isinstance(p, int)
    ]
    found = predicted_picks(options, orders, list(range(120)), lam=0.1)
    assert found is not None
    assert found.picks == 120


def test_what_cannot_be_predicted() -> None:
    options, picked = answers(np.ones(2), n=6)
    assert predicted_picks(options, picked, [0] * 6, lam=1.0) is None
    assert predicted_picks(options, ["skip"] * 6, list(range(6)), lam=1.0) is None
    for groups, folds in (([0] * 5, 10), (list(range(6)), 1)):
        with pytest.raises(ParameterError, match="at least 2 folds and a group and an answer"):
            predicted_picks(options, picked, groups, lam=1.0, folds=folds)
