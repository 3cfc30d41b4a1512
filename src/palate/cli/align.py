"""``palate align``: answer questions about a pool, get the best response."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palate.cli.models import TIMEOUT, BaseUrl, EmbedderName, Model, Options, Timeout
from palate.cli.options import Budget, Epsilon, Seed, Simulate, Style

if TYPE_CHECKING:
    from contextlib import ExitStack

    from rich.console import Console

    from palate.chat import OpenAIModel
    from palate.cli.log import LogFile, Source
    from palate.cli.priors import Known
    from palate.cli.session import Answering, Settings
    from palate.elicitation import Elicitation
    from palate.profile import Profile
    from palate.strategies import Strategy

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
    prior: Annotated[
        Path | None,
        typer.Option(
            help="Begin from what many people answered: a file that population prior wrote, or a "
            "folder of population fit.",
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Begin from this person's answers to earlier prompts, and remember those to come; "
            "a name, or a path that ends in .jsonl.",
        ),
    ] = None,
    strategy: Annotated[
        str | None,
        typer.Option(
            help="useralign, useralign-loss, challenge, eubo, information-gain, thompson, "
            "winner-stays, iidbest or random. By default eubo, and useralign where options of its "
            "own are given, such as --epsilon."
        ),
    ] = None,
    epsilon: Epsilon = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Stop once the choice is expected to lose no more than this share of the way from "
            "the pool's best to its worst (eubo, information-gain, thompson)."
        ),
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="Failure probability of the loss-based set.")
    ] = None,
    norm_bound: Annotated[float | None, typer.Option(help="Largest norm of the weights.")] = None,
    budget: Budget = None,
    estimate: Annotated[
        str | None, typer.Option(help="mle, or inside: never show a pair twice.")
    ] = None,
    options: Annotated[
        int, typer.Option(help="How many responses to show at a time.", min=2, max=9)
    ] = 2,
    seed: Seed = 0,
    style: Style = 0.0,
    *,
    order: Annotated[
        bool, typer.Option("--order", help="Ask for an order of those shown, not for the best.")
    ] = False,
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

    from palate.cli.log import LogFile, new_path
    from palate.cli.models import chat_model
    from palate.cli.prepare import growth_of
    from palate.cli.session import interview
    from palate.errors import ParameterError

    learned = prior is not None or profile is not None
    _check_together(
        ask, pool, resume, simulate=simulate, persona=persona, order=order, learned=learned
    )
    if grow is not None and budget is None and (simulate or persona is not None):
        raise ParameterError("--grow without a person to end it needs a limit: give --budget")
    console = Console(stderr=as_json, highlight=False)
    errors = Console(stderr=True, highlight=False)
    file: LogFile | None = None
    known: Known | None = None
    with ExitStack() as stack:
        asked = None
        if model is not None:
            asked = stack.enter_context(chat_model(model, base_url, timeout, option, errors))
        if resume is not None:
            file, elicitation, source = _resumed(resume, pool, prompt, base_url, order=order)
            stack.enter_context(file)
        else:
            known = _known(prior, profile, base_url)
            embedder = embedder if known is None else known.embedder(embedder, base_url)
            settings = _settings(
                strategy, epsilon, delta, norm_bound, budget, estimate, options, tolerance, known
            )
            _orderable(settings.build(), order=order)
            if pool is not None:
                source = _of_file(pool, prompt, style, drop_duplicates=drop_duplicates)
            else:
                source = _generated(str(ask), size, style, _named(asked), errors, fresh=fresh)
            source, elicitation = _begun(source, settings, known, seed, embedder, asked, base_url)
        keeper = _keeper(source, stack)
        if file is None and (log is not None or not (simulate or persona)):
            # A person's answers are always kept.
            file = stack.enter_context(LogFile.create(log or new_path(), elicitation, source))
        person = _person(
            elicitation, console, norm_bound, persona, asked, simulate=simulate, order=order
        )
        growth = None
        if grow is not None:
            growth = growth_of(
                elicitation, _named(asked), grow, grow_by, embedder, base_url, console, person.tell
            )
        if known is not None and known.answered.records:
            person.tell(known.greeting(elicitation))
        interview(elicitation, person, console, file, as_json=as_json, grow=growth, profile=keeper)


def _known(prior: Path | None, profile: str | None, base_url: str | None) -> Known | None:
    """What is known of the person by a prior and a profile; None where neither is named."""
    if prior is None and profile is None:
        return None
    from palate.cli.priors import Known, profile_path

    return Known.at(prior, None if profile is None else profile_path(profile), base_url)


def _settings(
    strategy: str | None,
    epsilon: float | None,
    delta: float | None,
    norm_bound: float | None,
    budget: int | None,
    estimate: str | None,
    options: int,
    tolerance: float | None,
    known: Known | None,
) -> Settings:
    """The settings as given, and the command line's own defaults."""
    from palate.cli.session import Settings

    if strategy is None:
        of_useralign = any(value is not None for value in (epsilon, delta, norm_bound, estimate))
        strategy = "useralign" if of_useralign and known is None else "eubo"
    if strategy.startswith("useralign"):
        epsilon = DEFAULT_EPSILON if epsilon is None else epsilon
        # Nobody likes to be asked the same thing twice; the paper's estimate can do that.
        estimate = estimate or "inside"
    prior = None if known is None else known.base
    return Settings(
        strategy, epsilon, delta, norm_bound, budget, estimate, options, tolerance, prior
    )


