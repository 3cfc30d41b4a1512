"""Laplace's approximation of the margins of people's answers, for many priors at once.

The margin of a row is the utility of the response picked less that of one passed over. Margins have
a Gaussian prior and the multinomial-logit likelihood of :mod:`palate.preference.likelihood`, whose
logits are ``slope`` times the utilities: the steeper, the less noise. Everything that answers say
about utilities goes through their margins, so the work is in the m rows of the answers, whatever
the number of responses or features (Rasmussen and Williams 2006, Section 3.4; Chu and Ghahramani
2005). Quick, and good while no answer is all but certain; else see
:mod:`palate.preference.propagation`.

Letters: C combinations of a prior and a slope, m rows of margins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray

_MAX_ITERATIONS = 60
_CLOSE = 1e-12  # two steps' log posteriors, relative: what the next step would add is lost already
_SHORTEST = 1e-6  # of a line search


@dataclass(frozen=True, slots=True)
class Laplace:
    """Gaussian approximations of margins given the answers.

    With the prior ``N(b, K)`` of margins and a utility u whose prior covariance with them is x,
    the posterior mean of u is its prior mean plus ``<x, coefficients>``, and ``<x, gain x>`` is
    what its prior variance loses.

    Attributes:
        coefficients: (C, m).
        gain: (C, m, m) symmetric, ``(K + W^-1)^-1`` with W the negative Hessian of the
            log-likelihood at the mode.
        hessian: (C, m, m) W.
        log_evidence: (C,) log of the probability of the answers, in nats.
    """

    coefficients: FloatArray
    gain: FloatArray
    hessian: FloatArray
    log_evidence: FloatArray


def laplace(
    mean: FloatArray,
    covariance: FloatArray,
    groups: IndexArray,
    slopes: FloatArray,
    *,
    start: FloatArray | None = None,
) -> Laplace:
    """The posterior of margins, by Newton's method for all combinations at once.

    Args:
        mean: (C, m) prior means b of the margins, m >= 1.
        covariance: (C, m, m) prior covariances K, positive semi-definite.
        groups: (m,) number >= 0 of the pick that each row belongs to; rows of a pick adjoin.
        slopes: (C,) positive.
        start: (C, m) coefficients to start from.

    Returns:
        The approximations; each is the mode to about 1e-12 of its log posterior.
    """
    first = np.flatnonzero(np.diff(groups, prepend=-1))
    pick = np.cumsum(np.diff(groups, prepend=groups[0]) != 0)
    same = pick[:, None] == pick
    diagonal = np.arange(len(groups))
    s = slopes[:, None]

    def at(a: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Margins less their means, probabilities of what was passed over, the log posterior."""
        moved = (covariance @ a[:, :, None])[:, :, 0]
        logits = -s * (mean + moved)
        top = np.maximum(np.maximum.reduceat(logits, first, axis=1), 0.0)
        rest = np.add.reduceat(np.exp(logits - top[:, pick]), first, axis=1)
        log_z = top + np.log(np.exp(-top) + rest)
        value = -log_z.sum(axis=1) - 0.5 * (a * moved).sum(axis=1)
        return moved, np.exp(logits - log_z[:, pick]), value

    def hessian(p: FloatArray) -> FloatArray:
        w = -(p[:, :, None] * p[:, None, :]) * same
        w[:, diagonal, diagonal] += p
        return w * (s * s)[:, :, None]

    a = np.zeros(mean.shape) if start is None else start
    moved, p, value = at(a)
    w = hessian(p)
    system = np.eye(len(groups)) + w @ covariance
    for _ in range(_MAX_ITERATIONS):
        right = w @ moved[:, :, None] + (s * p)[:, :, None]
        full = np.linalg.solve(system, right)[:, :, 0] - a
        step = np.ones((len(a), 1))
        while True:
            candidate = a + step * full
            found = at(candidate)
            worse = found[2] < value - _CLOSE * (1.0 + np.abs(value))
            if not worse.any():
                break
            step[worse] *= 0.5
            step[step < _SHORTEST] = 0.0
        still = np.abs(found[2] - value) <= _CLOSE * (1.0 + np.abs(value))
        a, (moved, p, value) = candidate, found
        w = hessian(p)
        system = np.eye(len(groups)) + w @ covariance
        if still.all():
            break
    gain = np.linalg.solve(system, w)
    log_evidence = value - 0.5 * np.linalg.slogdet(system)[1]
    return Laplace(a, 0.5 * (gain + gain.transpose(0, 2, 1)), w, log_evidence)
