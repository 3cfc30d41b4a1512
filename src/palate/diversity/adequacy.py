"""Whether the basis can express what new people want, by their own answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from palate._random import generator
from palate.diversity.rows import unit_scale
from palate.preference.likelihood import (
    multinomial_gradient,
    multinomial_hessian,
    multinomial_loss,
)

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.diversity.rows import Rows

RIDGE = 0.1
"""Precision of the prior on a reward's weights, for differences of length sqrt(2)."""

PEOPLE = 100
"""At most so many new people are asked; a mean over them is sure enough."""


@dataclass(frozen=True)
class Adequacy:
    """How much better a reward of one's own fits new people than one in the span of the basis.

    Attributes:
        ratio: likelihood ratio over its degrees of freedom; about 1 or less where the basis is
            right, and growing with the number of answers where it is not. The basis is estimated
            too, so that it exceeds 1 in the end whatever the truth: 3 is a threshold for about
            1,000 answers a person.
        answers: of a person, on average.
        people: how many were asked.
        freedom: F - J, what a reward of one's own has besides.
    """

    ratio: float
    answers: float
    people: int
    freedom: int


def adequacy(rows: Rows, basis: FloatArray, *, ridge: float = RIDGE, seed: int = 0) -> Adequacy:
    """The likelihood ratio ``2 (ll(free) - ll(span)) / (people (F - J))`` of new people's answers.

    Both rewards have the same Gaussian prior, so that the ratio is never negative. It is 0 where
    there are no answers, or the basis spans everything.

    Args:
        rows: answers of people who were not among those that the basis was fitted to.
        basis: (J, F).
        ridge: precision of the prior.
        seed: of the people drawn where there are many.
    """
    # Directions that the basis spans, as orthonormal columns.
    left, values, _ = np.linalg.svd(basis.T, full_matrices=False)
    span = left[:, values > 1e-9 * values.max(initial=0.0)]
    freedom = basis.shape[1] - span.shape[1]
    starts = rows.starts
    who = np.unique(rows.person)
    who = generator(seed, "adequacy").permutation(who)[:PEOPLE]
    answers = float(np.isin(rows.person[starts], who).sum()) / max(1, len(who))
    if not len(who) or not freedom:
        return Adequacy(0.0, answers, len(who), freedom)
    scale = unit_scale(rows)
    total = 0.0
    for person in who:
        part = rows.of(rows.person == person)
        groups = np.cumsum(np.isin(np.arange(len(part)), part.starts)) - 1
        offset = np.zeros(len(part)) if part.offset is None else part.offset
        delta = scale * part.delta
        free = _least_loss(delta, offset, groups, ridge)
        total += 2.0 * (_least_loss(delta @ span, offset, groups, ridge) - free)
    return Adequacy(max(0.0, total / (len(who) * freedom)), answers, len(who), freedom)


def _least_loss(delta: FloatArray, offset: FloatArray, groups: IndexArray, ridge: float) -> float:
    """The least of ``sum log(1 + sum exp(-(offset + delta theta))) + ridge/2 |theta|^2``."""
    # The offset is a feature whose weight is 1.
    known = np.column_stack([delta, offset])

    def whole(theta: FloatArray) -> FloatArray:
        return np.append(theta, 1.0)

    found = minimize(
        lambda theta: multinomial_loss(whole(theta), known, groups) + 0.5 * ridge * theta @ theta,
        np.zeros(delta.shape[1]),
        jac=lambda theta: multinomial_gradient(whole(theta), known, groups)[:-1] + ridge * theta,
        hess=lambda theta: (
            multinomial_hessian(whole(theta), known, groups)[:-1, :-1] + ridge * np.eye(len(theta))
        ),
        method="trust-exact",
        options={"gtol": 1e-6},
    )
    return float(found.fun)
