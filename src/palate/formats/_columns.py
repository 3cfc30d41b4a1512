"""Values of a row, checked; what a row lacks is said by its path, such as "summaries, 2: text"."""

from __future__ import annotations

from typing import Any

from palate.errors import AnswerError


def text_of(row: dict[str, Any], key: str, inside: str = "") -> str:
    """The text of a key.

    Raises:
        AnswerError: the key is absent, or its value is no text.
    """
    value = row.get(key)
    if not isinstance(value, str):
        msg = f"{inside}{key} is a text, not {short(value)}"
        raise AnswerError(msg)
    return value


def name_of(row: dict[str, Any], key: str) -> str:
    """The name of a person or an item: a text, or a whole number written as one.

    Raises:
        AnswerError: it is neither, or empty.
    """
    value = row.get(key)
    if isinstance(value, bool) or not isinstance(value, int | str) or not str(value):
        msg = f"{key} is a name or a number, not {short(value)}"
        raise AnswerError(msg)
    return str(value)


def objects_of(row: dict[str, Any], key: str, inside: str = "") -> list[dict[str, Any]]:
    """The list of objects of a key.

    Raises:
        AnswerError: the value is something else.
    """
    value = row.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        msg = f"{inside}{key} is a list of objects, not {short(value)}"
        raise AnswerError(msg)
    return value


def short(value: object) -> str:
    """A value, for a message of one line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
