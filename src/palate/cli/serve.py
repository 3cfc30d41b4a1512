"""``palate serve``: the HTTP API and the pages, for people, owners and applications."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated

import typer

from palate.cli.database import Host, Images, Port, PublicUrl
from palate.cli.models import BaseUrl, Model
from palate.cli.options import one_thread
from palate.errors import ParameterError

_PATIENCE = 10  # seconds for requests under way, once it is to stop


def serve(
    db: Annotated[
        str | None,
        typer.Option(
            help="A file, sqlite:///FILE or postgresql://USER@HOST/DATABASE; by default palate.db "
            "in the folder for programs' state.",
            envvar="PALATE_DB",
        ),
    ] = None,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    workers: Annotated[
        int, typer.Option(help="Processes; several need a database that is no memory.", min=1)
    ] = 1,
    token: Annotated[
        str | None,
        typer.Option(
            help="What owners and applications must show; better set in PALATE_TOKEN, where other "
            "users of this machine do not see it.",
            envvar="PALATE_TOKEN",
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A name that the service is reached by, such as taste.example.org. May be given "
            "several times; PALATE_ALLOWED_HOSTS takes them with commas between.",
        ),
    ] = None,
    public_url: PublicUrl = None,
    images: Images = None,
    prior: Annotated[
        Path | None,
        typer.Option(
            help="What palate population prior wrote: where people start who nothing else is "
            "known of.",
            envvar="PALATE_PRIOR",
        ),
    ] = None,
    model: Model = None,
    base_url: BaseUrl = None,
) -> None:
    """Serve the API at /api/v1 (see /docs), and the pages, until Ctrl-C."""
    one_thread()  # requests are worked on side by side, each on small matrices

    import uvicorn

    from palate.cli.log import state_folder
    from palate.serve import Settings
    from palate.serve.population import load_population
    from palate.serve.settings import is_loopback
    from palate.store import open_store

    given = Settings.from_environment()
    settings = Settings(
        db=db or str(state_folder() / "palate.db"),
        host=host,
        port=free_port(host, port),
        token=token,
        allowed_hosts=(*given.allowed_hosts, *(name.lower() for name in allowed_host or ())),
        max_body_bytes=given.max_body_bytes,
        public_url=public_url,
        images=None if images is None else str(images),
        model=model or given.model,
        base_url=base_url or given.base_url,
        prior=None if prior is None else str(prior.resolve()),
    )
    _check_workers(settings.db, settings.model, workers)
    if settings.prior is not None:
        load_population(settings.prior, settings.base_url)
    open_store(settings.db).close()  # what is wrong with it is said here, in one line
    os.environ.update(settings.to_environment())
    open_to = "to this machine alone" if is_loopback(host) else "to other machines, by the token"
    typer.echo(f"palate serves at {settings.url}, open {open_to}; Ctrl-C stops it", err=True)
    uvicorn.run(
        "palate.serve:from_environment",
        factory=True,
        host=settings.host,
        port=settings.port,
        workers=workers,
        log_level="warning",
        access_log=False,  # the address of a person's page is a secret
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE,
    )


def _check_workers(db: str, model: str | None, workers: int) -> None:
    if workers > 1 and db in {"memory:", ":memory:", "sqlite://"}:
        msg = f"{workers} workers cannot share a database in memory; name a file, or take one"
        raise ParameterError(msg)
    if workers > 1 and model is not None:
        raise ParameterError(
            "a pool that is being written is known to one worker alone; take --workers 1 with "
            "--model, or write pools by palate generate"
        )


def free_port(host: str, port: int) -> int:
    """The port, or one that is free for 0.

    Raises:
        ParameterError: nothing can listen there.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family) as taken:
            return int(taken.getsockname()[1])
    except OSError as error:
        msg = f"cannot listen at {host} port {port}: {error.strerror or error}"
        raise ParameterError(msg) from error
