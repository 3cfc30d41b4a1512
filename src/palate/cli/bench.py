"""``palate bench``: measurements that anyone can run again."""

from __future__ import annotations

import os
from typing import Annotated

import typer

bench = typer.Typer(
    help="Measurements that anyone can run again.", no_args_is_help=True, rich_markup_mode=None
)

THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


@bench.callback()
def _root() -> None:
    pass


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
