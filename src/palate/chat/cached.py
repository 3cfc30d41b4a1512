"""A chat model whose deterministic answers are kept, so that asking again costs nothing."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

from palate._cache import Cache, digest
from palate.chat.model import Completion, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate.chat.model import ChatModel, Message


class CachedModel:
    """Another model's answers at temperature 0, from a file where they were given before.

    At any other temperature an answer is a sample, and every request goes to the model.

    Args:
        model: whose answers to keep.
        cache: where; by default palate's file in the folder for programs' caches.

    Attributes:
        hits: answers that came from the cache. They cost no tokens, and say so in their usage.
    """

    def __init__(self, model: ChatModel, cache: Cache | None = None) -> None:
        self.model = model
        self.hits = 0
        self._cache = Cache() if cache is None else cache
        self._lock = threading.Lock()

    @property
    def identity(self) -> str:
        """That of the model."""
        return self.model.identity

    def complete(
        self,
        messages: Sequence[Message],
        *,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> Completion:
        """The answer given before, or the model's."""
        if temperature != 0:
            return self.model.complete(messages, temperature=temperature, seed=seed)
        asked = json.dumps([dict(message) for message in messages], sort_keys=True)
        key = digest(asked, str(seed))
        kept = self._cache.get(f"chat {self.identity}", [key])
        if key in kept:
            with self._lock:
                self.hits += 1
            text, model, truncated = json.loads(kept[key])
            return Completion(text, Usage(), model, truncated, cached=True)
        completion = self.model.complete(messages, temperature=temperature, seed=seed)
        if completion.text:
            value = json.dumps([completion.text, completion.model, completion.truncated]).encode()
            self._cache.put(f"chat {self.identity}", {key: value})
        return completion
