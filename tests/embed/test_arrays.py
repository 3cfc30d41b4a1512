from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate import Pool, Response
from palate.embed import read_features
from palate.errors import PoolError

if TYPE_CHECKING:
    from pathlib import Path

POOL = Pool("Dinner?", [Response(name, f"text {name}") for name in ("a", "b", "ü 東京")])
ROWS = np.random.default_rng(0).normal(size=(3, 4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.int64])
def test_npy_rows_are_in_the_pools_order(tmp_path: Path, dtype: Any) -> None:
    rows = (ROWS * 100).astype(dtype)
    np.save(tmp_path / "rows.npy", rows)
    read = read_features(tmp_path / "rows.npy", POOL)
    np.testing.assert_array_equal(read, rows)
    assert read.dtype == (np.float32 if dtype == np.float32 else np.float64)
    assert POOL.with_features(read).features is not None


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_rows_go_by_their_ids(tmp_path: Path, save: Any) -> None:
    ids = np.array(["elsewhere", "ü 東京", "b", "a"])
    rows = np.vstack([np.zeros(4), ROWS[2], ROWS[1], ROWS[0]])
    extra = np.array([{"any": "object"}], dtype=object)
    save(tmp_path / "rows.npz", ids=ids, features=rows, extra=extra)
    np.testing.assert_array_equal(read_features(tmp_path / "rows.npz", POOL), ROWS)
    save(tmp_path / "bytes.npz", ids=np.char.encode(ids, "utf-8"), features=rows)
    np.testing.assert_array_equal(read_features(str(tmp_path / "bytes.npz"), POOL), ROWS)


def test_whole_numbers_are_ids_too(tmp_path: Path) -> None:
    pool = Pool("Dinner?", [Response("7", "x"), Response("10", "y")])
    np.savez(tmp_path / "rows.npz", ids=np.array([10, 7]), features=ROWS[:2])
    np.testing.assert_array_equal(read_features(tmp_path / "rows.npz", pool), ROWS[[1, 0]])


def refused(path: Path, message: str) -> None:
    with pytest.raises(PoolError, match=message) as error:
        read_features(path, POOL)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (ROWS[:2], "has 2 rows and the pool 3 responses"),
        (ROWS[0], r"not float64 of shape \(4,\)"),
        (ROWS[:, :0], r"of shape \(3, 0\)"),
        (np.array([["a"]] * 3), "array of numbers, not <U1"),
        (ROWS.astype(complex), "not complex128"),
        (np.array([[None]] * 3), "opens no pickles"),
    ],
)
def test_an_npy_that_does_not_fit_is_refused(tmp_path: Path, array: Any, message: str) -> None:
    np.save(tmp_path / "rows.npy", array)
    refused(tmp_path / "rows.npy", message)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"features": ROWS}, "has no array 'ids'"),
        ({"ids": np.array(["a", "b"])}, "has no array 'features'"),
        ({"features": ROWS[:2], "ids": ["a", "b"]}, "no features for the response 'ü 東京'$"),
        ({"features": ROWS[:1], "ids": ["x"]}, "for the response 'a' and 2 more"),
        ({"features": ROWS, "ids": ["a", "b"]}, r"3 rows of features and ids of shape \(2,\)"),
        ({"features": ROWS[:2], "ids": ["a", "a"]}, "two rows with the id 'a'"),
        ({"features": ROWS, "ids": np.array(["a", 1, "b"], dtype=object)}, "opens no pickles"),
        ({"features": ROWS.astype(object), "ids": ["a", "b", "c"]}, "opens no pickles"),
    ],
)
def test_an_npz_that_does_not_fit_is_refused(
    tmp_path: Path, arrays: dict[str, Any], message: str
) -> None:
    np.savez(tmp_path / "rows.npz", **arrays)
    refused(tmp_path / "rows.npz", message)


def test_a_file_of_something_else_is_refused_unopened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Any, ...]:
            return (tmp_path.joinpath("sprung").touch, ())

    path = tmp_path / "rows.npy"
    path.write_bytes(pickle.dumps(Trap()))
    refused(path, "opens no pickles")
    np.save(path, np.array([[Trap()]] * 3), allow_pickle=True)
    refused(path, "opens no pickles")
    assert not (tmp_path / "sprung").exists()
    path.write_bytes(b"")
    refused(path, "cannot read")
    refused(tmp_path / "missing.npy", "No such file")
    refused(tmp_path, "cannot read .*directory")


@pytest.mark.parametrize("kept", [0.3, 0.9])
def test_half_a_file_is_refused(tmp_path: Path, kept: float) -> None:
    np.save(tmp_path / "rows.npy", ROWS)
    np.savez_compressed(tmp_path / "rows.npz", ids=["a", "b", "ü 東京"], features=ROWS)
    for path in (tmp_path / "rows.npy", tmp_path / "rows.npz"):
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content))])
        refused(path, "cannot read|opens no pickles")


def test_a_damaged_npz_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    np.savez_compressed(path, ids=["a", "b", "ü 東京"], features=ROWS)
    content = bytearray(path.read_bytes())
    for place in range(40, len(content) - 40, 7):
        damaged = content.copy()
        damaged[place] ^= 0xFF
        path.write_bytes(damaged)
        try:
            read_features(path, POOL)
        except PoolError as error:
            assert "\n" not in str(error)  # noqa: PT017 - some damage is harmless
