"""What the tests of beliefs compare with: likelihoods written out, and posteriors by sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.preference import multinomial_loss
from palate.preference.gaussian import Component, GaussianBelief

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray, IndexArray

Picks = list[tuple[int, list[int]]]
"""Who was picked, and over whom."""


def log_likelihood(logits: FloatArray, groups: IndexArray) -> float:
    """Of picks, from the logits (m,) of their rows."""
    return -multinomial_loss(logits, np.eye(len(groups)), groups)


def make_component(
    n: int, d: int = 4, *, residual: float = 0.3, seed: int = 0, weight: float = 1.0
) -> Component:
    """A prior of mean variance about 1, with a mean of its own."""
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(n, d)) * np.sqrt((1.0 - residual) / d)
    return Component(0.3 * rng.normal(size=n), factor, residual, weight)


def covariance(component: Component) -> FloatArray:
    """(N, N), dense."""
    n = len(component.mean)
    return np.asarray(component.factor @ component.factor.T + component.residual * np.eye(n))


def make_picks(n: int, t: int, *, k: int = 2, seed: int = 0) -> Picks:
    """Picks at random: they contradict each other."""
    rng = np.random.default_rng(seed)
    shown = [rng.choice(n, size=k, replace=False).tolist() for _ in range(t)]
    return [(options[0], options[1:]) for options in shown]


def told(belief: GaussianBelief, picks: Picks) -> GaussianBelief:
    """The belief after picks."""
    for winner, losers in picks:
        belief = belief.update(winner, losers)
    return belief


def consistent_picks(utilities: FloatArray, t: int, *, k: int = 2, seed: int = 0) -> Picks:
    """Picks of the best of those shown."""
    picks = []
    for winner, losers in make_picks(len(utilities), t, k=k, seed=seed):
        options = sorted([winner, *losers], key=lambda i: -utilities[i])
        picks.append((options[0], options[1:]))
    return picks


class Sampled:
    """The posterior of one component and slope by brute force: weighted draws from the prior."""

    def __init__(
        self, component: Component, slope: float, picks: Picks, *, n: int = 200_000, seed: int = 0
    ) -> None:
        rng = np.random.default_rng(seed)
        root = np.linalg.cholesky(covariance(component) + 1e-10 * np.eye(len(component.mean)))
        self.utilities = component.mean + rng.normal(size=(n, len(root))) @ root.T
        log = np.zeros(n)
        for winner, losers in picks:
            logits = slope * self.utilities[:, [winner, *losers]]
            log += logits[:, 0] - np.logaddexp.reduce(logits, axis=1)
        weights = np.exp(log)
        self.log_evidence = float(np.log(weights.mean()))
        self.weights = weights / weights.sum()

    def mean(self, values: FloatArray) -> FloatArray:
        """The expectation of something (n, ...) of the draws."""
        return np.asarray(np.tensordot(self.weights, values, axes=1))


def one_belief(component: Component, slope: float) -> GaussianBelief:
    """A belief with one component and one slope."""
    return GaussianBelief((component,), np.array([slope]))


def as_mixture(components: Sequence[Component], slopes: Sequence[float]) -> GaussianBelief:
    """A belief with several of either."""
    return GaussianBelief(tuple(components), np.array(slopes))
