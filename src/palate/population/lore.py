"""Training LoRe, the linear peer of PAL, and Bradley-Terry, the baseline of both."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from scipy.special import softmax

from palate._random import generator
from palate.population._descent import Parts, Value, descend
from palate.population._pull import LinearAnswers
from palate.population._weights import check_settings, everybody, logits_gradient, partitioned
from palate.population.evaluate import evaluate
from palate.population.fit import Fit
from palate.population.model import LoRe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from palate.population.data import PreferenceData
    from palate.population.fit import Step


def fit_lore(
    data: PreferenceData,
    k: int,
    *,
    ridge: float = 1.0,
    partition: bool = False,
    user_balanced: bool = False,
    validation: PreferenceData | None = None,
    starts: int = 3,
    max_iterations: int = 200,
    tolerance: float = 1e-6,
    seed: int = 0,
    on_step: Callable[[Step], None] | None = None,
) -> Fit[LoRe]:
    """Fit LoRe: a person's reward is ``<x, V w>``, w the softmax of their logits.

    Loss, ridge and descent are those of :func:`palate.population.fit_pal_a`; the parameters are
    the entries of V and the logits. Rewards are not divided by 100, as in the authors' code: the
    scale is left to V.

    Args:
        data: answers of many people; a prompt belongs into the items' features.
        k: columns of V.
        ridge: precision of the prior on each parameter, for features centred and brought to unit
            length (root mean square).
        partition: everybody belongs to one column of V: trained as a mixture, and then put whole
            where their greatest weight is.
        user_balanced: everybody counts the same, however much they answered.
        validation: other answers of the same people. Descent ends when their loss has not fallen
            for 20 iterations, and the model with the least is returned.
        starts: random starts; each gets 25 iterations, the one with the least loss all.
        max_iterations: of the start that is kept.
        tolerance: descent ends when an iteration lowers the loss by less, in nats an answer.
        seed: of the starts.
        on_step: called at each iteration; each start counts from 1.

    Raises:
        ParameterError: there is no answer, there are separate prompts, or a setting is outside
            its range.
    """
    began = time.perf_counter()
    check_settings(k, starts, ridge)
    answers = LinearAnswers(data, user_balanced=user_balanced)

    def model(parts: Parts) -> LoRe:
        columns, logits = parts
        weights = softmax(logits, axis=1)
        if partition:
            weights, columns = partitioned(weights, columns)
        weights = everybody(weights, answers.who, len(data.people))
        return LoRe(people=data.people, weights=weights, basis=columns.T / answers.unit)

    def first() -> Iterator[Parts]:
        rng = generator(seed, "fit_lore")
        dimension = data.items.shape[1]
        for _ in range(starts):
            yield (
                rng.normal(size=(k, dimension)),
                rng.normal(scale=0.5, size=(len(answers.who), k)),
            )

    found = descend(
        lambda parts: _objective(parts, answers),
        first(),
        ridge=ridge / answers.answers,
        max_iterations=max_iterations,
        tolerance=tolerance,
        validate=None if validation is None else lambda parts: evaluate(model(parts), validation),
        on_step=on_step,
    )
    return Fit(model(found.parts), found.history, found.converged, time.perf_counter() - began)


def fit_bradley_terry(
    data: PreferenceData, *, ridge: float = 1.0, user_balanced: bool = False
) -> Fit[LoRe]:
    """Fit one linear reward ``<x, theta>`` for everybody: Bradley-Terry, the multinomial logit.

    Minimised is the convex mean of ``log(1 + sum exp(-m))`` over answers, plus
    ``ridge |theta|^2 / 2n``. It is LoRe with K = 1.

    Args:
        data: answers of many people; a prompt belongs into the items' features.
        ridge: precision of the prior on each weight, for features centred and brought to unit
            length (root mean square).
        user_balanced: everybody counts the same, however much they answered.

    Raises:
        ParameterError: there is no answer, there are separate prompts, or the ridge is not above 0.
    """
    return fit_lore(
        data,
        1,
        ridge=ridge,
        user_balanced=user_balanced,
        starts=1,
        max_iterations=1000,
        tolerance=1e-13,
    )


def _objective(parts: Parts, answers: LinearAnswers) -> Value:
    """Of V's columns as rows (K, D) and logits (U, K)."""
    columns, logits = parts
    weights = softmax(logits, axis=1)
    pull = answers.pull(columns, weights, distances=False)
    gradient = (pull.matrix, logits_gradient(weights, pull.directions))
    return Value(pull.loss, pull.accuracy, gradient)
