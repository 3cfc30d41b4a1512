"""The design by pairwise steps: mass moves from one token of a slot to another.

Such a step changes the information by rank 2, ``M + B K(x) B^T`` with ``B = [phi_a - mu,
phi_b - mu]`` and ``K(x) = c [[x - x^2, x^2], [x^2, -x - x^2]]``, so that the best amount x is the
root of a quadratic, and the derivatives at all N tokens follow in O(N r).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.design._multiplicative import multiplicative_pass

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray
    from palate.design._objective import Objective, Point

_PASSES = 5  # multiplicative, before the first step
_SPARED = (4.0, 2.0, 1.0, 0.5, 0.25)  # of a uniform weight, tried one after the other
_REFRESH = 300  # steps after which everything is computed anew
_GONE = 1e-12


def pairwise(
    objective: Objective, start: FloatArray, *, tol: float, max_steps: int
) -> tuple[Point, int]:
    """The best design, and the pairwise steps that it took.

    Args:
        objective: f.
        start: (N,) weights.
        tol: stop at a duality gap of this share of f's gain over the prior.
        max_steps: pairwise steps at most.
    """
    point = objective.at(start)
    for _ in range(_PASSES):
        point = objective.at(multiplicative_pass(objective, point))
    point = _thinned(objective, point)
    steps = 0
    while steps < max_steps and point.gap > tol * objective.gain(point):
        run = _Run(objective, point)
        taken = run.steps(tol=tol, at_most=min(_REFRESH, max_steps - steps))
        moved = objective.at(run.weights / objective.total(run.weights)[objective.slot_of])
        if not taken or moved.value <= point.value:
            break
        point, steps = moved, steps + taken
    return point, steps


def _thinned(objective: Objective, point: Point) -> Point:
    """The design without its lightest tokens, as many as f can spare; a step drops one at most."""
    uniform = objective.uniform()
    for share in _SPARED:
        weights = np.where(point.weights < share * uniform, 0.0, point.weights)
        totals = objective.total(weights)
        if totals.min() > 0.0:
            thinned = objective.at(weights / totals[objective.slot_of])
            if thinned.value >= point.value:
                return thinned
    return point


def best_amount(
    inner: FloatArray, weighed: FloatArray | None, scale: float, most: float
) -> tuple[float, float]:
    """How much mass to move from token b to token a, and what f gains by it.

    Args:
        inner: (2, 2) ``P = B^T M^-1 B``.
        weighed: (2, 2) ``R = B^T M^-1 V M^-1 B``, or None for D.
        scale: c, what a unit of the slot's covariance adds to M.
        most: the weight of b.
    """
    c = scale
    # det(I + K P) = 1 + rise x - fall x^2; both gains below are concave on the feasible amounts.
    rise = c * (inner[0, 0] - inner[1, 1])
    determinant = inner[0, 0] * inner[1, 1] - inner[0, 1] ** 2
    fall = c * (inner[0, 0] - 2.0 * inner[0, 1] + inner[1, 1]) + c * c * max(determinant, 0.0)
    if weighed is None:
        x = min(most, rise / (2.0 * fall))
        return x, float(np.log1p(x * (rise - x * fall)))
    # tr((I + K P)^-1 K R) = (alpha x - beta x^2) / det(I + K P), from the adjugates of 2 x 2.
    alpha = c * (weighed[0, 0] - weighed[1, 1])
    crossed = (
        inner[1, 1] * weighed[0, 0]
        + inner[0, 0] * weighed[1, 1]
        - 2.0 * inner[0, 1] * weighed[0, 1]
    )
    beta = c * (weighed[0, 0] - 2.0 * weighed[0, 1] + weighed[1, 1]) + c * c * crossed
    root = np.sqrt(max(beta * beta - alpha * (alpha * fall - beta * rise), 0.0))
    x = min(most, alpha / (beta + root))
    return x, float(x * (alpha - beta * x) / (1.0 + x * (rise - x * fall)))


class _Run:
    """Weights, M^-1 and the tokens' squared lengths under G, kept current step by step.

    Tokens are measured from the slots' means at the start of the run. Kept of each token are
    ``squares = x^T G x`` and ``across = x^T G mu`` with mu its slot's mean: their derivatives are
    ``c (squares - 2 across)``, up to a constant a slot.
    """

    def __init__(self, objective: Objective, point: Point) -> None:
        self.objective = objective
        self.weights = point.weights.copy()
        self.tokens = point.centred
        self.inverse = point.inverse.copy()
        self.gain = objective.gain(point)
        self.means = np.zeros((len(objective.starts), self.tokens.shape[1]))
        self.squares = point.gradient / objective.scale
        self.across = np.zeros(len(self.weights))

    def steps(self, *, tol: float, at_most: int) -> int:
        """Steps until the gap is small, none helps, or there were enough; how many."""
        for step in range(at_most):
            slopes = self.objective.scale * (self.squares - 2.0 * self.across)
            best, worst, gaps = self._ends(slopes)
            if gaps.sum() <= tol * self.gain:
                return step
            score = (slopes[best] - slopes[worst]) * np.sqrt(self.weights[worst])
            slot = int(score.argmax())
            if not self._move(slot, int(best[slot]), int(worst[slot])):
                return step
        return at_most

    def _ends(self, slopes: FloatArray) -> tuple[IndexArray, IndexArray, FloatArray]:
        """The steepest token of each slot, the least steep with weight, and the slot's gap."""
        best, worst, gaps = [], [], []
        held = np.where(self.weights > 0.0, slopes, np.inf)
        for s in self.objective.slots:
            best.append(s.start + int(slopes[s].argmax()))
            worst.append(s.start + int(held[s].argmin()))
            gaps.append(slopes[best[-1]] - slopes[s] @ self.weights[s])
        return np.array(best), np.array(worst), np.array(gaps)

    def _move(self, slot: int, a: int, b: int) -> bool:
        """Move mass from token b to token a of a slot; False if that would gain nothing."""
        target, c = self.objective.criterion.target, float(self.objective.scale[a])
        ends = (self.tokens[[a, b]] - self.means[slot]).T  # B
        solved = self.inverse @ ends  # W = M^-1 B
        inner = ends.T @ solved
        weighed, mapped = None, solved  # G B
        if target is not None:
            half = target @ solved
            weighed, mapped = solved.T @ half, self.inverse @ half
        x, gained = best_amount(inner, weighed, c, float(self.weights[b]))
        if not gained > 0.0:
            return False
        change = c * np.array([[x - x * x, x * x], [x * x, -x - x * x]])
        change = np.linalg.solve(np.eye(2) + change @ inner, change)  # (I + K P)^-1 K
        change = 0.5 * (change + change.T)
        # G changes by -W C (G B)^T - (G B) C W^T + W C R C W^T, or by -W C W^T for D.
        left = change if weighed is None else 2.0 * change
        own = np.zeros((2, 2)) if weighed is None else change @ weighed @ change
        along = self.tokens @ np.concatenate([solved, mapped], axis=1)
        by_solved, by_mapped = along[:, :2], along[:, 2:]
        self.squares -= np.einsum("ij,jk,ik->i", by_solved, left, by_mapped)
        self.squares += np.einsum("ij,jk,ik->i", by_solved, own, by_solved)
        slot_of = self.objective.slot_of
        means_solved, means_mapped = self.means @ solved, self.means @ mapped
        to_solved = (means_mapped @ change - means_solved @ own)[slot_of]
        self.across -= np.einsum("ij,ij->i", by_solved, to_solved)
        if weighed is not None:
            self.across -= np.einsum("ij,ij->i", by_mapped, (means_solved @ change)[slot_of])
        shift = (np.eye(2) - change @ inner) @ np.array([x, -x])
        rows = self.objective.slots[slot]
        self.across[rows] += by_mapped[rows] @ shift
        if weighed is not None:
            self.across[rows] -= by_solved[rows] @ (change @ weighed @ shift)
        self.inverse -= solved @ change @ solved.T
        self.means[slot] += ends @ np.array([x, -x])
        self.weights[a] += x
        self.weights[b] = 0.0 if self.weights[b] - x <= _GONE else self.weights[b] - x
        self.gain += gained
        return True