def _of_file(pool: str, prompt: str | None, style: float, *, drop_duplicates: bool) -> Source:
    from palate.cli.log import Source

    where = str(Path(pool).resolve()) if Path(pool).exists() else pool
    return Source(where, prompt, style, drop_duplicates)


def _generated(
    ask: str, size: int, style: float, model: OpenAIModel, errors: Console, *, fresh: bool
) -> Source:
    from palate.cli.log import Source
    from palate.cli.prepare import generated_pool

    made = generated_pool(ask, size, model, errors, fresh=fresh)
    return Source(str(made), None, style, drop_duplicates=False)


def _begun(
    source: Source,
    settings: Settings,
    known: Known | None,
    seed: int,
    embedder: str | None,
    model: OpenAIModel | None,
    base_url: str | None,
) -> tuple[Source, Elicitation]:
    """A new elicitation, and the source that finds all it needs again."""
    from dataclasses import replace

    from palate.cli.prepare import embedded_pool
    from palate.elicitation import Elicitation

    source, loaded = embedded_pool(source, embedder, model, base_url)
    if known is not None:
        source, settings = known.noted(source), replace(settings, prior=known.prior(loaded))
    elicitation = Elicitation(loaded, settings.build(), seed)
    elicitation.ask()  # what cannot be asked about begins no log
    return source, elicitation


def _keeper(source: Source, stack: ExitStack) -> Profile | None:
    """The profile to remember answers in, open; None where the source names none."""
    if source.profile is None:
        return None
    from palate.profile import Profile

    return stack.enter_context(Profile.open(source.profile))


def _person(
    elicitation: Elicitation,
    console: Console,
    norm_bound: float | None,
    persona: str | None,
    model: OpenAIModel | None,
    *,
    simulate: bool,
    order: bool,
) -> Answering:
    """Who answers."""
    from palate.cli.session import person_for, simulated_person

    if simulate:
        return simulated_person(elicitation, console, norm_bound or 3.0, order=order)
    if persona is not None:
        from palate.cli.played import played_person

        return played_person(elicitation, console, persona, _named(model))
    return person_for(elicitation, console, order=order)


def _orderable(strategy: Strategy, *, order: bool) -> None:
    """Refuses where orders are wanted, and the strategy shows no more than two responses."""
    from palate.errors import ParameterError

    if order and getattr(strategy, "options", 2) == 2:
        raise ParameterError(
            "--order puts more than two in order, and this run shows two: start one with --options "
            "3 or more, or leave it out"
        )


def _resumed(
    resume: str, pool: str | None, prompt: str | None, base_url: str | None, *, order: bool
) -> tuple[LogFile, Elicitation, Source]:
    """The log to go on with, open, what it holds, and where that came from."""
    from dataclasses import replace

    from palate.cli.log import LogFile, latest_path, replayed, source_of
    from palate.cli.session import load_pool

    path = latest_path() if resume == "last" else Path(resume)
    file, header, events = LogFile.resume(path)
    try:
        source = source_of(header, path)
        if pool is not None:
            source = replace(source, pool=pool, prompt=prompt or source.prompt)
        loaded, strategy = load_pool(source), None
        if source.prior is not None or source.profile is not None:
            from palate.cli.priors import resumed_strategy

            strategy = resumed_strategy(header, source, loaded, base_url)
        elicitation = replayed(header, events, loaded, strategy)
        _orderable(elicitation.strategy, order=order)
    except BaseException:
        file.close()
        raise
    return file, elicitation, source


def _named(model: OpenAIModel | None) -> OpenAIModel:
    """The model, or a ParameterError that says which options need one."""
    from palate.errors import ParameterError

    if model is None:
        raise ParameterError("a prompt, --persona and --grow need a model: name one by --model")
    return model


def _check_together(
    ask: str | None,
    pool: str | None,
    resume: str | None,
    *,
    simulate: bool,
    persona: str | None,
    order: bool,
    learned: bool,
) -> None:
    """Options that exclude each other, or of which one is needed."""
    from palate.errors import ParameterError, PoolError

    if resume is not None and (simulate or persona is not None):
        raise ParameterError(
            "--simulate and --persona start a run of their own; they cannot resume a person's"
        )
    if resume is not None and learned:
        raise ParameterError(
            "a log goes on from the prior and the profile that it began with; leave out --prior "
            "and --profile"
        )
    if simulate and persona is not None:
        raise ParameterError("either --simulate or --persona answers, not both")
    if order and persona is not None:
        raise ParameterError("somebody played by a model picks one: leave out --order or --persona")
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
