"""What is left of a plan, chosen anew after some answers: at the estimate, and in the file."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from design_problems import problem_of, random_precision, random_problem

from palate.design import (
    QueryFile,
    plan,
    pose,
    query_information,
    read_queries,
    sample_queries,
    uniform_design,
)
from palate.design._rounding import Knowledge
from palate.errors import LogError, ParameterError

if TYPE_CHECKING:
    from pathlib import Path

    from palate.design import PlannedQuery, Problem


def test_what_queries_tell_at_an_estimate_is_counted_exactly() -> None:
    rng = np.random.default_rng(4)
    prior, theta, asked = (
        random_precision(4, 3),
        3.0 * rng.normal(size=4),
        rng.normal(size=(2, 5, 4)),
    )
    known = Knowledge(prior, theta)
    known.add(asked[0], 1.5)
    before = prior + 1.5 * query_information(asked[0], theta)
    after = before + 2.0 * query_information(asked[1], theta)
    gain = np.linalg.slogdet(after)[1] - np.linalg.slogdet(before)[1]
    np.testing.assert_allclose(known.gains(asked[1:], 2.0), gain, rtol=1e-9)


def test_greedy_rounding_asks_somebody_sure_about_what_is_open() -> None:
    """A pair whose better one is known to be picked tells nothing, however far apart it is."""
    rows = np.array([[5.0, 0.0], [-5.0, 0.0], [0.0, 0.4], [0.0, -0.4]])
    base = uniform_design(problem_of([rows]), n_queries=1, lam=1.0)
    (agnostic,) = sample_queries(base, n_options=2, rounding="greedy", candidates=100)
    (sure,) = sample_queries(base, n_options=2, rounding="greedy", candidates=100, theta=[4.0, 0.0])
    assert {option[0] for option in agnostic.options} == {0, 1}
    assert {option[0] for option in sure.options} == {2, 3}


@pytest.mark.parametrize(
    ("rounding", "theta", "said"),
    [
        ("iid", [1.0, 0.0], "theta is for greedy rounding, not 'iid'"),
        ("greedy", [1.0], "theta must be 2 numbers"),
        ("greedy", [1.0, np.nan], "theta must be finite"),
    ],
)
def test_an_estimate_that_does_not_fit_is_refused(
    rounding: str, theta: list[float], said: str
) -> None:
    base = uniform_design(problem_of([np.eye(2).repeat(3, axis=0)]), n_queries=1, lam=1.0)
    with pytest.raises(ParameterError, match=said):
        sample_queries(base, n_options=2, rounding=rounding, theta=theta)  # type: ignore[arg-type]


def planned_file(folder: Path) -> tuple[Problem, QueryFile]:
    """Three episodes of two questions each."""
    problem = random_problem(3, sizes=(6, 5), d=3)
    planned = sample_queries(plan(problem, n_queries=3, lam=1.0), n_options=3, seed=1)
    file = QueryFile.create(folder / "q.jsonl", planned, pose(problem, planned), {"lambda": 1.0})
    return problem, file


def other_queries(problem: Problem, seed: int = 9) -> list[PlannedQuery]:
    """For the last two episodes."""
    planned = sample_queries(plan(problem, n_queries=2, lam=1.0), n_options=3, seed=seed)
    return [replace(query, episode=query.episode + 1) for query in planned]


def test_other_queries_take_the_place_of_those_left(tmp_path: Path) -> None:
    problem, file = planned_file(tmp_path)
    with file:
        file.tell(0, 2)
        file.tell(1, 0)
        before, anew = file.planned, other_queries(problem)
        assert list(before[2:]) != anew
        file.replan(2, anew, pose(problem, anew))
        assert file.planned == (*before[:2], *anew)
        assert [q.number for q in file.unanswered()] == [2, 3, 4, 5]
        file.tell(2, 1)
        second = other_queries(problem, seed=11)[2:]
        file.replan(4, second, pose(problem, second))
    found = read_queries(file.path)
    assert found.planned == (*before[:2], *anew[:2], *second)
    assert {n: a.picked for n, a in found.answers.items()} == {0: 2, 1: 0, 2: 1}
    shown = [found.asked.pool.responses[i].text for i in found.asked.queries[2].options]
    texts = [r.text for r in pose(problem, anew).pool.responses]
    assert shown == texts[:3]


def test_only_what_nobody_answered_is_replaced(tmp_path: Path) -> None:
    problem, file = planned_file(tmp_path)
    anew = other_queries(problem)
    with file:
        file.tell(3, 0)
        with pytest.raises(ParameterError, match="query 3 was answered"):
            file.replan(2, anew, pose(problem, anew))
        with pytest.raises(ParameterError, match="queries 5 to 5 need as many, not 4"):
            file.replan(5, anew, pose(problem, anew))
    alone = read_queries(file.path)
    alone.answers.clear()
    with pytest.raises(LogError, match="read alone"):
        alone.replan(2, anew, pose(problem, anew))


@pytest.mark.parametrize("anew", [[], "x", [{"query": 5}], [{}] * 7])
def test_a_damaged_line_of_new_queries_is_named(tmp_path: Path, anew: object) -> None:
    _, file = planned_file(tmp_path)
    file.close()
    with file.path.open("a", encoding="utf-8") as out:
        out.write(json.dumps({"replanned": anew}) + "\n")
    with pytest.raises(LogError, match="line 8"):
        read_queries(file.path)
