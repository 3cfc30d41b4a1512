"""palate learns one person's taste from a few questions and returns their response.

    from palate import Elicitation, Pool

    pool = Pool.from_texts("What should I cook tonight?", texts)
    elicitation = Elicitation(pool, seed=1)
    while (query := elicitation.ask()) is not None:
        elicitation.tell(query, picked)  # a position in query.options, "tie" or "skip"
    elicitation.recommend().response.text

Names are imported when they are first used, so that ``import palate`` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from palate.chat import OpenAIModel
    from palate.data import shipped_pool
    from palate.elicitation import Elicitation, Recommendation
    from palate.errors import PalateError
    from palate.feedback import Answer, Person, Query
    from palate.formats import read_pools, write_pools
    from palate.people import ModelPerson, SimulatedPerson
    from palate.pool import Pool, Response
    from palate.profile import Profile
    from palate.store import open_store
    from palate.strategies import (
        IIDBest,
        Oracle,
        Random,
        Strategy,
        UserAlign,
        UserAlignLoss,
        WinnerStays,
    )

__version__ = "0.1.0"

_HOMES = {
    "palate.chat": ("OpenAIModel",),
    "palate.data": ("shipped_pool",),
    "palate.elicitation": ("Elicitation", "Recommendation"),
    "palate.errors": ("PalateError",),
    "palate.feedback": ("Answer", "Person", "Query"),
    "palate.formats": ("read_pools", "write_pools"),
    "palate.people": ("ModelPerson", "SimulatedPerson"),
    "palate.pool": ("Pool", "Response"),
    "palate.profile": ("Profile",),
    "palate.store": ("open_store",),
    "palate.strategies": (
        "IIDBest",
        "Oracle",
        "Random",
        "Strategy",
        "UserAlign",
        "UserAlignLoss",
        "WinnerStays",
    ),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "Answer",
    "Elicitation",
    "IIDBest",
    "ModelPerson",
    "OpenAIModel",
    "Oracle",
    "PalateError",
    "Person",
    "Pool",
    "Profile",
    "Query",
    "Random",
    "Recommendation",
    "Response",
    "SimulatedPerson",
    "Strategy",
    "UserAlign",
    "UserAlignLoss",
    "WinnerStays",
    "open_store",
    "read_pools",
    "shipped_pool",
    "write_pools",
]


def __getattr__(name: str) -> object:
    try:
        module = _HOME[name]
    except KeyError:
        msg = f"module 'palate' has no attribute {name!r}"
        raise AttributeError(msg) from None
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
