"""An embedder by a short text, as the command line takes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from palate.embed.axes import RatedAxes
from palate.embed.remote import RemoteEmbedder
from palate.embed.sentence import SentenceTransformerEmbedder
from palate.embed.static import default_embedder, model2vec_embedder
from palate.errors import ParameterError

if TYPE_CHECKING:
    from palate.chat import ChatModel
    from palate.embed import Embedder


def embedder_named(
    spec: str,
    *,
    model: ChatModel | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
) -> Embedder:
    """The embedder that a text names.

    Args:
        spec: ``static`` (the shipped one), ``model2vec:PATH_OR_NAME``,
            ``sentence-transformers:PATH_OR_NAME``, ``openai:MODEL`` (any OpenAI-compatible
            server) or ``axes:spicy,vegan`` (rated by the chat model).
        model: the chat model, which ``axes`` needs.
        base_url: of the server that ``openai`` asks; by default ``OPENAI_BASE_URL``, or OpenAI's.
        api_key: for that server; by default ``OPENAI_API_KEY``.

    Raises:
        ParameterError: the text names none, or ``axes`` has no chat model.
        MissingExtraError, ModelError: as the embedder itself.
    """
    kind, _, name = (part.strip() for part in spec.partition(":"))
    if spec.strip() == "static":
        return default_embedder()
    if name and kind == "model2vec":
        return model2vec_embedder(name)
    if name and kind == "sentence-transformers":
        return SentenceTransformerEmbedder(name)
    if name and kind == "openai":
        return RemoteEmbedder(name, base_url=base_url, api_key=api_key)
    if name and kind == "axes":
        if model is None:
            msg = f"the embedder {spec!r} asks a chat model where each text lies; name a model too"
            raise ParameterError(msg)
        return RatedAxes(model, name.split(","))
    msg = (
        f"there is no embedder {spec!r}; it is one of static, model2vec:PATH_OR_NAME, "
        "sentence-transformers:PATH_OR_NAME, openai:MODEL, axes:spicy,vegan"
    )
    raise ParameterError(msg)
