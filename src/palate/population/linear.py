"""Training PAL-A with a linear map, in numpy and scipy: seconds where minibatches take minutes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import softmax

from palate._random import generator
from palate.errors import ParameterError
from palate.population._descent import Parts, Value, descend
from palate.population._pull import LinearAnswers
from palate.population._weights import check_settings, everybody, logits_gradient, partitioned
from palate.population.evaluate import evaluate
from palate.population.fit import Fit
from palate.population.model import PalA
from palate.population.projector import Projector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from palate._typing import FloatArray
    from palate.population.data import PreferenceData
    from palate.population.fit import Step

WIDEST = 16
"""Dimensions of f's image by default, or the features' own if they are fewer."""

_SURE = 3.0  # length of an item's first image: margins of a few nats


def fit_pal_a(
    data: PreferenceData,
    k: int,
    *,
    d_out: int | None = None,
    ridge: float = 1.0,
    partition: bool = False,
    user_balanced: bool = False,
    validation: PreferenceData | None = None,
    starts: int = 3,
    max_iterations: int = 200,
    tolerance: float = 1e-6,
    seed: int = 0,
    on_step: Callable[[Step], None] | None = None,
) -> Fit[PalA]:
    """Fit PAL-A with ``f(x) = A x``, squared distances and the logistic loss (Eq. 4, Algorithm 1).

    Minimised over A, the images ``A p_k`` of the prototypes and everybody's softmax logits is the
    mean of ``log(1 + sum exp(-m))`` over answers, m the margins of an answer's rows, plus
    ``ridge / 2n`` times the squares of them all, for n answers: the most plausible parameters under
    Gaussian priors of that precision. For the logits that is the paper's own ``W ~ N(0, I)``;
    without a ridge, answers that can all be satisfied would drive A to infinity.

    Everybody without an answer gets the mean weights of the others. K may exceed the number of
    people. K = 1 is the homogeneous reward model.

    The descent is L-BFGS over all answers at once. Prototypes are moved in f's image, where the
    margins are linear in them, and given back in f's input space: that is what makes it fast, and
    next to independent of the start.

    Args:
        data: answers of many people; a prompt belongs into the items' features.
        k: prototypes.
        d_out: dimensions of f's image, at most those of the features.
        ridge: precision of the prior on each parameter, for features centred and brought to unit
            length (root mean square).
        partition: everybody belongs to one prototype: trained as a mixture, and then put whole
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
    dimension = data.items.shape[1]
    width = min(dimension, WIDEST) if d_out is None else d_out
    if not 1 <= width <= dimension:
        msg = f"d_out must be from 1 to {dimension}, the dimension of the features, not {d_out}"
        raise ParameterError(msg)
    answers = LinearAnswers(data, user_balanced=user_balanced)

    def model(parts: Parts) -> PalA:
        matrix, images, logits = parts
        weights = softmax(logits, axis=1)
        if partition:
            weights, images = partitioned(weights, images)
        return PalA(
            people=data.people,
            weights=everybody(weights, answers.who, len(data.people)),
            f=Projector.linear(matrix / answers.unit),
            prototypes=answers.centre + answers.unit * _preimages(matrix, images),
        )

    def first() -> Iterator[Parts]:
        rng = generator(seed, "fit_pal_a")
        for _ in range(starts):
            yield (
                rng.normal(scale=_SURE / np.sqrt(width), size=(width, dimension)),
                rng.normal(scale=1.0 / np.sqrt(width), size=(k, width)),
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


def _objective(parts: Parts, answers: LinearAnswers) -> Value:
    """Of a matrix A (d, D), images of the prototypes (K, d) and logits (U, K)."""
    matrix, images, logits = parts
    weights = softmax(logits, axis=1)
    pull = answers.pull(matrix, 2.0 * (weights @ images), distances=True)
    of_points = 2.0 * pull.directions
    return Value(
        pull.loss,
        pull.accuracy,
        (
            pull.matrix,
            weights.T @ of_points,
            logits_gradient(weights, of_points @ images.T),
        ),
    )


def _preimages(matrix: FloatArray, images: FloatArray) -> FloatArray:
    """(K, D) points nearest to the origin that the map takes to the images.

    What of an image lies outside the map's range is lost, and no margin knows of it: the images of
    two items differ within the range.
    """
    return np.asarray(np.linalg.lstsq(matrix, images.T)[0].T)
