"""How well a model predicts what people prefer, and how far its probabilities can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize_scalar

from palate._random import generator
from palate.errors import ParameterError
from palate.population.localise import PRIOR_WEIGHT, locate
from palate.population.splits import first_answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray, IndexArray
    from palate.population.data import PreferenceData
    from palate.population.model import PopulationModel

TEMPERATURES = (1e-2, 1e2)
"""Between these :func:`fit_temperature` looks."""

_BINS = 20


@dataclass(frozen=True, eq=False)
class Calibration:
    """Whether what is said with probability p holds p of the time.

    Answers are put into 20 bins of equal width by the probability of the option that the model
    ranks first; for comparisons of two that lies above 1/2.

    Attributes:
        confidence: (20,) mean probability of the first-ranked option; NaN for an empty bin.
        accuracy: (20,) how often it was the one picked; NaN for an empty bin.
        count: (20,) answers.
        error: the expected calibration error, the mean over answers of the gap in their bin.
    """

    confidence: FloatArray
    accuracy: FloatArray
    count: IndexArray
    error: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """How well a model predicts answers. A pick out of K counts as one answer.

    Attributes:
        answers: how many there were.
        accuracy: share of answers that the model ranks first; where it ranks several alike they
            share the credit, so that a margin of 0 between two counts half.
        log_loss: mean of minus the log probability of what was picked, in nats.
        by_person: (U,) accuracy of each person; NaN for those without answers.
        log_loss_by_person: (U,) likewise.
        calibration: of its probabilities.
        base_rate: accuracy of a constant answer, where the caller gave it.
        reference: accuracy of a simpler model on the same answers, such as K = 1, where given.
    """

    answers: int
    accuracy: float
    log_loss: float
    by_person: FloatArray
    log_loss_by_person: FloatArray
    calibration: Calibration
    base_rate: float | None = None
    reference: float | None = None

    @property
    def mean_over_people(self) -> float:
        """Mean accuracy of people, each counting the same however much they answered."""
        return float(np.nanmean(self.by_person))

    @property
    def spread(self) -> float:
        """Standard deviation of people's accuracies; 0 for one person."""
        known = self.by_person[~np.isnan(self.by_person)]
        return float(known.std(ddof=1)) if len(known) > 1 else 0.0

    def quantiles(self, levels: Sequence[float] = (0.1, 0.25, 0.5, 0.75, 0.9)) -> FloatArray:
        """Accuracies that these shares of people do not exceed."""
        return np.asarray(np.nanquantile(self.by_person, levels))


def evaluate(
    model: PopulationModel,
    data: PreferenceData,
    weights: FloatArray | None = None,
    *,
    temperature: float = 1.0,
    base_rate: float | None = None,
    reference: float | None = None,
) -> Evaluation:
    """How well a model predicts answers that it was not trained on.

    Args:
        model: of a population.
        data: answers to predict.
        weights: (U, K) of ``data.people``; by default as trained, by their names.
        temperature: divides the rewards; of :func:`fit_temperature`.
        base_rate: to be kept beside the accuracy. An accuracy means little without it.
        reference: likewise.

    Raises:
        ParameterError: there are no answers, or the temperature is not above 0; or as the model.
    """
    _check_temperature(temperature)
    margins = _margins(model, data, weights) / temperature
    right, confidence, loss = _by_answer(margins, data.starts)
    person = data.person[data.starts]
    return Evaluation(
        answers=len(right),
        accuracy=float(right.mean()),
        log_loss=float(loss.mean()),
        by_person=_means(right, person, len(data.people)),
        log_loss_by_person=_means(loss, person, len(data.people)),
        calibration=_calibration(right, confidence),
        base_rate=base_rate,
        reference=reference,
    )


