"""People as points of the simplex, from a few answers of each (PAL, Section 2.2).

Where a model's reward is linear in the weights, the most plausible weights of a person are a convex
problem in K - 1 numbers, and :func:`locate` solves it exactly for everybody at once: with each
person's weights comes the Frank-Wolfe gap, which bounds how far they are from the best.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate.errors import ParameterError
from palate.population._answers import Answers
from palate.population._multistart import linear_surrogate, linearised_at, multistart
from palate.population._newton import Penalty, newton
from palate.population._simplex import inverse_on_face

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from palate._typing import FloatArray, IndexArray
    from palate.population.data import PreferenceData
    from palate.population.model import PopulationModel

PRIOR_WEIGHT = 3.0
"""Of :func:`locate`: near the best of those tried on simulated populations, and with few answers no
worse than the mean weights (``palate bench population prior``)."""

TOLERANCE = 1e-8
"""The Frank-Wolfe gap to reach, in nats an answer."""

_SUM = 1e-5  # how far from 1 the weights given may sum


@dataclass(frozen=True, eq=False)
class Located:
    """Where people are.

    Attributes:
        weights: (U, K) rows of the simplex.
        gap: (U,) how far, at most, what was minimised lies above its least, in nats an answer; nan
            where the problem is not convex, so that nobody can tell.
        loss: (U,) mean log loss of each person's answers at their weights; nan without answers.
        steps: (U,) Newton steps that it took.
        prior_weight: c of the prior that they were located with.
    """

    weights: FloatArray
    gap: FloatArray
    loss: FloatArray
    steps: IndexArray
    prior_weight: float

    @property
    def certified(self) -> bool:
        """Whether everybody's weights are the best, within 1e-6 nats an answer."""
        return bool((self.gap <= 1e-6).all())


def locate(
    model: PopulationModel,
    data: PreferenceData,
    *,
    prior_weight: float = PRIOR_WEIGHT,
    prior_mean: ArrayLike | None = None,
    start: ArrayLike | None = None,
) -> Located:
    """Find people's weights from their answers; the model stays as it is.

    Somebody without answers gets the prior mean. Variants whose reward is not linear in the
    weights are solved from several starts, without a certificate.

    Args:
        model: a trained model.
        data: answers of the people to locate; items and prompts as the model was trained on.
        prior_weight: c >= 0, the precision of a Gaussian prior: the sum of a person's log losses
            plus ``c/2 |w - prior_mean|^2`` is minimised, so that the prior fades as answers
            arrive. 0 is maximum likelihood; see :func:`choose_prior_weight`.
        prior_mean: (K,), or (U, K), rows of the simplex; by default the average of the people that
            the model was trained on.
        start: (U, K) weights to begin from, such as those found before the last answers.

    Raises:
        ParameterError: the data does not fit the model, or a setting is outside its range.
    """
    mean = model.mean_weights if prior_mean is None else prior_mean
    if model.linear_in_weights:
        b, gains = model.linearised(data)
        return locate_on_simplex(
            b,
            gains,
            data.person,
            len(data.people),
            pick=data.pick,
            prior_weight=prior_weight,
            prior_mean=mean,
            start=start,
        )
    return _locate_from_many_starts(model, data, prior_weight, mean, start)


def locate_on_simplex(
    b: FloatArray,
    gains: FloatArray,
    person: IndexArray,
    people: int,
    *,
    prior_weight: float,
    prior_mean: ArrayLike,
    pick: IndexArray | None = None,
    start: ArrayLike | None = None,
) -> Located:
    """:func:`locate` on arrays: margins ``b + gains w`` that should be positive.

    Minimised over the simplex, for each person with n answers, is the mean of their losses
    ``log(1 + sum exp(-(b_j + G_j w)))``, the sum over the rows of an answer, plus
    ``c/2n |w - prior_mean|^2``.

    Args:
        b: (n,) margins at w = 0, in any order of people.
        gains: (n, K), G.
        person: (n,) whose row it is, from 0 to ``people - 1``.
        people: U.
        prior_weight: c >= 0.
        prior_mean: (K,) or (U, K).
        pick: (n,) number of each row's answer, whose rows adjoin; by default each is its own.
        start: (U, K); by default the prior mean.

    Raises:
        ParameterError: a setting is outside its range, or a margin is not finite.
    """
    if not (np.isfinite(b).all() and np.isfinite(gains).all()):
        raise ParameterError("the model's rewards of these items are not finite")
    mean, begin = _settings(prior_weight, prior_mean, start, (people, gains.shape[1]))
    answers, who = Answers.of_people(b, gains, person, pick, people)
    penalty = _penalty(prior_weight, answers.answers, mean[who])
    found, gap, steps = newton(answers, penalty, begin[who].T, TOLERANCE)
    result = _nobody_answered(mean, prior_weight)
    result.weights[who], result.gap[who], result.steps[who] = found.T, gap, steps
    result.loss[who] = answers.loss(answers.margins(found))
    return result


