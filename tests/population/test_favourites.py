"""The base rate: what a constant answer gets."""

from __future__ import annotations

import math

import numpy as np

from palate.population import PreferenceData, base_rate


def data(*picks: tuple[int, ...], items: int = 6) -> PreferenceData:
    """One person's picks: the first of each was picked out of all of them."""
    rows = [(i, pick[0], loser) for i, pick in enumerate(picks) for loser in pick[1:]]
    answer, chosen, rejected = (
        np.array(column, dtype=np.intp) for column in zip(*rows, strict=True)
    )
    return PreferenceData(
        np.eye(items), np.zeros(len(rows), dtype=np.intp), chosen, rejected, ("p",), pick=answer
    )


def test_the_option_picked_most_is_predicted() -> None:
    train = data((0, 1), (0, 1), (1, 0), (0, 2))
    assert base_rate(train, data((0, 1))) == 1.0
    assert base_rate(train, data((1, 0))) == 0.0
    assert base_rate(train, data((0, 1), (1, 0), (0, 2), (0, 1))) == 0.75


def test_options_worth_the_same_share_the_credit() -> None:
    train = data((0, 1))
    assert base_rate(train, data((4, 5))) == 0.5
    assert base_rate(train, data((3, 4, 5))) == 1 / 3
    assert base_rate(train, data((3, 4, 1))) == 0.5
    assert base_rate(train, data((3, 4, 0))) == 0.0


def test_a_pick_out_of_many_counts_once() -> None:
    train = data((0, 1, 2, 3), (4, 5), (4, 5))  # 0 was picked once in one, 4 twice in two
    assert base_rate(train, data((4, 0))) == 1.0


def test_the_same_option_can_be_several_items() -> None:
    # Items 0, 2, 4 are "No" to three statements, the others "Yes".
    options = np.array([0, 1, 0, 1, 0, 1])
    train = data((0, 1), (2, 3))
    assert base_rate(train, data((4, 5))) == 0.5
    assert base_rate(train, data((4, 5)), options) == 1.0


def test_nothing_to_predict() -> None:
    train = data((0, 1))
    assert math.isnan(base_rate(train, train.rows(np.zeros(0, dtype=np.intp))))
    assert base_rate(train.rows(np.zeros(0, dtype=np.intp)), train) == 0.5
