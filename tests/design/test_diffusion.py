"""Pictures by a pipeline on this machine; the pipeline is a stand-in."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from palate.bench.fake_server import PNG
from palate.design import DiffusersRenderer
from palate.errors import MissingExtraError, ModelError, ParameterError
from palate.testing import RendererContract

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import IO

    from palate.design import Renderer


class Pipeline:
    """Draws the arguments that it was called with."""

    loaded: list[tuple[str, dict[str, Any]]]
    asked: list[dict[str, Any]]
    fails: str | None

    @classmethod
    def from_pretrained(cls, name: str, **settings: Any) -> Pipeline:
        cls.loaded.append((name, settings))
        if cls.fails == "load":
            raise OSError("no such\nmodel")
        return cls()

    def to(self, device: str) -> Pipeline:
        self.loaded.append((device, {}))
        return self

    def set_progress_bar_config(self, *, disable: bool) -> None:
        assert disable

    def __call__(self, **asked: Any) -> Any:
        self.asked.append(asked)
        if self.fails == "draw":
            raise RuntimeError("out of\nmemory")

        def save(file: IO[bytes], format: str) -> None:  # noqa: A002
            assert format == "PNG"
            file.write(PNG + repr(sorted(asked.items())).encode())

        return SimpleNamespace(images=[SimpleNamespace(save=save)])


class Noise:
    """A generator that knows its seed alone."""

    def __init__(self, device: str) -> None:
        self.device, self.seed = device, -1

    def manual_seed(self, seed: int) -> Noise:
        assert 0 <= seed < 2**63
        self.seed = seed
        return self

    def __repr__(self) -> str:
        return f"Noise({self.device}, {self.seed})"


@pytest.fixture(autouse=True)
def pipeline(monkeypatch: pytest.MonkeyPatch) -> type[Pipeline]:
    """Stand-ins for diffusers and torch."""
    Pipeline.loaded, Pipeline.asked, Pipeline.fails = [], [], None
    diffusers, torch = ModuleType("diffusers"), ModuleType("torch")
    vars(diffusers).update(DiffusionPipeline=Pipeline, __spec__=SimpleNamespace(name="diffusers"))
    vars(torch).update(
        Generator=Noise,
        cuda=SimpleNamespace(is_available=lambda: False),
        float32="float32",
        float16="float16",
        __spec__=SimpleNamespace(name="torch"),
    )
    monkeypatch.setitem(sys.modules, "diffusers", diffusers)
    monkeypatch.setitem(sys.modules, "torch", torch)
    return Pipeline


class TestDiffusersRenderer(RendererContract):
    @pytest.fixture
    def renderer(self, tmp_path: Path) -> Renderer:
        return DiffusersRenderer("models/sd", tmp_path)


def test_it_asks_the_pipeline_for_what_it_was_told(
    pipeline: type[Pipeline], tmp_path: Path
) -> None:
    renderer = DiffusersRenderer(
        "models/sd", tmp_path, size=(64, 32), steps=5, seed=3, options={"guidance_scale": 7.5}
    )
    assert pipeline.loaded == [], "nothing is loaded before the first picture"
    shown = renderer.render(["a castle", "a tower", "a castle"])
    assert pipeline.loaded == [
        ("models/sd", {"use_safetensors": True, "torch_dtype": "float32"}),
        ("cpu", {}),
    ]
    assert len(pipeline.asked) == 2
    first = pipeline.asked[0] | {"generator": None}
    assert first == {
        "prompt": "a castle",
        "generator": None,
        "width": 64,
        "height": 32,
        "num_inference_steps": 5,
        "guidance_scale": 7.5,
    }
    assert Path(str(shown[0].image)).read_bytes().startswith(PNG)
    assert shown[0].image == shown[2].image != shown[1].image


def test_noise_depends_on_the_seed_and_the_prompt_alone(
    pipeline: type[Pipeline], tmp_path: Path
) -> None:
    for folder, prompts in (("a", ["a castle", "noon"]), ("b", ["noon"])):
        DiffusersRenderer("sd", tmp_path / folder, device="cuda:1").render(prompts)
    DiffusersRenderer("sd", tmp_path / "c", seed=2**40).render(["noon"])
    castle, noon, again, other = (repr(asked["generator"]) for asked in pipeline.asked)
    assert noon == again
    assert len({castle, noon, other}) == 3
    assert ("sd", {"use_safetensors": True, "torch_dtype": "float16"}) in pipeline.loaded
    assert ("cuda:1", {}) in pipeline.loaded


def test_other_settings_make_other_pictures(pipeline: type[Pipeline], tmp_path: Path) -> None:
    first = DiffusersRenderer("sd", tmp_path).render(["noon"])
    assert DiffusersRenderer("sd", tmp_path).render(["noon"]) == first
    assert len(pipeline.asked) == 1, "what was drawn before is not drawn again"
    DiffusersRenderer("sd", tmp_path, seed=1).render(["noon"])
    DiffusersRenderer("other", tmp_path).render(["noon"])
    assert len(pipeline.asked) == 3
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize(
    ("fails", "says"),
    [
        ("load", "sd cannot be loaded: no such model"),
        ("draw", "sd could not draw 'noon': out of memory"),
    ],
)
def test_what_fails_is_one_line(
    pipeline: type[Pipeline], tmp_path: Path, fails: str, says: str
) -> None:
    pipeline.fails = fails
    with pytest.raises(ModelError) as caught:
        DiffusersRenderer("sd", tmp_path).render(["noon"])
    assert str(caught.value) == says
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("missing", ["diffusers", "torch"])
def test_a_missing_extra_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    find: Callable[[str], Any] = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == missing else find(name)
    )
    with pytest.raises(MissingExtraError) as caught:
        DiffusersRenderer("sd", tmp_path)
    assert str(caught.value) == f'{missing} is not installed: pip install "palate[images]"'


@pytest.mark.parametrize(
    "settings", [{"size": (60, 64)}, {"size": (0, 8)}, {"steps": 0}, {"seed": -1}]
)
def test_mistakes_are_one_line(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        DiffusersRenderer("sd", tmp_path, **settings)
