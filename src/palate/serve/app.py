"""The service as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request, Response
from starlette.middleware import Middleware

import palate
from palate.errors import ParameterError
from palate.serve import documented, metrics
from palate.serve._json import reply
from palate.serve.api import add_api
from palate.serve.context import Context, context_of
from palate.serve.generations import Generations
from palate.serve.pages import add_pages
from palate.serve.population import load_population
from palate.serve.problems import add_handlers
from palate.serve.security import Security
from palate.serve.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from palate.chat import ChatModel
    from palate.store import Store

_THREADS = 16
"""Requests that are worked on at a time, in each process; others wait their turn."""

_DESCRIPTION = (
    "palate learns one person's taste from a few questions and returns the response that this "
    "person would have picked. An application adds people and pools of responses, starts an "
    "elicitation, and passes on questions and answers. Where the service has a token, every "
    "request shows it."
)


def create_app(
    store: Store,
    settings: Settings = Settings(),  # noqa: B008 - frozen
    *,
    model: ChatModel | None = None,
    at_end: Callable[[], object] | None = None,
) -> FastAPI:
    """The application: the API and its documentation, the pages, health and metrics.

    Args:
        store: where everything is kept.
        settings: how the service is set up.
        model: writes responses where pools are to be generated; else pools are given.
        at_end: called when the server stops, such as to close the store.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with ThreadPoolExecutor(_THREADS) as threads:
            _share(threads)
            yield
        if at_end is not None:
            at_end()

    counts = metrics.Metrics()
    app = FastAPI(
        title="palate",
        version=palate.__version__,
        description=_DESCRIPTION,
        docs_url=None,  # it loads scripts from elsewhere
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        middleware=[
            Middleware(metrics.Measured, metrics=counts),
            Middleware(Security, settings=settings),
        ],
    )
    generations = None if model is None else Generations(model, store)
    prior = settings.prior
    population = None if prior is None else load_population(prior, settings.base_url)
    app.state.palate = Context(store, settings, generations, counts, population)
    add_handlers(app)
    add_api(app)
    add_pages(app)
    for path, route in _PLAIN.items():
        app.add_api_route(path, route, include_in_schema=False)
    return app


def from_environment() -> FastAPI:
    """The application that the variables ``PALATE_DB``, ``PALATE_TOKEN`` and so on describe.

    For servers that import it in each worker: ``uvicorn --factory palate.serve:from_environment``.

    Raises:
        ParameterError: there is no ``PALATE_DB``, or a variable does not fit; see
            :class:`palate.serve.Settings`.
        StoreError: the database cannot be used.
    """
    from palate.store import open_store  # noqa: PLC0415 - SQLAlchemy is slow to import

    if not os.environ.get("PALATE_DB"):
        raise ParameterError("name the database in PALATE_DB, such as /var/lib/palate/palate.db")
    settings = Settings.from_environment()
    model = None
    if settings.model is not None:
        from palate.chat import OpenAIModel  # noqa: PLC0415

        model = OpenAIModel(settings.model, base_url=settings.base_url)
    store = open_store(settings.db)
    app = create_app(store, settings, model=model, at_end=store.close)
    gc.collect()
    gc.freeze()  # else each full collection goes through all modules while people wait
    return app


def _share(threads: ThreadPoolExecutor) -> None:
    """Let requests be worked on by so many threads."""
    from anyio.to_thread import current_default_thread_limiter  # noqa: PLC0415

    asyncio.get_running_loop().set_default_executor(threads)
    current_default_thread_limiter().total_tokens = _THREADS


def _health(request: Request) -> Response:
    """Whether the service and its database work."""
    context_of(request).store.people(limit=1)
    return reply({"status": "ok"})


def _metrics(request: Request) -> Response:
    """What happened, for Prometheus."""
    return Response(context_of(request).metrics.text(), media_type=metrics.MEDIA_TYPE)


def _openapi(request: Request) -> Response:
    """The OpenAPI document."""
    return reply(documented.document(request.app))


def _docs(request: Request) -> Response:
    """The same for people."""
    return Response(documented.page(documented.document(request.app)), media_type="text/html")


_PLAIN = {
    "/healthz": _health,
    "/metrics": _metrics,
    "/openapi.json": _openapi,
    "/docs": _docs,
}
