"""Preferences of many people between texts, whichever of the known formats a file has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from palate.errors import LogError
from palate.formats._files import read_rows
from palate.formats.comparisons import read_comparisons
from palate.formats.pick_a_pic import IMAGES
from palate.formats.prism import read_prism
from palate.formats.reddit_tldr import read_reddit_tldr

if TYPE_CHECKING:
    from palate.feedback import Comparison


def read_people(path: str | Path) -> list[Comparison]:
    """Read preferences of people between texts, told apart by the keys of the first row.

    Rows of Reddit TL;DR (``info, summaries``) and PRISM (``conversation_id`` with a history or a
    ``model_response``) are read by their readers, a folder as Reddit TL;DR's, and everything else
    by :func:`palate.formats.read_comparisons`.

    Raises:
        LogError: as the reader; or the file is Pick-a-Pic, which compares images.
        MissingExtraError: the file is parquet and pyarrow is not installed.
    """
    path = Path(path)
    if path.is_dir():
        return read_reddit_tldr(path)
    _, first = next(read_rows(path, LogError, without=IMAGES), ("", {}))
    keys = first.keys()
    if keys >= {"info", "summaries"}:
        return read_reddit_tldr(path)
    if "image_0_uid" in keys:
        msg = (
            f"{path} compares images by their ids; read it by read_pick_a_pic, and give their "
            "features from Python"
        )
        raise LogError(msg)
    if "conversation_id" in keys and keys & {"conversation_history", "model_response"}:
        return read_prism(path)
    return read_comparisons(path)
