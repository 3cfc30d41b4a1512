"""One run of a strategy for one person on one pool, step by step."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from palate.elicitation import Elicitation
from palate.errors import ParameterError
from palate.feedback import check_picked
from palate.strategies import Choice, IIDBest, UserAlignLoss
from palate.strategies.useralign import ZERO

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate.bench.cast import Subject
    from palate.feedback import Picked, Query
    from palate.strategies import Strategy

SPARSE = frozenset((*range(26), 30, 40, 50, 75, 100, 150, 199))
"""Steps at which a method that recommends at a cost of its own is asked for its choice.

The questions of IIDBest do not depend on the answers, so its choices between them are not needed.
"""


@dataclass(slots=True)
class Trial:
    """What happened in a run, a list entry a step t at which the choice was looked at.

    After the run has stopped its last choice stands: every entry holds until the next step listed,
    the last for good.

    Attributes:
        steps: t, ascending from 0; the last is the cost.
        choices: the response that would be returned, as a place in the pool.
        wins: probability that the person prefers it to the baseline.
        bounds: B(t), or what a strategy stops by instead; None where it gives none.
        certified: whether the strategy vouches for the choice.
        consistent: whether the answers so far agree with each other.
        seconds: wall time of the step: finding the next query and the choice.
        contrary: numbers of the answers that named the worse response.
    """

    steps: list[int] = field(default_factory=list)
    choices: list[int] = field(default_factory=list)
    wins: list[float] = field(default_factory=list)
    bounds: list[float | None] = field(default_factory=list)
    certified: list[bool] = field(default_factory=list)
    consistent: list[bool] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    contrary: list[int] = field(default_factory=list)

    @property
    def cost(self) -> int:
        """Number of questions answered."""
        return self.steps[-1]

    @property
    def flip_rate(self) -> float:
        """Realised share of answers that named the worse response; 0 where none was given."""
        return len(self.contrary) / self.cost if self.cost else 0.0

    def places(self, ts: Sequence[int]) -> list[int]:
        """Entries that hold at the given steps, the last choice carried forward."""
        return (np.searchsorted(self.steps, ts, side="right") - 1).tolist()

    def stopped_at(self, epsilon: float, norm_bound: float = 3.0) -> Trial:
        """The run as a larger epsilon would have ended it: once the bound is down to epsilon.

        Only for runs looked at in each step, of strategies whose questions do not depend on
        epsilon, such as USERALIGN's. A run whose bound never falls that far is returned whole.

        Raises:
            ParameterError: steps were left out, so that it may have stopped between two of them.
        """
        if self.steps != list(range(len(self.steps))):
            raise ParameterError(
                "a run with steps left out does not say when it would have stopped"
            )
        enough = epsilon + ZERO * norm_bound
        below = [bound is not None and bound <= enough for bound in self.bounds]
        end = below.index(True) + 1 if any(below) else len(self.steps)
        return Trial(
            self.steps[:end],
            self.choices[:end],
            self.wins[:end],
            self.bounds[:end],
            [fell and agree for fell, agree in zip(below, self.consistent, strict=True)][:end],
            self.consistent[:end],
            self.seconds[:end],
            [number for number in self.contrary if number < end - 1],
        )


def run_trial(strategy: Strategy, subject: Subject, seed: int) -> Trial:
    """Ask a person until the strategy stops, and look at its choice along the way.

    Args:
        strategy: with a limit on its questions, unless it stops by itself.
        subject: who answers, about which pool.
        seed: of the strategy and of the noise in the answers.
    """
    elicitation = Elicitation(subject.pool, strategy, seed)
    person = subject.person(seed)
    trial = Trial()
    wins: dict[int, float] = {}
    for t in itertools.count():
        began = time.perf_counter()
        query = elicitation.ask()
        if query is None or t in SPARSE or not isinstance(strategy, IIDBest):
            choice = _choice(elicitation)
            trial.seconds.append(time.perf_counter() - began)
            if choice.index not in wins:
                wins[choice.index] = subject.preference(choice.index)
            trial.steps.append(t)
            trial.choices.append(choice.index)
            trial.wins.append(wins[choice.index])
            trial.bounds.append(choice.bound)
            trial.certified.append(choice.certified)
            trial.consistent.append(choice.consistent)
        if query is None:
            break
        picked = check_picked(person.answer(query, subject.pool), query)
        if _contrary(subject, query, picked):
            trial.contrary.append(t)
        elicitation.tell(query, picked, at="")
    return trial


def _choice(elicitation: Elicitation) -> Choice:
    """What the strategy would return now."""
    strategy, view = elicitation.strategy, elicitation.view
    if isinstance(strategy, UserAlignLoss) and len(view.pool) > 1:
        # An estimate of the questions left, which nobody asks for here, would cost as much again.
        step = strategy.step(view)
        certified = step.bound <= (strategy.epsilon or 0.0) + ZERO * strategy.norm_bound
        return Choice(step.incumbent, step.bound, certified, questions_left=0)
    return strategy.choose(view)


def _contrary(subject: Subject, query: Query, picked: Picked) -> bool:
    """Whether a person whose utilities are known named the worse response."""
    if subject.utilities is None or not isinstance(picked, int):
        return False
    utilities = subject.utilities[list(query.options)]
    return bool(utilities[picked] < utilities.max())
