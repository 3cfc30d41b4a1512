from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from design_problems import problem_of, random_precision, random_problem

from palate.design import (
    PlannedQuery,
    farthest_queries,
    greedy_queries,
    past_information,
    plan,
    sample_queries,
    split_policies,
    token_options,
    uniform_design,
)
from palate.design._rounding import Knowledge, _at_most_once
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import IndexArray
    from palate.design import Design, Problem
    from palate.design.queries import Feedback, Rounding, Split

SPLITS: list[Split] = ["iid", "stratified", "blockfw"]
ROUNDINGS: list[Rounding] = ["iid", "stratified", "greedy"]


def design_for(seed: int = 1, lam: float = 1.0, n: float = 12) -> Design:
    problem = random_problem(seed, sizes=(12, 9, 15), d=6)
    return plan(problem, n_queries=n, lam=lam, criterion="D")


def shown(queries: Sequence[PlannedQuery], depth: int) -> IndexArray:
    """(T, K) tokens of one slot."""
    return np.array([[o[-1] for o in q.options] for q in queries if q.depth == depth])


def logdet(problem: Problem, queries: Sequence[PlannedQuery]) -> float:
    known = np.eye(problem.d) + past_information([token_options(problem, q) for q in queries])
    return float(np.linalg.slogdet(known)[1])


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("lam", [1.0, 1e4])
def test_queries_are_whole_and_never_repeat_a_token(
    split: Split, rounding: Rounding, lam: float
) -> None:
    design = design_for(lam=lam)  # under the large lambda few tokens have weight, fewer than K
    queries = sample_queries(design, n_options=5, split=split, rounding=rounding, seed=3)
    assert [(q.episode, q.depth) for q in queries] == [(t, h) for t in range(12) for h in (1, 2, 3)]
    for query in queries:
        assert len(query.options) == 5
        for place, size in zip(
            zip(*query.options, strict=True), design.problem.sizes, strict=False
        ):
            assert len(set(place)) == 5
            assert set(place) <= set(range(size))
    for before, after in itertools.pairwise(queries):
        if before.episode == after.episode:  # the same prompts, one token longer
            assert tuple(option[:-1] for option in after.options) == before.options
    again = sample_queries(design, n_options=5, split=split, rounding=rounding, seed=3)
    assert queries == again
    assert queries != sample_queries(design, n_options=5, split=split, rounding=rounding, seed=4)


def test_two_options_are_drawn_as_the_design_says() -> None:
    """Draws without repeats: the first of a pair is a draw from d, the second from the rest."""
    design = design_for()
    queries = sample_queries(design, n_options=2, episodes=6000, feedback="slots", seed=5)
    for depth, weights in enumerate(design.weights, start=1):
        seen = shown(queries, depth)
        pair = np.outer(weights, weights) / (1.0 - weights)[:, None]
        np.fill_diagonal(pair, 0.0)
        together = np.zeros_like(pair)
        np.add.at(together, (seen[:, 0], seen[:, 1]), 1.0 / len(seen))
        np.testing.assert_allclose(
            together + together.T, pair + pair.T, atol=0.02 * (pair + pair.T).max() + 0.008
        )


def test_stratified_rounding_gives_each_token_its_number() -> None:
    design = design_for(2)
    slots = 0
    for n_options, episodes in ((2, 40), (4, 25)):
        queries = sample_queries(
            design, n_options=n_options, episodes=episodes, rounding="stratified", seed=6
        )
        total = n_options * episodes
        for depth, weights in enumerate(design.weights, start=1):
            counts = np.bincount(shown(queries, depth).ravel(), minlength=len(weights))
            wanted = total * weights
            often = wanted > episodes  # more than once a query: then it is in every one
            if not often.any():
                assert np.abs(counts - wanted).max() < 1.0 + 1e-9
                slots += 1
            assert (counts[often] >= episodes - 1).all()
            assert (counts[~often] > wanted[~often] - 1.0 - 1e-9).all()
    assert slots >= 3
    # The policies of a split are rounded one by one.
    queries = sample_queries(
        design, n_options=3, episodes=40, split="stratified", rounding="stratified", seed=7
    )
    for depth, policies in enumerate(split_policies(design, 3, "stratified"), start=1):
        for q, policy in enumerate(_at_most_once(policies)):
            met = np.bincount(shown(queries, depth)[:, q], minlength=len(policy))
            assert np.abs(met - 40 * policy).max() < 1.0 + 1e-9


