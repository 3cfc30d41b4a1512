"""The response that may still beat the incumbent by most, exact over pools of any size.

``max over responses y' and theta in Theta_t of <theta, phi(y') - phi(y1)>`` (USERALIGN,
Algorithm 2, line 8) asks for one support value a response. Almost none need solving: the sets
shrink with every answer, so a value once computed stays an upper bound, and only the responses
whose bound exceeds the best exact value are looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import Features, FloatArray, IndexArray
    from palate.preference.version_space import VersionSpace

_TIE = 1e-9  # values this close, relative to S, are equal; the lower index wins
_FEW = 64  # so many candidates are solved outright; more are bounded first
_LEFT = 16  # so many are no longer worth bounding
_CHEAP = 4  # while there are so many times fewer answers than candidates, bounds cost less
_FIRST_BATCH = 256
_BATCH = 32
_SWEEPS = (2, 6, 24)  # of coordinate descent, on ever fewer candidates
_CHUNK = 4096  # rows of features that stay in the processor's cache
_REMEMBERED = 8  # incumbents whose bounds are kept, for when the estimate comes back to one


@dataclass(frozen=True, slots=True)
class Challenger:
    """The largest support value over a pool.

    Attributes:
        index: row of the features, or -1 where no response was left to consider.
        value: the support value in utility units: B(t) of Algorithm 2, line 9.
        exact_solves: how many responses needed their exact value.
    """

    index: int
    value: float
    exact_solves: int


class ChallengerSearch:
    """Searches one pool while its version space shrinks.

    Args:
        features: (N, d) features of the pool, float32 or float64; solves are in float64.
        norm_bound: S of the version spaces to come.
    """

    def __init__(self, features: Features, norm_bound: float) -> None:
        self._features = features
        self._norm_bound = norm_bound
        self._squares = np.einsum("nd,nd->n", features, features)
        self._incumbent = -1
        self._answers = 0
        self._bounds: dict[int, FloatArray] = {}

    def search(
        self, space: VersionSpace, incumbent: int, *, without: IndexArray | None = None
    ) -> Challenger:
        """The response with the largest support value against the incumbent.

        Args:
            space: a version space nested in those of the earlier calls (more answers of the same
                run); one with fewer answers starts the search afresh.
            incumbent: row of the features.
            without: rows to leave out, besides the incumbent.

        Raises:
            ParameterError: the version space has another norm bound than the search.
        """
        if space.norm_bound != self._norm_bound:
            msg = f"the search was made for norm_bound {self._norm_bound}, not {space.norm_bound}"
            raise ParameterError(msg)
        if space.answers < self._answers:
            self._bounds.clear()
            self._incumbent = -1
        self._answers = space.answers
        upper = self._upper_bounds(space, incumbent)
        left = np.ones(len(upper), dtype=bool)
        left[incumbent] = False
        if without is not None and len(without):
            left[without] = False
        if space.empty:  # theta_hat need not lie in the cone, and then no bound holds for it
            return self._at_estimate(space.estimate, incumbent, np.flatnonzero(left))
        return self._largest(space, incumbent, upper, left)

    def bounds(self) -> FloatArray:
        """Upper bounds (N,) on every response's support value against the latest incumbent.

        As tight as the searches so far needed them to be, and zero for the incumbent.
        """
        bounds = self._bounds[self._incumbent].copy()
        bounds[self._incumbent] = 0.0
        return bounds

    def _largest(
        self,
        space: VersionSpace,
        incumbent: int,
        upper: FloatArray,
        left: np.ndarray[tuple[int], np.dtype[np.bool_]],
    ) -> Challenger:
        """Tighten the bounds until one exact value is at least every other bound."""
        found = _Found(_TIE * self._norm_bound)
        candidates = np.flatnonzero(left)
        if len(candidates) > min(_FEW, _CHEAP * len(space.differences)):
            if len(candidates) > _FIRST_BATCH:
                # A good exact value first, so that most of the pool is never touched.
                top = np.argpartition(upper[candidates], -_FIRST_BATCH)[-_FIRST_BATCH:]
                self._tighten(space, incumbent, upper, candidates[top], found)
            candidates = candidates[upper[candidates] >= found.best - found.tie]
            self._tighten(space, incumbent, upper, candidates, found)
            candidates = candidates[upper[candidates] >= found.best - found.tie]
        self._solve(space, incumbent, upper, candidates, found)
        if not found.values:
            return Challenger(-1, 0.0, 0)
        index = min(i for i, value in found.values.items() if value >= found.best - found.tie)
        return Challenger(index, found.values[index], len(found.values))

    def _at_estimate(
        self, estimate: FloatArray, incumbent: int, candidates: IndexArray
    ) -> Challenger:
        """The largest value where the set is a single point."""
        if len(candidates) == 0:
            return Challenger(-1, 0.0, 0)
        values = self._directions(incumbent, candidates) @ estimate
        place = int(np.argmax(values >= values.max() - _TIE * self._norm_bound))
        return Challenger(int(candidates[place]), float(values[place]), 0)

    def _tighten(
        self,
        space: VersionSpace,
        incumbent: int,
        upper: FloatArray,
        part: IndexArray,
        found: _Found,
    ) -> None:
        """Sweep candidates in chunks, more often the longer they stay in question."""
        for first in range(0, len(part), _CHUNK):
            rows = part[first : first + _CHUNK]
            rows = rows[upper[rows] >= found.best - found.tie]
            if len(rows) == 0:
                continue
            cone = space.cone(self._directions(incumbent, rows))
            for sweeps in _SWEEPS:
                upper[rows] = np.minimum(upper[rows], cone.bounds(sweeps))
                place = int(np.argmax(upper[rows]))
                row = int(rows[place])
                if row not in found.values and upper[row] > found.best:
                    upper[row] = value = cone.exact(place)
                    if space.loss_can_bind:
                        value = float(space.support(self._directions(incumbent, rows[[place]]))[0])
                    found.add(row, value)
                kept = upper[rows] >= found.best - found.tie
                rows = rows[kept]
                if len(rows) <= _LEFT:
                    break
                cone.keep(kept)

    def _solve(
        self,
        space: VersionSpace,
        incumbent: int,
        upper: FloatArray,
        candidates: IndexArray,
        found: _Found,
    ) -> None:
        """Exact values of candidates, largest bound first, until no bound exceeds the best."""
        if upper[candidates].max(initial=0.0) <= found.tie and not space.loss_can_bind:
            candidates = candidates[:1]  # nobody can win: no value is negative, and all are equal
        candidates = candidates[np.argsort(-upper[candidates], kind="stable")]
        rows = candidates.tolist()
        directions = self._directions(incumbent, candidates)
        if space.loss_can_bind:
            for first in range(0, len(rows), _BATCH):  # solved together they share the work
                part = slice(first, first + _BATCH)
                if upper[rows[first]] < found.best - found.tie:
                    break
                upper[rows[part]] = space.cone_support(directions[part])
                for row, value in zip(rows[part], space.support(directions[part]), strict=True):
                    found.add(row, float(value))
            return
        cone = space.cone(directions)
        for place, row in enumerate(rows):
            if upper[row] < found.best - found.tie:
                break
            if row not in found.values:
                upper[row] = value = cone.exact(place)
                found.add(row, value)

    def _directions(self, incumbent: int, rows: IndexArray) -> FloatArray:
        directions = self._features[rows].astype(np.float64)
        directions -= self._features[incumbent]
        return directions

    def _upper_bounds(self, space: VersionSpace, incumbent: int) -> FloatArray:
        """Valid upper bounds on the cone's support values, (N,), kept and updated in place."""
        if incumbent == self._incumbent:
            return self._bounds[incumbent]
        upper = self._bounds.pop(incumbent, None)
        if upper is None:
            upper = self._lengths(incumbent)
            upper *= self._norm_bound
        if self._incumbent >= 0:
            # h is sublinear: h(y - new) <= h(y - old) + h(old - new), and the last term is zero
            # where the new incumbent has beaten the old one.
            between = self._directions(incumbent, np.array([self._incumbent]))
            np.minimum(
                upper,
                self._bounds[self._incumbent] + float(space.cone_support(between)[0]),
                out=upper,
            )
        self._bounds[incumbent] = upper
        self._incumbent = incumbent
        while len(self._bounds) > _REMEMBERED:
            del self._bounds[next(iter(self._bounds))]
        return upper

    def _lengths(self, incumbent: int) -> FloatArray:
        """``||phi(y) - phi(y1)||``, never too small: one pass over the features."""
        x = self._features[incumbent]
        if self._features.dtype == np.float64 and len(self._features) <= _CHUNK:
            difference = self._features - x
            return np.sqrt(np.einsum("nd,nd->n", difference, difference))
        squares = self._squares - 2.0 * (self._features @ x) + self._squares[incumbent]
        # What rounding can have taken away is put back: these are bounds.
        rounding = 4.0 * len(x) * float(np.finfo(self._features.dtype).eps)
        np.maximum(squares, 0.0, out=squares)
        squares += rounding * (self._squares.max() + self._squares[incumbent])
        return np.sqrt(squares, dtype=np.float64)


def best_responses(features: Features, theta: FloatArray, *, tolerance: float) -> IndexArray:
    """Rows of (N, d) features with the largest utility (Eq. 1), within a tolerance, ascending.

    Scores are taken in the precision of the features, and those near the top again in float64.
    """
    scores = features @ theta.astype(features.dtype)
    rounding = float(np.finfo(features.dtype).eps) * features.shape[1]
    near = scores >= scores.max() - (tolerance + rounding * float(np.sqrt(theta @ theta)))
    rows = np.flatnonzero(near)
    if len(rows) == 1:
        return rows
    exact = features[rows].astype(np.float64) @ theta
    return rows[exact >= exact.max() - tolerance]


@dataclass(slots=True)
class _Found:
    """Exact values of this search, by row."""

    tie: float
    best: float = -np.inf
    values: dict[int, float] = field(default_factory=dict)

    def add(self, row: int, value: float) -> None:
        self.values[row] = value
        self.best = max(self.best, value)
