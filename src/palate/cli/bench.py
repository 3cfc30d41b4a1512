"""``palate bench``: measurements that anyone can run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from palate.cli.bench_design import design
from palate.cli.bench_diversity import diversity
from palate.cli.bench_priors import priors
from palate.cli.bench_serve import serve
from palate.cli.elicitation import elicitation, report
from palate.cli.models import EmbedderName
from palate.cli.options import one_thread, show_help_alone

bench = typer.Typer(help="Measurements that anyone can run again.", rich_markup_mode=None)

population = typer.Typer(help="Many people: fits, and people located.", rich_markup_mode=None)
bench.add_typer(population, name="population")
bench.add_typer(design, name="design")
bench.add_typer(diversity, name="diversity")
bench.add_typer(priors, name="priors")
bench.command()(elicitation)
bench.command()(report)
bench.command()(serve)


@bench.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    show_help_alone(context)


@population.callback(invoke_without_command=True)
def _population(context: typer.Context) -> None:
    show_help_alone(context)


@bench.command()
def speed(
    elicitations: Annotated[
        int, typer.Option(help="Runs against the reference, a pool size.", min=1)
    ] = 3,
    every: Annotated[
        int, typer.Option(help="Time the reference at every so-manieth step.", min=1)
    ] = 3,
    largest: Annotated[int, typer.Option(help="Largest pool of the scaling table.")] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Fixes pools, people and strategies.", min=0)] = 0,
    *,
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Compare every bound of the scaling table with the whole pool's (slow)."
        ),
    ] = False,
) -> None:
    """Time a step against the paper's solver, and as the pool grows."""
    one_thread()

    from palate.bench import speed as bench_speed
    from palate.bench.report import reference_table, scaling_table

    rows = [
        bench_speed.against_reference(n, d, elicitations=elicitations, every=every, seed=seed)
        for n, d in bench_speed.REFERENCE_SIZES
    ]
    typer.echo(reference_table(rows) + "\n")
    sizes = [n for n in bench_speed.POOL_SIZES if n <= largest]
    scaled = [
        bench_speed.scaling(n, steps=bench_speed.POOL_STEPS, seed=seed, check=check) for n in sizes
    ]
    typer.echo(scaling_table(scaled, checked=check))


@bench.command()
def exact(
    cases: Annotated[int, typer.Option(help="Random pools and people.", min=1)] = 1000,
    people: Annotated[int, typer.Option(help="People at N = 20, d = 64.", min=1)] = 200,
    reference: Annotated[int, typer.Option(help="Cases against the reference.", min=0)] = 100,
    seed: Annotated[int, typer.Option(help="Fixes everything random.", min=0)] = 0,
) -> None:
    """Check that what is called certain is true, and the solver against the paper's."""
    from palate.bench import exact as bench_exact
    from palate.bench.report import markdown_table

    header = ("consistent simulated people", "runs", "certified", "right", "answers", "most")
    verdicts = bench_exact.certificates(cases, seed=seed)
    verdicts += bench_exact.answers_to_certainty(people, seed=seed)
    typer.echo(markdown_table(header, bench_exact.verdict_rows(verdicts)) + "\n")
    if reference:
        found = bench_exact.against_reference(reference, seed=seed)
        compared = ("against cvxpy and CLARABEL", "cases", "median", "largest")
        typer.echo(markdown_table(compared, bench_exact.difference_rows(found)))


@bench.command()
def startup(
    runs: Annotated[int, typer.Option(help="How often to start each.", min=1)] = 7,
) -> None:
    """Time what a user waits for: import, help, the demo's first question."""
    from palate.bench.report import markdown_table
    from palate.bench.startup import startup_rows

    header = ("started", "runs", "median s", "slowest s")
    typer.echo(markdown_table(header, startup_rows(runs)))


@bench.command()
def generate(
    size: Annotated[int, typer.Option("-n", "--size", help="Responses of a pool.", min=2)] = 20,
    concurrency: Annotated[int, typer.Option(help="Requests at a time.", min=1)] = 8,
    delay: Annotated[float, typer.Option(help="Seconds that the server takes a request.")] = 1.0,
) -> None:
    """Time the generation of a pool against a simulated server on this machine."""
    from palate.bench.generation import generation_rows, generation_times
    from palate.bench.report import markdown_table

    header = ("generated", "requests", "most at once", "ideal s", "s", "ratio")
    timed = generation_times(size, concurrency=concurrency, delay=delay)
    typer.echo(markdown_table(header, generation_rows(timed)))


