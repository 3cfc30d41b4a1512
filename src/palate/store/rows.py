"""What the columns hold: JSON in ASCII, times, random ids, arrays of features as bytes."""

from __future__ import annotations

import hashlib
import json
import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from palate.errors import PoolError, StoreError
from palate.pool import object_to_response, response_to_object

if TYPE_CHECKING:
    from palate._typing import Features
    from palate.pool import Response


def now() -> str:
    """The time as ISO 8601 in UTC, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def new_id() -> str:
    """96 random bits as 16 letters, digits, ``-`` and ``_``: nobody guesses one."""
    return secrets.token_urlsafe(12)


def dump(value: object) -> str:
    """A value as JSON; half an emoji and NUL, which no column of text takes, are escaped."""
    return json.dumps(value, allow_nan=False)


def load(text: str | None) -> Any:  # noqa: ANN401 - whatever the JSON holds
    """What :func:`dump` wrote; None for NULL.

    Raises:
        StoreError: the column is damaged.
    """
    try:
        return None if text is None else json.loads(text)
    except ValueError as error:
        msg = f"the database is damaged: {text[:40]!r} is not JSON"  # type: ignore[index]  # not None
        raise StoreError(msg) from error


def dump_response(response: Response) -> str:
    """A response with its metadata, as JSON.

    Raises:
        PoolError: the metadata is no JSON.
    """
    try:
        return dump(response_to_object(response))
    except (TypeError, ValueError) as error:
        msg = f"response {response.id!r}: its metadata cannot be kept as JSON ({error})"
        raise PoolError(msg) from error


def load_response(text: str | None) -> Response:
    """What :func:`dump_response` wrote."""
    return object_to_response(load(text))


def dump_features(features: Features) -> dict[str, Any]:
    """(n, d) features as a row of ``feature_arrays``: equal arrays have equal fingerprints."""
    n, d = features.shape
    dtype = str(features.dtype)
    content = np.ascontiguousarray(features).astype(f"<f{features.dtype.itemsize}").tobytes()
    fingerprint = hashlib.sha256(f"{dtype} {n} {d} ".encode() + content).hexdigest()
    return {"fingerprint": fingerprint, "dtype": dtype, "n": n, "d": d, "content": content}


def load_features(dtype: str, n: int, d: int, content: bytes) -> Features:
    """(n, d) features, what :func:`dump_features` wrote, read-only.

    Raises:
        StoreError: the row is damaged.
    """
    size = {"float32": 4, "float64": 8}.get(dtype, 0)
    if len(content) != size * n * d or not size:
        msg = f"the database is damaged: {len(content)} bytes are no {n} x {d} {dtype}"
        raise StoreError(msg)
    return np.frombuffer(content, dtype=f"<f{size}").reshape(n, d).astype(dtype, copy=False)