def fit_temperature(
    model: PopulationModel, data: PreferenceData, weights: FloatArray | None = None
) -> float:
    """The temperature by which dividing all rewards predicts best, in log loss (Guo et al., 2017).

    Fit it on answers used neither for training nor for the evaluation. It changes no prediction,
    only how sure it is. The problem is convex in 1 / T; where every answer is predicted right, or
    no better than by chance, the end of ``TEMPERATURES`` is returned.

    Args:
        model: of a population.
        data: a validation set.
        weights: (U, K) of ``data.people``; by default as trained, by their names.

    Raises:
        ParameterError: there are no answers; or as the model.
    """
    margins = _margins(model, data, weights)
    starts = data.starts

    def loss(log_temperature: float) -> float:
        return float(_losses(margins / np.exp(log_temperature), starts).mean())

    low, high = np.log(TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    best = np.exp(min((low, high, found.x), key=loss))
    return float(np.clip(best, *TEMPERATURES))


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """How well new people are predicted by how much they answered.

    Attributes:
        counts: (C,) answers used to locate each person; 0 is zero-shot.
        evaluations: of the held-out answers, one a count.
        short: (C,) how many people had fewer answers than that, and gave all they had.
    """

    counts: IndexArray
    evaluations: tuple[Evaluation, ...]
    short: IndexArray

    @property
    def accuracy(self) -> FloatArray:
        """(C,) accuracies."""
        return np.array([evaluation.accuracy for evaluation in self.evaluations])


def learning_curve(
    model: PopulationModel,
    support: PreferenceData,
    held_out: PreferenceData,
    counts: Sequence[int],
    seed: int = 0,
    *,
    prior_weight: float = PRIOR_WEIGHT,
) -> LearningCurve:
    """Locate new people by 0, 1, 2, ... answers each, and predict the rest.

    A person's answers are taken in an order drawn from the seed, the same for all counts, so that
    more answers are always more.

    Args:
        model: of a population; the people need not be its own.
        support: answers to locate by.
        held_out: answers to predict, of the same people.
        counts: numbers of answers, >= 0.
        seed: of the order.
        prior_weight: of :func:`palate.population.localise.locate`.

    Raises:
        ParameterError: the two are not of the same people, or a count is below 0; or as the model.
    """
    if support.people != held_out.people:
        raise ParameterError("the support and the held-out answers must be of the same people")
    if not len(counts) or min(counts) < 0:
        msg = f"counts must be one or more numbers of at least 0, not {list(counts)}"
        raise ParameterError(msg)
    order = generator(seed, "learning curve").random(support.answers)
    answers = support.answers_per_person
    evaluations = []
    for count in counts:
        part = first_answers(support, count, order)
        located = locate(model, part, prior_weight=prior_weight)
        evaluations.append(evaluate(model, held_out, located.weights))
    return LearningCurve(
        np.asarray(counts, dtype=np.intp),
        tuple(evaluations),
        np.array([(answers < count).sum() for count in counts]),
    )


def _margins(
    model: PopulationModel, data: PreferenceData, weights: FloatArray | None
) -> FloatArray:
    if not len(data):
        raise ParameterError("there are no answers to evaluate on")
    return model.margins(data, weights)


def _losses(margins: FloatArray, starts: IndexArray) -> FloatArray:
    """(A,) ``log(1 + sum exp(-m))`` over the margins of each answer."""
    return np.asarray(np.logaddexp(0.0, np.logaddexp.reduceat(-margins, starts)))


def _by_answer(
    margins: FloatArray, starts: IndexArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(A,) credit, probability of the option ranked first, and log loss."""
    loss = _losses(margins, starts)
    least = np.minimum.reduceat(margins, starts)
    alike = 1.0 + np.add.reduceat(margins == 0.0, starts, dtype=np.float64)
    right = np.where(least >= 0.0, 1.0 / alike, 0.0)
    return right, np.exp(np.maximum(-least, 0.0) - loss), loss


def _calibration(right: FloatArray, confidence: FloatArray) -> Calibration:
    place = np.minimum((confidence * _BINS).astype(np.intp), _BINS - 1)
    count = np.bincount(place, minlength=_BINS)
    said, held = _means(confidence, place, _BINS), _means(right, place, _BINS)
    gaps = np.abs(said - held)[count > 0]
    return Calibration(said, held, count, float(gaps @ count[count > 0] / len(right)))


def _means(values: FloatArray, group: IndexArray, groups: int) -> FloatArray:
    """Mean of each group; NaN for one without values."""
    count = np.bincount(group, minlength=groups)
    total = np.bincount(group, weights=values, minlength=groups)
    return np.divide(total, count, out=np.full(groups, np.nan), where=count > 0)


def _check_temperature(temperature: float) -> None:
    if not 0.0 < temperature < np.inf:
        msg = f"the temperature must be above 0, not {temperature}"
        raise ParameterError(msg)
