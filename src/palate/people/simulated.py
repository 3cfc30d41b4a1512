"""Simulated people: they answer from utilities that the caller knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from palate._random import generator
from palate.errors import ParameterError, PoolError
from palate.feedback import TIE, Query, Reply

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from palate._typing import FloatArray
    from palate.pool import Pool

Noise: TypeAlias = Literal["none", "logit"]


class SimulatedPerson:
    """Answers from known utilities: always the best option, or by the multinomial logit.

    The person's answer to a query depends on the seed, the number of the query and what it shows,
    so a replay gets the same answers. Somebody who orders the options puts first what they would
    have picked, flips aside; of two options the order is the pick.

    Args:
        theta: (d,) weights; the utilities are ``features @ theta``. Or:
        utilities: (N,) utility of each response of the one pool that will be asked about.
        noise: "none": picks the option of highest utility, a consistent person; "logit": picks
            option i with probability proportional to ``exp(u_i)``, Bradley-Terry-Luce for two.
        order: whether to order all options, best first, instead of picking one: by utility, or with
            logit noise by picking again and again from those left (Plackett-Luce).
        flip_rate: probability in [0, 1] that an answer is replaced by another option. In an order
            two neighbours are exchanged instead, any two alike: the least mistake there is, and of
            two options the same as another pick.
        tie_below: options whose utilities all differ by less are called a tie.
        seed: fixes the noise.

    Attributes:
        asked: queries answered.
        contrary: answers that did not put the option of highest utility first.

    Raises:
        ParameterError: neither or both of theta and utilities, or a value outside its range.
    """

    def __init__(
        self,
        theta: ArrayLike | None = None,
        *,
        utilities: ArrayLike | None = None,
        noise: Noise = "none",
        order: bool = False,
        flip_rate: float = 0.0,
        tie_below: float = 0.0,
        seed: int = 0,
    ) -> None:
        if (theta is None) == (utilities is None):
            raise ParameterError("a simulated person has either theta or utilities")
        if noise not in {"none", "logit"}:
            msg = f"noise is 'none' or 'logit', not {noise!r}"
            raise ParameterError(msg)
        if not 0.0 <= flip_rate <= 1.0 or not tie_below >= 0.0:
            msg = (
                "needs 0 <= flip_rate <= 1 and tie_below >= 0, "
                f"not flip_rate={flip_rate}, tie_below={tie_below}"
            )
            raise ParameterError(msg)
        if seed < 0:
            msg = f"seed must be at least 0, not {seed}"
            raise ParameterError(msg)
        self._theta = None if theta is None else _vector("theta", theta)
        self._utilities = None if utilities is None else _vector("utilities", utilities)
        self.noise: Noise = noise
        self.order = order
        self.flip_rate = flip_rate
        self.tie_below = tie_below
        self.seed = seed
        self.asked = 0
        self.contrary = 0

    def utilities(self, pool: Pool) -> FloatArray:
        """(N,) utilities of a pool's responses.

        Raises:
            PoolError: the pool has no features, or not as many as the person has weights.
        """
        if self._utilities is not None:
            if self._utilities.shape != (len(pool),):
                msg = (
                    f"the person rates {self._utilities.shape} responses, the pool has {len(pool)}"
                )
                raise PoolError(msg)
            return self._utilities
        theta = self._theta
        if theta is None or pool.features is None or theta.shape != pool.features.shape[1:]:
            shape = None if pool.features is None else pool.features.shape
            msg = f"the person's theta does not fit the pool's features of shape {shape}"
            raise PoolError(msg)
        return pool.features @ theta

    def answer(self, query: Query, pool: Pool) -> Reply:
        """Pick an option, order them all, or call a tie."""
        utilities = self.utilities(pool)[list(query.options)]
        # Drawn by pool index, so that the order on the screen does not change the answer.
        left = np.argsort(query.options).tolist()
        best = max(left, key=lambda i: utilities[i])
        self.asked += 1
        if self.tie_below and float(np.ptp(utilities)) < self.tie_below:
            return TIE
        rng = generator(self.seed, "person", query.number, *sorted(query.options))
        ranked = [left.pop(self._place(utilities[left], rng))]
        while self.order and left:
            ranked.append(left.pop(self._place(utilities[left], rng)))
        if self.flip_rate and rng.random() < self.flip_rate:
            if self.order:
                i = int(rng.integers(len(ranked) - 1))
                ranked[i], ranked[i + 1] = ranked[i + 1], ranked[i]
            else:
                ranked = [left[int(rng.integers(len(left)))]]
        self.contrary += ranked[0] != best
        return tuple(ranked) if len(ranked) > 2 else ranked[0]

    def _place(self, utilities: FloatArray, rng: np.random.Generator) -> int:
        """Which of some options the person would pick; of equal ones the first."""
        if self.noise == "none" or len(utilities) == 1:
            return int(np.argmax(utilities))
        weights = np.exp(utilities - utilities.max())
        return int(rng.choice(len(weights), p=weights / weights.sum()))

    @property
    def contrary_rate(self) -> float:
        """Realised share of answers that did not put the option of highest utility first."""
        return self.contrary / self.asked if self.asked else 0.0


def _vector(name: str, values: ArrayLike) -> FloatArray:
    vector = np.asarray(values, dtype=np.float64)
    if vector.ndim != 1 or not np.isfinite(vector).all():
        msg = f"{name} must be a list of finite numbers, not {values!r}"
        raise ParameterError(msg)
    return vector
