"""What a step of USERALIGN costs in an experiment, part by part, and what the reference's would."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from palate.elicitation import Elicitation
from palate.errors import MissingExtraError
from palate.feedback import check_picked
from palate.preference import ChallengerSearch, VersionSpace, best_responses
from palate.strategies import UserAlign, comparisons

if TYPE_CHECKING:
    from palate._typing import FloatArray
    from palate.bench.tables import Group

_TIMED = (2, 5, 10, 15)
_LARGEST = 100  # responses of a pool for which the reference is worth waiting


@dataclass(slots=True)
class StepTimes:
    """Seconds of steps of USERALIGN.

    Attributes:
        group: name of the group.
        size: N.
        d: features.
        in_runs: mean over all steps of the experiment's runs.
        steps: how many steps USERALIGN and USERALIGN_LOSS made in the experiment.
        estimate: of theta_hat (Eq. 2), a list entry a step timed.
        y1: of the incumbent.
        y2: of the challenger, with its bound.
        reference: of the whole step by the paper's solver; empty where that is not installed or
            the pool is too large to wait for it.
    """

    group: str
    size: int
    d: int
    in_runs: float
    steps: int
    estimate: list[float] = field(default_factory=list)
    y1: list[float] = field(default_factory=list)
    y2: list[float] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)


def step_times(group: Group) -> StepTimes | None:
    """Time some steps of the first person of a group; None where USERALIGN was not run."""
    runs = group.runs.get("useralign")
    if not runs:
        return None
    subject = runs[0].subject
    features = np.asarray(subject.pool.features, dtype=np.float64)
    made = [s for outcome in runs for s in outcome.trial.seconds]
    steps = sum(
        len(outcome.trial.steps)
        for method in ("useralign", "useralign-loss")
        for outcome in group.runs.get(method, ())
    )
    times = StepTimes(group.name, len(features), features.shape[1], float(np.mean(made)), steps)
    strategy = UserAlign(epsilon=None, max_steps=max(_TIMED))  # goes on though it is certain
    elicitation, person = Elicitation(subject.pool, strategy, 0), subject.person(0)
    while (query := elicitation.ask()) is not None:
        elicitation.tell(query, check_picked(person.answer(query, subject.pool), query), at="")
        if len(elicitation.history) in _TIMED:
            differences, _ = comparisons(elicitation.history, features)
            _time_parts(times, features, differences, strategy)
    return times


def _time_parts(
    times: StepTimes,
    features: FloatArray,
    differences: FloatArray,
    strategy: UserAlign,
) -> None:
    began = time.perf_counter()
    space = VersionSpace(differences, strategy.norm_bound, strategy.delta)
    theta = space.estimate
    estimated = time.perf_counter()
    incumbent = int(best_responses(features, theta, tolerance=0.0)[0])
    chosen = time.perf_counter()
    ChallengerSearch(features, strategy.norm_bound).search(space, incumbent)
    ended = time.perf_counter()
    times.estimate.append(estimated - began)
    times.y1.append(chosen - estimated)
    times.y2.append(ended - chosen)
    if len(features) > _LARGEST:
        return
    try:
        from palate.bench.reference import reference_step  # noqa: PLC0415

        reference_step(features[:2], differences[:1], strategy.norm_bound, strategy.delta)
        began = time.perf_counter()
        reference_step(features, differences, strategy.norm_bound, strategy.delta)
    except MissingExtraError:
        return
    times.reference.append(time.perf_counter() - began)
