"""The bench of planned questions measures what it says, on small simulated problems."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from typer.testing import CliRunner

from palate.bench import (
    design,
    design_features,
    design_people,
    design_speed,
    design_styles,
    design_sweep,
)
from palate.bench.design import (
    CRITERIA,
    RANDOM,
    HeldOut,
    Method,
    World,
    accuracy,
    designs,
    estimate_after,
    picks,
    shown,
)
from palate.bench.design_features import LiftedEmbedder
from palate.cli.bench import bench
from palate.design import STYLES, Problem, Slot, check_lambda
from palate.embed import default_embedder

if TYPE_CHECKING:
    from pathlib import Path

    from pytest import MonkeyPatch  # noqa: PT013 - a type alone

    from palate._typing import FloatArray, IndexArray


D = 12


def small_world(redundant: bool = False) -> World:  # noqa: FBT001, FBT002
    """Three slots whose tokens say many things, or few things many times; three tastes."""
    rng = np.random.default_rng(3)
    slots = []
    for h in range(3):
        rows = rng.normal(size=(24, D)) + 1.0
        if redundant:
            rows[6:] = rows[rng.integers(3, size=18)] + 0.02 * rng.normal(size=(18, D))
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        slots.append(Slot(f"slot {h}", tuple(f"{h}.{i}" for i in range(24)), rows))
    tastes = rng.normal(size=(3, D))
    tastes /= np.linalg.norm(tastes, axis=1, keepdims=True)
    name = "redundant" if redundant else "balanced"
    directions = dict(zip(STYLES, tastes, strict=True))
    return World(name, Problem(tuple(slots)), "simulated features", directions)


WORLD = small_world()
EMBEDDER = default_embedder()
SHIPPED = World.shipped("balanced", EMBEDDER, "the shipped embedder")


def test_held_out_pairs_judge_an_estimate() -> None:
    held_out = HeldOut.drawn(WORLD, 0)
    theta = 20.0 * WORLD.directions["sunny"]
    true = held_out.score(3.0 * theta, theta)
    assert true.wrong == 0.0
    assert [true.cosine, true.seen] == pytest.approx([0.0, 0.0])
    assert true.accuracy == true.oracle
    opposite = held_out.score(-theta, theta)
    assert opposite.wrong == 1.0
    assert opposite.cosine == pytest.approx(2.0)
    rng = np.random.default_rng(0)
    half = np.mean([held_out.score(rng.normal(size=D), theta).wrong for _ in range(60)])
    assert half == pytest.approx(0.5, abs=0.06)
    again = HeldOut.drawn(WORLD, 0)
    np.testing.assert_array_equal(held_out.differences, again.differences)
    assert held_out.questions.shape == (600, 4, D)


def test_accuracy_is_the_probability_of_the_guess() -> None:
    options = np.array([[[2.0, 0.0], [0.0, 0.0]], [[0.0, 1.0], [0.0, 0.0]]])
    theta = np.array([1.0, 1.0])
    first, second = 1 / (1 + np.exp(-2.0)), 1 / (1 + np.exp(-1.0))
    assert accuracy(options, theta, theta) == pytest.approx((first + second) / 2)
    assert accuracy(options, np.array([1.0, -1.0]), theta) == pytest.approx(
        (first + 1 - second) / 2
    )


def test_answers_are_noisy_alike_for_every_method() -> None:
    options = np.random.default_rng(1).normal(size=(40, 4, D))
    theta = WORLD.directions["medieval"]
    whole = picks(options, theta, 5)
    np.testing.assert_array_equal(whole[25:], picks(options[25:], theta, 5, first=25))
    assert (whole != picks(options, theta, 6)).any()
    often = np.mean([picks(options, 0.0 * theta, s) == 0 for s in range(50)])
    assert often == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("replan", [False, True])
def test_an_adaptive_method_asks_no_more_and_learns(
    monkeypatch: MonkeyPatch, *, replan: bool
) -> None:
    firsts: list[int] = []

    def noted(options: FloatArray, theta: FloatArray, seed: int, first: int = 0) -> IndexArray:
        firsts.append(first)
        return picks(options, theta, seed, first)

    monkeypatch.setattr(design, "picks", noted)
    method = Method("adaptive", "A", "greedy", every=4, replan=replan)
    lam = WORLD.matched(20.0)
    found = designs(WORLD, [method], 10, lam)
    theta = 20.0 * WORLD.directions["sunny"]
    estimate = estimate_after(method, found[method], theta, episodes=10, lam=lam, seed=1)
    assert estimate.picks == 30
    assert firsts == [0, 12, 24]  # no noise is used twice
    score = HeldOut.drawn(WORLD, 1).score(estimate.theta, theta)
    assert score.wrong < 0.3
    again = estimate_after(method, found[method], theta, episodes=10, lam=lam, seed=1)
    np.testing.assert_array_equal(estimate.theta, again.theta)


@pytest.fixture(scope="module")
def runs() -> design_styles.Runs:
    return design_styles.run_styles(
        small_world(redundant=True), seeds=6, others=design_styles.OTHERS, episodes=[5, 25]
    )


def test_design_beats_random_where_tokens_repeat(runs: design_styles.Runs) -> None:
    d, a, _ = CRITERIA
    assert design_styles.ratio(runs, d, None, 25) < 0.9
    assert design_styles.p_value(runs, a, None, 25) < 0.01
    assert runs.uniform[d, 25] < 0.9
    assert (
        runs.values("wrong", RANDOM, None, 25).mean() < runs.values("wrong", RANDOM, None, 5).mean()
    )


def test_tables_say_what_they_are_read_with(runs: design_styles.Runs) -> None:
    header, rows = design_styles.metric_table(runs, "wrong")
    assert header[1:] == ("T = 5", "T = 25", "oracle's accuracy", "uniform's share by T")
    assert [row[0] for row in rows[:4]] == [f"sunny, {m}" for m in ("random", "D", "A", "V")]
    assert len(rows) == 12
    oracle = runs.values("oracle", RANDOM, "sunny", 5).mean()
    assert rows[0][-2:] == (f"{oracle:.1%}", "-")
    assert rows[1][-1] == " / ".join(f"{runs.uniform[CRITERIA[0], n]:.2f}" for n in (5, 25))
    mean = runs.values("wrong", CRITERIA[0], "sunny", 25)
    error = mean.std(ddof=1) / np.sqrt(6)
    assert rows[1][2] == f"{mean.mean():.3f} ± {error:.3f}"
    header, rows = design_styles.ratio_table(runs, 25)
    assert [row[0] for row in rows] == ["D", "A", "V", *(m.name for m in design_styles.OTHERS)]
    assert all(len(row) == len(header) for row in rows)


def test_checks_name_the_best_and_count_how_many_were_tried(runs: design_styles.Runs) -> None:
    found = list(design_styles.redundant_checks(runs, 25))
    assert len(found) == 8
    families = [CRITERIA] * 4 + [runs.methods[1:]] * 4
    for check, tried, style in zip(found, families, (*STYLES, None) * 2, strict=True):
        ratios = {m: design_styles.ratio(runs, m, style, 25) for m in tried}
        best = min(ratios, key=lambda m: ratios[m])
        assert check.what.endswith(best.name)
        p = min(1.0, len(tried) * design_styles.p_value(runs, best, style, 25))
        assert check.met == (ratios[best] <= 0.85 and p < 0.01)
        assert check.measured == f"{ratios[best]:.3f}, p {p:.1g} (times {len(tried)})"


def test_what_does_not_beat_random_is_said() -> None:
    one = design_styles.run_styles(WORLD, seeds=2, episodes=[2, 4])
    lines = " ".join(design_styles.where_not_better([one]))
    for method in CRITERIA:
        for n in (2, 4):
            for style in STYLES:
                r = design_styles.ratio(one, method, style, n)
                assert (f"{style} at T = {n} ({r:.2f})" in lines) >= (r >= 1.0)
    assert {c.met for c in design_styles.balanced_checks(one)} <= {True, False}
    (panel, *_) = design_styles.panels(one)
    assert panel.lines["random"][1].shape == (2, 2)


def test_the_same_seed_is_the_same_however_many_run(runs: design_styles.Runs) -> None:
    fewer = design_styles.run_styles(runs.world, seeds=2, episodes=[5], jobs=1)
    for style in STYLES:
        a = runs.values("wrong", CRITERIA[1], style, 5)[:2]
        np.testing.assert_array_equal(a, fewer.values("wrong", CRITERIA[1], style, 5))


def test_a_lambda_far_too_large_is_warned_of() -> None:
    found = design_sweep.run_sweep(WORLD, seeds=3, episodes=8, lambdas=[0.03, 30.0], strengths=[20])
    small, large = found
    assert design_sweep.warning(small) is None
    said = design_sweep.warning(large)
    assert said is not None
    assert check_lambda(30.0, D, 20.0) is not None
    header, rows = design_sweep.sweep_table(found)
    assert [row[header.index("warned")] for row in rows] == ["no", "yes"]
    assert rows[1][0] == "20, 30 (1e+03)"
    assert all(len(row) == len(header) for row in rows)
    for line in design_sweep.sweep_findings(found):
        assert "design loses to random" in line
    assert design_sweep.matched_ratio(found) > 0.0


def test_people_are_predicted_on_their_own_questions_and_on_common_ones() -> None:
    found = design_people.run_people(
        SHIPPED, EMBEDDER, episodes=6, seeds=2, methods=(RANDOM, CRITERIA[2])
    )
    header, rows = design_people.people_table(found)
    assert len(rows) == 8
    assert header[1:5] == ("own questions", "oracle there", "common pool", "oracle there")
    for method in found.designs:
        own = design_people.values(found, None, method, "own")
        common = design_people.values(found, None, method, "common")
        assert own.shape == common.shape == (2,)
        assert (
            0.2 < common.mean() < design_people.values(found, None, method, "oracle_common").mean()
        )
    oracles = [
        tuple(design_people.values(found, "sunny", m, "oracle_common")) for m in found.designs
    ]
    assert oracles[0] == oracles[1]  # the common pool and its answers are the same for all
    (line,) = design_people.people_findings(found)
    assert line.startswith("V: ")


def test_people_who_are_played_have_no_oracle() -> None:
    class First:
        def answer(self, *_: object) -> int:
            return 0

    found = design_people.run_people(
        SHIPPED,
        EMBEDDER,
        episodes=2,
        seeds=1,
        person_of=lambda *_: First(),
        methods=(RANDOM,),
    )
    _, rows = design_people.people_table(found)
    assert rows[0][2] == rows[0][4] == "-"
    assert rows[0][1].endswith(" %")
    assert found.beta is None


def test_people_who_only_tie_are_not_predicted() -> None:
    class Undecided:
        def answer(self, *_: object) -> Literal["tie"]:
            return "tie"

    found = design_people.run_people(
        SHIPPED,
        EMBEDDER,
        episodes=2,
        seeds=1,
        person_of=lambda *_: Undecided(),
        methods=(RANDOM, CRITERIA[0]),
    )
    _, rows = design_people.people_table(found)
    assert rows[0][1] == rows[0][3] == "-"
    assert design_people.people_findings(found) == []


def test_frank_wolfe_is_equalled() -> None:
    row = design_speed.timed(WORLD.problem, "D", 1.0, tol=1e-3, steps=15, repeats=1)
    assert row.design.relative_gap <= 1e-3
    assert row.frank_wolfe is not None
    assert row.frank_wolfe.steps == 15
    assert row.ratio == row.frank_wolfe_seconds / row.equal_seconds > 0.0
    header, rows = design_speed.speed_table([row])
    assert len(header) == len(rows[0])
    assert rows[0][0] == f"72, {D}, D, 1"
    checks = design_speed.speed_checks([row], [])
    assert [c.asked for c in checks] == ["at most 3", "at most 0.001", "at least 10"]


def test_lifted_features_are_simulated_and_keep_what_is_alike() -> None:
    embedder = LiftedEmbedder(96)
    assert embedder.name == "simulated features, d = 96"
    rows = embedder(["a red fox", "a red foxes", "quantum finance", "a red fox"])
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0)
    np.testing.assert_array_equal(rows[0], rows[3])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1
    large = design_speed.large_problem(2470, LiftedEmbedder(64))
    assert sum(large.sizes) == 2470


def test_minilm_is_taken_where_it_is_and_simulated_where_not(monkeypatch: MonkeyPatch) -> None:
    monkeypatch.setattr(design_features, "MINILM_PACKAGE", "no_such_package")
    embedder, name = design_features.richest_embedder()
    assert design_features.minilm() is None
    assert name == "simulated features, d = 384"
    assert np.shape(embedder(["a"])) == (1, 384)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["styles", "--seeds", "2", "--episodes", "3", "--vocabulary", "balanced"], "5000 pairs"),
        (["people", "--seeds", "2", "--episodes", "2"], "on the common pool"),
        (
            ["sweep", "--seeds", "2", "--episodes", "2", "--strength", "20"],
            "three simulated styles",
        ),
        (["speed", "--steps", "3", "--repeats", "1", "--large", "0"], "CPU seconds on one thread"),
    ],
)
def test_the_commands_print_tables(arguments: list[str], said: str, tmp_path: Path) -> None:
    more = ["--out", str(tmp_path)] if arguments[0] == "styles" else []
    done = CliRunner().invoke(bench, ["design", *arguments, "--embedder", "static", *more])
    assert done.exit_code == 0, done.output
    assert said in done.output
    assert "uniform's share" in done.output
    assert "static" in done.output
    if more:
        with (tmp_path / "styles-balanced-wrong.csv").open(encoding="utf-8") as file:
            assert len(list(csv.reader(file))) == 1 + 3 * 4 * 2
        assert (tmp_path / "styles-balanced-wrong.png").stat().st_size > 1000


def test_a_plan_shows_four_tokens() -> None:
    found = designs(WORLD, [CRITERIA[0]], 5, 1.0)
    assert shown(found[CRITERIA[0]], 5, "iid", 0).shape == (15, 4, D)
