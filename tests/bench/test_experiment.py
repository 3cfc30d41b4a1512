"""Many runs: resumable, in parallel, averaged within people, compared in pairs."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np
import pytest
from elicitation_cases import a_subject
from scipy import stats

import palate.bench.experiment
from palate.bench.checks import checks
from palate.bench.experiment import Cell, Outcome, run_cells, run_seed, versions
from palate.bench.measures import average, by_person, difference, head_to_head
from palate.bench.methods import strategy_for
from palate.bench.tables import grouped, trade_off_points
from palate.bench.trial import Trial
from palate.errors import LogError, ParameterError

if TYPE_CHECKING:
    from pathlib import Path

    from palate.bench.cast import Subject

METHODS = ("oracle", "random", "useralign", "iidbest", "winner-stays")


def some_people(count: int = 3) -> list[Subject]:
    rng = np.random.default_rng(3)
    return [
        replace(a_subject(rng.permutation(6).tolist(), 2.5), name=f"person {i}")
        for i in range(count)
    ]


def some_cells(people: list[Subject], seeds: int = 2, most: int = 12) -> list[Cell]:
    return [
        Cell(subject, method, strategy_for(method, subject, most), seed)
        for subject in people
        for method in METHODS
        for seed in range(seeds)
    ]


def told(outcomes: list[Outcome]) -> list[tuple[Any, ...]]:
    """What must not depend on when and where a run was made."""
    return [
        (o.subject.name, o.method, o.seed, o.trial.choices, o.trial.bounds, o.trial.contrary)
        for o in outcomes
    ]


def test_runs_go_on_where_they_were_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells, path = some_cells(some_people()), tmp_path / "runs.jsonl"
    counted: list[int] = []
    first = run_cells(cells, path, on_done=counted.append)
    assert counted == [0] + [2] * 15
    assert [(o.method, o.seed) for o in first] == [(c.method, c.seed) for c in cells]
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert len(lines) == 1 + len(cells)
    torn = "".join(lines[: 1 + len(cells) // 2]) + lines[-1][:40]  # killed in the middle of a line
    path.write_text(torn, encoding="utf-8")
    made: list[str] = []
    run = Cell.run

    def spied(cell: Cell) -> Outcome:
        made.append(cell.key)
        return run(cell)

    monkeypatch.setattr(Cell, "run", spied)
    counted.clear()
    second = run_cells(cells, path, on_done=counted.append)
    assert made == [cell.key for cell in cells[15:]]
    assert counted[0] == 15
    assert sum(counted) == len(cells)
    assert told(second) == told(first)
    made.clear()
    assert told(run_cells(cells[:4], path)) == told(first[:4])
    assert made == []


def test_a_larger_experiment_takes_over_what_is_there_and_other_settings_run_anew(
    tmp_path: Path,
) -> None:
    people, path = some_people(2), tmp_path / "runs.jsonl"
    run_cells(some_cells(people, seeds=1), path)
    counted: list[int] = []
    run_cells(some_cells(people, seeds=2), path, on_done=counted.append)
    assert (counted[0], sum(counted)) == (10, 20)
    counted.clear()
    run_cells(some_cells(people, seeds=2, most=7), path, on_done=counted.append)
    assert (counted[0], sum(counted)) == (8, 20)  # the oracle and random have no limit
    other = [replace(people[0], flip_rate=0.5)]
    counted.clear()
    run_cells(some_cells(other), path, on_done=counted.append)
    assert counted[0] == 0


def test_seeds_differ_between_people_and_not_between_methods() -> None:
    people = some_people(2)
    seeds = {run_seed(subject, repetition) for subject in people for repetition in range(3)}
    assert len(seeds) == 6
    cells = some_cells(people)
    assert len({cell.key for cell in cells}) == len(cells)


def test_two_workers_make_the_same_runs(tmp_path: Path) -> None:
    cells = some_cells(some_people(2))
    one = run_cells(cells, tmp_path / "one.jsonl")
    with joblib.parallel_config(backend="threading"):  # whatever backend the user chose
        two = run_cells(cells, tmp_path / "two.jsonl", jobs=2)
    assert told(two) == told(one)
    records = (tmp_path / "two.jsonl").read_text(encoding="utf-8").splitlines()[1:]
    assert sorted(json.loads(r)["key"] for r in records) == sorted(c.key for c in cells)


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "runs.jsonl"
    path.write_text('{"palate": 1}\n', encoding="utf-8")
    with pytest.raises(LogError, match=r"runs\.jsonl is not a journal of runs"):
        run_cells([], path)


def test_no_run_at_a_time_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"jobs must be at least 1, or -1 .* not 0"):
        run_cells([], tmp_path / "runs.jsonl", jobs=0)


def test_versions_name_what_is_installed() -> None:
    found = versions()
    assert found["palate"] == palate.__version__
    assert found["numpy"] == np.__version__
    assert "python" in found


def an_outcome(name: str, seed: int, choices: list[int], method: str = "m") -> Outcome:
    subject = replace(a_subject([0.0, 1.0, 2.0, 4.0], 1.5), name=name)
    wins = [subject.preference(choice) for choice in choices]
    steps, n = list(range(len(choices))), len(choices)
    trial = Trial(steps, choices, wins, [None] * n, [False] * n, [True] * n, [0.0] * n, [])
    return Outcome(subject, method, seed, trial, 0.1)


def test_measures_of_runs_by_hand() -> None:
    outcome = an_outcome("a", 0, [0, 2, 3])
    ts = [0, 1, 2, 9]
    assert outcome.choices(ts) == [0, 2, 3, 3]
    assert outcome.wins(ts).tolist() == [0.0, 1.0, 1.0, 1.0]
    assert outcome.shares(ts).tolist() == [0.0, 0.5, 1.0, 1.0]
    assert (outcome.final_share, outcome.final_best) == (1.0, 1.0)
    assert an_outcome("a", 0, [3, 1]).final_best == 0.0
    assert an_outcome("a", 0, [3, 1]).final_share == 0.25
    runs = [an_outcome("a", 0, [0, 3]), an_outcome("b", 0, [1]), an_outcome("a", 1, [1, 2])]
    means = by_person(runs, lambda o: o.shares([0, 5]))
    assert means.tolist() == [[0.125, 0.75], [0.25, 0.25]]
    assert by_person(runs, lambda o: float(o.trial.cost)).tolist() == [1.0, 0.0]


def test_averages_and_paired_differences_are_those_of_scipy() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=12), rng.normal(size=12)
    found = average(one)
    assert found.mean == pytest.approx(one.mean())
    assert found.error == pytest.approx(stats.sem(one))
    assert str(average(np.array([1.0, 3.0]))) == "2.00 (1.00)"
    less = difference(one, other)
    interval = stats.ttest_rel(one, other).confidence_interval(0.95)
    assert less.mean == pytest.approx((one - other).mean())
    assert (less.low, less.high) == pytest.approx((interval.low, interval.high))
    assert str(less) == f"{less.mean:+.1f} [{less.low:+.1f}, {less.high:+.1f}]"
    with pytest.raises(ParameterError, match="need the same people, not 12 and 3"):
        difference(one, other[:3])
    single = difference(one[:1], other[:1])
    assert (single.low, single.high) == (-np.inf, np.inf)
    assert average(one[:1]).error == 0.0


def test_head_to_head_compares_the_same_person_and_seed() -> None:
    ours = [an_outcome("a", 0, [0, 3]), an_outcome("a", 1, [0, 1]), an_outcome("b", 0, [2])]
    theirs = [an_outcome("a", 1, [0, 3]), an_outcome("b", 0, [2, 2]), an_outcome("a", 0, [2, 2])]
    assert head_to_head(ours, theirs, [0, 1]).tolist() == [[1.0, 0.5], [0.5, 0.5]]


def test_random_is_held_against_its_exact_expectation(tmp_path: Path) -> None:
    people = some_people(2)
    cells = [
        Cell(subject, "random", strategy_for("random", subject, 1), seed)
        for subject in people
        for seed in range(150)
    ]
    (group,) = grouped(run_cells(cells, tmp_path / "runs.jsonl"))
    rows = {row[1]: row[2:] for row in checks([group], [], 1, "no time").rows}
    for name, expected in (("win-rate", 50.0), ("share of range", 50.0)):  # 3 of 6; mean of 0..5/5
        measured, asked = rows[f"RANDOM, {name} in %"]
        assert asked == f"{expected:.2f}, within 2"
        value, away = float(measured.split(",")[0]), float(measured.split(", ")[1].split()[0])
        spread = 50.0 if name == "win-rate" else 100.0 * np.std(np.arange(6) / 5)
        assert away == pytest.approx((value - expected) / (spread / np.sqrt(300)), abs=0.01)
        assert abs(away) < 3.0


def test_rows_of_the_trade_off_derive_epsilons_and_end_where_runs_end(tmp_path: Path) -> None:
    (group,) = grouped(run_cells(some_cells(some_people()), tmp_path / "runs.jsonl"))
    points = {name: (wins, costs) for name, wins, costs in trade_off_points(group, 12)}
    assert points["USERALIGN (epsilon = 3.0)"][1].tolist() == [0.0] * 3
    whole = by_person(group.runs["useralign"], lambda o: float(o.trial.cost))
    assert points["USERALIGN (epsilon = 0.0)"][1].tolist() == whole.tolist()
    assert points["ORACLE"][0].tolist() == [1.0] * 3
    assert [name for name in points if name.startswith("IIDBEST")] == [
        f"IIDBEST (t = {t})" for t in (0, 5, 10)
    ]
    assert [name for name in points if name.startswith("winner")] == [
        "winner-stays (t = 0)",
        "winner-stays (t = 5)",
        "winner-stays",
    ]
