"""What pages show of a response, and what their forms tell of the time it took."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import Response

from palate.serve.context import context_of
from palate.serve.images import image_file, media_type

if TYPE_CHECKING:
    from fastapi import Request

    from palate.pool import Response as Candidate

_LONGEST_TIME = 7 * 24 * 3600 * 1000  # milliseconds; beyond it a clock was wrong


def card(request: Request, base: str, response: Candidate, index: int, name: str) -> dict[str, Any]:
    """What a page shows of a response.

    Args:
        request: that the page answers.
        base: address under which ``/image/INDEX`` is the response's image.
        response: to show.
        index: its place in the pool.
        name: what an image is called that does not say so itself.
    """
    source, link = None, None
    if response.image is not None:
        if image_file(response.image, context_of(request).settings.images) is not None:
            source = f"{base}/image/{index}"
        elif urlsplit(response.image).scheme in {"http", "https"}:
            link = response.image  # not loaded from here: it would tell the other site who reads
    described = response.metadata.get("alt")
    return {
        "name": described if isinstance(described, str) and described.strip() else name,
        "text": response.text,
        "image": source,
        "link": link,
        "place": None,
    }


def image_reply(request: Request, response: Candidate | None) -> Response:
    """The image of a response, where there is one in the folder that the owner shares.

    Raises:
        HTTPException: there is none.
    """
    file, kind, content = None, None, b""
    if response is not None and response.image is not None:
        file = image_file(response.image, context_of(request).settings.images)
    if file is not None:
        content = file.read_bytes()
        kind = media_type(content)
    if kind is None:
        raise HTTPException(404)
    headers = {"Cache-Control": "private, max-age=3600", "Content-Disposition": "inline"}
    return Response(content, media_type=kind, headers=headers)


def milliseconds(text: str) -> int | None:
    """A response time that the page measured; None where it could not, or a clock was wrong."""
    number = whole(text)
    return number if number is not None and number <= _LONGEST_TIME else None


def whole(text: str) -> int | None:
    """A whole number as forms send it, or None."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None
