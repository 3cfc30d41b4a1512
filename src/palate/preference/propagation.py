"""Expectation propagation: what a person's answers say, for many priors at once.

As :mod:`palate.preference.laplace`, and right where answers are all but certain. The posterior is
then a Gaussian cut by half-spaces, with its mode on an edge: Laplace takes it for a ball around
that edge, doubts every answer, and finds noise where there is none. Here each row of an answer
becomes a Gaussian factor that leaves the margin with the moments that the row does (Minka 2001;
Kuss and Rasmussen 2005). The logistic function is a mixture of eight normal distribution functions
(Monahan and Stefanski 1992), right to 3e-9, so that the moments have a closed form.

Letters: C combinations of a prior and a slope, m rows of margins, n weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import ndtr

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray

_MIXTURE = np.array(
    [
        (0.003246343272134, 1.365340806296348),
        (0.051517477033972, 1.059523971016916),
        (0.195077912673858, 0.830791313765644),
        (0.315569823632818, 0.650732166639391),
        (0.274149576158423, 0.508135425366489),
        (0.131076880695470, 0.396313345166341),
        (0.027912418727972, 0.308904252267995),
        (0.001449567805354, 0.238212616409306),
    ]
)
_SHARES = _MIXTURE[:, 0]
_VARIANCES = _MIXTURE[:, 1] ** -2.0
_HEIGHTS = _SHARES / np.sqrt(2.0 * np.pi)
_MAX_SWEEPS = 100
_CLOSE = 1e-4  # of the margins of two sweeps, in prior standard deviations
_SLOWER, _FASTER, _SLOWEST = 0.5, 1.5, 0.02  # steps where margins turn round, and where not
_SETTLES = 0.5  # share of a move that the next may take back
_SMALLEST = 1e-12  # variance or precision
_TINY = 1e-300  # probability
_MOST = 500.0  # logit
_FACTORS = 500  # up to 2, whose product is a number


@dataclass(frozen=True, slots=True)
class Propagated:
    """Gaussian approximations given the answers.

    With the prior ``N(b, K)`` of n weights and a utility u whose prior covariance with them is x,
    the posterior mean of u is its prior mean plus ``<x, coefficients>``, and ``<x, gain x>`` is
    what its prior variance loses.

    Attributes:
        coefficients: (C, n).
        gain: (C, n, n) symmetric.
        precision: (C, m) of the factor of each row, ``exp(shift f - precision f^2 / 2)`` in its
            margin f.
        shift: (C, m).
        log_evidence: (C,) log of the probability of the answers, in nats.
    """

    coefficients: FloatArray
    gain: FloatArray
    precision: FloatArray
    shift: FloatArray
    log_evidence: FloatArray


def propagate(
    mean: FloatArray,
    covariance: FloatArray,
    differences: FloatArray,
    groups: IndexArray,
    slopes: FloatArray,
    *,
    start: tuple[FloatArray, FloatArray] | None = None,
) -> Propagated:
    """The posterior of the weights, for all combinations at once.

    Each row of a pick out of K is a logistic factor in which the other options have the margins
    expected of them: right for pairs, close for more.

    Args:
        mean: (C, n) prior means b.
        covariance: (C, n, n) prior covariances K, positive semi-definite.
        differences: (m, n) what makes margins of the weights, m >= 1.
        groups: (m,) number >= 0 of the pick that each row belongs to; rows of a pick adjoin.
        slopes: (C,) positive.
        start: precision and shift of the first rows' factors to start from, (C, k) each, such as
            those without the last answers; by default none says anything yet.

    Returns:
        The approximations, margins to about 1e-4 of their prior standard deviations.
    """
    first = np.flatnonzero(np.diff(groups, prepend=-1))
    s, several = slopes[:, None], len(first) < len(groups)
    towards = differences @ covariance
    at = _settled(mean @ differences.T, towards, differences, s, first if several else None, start)
    each = at.log_z + 0.5 * (at.rest * at.rest_margin**2 - np.log(at.rest))
    each -= 0.5 * (at.margin**2 / at.variance + np.log(at.variance) - at.shift * at.margin)
    if several:  # the factors of a pick are right for each row alone: now together
        logits = s * at.margin
        each += np.logaddexp(0.0, -(logits + _others(logits, first)))
    log_evidence = each.sum(axis=1) + 0.5 * (at.coefficients * mean).sum(axis=1)
    if several:
        log_evidence += log_likelihood(logits, first)
    log_evidence += 0.5 * np.linalg.slogdet(at.inverse)[1]
    gain = at.inverse @ (differences.T @ (at.precision[:, :, None] * differences))
    gain = 0.5 * (gain + gain.transpose(0, 2, 1))
    return Propagated(at.coefficients, gain, at.precision, at.shift, log_evidence)


class _Settled(NamedTuple):
    """Where combinations settle: factors, and the margins with and without each row's own.

    Attributes:
        inverse: (C, n, n) of ``I + W K``; the covariance of the weights is K times it.
        coefficients: (C, n).
        precision: (C, m) of the factors; the rest alike.
        shift: of the factors.
        margin: expected.
        variance: of the margin.
        rest: precision of the margin without the factor.
        rest_margin: expected without the factor.
        log_z: log of the expected probability of the row without the factor.
    """

    inverse: FloatArray
    coefficients: FloatArray
    precision: FloatArray
    shift: FloatArray
    margin: FloatArray
    variance: FloatArray
    rest: FloatArray
    rest_margin: FloatArray
    log_z: FloatArray


def _settled(  # noqa: PLR0917
    prior_margin: FloatArray,
    towards: FloatArray,
    differences: FloatArray,
    s: FloatArray,
    first: IndexArray | None,
    start: tuple[FloatArray, FloatArray] | None,
) -> _Settled:
    """Sweep over all factors at once until no margin moves, each combination for itself.

    Args:
        prior_margin: (C, m).
        towards: (C, m, n) prior covariance of margins with weights.
        differences: see :func:`propagate`.
        s: (C, 1) slopes.
        first: the first row of each pick, or None where all picks are out of two.
        start: see :func:`propagate`.
    """
    (c, m), n = prior_margin.shape, differences.shape[1]
    found = _Settled(np.empty((c, n, n)), np.empty((c, n)), *(np.empty((c, m)) for _ in range(7)))
    at = np.arange(c)  # combinations that have not settled; what follows is theirs
    margin, unit = prior_margin, np.eye(n)
    deviation = np.sqrt(np.maximum((towards * differences).sum(axis=2), _SMALLEST))
    precision, shift, moved = np.zeros((3, c, m))
    if start is not None:
        known = start[0].shape[1]
        precision[:, :known], shift[:, :known] = start
    step = np.ones((c, 1))
    for sweep in range(_MAX_SWEEPS):
        system = unit + differences.T @ (precision[:, :, None] * towards)
        inverse: FloatArray = np.linalg.inv(system).astype(np.float64, copy=False)
        a = inverse @ ((shift - precision * prior_margin) @ differences)[:, :, None]
        before, last = margin, moved
        margin = prior_margin + (towards @ a)[:, :, 0]
        variance = np.maximum(((towards @ inverse) * differences).sum(axis=2), _SMALLEST)
        offsets = np.zeros((1, 1)) if first is None else _others(s * margin, first)
        rest = np.maximum(1.0 / variance - precision, _SMALLEST)
        rest_margin = (margin / variance - shift) / rest
        log_z, rise, bend = _moments(rest_margin, 1.0 / rest, s, offsets)
        moved = (margin - before) / deviation
        still = (np.abs(moved) <= _CLOSE * step).all(axis=1) & (sweep > 0)
        still |= sweep == _MAX_SWEEPS - 1
        if still.any():  # a combination settles where it does alone
            there = _Settled(
                inverse, a[:, :, 0], precision, shift, margin, variance, rest, rest_margin, log_z
            )
            for whole, part in zip(found, there, strict=True):
                whole[at[still]] = part[still]
            if still.all():
                break
            at, s, step, towards, prior_margin, deviation, precision, shift = (
                x[~still] for x in (at, s, step, towards, prior_margin, deviation, precision, shift)
            )
            margin, moved, last, rest, rest_margin, rise, bend = (
                x[~still] for x in (margin, moved, last, rest, rest_margin, rise, bend)
            )
        # Margins that turn round by less each time settle as they are.
        turned = -(moved * last).sum(axis=1, keepdims=True) > _SETTLES * _square(last)
        step = np.minimum(np.maximum(np.where(turned, _SLOWER, _FASTER) * step, _SLOWEST), 1.0)
        keep = 1.0 - np.minimum(bend / rest, 1.0 - _SMALLEST)
        precision = precision + step * (bend / keep - precision)
        shift = shift + step * ((rise + rest_margin * bend) / keep - shift)
    return found


def log_likelihood(logits: FloatArray, first: IndexArray) -> FloatArray:
    """(n,) log-likelihood of picks, the logits (n, m) of whose rows begin at ``first``."""
    if len(first) == logits.shape[1]:
        # The logarithm of a product of terms in [1, 2], as many as do not overflow.
        terms = np.multiply.reduceat(1.0 + np.exp(-np.abs(logits)), first[::_FACTORS], axis=1)
        ones = np.ones(logits.shape[1])  # quicker than a sum along short rows
        return np.asarray(np.minimum(logits, 0.0) @ ones - np.log(terms).sum(axis=1))
    sizes = np.diff(np.append(first, logits.shape[1]))
    top = np.maximum(np.maximum.reduceat(-logits, first, axis=1), 0.0)
    rest = np.add.reduceat(np.exp(-logits - np.repeat(top, sizes, axis=1)), first, axis=1)
    return np.asarray(-(top + np.log(np.exp(-top) + rest)).sum(axis=1))


def _square(x: FloatArray) -> FloatArray:
    return (x * x).sum(axis=1, keepdims=True)


def _others(logits: FloatArray, first: IndexArray) -> FloatArray:
    """(C, m) log of one and what the other rows of the pick add to it."""
    odds = np.exp(np.minimum(-logits, _MOST))
    sums = np.add.reduceat(odds, first, axis=1)
    sums = np.repeat(sums, np.diff(np.append(first, logits.shape[1])), axis=1)
    return np.log1p(np.maximum(sums - odds, 0.0))


def _moments(
    mean: FloatArray, variance: FloatArray, s: FloatArray, offsets: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log expectations (C, m) of ``logistic(s f + offset)`` under Gaussians of margins f.

    With them their slopes in the means, and their curvatures, negated.
    """
    root = 1.0 / np.sqrt((s * s * variance)[:, :, None] + _VARIANCES)
    z = (s * mean + offsets)[:, :, None] * root
    expected = np.maximum(ndtr(z) @ _SHARES, _TINY)
    density = np.exp(-0.5 * z * z) * root
    rise = s * (density @ _HEIGHTS) / expected
    return np.log(expected), rise, s * s * ((z * density * root) @ _HEIGHTS) / expected + rise**2
