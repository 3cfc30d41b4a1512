"""What the routes of an application share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from palate.serve.metrics import Metrics

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from palate.serve.generations import Generations
    from palate.serve.settings import Settings
    from palate.store import Store

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
    """

    store: Store
    settings: Settings
    generations: Generations | None
    metrics: Metrics = field(default_factory=Metrics)


def context_of(request: HTTPConnection) -> Context:
    """The context of the application that handles a request."""
    context: Context = request.app.state.palate
    return context
