"""Tiny language models with random weights, a tokenizer of a few words, and simulated people."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from palate.feedback import Comparison
from palate.population._heads import Mixture, Network, PalAHead, PalBHead
from palate.population.large import LargeTraining

if TYPE_CHECKING:
    from collections.abc import Sequence

COLOURS = ("red", "blue")
WORDS = ("the", "sea", "sky", "hill", "old", "song", "describe", *COLOURS)
FAST = LargeTraining(
    epochs=4,
    batch=16,
    backbone_rate=3e-3,
    rate=3e-3,
    weights_rate=5e-2,
    prototypes_rate=2e-2,
    scale_rate=1e-2,
)
_KNOWN = ["[UNK]", "</s>", "[CLS]", "[SEP]", *WORDS, "[PAD]"]
_SMALL: dict[str, dict[str, Any]] = {
    "OPT": {
        "hidden_size": 16,
        "word_embed_proj_dim": 12,  # as in OPT-350m, states are narrower than the model
        "num_hidden_layers": 2,
        "ffn_dim": 16,
        "num_attention_heads": 2,
    },
    "DistilBert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 16},
    "GPT2": {"n_embd": 16, "n_layer": 1, "n_head": 2},
    "Bert": {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    },
    "T5Encoder": {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2},
}
KINDS = tuple(_SMALL)


def tokenizer(
    *, special: bool = False, side: str = "right", pad: bool = True
) -> transformers.PreTrainedTokenizerBase:
    """Words to tokens, with marks around a text as encoders have them, or without."""
    words = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(_KNOWN)}, unk_token="[UNK]")  # noqa: S106
    )
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    if special:
        marks = [(mark, _KNOWN.index(mark)) for mark in ("[CLS]", "[SEP]")]
        words.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=marks
        )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=words,
        unk_token="[UNK]",  # noqa: S106
        eos_token="</s>",  # noqa: S106
        padding_side=side,
        **({"pad_token": "[PAD]"} if pad else {}),
    )


def backbone(kind: str, *, seed: int = 0, dropout: float = 0.0) -> transformers.PreTrainedModel:
    """A model of transformers, as small as it comes."""
    names = {
        "OPT": ("dropout", "attention_dropout"),
        "DistilBert": ("dropout", "attention_dropout"),
        "GPT2": ("resid_pdrop", "embd_pdrop", "attn_pdrop"),
        "Bert": ("hidden_dropout_prob", "attention_probs_dropout_prob"),
        "T5Encoder": ("dropout_rate",),
    }[kind]
    config = getattr(transformers, f"{kind.removesuffix('Encoder')}Config")(
        vocab_size=len(_KNOWN),
        max_position_embeddings=40,
        **_SMALL[kind],
        **dict.fromkeys(names, dropout),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return getattr(transformers, f"{kind}Model")(config).eval()


def head(
    kind: str, dimension: int, *, k: int = 3, people: int = 2, seed: int = 0, **variant: Any
) -> PalAHead | PalBHead:
    """A head of random networks."""
    rng = torch.Generator().manual_seed(seed)
    table = torch.randn(20, dimension, generator=rng)

    def network(copies: int) -> Network:
        widths = (dimension, 6, 5)
        return Network(copies, widths, activation="gelu", residual=False, table=table, rng=rng)

    mixture = Mixture(people, k, partition=False, rng=rng)
    if kind == "pal-b":
        return PalBHead(network(1), network(k), mixture, norm=variant.get("norm", "each"))
    ideal = variant.get("ideal", "f(Pw)")
    prototypes = torch.randn(k, 5 if ideal == "Pw" else dimension, generator=rng)
    return PalAHead(network(1), prototypes, mixture, ideal=ideal, power=variant.get("power", 2))


def picks(n: int, seed: int, people: Sequence[str] = ("ann", "bob")) -> list[Comparison]:
    """Simulated: those at even places like what is red, the others what is blue."""
    rng = np.random.default_rng(seed)

    def text(colour: str) -> str:
        words = list(rng.choice(WORDS[:6], size=rng.integers(1, 5)))
        words.insert(rng.integers(len(words) + 1), colour)
        return " ".join(words)

    result = []
    for _ in range(n):
        place = int(rng.integers(len(people)))
        options = [text(colour) for colour in COLOURS]
        turned = bool(rng.integers(2))
        result.append(
            Comparison(
                f"describe the {rng.choice(WORDS[1:4])}",
                tuple(options[::-1] if turned else options),
                int(turned) ^ (place % 2),
                people[place],
            )
        )
    return result


def other_way(comparison: Comparison) -> Comparison:
    """The same two responses, and the other one picked."""
    assert comparison.picked in (0, 1)
    return replace(comparison, picked=1 if comparison.picked == 0 else 0)
