from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from palate.embed import default_embedder, model2vec_embedder
from palate.embed.static import SHIPPED
from palate.errors import ModelError, ParameterError
from palate.testing import EmbedderContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from palate.embed import StaticEmbedder

REVISION = "a" * 40


class TestContract(EmbedderContract):
    @pytest.fixture
    def embedder(self) -> StaticEmbedder:
        return model2vec_embedder(SHIPPED)


def test_a_folder_is_the_static_embedder_of_that_folder(tmp_path: Path) -> None:
    folder = tmp_path / "org" / "model"
    shutil.copytree(SHIPPED, folder)
    embedder = model2vec_embedder(folder)
    assert (embedder.path, embedder.name) == (folder, "model")
    assert embedder.identity == f"model {default_embedder().revision}"
    assert default_embedder().identity == f"minilm64 {default_embedder().revision}"


def test_a_folder_is_preferred_to_a_name_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(SHIPPED, tmp_path / "org" / "model")
    monkeypatch.chdir(tmp_path)
    assert model2vec_embedder("org/model").path == tmp_path / "org" / "model"


@pytest.mark.parametrize(
    "name", ["model", "./models/mine", "../mine", "/no/such/folder", "a/b/c", "org/", "", "ö/model"]
)
def test_what_is_neither_a_folder_nor_a_hubs_name_is_one_line(name: str) -> None:
    with pytest.raises((ParameterError, ModelError), match=r"no model folder|is missing") as error:
        model2vec_embedder(name)
    assert "\n" not in str(error.value)


def test_a_folder_without_a_model_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model\.safetensors is missing"):
        model2vec_embedder(tmp_path)
    shutil.copy(SHIPPED / "model.safetensors", tmp_path)
    with pytest.raises(ModelError, match=r"tokenizer\.json is missing"):
        model2vec_embedder(tmp_path)


@pytest.mark.parametrize("file", ["model.safetensors", "tokenizer.json"])
def test_a_damaged_file_is_one_line(tmp_path: Path, file: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(SHIPPED, folder)
    (folder / file).write_bytes((SHIPPED / file).read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"damaged") as error:
        model2vec_embedder(folder)(["a text"])
    assert "\n" not in str(error.value)


def test_another_kind_of_model_is_named_as_such(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(SHIPPED, folder)
    table = load_file(SHIPPED / "model.safetensors")["embeddings"]
    save_file({"embedding.weight": table}, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"no table 'embeddings'.*sentence-transformers"):
        model2vec_embedder(folder)(["a text"])


class Hub:
    """As much of a model hub as holds one model, "org/mini": the shipped one."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def do_HEAD(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                status, body, headers = hub.answer(self.path.split("?")[0])
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.thread = threading.Thread(
            target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def answer(self, path: str) -> tuple[int, bytes, dict[str, str]]:
        self.asked.append(path)
        files = {file.name: file for file in SHIPPED.iterdir()}
        if path.startswith("/api/models/org/mini/tree/"):
            listed = [
                {"type": "file", "path": name, "size": file.stat().st_size, "oid": etag(name)}
                for name, file in files.items()
            ]
            return 200, json.dumps(listed).encode(), {}
        if path.startswith("/api/models/org/mini"):
            siblings = [{"rfilename": name} for name in files]
            model = {"id": "org/mini", "sha": REVISION, "siblings": siblings}
            return 200, json.dumps(model).encode(), {}
        if path.startswith("/org/mini/resolve/"):
            name = path.rpartition("/")[2]
            headers = {"ETag": f'"{etag(name)}"', "X-Repo-Commit": REVISION}
            return 200, files[name].read_bytes(), headers
        return 404, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "No such model"}


def etag(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:40]


@pytest.fixture
def hub() -> Iterator[Hub]:
    opened = Hub()
    yield opened
    opened.close()


@pytest.fixture
def load(hub: Hub, tmp_path: Path) -> Callable[..., str]:
    """Loads a model in a fresh process, since the hub's client reads its settings on import."""

    def in_a_process(name: str, **settings: str) -> str:
        program = """
import json, sys
from palate.embed import model2vec_embedder
from palate.errors import ModelError
try:
    embedder = model2vec_embedder(sys.argv[1])
    print(json.dumps([embedder.identity, embedder(["a text"]).tolist()]))
except ModelError as error:
    print(error)
"""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        done = subprocess.run(
            [sys.executable, "-c", program, name],
            env=clean | {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": hub.url} | settings,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        return done.stdout.strip()

    return in_a_process


def test_a_hubs_model_is_downloaded_once_and_never_asked_for_again(
    hub: Hub, load: Callable[..., str]
) -> None:
    forbidden = load("org/mini", HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE forbids" in forbidden
    assert "\n" not in forbidden
    assert hub.asked == []

    identity, rows = json.loads(load("org/mini"))
    assert identity == f"org/mini {default_embedder().revision}"
    np.testing.assert_array_equal(np.float32(rows), default_embedder()(["a text"]))
    fetched = {path.rpartition("/")[2] for path in hub.asked if "/resolve/" in path}
    assert fetched == {"model.safetensors", "tokenizer.json"}, "and nothing that is not needed"

    hub.asked.clear()
    for settings in ({}, {"HF_HUB_OFFLINE": "1"}):
        assert json.loads(load("org/mini", **settings)) == [identity, rows]
    assert hub.asked == []


@pytest.mark.parametrize("down", [False, True])
def test_a_hub_that_does_not_give_the_model_is_one_line(
    load: Callable[..., str], *, down: bool
) -> None:
    said = load("org/none", **({"HF_ENDPOINT": "http://127.0.0.1:9"} if down else {}))
    assert said.startswith("there is no folder 'org/none', and the model hub did not give")
    assert "\n" not in said
    assert len(said) < 400
