"""The owner's way in: nothing where the service is open to this machine alone, or else the token.

The browser keeps no token but a cookie that proves it was shown, for half a day. No script can read
it, and no other site's page can have it sent.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Annotated, Final

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from palate.serve.context import context_of
from palate.serve.html import page
from palate.serve.security import same_token

if TYPE_CHECKING:
    from fastapi import APIRouter

COOKIE: Final = "palate_owner"
_SECONDS: Final = 12 * 3600


class LoginNeededError(Exception):
    """The owner's page was asked for by somebody who did not show the token."""


def add_routes(pages: APIRouter) -> None:
    """Add where the token is shown, and where the browser forgets that it was."""
    pages.add_api_route("/owner/login", login, methods=["POST"])
    pages.add_api_route("/owner/logout", logout, methods=["POST"])


def needs_owner(request: Request) -> None:
    """Let nobody pass but the owner.

    Raises:
        LoginNeededError: the service has a token, and the browser no valid cookie.
    """
    token = context_of(request).settings.token
    if token is not None and not _valid(request.cookies.get(COOKIE, ""), token):
        raise LoginNeededError


def form(request: Request, wanted: str = "", problem: str = "") -> Response:
    """The page that asks for the token."""
    wanted = wanted or (request.url.path if request.method == "GET" else "/owner")
    return page("login", status=401, wanted=wanted, problem=problem)


def login(
    request: Request,
    token: Annotated[str, Form(max_length=600)] = "",
    wanted: Annotated[str, Form(max_length=200)] = "/owner",
) -> Response:
    """Take the token and lead on to the page that was asked for."""
    right = context_of(request).settings.token
    if right is not None and not same_token(token.strip(), right):
        return form(request, wanted, "That is not the token of this service.")
    response = RedirectResponse(wanted if wanted.startswith("/owner") else "/owner", 303)
    if right is not None:
        response.set_cookie(
            COOKIE,
            _made(right, int(time.time()) + _SECONDS),
            max_age=_SECONDS,
            path="/owner",
            secure=context_of(request).settings.url.startswith("https:"),
            httponly=True,
            samesite="strict",
        )
    return response


def logout() -> Response:
    """Have the browser forget the cookie."""
    response = RedirectResponse("/", 303)
    response.delete_cookie(COOKIE, path="/owner", httponly=True, samesite="strict")
    return response


def _made(token: str, until: int) -> str:
    """A cookie that only who knows the token can make, and that ends by itself."""
    proof = hmac.new(token.encode(), f"palate owner {until}".encode(), hashlib.sha256)
    return f"{until}.{proof.hexdigest()}"


def _valid(cookie: str, token: str) -> bool:
    until, _, _ = cookie.partition(".")
    if not (until.isascii() and until.isdecimal() and len(until) < 16):
        return False
    right = _made(token, int(until))
    return hmac.compare_digest(cookie.encode(), right.encode()) and int(until) > time.time()