def test_no_token_is_expected_more_than_once_a_query() -> None:
    policies = np.array([[0.9, 0.1, 0.0, 0.0], [0.3, 0.1, 0.6, 0.0], [0.8, 0.2, 0.0, 0.0]])
    capped = _at_most_once(policies)
    np.testing.assert_allclose(capped.sum(axis=1), 1.0, atol=1e-12)
    assert capped.sum(axis=0).max() <= 1.0 + 1e-9
    assert capped.min() >= 0.0
    np.testing.assert_allclose(capped[:, 0], policies[:, 0] / 2.0)
    fine = np.full((3, 4), 0.25)
    np.testing.assert_array_equal(_at_most_once(fine), fine)
    np.testing.assert_allclose(
        _at_most_once(np.eye(4)[[0, 0, 0]]).sum(axis=0), [1, 2 / 3, 2 / 3, 2 / 3]
    )


def test_splits_average_the_design() -> None:
    design = design_for(3)
    for how in ("iid", "stratified"):
        for policies, weights in zip(split_policies(design, 4, how), design.weights, strict=True):
            assert policies.shape == (4, len(weights))
            np.testing.assert_allclose(policies.sum(axis=1), 1.0, atol=1e-12)
            np.testing.assert_allclose(policies.mean(axis=0), weights, atol=1e-12)
            assert policies.min() >= 0.0
    # Parts along a direction overlap in single tokens only.
    for policies in split_policies(design, 4, "stratified"):
        assert ((policies > 1e-12).sum(axis=0) > 1).sum() <= 3


def test_policies_in_turn_come_close_to_the_design() -> None:
    design = design_for(4, lam=10.0)
    policies = split_policies(design, 3, "blockfw")
    averages = tuple(p.mean(axis=0) for p in policies)
    reached = plan(
        design.problem, n_queries=12, lam=10.0, criterion="D", tol=0.9, solver="fw", start=averages
    )
    assert reached.steps == 0
    assert reached.relative_gap < 0.05
    assert any(np.abs(p[0] - p[1]).max() > 1e-3 for p in policies)


def test_feedback_says_what_is_asked() -> None:
    design = design_for(5)
    whole = sample_queries(design, feedback="truncated", seed=8)
    ends = sample_queries(design, feedback="end", seed=8)
    assert ends == tuple(q for q in whole if q.depth == 3)


def test_slots_that_are_prompts_are_asked_by_weight() -> None:
    problem = random_problem(6, sizes=(8, 8, 8), d=4)  # of weights 1, 1.5 and 2
    design = plan(problem, n_queries=10, lam=1.0)
    queries = sample_queries(design, feedback="slots", seed=9)
    assert [sum(q.depth == h for q in queries) for h in (1, 2, 3)] == [10, 15, 20]
    for rounding in ROUNDINGS:
        assert len(sample_queries(design, feedback="slots", rounding=rounding)) == 45


def test_greedy_rounding_tells_more() -> None:
    design = design_for(7)
    for base in (design, uniform_design(design.problem, n_queries=12, lam=1.0, criterion="D")):
        plain = [logdet(base.problem, sample_queries(base, seed=s)) for s in range(5)]
        best = [
            logdet(base.problem, sample_queries(base, rounding="greedy", seed=s)) for s in range(5)
        ]
        assert min(best) > max(plain)
    one = sample_queries(design, rounding="greedy", candidates=1, seed=1)
    assert [q.depth for q in one] == [1, 2, 3] * 12


def test_what_queries_tell_is_counted_exactly() -> None:
    rng = np.random.default_rng(2)
    prior, asked = random_precision(4, 3), rng.normal(size=(3, 5, 4))
    known = Knowledge(prior)
    for options in asked[:2]:
        known.add(options, 1.5)
    before = prior + 1.5 * past_information(asked[:2])
    after = before + 2.0 * past_information(asked[2:])
    gain = np.linalg.slogdet(after)[1] - np.linalg.slogdet(before)[1]
    np.testing.assert_allclose(known.gains(asked[2:], 2.0), gain, rtol=1e-9)
    np.testing.assert_allclose(known.covariance, np.linalg.inv(before), atol=1e-12)


