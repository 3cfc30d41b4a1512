"""The loss of answers that were given more than once, at many points at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray


@dataclass(frozen=True, slots=True)
class WeightedLoss:
    """``sum_g weights_g log(1 + sum_{i in g} exp(-<y, rows_i>))``, in nats.

    Attributes:
        rows: (m, r) differences, winner minus loser; the K - 1 rows of an answer adjoin.
        starts: (g,) first row of each answer.
        weights: (g,) how often each answer was given.
    """

    rows: FloatArray
    starts: IndexArray
    weights: FloatArray

    def value(self, y: FloatArray) -> FloatArray:
        """Losses (...) of points (..., r)."""
        margins = y @ self.rows.T
        if self._pairs:
            return np.asarray(np.logaddexp(0.0, -margins) @ self.weights)
        return np.asarray(self._partition(margins)[0] @ self.weights)

    def derivatives(self, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Losses (...), gradients (..., r) and Hessians (..., r, r) at points (..., r)."""
        margins = y @ self.rows.T
        if self._pairs:
            losses, p = np.logaddexp(0.0, -margins), expit(-margins)
            weighted = self.weights * p
            bend = (self.rows.T * (weighted * (1.0 - p))[..., None, :]) @ self.rows
            return losses @ self.weights, -(weighted @ self.rows), bend
        losses, p = self._partition(margins)
        weighted = p * np.repeat(self.weights, self._sizes)
        means = np.add.reduceat(p[..., None] * self.rows, self.starts, axis=-2)
        bend = (self.rows.T * weighted[..., None, :]) @ self.rows
        bend -= (means * self.weights[:, None]).swapaxes(-1, -2) @ means
        return losses @ self.weights, -(weighted @ self.rows), bend

    @property
    def _pairs(self) -> bool:
        return len(self.starts) == len(self.rows)

    @property
    def _sizes(self) -> IndexArray:
        return np.diff(self.starts, append=len(self.rows))

    def _partition(self, margins: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Losses (..., g) by answer, and probabilities (..., m) of what was not picked."""
        sizes = self._sizes
        # Shifted by the largest term, so that nothing overflows.
        top = np.maximum(np.maximum.reduceat(-margins, self.starts, axis=-1), 0.0)
        terms = np.exp(-margins - np.repeat(top, sizes, axis=-1))
        losses = top + np.log(np.exp(-top) + np.add.reduceat(terms, self.starts, axis=-1))
        return losses, np.exp(-margins - np.repeat(losses, sizes, axis=-1))
