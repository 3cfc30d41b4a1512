"""The weights that a person's answers still allow (USERALIGN, Eq. 3 and 4)."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import numpy as np

from palate.errors import ParameterError
from palate.preference import _barrier
from palate.preference._cone import (
    NOWHERE,
    ConeSupport,
    project_on_cone,
    project_to_unit_length,
)
from palate.preference._rowspace import RowSpace
from palate.preference.confidence import check_delta, confidence_radius
from palate.preference.estimate import check_differences, check_norm_bound, minimise_in_ball

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray, IndexArray

_FLAT = 1e-10  # room that a half-space implied by the others may seem to leave


class VersionSpace:
    """The confidence set of a person's weights after t answers.

    ``{ theta : ||theta|| <= S, L_t(theta) <= L_t(theta_hat) + beta_t }`` (Eq. 3), intersected with
    the half-spaces ``<theta, z> >= 0`` of the answers (Eq. 4) where ``consistent``. An empty
    intersection becomes ``{theta_hat}`` (Algorithm 3, line 4).

    Support values are exact: while the loss constraint cannot bind, which is checked, the set is a
    cone cut by a ball, and ``h(c) = S ||projection of c onto the cone||`` is one non-negative
    least-squares problem in as many unknowns as there are answers (Moreau's decomposition). Where
    the loss can bind, an interior-point method solves all directions at once.

    Args:
        differences: (m, d) features of the winner minus features of the loser, one row a comparison
            (K - 1 rows for a pick out of K).
        norm_bound: S > 0, the largest norm of the weights.
        delta: probability with which the loss-based set may miss the truth.
        consistent: whether answers are taken as noise-free (USERALIGN) or not (USERALIGN_LOSS).
        groups: (m,) number of the answer that each row belongs to, rows of an answer adjoining; by
            default each row is an answer of its own.

    Raises:
        ParameterError: an argument has the wrong shape or range.
    """

    def __init__(
        self,
        differences: FloatArray,
        norm_bound: float = 3.0,
        delta: float = 0.05,
        consistent: bool = True,  # noqa: FBT001, FBT002
        *,
        groups: IndexArray | None = None,
    ) -> None:
        self.differences = check_differences(differences)
        self.norm_bound = check_norm_bound(norm_bound)
        self.delta = check_delta(delta)
        self.consistent = consistent
        self.groups = _check_groups(groups, len(self.differences))
        self._space = RowSpace.of(self.differences)

    def extended(self, differences: FloatArray, *, start: FloatArray | None = None) -> VersionSpace:
        """The version space after one more answer, given as its (K - 1, d) differences.

        ``start`` is where to begin the search for the new estimate; by default the old one, where
        it has been computed.
        """
        added = check_differences(differences)
        if added.shape[1] != self.differences.shape[1]:
            msg = f"differences must have {self.differences.shape[1]} columns, not {added.shape[1]}"
            raise ParameterError(msg)
        new = object.__new__(VersionSpace)
        new.differences = np.concatenate((self.differences, added))
        new.norm_bound, new.delta, new.consistent = self.norm_bound, self.delta, self.consistent
        new.groups = np.concatenate((self.groups, [self.answers] * len(added)))
        space = self._space
        for difference in added:
            space = space.extended(difference)
        new._space = space
        new._start = start if start is not None else self.__dict__.get("estimate")
        return new

    _start: FloatArray | None = None

    @property
    def answers(self) -> int:
        """t, the number of answers."""
        return int(self.groups[-1]) + 1 if len(self.groups) else 0

    @functools.cached_property
    def estimate(self) -> FloatArray:
        """theta_hat, shape (d,): the norm-constrained maximum-likelihood estimate (Eq. 2)."""
        first = np.zeros(len(self._space.basis))
        if self._start is not None:
            first = self._space.basis @ self._start
        return self._minimise(first) @ self._space.basis

    def _minimise(self, first: FloatArray) -> FloatArray:
        groups = None if len(self.groups) == self.answers else self.groups
        return minimise_in_ball(self._space.rows, self.norm_bound, groups, first)

    @functools.cached_property
    def radius(self) -> float:
        """beta_t, in nats."""
        d = self.differences.shape[1]
        return confidence_radius(self.answers, d, self.norm_bound, self.delta)

    @functools.cached_property
    def loss_can_bind(self) -> bool:
        """Whether the loss constraint can cut anything off the rest of the set.

        Inside the half-spaces an answer out of K costs at most ln K, and inside the ball at most
        ``ln(1 + sum_i exp(S ||z_i||))``: while the sum of these stays within the level, it cannot.
        """
        if self.consistent and len(self.differences) * math.log(2.0) <= self.radius:
            return False  # the usual case, told without fitting: ln K <= (K - 1) ln 2
        if self.consistent:
            most = np.zeros(len(self.differences))
        else:
            most = self.norm_bound * np.sqrt((self.differences**2).sum(axis=1))
        starts = self._starts
        rest = np.logaddexp.reduceat(most, starts)
        cap = float(np.logaddexp(0.0, rest).sum())
        return cap > self.radius and cap > self._level

    @property
    def _starts(self) -> IndexArray:
        return np.flatnonzero(np.diff(self.groups, prepend=-1))

    @functools.cached_property
    def _level(self) -> float:
        """The largest loss in the set, L_t(theta_hat) + beta_t."""
        y = self._space.basis @ self.estimate
        return float(self._region(level=None, halfspaces=None).loss(y[None])[0]) + self.radius

    def support(self, directions: FloatArray) -> FloatArray:
        """Support function ``h(c) = max of <theta, c>`` over the set.

        Args:
            directions: (n, d), or (d,) for a single one.

        Returns:
            (n,) values in utility units, or a 0-d array for a single direction. Never negative
            unless the loss constraint cuts the origin off.
        """
        directions, single = self._check_directions(directions)
        if self.loss_can_bind:
            values = np.einsum("nd,nd->n", self._argmax(directions), directions)
        else:
            values = self.cone_support(directions)
        return values[0] if single else values

    def argmax(self, directions: FloatArray) -> FloatArray:
        """A theta of the set that attains the support value in each direction.

        Args:
            directions: (n, d), or (d,) for a single one.

        Returns:
            (n, d) weights, or (d,).
        """
        directions, single = self._check_directions(directions)
        thetas = self._argmax(directions)
        return thetas[0] if single else thetas

    def contains(self, thetas: FloatArray, *, tolerance: float = 1e-9) -> BoolArray:
        """Whether weights lie in the set, within ``tolerance`` (relative to S) of each constraint.

        Args:
            thetas: (n, d), or (d,) for a single one.
            tolerance: how far outside still counts as inside.

        Returns:
            (n,) booleans, or a 0-d array for a single theta.
        """
        thetas, single = self._check_directions(thetas)
        slack = tolerance * self.norm_bound
        if self.empty:
            inside = np.sqrt(((thetas - self.estimate) ** 2).sum(axis=1)) <= slack
        else:
            inside = np.sqrt((thetas**2).sum(axis=1)) <= self.norm_bound + slack
            if self.consistent and len(self.differences):
                inside &= (thetas @ self._unit_differences.T >= -slack).all(axis=1)
            if self.loss_can_bind:
                y = thetas @ self._space.basis.T
                region = self._region(level=None, halfspaces=None)
                inside &= region.loss(y) <= self._level + slack
        return inside[0] if single else inside

    @functools.cached_property
    def _unit_differences(self) -> FloatArray:
        lengths = np.sqrt((self.differences**2).sum(axis=1))
        return self.differences[lengths > 0.0] / lengths[lengths > 0.0, None]

    def cone_support(self, directions: FloatArray) -> FloatArray:
        """Support values without the loss constraint, (n,); exact while that is slack.

        An upper bound otherwise, and nested: one more answer never raises it.
        """
        cone = self.cone(directions)
        return np.array([cone.exact(row) for row in range(len(directions))])

    @property
    def _half_spaces(self) -> FloatArray:
        return self._normals if self.consistent else self._normals[:0]

    @functools.cached_property
    def _normals(self) -> FloatArray:
        """Half-space normals in coordinates, of unit length: their scale means nothing."""
        rows = self._space.rows
        lengths = np.sqrt(np.einsum("mr,mr->m", rows, rows))
        if not lengths.all():
            rows, lengths = rows[lengths > 0.0], lengths[lengths > 0.0]
        return rows / lengths[:, None]

    def cone(self, directions: FloatArray) -> ConeSupport:
        """Support values without the loss constraint for (n, d) directions, to be asked for."""
        return ConeSupport(self._half_spaces, self._space, directions, self.norm_bound)

    def _argmax(self, directions: FloatArray) -> FloatArray:
        if self.empty:
            return np.repeat(self.estimate[None], len(directions), axis=0)
        coordinates, outside = self._space.split(directions)
        thetas = self._cone_argmax(coordinates, outside)
        if self.loss_can_bind:
            region = self._region(level=None, halfspaces=None)
            cut = region.loss(thetas @ self._space.basis.T) > self._level
            if cut.any():
                thetas[cut] = self._argmax_within_loss(coordinates[cut], outside[cut])
        return thetas

    def _cone_argmax(self, coordinates: FloatArray, outside: FloatArray) -> FloatArray:
        """A maximiser (n, d) over the cone cut by the ball: the projection, scaled to length S."""
        inside, outside = project_to_unit_length(self._half_spaces, coordinates, outside)
        return self.norm_bound * (inside @ self._space.basis + outside)

    def _argmax_within_loss(self, coordinates: FloatArray, outside: FloatArray) -> FloatArray:
        if self._interior is None:  # the callers have asked whether the set is empty
            raise AssertionError
        face, region, start = self._interior
        lengths = np.sqrt((outside**2).sum(axis=1, keepdims=True))
        x = _barrier.maximise(region, np.hstack((coordinates @ face.T, lengths)), start)
        unit = outside / np.where(lengths > 0.0, lengths, 1.0)
        return x[:, :-1] @ face @ self._space.basis + x[:, -1:] * unit

    @property
    def empty(self) -> bool:
        """Whether no weights satisfy all constraints, so that the set is ``{theta_hat}``."""
        return self.loss_can_bind and self.consistent and self._interior is None

    @functools.cached_property
    def _interior(self) -> tuple[FloatArray, _barrier.Region, FloatArray] | None:
        """The face of the cone that has an inside, the region in it, and a point strictly inside.

        Contradicting answers can flatten the cone: a half-space whose own normal has no room is an
        equality, and the search moves into the subspace of the equalities.
        """
        if not self.consistent:
            y = self._space.basis @ self.estimate
            region = self._region(level=self._level, halfspaces=None)
            shrink = 1e-3
            while region.loss((1.0 - shrink) * y[None])[0] >= self._level:
                shrink *= 0.1
            return np.eye(len(y)), region, np.append((1.0 - shrink) * y, 0.0)
        face, halfspaces = self._face[0], self._facets
        region = self._region(level=None, halfspaces=halfspaces, face=face)
        start = np.append(self._inside, 0.0)
        start = _barrier.minimise_loss(region, start, below=self._level)
        if region.loss(start[None, :-1])[0] >= self._level:
            return None
        return face, self._region(level=self._level, halfspaces=halfspaces, face=face), start

    @functools.cached_property
    def _face(self) -> tuple[FloatArray, FloatArray]:
        """Basis (f, r) of the cone's span, and the normals (h, r) of the half-spaces with room."""
        normals = self._normals
        room = np.array([project_on_cone(normals, normal) for normal in normals])
        flat = np.sqrt((room.reshape(normals.shape) ** 2).sum(axis=1)) <= NOWHERE
        face = np.eye(normals.shape[1])
        if flat.any():
            _, values, vectors = np.linalg.svd(normals[flat], full_matrices=True)
            face = vectors[int((values > _FLAT).sum()) :]
        return face, normals[~flat]

    @functools.cached_property
    def _inside(self) -> FloatArray:
        """A point (f,) of the cone's span inside its half-spaces, half as long as S."""
        face, normals = self._face
        rays, _ = project_to_unit_length(self._normals, normals, np.zeros_like(normals))
        inside = rays.sum(axis=0) @ face.T
        length = float(np.sqrt(inside @ inside))
        return inside * (0.5 * self.norm_bound / length) if length > 0.0 else inside

    @functools.cached_property
    def _facets(self) -> FloatArray:
        """The half-spaces in the cone's span that the others do not imply, as unit normals.

        Interior points would crawl along a wall that hundreds of answers repeat.
        """
        halfspaces = self._face[1] @ self._face[0].T
        halfspaces = halfspaces / np.sqrt((halfspaces**2).sum(axis=1, keepdims=True))
        kept = np.ones(len(halfspaces), dtype=bool)
        for i, halfspace in enumerate(halfspaces):
            kept[i] = False  # a sum of the others leaves nothing of its negative inside them
            room = project_on_cone(halfspaces[kept], -halfspace)
            kept[i] = np.sqrt(room @ room) > _FLAT
        return np.asarray(halfspaces[kept])

    @property
    def contradictory(self) -> bool:
        """Whether the answers contradict each other, so that no half-space set with an inside fits.

        Then some answers hold as equalities at best, and a bound on the set means little.
        """
        return len(self._face[0]) < self._normals.shape[1]

    @functools.cached_property
    def estimate_inside(self) -> FloatArray:
        """The estimate restricted to the half-spaces, shape (d,).

        The loss's minimiser over the ball and the half-spaces of Eq. 4. The unrestricted estimate
        leaves them now and then even where nobody contradicted themselves; where answers do
        contradict each other so that the half-spaces have no inside, it is returned as it is.
        """
        theta = self.estimate
        if len(self._normals) == 0 or (self._unit_differences @ theta >= 0.0).all():
            return theta
        if self.contradictory:
            return theta
        start = np.append(self._inside, 0.0)
        region = self._region(level=None, halfspaces=self._facets)
        return _barrier.minimise_loss(region, start)[:-1] @ self._space.basis

    def _region(
        self,
        *,
        level: float | None,
        halfspaces: FloatArray | None,
        face: FloatArray | None = None,
    ) -> _barrier.Region:
        rows = self._space.rows if face is None else self._space.rows @ face.T
        if halfspaces is None:
            halfspaces = np.zeros((0, rows.shape[1]))
        return _barrier.Region(rows, self._starts, halfspaces, self.norm_bound, level)

    def _check_directions(self, directions: FloatArray) -> tuple[FloatArray, bool]:
        directions = np.asarray(directions, dtype=np.float64)
        d = self.differences.shape[1]
        if directions.ndim not in (1, 2) or directions.shape[-1] != d:
            msg = f"expected shape (n, {d}) or ({d},), not {directions.shape}"
            raise ParameterError(msg)
        return np.atleast_2d(directions), directions.ndim == 1


def _check_groups(groups: IndexArray | None, m: int) -> IndexArray:
    if groups is None:
        return np.arange(m)
    groups = np.asarray(groups, dtype=np.intp)
    steps = np.diff(groups, prepend=-1)
    if groups.shape != (m,) or not np.isin(steps, (0, 1)).all() or (m and groups[0] != 0):
        msg = f"groups must number the answers of the {m} rows 0, 0, 1, 2, 2, ... in order"
        raise ParameterError(msg)
    return groups
