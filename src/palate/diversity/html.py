"""A report as one HTML page that needs nothing beside it."""

from __future__ import annotations

import math
from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from palate._html import listed, note, section, table, whole_page
from palate.diversity.plots import (
    coverage_figure,
    inline_svg,
    prediction_figure,
    spectrum_figure,
)
from palate.diversity.wording import CERTAIN, INFERRED, LACKS, LIMITS, MEANINGS
from palate.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from palate.diversity.findings import Example, People, Suggestions
    from palate.diversity.report import DiversityReport

_SHOWN = 20  # people listed
_LONGEST = 240  # characters of a response that are shown

_COLOURS = {
    "covered": "good",
    "harmless gap": "good",
    "learnable": "warn",
    "uncovered": "bad",
    "basis inadequate": "bad",
    "undecided": "warn",
}


def page(report: DiversityReport, title: str) -> str:
    """The page; texts of people and responses are escaped.

    Args:
        report: what it is about.
        title: of the page.
    """
    parts = [
        f'<p class="verdict {_COLOURS[report.verdict]}">{escape(report.headline)}</p>',
        section("What to do next", listed(report.next_steps, "ol")),
        section("Why", listed(report.reasons)),
    ]
    if report.ask_first is not None:
        parts.append(section("Ask first", *_ask_first(report.ask_first)))
    if report.directions:
        parts.append(section("What is open", *_directions(report)))
    if report.people is not None:
        parts.append(section("The people served", *_people(report.people)))
    parts += [
        section("Figures", *_figures(report)),
        section("Numbers", table(("", "", ""), _numbers(report))),
        section("What this leaves out", listed(LIMITS)),
        section(
            "Where it comes from",
            f"<p>{escape(CERTAIN)}</p>",
            f"<p>{escape(INFERRED)}</p>",
        ),
    ]
    return whole_page(title, parts)


def _ask_first(first: Suggestions) -> Iterator[str]:
    yield note(
        "Of the people served and their own responses, these close most of what is open. The share "
        "is what one answer closes (of a person: on average over twenty comparisons)."
    )
    rows = zip(first.people, first.people_gains, strict=True)
    yield table(
        ("person", "closed by one answer"),
        [(escape(name), f"{gain:.2%}") for name, gain in rows],
    )
    yield note(f"After twenty answers of each {first.people_left:.0%} of what is open is left.")
    for pair, gain in zip(first.comparisons, first.gains, strict=True):
        yield f"<p>Ask {escape(pair.person)} which is better ({gain:.2%}):</p>"
        yield _pair(pair, ("one", "the other"))


def _directions(report: DiversityReport) -> Iterator[str]:
    if report.verdict in {"covered", "harmless gap"}:
        yield note("All of it together costs at least 95 % of the people less than the tolerance.")
    for number, direction in enumerate(report.directions, start=1):
        of = "tastes" if direction.of == "people" else "responses"
        yield (
            f"<p><b>{number}. A direction of {of}</b> that carries {direction.share:.0%} of what "
            f"is open. {escape(LACKS[direction.lacks])}</p>"
        )
        if direction.people:
            names = ", ".join(direction.people)
            yield f"<p>It matters most for {escape(names)}.</p>"
        if direction.examples:
            opened = "" if report.ask_first is None else " open"
            pairs = "".join(
                _pair(example, (f"best for {example.person}, as estimated", "close behind"))
                for example in direction.examples
            )
            summary = "For example, whether the first is better than the second"
            yield f"<details{opened}><summary>{summary}</summary>{pairs}</details>"


def _pair(pair: Example, captions: tuple[str, str]) -> str:
    cells = "".join(
        f"<div><b>{escape(caption)}</b>{escape(_cut(text))}</div>"
        for caption, text in zip(captions, (pair.better, pair.worse), strict=True)
    )
    return f'<div class="pair">{cells}</div>'


