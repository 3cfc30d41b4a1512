"""How well an estimate predicts picks that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate.design.estimate import check_options, fit_choice_model
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate.design.estimate import Options
    from palate.feedback import Picked


@dataclass(frozen=True, slots=True)
class Prediction:
    """What came of predicting each pick from those of other groups.

    Attributes:
        picks: predicted, of orders the first place; ties and skips are none.
        accuracy: share of them where the option of highest utility was picked.
        chance: the same for guessing, the mean of 1 / K.
        log_loss: mean of minus the logarithm of the probability of what was picked, in nats.
    """

    picks: int
    accuracy: float
    chance: float
    log_loss: float


def predicted_picks(
    options: Options,
    picked: Sequence[Picked],
    groups: Sequence[int],
    *,
    lam: float,
    folds: int = 10,
) -> Prediction | None:
    """Predict picks by estimates that were fitted without the groups they belong to.

    Questions of one episode show the same tokens again, so they are left out together.

    Args:
        options: as for :func:`palate.design.fit_choice_model`.
        picked: likewise.
        groups: for each query its group, such as its episode.
        lam: prior precision of each fit.
        folds: how many fits; each leaves out every so-manieth group that has a pick.

    Returns:
        The prediction; None where picks come from fewer than two groups.

    Raises:
        ParameterError: fewer than two folds, another number of groups than queries, or as
            :func:`palate.design.fit_choice_model`.
        AnswerError: likewise.
    """
    shown = check_options(options)
    if folds < 2 or not len(groups) == len(shown) == len(picked):
        msg = (
            f"needs at least 2 folds and a group and an answer for each of {len(shown)} queries, "
            f"not {folds}, {len(groups)} and {len(picked)}"
        )
        raise ParameterError(msg)
    first = {
        i: said[0] if isinstance(said, tuple) else said
        for i, said in enumerate(picked)
        if not isinstance(said, str)
    }
    told = list(first)
    fold_of = {group: n % folds for n, group in enumerate(sorted({groups[i] for i in told}))}
    if len(fold_of) < 2:
        return None
    probabilities = np.empty(len(told))
    right = np.empty(len(told))
    for fold in sorted(set(fold_of.values())):
        kept = [i for i in told if fold_of[groups[i]] != fold]
        estimate = fit_choice_model([shown[i] for i in kept], [picked[i] for i in kept], lam=lam)
        for place, i in enumerate(told):
            if fold_of[groups[i]] == fold:
                p = estimate.probabilities(shown[i])
                probabilities[place] = p[first[i]]
                # Options that are equally good are guessed among.
                best = np.flatnonzero(p == p.max())
                right[place] = (first[i] in best) / len(best)
    return Prediction(
        picks=len(told),
        accuracy=float(right.mean()),
        chance=float(np.mean([1.0 / len(shown[i]) for i in told])),
        log_loss=float(-np.log(probabilities).mean()),
    )
