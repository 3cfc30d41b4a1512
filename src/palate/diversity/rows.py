"""Comparisons in the space where a population's reward is bilinear.

Person i's reward of a response with features psi is ``h_i . B psi``, and a comparison enters as the
difference delta of two responses' features. Its margin is ``h_i . B delta = <B, h_i delta'>``, so
that all comparisons of all people are linear in B, along ``z = h_i (x) delta``. No z is formed: the
functions below work on the blocks of people.

Letters: U people, J latent dimensions, F features, n rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

from palate._numbers import LARGEST, unfit_row
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palate._typing import BoolArray, FloatArray, IndexArray

_BLOCK = 8_000_000  # numbers that the blocks of people hold at once


@dataclass(frozen=True, eq=False)
class Rows:
    """Comparisons of two responses by somebody: the better one's features less the other's.

    Of answers the better one is the one picked; of people who are served it is the best of a pool.

    Attributes:
        person: (n,) whose head applies, as a row of the heads that go with the rows.
        delta: (n, F) differences of features.
        pick: (n,) number of the answer, or of the pool, that a row belongs to, never falling; None
            where each row is one of its own.
        offset: (n,) the part of the margin that is everybody's and known; None for 0.

    Raises:
        ParameterError: shapes do not fit, or a number is not finite or exceeds 1e50.
    """

    person: IndexArray
    delta: FloatArray
    pick: IndexArray | None = None
    offset: FloatArray | None = None

    def __post_init__(self) -> None:
        n = len(self.person)
        if self.delta.ndim != 2 or len(self.delta) != n or not self.delta.shape[1]:
            msg = f"{n} people need differences of shape ({n}, F), not {self.delta.shape}"
            raise ParameterError(msg)
        for name in ("pick", "offset"):
            array = getattr(self, name)
            if array is not None and array.shape != (n,):
                msg = f"{name} must have shape ({n},), one a row, not {array.shape}"
                raise ParameterError(msg)
        if n and self.person.min() < 0:
            raise ParameterError("person must hold places from 0 on")
        if (row := unfit_row(self.delta)) is not None:
            msg = f"differences must be finite, at most {LARGEST:g}; row {row} is not"
            raise ParameterError(msg)

    def __len__(self) -> int:
        return len(self.person)

    @property
    def starts(self) -> IndexArray:
        """(A,) the first row of each answer; an answer's rows stand together."""
        if self.pick is None:
            return np.arange(len(self))
        return np.flatnonzero(np.diff(self.pick, prepend=-1))

    def of(self, which: IndexArray | BoolArray) -> Rows:
        """Some of the rows, by place or mask."""
        pick = None if self.pick is None else self.pick[which]
        offset = None if self.offset is None else self.offset[which]
        return Rows(self.person[which], self.delta[which], pick, offset)


def margins(rows: Rows, heads: FloatArray, basis: FloatArray) -> FloatArray:
    """(n,) ``h . B delta`` of each row, with its offset.

    Args:
        rows: n comparisons.
        heads: (U, J).
        basis: (J, F).
    """
    wanted = np.einsum("nf,nf->n", rows.delta, (heads @ basis)[rows.person])
    return wanted if rows.offset is None else wanted + rows.offset


