"""An embedder whose vectors are kept, so that embedding a text again costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from palate._cache import Cache, digest
from palate.embed._texts import checked_rows, checked_texts
from palate.errors import ModelError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import Features
    from palate.embed import Embedder

_AT_ONCE = 256


class CachedEmbedder:
    """Another embedder's vectors, from a file where they were made before.

    A vector is kept by its text and the embedder's identity, to the last bit, as float32 or
    float64. The embedder is asked for each distinct text that is not kept yet, a few texts at a
    time (its ``at_once``, or 256), and those vectors are kept before it is asked for the next: what
    was paid for is not paid for again when a later request fails.

    Args:
        embedder: whose vectors to keep.
        cache: where; by default palate's file in the folder for programs' caches.
        identity: what tells its vectors from another embedder's; by default the embedder's own
            attribute ``identity``. It must change whenever the vectors do.

    Attributes:
        embedder: as given.
        identity: as given, or the embedder's.

    Raises:
        ParameterError: the embedder, a plain function say, has no identity and none is given.
    """

    def __init__(
        self, embedder: Embedder, cache: Cache | None = None, *, identity: str | None = None
    ) -> None:
        own = identity or getattr(embedder, "identity", None)
        if not own:
            msg = (
                f"the embedder {_name(embedder)} has no identity to keep its vectors by; give one, "
                'identity="my embedder, version 1", and change it whenever the vectors change'
            )
            raise ParameterError(msg)
        self.embedder = embedder
        self.identity = str(own)
        self._cache = Cache() if cache is None else cache

    @property
    def name(self) -> str:
        """That of the embedder."""
        return _name(self.embedder)

    @property
    def scaling(self) -> Any:  # noqa: ANN401 - a palate.pool.Scaling, of a room that stands above
        """That of the embedder."""
        return getattr(self.embedder, "scaling", None)

    def __call__(self, texts: Sequence[str], /) -> Features:
        """Embed n texts.

        Returns:
            (n, d) vectors, float32 or float64 as the embedder gave them.

        Raises:
            TypeError: a single string, or an element that is no string.
            ModelError: the embedder gave something else than (n, d) finite numbers, or vectors of
                another length than those kept.
        """
        words = checked_texts(texts)
        if not words:
            return np.asarray(self.embedder(words))
        keys = {text: digest(text) for text in dict.fromkeys(words)}
        owner = f"embed {self.identity}"
        kept = self._cache.get(owner, list(keys.values()))
        rows = {text: _unpacked(kept[key]) for text, key in keys.items() if key in kept}
        lacking = [text for text in keys if text not in rows]
        at_once = getattr(self.embedder, "at_once", _AT_ONCE)
        for first in range(0, len(lacking), at_once):
            part = lacking[first : first + at_once]
            made = checked_rows(self.embedder(list(part)), part, self.name)
            self._cache.put(
                owner, {keys[text]: _packed(row) for text, row in zip(part, made, strict=True)}
            )
            rows |= zip(part, made, strict=True)
        kinds = {(row.dtype, len(row)) for row in rows.values()}
        if len(kinds) > 1:
            shown = " and ".join(sorted(f"{size} {dtype}" for dtype, size in kinds))
            msg = (
                f"{self.name} gave vectors of {shown} numbers under one identity "
                f"({self.identity}); give the embedder as it is now another identity"
            )
            raise ModelError(msg)
        return np.array([rows[text] for text in words])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.embedder!r})"


def _name(embedder: Embedder) -> str:
    return str(getattr(embedder, "name", None) or getattr(embedder, "__name__", "embedder"))


def _packed(row: Features) -> bytes:
    """The type of a row and its numbers, little-endian."""
    row = row.astype(row.dtype.newbyteorder("<"))
    return row.dtype.str.encode() + row.tobytes()


def _unpacked(value: bytes) -> Features:
    return np.frombuffer(value[3:], dtype=value[:3].decode()).copy()