@population.command("locate")
def locate_people(
    people: Annotated[int, typer.Option(help="Simulated people.", min=20)] = 10_000,
    answers: Annotated[int, typer.Option(help="Answers of each.", min=1)] = 20,
    k: Annotated[int, typer.Option("--k", help="Prototypes.", min=1)] = 5,
    reference: Annotated[
        int, typer.Option(help="People to locate one by one, by cvxpy and by AdamW.", min=1)
    ] = 20,
    seed: Annotated[int, typer.Option(help="Fixes people and answers.", min=0)] = 0,
) -> None:
    """Time locating people from their answers against cvxpy and against Adam."""
    one_thread()

    from palate.bench import localise
    from palate.bench.report import markdown_table

    answered = localise.Answered.simulated(people, answers, k, seed)
    ours, located = localise.exactly(answered)
    few = answered.first(reference)
    rows = [
        ours,
        localise.by_cvxpy(few),
        localise.by_authors_adam(few, seed),
        localise.by_batched_adam(answered),
    ]
    typer.echo(markdown_table(localise.LOCATE_HEADER, localise.locate_rows(answered, rows)) + "\n")
    typer.echo(
        f"{people:,} simulated people, {answers} answers each, K = {k}; "
        f"largest Frank-Wolfe gap {located.gap.max():.1e}, Newton steps at most "
        f"{located.steps.max()}. Those timed on fewer are scaled."
    )


@population.command()
def prior(
    seeds: Annotated[int, typer.Option(help="Simulated populations of each kind.", min=1)] = 3,
) -> None:
    """Accuracy (and log loss) on unseen people by the weight of the prior they are located with."""
    from palate.bench import localise
    from palate.bench.report import markdown_table

    answers = (f"{count} answers" for count in localise.PRIOR_COUNTS)
    header = ("unseen people", "prior weight", *answers)
    typer.echo(markdown_table(header, localise.prior_rows(seeds)))


@population.command()
def simulate(
    seeds: Annotated[int, typer.Option(help="Simulated populations of each kind.", min=1)] = 5,
    people: Annotated[int, typer.Option(help="Seen people, N.", min=1)] = 100,
    answers: Annotated[int, typer.Option(help="Answers of each, n.", min=1)] = 100,
    k: Annotated[int, typer.Option("--k", help="True prototypes, K*.", min=1)] = 3,
    most: Annotated[int, typer.Option(help="Most prototypes to fit.", min=1)] = 5,
    d: Annotated[int, typer.Option("--d", help="Dimensions.", min=1)] = 16,
    noise: Annotated[float, typer.Option(help="Temperature of the answers.", min=0.0)] = 0.0,
    plot: Annotated[
        Path | None, typer.Option(help="Write a picture of one population at d = 2.")
    ] = None,
) -> None:
    """Accuracy of PAL-A on simulated people, seen and unseen, by the number of prototypes."""
    one_thread()

    from palate.bench import population as simulated
    from palate.bench.population_plot import plot_ideal_points
    from palate.bench.report import markdown_table

    settings = {"people": people, "answers": answers, "k": k, "noise": noise}
    for mixture in ("softmax", "partition"):
        varied = {**settings, "d": d, "mixture": mixture}
        rows = simulated.simulation(range(1, most + 1), seeds, varied)
        header = (f"K ({mixture})", *simulated.simulation_header()[1:])
        typer.echo(markdown_table(header, simulated.simulation_rows(rows)) + "\n")
        found = simulated.findings(rows, k)
        typer.echo(markdown_table((f"{mixture}, points", "measured"), found) + "\n")
    typer.echo(
        f"Held-out accuracy (%) on {seeds} simulated populations: N = {people}, n = {answers}, "
        f"K* = {k}, d = {d}, noise {noise:g}; mean ± standard deviation."
    )
    if plot is not None:
        plot_ideal_points(plot, range(1, k + 1), settings, 0)
        typer.echo(f"{plot} shows one population at d = 2.")