def information(rows: Rows, heads: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """(JF, JF) ``sum_n w_n z_n z_n'``, as Kronecker blocks ``h_i h_i' (x) sum_n w_n delta delta'``.

    Args:
        rows: n comparisons.
        heads: (U, J).
        weights: (n,), at least 0; by default 1 each.
    """
    J, F = heads.shape[1], rows.delta.shape[1]
    total = np.zeros((J * J, F * F))
    for people, parts in _blocks(rows, F * F):
        squares = np.empty((len(people), F, F))
        for square, part in zip(squares, parts, strict=True):
            delta = rows.delta[part]
            scaled = delta if weights is None else delta * weights[part, None]
            np.matmul(scaled.T, delta, out=square)
        h = heads[people]
        outer = (h[:, :, None] * h[:, None, :]).reshape(len(people), J * J)
        total += outer.T @ squares.reshape(len(people), F * F)
    return np.asarray(total.reshape(J, J, F, F).transpose(0, 2, 1, 3).reshape(J * F, J * F))


def quadratic(rows: Rows, heads: FloatArray, matrix: FloatArray) -> FloatArray:
    """(n,) ``z_n' A z_n`` of each row; a person's rows share ``(h (x) 1)' A (h (x) 1)``, F x F.

    Args:
        rows: n comparisons.
        heads: (U, J).
        matrix: (JF, JF) symmetric A.
    """
    J, F = heads.shape[1], rows.delta.shape[1]
    blocks = matrix.reshape(J, F, J, F).transpose(0, 2, 1, 3).reshape(J * J, F * F)
    result = np.empty(len(rows))
    for people, parts in _blocks(rows, F * F):
        h = heads[people]
        outer = (h[:, :, None] * h[:, None, :]).reshape(len(people), J * J)
        of_people = (outer @ blocks).reshape(len(people), F, F)
        for block, part in zip(of_people, parts, strict=True):
            delta = rows.delta[part]
            result[part] = np.einsum("nf,nf->n", delta @ block, delta)
    return result


def along(rows: Rows, heads: FloatArray, directions: FloatArray) -> FloatArray:
    """(n, p) ``<D_k, z_n>`` of each row along p directions.

    Args:
        rows: n comparisons.
        heads: (U, J).
        directions: (p, J, F).
    """
    p, J, F = directions.shape
    flat = np.ascontiguousarray(directions.transpose(1, 2, 0)).reshape(J, F * p)
    result = np.empty((len(rows), p))
    for people, parts in _blocks(rows, F * p):
        of_people = (heads[people] @ flat).reshape(len(people), F, p)
        for matrix, part in zip(of_people, parts, strict=True):
            result[part] = rows.delta[part] @ matrix
    return result


def lengths(rows: Rows, heads: FloatArray) -> FloatArray:
    """(n,) ``|z| = |h| |delta|``."""
    return np.asarray(
        np.linalg.norm(heads, axis=1)[rows.person] * np.linalg.norm(rows.delta, axis=1)
    )


def unit_scale(rows: Rows) -> float:
    """What brings differences to length sqrt(2) (root mean square), that of two unit vectors.

    1 where all responses are alike. Estimates with a ridge are made in that unit, so that they do
    not depend on an embedder's.
    """
    square = float((rows.delta**2).sum(axis=1).mean()) if len(rows) else 0.0
    return float(np.sqrt(2.0 / square)) if square > 0.0 else 1.0


def fisher(rows: Rows, margin: FloatArray) -> tuple[Rows, FloatArray]:
    """Rows and weights whose :func:`information` is the Fisher information of some answers.

    For answers out of two these are the rows, weighted by the slope of the logistic function. For
    a pick out of K, multinomial logit, they are the K options about their mean, weighted by their
    probabilities: ``sum_k p_k z_k z_k' - zbar zbar'``.

    Args:
        rows: of answers; those of a pick adjoin.
        margin: (n,) their margins.
    """
    starts = rows.starts
    if len(starts) == len(rows):
        p = expit(margin)
        return rows, p * (1.0 - p)
    sizes = np.diff(starts, append=len(rows))
    answer = np.repeat(np.arange(len(starts)), sizes)
    top = np.maximum(np.maximum.reduceat(-margin, starts), 0.0)
    terms = np.exp(-margin - top[answer])
    total = np.exp(-top) + np.add.reduceat(terms, starts)
    p = terms / total[answer]
    mean = np.add.reduceat(p[:, None] * rows.delta, starts)
    # The option picked differs from itself by 0, which is not among the rows.
    options = np.concatenate([rows.delta - mean[answer], -mean])
    people = np.concatenate([rows.person, rows.person[starts]])
    return Rows(people, options), np.concatenate([p, np.exp(-top) / total])


def _blocks(rows: Rows, each: int) -> Iterator[tuple[IndexArray, list[IndexArray]]]:
    """People who have rows, some at a time, and the places of each one's rows."""
    order = np.argsort(rows.person, kind="stable")
    people, first = np.unique(rows.person[order], return_index=True)
    parts = np.split(order, first[1:]) if len(people) else []
    step = max(1, _BLOCK // max(1, each))
    for i in range(0, len(people), step):
        yield people[i : i + step], parts[i : i + step]
