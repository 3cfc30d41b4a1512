"""What the answers of a file say, on the command line and as a page."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palate.cli.design_plan import pictures_of
from palate.cli.design_source import renderer_named, source_of
from palate.design import read_queries
from palate.design.html import page as html_page
from palate.design.summary import summarise, text_of, utility
from palate.wording import headline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palate.cli.design_source import Source
    from palate.design import QueryFile
    from palate.design.summary import Summary


@dataclass(frozen=True, eq=False, slots=True)
class Fitted:
    """A file of queries, what it is about, and what its answers say."""

    file: QueryFile
    source: Source
    summary: Summary

    def texts(self) -> dict[str, float]:
        """What suits best, and what comes close, with its utility.

        Of a vocabulary prompts; of one pool its responses; of several pools the best of each.
        """
        theta, problem = self.summary.estimate.theta, self.source.problem
        if not self.source.pools:
            prompts = (self.summary.best, *self.summary.near)
            return {text_of(problem, p): utility(problem, p, theta) for p in prompts}
        most = 1 + len(self.summary.near) if len(self.source.pools) == 1 else 1
        found = {}
        for slot, pool in zip(problem.slots, self.source.pools, strict=True):
            utilities = slot.features @ theta
            for i in (-utilities).argsort(kind="stable")[:most].tolist():
                name = f"{slot.tokens[i]}: {headline(pool.responses[i])}"
                found[name] = float(utilities[i])
        return found


def fitted(
    queries: Path,
    lam: float | None,
    base_url: str | None,
    *,
    whole: bool = False,
    n_near: int = 5,
    seed: int = 0,
) -> Fitted:
    """Read a file and fit its answers.

    Raises:
        LogError: the file cannot be read.
        AnswerError: it holds no pick.
        ParameterError: a setting outside its range, or what it was planned for has changed.
    """
    file = read_queries(queries)
    source = source_of(file.settings, queries, base_url)
    summary = summarise(
        file,
        source.problem,
        lam=lam,
        planned_lam=float(file.settings["lambda"]),
        embedder=source.embedder if whole and not source.pools else None,
        n_near=n_near,
        seed=seed,
    )
    return Fitted(file, source, summary)


def pictures(found: Fitted, render: str, base_url: str | None) -> dict[str, str]:
    """Pictures of the best prompts, by prompt; none where they are shown as text."""
    if render == "text" or found.source.pools:
        return {}
    prompts = list(found.texts())
    with renderer_named(render, pictures_of(found.file.path), base_url) as renderer:
        shown = zip(prompts, renderer.render(prompts), strict=True)
    return {prompt: response.image for prompt, response in shown if response.image}


def lines(found: Fitted, images: dict[str, str]) -> Iterator[str]:
    """For people."""
    summary, file = found.summary, found.file
    picks = summary.estimate.picks
    said = f"{picks} pick{'s' if picks != 1 else ''} of {len(file.asked.queries)} questions"
    yield f"{said}, lambda {summary.lam:.3g}, strength {summary.strength:.3g}"
    low, median, high = summary.errors
    yield (
        f"theta: {len(summary.estimate.theta)} numbers of length "
        f"{math.hypot(*summary.estimate.theta):.3g}, standard errors {low:.2g} to {high:.2g} "
        f"(median {median:.2g}); {summary.open:.0%} of what was open is open still"
    )
    if summary.prediction is not None:
        p = summary.prediction
        yield (
            f"picks left out and predicted: {p.accuracy:.0%} right, by chance {p.chance:.0%} "
            f"(log loss {p.log_loss:.2f})"
        )
    if not summary.strength:
        yield "The picks show no more than chance, so what follows is a guess: ask on."
    if summary.warning is not None:
        yield f"warning: {summary.warning}"
    yield ""
    for leader in summary.leaders:
        yield (
            f"{leader.slot}: {leader.token or '(nothing)'}, ahead of "
            f"{leader.second or '(nothing)'} by {leader.lead:.2g} ± {leader.error:.2g}"
        )
    yield ""
    # Of several pools there is a best response of each; of one, what comes next is not drawn.
    others = {0: "near", 1: "next"}.get(len(found.source.pools), "best")
    for number, (text, worth) in enumerate(found.texts().items()):
        yield f"{others if number else 'best'} ({worth:.2f}): {text}"
        if text in images:
            yield f"  {images[text]}"


def to_object(found: Fitted, images: dict[str, str]) -> dict[str, Any]:
    """For programs."""
    summary = found.summary
    low, median, high = summary.errors
    return {
        "queries": len(found.file.asked.queries),
        "answers": len(found.file.answers),
        "picks": summary.estimate.picks,
        "lambda": summary.lam,
        "strength": summary.strength,
        "warning": summary.warning,
        "theta": summary.estimate.theta.tolist(),
        "standard_errors": {"least": low, "median": median, "largest": high},
        "open": None if math.isnan(summary.open) else summary.open,
        "held_out": None if summary.prediction is None else asdict(summary.prediction),
        "leaders": [asdict(leader) for leader in summary.leaders],
        "prompts": [
            {"prompt": text, "utility": worth, "image": images.get(text)}
            for text, worth in found.texts().items()
        ],
        "settings": {k: v for k, v in found.file.settings.items() if k not in {"shares", "slots"}},
    }


def page(found: Fitted, images: dict[str, str]) -> str:
    """The report of a plan and its answers."""
    return html_page(found.file, found.source.problem, found.summary, found.texts(), images)


def page_of_plan(queries: Path, base_url: str | None) -> str:
    """The report of a plan that nobody has answered yet."""
    file = read_queries(queries)
    return html_page(file, source_of(file.settings, queries, base_url).problem)
