"""Static text embeddings: a table of token vectors and a mean, by model2vec."""

from __future__ import annotations

import functools
import hashlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from palate.embed._hub import model_folder
from palate.embed._texts import checked_texts, encodable
from palate.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

SHIPPED = Path(__file__).with_name("minilm64")
WEIGHTS, TOKENIZER = "model.safetensors", "tokenizer.json"
BATCH = 256
"""Texts tokenised at a time. It bounds memory, and the result does not depend on it."""


class StaticEmbedder:
    """Embeds texts with a model2vec model in a local folder; never touches the network.

    Called with n texts, it returns (n, d) float32 vectors of unit length. The whole of a text
    counts, however long. A text without a token that the vocabulary knows (an empty one, or emoji
    alone) gives a row of zeros. The vector of a text does not depend on the texts beside it: the
    shipped table holds integers, whose sums are exact, so it is the same to the last bit.

    The shipped model knows English. It ignores case, accents and the order of words; see NOTICE.md
    in its folder for its origin, licence and measured quality.

    The first call loads model2vec and the model. It also sets ``TOKENIZERS_PARALLELISM=false``,
    unless the environment says otherwise: tokenizers before 0.22 would warn at each later fork.
    Calls from several threads take turns.

    Args:
        path: folder with ``model.safetensors`` and ``tokenizer.json`` as model2vec saves them; by
            default the shipped model.

    Attributes:
        path: the folder.
        name: the folder's name, "minilm64" for the shipped model.

    Raises:
        FileNotFoundError: the folder lacks one of the two files.
        ModelError: at the first call, the files hold something else.
    """

    def __init__(self, path: str | os.PathLike[str] | None = None) -> None:
        self.path = SHIPPED if path is None else Path(path).resolve()
        self.name = self.path.name
        self._lock = threading.Lock()
        for file in (WEIGHTS, TOKENIZER):
            if not (self.path / file).is_file():
                mend = "install palate again" if path is None else "give a model2vec model's folder"
                msg = f"no embedding model in {self.path}: {file} is missing; {mend}"
                raise FileNotFoundError(msg)

    def __call__(self, texts: Sequence[str], /) -> NDArray[np.float32]:
        """Embed n texts.

        Returns:
            (n, d) unit vectors, float32; rows of zeros where no token is known.

        Raises:
            TypeError: a single string, or an element that is no string.
        """
        words = [encodable(text) for text in checked_texts(texts)]
        if not words:
            return np.zeros((0, self._model.dim), dtype=np.float32)
        with self._lock:  # encode() changes the tokenizer's truncation, unsafe while it is in use
            means = self._model.encode(words, max_length=None, batch_size=BATCH)
        rows = np.asarray(means, dtype=np.float64)
        length = np.sqrt(np.einsum("nd,nd->n", rows, rows))[:, None]
        return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0).astype(np.float32)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name})"

    @functools.cached_property
    def revision(self) -> str:
        """First 12 hexadecimal digits of the SHA-256 of the weights and the tokenizer."""
        digest = hashlib.sha256()
        for file in (WEIGHTS, TOKENIZER):
            digest.update((self.path / file).read_bytes())
        return digest.hexdigest()[:12]

    @property
    def identity(self) -> str:
        """What tells its vectors from another model's: the name and the revision."""
        return f"{self.name} {self.revision}"

    @functools.cached_property
    def _model(self) -> Any:  # noqa: ANN401 - a model2vec.StaticModel, imported late
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        from model2vec import StaticModel  # noqa: PLC0415
        from safetensors.numpy import load_file  # noqa: PLC0415
        from tokenizers import Tokenizer  # noqa: PLC0415

        # StaticModel.from_pretrained() would import the Hugging Face client first, which takes as
        # long as all the rest, and would ask the network wherever a folder is not to its liking.
        try:
            tensors = load_file(self.path / WEIGHTS)
            tokenizer = Tokenizer.from_file(str(self.path / TOKENIZER))
            table = tensors.get("embeddings")
            if table is not None:
                return StaticModel(
                    vectors=table if table.dtype == np.int8 else table.astype(np.float32),
                    tokenizer=tokenizer,
                    weights=tensors.get("weights"),
                    token_mapping=tensors.get("mapping"),
                )
        except Exception as error:  # tokenizers raises nothing narrower
            msg = f"the model in {self.path} is damaged: {' '.join(str(error).split())}"
            raise ModelError(msg) from error
        msg = (
            f"{self.path} is no model2vec model: {WEIGHTS} has no table 'embeddings'; "
            "if it is a sentence-transformers model, load it as one"
        )
        raise ModelError(msg)


@functools.cache
def default_embedder() -> StaticEmbedder:
    """The embedder that palate ships: 64-d, offline, loaded once for the whole process."""
    return StaticEmbedder()


def model2vec_embedder(path_or_name: str | os.PathLike[str]) -> StaticEmbedder:
    """A model2vec model in a local folder, or on the Hugging Face hub.

    A folder is read and the network left alone. A hub's model is downloaded at its first use and
    read from the hub's cache from then on; ``HF_HUB_OFFLINE=1`` forbids the download.

    Args:
        path_or_name: a folder, or a name such as "minishlab/potion-base-8M".

    Raises:
        ParameterError: it is neither a folder nor of the form org/name.
        ModelError: the folder holds no model2vec model, or the hub did not give it.
    """

    def missing(folder: Path) -> str | None:
        return next((file for file in (WEIGHTS, TOKENIZER) if not (folder / file).is_file()), None)

    embedder = StaticEmbedder(model_folder(path_or_name, (WEIGHTS, TOKENIZER), missing))
    if not Path(path_or_name).is_dir():
        embedder.name = str(path_or_name)  # the folder's name in the hub's cache is a revision
    return embedder
