"""Torch for the references that need it."""

from __future__ import annotations

import importlib
from typing import Any

from palate.errors import MissingExtraError


def one_thread_torch() -> Any:  # noqa: ANN401
    """Torch on one thread, imported only here.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        msg = 'torch is not installed: pip install "palate[population]"'
        raise MissingExtraError(msg) from error
    torch.set_num_threads(1)
    return torch
