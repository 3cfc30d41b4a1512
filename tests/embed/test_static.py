from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from model2vec import StaticModel
from safetensors.numpy import load_file, save_file

from palate.embed import StaticEmbedder, default_embedder
from palate.embed.static import SHIPPED

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = [
    "Fry the onions in butter, then add the rice and a glass of white wine.",
    "Take the night train to Vienna and wake up next to the palace gardens.",
    "",
    "Fry",
    "Der Zug fährt um acht Uhr ab.",
    "今天天气很好 我们去公园吧。",
    "مرحبا بالعالم",
    "Bring a raincoat 🧥 and a smile 😀!",
]

TRIPLETS = [
    ("a recipe for tomato soup", "how to cook a vegetable stew", "the history of steam engines"),
    ("hiking trails in the Alps", "a walk through the mountains", "a spreadsheet of quarterly tax"),
    (
        "The doctor prescribed medicine.",
        "A nurse cared for the patient.",
        "The band tuned guitars.",
    ),
    ("a novel about a detective", "a crime story with a murder", "a bowl of fruit and yoghurt"),
    ("investing in shares and bonds", "saving money at a bank", "training a puppy to sit"),
    ("an electric guitar solo", "the drummer of a rock band", "planting roses in the garden"),
]


def test_rows_are_unit_float32_vectors() -> None:
    vectors = default_embedder()(TEXTS)
    assert vectors.shape == (len(TEXTS), 64)
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    assert lengths[2] == 0
    np.testing.assert_allclose(np.delete(lengths, 2), 1, atol=1e-6)


def test_texts_without_known_tokens_are_zero_rows() -> None:
    vectors = default_embedder()(["", " \n\t", "😀🎉", "x" * 50_000])
    assert not vectors.any()


def test_no_texts_give_no_rows() -> None:
    assert default_embedder()([]).shape == (0, 64)


@pytest.mark.parametrize(
    "text", ["half an emoji \ud83d", "null \x00 byte", "\ufeff start", "é\u0301"]
)
def test_odd_unicode_is_embedded(text: str) -> None:
    assert np.linalg.norm(default_embedder()([text])) == pytest.approx(1)


def test_any_sequence_of_texts_will_do() -> None:
    np.testing.assert_array_equal(default_embedder()(tuple(TEXTS)), default_embedder()(TEXTS))


def test_a_text_has_the_same_vector_in_any_company() -> None:
    embedder = default_embedder()
    together = embedder(TEXTS)
    np.testing.assert_array_equal(together, np.vstack([embedder([text]) for text in TEXTS]))
    np.testing.assert_array_equal(together, embedder(TEXTS[::-1])[::-1])
    # More than one batch, in which texts of equal length are averaged at once.
    np.testing.assert_array_equal(np.tile(together, (90, 1)), embedder(TEXTS * 90))


def test_a_new_process_gives_the_same_vectors() -> None:
    code = (
        "import hashlib, json, sys; from palate.embed import default_embedder;"
        "print(hashlib.sha256(default_embedder()(json.load(sys.stdin)).tobytes()).hexdigest())"
    )
    digest = hashlib.sha256(default_embedder()(TEXTS).tobytes()).hexdigest()
    assert run(code, json.dumps(TEXTS)) == digest


def test_the_whole_of_a_long_text_counts() -> None:
    start = "The cat sat on the mat. " * 1_000
    assert len(start) < 50_000
    one, other = default_embedder()([start + "Cat. " * 5_000, start + "Volcano. " * 5_000])
    assert one @ other < 0.9


def test_threads_do_not_disturb_each_other() -> None:
    # model2vec changes its tokenizer around each call: unguarded, another thread loses the end of
    # its texts.
    embedder = StaticEmbedder()
    texts = ["The cat sat on the mat. " * 200 + text for text in TEXTS]
    expected = embedder(texts)
    wrong: list[bool] = []

    def work() -> None:
        wrong.extend(not np.array_equal(embedder(texts), expected) for _ in range(20))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wrong) == 80
    assert not any(wrong)


@pytest.mark.parametrize(("anchor", "near", "far"), TRIPLETS)
def test_similar_texts_lie_closer(anchor: str, near: str, far: str) -> None:
    a, b, c = default_embedder()([anchor, near, far])
    assert a @ b > a @ c + 0.05


