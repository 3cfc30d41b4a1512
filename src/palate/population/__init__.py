"""Many people: reward models in which everyone is a mixture of K prototypes.

data = PreferenceData.from_arrays(items, person, chosen, rejected)
model = fit_pal_a(data, k=3)
w = locate(model, answers_of_somebody_new)
"""

from palate.population.data import PreferenceData
from palate.population.model import LoRe, PalA, PalB, PopulationModel, Scores
from palate.population.projector import Projector

__all__ = [
    "LoRe",
    "PalA",
    "PalB",
    "PopulationModel",
    "PreferenceData",
    "Projector",
    "Scores",
]
