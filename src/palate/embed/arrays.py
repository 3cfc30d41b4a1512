"""Features that were made elsewhere, from a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from palate.errors import PoolError

if TYPE_CHECKING:
    import os

    from numpy.typing import NDArray

    from palate._typing import Features
    from palate.pool import Pool


def read_features(path: str | os.PathLike[str], pool: Pool) -> Features:
    """Features for a pool from a file of arrays, as numpy writes them; pickles are never opened.

    ``.npy``: an (N, d) array, a row a response in the pool's order. ``.npz``: ``features``, an
    (M, d) array, and ``ids``, the response id of each row; rows of other responses are left out.
    Use them with ``pool.with_features(read_features(path, pool))``.

    Args:
        path: the file.
        pool: whose responses they belong to; its own features are not looked at.

    Returns:
        (N, d) numbers in the pool's order, unscaled, float32 or float64 as stored; other kinds of
        numbers become float64.

    Raises:
        PoolError: the file cannot be read or holds no numbers; or its rows do not fit the pool's
            responses.
    """
    path = Path(path)
    features, ids = _loaded(path)
    if features.ndim != 2 or features.shape[1] == 0 or features.dtype.kind not in "fiu":
        found = f"{features.dtype} of shape {features.shape}"
        msg = f"{path}: features are an (N, d) array of numbers, not {found}"
        raise PoolError(msg)
    if ids is not None:
        features = features[_places(path, ids, len(features), pool)]
    elif len(features) != len(pool):
        msg = (
            f"{path} has {len(features)} rows and the pool {len(pool)} responses; give one row a "
            "response in the pool's order, or an .npz with ids"
        )
        raise PoolError(msg)
    return features if features.dtype in (np.float32, np.float64) else features.astype(np.float64)


def _loaded(path: Path) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The features and the ids, which an ``.npy`` has not."""
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded, None
            features, ids = loaded.get("features"), loaded.get("ids")
    except Exception as error:  # numpy, zipfile and zlib raise a dozen kinds over a damaged file
        raise _unreadable(path, error) from error
    if features is None or ids is None:
        absent = "features" if features is None else "ids"
        msg = f"{path} has no array {absent!r}; save it by np.savez(path, ids=ids, features=rows)"
        raise PoolError(msg)
    return features, ids


def _places(path: Path, ids: NDArray[Any], rows: int, pool: Pool) -> list[int]:
    """The row of each response."""
    if ids.shape != (rows,):
        msg = f"{path} has {rows} rows of features and ids of shape {ids.shape}; give each row one"
        raise PoolError(msg)
    names = [i.decode("utf-8", "replace") if isinstance(i, bytes) else str(i) for i in ids.tolist()]
    place = {name: row for row, name in enumerate(names)}
    if len(place) < len(names):
        twice = next(name for row, name in enumerate(names) if place[name] != row)
        msg = f"{path} has two rows with the id {twice!r}"
        raise PoolError(msg)
    missing = [r.id for r in pool.responses if r.id not in place]
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        msg = f"{path} has no features for the response {missing[0]!r}{more}"
        raise PoolError(msg)
    return [place[r.id] for r in pool.responses]


def _unreadable(path: Path, error: Exception) -> PoolError:
    if isinstance(error, OSError) and error.strerror:
        return PoolError(f"cannot read {path}: {error.strerror}")
    if "pickle" in str(error).lower():  # numpy's word for objects, and for what it does not know
        msg = (
            f"{path} is no .npy or .npz file of plain numbers and texts, and palate opens no "
            "pickles; save arrays whose dtype is not object"
        )
        return PoolError(msg)
    return PoolError(f"cannot read {path}: {' '.join(str(error).split())}")
