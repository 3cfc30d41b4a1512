"""Gaussian beliefs: a mixture of Gaussian priors and noise levels, weighed by their evidence."""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from palate.preference.belief import Belief, Draws
from palate.preference.propagation import Propagated, log_likelihood, propagate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from palate._typing import FloatArray, IndexArray


_NEGLIGIBLE = 1e-4  # weight below which a component draws nothing
_SMALLEST = 1e-12  # variance
_HALVINGS = 40  # of the bracket around a quantile
_TRIES = 4  # for a draw
_MOST_KEPT = 50_000  # random numbers of an elicitation
_FAR = 1 << 64  # beyond what anybody draws
_ANEW = 8  # picks after which expectation propagation starts from nothing


@dataclass(frozen=True, eq=False, slots=True)
class Component:
    """One Gaussian prior of the utilities of N responses.

    ``N(mean, factor factor^T + residual I)``. The independent residual is what features miss: it
    slows learning down, and never misleads it.

    Attributes:
        mean: (N,).
        factor: (N, R).
        residual: variance of each response's own part, at least 0.
        weight: how probable the prior is among those of a mixture, before any answer.
    """

    mean: FloatArray
    factor: FloatArray
    residual: float
    weight: float = 1.0

    def covariances(self, columns: IndexArray) -> FloatArray:
        """(N, c) prior covariance of every utility with those of some."""
        result = self.factor @ self.factor[columns].T
        result[columns, np.arange(len(columns))] += self.residual
        return np.asarray(result)

    @property
    def variances(self) -> FloatArray:
        """(N,) prior variances."""
        return np.einsum("nr,nr->n", self.factor, self.factor) + self.residual


