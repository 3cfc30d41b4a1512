"""``palate bench design``: whether questions planned ahead beat random ones, and at what cost."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from palate.cli.models import TIMEOUT, BaseUrl, EmbedderName, Model, Options, Timeout
from palate.cli.options import Jobs, Out, one_thread, show_help_alone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from palate.bench.design import World
    from palate.bench.diversity import Check, Panel
    from palate.chat import ChatModel
    from palate.design import Questions
    from palate.design.styles import StyleName
    from palate.design.vocabulary import ShippedVocabulary
    from palate.embed import Embedder
    from palate.feedback import Person

design = typer.Typer(
    help="Questions planned ahead: against random ones, and how fast.", rich_markup_mode=None
)

Seeds = Annotated[int, typer.Option(help="Runs of each setting, each with its seed.", min=2)]
Strength = Annotated[float, typer.Option(help="How decisive people are, beta.", min=0.001)]
Lambda = Annotated[
    float | None, typer.Option("--lambda", help="Prior precision; by default d / beta^2.")
]


@design.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    one_thread()
    show_help_alone(context)


@design.command()
def styles(
    seeds: Seeds = 25,
    vocabulary: Annotated[
        Literal["balanced", "redundant", "both"], typer.Option(help="Of the prompts.")
    ] = "both",
    episodes: Annotated[
        list[int] | None, typer.Option(help="By default 5, 10, 25 and 50.", min=1)
    ] = None,
    strength: Strength = 20.0,
    lam: Lambda = None,
    embedder: EmbedderName = None,
    jobs: Jobs = 1,
    out: Out = None,
) -> None:
    """Errors by the number of episodes for three tastes, random questions against designs."""
    from palate.bench import design_styles as bench

    both: tuple[ShippedVocabulary, ...] = ("redundant", "balanced")
    worlds = [_world(name, embedder)[1] for name in both if vocabulary in {name, "both"}]
    runs = [
        bench.run_styles(
            world,
            seeds=seeds,
            beta=strength,
            lam=lam,
            others=bench.OTHERS if world.name == "redundant" else (),
            episodes=episodes or bench.EPISODES,
            jobs=jobs,
        )
        for world in worlds
    ]
    checks: list[Check] = []
    for one in runs:
        for metric in ("wrong", "cosine"):
            _table(*bench.metric_table(one, metric))
        if bench.COMPARED_AT in one.episodes:
            _table(*bench.ratio_table(one, bench.COMPARED_AT))
        if one.world.name == "redundant" and bench.COMPARED_AT in one.episodes:
            checks += bench.redundant_checks(one, bench.COMPARED_AT)
        elif one.world.name == "balanced":
            checks += bench.balanced_checks(one)
    _checks(checks)
    for line in bench.where_not_better(runs):
        typer.echo(f"Where design does not beat random: {line}")
    for one in runs:
        for metric in ("wrong", "seen"):
            _keep(out, f"styles-{one.world.name}-{metric}", bench.panels(one, metric))
    _about(runs[0].world, seeds, strength, runs[0].lam)


@design.command()
def people(
    seeds: Seeds = 10,
    episodes: Annotated[int, typer.Option(help="That are answered first.", min=2)] = 10,
    vocabulary: Annotated[
        Literal["balanced", "redundant"], typer.Option(help="Of the prompts.")
    ] = "balanced",
    strength: Strength = 20.0,
    lam: Lambda = None,
    embedder: EmbedderName = None,
    model: Model = None,
    base_url: BaseUrl = None,
    timeout: Timeout = TIMEOUT,
    option: Options = None,
) -> None:
    """Picks predicted, on each method's own questions and on a pool that all share.

    People are simulated, or played by a chat model that is named.
    """
    from rich.console import Console

    from palate.bench import design_people as bench
    from palate.chat import CachedModel
    from palate.cli.models import chat_model

    made, world = _world(vocabulary, embedder)
    with ExitStack() as stack:
        player = None
        if model is not None:
            errors = Console(stderr=True)
            chat = stack.enter_context(chat_model(model, base_url, timeout, option, errors))
            player = _played(CachedModel(chat))
        runs = bench.run_people(
            world, made, episodes=episodes, seeds=seeds, beta=strength, lam=lam, person_of=player
        )
    _table(*bench.people_table(runs))
    for line in bench.people_findings(runs):
        typer.echo(line)
    who = f"{model} plays people" if model else f"People are simulated, of strength {strength:g}"
    typer.echo(
        f"\n{who}; {seeds} seeds, mean ± standard error. Options are whole prompts, which people "
        f"and estimates see embedded as one text; designs know tokens. Features: {world.features}, "
        f"lambda {runs.lam:.3g}."
    )


@design.command()
def sweep(
    seeds: Seeds = 8,
    episodes: Annotated[int, typer.Option(help="T.", min=1)] = 25,
    vocabulary: Annotated[
        Literal["balanced", "redundant"], typer.Option(help="Of the prompts.")
    ] = "balanced",
    strength: Annotated[
        list[float] | None, typer.Option(help="By default 1, 5 and 20.", min=0.001)
    ] = None,
    lam: Annotated[
        list[float] | None, typer.Option("--lambda", help="By default 0.1, 1, 10 and 100.")
    ] = None,
    embedder: EmbedderName = None,
    jobs: Jobs = 1,
) -> None:
    """Designs against random questions by lambda and by strength; where lambda does not suit."""
    from palate.bench import design_sweep as bench

    _, world = _world(vocabulary, embedder)
    runs = bench.run_sweep(
        world,
        seeds=seeds,
        episodes=episodes,
        lambdas=lam or bench.LAMBDAS,
        strengths=strength or bench.STRENGTHS,
        jobs=jobs,
    )
    _table(*bench.sweep_table(runs))
    for line in bench.sweep_findings(runs):
        typer.echo(line)
    typer.echo(
        f"\nPreference error in the mean over three simulated styles and {seeds} seeds; features: "
        f"{world.features}. The uniform design's share is that of D / A / V."
    )


@design.command()
def speed(
    steps: Annotated[int, typer.Option(help="Of Frank-Wolfe, to be equalled.", min=0)] = 200,
    repeats: Annotated[int, typer.Option(help="Runs of ours; the fastest counts.", min=1)] = 3,
    large: Annotated[int, typer.Option(help="Tokens of the large problem; 0: none.", min=0)] = 2500,
    embedder: EmbedderName = None,
) -> None:
    """Time the solver by criterion and lambda, against Frank-Wolfe with line search."""
    from palate.bench import design_speed as bench
    from palate.bench.design_features import LiftedEmbedder

    _, world = _world("balanced", embedder)
    small = [
        bench.timed(world.problem, name, lam, tol=1e-3, steps=steps, repeats=repeats)
        for name in bench.NAMES
        for lam in bench.LAMBDAS
    ]
    _table(*bench.speed_table(small))
    lifted = LiftedEmbedder(768)
    many = bench.large_problem(large, lifted) if large else None
    big = [
        bench.timed(many, name, lam, tol=1e-2, steps=0, repeats=1)
        for name in bench.NAMES
        for lam in bench.LAMBDAS
        if many is not None
    ]
    if big:
        _table(*bench.speed_table(big))
    _checks(bench.speed_checks(small, big))
    typer.echo(
        f"CPU seconds on one thread, 50 episodes. Small: {world.features}. Large: {lifted.name}."
    )


def _world(name: ShippedVocabulary, embedder: str | None) -> tuple[Embedder, World]:
    from palate.bench.design import World
    from palate.bench.design_features import richest_embedder
    from palate.cli.prepare import named_embedder

    if embedder is None:
        made, features = richest_embedder()
    else:
        made, features = named_embedder(embedder, None, None), embedder
    return made, World.shipped(name, made, features)


def _played(chat: ChatModel) -> Callable[[StyleName, Questions, int], Person]:
    """People of the shipped styles, played by a chat model."""
    from palate.design import style_sentences
    from palate.people import ModelPerson

    def person_of(style: StyleName, _asked: Questions, _seed: int) -> Person:
        likes = " ".join(style_sentences(style))
        return ModelPerson(
            f"Looks for pictures that are {style}. Likes, for example: {likes}", chat
        )

    return person_of


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from palate.bench.report import markdown_table

    typer.echo(markdown_table(header, rows) + "\n")


def _checks(checks: Sequence[Check]) -> None:
    from palate.bench.diversity import CHECK_HEADER, check_rows

    if checks:
        _table(("check", *CHECK_HEADER[1:]), check_rows(checks))


def _keep(out: Path | None, name: str, panels: Sequence[Panel]) -> None:
    from palate.bench.diversity import write_panels
    from palate.bench.diversity_plot import plot_panels

    if out is None:
        return
    write_panels(out / f"{name}.csv", panels)
    plot_panels(out / f"{name}.png", panels, standard_error=True)
    typer.echo(f"{out / name}.csv and .png hold the figures by seed.")


def _about(world: World, seeds: int, strength: float, lam: float) -> None:
    typer.echo(
        f"\nSimulated people of strength {strength:g}, {seeds} seeds, mean ± standard error; "
        f"lambda {lam:.3g} in designs and estimates. An option is one token, a prompt has the sum "
        "of its tokens' features; errors are on 5000 pairs of 1000 prompts at random, without "
        f"noise. Features: {world.features}. The oracle knows theta and predicts picks."
    )
