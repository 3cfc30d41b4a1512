"""Queries, answers, and what counts as a valid answer."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.errors import AnswerError
from palate.feedback import SKIP, TIE, Answer, Comparison, Query, check_picked

PAIR = Query(0, (4, 1), ("r5", "r2"))
FOUR = Query(2, (3, 0, 7, 5), ("r4", "r1", "r8", "r6"))


def test_a_pick_names_the_winner_and_the_losers_by_their_place_in_the_pool() -> None:
    assert (Answer(PAIR, 0).winner, Answer(PAIR, 0).losers) == (4, (1,))
    assert (Answer(PAIR, 1).winner, Answer(PAIR, 1).losers) == (1, (4,))
    assert (Answer(FOUR, 2).winner, Answer(FOUR, 2).losers) == (7, (3, 0, 5))


@pytest.mark.parametrize("picked", [TIE, SKIP])
def test_a_tie_and_a_skip_have_neither(picked: str) -> None:
    answer = Answer(FOUR, check_picked(picked, FOUR))
    assert answer.winner is None
    assert answer.losers == ()


@given(st.integers(-10, 10))
def test_a_position_is_valid_where_something_is_shown(position: int) -> None:
    if 0 <= position < 4:
        assert check_picked(position, FOUR) == position
    else:
        with pytest.raises(AnswerError, match=f"0 to 3, 'tie' or 'skip', not {position}"):
            check_picked(position, FOUR)


@pytest.mark.parametrize("kind", [np.int64, np.uint8, np.intp])
def test_integers_of_numpy_are_positions_and_become_plain(kind: type[np.integer]) -> None:
    picked = check_picked(kind(1), PAIR)
    assert picked == 1
    assert type(picked) is int


def test_words_of_numpy_become_plain() -> None:
    picked = check_picked(np.str_("tie"), PAIR)
    assert type(picked) is str


@pytest.mark.parametrize(
    "picked", [True, False, np.True_, 0.0, 1.5, None, "0", "left", "Tie", "", b"tie", [0], (0,), {}]
)
def test_anything_else_is_refused_by_name(picked: object) -> None:
    with pytest.raises(AnswerError) as caught:
        check_picked(picked, PAIR)
    assert repr(picked) in str(caught.value)
    assert "0 to 1" in str(caught.value)


def test_queries_and_answers_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        PAIR.number = 3  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Answer(PAIR, 0).picked = 1  # type: ignore[misc]
    assert hash(PAIR) == hash(Query(0, (4, 1), ("r5", "r2")))
    assert Query(1, (4, 1), ("r5", "r2")) != PAIR
    assert Query(0, (1, 4), ("r2", "r5")) != PAIR


def test_a_comparison_names_what_was_chosen_and_what_was_not() -> None:
    comparison = Comparison("Dinner?", ("Soup.", "Stew.", "Pie."), 1)
    assert (comparison.chosen, comparison.rejected) == ("Stew.", ("Soup.", "Pie."))
    for picked in (TIE, SKIP):
        neither = dataclasses.replace(comparison, picked=check_picked(picked, PAIR))
        assert (neither.chosen, neither.rejected) == (None, ())


def test_a_comparison_is_plain_data() -> None:
    listed: Any = ["Soup.", "Stew."]
    comparison = Comparison("Dinner?", listed, int(np.int64(1)), metadata={"at": "noon"})
    assert comparison.options == ("Soup.", "Stew.")
    assert type(Comparison("Dinner?", listed, cast("int", np.int64(1))).picked) is int
    assert len({comparison, dataclasses.replace(comparison)}) == 1
    assert comparison != dataclasses.replace(comparison, metadata={})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"options": ("Soup.",)}, "at least two options"),
        ({"options": "ab"}, "at least two options"),
        ({"options": ("Soup.", None)}, "texts, not None"),
        ({"prompt": 3}, "texts, not 3"),
        ({"person": 7}, "a person is a text or None, not 7"),
        ({"picked": 2}, "from 0 to 1, 'tie' or 'skip', not 2"),
        ({"picked": True}, "not True"),
    ],
)
def test_a_comparison_that_says_nothing_is_refused(changes: dict[str, Any], said: str) -> None:
    valid: dict[str, Any] = {"prompt": "Dinner?", "options": ("Soup.", "Stew."), "picked": 0}
    with pytest.raises(AnswerError, match=said):
        Comparison(**(valid | changes))
