"""The design of a problem: how often to show each token, so that answers tell the most.

design = plan(problem, n_queries=25, lam=1.0)
design.weights[0], design.relative_gap, design.uniform_share
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from palate.design._frank_wolfe import frank_wolfe
from palate.design._interior_point import interior_point
from palate.design._multiplicative import multiplicative
from palate.design._objective import objective_of
from palate.design._pairwise import pairwise
from palate.design.criteria import Criterion, CriterionName, criterion_of
from palate.design.information import design_information, prior_of
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from palate._typing import FloatArray
    from palate.design._objective import Objective, Point
    from palate.design.problem import Problem

Solver: TypeAlias = Literal["newton", "pairwise", "multiplicative", "fw", "fw-open"]

_MAX_STEPS: dict[Solver, int] = {
    "newton": 300,
    "pairwise": 50_000,
    "multiplicative": 5_000,
    "fw": 5_000,
    "fw-open": 5_000,
}


@dataclass(frozen=True, eq=False)
class Design:
    """How often to show each token of each slot, and how close to the best that is.

    Attributes:
        problem: what it is for.
        weights: (n_h,) shares of each slot's tokens, each summing to 1.
        criterion: what it is good at.
        n_queries: queries of every slot of weight 1 that it is for.
        prior_precision: (d, d) what is known without them.
        value: the criterion of ``M0 + n sum_h w_h S_h``.
        gap: no design has a value more than this above ``value``.
        relative_gap: the same as a share of what the design gains over asking nothing.
        uniform_share: what showing all tokens equally often gains over asking nothing, as a share
            of what the design gains; near 1, planning is not worth its while.
        solver: what found it.
        steps: in how many steps.
    """

    problem: Problem
    weights: tuple[FloatArray, ...]
    criterion: Criterion
    n_queries: float
    prior_precision: FloatArray
    value: float
    gap: float
    relative_gap: float
    uniform_share: float
    solver: str
    steps: int

    def information(self) -> FloatArray:
        """(d, d) M, by which the design is judged."""
        return design_information(
            self.problem,
            self.weights,
            n_queries=self.n_queries,
            prior_precision=self.prior_precision,
        )


def plan(
    problem: Problem,
    *,
    n_queries: float,
    lam: float | None = None,
    prior_precision: ArrayLike | None = None,
    criterion: CriterionName | Criterion = "V",
    solver: Solver = "newton",
    tol: float = 1e-3,
    max_steps: int | None = None,
    start: Design | Sequence[FloatArray] | None = None,
) -> Design:
    """The design that maximises a criterion of the information of n queries.

    Args:
        problem: slots, tokens and their features.
        n_queries: queries of every slot of weight 1: episodes, where a prompt has several slots.
        lam: prior precision lambda, the same as that of the estimate; or
        prior_precision: (d, d) positive definite M0, such as lambda I plus the information of past
            answers.
        criterion: "D", "A", "V" (the paper's default) or one from :func:`criterion_of`.
        solver: "newton" (second derivatives; the fastest), "pairwise" (rank-2 steps; sparse
            designs, little memory), "multiplicative", or the paper's Frank-Wolfe: "fw" with exact
            line search, "fw-open" with steps 2 / (k + 2).
        tol: stop once ``relative_gap`` is at most this.
        max_steps: stop at the latest after so many steps; the design then says how far it came.
        start: a design of the same slots, or its weights, to start from; by default uniform.

    Raises:
        ParameterError: a setting outside its range, neither or both of lam and prior_precision, an
            M0 that is not positive definite, or tokens that do not differ.
    """
    if solver not in _MAX_STEPS:
        msg = f"the solver must be one of {', '.join(_MAX_STEPS)}, not {solver!r}"
        raise ParameterError(msg)
    most = _MAX_STEPS[solver] if max_steps is None else max_steps
    check_tolerance(tol, most)
    task = task_of(problem, n_queries, lam, prior_precision, criterion)
    objective = task.objective
    first = uniform = objective.uniform()
    if start is not None:
        given = start.weights if isinstance(start, Design) else start
        first = np.concatenate(problem.check_weights(given))
    if solver == "newton":
        point, steps = interior_point(objective, first, tol=tol, max_steps=most)
    elif solver == "pairwise":
        point, steps = pairwise(objective, first, tol=tol, max_steps=most)
    elif solver == "multiplicative":
        point, steps = multiplicative(objective, first, tol=tol, max_steps=most)
    else:
        point, steps = frank_wolfe(
            objective, first, tol=tol, max_steps=most, open_loop=solver == "fw-open"
        )
    return task.design(point, objective.at(uniform), solver=solver, steps=steps)


def uniform_design(
    problem: Problem,
    *,
    n_queries: float,
    lam: float | None = None,
    prior_precision: ArrayLike | None = None,
    criterion: CriterionName | Criterion = "V",
) -> Design:
    """The design that plans nothing, every token of a slot equally often, and its gap.

    Args:
        problem: as for :func:`plan`, and so on.
        n_queries: see there.
        lam: see there.
        prior_precision: see there.
        criterion: see there.

    Raises:
        ParameterError: as :func:`plan`.
    """
    task = task_of(problem, n_queries, lam, prior_precision, criterion)
    point = task.objective.at(task.objective.uniform())
    return task.design(point, point, solver="none", steps=0)


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be maximised, checked and made ready.

    Attributes:
        problem: see :class:`Design`, and so on.
        n_queries: see there.
        prior_precision: see there.
        criterion: see there.
        objective: all of it as one function.
    """

    problem: Problem
    n_queries: float
    prior_precision: FloatArray
    criterion: Criterion
    objective: Objective

    def design(self, point: Point, uniform: Point, *, solver: str, steps: int) -> Design:
        """The design at a point, measured against the one that plans nothing."""
        objective = self.objective
        gain, gap = objective.gain(point), max(point.gap, 0.0)
        return Design(
            problem=self.problem,
            weights=tuple(point.weights[s] for s in objective.slots),
            criterion=self.criterion,
            n_queries=self.n_queries,
            prior_precision=self.prior_precision,
            value=point.value,
            gap=gap,
            relative_gap=gap / gain,
            uniform_share=objective.gain(uniform) / gain,
            solver=solver,
            steps=steps,
        )


def task_of(
    problem: Problem,
    n_queries: float,
    lam: float | None,
    prior_precision: ArrayLike | None,
    criterion: CriterionName | Criterion,
) -> Task:
    """The task that these settings describe.

    Raises:
        ParameterError: see :func:`plan`.
    """
    if not (np.isfinite(n_queries) and n_queries > 0.0):
        msg = f"n_queries must be positive and finite, not {n_queries}"
        raise ParameterError(msg)
    prior = prior_of(problem.d, lam=lam, prior_precision=prior_precision)
    target = criterion if isinstance(criterion, Criterion) else criterion_of(criterion, problem)
    objective = objective_of(problem, target, n_queries=n_queries, prior_precision=prior)
    return Task(problem, n_queries, prior, target, objective)


def check_tolerance(tol: float, max_steps: int) -> None:
    """Refuse what no solver can reach.

    Raises:
        ParameterError: see :func:`plan`.
    """
    if not 0.0 < tol < 1.0:
        msg = f"tol, a relative gap, must lie between 0 and 1, not {tol}"
        raise ParameterError(msg)
    if max_steps < 1:
        msg = f"max_steps must be at least 1, not {max_steps}"
        raise ParameterError(msg)
