"""A cache costs nobody an answer: shared, damaged, locked or full."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from palate import _cache
from palate._cache import Cache, default_path, digest
from palate.errors import ParameterError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "cache.sqlite"


def test_values_are_kept_by_owner_and_key(path: Path) -> None:
    with Cache(path) as cache:
        assert cache.get("a", ["k"]) == {}
        cache.put("a", {"k": b"1", "empty": b""})
        cache.put("b", {"k": b"2"})
        cache.put("a", {"l": b"3", "k": b"4"})
    with Cache(path) as cache:
        assert cache.get("a", ["k", "l", "empty", "none"]) == {"k": b"4", "l": b"3", "empty": b""}
        assert cache.get("b", ["k", "l"]) == {"k": b"2"}
        assert cache.get("a", []) == {}
        cache.put("a", {})


def test_more_keys_than_a_statement_takes(path: Path) -> None:
    values = {f"k{i}": str(i).encode() for i in range(3 * _cache._BATCH + 7)}
    with Cache(path) as cache:
        cache.put("o", values)
        assert cache.get("o", [*values, "none"]) == values


@pytest.mark.parametrize("kept", [0, 10, 5000])
def test_a_damaged_file_is_put_aside(path: Path, kept: int) -> None:
    with Cache(path) as cache:
        cache.put("o", {f"k{i}": b"x" * 500 for i in range(50)})
    content = path.read_bytes()
    damaged = content[:kept] + bytes(i * 7 % 251 for i in range(len(content) - kept))
    path.write_bytes(damaged)
    with Cache(path) as cache:
        found = cache.get("o", [f"k{i}" for i in range(50)])
        assert set(found.values()) <= {b"x" * 500}
        cache.put("o", {"k": b"new"})
        assert cache.get("o", ["k"]) == {"k": b"new"}
    with Cache(path) as cache:
        assert cache.get("o", ["k"]) == {"k": b"new"}
    assert path.with_name("cache.sqlite.damaged").read_bytes()[kept:] == damaged[kept:]


WRITER = """
import sys
from palate._cache import Cache

with Cache(sys.argv[1]) as cache:
    for i in range(50):
        cache.put("o", {f"{sys.argv[2]}-{i}": b"x" * 100})
"""


def test_processes_share_a_new_file(path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WRITER, str(path), str(number)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for writer in writers:
        _, said = writer.communicate()
        assert writer.returncode == 0, said
    keys = [f"{number}-{i}" for number in range(3) for i in range(50)]
    with Cache(path) as cache:
        assert len(cache.get("o", keys)) == len(keys)


def test_a_file_that_is_busy_while_it_is_made_is_waited_for(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_once, busy = Cache._opened_once, sqlite3.OperationalError("database is locked")
    busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
    failures = [busy, busy]

    def sometimes(cache: Cache) -> sqlite3.Connection:
        if failures:
            raise failures.pop()
        return opened_once(cache)

    monkeypatch.setattr(Cache, "_opened_once", sometimes)
    Cache(path).close()
    failures.append(busy)
    monkeypatch.setattr(_cache, "_PATIENCE", -1.0)
    with pytest.raises(ParameterError, match="database is locked"):
        Cache(path)


def test_threads_share_one_cache(path: Path) -> None:
    with Cache(path) as cache, ThreadPoolExecutor(8) as threads:

        def work(i: int) -> dict[str, bytes]:
            cache.put("o", {str(i): str(i).encode()})
            return cache.get("o", [str(i)])

        assert list(threads.map(work, range(80))) == [{str(i): str(i).encode()} for i in range(80)]


def test_a_cache_that_is_locked_for_long_is_warned_about(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_cache, "_PATIENCE", 0.05)
    with Cache(path) as cache:
        cache.put("o", {"k": b"1"})
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.warns(RuntimeWarning, match="cannot be used just now: database is locked"):
            cache.put("o", {"k": b"2"})
        assert cache.get("o", ["k"]) == {"k": b"1"}
        other.execute("ROLLBACK")
        other.close()
        cache.put("o", {"k": b"3"})
        assert cache.get("o", ["k"]) == {"k": b"3"}


def test_a_full_disk_is_warned_about(path: Path) -> None:
    with Cache(path) as cache:
        cache._db.execute("PRAGMA max_page_count = 5")
        with pytest.warns(RuntimeWarning, match="full"):
            cache.put("o", {str(i): b"x" * 1000 for i in range(100)})
        cache._db.execute("PRAGMA max_page_count = 1000")
        cache.put("o", {"k": b"1"})
        assert cache.get("o", ["k", "0"]) == {"k": b"1"}


def test_a_mistake_in_a_call_harms_no_file(path: Path) -> None:
    cache = Cache(path)
    with pytest.raises(sqlite3.Error):
        cache.put("o", {"k": object()})  # type: ignore[dict-item]
    cache.put("o", {"k": b"1"})
    cache.close()
    with pytest.raises(sqlite3.ProgrammingError):
        cache.put("o", {"k": b"2"})
    with Cache(path) as again:
        assert again.get("o", ["k"]) == {"k": b"1"}


def test_a_place_where_no_file_can_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for where in (tmp_path / "file" / "cache.sqlite", tmp_path):
        with pytest.raises(ParameterError, match=r"cannot keep a cache in .*XDG_CACHE_HOME"):
            Cache(where)


def test_the_default_path_is_where_the_environment_says(tmp_path: Path) -> None:
    assert default_path() == tmp_path / "cache" / "palate" / "cache.sqlite"
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "cache")
    with Cache() as cache:
        cache.put("o", {"k": b"1"})
    assert default_path().is_file()


def test_a_digest_tells_texts_and_their_borders_apart() -> None:
    texts = [
        ("ab", "c"),
        ("a", "bc"),
        ("abc",),
        ("abc", ""),
        ("", "abc"),
        ("\ud83d",),
        ("a\0", "b"),
    ]
    assert len({digest(*parts) for parts in texts}) == len(texts)
    assert digest("a\0001:b") != digest("a", "b")
    assert all(len(digest(*parts)) == 32 for parts in texts)
