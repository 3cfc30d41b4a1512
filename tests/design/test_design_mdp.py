from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest
from design_problems import problem_of, random_problem

from palate.design import (
    Mdp,
    best_policy,
    design_information,
    plan,
    plan_mdp,
    policy_of,
    sample_trajectories,
    visitation,
)
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.design.criteria import CriterionName


def random_mdp(seed: int, horizon: int = 3, states: int = 2, actions: int = 3, d: int = 4) -> Mdp:
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(horizon, states, actions, d))
    transitions = rng.dirichlet(np.full(states, 0.5), size=(horizon - 1, states, actions))
    return Mdp.of_arrays(features, transitions, rng.dirichlet(np.ones(states)))


def deterministic_policies(
    mdp: Mdp,
) -> list[tuple[FloatArray, ...]]:
    """All of them."""
    choices = []
    for state in mdp.states:
        pairs = [np.flatnonzero(state == s) for s in range(state.max() + 1)]
        step = []
        for chosen in itertools.product(*pairs):
            policy = np.zeros(len(state))
            policy[list(chosen)] = 1.0
            step.append(policy)
        choices.append(step)
    return list(itertools.product(*choices))


def test_the_oracle_finds_the_best_of_all_policies() -> None:
    for seed in range(4):
        mdp = random_mdp(seed)
        rng = np.random.default_rng(100 + seed)
        rewards = [rng.normal(size=n) for n in mdp.problem.sizes]
        worth = [
            sum(float(v @ r) for v, r in zip(visitation(mdp, policy), rewards, strict=True))
            for policy in deterministic_policies(mdp)
        ]
        policy, value = best_policy(mdp, rewards)
        assert value == pytest.approx(max(worth), abs=1e-12)
        met = visitation(mdp, policy)
        assert sum(float(v @ r) for v, r in zip(met, rewards, strict=True)) == pytest.approx(value)
        for state, choice in zip(mdp.states, policy, strict=True):
            np.testing.assert_array_equal(np.bincount(state, weights=choice), 1.0)


def test_visitations_are_what_trajectories_meet() -> None:
    mdp = random_mdp(5)
    rng = np.random.default_rng(6)
    policy = policy_of(mdp, [rng.dirichlet(np.ones(n)) for n in mdp.problem.sizes])
    met = sample_trajectories(mdp, policy, 40_000, rng)
    for step, visits in enumerate(visitation(mdp, policy)):
        assert visits.sum() == pytest.approx(1.0)
        counted = np.bincount(met[:, step], minlength=len(visits)) / len(met)
        np.testing.assert_allclose(counted, visits, atol=0.012)
    # No pair follows one that cannot lead to its state.
    for step, leads in enumerate(mdp.transitions):
        state = mdp.states[step + 1][met[:, step + 1]]
        assert (leads[met[:, step], state] > 0.0).all()


def test_a_policy_is_recovered_from_its_visits() -> None:
    mdp = random_mdp(7)
    rng = np.random.default_rng(8)
    policy = policy_of(mdp, [rng.dirichlet(np.ones(n)) for n in mdp.problem.sizes])
    again = policy_of(mdp, visitation(mdp, policy))
    for one, two in zip(policy, again, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-12)
    nowhere = policy_of(mdp, [np.zeros(n) for n in mdp.problem.sizes])
    np.testing.assert_allclose(nowhere[0], 1.0 / 3.0)


@pytest.mark.parametrize("name", ["D", "A", "V"])
def test_slots_are_a_special_case(name: CriterionName) -> None:
    problem = random_problem(9, sizes=(8, 6, 7), d=4)
    as_slots = plan(problem, n_queries=10, lam=1.0, criterion=name, tol=1e-6)
    as_mdp = plan_mdp(Mdp.of_problem(problem), n_queries=10, lam=1.0, criterion=name, tol=1e-3)
    assert as_mdp.relative_gap <= 1e-3
    assert 0.0 <= as_slots.value + as_slots.gap - as_mdp.value <= as_mdp.gap + as_slots.gap
    assert as_mdp.uniform_share == pytest.approx(as_slots.uniform_share, rel=2e-3)


