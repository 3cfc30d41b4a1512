"""What every embedder accepts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def checked_texts(texts: Sequence[str]) -> list[str]:
    """The texts as a list.

    Raises:
        TypeError: a single string, which Python would take for a list of letters; or an element
            that is no string.
    """
    if isinstance(texts, str | bytes):
        msg = f"expected a list of texts, not one {type(texts).__name__}; write [text]"
        raise TypeError(msg)
    result = list(texts)
    for place, text in enumerate(result):
        if not isinstance(text, str):
            msg = f"text {place} is of type {type(text).__name__}; every text must be a str"
            raise TypeError(msg)
    return result
