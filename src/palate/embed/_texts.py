"""What every embedder accepts, and what it must return."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from palate._typing import Features


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


def encodable(text: str) -> str:
    """The text with "?" for each lone surrogate (half of an emoji cut in two): it has no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def checked_rows(rows: ArrayLike, texts: Sequence[str], who: str) -> Features:
    """The rows of some texts as a float32 or float64 array.

    Raises:
        ModelError: they are not (n, d) finite numbers.
    """
    try:
        array = np.asarray(rows)
        if array.dtype not in (np.float32, np.float64):
            array = array.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        msg = f"{who} gave no table of numbers: {error}"
        raise ModelError(msg) from error
    if array.ndim != 2 or len(array) != len(texts) or not array.shape[1]:
        msg = f"{who} gave an array of shape {array.shape} where ({len(texts)}, d) was expected"
        raise ModelError(msg)
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        text = texts[int(np.argmin(finite))]
        msg = f"{who} gave numbers that are not finite for the text {excerpt(text)}"
        raise ModelError(msg)
    return array


def excerpt(text: str) -> str:
    """The beginning of a text, for a message of one line."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
