"""Embeddings from any OpenAI-compatible server: OpenAI, vLLM, llama.cpp, Ollama and the like."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from palate._parallel import in_parallel
from palate.chat._endpoint import Endpoint, OnServer, TransientError
from palate.embed._texts import checked_rows, checked_texts
from palate.errors import ModelError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from palate._typing import Features, FloatArray


class RemoteEmbedder(OnServer):
    """Embeds texts with a model by its name on a server that speaks OpenAI's protocol.

    Called with n texts, it returns their (n, d) float64 vectors as the server gives them, by the
    index of each row and not by its place. A blank text is sent as one space, since OpenAI refuses
    an empty one. Requests fail and are tried again as those of
    :class:`palate.chat.OpenAIModel`. May be called from several threads.

    Args:
        model: the model's name on the server.
        base_url: up to and including "/v1"; by default ``OPENAI_BASE_URL``, or OpenAI's own.
        api_key: by default ``OPENAI_API_KEY``; local servers need none.
        dimensions: how many numbers a text gets, with models that can shorten their vectors.
        batch: texts a request.
        concurrency: requests under way at once.
        timeout: seconds that one request may take.
        attempts: how often a request is sent before it counts as failed.
        options: further fields of the request, sent as they are; a value of None leaves one out.
        on_wait: called with a line such as "429 Too Many Requests, trying again in 2 s".

    Attributes:
        name: the model's name.
        at_once: texts of the requests that are under way at once.

    Raises:
        ModelError: there is neither a key nor a base URL.
        ParameterError: a setting is outside its range.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        dimensions: int | None = None,
        batch: int = 64,
        concurrency: int = 4,
        timeout: float = 60.0,
        attempts: int = 6,
        options: Mapping[str, Any] | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        if not model:
            raise ParameterError("name an embedding model, such as text-embedding-3-small")
        least = min(batch, concurrency, 1 if dimensions is None else dimensions)
        if least < 1:
            msg = f"batch, concurrency and dimensions are at least 1, not {least}"
            raise ParameterError(msg)
        self.name = model
        self.at_once = batch * concurrency
        self._dimensions, self._batch, self._concurrency = dimensions, batch, concurrency
        fields = {"model": model, "dimensions": dimensions} | dict(options or {})
        self._fields = {name: value for name, value in fields.items() if value is not None}
        super().__init__(
            Endpoint(base_url, api_key, timeout=timeout, attempts=attempts, on_wait=on_wait)
        )

    @property
    def identity(self) -> str:
        """The server, the model and the options."""
        return f"{self._endpoint.url} {json.dumps(self._fields, sort_keys=True)}"

    def __call__(self, texts: Sequence[str], /) -> Features:
        """Embed n texts.

        Returns:
            (n, d) vectors, float64; (0, 0) where there is no text and ``dimensions`` is not given.

        Raises:
            TypeError: a single string, or an element that is no string.
            ModelError: no vectors could be had, or they do not fit the texts or each other.
        """
        sent = [text if text.strip() else " " for text in checked_texts(texts)]
        if not sent:
            return np.zeros((0, self._dimensions or 0))
        batches = [sent[i : i + self._batch] for i in range(0, len(sent), self._batch)]
        parts = in_parallel(self._embed, batches, self._concurrency)
        for one, other in itertools.pairwise(parts):
            if one.shape[1] != other.shape[1]:
                msg = (
                    f"{self.name} gave {one.shape[1]} numbers for some texts and "
                    f"{other.shape[1]} for others"
                )
                raise ModelError(msg)
        return np.concatenate(parts)

    def _embed(self, texts: list[str]) -> Features:
        body = self._fields | {"input": texts}
        rows = checked_rows(self._endpoint.post("/embeddings", body, _rows), texts, self.name)
        if self._dimensions not in {None, rows.shape[1]}:
            msg = (
                f"{self.name} gave {rows.shape[1]} numbers a text and was asked for "
                f"{self._dimensions}; it cannot shorten its vectors: leave dimensions out"
            )
            raise ModelError(msg)
        return rows

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, base_url={self._endpoint.url!r})"


def _rows(answer: dict[str, Any], body: Mapping[str, Any]) -> FloatArray:
    """The vectors of an answer in the order of the texts."""
    data, n = answer.get("data"), len(body["input"])
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise TransientError("the server's answer holds no vectors")
    try:
        by_index = {row.get("index", place): row.get("embedding") for place, row in enumerate(data)}
        if len(data) != n or by_index.keys() != set(range(n)):
            msg = f"the server gave {len(data)} vectors, or not one each, for {n} texts"
            raise TransientError(msg)
        return np.array([by_index[i] for i in range(n)], dtype=np.float64)
    except (TypeError, ValueError) as error:
        msg = f"the server's vectors are no lists of equally many numbers: {str(error)[:200]}"
        raise ModelError(msg) from error
