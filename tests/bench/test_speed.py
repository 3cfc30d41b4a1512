"""The speed bench measures what it says; its figures are for a quiet machine, not for here."""

from __future__ import annotations

import pytest

from palate.bench.report import markdown_table, reference_table, scaling_table
from palate.bench.speed import ScalingRow, against_reference, scaling


def test_reference_row_compares_the_same_steps() -> None:
    pytest.importorskip("cvxpy", reason="the reference solver is an extra")
    row = against_reference(8, 5, elicitations=1, every=2, seed=0)
    assert len(row.ours) == len(row.reference) == len(row.rebuilt) >= 3
    assert row.largest_difference < 3e-6
    assert row.ratio > 10  # far below what a quiet machine shows
    assert "8, 5" in reference_table([row])


def test_scaling_row_checks_every_bound() -> None:
    row = scaling(1_000, steps=6, seed=1, check=True)
    assert len(row.steps) == len(row.passes) == 7
    assert row.all_exact
    assert "yes" in scaling_table([row], checked=True)


def test_a_wrong_bound_would_be_told() -> None:
    row = ScalingRow(10, [1.0], [0.5], [3], all_exact=False)
    assert row.ratio == 2.0
    assert "NO" in scaling_table([row], checked=True)


def test_markdown_columns_line_up() -> None:
    lines = markdown_table(("a", "long"), [("1", "2"), ("333", "4")]).splitlines()
    assert {len(line) for line in lines} == {len(lines[0])}