def test_no_mixture_of_policies_beats_the_plan_by_more_than_its_gap() -> None:
    mdp = random_mdp(10)
    design = plan_mdp(mdp, n_queries=10, lam=0.5, criterion="A", tol=1e-3)
    assert design.relative_gap <= 1e-3
    policy = policy_of(mdp, design.weights)
    for one, two in zip(design.weights, visitation(mdp, policy), strict=True):
        np.testing.assert_allclose(one, two, atol=1e-9)  # a visitation that a policy can have
    rng = np.random.default_rng(11)
    policies = deterministic_policies(mdp)
    for _ in range(200):
        few = rng.choice(len(policies), size=5)
        share = rng.dirichlet(np.ones(5))
        met = [visitation(mdp, policies[i]) for i in few]
        mixed = [
            np.asarray(sum(s * m[h] for s, m in zip(share, met, strict=True)))
            for h in range(len(mdp.states))
        ]
        information = design_information(
            mdp.problem, mixed, n_queries=10, prior_precision=design.prior_precision
        )
        assert design.criterion.value(information) <= design.value + design.gap


def test_where_states_bind_the_plan_stays_inside() -> None:
    """Slots alone would show the last step's far token, which only a poor first token leads to."""
    first = np.array([[0.0, 0.0], [1.0, 0.0]])
    last = np.array([[0.0, 0.0], [0.1, 0.1], [0.0, 5.0]])
    problem = problem_of([first, last])
    leads = np.array([[1.0, 0.0], [0.2, 0.8]])
    mdp = Mdp(problem, (np.zeros(2, int), np.array([0, 0, 1])), (leads,), np.ones(1))
    free = plan(problem, n_queries=10, lam=1.0, criterion="D", tol=1e-6)
    bound = plan_mdp(mdp, n_queries=10, lam=1.0, criterion="D", tol=1e-6)
    assert bound.value < free.value - bound.gap
    assert bound.weights[1][2] == pytest.approx(0.8 * bound.weights[0][1], abs=1e-9)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"states": (np.zeros(2, int),)}, "as many states and one fewer transitions"),
        ({"start": np.array([0.5])}, "start: probabilities must be at least 0 and sum to 1"),
        ({"start": np.array([0.5, 0.5])}, "step 1: each of the 2 states needs an action"),
        ({"states": (np.zeros(2, int), np.array([0, 0, 2]))}, "step 2: each of the 2 states"),
        ({"transitions": (np.ones((2, 2)),)}, "step 1: probabilities must be at least 0"),
        ({"transitions": (np.ones((3, 1)),)}, r"step 1: probabilities of shape \(2, 1\)"),
    ],
)
def test_mdps_that_cannot_be(change: dict[str, object], line: str) -> None:
    good: dict[str, object] = {
        "problem": problem_of([np.eye(2), np.ones((3, 2))]),
        "states": (np.zeros(2, int), np.array([0, 0, 1])),
        "transitions": (np.array([[1.0, 0.0], [0.2, 0.8]]),),
        "start": np.ones(1),
    }
    Mdp(**good)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match=line):
        Mdp(**{**good, **change})  # type: ignore[arg-type]


def test_arrays_that_are_no_mdp() -> None:
    with pytest.raises(ParameterError, match=r"of shape \(H, S, A, d\), not \(2, 3\)"):
        Mdp.of_arrays(np.zeros((2, 3)), np.zeros(1), np.ones(1))
    with pytest.raises(ParameterError, match=r"transitions must be of shape \(1, 2, 3, 2\)"):
        Mdp.of_arrays(np.zeros((2, 2, 3, 4)), np.zeros((2, 2, 3, 2)), np.ones(2))
