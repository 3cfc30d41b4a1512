"""``palate bench diversity``: greedy learning from diverse people, on simulated ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palate.cli.options import Out, one_thread, show_help_alone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from palate.bench.diversity import Check, Panel
    from palate.diversity.learners import Heads

diversity = typer.Typer(
    help="Diverse people: greedy learning, and what tells whether it will do.",
    rich_markup_mode=None,
)

Seeds = Annotated[int, typer.Option(help="Runs of the learner, each with its seed.", min=1)]
Rounds = Annotated[int, typer.Option(help="Rounds of a run.", min=64)]


@diversity.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    one_thread()
    show_help_alone(context)


@diversity.command()
def curves(
    seeds: Seeds = 5,
    rounds: Rounds = 64_000,
    people: Annotated[list[int] | None, typer.Option(help="People, U.", min=1)] = None,
    out: Out = None,
    *,
    known: Annotated[
        bool | None,
        typer.Option("--known/--unknown", help="Heads known, or fitted too; by default both."),
    ] = None,
) -> None:
    """Regret where heads span all directions."""
    from palate.bench import diversity as bench
    from palate.bench import diversity_online as online

    both: tuple[Heads, ...] = ("known", "unknown")
    kinds = both if known is None else both[:1] if known else both[1:]
    found = online.regret_curves(kinds, people or online.PEOPLE, seeds, rounds)
    rows = [
        (*bench.regret_cells(c), f"{int((c.gap() == 0.0).sum())} of {seeds}", _seconds(c.seconds))
        for c in found.values()
    ]
    _table((*bench.regret_header("heads", rounds), "seeds at gap 0", "CPU s a run"), rows)
    panels = [
        bench.regret_panel(f"heads {kind}", (c for (of, _), c in found.items() if of == kind))
        for kind in kinds
    ]
    _end("curves", online.regret_checks(found), panels, out)


@diversity.command()
def schemes(seeds: Seeds = 10, rounds: Rounds = 64_000, out: Out = None) -> None:
    """Regret of latecomers, by who answers."""
    from palate.bench import diversity as bench
    from palate.bench import diversity_online as online

    found = online.coverage_schemes(seeds, rounds)
    panels = []
    for group, who in ((1, "latecomers"), (0, "main people")):
        header = (*bench.regret_header(who, rounds), "rank of who answers")
        rows = [
            (
                *bench.regret_cells(c, group),
                str(online.answered_rank(c.world, online.SCHEMES[name][1])),
            )
            for name, c in found.items()
        ]
        _table(header, rows)
        panels.append(bench.regret_panel(who, found.values(), group))
    _end("schemes", online.scheme_checks(found), panels, out)


@diversity.command()
def contrasts(seeds: Seeds = 10, rounds: Rounds = 64_000) -> None:
    """Learning from slates without a reference."""
    from palate.bench import diversity_online as online

    _table(online.contrast_header(rounds), online.contrast_rows(seeds, rounds))
    _end("contrasts", (), (), None)


@diversity.command()
def offline(
    seeds: Seeds = 10,
    answers: Annotated[int, typer.Option(help="Most answers.", min=2_000)] = 64_000,
    out: Out = None,
) -> None:
    """Errors by the number of answers, predicted."""
    from palate.bench import diversity_offline as bench

    counts = bench.answer_counts(answers)
    runs = {dims: bench.offline_experiment(dims, seeds, counts) for dims in bench.DIMS}
    rows = [row for run in runs.values() for row in bench.offline_rows(run)]
    _table(("answers", *(f"{n:,}" for n in counts)), rows)
    fits = {dims: bench.expected_gaps(dims, seeds) for dims in bench.DIMS[:2]}
    rows = [row for dims, found in fits.items() for row in bench.expected_rows(dims, found)]
    _table(("gap, by the fit / actual", *(f"{n:,} answers" for n in bench.FITTED)), rows)
    checks = [*bench.offline_checks(runs[bench.LATENT]), *bench.expected_checks(fits)]
    _end("offline", checks, [bench.offline_panel(g, runs.values()) for g in (0, 1)], out)


@diversity.command()
def weak(
    seeds: Seeds = 4,
    answers: Annotated[int, typer.Option(help="Answers.", min=1)] = 32_000,
    out: Out = None,
) -> None:
    """Whether a missing direction matters."""
    from palate.bench import diversity_offline as bench

    found = bench.weak_directions(seeds, answers)
    _table(("weight", "latecomers, wrong", "at risk by the screen"), bench.weak_rows(found))
    _end("weak", bench.weak_checks(found), [bench.weak_panel(found)], out)


@diversity.command()
def frozen(seeds: Seeds = 10, out: Out = None) -> None:
    """New people on a basis that others made."""
    from palate.bench import diversity_people as bench

    runs = [[bench.frozen_basis(dims, seed) for seed in range(seeds)] for dims in bench.FROZEN_DIMS]
    _table(bench.FROZEN_HEADER, map(bench.frozen_row, runs))
    checks = [check for one in runs for check in bench.frozen_checks(one)]
    _end("frozen", checks, [bench.frozen_panel(one) for one in runs], out)


@diversity.command()
def recruit(seeds: Seeds = 10, out: Out = None) -> None:
    """Whom to ask when a direction is missing."""
    from palate.bench import diversity_people as bench

    runs = [bench.recruit(seed) for seed in range(seeds)]
    _table(bench.RECRUIT_HEADER, bench.recruit_rows(runs))
    _end("recruit", bench.recruit_checks(runs), [bench.recruit_panel(runs)], out)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from palate.bench.report import markdown_table

    typer.echo(markdown_table(header, rows) + "\n")


def _seconds(seconds: Sequence[float]) -> str:
    from statistics import median

    return f"{median(seconds):.1f} (most {max(seconds):.1f})"


def _end(name: str, checks: Iterable[Check], panels: Sequence[Panel], out: Path | None) -> None:
    """The checks, files where they are asked for, and what the figures are."""
    from palate.bench import diversity as bench
    from palate.bench.diversity_plot import plot_panels

    rows = bench.check_rows(checks)
    if rows:
        _table(bench.CHECK_HEADER, rows)
    if out is not None:
        bench.write_panels(out / f"{name}.csv", panels)
        plot_panels(out / f"{name}.png", panels)
        typer.echo(f"{out / name}.csv and .png hold the figures by seed.\n")
    typer.echo(f"All people are simulated. {bench.CERTAIN} {bench.RECONSTRUCTED}")
