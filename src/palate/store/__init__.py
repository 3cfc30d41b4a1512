"""The durable store of many people's answers: SQLite by default, PostgreSQL by URL."""

from palate.store.base import (
    Asked,
    Deleted,
    Page,
    Store,
    StoredElicitation,
    StoredPerson,
    StoredPool,
    every,
)
from palate.store.open import open_store

__all__ = [
    "Asked",
    "Deleted",
    "Page",
    "Store",
    "StoredElicitation",
    "StoredPerson",
    "StoredPool",
    "every",
    "open_store",
]
