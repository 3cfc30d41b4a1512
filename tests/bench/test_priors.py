"""The experiments on priors, small: what they measure, and that it is measured rightly."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from palate.bench import priors as experiment
from palate.bench import returning
from palate.bench.domains import shipped_domain
from palate.bench.priors import Arm, Visits, low_rank, outside, remembering, run_arms, speed
from palate.bench.priors_people import (
    LowRank,
    others_answers,
    simulated_answers,
    with_style,
)
from palate.bench.priors_plot import write_arms
from palate.bench.priors_tables import (
    answers_to,
    asked_lines,
    low_rank_lines,
    named,
    outside_lines,
    paired_table,
    persona_lines,
    shares_table,
    verdict,
    visits_lines,
    wins_lines,
    wins_table,
)
from palate.cli import app
from palate.elicitation import Elicitation
from palate.errors import ParameterError
from palate.people import SimulatedPerson
from palate.preference.memory import Remembering
from palate.strategies import Oracle, Random, WinnerStays

if TYPE_CHECKING:
    from pathlib import Path

    from palate._typing import FloatArray
    from palate.bench.cast import Subject
    from palate.strategies import Strategy


def arm(name: str, shares: FloatArray) -> Arm:
    return Arm(name, shares, shares == 1.0, shares, 0.001)


def test_low_rank_people_want_nothing_outside_the_basis() -> None:
    world = LowRank.drawn(3, 5)
    assert np.allclose(world.basis.T @ world.basis, np.eye(3))
    for subject in world.subjects(3, 8, 0.0):
        features = np.asarray(subject.pool.features)
        assert np.allclose(np.linalg.norm(features, axis=1), 0.5)
        within = features @ world.basis
        fitted = np.linalg.lstsq(within, np.asarray(subject.utilities), rcond=None)[0]
        assert np.allclose(within @ fitted, np.asarray(subject.utilities))
    names = {str(np.asarray(s.pool.features)[0, 0]) for s in world.subjects(3, 8, 0.0)}
    assert len(names) == 3, "everybody has a pool of their own"


def test_a_rank_outside_the_features_is_refused() -> None:
    with pytest.raises(ParameterError, match="rank must lie between 1 and 64, not 65"):
        LowRank.drawn(65, 0)


def test_simulated_answers_name_the_better_response_unless_flipped() -> None:
    features = np.arange(10.0)[:, None]
    people = [[(features, np.arange(10.0))], [(features, -np.arange(10.0))]]
    data = simulated_answers(people, 40, 0.0, 1)
    assert data.answers == 80
    rise = data.items[data.chosen, 0] > data.items[data.rejected, 0]
    assert rise[data.person == 0].all()
    assert not rise[data.person == 1].any()
    flipped = simulated_answers(people[:1], 400, 0.25, 1)
    share = np.mean(flipped.items[flipped.chosen, 0] < flipped.items[flipped.rejected, 0])
    assert 0.18 < share < 0.32


def test_the_person_and_the_prompt_tested_are_not_in_their_population() -> None:
    domain = shipped_domain("food64d").first(2)
    data = others_answers(domain, 0, [1], 12, flip_rate=0.0, seed=0)
    assert len(data.people) == len(domain.personas) - 1
    rows = {tuple(row) for row in np.asarray(domain.pools[1].features).tolist()}
    assert {tuple(row) for row in data.items.tolist()} <= rows
    with pytest.raises(ParameterError, match="nobody else rates these prompts"):
        others_answers(domain, 0, [], 12, flip_rate=0.0, seed=0)


def test_style_takes_its_share_of_the_spread_and_keeps_how_far_texts_depart() -> None:
    domain = shipped_domain("food64d").first(2)
    joined = with_style(domain, 0.25)
    for before, after in zip(domain.pools, joined.pools, strict=True):
        rows = np.asarray(after.features) / after.scale
        d = np.asarray(before.features).shape[1]
        assert (rows[:, :d] ** 2).sum() == pytest.approx(0.75 * len(rows))
        assert (rows[:, d:] ** 2).sum() == pytest.approx(0.25 * len(rows))
        assert before.style is not None
        ratio = rows[:, d:] / np.where(before.style == 0.0, 1.0, before.style)
        assert np.ptp(ratio[before.style != 0.0]) < 1e-9


def test_arms_hold_the_shares_of_each_person_averaged_over_seeds() -> None:
    world = LowRank.drawn(2, 3)
    subjects = world.subjects(4, 6, 0.0)
    tasks: dict[str, list[tuple[Subject, Strategy]]] = {
        "oracle": [(s, Oracle(tuple(np.asarray(s.utilities).tolist()))) for s in subjects],
        "random": [(s, Random()) for s in subjects],
        "winner-stays": [(s, WinnerStays(max_steps=5)) for s in subjects],
    }
    arms = run_arms(tasks, 5, seeds=3)
    assert (named(arms, "oracle").shares == 1.0).all()
    assert (named(arms, "oracle").best == 1.0).all()
    assert (named(arms, "oracle").regret == 0.0).all()
    assert 0.0 < named(arms, "random").shares.mean() < 1.0
    assert named(arms, "winner-stays").shares.shape == (4, 6)
    assert (named(arms, "winner-stays").shares[:, 5] == 1.0).all(), "exact after N - 1 answers"


def test_a_learned_prior_beats_the_features_alone_and_an_outsider_is_not_lost() -> None:
    arms = low_rank(1, 8, 0.0, people=8, most=4, population=30, seed=1)
    plain, learned = named(arms, "eubo").shares, named(arms, "eubo, population").shares
    assert learned[:, 2].mean() > plain[:, 2].mean()
    assert learned[:, 3].mean() > 0.9
    others = outside(people=6, most=19)
    lost = named(others, "eubo").shares[:, 19] - named(others, "eubo, population").shares[:, 19]
    assert lost.mean() < 0.1


def test_what_was_answered_before_enters_the_next_prompt() -> None:
    domain = shipped_domain("food64d").first(2)
    ratings = np.asarray(domain.ratings)
    past = []
    for prompt in (0, 1):
        elicitation = Elicitation(domain.pools[prompt], WinnerStays(max_steps=3), prompt)
        elicitation.run(SimulatedPerson(utilities=ratings[prompt, 0, 1:]))
        past.append(elicitation)
    base = experiment.PLAIN
    assert remembering(base, []) is base
    prior = remembering(base, past)
    assert isinstance(prior, Remembering)
    n = len(domain.pools[0])
    assert prior.past.age.tolist() == [2] * n + [1] * n
    assert len(prior.past.winner) == 6
    for number, elicitation in enumerate(past):
        for answer, row in zip(elicitation.history, range(3 * number, 3 * number + 3), strict=True):
            assert prior.past.winner[row] == number * n + (answer.winner or 0)
            assert prior.past.loser[row] == number * n + answer.losers[0]
    assert prior.past.group.tolist() == list(range(6))


def test_answers_to_a_level_are_counted_from_where_it_is_kept() -> None:
    shares = np.array([[0.5, 0.95, 0.8, 0.9, 1.0], [0.5, 0.95, 0.8, 0.94, 1.0]])
    assert answers_to(shares, 0.9) == 3
    assert answers_to(shares, 0.5) == 0
    assert answers_to(shares[:, :3], 0.9) is None


def test_verdicts_say_reached_missed_and_the_measured_figure() -> None:
    assert verdict("x", "0.5", "0.6", reached=True) == "x: asked 0.5, measured 0.6: reached"
    assert verdict("x", "0.5", "0.4", reached=False).endswith("MISSED")
    assert verdict("x", "1", "0.9", reached=False, near=True).endswith("two standard errors")
    low = np.full((4, 11), 0.5) + 0.01 * np.arange(4)[:, None]
    high = np.ones((4, 11))
    worse = [arm("eubo, population", low), arm("useralign", 0.5 * (low + high))]
    assert all("MISSED" in line for line in low_rank_lines(worse, 3, 20, 0.0))
    reached = low_rank_lines([arm("eubo, population", high), arm("useralign", low)], 3, 20, 0.0)
    assert len(reached) == 6
    assert all(line.endswith("reached") for line in reached)


def test_where_nothing_is_left_to_be_better_a_population_need_not_be() -> None:
    late = np.full((4, 11), 0.5) + 0.01 * np.arange(4)[:, None]
    late[:, 7:] = 1.0
    [line] = low_rank_lines(
        [arm("eubo, population", np.ones((4, 11))), arm("useralign", late)], 5, 20, 0.0
    )
    assert "from 5 to 6" in line
    assert line.endswith("reached")


def test_lines_on_real_pools_compare_person_by_person() -> None:
    rng = np.random.default_rng(0)
    base = 1.0 - 0.4 * rng.random((30, 26))
    better = 1.0 - 0.5 * (1.0 - base)
    arms = [
        arm("useralign", base),
        arm("winner-stays", base),
        arm("eubo", base),
        arm(experiment.BEST, better),
        arm("eubo, style, population", better),
    ]
    lines = persona_lines(arms, 0.1, experiment.BEST)
    assert lines
    assert all(line.endswith("reached") for line in lines)
    worse = [*arms[:3], arm(experiment.BEST, base - 0.1), arm("eubo, style, population", base)]
    assert all(line.endswith("MISSED") for line in persona_lines(worse, 0.1, experiment.BEST))
    asked = asked_lines(arms, 20, experiment.BEST)
    assert [line.split(", t = ")[1].split(":")[0] for line in asked] == ["3", "5", "10"]
    assert asked_lines(arms, 30, experiment.BEST) == []
    gap = paired_table(arms, experiment.BEST, ["useralign"], [5])
    assert f"{(better - base)[:, 5].mean():+.3f}" in gap


def test_tables_of_outsiders_visits_and_win_rates() -> None:
    plain, learned = np.ones((4, 21)), np.full((4, 21), 0.9)
    both = [arm("eubo", plain), arm("eubo, population", learned)]
    assert "+0.100: MISSED" in outside_lines(both)[0]
    steps = np.minimum(np.arange(12) / 10, 1.0)
    first = np.tile(steps, (3, 1))
    third = np.tile(np.minimum(np.arange(12) / 5, 1.0), (3, 1))
    visits = Visits("remembering", np.stack([first, first, third], axis=1), np.zeros((3, 3, 12)))
    assert "5 of 9: MISSED" in visits_lines([visits], 0.9)[0]
    assert "4 of 8: reached" in visits_lines([visits], 0.8)[0]
    assert "| 9 " in wins_table([arm("x", first)], (0.9,))
    slow, fast = arm("useralign", first), arm("x", third[:3])
    assert wins_lines([slow, fast], "x", 0.9)[0].endswith("asked below 9, measured 5: reached")
    assert wins_lines([slow, fast], "useralign", 0.9)[0].endswith("MISSED")
    assert "never" in shares_table([arm("x", 0.5 * np.ones((3, 11)))])


def test_steps_are_timed_after_so_many_answers() -> None:
    found = speed((6,), repeats=2)
    assert {(pace.n, pace.after) for pace in found} >= {(6, 10)}
    assert all(0.0 < second < 5.0 for pace in found for second in pace.seconds)


def test_files_hold_a_row_a_method_person_and_t(tmp_path: Path) -> None:
    write_arms(tmp_path / "new", "x", "title", [arm("a", np.full((2, 3), 0.25))])
    lines = (tmp_path / "new" / "x.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "method,person,t,share,best,win"
    assert len(lines) == 1 + 2 * 3
    assert lines[1] == "a,0,0,0.25,0,0.25"
    assert (tmp_path / "new" / "x.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_prints_a_table_and_what_was_asked(tmp_path: Path) -> None:
    options = ["--rank", "3", "-n", "20", "--flip", "0", "--people", "2", "--most", "10"]
    done = CliRunner().invoke(
        app, ["bench", "priors", "low-rank", *options, "--jobs", "1", "--out", str(tmp_path)]
    )
    assert done.exit_code == 0, done.output
    assert "simulated, rank 3, N = 20, 0% flipped, 2 people" in done.output
    assert "| eubo, population" in done.output
    assert "floor of rank 3, N = 20, t = 5: asked 0.97" in done.output
    assert (tmp_path / "low-rank-3-20-0.csv").exists()


def test_starts_are_timed_with_what_is_remembered() -> None:
    found = returning.starts((0, 3, 25), repeats=2)
    assert [start.picks for start in found] == [0, 0, 3, 3, 25, 25]
    assert all(len(start.seconds) == 2 and min(start.seconds) > 0.0 for start in found)
    assert returning.starts_table(found).count("| population") == 3