@pytest.mark.parametrize("text", ["one text", b"bytes"])
def test_a_single_string_is_refused(text: str) -> None:
    with pytest.raises(TypeError, match=r"expected a list of texts, not one (str|bytes)"):
        default_embedder()(text)


def test_an_element_that_is_no_string_is_refused() -> None:
    with pytest.raises(TypeError, match="text 1 is of type NoneType"):
        default_embedder()(["a", None])  # type: ignore[list-item]


def test_a_missing_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"model\.safetensors is missing") as error:
        StaticEmbedder(tmp_path / "sentence-transformers" / "nothing")
    assert "\n" not in str(error.value)


def test_an_incomplete_folder_is_refused(tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "model.safetensors", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"tokenizer\.json is missing"):
        StaticEmbedder(tmp_path)


def test_identity_follows_the_files(tmp_path: Path) -> None:
    shipped = default_embedder()
    assert shipped.name == "minilm64"
    assert shipped.revision == StaticEmbedder(SHIPPED).revision
    assert len(shipped.revision) == 12
    copy = other_model(tmp_path / "mine")
    assert StaticEmbedder(copy).name == "mine"
    assert StaticEmbedder(copy).revision != shipped.revision


def test_another_model_with_fractions_is_loaded(tmp_path: Path) -> None:
    vectors = StaticEmbedder(other_model(tmp_path / "mine"))(TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, default_embedder()(TEXTS), atol=1e-3)


def test_the_default_is_loaded_once() -> None:
    assert default_embedder() is default_embedder()


@pytest.mark.filterwarnings(  # model2vec 0.7 leaves config.json open
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_the_folder_is_a_model_that_model2vec_loads() -> None:
    model = StaticModel.from_pretrained(SHIPPED, force_download=False)
    np.testing.assert_allclose(
        model.encode(TEXTS, max_length=None), default_embedder()(TEXTS), atol=1e-6
    )


def test_the_shipped_folder_is_small_attributed_and_names_no_path() -> None:
    files = {file.name: file.read_bytes() for file in SHIPPED.iterdir()}
    assert set(files) == {"model.safetensors", "tokenizer.json", "config.json", "NOTICE.md"}
    assert sum(map(len, files.values())) < 6_000_000
    config = json.loads(files["config.json"])
    assert config["tokenizer_name"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert not [value for value in config.values() if str(value).startswith(("/", "~", "."))]
    for name, content in files.items():
        for path in (rb"[\"' ]/\w+/\w", rb"/home/", rb"site-packages"):
            assert not re.search(path, content), (name, path)
    notice = files["NOTICE.md"].decode()
    assert "sentence-transformers/all-MiniLM-L6-v2" in notice
    assert "Apache" in notice
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        assert hashlib.sha256(files[name]).hexdigest() in notice


def test_embedding_needs_neither_network_nor_torch() -> None:
    code = """
import socket, sys
def refuse(*args, **kwargs):
    raise AssertionError("network")
socket.socket.connect = socket.socket.connect_ex = socket.create_connection = refuse
socket.getaddrinfo = refuse
from palate.embed import default_embedder
assert default_embedder()(["a text"]).any()
print([m for m in ("torch", "transformers", "huggingface_hub", "sklearn") if m in sys.modules])
"""
    assert run(code) == "[]"


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys; import palate.embed;"
        "print([m for m in ('model2vec', 'tokenizers', 'scipy', 'tqdm') if m in sys.modules])"
    )
    assert run(code) == "[]"


def test_a_later_fork_is_silent() -> None:
    code = """
import os
from palate.embed import default_embedder
default_embedder()(["a text"] * 50)
pid = os.fork()
if pid == 0:
    os._exit(0 if default_embedder()(["a text"]).any() else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert run(code) == "0"


def other_model(folder: Path) -> Path:
    """The shipped model in half precision instead of integers."""
    shutil.copytree(SHIPPED, folder)
    table = load_file(SHIPPED / "model.safetensors")["embeddings"]
    save_file({"embeddings": (table / 127).astype(np.float16)}, folder / "model.safetensors")
    return folder


def run(code: str, stdin: str = "") -> str:
    """Output of a fresh interpreter that must succeed and be silent on stderr."""
    unset = {"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "TOKENIZERS_PARALLELISM"}
    environment = {key: value for key, value in os.environ.items() if key not in unset}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        input=stdin,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()
