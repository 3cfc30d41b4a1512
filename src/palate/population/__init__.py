"""Many people: reward models in which everyone is a mixture of K prototypes.

data = PreferenceData.from_arrays(items, person, chosen, rejected)
model = fit_pal_a(data, k=3).model
w = locate(model, answers_of_somebody_new).weights
"""

from palate.population.comparisons import from_comparisons
from palate.population.crossfit import learn_prior
from palate.population.data import PreferenceData
from palate.population.evaluate import (
    Calibration,
    Evaluation,
    LearningCurve,
    evaluate,
    fit_temperature,
    learning_curve,
)
from palate.population.favourites import base_rate
from palate.population.filters import pick_a_filter
from palate.population.fit import Fit, Step
from palate.population.gaussian import GaussianPopulation, fit_gaussian
from palate.population.known import known_features
from palate.population.length import people_by_length
from palate.population.linear import fit_pal_a
from palate.population.localise import Located, choose_prior_weight, covariance, locate
from palate.population.lore import fit_bradley_terry, fit_lore
from palate.population.misfit import misfit
from palate.population.model import LoRe, PalA, PalB, PopulationModel, Scores
from palate.population.prior import ModelPrior, Simplex, with_outsiders
from palate.population.projector import Projector
from palate.population.recovery import Recovery, measure_recovery, reward_correlation
from palate.population.reward import PersonReward, person_reward
from palate.population.save import from_pretrained, read_notes, save_pretrained
from palate.population.select import Selection, select_k
from palate.population.simulate import SimulatedPopulation, simulate_population
from palate.population.splits import Split, split

__all__ = [
    "Calibration",
    "Evaluation",
    "Fit",
    "GaussianPopulation",
    "LearningCurve",
    "LoRe",
    "Located",
    "ModelPrior",
    "PalA",
    "PalB",
    "PersonReward",
    "PopulationModel",
    "PreferenceData",
    "Projector",
    "Recovery",
    "Scores",
    "Selection",
    "Simplex",
    "SimulatedPopulation",
    "Split",
    "Step",
    "base_rate",
    "choose_prior_weight",
    "covariance",
    "evaluate",
    "fit_bradley_terry",
    "fit_gaussian",
    "fit_lore",
    "fit_pal_a",
    "fit_temperature",
    "from_comparisons",
    "from_pretrained",
    "known_features",
    "learn_prior",
    "learning_curve",
    "locate",
    "measure_recovery",
    "misfit",
    "people_by_length",
    "person_reward",
    "pick_a_filter",
    "read_notes",
    "reward_correlation",
    "save_pretrained",
    "select_k",
    "simulate_population",
    "split",
    "with_outsiders",
]
