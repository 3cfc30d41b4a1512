"""``palate bench``: measurements that anyone can run again."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from palate.cli.options import show_help_alone

bench = typer.Typer(help="Measurements that anyone can run again.", rich_markup_mode=None)

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@bench.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    show_help_alone(context)


@bench.command()
def speed(
    elicitations: Annotated[
        int, typer.Option(help="Runs against the reference, a pool size.", min=1)
    ] = 3,
    every: Annotated[
        int, typer.Option(help="Time the reference at every so-manieth step.", min=1)
    ] = 3,
    largest: Annotated[int, typer.Option(help="Largest pool of the scaling table.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Fixes pools, people and strategies.", min=0)] = 0,
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Compare every bound of the scaling table with the whole pool's (slow)."
        ),
    ] = False,
) -> None:
    """Time a step against the paper's solver, and as the pool grows."""
    for name in THREADS:  # both sides on one thread; read when numpy is first imported
        os.environ.setdefault(name, "1")

    from palate.bench import speed as bench_speed
    from palate.bench.report import reference_table, scaling_table

    rows = [
        bench_speed.against_reference(n, d, elicitations=elicitations, every=every, seed=seed)
        for n, d in bench_speed.REFERENCE_SIZES
    ]
    typer.echo(reference_table(rows) + "\n")
    sizes = [n for n in bench_speed.POOL_SIZES if n <= largest]
    scaled = [
        bench_speed.scaling(n, steps=bench_speed.POOL_STEPS, seed=seed, check=check) for n in sizes
    ]
    typer.echo(scaling_table(scaled, checked=check))


@bench.command()
def exact(
    cases: Annotated[int, typer.Option(help="Random pools and people.", min=1)] = 1000,
    people: Annotated[int, typer.Option(help="People at N = 20, d = 64.", min=1)] = 200,
    reference: Annotated[int, typer.Option(help="Cases against the reference.", min=0)] = 100,
    seed: Annotated[int, typer.Option(help="Fixes everything random.", min=0)] = 0,
) -> None:
    """Check that what is called certain is true, and the solver against the paper's."""
    from palate.bench import exact as bench_exact
    from palate.bench.report import markdown_table

    header = ("consistent simulated people", "runs", "certified", "right", "answers", "most")
    verdicts = bench_exact.certificates(cases, seed=seed)
    verdicts += bench_exact.answers_to_certainty(people, seed=seed)
    typer.echo(markdown_table(header, bench_exact.verdict_rows(verdicts)) + "\n")
    if reference:
        found = bench_exact.against_reference(reference, seed=seed)
        compared = ("against cvxpy and CLARABEL", "cases", "median", "largest")
        typer.echo(markdown_table(compared, bench_exact.difference_rows(found)))


@bench.command()
def startup(
    runs: Annotated[int, typer.Option(help="How often to start each.", min=1)] = 7,
) -> None:
    """Time what a user waits for: import, help, the demo's first question."""
    from palate.bench.report import markdown_table
    from palate.bench.startup import startup_rows

    header = ("started", "runs", "median s", "slowest s")
    typer.echo(markdown_table(header, startup_rows(runs)))


@bench.command()
def generate(
    size: Annotated[int, typer.Option("-n", "--size", help="Responses of a pool.", min=2)] = 20,
    concurrency: Annotated[int, typer.Option(help="Requests at a time.", min=1)] = 8,
    delay: Annotated[float, typer.Option(help="Seconds that the server takes a request.")] = 1.0,
) -> None:
    """Time the generation of a pool against a simulated server on this machine."""
    from palate.bench.generation import generation_rows, generation_times
    from palate.bench.report import markdown_table

    header = ("generated", "requests", "most at once", "ideal s", "s", "ratio")
    timed = generation_times(size, concurrency=concurrency, delay=delay)
    typer.echo(markdown_table(header, generation_rows(timed)))