@population.command("sweep")
def sweep_simulation(
    over: Annotated[
        Literal["answers", "people", "d", "k"],
        typer.Option(help="What varies: answers or people, dimensions, or the true K."),
    ] = "answers",
    value: Annotated[list[int] | None, typer.Option(help="Its values.", min=1)] = None,
    fit: Annotated[list[int] | None, typer.Option(help="Prototypes to fit.", min=1)] = None,
    seeds: Annotated[int, typer.Option(help="Simulated populations of each.", min=1)] = 3,
    people: Annotated[int, typer.Option(help="Seen people, N.", min=1)] = 250,
    answers: Annotated[int, typer.Option(help="Answers of each, n.", min=1)] = 50,
    k: Annotated[int, typer.Option("--k", help="True prototypes, K*.", min=1)] = 5,
    d: Annotated[int, typer.Option("--d", help="Dimensions.", min=1)] = 16,
) -> None:
    """Accuracy of PAL-A on seen simulated people as one setting varies."""
    one_thread()

    from palate.bench import population as simulated
    from palate.bench.report import markdown_table

    values = value or simulated.SWEEPS[over]
    ks = fit or (1, 2, 3, 4, 5, 6)
    settings = {"people": people, "answers": answers, "k": k, "d": d}
    header = (over, *(f"K = {fitted}" for fitted in ks), "slowest fit, CPU s")
    typer.echo(markdown_table(header, simulated.sweep(over, values, ks, seeds, settings)) + "\n")
    rest = ", ".join(f"{name} {size}" for name, size in settings.items() if name != over)
    typer.echo(
        f"Held-out accuracy (%) of seen people on {seeds} simulated populations a row: {rest}"
        + (f", but {simulated.PEOPLE_A_PROTOTYPE} people a prototype." if over == "k" else ".")
    )


@population.command("speed")
def population_speed(
    k: Annotated[int, typer.Option("--k", help="Prototypes.", min=1)] = 3,
    epochs: Annotated[int, typer.Option(help="Epochs of the slow loop to time.", min=1)] = 20,
    seed: Annotated[int, typer.Option(help="Fixes everything random.", min=0)] = 0,
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Run all 1000 epochs of the slow loop (minutes).")
    ] = False,
) -> None:
    """Time a fit of PAL-A against minibatches written as the authors' code is."""
    one_thread()

    from palate.bench import population as simulated
    from palate.bench.report import markdown_table

    header = ("PAL-A, d = 16, N = n = 100", "run", "CPU s", "CPU s of 1000", "ratio", "accuracy %")
    typer.echo(markdown_table(header, simulated.speed_rows(k, epochs, seed, full=full)))


@population.command()
def filters(
    seeds: Annotated[int, typer.Option(help="Sets of simulated images and people.", min=1)] = 5,
) -> None:
    """Measure one and two prototypes on Pick-a-Filter of simulated images (PAL, Figure 4)."""
    from palate.bench.filters import filter_rows
    from palate.bench.report import markdown_table

    header = ("beta", "K = 1", "K = 2")
    typer.echo(markdown_table(header, filter_rows(range(seeds))) + "\n")
    typer.echo(
        f"Held-out accuracy (%) of PAL-A on {seeds} sets of simulated images and people; "
        "mean ± standard deviation."
    )


@population.command()
def personas(
    data: Annotated[
        Path,
        typer.Option(
            help="Folder of Anthropic's persona files, interest-in-art.jsonl to "
            "interest-in-sports.jsonl."
        ),
    ],
    model: Annotated[
        Literal["pal-b", "pal-a"], typer.Option(help="PAL-B, or PAL-A of statement and answer.")
    ] = "pal-b",
    embedder: EmbedderName = None,
    k: Annotated[int, typer.Option("--k", help="Personas, K*.", min=1, max=6)] = 4,
    fit: Annotated[list[int] | None, typer.Option(help="Prototypes to fit.", min=1)] = None,
    people: Annotated[int, typer.Option(help="Seen people a persona.", min=1)] = 25,
    answers: Annotated[int, typer.Option(help="Answers of each.", min=1)] = 200,
    d: Annotated[int, typer.Option("--d", help="Dimensions of PAL-B's image.", min=1)] = 16,
    seeds: Annotated[int, typer.Option(help="Sets of people.", min=1)] = 3,
) -> None:
    """Accuracy on people with one of several personas, by the number of prototypes."""
    one_thread()

    from palate.bench import personas as experiment
    from palate.bench.report import markdown_table
    from palate.cli.prepare import STATIC, named_embedder

    statements = experiment.read_statements(data, k)
    questions = experiment.Questions(
        statements, model, named_embedder(embedder or STATIC, None, None)
    )
    rows = experiment.experiment(
        questions, model, fit or (1, 2, 3, 4, 5), people=people, answers=answers, d=d, seeds=seeds
    )
    typer.echo(markdown_table(experiment.persona_header(), experiment.persona_rows(rows)) + "\n")
    found = experiment.persona_findings(rows, k)
    typer.echo(markdown_table(("points", "measured"), found) + "\n")
    typer.echo(
        f"Accuracy (%) on held-out statements, {model}, embedder {embedder or STATIC}: "
        f"{len(statements.texts):,} statements of {k} personas; a persona has {people} simulated "
        f"people seen, who answer {answers} questions each, and {people} unseen; {seeds} such sets "
        "of people, mean ± standard deviation."
    )
