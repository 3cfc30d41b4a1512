"""From figures to what they mean for people, and for the population."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from palate.diversity.condition import COVERED

if TYPE_CHECKING:
    from palate._typing import BoolArray, FloatArray
    from palate.diversity.adequacy import Adequacy
    from palate.diversity.spectrum import Spectrum

Verdict: TypeAlias = Literal[
    "covered", "learnable", "uncovered", "basis inadequate", "harmless gap", "undecided"
]
"""What a population's answers say of the people who are served.

``covered``: they identify best responses, within the tolerance. ``learnable``: nothing is missing
but more of the same answers. ``uncovered``: what decides a best response is in nobody's answers, so
that more of the same cannot help. ``basis inadequate``: people want what the basis cannot express.
``harmless gap``: something is missing that changes no best response. ``undecided``: there is not
enough to tell by.
"""

TOLERANCE: Final = 0.02
"""Acceptable expected loss, as a share of the spread (best less mean reward of a pool)."""

ENOUGH: Final = 0.95
"""Share of the people served who must be within the tolerance."""

AT_RISK: Final = 0.05
"""Share of a person's questions that may turn around before a gap counts."""

INADEQUATE, ENOUGH_ANSWERS = 3.0, 500.0
"""Likelihood ratio above which a basis does not fit new people, with so many answers of each."""

DOUBTFUL, SOME_ANSWERS = 1.5, 200.0
"""The same where one of its directions has no support."""


def of_people(
    coverage: FloatArray,
    risk: FloatArray,
    gap: FloatArray,
    tolerance: float,
    *,
    silent: bool = False,
) -> tuple[Verdict, ...]:
    """The verdict on each person who is served.

    Args:
        coverage: (S,) least of their contests.
        risk: (S,) share of their questions that may turn around.
        gap: (S,) expected loss.
        tolerance: of the expected loss.
        silent: the answers say nothing of the basis, so that a loss expected by it means nothing.
    """

    def one(person: int) -> Verdict:
        within = gap[person] <= tolerance
        if coverage[person] >= COVERED:
            return "covered" if within else "learnable"
        if silent:
            return "uncovered"
        if within:
            return "harmless gap"
        return "uncovered" if risk[person] > AT_RISK else "learnable"

    return tuple(one(person) for person in range(len(gap)))


def of_population(verdicts: tuple[Verdict, ...], asks: BoolArray, *, inadequate: bool) -> Verdict:
    """The verdict on the population: what keeps more than 5 % of the people from being served.

    Args:
        verdicts: of each person.
        asks: (S,) who has anything to be decided; nobody else counts.
        inadequate: whether the basis is.
    """
    if inadequate:
        return "basis inadequate"
    found = [verdict for verdict, counts in zip(verdicts, asks, strict=True) if counts]
    if not found:
        return "covered"
    shares = {verdict: found.count(verdict) / len(found) for verdict in set(found)}
    uncovered, learnable = shares.get("uncovered", 0.0), shares.get("learnable", 0.0)
    if uncovered + learnable > 1.0 - ENOUGH + 1e-12:
        return "uncovered" if uncovered > min(learnable, 1.0 - ENOUGH) else "learnable"
    harmless = not uncovered and shares.get("harmless gap", 0.0) > 1.0 - ENOUGH
    return "harmless gap" if harmless else "covered"


def is_inadequate(adequacy: Adequacy | None, spectrum: Spectrum | None, latent: int) -> bool:
    """Whether the basis cannot express what people want.

    That is so where the answers support more latent directions than it has. New people's answers
    say so by a likelihood ratio above 3 at 500 answers a person; or above 1.5 at 200, where the
    answers do not support all directions of the basis.

    Args:
        adequacy: of the basis for new people.
        spectrum: cross-fitted, of the answers.
        latent: J.
    """
    if spectrum is not None and spectrum.rank > latent:
        return True
    if adequacy is None:
        return False
    if adequacy.answers >= ENOUGH_ANSWERS and adequacy.ratio > INADEQUATE:
        return True
    unsupported = spectrum is not None and spectrum.rank < latent
    return unsupported and adequacy.answers >= SOME_ANSWERS and adequacy.ratio > DOUBTFUL
