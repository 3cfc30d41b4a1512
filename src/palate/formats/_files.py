"""Rows of JSONL and parquet files, read with their places, and written whole or not at all."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import zlib
from contextlib import contextmanager, nullcontext
from typing import IO, TYPE_CHECKING, Any, TypeVar

from palate._beside import beside
from palate.errors import AnswerError, LogError, MissingExtraError, PalateError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

Parsed = TypeVar("Parsed")


def read_rows(
    path: Path, error: type[PalateError], *, without: Collection[str] = ()
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each row of a file, after its place as messages name it: "pools.jsonl, line 3".

    A name that ends in ``.parquet`` is parquet, any other JSONL; ``.gz`` is decompressed. Parquet
    has a null where a key is absent, so nulls are left out of its rows; columns in ``without`` are
    not read from it, since they may be most of the file.

    Raises:
        error: the file cannot be read, or a line is not a JSON object.
        MissingExtraError: the file is parquet and pyarrow is not installed.
    """
    if path.suffix == ".parquet":
        yield from _parquet_rows(path, error, without)
    else:
        yield from _json_rows(path, error)


def _json_rows(path: Path, error: type[PalateError]) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        # Some editors begin a file with a mark of its byte order, which JSON has no place for.
        with (gzip.open if path.suffix == ".gz" else open)(
            path, "rt", encoding="utf-8-sig"
        ) as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    place = f"{path}, line {number}"
                    yield place, _json_object(line, place, error)
    except (OSError, EOFError, UnicodeDecodeError, zlib.error) as reason:
        raise cannot("read", path, reason, error) from reason


def _json_object(line: str, place: str, error: type[PalateError]) -> dict[str, Any]:
    try:
        parsed = json.loads(line)
    except json.JSONDecodeError as reason:
        msg = f"{place}: not JSON ({reason.msg} at column {reason.colno})"
        raise error(msg) from reason
    except (ValueError, RecursionError) as reason:  # an endless number, or nested without end
        msg = f"{place}: JSON that cannot be read ({reason})"
        raise error(msg) from reason
    if not isinstance(parsed, dict):
        msg = f"{place}: a row is a JSON object, not {type(parsed).__name__}"
        raise error(msg)
    return parsed


def _parquet_rows(
    path: Path, error: type[PalateError], without: Collection[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    parquet, pyarrow = _parquet()
    number = 0
    try:
        with path.open("rb") as file:
            opened = parquet.ParquetFile(file)
            names = [name for name in opened.schema_arrow.names if name not in without]
            for batch in opened.iter_batches(batch_size=1024, columns=names):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", _without_nulls(row)
    except (OSError, ValueError, pyarrow.ArrowException) as reason:
        raise cannot("read", path, reason, error) from reason


def _without_nulls(value: Any) -> Any:  # noqa: ANN401 - whatever a column holds
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
        return [_without_nulls(inner) for inner in value]
    return value


def comparisons_in(
    rows: Iterable[tuple[str, dict[str, Any]]], parse: Callable[[dict[str, Any]], Parsed]
) -> Iterator[Parsed]:
    """What each row holds.

    Args:
        rows: of :func:`read_rows`.
        parse: raises an AnswerError for a row that is no comparison.

    Raises:
        LogError: a row is none; the message names it.
    """
    for place, row in rows:
        try:
            parsed = parse(row)
        except AnswerError as error:
            msg = f"{place}: {error}"
            raise LogError(msg) from error
        yield parsed


def write_rows(path: Path, rows: Iterable[dict[str, Any]], error: type[PalateError]) -> None:
    """Write rows as parquet or JSONL, by the name as :func:`read_rows`; all of them or nothing.

    Raises:
        error: the file cannot be written, or a value has no place in it.
        MissingExtraError: the file is parquet and pyarrow is not installed.
    """
    with _written(path, error) as file:
        if path.suffix == ".parquet":
            parquet, pyarrow = _parquet()
            parquet.write_table(pyarrow.Table.from_pylist(list(rows)), file)
            return
        packed = gzip.GzipFile("", "wb", fileobj=file, mtime=0) if path.suffix == ".gz" else None
        with packed or nullcontext(file) as sink:
            for row in rows:
                line = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
                # Only a lone surrogate has no UTF-8; its backslash form is JSON's escape for it.
                sink.write(line.encode(errors="backslashreplace"))


def _parquet() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - an extra, and slow to import
        from pyarrow import parquet  # noqa: PLC0415
    except ModuleNotFoundError as error:
        msg = "parquet files need pyarrow: pip install 'palate[parquet]'"
        raise MissingExtraError(msg) from error
    return parquet, pa


@contextmanager
def _written(path: Path, error: type[PalateError]) -> Iterator[IO[bytes]]:
    """A file that takes the place of the one at path once it is whole, and synced."""
    try:
        if path.exists() and not path.is_file():  # a pipe, a terminal: nothing to take the place of
            with path.open("wb") as file:
                yield file
            return
        path = path.resolve()  # what a link points to is replaced, not the link
        with beside(path) as name:
            with name.open("xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                shutil.copymode(path, name)
    except PalateError:  # already says what it has to say
        raise
    except (OSError, TypeError, ValueError, RecursionError) as reason:
        raise cannot("write", path, reason, error) from reason


def cannot(verb: str, path: Path, reason: Exception, error: type[PalateError]) -> PalateError:
    """The error that says what could not be done to a file, and why."""
    said = reason.strerror if isinstance(reason, OSError) and reason.strerror else str(reason)
    return error(f"cannot {verb} {path}: {said}")
