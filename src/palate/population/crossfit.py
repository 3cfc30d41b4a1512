"""How far a population can be trusted about somebody new: told from people left out of the fit."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from palate._random import generator
from palate.errors import ParameterError
from palate.population.gaussian import GaussianPopulation, fit_gaussian
from palate.preference.laplace import laplace

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.population.data import PreferenceData

REMAINDERS = (0.02, 0.05, 0.15, 0.4, 0.95)
RESIDUALS = (0.02, 0.1, 0.3, 0.6)


def learn_prior(data: PreferenceData, *, folds: int = 3, seed: int = 0) -> GaussianPopulation:
    """Learn a prior for somebody new from the answers of many people.

    :func:`fit_gaussian` says how people's weights vary; of few people it learns the accidents by
    heart. So people are left out in turn, and the shares of the variance that are left to all
    features and to each response alone are those under which their answers are most probable.

    Args:
        data: answers of many people, items of (M, d) features; prompts joined to the items, if any.
        folds: groups of people left out in turn.
        seed: of the groups.

    Returns:
        The fit to everybody, with ``remainder`` and ``residual`` chosen.

    Raises:
        ParameterError: fewer than two people answered, ``folds`` is below 2, or as
            :func:`fit_gaussian`.
    """
    who = np.flatnonzero(data.per_person)
    if len(who) < 2:
        msg = (
            f"a prior is learned from the answers of at least two people, not of {len(who)}; in a "
            "file of rows user_id names them"
        )
        raise ParameterError(msg)
    if folds < 2:
        msg = f"folds must be at least 2, not {folds}"
        raise ParameterError(msg)
    choices = list(itertools.product(REMAINDERS, RESIDUALS))
    evidence = np.zeros(len(choices))
    groups = np.array_split(generator(seed, "folds").permutation(who), min(folds, len(who)))
    for group in groups:
        fitted = fit_gaussian(data.of_people(np.setdiff1d(who, group)))
        for person in group:
            evidence += _evidence(fitted, data.of_people([person]), choices)
    remainder, residual = choices[int(np.argmax(evidence))]
    return replace(fit_gaussian(data), remainder=remainder, residual=residual)


def _evidence(
    fitted: GaussianPopulation, answers: PreferenceData, choices: list[tuple[float, float]]
) -> FloatArray:
    """Log probability of one person's answers under each choice of remainder and residual."""
    items = answers.items
    rows = items[answers.chosen] - items[answers.rejected]
    known = rows @ fitted.factor
    margins = known @ known.T
    anything = rows @ rows.T
    spread = float(np.trace(margins)) + float(((rows @ fitted.mean) ** 2).sum())
    anything *= spread / max(float(np.trace(anything)), 1e-300)
    same = np.equal.outer
    own = (
        same(answers.chosen, answers.chosen)
        + same(answers.rejected, answers.rejected).astype(np.float64)
        - same(answers.chosen, answers.rejected)
        - same(answers.rejected, answers.chosen)
    )
    own *= spread / np.trace(own)
    # As a prior they have the same overall scale, whatever is left to what.
    covariances = [
        (1.0 - residual) * ((1.0 - remainder) * margins + remainder * anything) + residual * own
        for remainder, residual in choices
    ]
    means = [
        np.sqrt((1.0 - residual) * (1.0 - remainder)) * (rows @ fitted.mean)
        for remainder, residual in choices
    ]
    picks = np.arange(len(rows)) if answers.pick is None else answers.pick
    return laplace(
        np.array(means), np.array(covariances), picks, np.ones(len(choices))
    ).log_evidence
