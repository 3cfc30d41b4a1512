"""What is believed of a person's utilities of a pool, whatever prior it started from.

A belief starts from a prior (:mod:`palate.preference.prior`), takes picks one by one, and says what
strategies need: expected utilities, by how much a response may still be better than another, what
showing responses together is worth, and draws. So no strategy asks which prior it has.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from scipy.special import entr

from palate.preference.challenger import Challenger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from palate._typing import FloatArray, IndexArray


@dataclass(frozen=True, slots=True)
class Draws:
    """Utilities drawn from a belief.

    Attributes:
        utilities: (n, N) one row a draw.
        slopes: (n,) what turns each draw's utilities into the logits of answers.
    """

    utilities: FloatArray
    slopes: FloatArray


class Belief(ABC):
    """What is believed of one person's utilities of N responses; immutable.

    Attributes:
        certain: whether :meth:`challenger` bounds the utility of every taste that explains the
            answers, in logits of an answer; else it does so with a probability, under the prior.
    """

    certain: ClassVar[bool] = False

    @abstractmethod
    def update(self, winner: int, losers: Sequence[int]) -> Self:
        """The belief after a pick: pool indices of what was picked and what was passed over."""

    @abstractmethod
    def mean(self) -> FloatArray:
        """(N,) expected utilities, or those of the estimate; up to a constant."""

    @abstractmethod
    def advantage(self, incumbent: int, level: float) -> FloatArray:
        """(N,) how much better than the incumbent each response may be, at most.

        Not below the support function of a set, nor the quantile ``level`` of the difference; 0 at
        the incumbent. Where exact values are dear these are bounds, tighter once
        :meth:`challenger` has been asked.
        """

    def challenger(self, incumbent: int, level: float, without: Sequence[int] = ()) -> Challenger:
        """The response that may be better than the incumbent by most, and by how much: exact.

        Args:
            incumbent: pool index.
            level: probability of the quantile, where the belief is not a set.
            without: pool indices to leave out, besides the incumbent.
        """
        advantage = self.advantage(incumbent, level).copy()
        advantage[[incumbent, *without]] = -np.inf
        index = int(np.argmax(advantage))
        if advantage[index] == -np.inf:
            return Challenger(-1, 0.0, 0)
        return Challenger(index, float(advantage[index]), len(advantage))

    @abstractmethod
    def draws(self, rng: np.random.Generator, n: int) -> Draws:
        """Utilities drawn from the belief; the same generator gives the same."""

    def best_of_two(self, incumbent: int, draws: Callable[[], Draws]) -> FloatArray:
        """(N,) expected utility of the better of the incumbent and each response.

        EUBO for a query of two (Lin et al. 2022; Viappiani and Boutilier 2010).

        Args:
            incumbent: pool index.
            draws: makes draws from the belief, where there is no closed form.
        """
        u = draws().utilities
        return np.asarray(np.maximum(u, u[:, [incumbent]]).mean(axis=0))

    def worst_at_least(self) -> float:
        """What the expected utility of the worst response is not below; minus infinity: unknown."""
        return -np.inf

    @property
    def contradictory(self) -> bool:
        """Whether the belief knows that no taste explains all answers."""
        return False


def expected_regret(draws: Draws, response: int) -> float:
    """Expected utility lost by returning a response, as a share of the pool's expected range."""
    u = draws.utilities
    best = u.max(axis=1)
    spread = float((best - u.min(axis=1)).mean())
    return float((best - u[:, response]).mean()) / spread if spread > 0.0 else 0.0


def best_shares(draws: Draws) -> FloatArray:
    """(N,) probability of each response to be the best one."""
    u = draws.utilities
    return np.bincount(u.argmax(axis=1), minlength=u.shape[1]) / len(u)


def best_of_options(draws: Draws, queries: IndexArray) -> FloatArray:
    """(Q,) expected utility of the best option of each query: what showing them is worth.

    EUBO for K options (Lin et al. 2022).

    Args:
        draws: from the belief.
        queries: (Q, K) pool indices.
    """
    return np.asarray(draws.utilities.T[queries].max(axis=1).mean(axis=1))


def information(draws: Draws, queries: IndexArray) -> FloatArray:
    """(Q,) mutual information between the answer to each query and the utilities, in nats.

    Bayesian active learning by disagreement (Houlsby et al. 2011), for picks out of K.

    Args:
        draws: from the belief.
        queries: (Q, K) pool indices.
    """
    p, entropies = _answers(draws, queries)
    return np.asarray(entr(p.mean(axis=2)).sum(axis=1) - entropies.mean(axis=1))


def value_of_asking(draws: Draws, queries: IndexArray) -> FloatArray:
    """(Q,) by how much the best response's expected utility rises with the answer to each query.

    The knowledge gradient: it weighs noise in, so that asking again can be worth it (Frazier,
    Powell and Dayanik 2008).

    Args:
        draws: from the belief.
        queries: (Q, K) pool indices.
    """
    p, _ = _answers(draws, queries)
    u = draws.utilities
    after = (p @ u).max(axis=2).sum(axis=1) / len(u)
    return np.asarray(after - u.mean(axis=0).max())


def _answers(draws: Draws, queries: IndexArray) -> tuple[FloatArray, FloatArray]:
    """(Q, K, n) probability of each answer under each draw, and (Q, n) the answer's entropy."""
    logits = (draws.slopes[:, None] * draws.utilities).T[queries]
    logits -= logits.max(axis=1, keepdims=True)
    p = np.exp(logits)
    total = p.sum(axis=1, keepdims=True)
    p /= total
    return p, np.log(total[:, 0]) - (p * logits).sum(axis=1)
