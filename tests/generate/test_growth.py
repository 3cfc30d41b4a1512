"""What a person liked, and pools that grow by it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from generate_cases import PROMPT, Cook, interests_asked

from palate import Elicitation, Pool, SimulatedPerson, WinnerStays
from palate.errors import ParameterError
from palate.feedback import Answer, Picked, Query
from palate.generate import ChatGenerator, Growth, liked_and_disliked
from palate.testing import ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate.pool import Response


def answers(*told: tuple[tuple[int, ...], Picked]) -> list[Answer]:
    return [
        Answer(Query(i, options, tuple(f"r{o + 1}" for o in options)), picked)
        for i, (options, picked) in enumerate(told)
    ]


def ids(responses: Sequence[Response]) -> list[str]:
    return [response.id for response in responses]


@pytest.mark.parametrize(
    ("told", "liked", "disliked"),
    [
        ([], [], []),
        ([((0, 1), "tie"), ((2, 3), "skip")], [], []),
        ([((0, 1), 0)], ["r1"], ["r2"]),
        ([((0, 1), 0), ((0, 2), 1)], ["r3"], ["r2"]),  # r1 won once: it is not disliked
        ([((0, 1), 0), ((0, 2), 1), ((0, 3), 0)], ["r1", "r3"], ["r4", "r2"]),  # and won again
        ([((0, 1), 0), ((2, 1), 0)], ["r3", "r1"], ["r2"]),
        ([((0, 1), 0), ((2, 3), 0), ((0, 4), 0)], ["r1", "r3"], ["r5", "r4", "r2"]),
        ([((0, 1, 2, 3), 2)], ["r3"], ["r4", "r2", "r1"]),
        ([((i, i + 5), 0) for i in range(5)], ["r5", "r4", "r3"], ["r10", "r9", "r8"]),
        ([((0, 1), 0), ((2, 3), 0), ((4, 1), 0)], ["r5", "r3", "r1"], ["r2", "r4"]),
    ],
)
def test_liked_and_disliked(
    told: list[tuple[tuple[int, ...], Picked]], liked: list[str], disliked: list[str]
) -> None:
    pool = Pool(PROMPT, [f"text {i}" for i in range(10)])
    found = liked_and_disliked(pool, answers(*told))
    assert (ids(found[0]), ids(found[1])) == (liked, disliked)


def elicitation(n: int = 6) -> Elicitation:
    texts = [f"A dish of {word}" for word in "rice beans corn kale tofu soup fish eggs".split()]
    return Elicitation(Pool.from_texts(PROMPT, texts[:n]), WinnerStays(), seed=1)


def test_grows_at_every_so_many_answers_once() -> None:
    model = ScriptedModel(Cook())
    growth = Growth(ChatGenerator(model), every=2, by=3)
    run = elicitation()
    sizes = []
    for picked in (0, "skip", 1, "skip", 0, "tie", 0):
        sizes.append((growth(run), len(run.pool)))
        query = run.ask()
        assert query is not None
        run.tell(query, picked)
    sizes.append((growth(run), len(run.pool)))
    assert sizes == [(0, 6), (0, 6), (0, 6), (3, 9), (0, 9), (0, 9), (3, 12), (0, 12)]
    assert ids(run.pool.responses)[6:] == [f"grown-{i}" for i in range(1, 7)]
    assert len({response.text for response in run.pool.responses}) == 12
    assert run.pool.features is not None
    assert len(run.pool.features) == 12


def test_shows_the_model_what_was_liked() -> None:
    model = ScriptedModel(Cook())
    run = elicitation()
    query = run.ask()
    assert query is not None
    run.tell(query, 0)
    Growth(ChatGenerator(model), every=1, by=2)(run)
    winner, loser = (run.pool.responses[i].text for i in query.options)
    for asked in model.asked:
        content = asked.messages[-1]["content"]
        assert f'Liked: "{winner}"' in content
        assert f'Not liked: "{loser}"' in content
    assert [interests_asked(asked.messages) for asked in model.asked] == [2, 0, 0]


def test_neither_undo_nor_resuming_grows_twice() -> None:
    model = ScriptedModel(Cook())
    growth = Growth(ChatGenerator(model), every=2, by=1)
    run = elicitation()
    first = run.pool
    for undo in (True, False, False):
        assert growth(run) == 0
        query = run.ask()
        assert query is not None
        run.tell(query, 0)
        if undo:
            run.undo()
    assert growth(run) == 1
    asked = len(model.asked)
    run.undo()
    assert growth(run) == 0
    query = run.ask()
    assert query is not None
    run.tell(query, 1)
    assert growth(run) == 0
    resumed = Elicitation.from_json(run.to_json(), first)
    assert len(resumed.pool) == 7
    assert growth(resumed) == 0
    assert len(model.asked) == asked


def test_a_run_that_grows_ends() -> None:
    model = ScriptedModel(Cook())
    growth = Growth(ChatGenerator(model), every=3, by=2)
    run = Elicitation(elicitation().pool, WinnerStays(max_steps=9), seed=1)
    person = SimulatedPerson(np.random.default_rng(0).normal(size=64))
    best = run.run(person, grow=growth)
    assert best.answers == 9
    assert len(run.pool) > 6


def test_settings_are_checked() -> None:
    generator = ChatGenerator(ScriptedModel([]))
    for every, by in ((0, 1), (1, 0), (-1, 1)):
        with pytest.raises(ParameterError, match="must be at least 1"):
            Growth(generator, every, by)
