"""Comparisons as tokens: prompts and options in sequences, and answers in padded batches."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

import numpy as np
import torch

from palate.errors import ParameterError
from palate.population.comparisons import from_comparisons

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from transformers import PreTrainedTokenizerBase

    from palate._typing import FloatArray, IndexArray
    from palate.feedback import Comparison
    from palate.population.data import PreferenceData

Tokens: TypeAlias = Literal["cumulative", "mean", "last"]
"""Tokens of a response that are judged in training: all, the later the more; all alike; the last.
"""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A context and the text that goes on from it, as tokens.

    Attributes:
        ids: of all, special tokens included.
        start: how many of them stand before the text.
    """

    ids: list[int]
    start: int


@dataclass(frozen=True, slots=True)
class Codec:
    """How texts become tokens, for any tokenizer.

    Attributes:
        tokenizer: of words, whose own padding and truncation are not used.
        prefix, suffix: the special tokens that it puts around a text. Where it puts none after, its
            end-of-sequence token, so that a response that was cut can be told from one that ended.
        pad: what fills up a batch; never attended to, so that any token will do.
        max_length: of a sequence.
    """

    tokenizer: PreTrainedTokenizerBase
    prefix: list[int]
    suffix: list[int]
    pad: int
    max_length: int

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Self:
        """What a tokenizer does to a text shows in what it makes of one.

        Raises:
            ParameterError: ``max_length`` leaves no room for a text.
        """
        made = tokenizer("a", return_special_tokens_mask=True)
        ids, special = made["input_ids"], np.array(made["special_tokens_mask"], dtype=bool)
        words = np.flatnonzero(~special)
        prefix = ids[: words[0]] if len(words) else ids
        suffix = ids[words[-1] + 1 :] if len(words) else []
        if not suffix and tokenizer.eos_token_id is not None:
            suffix = [tokenizer.eos_token_id]
        if max_length <= len(prefix) + len(suffix):
            msg = (
                f"max_length must be above {len(prefix) + len(suffix)}, the number of special "
                f"tokens of a text, not {max_length}"
            )
            raise ParameterError(msg)
        # Tokenizers of causal models often have no padding token; 0 is a token of every model.
        pad = 0 if tokenizer.pad_token_id is None else tokenizer.pad_token_id
        return cls(tokenizer, prefix, suffix, pad, max_length)

    def encode(self, pairs: Sequence[tuple[str, str]]) -> list[Encoded]:
        """Contexts and texts to sequences of at most ``max_length`` tokens.

        Where they are too long together the context loses its beginning, and a text that is too
        long alone its end.
        """
        texts = list(dict.fromkeys(chain.from_iterable(pairs)))
        clean = [text.encode("utf-8", "replace").decode() for text in texts]  # no lone surrogates
        made = self.tokenizer(clean, add_special_tokens=False, verbose=False) if clean else {}
        ids = dict(zip(texts, made.get("input_ids", ()), strict=True))
        return [self._joined(ids[context], ids[text]) for context, text in pairs]

    def _joined(self, context: list[int], text: list[int]) -> Encoded:
        room = self.max_length - len(self.prefix) - len(self.suffix)
        text = text[:room]
        context = context[max(0, len(context) - (room - len(text))) :]
        before = [*self.prefix, *context]
        # No model can be asked about no token at all.
        return Encoded([*before, *text, *self.suffix] or [self.pad], len(before))


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """Some answers: A of them, of at most O options each, n unique items and p unique prompts.

    Attributes:
        items: (n, T) tokens.
        items_mask: (n, T) 1 where there is a token.
        prompts: (p, T_x) tokens; None without.
        prompts_mask: (p, T_x).
        options: (A, O) the items, the one picked first; 0 where there is none.
        shown: (A, O) whether there is one.
        where: (A, O, L) places in the items' tokens, those in a column standing at the same
            place of their texts. A text that has ended keeps the place of its last token.
        judged: (A, L) whether any text has a token there.
        prompt: (A,) the prompts.
        person: (A,) rows of the mixture.
        weight: (A,) of each answer, 1 on average over all answers.
    """

    items: torch.Tensor
    items_mask: torch.Tensor
    prompts: torch.Tensor | None
    prompts_mask: torch.Tensor | None
    options: torch.Tensor
    shown: torch.Tensor
    where: torch.Tensor
    judged: torch.Tensor
    prompt: torch.Tensor
    person: torch.Tensor
    weight: torch.Tensor

    def to(self, device: torch.device) -> Batch:
        """On a device."""
        parts: list[Any] = [getattr(self, field.name) for field in fields(self)]
        return Batch(*(None if part is None else part.to(device) for part in parts))