def _people(people: People) -> Iterator[str]:
    counts = Counter(v for v, asks in zip(people.verdicts, people.asks, strict=True) if asks)
    idle = int((~people.asks).sum())
    said = [f"{n:,} {_coloured(verdict)}" for verdict, n in counts.most_common()]
    if idle:
        said.append(f"{idle:,} with nothing to decide")
    yield f"<p>{', '.join(said)}.</p>"
    yield listed(f"{verdict}: {MEANINGS[verdict]}" for verdict, _ in counts.most_common())
    worst = people.worst[:_SHOWN]
    if not len(worst):
        return
    rows = [
        (
            f"<span>{escape(people.names[i])}</span>",
            _coloured(people.verdicts[i]),
            f"{people.coverage[i]:.0%}",
            f"{people.at_risk[i]:.0%}",
            f"{people.gap[i]:.3g}",
            f"{people.floor[i]:.3g}",
        )
        for i in worst
    ]
    yield note(f"Those who lose most, {len(rows)} of {people.asks.sum()}:")
    header = (
        "person",
        "verdict",
        "least coverage",
        "questions at risk",
        "expected loss",
        "of it never learnt",
    )
    yield table(header, rows)


def _coloured(verdict: str) -> str:
    return f'<span class="{_COLOURS[verdict]}">{escape(verdict)}</span>'


def _figures(report: DiversityReport) -> Iterator[str]:
    wanted: list[tuple[Callable[[DiversityReport], object], str]] = []
    if report.predictions:
        caption = (
            "Expected loss of the people served by the number of answers like those given. The "
            "upper line has to come below the tolerance."
        )
        wanted.append((prediction_figure, caption))
    if report.people is not None and len(report.people.worst):
        caption = (
            "Whose tastes lie along directions that were asked about. Rows are the people who lose "
            "most; a dark cell in a column named none is a taste that nobody who answered has."
        )
        wanted.append((coverage_figure, caption))
    if report.spectrum is not None:
        caption = (
            "How much of each latent direction is real. Fitted values are never 0; cross-fitted "
            "ones are, for noise. Bars are one standard deviation over splits."
        )
        wanted.append((spectrum_figure, caption))
    if not wanted:
        yield note("There is nothing to draw.")
    for draw, caption in wanted:
        try:
            drawn = inline_svg(draw(report))
        except MissingExtraError as error:
            yield note(f"Figures are left out: {error}")
            return
        yield f"<figure>{drawn}<figcaption>{escape(caption)}</figcaption></figure>"


def _numbers(report: DiversityReport) -> Iterator[tuple[str, str, str]]:
    def row(name: str, value: str, meaning: str) -> tuple[str, str, str]:
        return escape(name), escape(value), f'<span class="note">{escape(meaning)}</span>'

    entries = report.latent * report.features
    yield row("answers", f"{report.answers:,}", f"of {report.answering:,} people")
    yield row("basis", f"{report.latent} x {report.features}", "latent directions by features")
    yield row("rank of the answers", f"{report.rank} of {entries}", "decides nothing by itself")
    yield row(
        "rank of the heads",
        f"{report.head_rank} of {report.latent}",
        "of those who answered, as given or fitted",
    )
    if report.people is None:
        return
    people = report.people
    yield row(
        "expected loss",
        f"{people.mean(people.gap):.3g}",
        f"mean over people; tolerance {report.tolerance:.3g}, spread of a pool {report.spread:.3g}",
    )
    yield row(
        "other best response",
        f"{people.mean(people.flip):.0%}",
        "posterior chance a question; tends to be too high",
    )
    yield row(
        "least information",
        _number(report.conditioning),
        "of a contest of length 1, an answer; 0 where something is uncovered",
    )
    yield row(
        "error exponent",
        _number(report.exponent),
        "errors vanish as exp(-c n) in the end, n answers; 0 where something is uncovered",
    )
    yield row("radius", _number(report.radius), "allowed to the unseen part of the basis")
    for prediction in report.predictions:
        yield row(
            f"after {prediction.answers:,} answers",
            f"{prediction.gap:.3g}",
            f"expected loss; 95 % of people below {prediction.most:.3g}; at most "
            f"{prediction.error:.0%} of best responses wrong",
        )


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "nothing to decide"


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
