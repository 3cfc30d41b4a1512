"""Responses to features: text embeddings, axes with names, style features, and arrays from files.

An embedder is any callable that turns a list of n texts into an (n, d) array. The default is a
64-dimensional static embedding that ships with palate and needs neither network nor torch. What it
loses (length, layout, tone) the style features keep; people care about both::

    vectors = default_embedder()(texts)                         # (n, 64)
    features = join_features(vectors, style_features(texts), 0.2)  # (n, 64 + 7)

Other models, each a folder on disk, a name on the model hub, or a model on a server::

    model2vec_embedder("minishlab/potion-base-8M")
    SentenceTransformerEmbedder("models/all-MiniLM-L6-v2")
    RemoteEmbedder("nomic-embed-text", base_url="http://localhost:11434/v1")
    RatedAxes(OpenAIModel("llama3.2"), ["spicy", "vegan"])      # a chat model, asked for each text

Nothing but a hub's name makes an embedder ask the hub. :class:`CachedEmbedder` keeps the vectors of
any of them; :func:`embedder_named` is what the command line takes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from palate.embed.arrays import read_features
from palate.embed.axes import RatedAxes
from palate.embed.cached import CachedEmbedder
from palate.embed.named import embedder_named
from palate.embed.remote import RemoteEmbedder
from palate.embed.sentence import SentenceTransformerEmbedder
from palate.embed.static import StaticEmbedder, default_embedder, model2vec_embedder
from palate.embed.style import STYLE_NAMES, join_features, style_features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

__all__ = [
    "STYLE_NAMES",
    "CachedEmbedder",
    "Embedder",
    "RatedAxes",
    "RemoteEmbedder",
    "SentenceTransformerEmbedder",
    "StaticEmbedder",
    "default_embedder",
    "embedder_named",
    "join_features",
    "model2vec_embedder",
    "read_features",
    "style_features",
]


class Embedder(Protocol):
    """Texts to vectors. Any callable of this shape serves, a plain function too.

    Some attributes are looked at where there are any: ``name``, for the record; ``identity``, what
    tells its vectors from another embedder's, by which they are cached; ``scaling``, how a pool
    scales them unless told otherwise; ``at_once``, how many texts it takes in its stride.
    """

    def __call__(self, texts: Sequence[str], /) -> ArrayLike:
        """Embed texts.

        Args:
            texts: n texts; a list, never a single string.

        Returns:
            (n, d) finite numbers, one row a text, with the same d at every call. A row depends on
            its own text alone.
        """
        ...
