"""Pools that ship with the package, written for it; README.md beside this file describes them."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from palate.errors import PoolError
from palate.formats import read_pools

if TYPE_CHECKING:
    from palate.pool import Pool

SHIPPED_POOLS = ("cook", "travel")


def shipped_pool(name: str, *, style: float = 0.0) -> Pool:
    """A shipped pool of 20 responses and a baseline, embedded by the shipped embedder.

    Args:
        name: "cook" or "travel".
        style: weight in [0, 1] of the style features beside the embedding.

    Raises:
        PoolError: there is no such pool.
    """
    return shipped_texts(name).embedded(style=style)


def shipped_texts(name: str) -> Pool:
    """A shipped pool without features."""
    if name not in SHIPPED_POOLS:
        msg = f"there is no shipped pool {name!r}; there are {', '.join(SHIPPED_POOLS)}"
        raise PoolError(msg)
    with as_file(files(__name__) / f"{name}.jsonl") as path:
        return read_pools(path)[0]
