"""Pools: what they accept, and how they scale features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from palate.errors import PoolError
from palate.pool import (
    EXACT_DIAMETER,
    Pool,
    Response,
    Scaling,
    diameter,
    unique_responses,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from palate._typing import Features, FloatArray

SCALINGS: tuple[Scaling, ...] = get_args(Scaling)
TEXTS = ["Soup.", "A salad with lentils.", "Bread, butter and a pear."]


def by_letters(texts: Sequence[str]) -> FloatArray:
    return np.array([[text.count(c) for c in "etaoinsl"] for text in texts], dtype=np.float64)


def distances(features: Features) -> FloatArray:
    x = features.astype(np.float64)
    return np.sqrt(((x[:, None] - x) ** 2).sum(axis=2))


def random_features(n: int, d: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).normal(size=(n, d))


def numbered(n: int) -> list[str]:
    return [f"Text {i}." for i in range(n)]


# --- responses ----------------------------------------------------------------------------------


def test_strings_become_responses_named_by_their_place() -> None:
    pool = Pool("Dinner?", TEXTS)
    assert [r.id for r in pool.responses] == ["r1", "r2", "r3"]
    assert [r.text for r in pool.responses] == TEXTS
    assert len(pool) == 3
    assert pool.features is None
    assert pool.features_fingerprint == "none"


def test_a_response_is_a_text_or_an_image() -> None:
    pool = Pool("Poster?", [Response("a", "words"), Response("b", image="b.png"), "more words"])
    assert [(r.id, r.text, r.image) for r in pool.responses] == [
        ("a", "words", None),
        ("b", None, "b.png"),
        ("r3", "more words", None),
    ]


@pytest.mark.parametrize("id_", ["", None, 3])
def test_a_response_needs_an_id(id_: Any) -> None:
    with pytest.raises(PoolError, match="id must be a non-empty string"):
        Response(id_, "text")


@pytest.mark.parametrize(("text", "image"), [(None, None), ("", None), (" \n\t", None), ("", "")])
def test_an_empty_response_is_refused_by_its_id(text: str | None, image: str | None) -> None:
    with pytest.raises(PoolError, match="'x' is empty"):
        Response("x", text, image)


@pytest.mark.parametrize(("text", "image"), [(5, None), (None, Path("a.png")), (b"text", None)])
def test_text_and_image_are_strings(text: Any, image: Any) -> None:
    with pytest.raises(PoolError, match="'x': text and image are strings"):
        Response("x", text, image)


def test_a_place_is_found_by_id() -> None:
    pool = Pool("Dinner?", TEXTS)
    assert [pool.index(i) for i in ("r1", "r2", "r3")] == [0, 1, 2]
    with pytest.raises(PoolError, match="'r4'"):
        pool.index("r4")


def test_an_empty_pool_is_refused() -> None:
    with pytest.raises(PoolError, match="at least one response"):
        Pool("Dinner?", [])


def test_a_single_string_is_no_list_of_responses() -> None:
    with pytest.raises(PoolError, match="single string"):
        Pool("Dinner?", "Soup.")
    with pytest.raises(PoolError, match="single string"):
        Pool.from_texts("Dinner?", "Soup.", by_letters)


@pytest.mark.parametrize("prompt", [None, 3, ["Dinner?"]])
def test_the_prompt_is_a_string(prompt: Any) -> None:
    with pytest.raises(PoolError, match="prompt must be a string"):
        Pool(prompt, TEXTS)


def test_equal_responses_are_refused_by_their_ids() -> None:
    with pytest.raises(PoolError, match="'r1' and 'r3' are the same"):
        Pool("Dinner?", ["Soup.", "Stew.", "Soup."])
    with pytest.raises(PoolError, match="'a' and 'b' are the same"):
        Pool("Poster?", [Response("a", image="x.png"), Response("b", image="x.png")])


def test_equal_ids_are_refused() -> None:
    with pytest.raises(PoolError, match="two responses have the id 'r2'"):
        Pool("Dinner?", [Response("r2", "Soup."), "Stew."])


def test_a_single_response_is_a_pool_under_every_scaling() -> None:
    for scaling in SCALINGS:
        pool = Pool("Dinner?", ["Soup."], [[0.3, 0.4]], scaling=scaling)
        assert pool.features is not None
        assert np.sqrt((pool.features**2).sum()) == pytest.approx(0.5)


def test_the_baseline_is_kept_and_is_no_candidate() -> None:
    pool = Pool("Dinner?", TEXTS, baseline="Toast.")
    assert pool.baseline == Response("baseline", "Toast.")
    assert len(pool) == 3
    given = Response("t0", "Soup.")  # the baseline may equal a candidate
    assert Pool("Dinner?", TEXTS, baseline=given).baseline is given


def test_unique_responses_keep_the_first_of_equal_ones() -> None:
    listed = [Response(i, text) for i, text in zip("abcd", ["x", "y", "x", "z"], strict=True)]
    assert [r.id for r in unique_responses(listed)] == ["a", "b", "d"]


# --- features -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("features", "said"),
    [
        (np.zeros((2, 3)), r"shape \(3, d\), one row a response, not \(2, 3\)"),
        (np.zeros((3, 0)), r"not \(3, 0\)"),
        (np.zeros(3), r"not \(3,\)"),
        (np.zeros((3, 1, 1)), r"not \(3, 1, 1\)"),
        ([[1.0], [2.0, 3.0], [4.0]], "numeric"),
        ([["a"], ["b"], ["c"]], "numeric"),
        ([[1.0], [None], [2.0]], "row 1 has a NaN"),
        ([[0.0, 1.0], [0.0, 2.0], [np.nan, 0.0]], "row 2 has a NaN"),
        ([[0.0], [np.inf], [1.0]], "row 1 has a NaN or an infinity"),
        ([[0.0], [1e200], [1.0]], "1e[+]150"),
        ([[0.0], [10**400], [1.0]], "numeric"),
        (np.ones((3, 4)), "all 3 responses have the same features"),
        (np.zeros((3, 4)), "all 3 responses have the same features"),
        ([[0.0], [1e-200], [2e-200]], "all 3 responses have the same features"),
        (
            np.array([[0.0], [1e-44], [1e-40]], np.float32),
            "all 3 responses have the same features",
        ),
    ],
)
def test_features_that_cannot_be_used_are_refused(features: Any, said: str) -> None:
    with pytest.raises(PoolError, match=said):
        Pool("Dinner?", TEXTS, features)


def test_features_of_one_direction_are_refused_under_half() -> None:
    """Unit vectors of 1, 2 and 3 are all 1."""
    for features in ([[1.0], [2.0], [3.0]], [[0.1, 0.7], [0.3, 2.1], [0.9, 6.3]]):
        with pytest.raises(PoolError, match="same direction"):
            Pool("Dinner?", TEXTS, features, scaling="half")
        assert Pool("Dinner?", TEXTS, features, scaling="diameter").features is not None


@pytest.mark.parametrize("scaling", ["quarter", "", None, []])
def test_an_unknown_scaling_is_refused_by_name(scaling: Any) -> None:
    with pytest.raises(PoolError, match="half, diameter, none"):
        Pool("Dinner?", TEXTS, random_features(3, 2), scaling=scaling)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_half_makes_unit_vectors_and_halves_them(dtype: type[np.floating]) -> None:
    features = (random_features(20, 7) * np.geomspace(1e-4, 1e4, 20)[:, None]).astype(dtype)
    features[3] = 0.0
    pool = Pool("Which?", numbered(20), features, scaling="half")
    assert pool.features is not None
    assert (pool.scaling, pool.scale) == ("half", 0.5)
    assert pool.features.dtype == dtype
    lengths = np.sqrt((pool.features.astype(np.float64) ** 2).sum(axis=1))
    assert lengths[3] == 0.0
    assert np.delete(lengths, 3) == pytest.approx(0.5, rel=1e-6)
    assert distances(pool.features).max() <= 1.0 + 1e-6


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("stretch", [1e-20, 1.0, 1e20])
def test_diameter_makes_the_largest_distance_one(dtype: type[np.floating], stretch: float) -> None:
    features = (random_features(60, 5) * stretch).astype(dtype)
    pool = Pool("Which?", numbered(60), features)
    assert pool.features is not None
    assert pool.scaling == "diameter"
    assert pool.features.dtype == dtype
    assert distances(pool.features).max() == pytest.approx(1.0, rel=1e-6)
    assert pool.scale == pytest.approx(1.0 / distances(features).max(), rel=1e-6)


@given(
    npst.arrays(
        np.float64,
        st.tuples(st.integers(1, 40), st.integers(1, 5)),
        elements=st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda v: round(v, 6)),
    )
)
@settings(max_examples=60, deadline=None)
def test_diameter_is_the_largest_distance(features: FloatArray) -> None:
    exact = distances(features).max()
    assert diameter(features) == pytest.approx(exact, rel=1e-7, abs=1e-9)


def test_diameter_is_exact_up_to_its_limit_and_a_bound_beyond() -> None:
    features = random_features(EXACT_DIAMETER + 1, 2, 3)
    features[0], features[-2] = [9.0, 9.0], [-8.0, -8.0]  # far apart, in the first and last block
    exact = np.sqrt(2.0) * 17.0
    assert diameter(features[:-1]) == pytest.approx(exact, rel=1e-12)
    assert exact <= diameter(features) <= 2.0 * exact
    pool = Pool("Which?", numbered(len(features)), features)
    assert pool.features is not None
    widest = np.sqrt(((pool.features[0] - pool.features[-2]) ** 2).sum())
    assert 0.5 <= widest <= 1.0


def test_none_keeps_the_features_and_checks_the_rule() -> None:
    features = np.array([[0.0, 0.0], [0.6, 0.8], [0.3, 0.3]])
    pool = Pool("Dinner?", TEXTS, features, scaling="none")
    assert pool.features is not None
    assert np.array_equal(pool.features, features)
    assert (pool.scaling, pool.scale) == ("none", 1.0)
    with pytest.raises(PoolError, match=r"1\.05 apart and the rule allows 1"):
        Pool("Dinner?", TEXTS, 1.05 * features, scaling="none")


def test_features_are_a_read_only_copy() -> None:
    given = np.array([[0.0], [1.0], [0.5]])
    for scaling in SCALINGS[1:]:
        pool = Pool("Dinner?", TEXTS, given, scaling=scaling)
        assert pool.features is not None
        with pytest.raises(ValueError, match="read-only"):
            pool.features[0, 0] = 9.0
    given[0, 0] = 7.0
    assert pool.features is not None
    assert pool.features[0, 0] == 0.0


@pytest.mark.parametrize("dtype", [np.int64, np.float16, np.bool_, object])
def test_other_numbers_become_double_precision(dtype: type) -> None:
    pool = Pool("Dinner?", TEXTS, np.array([[0, 1], [1, 0], [1, 1]]).astype(dtype))
    assert pool.features is not None
    assert pool.features.dtype == np.float64


def test_equal_features_of_some_responses_are_allowed() -> None:
    pool = Pool("Dinner?", TEXTS, [[0.0], [1.0], [1.0]])
    assert pool.features is not None
    assert pool.features.tolist() == [[0.0], [1.0], [1.0]]


# --- from texts ---------------------------------------------------------------------------------


def test_texts_are_embedded_and_halved() -> None:
    pool = Pool.from_texts("Dinner?", TEXTS, by_letters, id="p7", baseline="Toast.")
    rows = by_letters(TEXTS)
    expected = 0.5 * rows / np.sqrt((rows**2).sum(axis=1, keepdims=True))
    assert pool.features == pytest.approx(expected, abs=1e-15)
    assert (pool.scaling, pool.embedder, pool.id) == ("half", "by_letters", "p7")
    assert pool.baseline == Response("baseline", "Toast.")


def test_the_embedder_gets_a_list_of_the_texts_and_gives_its_name() -> None:
    class Recorder:
        name = "recorder-1"
        seen: Any = None

        def __call__(self, texts: Sequence[str]) -> list[list[float]]:
            self.seen = texts
            return [[float(len(text)), 1.0] for text in texts]

    recorder = Recorder()
    pool = Pool.from_texts("Dinner?", TEXTS, recorder, scaling="diameter")
    assert recorder.seen == TEXTS
    assert isinstance(recorder.seen, list)
    assert pool.embedder == "recorder-1"
    assert pool.scaling == "diameter"


def test_style_features_stand_beside_the_embedding() -> None:
    plain = Pool.from_texts("Dinner?", TEXTS, by_letters)
    styled = Pool.from_texts("Dinner?", TEXTS, by_letters, style=0.3)
    assert plain.features is not None
    assert styled.features is not None
    assert styled.features.shape[1] > plain.features.shape[1]
    assert styled.embedder == "by_letters+style:0.3"


def test_the_default_embedder_makes_64_features() -> None:
    from palate.embed import default_embedder  # noqa: PLC0415 - loads a model

    pool = Pool.from_texts("Dinner?", TEXTS)
    assert pool.features is not None
    assert pool.features.shape == (3, 64)
    assert pool.scaling == "half"
    again = pool.with_features(default_embedder()(TEXTS), scaling="half")
    assert again.features_fingerprint == pool.features_fingerprint


def test_duplicate_texts_are_dropped_on_request_and_keep_their_names() -> None:
    texts = ["Soup.", "Stew.", "Soup.", "Salad."]
    with pytest.raises(PoolError, match="'r1' and 'r3'"):
        Pool.from_texts("Dinner?", texts, by_letters)
    pool = Pool.from_texts("Dinner?", texts, by_letters, drop_duplicates=True)
    assert [r.id for r in pool.responses] == ["r1", "r2", "r4"]


@pytest.mark.parametrize(
    "embedder",
    [
        lambda texts: np.zeros((len(texts) + 1, 2)),
        lambda texts: np.zeros(len(texts)),
        lambda texts: [[np.nan]] * len(texts),
        lambda texts: np.ones((len(texts), 2)),
        lambda texts: [["x"]] * len(texts),
        lambda _: None,
    ],
    ids=["too-many", "one-dimension", "nan", "constant", "words", "nothing"],
)
def test_an_embedder_that_gives_something_else_is_refused(embedder: Callable[..., Any]) -> None:
    with pytest.raises(PoolError):
        Pool.from_texts("Dinner?", TEXTS, embedder)


def test_images_have_no_text_to_embed() -> None:
    pool = Pool("Poster?", ["words", Response("b", image="b.png")])
    with pytest.raises(PoolError, match="'b' has no text"):
        pool.embedded(by_letters)


def test_other_features_leave_the_rest_as_it_was() -> None:
    pool = Pool("Dinner?", TEXTS, random_features(3, 2), id="p", baseline="Toast.")
    other = pool.with_features(random_features(3, 5), scaling="half", embedder="mine")
    assert other.responses == pool.responses
    assert (other.id, other.baseline, other.prompt) == ("p", pool.baseline, "Dinner?")
    assert (other.scaling, other.embedder) == ("half", "mine")
    assert other.content_fingerprint == pool.content_fingerprint
    assert other.features_fingerprint != pool.features_fingerprint


# --- fingerprints -------------------------------------------------------------------------------


def test_the_content_fingerprint_depends_on_all_that_is_shown() -> None:
    pools = [
        Pool("Dinner?", TEXTS),
        Pool("Lunch?", TEXTS),
        Pool("Dinner?", TEXTS[::-1]),
        Pool("Dinner?", TEXTS[:2]),
        Pool("Dinner?", [Response("x", TEXTS[0]), *TEXTS[1:]]),
        Pool("Dinner?", [Response("r1", TEXTS[0], "a.png"), *TEXTS[1:]]),
        Pool("Dinner?", [Response("r1", image=TEXTS[0]), *TEXTS[1:]]),
    ]
    assert len({pool.content_fingerprint for pool in pools}) == len(pools)
    same = Pool("Dinner?", [Response("r1", TEXTS[0], metadata={"model": "m"}), *TEXTS[1:]], id="p")
    assert same.content_fingerprint == pools[0].content_fingerprint


def test_the_features_fingerprint_depends_on_every_bit_and_the_scaling() -> None:
    features = np.array([[0.0, 0.25], [0.5, 0.0], [-0.5, 0.0]])
    nudged = features.copy()
    nudged[0, 1] = np.nextafter(0.25, 1.0)
    pools = [
        Pool("Dinner?", TEXTS, features, scaling="none"),
        Pool("Dinner?", TEXTS, features, scaling="diameter"),
        Pool("Dinner?", TEXTS, features, scaling="half"),
        Pool("Dinner?", TEXTS, features.astype(np.float32), scaling="none"),
        Pool("Dinner?", TEXTS, nudged, scaling="none"),
        Pool("Dinner?", TEXTS, features[::-1], scaling="none"),
        Pool("Dinner?", TEXTS),
    ]
    assert len({pool.features_fingerprint for pool in pools}) == len(pools)
    turned = np.asfortranarray(features)
    assert (
        Pool("Dinner?", TEXTS, turned, scaling="none").features_fingerprint
        == pools[0].features_fingerprint
    )


def test_a_pool_shows_what_it_is() -> None:
    assert repr(Pool("Dinner?", TEXTS)) == (
        "Pool('Dinner?', 3 responses, no features, scaling='diameter')"
    )
    assert "d=2" in repr(Pool("Dinner?", TEXTS, random_features(3, 2)))
