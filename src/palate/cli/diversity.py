"""``palate diversity``: whether a population can be relied on, for whom, and what to ask next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from palate.cli.models import BaseUrl, EmbedderName
from palate.cli.options import Seed, one_thread, show_help_alone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palate.diversity import DiversityReport

diversity = typer.Typer(
    help="Whether a population can be relied on, for whom, and what to ask next.",
    rich_markup_mode=None,
)


@diversity.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    show_help_alone(context)


@diversity.command()
def report(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[MODEL]", help="A model that population fit saved.")
    ] = None,
    data: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[DATA]", help="The answers that it was fitted to, as for fit."),
    ] = None,
    arrays: Annotated[
        Path | None,
        typer.Option(help="Heads, answers and pools as arrays (.npz), instead of MODEL and DATA."),
    ] = None,
    serve: Annotated[
        list[Path] | None,
        typer.Option(
            help="Answers of the people who are to be served. By default those who answered, and "
            "as many people drawn like them."
        ),
    ] = None,
    pools: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The pools that people are served from, or a shipped one: cook, travel. By "
            "default the responses to each prompt of the answers.",
        ),
    ] = None,
    each: Annotated[
        int | None, typer.Option(help="Pools drawn for each person; by default 10.", min=1)
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Acceptable expected loss, in units of reward; by default 2 % of the mean "
            "difference between the best and the mean response.",
            min=0.0,
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the report as a page of HTML.")
    ] = None,
    embedder: EmbedderName = None,
    base_url: BaseUrl = None,
    seed: Seed = 0,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Say whether the answers identify what decides the best responses of the people served."""
    _one_thread()
    from palate.errors import ParameterError

    if arrays is not None and folder is None:
        if serve or pools:
            raise ParameterError("a file of --arrays holds answers, people and pools; give no more")
        from palate.cli.served import arrays_report

        found = arrays_report(arrays, each=each, tolerance=tolerance, seed=seed)
    elif folder is not None and arrays is None:
        from palate.cli.people import Saved, read_answers
        from palate.cli.served import population_report
        from palate.cli.session import read_source

        found = population_report(
            Saved.load(folder, embedder, base_url),
            read_answers(data or []),
            read_answers(serve or []),
            None if pools is None else read_source(pools),
            each=each,
            tolerance=tolerance,
            seed=seed,
        )
    else:
        raise ParameterError("give a model and its answers, or a file by --arrays, but not both")
    if output is not None:
        page = found.to_html(f"Diversity report: {arrays or folder}")
        try:
            output.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")
        except OSError as error:
            msg = f"cannot write {output}: {error.strerror or error}"
            raise ParameterError(msg) from error
    if as_json:
        import json

        typer.echo(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
        return
    typer.echo("\n".join(_lines(found)))


@diversity.command()
def simulate(
    output: Annotated[Path, typer.Argument(metavar="FILE", help="The .npz file to write.")],
    scheme: Annotated[
        Literal["covered", "uncovered"],
        typer.Option(help="Whether those who answer have all the tastes of those who are served."),
    ] = "uncovered",
    answers: Annotated[int, typer.Option(help="Answers in all.", min=1)] = 20_000,
    people: Annotated[
        int, typer.Option(help="People who answer; eight more are silent.", min=1)
    ] = 40,
    latent: Annotated[int, typer.Option(help="Directions of taste, J.", min=2)] = 5,
    seed: Seed = 0,
) -> None:
    """Write arrays of simulated people on the shipped pools, to try the report on."""
    _one_thread()
    from palate.cli.served import simulated_arrays

    simulated_arrays(output, scheme, answers, seed, people=people, latent=latent)
    typer.echo(f"{output} holds simulated people; try palate diversity report --arrays {output}")


def _lines(found: DiversityReport) -> Iterator[str]:
    yield found.headline
    yield from ("", "What to do next")
    yield from (f"{i}. {line}" for i, line in enumerate(found.next_steps, start=1))
    yield from ("", "Why")
    yield from (f"- {line}" for line in found.reasons)
    first = found.ask_first
    if first is not None and first.people:
        yield from ("", f"Ask first: {', '.join(first.people)}")


def _one_thread() -> None:
    """Small matrices: more threads than one only wait for each other."""
    one_thread()
