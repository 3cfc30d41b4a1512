"""The weights that a person's answers still allow (USERALIGN, Eq. 3 and 4)."""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING

import numpy as np

from palate.errors import ParameterError
from palate.preference._answers import DistinctAnswers
from palate.preference._cone import (
    NOWHERE,
    ConeSupport,
    project_on_cone,
    project_to_unit_length,
)
from palate.preference._inside import face_inside, point_inside
from palate.preference._interior_point import Region, maximise
from palate.preference.confidence import check_delta, confidence_radius
from palate.preference.estimate import (
    check_differences,
    check_norm_bound,
    minimise_in_ball,
    minimise_in_cone,
)

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray, IndexArray
    from palate.preference._loss import WeightedLoss
    from palate.preference._rowspace import RowSpace


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
            default each row is an answer of its own. A stage of an order is an answer here: given
            the weights, stages are independent picks, each a term of the loss.

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
        self._distinct = DistinctAnswers.of(self.differences, self.groups)

    def extended(
        self,
        differences: FloatArray,
        *,
        groups: IndexArray | None = None,
        start: FloatArray | None = None,
    ) -> VersionSpace:
        """The version space after one more answer, given as its (K - 1, d) differences.

        Args:
            differences: of the answer, or of several.
            groups: (m,) number from 0 of the answer that each row belongs to; by default all belong
                to one. An order counts towards t once a stage.
            start: where to begin the search for the new estimate; by default the old one, where it
                has been computed.

        Raises:
            ParameterError: an argument has the wrong shape.
        """
        added = check_differences(differences)
        if added.shape[1] != self.differences.shape[1]:
            msg = f"differences must have {self.differences.shape[1]} columns, not {added.shape[1]}"
            raise ParameterError(msg)
        new = object.__new__(VersionSpace)
        new.differences = np.concatenate((self.differences, added))
        new.norm_bound, new.delta, new.consistent = self.norm_bound, self.delta, self.consistent
        if groups is None:
            groups = np.zeros(len(added), dtype=np.intp)
        else:
            groups = _check_groups(groups, len(added))
        new.groups = np.concatenate((self.groups, groups + self.answers))
        new._distinct = self._distinct.extended(added, groups)
        new._start = start if start is not None else self.__dict__.get("estimate")
        return new

    _start: FloatArray | None = None

    @property
    def answers(self) -> int:
        """t, the number of answers; an order counts once a stage."""
        return int(self.groups[-1]) + 1 if len(self.groups) else 0

    @functools.cached_property
    def estimate(self) -> FloatArray:
        """theta_hat, shape (d,): the norm-constrained maximum-likelihood estimate (Eq. 2)."""
        first = np.zeros(len(self._space.basis))
        if self._start is not None:
            first = self._space.basis @ self._start
        return minimise_in_ball(self._loss, self.norm_bound, first) @ self._space.basis

    @property
    def _space(self) -> RowSpace:
        return self._distinct.space

    @functools.cached_property
    def _loss(self) -> WeightedLoss:
        return self._distinct.loss

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
        rows = self._space.rows
        lengths = np.sqrt((rows * rows).sum(axis=1))
        most = np.zeros(len(rows)) if self.consistent else self.norm_bound * lengths
        rest = np.logaddexp.reduceat(most, self._loss.starts)
        cap = float(np.logaddexp(0.0, rest) @ self._loss.weights)
        return cap > self.radius and cap > self._level

    @functools.cached_property
    def _level(self) -> float:
        """The largest loss in the set, L_t(theta_hat) + beta_t."""
        y = self._space.basis @ self.estimate
        return float(self._loss.value(y)) + self.radius

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
                inside &= self._loss.value(y) <= self._level + slack
        return inside[0] if single else inside

    @functools.cached_property
    def _unit_differences(self) -> FloatArray:
        lengths = np.sqrt((self.differences**2).sum(axis=1))
        return self.differences[lengths > 0.0] / lengths[lengths > 0.0, None]

    def cone_support(self, directions: FloatArray) -> FloatArray:
        """Support values without the loss constraint, (n,); exact while that is slack.

        An upper bound otherwise, and nested: one more answer never raises it.
        """
        if len(self._half_spaces) == 0:
            return np.asarray(self.norm_bound * np.sqrt((directions**2).sum(axis=1)))
        cone = self.cone(directions)
        return np.array([cone.exact(row) for row in range(len(directions))])

    @property
    def _half_spaces(self) -> FloatArray:
        return self._normals if self.consistent else np.zeros((0, len(self._space.basis)))

    @functools.cached_property
    def _normals(self) -> FloatArray:
        """Half-space normals in coordinates, of unit length: their scale means nothing."""
        rows = self._space.rows
        if len(self.differences) > self.answers:
            rows = rows[np.unique(self._distinct.index[~self._implied])]
        lengths = np.sqrt(np.einsum("mr,mr->m", rows, rows))
        if not lengths.all():
            rows, lengths = rows[lengths > 0.0], lengths[lengths > 0.0]
        return rows / lengths[:, None]

    @functools.cached_property
    def _implied(self) -> BoolArray:
        """(m,) rows whose half-spaces others imply: of an order all but those of neighbours.

        Where a stage's rows are ``z_l = z_i + z'_l``, z' being the rows of the next stage, the
        half-spaces of ``z_i`` and of z' say all that those of the other ``z_l`` do.
        """
        implied = np.zeros(len(self.differences), dtype=bool)
        ends = np.append(np.flatnonzero(np.diff(self.groups, prepend=-1)), len(implied))
        sizes = np.diff(ends)
        for stage in np.flatnonzero((sizes[:-1] > 1) & (sizes[1:] == sizes[:-1] - 1)):
            first, last, end = ends[stage : stage + 3]
            rows, following = self.differences[first:last], self.differences[last:end]
            rounding = (
                4.0 * np.finfo(np.float64).eps * max(np.abs(rows).max(), np.abs(following).max())
            )
            for i, row in enumerate(rows):
                if (np.abs(np.delete(rows, i, axis=0) - row - following) <= rounding).all():
                    implied[first:last] = True
                    implied[first + i] = False
                    break
        return implied

    def cone(self, directions: FloatArray) -> ConeSupport:
        """Support values without the loss constraint for (n, d) directions, to be asked for."""
        return ConeSupport(self._half_spaces, self._space, directions, self.norm_bound)

    def _argmax(self, directions: FloatArray) -> FloatArray:
        if self.empty:
            return np.repeat(self.estimate[None], len(directions), axis=0)
        coordinates, outside = self._space.split(directions)
        thetas = self._cone_argmax(coordinates, outside)
        if self.loss_can_bind:
            cut = self._loss.value(thetas @ self._space.basis.T) > self._level
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
        x = maximise(region, np.hstack((coordinates @ face.T, lengths)), start)
        unit = outside / np.where(lengths > 0.0, lengths, 1.0)
        return x[:, :-1] @ face @ self._space.basis + x[:, -1:] * unit

    @property
    def empty(self) -> bool:
        """Whether no weights satisfy all constraints, so that the set is ``{theta_hat}``."""
        return self.loss_can_bind and self.consistent and self._interior is None

    @functools.cached_property
    def _interior(self) -> tuple[FloatArray, Region, FloatArray] | None:
        """A basis of the set's span, the region in it, and a point strictly inside; None if empty.

        Contradicting answers flatten the cone, and the search moves into the face that is left.
        """
        if not self.consistent:
            best = self._space.basis @ self.estimate
            region = Region(self._loss, self._level, self._half_spaces, self.norm_bound)
            return np.eye(len(best)), region, _below(region, best, np.zeros_like(best))
        face, halfspaces, inside = np.eye(len(self._space.basis)), self._normals, self._inside
        if inside is None:
            face, halfspaces, inside = face_inside(self._normals)
        best = inside = 0.5 * self.norm_bound * inside
        loss = dataclasses.replace(self._loss, rows=self._space.rows @ face.T)
        if len(halfspaces):
            best = minimise_in_cone(loss, halfspaces, self.norm_bound, inside)
        if loss.value(best) >= self._level:
            return None
        region = Region(loss, self._level, halfspaces, self.norm_bound)
        return face, region, _below(region, best, inside)

    @functools.cached_property
    def _inside(self) -> FloatArray | None:
        return point_inside(self._normals)

    @property
    def contradictory(self) -> bool:
        """Whether the answers contradict each other, so that no half-space set with an inside fits.

        Then some answers hold as equalities at best, and a bound on the set means little.
        """
        return self._inside is None

    @functools.cached_property
    def estimate_inside(self) -> FloatArray:
        """The estimate restricted to the half-spaces, shape (d,).

        The loss's minimiser over the ball and the half-spaces of Eq. 4. The unrestricted estimate
        leaves them now and then even where nobody contradicted themselves; where answers do
        contradict each other so that the half-spaces have no inside, it is returned as it is.
        """
        theta = self.estimate
        if (self._unit_differences @ theta >= 0.0).all() or self._inside is None:
            return theta
        start = project_on_cone(self._normals, self._space.basis @ theta)
        if start @ start <= (NOWHERE * self.norm_bound) ** 2:
            start = self._inside
        y = minimise_in_cone(self._loss, self._normals, self.norm_bound, start)
        return y @ self._space.basis

    def _check_directions(self, directions: FloatArray) -> tuple[FloatArray, bool]:
        directions = np.asarray(directions, dtype=np.float64)
        d = self.differences.shape[1]
        if directions.ndim not in (1, 2) or directions.shape[-1] != d:
            msg = f"expected shape (n, {d}) or ({d},), not {directions.shape}"
            raise ParameterError(msg)
        return np.atleast_2d(directions), directions.ndim == 1


def _below(region: Region, best: FloatArray, inside: FloatArray) -> FloatArray:
    """A point (r + 1,) strictly inside a region, between the one of least loss and another."""
    point = 0.5 * (best + inside)
    while region.loss.value(point) >= region.level:
        point = 0.5 * (point + best)
    return np.append(point, 0.0)


def _check_groups(groups: IndexArray | None, m: int) -> IndexArray:
    if groups is None:
        return np.arange(m)
    groups = np.asarray(groups, dtype=np.intp)
    steps = groups[1:] - groups[:-1]
    in_order = groups.shape == (m,) and ((steps == 0) | (steps == 1)).all()
    if not in_order or (m and groups[0] != 0):
        msg = f"groups must number the answers of the {m} rows 0, 0, 1, 2, 2, ... in order"
        raise ParameterError(msg)
    return groups
