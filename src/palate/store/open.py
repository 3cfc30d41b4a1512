"""Opening a store by its URL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from palate.elicitation import strategy_from_settings
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from palate.pool import Pool
    from palate.store.base import Store
    from palate.strategies import Strategy


def open_store(
    url: str,
    *,
    live: int = 500,
    strategy_for: Callable[[Mapping[str, Any], Pool], Strategy] | None = None,
) -> Store:
    """Open a store, and make it, or bring it to the newest schema, if need be.

    Args:
        url: the path of an SQLite file, ``sqlite:///FILE`` (four slashes before a path from the
            root), ``memory:`` for one that ends with the process, or
            ``postgresql://USER:PASSWORD@HOST/DATABASE``, with the options of libpq.
            ``sqlite:///FILE?synchronous=normal`` does not wait for the disk: an answer survives the
            death of the process, and perhaps not that of the machine. By default it survives both.
        live: how many elicitations to keep in memory, at least 1; others are replayed when used.
        strategy_for: makes a strategy again from its settings, for those that are not built in, and
            those whose prior was learned and is not in the database, as that of a fitted model or
            of a profile's file: the settings hold its digest alone. By default the built-in ones.

    Raises:
        ParameterError: the URL is none of these, or ``live`` is no such number.
        StoreError: the database cannot be reached, is not a store's, or newer than this palate.
        MissingExtraError: it is PostgreSQL, and its driver is not installed.
    """
    from palate.store.database import Database  # noqa: PLC0415 - SQLAlchemy is slow to import
    from palate.store.sql import SqlStore  # noqa: PLC0415

    if isinstance(live, bool) or not isinstance(live, int) or live < 1:
        msg = f"live must be a whole number of at least 1, not {live!r}"
        raise ParameterError(msg)
    database = Database(url)
    try:
        return SqlStore(database, live, strategy_for or _built_in)
    except BaseException:
        database.close()
        raise


def _built_in(settings: Mapping[str, Any], _: Pool) -> Strategy:
    return strategy_from_settings(settings)
