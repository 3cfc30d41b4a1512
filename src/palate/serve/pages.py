"""The pages: one for each person who is asked, and those of the owner."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from palate.errors import PalateError, StoreError, UnknownIdError
from palate.serve import html, login, owner, owner_forms, owner_people, participant
from palate.serve.context import context_of
from palate.serve.problems import status_of
from palate.serve.study import pages as study_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import FastAPI

_log = logging.getLogger("palate.serve")


class PageRoute(APIRoute):
    """A route whose errors are pages, too: people do not read JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with its errors shown."""
        handle = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                return await handle(request)
            except login.LoginNeededError:
                return login.form(request)
            except (PalateError, RequestValidationError, HTTPException) as error:
                return _problem(request, error)

        return handled


def add_pages(app: FastAPI) -> None:
    """Add all pages to an application, with their style sheet and script."""
    pages = APIRouter(route_class=PageRoute, include_in_schema=False)
    pages.add_api_route("/", _home)
    for part in (participant, login, owner, owner_people, owner_forms, study_pages):
        part.add_routes(pages)
    app.include_router(pages)
    app.include_router(html.static())


def _home(request: Request) -> Response:
    """What this is."""
    return html.page("home", owner=context_of(request).settings.token is None)


def _problem(request: Request, error: Exception) -> Response:
    """What is wrong, to people; and what they can do about it."""
    status, again = 422, None
    if isinstance(error, PalateError):
        status = status_of(error)
    elif isinstance(error, HTTPException):
        status = error.status_code
    if isinstance(error, UnknownIdError) or status == 404:
        heading = "There is nothing here"
        detail = "Check that the link is complete: every letter and sign of it counts."
    elif isinstance(error, StoreError):
        _log.error("%s", error)
        heading = "This does not work just now"
        detail = "What you answered before is kept. Please try again in a moment."
        again = request.url.path if request.method == "GET" else None
    else:
        # What an owner gave does not fit, or a log does not replay: the error says how to mend it.
        heading = "This cannot be done"
        detail = "The form is not complete, or something in it does not fit."
        detail = str(error) if isinstance(error, PalateError) else detail
    return html.page("problem", status=status, heading=heading, detail=detail, again=again)
