"""The solver of the USERALIGN paper, as the reference that ours is checked and timed against.

Every program is stated in cvxpy as the paper prints it and solved by CLARABEL at its default
settings, falling back to SCS with eps = 1e-6 and at most 50,000 iterations (appendix F.3). The
paper tries ECOS between the two; ECOS is no longer maintained and is left out.

Nothing here knows the shortcuts of :mod:`palate.preference`: the loss constraint is always part
of the program, and each direction is a conic program of its own.
"""

from __future__ import annotations

import importlib
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from palate.errors import MissingExtraError
from palate.preference.confidence import confidence_radius
from palate.preference.likelihood import logistic_loss, multinomial_loss

if TYPE_CHECKING:
    from types import ModuleType

    from palate._typing import Features, FloatArray, IndexArray

_SOLVERS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("CLARABEL", {}),
    ("SCS", {"eps": 1e-6, "max_iters": 50_000}),
)


def reference_estimate(
    differences: FloatArray, norm_bound: float, *, groups: IndexArray | None = None
) -> FloatArray:
    """Maximum-likelihood weights within the ball, as a conic program (USERALIGN, Eq. 2).

    Args:
        differences: (m, d) features of the winner minus features of the loser.
        norm_bound: S > 0.
        groups: (m,) number of the answer of each row, for picks out of K > 2; by default each row
            is an answer of its own.

    Returns:
        theta_hat, shape (d,); zeros where there is no answer.

    Raises:
        MissingExtraError: cvxpy or CLARABEL is not installed.
    """
    cp = _cvxpy()
    d = differences.shape[1]
    if len(differences) == 0:
        return np.zeros(d)
    theta = cp.Variable(d)
    loss = _loss(cp, theta, differences, groups)
    problem = cp.Problem(cp.Minimize(loss), [cp.norm(theta, 2) <= norm_bound])
    if not _solve(cp, problem):
        msg = f"the reference found no estimate: {problem.status}"
        raise RuntimeError(msg)
    return np.asarray(theta.value, dtype=np.float64)


