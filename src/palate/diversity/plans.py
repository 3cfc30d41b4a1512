"""What to ask, and whom, so that what is open about the people who are served closes soonest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate.diversity.rows import along
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.diversity.directions import Open
    from palate.diversity.posterior import Posterior
    from palate.diversity.rows import Rows

_NOISE = 4.0  # an answer between two equally good responses has information 1/4


@dataclass(frozen=True, eq=False)
class Plan:
    """What to do, in that order.

    Attributes:
        chosen: (k,) people, or rows of the candidates.
        gains: (k,) share of what is open that each choice closes after those before it, by the
            first answer (of a person: on average over their queries).
        left: share of what is open that is left in the end, if all of it is answered.
    """

    chosen: IndexArray
    gains: FloatArray
    left: float


def plan_queries(
    candidates: Rows,
    heads: FloatArray,
    posterior: Posterior,
    unknown: Open,
    k: int,
) -> Plan:
    """The k comparisons that close most, chosen one after the other.

    A comparison q is worth ``q' A Omega A q / (4 + q' A q)``, by which ``tr(A Omega)`` falls when
    it is answered; then A is updated by it.

    Args:
        candidates: comparisons that could be asked, and of whom; which one wins is of no matter.
        heads: (C, J) of the people who could be asked.
        posterior: of the basis.
        unknown: what is open.
        k: comparisons; fewer candidates are all chosen.

    Raises:
        ParameterError: k is below 1.
    """
    _check_number(k)
    state = _State(candidates, heads, posterior, unknown)
    chosen: list[int] = []
    gains = []
    for _ in range(min(k, len(candidates))):
        worth = state.worth()
        worth[chosen] = -1.0
        best = int(worth.argmax())
        chosen.append(best)
        gains.append(worth[best])
        state.answer(best)
    return Plan(np.array(chosen, dtype=np.intp), np.array(gains), state.left)


def plan_users(
    candidates: Rows,
    heads: FloatArray,
    posterior: Posterior,
    unknown: Open,
    k: int,
) -> Plan:
    """The k people whose answers close most, chosen one after the other.

    A person is worth the mean worth of their queries, see :func:`plan_queries`; once they are
    chosen, all of these count as answered.

    Args:
        candidates: comparisons that each person would be asked, some twenty of them.
        heads: (C, J) of the people who could be asked.
        posterior: of the basis.
        unknown: what is open.
        k: people; fewer candidates are all chosen.

    Raises:
        ParameterError: k is below 1.
    """
    _check_number(k)
    state = _State(candidates, heads, posterior, unknown)
    people = np.unique(candidates.person)
    asked = np.bincount(candidates.person, minlength=len(heads))[people]
    place = np.searchsorted(people, candidates.person)
    chosen: list[int] = []
    gains = []
    for _ in range(min(k, len(people))):
        worth = np.bincount(place, weights=state.worth(), minlength=len(people)) / asked
        worth[chosen] = -1.0
        best = int(worth.argmax())
        chosen.append(best)
        gains.append(worth[best])
        for query in np.flatnonzero(place == best):
            state.answer(int(query))
    return Plan(people[chosen], np.array(gains), state.left)


class _State:
    """Candidates under a posterior covariance A that shrinks by one answered query at a time.

    Kept of each candidate q are ``q' A q`` and ``q' A S_k``; an answer to c takes ``u u'`` from A,
    with ``u = A c / sqrt(4 + c' A c)``.
    """

    def __init__(
        self, candidates: Rows, heads: FloatArray, posterior: Posterior, unknown: Open
    ) -> None:
        self._candidates, self._heads = candidates, heads
        self._answered, self._of = posterior.answered, posterior.deviations() ** 2
        self._size = self._answered.quadratic(candidates, heads, self._of)
        self._towards = along(candidates, heads, unknown.loadings)
        self._sums = unknown.sums
        self._taken: list[FloatArray] = []
        self._total = self._first = float(unknown.total)

    @property
    def left(self) -> float:
        """Share of what was open that is still."""
        return self._total / self._first if self._first else 0.0

    def worth(self) -> FloatArray:
        """(n,) share of what was open that an answer to each candidate closes."""
        if not self._first:
            return np.zeros(len(self._candidates))
        return (self._towards**2).sum(axis=1) / (_NOISE + self._size) / self._first

    def answer(self, query: int) -> None:
        """Take a candidate as answered."""
        head = self._heads[self._candidates.person[query]]
        z = np.outer(head, self._candidates.delta[query])
        covariance = self._answered.applied(z[None], self._of)[0]
        for taken in self._taken:
            covariance -= taken * float((taken * z).sum())
        self._total -= self.worth()[query] * self._first
        taken = covariance / np.sqrt(_NOISE + self._size[query])
        self._taken.append(taken)
        of_candidates = along(self._candidates, self._heads, taken[None])[:, 0]
        of_sums = np.einsum("jf,kjf->k", taken, self._sums)
        self._size = np.maximum(self._size - of_candidates**2, 0.0)
        self._towards = self._towards - np.outer(of_candidates, of_sums)


def _check_number(k: int) -> None:
    if k < 1:
        msg = f"a plan is for at least 1, not {k}"
        raise ParameterError(msg)
