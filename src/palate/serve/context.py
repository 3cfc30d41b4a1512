"""What the routes of an application share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from palate.serve.metrics import Metrics

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from palate.pool import Pool
    from palate.serve.generations import Generations
    from palate.serve.population import Population
    from palate.serve.settings import Settings
    from palate.store import Store
    from palate.strategies import Strategy

PREFIX = "/api/v1"
"""Under which all routes of the API are."""


@dataclass(slots=True)
class Context:
    """What the routes of an application share.

    Attributes:
        store: where everything is kept.
        settings: how the service is set up.
        generations: the pools that are being written, or None where no model is configured.
        metrics: what this process counts.
        population: what many people taught, or None.
    """

    store: Store
    settings: Settings
    generations: Generations | None
    metrics: Metrics = field(default_factory=Metrics)
    population: Population | None = None

    def strategy(self, pool: Pool) -> Strategy | None:
        """The strategy where nobody names one; None for the store's own default."""
        return None if self.population is None else self.population.strategy(pool)


def context_of(request: HTTPConnection) -> Context:
    """The context of the application that handles a request."""
    context: Context = request.app.state.palate
    return context
