"""From K policies to the tokens that are shown: T episodes of K options, none of them twice.

All return (T, K) tokens of a slot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from palate.design._objective import inverse_and_logdet

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray, IndexArray


def independent(policies: FloatArray, n: int, rng: np.random.Generator) -> IndexArray:
    """Each option drawn from its own policy among the tokens that its query does not show yet.

    Policies draw in random order, so that none is always first. Where a policy has no token left,
    its option is any token not shown.

    Args:
        policies: (K, n_h) a distribution over tokens a policy.
        n: queries.
        rng: draws.
    """
    n_options = len(policies)
    shown = np.empty((n, n_options), dtype=np.intp)
    for t in range(n):
        taken = np.zeros(policies.shape[1], dtype=bool)
        for q in rng.permutation(n_options):
            shown[t, q] = _draw(policies[q], taken, rng)
            taken[shown[t, q]] = True
    return shown


def stratified(policies: FloatArray, n: int, rng: np.random.Generator) -> IndexArray:
    """Every policy shows each token as often as it should, rounded up or down (systematic draws).

    The policies' draws interlock: where all are equal, each token's number over all options is
    rounded only once. A token that should be shown more often than once a query is shown in every
    query. Repeats inside a query are swapped away between queries; one that nothing can swap is
    drawn anew.

    Args:
        policies: (K, n_h) a distribution over tokens a policy.
        n: queries.
        rng: draws.
    """
    policies = _at_most_once(policies)
    n_options = len(policies)
    offset = rng.random()
    shown = np.empty((n, n_options), dtype=np.intp)
    for q, policy in enumerate(policies):
        marks = np.arange(n) + (offset + q / n_options) % 1.0
        ends = np.cumsum(policy) * (n / policy.sum())
        last = int(np.flatnonzero(policy)[-1])
        tokens = np.minimum(np.searchsorted(ends, marks, side="right"), last)
        shown[:, q] = rng.permutation(tokens)
    for t in range(n):
        for q in range(1, n_options):
            if shown[t, q] in shown[t, :q]:
                _mend(shown, t, q, policies[q], rng)
    return shown


def _at_most_once(policies: FloatArray) -> FloatArray:
    """The policies with no token expected more than once a query; what that frees, shared out."""
    result = policies.copy()
    full = np.zeros(policies.shape[1], dtype=bool)
    while True:
        expected = result.sum(axis=0)
        over = (expected > 1.0 + 1e-9) & ~full
        if not over.any():
            return result
        full |= over
        result[:, full] /= expected[full]
        left = np.maximum(1.0 - result[:, full].sum(axis=1, keepdims=True), 0.0)
        others = result[:, ~full]
        mass = others.sum(axis=1, keepdims=True)
        even = 1.0 / max(int((~full).sum()), 1)
        result[:, ~full] = left * np.where(mass > 0.0, others / np.where(mass > 0.0, mass, 1), even)


def _mend(shown: IndexArray, t: int, q: int, policy: FloatArray, rng: np.random.Generator) -> None:
    """Swap option q of query t with another query's, or draw it anew, so that nothing repeats."""
    here, others = shown[t, q], np.delete(shown, q, axis=1)
    fits = ~np.isin(shown[:, q], others[t]) & (others != here).all(axis=1)
    if fits.any():
        other = int(rng.choice(np.flatnonzero(fits)))
        shown[t, q], shown[other, q] = shown[other, q], here
        return
    taken = np.zeros(len(policy), dtype=bool)
    taken[others[t]] = True
    shown[t, q] = _draw(policy, taken, rng)


def _draw(policy: FloatArray, taken: BoolArray, rng: np.random.Generator) -> int:
    left = np.where(taken, 0.0, policy)
    total = left.sum()
    if not total > 0.0:
        left = np.where(taken, 0.0, 1.0)
        total = left.sum()
    return int(rng.choice(len(left), p=left / total))


class Knowledge:
    """The precision of the estimate as queries are chosen, and what another would add to it.

    Args:
        precision: (d, d) positive definite, before the first.
        theta: (d,) weights at which a query's information is taken; by default 0.
    """

    def __init__(self, precision: FloatArray, theta: FloatArray | None = None) -> None:
        self.covariance, _ = inverse_and_logdet(precision)
        self.theta = np.zeros(len(precision)) if theta is None else theta

    def gains(self, options: FloatArray, worth: float = 1.0) -> FloatArray:
        """What log det M would gain by each query, exactly.

        Args:
            options: (R, K, d) features of what each shows.
            worth: factor of a query's information.
        """
        rows = self._rows(options, worth)
        inner = rows @ self.covariance @ rows.transpose(0, 2, 1)
        return np.asarray(np.linalg.slogdet(np.eye(inner.shape[1]) + inner)[1])

    def add(self, options: FloatArray, worth: float = 1.0) -> None:
        """Count a query of (K, d) options as asked."""
        rows = self._rows(options, worth)
        spread = self.covariance @ rows.T
        inner = np.eye(len(rows)) + rows @ spread
        self.covariance -= spread @ np.linalg.solve(inner, spread.T)

    def _rows(self, options: FloatArray, worth: float) -> FloatArray:
        """Rows whose outer products sum to the information, by the probabilities of the picks."""
        picked = softmax(options @ self.theta, axis=-1)[..., None]
        centred = options - (picked * options).sum(axis=-2, keepdims=True)
        return np.asarray(centred * np.sqrt(worth * picked))
