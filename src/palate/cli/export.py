"""``palate export``: the answers of logs as rows that trainers read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from palate.feedback import Comparison

Output = Annotated[
    Path, typer.Option("-o", "--output", help="The file: .jsonl, .jsonl.gz or .parquet.")
]
Conversational = Annotated[
    bool, typer.Option("--conversational", help="Lists of messages instead of texts.")
]
WithMetadata = Annotated[
    bool, typer.Option("--with-metadata", help="Add a column; many trainers refuse it.")
]


def export(
    logs: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="LOG", help="Logs of answers, as align keeps them; by default the latest."
        ),
    ] = None,
    *,
    output: Output,
    conversational: Conversational = False,
    with_metadata: WithMetadata = False,
) -> None:
    """Write answers as TRL's preference rows: prompt, chosen, rejected."""
    from palate.cli.log import answered, latest_path, read_log, source_of
    from palate.cli.session import load_pool
    from palate.formats import comparisons_of

    comparisons = []
    for path in logs or [latest_path()]:
        header, events = read_log(path)
        elicitation = answered(header, events, load_pool(source_of(header, path)))
        comparisons += comparisons_of(elicitation.pool, elicitation.history)
    write_rows(comparisons, output, conversational=conversational, with_metadata=with_metadata)


def write_rows(
    comparisons: list[Comparison], output: Path, *, conversational: bool, with_metadata: bool
) -> None:
    """Write answers to a file, and say what was left out."""
    from palate.formats import write_comparisons

    left_out = write_comparisons(
        output, comparisons, conversational=conversational, metadata=with_metadata
    )
    rows = [sum(len(rejected) for _, rejected in c.stages) for c in comparisons]
    orders = [n for n, c in zip(rows, comparisons, strict=True) if isinstance(c.picked, tuple)]
    of_orders = f" ({sum(orders)} of them from {_count(len(orders), 'order')})" if orders else ""
    typer.echo(
        f"{output}: {_count(sum(rows), 'row')} written{of_orders}, {left_out} of "
        f"{_count(len(comparisons), 'answer')} left out (ties and skips have no such row)",
        err=True,
    )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
