"""What training gives back: the model, and how it got there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate.population.model import PopulationModel

ModelT_co = TypeVar("ModelT_co", bound="PopulationModel", covariant=True)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of training: an iteration over all answers, or an epoch of minibatches.

    Attributes:
        number: from 1.
        loss: what is minimised, penalties included, in nats an answer.
        accuracy: share of the training answers that are predicted.
        validation_loss: mean log loss of the validation answers; None without.
        validation_accuracy: share of the validation answers that are predicted; None without.
    """

    number: int
    loss: float
    accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None


def best_epoch(history: Sequence[Step]) -> int:
    """Number of the first epoch with the least validation loss; 0 where there is none."""
    judged = [
        (step.validation_loss, step.number) for step in history if step.validation_loss is not None
    ]
    return min(judged, key=lambda found: found[0])[1] if judged else 0


def is_late(history: Sequence[Step], patience: int) -> bool:
    """Whether the validation loss has not fallen for so many epochs."""
    best = best_epoch(history)
    return best > 0 and len(history) - best >= patience


@dataclass(frozen=True, eq=False)
class Fit(Generic[ModelT_co]):
    """A trained model.

    Attributes:
        model: of the last step, or of the one with the least validation loss.
        history: the steps that led to it and, where it was stopped early, past it.
        converged: whether it stopped because the loss, or the validation loss, no longer fell.
        seconds: of wall clock that it took.
    """

    model: ModelT_co
    history: tuple[Step, ...]
    converged: bool
    seconds: float
