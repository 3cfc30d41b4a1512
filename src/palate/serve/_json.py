"""JSON, quickly."""

from __future__ import annotations

import json
from typing import Any

import orjson
from starlette.responses import Response


def encoded(value: Any) -> bytes:  # noqa: ANN401 - any JSON values
    """A value as JSON in UTF-8; half an emoji, which has no UTF-8, is escaped."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, allow_nan=False).encode()


def reply(value: Any, status: int = 200) -> Response:  # noqa: ANN401 - any JSON values
    """A value as a response, without the checks and copies that a framework would make of it."""
    return Response(encoded(value), status, media_type="application/json")
