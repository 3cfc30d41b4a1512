"""One person's taste as pure functions on arrays: likelihoods, estimates, version spaces."""

from palate.preference.challenger import Challenger, ChallengerSearch, best_responses
from palate.preference.confidence import confidence_radius, stopping_time_bound
from palate.preference.estimate import fit_logistic, fit_multinomial
from palate.preference.likelihood import (
    logistic_gradient,
    logistic_hessian,
    logistic_loss,
    multinomial_gradient,
    multinomial_hessian,
    multinomial_loss,
)
from palate.preference.version_space import VersionSpace

__all__ = [
    "Challenger",
    "ChallengerSearch",
    "VersionSpace",
    "best_responses",
    "confidence_radius",
    "fit_logistic",
    "fit_multinomial",
    "logistic_gradient",
    "logistic_hessian",
    "logistic_loss",
    "multinomial_gradient",
    "multinomial_hessian",
    "multinomial_loss",
    "stopping_time_bound",
]
