from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from palate.errors import ParameterError
from palate.population import PreferenceData
from palate.population.splits import Split, first_answers, split

if TYPE_CHECKING:
    from palate._typing import IndexArray


def make(people: int = 20, each: int = 30, *, picks: bool = False, seed: int = 0) -> PreferenceData:
    """Different questions; the first feature of the chosen item of a row tells its answer."""
    rng = np.random.default_rng(seed)
    n = people * each
    person = rng.permutation(np.repeat(np.arange(people), each))
    if not picks:
        places = np.arange(n)
        rows, chosen, rejected, pick = places, 2 * places, 2 * places + 1, None
    else:
        rows = np.repeat(np.arange(n), rng.integers(1, 4, size=n))
        chosen, rejected, pick = rows, n + np.arange(len(rows)), rows
    items = np.arange(float(max(chosen.max(), rejected.max()) + 1))[:, None]
    return PreferenceData.from_arrays(
        items, [f"p{i}" for i in person[rows]], chosen, rejected, pick=pick
    )


def parts(result: Split) -> dict[str, PreferenceData]:
    names = ("train", "seen_test", "support", "validation", "test")
    return {name: getattr(result, name) for name in names}


def per_person(data: PreferenceData) -> IndexArray:
    return np.bincount(data.person[data.starts], minlength=len(data.people))


@pytest.mark.parametrize("picks", [False, True])
def test_parts_share_nothing_and_lose_nothing(picks: bool) -> None:  # noqa: FBT001
    data = make(picks=picks)
    result = split(data, unseen=5, test=8, validation=6, seed=3)
    rows = {
        name: list(zip(part.chosen.tolist(), part.rejected.tolist(), strict=True))
        for name, part in parts(result).items()
    }
    everything = [row for part in rows.values() for row in part]
    assert sorted(everything) == sorted(
        zip(data.chosen.tolist(), data.rejected.tolist(), strict=True)
    )
    assert len(set(everything)) == len(everything)
    # an answer's rows all share the chosen item, and no two parts share one
    answers = [set(part.chosen.tolist()) for part in parts(result).values()]
    assert sum(map(len, answers)) == len(set().union(*answers)) == data.answers
    names = {person: data.people[i] for person, i in zip(data.chosen, data.person, strict=True)}
    for part in parts(result).values():
        for item, i in zip(part.chosen, part.person, strict=True):
            assert part.people[i] == names[item]


def test_sizes_are_of_each_person() -> None:
    result = split(make(), unseen=5, test=8, validation=6, seed=3)
    assert per_person(result.train).tolist() == [22] * 15
    assert per_person(result.seen_test).tolist() == [8] * 15
    assert per_person(result.support).tolist() == [16] * 5
    assert per_person(result.validation).tolist() == [6] * 5
    assert per_person(result.test).tolist() == [8] * 5
    shares = split(make(), unseen=0.25, test=0.1, validation=0.5)
    assert per_person(shares.train).tolist() == [27] * 15
    assert per_person(shares.support).tolist() == [12] * 5


def test_seen_and_unseen_people_are_different() -> None:
    result = split(make(), unseen=5)
    assert result.train.people == result.seen_test.people
    assert result.support.people == result.validation.people == result.test.people
    assert len(result.train.people) == 15
    assert not set(result.train.people) & set(result.test.people)


def test_the_seed_decides() -> None:
    data = make()
    one, two, other = split(data, seed=1), split(data, seed=1), split(data, seed=2)
    for name, part in parts(one).items():
        np.testing.assert_array_equal(part.chosen, parts(two)[name].chosen)
    assert one.test.people != other.test.people
    assert one.train.chosen.tolist() != other.train.chosen.tolist()


