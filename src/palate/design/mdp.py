"""Designs where what may be shown next depends on what was shown: finite-horizon MDPs.

At every step a state allows some actions, and an action leads to a state of the next step with
known probabilities. A design is then a visitation: how often each (state, action) pair is met by a
policy. A prompt of slots is the special case of one state a step, see :meth:`Mdp.of_problem`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from palate.design._frank_wolfe import best_share
from palate.design.problem import Problem, Slot
from palate.design.solve import Design, check_tolerance, task_of
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from palate._typing import FloatArray, IndexArray
    from palate.design._objective import Objective, Point
    from palate.design.criteria import Criterion, CriterionName


@dataclass(frozen=True, eq=False)
class Mdp:
    """A finite-horizon MDP of H steps with known transitions (ED-PBRL, Section 5).

    Attributes:
        problem: a slot for each step; its tokens are the (state, action) pairs possible then.
        states: (n_h,) for each step, the state in which each pair is possible, from 0 to S_h - 1.
        transitions: (n_h, S_{h+1}) for each step but the last, the probability of each next state.
        start: (S_1,) the probability of each state at the first step.

    Raises:
        ParameterError: arrays of other shapes, probabilities that do not sum to 1, or a state
            without an action.
    """

    problem: Problem
    states: tuple[IndexArray, ...]
    transitions: tuple[FloatArray, ...]
    start: FloatArray

    def __post_init__(self) -> None:
        sizes = self.problem.sizes
        if len(self.states) != len(sizes) or len(self.transitions) != len(sizes) - 1:
            msg = f"an MDP of {len(sizes)} steps needs as many states and one fewer transitions"
            raise ParameterError(msg)
        start = np.array(self.start, dtype=np.float64)
        states = tuple(np.array(state, dtype=np.intp) for state in self.states)
        transitions = tuple(np.array(p, dtype=np.float64) for p in self.transitions)
        object.__setattr__(self, "start", start)
        object.__setattr__(self, "states", states)
        object.__setattr__(self, "transitions", transitions)
        _check_probabilities(start[None], (1, start.size), "start")
        arriving = start.size
        for step, (n, state) in enumerate(zip(sizes, states, strict=True)):
            where = f"step {step + 1}"
            if state.shape != (n,) or set(state.tolist()) != set(range(arriving)):
                msg = f"{where}: each of the {arriving} states needs an action, each action a state"
                raise ParameterError(msg)
            if step < len(transitions):
                p = transitions[step]
                arriving = p.shape[-1]
                _check_probabilities(p, (n, arriving), where)

    @classmethod
    def of_problem(cls, problem: Problem) -> Mdp:
        """Slots as an MDP: one state a step, to which every token leads."""
        sizes = problem.sizes
        return cls(
            problem,
            tuple(np.zeros(n, dtype=np.intp) for n in sizes),
            tuple(np.ones((n, 1)) for n in sizes[:-1]),
            np.ones(1),
        )

    @classmethod
    def of_arrays(cls, features: ArrayLike, transitions: ArrayLike, start: ArrayLike) -> Mdp:
        """The textbook form: S states and A actions at each of H steps.

        Args:
            features: (H, S, A, d) of each pair at each step.
            transitions: (H - 1, S, A, S) probabilities of the next state.
            start: (S,) probabilities of the first state.

        Raises:
            ParameterError: as :class:`Mdp`.
        """
        given = np.array(features, dtype=np.float64)
        if given.ndim != 4:
            msg = f"features must be of shape (H, S, A, d), not {given.shape}"
            raise ParameterError(msg)
        horizon, n_states, n_actions, d = given.shape
        leads = np.array(transitions, dtype=np.float64)
        if leads.shape != (horizon - 1, n_states, n_actions, n_states):
            shape = (horizon - 1, n_states, n_actions, n_states)
            msg = f"transitions must be of shape {shape}, not {leads.shape}"
            raise ParameterError(msg)
        pairs = tuple(f"state {s} action {a}" for s in range(n_states) for a in range(n_actions))
        slots = tuple(Slot(f"step {h + 1}", pairs, given[h].reshape(-1, d)) for h in range(horizon))
        states = tuple(np.repeat(np.arange(n_states), n_actions) for _ in range(horizon))
        flat = tuple(p.reshape(-1, n_states) for p in leads)
        return cls(Problem(slots), states, flat, np.asarray(start))


def best_policy(mdp: Mdp, rewards: Sequence[FloatArray]) -> tuple[tuple[FloatArray, ...], float]:
    """The deterministic policy of largest expected reward, by backward induction.

    Args:
        mdp: of H steps.
        rewards: (n_h,) for each step, of its pairs.

    Returns:
        The policy, (n_h,) for each step the probability (0 or 1) of the action in its state, and
        its expected reward.
    """
    policy: list[FloatArray] = []
    values = np.zeros(0)
    for step in reversed(range(len(rewards))):
        worth = np.array(rewards[step], dtype=np.float64)
        if step < len(mdp.transitions):
            worth += mdp.transitions[step] @ values
        state = mdp.states[step]
        order = np.lexsort((-worth, state))
        first = order[np.searchsorted(state[order], np.arange(state.max() + 1))]
        chosen = np.zeros(len(worth))
        chosen[first] = 1.0
        policy.append(chosen)
        values = worth[first]
    return tuple(reversed(policy)), float(mdp.start @ values)


def visitation(mdp: Mdp, policy: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
    """How often a policy meets each pair: (n_h,) for each step, summing to 1.

    Args:
        mdp: of H steps.
        policy: (n_h,) for each step, the probability of the action in its state.
    """
    reached = mdp.start
    visits = []
    for step, choice in enumerate(policy):
        visits.append(reached[mdp.states[step]] * choice)
        if step < len(mdp.transitions):
            reached = visits[-1] @ mdp.transitions[step]
    return tuple(visits)


def policy_of(mdp: Mdp, visits: Sequence[FloatArray]) -> tuple[FloatArray, ...]:
    """The policy that a visitation comes from; uniform in states that it never meets."""
    policy = []
    for state, visited in zip(mdp.states, visits, strict=True):
        met = np.bincount(state, weights=visited)[state]
        share = 1.0 / np.bincount(state)[state]
        policy.append(np.where(met > 0.0, visited / np.where(met > 0.0, met, 1.0), share))
    return tuple(policy)


def sample_trajectories(
    mdp: Mdp, policy: Sequence[FloatArray], n: int, rng: np.random.Generator
) -> IndexArray:
    """(n, H) pairs met in n runs of a policy, by their number at each step."""
    state = rng.choice(len(mdp.start), size=n, p=mdp.start)
    met = np.empty((n, len(policy)), dtype=np.intp)
    for step, choice in enumerate(policy):
        for s in np.unique(state):
            here = np.flatnonzero(mdp.states[step] == s)
            runs = np.flatnonzero(state == s)
            met[runs, step] = rng.choice(here, size=len(runs), p=choice[here])
        if step < len(mdp.transitions):
            ends = np.cumsum(mdp.transitions[step][met[:, step]], axis=1)
            state = (rng.random(n)[:, None] > ends[:, :-1]).sum(axis=1)
    return met


def plan_mdp(
    mdp: Mdp,
    *,
    n_queries: float,
    lam: float | None = None,
    prior_precision: ArrayLike | None = None,
    criterion: CriterionName | Criterion = "V",
    tol: float = 1e-3,
    max_steps: int = 5_000,
) -> Design:
    """The best visitation, by Frank-Wolfe steps whose oracle is dynamic programming.

    Mass moves from the worst of the deterministic policies found so far to the best of all
    (pairwise steps; Lacoste-Julien and Jaggi, 2015), by exact line search.

    Args:
        mdp: of H steps.
        n_queries: queries of each step, so episodes.
        lam: as in :func:`palate.design.plan`, and so on.
        prior_precision: see there.
        criterion: see there.
        tol: see there.
        max_steps: see there.

    Returns:
        A design whose weights are visitations; :func:`policy_of` makes a policy of them.

    Raises:
        ParameterError: as :func:`palate.design.plan`.
    """
    check_tolerance(tol, max_steps)
    task = task_of(mdp.problem, n_queries, lam, prior_precision, criterion)
    even = policy_of(mdp, [np.zeros(n) for n in mdp.problem.sizes])
    uniform = np.concatenate(visitation(mdp, even))
    point, steps = _pairwise(mdp, task.objective, uniform, tol=tol, max_steps=max_steps)
    return task.design(point, task.objective.at(uniform), solver="fw", steps=steps)


def _pairwise(
    mdp: Mdp, objective: Objective, start: FloatArray, *, tol: float, max_steps: int
) -> tuple[Point, int]:
    """Steps between deterministic visitations, the first of which is the start itself."""
    vertices, shares = [start], [1.0]
    point = objective.at(start)
    for step in range(max_steps):
        policy, worth = best_policy(mdp, [point.gradient[s] for s in objective.slots])
        gap = worth - float(point.gradient @ point.weights)
        point = replace(point, gap=gap)  # over policies, of which there are fewer than designs
        if gap <= tol * objective.gain(point):
            return point, step
        best = np.concatenate(visitation(mdp, policy))
        worst = int(np.argmin([point.gradient @ vertex for vertex in vertices]))
        direction = best - vertices[worst]
        moved = shares[worst] * best_share(objective, point, shares[worst] * direction)
        shares[worst] -= moved
        same = [i for i, vertex in enumerate(vertices) if np.array_equal(vertex, best)]
        if same:
            shares[same[0]] += moved
        else:
            vertices.append(best)
            shares.append(moved)
        held = [i for i, share in enumerate(shares) if share > 1e-12]
        vertices, shares = [vertices[i] for i in held], [shares[i] for i in held]
        total = sum(shares)
        point = objective.at(
            np.asarray(sum(s / total * v for s, v in zip(shares, vertices, strict=True)))
        )
    return point, max_steps


def _check_probabilities(given: FloatArray, shape: tuple[int, int], where: str) -> None:
    if given.shape != shape:
        msg = f"{where}: probabilities of shape {shape} are needed, not {given.shape}"
        raise ParameterError(msg)
    if not (given >= 0.0).all() or not np.allclose(given.sum(axis=1), 1.0, rtol=0.0, atol=1e-9):
        msg = f"{where}: probabilities must be at least 0 and sum to 1, as those given do not"
        raise ParameterError(msg)
