from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate import Pool
from palate._cache import Cache
from palate.embed import CachedEmbedder, RemoteEmbedder, StaticEmbedder, default_embedder
from palate.errors import ModelError, ParameterError
from palate.testing import EmbedderContract

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import ArrayLike, NDArray

    from palate.bench.fake_server import FakeServer

TEXTS = ["", "a", "b", "half an emoji \ud83d", "half an emoji ?", "東京", "a\0b", "long " * 5000]


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache(tmp_path / "vectors.sqlite") as opened:
        yield opened


class Counting:
    """An embedder that remembers what it was asked, and fails at a text."""

    identity, name, scaling = "counting 1", "counting", "diameter"

    def __init__(self, dtype: Any = np.float64, d: int = 3, at_once: int = 4) -> None:
        self.dtype, self.d, self.at_once = dtype, d, at_once
        self.asked: list[list[str]] = []
        self.fails_at: str | None = None

    def __call__(self, texts: Sequence[str]) -> NDArray[Any]:
        self.asked.append(list(texts))
        if self.fails_at in texts:
            raise ModelError("out of money")
        seeds = [sum(map(ord, text)) + len(text) for text in texts]
        rows = [np.random.default_rng(seed).normal(size=self.d) for seed in seeds]
        return np.array(rows).astype(self.dtype)


class TestContract(EmbedderContract):
    @pytest.fixture
    def embedder(self, cache: Cache) -> CachedEmbedder:
        return CachedEmbedder(default_embedder(), cache)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, ">f8"])
def test_vectors_come_back_to_the_last_bit(cache: Cache, dtype: Any) -> None:
    inner = Counting(dtype)
    expected = inner(TEXTS)
    first = CachedEmbedder(inner, cache)(TEXTS)
    inner.asked.clear()
    with Cache(cache.path) as opened_again:
        again = CachedEmbedder(inner, opened_again)(TEXTS)
    assert inner.asked == []
    for rows in (first, again):
        assert rows.dtype == np.dtype(dtype).newbyteorder("=")
        np.testing.assert_array_equal(rows, expected)


def test_only_texts_not_had_are_asked_about_each_once(cache: Cache) -> None:
    inner = Counting()
    embedder = CachedEmbedder(inner, cache)
    rows = embedder(["a", "b", "a"])
    assert inner.asked == [["a", "b"]]
    np.testing.assert_array_equal(rows, inner(["a", "b", "a"]))
    inner.asked.clear()
    rows = embedder(["c", "b", "c", "a"])
    assert inner.asked == [["c"]]
    np.testing.assert_array_equal(rows, inner(["c", "b", "c", "a"]))


def test_what_was_made_before_a_failure_is_kept(cache: Cache) -> None:
    inner = Counting(at_once=2)
    inner.fails_at = "text 5"
    texts = [f"text {n}" for n in range(8)]
    with pytest.raises(ModelError, match="out of money"):
        CachedEmbedder(inner, cache)(texts)
    assert inner.asked == [texts[:2], texts[2:4], texts[4:6]]
    inner.asked.clear()
    inner.fails_at = None
    CachedEmbedder(inner, cache)(texts)
    assert inner.asked == [texts[4:6], texts[6:]]


def test_nothing_paid_to_a_server_is_paid_twice(server: FakeServer, cache: Cache) -> None:
    texts = [f"text {n}" for n in range(12)]
    server.faults.extend([None] * 4 + ["401"] * 2)
    with RemoteEmbedder("m", base_url=server.url, batch=2, concurrency=2, attempts=1) as inner:
        with pytest.raises(ModelError, match="401"):
            CachedEmbedder(inner, cache)(texts)
        rows = CachedEmbedder(inner, cache)(texts)
    np.testing.assert_array_equal(rows, [server.embed(text) for text in texts])
    answered = [text for body in server.requests for text in body["input"]]
    assert sorted(answered[:8] + answered[-4:]) == sorted(texts)
    assert server.served == len(texts) // 2


def test_another_identity_is_another_embedder(cache: Cache, tmp_path: Path) -> None:
    inner = Counting()
    CachedEmbedder(inner, cache)(["a"])
    CachedEmbedder(inner, cache, identity="counting 2")(["a"])
    assert len(inner.asked) == 2
    inner.asked.clear()
    CachedEmbedder(inner, cache, identity="counting 1")(["a"])
    assert inner.asked == []


def test_a_function_needs_an_identity(cache: Cache) -> None:
    def lengths(texts: Sequence[str]) -> ArrayLike:
        return [[len(text), 1] for text in texts]

    with pytest.raises(ParameterError, match=r"lengths has no identity .* identity="):
        CachedEmbedder(lengths, cache)
    embedder = CachedEmbedder(lengths, cache, identity="lengths 1")
    assert embedder.name == "lengths"
    for _ in range(2):
        rows = embedder(["abc", "de"])
        assert rows.dtype == np.float64
        assert rows.tolist() == [[3.0, 1.0], [2.0, 1.0]]


def test_name_and_scaling_are_the_embedders(cache: Cache) -> None:
    pool = Pool.from_texts("Dinner?", ["a", "b", "c"], CachedEmbedder(Counting(), cache))
    assert (pool.embedder, pool.scaling) == ("counting", "diameter")
    same = Pool.from_texts("Dinner?", ["a", "b", "c"], Counting())
    assert pool.features_fingerprint == same.features_fingerprint
    shipped = Pool.from_texts("Dinner?", ["a", "b"], CachedEmbedder(default_embedder(), cache))
    assert (shipped.embedder, shipped.scaling) == ("minilm64", "half")


@pytest.mark.parametrize(
    "made",
    [
        [[1.0, np.nan]],
        [[1.0], [2.0]],
        [1.0],
        [[]],
        [["a"]],
        [[1.0], [1.0, 2.0]],
        None,
    ],
)
def test_what_is_no_vector_is_refused_and_not_kept(cache: Cache, made: Any) -> None:
    with pytest.raises(ModelError) as error:
        CachedEmbedder(lambda _: made, cache, identity="odd")(["a text"])
    assert "\n" not in str(error.value)
    assert CachedEmbedder(lambda _: [[1.0]], cache, identity="odd")(["a text"]).tolist() == [[1.0]]


@pytest.mark.parametrize("other", [Counting(d=2), Counting(np.float32)])
def test_one_identity_for_two_kinds_of_vectors_is_noticed(cache: Cache, other: Counting) -> None:
    CachedEmbedder(Counting(), cache)(["a"])
    with pytest.raises(ModelError, match=r"under one identity \(counting 1\)"):
        CachedEmbedder(other, cache)(["a", "b"])


def test_no_texts_are_the_embedders_affair(cache: Cache) -> None:
    assert CachedEmbedder(default_embedder(), cache)([]).shape == (0, 64)


def test_a_single_string_is_refused(cache: Cache) -> None:
    with pytest.raises(TypeError, match="list of texts"):
        CachedEmbedder(default_embedder(), cache)("a text")


def test_the_file_in_the_cache_folder_is_the_default(tmp_path: Path) -> None:
    embedder = CachedEmbedder(StaticEmbedder())
    with embedder._cache:
        embedder(["a text"])
    assert (tmp_path / "cache" / "palate" / "cache.sqlite").is_file()
