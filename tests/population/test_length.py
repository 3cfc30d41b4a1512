"""The people of the paper's Reddit TL;DR experiment."""

from __future__ import annotations

from collections import Counter

import pytest

from palate.errors import ParameterError
from palate.feedback import Comparison
from palate.population.length import people_by_length


def comparison(
    worker: str | None, *lengths: int, policies: tuple[str, ...] = ("sup4", "sup2")
) -> Comparison:
    options = ("a" * lengths[0], "b" * lengths[1])
    return Comparison("post", options, 1, worker, {"policies": list(policies)})


def log(counts: list[int]) -> list[Comparison]:
    """Workers w0, w1 and so on with so many comparisons."""
    return [comparison(f"w{i}", 3 + j % 3, 4) for i, n in enumerate(counts) for j in range(n)]


def test_who_is_seen_and_who_prefers_the_shorter() -> None:
    people = people_by_length(log([9, 8, 7, 6, 5, 4, 3]), seen=5, shorter=(1, 2), at_least=4)
    assert Counter(c.person for c in people.seen) == {"w0": 9, "w1": 8, "w2": 7, "w3": 6, "w4": 5}
    assert Counter(c.person for c in people.unseen) == {"w5": 4}
    assert people.shorter == {"w1", "w2"}
    for c in (*people.seen, *people.unseen):
        first = len(c.options[0])
        expected: object = "tie"
        if first != 4:
            expected = int((first < 4) != (c.person in people.shorter))
        assert c.picked == expected


def test_a_share_of_the_unseen_prefers_the_shorter_drawn_from_the_seed() -> None:
    comparisons = log([20] + [10] * 20)
    drawn = [
        people_by_length(comparisons, seen=1, shorter=(), at_least=5, seed=seed).shorter
        for seed in (0, 0, 1)
    ]
    assert len(drawn[0]) == 6
    assert drawn[0] == drawn[1] != drawn[2]


def test_only_summaries_of_supervised_models_by_known_workers() -> None:
    kept = comparison("w0", 1, 2)
    others = [
        comparison("w0", 1, 2, policies=("sup4", "sup4_ppo_rm3")),
        comparison("w0", 1, 2, policies=("ref", "sup4")),
        comparison("w0", 1, 2, policies=()),
        comparison(None, 1, 2),
        Comparison("post", ("a", "b"), 0, "w0"),
    ]
    people = people_by_length([*others, kept], seen=1, shorter=(0,))
    assert [c.options for c in people.seen] == [kept.options]
    assert people.seen[0].picked == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seen": 3}, "3 workers are to be seen.*there are 2"),
        ({"seen": 2, "shorter": (2,)}, r"at places \[2\]"),
        ({"seen": 2, "shorter": (), "shorter_share": 1.5}, "shorter_share must be from 0 to 1"),
        ({"seen": 2, "shorter": (), "at_least": 0}, "at_least from 1"),
    ],
)
def test_settings_out_of_range(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        people_by_length(log([3, 2]), **settings)  # type: ignore[arg-type]
