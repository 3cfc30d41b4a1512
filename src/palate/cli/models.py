"""Models on the command line: the options that several verbs share, and what is made of them."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from palate.chat import OpenAIModel

Model = Annotated[
    str | None,
    typer.Option(help="A chat model on the server, such as llama3.2 or gpt-4o-mini."),
]
BaseUrl = Annotated[
    str | None,
    typer.Option(
        help="An OpenAI-compatible server, such as http://localhost:11434/v1; by default "
        "OPENAI_BASE_URL, or OpenAI's own with the key in OPENAI_API_KEY.",
    ),
]
Timeout = Annotated[float, typer.Option(help="Seconds that one request may take.")]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="A further field of each request, such as max_tokens=300, sent as it is; null leaves "
        "one out, such as temperature=null. May be given several times.",
    ),
]
EmbedderName = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="What makes the features: static (shipped), model2vec:PATH_OR_NAME, "
        "sentence-transformers:PATH_OR_NAME, openai:MODEL, or axes:spicy,vegan (the chat model "
        "rates).",
    ),
]
TIMEOUT = 120.0
_QUIET = 5.0  # seconds before the same reason is worth another line


def chat_model(
    name: str | None,
    base_url: str | None,
    timeout: float,
    options: list[str] | None,
    console: Console,
) -> OpenAIModel:
    """The model that the options name; its waits are reported on the console.

    Raises:
        ParameterError: no model was named, or an option is not NAME=VALUE.
        ModelError: there is no server to ask.
    """
    from palate.chat import OpenAIModel

    if name is None:
        raise ParameterError("name a model by --model, such as llama3.2 or gpt-4o-mini")
    return OpenAIModel(
        name,
        base_url=base_url,
        timeout=timeout,
        options=parsed_options(options or []),
        on_wait=_reporter(console),
    )


def _reporter(console: Console) -> Callable[[str], None]:
    """Prints lines, but not the same reason again and again from requests side by side."""
    said: dict[str, float] = {}

    def report(line: str) -> None:
        reason, now = line.partition(", trying again")[0], time.monotonic()
        if now - said.get(reason, -math.inf) > _QUIET:
            said[reason] = now
            console.print(line, style="dim", markup=False, highlight=False, soft_wrap=True)

    return report


def parsed_options(options: list[str]) -> dict[str, Any]:
    """NAME=VALUE pairs as fields of a request; a value is JSON where it can be, else text."""
    fields: dict[str, Any] = {}
    for option in options:
        name, equals, value = option.partition("=")
        if not equals or not name.strip():
            msg = f"--option takes NAME=VALUE, such as max_tokens=300, not {option!r}"
            raise ParameterError(msg)
        try:
            fields[name.strip()] = json.loads(value)
        except ValueError:
            fields[name.strip()] = value
    return fields
