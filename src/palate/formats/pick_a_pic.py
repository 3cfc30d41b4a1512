"""Pairs of generated images that people chose between: Pick-a-Pic."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from palate.errors import AnswerError, LogError
from palate.feedback import SKIP, TIE, Comparison, Picked
from palate.formats._columns import name_of, text_of
from palate.formats._files import comparisons_in, read_rows

IMAGES = frozenset({"jpg_0", "jpg_1"})


def read_pick_a_pic(path: str | Path) -> list[Comparison]:
    """Read Pick-a-Pic, v1 or v2, with or without images (Kirstain et al., 2023).

    The prompt is the ``caption``, the options are ``image_0_uid`` and ``image_1_uid``, the person
    is the ``user_id``. ``label_0`` and ``label_1`` say what was picked: 1 and 0, 0 and 1, or 0.5
    and 0.5 for a tie; a row whose ``has_label`` is false is a skip. Other columns become the
    metadata, but for the images' bytes (``jpg_0``, ``jpg_1``), which are not even read: features
    of images are the caller's to make, by the ids; see
    :func:`palate.population.known_features`. Ties and skips are no rows to train on;
    :func:`palate.population.from_comparisons` leaves them out and counts them, as the paper does.

    The columns are those of the data set card ``yuvalkirstain/pickapic_v2``, the meaning of 0.5
    that of programs which read it; no original file was at hand to read.

    Args:
        path: a file of parquet, or of JSON lines (``.gz`` too).

    Raises:
        LogError: the file cannot be read, holds no comparison, or a row is none; the message names
            the row.
        MissingExtraError: the file is parquet and pyarrow is not installed.
    """
    path = Path(path)
    comparisons = list(comparisons_in(read_rows(path, LogError, without=IMAGES), _comparison))
    if not comparisons:
        msg = f"{path} holds no comparison of images"
        raise LogError(msg)
    return comparisons


_OWN = {"caption", "image_0_uid", "image_1_uid", "label_0", "label_1", "user_id", *IMAGES}
_OWN |= {"__index_level_0__"}  # a row number that pandas left there


def _comparison(row: dict[str, Any]) -> Comparison:
    return Comparison(
        text_of(row, "caption"),
        (name_of(row, "image_0_uid"), name_of(row, "image_1_uid")),
        _picked(row),
        name_of(row, "user_id"),
        {key: value for key, value in row.items() if key not in _OWN},
    )


def _picked(row: dict[str, Any]) -> Picked:
    if row.get("has_label") is False:
        return SKIP
    labels = row.get("label_0"), row.get("label_1")
    found: dict[tuple[object, object], Picked] = {(1, 0): 0, (0, 1): 1, (0.5, 0.5): TIE}
    try:
        return found[labels]
    except (KeyError, TypeError) as error:
        msg = f"label_0 and label_1 are 1 and 0, 0 and 1, or 0.5 and 0.5, not {labels}"
        raise AnswerError(msg) from error
