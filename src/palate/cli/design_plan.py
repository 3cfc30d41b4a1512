"""A plan on the command line: solved, written into a file, and said in a few lines."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palate.design import QueryFile, plan, pose, sample_queries
from palate.design.people import QUESTION
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palate.cli.design_source import Source
    from palate.design import Design
    from palate.design.criteria import CriterionName
    from palate.design.queries import Feedback, Rounding

LITTLE = 0.95
"""Share of the information from which a uniform design is as good as."""

_KEPT = 1e-4  # weights below are not noted


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """What the options of ``plan`` say."""

    episodes: int
    options: int
    criterion: CriterionName
    lam: float
    rounding: Rounding
    feedback: Feedback
    render: str
    seed: int


def write_plan(
    output: Path, source: Source, settings: PlanSettings, base_url: str | None
) -> Iterator[str]:
    """Plan, write the queries, and say what came out, a line at a time.

    Raises:
        ParameterError: the file exists, or a setting does not fit the source.
        LogError: the file cannot be written.
        ModelError: what is shown could not be made.
    """
    if output.exists():
        msg = f"{output} exists; name another file, or go on with palate design ask {output}"
        raise ParameterError(msg)
    problem = source.problem
    slot, options = ("prompt", "responses") if source.pools else ("slot", "tokens")
    slots = f"{len(problem.slots)} {slot}{'s' if len(problem.slots) > 1 else ''}"
    yield (
        f"{source.name}: {slots}, {sum(problem.sizes):,} {options}, {problem.d} features "
        f"({source.settings['embedder'] or 'of the pool'})"
    )
    began = time.perf_counter()
    design = plan(
        problem, n_queries=settings.episodes, lam=settings.lam, criterion=settings.criterion
    )
    seconds = time.perf_counter() - began
    planned = sample_queries(
        design,
        n_options=settings.options,
        episodes=settings.episodes,
        feedback=settings.feedback,
        rounding=settings.rounding,
        seed=settings.seed,
    )
    question = source.pools[0].prompt if len(source.pools) == 1 else QUESTION
    with source.renderer(settings.render, pictures_of(output), base_url) as renderer:
        asked = pose(problem, planned, renderer, shows=source.shows, question=question)
    with QueryFile.create(output, planned, asked, noted(source, settings, design)):
        pass
    yield from _lines(design, settings, seconds, options)
    yield (
        f"{len(planned)} questions of {settings.options} options are in {output}; "
        f"ask them by: palate design ask {shlex.quote(str(output))}"
    )


def noted(source: Source, settings: PlanSettings, design: Design) -> dict[str, Any]:
    """What the file says about its plan, as JSON values."""
    shares = [
        {
            slot.tokens[i]: float(f"{weights[i]:.5g}")
            for i in sorted(range(len(slot)), key=lambda i: -weights[i])
            if weights[i] >= _KEPT
        }
        for slot, weights in zip(design.problem.slots, design.weights, strict=True)
    ]
    return source.settings | {
        "episodes": settings.episodes,
        "options": settings.options,
        "criterion": settings.criterion,
        "lambda": settings.lam,
        "rounding": settings.rounding,
        "feedback": settings.feedback,
        "render": settings.render,
        "seed": settings.seed,
        "relative_gap": design.relative_gap,
        "uniform_share": design.uniform_share,
        "steps": design.steps,
        "shares": shares,
    }


def pictures_of(queries: Path) -> Path:
    """The folder beside a file of queries where its pictures are kept."""
    return queries.with_name(f"{queries.stem}-pictures")


def _lines(design: Design, settings: PlanSettings, seconds: float, options: str) -> Iterator[str]:
    lam, d = settings.lam, design.problem.d
    yield (
        f"criterion {settings.criterion}, lambda {lam:.3g} (suits a person of strength "
        f"{(d / lam) ** 0.5:.3g}), {settings.rounding} rounding"
    )
    yield (
        f"relative gap {design.relative_gap:.1e} after {design.steps} steps and {seconds:.1f} s; "
        f"a uniform design has {design.uniform_share:.1%} of the information"
    )
    if design.uniform_share > LITTLE:
        yield "So planning gains little here: random questions would tell nearly as much."
    used = (
        f"{slot.name} {int((weights >= _KEPT).sum()):,} of {len(slot):,}"
        for slot, weights in zip(design.problem.slots, design.weights, strict=True)
    )
    yield f"{options} in use: {', '.join(used)}"
