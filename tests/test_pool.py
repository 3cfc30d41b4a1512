"""Pools: what they accept, how they scale features, and that files keep them to the last bit."""

from __future__ import annotations

import gzip
import itertools
import json
import tempfile
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
    read_pools,
    unique_responses,
    write_pools,
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


# --- files --------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
# Half an emoji is in: models cut off in the middle of one.
texts_of_any_script = st.text(
    st.characters() | st.sampled_from('\n"\\\u2028\ud83d\udc1f\x00 '), min_size=1, max_size=20
).filter(
    lambda text: (
        text.strip()
        and not any(
            "\ud800" <= a <= "\udbff" and "\udc00" <= b <= "\udfff"
            for a, b in itertools.pairwise(text)
        )
    )
)


@st.composite
def pools(draw: st.DrawFn) -> Pool:
    n = draw(st.integers(1, 6))
    contents = draw(
        st.lists(
            st.tuples(st.none() | texts_of_any_script, st.none() | texts_of_any_script).filter(any),
            min_size=n,
            max_size=n,
            unique=True,
        )
    )
    ids = draw(st.lists(texts_of_any_script, min_size=n, max_size=n, unique=True))
    extras = st.dictionaries(st.text(max_size=5), json_values, max_size=2)
    responses = [
        Response(
            i,
            *content,
            metadata={k: v for k, v in draw(extras).items() if k not in {"id", "text", "image"}},
        )
        for i, content in zip(ids, contents, strict=True)
    ]
    baseline = draw(st.none() | st.builds(Response, texts_of_any_script, texts_of_any_script))
    pool = Pool(
        draw(texts_of_any_script),
        responses,
        id=draw(st.none() | texts_of_any_script),
        baseline=baseline,
    )
    if not draw(st.booleans()):
        return pool
    dtype = draw(st.sampled_from((np.float32, np.float64)))
    elements = st.floats(-1e3, 1e3, width=32 if dtype is np.float32 else 64)
    features = draw(npst.arrays(dtype, (n, draw(st.integers(1, 4))), elements=elements))
    scaling = draw(st.sampled_from(SCALINGS))
    if scaling == "none":
        features = (features / dtype(8e3)).astype(dtype)
    try:
        return pool.with_features(features, scaling=scaling, embedder=draw(st.none() | st.text()))
    except PoolError:  # all the same
        return pool


