"""``palate export``: the answers of logs as rows that trainers read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def export(
    logs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="LOG", help="Logs of answers, as align keeps them; by default the latest."
        ),
    ] = None,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file: .jsonl, .jsonl.gz or .parquet.")
    ],
    conversational: Annotated[
        bool, typer.Option("--conversational", help="Lists of messages instead of texts.")
    ] = False,
    with_metadata: Annotated[
        bool, typer.Option("--with-metadata", help="Add a column; many trainers refuse it.")
    ] = False,
) -> None:
    """Write answers as TRL's preference rows: prompt, chosen, rejected."""
    from palate.cli.log import latest_path, read_log, replayed, source_of
    from palate.cli.session import load_pool
    from palate.formats import comparisons_of, write_comparisons

    comparisons = []
    for path in logs or [latest_path()]:
        header, events = read_log(path)
        elicitation = replayed(header, events, load_pool(source_of(header, path)))
        comparisons += comparisons_of(elicitation.pool, elicitation.history)
    left_out = write_comparisons(
        output, comparisons, conversational=conversational, metadata=with_metadata
    )
    rows = sum(len(comparison.rejected) for comparison in comparisons)
    typer.echo(
        f"{output}: {_count(rows, 'row')} written, {left_out} of "
        f"{_count(len(comparisons), 'answer')} left out (ties and skips have no such row)",
        err=True,
    )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
