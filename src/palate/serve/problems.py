"""What goes wrong, as HTTP: one status for each kind of error, and a body that says why.

The body is JSON in the manner of RFC 9457: ``status``, ``title`` and ``detail``.
"""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from palate.errors import (
    AnswerError,
    ConflictError,
    LogError,
    MissingExtraError,
    ModelError,
    PalateError,
    ParameterError,
    PoolError,
    StoreError,
    UnknownIdError,
    UnknownQueryError,
)
from palate.serve._json import encoded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI, Request

STATUS: dict[type[PalateError], int] = {
    ParameterError: 422,
    PoolError: 422,
    ConflictError: 409,  # before the AnswerError that it is
    AnswerError: 422,
    UnknownIdError: 404,
    UnknownQueryError: 404,
    LogError: 409,
    ModelError: 502,
    MissingExtraError: 501,
    StoreError: 503,
}
"""The status of each kind of error; of those that fit, the first."""

MEDIA_TYPE = "application/problem+json"
_LONGEST = 500  # characters of a detail, which may hold what was sent
_NAMES = {413: "Content Too Large", 422: "Unprocessable Content"}  # as RFC 9110 has them
_log = logging.getLogger("palate.serve")


def problem(
    status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object
) -> Response:
    """A response that says what is wrong."""
    short = detail if len(detail) <= _LONGEST else detail[: _LONGEST - 3] + "..."
    body = {"status": status, "title": title(status), "detail": short} | more
    return Response(encoded(body), status, headers, MEDIA_TYPE)


def title(status: int) -> str:
    """What a status is called."""
    return _NAMES.get(status) or HTTPStatus(status).phrase


def status_of(error: PalateError) -> int:
    """The status of an error."""
    return next((s for kind, s in STATUS.items() if isinstance(error, kind)), 500)


def add_handlers(app: FastAPI) -> None:
    """Let an application answer every error by a problem."""
    app.add_exception_handler(PalateError, _palate)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def _palate(_: Request, error: Exception) -> Response:
    if not isinstance(error, PalateError):
        raise error
    status = status_of(error)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s", error)
    # A database's name and a server's address are the owner's business, and in the log.
    detail = "the database cannot be used; see the log" if status == 503 else str(error)
    return problem(status, detail, {"Retry-After": "1"} if status == 503 else None)


def _invalid(_: Request, error: Exception) -> Response:
    """A body or a parameter of the wrong form: where, and what is wrong with it."""
    if not isinstance(error, RequestValidationError):
        raise error
    found = error.errors()
    if any(entry["type"] == "json_invalid" for entry in found):
        return problem(400, "the body is not JSON")
    lines = [
        {"where": ".".join(str(part) for part in entry["loc"])[:200], "what": entry["msg"][:200]}
        for entry in found[:20]
    ]
    first = f"{lines[0]['where']}: {lines[0]['what']}"
    rest = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    return problem(422, first + rest, errors=lines)


def _http(_: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    details = {404: "there is nothing at this address", 405: "not with this method"}
    given = error.detail if error.detail != HTTPStatus(error.status_code).phrase else ""
    detail = given or details.get(error.status_code) or title(error.status_code)
    return problem(error.status_code, detail, error.headers)