@given(st.lists(pools(), min_size=1, max_size=3), st.sampled_from((".jsonl", ".jsonl.gz")))
@settings(max_examples=120, deadline=None)
def test_files_keep_pools_to_the_last_bit(written: list[Pool], suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"pools{suffix}"
        write_pools(path, written)
        read = read_pools(path)
    assert len(read) == len(written)
    for one, two in zip(written, read, strict=True):
        assert (two.prompt, two.id, two.responses) == (one.prompt, one.id, one.responses)
        assert [dict(r.metadata) for r in two.responses] == [
            dict(r.metadata) for r in one.responses
        ]
        assert two.baseline == one.baseline
        assert two.content_fingerprint == one.content_fingerprint
        assert two.features_fingerprint == one.features_fingerprint
        if one.features is not None:
            assert two.features is not None
            assert two.features.dtype == one.features.dtype
            assert two.features.tobytes() == one.features.tobytes()
            assert not two.features.flags.writeable
            assert (two.scaling, two.scale, two.embedder) == (one.scaling, one.scale, one.embedder)


def write_lines(folder: Path, *lines: Any, name: str = "pools.jsonl") -> Path:
    path = folder / name
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def test_a_compressed_file_is_compressed(tmp_path: Path) -> None:
    path = tmp_path / "pools.jsonl.gz"
    write_pools(path, [Pool("Dinner?", TEXTS)])
    assert json.loads(gzip.decompress(path.read_bytes()))["prompt"] == "Dinner?"


def test_a_large_diameter_pool_is_read_back(tmp_path: Path) -> None:
    """Beyond the exact diameter the check of the rule is the same bound."""
    features = random_features(EXACT_DIAMETER + 4, 2).astype(np.float32)
    for scaling in SCALINGS[:2]:
        pool = Pool("Which?", numbered(len(features)), features, scaling=scaling)
        write_pools(tmp_path / "large.jsonl", [pool])
        read = read_pools(tmp_path / "large.jsonl")[0]
        assert read.features_fingerprint == pool.features_fingerprint


@pytest.mark.parametrize("prompt", ["prompt", "question", "query"])
@pytest.mark.parametrize("name", ["id", "qid"])
def test_prompts_and_ids_go_by_several_names(tmp_path: Path, prompt: str, name: str) -> None:
    pool = read_pools(write_lines(tmp_path, {prompt: "Dinner?", name: 7, "responses": TEXTS}))[0]
    assert (pool.prompt, pool.id) == ("Dinner?", "7")


@pytest.mark.parametrize(
    ("responses", "ids"),
    [
        (["a", "b"], ["r1", "r2"]),
        ([{"id": "x", "text": "a"}, {"text": "b"}], ["x", "r2"]),
        ([{"id": 4, "text": "a"}, {"id": None, "text": "b"}], ["4", "r2"]),
        ({"m1": "a", "m2": "b"}, ["m1", "m2"]),
        ([{"image": "a.png"}, "b"], ["r1", "r2"]),
    ],
)
def test_responses_are_listed_in_several_ways(
    tmp_path: Path, responses: Any, ids: list[str]
) -> None:
    pool = read_pools(write_lines(tmp_path, {"prompt": "Dinner?", "responses": responses}))[0]
    assert [r.id for r in pool.responses] == ids


@pytest.mark.parametrize(
    ("baseline", "response"),
    [
        ("Toast.", Response("baseline", "Toast.")),
        ({"text": "Toast."}, Response("baseline", "Toast.")),
        ({"id": "t0", "text": "Toast."}, Response("t0", "Toast.")),
        ({"model-7": "Toast."}, Response("model-7", "Toast.")),
        (None, None),
    ],
)
def test_baselines_are_given_in_several_ways(
    tmp_path: Path, baseline: Any, response: Response | None
) -> None:
    line = {"prompt": "Dinner?", "responses": TEXTS, "baseline": baseline}
    assert read_pools(write_lines(tmp_path, line))[0].baseline == response


def test_other_keys_of_a_response_are_its_metadata(tmp_path: Path) -> None:
    line = {"prompt": "Dinner?", "responses": [{"text": "a", "model": "m", "n": [1, 2]}]}
    assert read_pools(write_lines(tmp_path, line))[0].responses[0].metadata == {
        "model": "m",
        "n": [1, 2],
    }


def test_metadata_cannot_rename_a_response_nor_give_it_another_text(tmp_path: Path) -> None:
    metadata = {"id": "other", "text": "other", "image": "other", "model": "m"}
    pool = Pool("Dinner?", [Response("a", "Soup.", metadata=metadata)])
    write_pools(tmp_path / "p.jsonl", [pool])
    read = read_pools(tmp_path / "p.jsonl")[0]
    assert read.responses == pool.responses
    assert read.responses[0].metadata == {"model": "m"}


def test_given_features_without_a_scaling_are_scaled_by_their_diameter(tmp_path: Path) -> None:
    line = {"prompt": "Dinner?", "responses": TEXTS, "features": [[0], [4], [2]]}
    pool = read_pools(write_lines(tmp_path, line))[0]
    assert pool.features is not None
    assert pool.features.tolist() == [[0.0], [1.0], [0.5]]
    assert pool.scaling == "diameter"


def test_dropped_duplicates_take_their_features_along(tmp_path: Path) -> None:
    line = {
        "prompt": "Dinner?",
        "responses": ["Soup.", "Soup.", "Stew."],
        "features": [[0.0], [0.3], [1.0]],
    }
    path = write_lines(tmp_path, line)
    with pytest.raises(PoolError, match="line 1: responses 'r1' and 'r2' are the same"):
        read_pools(path)
    pool = read_pools(path, drop_duplicates=True)[0]
    assert [r.id for r in pool.responses] == ["r1", "r3"]
    assert pool.features is not None
    assert pool.features.tolist() == [[0.0], [1.0]]


def test_blank_lines_are_passed_over_and_errors_name_their_line(tmp_path: Path) -> None:
    good = {"prompt": "Dinner?", "responses": TEXTS}
    assert len(read_pools(write_lines(tmp_path, good, "", "  ", good))) == 2
    with pytest.raises(PoolError, match=r"pools\.jsonl, line 3: no prompt"):
        read_pools(write_lines(tmp_path, good, "", {"responses": TEXTS}))


VALID = {"prompt": "Dinner?", "responses": ["a", "b"], "features": [[0.0, 0.5], [0.5, 0.0]]}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "not JSON"),
        ("[1]", "a JSON object, not list"),
        ("null", "a JSON object, not NoneType"),
        ({"responses": ["a"]}, "prompt, question, query"),
        ({"prompt": "x"}, "no responses"),
        ({"prompt": "x", "responses": "ab"}, "no responses"),
        ({"prompt": "x", "responses": []}, "at least one response"),
        ({"prompt": "x", "responses": [3]}, "response 1 is neither a text nor an object"),
        ({"prompt": 3, "responses": ["a"]}, "prompt must be a string"),
        ({"prompt": "x", "responses": [{"text": 3}]}, "'r1': text and image are strings"),
        ({"prompt": "x", "responses": ["a", " "]}, "'r2' is empty"),
        (VALID | {"baseline": 3}, "neither a text nor an object"),
        (VALID | {"features": [[1.0]]}, r"shape \(2, d\)"),
        (VALID | {"features": "abc"}, "numeric"),
        (VALID | {"scaling": "thirds"}, "unknown scaling or dtype of the features: 'thirds'"),
        (VALID | {"scaling": "half", "dtype": "int8"}, "'int8'"),
        (VALID | {"scaling": "half", "dtype": []}, "unknown scaling or dtype"),
        (VALID | {"scaling": "half", "scale": "x"}, "scale is a positive number, not 'x'"),
        (VALID | {"scaling": "half", "scale": 0}, "scale is a positive number, not 0"),
        (VALID | {"scaling": "half", "features": [[0, 3.0], [3, 0]]}, "apart and the rule"),
    ],
)
def test_a_line_that_is_no_pool_is_refused(tmp_path: Path, line: Any, said: str) -> None:
    with pytest.raises(PoolError, match=f"line 1: .*{said}"):
        read_pools(write_lines(tmp_path, line))


