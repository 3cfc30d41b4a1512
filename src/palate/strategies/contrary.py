"""Which answers a person probably did not mean, and how many: the noise, told from the answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.preference.prior import Features, Prior
from palate.strategies._run import Run

if TYPE_CHECKING:
    from palate.strategies.base import View

_DRAWS = 1024


def doubts(view: View, prior: Prior | None = None) -> list[tuple[int, float]]:
    """Answers by the probability that they are contrary: that what was picked is not the best.

    Given all answers, under the prior and its levels of noise; an order is contrary where any of
    its picks is. They depend on no strategy: ask about ``elicitation.view``, whatever its strategy.

    Args:
        view: a pool and the answers about it.
        prior: what to believe before the answers; by default :class:`Features`. Under a prior that
            takes answers as true, such as :class:`Ball`, they are in doubt only once they
            contradict each other.

    Returns:
        Number of the answer, from 0, and probability; the most doubtful first. Ties and skips are
        left out.

    Raises:
        PoolError: the pool lacks what the prior needs, such as features.
    """
    before = (Features() if prior is None else prior).start(view.pool)
    belief = Run(before, len(view.pool), view.rng).after(view.answers).belief
    u = belief.draws(view.rng("doubts"), _DRAWS).utilities.T
    result = []
    for number, answer in enumerate(view.answers):
        if answer.stages:
            contrary = [u[list(losers)].max(axis=0) > u[winner] for winner, losers in answer.stages]
            result.append((number, float(np.any(contrary, axis=0).mean())))
    return sorted(result, key=lambda doubt: -doubt[1])


def contrary_share(view: View, prior: Prior | None = None) -> float:
    """The share of a person's answers that are contrary, expected under the belief; see `doubts`.

    0 before any answer.
    """
    probabilities = [probability for _, probability in doubts(view, prior)]
    return sum(probabilities) / len(probabilities) if probabilities else 0.0
