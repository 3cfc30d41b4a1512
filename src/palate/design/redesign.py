"""What to ask next, once some queries are answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from palate.design.information import past_information, prior_of
from palate.design.solve import Design, plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from palate.design.solve import Solver


def redesign(
    design: Design,
    answered: Sequence[ArrayLike],
    *,
    n_left: float,
    theta: ArrayLike | None = None,
    lam: float | None = None,
    prior_precision: ArrayLike | None = None,
    solver: Solver = "newton",
    tol: float = 1e-3,
) -> Design:
    """The design for what is left: ``M = M0 + past information + n_left sum_h w_h S_h``.

    It starts from the design before, which is close.

    Args:
        design: that the queries so far came from; its problem and criterion are kept.
        answered: (K, d) features of the options of each query that the prior precision below does
            not count yet.
        n_left: queries still to come of every slot of weight 1.
        theta: (d,) estimate at which the past is weighted, for people who are sure of their picks;
            by default theta-agnostic, which uses what was asked and not what was picked.
        lam: prior precision before any answer, or
        prior_precision: (d, d) M0; by default that of the design, which for one that is itself a
            re-design counts what was answered before it.
        solver: see :func:`palate.design.plan`.
        tol: likewise.

    Raises:
        ParameterError: as :func:`palate.design.plan`, :func:`palate.design.past_information`.
    """
    problem = design.problem
    prior = design.prior_precision
    if lam is not None or prior_precision is not None:
        prior = prior_of(problem.d, lam=lam, prior_precision=prior_precision)
    return plan(
        problem,
        n_queries=n_left,
        prior_precision=prior + past_information(answered, theta, d=problem.d),
        criterion=design.criterion,
        solver=solver,
        tol=tol,
        start=design,
    )
