"""Vocabularies: the tokens that each slot of a prompt can hold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np

from palate._cache import digest
from palate.design.problem import Problem, Slot
from palate.embed import default_embedder
from palate.embed._texts import checked_rows
from palate.errors import ParameterError

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from palate._typing import FloatArray
    from palate.embed import Embedder

ShippedVocabulary: TypeAlias = Literal["balanced", "redundant"]

_KEPT, _VARIED = 30, 4
"""Tokens of a slot that the redundant vocabulary keeps, and those it repeats with adverbs."""


@dataclass(frozen=True, slots=True)
class Words:
    """The tokens of one slot; one of them may be blank, which leaves the slot out of a prompt."""

    name: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The slots of a prompt, in the order in which they are filled.

    Raises:
        ParameterError: no slot; a name or a token that occurs twice or is no text; a slot of fewer
            than two tokens.
    """

    name: str
    slots: tuple[Words, ...]

    def __post_init__(self) -> None:
        if not self.slots:
            msg = f"the vocabulary {self.name} has no slot; give it at least one"
            raise ParameterError(msg)
        names = [slot.name for slot in self.slots]
        for place, slot in enumerate(self.slots):
            if not isinstance(slot.name, str) or not slot.name or slot.name in names[:place]:
                msg = f"slot {place + 1} of {self.name}: {slot.name!r} must be a text, given once"
                raise ParameterError(msg)
            _check_tokens(slot)

    @property
    def fingerprint(self) -> str:
        """What tells its slots and tokens from others', as 12 hexadecimal digits."""
        return digest(json.dumps([[slot.name, *slot.tokens] for slot in self.slots]))[:12]

    def __len__(self) -> int:
        return sum(len(slot.tokens) for slot in self.slots)


def load_vocabulary(name: ShippedVocabulary) -> Vocabulary:
    """A shipped vocabulary for prompts for images.

    "balanced": six slots, 556 tokens that differ in what they say. "redundant": of each slot 30 of
    those and four of them again with 80 adverbs each, 2,100 tokens in all that say few things
    often. palate/data/design/README.md says how they were made.

    Raises:
        ParameterError: there is no such vocabulary.
    """
    if name not in {"balanced", "redundant"}:
        msg = f"there is no shipped vocabulary {name!r}; there are balanced and redundant"
        raise ParameterError(msg)
    folder = files("palate.data") / "design"
    with as_file(folder / "vocabulary.json") as path:
        slots = read_vocabulary(path).slots
    if name == "redundant":
        adverbs = json.loads((folder / "adverbs.json").read_text(encoding="utf-8"))
        slots = tuple(_repeated(slot, adverbs) for slot in slots)
    return Vocabulary(name, slots)


def read_vocabulary(path: str | os.PathLike[str]) -> Vocabulary:
    """A vocabulary from a JSON file: a list of ``{"name": ..., "tokens": [...]}``, one a slot.

    It is named after the file.

    Raises:
        ParameterError: the file cannot be read or holds something else; the message says where.
    """
    path = Path(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise ParameterError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"{path} is not JSON: {error}"
        raise ParameterError(msg) from error
    if not isinstance(content, list):
        msg = f"{path}: a vocabulary is a list of slots, not {type(content).__name__}"
        raise ParameterError(msg)
    slots = tuple(_slot(item, f"{path}, slot {place}") for place, item in enumerate(content, 1))
    try:
        return Vocabulary(path.stem, slots)
    except ParameterError as error:
        msg = f"{path}: {error}"
        raise ParameterError(msg) from None


def problem_from(
    vocabulary: Vocabulary,
    embedder: Embedder | None = None,
    *,
    weights: Sequence[float] | None = None,
) -> Problem:
    """The design problem of a vocabulary: each token's features are its embedding.

    Args:
        vocabulary: H slots.
        embedder: by default the shipped one, 64-d and offline; wrap a slow one into
            :class:`palate.embed.CachedEmbedder`.
        weights: (H,) how much a pick at each slot counts; 1 each by default.

    Returns:
        The problem. Features are rows of unit length (ED-PBRL, Section 5); a blank token's are 0,
        since it adds nothing to a prompt.

    Raises:
        ParameterError: another number of weights than slots.
        ModelError: the embedder gave something else than (n, d) finite numbers.
    """
    if weights is not None and len(weights) != len(vocabulary.slots):
        msg = f"{len(vocabulary.slots)} slots have {len(weights)} weights; give one for each"
        raise ParameterError(msg)
    tokens = [token for slot in vocabulary.slots for token in slot.tokens]
    words = list(dict.fromkeys(token for token in tokens if token))
    row = dict(zip(words, unit_rows(embedder, words), strict=True))
    blank = np.zeros(len(row[words[0]]))
    slots = []
    for place, slot in enumerate(vocabulary.slots):
        features = np.array([row.get(token, blank) for token in slot.tokens])
        weight = 1.0 if weights is None else float(weights[place])
        slots.append(Slot(slot.name, slot.tokens, features, weight))
    return Problem(tuple(slots))


def prompt_text(tokens: Sequence[str]) -> str:
    """The prompt of some tokens: those not blank, joined by ", " (ED-PBRL, Section 5)."""
    return ", ".join(token for token in tokens if token)


def unit_rows(embedder: Embedder | None, texts: Sequence[str]) -> FloatArray:
    """(n, d) embeddings of unit length, float64; rows of zeros stay so.

    Raises:
        ModelError: the embedder gave something else.
    """
    made = (default_embedder() if embedder is None else embedder)(list(texts))
    who = str(getattr(embedder, "name", "the embedder"))
    rows = checked_rows(made, texts, who).astype(np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0.0)


def _repeated(slot: Words, adverbs: Sequence[str]) -> Words:
    """Some of a slot's tokens, and a few of them again and again."""
    n = len(slot.tokens)
    kept = [slot.tokens[i * n // _KEPT] for i in range(_KEPT)]
    varied = [kept[i * _KEPT // _VARIED] for i in range(_VARIED)]
    return Words(slot.name, (*kept, *(f"{a} {token}" for token in varied for a in adverbs)))


def _slot(item: Any, where: str) -> Words:  # noqa: ANN401 - JSON
    fits = isinstance(item, dict) and isinstance(item.get("name"), str)
    if not fits or not isinstance(item.get("tokens"), list):
        msg = f'{where}: a slot is {{"name": "...", "tokens": ["...", ...]}}'
        raise ParameterError(msg)
    return Words(item["name"], tuple(item["tokens"]))


def _check_tokens(slot: Words) -> None:
    if len(slot.tokens) < 2:
        msg = f"the slot {slot.name!r} needs at least two tokens, not {len(slot.tokens)}"
        raise ParameterError(msg)
    seen = set[str]()
    for token in slot.tokens:
        if not isinstance(token, str) or token != " ".join(token.split()):
            msg = f"the slot {slot.name!r}: a token is a text of one line, trimmed, not {token!r}"
            raise ParameterError(msg)
        if token.casefold() in seen:
            msg = f"the slot {slot.name!r} holds the token {token!r} twice"
            raise ParameterError(msg)
        seen.add(token.casefold())
