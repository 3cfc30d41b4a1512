"""The bench of locating compares the same problems; its figures are for a quiet machine."""

from __future__ import annotations

import numpy as np
import pytest

from palate.bench.localise import (
    LOCATE_HEADER,
    Answered,
    LocateRow,
    by_authors_adam,
    by_batched_adam,
    by_cvxpy,
    exactly,
    locate_rows,
)


def test_exactly_is_the_best_and_the_quickest() -> None:
    pytest.importorskip("cvxpy", reason="the reference solver is an extra")
    pytest.importorskip("torch", reason="torch is an extra")
    answered = Answered.simulated(400, 12, 3, seed=0)
    few = answered.first(2)
    ours, located = exactly(answered)
    assert located.gap.max() <= 1e-6
    rows = [ours, by_cvxpy(few), by_authors_adam(few, seed=0), by_batched_adam(answered)]
    for row in rows:
        part = answered.first(row.people)
        assert row.weights.shape == (row.people, 3)
        assert row.weights.sum(axis=1) == pytest.approx(np.ones(row.people))
        assert (part.losses(row.weights) >= part.losses(ours.weights[: row.people]) - 1e-7).all()
    assert few.losses(rows[1].weights) == pytest.approx(few.losses(ours.weights[:2]), abs=1e-6)
    for row in rows[1:]:
        assert row.seconds_for(400) > 2.0 * ours.cpu  # far below what a quiet machine shows
    assert {len(cells) for cells in locate_rows(answered, rows)} == {len(LOCATE_HEADER)}


def test_excess_and_scaled_seconds_are_told() -> None:
    answered = Answered(np.log(3.0) * np.array([[[1.0, -1.0]]] * 4))
    best = LocateRow("best", 4, 2.0, 2.0, np.tile([1.0, 0.0], (4, 1)))
    even = LocateRow("even", 2, 5.0, 6.0, np.full((2, 2), 0.5))
    cells = locate_rows(answered, [best, even])[1]
    # log 2 instead of log 4/3, and 5 s for two people instead of 2 s for four.
    assert cells == ("even", "2", "5.000", "6.000", "10.000", "5", "4.1e-01", "4.1e-01")
