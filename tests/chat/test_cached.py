"""A cached answer is the one that the model gave to the same question, and costs nothing."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from palate._cache import Cache
from palate.chat import CachedModel, Completion, OpenAIModel, Usage
from palate.errors import ModelError
from palate.testing import ChatModelContract, ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from palate.bench.fake_server import FakeServer
    from palate.chat import ChatModel, Message

HELLO: Sequence[Message] = [{"role": "user", "content": "Dinner tonight?"}]


def counting(identity: str = "scripted") -> ScriptedModel:
    return ScriptedModel((f"{identity} {i}" for i in range(100)), identity=identity)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache(tmp_path / "cache.sqlite") as made:
        yield made


class TestCachedModel(ChatModelContract):
    @pytest.fixture
    def model(self, cache: Cache) -> ChatModel:
        return CachedModel(counting(), cache)


def test_an_answer_is_given_again(cache: Cache) -> None:
    model = CachedModel(counting(), cache)
    first = model.complete(HELLO, temperature=0.0)
    assert first == Completion("scripted 0", Usage(4, 3, estimated=True), "scripted")
    assert model.hits == 0
    for zero in (0.0, 0, -0.0):
        again = model.complete(tuple(HELLO), temperature=zero)
        assert again == Completion("scripted 0", Usage(), "scripted", cached=True)
    assert model.hits == 3
    assert len(model.model.asked) == 1  # type: ignore[attr-defined]  # it is a scripted one


def test_a_sample_is_never_kept(cache: Cache) -> None:
    model = CachedModel(counting(), cache)
    said = [model.complete(HELLO, temperature=t).text for t in (1.0, 1.0, None, None, 0.0, 0.1)]
    assert said == [f"scripted {i}" for i in range(6)]
    assert model.hits == 0


def test_what_is_asked_otherwise_is_asked_anew(cache: Cache) -> None:
    model = CachedModel(counting(), cache)
    said = [
        model.complete(HELLO, temperature=0.0).text,
        model.complete(HELLO, temperature=0.0, seed=0).text,
        model.complete(HELLO, temperature=0.0, seed=1).text,
        model.complete([{"role": "system", "content": "Dinner tonight?"}], temperature=0.0).text,
        model.complete([*HELLO, *HELLO], temperature=0.0).text,
        model.complete([{"role": "user", "content": "Dinner tonight"}], temperature=0.0).text,
        model.complete([{"role": "user", "content": "half \ud83d"}], temperature=0.0).text,
    ]
    assert len(set(said)) == len(said)
    other = CachedModel(counting("another"), cache)
    assert other.complete(HELLO, temperature=0.0).text == "another 0"
    assert model.hits == other.hits == 0


def test_another_server_model_or_option_is_asked_anew(server: FakeServer, cache: Cache) -> None:
    made = [
        OpenAIModel("m", base_url=server.url),
        OpenAIModel("n", base_url=server.url),
        OpenAIModel("m", base_url=server.url, options={"max_tokens": 5}),
        OpenAIModel("m", base_url=server.url.replace("127.0.0.1", "localhost")),
    ]
    for _ in range(2):
        texts = [CachedModel(m, cache).complete(HELLO, temperature=0.0).text for m in made]
        assert texts == [f"reply {i}" for i in range(4)]
    assert len(server.requests) == 4
    for model in made:
        model.close()


@pytest.mark.parametrize("replies", [[], [""]])
def test_nothing_is_no_answer_to_keep(cache: Cache, replies: list[str]) -> None:
    failing = CachedModel(ScriptedModel(replies), cache)
    if replies:
        assert not failing.complete(HELLO, temperature=0.0).text
    with pytest.raises(ModelError, match="no reply left"):
        failing.complete(HELLO, temperature=0.0)
    assert CachedModel(ScriptedModel(["at last"]), cache).complete(HELLO, temperature=0.0).text


def test_whether_it_was_cut_off_is_kept(cache: Cache) -> None:
    class Cut(ScriptedModel):
        def complete(self, *_: object, **__: object) -> Completion:
            return Completion("cut", truncated=True)

    for _ in range(2):
        assert CachedModel(Cut([]), cache).complete(HELLO, temperature=0.0).truncated


def test_threads_share_it(cache: Cache) -> None:
    def say(messages: Sequence[Message]) -> str:
        return "re: " + messages[-1]["content"]

    model = CachedModel(ScriptedModel(say), cache)

    def ask(i: int) -> str:
        question = [{"role": "user", "content": f"{i % 10}"}]
        return model.complete(question, temperature=0.0).text

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(100))) == [f"re: {i % 10}" for i in range(100)]
    before = model.hits
    assert [ask(i) for i in range(10)] == [f"re: {i}" for i in range(10)]
    assert model.hits == before + 10


def test_processes_share_the_file_of_the_environment() -> None:
    program = (
        "from palate.chat import CachedModel; from palate.testing import ScriptedModel\n"
        "import sys; model = CachedModel(ScriptedModel(sys.argv[1:]))\n"
        "print(model.complete([{'role': 'user', 'content': 'Hm?'}], temperature=0.0).text)"
    )
    for replies in (["first"], []):
        done = subprocess.run(
            [sys.executable, "-c", program, *replies], capture_output=True, text=True, check=True
        )
        assert done.stdout == "first\n"
