"""The report in words, for somebody who has not read the paper."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from palate.diversity.condition import COVERED
from palate.diversity.verdict import ENOUGH, ENOUGH_ANSWERS, SOME_ANSWERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palate.diversity.report import DiversityReport

LIMITS = (
    "People's weights are taken as known: how sure they are of one person is not in these figures.",
    "The reward is taken to be linear in the basis, and people to answer as a logit says.",
    "Scores and expected losses are asymptotic (Laplace); with few answers they are rough.",
    "They are checked on simulated people, not yet on real ones.",
    "Where people are uncovered no learner does better, says the paper; nothing here proves it.",
)
"""What the figures leave out."""

CERTAIN = (
    "Known from the paper (Kang, arXiv 2605.09119): where the heads of people who give feedback "
    "span the reward directions that can alter a best response, greedy learning has bounded regret "
    "and errors vanish exponentially; where they do not, learners of an admissible class pay at "
    "least logarithmic regret."
)
INFERRED = (
    "Reconstructed by palate, since the full text was not at hand: the condition as the range of "
    "an information matrix, feedback and service kept apart, the scores, the expected loss, and "
    "all thresholds. Tested on simulated people."
)

MEANINGS = {
    "covered": "the answers tell what is best for them, within the tolerance",
    "learnable": "nothing is missing but more of the same answers",
    "uncovered": "what decides is in nobody's answers: more of the same does not help",
    "harmless gap": "something is missing, and costs less than the tolerance",
}
"""Verdicts on a person."""

LACKS = {
    "people": "Nobody who answered has such tastes: other people have to be asked.",
    "responses": "No comparison varied in that way: other responses have to be compared.",
    "combinations": "People with such tastes answered, and responses were compared that vary in "
    "that way, but not by those people: they have to be asked about these responses.",
    "answers": "It was asked about, but too little: more answers of the same kind help.",
}
"""What would have to change for answers to speak of a direction."""


def headline(report: DiversityReport) -> str:
    """The verdict in a sentence."""
    idle = report.people is not None and not report.people.asks.any()
    if idle and report.verdict == "covered":
        return "Covered: nobody has two responses to choose between, so nothing has to be learnt."
    outside = _outside(report)
    return {
        "covered": "Covered: the answers tell what is best for "
        + (f"all but {outside} of the people served." if outside else "the people served."),
        "learnable": "Learnable: nothing is missing, but there are too few answers yet.",
        "uncovered": "Uncovered: what decides the best response of some people is in nobody's "
        "answers.",
        "basis inadequate": "Basis inadequate: people want what no mixture of the prototypes "
        "expresses.",
        "harmless gap": "Harmless gap: the answers leave something open, but it changes no best "
        "response.",
        "undecided": "Undecided: it takes people's answers, and the pools they are served from.",
    }[report.verdict]


def next_steps(report: DiversityReport) -> tuple[str, ...]:
    """What to do now, the first thing first."""
    keep = (
        "In each set that is shown, keep one response that the model did not choose, so that "
        "answers go on speaking of responses that it does not favour."
    )
    again = "Diagnose again when other people or other responses join"
    if report.verdict == "covered":
        go_on = (
            "Go on: give everybody the best response by the fitted rewards, and fit again as "
            "answers come. No exploration is needed."
        )
        return go_on, *_exceptions(report), keep, f"{again}."
    if report.verdict == "harmless gap":
        go_on = "Nothing has to be done for these people and responses: go on as if covered."
        return go_on, *_exceptions(report), keep, f"{again}: for them it may matter."
    if report.verdict == "learnable":
        return *_more_answers(report), keep
    if report.verdict == "uncovered":
        return _other_answers(report)
    if report.verdict == "basis inadequate":
        return _another_basis(report)
    missing = (
        "Diagnose again with the answers that the model was fitted to, and with the pools of "
        "responses that people are served from."
    )
    return (missing,)


def _outside(report: DiversityReport) -> int:
    """People served who are not within the tolerance."""
    people = report.people
    return 0 if people is None else int((people.asks & (people.gap > report.tolerance)).sum())


def _exceptions(report: DiversityReport) -> tuple[str, ...]:
    outside = _outside(report)
    if not outside:
        return ()
    who = "one person is" if outside == 1 else f"{outside} people are"
    return (
        f"Still, {who} outside the tolerance, first in the list below: ask them before you choose.",
    )


def _another_basis(report: DiversityReport) -> tuple[str, ...]:
    spectrum = report.spectrum
    if spectrum is not None and spectrum.rank > report.latent:
        more = (
            "Fit the model again to the same answers with more prototypes (`palate population "
            "select` finds how many), and diagnose again."
        )
        return (more,)
    refit = (
        "Put the new people's answers among those that the model is trained on and fit it again, "
        "with at least one prototype more (`palate population select`)."
    )
    own = (
        "Until then give a new person who answered much a reward of their own, such as "
        "Bradley-Terry on their answers alone. It takes several answers a feature."
    )
    return refit, own


def _more_answers(report: DiversityReport) -> tuple[str, ...]:
    needed = report.samples_for()
    if needed is None:
        enough = (
            "No number of them is predicted to bring 95 % of the people within the tolerance; "
            "diagnose again with more."
        )
    else:
        enough = (
            f"About {_count(needed)} answers in all are predicted to be enough "
            f"({report.answers:,} so far)."
        )
    until = (
        "Until then serve greedily all the same. The comparisons under 'Ask first' save some of "
        "the answers, but change nothing else."
    )
    collect = "Collect more answers of the same people, to the same kind of comparisons."
    return f"{collect} {enough}", until


def _other_answers(report: DiversityReport) -> tuple[str, ...]:
    not_more = (
        "Do not wait for more of the same answers: they cannot help the people marked uncovered. "
        f"{_what_is_lacking(report)}"
    )
    ask = (
        "Ask the people and comparisons under 'Ask first', or others like them: a few answers of "
        "the right people count for more than any number of others."
    )
    again = (
        "Fit again with their answers, and diagnose again. Until then fall back on a safe response "
        "for the people marked uncovered, or ask them before you choose."
    )
    return not_more.rstrip(), ask, again


def reasons(report: DiversityReport) -> tuple[str, ...]:
    """Why, in sentences with the figures."""
    return (*_on_answers(report), *_on_people(report), *_on_basis(report))


def _on_answers(report: DiversityReport) -> Iterator[str]:
    entries = report.latent * report.features
    if not report.answers:
        yield (
            f"No answers were given: of the basis ({report.latent} x {report.features}) and the "
            "weights alone, coverage, expected loss, errors, directions and plans cannot be told."
        )
        return
    if not report.rank:
        yield (
            f"All responses that {_people(report.answering)} compared in {_answers(report.answers)}"
            " have equal features: these answers say nothing of the basis."
        )
        return
    determine = "determines" if report.answers == 1 else "determine"
    yield (
        f"{_answers(report.answers)} of {_people(report.answering)} {determine} {report.rank} of "
        f"the {entries} entries of the basis. That alone decides nothing: what counts is whether "
        "the people served need the others."
    )


def _on_people(report: DiversityReport) -> Iterator[str]:
    people = report.people
    if people is None:
        if report.answers:
            yield "Nobody is named who is served, so nothing can be said about best responses."
        return
    total = int(people.asks.sum())
    if not total:
        yield "Every pool holds a single response, or equal ones."
        return
    if not report.rank:
        return  # neither risk nor loss means anything for a basis that answers say nothing of
    low = people.asks & (people.coverage < COVERED)
    if low.any():
        who = f"{low.sum()} of {_people(total)} served have"
        if total == 1:
            who = "The one person served has"
        yield (
            f"{who} a comparison to decide of which less than {COVERED:.0%} is identified; the "
            f"least is {people.coverage[low].min():.0%}. "
            f"What is unseen may turn around {people.at_risk[low].mean():.0%} of their questions."
        )
    else:
        has = "has" if total == 1 else "have"
        yield (
            f"Whatever the {_people(total)} served {has} to decide is identified by the answers "
            f"(coverage at least {people.coverage[people.asks].min():.1%})."
        )
    within = people.asks & (people.gap <= report.tolerance)
    yield (
        f"Expected loss {people.mean(people.gap):.3g} on average, tolerance {report.tolerance:.3g}"
        f"{_share_of_spread(report)}; {_within(int(within.sum()), total)}."
    )
    floor = people.mean(people.floor)
    if floor > 0.0:
        yield (
            f"Of that loss {floor:.3g} stays however many such answers are added, since they do "
            "not speak of it."
        )
    yield (
        "About "
        f"{report.predict_error(report.answers):.0%} of best responses may be taken for another "
        "one now (an upper estimate), mostly for nearly equal ones."
    )


def _on_basis(report: DiversityReport) -> Iterator[str]:
    spectrum, adequacy = report.spectrum, report.adequacy
    if spectrum is not None and report.rank:
        yield _support(spectrum.rank, report.latent)
    if adequacy is not None:
        if adequacy.answers < SOME_ANSWERS:
            says = f"too few answers to judge the basis by ({ENOUGH_ANSWERS:.0f} each would do)"
        elif report.verdict == "basis inadequate":
            says = "above what noise explains"
        else:
            says = "no sign that the basis lacks anything"
        yield (
            f"New people's own answers ({_people(adequacy.people)}, {adequacy.answers:.0f} each): "
            f"likelihood ratio {adequacy.ratio:.2f} a degree of freedom, {says}."
        )
    yield from (f"{note[:1].upper()}{note[1:].rstrip('.')}." for note in report.notes)


def _support(rank: int, latent: int) -> str:
    """What cross-fitting says."""
    if rank > latent:
        return (
            f"Cross-fitting supports more latent directions of the answers than the {latent} of "
            "the model, which cannot fit everybody who answered."
        )
    if rank == latent:
        return f"Cross-fitting supports the {latent} latent directions of the model, and no more."
    return (
        f"Cross-fitting supports {rank} of the {latent} latent directions of the model: the rest "
        "is noise, or in too few answers to tell. Along it the model knows nothing of people "
        "unlike those who answered, whatever its fit says; fewer prototypes may do."
    )


def _share_of_spread(report: DiversityReport) -> str:
    if not report.spread > 0.0:
        return ""
    share = report.tolerance / report.spread
    return f" ({share:.1%} of the {report.spread:.3g} between the best and the mean response)"


def _what_is_lacking(report: DiversityReport) -> str:
    """About the direction that is unseen and carries most."""
    unseen = [direction for direction in report.directions if direction.unseen > 0.5]
    return LACKS[unseen[0].lacks] if unseen else ""


def _people(n: int) -> str:
    return "one person" if n == 1 else f"{n:,} people"


def _within(some: int, total: int) -> str:
    if total == 1:
        return f"the person is {'' if some else 'not '}within it"
    return f"{some:,} of {total:,} people are within it, and {ENOUGH:.0%} should be"


def _answers(n: int) -> str:
    return "1 answer" if n == 1 else f"{n:,} answers"


def _count(n: int) -> str:
    """Two significant digits: more are not known."""
    digits = len(str(n)) - 2
    return f"{n if digits <= 0 else math.ceil(n / 10**digits) * 10**digits:,}"