def choose_prior_weight(
    model: PopulationModel,
    support: PreferenceData,
    validation: PreferenceData,
    grid: Sequence[float] = (0.0, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0),
    *,
    prior_mean: ArrayLike | None = None,
) -> float:
    """The prior weight whose located people predict other answers of theirs best.

    Args:
        model: a trained model.
        support: answers to locate people by, as many of each as will be had of new people.
        validation: other answers of the same people, none of them in training.
        grid: weights to try.
        prior_mean: as in :func:`locate`.

    Returns:
        The one of the grid with the least mean log loss of the validation answers.

    Raises:
        ParameterError: the people differ, or there is nothing to choose by or from.
    """
    if support.people != validation.people:
        raise ParameterError("support and validation must be of the same people, in the same order")
    if not len(validation) or not len(grid):
        raise ParameterError("give at least one prior weight, and answers to choose it by")

    def loss(prior_weight: float) -> float:
        at = locate(model, support, prior_weight=prior_weight, prior_mean=prior_mean).weights
        answers, who = _answers_at(model, validation, at)
        losses = answers.loss(answers.margins(at[who].T))
        return float((losses * answers.answers).sum())

    return min(grid, key=loss)


def covariance(model: PopulationModel, data: PreferenceData, located: Located) -> FloatArray:
    """How uncertain people's weights are: Laplace's approximation on the face they lie on.

    The inverse Hessian of what :func:`locate` minimised, on the directions that keep the sum of
    the weights and leave those at 0 where they are; so a weight at 0 counts as known, and nothing
    but more answers moves it. Curvature of the margins themselves is left out.

    Args:
        model: as given to :func:`locate`, and so are the data.
        data: the answers.
        located: what it found.

    Returns:
        (U, K, K), positive semi-definite, rows and columns sum to 0.

    Raises:
        ParameterError: they were located without a prior, so that there may be no inverse.
    """
    if located.prior_weight <= 0.0:
        raise ParameterError("a covariance needs a prior: locate with a prior_weight above 0")
    w = located.weights
    hessian = np.zeros((model.k, model.k, len(w)))
    answers, who = _answers_at(model, data, w)
    hessian[:, :, who] = answers.hessian(answers.margins(w[who].T)) * answers.answers
    k = np.arange(model.k)
    hessian[k, k] += located.prior_weight
    return inverse_on_face(hessian, w.T > 0.0).transpose(2, 0, 1)


def _locate_from_many_starts(
    model: PopulationModel,
    data: PreferenceData,
    prior_weight: float,
    prior_mean: ArrayLike,
    start: ArrayLike | None,
) -> Located:
    """From the vertices, the prior mean, ``start``, and where the linear surrogate puts people."""
    shape = len(data.people), model.k
    mean, begin = _settings(prior_weight, prior_mean, start, shape)
    result = _nobody_answered(mean, prior_weight)
    result.gap[:] = np.nan
    who = np.flatnonzero(data.per_person)
    if not len(who):
        return result
    near = locate(linear_surrogate(model), data, prior_weight=prior_weight, prior_mean=mean).weights
    vertices = np.broadcast_to(np.eye(model.k)[:, None], (model.k, *shape))
    starts = np.concatenate([[mean, begin, near], vertices])[:, who].transpose(0, 2, 1)
    data = data.of_people(who)
    penalty = _penalty(prior_weight, data.answers_per_person, mean[who])
    found, result.steps[who] = multistart(model, data, penalty, starts)
    result.weights[who] = found.T
    at = linearised_at(model, data, found)
    result.loss[who] = at.loss(at.margins(found))
    return result


def _answers_at(
    model: PopulationModel, data: PreferenceData, weights: FloatArray
) -> tuple[Answers, IndexArray]:
    """People's answers, linear around (U, K) weights at least, and who gave any."""
    if model.linear_in_weights:
        b, gains = model.linearised(data)
        return Answers.of_people(b, gains, data.person, data.pick, len(data.people))
    who = np.flatnonzero(data.per_person)
    return linearised_at(model, data.of_people(who), weights[who].T), who


def _penalty(prior_weight: float, answers: IndexArray, mean: FloatArray) -> Penalty:
    return Penalty(prior_weight / answers, mean.T)


def _nobody_answered(mean: FloatArray, prior_weight: float) -> Located:
    people = len(mean)
    return Located(
        mean.copy(),
        np.zeros(people),
        np.full(people, np.nan),
        np.zeros(people, dtype=np.intp),
        prior_weight,
    )


def _settings(
    prior_weight: float, prior_mean: ArrayLike, start: ArrayLike | None, shape: tuple[int, int]
) -> tuple[FloatArray, FloatArray]:
    """(U, K) prior means and starts, by default the same."""
    if not (np.isfinite(prior_weight) and prior_weight >= 0.0):
        msg = f"prior_weight must be at least 0 and finite, not {prior_weight}"
        raise ParameterError(msg)
    mean = _points("prior_mean", prior_mean, shape)
    return mean, mean if start is None else _points("start", start, shape)


def _points(name: str, points: ArrayLike, shape: tuple[int, int]) -> FloatArray:
    """The (U, K) points of the simplex; what rounding left is made right.

    Raises:
        ParameterError: they are no such points.
    """
    array = np.asarray(points, dtype=np.float64)
    if array.shape not in {shape, shape[1:]}:
        msg = f"{name} must have shape {shape} or {shape[1:]}, not {array.shape}"
        raise ParameterError(msg)
    # Written so that nan fails it.
    if not ((array >= -_SUM).all() and (np.abs(array.sum(axis=-1) - 1.0) <= _SUM).all()):
        msg = f"{name} must be weights: at least 0, with sum 1"
        raise ParameterError(msg)
    array = np.maximum(array, 0.0)
    return np.broadcast_to(array / array.sum(axis=-1, keepdims=True), shape)
