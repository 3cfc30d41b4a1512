"""A design as K policies, one for each option of a query."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.design._frank_wolfe import best_share
from palate.design._objective import objective_of

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.design.solve import Design

_ROUNDS = 20


def by_direction(design: Design, n_options: int) -> tuple[FloatArray, ...]:
    """Policies that share out each slot along its first principal direction; they average d."""
    result = []
    for slot, weights in zip(design.problem.slots, design.weights, strict=True):
        centred = slot.features - weights @ slot.features
        _, _, directions = np.linalg.svd(centred * np.sqrt(weights)[:, None], full_matrices=False)
        order = np.argsort(centred @ directions[0], kind="stable")
        ends = np.minimum(np.concatenate([[0.0], np.cumsum(weights[order])]), 1.0)
        ends[-1] = 1.0
        policies = np.zeros((n_options, len(weights)))
        for q in range(n_options):
            inside = np.clip(ends, q / n_options, (q + 1) / n_options)
            policies[q, order] = np.diff(inside) * n_options
        result.append(policies)
    return tuple(result)


def by_turns(design: Design, n_options: int) -> tuple[FloatArray, ...]:
    """Policies that take Frank-Wolfe steps in turn, each seeing the average of all.

    So does the paper's code. They differ by nothing but that order, and average what so many steps
    reach, not d.
    """
    objective = objective_of(
        design.problem,
        design.criterion,
        n_queries=design.n_queries,
        prior_precision=design.prior_precision,
    )
    policies = np.tile(objective.uniform(), (n_options, 1))
    for _ in range(_ROUNDS):
        for q in range(n_options):
            point = objective.at(policies.mean(axis=0))
            target = np.zeros(policies.shape[1])
            target[[s.start + int(point.gradient[s].argmax()) for s in objective.slots]] = 1.0
            away = target - policies[q]
            policies[q] += best_share(objective, point, away / n_options) * away
    return tuple(policies[:, s] for s in objective.slots)
