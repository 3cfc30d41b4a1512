"""Files that appear whole or not at all."""

from __future__ import annotations

import secrets
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A new name beside a path; the file written there takes its place if the block ends well.

    Sync the file inside the block: what is renamed unsynced may be empty after a power cut. If the
    block raises, the file is removed and what stood at the path stays.
    """
    name = path.with_name(f".palate-{secrets.token_hex(8)}")
    try:
        yield name
        name.replace(path)
    finally:
        name.unlink(missing_ok=True)
