"""Pools in the database: the prompt, the responses and the features, as they were added."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from palate.errors import PoolError, StoreError
from palate.pool import Pool
from palate.store.rows import (
    dump,
    dump_features,
    dump_response,
    load,
    load_features,
    load_response,
    new_id,
    now,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from palate._typing import Features

_FEATURES = text(
    "INSERT INTO feature_arrays (fingerprint, dtype, n, d, content) "
    "VALUES (:fingerprint, :dtype, :n, :d, :content) ON CONFLICT DO NOTHING"
)
_POOL = text(
    "INSERT INTO pools (id, name, prompt, baseline, embedder, scaling, scale, features, added_at) "
    "VALUES (:id, :name, :prompt, :baseline, :embedder, :scaling, :scale, :features, :at) "
    "RETURNING number"
)
_RESPONSE = text(
    "INSERT INTO responses (pool, position, content) VALUES (:pool, :position, :content)"
)
_FIND = text(
    "SELECT name, prompt, baseline, embedder, scaling, scale, features FROM pools "
    "WHERE number = :pool"
)
_RESPONSES = text("SELECT content FROM responses WHERE pool = :pool ORDER BY position")
_ARRAY = text("SELECT dtype, n, d, content FROM feature_arrays WHERE fingerprint = :fingerprint")


def write_pool(connection: Connection, pool: Pool) -> str:
    """Keep a pool.

    Returns:
        Its id.

    Raises:
        PoolError: a response's metadata is not JSON.
    """
    features = pool.features
    row = {
        "id": new_id(),
        "name": _text(pool.id),
        "prompt": dump(pool.prompt),
        "baseline": None if pool.baseline is None else dump_response(pool.baseline),
        "embedder": _text(pool.embedder),
        "scaling": pool.scaling,
        "scale": pool.scale,
        "features": None if features is None else write_features(connection, features),
        "at": now(),
    }
    number = connection.execute(_POOL, row).scalar_one()
    responses = [
        {"pool": number, "position": position, "content": dump_response(response)}
        for position, response in enumerate(pool.responses)
    ]
    connection.execute(_RESPONSE, responses)
    return str(row["id"])


def read_pool(connection: Connection, number: int) -> Pool:
    """The pool of this number.

    Raises:
        StoreError: what is there is no pool.
    """
    name, prompt, baseline, embedder, scaling, scale, features = connection.execute(
        _FIND, {"pool": number}
    ).one()
    contents = connection.execute(_RESPONSES, {"pool": number}).scalars()
    try:
        pool = Pool(
            load(prompt),
            [load_response(content) for content in contents],
            scaling=scaling,
            id=load(name),
            baseline=None if baseline is None else load_response(baseline),
            embedder=load(embedder),
        )
    except (PoolError, KeyError, AttributeError, TypeError) as error:
        msg = f"the database is damaged: pool {number} is none ({error})"
        raise StoreError(msg) from error
    if features is not None:
        pool.features, pool.scale = read_features(connection, features), scale
    return pool


def write_features(connection: Connection, features: Features) -> str:
    """Keep (n, d) features, unless they are there already.

    Returns:
        Their fingerprint.
    """
    row = dump_features(features)
    connection.execute(_FEATURES, row)
    return str(row["fingerprint"])


def read_features(connection: Connection, fingerprint: str) -> Features:
    """The features with a fingerprint, read-only."""
    return load_features(*connection.execute(_ARRAY, {"fingerprint": fingerprint}).one())


def _text(value: str | None) -> str | None:
    return None if value is None else dump(value)
