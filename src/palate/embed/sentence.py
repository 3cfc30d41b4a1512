"""Sentence embeddings by sentence-transformers, on torch."""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from palate.embed._hub import model_folder
from palate.embed._texts import checked_rows, checked_texts, encodable
from palate.errors import MissingExtraError, ModelError

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from palate._typing import Features

# Weights in other formats are either pickles, which palate does not open, or duplicates.
_WANTED = ("*.json", "*.txt", "*.model", "*.safetensors")


class SentenceTransformerEmbedder:
    """Embeds texts with a sentence-transformers model.

    Called with n texts, it returns their (n, d) float32 vectors as the model makes them. Of a long
    text only as many tokens count as the model reads, 256 with all-MiniLM-L6-v2.

    A folder is read and the network left alone. A hub's model is downloaded when it is first asked
    for and read from the hub's cache from then on; ``HF_HUB_OFFLINE=1`` forbids the download.
    Weights must be in safetensors. torch and the model are loaded at the first call, and calls from
    several threads take turns. Needs the extra ``models``.

    Args:
        path_or_name: a folder, or a hub's name such as "sentence-transformers/all-MiniLM-L6-v2".
        device: where torch runs it, such as "cpu"; by default a GPU where there is one.
        batch: texts embedded at a time.

    Attributes:
        path: the folder.
        name: the folder's name, or that on the hub.

    Raises:
        MissingExtraError: sentence-transformers is not installed.
        ParameterError: it is neither a folder nor of the form org/name.
        ModelError: the folder holds no such model, or the hub did not give it; at the first call,
            the model cannot be loaded.
    """

    def __init__(
        self,
        path_or_name: str | os.PathLike[str],
        *,
        device: str | None = None,
        batch: int = 32,
    ) -> None:
        if importlib.util.find_spec("sentence_transformers") is None:
            msg = 'sentence-transformers is not installed: pip install "palate[models]"'
            raise MissingExtraError(msg)
        self.path = model_folder(path_or_name, _WANTED, _missing)
        self.name = self.path.name if Path(path_or_name).is_dir() else str(path_or_name)
        self._device, self._batch = device, batch
        self._lock = threading.Lock()

    def __call__(self, texts: Sequence[str], /) -> Features:
        """Embed n texts.

        Returns:
            (n, d) vectors, float32.

        Raises:
            TypeError: a single string, or an element that is no string.
            ModelError: the model cannot be loaded, or gave numbers that are not finite.
        """
        words = [encodable(text) for text in checked_texts(texts)]
        with self._lock:
            rows = self._model.encode(words, batch_size=self._batch, show_progress_bar=False)
            if not words:
                return np.zeros((0, len(self._model.encode([""])[0])), dtype=np.float32)
        return checked_rows(np.asarray(rows, dtype=np.float32), words, self.name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    @functools.cached_property
    def revision(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the model's files."""
        digest = hashlib.sha256()
        for pattern in _WANTED:
            for file in sorted(self.path.rglob(pattern)):
                digest.update(file.relative_to(self.path).as_posix().encode())
                with file.open("rb") as content:
                    digest.update(hashlib.file_digest(content, "sha256").digest())
        return digest.hexdigest()[:12]

    @property
    def identity(self) -> str:
        """What tells its vectors from another model's: the name and the revision."""
        return f"{self.name} {self.revision}"

    @functools.cached_property
    def _model(self) -> Any:  # noqa: ANN401 - a SentenceTransformer, imported late
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415

        try:
            return SentenceTransformer(
                str(self.path),
                device=self._device,
                local_files_only=True,
                model_kwargs={"use_safetensors": True},
            )
        except Exception as error:  # whatever torch, transformers and safetensors think of
            msg = f"the model in {self.path} cannot be loaded: {' '.join(str(error).split())}"
            raise ModelError(msg) from error


def _missing(folder: Path) -> str | None:
    if not (folder / "modules.json").is_file():
        return "modules.json"
    return None if any(folder.rglob("*.safetensors")) else "a file *.safetensors"