@dataclass(frozen=True, eq=False)
class Corpus:
    """Comparisons as tokens.

    Attributes:
        data: who preferred what; its features only say which text is meant.
        items: tokens of each item.
        prompts: tokens of each prompt; none where items contain them.
        left_out: comparisons that prefer nothing.
    """

    data: PreferenceData
    items: list[Encoded]
    prompts: list[Encoded]
    left_out: int

    @classmethod
    def of(cls, comparisons: Iterable[Comparison], codec: Codec, *, inside: bool) -> Self:
        """Encode what people compared, prompts inside the items or beside them.

        Raises:
            ParameterError: there is no pick among the comparisons.
        """
        texts: list[str] = []

        def places(given: Sequence[str]) -> FloatArray:
            texts.extend(given)
            return np.arange(len(given), dtype=np.float64)[:, None]

        data, left_out = from_comparisons(comparisons, places, prompts="separate")
        if inside:
            data = data.joined()
            named = [(texts[int(item)], texts[int(prompt)]) for item, prompt in data.items]
            return cls(data, encode_items(codec, named, inside=True), [], left_out)
        assert data.prompts is not None  # noqa: S101  # for the type checker
        items, asked = ([texts[int(i)] for i in of[:, 0]] for of in (data.items, data.prompts))
        return cls(
            data,
            encode_items(codec, [(text, "") for text in items], inside=False),
            encode_prompts(codec, asked),
            left_out,
        )

    def __len__(self) -> int:
        return len(self.starts)

    def options(self, answer: int) -> IndexArray:
        """(O,) the items of an answer, the one picked first."""
        starts = self.starts
        end = starts[answer + 1] if answer + 1 < len(starts) else len(self.data)
        rejected = self.data.rejected[starts[answer] : end]
        return np.concatenate([self.data.chosen[starts[answer], None], rejected])

    @cached_property
    def starts(self) -> IndexArray:
        """(A,) the first row of each answer."""
        return self.data.starts


def encode_items(codec: Codec, named: Sequence[tuple[str, str]], *, inside: bool) -> list[Encoded]:
    """Texts with the prompts that they answer, each after its prompt or alone."""
    return codec.encode(
        [(f"{prompt}\n\n" if inside and prompt else "", text) for text, prompt in named]
    )


def encode_prompts(codec: Codec, prompts: Sequence[str]) -> list[Encoded]:
    """Prompts alone."""
    return codec.encode([(prompt, "") for prompt in prompts])


def padded(sequences: Sequence[Encoded], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(n, T) tokens and (n, T) mask; filled up on the right, where causal models do not see it."""
    ids = np.full((len(sequences), max(len(s.ids) for s in sequences)), pad)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence.ids)] = sequence.ids
        mask[row, : len(sequence.ids)] = 1
    return torch.from_numpy(ids), torch.from_numpy(mask)


def aligned(shown: Sequence[Encoded], tokens: Tokens) -> IndexArray:
    """(O, L) places of the tokens to judge, from the first difference to the end of the longest."""
    last = np.array([len(option.ids) - 1 for option in shown])[:, None]
    if tokens == "last":
        return last
    texts = [option.ids[option.start :] for option in shown]
    columns = enumerate(zip_longest(*texts))
    longest = max(1, *map(len, texts))
    first = next((i for i, column in columns if len(set(column)) > 1), longest - 1)
    starts = np.array([option.start for option in shown])[:, None]
    return np.minimum(starts + np.arange(first, longest), last)


def batch_of(
    corpus: Corpus,
    answers: IndexArray,
    person: IndexArray,
    weight: FloatArray,
    *,
    tokens: Tokens,
    pad: int,
) -> Batch:
    """Some answers of a corpus, each text once.

    Args:
        corpus: all answers.
        answers: (A,) which.
        person: (A,) rows of the mixture.
        weight: (A,).
        tokens: to judge.
        pad: token to fill up with.
    """
    options = [corpus.options(answer) for answer in answers]
    used, place = np.unique(np.concatenate(options), return_inverse=True)
    wheres = [aligned([corpus.items[i] for i in items], tokens) for items in options]
    most, longest = max(map(len, options)), max(where.shape[1] for where in wheres)
    rows = np.zeros((len(answers), most), dtype=np.intp)
    shown = np.zeros((len(answers), most), dtype=bool)
    where = np.zeros((len(answers), most, longest), dtype=np.intp)
    judged = np.zeros((len(answers), longest), dtype=bool)
    ends = np.cumsum([len(items) for items in options])
    for a, (items, at) in enumerate(zip(options, wheres, strict=True)):
        rows[a, : len(items)] = place.reshape(-1)[ends[a] - len(items) : ends[a]]
        shown[a, : len(items)] = True
        where[a, : len(items), : at.shape[1]] = at
        judged[a, : at.shape[1]] = True
    ids, mask = padded([corpus.items[i] for i in used], pad)
    prompt, prompts, prompts_mask = np.zeros(len(answers), dtype=np.intp), None, None
    if corpus.data.prompt is not None:
        asked, prompt = np.unique(corpus.data.prompt[corpus.starts[answers]], return_inverse=True)
        prompts, prompts_mask = padded([corpus.prompts[i] for i in asked], pad)
    return Batch(
        items=ids,
        items_mask=mask,
        prompts=prompts,
        prompts_mask=prompts_mask,
        options=torch.from_numpy(rows),
        shown=torch.from_numpy(shown),
        where=torch.from_numpy(where),
        judged=torch.from_numpy(judged),
        prompt=torch.from_numpy(prompt.reshape(-1)),
        person=torch.from_numpy(person),
        weight=torch.from_numpy(weight.astype(np.float32)),
    )
