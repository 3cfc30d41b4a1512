"""Beliefs that are sets: every taste that explains the answers, all of them alike."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.linalg import null_space, orth
from scipy.optimize import linprog, minimize
from scipy.special import ndtr, ndtri

from palate.preference.belief import Belief, Draws
from palate.preference.challenger import Challenger, ChallengerSearch
from palate.preference.likelihood import multinomial_gradient, multinomial_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray, IndexArray
    from palate.preference.version_space import VersionSpace

_STEPS, _STEPS_A_DIMENSION = 40, 6  # of hit-and-run before a draw
_FLAT = 1e-7  # depth of a set that counts as none; a linear program says no better
_FEW = 64  # responses whose bounds are all exact
_TIE = 1e-9  # values this close, relative to the largest score, are equal; the lower index wins
_CORNER = 1e-9  # how far from a wall still touches it


@dataclass(frozen=True, eq=False)
class BallBelief(Belief):
    """USERALIGN's version space: a ball of weights, cut by the half-spaces of the answers.

    Attributes:
        features: (N, d) float64.
        space: the version space.
    """

    certain: ClassVar[bool] = True

    features: FloatArray
    space: VersionSpace

    def update(self, winner: int, losers: Sequence[int]) -> BallBelief:
        """See :meth:`Belief.update`."""
        rows = self.features[winner] - self.features[list(losers)]
        after = replace(self, space=self.space.extended(rows))
        _hand_over("_search", self, after)
        return after

    @functools.cached_property
    def _search(self) -> ChallengerSearch:
        return ChallengerSearch(self.features, self.space.norm_bound)

    def mean(self) -> FloatArray:
        """(N,) utilities under the estimate of Eq. 2, kept inside the half-spaces."""
        return np.asarray(self.features @ self.space.estimate_inside)

    def advantage(self, incumbent: int, level: float) -> FloatArray:
        """See :meth:`Belief.advantage`: the support function, or bounds on it for large pools."""
        if len(self.features) <= _FEW:
            result = self.space.support(self.features - self.features[incumbent])
        else:
            self.challenger(incumbent, level)
            result = self._search.bounds()
        result[incumbent] = 0.0
        return result

    def challenger(
        self,
        incumbent: int,
        level: float,  # noqa: ARG002
        without: Sequence[int] = (),
    ) -> Challenger:
        """See :meth:`Belief.challenger`."""
        left_out = np.array(without, dtype=np.intp)
        return self._search.search(self.space, incumbent, without=left_out)

    def draws(self, rng: np.random.Generator, n: int) -> Draws:
        """Weights uniform in the ball and the half-spaces; the loss is left out.

        Their direction is that of a Gaussian vector in the cone. The cone cuts the row space of the
        answers alone, so hit-and-run walks there, and the rest is drawn as it is.
        """
        d = self.features.shape[1]
        rows = _unit(self.space.differences)
        basis = orth(rows.T) if len(rows) else np.zeros((d, 0))
        walls = rows @ basis
        start, depth = _deepest(walls, np.zeros(len(walls)))
        if depth <= _FLAT:
            return Draws(np.tile(self.mean(), (n, 1)), np.ones(n))
        theta = rng.normal(size=(n, d))
        inside = _walk(rng, n, start, walls, np.zeros(len(walls)), normal=True)
        theta += (inside - theta @ basis) @ basis.T
        lengths = self.space.norm_bound * rng.random(n) ** (1.0 / d)
        theta *= (lengths / np.sqrt(np.einsum("nd,nd->n", theta, theta)))[:, None]
        return Draws(theta @ self.features.T, np.ones(n))

    @property
    def contradictory(self) -> bool:
        """See :attr:`Belief.contradictory`."""
        return self.space.contradictory


@dataclass(frozen=True, eq=False)
class SimplexBelief(Belief):
    """The weights of a person among K prototypes that explain every answer: a polytope.

    The reward of a response is ``scores . w`` with w in the simplex. The largest of their support
    values is exact, found by few linear programs. For v a sum of the answers' half-spaces with
    weights >= 0, ``h(c) <= max of c + v``, and with the right one it is equal. Each response keeps
    the sum that bounds it best: that stays a bound after further answers, whatever the incumbent.

    Attributes:
        scores: (N, K) the rewards of the prototypes.
        centre: (K,) the weights to start from, such as the mean of the people known.
        rows: (m, K) scores of a response picked less those of one passed over.
        group: (m,) the pick that a row belongs to.
    """

    certain: ClassVar[bool] = True

    scores: FloatArray
    centre: FloatArray
    rows: FloatArray
    group: tuple[int, ...] = ()

    @classmethod
    def start(cls, base: FloatArray, scores: FloatArray, centre: FloatArray) -> SimplexBelief:
        """The whole simplex.

        Args:
            base: (N,) the part of the reward that is everybody's.
            scores: (N, K) the part of each prototype.
            centre: (K,) weights.
        """
        return cls(base[:, None] + scores, centre, np.zeros((0, scores.shape[1])))  # w sums to 1

    def update(self, winner: int, losers: Sequence[int]) -> SimplexBelief:
        """See :meth:`Belief.update`."""
        number = self.group[-1] + 1 if self.group else 0
        after = replace(
            self,
            rows=np.vstack([self.rows, self.scores[winner] - self.scores[list(losers)]]),
            group=self.group + (number,) * len(losers),
        )
        _hand_over("_sums", self, after)
        return after

    @functools.cached_property
    def weights(self) -> FloatArray:
        """(K,) most plausible weights: least log-loss plus half the squared distance to ``centre``.

        Of those that explain every answer, or of all where there are none.
        """
        if not self.group:
            return self.centre
        group = np.array(self.group)

        def loss(w: FloatArray) -> tuple[float, FloatArray]:
            off = w - self.centre
            value = multinomial_loss(w, self.rows, group) + 0.5 * float(off @ off)
            return value, off + multinomial_gradient(w, self.rows, group)

        sum_is_one = {"type": "eq", "fun": lambda w: w.sum() - 1.0, "jac": np.ones_like}
        explains = {"type": "ineq", "fun": lambda w: self._walls @ w, "jac": lambda _: self._walls}
        start = self.centre if self.contradictory else self._inner[0]
        found = minimize(
            loss,
            start,
            jac=True,
            method="SLSQP",
            bounds=[(0.0, 1.0)] * len(start),
            constraints=[sum_is_one] if self.contradictory else [sum_is_one, explains],
            options={"ftol": 1e-12},
        )
        w = np.maximum(found.x if found.success else start, 0.0)
        return np.asarray(w / w.sum())

    def mean(self) -> FloatArray:
        """(N,) rewards under :attr:`weights`."""
        return np.asarray(self.scores @ self.weights)

    @functools.cached_property
    def _sums(self) -> FloatArray:
        """(N, K) sums of walls, which change as better ones are found."""
        return np.zeros(self.scores.shape)

    def advantage(self, incumbent: int, level: float) -> FloatArray:  # noqa: ARG002
        """See :meth:`Belief.advantage`: bounds, exact where a linear program was solved."""
        gains = self.scores - self.scores[incumbent]
        if self.contradictory:
            return np.asarray(gains @ self.weights)
        bounds = (gains + self._sums).max(axis=1)
        bounds[incumbent] = 0.0
        return np.asarray(bounds)

    def challenger(self, incumbent: int, level: float, without: Sequence[int] = ()) -> Challenger:
        """See :meth:`Belief.challenger`."""
        if self.contradictory or not self.group:
            return super().challenger(incumbent, level, without)
        gains = self.scores - self.scores[incumbent]
        tie = _TIE * float(np.abs(self.scores).max())
        rows = np.delete(np.arange(len(gains)), [incumbent, *without])
        found: dict[int, float] = {}
        best = -np.inf
        while len(rows):
            index = int(rows[(gains[rows] + self._sums[rows]).max(axis=1).argmax()])
            self._solve(gains, rows, index)
            found[index] = float((gains[index] + self._sums[index]).max())
            best = max(best, found[index])
            rows = rows[rows != index]
            rows = rows[(gains[rows] + self._sums[rows]).max(axis=1) >= best - tie]
        if not found:
            return Challenger(-1, 0.0, 0)
        index = min(i for i, value in found.items() if value >= best - tie)
        return Challenger(index, found[index], len(found))

    def _solve(self, gains: FloatArray, rows: IndexArray, index: int) -> None:
        """Make the bound of one response exact, and those of others what follows from it."""
        found = linprog(
            -gains[index],
            A_ub=-self._walls,
            b_ub=np.zeros(len(self._walls)),
            A_eq=np.ones((1, gains.shape[1])),
            b_eq=[1.0],
            method="highs",
        )
        if found.status != 0:  # it failed on rounding: the bound that there is holds all the same
            return
        self._offer(gains, rows, np.maximum(-found.ineqlin.marginals, 0.0) @ self._walls)
        # What is best at the same corner has its multipliers from the same constraints.
        met = self._walls[self._walls @ found.x <= _CORNER]
        zero = np.eye(gains.shape[1])[found.x <= _CORNER]
        system = np.vstack([np.ones((1, gains.shape[1])), -met, -zero])
        multipliers = (gains[rows] @ np.linalg.pinv(system))[:, 1 : 1 + len(met)]
        self._offer(gains, rows, np.maximum(multipliers, 0.0) @ met)

    def _offer(self, gains: FloatArray, rows: IndexArray, sums: FloatArray) -> None:
        """Keep sums of walls, one for all or one each, where they bound some responses better."""
        before = (gains[rows] + self._sums[rows]).max(axis=1)
        better = (gains[rows] + sums).max(axis=1) < before
        self._sums[rows[better]] = np.broadcast_to(sums, (len(rows), gains.shape[1]))[better]

    @functools.cached_property
    def _walls(self) -> FloatArray:
        return _unit(self.rows)

    @functools.cached_property
    def _polytope(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Walls (m, K - 1) and their levels (m,) in coordinates, and the basis (K, K - 1)."""
        k = self.scores.shape[1]
        basis = null_space(np.ones((1, k)))
        walls = np.vstack([self._walls, np.eye(k)])
        return walls @ basis, walls.mean(axis=1), basis

    @functools.cached_property
    def _inner(self) -> tuple[FloatArray, float]:
        """Weights deep inside, and how deep: below 0 where no weights explain every answer."""
        walls, level, basis = self._polytope
        x, depth = _deepest(walls, level)
        return 1.0 / len(basis) + basis @ x, depth

    @property
    def contradictory(self) -> bool:
        """See :attr:`Belief.contradictory`; a set without an inside counts as none."""
        return self._inner[1] <= _FLAT

    def draws(self, rng: np.random.Generator, n: int) -> Draws:
        """Weights uniform among those that explain every answer, by hit-and-run."""
        if self.contradictory:
            return Draws(np.tile(self.mean(), (n, 1)), np.ones(n))
        walls, level, basis = self._polytope
        start = (self._inner[0] - 1.0 / len(basis)) @ basis
        w = 1.0 / len(basis) + _walk(rng, n, start, walls, level, normal=False) @ basis.T
        return Draws(w @ self.scores.T, np.ones(n))


