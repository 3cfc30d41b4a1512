"""From prompts to what is shown; whatever a server of pictures does, nothing is made twice."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from palate.bench.fake_server import PNG
from palate.chat import _endpoint
from palate.design import ImagesApiRenderer, TextRenderer
from palate.design._pictures import suffix_of
from palate.errors import ModelError, ParameterError
from palate.testing import RendererContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from palate.bench.fake_server import FakeServer
    from palate.design import Renderer
    from palate.pool import Response

KEY = "sk-secret-0123456789"
PROMPTS = ["a castle, golden hour glow", "a robot watering plants", "a castle"]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_endpoint, "_FIRST_WAIT", 0.001)


@pytest.fixture
def renderer(server: FakeServer, tmp_path: Path) -> Iterator[ImagesApiRenderer]:
    with ImagesApiRenderer(
        "m", tmp_path, base_url=server.url, api_key=KEY, timeout=5.0, attempts=3, concurrency=1
    ) as made:
        yield made


def content(response: Response) -> bytes:
    """The picture that is shown."""
    assert response.text is None
    return Path(str(response.image)).read_bytes()


def refusal(ask: Callable[[], Any]) -> str:
    """The message of the ModelError: one line, without the key, within seconds."""
    began = time.monotonic()
    with pytest.raises(ModelError) as caught:
        ask()
    assert time.monotonic() - began < 5.0
    assert str(caught.value).isprintable()
    assert KEY not in str(caught.value)
    return str(caught.value)


class TestTextRenderer(RendererContract):
    @pytest.fixture
    def renderer(self) -> Renderer:
        return TextRenderer()


class TestImagesApiRenderer(RendererContract):
    @pytest.fixture
    def renderer(self, server: FakeServer, tmp_path: Path) -> Iterator[Renderer]:
        with ImagesApiRenderer("m", tmp_path / "new" / "folder", base_url=server.url) as made:
            yield made


def test_text_is_shown_as_it_is() -> None:
    assert [r.text for r in TextRenderer().render(PROMPTS)] == PROMPTS


def test_a_request_says_what_was_asked(server: FakeServer, tmp_path: Path) -> None:
    options = {"quality": "low", "n": None}
    with ImagesApiRenderer(
        "m", tmp_path, base_url=server.url, size="512x512", options=options
    ) as renderer:
        renderer.render(["a castle"])
    expected = {"model": "m", "prompt": "a castle", "size": "512x512", "quality": "low"}
    assert server.requests == [expected]


def test_pictures_are_kept_as_they_came(server: FakeServer, renderer: ImagesApiRenderer) -> None:
    shown = renderer.render([*PROMPTS, PROMPTS[0]])
    assert [content(r) for r in shown] == [PNG + p.encode() for p in [*PROMPTS, PROMPTS[0]]]
    assert len(server.requests) == 3
    assert all(str(r.image).endswith(".png") for r in shown)


def test_what_was_made_is_not_made_again(
    server: FakeServer, renderer: ImagesApiRenderer, tmp_path: Path
) -> None:
    """An interrupted run goes on where it was, also in another process."""
    server.faults.extend([None, "401"])
    refusal(lambda: renderer.render(PROMPTS))
    assert len(server.requests) == 2
    with ImagesApiRenderer("m", tmp_path, base_url=server.url) as again:
        shown = again.render(PROMPTS)
    assert {r["prompt"] for r in server.requests[2:]} == set(PROMPTS[1:])
    assert len(server.requests) == 4
    assert [content(r) for r in shown] == [PNG + p.encode() for p in PROMPTS]
    with ImagesApiRenderer("m", tmp_path, base_url=server.url, size="64x64") as other:
        other.render(PROMPTS[:1])
    assert len(server.requests) == 5, "another size is another picture"
    assert sorted(p.name for p in tmp_path.iterdir() if p.name.startswith(".")) == []


def test_a_picture_may_come_as_an_address(server: FakeServer, renderer: ImagesApiRenderer) -> None:
    server.faults.extend(["url"])
    assert content(renderer.render(["a castle"])[0]) == PNG + b"a castle"
    assert [list(r) for r in server.requests] == [["model", "n", "prompt"], ["get"]]


def test_a_picture_that_was_made_is_fetched_again_and_not_made_again(
    server: FakeServer, renderer: ImagesApiRenderer
) -> None:
    server.faults.extend(["url", "503", "cut", None])
    assert content(renderer.render(["a castle"])[0]) == PNG + b"a castle"
    assert ["get" in r for r in server.requests] == [False, True, True, True]
    server.faults.extend(["url", "not-a-picture", "not-a-picture", "not-a-picture"])
    assert "is no PNG, JPEG, GIF or WebP" in refusal(lambda: renderer.render(["a tower"]))
    server.faults.extend(["url", "redirect"])
    assert "it redirects to" in refusal(lambda: renderer.render(["a tower"]))


def test_no_other_server_is_asked(server: FakeServer, renderer: ImagesApiRenderer) -> None:
    server.always = "url-elsewhere"
    said = refusal(lambda: renderer.render(["a castle"]))
    assert "refers to another server, which is not asked: http://elsewhere.example" in said
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "fault", "429 500 503 cut cut-json html html-502 no-picture not-a-picture not-base64".split()
)
def test_what_fails_for_the_moment_is_tried_again(
    server: FakeServer, renderer: ImagesApiRenderer, fault: str
) -> None:
    server.faults.extend([fault, fault])
    assert content(renderer.render(["a castle"])[0]) == PNG + b"a castle"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "says", "requests"),
    [
        ("429", "429 Too Many Requests: Rate limit reached (tried 3 times)", 3),
        ("no-picture", "the server's answer holds no picture (tried 3 times)", 3),
        ("not-a-picture", "is no PNG, JPEG, GIF or WebP picture (tried 3 times)", 3),
        ("not-base64", "is cut off, or is not base64 (tried 3 times)", 3),
        ("401", "Incorrect API key provided: ***; check OPENAI_API_KEY", 1),
        ("429-quota", "You exceeded your current quota", 1),
        ("redirect", "it redirects to https://elsewhere.example", 1),
    ],
)
def test_what_goes_on_failing_is_one_line(
    server: FakeServer, renderer: ImagesApiRenderer, fault: str, says: str, requests: int
) -> None:
    server.always = fault
    assert says in refusal(lambda: renderer.render(["a castle"]))
    assert len(server.requests) == requests
    server.always = None
    renderer.render(["a castle"])
    assert len(server.requests) == requests + 1, "nothing was kept of what failed"


def test_a_server_that_hangs_is_given_up(server: FakeServer, tmp_path: Path) -> None:
    for faults in (["hang"], ["url", "hang"]):
        server.faults.extend(faults)
        with ImagesApiRenderer(
            "m", tmp_path, base_url=server.url, timeout=0.2, attempts=1
        ) as renderer:
            said = refusal(lambda renderer=renderer: renderer.render(["a castle"]))  # type: ignore[misc]
        assert "no answer within 0.2 s (tried once)" in said


def test_an_option_that_the_server_refuses_is_named(server: FakeServer, tmp_path: Path) -> None:
    server.known = frozenset({"model", "prompt", "n"})
    with ImagesApiRenderer("m", tmp_path, base_url=server.url, size="9x9") as renderer:
        said = refusal(lambda: renderer.render(["a castle"]))
    assert said.endswith("it refuses the option size: leave it out")


def test_a_prompt_that_the_server_refuses_is_no_option(
    server: FakeServer, renderer: ImagesApiRenderer
) -> None:
    server.known = frozenset({"model", "n"})
    assert refusal(lambda: renderer.render(["a castle"])).endswith("supplied: prompt")


def test_a_disk_that_is_full_is_one_line(
    renderer: ImagesApiRenderer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    said = refusal(lambda: renderer.render(["a castle"]))
    assert "cannot keep the picture" in said
    assert said.endswith("No space left on device")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"model": ""}, "name an image model"),
        ({"concurrency": 0}, "concurrency is at least 1, not 0"),
        ({"options": {"x": float("nan")}}, "the options go into the request as JSON"),
    ],
)
def test_mistakes_are_one_line(tmp_path: Path, settings: dict[str, Any], says: str) -> None:
    given: dict[str, Any] = {
        "model": "m",
        "folder": tmp_path,
        "base_url": "http://127.0.0.1:9/v1",
    } | settings
    with pytest.raises(ParameterError, match=says):
        ImagesApiRenderer(**given)


def test_a_folder_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ParameterError, match=r"cannot keep pictures in .*file"):
        ImagesApiRenderer("m", tmp_path / "file", base_url="http://127.0.0.1:9/v1")
    with pytest.raises(ModelError, match="no model server"):
        ImagesApiRenderer("m", tmp_path)


@pytest.mark.parametrize(
    ("begins", "suffix"),
    [
        (PNG, ".png"),
        (b"\xff\xd8\xff\xe0", ".jpg"),
        (b"GIF89a", ".gif"),
        (b"RIFF\x00\x00\x00\x00WEBP", ".webp"),
        (b"RIFF\x00\x00\x00\x00WAVE", None),
        (b"<html>", None),
        (b"", None),
    ],
)
def test_pictures_are_told_by_how_they_begin(begins: bytes, suffix: str | None) -> None:
    assert suffix_of(begins) == suffix
