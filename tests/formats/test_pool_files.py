"""Files of pools: what is read, and that what is written is read back to the last bit."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from palate.errors import PoolError
from palate.formats import read_pools, write_pools
from palate.pool import EXACT_DIAMETER, Pool, Response, Scaling

if TYPE_CHECKING:
    from collections.abc import Iterator

SCALINGS: tuple[Scaling, ...] = get_args(Scaling)
TEXTS = ["Soup.", "A salad with lentils.", "Bread, butter and a pear."]

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
    features = np.random.default_rng(0).normal(size=(EXACT_DIAMETER + 4, 2)).astype(np.float32)
    for scaling in SCALINGS[:2]:
        pool = Pool(
            "Which?", [f"Text {i}." for i in range(len(features))], features, scaling=scaling
        )
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
        ({"prompt": "x", "chosen": "a", "rejected": "b"}, "read_comparisons"),
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


def test_a_line_that_breaks_the_parser_is_refused_by_its_place(tmp_path: Path) -> None:
    for line in ("[" * 100_000, '{"prompt": ' + "1" * 5_000 + "}"):
        with pytest.raises(PoolError, match="line 1: JSON that cannot be read"):
            read_pools(write_lines(tmp_path, line))


def test_a_mark_of_the_byte_order_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "pools.jsonl"
    path.write_text(json.dumps(VALID), encoding="utf-8-sig")
    assert read_pools(path)[0].prompt == "Dinner?"


def test_a_damaged_compressed_file_is_named(tmp_path: Path) -> None:
    """A damage shows as a wrong sum at the end, or before that as a code that means nothing."""
    whole = gzip.compress(json.dumps(VALID).encode(), mtime=0)
    path = tmp_path / "bad.jsonl.gz"
    for place in range(10, len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        with pytest.raises(PoolError, match=r"bad\.jsonl\.gz"):
            read_pools(path)


def test_what_stood_in_a_file_is_kept_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    good = Pool("Dinner?", TEXTS)
    write_pools(path, [good])

    def one_and_no_more() -> Iterator[Pool]:
        yield Pool("Lunch?", TEXTS)
        raise PoolError("no more")

    with pytest.raises(PoolError, match=r"^no more$"):
        write_pools(path, one_and_no_more())
    assert [pool.prompt for pool in read_pools(path)] == ["Dinner?"]
    assert [p.name for p in tmp_path.iterdir()] == ["p.jsonl"]


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_pools(pipe, [Pool("Dinner?", TEXTS)])
        assert json.loads(os.read(reader, 10_000))["prompt"] == "Dinner?"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


# --- a row a response ---------------------------------------------------------------------------


def test_rows_of_the_same_prompt_are_a_pool(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path,
        {"prompt": "Dinner?", "qid": 7, "id": "a", "response": "Soup.", "model": "m"},
        {"prompt": "Lunch?", "text": "Salad."},
        {"prompt": "Dinner?", "qid": 7, "response": "Stew."},
    )
    dinner, lunch = read_pools(path)
    assert (dinner.prompt, dinner.id, lunch.prompt, lunch.id) == ("Dinner?", "7", "Lunch?", None)
    assert dinner.responses == (Response("a", "Soup."), Response("r2", "Stew."))
    assert dinner.responses[0].metadata == {"model": "m"}
    assert lunch.responses == (Response("r1", "Salad."),)


def test_rows_of_responses_bring_their_features(tmp_path: Path) -> None:
    rows = [
        {"prompt": "Dinner?", "text": text, "features": [place]}
        for text, place in (("Soup.", 0.0), ("Soup.", 0.0), ("Stew.", 4.0))
    ]
    path = write_lines(tmp_path, *rows)
    pool = read_pools(path, drop_duplicates=True)[0]
    assert pool.features is not None
    assert pool.features.tolist() == [[0.0], [1.0]]
    with pytest.raises(PoolError, match=r"line 1 and those of the same prompt: .*are the same"):
        read_pools(path)
    with pytest.raises(PoolError, match="line 1 and those of the same prompt: features"):
        read_pools(write_lines(tmp_path, rows[0], {"prompt": "Dinner?", "text": "Pie."}))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"text": "Soup."}, "line 2: a response's row has its prompt as a text, not None"),
        ({"prompt": 3, "text": "Soup."}, "line 2: a response's row has its prompt as a text"),
        ({"prompt": "x", "text": 3}, "line 2 and .*: response 'r1': text and image are strings"),
        ({"prompt": "x", "response": " "}, "line 2 and .*: response 'r1' is empty"),
    ],
)
def test_a_row_that_is_no_response_is_refused(
    tmp_path: Path, row: dict[str, Any], said: str
) -> None:
    with pytest.raises(PoolError, match=said):
        read_pools(write_lines(tmp_path, {"prompt": "Dinner?", "text": "Soup."}, row))


# --- parquet ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rows",
    [
        [
            {"prompt": "Dinner?", "responses": ["Soup.", "Stew."], "id": "p"},
            {"prompt": "Lunch?", "responses": ["Salad."], "id": None},
        ],
        [
            {
                "question": "Dinner?",
                "qid": "p",
                "responses": [{"text": "Soup."}, {"text": "Stew."}],
            },
            {"question": "Lunch?", "qid": None, "responses": [{"id": "s", "text": "Salad."}]},
        ],
        [
            {"prompt": "Dinner?", "qid": "p", "response": "Soup."},
            {"prompt": "Dinner?", "qid": "p", "response": "Stew."},
            {"prompt": "Lunch?", "qid": None, "response": "Salad."},
        ],
    ],
)
def test_parquet_holds_a_row_a_pool_or_a_row_a_response(
    tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    write_parquet(tmp_path / "pools.parquet", rows)
    dinner, lunch = read_pools(tmp_path / "pools.parquet")
    assert (dinner.prompt, dinner.id) == ("Dinner?", "p")
    assert (lunch.prompt, lunch.id) == ("Lunch?", None)
    assert [r.text for r in dinner.responses] == ["Soup.", "Stew."]
    assert [r.text for r in lunch.responses] == ["Salad."]
    assert all(r.metadata == {} for pool in (dinner, lunch) for r in pool.responses)


def test_nulls_of_parquet_are_no_metadata(tmp_path: Path) -> None:
    """A struct has all keys; one that a response lacks is null."""
    responses = [{"text": "Soup.", "model": "m"}, {"text": "Stew.", "by": {"who": "x"}}]
    write_parquet(tmp_path / "pools.parquet", [{"prompt": "Dinner?", "responses": responses}])
    pool = read_pools(tmp_path / "pools.parquet")[0]
    assert [r.metadata for r in pool.responses] == [{"model": "m"}, {"by": {"who": "x"}}]


def test_parquet_brings_features_and_baseline(tmp_path: Path) -> None:
    row = {
        "prompt": "Dinner?",
        "responses": ["Soup.", "Stew."],
        "features": [[0.0, 1.0], [4.0, 1.0]],
        "baseline": "Toast.",
    }
    write_parquet(tmp_path / "pools.parquet", [row])
    pool = read_pools(tmp_path / "pools.parquet")[0]
    assert pool.features is not None
    assert pool.features.tolist() == [[0.0, 0.25], [1.0, 0.25]]
    assert pool.baseline == Response("baseline", "Toast.")


def test_errors_in_parquet_name_their_row(tmp_path: Path) -> None:
    path = tmp_path / "pools.parquet"
    write_parquet(path, [{"prompt": prompt, "responses": ["a"]} for prompt in ("x", None)])
    with pytest.raises(PoolError, match=r"pools\.parquet, row 2: no prompt"):
        read_pools(path)
    write_parquet(path, [{"prompt": "x", "responses": ["a", None]}])
    with pytest.raises(PoolError, match="row 1: response 2 is neither a text nor an object"):
        read_pools(path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(PoolError, match=r"cannot read .*pools\.parquet: "):
        read_pools(path)


def test_pools_are_not_written_as_parquet(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r"written as JSONL; name the file .*p\.jsonl"):
        write_pools(tmp_path / "p.parquet", [Pool("Dinner?", TEXTS)])
    assert list(tmp_path.iterdir()) == []


def write_parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)


# --- real files ---------------------------------------------------------------------------------

DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize(
    ("name", "pools", "responses"),
    [("alpaca_pools_dev.jsonl.gz", 40, 3168), ("dsp_dev.jsonl.gz", 314, 314 * 5)],
)
def test_real_files_are_read_whole(name: str, pools: int, responses: int) -> None:
    """The numbers are those of the data card beside the files."""
    if not (DATA / name).exists():
        pytest.skip(f"{name} is not here")
    read = read_pools(DATA / name)
    assert (len(read), sum(len(pool) for pool in read)) == (pools, responses)
    assert len({pool.id for pool in read}) == pools
