from __future__ import annotations

import importlib.util
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from palate import Pool
from palate.embed import SentenceTransformerEmbedder
from palate.errors import ModelError, ParameterError
from palate.testing import EmbedderContract

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Not pytest.importorskip: torch would be imported whenever tests are collected.
pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is None, reason="needs the extra `models`"
)

TEXTS = ["roast the peppers", "a night train", "", "half \ud83d", "pepper " * 500]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT with random weights, as sentence-transformers saves it."""
    import torch  # noqa: PLC0415
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415
    from transformers import BertConfig, BertModel, BertTokenizerFast  # noqa: PLC0415

    bert = tmp_path_factory.mktemp("bert")
    letters = [chr(letter) for letter in range(ord("a"), ord("z") + 1)]
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "."]
    vocabulary = [*marks, *letters, *(f"##{letter}" for letter in letters)]
    (bert / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    BertTokenizerFast(str(bert / "vocab.txt"), model_max_length=64).save_pretrained(bert)
    torch.manual_seed(0)
    BertModel(
        BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32,
            max_position_embeddings=64,
        )
    ).save_pretrained(bert)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    SentenceTransformer(str(bert), device="cpu", local_files_only=True).save(str(folder))
    return folder


class TestContract(EmbedderContract):
    @pytest.fixture
    def embedder(self, folder: Path) -> SentenceTransformerEmbedder:
        return SentenceTransformerEmbedder(folder, device="cpu")


def expected(folder: Path, texts: list[str]) -> NDArray[np.float32]:
    from sentence_transformers import SentenceTransformer  # noqa: PLC0415

    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    return np.array([model.encode([text])[0] for text in texts])


def test_rows_are_the_models_own(folder: Path) -> None:
    rows = SentenceTransformerEmbedder(str(folder), device="cpu", batch=2)(TEXTS)
    assert rows.dtype == np.float32
    assert rows.shape == (len(TEXTS), 16)
    sent = [text.replace("\ud83d", "?") for text in TEXTS]
    np.testing.assert_allclose(rows, expected(folder, sent), atol=1e-5)


def test_no_texts_give_no_rows(folder: Path) -> None:
    rows = SentenceTransformerEmbedder(folder, device="cpu")([])
    assert rows.shape == (0, 16)
    assert rows.dtype == np.float32


def test_a_pool_is_made_with_it(folder: Path) -> None:
    embedder = SentenceTransformerEmbedder(folder, device="cpu")
    pool = Pool.from_texts("Dinner?", ["peppers", "a night train", "rice"], embedder)
    assert (pool.embedder, pool.scaling) == ("tiny", "half")


def test_identity_follows_the_files(folder: Path, tmp_path: Path) -> None:
    one = SentenceTransformerEmbedder(folder)
    assert one.identity == f"tiny {one.revision}"
    shutil.copytree(folder, tmp_path / "tiny")
    assert SentenceTransformerEmbedder(tmp_path / "tiny").identity == one.identity
    weights = tmp_path / "tiny" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    assert SentenceTransformerEmbedder(tmp_path / "tiny").identity != one.identity


def test_a_folder_without_a_model_is_one_line(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"modules\.json is missing"):
        SentenceTransformerEmbedder(tmp_path)
    (tmp_path / "modules.json").write_bytes((folder / "modules.json").read_bytes())
    with pytest.raises(ModelError, match=r"safetensors is missing"):
        SentenceTransformerEmbedder(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"not a model")
    with pytest.raises(ModelError, match="cannot be loaded") as error:
        SentenceTransformerEmbedder(tmp_path)(["a text"])
    assert "\n" not in str(error.value)
    with pytest.raises(ParameterError, match="no model folder"):
        SentenceTransformerEmbedder(tmp_path / "none")


def test_a_folder_leaves_the_network_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("network")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert SentenceTransformerEmbedder(folder, device="cpu")(["a text"]).any()


def test_torch_waits_for_the_first_call(folder: Path) -> None:
    program = """
import sys
from palate.embed import SentenceTransformerEmbedder
assert SentenceTransformerEmbedder(sys.argv[1]).identity
print([m for m in ("torch", "sentence_transformers", "transformers") if m in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_weights_in_a_pickle_are_not_opened(folder: Path, tmp_path: Path) -> None:
    import torch  # noqa: PLC0415
    from safetensors.torch import load_file  # noqa: PLC0415

    copy = tmp_path / "tiny"
    shutil.copytree(folder, copy)
    torch.save(load_file(copy / "model.safetensors"), copy / "pytorch_model.bin")
    (copy / "model.safetensors").rename(copy / "elsewhere.safetensors")
    with pytest.raises(ModelError, match="cannot be loaded"):
        SentenceTransformerEmbedder(copy, device="cpu")(["a text"])
