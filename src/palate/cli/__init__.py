"""The command line: the library's verbs, one module a verb."""

from __future__ import annotations

import sys
import warnings
from typing import Annotated

import typer

import palate
from palate.cli.align import align
from palate.cli.bench import bench
from palate.cli.demo import demo
from palate.cli.design import design
from palate.cli.diversity import diversity
from palate.cli.embed import embed
from palate.cli.export import export
from palate.cli.generate import generate
from palate.cli.options import show_help_alone
from palate.cli.population import population
from palate.cli.profile import profile
from palate.cli.serve import serve
from palate.cli.study import study
from palate.errors import PalateError

app = typer.Typer(
    name="palate",
    help="Learns one person's taste from a few questions and returns their response.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(demo)
app.command()(align)
app.command()(generate)
app.command()(embed)
app.command()(export)
app.command()(serve)
app.add_typer(study, name="study")
app.add_typer(population, name="population")
app.add_typer(profile, name="profile")
app.add_typer(diversity, name="diversity")
app.add_typer(design, name="design")
app.add_typer(bench, name="bench")


def _version(value: bool) -> None:  # noqa: FBT001
    if value:
        typer.echo(palate.__version__)
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    *,
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    show_help_alone(context)


def main() -> None:
    """Run the command line; what it refuses becomes one line and exit status 2."""
    warnings.formatwarning = lambda message, *_, **__: f"palate: {message}\n"
    try:
        sys.exit(app(standalone_mode=False))
    except PalateError as error:
        typer.echo(f"palate: {error}", err=True)
    except typer.TyperException as error:
        typer.echo(f"palate: {error.format_message()}", err=True)
    except (typer.Abort, KeyboardInterrupt):
        sys.exit(130)  # as a shell reports an interrupt
    sys.exit(2)
