"""Averages over the people of an experiment, and differences between methods person by person.

Seeds are averaged within a person first: they repeat the run, not the person. So a standard error
is over people, each on one prompt.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import stdtrit

from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from palate._typing import FloatArray
    from palate.bench.experiment import Outcome

CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Mean:
    """An average over people.

    Attributes:
        mean: of the people's averages.
        error: its standard error; 0 for a single person.
    """

    mean: float
    error: float

    def __str__(self) -> str:
        return f"{self.mean:.2f} ({self.error:.2f})"


@dataclass(frozen=True, slots=True)
class Difference:
    """An average of differences within people, with its 95 % interval by Student's t.

    Attributes:
        mean: of the differences.
        low: lower end.
        high: upper end.
    """

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+.1f} [{self.low:+.1f}, {self.high:+.1f}]"


def by_person(
    outcomes: Iterable[Outcome], measure: Callable[[Outcome], FloatArray | float]
) -> FloatArray:
    """A measure of each run, averaged over the seeds of each person.

    Returns:
        (U,) for a number, (U, T) for T of them; people in the order in which they come first.
    """
    values: dict[str, list[Any]] = {}
    for outcome in outcomes:
        values.setdefault(outcome.subject.name, []).append(measure(outcome))
    return np.array([np.mean(of_one, axis=0) for of_one in values.values()])


def average(values: FloatArray) -> Mean:
    """Mean and standard error of (U,) values of people."""
    n = len(values)
    error = float(values.std(ddof=1)) / n**0.5 if n > 1 else 0.0
    return Mean(float(values.mean()), error)


def difference(one: FloatArray, other: FloatArray) -> Difference:
    """Paired difference of (U,) values of the same people, one less the other.

    Raises:
        ParameterError: they are not of equally many people.
    """
    if one.shape != other.shape:
        msg = f"paired differences need the same people, not {len(one)} and {len(other)}"
        raise ParameterError(msg)
    found = average(one - other)
    n = len(one)
    reach = found.error * float(stdtrit(n - 1, 0.5 + CONFIDENCE / 2)) if n > 1 else np.inf
    return Difference(found.mean, found.mean - reach, found.mean + reach)


def head_to_head(
    ours: Sequence[Outcome], theirs: Sequence[Outcome], ts: Sequence[int]
) -> FloatArray:
    """How often each person prefers the choice of one method to another's, seed by seed.

    Args:
        ours: runs whose last choice counts.
        theirs: runs of the same people and seeds, looked at after each of ``ts``.
        ts: numbers of questions.

    Returns:
        (U, T); a half where both choose the same response.
    """
    other = {(o.subject.name, o.seed): o for o in theirs}

    def preferred(outcome: Outcome) -> FloatArray:
        against = other[outcome.subject.name, outcome.seed].choices(ts)
        chosen = outcome.trial.choices[-1]
        return np.array([outcome.subject.preference(chosen, choice) for choice in against])

    return by_person(ours, preferred)
