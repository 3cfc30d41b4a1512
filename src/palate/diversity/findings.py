"""What a report says of people and of directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray, IndexArray
    from palate.diversity.verdict import Verdict


@dataclass(frozen=True, eq=False)
class People:
    """The people who are served, S of them.

    Attributes:
        names: of each.
        asks: (S,) who has two responses to decide between.
        coverage: (S,) least share of one of their contests that the answers identify.
        at_risk: (S,) share of their questions that what is unseen may turn around.
        gap: (S,) expected loss in reward of giving them what the estimate calls best.
        floor: (S,) what of it no number of answers of this kind takes away.
        flip: (S,) posterior probability that another response is best; it tends to be too high.
        verdicts: on each.
    """

    names: tuple[str, ...]
    asks: BoolArray
    coverage: FloatArray
    at_risk: FloatArray
    gap: FloatArray
    floor: FloatArray
    flip: FloatArray
    verdicts: tuple[Verdict, ...]

    @property
    def worst(self) -> IndexArray:
        """Those with anything to decide, by expected loss, the greatest first."""
        order = np.argsort(-self.gap, kind="stable")
        return order[self.asks[order]]

    def mean(self, values: FloatArray) -> float:
        """Of those with anything to decide; 0 if nobody has."""
        return float(values[self.asks].mean()) if self.asks.any() else 0.0


@dataclass(frozen=True)
class Example:
    """Two responses that a direction tells apart, and for whom it matters."""

    person: str
    better: str
    worse: str


@dataclass(frozen=True, eq=False)
class Direction:
    """A direction that the answers leave open: of people's heads, or of responses' features.

    Attributes:
        of: "people": a direction of heads, whatever the responses; "responses": one of features,
            whatever the people.
        vector: (J,) unit head, or (F,) unit features.
        share: of all that is open.
        unseen: share of it that no answer says anything about; the rest is known too vaguely.
        lacks: what would have to change for answers to speak of it: the people who answer, the
            responses that they compare, who compares what, or only how many answers there are.
        examples: pairs of responses that it decides between.
        people: names of those served for whom it matters most.
    """

    of: Literal["people", "responses"]
    vector: FloatArray
    share: float
    unseen: float
    lacks: Literal["people", "responses", "combinations", "answers"]
    examples: tuple[Example, ...]
    people: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a number of answers like those given is expected to bring.

    Attributes:
        answers: so many in all.
        gap: expected loss of the people served, on average.
        most: what 95 % of them lose at most.
        error: share of best responses taken for another, an upper estimate.
    """

    answers: int
    gap: float
    most: float
    error: float


@dataclass(frozen=True, eq=False)
class Suggestions:
    """Whom to ask first, and what.

    Attributes:
        people: names, in that order.
        people_gains: share of what is open that an answer of theirs closes, on average.
        people_left: share that is left once all of them have answered up to twenty comparisons.
        comparisons: of whom to ask what, in that order.
        gains: share of what is open that each answer closes.
        left: share that is left after them.
    """

    people: tuple[str, ...]
    people_gains: FloatArray
    people_left: float
    comparisons: tuple[Example, ...]
    gains: FloatArray
    left: float
