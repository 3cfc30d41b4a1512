"""Answers of every shape that locating meets, and slow ways to solve the same problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from palate.population.localise import locate_on_simplex
from palate.preference import multinomial_gradient, multinomial_loss

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.population.localise import Located

KINDS = (
    "likely",
    "separable",
    "random",
    "contradictory",
    "repeated",
    "zero rows",
    "duplicated prototypes",
    "nearly duplicated prototypes",
    "constant prototype",
    "based",
)


@dataclass(frozen=True, eq=False)
class Case:
    """Margins ``b + G w`` of some people's answers, and their prior."""

    b: FloatArray
    gains: FloatArray
    person: IndexArray
    people: int
    prior_weight: float
    prior_mean: FloatArray
    pick: IndexArray | None = None

    def solve(self, start: FloatArray | None = None) -> Located:
        return locate_on_simplex(
            self.b,
            self.gains,
            self.person,
            self.people,
            prior_weight=self.prior_weight,
            prior_mean=self.prior_mean,
            pick=self.pick,
            start=start,
        )

    def rows(self, person: int) -> tuple[FloatArray, FloatArray, IndexArray]:
        """One person's b, G and the number of each row's answer."""
        at = np.flatnonzero(self.person == person)
        pick = at if self.pick is None else self.pick[at]
        return self.b[at], self.gains[at], np.unique(pick, return_inverse=True)[1]

    def objective(self, person: int, w: FloatArray) -> float:
        """What is minimised for one person, in plain numpy."""
        b, gains, answer = self.rows(person)
        n = answer.max() + 1
        rest = w - self.prior_mean
        # A base is a coordinate more, whose weight is 1.
        z = np.column_stack([gains, b])
        loss = multinomial_loss(np.append(w, 1.0), z, answer)
        return float(loss + 0.5 * self.prior_weight * rest @ rest) / n

    def gradient(self, person: int, w: FloatArray) -> FloatArray:
        b, gains, answer = self.rows(person)
        z = np.column_stack([gains, b])
        slope = multinomial_gradient(np.append(w, 1.0), z, answer)[:-1]
        return (slope + self.prior_weight * (w - self.prior_mean)) / (answer.max() + 1)

    def gap(self, person: int, w: FloatArray) -> float:
        """The Frank-Wolfe gap, without the solver."""
        g = self.gradient(person, w)
        return float(g @ w - g.min())

    def by_slsqp(self, person: int) -> float:
        """The least that a general solver reaches from the prior mean."""
        k = self.gains.shape[1]
        found = minimize(
            lambda w: self.objective(person, w),
            self.prior_mean,
            jac=lambda w: self.gradient(person, w),
            method="SLSQP",
            bounds=[(0.0, 1.0)] * k,
            constraints={"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": np.ones_like},
            options={"maxiter": 500, "ftol": 1e-13},
        )
        w = np.maximum(found.x, 0.0)
        return self.objective(person, w / w.sum())


def make_case(
    kind: str,
    *,
    people: int = 6,
    n: int | IndexArray = 20,
    k: int = 4,
    scale: float | FloatArray = 3.0,
    prior_weight: float = 0.0,
    options: int = 2,
    seed: int = 0,
) -> Case:
    """Answers of simulated people; ``n`` and ``scale`` may be one a person."""
    rng = np.random.default_rng(seed)
    counts = np.broadcast_to(n, people)
    answers = int(counts.sum())
    person = np.repeat(np.repeat(np.arange(people), counts), options - 1)
    gains = rng.normal(size=(len(person), k)) * np.broadcast_to(scale, people)[person][:, None]
    b = np.zeros(len(person))
    if kind == "based":
        b = rng.normal(size=len(person)) * np.broadcast_to(scale, people)[person]
    if kind == "duplicated prototypes":
        gains[:, -1] = gains[:, 0]
    if kind == "nearly duplicated prototypes":
        gains[:, -1] = gains[:, 0] + 1e-6 * rng.normal(size=len(gains))
    if kind == "constant prototype":
        gains[:, 0] = 0.0
    if kind == "repeated":
        gains[:] = gains[np.searchsorted(person, person)]  # everybody's first row, over and over
    truth = rng.dirichlet(np.ones(k), size=people)
    margins = np.einsum("nk,nk->n", gains, truth[person]) + b
    if kind == "separable":
        sign = np.where(margins < 0.0, -1.0, 1.0)
    elif kind in {"random", "contradictory"}:
        sign = rng.choice([-1.0, 1.0], size=len(person))
    else:
        sign = np.where(rng.random(len(person)) < expit(margins), 1.0, -1.0)
    b, gains = sign * b, sign[:, None] * gains
    if kind == "contradictory":  # every second row says the opposite of the one before
        even = len(gains) // 2 * 2
        b[1:even:2], gains[1:even:2] = -b[0:even:2], -gains[0:even:2]
    if kind == "zero rows":
        gains[::2], b[::2] = 0.0, 0.0
    pick = None if options == 2 else np.repeat(np.arange(answers), options - 1)
    mean = rng.dirichlet(np.full(k, 5.0))
    return Case(b, gains, person, people, prior_weight, mean, pick)
