"""Who is unlike everybody that a model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.population.localise import PRIOR_WEIGHT, locate
from palate.population.splits import first_answers

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.population.data import PreferenceData
    from palate.population.model import PopulationModel


def misfit(
    model: PopulationModel,
    own: PreferenceData,
    data: PreferenceData,
    *,
    prior_weight: float = PRIOR_WEIGHT,
) -> FloatArray:
    """Whether anybody is unlike all mixtures of the prototypes, by how badly their best one fits.

    A person's loss at their own weights is compared with the losses of the model's own people,
    each located afresh from as many of their answers. Whoever fits worse than nearly all of these
    is outside the prototypes' hull, answers at random, or was asked other kinds of things.

    Args:
        model: a trained model.
        own: answers of people of the model's own; such as were kept from training judge fairest.
        data: answers of the people to judge.
        prior_weight: as in :func:`locate`.

    Returns:
        (U,) share of the own people with as many answers whose loss is no smaller, the person
        counted among them: a p-value. nan without answers, or where nobody of the own has as many.

    Raises:
        ParameterError: the data does not fit the model.
    """
    loss = locate(model, data, prior_weight=prior_weight).loss
    result = np.full(len(loss), np.nan)
    counts, of_own = data.answers_per_person, own.answers_per_person
    for count in np.unique(counts[counts > 0]):
        enough = np.flatnonzero(of_own >= count)
        if not len(enough):
            continue
        peers = own.of_people(enough)
        first = first_answers(peers, int(count), np.arange(float(peers.answers)))
        losses = locate(model, first, prior_weight=prior_weight).loss
        same = counts == count
        no_smaller = (losses >= loss[same, None]).sum(axis=1)
        result[same] = (1.0 + no_smaller) / (1.0 + len(enough))
    return result