def test_a_repeated_question_stays_in_one_part() -> None:
    # Everybody is asked each of 6 pairs several times, either way round, and answers at random.
    rng = np.random.default_rng(0)
    n = 800
    pair = rng.integers(0, 6, size=n)
    first = rng.integers(0, 2, size=n)
    prompt = rng.integers(0, 2, size=n)
    data = PreferenceData.from_arrays(
        np.arange(12.0)[:, None],
        rng.integers(0, 10, size=n),
        2 * pair + first,
        2 * pair + 1 - first,
        prompts=np.eye(2),
        prompt=prompt,
    )
    result = split(data, unseen=3, test=15, validation=15, seed=1)
    asked = []
    for part in parts(result).values():
        assert part.prompt is not None
        assert (per_person(part) > 0).all()
        asked.append(
            {
                (part.people[i], c // 2, p)
                for i, c, p in zip(part.person, part.chosen, part.prompt, strict=True)
            }
        )
    assert sum(map(len, asked)) == len(set().union(*asked)) == 10 * 6 * 2
    # The same pick among other options, and options in another order.
    picks = PreferenceData.from_arrays(
        np.eye(4),
        ["ann"] * 8,
        [0, 0, 1, 1, 0, 0, 0, 0],
        [1, 2, 2, 0, 2, 3, 3, 2],
        pick=[0, 0, 1, 1, 2, 2, 3, 3],
    )
    for seed in range(9):
        halves = split(picks, unseen=0, test=1, seed=seed)
        kinds = [set(part.rejected.tolist()) & {0, 1} for part in (halves.train, halves.seen_test)]
        assert not all(kinds)
        assert halves.train.answers == halves.seen_test.answers == 2


def test_the_same_options_for_another_prompt_are_another_question() -> None:
    data = PreferenceData.from_arrays(
        np.eye(2), ["ann"] * 6, [0] * 6, [1] * 6, prompts=np.eye(6), prompt=np.arange(6)
    )
    halves = split(data, unseen=0, test=2)
    assert (len(halves.train), len(halves.seen_test)) == (4, 2)
    # and so they are to another person
    others = PreferenceData.from_arrays(np.eye(2), list("abc") * 2, [0] * 6, [1] * 6)
    assert len(split(others, unseen=0, test=1).train) == 6


def test_everybody_keeps_something_to_learn_from() -> None:
    uneven = make(each=6)
    uneven = uneven.rows(np.flatnonzero((uneven.person > 3) | (np.arange(len(uneven)) % 3 == 0)))
    result = split(uneven, unseen=4, test=3, validation=2)
    totals = dict(zip(uneven.people, per_person(uneven).tolist(), strict=True))
    assert min(totals.values()) <= 3
    for part, other in ((result.train, result.seen_test), (result.support, result.test)):
        for name, kept, tested in zip(
            part.people, per_person(part), per_person(other), strict=True
        ):
            assert kept > 0
            assert tested in {0, 3}
            if tested == 0:
                assert totals[name] <= 3
    assert all(totals[name] > 5 for name in result.test.people)
    # one question asked over and over leaves nothing to test
    same = PreferenceData.from_arrays(np.eye(2), ["ann"] * 9, [0] * 9, [1] * 9)
    assert len(split(same, unseen=0).train) == 9


def test_nobody_unseen_and_everybody_unseen() -> None:
    nobody = split(make(), unseen=0)
    assert nobody.support.people == nobody.test.people == ()
    everybody = split(make(), unseen=20)
    assert everybody.train.people == ()
    assert len(everybody.support.people) == 20
    empty = PreferenceData.from_arrays(np.eye(2), [], [], [])
    assert len(split(empty).train) == 0


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"unseen": -1}, "unseen must be"),
        ({"test": 1.5}, "test must be"),
        ({"validation": float("nan")}, "validation must be"),
        ({"unseen": 21}, "21 unseen people are wanted, and 20 of 20"),
        ({"test": 20, "validation": 10}, "4 unseen people are wanted, and 0 of 20"),
    ],
)
def test_impossible_sizes_are_refused(sizes: dict[str, float], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        split(make(), **sizes)  # type: ignore[arg-type]


@pytest.mark.parametrize("picks", [False, True])
def test_first_answers_of_each_person(picks: bool) -> None:  # noqa: FBT001
    data = make(people=4, each=5, picks=picks)
    order = np.random.default_rng(1).random(data.answers)
    before: set[int] = set()
    for count in range(7):
        part = first_answers(data, count, order)
        assert part.people == data.people
        assert per_person(part).tolist() == [min(count, 5)] * 4
        taken = set(part.chosen.tolist())
        assert before <= taken
        before = taken
        for i in range(4):
            mine = np.flatnonzero(data.person[data.starts] == i)
            first = mine[np.argsort(order[mine])][:count]
            assert set(data.chosen[data.starts[first]]) == set(part.chosen[part.person == i])
    assert len(first_answers(data, 5, order)) == len(data)
