"""What a strategy is: which responses to show next, and which one to return."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from palate._random import generator
from palate.errors import ParameterError, PoolError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import Features, FloatArray, IndexArray
    from palate.feedback import Answer
    from palate.pool import Pool


@dataclass(slots=True)
class View:
    """All that a strategy may look at: a pool, the answers so far, and the seed.

    Attributes:
        pool: the responses.
        answers: the answers so far, in order, without those taken back.
        seed: the elicitation's seed; draw from :meth:`rng`, never from a global generator.
        memo: scratch space, kept from call to call while answers are only added, emptied when one
            is taken back or the pool grows. Leave nothing in it that cannot be computed again from
            the rest.
        first_size: how many responses the pool held before the first answer; those beyond them
            joined later. Draw from the seed by this number, lest a pool that grows upset what was
            drawn. By default all of the pool's.
    """

    pool: Pool
    answers: Sequence[Answer]
    seed: int
    memo: dict[str, Any] = field(default_factory=dict)
    first_size: int = 0

    def __post_init__(self) -> None:
        self.first_size = self.first_size or len(self.pool)

    def rng(self, name: str, *numbers: int) -> np.random.Generator:
        """A generator for one purpose; the same purpose and numbers give the same draws."""
        return generator(self.seed, name, *numbers)

    @property
    def features(self) -> Features:
        """The pool's features.

        Raises:
            PoolError: it has none.
        """
        if self.pool.features is None:
            raise PoolError("this strategy needs features: embed the pool, or give it an array")
        return self.pool.features


@dataclass(frozen=True, slots=True)
class Choice:
    """The response to return if the questions ended now.

    Attributes:
        index: place in the pool.
        bound: how much better another response may still be, in utility units: logits of an
            answer; None where the strategy gives no bound.
        certified: whether the strategy vouches for the choice to within its threshold.
        questions_left: an estimate of how many questions the strategy would still ask.
        consistent: False where the answers contradict each other, so that no taste explains all.
        expected_regret: utility that the choice is expected to lose to the best response, as a
            share of the range from the pool's worst to its best; None where the strategy expects
            nothing, or gives a bound.
    """

    index: int
    bound: float | None
    certified: bool
    questions_left: int
    consistent: bool = True
    expected_regret: float | None = None


class Strategy(ABC):
    """The rule that picks the next query and the response to return.

    A strategy is a frozen dataclass of settings: whatever it learns is derived from the view, so
    one object can serve many elicitations at once, and a replay of the answers asks the same again.
    Implementations are checked by :class:`palate.testing.StrategyContract`.
    """

    name: ClassVar[str]
    max_steps: int | None

    @abstractmethod
    def propose(self, view: View) -> tuple[int, ...] | None:
        """Pool indices of the next query, K >= 2 of them, or None where nothing is left to ask."""

    @abstractmethod
    def choose(self, view: View) -> Choice:
        """The response to return now, after any number of answers."""

    def settings(self) -> dict[str, Any]:
        """The settings by name, as JSON values: part of an elicitation's fingerprint."""
        values: dict[str, Any] = {"name": self.name}
        for setting in dataclasses.fields(self):  # type: ignore[arg-type]  # subclasses are
            value = getattr(self, setting.name)
            values[setting.name] = list(value) if isinstance(value, tuple) else value
        return values

    def steps_left(self, view: View) -> int | None:
        """Questions that ``max_steps`` still allows, or None where there is no such limit."""
        return None if self.max_steps is None else max(0, self.max_steps - steps(view.answers))


def steps(answers: Sequence[Answer]) -> int:
    """Questions answered: picks, orders and ties count, a skip does not."""
    return sum(answer.picked != "skip" for answer in answers)


def comparisons(answers: Sequence[Answer], features: Features) -> tuple[FloatArray, IndexArray]:
    """Answers as differences (m, d), winner minus loser, and the stage (m,) each row belongs to.

    A pick out of K is one stage of K - 1 rows. An order is a stage for each place that it settles,
    with a row for each option below (:attr:`palate.feedback.Answer.stages`), so that the
    multinomial-logit loss of the rows is the log-loss of the order under the model of Plackett and
    Luce: the product of the probabilities of its stages (Plackett 1975; Luce 1959). Ties and skips
    give no row.
    """
    winners: list[int] = []
    losers: list[int] = []
    groups: list[int] = []
    for stage, (winner, others) in enumerate(s for answer in answers for s in answer.stages):
        winners += [winner] * len(others)
        losers += others
        groups += [stage] * len(others)
    rows = np.array([*winners, *losers], dtype=np.intp)
    chosen = features[rows].astype(np.float64)
    return chosen[: len(winners)] - chosen[len(winners) :], np.array(groups, dtype=np.intp)


def check_max_steps(max_steps: int | None) -> None:
    """A limit on questions is None or a whole number >= 0."""
    whole = isinstance(max_steps, int) and not isinstance(max_steps, bool)
    if max_steps is not None and not (whole and max_steps >= 0):
        msg = f"max_steps must be None or a whole number of at least 0, not {max_steps!r}"
        raise ParameterError(msg)