def _unit(rows: FloatArray) -> FloatArray:
    """Rows of length 1; those of zeros say nothing and are left out."""
    lengths = np.sqrt(np.einsum("mk,mk->m", rows, rows))
    return np.asarray(rows[lengths > 0.0] / lengths[lengths > 0.0, None])


def _hand_over(name: str, before: Belief, after: Belief) -> None:
    """Let the belief after an answer go on with the bounds of the one before.

    They hold for the smaller set. They move and are not shared, since two answers to one question
    make two sets, and what bounds one need not bound the other.
    """
    if name in before.__dict__:
        after.__dict__[name] = before.__dict__.pop(name)


def _deepest(walls: FloatArray, level: FloatArray) -> tuple[FloatArray, float]:
    """The point x (r,) of largest least ``walls x + level``, |x_i| <= 1, and that room."""
    r = walls.shape[1]
    if not len(walls):
        return np.zeros(r), 1.0
    found = linprog(
        np.r_[np.zeros(r), -1.0],
        A_ub=np.c_[-walls, np.ones(len(walls))],
        b_ub=level,
        bounds=[(-1.0, 1.0)] * r + [(None, None)],
        method="highs",
    )
    return found.x[:r], float(found.x[r])


def _walk(
    rng: np.random.Generator,
    n: int,
    start: FloatArray,
    walls: FloatArray,
    level: FloatArray,
    *,
    normal: bool,
) -> FloatArray:
    """Points (n, r) with ``walls x + level >= 0`` by hit-and-run from one inside (Smith 1984).

    Uniform in the polytope, or standard normal where ``normal``.
    """
    x = np.tile(start[:, None], n)
    if not len(start):
        return x.T
    room = walls @ x + level[:, None]
    for _ in range(_STEPS + _STEPS_A_DIMENSION * len(start)):
        direction = rng.normal(size=x.shape)
        direction /= np.sqrt((direction * direction).sum(axis=0))
        speed = walls @ direction
        # The first wall ahead is the one that is approached fastest for the room it leaves.
        pace = speed / room
        with np.errstate(divide="ignore"):
            low = -1.0 / np.maximum(pace.max(axis=0), 0.0)
            high = 1.0 / np.maximum(-pace.min(axis=0), 0.0)
        move = rng.random(n)
        if normal:
            at = (x * direction).sum(axis=0)
            ends = ndtr(low + at), ndtr(high + at)
            move = np.clip(ndtri(ends[0] + move * (ends[1] - ends[0])) - at, low, high)
        else:
            move = low + move * (high - low)
        x += move * direction
        room = np.maximum(room + move * speed, np.finfo(np.float64).tiny)
    return x.T
