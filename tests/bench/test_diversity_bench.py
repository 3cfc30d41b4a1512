"""The bench of diverse people measures what it says, and reaches what is asked of it."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from palate.bench import diversity_offline, diversity_people
from palate.bench.diversity import (
    Curve,
    Panel,
    at_least,
    at_most,
    between,
    check_rows,
    curve,
    regret_cells,
    regret_header,
    spread,
    write_panels,
)
from palate.bench.diversity_offline import (
    MAIN,
    answer_counts,
    expected_gaps,
    offline_experiment,
    weak_directions,
)
from palate.bench.diversity_online import (
    SCHEMES,
    answered_rank,
    arms_world,
    contrast_rows,
    coverage_schemes,
    regret_checks,
    regret_curves,
    scheme_checks,
)
from palate.bench.diversity_people import frozen_basis, recruit
from palate.cli.bench import bench
from palate.diversity.online import OnlineRun
from palate.diversity.world import simulate_world

if TYPE_CHECKING:
    from pathlib import Path


def made_up(late: float) -> OnlineRun:
    """16 rounds: the main person costs 4 until round 8, the latecomer goes on."""
    rounds = np.array([0, 4, 8, 16])
    regret = np.array([[0.0, 0.0], [2.0, late], [4.0, 2 * late], [4.0, 4 * late]])
    gap = np.array([[0.5, late], [0.5, late], [0.0, late], [0.0, late]])
    return OnlineRun(rounds, regret, gap, (gap > 0.0).astype(float), late=1)


def test_a_curve_tells_regret_growth_and_what_is_wrong() -> None:
    world = simulate_world(people=1, late=1, d=2, latent=2, contexts=2, actions=2, min_gap=0.0)
    c = Curve("made up", world, (made_up(1.0), made_up(3.0)), (0.1, 0.2))
    assert c.rounds == 16
    np.testing.assert_array_equal(c.regret(), [4.0, 4.0])
    np.testing.assert_array_equal(c.regret(0.25, group=1), [1.0, 3.0])
    assert c.after_half() == 0.0
    assert c.after_half(group=1) == 0.5
    np.testing.assert_allclose(c.slopes()[[2, 3]], [2.0 / np.log(2.0), 0.0])
    np.testing.assert_allclose(c.slopes(1)[3], 4.0 / np.log(2.0))
    np.testing.assert_array_equal(c.gap(), [0.0, 0.0])
    np.testing.assert_array_equal(c.gap(1), [1.0, 3.0])
    np.testing.assert_array_equal(c.wrong(1), [1.0, 1.0])
    cells = regret_cells(c, 1)
    assert len(cells) == len(regret_header("who", 16))
    assert cells[:5] == ("made up", "0", "2", "4", "8 ± 6")
    assert spread([2.0]) == "2 ± 0"


def test_checks_say_what_is_asked_and_whether_it_is_met() -> None:
    checks = [
        at_most("a", 1.0, 2.0),
        at_most("b", 3.0, 2.0),
        at_least("c", 1.0, 2.0),
        between("d", 1.0, 0.5, 2.0),
        between("e", float("nan"), 0.5, 2.0),
    ]
    assert [row[-1] for row in check_rows(checks)] == ["yes", "NO", "NO", "yes", "NO"]
    assert check_rows(checks)[0] == ("a", "1", "at most 2", "yes")


def test_regret_is_bounded_for_known_heads() -> None:
    curves = regret_curves(("known",), (10,), seeds=1, rounds=64_000)
    checks = list(regret_checks(curves))
    assert len(checks) == 3
    c = curves["known", 10]
    assert c.after_half() < 0.03
    assert max(c.seconds) < 40.0


def test_schemes_differ_in_who_can_be_served() -> None:
    curves = coverage_schemes(seeds=1, rounds=4_000)
    ranks = [answered_rank(curves[name].world, SCHEMES[name][1]) for name in SCHEMES]
    assert ranks == [250, 225, 250, 250]
    met = {check.what: check.met for check in scheme_checks(curves)}
    assert len(met) == 9
    spanned, silent, _, answering = (float(curves[name].gap(1).mean()) for name in SCHEMES)
    assert silent > 0.3
    assert max(spanned, answering) < 0.5 * silent
    assert met["missing, late silent: latecomers' gap in the end"]
    # Main people learn as fast whether or not a direction is missing that they do not need.
    regret = [curves[name].regret()[0] for name in SCHEMES]
    assert max(regret) < 1.3 * min(regret)


def test_contrasts_are_about_one_head_and_about_diverse_ones() -> None:
    assert np.linalg.matrix_rank(arms_world(0, shared=True).heads) == 1
    assert np.linalg.matrix_rank(arms_world(0, shared=False).heads) == 3
    rows = list(contrast_rows(seeds=3, rounds=400))
    stuck = {row[:2]: int(row[-1].split()[0]) for row in rows}
    assert stuck["one for all", "greedy against the baseline"] > 0
    assert stuck["one for all", "greedy, with a reference response"] == 0


def test_counts_double() -> None:
    assert answer_counts(64_000) == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000]
    assert answer_counts(3_000) == [750, 1_500, 3_000]


def test_errors_offline_are_predicted_without_a_fit() -> None:
    spanned, missing = (offline_experiment(dims, 2, (8_000, 16_000)) for dims in (10, 9))
    ratio = spanned.predicted / spanned.wrong(1)
    assert (ratio > 0.4).all()
    assert (ratio < 2.5).all()
    assert (missing.predicted > 0.4).all()
    assert missing.wrong(1)[1] > 0.3
    assert missing.wrong(0)[1] < 0.05
    assert missing.gap(0)[1] < missing.gap(0)[0]


def test_a_fit_knows_whose_gap_stays() -> None:
    found = expected_gaps(9, 1)
    main, late = found[16_000].mean(axis=0)
    assert late[0] > 10.0 * main[0]
    assert 0.4 < late[0] / late[1] < 2.0
    assert found[2_000].shape == (1, 2, 2)


def test_weak_directions_do_no_harm() -> None:
    at = {one.weak: one for one in weak_directions(1, 16_000)}
    assert at[0.0].risk == 0.0
    assert at[0.05].risk < 0.05
    assert at[0.05].wrong < 2.0 * at[0.0].wrong
    assert at[1.0].risk > 0.8
    assert at[1.0].wrong > 0.3


def test_a_frozen_basis_serves_new_people_if_it_has_their_directions() -> None:
    spanned, missing = (frozen_basis(dims, 0) for dims in (10, 9))
    assert spanned.frozen[1] < 0.5 * spanned.free[1]
    assert missing.frozen[3] > 10.0 * missing.free[3]
    assert abs(missing.spectrum.values[-1]) < 0.3
    assert spanned.spectrum.values[-1] > 0.8
    assert missing.spectrum.in_sample[-1] > 0.5  # which fits noise
    assert missing.truth[-1] < 1e-9 < spanned.truth[-1]
    assert spanned.ratio < 2.0 < missing.ratio


def test_the_people_recruited_have_what_is_missing() -> None:
    run = recruit(0)
    assert run.found >= 4
    assert run.planned < 0.6 * run.random
    assert run.same > 0.9 * run.before


def test_panels_are_written_and_drawn(tmp_path: Path) -> None:
    places = np.array([1.0, 10.0])
    panel = Panel("a", "x", "y", {"one": (places, np.array([[1.0, 2.0], [3.0, 0.0]]))}, log="xy")
    write_panels(tmp_path / "a.csv", [panel])
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1:] == [
        ["a", "one", "1", "0", "1"],
        ["a", "one", "10", "0", "2"],
        ["a", "one", "1", "1", "3"],
        ["a", "one", "10", "1", "0"],
    ]
    pytest.importorskip("matplotlib", reason="plots are an extra")
    from palate.bench.diversity_plot import plot_panels  # noqa: PLC0415

    plot_panels(tmp_path / "a.png", [panel, panel])
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "command",
    [
        "curves --rounds 200 --people 10 --known",
        "curves --rounds 200 --people 10 --unknown",
        "schemes --rounds 200",
        "contrasts --rounds 200",
        "offline --answers 2000",
        "weak --answers 500",
        "frozen",
        "recruit",
    ],
)
def test_the_commands_print_tables_and_say_what_they_are(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="plots are an extra")
    monkeypatch.setattr(diversity_people, "FROZEN_DIMS", (9,))
    monkeypatch.setattr(diversity_offline, "FITTED", (1_000, 4_000))
    name, *options = command.split()
    folder = [] if name == "contrasts" else ["--out", str(tmp_path)]
    done = CliRunner().invoke(bench, ["diversity", name, "--seeds", "1", *options, *folder])
    assert done.exit_code == 0, done.output
    assert "| -" in done.output
    assert "nan" not in done.output
    assert "All people are simulated." in done.output
    assert "prove no lower bound" in done.output
    if folder:
        assert (tmp_path / f"{name}.csv").read_text(encoding="utf-8").count("\n") > 3
        assert (tmp_path / f"{name}.png").exists()


def test_settings_reach_the_runs() -> None:
    world = simulate_world(people=3, d=2, latent=2, contexts=3, actions=4, min_gap=0.0)
    c = curve("few", world, 2, rounds=100, sampler="reference")
    assert c.rounds == 100
    assert len(c.runs) == len(c.seconds) == 2
    assert not np.array_equal(c.runs[0].regret, c.runs[1].regret)
    assert MAIN == 50
