"""``palate design``: questions planned ahead, asked, and what the answers say."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from palate.cli.database import Db, PublicUrl, kept_store
from palate.cli.models import TIMEOUT, BaseUrl, EmbedderName, Model, Options, Timeout
from palate.cli.options import Seed, one_thread, show_help_alone

if TYPE_CHECKING:
    from palate.cli.design_session import Asking
    from palate.feedback import Person

design = typer.Typer(
    help="Questions planned ahead: what to ask, and what the answers say.", rich_markup_mode=None
)

_STRENGTH = 20.0  # of a simulated person, where none is given

Queries = Annotated[Path, typer.Argument(metavar="QUERIES", help="A file that plan wrote.")]
Lambda = Annotated[
    float | None,
    typer.Option("--lambda", help="Prior precision of the estimate; by default found from picks."),
]
Whole = Annotated[
    bool,
    typer.Option(
        "--whole",
        help="Embed each prompt as one text, as the paper does, instead of adding up its tokens.",
    ),
]
Render = Annotated[
    str,
    typer.Option(
        metavar="HOW", help="What is shown: text, images:MODEL (a server), diffusers:PATH_OR_NAME."
    ),
]


@design.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    one_thread()
    show_help_alone(context)


@design.command()
def plan(
    output: Annotated[Path, typer.Option("-o", "--output", help="The file of queries to write.")],
    vocabulary: Annotated[
        str | None,
        typer.Argument(
            metavar="[VOCABULARY]",
            help='balanced, redundant, or a JSON file: [{"name": ..., "tokens": [...]}, ...].',
        ),
    ] = None,
    pool: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Instead of a vocabulary: ask which response of a pool is best; several pools, "
            "several prompts.",
        ),
    ] = None,
    episodes: Annotated[
        int, typer.Option(help="Prompts written side by side; a question a slot each.", min=1)
    ] = 25,
    options: Annotated[int, typer.Option(help="Options a question, K.", min=2)] = 4,
    criterion: Annotated[
        Literal["D", "A", "V"], typer.Option(help="What the answers are to tell: see the docs.")
    ] = "V",
    lam: Annotated[
        float | None,
        typer.Option(
            "--lambda",
            help="Prior precision; d / beta^2 suits somebody of strength beta. By default d / 100.",
        ),
    ] = None,
    rounding: Annotated[
        Literal["iid", "stratified", "greedy"], typer.Option(help="How shares become questions.")
    ] = "greedy",
    feedback: Annotated[
        Literal["truncated", "end"],
        typer.Option(help="Ask at every slot, or about whole prompts alone."),
    ] = "truncated",
    render: Render = "text",
    embedder: EmbedderName = None,
    base_url: BaseUrl = None,
    seed: Seed = 0,
) -> None:
    """Choose the questions that tell most, and write them into a file."""
    from palate.cli import design_plan
    from palate.cli.design_source import pool_source, vocabulary_source
    from palate.errors import ParameterError

    if (vocabulary is None) == (pool is None):
        raise ParameterError("name a vocabulary (balanced, redundant or a file), or a --pool")
    if vocabulary is not None:
        source = vocabulary_source(vocabulary, embedder, base_url)
    else:
        source = pool_source(pool or "", embedder, base_url)
    settings = design_plan.PlanSettings(
        episodes=episodes,
        options=options,
        criterion=criterion,
        lam=source.problem.d / 100.0 if lam is None else lam,
        rounding=rounding,
        feedback=source.feedback(feedback == "end"),
        render=render,
        seed=seed,
    )
    for line in design_plan.write_plan(output, source, settings, base_url):
        typer.echo(line)


@design.command()
def ask(
    queries: Queries,
    simulate: Annotated[
        str | None,
        typer.Option(
            metavar="STYLE", help="A simulated person answers: sunny, medieval or technological."
        ),
    ] = None,
    strength: Annotated[
        float | None,
        typer.Option(help="How decisive the simulated person is, beta; by default 20.", min=0.001),
    ] = None,
    persona: Annotated[
        str | None, typer.Option(help="A model plays a person of this description, or @FILE.")
    ] = None,
    model: Model = None,
    redesign: Annotated[
        int | None,
        typer.Option(metavar="M", help="Plan what is left anew after every M episodes.", min=1),
    ] = None,
    *,
    at_estimate: Annotated[
        bool,
        typer.Option(
            "--at-estimate", help="Count the past by the estimate, for people who are decisive."
        ),
    ] = False,
    base_url: BaseUrl = None,
    timeout: Timeout = TIMEOUT,
    option: Options = None,
    seed: Seed = 0,
) -> None:
    """Ask the questions of a file: answers are kept as they come, and it goes on from there."""
    from rich.console import Console

    from palate.cli import design_session as session
    from palate.cli.design_plan import pictures_of
    from palate.cli.design_source import source_of
    from palate.cli.models import chat_model
    from palate.cli.played import played_person
    from palate.design import QueryFile
    from palate.errors import ParameterError

    if simulate is not None and persona is not None:
        raise ParameterError("--simulate and --persona are two people; choose one")
    if strength is not None and simulate is None:
        raise ParameterError("--strength is that of a person of --simulate; give that too")
    if at_estimate and redesign is None:
        raise ParameterError("--at-estimate says how --redesign counts; give that too")
    console = Console()
    with ExitStack() as stack:
        file = stack.enter_context(QueryFile.open(queries))
        source = source_of(file.settings, queries, base_url)
        asking = session.Asking(file, source)
        person: Person | None = None  # a simulated one is made anew with every plan
        if persona is not None:
            chat = stack.enter_context(chat_model(model, base_url, timeout, option, console))
            person = played_person(asking, console, persona, chat)
        elif simulate is None:
            person = session.typing_person(asking, console)
        replan = None
        if redesign is not None:
            rendering = source.renderer(file.settings["render"], pictures_of(queries), base_url)
            tell = session.teller(person, console)
            renderer = stack.enter_context(rendering)
            replan = session.Replanning(redesign, at_estimate, renderer, tell)

        def person_for(asking: Asking) -> Person:
            if person is not None:
                return person
            return session.simulated_person(asking, simulate or "", strength or _STRENGTH, seed)

        session.ask_on(asking, person_for, replan)
        session.close(asking, person, console)


@design.command()
def share(
    queries: Queries,
    db: Db,
    person: Annotated[
        list[str] | None,
        typer.Option(help="Name of somebody who is to answer. May be given several times."),
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many more, without names.", min=0)] = 0,
    public_url: PublicUrl = None,
    base_url: BaseUrl = None,
) -> None:
    """Hand the questions of a file to many people: print a link of the service for each."""
    from palate.cli import design_share
    from palate.cli.design_source import source_of
    from palate.design import read_queries
    from palate.errors import ParameterError
    from palate.serve import Settings

    if not person and not n:
        raise ParameterError("say who is to answer: --person NAME, or -n HOW_MANY")
    url = Settings(public_url=public_url).url
    file = read_queries(queries)
    source = source_of(file.settings, queries, base_url)
    with kept_store(db) as store:
        for shared in design_share.share(store, file, source, person or (), n):
            named = f"{shared.person}: " if shared.person in (person or ()) else ""
            typer.echo(f"{named}{url}/e/{shared.elicitation}")
    typer.echo(f"They are served by palate serve --db {db}", err=True)


@design.command()
def collect(
    queries: Queries,
    db: Db,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder: a file a person.")],
    base_url: BaseUrl = None,
) -> None:
    """Write the answers of those who were handed the questions, for fit and report."""
    from palate.cli import design_share
    from palate.cli.design_source import source_of
    from palate.design import read_queries

    file = read_queries(queries)
    source = source_of(file.settings, queries, base_url)
    with kept_store(db, there=True) as store:
        for shared in design_share.collect(store, file, source, output):
            typer.echo(f"{shared.person}: {shared.answered} of {len(file.planned)} answered")


@design.command()
def fit(
    queries: Queries,
    lam: Lambda = None,
    near: Annotated[int, typer.Option(help="Prompts near the best one.", min=0)] = 5,
    render: Render = "text",
    base_url: BaseUrl = None,
    seed: Seed = 0,
    *,
    whole: Whole = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Say what the answers tell: how decisive, what suits best, and how sure that is."""
    import json

    from palate.cli import design_fit

    fitted = design_fit.fitted(queries, lam, base_url, whole=whole, n_near=near, seed=seed)
    pictures = design_fit.pictures(fitted, render, base_url)
    if as_json:
        found = design_fit.to_object(fitted, pictures)
        typer.echo(json.dumps(found, ensure_ascii=False, allow_nan=False))
        return
    typer.echo("\n".join(design_fit.lines(fitted, pictures)))


@design.command()
def report(
    queries: Queries,
    output: Annotated[Path, typer.Option("-o", "--output", help="The page of HTML to write.")],
    lam: Lambda = None,
    render: Render = "text",
    base_url: BaseUrl = None,
    seed: Seed = 0,
    *,
    whole: Whole = False,
) -> None:
    """Write one page about a plan, its answers, and the prompts that suit best."""
    from palate.cli import design_fit
    from palate.errors import AnswerError, ParameterError

    try:
        fitted = design_fit.fitted(queries, lam, base_url, whole=whole, seed=seed)
        page = design_fit.page(fitted, design_fit.pictures(fitted, render, base_url))
    except AnswerError:  # a plan that nobody has answered yet has a report all the same
        page = design_fit.page_of_plan(queries, base_url)
    try:
        output.write_text(page, encoding="utf-8", errors="xmlcharrefreplace")
    except OSError as error:
        msg = f"cannot write {output}: {error.strerror or error}"
        raise ParameterError(msg) from error
    typer.echo(f"{output} is written.")
