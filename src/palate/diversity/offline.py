"""Learning offline: one fit to answers that were collected beforehand, and how wrong it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from palate._random import generator
from palate.diversity.learners import RIDGE, first_estimate
from palate.diversity.slates import answer
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray, IndexArray
    from palate.diversity.learners import Estimate, Heads
    from palate.diversity.rows import Rows
    from palate.diversity.world import BilinearWorld


@dataclass(frozen=True, eq=False)
class OfflineRun:
    """Fits to the first n answers, for several n.

    Attributes:
        counts: (R,) n.
        gap: (R, U) mean regret of each person over their contexts.
        wrong: (R, U) share of a person's contexts for which a wrong response is deployed.
        estimates: R of them.
    """

    counts: IndexArray
    gap: FloatArray
    wrong: FloatArray
    estimates: tuple[Estimate, ...]


def run_offline(
    world: BilinearWorld,
    counts: Sequence[int],
    *,
    heads: Heads = "known",
    options: int = 2,
    ridge: float = RIDGE,
    seed: int = 0,
) -> OfflineRun:
    """Fit answers of the main people to slates of the reference policy, and judge everybody.

    Args:
        world: people, pools and the truth; latecomers give no answer.
        counts: numbers of answers, growing; each fit starts from the one before.
        heads: whether the learner knows everybody's head, or fits heads and basis together.
        options: K of a slate.
        ridge: of the fits.
        seed: of answers and starts.

    Raises:
        ParameterError: the counts are not positive and growing, or a setting is outside its range.
    """
    if not len(counts) or counts[0] < 1 or (np.diff(counts) <= 0).any():
        msg = f"counts must be positive and growing, not {list(counts)}"
        raise ParameterError(msg)
    estimate = first_estimate(world, heads, seed=seed)
    rows = reference_answers(world, np.arange(world.main), counts[-1], options=options, seed=seed)
    estimates, lost = [], []
    for n in counts:
        estimate = estimate.refit(rows.of(np.arange(n * (options - 1))), heads, ridge=ridge)
        estimates.append(estimate)
        lost.append(world.regret(world.scores(estimate.directions)))
    every = np.array(lost)
    return OfflineRun(
        np.array(counts), every.mean(axis=2), (every > 0.0).mean(axis=2), tuple(estimates)
    )


def reference_answers(
    world: BilinearWorld, people: IndexArray, n: int, *, options: int = 2, seed: int = 0
) -> Rows:
    """Answers of people, drawn evenly, to slates of the reference policy.

    Args:
        world: whose people and pools they are.
        people: who may be asked; all are as likely.
        n: answers; with more of them the first ones stay.
        options: K of a slate.
        seed: of visits, slates and answers.

    Raises:
        ParameterError: a slate has fewer than 2 options.
    """
    if options < 2:
        msg = f"a slate has at least 2 options, not {options}"
        raise ParameterError(msg)
    contexts, pool = world.contexts.shape[1], world.actions.shape[1]
    uniform = generator(seed, "reference visits").random((n, 2 + options))
    person = people[(uniform[:, 0] * len(people)).astype(np.intp)]
    context = (uniform[:, 1] * contexts).astype(np.intp)
    slates = (uniform[:, 2:] * pool).astype(np.intp)
    return answer(generator(seed, "reference answers"), world, person, context, slates)