keys = st.sampled_from(
    ("prompt", "query", "responses", "features", "scaling", "dtype", "scale", "id", "baseline",
     "embedder")
)  # fmt: skip
likely = st.sampled_from(
    ("half", "none", "diameter", "float32", [], {}, [["1", 2], [3, 4]], [[1, 2], [3, 4]], 0.5,
     [{"id": "a"}], [{"text": "t", "id": [1]}], {"a": "b"}, {"a": 1}, [[1e308], [-1e308]])
)  # fmt: skip


@given(st.dictionaries(keys, json_values | likely, max_size=5), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_line_is_a_pool_or_a_pool_error(
    changes: dict[str, Any],
    drop: bool,  # noqa: FBT001 - drawn
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = write_lines(Path(folder), VALID | changes)
        outcome: Pool | PoolError
        try:
            outcome = read_pools(path, drop_duplicates=drop)[0]
        except PoolError as error:
            outcome = error
    assert isinstance(outcome, Pool) or str(path) in str(outcome)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r"cannot read .*missing\.jsonl: No such file"):
        read_pools(tmp_path / "missing.jsonl")
    with pytest.raises(PoolError, match="cannot read"):
        read_pools(tmp_path)
    (tmp_path / "empty.jsonl").write_text("\n")
    with pytest.raises(PoolError, match="holds no pool"):
        read_pools(tmp_path / "empty.jsonl")
    (tmp_path / "latin.jsonl").write_bytes(b'{"prompt": "caf\xe9"}\n')
    with pytest.raises(PoolError, match=r"cannot read .*latin"):
        read_pools(tmp_path / "latin.jsonl")
    (tmp_path / "plain.jsonl.gz").write_text("{}\n")
    with pytest.raises(PoolError, match=r"cannot read .*plain"):
        read_pools(tmp_path / "plain.jsonl.gz")
    whole = gzip.compress(json.dumps(VALID).encode())
    (tmp_path / "torn.jsonl.gz").write_bytes(whole[:-9])
    with pytest.raises(PoolError, match=r"cannot read .*torn"):
        read_pools(tmp_path / "torn.jsonl.gz")


def test_files_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    pool = Pool("Dinner?", TEXTS)
    with pytest.raises(PoolError, match=r"cannot write .*p\.jsonl: No such file"):
        write_pools(tmp_path / "missing" / "p.jsonl", [pool])
    odd = Pool("Dinner?", [Response("a", "Soup.", metadata={"when": object()})])
    with pytest.raises(PoolError, match=r"cannot write .*JSON"):
        write_pools(tmp_path / "p.jsonl", [odd])


def test_a_pool_shows_what_it_is() -> None:
    assert repr(Pool("Dinner?", TEXTS)) == (
        "Pool('Dinner?', 3 responses, no features, scaling='diameter')"
    )
    assert "d=2" in repr(Pool("Dinner?", TEXTS, random_features(3, 2)))
