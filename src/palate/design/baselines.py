"""What a design is compared with: queries that need no optimisation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.design._objective import inverse_and_logdet
from palate.design.information import prior_of
from palate.design.queries import as_queries, check_queries, slot_counts

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from palate._typing import FloatArray, IndexArray
    from palate.design.problem import Problem
    from palate.design.queries import Feedback, PlannedQuery


def farthest_queries(
    problem: Problem, *, episodes: int, n_options: int = 4, feedback: Feedback = "truncated"
) -> tuple[PlannedQuery, ...]:
    """Tokens in farthest-point order, K at a time, from the start again once all were shown.

    Each token is the one farthest from those before it (k-centre; Gonzalez, 1985), the first the
    one farthest from its slot's mean.

    Args:
        problem: of H slots.
        episodes: T.
        n_options: K.
        feedback: see :data:`palate.design.queries.Feedback`.

    Raises:
        ParameterError: as :func:`palate.design.sample_queries`.
    """
    check_queries(problem, n_options, episodes, feedback)
    shown = []
    counts = slot_counts(problem, episodes, feedback)
    for slot, n in zip(problem.slots, counts, strict=True):
        order = _farthest_first(slot.features, min(len(slot), n * n_options))
        shown.append(np.resize(order, n * n_options).reshape(n, n_options))
    return as_queries(shown, feedback)


def greedy_queries(
    problem: Problem,
    *,
    episodes: int,
    n_options: int = 4,
    feedback: Feedback = "truncated",
    lam: float | None = None,
    prior_precision: ArrayLike | None = None,
) -> tuple[PlannedQuery, ...]:
    """Queries built option by option, each the token that raises log det M most.

    M counts the exact information, at theta = 0, of all queries before and of the options of this
    one so far. The first option of a query is the token about which least is known.

    Args:
        problem: of H slots.
        episodes: T.
        n_options: K.
        feedback: see :data:`palate.design.queries.Feedback`.
        lam: prior precision, or
        prior_precision: (d, d) M0.

    Raises:
        ParameterError: as :func:`palate.design.sample_queries`, or neither or both of lam and
            prior_precision are given.
    """
    check_queries(problem, n_options, episodes, feedback)
    prior = prior_of(problem.d, lam=lam, prior_precision=prior_precision)
    covariance, _ = inverse_and_logdet(prior)
    counts = slot_counts(problem, episodes, feedback)
    shown: list[list[IndexArray]] = [[] for _ in problem.slots]
    for episode in range(max(counts)):
        for h, slot in enumerate(problem.slots):
            if episode < counts[h]:
                worth = 1.0 if feedback == "slots" else slot.weight
                chosen = _most_informative(slot.features, covariance, n_options, worth)
                shown[h].append(chosen)
    return as_queries([np.array(tokens) for tokens in shown], feedback)


def _most_informative(
    features: FloatArray, covariance: FloatArray, n_options: int, worth: float
) -> IndexArray:
    """K tokens, chosen one by one; the covariance is brought up to date in place.

    A token x that joins m others of mean c adds ``(worth / K) m / (m + 1) (x - c)(x - c)^T``.
    """
    mean = features.mean(axis=0)
    chosen: list[int] = []
    for m in range(n_options):
        away = features - mean
        unknown = np.einsum("ij,ij->i", away @ covariance, away)
        unknown[chosen] = -np.inf
        best = int(unknown.argmax())
        if m:
            spread = covariance @ away[best]
            share = worth / n_options * m / (m + 1.0)
            covariance -= np.outer(spread, spread) * (share / (1.0 + share * unknown[best]))
        chosen.append(best)
        mean = features[chosen].mean(axis=0)
    return np.array(chosen)


def _farthest_first(features: FloatArray, n: int) -> IndexArray:
    """The first n tokens in farthest-point order, none twice."""
    nearest = np.linalg.norm(features - features.mean(axis=0), axis=1)
    order = np.empty(n, dtype=np.intp)
    for place in range(n):
        order[place] = nearest.argmax()
        away = np.linalg.norm(features - features[order[place]], axis=1)
        nearest = away if place == 0 else np.minimum(nearest, away)
        nearest[order[: place + 1]] = -1.0
    return order
