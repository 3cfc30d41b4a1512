"""``palate align``: answer questions about a pool, get the best response."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from palate.cli.options import Budget, Epsilon, Seed, Simulate, Style

DEFAULT_EPSILON = 0.5


def align(
    pool: Annotated[
        str | None,
        typer.Option(help="A JSONL file of pools (.gz too), or a shipped pool: cook, travel."),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help="Which pool of the file: its id, its number, or words of its prompt."),
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(help="useralign, useralign-loss, winner-stays, iidbest or random."),
    ] = "useralign",
    epsilon: Epsilon = None,
    delta: Annotated[
        float | None, typer.Option(help="Failure probability of the loss-based set.")
    ] = None,
    norm_bound: Annotated[float | None, typer.Option(help="Largest norm of the weights.")] = None,
    budget: Budget = None,
    estimate: Annotated[
        str | None, typer.Option(help="mle, or inside: never show a pair twice.")
    ] = None,
    seed: Seed = 0,
    style: Style = 0.0,
    *,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Keep the first of equal responses.")
    ] = False,
    simulate: Simulate = False,
    log: Annotated[
        Path | None, typer.Option(help="Where to keep the answers; by default a new file.")
    ] = None,
    resume: Annotated[
        str | None, typer.Option(help="Go on with a log of answers: its path, or 'last'.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON; questions go to stderr.")
    ] = False,
) -> None:
    """Answer questions about a pool of responses and get the best one for you."""
    from contextlib import ExitStack

    from rich.console import Console

    from palate.cli.log import LogFile, Source, latest_path, new_path, replayed, source_of
    from palate.cli.session import (
        Narrated,
        Settings,
        interview,
        load_pool,
        person_for,
        simulated_person,
    )
    from palate.elicitation import Elicitation
    from palate.errors import ParameterError, PoolError

    if simulate and resume is not None:
        raise ParameterError("--simulate starts a run of its own; it cannot resume a person's")
    console = Console(stderr=as_json, highlight=False)
    file: LogFile | None = None
    with ExitStack() as stack:
        if resume is not None:
            path = latest_path() if resume == "last" else Path(resume)
            file, header, events = LogFile.resume(path)
            stack.enter_context(file)
            source = source_of(header, path)
            if pool is not None:
                source = Source(pool, prompt or source.prompt, source.style, source.drop_duplicates)
            elicitation = replayed(header, events, load_pool(source))
        else:
            if pool is None:
                raise PoolError("name the pool with --pool: a JSONL file, or one of cook, travel")
            if strategy.startswith("useralign"):
                epsilon = DEFAULT_EPSILON if epsilon is None else epsilon
                # Nobody likes to be asked the same thing twice; the paper's estimate can do that.
                estimate = estimate or "inside"
            chosen = Settings(strategy, epsilon, delta, norm_bound, budget, estimate).build()
            where = str(Path(pool).resolve()) if Path(pool).exists() else pool
            source = Source(where, prompt, style, drop_duplicates)
            elicitation = Elicitation(load_pool(source), chosen, seed)
            if log is not None or not simulate:  # a person's answers are always kept
                file = LogFile.create(log or new_path(), elicitation, source)
                stack.enter_context(file)
        if simulate:
            taste = simulated_person(elicitation.pool, norm_bound or 3.0, elicitation.seed)
            console.print("a simulated person with a random taste answers")
            interview(
                elicitation, Narrated(taste, console, elicitation), console, file, as_json=as_json
            )
        else:
            interview(elicitation, person_for(elicitation, console), console, file, as_json=as_json)
