"""``palate bench priors``: how few questions a prior leaves."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palate.cli.options import Jobs, Out, one_thread, show_help_alone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from palate.bench.domains import Domain
    from palate.bench.priors import Arm

priors = typer.Typer(
    help="Priors: a new person's best response in few questions.", rich_markup_mode=None
)

People = Annotated[int, typer.Option(help="New people a cell.", min=2)]
Seed = Annotated[int, typer.Option(help="Fixes worlds, people and pools.", min=0)]
Seeds = Annotated[int, typer.Option(help="Runs of each person, averaged.", min=1)]
Flips = Annotated[
    list[float] | None,
    typer.Option("--flip", help="Shares of answers turned round; several.", min=0.0, max=0.5),
]


@priors.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    one_thread()
    show_help_alone(context)


@priors.command("low-rank")
def low_rank(
    rank: Annotated[list[int] | None, typer.Option(help="Of the tastes.", min=1)] = None,
    n: Annotated[list[int] | None, typer.Option("-n", help="Responses a pool.", min=2)] = None,
    flip: Flips = None,
    people: People = 60,
    most: Annotated[int, typer.Option(help="Questions looked at.", min=10)] = 20,
    seed: Seed = 0,
    jobs: Jobs = -1,
    out: Out = None,
) -> None:
    """Simulated people of low rank, with a prior learned from 200 others or without."""
    from palate.bench import priors as experiment
    from palate.bench import priors_tables as tables

    for r in rank or (3, 8):
        for size in n or (20, 200):
            for rate in flip or (0.0, 0.1):
                arms = experiment.low_rank(
                    r, size, rate, people=people, most=most, seed=seed, jobs=jobs
                )
                title = f"simulated, rank {r}, N = {size}, {rate:.0%} flipped, {people} people"
                _print(title, tables.shares_table(arms), tables.low_rank_lines(arms, r, size, rate))
                _keep(out, f"low-rank-{r}-{size}-{rate:g}", title, arms)


@priors.command()
def size(
    rank: Annotated[list[int] | None, typer.Option(help="Of the tastes.", min=1)] = None,
    population: Annotated[
        list[int] | None, typer.Option(help="People learned from.", min=2)
    ] = None,
    people: People = 60,
    seed: Seed = 0,
    jobs: Jobs = -1,
    out: Out = None,
) -> None:
    """How many people the population needs, at N = 20."""
    from palate.bench import priors as experiment
    from palate.bench import priors_tables as tables

    for r in rank or (3, 8):
        arms = experiment.population_sizes(
            r, population or (25, 50, 100, 200, 400), people=people, seed=seed, jobs=jobs
        )
        title = f"simulated, rank {r}, N = 20, {people} people, populations of several sizes"
        _print(title, tables.shares_table(arms), [])
        _keep(out, f"size-{r}", title, arms)


@priors.command()
def outside(people: People = 60, seed: Seed = 0, jobs: Jobs = -1, out: Out = None) -> None:
    """New people who are not of the population: it must fall back."""
    from palate.bench import priors as experiment
    from palate.bench import priors_tables as tables

    arms = experiment.outside(people=people, seed=seed, jobs=jobs)
    title = f"simulated, people of full rank, population of rank 3, N = 20, {people} people"
    table = tables.shares_table(arms, (2, 3, 5, 10, 15, 20))
    _print(title, table, tables.outside_lines(arms))
    _keep(out, "outside", title, arms)


@priors.command()
def real(
    folder: Annotated[Path, typer.Argument(help="With alpaca_pools_dev.jsonl.gz and the rest.")],
    n: Annotated[list[int] | None, typer.Option("-n", help="Responses a pool.", min=2)] = None,
    flip: Flips = None,
    per_prompt: Annotated[int, typer.Option(help="Personas a prompt.", min=1)] = 3,
    seeds: Seeds = 1,
    jobs: Jobs = -1,
    out: Out = None,
) -> None:
    """Real pools; personas judged in a richer embedding than the one the method sees."""
    from palate.bench.real_pools import alpaca_domain

    for size_ in n or (20,):
        domain = alpaca_domain(folder, size_)
        _personas(domain, flip, per_prompt, seeds, jobs, out, asked=True)


@priors.command()
def domains(
    names: Annotated[list[str] | None, typer.Argument(help="Shipped domains.")] = None,
    flip: Flips = None,
    per_prompt: Annotated[int, typer.Option(help="Personas a prompt.", min=1)] = 6,
    seeds: Seeds = 1,
    jobs: Jobs = -1,
    out: Out = None,
) -> None:
    """Shipped domains with persona ratings, each persona left out of the population."""
    from palate.bench import priors as experiment
    from palate.bench import priors_tables as tables
    from palate.bench.domains import shipped_domain

    for name in names or ("food64d", "travel64d"):
        arms = _personas(
            shipped_domain(name), flip or [0.0], per_prompt, seeds, jobs, out, asked=False
        )
        lines = [
            line
            for ours in ("eubo", experiment.BEST, "eubo, style, population")
            for level in (0.95, 0.99)
            for line in tables.wins_lines(arms, ours, level)
        ]
        _print("win-rate against the baseline", tables.wins_table(arms), lines)


@priors.command()
def returning(
    names: Annotated[list[str] | None, typer.Argument(help="Shipped domains.")] = None,
    remembered: Annotated[int, typer.Option(help="Answers at each earlier prompt.", min=1)] = 15,
    seed: Seed = 0,
    jobs: Jobs = -1,
) -> None:
    """Personas who come back: what they answered before enters the next prompt."""
    from palate.bench import priors as experiment
    from palate.bench import priors_tables as tables
    from palate.bench.domains import shipped_domain

    for name in names or ("food64d", "travel64d"):
        for population in (False, True):
            found = experiment.returning(
                shipped_domain(name),
                remembered=remembered,
                population=population,
                seed=seed,
                jobs=jobs,
            )
            title = f"{name}, 30 personas at three prompts each, {remembered} answers remembered"
            title += ", the other personas as a population" if population else ""
            _print(title, tables.visits_table(found), tables.visits_lines(found))


@priors.command()
def speed(
    n: Annotated[list[int] | None, typer.Option("-n", help="Responses a pool.", min=2)] = None,
) -> None:
    """Time a step of the strategies on beliefs."""
    from palate.bench import priors as experiment
    from palate.bench import priors_tables as tables

    typer.echo(tables.pace_table(experiment.speed(n or (20, 1_000))))


@priors.command()
def starts() -> None:
    """Time the start of an elicitation in a store, for somebody who comes back."""
    from palate.bench import returning

    typer.echo(returning.starts_table(returning.starts()))


def _personas(
    domain: Domain,
    flip: list[float] | None,
    per_prompt: int,
    seeds: int,
    jobs: int,
    out: Path | None,
    *,
    asked: bool,
) -> list[Arm]:
    """The arms of the first share of flips; ``asked`` sets real pools beside what was asked."""
    from palate.bench import priors as experiment
    from palate.bench import priors_tables as tables

    times = (0, 2, 3, 5, 8, 10, 15, 19, 25)
    first: list[Arm] = []
    for rate in flip or (0.0, 0.05, 0.1, 0.2):
        arms = experiment.personas(
            domain, rate, per_prompt=per_prompt, most=25, seeds=seeds, jobs=jobs
        )
        people = len(arms[0].shares)
        title = f"{domain.name}, N = {domain.size}, {rate:.0%} flipped, {people} simulated personas"
        paired = tables.paired_table(
            arms, experiment.BEST, ("useralign", "winner-stays", "eubo"), times[1:]
        )
        table = f"{tables.regrets_table(arms, times)}\n\n{paired}"
        lines = tables.persona_lines(arms, rate, experiment.BEST)
        if asked and not rate:
            lines = tables.asked_lines(arms, domain.size, experiment.BEST) + lines
        _print(title, table, lines)
        _keep(out, f"{domain.name}-{domain.size}-{rate:g}", title, arms)
        first = first or arms
    return first


def _print(title: str, table: str, lines: Iterable[str]) -> None:
    typer.echo(f"{title}\n\n{table}\n")
    for line in lines:
        typer.echo(line)
    typer.echo("")


def _keep(out: Path | None, name: str, title: str, arms: list[Arm]) -> None:
    """A CSV file and a figure, where a folder is named."""
    from palate.bench.priors_plot import write_arms

    if out is not None:
        write_arms(out, name, title, arms)
