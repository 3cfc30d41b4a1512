from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from diversity_cases import fitted, town

from palate.diversity import read_arrays
from palate.errors import ParameterError

if TYPE_CHECKING:
    from pathlib import Path

PLACE = town()
ROWS = PLACE.answers(300)


def arrays(**change: Any) -> dict[str, Any]:
    good = {"heads": PLACE.heads, "person": ROWS.person, "delta": ROWS.delta}
    return {name: value for name, value in {**good, **change}.items() if value is not None}


def written(path: Path, **change: Any) -> Path:
    np.savez(path / "arrays.npz", **arrays(**change))
    return path / "arrays.npz"


def test_the_least_that_is_needed(tmp_path: Path) -> None:
    found = read_arrays(written(tmp_path))
    np.testing.assert_array_equal(found.feedback.delta, ROWS.delta)
    np.testing.assert_allclose(found.population.basis, fitted(PLACE, ROWS))
    assert found.population.people[0] == "person 1"
    assert found.served is None
    assert found.new_answers is None


def test_everything_there_can_be(tmp_path: Path) -> None:
    rows = PLACE.answers(50, options=3)
    items = PLACE.pools[:2].reshape(24, -1)
    pool = np.tile([7, 3], 12)
    found = read_arrays(
        written(
            tmp_path,
            basis=PLACE.basis,
            person=rows.person,
            delta=rows.delta,
            pick=rows.pick,
            people=np.array([f"p{i}" for i in range(26)]),
            served_heads=np.ones((2, 3)),
            served_people=np.array(["ann", "bob"]),
            items=items,
            pool=pool,
            labels=np.array([f"text {i}" for i in range(24)]),
            each=np.array(1),
            new_person=np.array([0, 1]),
            new_delta=np.eye(5)[:2],
        )
    )
    np.testing.assert_array_equal(found.population.basis, PLACE.basis)
    assert found.population.people[25] == "p25"
    assert found.feedback.pick is not None
    assert found.served is not None
    assert found.served.people == ("ann", "bob")
    assert len(found.served.person) == 2  # one pool each
    # Items of pool 3 come first, and their texts with them.
    np.testing.assert_array_equal(found.served.items[0], items[1])
    assert found.served.label(0) == "text 1"
    assert found.new_answers is not None
    assert len(found.new_answers) == 2
    both = read_arrays(tmp_path / "arrays.npz", each=2)
    assert both.served is not None
    assert len(both.served.person) == 4


def test_one_pool_by_default_serves_those_who_have_heads(tmp_path: Path) -> None:
    path = written(tmp_path, items=PLACE.pools[0], people=np.array([f"p{i}" for i in range(26)]))
    found = read_arrays(path)
    assert found.served is not None
    assert found.served.people[3] == "p3"
    assert len(found.served.person) == 26


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"delta": None}, "lacks delta; it has heads, person"),
        ({"heads": np.ones(3)}, r"heads must be a table of numbers, and is float64 \(3,\)"),
        ({"heads": np.array([["a"]])}, "heads must be a table of numbers"),
        ({"person": np.array([0.5, 1.0])}, "person must be a list of whole numbers"),
        ({"heads": np.full((26, 3), np.inf)}, "heads must be finite"),
        ({"delta": np.full((2, 5), 1e200), "person": np.zeros(2, dtype=int)}, "delta must be fin"),
        ({"items": np.ones((2, 5)), "labels": np.array(["one"])}, "each of the 2 items, not 1"),
        ({"items": np.ones((2, 5)), "each": np.array(2.5)}, "each must be a whole number"),
        ({"heads": np.ones((2, 3))}, "answered, and there are 2 heads"),
        ({"items": np.ones((2, 5)), "pool": np.zeros(3, dtype=int)}, "each of the 2 items"),
        ({"new_person": np.array([0])}, "new_delta must be a table of numbers, and is missing"),
    ],
)
def test_files_that_do_not_fit_are_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        read_arrays(written(tmp_path, **change))


def test_files_that_are_no_arrays_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match=r"cannot read .*nothing\.npz: No such file"):
        read_arrays(tmp_path / "nothing.npz")
    for name, content in (("text", b"no arrays"), ("empty", b""), ("zip", b"PK\x03\x04 cut off")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ParameterError, match="holds no arrays of numbers and texts"):
            read_arrays(tmp_path / name)
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(ParameterError, match="lacks heads, person, delta; it has nothing"):
        read_arrays(tmp_path / "one.npy")
    # Nothing is unpickled.
    np.savez(tmp_path / "objects.npz", **arrays(people=np.array([{"a": 1}], dtype=object)))
    with pytest.raises(ParameterError, match="holds no arrays of numbers and texts"):
        read_arrays(tmp_path / "objects.npz")
