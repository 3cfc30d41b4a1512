"""Options that several verbs share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def _made(folder: Path | None) -> Path | None:
    """The folder, made before anything is measured that it is to hold."""
    from palate.errors import ParameterError

    if folder is not None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"cannot write to {folder}: {error.strerror or error}"
            raise ParameterError(msg) from error
    return folder


def _some(jobs: int) -> int:
    from palate.errors import ParameterError

    if not jobs:
        raise ParameterError("jobs must be at least 1, or -1 for as many as there are cores, not 0")
    return jobs


Jobs = Annotated[
    int,
    typer.Option(help="Runs at a time; -1: as many as there are cores.", callback=_some),
]
Out = Annotated[
    Path | None,
    typer.Option(help="Folder for a CSV file and a figure with bands.", callback=_made),
]
Epsilon = Annotated[
    float | None,
    typer.Option(
        help="Stop once no other response can be better by more than this, in utility units from "
        "0 (ask until certain) to the norm bound 3.",
    ),
]
Budget = Annotated[int | None, typer.Option(help="Most questions to ask.")]
Seed = Annotated[int, typer.Option(help="Fixes everything random.", min=0)]
Style = Annotated[
    float,
    typer.Option(
        help="Weight of style (length, lists, formality) beside the embedding.", min=0.0, max=1.0
    ),
]
Simulate = Annotated[
    bool, typer.Option("--simulate", help="Let a simulated person with a random taste answer.")
]


def show_help_alone(context: typer.Context) -> None:
    """Without a verb, print what there is."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def one_thread() -> None:
    """Keep numerical libraries to one thread; it is read when numpy is first imported."""
    for name in ("OPENBLAS_NUM", "OMP_NUM", "MKL_NUM", "VECLIB_MAXIMUM"):
        os.environ.setdefault(f"{name}_THREADS", "1")
