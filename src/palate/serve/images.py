"""Images of responses: files of the folder that the owner shares, by their place in a pool."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from palate.elicitation import Extension

if TYPE_CHECKING:
    from palate.pool import Response
    from palate.store import Store

_LARGEST = 32 * 2**20  # bytes
_BEGINNINGS = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftypavif", "image/avif"),
)
"""By what a file is known; formats that can hold scripts, such as SVG, are not among them."""


def image_file(name: str, folder: str | None) -> Path | None:
    """The file of an image's name, if it is one inside a folder; links out of it are followed."""
    if folder is None:
        return None
    root = Path(folder).resolve()
    try:
        file = (root / name).resolve()
        inside = file.is_relative_to(root) and file.is_file()
        return file if inside and file.stat().st_size <= _LARGEST else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def media_type(content: bytes) -> str | None:
    """What kind of image a file's content is, whatever its name says; None where it is none."""
    for start, beginning, kind in _BEGINNINGS:
        if content[start : start + len(beginning)] == beginning:
            return kind
    return None


def response_at(store: Store, elicitation: str, index: int) -> Response | None:
    """The response at a place of an elicitation's pool, those that joined it included.

    Raises:
        UnknownIdError: there is no such elicitation.
    """
    responses = store.pool(store.elicitation(elicitation).pool).responses
    if index >= len(responses):
        responses += joined(store, elicitation)
    return responses[index] if 0 <= index < len(responses) else None


def joined(store: Store, elicitation: str) -> tuple[Response, ...]:
    """The responses that joined an elicitation's pool in the middle of the run, in order."""
    extensions = (e.responses for e in store.log(elicitation) if isinstance(e, Extension))
    return tuple(response for responses in extensions for response in responses)
