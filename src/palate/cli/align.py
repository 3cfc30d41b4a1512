"""``palate align``: answer questions about a pool, get the best response."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palate.cli.models import TIMEOUT, BaseUrl, EmbedderName, Model, Options, Timeout
from palate.cli.options import Budget, Epsilon, Seed, Simulate, Style

if TYPE_CHECKING:
    from palate.chat import OpenAIModel
    from palate.cli.log import LogFile
    from palate.cli.session import Answering
    from palate.elicitation import Elicitation

DEFAULT_EPSILON = 0.5


def align(
    ask: Annotated[
        str | None,
        typer.Argument(
            metavar="[PROMPT]", help="Ask a model for a pool of responses to this (needs --model)."
        ),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(
            help="A file of pools (JSONL, parquet), an AlpacaEval folder, or a shipped pool: cook, "
            "travel."
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        typer.Option(help="Which pool of the file: its id, its number, or words of its prompt."),
    ] = None,
    size: Annotated[
        int, typer.Option("-n", "--size", help="How many responses to ask the model for.", min=2)
    ] = 20,
    model: Model = None,
    base_url: BaseUrl = None,
    timeout: Timeout = TIMEOUT,
    option: Options = None,
    embedder: EmbedderName = None,
    persona: Annotated[
        str | None,
        typer.Option(help="Let the model play a person of this description; @FILE reads it."),
    ] = None,
    grow: Annotated[
        int | None,
        typer.Option(help="After every so many answers, ask the model for new responses.", min=1),
    ] = None,
    grow_by: Annotated[int, typer.Option(help="How many new ones to ask for.", min=1)] = 4,
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
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Generate the pool anew, though there is one.")
    ] = False,
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

    from palate.cli.log import LogFile, Source, new_path
    from palate.cli.models import chat_model
    from palate.cli.prepare import embedded_pool, generated_pool, growth_of
    from palate.cli.session import Settings, interview, person_for, simulated_person
    from palate.elicitation import Elicitation
    from palate.errors import ParameterError

    _check_together(ask, pool, resume, simulate=simulate, persona=persona)
    if grow is not None and budget is None and (simulate or persona is not None):
        raise ParameterError("--grow without a person to end it needs a limit: give --budget")
    console = Console(stderr=as_json, highlight=False)
    errors = Console(stderr=True, highlight=False)
    file: LogFile | None = None
    with ExitStack() as stack:
        asked = None
        if model is not None:
            asked = stack.enter_context(chat_model(model, base_url, timeout, option, errors))
        if resume is not None:
            file, elicitation = _resumed(resume, pool, prompt)
            stack.enter_context(file)
        else:
            if strategy.startswith("useralign"):
                epsilon = DEFAULT_EPSILON if epsilon is None else epsilon
                # Nobody likes to be asked the same thing twice; the paper's estimate can do that.
                estimate = estimate or "inside"
            chosen = Settings(strategy, epsilon, delta, norm_bound, budget, estimate).build()
            if pool is not None:
                where = str(Path(pool).resolve()) if Path(pool).exists() else pool
                source = Source(where, prompt, style, drop_duplicates)
            else:
                made = generated_pool(str(ask), size, _named(asked), errors, fresh=fresh)
                source = Source(str(made), None, style, drop_duplicates=False)
            source, loaded = embedded_pool(source, embedder, asked, base_url)
            elicitation = Elicitation(loaded, chosen, seed)
            if log is not None or not (simulate or persona):  # a person's answers are always kept
                file = stack.enter_context(LogFile.create(log or new_path(), elicitation, source))
        person: Answering
        if simulate:
            person = simulated_person(elicitation, console, norm_bound or 3.0)
        elif persona is not None:
            from palate.cli.played import played_person

            person = played_person(elicitation, console, persona, _named(asked))
        else:
            person = person_for(elicitation, console)
        growth = None
        if grow is not None:
            growth = growth_of(
                elicitation, _named(asked), grow, grow_by, embedder, base_url, console, person.tell
            )
        interview(elicitation, person, console, file, as_json=as_json, grow=growth)


def _resumed(resume: str, pool: str | None, prompt: str | None) -> tuple[LogFile, Elicitation]:
    """The log to go on with, open, and what it holds."""
    from palate.cli.log import LogFile, Source, latest_path, replayed, source_of
    from palate.cli.session import load_pool

    path = latest_path() if resume == "last" else Path(resume)
    file, header, events = LogFile.resume(path)
    try:
        source = source_of(header, path)
        if pool is not None:
            source = Source(pool, prompt or source.prompt, source.style, source.drop_duplicates)
        return file, replayed(header, events, load_pool(source))
    except BaseException:
        file.close()
        raise


def _named(model: OpenAIModel | None) -> OpenAIModel:
    """The model, or a ParameterError that says which options need one."""
    from palate.errors import ParameterError

    if model is None:
        raise ParameterError("a prompt, --persona and --grow need a model: name one by --model")
    return model


def _check_together(
    ask: str | None, pool: str | None, resume: str | None, *, simulate: bool, persona: str | None
) -> None:
    """Options that exclude each other, or of which one is needed."""
    from palate.errors import ParameterError, PoolError

    if resume is not None and (simulate or persona is not None):
        raise ParameterError(
            "--simulate and --persona start a run of their own; they cannot resume a person's"
        )
    if simulate and persona is not None:
        raise ParameterError("either --simulate or --persona answers, not both")
    if ask is not None and (pool is not None or resume is not None):
        raise ParameterError(
            "a prompt makes a pool of its own, without --pool or --resume; "
            "to choose among the pools of a file use --prompt"
        )
    if ask is None and pool is None and resume is None:
        raise PoolError(
            "name the pool with --pool: a file, or one of cook, travel; "
            "or give a prompt and a --model to generate one"
        )
