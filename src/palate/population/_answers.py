"""Log-losses of many people's answers as functions of their weights, person by person.

A row says that its margin ``b + G w`` should be positive; the rows of a pick out of several share
one multinomial-logit term. Losses are means over a person's answers. People's rows stand together,
so that a sum over each person's is one ``reduceat``; coordinates come first and rows last.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray, IndexArray


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers of U people, each of whom has at least one.

    Attributes:
        b: (n,) margins at w = 0.
        G: (K, n) what a prototype's weight adds.
        rows: (U,) rows of each person, in order, all above 0.
        sizes: (A,) rows of each answer, in order; None where each row is an answer.
        answers: (U,) answers of each person.
    """

    b: FloatArray
    G: FloatArray
    rows: IndexArray
    sizes: IndexArray | None
    answers: IndexArray

    @classmethod
    def of_people(
        cls,
        b: FloatArray,
        gains: FloatArray,
        person: IndexArray,
        pick: IndexArray | None,
        people: int,
    ) -> tuple[Self, IndexArray]:
        """Answers in any order of people, and which people gave any.

        Args:
            b: (n,) margins at w = 0.
            gains: (n, K).
            person: (n,) from 0 to ``people - 1``.
            pick: (n,) number of each row's answer, whose rows adjoin; None: one row each.
            people: how many there are.
        """
        order = np.argsort(person, kind="stable")
        person = person[order]
        rows = np.bincount(person, minlength=people)
        who = np.flatnonzero(rows)
        sizes, answers = None, rows
        if pick is not None:
            pick = pick[order]
            new = (np.diff(pick, prepend=-1) != 0) | (np.diff(person, prepend=-1) != 0)
            starts = np.flatnonzero(new)
            if len(starts) < len(pick):
                sizes = np.diff(starts, append=len(pick))
                answers = np.bincount(person[starts], minlength=people)
        G = np.ascontiguousarray(gains[order].T)
        return cls(b[order], G, rows[who], sizes, answers[who]), who

    def of(self, who: BoolArray) -> Answers:
        """Those of some people, given as a mask."""
        rows = np.repeat(who, self.rows)
        sizes = None if self.sizes is None else self.sizes[np.repeat(who, self.answers)]
        return Answers(self.b[rows], self.G[:, rows], self.rows[who], sizes, self.answers[who])

    def along(self, weights: FloatArray) -> FloatArray:
        """(n,) ``G w`` of (K, U) weights."""
        # A product and a sum a prototype keeps every operand in the cache; einsum does not.
        total = self.G[0] * np.repeat(weights[0], self.rows)
        for gains, weight in zip(self.G[1:], weights[1:], strict=True):
            total += gains * np.repeat(weight, self.rows)
        return total

    def margins(self, weights: FloatArray) -> FloatArray:
        """(n,) margins at (K, U) weights."""
        return self.b + self.along(weights)

    def loss(self, margins: FloatArray) -> FloatArray:
        """(U,) mean loss of each person's answers."""
        if self.sizes is None:
            terms = np.log1p(np.exp(-np.abs(margins))) - np.minimum(margins, 0.0)
        else:
            terms = self._partition(margins)[0]
        return np.add.reduceat(terms, _starts(self.answers)) / self.answers

    def gradient(self, margins: FloatArray) -> FloatArray:
        """(K, U) gradient of :meth:`loss` in the weights."""
        p = self.other_probability(margins)
        first = _starts(self.rows)
        return np.stack([np.add.reduceat(-p * gains, first) for gains in self.G]) / self.answers

    def hessian(self, margins: FloatArray) -> FloatArray:
        """(K, K, U) Hessian of :meth:`loss` in the weights."""
        p = self.other_probability(margins)
        K, first = len(self.G), _starts(self.rows)
        result = np.empty((K, K, len(self.rows)))
        if self.sizes is None:
            p *= 1.0 - p
            means, of_person = None, first
        else:
            means = np.add.reduceat(p * self.G, _starts(self.sizes), axis=1)
            of_person = _starts(self.answers)
        for i in range(K):
            weighted = p * self.G[i]
            for j in range(i + 1):
                entry = np.add.reduceat(weighted * self.G[j], first)
                if means is not None:
                    entry -= np.add.reduceat(means[i] * means[j], of_person)
                result[i, j] = result[j, i] = entry / self.answers
        return result

    def other_probability(self, margins: FloatArray) -> FloatArray:
        """(n,) probability of the option that was not picked, a row each."""
        if self.sizes is None:
            small = np.exp(-np.abs(margins))
            return np.where(margins > 0.0, small, 1.0) / (1.0 + small)
        return self._partition(margins)[1]

    def _partition(self, margins: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(A,) ``log(1 + sum exp(-m))`` and (n,) its softmax, shifted so that none overflows."""
        assert self.sizes is not None  # noqa: S101  # for the type checker
        first = _starts(self.sizes)
        top = np.maximum(np.maximum.reduceat(-margins, first), 0.0)
        terms = np.exp(-margins - np.repeat(top, self.sizes))
        total = np.exp(-top) + np.add.reduceat(terms, first)
        return top + np.log(total), terms / np.repeat(total, self.sizes)


def _starts(sizes: IndexArray) -> IndexArray:
    return np.cumsum(sizes) - sizes
