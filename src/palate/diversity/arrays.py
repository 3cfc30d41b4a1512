"""A diagnosis's input as one file of arrays, for populations that are not palate's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from palate._numbers import LARGEST, unfit_row
from palate.diversity.bilinear import Bilinear
from palate.diversity.learners import fit_basis
from palate.diversity.rows import Rows
from palate.diversity.served import Served
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from palate._typing import FloatArray

EACH = 10
"""Pools that each person is served from, where a file does not say."""

_NEEDED = ("heads", "person", "delta")


@dataclass(frozen=True, eq=False)
class Input:
    """What :func:`palate.diversity.diagnose` takes.

    Attributes:
        population: heads and basis.
        feedback: answers.
        served: people and their questions; None where the file has no pools.
        new_answers: of people whom the basis was not fitted to; None where the file has none.
    """

    population: Bilinear
    feedback: Rows
    served: Served | None
    new_answers: Rows | None


def read_arrays(path: str | Path, *, each: int | None = None, seed: int = 0) -> Input:
    """Read an ``.npz`` file of arrays; docs/diversity.md says which.

    Args:
        path: the file.
        each: pools drawn for each person; by default as the file says, or 10.
        seed: of that draw.

    Raises:
        ParameterError: the file cannot be read, an array is missing, shapes do not fit, or a number
            is not finite.
    """
    arrays = _load(path)
    missing = [name for name in _NEEDED if name not in arrays]
    if missing:
        msg = f"{path} lacks {', '.join(missing)}; it has {', '.join(sorted(arrays)) or 'nothing'}"
        raise ParameterError(msg)
    heads = _numbers(arrays, "heads", 2)
    feedback = Rows(
        _places(arrays, "person"),
        _numbers(arrays, "delta", 2),
        _places(arrays, "pick") if "pick" in arrays else None,
    )
    if len(feedback) and feedback.person.max() >= len(heads):
        msg = f"person {feedback.person.max()} answered, and there are {len(heads)} heads, from 0"
        raise ParameterError(msg)
    basis = _numbers(arrays, "basis", 2) if "basis" in arrays else fit_basis(feedback, heads)
    new = None
    if "new_person" in arrays:
        new = Rows(_places(arrays, "new_person"), _numbers(arrays, "new_delta", 2))
    return Input(
        Bilinear(heads, basis, _texts(arrays, "people"), note=str(arrays.get("note", ""))),
        feedback,
        _served(arrays, heads, each, seed),
        new,
    )


def _served(
    arrays: Mapping[str, Any], heads: FloatArray, each: int | None, seed: int
) -> Served | None:
    if "items" not in arrays:
        return None
    items = _numbers(arrays, "items", 2)
    pool = _places(arrays, "pool") if "pool" in arrays else np.zeros(len(items), dtype=np.intp)
    if len(pool) != len(items):
        msg = f"pool must name the pool of each of the {len(items)} items, not of {len(pool)}"
        raise ParameterError(msg)
    order = np.argsort(pool, kind="stable")
    ends = np.flatnonzero(np.diff(pool[order])) + 1
    labels = _texts(arrays, "labels")
    if labels and len(labels) != len(items):
        msg = f"labels must hold a text for each of the {len(items)} items, not {len(labels)}"
        raise ParameterError(msg)
    if each is None:
        each = _whole(arrays, "each") if "each" in arrays else EACH
    others = "served_heads" in arrays
    return Served.of_pools(
        _numbers(arrays, "served_heads", 2) if others else heads,
        np.split(items[order], ends),
        each=each,
        people=_texts(arrays, "served_people" if others else "people"),
        labels=[labels[i] for i in order] if labels else (),
        seed=seed,
    )


def _load(path: str | Path) -> dict[str, Any]:
    try:
        with Path(path).open("rb") as file:
            found = np.load(file, allow_pickle=False)
            # A single array is a file of numpy's too, and has no names.
            names = getattr(found, "files", ())
            return {name: found[name] for name in names}
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise ParameterError(msg) from error
    except (ValueError, BadZipFile, EOFError) as error:
        # What numpy says of a file that is none of its own is advice to unpickle it.
        msg = f"{path} holds no arrays of numbers and texts; write them by numpy.savez"
        raise ParameterError(msg) from error


def _numbers(arrays: Mapping[str, Any], name: str, dimensions: int) -> FloatArray:
    if (
        name not in arrays
        or arrays[name].ndim != dimensions
        or arrays[name].dtype.kind not in "iuf"
    ):
        shown = "missing" if name not in arrays else f"{arrays[name].dtype} {arrays[name].shape}"
        msg = f"{name} must be a table of numbers, and is {shown}"
        raise ParameterError(msg)
    table = np.asarray(arrays[name], dtype=np.float64)
    if unfit_row(table) is not None:
        msg = f"{name} must be finite, at most {LARGEST:g}"
        raise ParameterError(msg)
    return table


def _whole(arrays: Mapping[str, Any], name: str) -> int:
    array = arrays[name]
    if array.size != 1 or array.dtype.kind not in "iu":
        msg = f"{name} must be a whole number, not {array.dtype} {array.shape}"
        raise ParameterError(msg)
    return int(array.item())


def _places(arrays: Mapping[str, Any], name: str) -> Any:  # noqa: ANN401
    array = arrays[name]
    if array.ndim != 1 or array.dtype.kind not in "iu":
        msg = f"{name} must be a list of whole numbers, not {array.dtype} {array.shape}"
        raise ParameterError(msg)
    return array.astype(np.intp)


def _texts(arrays: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(str(text) for text in arrays[name].tolist()) if name in arrays else ()
