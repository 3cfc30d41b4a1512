"""``palate bench elicitation`` and ``palate bench report``: the USERALIGN paper's experiments."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palate.cli.models import TIMEOUT, BaseUrl, Model, Options, Timeout
from palate.cli.options import Jobs, one_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.progress import Progress


def elicitation(
    out: Annotated[Path, typer.Option(help="Folder of the results; the same one goes on.")],
    domain: Annotated[
        str,
        typer.Option(
            help="food2d, food64d, travel64d, alpaca:FOLDER, dsp:FILE or a domain's JSON file; "
            "several with commas.",
        ),
    ] = "food2d,food64d,travel64d",
    people: Annotated[
        str | None,
        typer.Option(
            help="consistent, btl, btl85, persona (the domain's ratings) or played (by --model), "
            "several with commas; by default the paper's.",
        ),
    ] = None,
    methods: Annotated[
        str | None, typer.Option(help="Methods with commas; by default all built-in ones.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="Repetitions of each run.", min=1)] = 5,
    max_steps: Annotated[int, typer.Option(help="Most questions of a run.", min=1)] = 199,
    per_prompt: Annotated[int, typer.Option(help="People a prompt.", min=1)] = 3,
    flip: Annotated[
        float, typer.Option(help="Share of answers turned round.", min=0.0, max=1.0)
    ] = 0.0,
    pool_size: Annotated[
        int | None,
        typer.Option(
            help="Candidates a prompt, for alpaca: and dsp:; those beyond the prompt's own come "
            "from other prompts.",
            min=2,
        ),
    ] = None,
    prompts: Annotated[int | None, typer.Option(help="At most so many prompts.", min=1)] = None,
    jobs: Jobs = -1,
    model: Model = None,
    base_url: BaseUrl = None,
    timeout: Timeout = TIMEOUT,
    option: Options = None,
    *,
    parquet: Annotated[
        bool, typer.Option("--parquet", help="Write the rows as parquet instead of CSV.")
    ] = False,
) -> None:
    """Run strategies for many people; write rows, tables and figures."""
    one_thread()  # the workers share the cores

    from rich.console import Console

    from palate.bench.elicitation import Plan, run_plan
    from palate.bench.methods import BUILT_IN
    from palate.chat import CachedModel
    from palate.cli.models import chat_model

    plan = Plan(
        _listed(domain),
        _listed(people),
        _listed(methods) or BUILT_IN,
        seeds,
        max_steps,
        per_prompt,
        flip,
        pool_size,
        prompts,
    )
    console = Console(stderr=True, highlight=False)
    opened = (
        nullcontext() if model is None else chat_model(model, base_url, timeout, option, console)
    )
    with opened as asked, _bar(console) as progress:
        sections = run_plan(
            plan,
            out,
            jobs=jobs,
            model=None if asked is None else CachedModel(asked),
            parquet=parquet,
            progress=_counter(progress),
        )
    typer.echo("\n\n".join(map(str, sections[:3])))
    typer.echo(
        f"\n{out / 'tables.md'} holds {len(sections) - 3} tables more; "
        f"palate bench report {out} makes one page of it all."
    )


def report(
    results: Annotated[Path, typer.Argument(help="Folder that an experiment was written to.")],
    out: Annotated[
        Path | None, typer.Option("-o", "--out", help="The page; by default report.html there.")
    ] = None,
) -> None:
    """Write an experiment's report as one HTML page that needs nothing beside it."""
    from palate.bench.page import page
    from palate.errors import ParameterError
    from palate.formats._files import cannot

    text = page(results)
    path = out or results / "report.html"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise cannot("write", path, error, ParameterError) from error
    typer.echo(str(path))


def _listed(names: str | None) -> tuple[str, ...]:
    """Names between commas, each once."""
    return tuple(dict.fromkeys(filter(None, map(str.strip, (names or "").split(",")))))


def _bar(console: Console) -> Progress:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), "runs", TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _counter(progress: Progress) -> Callable[[int, int], None]:
    task = progress.add_task("runs", total=None)

    def show(done: int, total: int) -> None:
        progress.update(task, completed=done, total=total)

    return show
