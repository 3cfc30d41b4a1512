"""The report of a plan and its answers, as one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64
import mimetypes
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from palate._html import note, section, share_bar, table, whole_page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from palate.design.files import QueryFile
    from palate.design.problem import Problem
    from palate.design.summary import Summary

_TOKENS = 8  # of each slot that are shown

_CRITERIA = {
    "D": "D: all weights together, the volume of what is left open",
    "A": "A: the mean error of the weights",
    "V": "V: the differences that the person will choose by",
}


def page(
    file: QueryFile,
    problem: Problem,
    summary: Summary | None = None,
    prompts: Mapping[str, float] | None = None,
    images: Mapping[str, str] | None = None,
) -> str:
    """The page; all texts are escaped, and pictures are inside it.

    Args:
        file: queries and answers.
        problem: that they were planned for.
        summary: of the answers; None where there is none.
        prompts: the best prompt and others near it, with their utilities.
        images: paths of pictures of prompts.
    """
    parts = [_headline(file, summary, prompts or {})]
    if summary is not None:
        pools = "pool" in file.settings
        title = "Best responses" if pools else "Best prompts"
        parts.append(section(title, *_prompts(prompts or {}, images or {}, problem, pools=pools)))
        parts.append(section("The person", *_estimate(summary)))
    parts.append(section("The plan", *_plan(file)))
    parts.append(section("What is asked about", *_shares(file, problem)))
    parts.append(section("Questions and answers", *_answers(file)))
    name = file.settings.get("vocabulary") or Path(str(file.settings.get("pool"))).name
    return whole_page(f"Questions planned ahead: {name}", parts)


def _headline(file: QueryFile, summary: Summary | None, prompts: Mapping[str, float]) -> str:
    n = len(file.asked.queries)
    if summary is None:
        text = f"{n} questions are planned; nobody has picked anything yet."
    else:
        best = next(iter(prompts), "")
        picks = "1 pick" if summary.estimate.picks == 1 else f"{summary.estimate.picks} picks"
        text = f"After {picks} in {n} questions, what suits best: {best}"
    return f'<p class="verdict">{escape(text)}</p>'


def _prompts(
    prompts: Mapping[str, float], images: Mapping[str, str], problem: Problem, *, pools: bool
) -> Iterator[str]:
    if not pools:
        yield note("The first is the best under the estimate; the others were drawn near it.")
    elif len(problem.slots) > 1:
        yield note("The best under the estimate for each prompt.")
    else:
        yield note("The best under the estimate, and those that come next.")
    rows = []
    for text, worth in prompts.items():
        shown = _image(images[text], text) if text in images else ""
        rows.append((escape(text) + shown, f"{worth:.2f}"))
    yield table(("response" if pools else "prompt", "utility"), rows)


def _estimate(summary: Summary) -> Iterator[str]:
    if summary.warning is not None:
        yield f'<p class="bad">{escape(summary.warning)}</p>'
    if not summary.strength:
        yield note("The picks show no more than chance, so what suits best is a guess.")
    rows = [
        ("strength", f"{summary.strength:.3g}", "length of the weights; near 1 picks are random"),
        ("lambda", f"{summary.lam:.3g}", "prior precision of the estimate"),
        ("open still", f"{summary.open:.0%}", "of what was unknown beforehand"),
        (
            "standard errors",
            f"{summary.errors[0]:.2g} to {summary.errors[2]:.2g}",
            f"of {len(summary.estimate.theta)} weights; median {summary.errors[1]:.2g}",
        ),
    ]
    if summary.prediction is not None:
        p = summary.prediction
        why = f"of {p.picks} picks, each predicted without its episode; chance {p.chance:.0%}"
        rows.append(("predicted", f"{p.accuracy:.0%}", why))
    yield table(("", "", ""), [tuple(map(escape, row)) for row in rows])
    yield table(
        ("slot", "best", "next", "ahead by"),
        [
            (
                escape(leader.slot),
                escape(leader.token or "(nothing)"),
                escape(leader.second or "(nothing)"),
                f"{leader.lead:.2g} ± {leader.error:.2g}",
            )
            for leader in summary.leaders
        ],
    )
    yield note("Ahead by: difference of utility and its standard error.")


def _plan(file: QueryFile) -> Iterator[str]:
    settings = file.settings
    said = {
        "criterion": _CRITERIA.get(str(settings.get("criterion"))),
        "lambda": settings.get("lambda"),
        "episodes": settings.get("episodes"),
        "options a question": settings.get("options"),
        "rounding": settings.get("rounding"),
        "features": settings.get("embedder") or "of the pool",
        "seed": settings.get("seed"),
    }
    rows = [(escape(name), escape(str(v))) for name, v in said.items() if v is not None]
    if isinstance(share := settings.get("uniform_share"), float):
        rows.append(("information of a uniform design", share_bar(min(share, 1.0))))
    if isinstance(gap := settings.get("relative_gap"), float):
        rows.append(("relative gap", f"{gap:.1e}"))
    yield table(("", ""), rows)
    yield note(
        "The share is what asking about everything equally often would tell, of what this plan "
        "tells; near 100 % planning gains little. No plan tells more than the gap beyond this one."
    )


def _shares(file: QueryFile, problem: Problem) -> Iterator[str]:
    shares = file.settings.get("shares")
    if not isinstance(shares, list) or len(shares) != len(problem.slots):
        yield note("The file does not say how often the plan shows what.")
        return
    token = "response" if "pool" in file.settings else "token"
    yield note("As it was planned before the first answer.")
    for slot, share in zip(problem.slots, shares, strict=True):
        top = sorted(share.items(), key=lambda item: -item[1])[:_TOKENS]
        rows = [(escape(name or "(nothing)"), share_bar(weight)) for name, weight in top]
        summary = f"{slot.name}: {len(share)} of {len(slot)} {token}s"
        opened = " open" if slot is problem.slots[0] else ""
        inner = table((token, "share of what is shown"), rows)
        yield f"<details{opened}><summary>{escape(summary)}</summary>{inner}</details>"


def _answers(file: QueryFile) -> Iterator[str]:
    by_kind = {"picked": 0, "tie": 0, "skip": 0}
    for answer in file.answers.values():
        by_kind[answer.picked if isinstance(answer.picked, str) else "picked"] += 1
    open_ = len(file.asked.queries) - len(file.answers)
    picks, ties, skips = by_kind["picked"], by_kind["tie"], by_kind["skip"]
    tied = "1 tie" if ties == 1 else f"{ties} ties"
    yield note(f"{picks} picked, {tied}, {skips} skipped, {open_} open.")
    rows = []
    for query, planned in zip(file.asked.queries, file.planned, strict=True):
        said = file.answers.get(query.number)
        texts = [file.asked.pool.responses[i] for i in query.options]
        shown = [escape(r.text or str(r.metadata.get("prompt", r.image))) for r in texts]
        place = said.winner if said is not None else None
        cells = [
            f"<b>{text}</b>" if i == place else text
            for i, text in zip(query.options, shown, strict=True)
        ]
        kind = said.picked if said is not None and isinstance(said.picked, str) else ""
        rows.append((f"{planned.episode + 1}.{planned.depth}", "<br>".join(cells), escape(kind)))
    inner = table(("question", "options, the pick in bold", ""), rows)
    yield f"<details><summary>All {len(rows)} questions</summary>{inner}</details>"


def _image(path: str, text: str) -> str:
    """A picture as part of the page; nothing where it cannot be read."""
    try:
        content = Path(path).read_bytes()
    except OSError:
        return ""
    kind = mimetypes.guess_type(path)[0] or "image/png"
    encoded = base64.b64encode(content).decode("ascii")
    return f'<br><img alt="{escape(text)}" width="256" src="data:{kind};base64,{encoded}">'
