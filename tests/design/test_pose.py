"""A plan's queries as something that people can be asked, and the people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate.design import (
    Problem,
    Questions,
    Slot,
    ask_all,
    fit_choice_model,
    option_features,
    pool_queries,
    pose,
    style_person,
)
from palate.design.queries import PlannedQuery
from palate.errors import AnswerError, ParameterError
from palate.feedback import Query
from palate.people import ModelPerson
from palate.pool import Pool
from palate.testing import ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray
    from palate.feedback import Reply


@pytest.fixture
def problem() -> Problem:
    """Two slots of words, the second with a blank token."""
    rng = np.random.default_rng(0)
    light = rng.normal(size=(3, 4))
    light[0] = 0.0
    return Problem(
        (
            Slot("subject", ("a cat", "a dog", "a heron"), rng.normal(size=(3, 4))),
            Slot("light", ("", "dawn", "noon"), light),
        )
    )


PLANNED = (
    PlannedQuery(0, 1, ((0,), (2,), (1,))),
    PlannedQuery(0, 2, ((0, 1), (1, 0), (2, 2))),
    PlannedQuery(1, 1, ((2,), (0,))),
)


def test_every_distinct_prompt_is_one_response_of_the_pool(problem: Problem) -> None:
    asked = pose(problem, PLANNED)
    texts = [r.text for r in asked.pool.responses]
    assert texts == ["a cat", "a heron", "a dog", "a cat, dawn", "a heron, noon"]
    assert [q.options for q in asked.queries] == [(0, 1, 2), (3, 2, 4), (1, 0)]
    assert [q.number for q in asked.queries] == [0, 1, 2]
    assert asked.prompts == ((0,), (2,), (1,), (0, 1), (2, 2))
    for query in asked.queries:
        assert query.ids == tuple(asked.pool.responses[i].id for i in query.options)


def test_features_add_up_or_are_those_of_the_whole_text(problem: Problem) -> None:
    asked = pose(problem, PLANNED)
    subject, light = (slot.features for slot in problem.slots)
    features = asked.features(problem)
    np.testing.assert_array_equal(features[3], subject[0] + light[1])
    np.testing.assert_array_equal(features[2], subject[1])
    np.testing.assert_array_equal(asked.options(problem)[1], features[[3, 2, 4]])

    def embed(texts: Sequence[str]) -> FloatArray:
        return np.array([[float(len(text)), 0.0, 2.0] for text in texts])

    whole = asked.features(problem, embed)
    np.testing.assert_allclose(whole[3], np.array([11.0, 0.0, 2.0]) / np.sqrt(125.0))


def test_the_last_token_may_stand_alone(problem: Problem) -> None:
    planned = (PlannedQuery(0, 2, ((0, 1), (1, 2))),)
    asked = pose(problem, planned, shows="token", question="Which light?")
    assert [r.text for r in asked.pool.responses] == ["dawn", "noon"]
    assert asked.pool.prompt == "Which light?"
    np.testing.assert_array_equal(asked.features(problem), problem.slots[1].features[1:])
    np.testing.assert_array_equal(
        option_features(problem, (0, 1), "token"), problem.slots[1].features[1]
    )


def test_a_style_person_picks_by_the_softmax(problem: Problem) -> None:
    n = 4000
    asked = pose(problem, [PLANNED[1]] * n)
    theta = np.array([0.5, -0.4, 0.3, 0.2])
    said = ask_all(style_person(asked, problem, theta, seed=1), asked)
    utilities = asked.options(problem)[0] @ theta
    expected = n * np.exp(utilities) / np.exp(utilities).sum()
    counts = Counter(said)
    assert sum((counts[i] - e) ** 2 / e for i, e in enumerate(expected)) < 13.8
    assert said == ask_all(style_person(asked, problem, theta, seed=1), asked)
    assert said != ask_all(style_person(asked, problem, theta, seed=2), asked)
    always = ask_all(style_person(asked, problem, theta, noise="none"), asked)
    assert set(always) == {int(np.argmax(utilities))}


def test_a_person_can_judge_the_text_as_a_whole(problem: Problem) -> None:
    def embed(texts: Sequence[str]) -> FloatArray:
        return np.array([[1.0, 0.0] if "noon" in text else [0.0, 1.0] for text in texts])

    asked = pose(problem, PLANNED)
    person = style_person(asked, problem, [9.0, 0.0], embedder=embed, noise="none")
    assert ask_all(person, asked)[1] == 2
    with pytest.raises(ParameterError, match="theta must have 4 numbers, one a feature"):
        style_person(asked, problem, [1.0, 2.0])


def test_what_a_person_picked_gives_their_weights_back(problem: Problem) -> None:
    rng = np.random.default_rng(5)
    planned = [
        PlannedQuery(t, 2, tuple((int(i), int(rng.integers(3))) for i in rng.permutation(3)))
        for t in range(600)
    ]
    asked = pose(problem, planned)
    theta = np.array([1.0, -1.0, 0.5, 0.0])
    said = ask_all(style_person(asked, problem, theta), asked)
    found = fit_choice_model(asked.options(problem), said, lam=0.1)
    cosine = found.theta @ theta / np.linalg.norm(found.theta) / np.linalg.norm(theta)
    assert cosine > 0.97


def test_a_played_person_picks_among_k(problem: Problem) -> None:
    def says(messages: Sequence[Any]) -> str:
        lines = messages[-1]["content"].split("<response ")[1:]
        return next(line[0] for line in lines if "heron" in line)

    asked = pose(problem, PLANNED[:2])
    person = ModelPerson("Somebody who likes birds.", ScriptedModel(says))
    assert ask_all(person, asked) == [1, 2]


class Leaves:
    """Somebody who says one thing and then another."""

    def __init__(self, then: Reply) -> None:
        self.then = then

    def answer(self, query: Query, pool: Pool) -> Reply:  # noqa: ARG002
        return 0 if query.number == 0 else self.then


def test_who_stops_has_skipped_the_rest(problem: Problem) -> None:
    asked = pose(problem, PLANNED)
    assert ask_all(Leaves("stop"), asked) == [0, "skip", "skip"]
    assert ask_all(Leaves("tie"), asked) == [0, "tie", "tie"]
    with pytest.raises(AnswerError, match="cannot be undone here"):
        ask_all(Leaves("undo"), asked)
    with pytest.raises(AnswerError, match="an answer is a position from 0 to 2"):
        ask_all(Leaves(3), asked)


@pytest.mark.parametrize(
    ("options", "shows", "says"),
    [
        (((0,),), "prefix", "must show two or more different texts"),
        (((0, 0), (0,)), "prefix", "must show two or more different texts"),
        (((0, 1), (1, 1)), "token", "must show two or more different texts"),
        (((0,), (3,)), "prefix", "slot 'subject' has 3 tokens; there is none at 3"),
        (((0,), (1,)), "words", "shows is 'prefix' or 'token', not 'words'"),
        (((0, 0), (0, 1)), "token", "must show two or more different texts"),
    ],
)
def test_queries_that_show_nothing_to_choose_are_refused(
    problem: Problem, options: Any, shows: Any, says: str
) -> None:
    with pytest.raises(ParameterError, match=says):
        pose(problem, [PlannedQuery(0, 1, options)], shows=shows)
    with pytest.raises(ParameterError, match="there is no query to ask"):
        pose(problem, [])


def test_a_plan_for_a_pool_asks_about_that_pool() -> None:
    pool = Pool("Dinner?", ["soup", "curry", "salad"], np.eye(3))
    planned = [PlannedQuery(0, 1, ((2,), (0,))), PlannedQuery(1, 1, ((1,), (2,)))]
    assert pool_queries(pool, planned) == (
        Query(0, (2, 0), ("r3", "r1")),
        Query(1, (1, 2), ("r2", "r3")),
    )
    with pytest.raises(ParameterError, match="for another pool: this one has 3 responses"):
        pool_queries(pool, [PlannedQuery(0, 1, ((2,), (3,)))])


def test_questions_are_made_by_hand_too(problem: Problem) -> None:
    asked = pose(problem, PLANNED)
    same = Questions(asked.pool, asked.queries, asked.prompts)
    np.testing.assert_array_equal(same.features(problem), asked.features(problem))
