"""Answers of every shape that the solvers meet, and certificates that need no other solver."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear, nnls

from palate.preference import multinomial_gradient, multinomial_loss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palate._typing import FloatArray, IndexArray

KINDS = (
    "separable",
    "random",
    "duplicates",
    "collinear",
    "contradictory",
    "collapsed",
    "thin",
    "zero_rows",
    "pool",
)

# Bounded and the same each time: what a run checks is then known, and so is how long it takes.
few = settings(max_examples=8, deadline=None, derandomize=True, database=None)
some = settings(max_examples=20, deadline=None, derandomize=True, database=None)
many = settings(max_examples=30, deadline=None, derandomize=True, database=None)

every_kind = pytest.mark.parametrize("kind", KINDS)


class Shape(NamedTuple):
    """What besides the kind makes a case."""

    t: int
    d: int
    norm_bound: float
    seed: int


# The first of each is what failures shrink to, and comes up most.
ANSWERS = (7, 20, 3, 40, 1, 12, 60, 2, 30, 0, 5, 50)
DIMENSIONS = (3, 16, 2, 64, 5, 1, 512)


def shapes(
    answers: tuple[int, ...] = ANSWERS, dimensions: tuple[int, ...] = DIMENSIONS
) -> st.SearchStrategy[Shape]:
    """Shapes of every size, with norm bounds that bind and that do not."""
    return st.builds(
        Shape,
        st.sampled_from(answers),
        st.sampled_from(dimensions),
        st.sampled_from((3.0, 1.0, 10.0, 0.3)),
        st.integers(0, 2**32 - 1),
    )


@dataclass(frozen=True)
class Case:
    """The answers of one person, and the bound on their weights."""

    kind: str
    differences: FloatArray
    norm_bound: float
    rng: np.random.Generator

    @property
    def each(self) -> IndexArray:
        """Groups of one row an answer."""
        return np.arange(len(self.differences))


def unit(vectors: FloatArray) -> FloatArray:
    """Vectors along the last axis scaled to length 1; zeros stay."""
    lengths = np.sqrt((vectors**2).sum(axis=-1, keepdims=True))
    return np.asarray(vectors / np.where(lengths > 0.0, lengths, 1.0))


def make_differences(kind: str, t: int, d: int, rng: np.random.Generator) -> FloatArray:
    """(t, d) rows of length at most 1."""
    rows = unit(rng.normal(size=(t, d))) * rng.uniform(0.05, 1.0, size=(t, 1))
    if t == 0 or kind == "random":
        return rows
    half = (t + 1) // 2
    if kind == "separable":
        rows *= np.where(rows @ rng.normal(size=d) < 0.0, -1.0, 1.0)[:, None]
    elif kind == "duplicates":
        rows = rows[rng.integers(0, max(1, t // 4), size=t)]
    elif kind == "collinear":
        lines = unit(rng.normal(size=(2, d)))
        rows = lines[rng.integers(0, 2, size=t)] * rng.uniform(0.01, 1.0, size=(t, 1))
    elif kind == "contradictory":
        # Some answers are given again the other way round: their half-spaces meet in a plane.
        rows[half:] = -rows[: t - half]
    elif kind == "collapsed":
        # z_1, .., z_k and -(z_1 + .. + z_k) leave nothing of their span: the cone is what is
        # orthogonal to all of them, {0} where they span everything.
        rows[-1] = 0.0
        rows[-1] = -unit(rows.sum(axis=0))
    elif kind == "thin":
        # Contradictions up to a sliver. float32 features cannot make a finer one than 1e-6 or so.
        sliver = 10.0 ** -rng.integers(1, 7)
        rows[half:] = -rows[: t - half] + sliver * rng.normal(size=(t - half, d)) / np.sqrt(d)
        rows /= np.maximum(1.0, np.sqrt((rows**2).sum(axis=1, keepdims=True)))
    elif kind == "zero_rows":
        rows[rng.random(t) < 0.4] = 0.0
    elif kind == "pool":
        # Differences of a small float32 pool: dependent rows, equal up to rounding.
        pool = (0.5 * unit(rng.normal(size=(6, d)))).astype(np.float32).astype(np.float64)
        rows = pool[rng.integers(0, 6, size=t)] - pool[rng.integers(0, 6, size=t)]
    return rows


def make_case(kind: str, t: int, d: int, norm_bound: float, seed: int) -> Case:
    """One case; its generator goes on to draw what else a test needs."""
    rng = np.random.default_rng(seed)
    return Case(kind, make_differences(kind, t, d, rng), norm_bound, rng)


def make_picks(case: Case, t: int | None = None, most: int = 4) -> tuple[FloatArray, IndexArray]:
    """Picks out of 2 to ``most + 1`` responses of the case's kind: rows and their groups."""
    t = len(case.differences) if t is None else t
    groups = np.repeat(np.arange(t), case.rng.integers(1, most + 1, size=t))
    d = case.differences.shape[1]
    return make_differences(case.kind, len(groups), d, case.rng), groups


