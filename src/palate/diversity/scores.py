"""How fast the answers tell best responses apart, where they do so at all.

All scores are for answers like those given: the same people, asked the same kind of comparisons.
They take heads as known, and the basis where it is given; asymptotic normality does the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import norm

from palate.diversity.condition import coverage
from palate.diversity.rows import lengths

if TYPE_CHECKING:
    from collections.abc import Callable

    from palate._typing import FloatArray, IndexArray
    from palate.diversity.curvature import Curvature
    from palate.diversity.rows import Rows

MOST = 10**12
"""Answers beyond which nobody is told to go on."""


def leverage(
    rows: Rows, heads: FloatArray, answered: Curvature, *, covered: float = 1.0 - 1e-6
) -> FloatArray:
    """(n,) variance ``z' I^+ z`` of each row's margin; infinite where it is not identified.

    Args:
        rows: contests of the people who are served.
        heads: (S, J) that go with the rows.
        answered: Fisher information: of all answers, for the variance now; of an answer on
            average, for what one answer is worth.
        covered: coverage from which a row counts as identified.
    """
    variance = np.maximum(answered.quadratic(rows, heads, answered.inverse), 0.0)
    variance[coverage(rows, heads, answered) < covered] = np.inf
    return variance


def conditioning(rows: Rows, heads: FloatArray, answered: Curvature) -> float:
    """The least information of a row, ``min 1 / (u' G^+ u)`` with ``u = z / |z|``.

    0 where a row is not identified; infinite without rows that ask anything.

    Args:
        rows: contests of the people who are served.
        heads: (S, J) that go with the rows.
        answered: the mean of ``z z'`` over answers.
    """
    length = lengths(rows, heads)
    asks = length > 0.0
    if not asks.any():
        return np.inf
    variance = leverage(rows, heads, answered)[asks] / length[asks] ** 2
    return float(1.0 / variance.max())


def error_exponent(gap: FloatArray, variance: FloatArray) -> float:
    """The rate c at which errors vanish, ``exp(-c n)``: the least ``gap^2 / 2 variance``.

    Asymptotically ``log(1 / eps) / c`` answers give an error of eps. 0 where a row is not
    identified or its responses are equally good; infinite without rows.

    Args:
        gap: (n,) by which the best response leads.
        variance: (n,) :func:`leverage` of one answer.
    """
    asks = variance > 0.0
    if not asks.any():
        return np.inf
    return float((0.5 * gap[asks] ** 2 / variance[asks]).min())


def selector_error(
    gap: FloatArray, variance: FloatArray, question: IndexArray, questions: int, n: float
) -> float:
    """Share of questions whose best response is expected to be taken for another after n answers.

    The mean of ``min(1, sum_b Phi(-sqrt(n) gap_b / sqrt(variance_b)))``, a union bound over the
    competitors b. A row that is not identified adds 1/2.

    Args:
        gap: (m,) by which the best response leads.
        variance: (m,) :func:`leverage` of one answer.
        question: (m,) the question of each row.
        questions: how many there are; those without rows count as right.
        n: answers.
    """
    if not questions:
        return 0.0
    known = np.isfinite(variance)
    deviation = np.full(len(gap), np.inf)
    if n > 0.0:
        deviation[known] = np.sqrt(variance[known] / n)
    certain = deviation == 0.0  # equal responses: nothing to be wrong about
    steps = np.divide(gap, deviation, out=np.full(len(gap), np.inf), where=~certain)
    wrong = np.bincount(question, weights=norm.sf(steps), minlength=questions)
    return float(np.minimum(wrong, 1.0).mean())


def answers_needed(error: Callable[[float], float], tolerance: float) -> int | None:
    """The fewest answers for which an error is at most the tolerance; None if never.

    Args:
        error: never rises with the number of answers.
        tolerance: of the error.
    """
    if error(float(MOST)) > tolerance:
        return None
    low, high = 0, 1
    while high < MOST and error(float(high)) > tolerance:
        low, high = high, 2 * high
    while high - low > max(1, low // 1000):  # a permille is closer than the error is known
        middle = (low + high) // 2
        low, high = (low, middle) if error(float(middle)) <= tolerance else (middle, high)
    return high
