"""How near a fitted PAL-A is to the truth of a simulation, by what preferences can tell.

Preferences leave open a rotation, a reflection, a shift and (but for how sure the answers are) the
scale of f's image, the order of the prototypes, and how far outside the people they lie. So images
of items are aligned first; what people then want and think can be compared. Prototypes are matched
too, but must not be expected to agree where people are mixtures well inside their hull.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import linear_sum_assignment

from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from palate._typing import FloatArray, IndexArray
    from palate.population.data import PreferenceData
    from palate.population.model import PalA, PopulationModel


@dataclass(frozen=True, eq=False)
class Recovery:
    """Distances in the true image, after the fitted image was aligned to it.

    Attributes:
        ideal_points: (U,) of each person's fitted ideal point to the true one, |A(a_hat - a)|.
        prototypes: (min(K, K*),) of each fitted prototype to the true one that it is matched with.
        matches: (min(K, K*), 2) which fitted one with which true one, so that the sum is least.
        spread: root mean square distance of the true ideal points to their centre: the error that
            one point for everybody makes at best.
        image: error of the items' aligned images, relative to their spread; 1 tells nothing.
    """

    ideal_points: FloatArray
    prototypes: FloatArray
    matches: IndexArray
    spread: float
    image: float

    @property
    def relative(self) -> float:
        """Root mean square error of the ideal points over their spread: 0 exact, 1 no use."""
        return float(np.sqrt((self.ideal_points**2).mean()) / self.spread)


def measure_recovery(
    model: PalA,
    truth: PalA,
    items: FloatArray,
    *,
    weights: FloatArray | None = None,
    true_weights: FloatArray | None = None,
) -> Recovery:
    """Compare a fitted PAL-A with the true one.

    Args:
        model: the fitted.
        truth: the one that the answers were drawn from.
        items: (M, D) items to align the images by, M well above d.
        weights: (U, K) of some people; by default those of the people whom both models know.
        true_weights: (U, K*) of the same.

    Raises:
        ParameterError: no person is in both, or weights are given for one model only.
    """
    if (weights is None) != (true_weights is None):
        raise ParameterError("give weights for both models, or for neither")
    if weights is None or true_weights is None:
        both = [name for name in truth.people if name in set(model.people)]
        if not both:
            raise ParameterError("the two models know no person in common; give their weights")
        weights = np.array([model.weights_of(name) for name in both])
        true_weights = np.array([truth.weights_of(name) for name in both])
    aligned, image = _alignment(model.f(items), truth.f(items))
    points = aligned(model.ideal_points(weights))
    true_points = _padded(truth.ideal_points(true_weights), points.shape[1])
    prototypes = aligned(model.ideal_points(np.eye(model.k)))
    true_prototypes = _padded(truth.ideal_points(np.eye(truth.k)), points.shape[1])
    distances = _lengths(prototypes[:, None] - true_prototypes)
    matches = np.stack(linear_sum_assignment(distances), axis=1)
    return Recovery(
        ideal_points=_lengths(points - true_points),
        prototypes=distances[matches[:, 0], matches[:, 1]],
        matches=matches,
        spread=float(np.sqrt((_lengths(true_points - true_points.mean(axis=0)) ** 2).mean())),
        image=image,
    )


def reward_correlation(
    model: PopulationModel,
    truth: PopulationModel,
    data: PreferenceData,
    *,
    weights: FloatArray | None = None,
    true_weights: FloatArray | None = None,
) -> FloatArray:
    """(U,) how far two models agree on the differences of rewards that each person compared.

    The correlation, about 0, of the margins of each person's rows: 1 where rewards are equal up to
    a constant and a positive factor, which preferences leave open. NaN for people without rows.

    Args:
        model: one.
        truth: the other.
        data: comparisons; which option was chosen does not matter.
        weights: (U, K) of ``data.people`` in the first; by default as trained.
        true_weights: (U, K*) of ``data.people`` in the second; by default as trained.
    """
    one, two = model.margins(data, weights), truth.margins(data, true_weights)

    def total(values: FloatArray) -> FloatArray:
        sums = np.bincount(data.person, weights=values, minlength=len(data.people))
        return sums.astype(np.float64)

    scale = np.sqrt(total(one * one) * total(two * two))
    return np.divide(total(one * two), scale, out=np.full(len(scale), np.nan), where=scale > 0)


def _alignment(
    images: FloatArray, true_images: FloatArray
) -> tuple[Callable[[FloatArray], FloatArray], float]:
    """The similarity that brings images nearest to the true ones, and the relative error left.

    Procrustes' problem, solved by a singular value decomposition; the smaller image gets zeros for
    the dimensions that it lacks.
    """
    d = max(images.shape[1], true_images.shape[1])
    centre, true_centre = images.mean(axis=0), _padded(true_images, d).mean(axis=0)
    one, two = _padded(images - centre, d), _padded(true_images, d) - true_centre
    left, values, right = np.linalg.svd(one.T @ two)
    turn = left @ right * (values.sum() / (one * one).sum())
    error = np.sqrt(((one @ turn - two) ** 2).sum() / (two * two).sum())

    def aligned(points: FloatArray) -> FloatArray:
        return _padded(points - centre, d) @ turn + true_centre

    return aligned, float(error)


def _padded(rows: FloatArray, d: int) -> FloatArray:
    return np.hstack((rows, np.zeros((len(rows), d - rows.shape[1]))))


def _lengths(rows: FloatArray) -> FloatArray:
    return np.sqrt((rows * rows).sum(axis=-1))
