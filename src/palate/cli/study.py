"""``palate study``: a study with people, from its file to its report."""

from __future__ import annotations

import contextlib
import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palate.cli.database import Db, Host, Images, Port, PublicUrl, kept_store
from palate.cli.options import one_thread, show_help_alone
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from palate.bench.domains import Domain
    from palate.serve.study import Study, StudyPlan
    from palate.store import Store

study = typer.Typer(help="Put strategies before people: a study, its answers and its report.")

File = Annotated[Path, typer.Argument(metavar="FILE", help="The study file; see palate study new.")]
Which = Annotated[
    str | None, typer.Option("--study", help="Its title or id, where the database has several.")
]


@study.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    show_help_alone(context)


@study.command()
def new(file: Annotated[Path, typer.Argument(metavar="FILE", help="To write.")]) -> None:
    """Write a study file that works: the paper's study on the shipped text domains."""
    from palate.serve.study.example import example_file

    try:
        with file.open("x", encoding="utf-8") as out:
            out.write(example_file())
    except FileExistsError as error:
        msg = f"{file} is there already; name another file, or remove it"
        raise ParameterError(msg) from error
    except OSError as error:
        msg = f"cannot write {file}: {error.strerror or error}"
        raise ParameterError(msg) from error
    typer.echo(
        f"{file}: write your own consent text and completion code into it, then "
        f"palate study serve {file} --db study.db",
        err=True,
    )


