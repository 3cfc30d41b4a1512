"""Routes that are asked all the time, with less between the server and what they do.

They are declared and documented like any other. FastAPI's own handler spends as long on finding out
what a function wants, each time anew, as the function on its work.
"""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING, Any, get_type_hints

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Request, Response

_FLAG = TypeAdapter(bool)


class QuickRoute(APIRoute):
    """A route to a function ``(request, *path parameters, body, *flags)`` that returns a response.

    The body is a model, if there is any, and the flags are ``bool`` with a default. It runs in a
    thread of the event loop's default executor.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler: check what came in, and call the function."""
        endpoint = self.endpoint
        hints = get_type_hints(endpoint)
        body: type[BaseModel] | None = hints.get("body")
        flags = [name for name, kind in hints.items() if kind is bool]

        async def handle(request: Request) -> Response:
            arguments: dict[str, Any] = dict(request.path_params)
            if body is not None:
                arguments["body"] = _read(body, request, await request.body())
            if request.scope["query_string"]:
                given = request.query_params
                arguments |= {n: _flag(n, given[n]) for n in flags if n in given}
            work = functools.partial(endpoint, request, **arguments)
            return await asyncio.get_running_loop().run_in_executor(None, work)

        return handle


def _read(body: type[BaseModel], request: Request, content: bytes) -> BaseModel:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        what = "send JSON, with Content-Type: application/json"
        raise RequestValidationError([{"type": "content_type", "loc": ("body",), "msg": what}])
    try:
        return body.model_validate_json(content)
    except ValidationError as error:
        raise _refused("body", error) from error


def _flag(name: str, value: str) -> bool:
    try:
        return _FLAG.validate_python(value)
    except ValidationError as error:
        raise _refused("query", error, name) from error


def _refused(where: str, error: ValidationError, *name: str) -> RequestValidationError:
    found = error.errors(include_url=False, include_input=False, include_context=False)
    return RequestValidationError([{**e, "loc": (where, *name, *e["loc"])} for e in found])
