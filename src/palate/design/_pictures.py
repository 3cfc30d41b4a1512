"""A folder of pictures, each kept under the prompt and the model that it was made from."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from palate._cache import digest
from palate.errors import ModelError, ParameterError

_BEGINNINGS = {
    b"\x89PNG\r\n\x1a\n": ".png",
    b"\xff\xd8\xff": ".jpg",
    b"GIF8": ".gif",
    b"RIFF": ".webp",
}


class Pictures:
    """Where a renderer keeps what it made, so that nothing is made twice.

    Args:
        folder: made where it is not there yet.
        identity: what tells this model's pictures from another's.

    Raises:
        ParameterError: there can be no such folder.
    """

    def __init__(self, folder: str | os.PathLike[str], identity: str) -> None:
        self.folder = Path(folder)
        self._identity = identity
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            msg = f"cannot keep pictures in {self.folder}: {error.strerror or error}"
            raise ParameterError(msg) from error

    def find(self, prompt: str) -> Path | None:
        """The picture of a prompt, or None if it was not made yet."""
        stem = self._stem(prompt)
        paths = (self.folder / f"{stem}{suffix}" for suffix in _BEGINNINGS.values())
        return next((path for path in paths if path.is_file()), None)

    def save(self, prompt: str, content: bytes) -> Path:
        """Keep a picture, whole or not at all.

        Raises:
            ModelError: it cannot be written.
        """
        path = self.folder / f"{self._stem(prompt)}{suffix_of(content) or '.png'}"
        part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            try:
                part.write_bytes(content)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            msg = f"cannot keep the picture {path}: {error.strerror or error}"
            raise ModelError(msg) from error
        return path

    def _stem(self, prompt: str) -> str:
        return digest(self._identity, prompt)[:24]


def suffix_of(content: bytes) -> str | None:
    """The usual end of a picture file's name, by how its content begins; None: it is none."""
    found = (suffix for start, suffix in _BEGINNINGS.items() if content.startswith(start))
    suffix = next(found, None)
    return None if suffix == ".webp" and content[8:12] != b"WEBP" else suffix