@study.command()
def serve(
    file: File,
    db: Db,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[int, typer.Option(help="Processes.", min=1)] = 1,
    token: Annotated[
        str | None,
        typer.Option(
            help="What owners must show; better set in PALATE_TOKEN.", envvar="PALATE_TOKEN"
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(help="A name that the service is reached by. May be given several times."),
    ] = None,
    public_url: PublicUrl = None,
    images: Images = None,
) -> None:
    """Serve a study until Ctrl-C, and print the link by which anybody can join."""
    one_thread()

    from palate.cli.serve import free_port
    from palate.cli.serve import serve as serve_all
    from palate.serve import Settings

    port = free_port(host, port)
    url = Settings(host=host, port=port, token=token, public_url=public_url).url
    with kept_store(db) as store:
        typer.echo(f"{url}/s/{_set_up(store, file)[0].id}")
    serve_all(
        db=db,
        host=host,
        port=port,
        workers=workers,
        token=token,
        allowed_host=allowed_host,
        public_url=public_url,
        images=images,
    )


@study.command()
def links(
    file: File,
    db: Db,
    n: Annotated[int, typer.Option("-n", help="How many.", min=1, max=100_000)] = 20,
    public_url: PublicUrl = None,
) -> None:
    """Print links for so many new participants, each for one of them."""
    from palate.serve import Settings
    from palate.serve.study import study_log

    url = Settings(public_url=public_url).url
    with kept_store(db) as store:
        found, _ = _set_up(store, file)
        for participant in study_log(store).add_participants(found, n):
            typer.echo(f"{url}/p/{participant}")


@study.command()
def export(
    db: Db,
    output: Annotated[Path, typer.Option("-o", "--output", help="The file: .csv or .jsonl.")],
    which: Which = None,
) -> None:
    """Write every answer as a row, without participants' links."""
    from palate.serve.study import study_log, study_rows

    if output.suffix not in {".csv", ".jsonl"}:
        msg = f"rows are written to a file that ends in .csv or .jsonl, not {output}"
        raise ParameterError(msg)
    with kept_store(db, there=True) as store:
        log = study_log(store)
        found = _one(log.studies(), which)
        try:
            n = _write(output, study_rows(store, log, found))
        except OSError as error:
            msg = f"cannot write {output}: {error.strerror or error}"
            raise ParameterError(msg) from error
    typer.echo(f"{output}: {n} rows of {found.plan.title!r}", err=True)


@study.command()
def report(
    db: Db,
    which: Which = None,
    *,
    simulated: Annotated[
        bool | None,
        typer.Option(
            "--simulated/--people",
            help="About whom; by default people, if any has started. Never both.",
        ),
    ] = None,
    attentive: Annotated[
        bool, typer.Option("--attentive", help="Leave out who failed the attention check.")
    ] = False,
) -> None:
    """Print win-rates against the baseline as in the paper's Table 3, and how long it took."""
    from palate.bench.report import markdown_table
    from palate.serve.study import study_log, study_report

    with kept_store(db, there=True) as store:
        log = study_log(store)
        found = study_report(
            log, _one(log.studies(), which), simulated=simulated, only_attentive=attentive
        )
    typer.echo("\n".join(found.summary()) + "\n")
    typer.echo(markdown_table(*found.table()))
    label = "simulated participants" if found.simulated else "participants"
    typer.echo(
        f"\nWin-rate of the choice against the baseline (standard error over {label}); {label} "
        "who have not finished do not count.\n"
    )
    if found.durations:
        header = ("domain", "n", "stage 1", "stage 2", "stage 3", "in all")
        rows = [
            (
                d.domain,
                str(d.n),
                *(f"{m:.1f}" for m in (d.reading, d.comparing, d.judging, d.total)),
            )
            for d in found.durations
        ]
        typer.echo(markdown_table(header, rows))
        note = "of programs, which do not read" if found.simulated else "pauses count"
        typer.echo(f"\nMedian minutes; {note}.")


@study.command()
def simulate(
    file: File,
    db: Db,
    participants: Annotated[int, typer.Option(help="How many.", min=1)] = 960,
    url: Annotated[
        str | None,
        typer.Option(
            help="Of a server on this database that runs, such as http://127.0.0.1:8000; by "
            "default one is started, and stopped at the end."
        ),
    ] = None,
    together: Annotated[int, typer.Option(help="How many answer at a time.", min=1, max=64)] = 8,
    seed: Annotated[int, typer.Option(help="Fixes tastes and noise.", min=0)] = 0,
) -> None:
    """Let simulated participants walk through the study, over HTTP. They are marked as such."""
    one_thread()

    from palate.bench.serve_process import ServerProcess
    from palate.bench.study import simulate_participants
    from palate.serve.study import study_log

    with kept_store(db) as store:
        found, domains = _set_up(store, file)
        ids = study_log(store).add_participants(found, participants, simulated=True)
    with contextlib.ExitStack() as stack:
        if url is None:
            url = f"http://127.0.0.1:{stack.enter_context(ServerProcess(db)).port}"
        done = simulate_participants(
            url, ids, domains, code=found.plan.completion_code, seed=seed, together=together
        )
    pace = f"{done.requests} requests, {done.requests / done.seconds:.0f} a second"
    typer.echo(
        f"{done.finished} of {participants} simulated participants finished in "
        f"{done.seconds:.0f} s ({pace})",
        err=True,
    )


def _set_up(store: Store, file: Path) -> tuple[Study, Mapping[str, Domain]]:
    """The study of a file, in the store, and its domains."""
    from palate.serve.study import read_plan, set_up

    plan = read_plan(file)
    domains = _domains(plan, file.parent)
    return set_up(store, plan, domains), domains


def _domains(plan: StudyPlan, folder: Path) -> dict[str, Domain]:
    from palate.bench.domains import SHIPPED_DOMAINS, read_domain, shipped_domain

    names = [domain.name for domain in plan.domains]
    return {
        name: shipped_domain(name) if name in SHIPPED_DOMAINS else read_domain(folder / name)
        for name in names
    }


def _one(studies: list[Study], which: str | None) -> Study:
    """The study that is meant.

    Raises:
        ParameterError: there is none, or not one.
    """
    fitting = [s for s in studies if which in {None, s.id, s.plan.title}]
    if len(fitting) == 1:
        return fitting[0]
    known = "; ".join(f"{s.id} ({s.plan.title})" for s in studies) or "none"
    msg = f"name one study by --study and its id; there are: {known}"
    raise ParameterError(msg)


def _write(output: Path, rows: Iterator[dict[str, Any]]) -> int:
    from palate.serve.study.export import COLUMNS

    n = 0
    with output.open("w", encoding="utf-8", newline="") as out:
        table = csv.DictWriter(out, COLUMNS)
        if output.suffix == ".csv":
            table.writeheader()
        for row in rows:
            n += 1
            if output.suffix == ".csv":
                table.writerow(row)
            else:
                out.write(json.dumps(row) + "\n")
    return n
