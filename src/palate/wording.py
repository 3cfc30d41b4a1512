"""What people are told about their answers, in the same words at a terminal and on the page."""

from __future__ import annotations

import math
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from palate.elicitation import Recommendation
    from palate.pool import Response


def progress(recommendation: Recommendation) -> str:
    """One line about where the questions stand."""
    left = recommendation.questions_left
    if left == 0:
        return f"question {recommendation.answers + 1}, the last one"
    plural = "question" if left == 1 else "questions"
    return f"question {recommendation.answers + 1}, about {left} {plural} left"


def sureness(recommendation: Recommendation) -> str:
    """How sure palate is, in words and numbers."""
    n = recommendation.answers
    after = "Before any question" if n == 0 else f"After {n} question{'s' if n > 1 else ''}"
    bound = recommendation.bound
    if recommendation.expected_regret is not None:
        return f"{after}: {_expectation(recommendation, recommendation.expected_regret)}"
    if not recommendation.consistent:
        return (
            f"{after}: the best guess. Some answers contradict each other, so no single taste "
            "explains them all and nothing can be certain; undoing one may help."
        )
    if bound is None:
        return f"{after}: the best so far. This strategy does not say how far it may be off."
    if recommendation.certified and bound < 1e-3:
        return f"{after}: certain. If your answers hold, nothing else in the pool suits you better."
    odds = 100.0 / (1.0 + math.exp(-bound))
    reach = (
        f"something else in the pool may still suit you better by up to {bound:.2f}; shown beside "
        f"this one you would pick it at most {odds:.0f} times in 100"
    )
    if recommendation.certified:
        return f"{after}: as sure as was asked for. If your answers hold, {reach}."
    return f"{after}: the best so far. {reach[0].upper()}{reach[1:]}."


def _expectation(recommendation: Recommendation, regret: float) -> str:
    sure = "as sure as was asked for" if recommendation.certified else "the best so far"
    within = max(1, math.ceil(100.0 * regret))
    doubt = "" if recommendation.consistent else " That allows for answers that contradict others."
    return (
        f"{sure}. It is expected to come within {within} % of what suits you best, where the worst "
        f"in the pool is 100 % away.{doubt}"
    )


def headline(response: Response) -> str:
    """The first words of a response, on one line."""
    text = " ".join(printable(response.text or response.image or "").split())
    return text if len(text) <= 160 else text[:157] + "..."


def printable(text: str) -> str:
    """Text without control characters: a response must not be able to drive what shows it."""
    return "".join(
        c
        if c == "\n" or unicodedata.category(c) not in {"Cc", "Cs"}
        else "\N{REPLACEMENT CHARACTER}"
        for c in text.replace("\r\n", "\n").expandtabs(4)
    )
