"""``palate bench serve``: the load that the service bears, and whether kill -9 loses anything."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palate.cli.options import one_thread

if TYPE_CHECKING:
    from palate.bench.serve_process import ServerProcess

_STRATEGIES: dict[str, dict[str, Any]] = {
    "useralign": {"name": "useralign", "epsilon": 0.0, "max_steps": 15},
    "eubo": {"name": "eubo", "max_steps": 15},
}


def serve(
    db: Annotated[
        str | None,
        typer.Option(
            help="URL of an empty database, such as postgresql://USER@HOST/DATABASE; by default an "
            "SQLite file in a temporary folder."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(help="Processes that serve.", min=1)] = 1,
    clients: Annotated[int, typer.Option(help="Elicitations at a time.", min=1)] = 50,
    rate: Annotated[
        float, typer.Option(help="Questions and answers offered a second.", min=0.1)
    ] = 300.0,
    seconds: Annotated[float, typer.Option(help="How long each is measured.", min=0.1)] = 10.0,
    kill: Annotated[
        int,
        typer.Option(
            help="Instead, kill -9 the server so many times while 20 people answer, and count "
            "what is lost.",
            min=0,
        ),
    ] = 0,
    seed: Annotated[int, typer.Option(help="Fixes pools and people.", min=0)] = 0,
    *,
    one_core: Annotated[
        bool,
        typer.Option(
            "--one-core/--all-cores",
            help="Keep the server to one processor, and the clients to the others. With several "
            "workers all are used.",
        ),
    ] = True,
) -> None:
    """Measure the service with simulated people: requests, pairs of ask and tell, times, errors."""
    one_thread()

    from palate.bench.serve_load import two_cores
    from palate.bench.serve_process import ServerProcess

    core, rest = two_cores() if one_core and workers == 1 and not kill else (None, set())
    if core is not None:
        os.sched_setaffinity(0, rest)
    with tempfile.TemporaryDirectory(prefix="palate-bench-") as folder:
        log = Path(folder) / "log"
        url = db or str(Path(folder) / "palate.db")
        with ServerProcess(url, workers=workers, core=core, log=log) as server:
            if kill:
                _kill(server, kill, seed)
            else:
                _load(server, clients, rate, seconds, seed)
    kind = "PostgreSQL" if db is not None and db.startswith("postgres") else "SQLite"
    where = "one processor" if core is not None else f"{os.cpu_count()} processors for all"
    processes = "one process" if workers == 1 else f"{workers} processes"
    typer.echo(f"{kind}, {processes} on {where}; simulated people.")


def _load(server: ServerProcess, clients: int, rate: float, seconds: float, seed: int) -> None:
    from palate.bench.report import markdown_table
    from palate.bench.serve_load import HEADER, Plan, measure

    rows = []
    for name, strategy in _STRATEGIES.items():
        for offered in (rate, None):
            for together in (True, False):
                plan = Plan(strategy, clients, offered, seconds, together, settle=min(2.0, seconds))
                label = f"{name}, {'the answer brings the next' if together else 'two requests'}"
                load = measure(server, plan, seed)
                rows.append(load.row(label, offered))
                for error in sorted(set(load.errors))[:3]:
                    typer.echo(f"{label}: {error}", err=True)
    typer.echo(markdown_table(HEADER, rows) + "\n")


def _kill(server: ServerProcess, kills: int, seed: int) -> None:
    from palate.bench.report import markdown_table
    from palate.bench.serve_kill import HEADER, kill_often

    found = kill_often(server, kills, _STRATEGIES["useralign"], seed=seed)
    for refused in found.refused[:3]:
        typer.echo(refused, err=True)
    typer.echo(markdown_table(HEADER, found.rows()) + "\n")
    if not found.flawless:
        raise typer.Exit(1)
