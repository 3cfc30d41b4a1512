from __future__ import annotations

import importlib.util
import shutil
from typing import TYPE_CHECKING

import pytest

from palate.chat import OpenAIModel
from palate.embed import (
    RatedAxes,
    RemoteEmbedder,
    StaticEmbedder,
    default_embedder,
    embedder_named,
)
from palate.embed.static import SHIPPED
from palate.errors import MissingExtraError, ModelError, PalateError, ParameterError

if TYPE_CHECKING:
    from pathlib import Path

    from palate.bench.fake_server import FakeServer


def test_static_is_the_shipped_one() -> None:
    assert embedder_named("static") is default_embedder()


def test_model2vec_takes_a_folder(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED, tmp_path / "my: model")
    embedder = embedder_named(f"model2vec:{tmp_path / 'my: model'}")
    assert isinstance(embedder, StaticEmbedder)
    assert embedder.name == "my: model"


def test_openai_takes_any_models_name(server: FakeServer) -> None:
    embedder = embedder_named("openai:nomic-embed-text:latest", base_url=server.url)
    assert isinstance(embedder, RemoteEmbedder)
    with embedder:
        embedder(["a"])
    assert server.requests[0]["model"] == "nomic-embed-text:latest"
    with pytest.raises(ModelError, match="OPENAI_API_KEY"):
        embedder_named("openai:m")


def test_axes_take_the_chat_model(server: FakeServer) -> None:
    model = OpenAIModel("m", base_url=server.url)
    embedder = embedder_named("axes: spicy , vegan", model=model)
    assert isinstance(embedder, RatedAxes)
    assert (embedder.axes, embedder.model) == (("spicy", "vegan"), model)
    with pytest.raises(ParameterError, match="name a model"):
        embedder_named("axes:spicy,vegan")
    with pytest.raises(ParameterError, match="none blank"):
        embedder_named("axes:spicy,,vegan", model=model)


@pytest.mark.parametrize(
    "spec",
    ["", "statics", "static:x", "model2vec", "model2vec:", "openai: ", "axes:", ":x", "bert"],
)
def test_anything_else_is_refused_with_the_forms(spec: str) -> None:
    with pytest.raises(ParameterError, match=r"static, model2vec:PATH_OR_NAME, .*axes:") as error:
        embedder_named(spec)
    assert repr(spec) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", ["model2vec", "sentence-transformers"])
def test_a_mistyped_folder_is_one_line(kind: str, tmp_path: Path) -> None:
    if kind == "sentence-transformers" and not importlib.util.find_spec("sentence_transformers"):
        pytest.skip("sentence-transformers is not installed")
    with pytest.raises(ParameterError, match="there is no model folder"):
        embedder_named(f"{kind}:{tmp_path / 'nothing'}")
    with pytest.raises(ModelError, match="is missing"):
        embedder_named(f"{kind}:{tmp_path}")


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r'pip install "palate\[models\]"') as error:
        embedder_named("sentence-transformers:any/model")
    assert isinstance(error.value, PalateError)
