"""Options of verbs that serve, or work on the database of a service."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate.store import Store

Db = Annotated[
    str,
    typer.Option(
        help="A file, sqlite:///FILE or postgresql://USER@HOST/DATABASE.", envvar="PALATE_DB"
    ),
]
Host = Annotated[str, typer.Option(help="Address to listen at.", envvar="PALATE_HOST")]
Port = Annotated[
    int, typer.Option(help="0 for any that is free.", min=0, max=65535, envvar="PALATE_PORT")
]
PublicUrl = Annotated[
    str | None,
    typer.Option(
        help="Where people reach it, such as https://taste.example.org.",
        envvar="PALATE_PUBLIC_URL",
    ),
]
Images = Annotated[
    Path | None,
    typer.Option(help="Folder whose files responses may show.", envvar="PALATE_IMAGES"),
]


def kept_store(db: str, *, there: bool = False) -> Store:
    """The store in a database that outlives this process.

    Args:
        db: as the option has it.
        there: whether it must exist.

    Raises:
        ParameterError: it ends with this process; or it is to be there, and is not.
        StoreError: it cannot be used.
    """
    from palate.store import open_store

    if db in {"memory:", ":memory:", "sqlite://"}:
        raise ParameterError(
            "answers are kept in a file or on a server; give --db such as study.db"
        )
    if there and "://" not in db and not Path(db).is_file():
        msg = f"there is no database {db}; give the --db that people are served with"
        raise ParameterError(msg)
    return open_store(db)
