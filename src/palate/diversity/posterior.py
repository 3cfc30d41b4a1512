"""What is lost in reward by not knowing the basis, without knowing the truth.

A Laplace posterior of the basis, ``vec(B) ~ N(B_hat, (sum_n w_n z_n z_n' + 1 / s2)^-1)``. What no
answer speaks of keeps the variance of the prior, so no rank has to be decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate._random import generator
from palate.diversity.curvature import curvature
from palate.diversity.rows import fisher, margins

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.diversity.curvature import Curvature
    from palate.diversity.rows import Rows
    from palate.diversity.served import Served

DRAWS = 32


@dataclass(frozen=True, eq=False)
class Expected:
    """What draws from the posterior say of each question.

    Attributes:
        gap: (Q,) expected reward of the truly best response less that of the one chosen.
        flip: (Q,) share of draws under which another response is best. Where the truth keeps some
            distance from ties this says too much; read the gap first.
    """

    gap: FloatArray
    flip: FloatArray


@dataclass(frozen=True, eq=False)
class Posterior:
    """``vec(B) ~ N(basis, (answered + 1 / variance)^-1)``.

    Attributes:
        basis: (J, F), the estimate.
        answered: Fisher information of all answers at the estimate.
        variance: of an entry of the basis before any answer.
    """

    basis: FloatArray
    answered: Curvature
    variance: float

    def deviations(self, growth: float = 1.0) -> FloatArray:
        """(JF,) standard deviation along each eigenvector of the information.

        Args:
            growth: as if there were so many times the answers; infinite for what no number of
                answers of this kind would tell.
        """
        if self.variance <= 0.0:
            return np.zeros(len(self.answered.values))
        if np.isinf(growth):
            return np.where(self.answered.seen, 0.0, np.sqrt(self.variance))
        return np.asarray(1.0 / np.sqrt(growth * self.answered.values + 1.0 / self.variance))


def laplace(
    rows: Rows,
    heads: FloatArray,
    basis: FloatArray,
    *,
    variance: float | None = None,
    exact: bool | None = None,
) -> Posterior:
    """Laplace's approximation of what answers tell of the basis, heads taken as known.

    Args:
        rows: answers.
        heads: (U, J) that go with the rows.
        basis: (J, F), the estimate from these answers.
        variance: of the prior; by default :func:`prior_variance`.
        exact: see :func:`palate.diversity.curvature.curvature`.
    """
    weighted, weights = fisher(rows, margins(rows, heads, basis))
    answered = curvature(weighted, heads, weights, exact=exact)
    variance = prior_variance(answered, basis) if variance is None else variance
    return Posterior(basis, answered, variance)


def prior_variance(answered: Curvature, basis: FloatArray, steps: int = 2) -> float:
    """Variance s2 of an entry of the basis, by the evidence (MacKay's fixed point).

    Args:
        answered: Fisher information of all answers.
        basis: (J, F), the estimate.
        steps: of the fixed point, from the mean square of the entries.
    """
    square = float((basis * basis).sum())
    variance = square / basis.size
    for _ in range(steps):
        if variance <= 0.0 or not answered.values.any():
            break
        determined = float((answered.values / (answered.values + 1.0 / variance)).sum())
        variance = square / determined
    return variance


def expected_gap(
    served: Served,
    posterior: Posterior,
    *,
    growth: float = 1.0,
    draws: int = DRAWS,
    seed: int = 0,
) -> Expected:
    """The expected loss of taking each question's best response by the estimate.

    Args:
        served: people and their questions.
        posterior: of the basis.
        growth: as if there were so many times the answers; see :meth:`Posterior.deviations`.
        draws: from the posterior.
        seed: of the draws; the same for every growth.
    """
    noise = generator(seed, "posterior").normal(size=(draws, posterior.basis.size))
    drawn = posterior.basis + posterior.answered.mixed(noise, posterior.deviations(growth))
    starts = served.starts
    if not len(starts):
        return Expected(np.zeros(0), np.zeros(0))
    estimated = served.rewards(posterior.basis)
    # The first option of each question in the order of falling rewards.
    chosen = np.lexsort((-estimated, served.question))[starts]
    gap, flip = np.zeros(len(starts)), np.zeros(len(starts))
    for basis in drawn:
        rewards = served.rewards(basis)
        lost = np.maximum.reduceat(rewards, starts) - rewards[chosen]
        gap += lost
        flip += lost > 0.0
    return Expected(gap / draws, flip / draws)