def test_greedy_rounding_knows_what_it_has_asked() -> None:
    axes = np.array([[10.0, 0.0], [-10.0, 0.0], [0.0, 9.0], [0.0, -9.0]])
    base = uniform_design(problem_of([axes]), n_queries=2, lam=0.01)
    first, second = sample_queries(base, n_options=2, rounding="greedy", candidates=100, seed=1)
    assert {option[0] for option in first.options} == {0, 1}
    assert {option[0] for option in second.options} == {2, 3}


@pytest.mark.parametrize("seed", range(4))
def test_greedy_queries_are_the_best_step_by_step(seed: int) -> None:
    problem = random_problem(20 + seed, sizes=(17, 16), d=3)
    queries = greedy_queries(problem, episodes=6, n_options=3, lam=0.05)
    known = 0.05 * np.eye(3)
    for query in queries:
        slot = problem.slots[query.depth - 1]
        chosen = [option[-1] for option in query.options]
        assert len(set(chosen)) == 3
        for m in (1, 2):
            gains = []
            for token in range(len(slot)):
                options = slot.features[[*chosen[:m], token]]
                centred = options - options.mean(axis=0)
                told = slot.weight * centred.T @ centred / 3
                gains.append(np.linalg.slogdet(known + told)[1])
            others = [g for token, g in enumerate(gains) if token not in chosen[:m]]
            assert gains[chosen[m]] >= max(others) - 1e-12
        known += slot.weight * past_information([token_options(problem, query)])
    random = sample_queries(uniform_design(problem, n_queries=6, lam=0.5), n_options=3, seed=1)
    assert logdet(problem, queries) > logdet(problem, random)


def test_farthest_points_come_first_and_all_come() -> None:
    rows = np.array([[0.0], [10.0], [6.0], [4.9], [-1.0]])
    (problem, *_) = (problem_of([rows]),)
    queries = farthest_queries(problem, episodes=3, n_options=2)
    assert shown(queries, 1).tolist() == [[1, 4], [3, 2], [0, 1]]
    many = farthest_queries(random_problem(9), episodes=5, n_options=4)
    for depth in (1, 2, 3):
        tokens = shown(many, depth)
        assert all(len(set(row)) == 4 for row in tokens)
        assert set(tokens.ravel()) == set(range(random_problem(9).sizes[depth - 1]))


def test_baselines_follow_weights_and_feedback() -> None:
    problem = random_problem(10, sizes=(8, 8), d=4)
    settings: list[tuple[Feedback, int]] = [("truncated", 8), ("end", 4), ("slots", 4 + 6)]
    for feedback, n in settings:
        far = farthest_queries(problem, episodes=4, feedback=feedback)
        greedy = greedy_queries(problem, episodes=4, feedback=feedback, lam=1.0)
        assert len(far) == len(greedy) == n


def test_the_options_of_a_query_are_its_last_tokens() -> None:
    problem = random_problem(11)
    query = PlannedQuery(0, 2, ((3, 1), (0, 4)))
    np.testing.assert_array_equal(token_options(problem, query), problem.slots[1].features[[1, 4]])


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"n_options": 1}, "at least 2 options and 1 episode are needed, not 1 and 12"),
        ({"episodes": 0}, "at least 2 options and 1 episode are needed, not 4 and 0"),
        ({"n_options": 10}, "slot 'slot 1' has 9 tokens, too few for 10 different options"),
        ({"feedback": "all"}, "feedback must be one of truncated, end, slots, not 'all'"),
        ({"split": "half"}, "split must be one of iid, stratified, blockfw, not 'half'"),
        ({"rounding": "up"}, "rounding must be one of iid, stratified, greedy, not 'up'"),
        ({"candidates": 0}, "at least 1 candidate, not 0"),
    ],
)
def test_queries_that_cannot_be(wrong: dict[str, object], line: str) -> None:
    with pytest.raises(ParameterError, match=line):
        sample_queries(design_for(), **wrong)  # type: ignore[arg-type]
