"""Priors that were learned: a population once in the database, and a prior from its settings."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import text

from palate.errors import PalateError, StoreError
from palate.population.gaussian import GaussianPopulation
from palate.preference.memory import Remembering
from palate.preference.prior import GaussianPrior, Mixture, prior_from_settings
from palate.profile.past import is_comparable
from palate.store.rows import now

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sqlalchemy import Connection

    from palate.pool import Pool
    from palate.preference.memory import Past
    from palate.preference.prior import Prior
    from palate.strategies import Strategy

LEARNED = frozenset({GaussianPopulation.name, Remembering.name})
"""Names of the priors of which the settings hold a digest alone."""

_WRITE = text(
    "INSERT INTO populations (digest, d, rank, people, answers, content, added_at) VALUES "
    "(:digest, :d, :rank, :people, :answers, :content, :at) ON CONFLICT DO NOTHING"
)
_READ = text("SELECT d, rank, people, answers, content FROM populations WHERE digest = :digest")


def has_memory(strategy: Strategy) -> bool:
    """Whether a strategy's prior can take in what a person answered before."""
    return isinstance(getattr(strategy, "prior", None), GaussianPrior)


def can_remember(strategy: Strategy, pool: Pool) -> bool:
    """Whether an elicitation by a strategy about a pool can begin from earlier answers."""
    return has_memory(strategy) and is_comparable(pool)


def populations(prior: Prior | None) -> Iterator[GaussianPopulation]:
    """The populations that a prior speaks of."""
    if isinstance(prior, GaussianPopulation):
        yield prior
    elif isinstance(prior, Mixture):
        for part in prior.priors:
            yield from populations(part)
    elif isinstance(prior, Remembering):
        yield from populations(prior.base)


def write_population(connection: Connection, population: GaussianPopulation) -> None:
    """Keep a population's mean and factor, unless they are there already."""
    content = np.vstack([population.mean, population.factor.T]).astype("<f8").tobytes()
    row = {
        "digest": population.settings()["digest"],
        "d": len(population.mean),
        "rank": population.factor.shape[1],
        "people": population.people,
        "answers": population.answers,
        "content": content,
        "at": now(),
    }
    connection.execute(_WRITE, row)


def read_population(connection: Connection, digest: str) -> GaussianPopulation | None:
    """The population of a digest, its shares as they are by default; None where none is kept.

    Raises:
        StoreError: the row is damaged.
    """
    row = connection.execute(_READ, {"digest": digest}).one_or_none()
    if row is None:
        return None
    if len(row.content) != 8 * row.d * (1 + row.rank):
        msg = f"the database is damaged: population {digest} has {len(row.content)} bytes"
        raise StoreError(msg)
    rows = np.frombuffer(row.content, dtype="<f8").reshape(1 + row.rank, row.d).astype(np.float64)
    return GaussianPopulation(rows[0], np.ascontiguousarray(rows[1:].T), row.people, row.answers)


def is_learned(settings: object) -> bool:
    """Whether the settings of a prior do not say all of it."""
    if not isinstance(settings, dict):
        return False
    parts = settings.get("priors")
    inside = [settings.get("base"), *(parts if isinstance(parts, list) else ())]
    return settings.get("name") in LEARNED or any(map(is_learned, inside))


def prior_again(
    settings: Mapping[str, Any],
    population: Callable[[str], GaussianPopulation | None],
    past: Callable[[], Past | None],
) -> Prior | None:
    """The prior that has these settings; None where something of it is not kept.

    Args:
        settings: of a prior.
        population: what is kept by a digest.
        past: what the elicitation remembers.

    Raises:
        StoreError: they are settings of no prior.
    """
    try:
        return _again(settings, population, past)
    except (PalateError, AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, StoreError):
            raise
        msg = f"the database is damaged: these are no settings of a prior ({error})"
        raise StoreError(msg) from error


def _again(
    settings: Mapping[str, Any],
    population: Callable[[str], GaussianPopulation | None],
    past: Callable[[], Past | None],
) -> Prior | None:
    name = settings["name"]
    if name == GaussianPopulation.name:
        found = population(settings["digest"])
        shares = {k: settings[k] for k in ("remainder", "residual")}
        slopes = tuple(settings["slopes"])
        return None if found is None else dataclasses.replace(found, **shares, slopes=slopes)
    if name == Remembering.name:
        base, remembered = _again(settings["base"], population, past), past()
        if not isinstance(base, GaussianPrior) or remembered is None:
            return None
        return Remembering(base, remembered, settings["keep"])
    if name == Mixture.name:
        parts = [_again(part, population, past) for part in settings["priors"]]
        known = tuple(part for part in parts if isinstance(part, GaussianPrior))
        return Mixture(known, tuple(settings["weights"])) if len(known) == len(parts) else None
    return prior_from_settings(dict(settings))
