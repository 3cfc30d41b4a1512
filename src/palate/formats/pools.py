"""Files of pools: a row a pool, or a row a response."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from palate.errors import PoolError
from palate.formats._files import read_rows, write_rows
from palate.formats.alpaca_eval import read_alpaca_eval
from palate.pool import (
    Pool,
    Response,
    Scaling,
    check_features,
    response_to_object,
    unique_responses,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_PROMPT_KEYS = ("prompt", "question", "query")
_ID_KEYS = ("id", "qid")
_TEXT_KEYS = ("response", "text")


def read_pools(path: str | Path, *, drop_duplicates: bool = False) -> list[Pool]:
    """Read pools from a JSONL file (``.gz`` is decompressed), a parquet file or a folder.

    A row is a pool: ``prompt`` (or ``question``, ``query``) and ``responses``: a list of texts, a
    list of objects with ``text`` or ``image`` and usually ``id``, or an object from id to text.
    ``id`` (or ``qid``), ``baseline`` and ``features`` with their ``scaling`` are optional; other
    keys of a response become its metadata.

    Or a row is a response: ``prompt`` and ``response`` (or ``text``), usually ``id``, perhaps its
    ``features``, and metadata. Rows of the same prompt are one pool, whose id is their ``qid``.

    A folder holds the outputs of models as AlpacaEval keeps them; see :func:`read_alpaca_eval`.

    Raises:
        PoolError: the file cannot be read, holds no pool, or a row is not a pool; the message
            names the row.
        MissingExtraError: the file is parquet and pyarrow is not installed.
    """
    path = Path(path)
    if path.is_dir():
        return read_alpaca_eval(path)
    pools = []
    for place, row in _grouped(read_rows(path, PoolError)):
        try:
            pools.append(_from_object(row, drop_duplicates=drop_duplicates))
        except PoolError as error:
            msg = f"{place}: {error}"
            raise PoolError(msg) from error
    if not pools:
        msg = f"{path} holds no pool"
        raise PoolError(msg)
    return pools


def write_pools(path: str | Path, pools: Iterable[Pool]) -> None:
    """Write pools as JSONL, one a line, with their scaled features; ``.gz`` is compressed.

    The file appears whole or not at all: what stood there before is kept until the end.

    Raises:
        PoolError: the file cannot be written, or a response's metadata is not JSON.
    """
    path = Path(path)
    if path.suffix == ".parquet":
        msg = f"pools are written as JSONL; name the file {path.with_suffix('.jsonl')}"
        raise PoolError(msg)
    write_rows(path, map(_to_object, pools), PoolError)


def _grouped(rows: Iterable[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Rows that are pools as they are, and rows that are responses joined to pools."""
    groups: dict[str, list[dict[str, Any]]] = {}
    first: dict[str, str] = {}
    for place, row in rows:
        if "responses" in row or not row.keys() & set(_TEXT_KEYS):
            yield place, row
            continue
        prompt = _first(row, _PROMPT_KEYS)
        if not isinstance(prompt, str):
            msg = f"{place}: a response's row has its prompt as a text, not {prompt!r}"
            raise PoolError(msg)
        groups.setdefault(prompt, []).append(row)
        first.setdefault(prompt, place)
    for prompt, members in groups.items():
        yield f"{first[prompt]} and those of the same prompt", _joined(prompt, members)


