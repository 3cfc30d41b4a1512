"""Responses to features: the default text embedding, style features, and the two joined.

An embedder is any callable that turns a list of n texts into an (n, d) array. The default is a
64-dimensional static embedding that ships with palate and needs neither network nor torch. What it
loses (length, layout, tone) the style features keep; people care about both::

    vectors = default_embedder()(texts)                         # (n, 64)
    features = join_features(vectors, style_features(texts), 0.2)  # (n, 64 + 7)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from palate.embed.static import StaticEmbedder, default_embedder
from palate.embed.style import STYLE_NAMES, join_features, style_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

__all__ = [
    "STYLE_NAMES",
    "Embedder",
    "StaticEmbedder",
    "default_embedder",
    "join_features",
    "style_features",
]


class Embedder(Protocol):
    """Texts to vectors. Any callable of this shape serves, a plain function too."""

    def __call__(self, texts: Sequence[str], /) -> ArrayLike:
        """Embed texts.

        Args:
            texts: n texts; a list, never a single string.

        Returns:
            (n, d) finite numbers, one row a text, with the same d at every call. A row depends on
            its own text alone.
        """
        ...