@dataclass(frozen=True, eq=False)
class GaussianBelief(Belief):
    """Utilities under a mixture of Gaussian priors and of slopes, given the answers.

    Each pair of a component and a slope is approximated by expectation propagation and weighed by
    its evidence. So the noise is inferred with the utilities: answers that fit no taste make
    shallow slopes likely, and then no single answer is believed. And a prior that the answers speak
    against loses its weight to the others.

    What the answers say goes through the utilities of the n responses that were shown, so the work
    of a step is in n, however many responses, features or answers there are.

    Attributes:
        components: P priors.
        slopes: (S,) logits per unit of utility, all equally probable at first.
        shown: (n,) pool indices of the responses shown, in the order of their first query.
        winner: (m,) place in ``shown`` of the response picked, a row for each one passed over.
        loser: (m,) place of that one.
        group: (m,) the pick that a row belongs to.
    """

    components: tuple[Component, ...]
    slopes: FloatArray
    shown: tuple[int, ...] = ()
    winner: tuple[int, ...] = ()
    loser: tuple[int, ...] = ()
    group: tuple[int, ...] = ()
    _known_cross: FloatArray | None = None
    _before: GaussianBelief | None = None

    def update(self, winner: int, losers: Sequence[int]) -> GaussianBelief:
        """See :meth:`Belief.update`."""
        shown = tuple(dict.fromkeys([*self.shown, winner, *losers]))
        number = self.group[-1] + 1 if self.group else 0
        return replace(
            self,
            shown=shown,
            winner=self.winner + (shown.index(winner),) * len(losers),
            loser=self.loser + tuple(shown.index(i) for i in losers),
            group=self.group + (number,) * len(losers),
            _known_cross=self.__dict__.get("_cross", self._known_cross),
            _before=self if number % _ANEW else None,
        )

    @functools.cached_property
    def _cross(self) -> FloatArray:
        """(P, N, n) prior covariance of every utility with those of the responses shown."""
        known = self._known_cross
        first = 0 if known is None else known.shape[2]
        columns = np.array(self.shown[first:], dtype=np.intp)
        new = np.stack([c.covariances(columns) for c in self.components])
        return new if known is None else np.concatenate([known, new], axis=2)

    @functools.cached_property
    def _rows(self) -> FloatArray:
        """(m, n) what makes the answers' margins of the utilities shown."""
        rows = np.zeros((len(self.group), len(self.shown)))
        each = np.arange(len(rows))
        rows[each, self.winner] = 1.0
        rows[each, self.loser] = -1.0
        return rows

    @functools.cached_property
    def _fit(self) -> Propagated:
        """Found from that before the last pick, which is soon done; every so often anew.

        So it depends on the picks alone, and not on when it was asked for, and who takes in many
        picks at a time is soon done as well.
        """
        before = None if self._before is None else self._before._fit  # noqa: SLF001
        object.__setattr__(self, "_before", None)  # let go of it
        shown, s = list(self.shown), len(self.slopes)
        return propagate(
            np.repeat([c.mean[shown] for c in self.components], s, axis=0),
            np.repeat(self._cross[:, shown], s, axis=0),
            self._rows,
            np.array(self.group),
            np.tile(self.slopes, len(self.components)),
            start=None if before is None else (before.precision, before.shift),
        )

    @functools.cached_property
    def weights(self) -> FloatArray:
        """(P, S) probability of each component and slope, given the answers."""
        log = np.log([c.weight for c in self.components])[:, None] + np.zeros(len(self.slopes))
        if self.group:
            log = log + self._fit.log_evidence.reshape(log.shape)
        weights = np.exp(log - log.max())
        return np.asarray(weights / weights.sum())

    @property
    def _flat(self) -> FloatArray:
        return self.weights.reshape(-1)

    @functools.cached_property
    def _means(self) -> FloatArray:
        """(P S, N) posterior means."""
        prior = np.repeat([c.mean for c in self.components], len(self.slopes), axis=0)
        if not self.group:
            return prior
        a = self._fit.coefficients.reshape(len(self.components), len(self.slopes), -1)
        return prior + (a @ self._cross.transpose(0, 2, 1)).reshape(prior.shape)

    def mean(self) -> FloatArray:
        """See :meth:`Belief.mean`."""
        return np.asarray(self._flat @ self._means)

    def _variances(self, prior: list[FloatArray], x: FloatArray) -> FloatArray:
        """(P S, N) posterior variances, from prior ones (P, N) and x (P, N, n) with those shown."""
        variances = np.repeat(prior, len(self.slopes), axis=0)
        if self.group:
            gain = self._fit.gain.reshape(*self.weights.shape, len(self.shown), -1)
            lost = ((x[:, None] @ gain) * x[:, None]).sum(axis=3)
            variances -= lost.reshape(variances.shape)
        return np.maximum(variances, _SMALLEST)

    def _differences(self, incumbent: int) -> tuple[FloatArray, FloatArray]:
        """(P S, N) means and standard deviations of the differences to the incumbent."""
        column = np.array([incumbent])
        prior = [
            c.variances + c.variances[incumbent] - 2.0 * c.covariances(column)[:, 0]
            for c in self.components
        ]
        variances = self._variances(prior, self._cross - self._cross[:, column])
        return self._means - self._means[:, column], np.sqrt(variances)

    def advantage(self, incumbent: int, level: float) -> FloatArray:
        """See :meth:`Belief.advantage`; exact, by bisection between those of the components."""
        if (incumbent, level) not in self._advantages:
            self._advantages[incumbent, level] = self._advantage(incumbent, level)
        return self._advantages[incumbent, level]

    @functools.cached_property
    def _advantages(self) -> dict[tuple[int, float], FloatArray]:
        """Those that were asked for: a strategy asks several times a question."""
        return {}

    def _advantage(self, incumbent: int, level: float) -> FloatArray:
        means, deviations = self._differences(incumbent)
        quantiles = means + ndtri(level) * deviations
        low, high = quantiles.min(axis=0), quantiles.max(axis=0)
        for _ in range(_HALVINGS if len(means) > 1 else 0):
            middle = 0.5 * (low + high)
            below = self._flat @ ndtr((middle - means) / deviations) < level
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        high[incumbent] = 0.0
        high.flags.writeable = False  # it is handed out again
        return high

    def best_of_two(self, incumbent: int, draws: Callable[[], Draws]) -> FloatArray:  # noqa: ARG002
        """See :meth:`Belief.best_of_two`; in closed form."""
        gap, deviation = self._differences(incumbent)
        z = gap / deviation
        density = np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi)
        gain = gap * ndtr(z) + deviation * density
        gain[:, incumbent] = 0.0
        return np.asarray(self._flat @ (self._means[:, [incumbent]] + gain))

    def worst_at_least(self) -> float:
        """See :meth:`Belief.worst_at_least`; by the maximal inequality of Gaussians."""
        variances = self._variances([c.variances for c in self.components], self._cross)
        reach = np.sqrt(2.0 * np.log(variances.shape[1]) * variances.max(axis=1))
        return float(self._flat @ (self._means.min(axis=1) - reach))

    def draws(self, rng: np.random.Generator, n: int) -> Draws:
        """See :meth:`Belief.draws`; components in proportion to their weights, in random order.

        A draw from the prior is moved to agree with one of the utilities that were shown, by
        Matheron's rule. Those are drawn from the Gaussian approximation and then again among
        themselves, by how much more probable the answers make them (Rubin 1988).
        """
        size, s = len(self.components[0].mean), len(self.slopes)
        numbers = _numbers_of(rng, n, max(c.factor.shape[1] for c in self.components), size)
        weights = np.where(self._flat < _NEGLIGIBLE, 0.0, self._flat)
        shares = np.cumsum(weights / weights.sum())
        which = np.minimum(np.searchsorted(shares, numbers.places), len(weights) - 1)
        utilities = np.empty((n, size))
        tries = numbers.tries(len(self.shown))
        shown = self._drawn(which, tries) if self.group else None
        for p, c in enumerate(self.components):
            rows = np.flatnonzero(which // s == p)
            common, own = numbers.common[rows, : c.factor.shape[1]], numbers.own[rows]
            u = common @ c.factor.T + np.sqrt(c.residual) * own + c.mean
            if shown is not None:
                u += (shown[rows] - u[:, list(self.shown)]) @ self._from_shown[p].T
            utilities[rows] = u
        return Draws(utilities, np.tile(self.slopes, len(self.components))[which])

    def _drawn(self, which: IndexArray, noise: FloatArray) -> FloatArray:
        """(draws, n) utilities of the responses shown.

        Args:
            which: (draws,) the combination of a component and a slope that each is drawn from.
            noise: (n, draws, tries) standard normal.
        """
        s, places = len(self.slopes), list(self.shown)
        used = np.unique(which)
        prior = self._cross[used // s][:, places]
        values, vectors = np.linalg.eigh(prior - prior @ self._fit.gain[used] @ prior)
        roots = (vectors * np.sqrt(np.maximum(values, 0.0))[:, None]) @ vectors.transpose(0, 2, 1)
        order = np.argsort(which, kind="stable")  # draws of a combination adjoin
        ends = np.searchsorted(which[order], used, side="right")
        sizes = np.diff(ends, prepend=0)
        tries = np.empty((len(which), _TRIES, len(places)))
        for root, end, size in zip(roots, ends, sizes, strict=True):
            some = noise[:, order[end - size : end]].reshape(len(places), -1)
            tries[end - size : end] = (root @ some).T.reshape(size, _TRIES, -1)
        of = which[order]
        tries += self._means[:, places][of][:, None]
        margins = tries @ self._rows.T
        first = np.flatnonzero(np.diff(self.group, prepend=-1))
        logits = self.slopes[of % s][:, None, None] * margins
        log = log_likelihood(logits.reshape(-1, len(self.group)), first).reshape(len(of), -1)
        said = self._fit.shift[of][:, None] - 0.5 * margins * self._fit.precision[of][:, None]
        log -= (margins * said) @ np.ones(len(self.group))  # quicker than a sum along short rows
        # Tries are drawn again within each combination, at even places of their summed weights.
        log -= np.repeat(np.maximum.reduceat(log.max(axis=1), ends - sizes), sizes)[:, None]
        sums = np.cumsum(np.exp(log))
        last = sums[ends * _TRIES - 1]
        before = np.concatenate([[0.0], last[:-1]])
        steps = (np.arange(len(of)) - np.repeat(ends - sizes, sizes) + 0.5) / np.repeat(
            sizes, sizes
        )
        at = np.searchsorted(
            sums, np.repeat(before, sizes) + steps * np.repeat(last - before, sizes)
        )
        drawn = np.empty((len(which), len(places)))
        drawn[order] = tries.reshape(-1, len(places))[np.minimum(at, len(sums) - 1)]
        return drawn

    @functools.cached_property
    def _from_shown(self) -> FloatArray:
        """(P, N, n) what a change of the utilities shown makes expected of all."""
        inverses = np.linalg.pinv(self._cross[:, list(self.shown)], hermitian=True)
        return np.asarray(self._cross @ inverses)


class _Numbers:
    """Random numbers that draws are made of: the same at every question of an elicitation.

    Attributes:
        places: (n,) in (0, 1), evenly apart, in random order.
        common: (n, R) standard normal.
        own: (n, N) standard normal.
    """

    def __init__(self, rng: np.random.Generator, n: int, rank: int, size: int) -> None:
        self.places = (rng.permutation(n) + 0.5) / n
        self.common, self.own = rng.standard_normal((n, rank)), rng.standard_normal((n, size))
        self._tries = np.empty((0, n, _TRIES))
        self._rng = rng
        self._lock = threading.Lock()

    def tries(self, shown: int) -> FloatArray:
        """(shown, n, tries) standard normal; the first ones stay the same where more are shown."""
        with self._lock:
            more = shown - len(self._tries)
            if more > 0:
                new = self._rng.standard_normal((more, *self._tries.shape[1:]))
                self._tries = np.concatenate([self._tries, new])
            return self._tries[:shown]


def _numbers_of(rng: np.random.Generator, n: int, rank: int, size: int) -> _Numbers:
    """Made of a generator as it is now; kept for small pools, since making them takes long."""
    bits = rng.bit_generator
    if not isinstance(bits, np.random.PCG64) or n * (rank + size) > _MOST_KEPT:
        return _Numbers(rng, n, rank, size)
    state = bits.state["state"]
    bits.advance(_FAR)  # what is drawn from it next is something else
    return _kept_numbers(state["state"], state["inc"], n, rank, size)


@functools.lru_cache(maxsize=64)
def _kept_numbers(state: int, inc: int, n: int, rank: int, size: int) -> _Numbers:
    bits = np.random.PCG64(0)
    bits.state = bits.state | {"state": {"state": state, "inc": inc}}
    return _Numbers(np.random.Generator(bits), n, rank, size)
