"""The HTTP API: the verbs of the library under ``/api/v1``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from palate.serve import api_elicitations, api_generations, api_people, api_pools

if TYPE_CHECKING:
    from fastapi import FastAPI


def add_api(app: FastAPI) -> None:
    """Add the routes of the API; they work on the application's context."""
    app.include_router(api_elicitations.often, tags=["elicitations"])
    app.include_router(api_elicitations.router, tags=["elicitations"])
    app.include_router(api_pools.router, tags=["people and pools"])
    app.include_router(api_people.router, tags=["people and pools"])
    app.include_router(api_generations.router, tags=["generations"])
