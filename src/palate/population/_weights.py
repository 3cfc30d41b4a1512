"""People's weights as a softmax of logits, in training."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate._typing import FloatArray, IndexArray


def check_settings(k: int, starts: int, ridge: float) -> None:
    """Refuse what no model can be trained with.

    Raises:
        ParameterError: a number is below 1, or the ridge not above 0.
    """
    if k < 1 or starts < 1:
        msg = f"k and starts must be at least 1, not {k} and {starts}"
        raise ParameterError(msg)
    if not 0.0 < ridge < np.inf:
        msg = f"ridge must be above 0, or the scale could grow without end; not {ridge}"
        raise ParameterError(msg)


def logits_gradient(weights: FloatArray, of_weights: FloatArray) -> FloatArray:
    """(U, K) gradient in the logits from that in ``weights``, their softmax by rows."""
    return weights * (of_weights - np.einsum("uk,uk->u", weights, of_weights)[:, None])


def everybody(weights: FloatArray, who: IndexArray, people: int) -> FloatArray:
    """(U, K) weights of all people from those of some; the others get their mean."""
    result = np.tile(weights.mean(axis=0), (people, 1))
    result[who] = weights
    return result


def partitioned(weights: FloatArray, prototypes: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Everybody at one prototype, that of their greatest weight, which moves to where they are.

    A prototype of a mixture may lie farther out than anybody; of a partition it is the mean of
    its people. One without people stays.

    Args:
        weights: (U, K) of a mixture.
        prototypes: (K, d) of the mixture, in a space where people are mixed linearly.

    Returns:
        (U, K) weights, a one in each row, and (K, d) prototypes.
    """
    whole = np.eye(weights.shape[1])[weights.argmax(axis=1)]
    members = whole.sum(axis=0)[:, None]
    means = whole.T @ (weights @ prototypes) / np.maximum(members, 1.0)
    return whole, np.where(members > 0.0, means, prototypes)