def reference_support(
    differences: FloatArray,
    directions: FloatArray,
    norm_bound: float,
    delta: float,
    *,
    consistent: bool = True,
    groups: IndexArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Support values over the confidence set, one conic program a direction (Eq. 3 and 4).

    Args:
        differences: (m, d) features of the winner minus features of the loser.
        directions: (n, d).
        norm_bound: S > 0.
        delta: probability with which the loss-based set may miss the truth.
        consistent: whether the half-spaces of the answers are part of the set.
        groups: (m,) number of the answer of each row, as in :func:`reference_estimate`.

    Returns:
        (n,) values and (n, d) weights that attain them; those of theta_hat where the set is empty.

    Raises:
        MissingExtraError: cvxpy or CLARABEL is not installed.
    """
    estimate = reference_estimate(differences, norm_bound, groups=groups)
    program = _Program(
        differences, estimate, norm_bound, delta, consistent=consistent, groups=groups
    )
    thetas = np.array([program.maximiser(c) for c in directions]).reshape(directions.shape)
    return np.einsum("nd,nd->n", thetas, directions), thetas


def reference_step(
    features: Features,
    differences: FloatArray,
    norm_bound: float,
    delta: float,
    *,
    consistent: bool = True,
    rebuild: bool = False,
) -> tuple[int, int, float]:
    """One whole step of USERALIGN (Algorithms 2 and 3): estimate, incumbent, N - 1 programs.

    Args:
        features: (N, d) features of the pool, N >= 2.
        differences: (t, d) features of the winner minus features of the loser.
        norm_bound: S > 0.
        delta: probability with which the loss-based set may miss the truth.
        consistent: whether the half-spaces of the answers are part of the set.
        rebuild: state each program anew, as a plain script does. By default one program is stated a
            step, its direction a parameter, so that cvxpy canonicalises it once.

    Returns:
        The rows of the incumbent and the challenger, and the challenger's support value B(t).

    Raises:
        MissingExtraError: cvxpy or CLARABEL is not installed.
    """
    features = np.asarray(features, dtype=np.float64)
    estimate = reference_estimate(differences, norm_bound)
    incumbent = int(np.argmax(features @ estimate))
    program = _Program(differences, estimate, norm_bound, delta, consistent=consistent)
    challenger, bound = -1, -np.inf
    for row, direction in enumerate(features - features[incumbent]):
        if row == incumbent:
            continue
        if rebuild:
            program = _Program(differences, estimate, norm_bound, delta, consistent=consistent)
        value = float(program.maximiser(direction) @ direction)
        if value > bound:
            challenger, bound = row, value
    return incumbent, challenger, bound


class _Program:
    """Maximise ``<theta, c>`` over the confidence set, with c a parameter."""

    def __init__(
        self,
        differences: FloatArray,
        estimate: FloatArray,
        norm_bound: float,
        delta: float,
        *,
        consistent: bool,
        groups: IndexArray | None = None,
    ) -> None:
        cp = self._cp = _cvxpy()
        d = len(estimate)
        self._estimate = estimate
        self._theta = cp.Variable(d)
        self._direction = cp.Parameter(d)
        constraints = [cp.norm(self._theta, 2) <= norm_bound]
        if len(differences):
            if groups is None:
                t, least = len(differences), logistic_loss(estimate, differences)
            else:
                t, least = int(groups[-1]) + 1, multinomial_loss(estimate, differences, groups)
            level = least + confidence_radius(t, d, norm_bound, delta)
            constraints.append(_loss(cp, self._theta, differences, groups) <= level)
            if consistent:
                constraints.append(differences @ self._theta >= 0)
        self._problem = cp.Problem(cp.Maximize(self._direction @ self._theta), constraints)

    def maximiser(self, direction: FloatArray) -> FloatArray:
        """A theta (d,) of the set that is largest along ``direction``, theta_hat if it is empty."""
        self._direction.value = direction
        if not _solve(self._cp, self._problem):
            return self._estimate
        return np.asarray(self._theta.value, dtype=np.float64)


def _loss(
    cp: ModuleType,
    theta: Any,  # noqa: ANN401
    differences: FloatArray,
    groups: IndexArray | None,
) -> Any:  # noqa: ANN401
    """The loss as a cvxpy expression."""
    if groups is None:
        return cp.sum(cp.logistic(-(differences @ theta)))
    return sum(
        cp.log_sum_exp(cp.hstack([0.0, -(differences[groups == g] @ theta)]))
        for g in range(int(groups[-1]) + 1)
    )


def _solve(cp: ModuleType, problem: Any) -> bool:  # noqa: ANN401
    """Solve, and say whether the program has a solution.

    Raises:
        RuntimeError: no solver decided.
    """
    for solver, settings in _SOLVERS:
        try:
            with warnings.catch_warnings():
                # "Solution may be inaccurate": the status says so too, and the next solver tries.
                warnings.simplefilter("ignore")
                problem.solve(solver=solver, **settings)
        except cp.error.SolverError:
            continue
        if problem.status in {"optimal", "infeasible"}:
            return bool(problem.status == "optimal")
    if problem.status in {"optimal_inaccurate", "infeasible_inaccurate"}:
        return bool(problem.status == "optimal_inaccurate")
    msg = f"neither {' nor '.join(name for name, _ in _SOLVERS)} solved it: {problem.status}"
    raise RuntimeError(msg)


def _cvxpy() -> ModuleType:
    """The cvxpy module, imported only here."""
    try:
        importlib.import_module("clarabel")
        return importlib.import_module("cvxpy")
    except ImportError as error:
        msg = 'the reference solver is not installed: pip install "palate[reference]"'
        raise MissingExtraError(msg) from error
