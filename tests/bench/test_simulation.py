"""The bench of the simulated populations measures what it says; its figures are printed by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from palate.bench.population import (
    COUNTS,
    findings,
    simulation,
    simulation_header,
    simulation_rows,
    spread,
    sweep,
)
from palate.cli.bench import bench
from palate.population import evaluate, simulate_population

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {"people": 25, "answers": 25, "held_out": 20, "unseen": 10, "d": 4}


def test_rows_hold_every_seed_and_the_truth_comes_last() -> None:
    rows = simulation((1, 3), 2, SMALL)
    assert [row.k for row in rows] == [1, 3, 0]
    assert all(len(row.seen) == len(row.unseen) == 2 for row in rows)
    assert all(len(curve) == len(COUNTS) for row in rows for curve in row.unseen)
    one, three, truth = rows
    assert one.seconds
    assert not truth.seconds
    assert np.mean(one.seen) < np.mean(three.seen) < np.mean(truth.seen)
    assert one.unseen_with(0) == one.unseen_with(100)  # there is nothing to locate
    cells = simulation_rows(rows)
    assert {len(row) for row in cells} == {len(simulation_header())}
    assert cells[2][0] == "truth"
    found = dict(findings(rows, 3))
    assert float(found["K = 3 less K = 1, seen people"].split()[0]) == pytest.approx(
        np.mean(np.subtract(three.seen, one.seen)), abs=0.06
    )
    assert "K = 3, unseen people with 5 answers less zero-shot" in found
    assert list(findings(rows[:1], 3)) == []


def test_a_sweep_varies_what_it_says() -> None:
    rows = list(sweep("answers", (5, 40), (1, 3), 1, SMALL))
    assert [row[0] for row in rows] == ["5", "40"]
    few, many = (float(row[2].split()[0]) for row in rows)
    assert few < many
    (row,) = sweep("k", (1,), (1,), 1, {**SMALL, "people": 1})
    assert row[0] == "1"


def test_spread_is_over_seeds() -> None:
    assert spread([1.0, 3.0]) == "2.0 ± 1.4"
    assert spread([1.0]) == "1.0 ± 0.0"


def test_both_references_are_the_same_descent() -> None:
    pytest.importorskip("torch", reason="the reference is trained by torch")
    from palate.bench.population_reference import train_by_minibatches  # noqa: PLC0415

    population = simulate_population(people=20, answers=30, d=4, unseen=0)
    loader, tensors = (
        train_by_minibatches(population.train, 3, epochs=40, style=style, seed=0)  # one batch each
        for style in ("loader", "tensors")
    )
    np.testing.assert_allclose(loader.model.weights, tensors.model.weights, atol=1e-3)
    np.testing.assert_allclose(loader.model.prototypes, tensors.model.prototypes, atol=1e-3)
    longer = train_by_minibatches(population.train, 3, epochs=600, style="tensors", seed=0)
    assert evaluate(longer.model, population.held_out).accuracy > 0.75
    assert longer.seconds > tensors.seconds


def test_a_plot_is_written(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="plots are an extra")
    from palate.bench.population_plot import plot_ideal_points  # noqa: PLC0415

    plot_ideal_points(tmp_path / "points.png", (1, 2), SMALL, 0)
    assert (tmp_path / "points.png").read_bytes().startswith(b"\x89PNG")


def test_the_commands_print_tables() -> None:
    small = "--seeds 1 --people 12 --answers 12 --d 3".split()
    for command in (
        ["simulate", *small, "--most", "2", "--k", "2"],
        ["sweep", *small, "--value", "4", "--fit", "1", "--k", "2"],
    ):
        done = CliRunner().invoke(bench, ["population", *command])
        assert done.exit_code == 0, done.output
        assert "| -" in done.output
        assert "simulated" in done.output
