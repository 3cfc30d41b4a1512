"""``palate generate``: from a prompt to a pool of diverse responses."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from palate.cli.models import TIMEOUT, BaseUrl, Model, Options, Timeout

SIZE = 20

Size = Annotated[int, typer.Option("-n", "--size", help="How many responses.", min=1)]


def generate(
    prompt: Annotated[str, typer.Argument(help="What to ask the model; - reads it from stdin.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Where to write the pool.")],
    size: Size = SIZE,
    model: Model = None,
    base_url: BaseUrl = None,
    interest_share: Annotated[
        float,
        typer.Option(
            help="Share of the responses that are written for an interest which the model was "
            "asked for; 0 samples all on the prompt alone.",
            min=0.0,
            max=1.0,
        ),
    ] = 0.5,
    temperature: Annotated[float, typer.Option(help="Of the responses.", min=0.0)] = 0.5,
    interest_temperature: Annotated[float, typer.Option(help="Of the interests.", min=0.0)] = 0.8,
    system: Annotated[str | None, typer.Option(help="A system message for responses.")] = None,
    seed: Annotated[
        int | None, typer.Option(help="Sent with each request, where the server knows it.", min=0)
    ] = None,
    concurrency: Annotated[int, typer.Option(help="Requests at a time.", min=1)] = 8,
    timeout: Timeout = TIMEOUT,
    option: Options = None,
    price: Annotated[
        str | None,
        typer.Option(help="IN,OUT: dollars a million tokens, for the estimated cost."),
    ] = None,
    *,
    baseline: Annotated[
        bool, typer.Option(help="Ask for the response at temperature 0 as well.")
    ] = True,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run; nothing is paid twice.")
    ] = False,
) -> None:
    """Generate a pool: half on the prompt alone, half for interests that bear on it."""
    from rich.console import Console

    from palate.cli.generation import generate_file, parsed_price
    from palate.cli.models import chat_model

    console = Console(stderr=True, highlight=False)
    cost = parsed_price(price)
    text = sys.stdin.read() if prompt == "-" else prompt
    with chat_model(model, base_url, timeout, option, console) as asked:
        generate_file(
            output,
            text,
            size,
            asked,
            console,
            resume=resume,
            price=cost,
            interest_share=interest_share,
            temperature=temperature,
            interest_temperature=interest_temperature,
            baseline=baseline,
            system=system,
            seed=seed,
            concurrency=concurrency,
        )
