"""Where a linear model's answers pull its parameters: loss and gradients in one pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_array

from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.population.data import PreferenceData


_BLOCK = 4096  # rows whose differences are held at once


@dataclass(frozen=True, slots=True)
class Pull:
    """Loss of all answers, and its gradients.

    Attributes:
        loss: weighted mean, in nats an answer.
        accuracy: share of the answers that are predicted; a tie counts half.
        matrix: (r, D) gradient in the matrix.
        directions: (U, r) gradient in the people's directions.
    """

    loss: float
    accuracy: float
    matrix: FloatArray
    directions: FloatArray


class LinearAnswers:
    """Answers, as those models see them whose reward is a matrix and a direction of each person.

    With images ``y = B (x - centre) / unit`` of the items the reward is ``<y, v_i>``, less
    ``|y|^2`` where distances are meant. Features are centred and brought to a unit in which the two
    items of a comparison lie sqrt(2) apart (root mean square), as two independent ones of length 1
    do: so starts and penalties mean the same for every embedder.

    Everything of the size of the answers is allocated once, since fresh pages for it would cost
    more than the arithmetic.

    Attributes:
        who: (U,) the people with answers, as places among those of the data.
        centre: (D,) mean of the items compared, each as often as it is.
        unit: by which features are divided.
        answers: how many there are.
    """

    def __init__(self, data: PreferenceData, *, user_balanced: bool) -> None:
        if data.prompts is not None:
            raise ParameterError(
                "a linear model has no map of prompts: join them to the items, "
                "PreferenceData.joined()"
            )
        if not len(data):
            raise ParameterError("there is no answer to learn from")
        n = len(data)
        self.who, self._person = np.unique(data.person, return_inverse=True)
        self._starts = data.starts
        self.answers = len(self._starts)
        self._sizes = np.diff(self._starts, append=n)
        self._pairs = self.answers == n
        self._weight = _answer_weights(self._person[self._starts], balanced=user_balanced)

        used, places = np.unique(np.concatenate([data.chosen, data.rejected]), return_inverse=True)
        self._chosen, self._rejected = places[:n], places[n:]
        items = data.items[used]
        self.centre = np.bincount(places) @ items / (2 * n)
        items -= self.centre
        self.unit = _unit(items, self._chosen, self._rejected)
        items /= self.unit

        ones, rows = np.ones(n), np.arange(n)
        self._of_person = csr_array((ones, (self._person, rows)), shape=(len(self.who), n))
        # Items that are compared once each are cheapest as differences and sums; the images of
        # items that are compared often are computed once.
        self._once = len(items) > n
        self._tables: tuple[FloatArray, ...]
        if self._once:
            one, other = items[self._chosen], items[self._rejected]
            self._tables = (one - other, one + other)
        else:
            self._tables = (items,)
            shape = (len(items), n)
            self._scatter = tuple(
                csr_array((ones, (place, rows)), shape=shape)
                for place in (self._chosen, self._rejected)
            )
        self._buffers = np.empty((0, 0, 0))

    def pull(self, matrix: FloatArray, directions: FloatArray, *, distances: bool) -> Pull:
        """Loss and gradients.

        Args:
            matrix: (r, D), B.
            directions: (U, r), v of the people of ``who``.
            distances: whether ``|y|^2`` is subtracted from the rewards.
        """
        if self._buffers.shape[2] != len(matrix):
            self._buffers = np.empty((3, len(self._person), len(matrix)))
        difference, total, ahead = self._buffers
        self._project(matrix, difference, total)
        np.take(directions, self._person, axis=0, out=ahead, mode="clip")
        if distances:  # |y|^2 - |y'|^2 = <y - y', y + y'>
            ahead -= total
        margins = np.einsum("nr,nr->n", difference, ahead)
        loss, slopes = self._loss(margins)
        ahead *= slopes[:, None]
        difference *= slopes[:, None]
        hits = margins if self._pairs else np.minimum.reduceat(margins, self._starts)
        return Pull(
            loss=loss,
            accuracy=float(0.5 + 0.5 * np.sign(hits).mean()),
            matrix=self._back(ahead, difference if distances else None),
            directions=self._of_person @ difference,
        )

    def _project(self, matrix: FloatArray, difference: FloatArray, total: FloatArray) -> None:
        """Images of each row's items: the chosen one's less, and plus, the rejected one's."""
        if self._once:
            for table, out in zip(self._tables, (difference, total), strict=True):
                np.matmul(table, matrix.T, out=out)
            return
        images = self._tables[0] @ matrix.T
        np.take(images, self._chosen, axis=0, out=difference, mode="clip")
        np.take(images, self._rejected, axis=0, out=total, mode="clip")
        difference -= total
        total *= 2.0
        total += difference

    def _back(self, of_difference: FloatArray, less_of_total: FloatArray | None) -> FloatArray:
        """Gradient in the matrix, from those in what :meth:`_project` returned."""
        if self._once:
            gradient = of_difference.T @ self._tables[0]
            if less_of_total is not None:
                gradient -= less_of_total.T @ self._tables[1]
            return gradient
        chosen, rejected = self._scatter
        if less_of_total is None:
            images = chosen @ of_difference - rejected @ of_difference
        else:
            images = chosen @ (of_difference - less_of_total)
            images -= rejected @ (of_difference + less_of_total)
        return images.T @ self._tables[0]

    def _loss(self, margins: FloatArray) -> tuple[float, FloatArray]:
        """Mean loss, and its slope in each row's margin."""
        if self._pairs:
            small = np.exp(-np.abs(margins))
            losses = np.log1p(small) - np.minimum(margins, 0.0)
            other = np.where(margins > 0.0, small, 1.0) / (1.0 + small)
            slopes = self._weight * other
        else:
            top = np.maximum(np.maximum.reduceat(-margins, self._starts), 0.0)
            terms = np.exp(-margins - np.repeat(top, self._sizes))
            total = np.exp(-top) + np.add.reduceat(terms, self._starts)
            losses = top + np.log(total)
            slopes = np.repeat(self._weight / total, self._sizes) * terms
        return float(self._weight @ losses) / self.answers, slopes / -self.answers


def _unit(items: FloatArray, chosen: IndexArray, rejected: IndexArray) -> float:
    """Root mean square distance of a row's two items, over sqrt(2); 1 if all are equal."""
    total = 0.0
    for rows in np.array_split(np.arange(len(chosen)), 1 + len(chosen) // _BLOCK):
        differences = items[chosen[rows]] - items[rejected[rows]]
        total += float(np.einsum("nd,nd->", differences, differences))
    return float(np.sqrt(total / (2 * len(chosen)))) or 1.0


def _answer_weights(person: IndexArray, *, balanced: bool) -> FloatArray:
    """A weight an answer, 1 on average; balanced, everybody's answers weigh the same together."""
    counts = np.bincount(person)
    if not balanced:
        return np.ones(len(person))
    return np.asarray(len(person) / (len(counts) * counts[person]))
