from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from palate.errors import ParameterError
from palate.population import PreferenceData


def make(**changes: Any) -> PreferenceData:
    """Three people, four items, two prompts; ann picks out of three, the others out of two."""
    arrays: dict[str, Any] = {
        "items": np.arange(8.0).reshape(4, 2),
        "person": ["ann", "ann", "bob", "ann", "cas"],
        "chosen": [0, 0, 1, 3, 2],
        "rejected": [1, 2, 0, 0, 3],
        "prompts": [[10.0], [20.0]],
        "prompt": [0, 0, 1, 1, 0],
        "pick": [0, 0, 1, 2, 3],
    }
    return PreferenceData.from_arrays(**(arrays | changes))


def rows_of(data: PreferenceData) -> list[tuple[Any, ...]]:
    """The rows by name and by the features themselves."""
    prompt = [None] * len(data)
    if data.prompts is not None:
        prompt = data.prompts[data.prompt].tolist()
    return [
        (data.people[data.person[i]], *map(tuple, data.items[[c, r]].tolist()), prompt[i])
        for i, (c, r) in enumerate(zip(data.chosen, data.rejected, strict=True))
    ]


def test_people_stand_in_the_order_of_their_first_row() -> None:
    data = make()
    assert data.people == ("ann", "bob", "cas")
    assert data.person.tolist() == [0, 0, 1, 0, 2]
    assert data.per_person.tolist() == [3, 1, 1]
    assert len(data) == 5


def test_a_pick_out_of_three_is_one_answer() -> None:
    data = make()
    assert data.answers == 4
    assert data.starts.tolist() == [0, 2, 3, 4]
    assert make(pick=None).answers == 5
    assert make(pick=None).starts.tolist() == [0, 1, 2, 3, 4]
    assert make(pick=[1, 1, 2, 3, 4]).starts.tolist() == [0, 2, 3, 4]


def test_names_of_any_kind_become_texts() -> None:
    data = make(person=np.array([7, 7, 3, 7, 5]))
    assert data.people == ("7", "3", "5")


def test_rows_by_places_and_by_mask() -> None:
    data = make()
    some = data.rows(np.array([0, 1, 4]))
    assert rows_of(some) == [rows_of(data)[i] for i in (0, 1, 4)]
    assert some.people == data.people
    assert some.pick is not None
    assert some.pick.tolist() == [0, 0, 1]
    mask = np.array([True, True, False, False, True])
    assert rows_of(data.rows(mask)) == rows_of(some)
    none = data.rows(np.zeros(0, dtype=np.intp))
    assert len(none) == none.answers == 0
    assert none.per_person.tolist() == [0, 0, 0]


def test_some_people_in_the_order_given() -> None:
    data = make()
    part = data.of_people([2, 0])
    assert part.people == ("cas", "ann")
    expected = [row for row in rows_of(data) if row[0] != "bob"]
    assert rows_of(part) == expected
    assert part.answers == 3
    assert len(data.of_people([])) == 0
    assert data.of_people([]).people == ()
    with pytest.raises(ParameterError, match="different names"):
        data.of_people([0, 0])


def test_prompts_are_joined_to_the_items_that_answer_them() -> None:
    data = make()
    joined = data.joined()
    assert joined.prompts is None
    assert joined.prompt is None
    assert len(joined.items) == len({tuple(row) for row in joined.items.tolist()}) == 7
    for before, after in zip(rows_of(data), rows_of(joined), strict=True):
        name, chosen, rejected, prompt = before
        assert after == (name, (*chosen, *prompt), (*rejected, *prompt), None)
    assert joined.starts.tolist() == data.starts.tolist()
    with pytest.raises(ParameterError, match="no prompts"):
        joined.joined()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"items": np.zeros(4)}, "items must be a table"),
        ({"items": np.zeros((4, 0))}, "items must be a table"),
        ({"items": [[0.0, 1.0], [1.0], [2.0], [3.0]]}, "items must be a table of numbers"),
        ({"items": [["a"], ["b"], ["c"], ["d"]]}, "items must be a table of numbers"),
        ({"items": [[0.0], [1.0], [np.nan], [3.0]]}, "items must be finite, at most 1e.50; row 2"),
        ({"items": [[0.0], [1e200], [2.0], [3.0]]}, "items must be finite, at most 1e.50; row 1"),
        ({"prompts": [[0.0], [np.inf]]}, "prompts must be finite, .*; row 1"),
        ({"chosen": [0, 0, 1, 4, 2]}, "chosen must lie from 0 to 3; it has 0 to 4"),
        ({"rejected": [-1, 2, 0, 0, 3]}, "rejected must lie from 0 to 3; it has -1"),
        ({"chosen": [0, 0, 1, 3]}, "chosen must be 5 whole numbers"),
        ({"chosen": [0.0, 0.7, 1.0, 3.0, 2.0]}, "chosen must be whole numbers, not float64"),
        ({"prompt": None}, "together, or neither"),
        ({"prompts": None}, "together, or neither"),
        ({"prompt": [0, 0, 2, 1, 0]}, "prompt must lie from 0 to 1"),
        ({"rejected": [1, 2, 1, 0, 3]}, "row 2 prefers item 1 to itself"),
        ({"pick": [0, 0, 2, 1, 3]}, "must never fall"),
        ({"pick": [0, 0, 1, 1, 2]}, "row 3 has another person than the row before, of the same"),
        ({"chosen": [0, 3, 1, 3, 2]}, "row 1 has another item"),
        ({"prompt": [0, 1, 1, 1, 0]}, "row 1 has another prompt"),
        ({"person": ["ann"]}, "must be 1 whole numbers"),
    ],
)
def test_mistakes_are_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        make(**changes)


def test_no_rows_at_all_are_data() -> None:
    data = PreferenceData.from_arrays(np.eye(2), [], [], [])
    assert len(data) == data.answers == 0
    assert data.people == ()
