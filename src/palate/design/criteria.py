"""What a design is good at: D, A, V and C, as concave functions of the information matrix.

D maximises ``log det M``. The others maximise ``-tr(V M^-1)``, minus the expected squared error of
the estimate as V weighs it: V is the identity for A, the differences that a person may be asked
about for V (the paper's default), and given directions for C. V is scaled to trace d throughout,
which changes no design.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from palate._typing import FloatArray
    from palate.design.problem import Problem

CriterionName: TypeAlias = Literal["D", "A", "V", "C"]


@dataclass(frozen=True, eq=False)
class Criterion:
    """A concave function of an information matrix M, increasing in it.

    Attributes:
        name: "D", "A", "V" or "C".
        target: the (d, d) matrix V of ``-tr(V M^-1)``; None for D.
    """

    name: CriterionName
    target: FloatArray | None

    def value(self, information: FloatArray) -> float:
        """``log det M`` or ``-tr(V M^-1)``.

        Raises:
            ParameterError: M is not positive definite.
        """
        factor = _factor(information)
        if self.target is None:
            return 2.0 * float(np.log(np.diag(factor)).sum())
        return -float(np.trace(cho_solve((factor, True), self.target, check_finite=False)))

    def gradient(self, information: FloatArray) -> FloatArray:
        """Its (d, d) gradient G: ``M^-1`` for D, ``M^-1 V M^-1`` for the others.

        Raises:
            ParameterError: M is not positive definite.
        """
        factor = (_factor(information), True)
        inverse = cho_solve(factor, np.eye(len(information)), check_finite=False)
        if self.target is None:
            return symmetric(inverse)
        return symmetric(inverse @ self.target @ inverse)


def criterion_of(
    name: CriterionName,
    problem: Problem,
    *,
    directions: ArrayLike | None = None,
    targets: ArrayLike | None = None,
    apart: float = 0.0,
) -> Criterion:
    """The criterion of that name for a problem (ED-PBRL, Section 4).

    Args:
        name: "D", "A", "V" or "C".
        problem: whose tokens V compares.
        directions: (m, d) directions c of the weights that C is to know: ``V = sum c c^T``.
        targets: (m, d) features of what the person will choose among, such as whole prompts; V then
            compares these instead of the tokens.
        apart: V counts tokens of a slot that lie no farther apart than this only once. Without it
            a vocabulary with many near-duplicates decides what matters.

    Raises:
        ParameterError: an unknown name, an argument that belongs to another criterion, rows of
            another length, or a V that is zero.
    """
    if name not in get_args(CriterionName):
        msg = f"the criterion must be one of {', '.join(get_args(CriterionName))}, not {name!r}"
        raise ParameterError(msg)
    if (directions is None) is (name == "C"):
        raise ParameterError("directions are for criterion C, which needs them")
    if (targets is not None or apart) and name != "V":
        msg = f"targets and apart are for criterion V, not {name!r}"
        raise ParameterError(msg)
    if not (np.isfinite(apart) and apart >= 0.0):
        msg = f"apart must be a distance of at least 0, not {apart}"
        raise ParameterError(msg)
    if name == "D":
        return Criterion("D", None)
    if name == "A":
        return Criterion("A", np.eye(problem.d))
    if directions is not None:
        rows = _rows(directions, problem.d, "directions")
        return Criterion("C", _to_trace_d(rows.T @ rows, "the directions are zero"))
    if targets is not None:
        compared = [_rows(targets, problem.d, "targets")]
    else:
        compared = [slot.features for slot in problem.slots]
    spread = sum(differences(_leaders(rows, apart)) for rows in compared)
    return Criterion("V", _to_trace_d(np.asarray(spread), "all that V compares is equal"))


def differences(features: FloatArray) -> FloatArray:
    """``sum_{a,b} (phi_a - phi_b)(phi_a - phi_b)^T`` of (n, d) features, as a (d, d) matrix.

    Equal to ``2 n Phi^T Phi - 2 s s^T`` with s the column sums, without its cancellation.
    """
    centred = features - features.mean(axis=0)
    return 2.0 * len(features) * (centred.T @ centred)


def duality_gap(gradients: Sequence[FloatArray], weights: Sequence[FloatArray]) -> float:
    """``sum_h (max_a g_h(a) - <g_h, d_h>)``: the optimum is no more than this above the design.

    Args:
        gradients: (n_h,) derivatives of the objective in each slot's weights.
        weights: (n_h,) the design.
    """
    return float(
        sum(float(g.max()) - float(g @ w) for g, w in zip(gradients, weights, strict=True))
    )


def symmetric(matrix: FloatArray) -> FloatArray:
    """What rounding took from a matrix that is symmetric in exact arithmetic."""
    return 0.5 * (matrix + matrix.T)


def _leaders(features: FloatArray, apart: float) -> FloatArray:
    """The first rows such that every row lies within a distance of one of them."""
    if not apart:
        return features
    left = features
    kept = []
    while len(left):
        kept.append(left[0])
        left = left[np.linalg.norm(left - left[0], axis=1) > apart]
    return np.array(kept)


def _rows(given: ArrayLike, d: int, what: str) -> FloatArray:
    rows = np.array(given, dtype=np.float64)
    if rows.ndim != 2 or not len(rows) or rows.shape[1] != d or not np.isfinite(rows).all():
        msg = f"{what} must be (m, {d}) finite numbers, not of shape {rows.shape}"
        raise ParameterError(msg)
    return rows


def _to_trace_d(matrix: FloatArray, if_zero: str) -> FloatArray:
    trace = float(np.trace(matrix))
    if not trace > 0.0:
        msg = f"the criterion has nothing to learn: {if_zero}"
        raise ParameterError(msg)
    return symmetric(matrix) * (len(matrix) / trace)


def _factor(information: FloatArray) -> FloatArray:
    try:
        factor, _ = cho_factor(information, lower=True, check_finite=False)
    except LinAlgError:
        raise ParameterError(
            "the information matrix is not positive definite: give a larger prior precision"
        ) from None
    return factor
