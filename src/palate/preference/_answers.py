"""What a person said, each answer once.

Where answers may be wrong the same pair is asked again and again, and what solvers do costs as much
as there are different answers.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate.preference._loss import WeightedLoss
from palate.preference._rowspace import RowSpace

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray


@dataclass(frozen=True, slots=True)
class DistinctAnswers:
    """The different answers of a person, and how often each was given.

    Attributes:
        space: what the answers span; its rows are the differences of the different answers.
        starts: the first row of each.
        counts: how often each was given.
        index: (m,) for each difference given, the first row that is equal to it.
    """

    space: RowSpace
    starts: tuple[int, ...]
    counts: tuple[int, ...]
    index: IndexArray
    _answers: dict[bytes, int]
    _rows: dict[bytes, int]

    @classmethod
    def of(cls, differences: FloatArray, groups: IndexArray) -> DistinctAnswers:
        """The answers of (m, d) differences; the rows of an answer share a number and adjoin."""
        nothing = cls(RowSpace.of(differences[:0]), (), (), np.zeros(0, dtype=np.intp), {}, {})
        return nothing.extended(differences, groups)

    def extended(self, differences: FloatArray, groups: IndexArray) -> DistinctAnswers:
        """The same with more answers, given as in :meth:`of`."""
        space, answers, rows = self.space, dict(self._answers), dict(self._rows)
        starts, counts = list(self.starts), list(self.counts)
        # Equal bit for bit; adding 0 makes one zero of the two.
        keys = [row.tobytes() for row in differences + 0.0]
        firsts = np.flatnonzero(np.diff(groups, prepend=groups[:1] - 1)).tolist()
        for first, end in itertools.pairwise((*firsts, len(keys))):
            answer = b"".join(sorted(keys[first:end]))
            place = answers.setdefault(answer, len(counts))
            if place == len(counts):
                starts.append(len(space.rows))
                counts.append(0)
                for key, row in zip(keys[first:end], differences[first:end], strict=True):
                    rows.setdefault(key, len(space.rows))
                    space = space.extended(row)
            counts[place] += 1
        index = np.append(self.index, [rows[key] for key in keys]).astype(np.intp)
        return DistinctAnswers(space, tuple(starts), tuple(counts), index, answers, rows)

    @property
    def loss(self) -> WeightedLoss:
        """The loss in the coordinates of what the answers span."""
        starts = np.array(self.starts, dtype=np.intp)
        return WeightedLoss(self.space.rows, starts, np.array(self.counts, dtype=np.float64))
