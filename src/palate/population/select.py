"""How many prototypes: by the log loss on people who were kept from training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from palate._random import generator
from palate.errors import ParameterError
from palate.population.evaluate import evaluate
from palate.population.linear import fit_pal_a
from palate.population.localise import locate
from palate.population.splits import split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray, IndexArray
    from palate.population.data import PreferenceData
    from palate.population.model import PopulationModel


class Fitted(Protocol):
    """What a fit returns; it may hold more."""

    @property
    def model(self) -> PopulationModel:
        """The fitted model."""
        ...


class FitFunction(Protocol):
    """Fits K prototypes, such as :func:`palate.population.linear.fit_pal_a`."""

    def __call__(self, data: PreferenceData, k: int, /, *, seed: int) -> Fitted:
        """Fit a model."""
        ...


@dataclass(frozen=True, eq=False)
class Selection:
    """How well each number of prototypes predicts people whom it was not trained on.

    Attributes:
        k: the number chosen.
        ks: (C,) the numbers tried, rising.
        log_loss: (C,) mean over people of the log loss of their validation answers, in nats.
        error: (C,) standard error of that less the least of all, over people; 0 for the best.
        by_person: (U, C) log losses; people with too few answers to be held out are left out.
    """

    k: int
    ks: IndexArray
    log_loss: FloatArray
    error: FloatArray
    by_person: FloatArray


def select_k(
    data: PreferenceData,
    ks: Sequence[int],
    *,
    fit: FitFunction = fit_pal_a,
    folds: int = 5,
    validation: float = 0.5,
    seed: int = 0,
) -> Selection:
    """Choose K by held-out people, with the one-standard-error rule.

    People are put into folds. Each K is fitted without one fold's people, who are then located by
    some of their answers and predicted on the others; so it goes for each fold. Chosen is the least
    K that is not worse than the best by more than one standard error of the difference over people.

    Args:
        data: answers; the model chosen is yet to be fitted on all of them.
        ks: numbers to try.
        fit: how to fit.
        folds: how many, >= 2; ``folds * len(ks)`` models are fitted.
        validation: answers of each held-out person to predict, as :func:`split` takes sizes.
        seed: of folds, splits and fits.

    Raises:
        ParameterError: no number or one below 1 is to be tried, or fewer people than folds have
            answers enough.
    """
    tried = sorted(set(ks))
    if not tried or tried[0] < 1:
        msg = f"ks must be one or more numbers of at least 1, not {list(ks)}"
        raise ParameterError(msg)
    halves = split(data, unseen=0, test=validation, seed=seed)
    support, held_out = halves.train, halves.seen_test
    people = np.flatnonzero(held_out.per_person)
    if not 2 <= folds <= len(people):
        msg = (
            f"folds must be from 2 to the number of people with answers enough to hold some out, "
            f"{len(people)}, not {folds}"
        )
        raise ParameterError(msg)
    fold = generator(seed, "folds").permutation(len(people)) % folds
    losses = np.empty((len(people), len(tried)))
    for i in range(folds):
        out = people[fold == i]
        rest = data.of_people(np.setdiff1d(np.arange(len(data.people)), out))
        for j, k in enumerate(tried):
            model = fit(rest, k, seed=seed).model
            located = locate(model, support.of_people(out))
            evaluation = evaluate(model, held_out.of_people(out), located.weights)
            losses[fold == i, j] = evaluation.log_loss_by_person
    means = losses.mean(axis=0)
    best = int(means.argmin())
    excess = losses - losses[:, [best]]
    error = excess.std(axis=0, ddof=1) / np.sqrt(len(people))
    chosen = int(np.argmax(means - means[best] <= error))
    return Selection(tried[chosen], np.array(tried), means, error, losses)
