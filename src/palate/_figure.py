"""Figures without a display, of an extra that is imported only once one is drawn."""

from __future__ import annotations

import importlib
from typing import Any

from palate.errors import MissingExtraError


def figure_class() -> Any:  # noqa: ANN401
    """Matplotlib's ``Figure``, whose backend follows from the name of the file it is saved in.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        return importlib.import_module("matplotlib.figure").Figure
    except ImportError as error:
        msg = 'matplotlib is not installed: pip install "palate[plots]"'
        raise MissingExtraError(msg) from error
