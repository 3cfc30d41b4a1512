"""One person's reward, taken out of a population's model: a function to rank or train by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np
from scipy.special import expit

from palate.errors import ParameterError
from palate.population.save import from_pretrained, save_pretrained

if TYPE_CHECKING:
    from pathlib import Path

    from palate._typing import FloatArray
    from palate.population.model import PopulationModel


@dataclass(frozen=True, eq=False)
class PersonReward:
    """What one person thinks of items; called with features, it gives rewards.

    Attributes:
        model: a model that knows this one person and nobody else, so that saving it gives nobody
            else away.

    Raises:
        ParameterError: the model does not know exactly one person.
    """

    model: PopulationModel

    def __post_init__(self) -> None:
        if len(self.model.people) != 1:
            msg = (
                f"the model knows {len(self.model.people)} people; "
                "take one by person_reward(model, name)"
            )
            raise ParameterError(msg)

    @property
    def weights(self) -> FloatArray:
        """(K,) the person's place in the simplex."""
        return np.asarray(self.model.weights[0])

    def __call__(self, items: FloatArray, prompts: FloatArray | None = None) -> FloatArray:
        """(M,) rewards of (M, D) items, higher is better; see :meth:`PopulationModel.rewards`."""
        return self.model.rewards(self.weights, items, prompts)

    def predict_proba(
        self, first: FloatArray, second: FloatArray, prompts: FloatArray | None = None
    ) -> FloatArray:
        """(M,) probability that each of the first items is preferred to the second beside it."""
        return np.asarray(expit(self(first, prompts) - self(second, prompts)))

    def save_pretrained(self, folder: str | Path) -> None:
        """Save it as :func:`palate.population.save.save_pretrained` saves models."""
        save_pretrained(self.model, folder)

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Load what :meth:`save_pretrained` wrote.

        Raises:
            ModelError: there is no model, or it is damaged or too new.
            ParameterError: it is the model of more people than one.
        """
        return cls(from_pretrained(folder))


def person_reward(
    model: PopulationModel, person: str, weights: FloatArray | None = None
) -> PersonReward:
    """The reward of one person.

    Args:
        model: of a population.
        person: their name; somebody it was trained on, where no weights are given.
        weights: (K,) of somebody located by answers.

    Raises:
        ParameterError: nobody of that name was trained on, or the weights are no point of the
            simplex of K prototypes.
    """
    w = model.weights_of(person) if weights is None else np.asarray(weights, dtype=np.float64)
    return PersonReward(replace(model, people=(person,), weights=w.reshape(1, -1)))
