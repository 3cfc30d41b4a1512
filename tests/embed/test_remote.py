from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate import Pool
from palate.embed import RemoteEmbedder
from palate.errors import ModelError, ParameterError
from palate.testing import EmbedderContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from palate.bench.fake_server import FakeServer

    Remote: TypeAlias = Callable[..., RemoteEmbedder]

TEXTS = [f"{'word ' * n}text {n}" for n in range(10)]


@pytest.fixture
def remote(server: FakeServer) -> Iterator[Remote]:
    """Makes embedders that ask the server, and closes them."""
    with contextlib.ExitStack() as made:

        def make(**settings: Any) -> RemoteEmbedder:
            settings = {"base_url": server.url} | settings
            return made.enter_context(RemoteEmbedder("vectors-1", **settings))

        yield make


class TestContract(EmbedderContract):
    @pytest.fixture
    def embedder(self, remote: Remote) -> RemoteEmbedder:
        return remote(batch=4)


def test_rows_are_the_texts_own_whatever_the_order_of_the_answer(
    server: FakeServer, remote: Remote
) -> None:
    rows = remote(batch=3)(TEXTS)
    assert rows.dtype == np.float64
    np.testing.assert_array_equal(rows, [server.embed(text) for text in TEXTS])
    assert sorted(len(body["input"]) for body in server.requests) == [1, 3, 3, 3]


def test_requests_under_way_are_bounded(server: FakeServer, remote: Remote) -> None:
    server.delay = 0.05
    remote(batch=1, concurrency=3)(TEXTS)
    assert server.at_once == 3
    assert len(server.requests) == len(TEXTS)


def test_a_blank_text_is_sent_as_a_space(server: FakeServer, remote: Remote) -> None:
    remote()(["", "a", " \n"])
    assert server.requests[0]["input"] == [" ", "a", " "]


def test_no_texts_ask_nothing(server: FakeServer, remote: Remote) -> None:
    assert remote()([]).shape == (0, 0)
    assert remote(dimensions=8)([]).shape == (0, 8)
    assert server.requests == []


def test_the_request_holds_model_texts_and_options_alone(
    server: FakeServer, remote: Remote
) -> None:
    remote()(["a"])
    remote(dimensions=3, options={"user": "me", "dimensions": None})(["a"])
    remote(dimensions=3)(["a"])
    assert server.requests == [
        {"model": "vectors-1", "input": ["a"]},
        {"model": "vectors-1", "input": ["a"], "user": "me"},
        {"model": "vectors-1", "input": ["a"], "dimensions": 3},
    ]


@pytest.mark.parametrize("fault", ["429", "503", "cut", "cut-json", "fewer"])
def test_what_fails_for_the_moment_is_tried_again(
    server: FakeServer, remote: Remote, fault: str
) -> None:
    server.faults.append(fault)
    rows = remote(attempts=2)(["a", "b"])
    np.testing.assert_array_equal(rows, [server.embed("a"), server.embed("b")])
    assert len(server.requests) == 2


def test_vectors_for_other_texts_are_one_line(server: FakeServer, remote: Remote) -> None:
    server.always = "fewer"
    with pytest.raises(ModelError, match=r"1 vectors, or not one each, for 2 texts \(tried once"):
        remote(attempts=1)(["a", "b"])


def test_a_server_of_chats_alone_is_one_line(server: FakeServer, remote: Remote) -> None:
    with pytest.raises(ModelError, match=r"404 .*Not found"):
        remote(base_url=server.url + "/elsewhere")(["a"])


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        ([1.0, math.nan], "not finite for the text 'a text'"),
        ([math.inf], "not finite"),
        ([1.0, None], "not finite"),
        (None, "shape"),
        (1.0, "shape"),
        ([], "shape"),
        ("Zm9vYmFy" * 100, "no lists of equally many numbers"),
        ({"values": [1.0]}, "no lists of equally many numbers"),
    ],
)
def test_what_is_no_vector_is_one_short_line(
    server: FakeServer, remote: Remote, vector: Any, message: str
) -> None:
    server.embed = lambda _: vector
    with pytest.raises(ModelError, match=message) as error:
        remote()(["a text"])
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400
    assert len(server.requests) == 1, "the same vector would come again"


@pytest.mark.parametrize("batch", [1, 2])
def test_vectors_of_different_lengths_are_refused(
    server: FakeServer, remote: Remote, batch: int
) -> None:
    server.embed = lambda text: [1.0] * len(text)
    with pytest.raises(ModelError, match=r"1 numbers for some texts and 2|equally many"):
        remote(batch=batch)(["a", "bb"])


def test_ignored_dimensions_are_noticed(remote: Remote) -> None:
    with pytest.raises(ModelError, match="gave 3 numbers a text and was asked for 2"):
        remote(dimensions=2)(["a"])


def test_identity_names_the_server_the_model_and_what_changes_vectors(
    server: FakeServer, remote: Remote
) -> None:
    plain = remote(api_key="secret")
    assert server.url in plain.identity
    assert "vectors-1" in plain.identity
    assert "secret" not in plain.identity
    assert remote(batch=7, concurrency=1, timeout=3.0).identity == plain.identity
    others = [remote(dimensions=2), remote(options={"user": "me"})]
    assert len({plain.identity, *(other.identity for other in others)}) == 3


def test_a_pool_is_made_with_it(remote: Remote) -> None:
    pool = Pool.from_texts("Dinner?", TEXTS, remote())
    assert (pool.embedder, pool.scaling) == ("vectors-1", "half")


@pytest.mark.parametrize(
    "settings",
    [{"batch": 0}, {"concurrency": 0}, {"dimensions": 0}, {"timeout": 0.0}, {"attempts": 0}],
)
def test_settings_out_of_range_are_refused(
    server: FakeServer, remote: Remote, settings: dict[str, Any]
) -> None:
    with pytest.raises(ParameterError, match=r"at least|above 0"):
        remote(**settings)


def test_a_model_must_be_named() -> None:
    with pytest.raises(ParameterError, match="name an embedding model"):
        RemoteEmbedder("", base_url="http://localhost:1/v1")


def test_without_a_key_or_a_server_there_is_one_line() -> None:
    with pytest.raises(ModelError, match="OPENAI_API_KEY"):
        RemoteEmbedder("vectors-1")


def test_a_closed_one_says_so(remote: Remote) -> None:
    embedder = remote()
    embedder(["a"])
    embedder.close()
    with pytest.raises(ModelError):
        embedder(["a"])