def _joined(prompt: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    pool: dict[str, Any] = {"prompt": prompt, "id": rows[0].get("qid")}
    pool["responses"] = [
        {k: v for k, v in row.items() if k not in {*_PROMPT_KEYS, *_TEXT_KEYS, "qid", "features"}}
        | {"text": _first(row, _TEXT_KEYS)}
        for row in rows
    ]
    if any(row.get("features") is not None for row in rows):
        pool["features"] = [row.get("features") for row in rows]
    return pool


def _from_object(parsed: Mapping[str, Any], *, drop_duplicates: bool) -> Pool:
    if parsed.keys() >= {"chosen", "rejected"}:
        raise PoolError("a preference is no pool; see palate.formats.read_comparisons and pools_of")
    prompt = _first(parsed, _PROMPT_KEYS)
    if prompt is None:
        msg = f"no prompt: expected one of the keys {', '.join(_PROMPT_KEYS)}"
        raise PoolError(msg)
    if not isinstance(parsed.get("responses"), list | dict):
        raise PoolError("no responses: expected a list, or an object from id to text")
    responses = list(_parse_responses(parsed["responses"]))
    features = parsed.get("features")
    kept = unique_responses(responses) if drop_duplicates else responses
    if features is not None and len(kept) < len(responses):
        rows = check_features(features, len(responses))
        places = {r.id: i for i, r in enumerate(responses)}
        features = rows[[places[r.id] for r in kept]]
    baselines = parsed.get("baseline")
    baseline = None
    if baselines is not None:
        listed = baselines if _is_mapping_of_texts(baselines) else [baselines]
        baseline = next(_parse_responses(listed, default="baseline"), None)
    pool_id = _first(parsed, _ID_KEYS)
    pool = Pool(prompt, kept, id=None if pool_id is None else str(pool_id), baseline=baseline)
    if features is None:
        return pool
    return _restore_features(pool, parsed, features)


def _restore_features(pool: Pool, parsed: Mapping[str, Any], features: object) -> Pool:
    """Features that were written with their scaling are not scaled again, only checked."""
    scaling, embedder = parsed.get("scaling"), parsed.get("embedder")
    if scaling is None:
        return pool.with_features(cast("ArrayLike", features), embedder=embedder)
    dtype, scale = parsed.get("dtype", "float64"), parsed.get("scale", 1.0)
    if scaling not in get_args(Scaling) or dtype not in ("float32", "float64"):
        msg = f"unknown scaling or dtype of the features: {scaling!r}, {dtype!r}"
        raise PoolError(msg)
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not scale > 0.0:
        msg = f"the features' scale is a positive number, not {scale!r}"
        raise PoolError(msg)
    array = check_features(cast("ArrayLike", features), len(pool)).astype(dtype)
    pool = pool.with_features(array, scaling="none", embedder=embedder)
    pool.scaling, pool.scale = scaling, float(scale)
    return pool


def _is_mapping_of_texts(value: object) -> bool:
    return isinstance(value, dict) and not {"text", "image"} & value.keys()


def _parse_responses(
    listed: Sequence[object] | Mapping[str, object], default: str | None = None
) -> Iterator[Response]:
    if isinstance(listed, Mapping):
        listed = [{"id": key, "text": text} for key, text in listed.items()]
    for i, item in enumerate(listed, start=1):
        name = default or f"r{i}"
        if isinstance(item, str):
            yield Response(name, item)
        elif isinstance(item, dict):
            rest = {k: v for k, v in item.items() if k not in {"id", "text", "image"}}
            given = item.get("id")
            yield Response(
                name if given is None else str(given),
                item.get("text"),
                item.get("image"),
                metadata=rest,
            )
        else:
            msg = f"response {i} is neither a text nor an object"
            raise PoolError(msg)


def _first(parsed: Mapping[str, Any], keys: Sequence[str]) -> Any:  # noqa: ANN401
    return next((parsed[key] for key in keys if parsed.get(key) is not None), None)


def _to_object(pool: Pool) -> dict[str, Any]:
    record: dict[str, Any] = {} if pool.id is None else {"id": pool.id}
    record |= {"prompt": pool.prompt, "responses": [response_to_object(r) for r in pool.responses]}
    if pool.baseline is not None:
        record["baseline"] = response_to_object(pool.baseline)
    if pool.features is not None:
        record |= {
            "features": [[float(v) for v in row] for row in pool.features],
            "dtype": str(pool.features.dtype),
            "scaling": pool.scaling,
            "scale": pool.scale,
        }
        if pool.embedder is not None:
            record["embedder"] = pool.embedder
    return record
