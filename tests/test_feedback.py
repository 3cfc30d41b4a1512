"""Queries, answers, and what counts as a valid answer."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from palate.errors import AnswerError
from palate.feedback import SKIP, TIE, Answer, Comparison, Query, check_picked, stages_of

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
        said = rf"0 to 3, an order of them \(best first\), 'tie' or 'skip', not {position}"
        with pytest.raises(AnswerError, match=said):
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


@pytest.mark.parametrize(
    "named",
    [
        (2, 0, 3, 1),
        [2, 0, 3, 1],
        [np.int64(2), np.uint8(0), 3, 1],
        np.array([2, 0, 3, 1]),
        (2, 0, 3),
        np.array([2, 0, 3], dtype=np.int8),
    ],
    ids=str,
)
def test_an_order_has_one_form_and_its_last_option_need_not_be_named(named: object) -> None:
    picked = check_picked(named, FOUR)
    assert picked == (2, 0, 3, 1)
    assert isinstance(picked, tuple)
    assert {type(position) for position in picked} == {int}
    assert check_picked(picked, FOUR) == picked


def test_an_order_may_name_the_best_alone_but_more_than_one() -> None:
    assert check_picked([3, 1], FOUR) == (3, 1)
    assert check_picked([2, 0], Query(0, (5, 6, 7), ("a", "b", "c"))) == (2, 0, 1)


@pytest.mark.parametrize("picked", [0, 1])
def test_an_order_of_two_is_a_pick(picked: int) -> None:
    assert type(check_picked((picked, 1 - picked), PAIR)) is int
    assert check_picked((picked, 1 - picked), PAIR) == picked
    ordered = Comparison("Dinner?", ("Soup.", "Stew."), (picked, 1 - picked))
    assert ordered == Comparison("Dinner?", ("Soup.", "Stew."), picked)


@pytest.mark.parametrize(
    "picked",
    [
        (0, 0),
        (0, 1, 2, 3, 0),
        (3, 4),
        (-1, 0),
        (2,),
        (),
        [],
        [True, False],
        [0.0, 1.0],
        ["0", "1"],
        [None, 1],
        [[0], [1]],
        np.array([0.0, 1.0]),
        np.array([True, False]),
        np.array([1, 1]),
        np.zeros(0, dtype=int),
    ],
    ids=str,
)
def test_an_order_that_is_none_is_refused_by_name(picked: object) -> None:
    with pytest.raises(AnswerError) as caught:
        check_picked(picked, FOUR)
    said = "an order is at least 2 different positions from 0 to 3, best first, not "
    assert str(caught.value) == said + repr(picked)


@pytest.mark.parametrize("picked", [{0, 1}, {0: 1}, range(2), np.array([[0, 1]])])
def test_what_has_no_order_is_none(picked: object) -> None:
    with pytest.raises(AnswerError, match="an answer is a position from 0 to 3"):
        check_picked(picked, FOUR)


def test_an_order_is_picks_of_the_best_of_those_left() -> None:
    whole = Answer(FOUR, (2, 0, 3, 1))
    assert (whole.winner, whole.losers) == (7, (3, 0, 5))
    assert whole.stages == ((7, (3, 0, 5)), (3, (0, 5)), (5, (0,)))
    top = Answer(FOUR, (1, 3))
    assert (top.winner, top.losers) == (0, (3, 7, 5))
    assert top.stages == ((0, (3, 7, 5)), (5, (3, 7)))
    assert Answer(FOUR, 2).stages == ((7, (3, 0, 5)),)
    assert Answer(FOUR, TIE).stages == Answer(FOUR, SKIP).stages == ()


@given(st.integers(2, 7).flatmap(lambda k: st.tuples(st.permutations(range(k)), st.integers(1, k))))
def test_stages_say_who_is_above_whom_and_each_pair_once(drawn: tuple[list[int], int]) -> None:
    ranked, named = drawn
    order = tuple(ranked[:named])
    stages = stages_of(order, range(len(ranked)))
    pairs = [(winner, loser) for winner, losers in stages for loser in losers]
    assert len(set(pairs)) == len(pairs)
    place = {option: i for i, option in enumerate(order)}
    last = len(ranked)
    assert set(pairs) == {
        (a, b) for a in ranked for b in ranked if place.get(a, last) < place.get(b, last)
    }


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


def test_a_comparison_keeps_an_order_and_names_its_stages() -> None:
    comparison = Comparison("Dinner?", ("Soup.", "Stew.", "Pie."), cast("Any", [2, 0]))
    assert comparison.picked == (2, 0, 1)
    assert (comparison.chosen, comparison.rejected) == ("Pie.", ("Soup.", "Stew."))
    assert comparison.stages == (("Pie.", ("Soup.", "Stew.")), ("Soup.", ("Stew.",)))
    twice = Comparison("Dinner?", ("Soup.", "Soup.", "Pie."), (1, 2))
    assert twice.stages == (("Soup.", ("Soup.", "Pie.")), ("Pie.", ("Soup.",)))
    assert Comparison("Dinner?", ("Soup.", "Stew."), TIE).stages == ()


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
        ({"picked": 2}, "from 0 to 1, .* 'tie' or 'skip', not 2"),
        ({"picked": (1, 1)}, r"different positions from 0 to 1, best first, not \(1, 1\)"),
        ({"picked": True}, "not True"),
    ],
)
def test_a_comparison_that_says_nothing_is_refused(changes: dict[str, Any], said: str) -> None:
    valid: dict[str, Any] = {"prompt": "Dinner?", "options": ("Soup.", "Stew."), "picked": 0}
    with pytest.raises(AnswerError, match=said):
        Comparison(**(valid | changes))
