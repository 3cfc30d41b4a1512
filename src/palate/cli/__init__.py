"""The command line: the library's verbs, one module a verb."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import palate
from palate.cli.align import align
from palate.cli.bench import bench
from palate.cli.demo import demo
from palate.errors import PalateError

app = typer.Typer(
    name="palate",
    help="Learns one person's taste from a few questions and returns their response.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(demo)
app.command()(align)
app.add_typer(bench, name="bench")


def _version(value: bool) -> None:  # noqa: FBT001
    if value:
        typer.echo(palate.__version__)
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the command line; what palate refuses becomes one line and exit status 2."""
    try:
        app()
    except PalateError as error:
        typer.echo(f"palate: {error}", err=True)
        sys.exit(2)