def make_directions(case: Case, n: int) -> FloatArray:
    """(n, d) directions: random, against an answer, and against a sum of the answers.

    The last two lie in the polar cone, where the support value is zero.
    """
    t, d = case.differences.shape
    directions = unit(case.rng.normal(size=(n, d))) * case.rng.uniform(0.05, 1.0, size=(n, 1))
    if t:
        directions[1::3] = -case.differences[case.rng.integers(0, t, size=len(directions[1::3]))]
        weights = case.rng.random((len(directions[2::3]), t))
        directions[2::3] = -unit(weights @ case.differences)
    return directions


def optimality_gap(
    theta: FloatArray, differences: FloatArray, groups: IndexArray, norm_bound: float
) -> float:
    """How far the loss at theta can be above the least over the ball, from its gradient alone.

    ``L(x) >= L(theta) + <g, x - theta> >= L(theta) - <g, theta> - S ||g||`` for all x in the ball.
    """
    g = multinomial_gradient(theta, differences, groups)
    return float(g @ theta + norm_bound * np.sqrt(g @ g))


def kkt_residual(
    theta: FloatArray, differences: FloatArray, groups: IndexArray, norm_bound: float
) -> float:
    """Length of ``gradient + nu theta`` with the best nu >= 0 that complementarity allows."""
    g = multinomial_gradient(theta, differences, groups)
    squared = float(theta @ theta)
    on_sphere = np.sqrt(squared) >= norm_bound * (1.0 - 1e-9)
    nu = max(0.0, -float(g @ theta) / squared) if on_sphere else 0.0
    return float(np.sqrt(((g + nu * theta) ** 2).sum()))


def support_bracket(
    theta: FloatArray,
    direction: FloatArray,
    differences: FloatArray,
    norm_bound: float,
    *,
    level: float | None = None,
    groups: IndexArray | None = None,
    consistent: bool = True,
) -> tuple[float, float]:
    """A lower and an upper bound on the support value, neither of them from a conic solver.

    theta, once its feasibility is checked, bounds it below. Above, every lambda >= 0 and mu >= 0
    give ``h(c) <= S ||c + Z^T lambda - mu g|| + mu (level - L(theta) + <g, theta>)``: the level set
    lies in the half-space ``<g, x - theta> <= level - L(theta)``. The multipliers are those that
    come nearest to making the vector a multiple of theta, so the two bounds meet at an optimum.
    They can come from anywhere: whatever they are, the bound holds.
    """
    lengths = np.sqrt((differences**2).sum(axis=1))
    columns = differences[lengths > 0.0] / lengths[lengths > 0.0, None]
    columns = columns if consistent else columns[:0]
    slack, offsets = columns @ theta, np.zeros(len(columns))
    if level is not None:
        each = np.arange(len(differences)) if groups is None else groups
        g = multinomial_gradient(theta, differences, each)
        room = level - multinomial_loss(theta, differences, each)
        columns = np.vstack((columns, -g))
        slack, offsets = np.append(slack, room), np.append(offsets, room + g @ theta)
    lower, upper = float(theta @ direction), np.inf
    # Only constraints that theta touches may push; what touches is a matter of rounding.
    for touch in (1e-10, 1e-7, 1e-4, np.inf):
        active, offset = columns[slack <= touch], offsets[slack <= touch]
        for multipliers in _multipliers(active, theta, direction):
            vector = direction + multipliers @ active
            bound = norm_bound * np.sqrt(vector @ vector) + multipliers @ offset
            upper = min(upper, float(bound))
            if upper - lower <= 1e-11 * norm_bound:
                return lower, upper
    return lower, upper


def _multipliers(
    columns: FloatArray, theta: FloatArray, direction: FloatArray
) -> Iterator[FloatArray]:
    """Non-negative weights that bring ``direction + weights @ columns`` near the ray of theta."""
    if len(columns) == 0:
        yield np.zeros(0)
        return
    scale = np.sqrt((columns**2).sum(axis=1))
    scale[scale == 0.0] = 1.0
    system = np.column_stack(((columns / scale[:, None]).T, -unit(theta)))
    # Each may fail where columns are all but equal: the bound is as good as the best of them.
    with contextlib.suppress(RuntimeError):
        yield np.maximum(nnls(system, -direction)[0][:-1], 0.0) / scale
    found = lsq_linear(system, -direction, (0.0, np.inf), method="bvls", tol=1e-15).x
    yield np.maximum(found[:-1], 0.0) / scale
    with contextlib.suppress(RuntimeError):  # the shortest vector, wherever theta is
        yield np.maximum(nnls(system[:, :-1], -direction)[0], 0.0) / scale
