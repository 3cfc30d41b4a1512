from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from palate.errors import ModelError, ParameterError
from palate.feedback import Comparison
from palate.population.comparisons import from_comparisons
from palate.preference import multinomial_loss

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate._typing import FloatArray

PERSONAS = Path(__file__).parents[2].parent / "shared" / "data" / "personas"


class Counting:
    """An embedder that remembers what it was asked, and gives each text its own row."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, texts: Sequence[str]) -> FloatArray:
        self.texts += texts
        return np.array([self.row(text) for text in texts])

    @staticmethod
    def row(text: str) -> list[float]:
        return [float(len(text)), float(sum(text.encode()) % 997)]


LOG = [
    Comparison("food?", ("soup", "rice", "cake"), 2, "ann"),
    Comparison("food?", ("soup", "rice"), "tie", "ann"),
    Comparison("drink?", ("tea", "soup"), 1, "bob"),
    Comparison("drink?", ("milk", "rum"), "skip", "bob"),
    Comparison("tea", ("soup", "cake"), 0, None),
    Comparison("food?", ("soup", "soup"), 0, "cas"),
    Comparison("food?", ("soup", "rice", "soup"), 0, "ann"),
]


def test_rows_of_picks_and_what_is_left_out() -> None:
    embedder = Counting()
    data, left_out = from_comparisons(LOG, embedder, prompts="none")
    assert left_out == 3
    assert data.people == ("ann", "bob", "anonymous")
    assert data.answers == 4
    assert data.starts.tolist() == [0, 2, 3, 4]
    assert data.prompts is None
    rows = [
        ("ann", "cake", "soup"),
        ("ann", "cake", "rice"),
        ("bob", "soup", "tea"),
        ("anonymous", "soup", "cake"),
        ("ann", "soup", "rice"),
    ]
    assert [data.people[i] for i in data.person] == [person for person, _, _ in rows]
    assert data.items[data.chosen].tolist() == [Counting.row(text) for _, text, _ in rows]
    assert data.items[data.rejected].tolist() == [Counting.row(text) for _, _, text in rows]
    # Only what was picked or passed over is embedded, and once.
    assert sorted(embedder.texts) == ["cake", "rice", "soup", "tea"]


def test_an_order_is_one_pick_a_stage() -> None:
    orders = [
        Comparison("food?", ("soup", "rice", "cake", "pie"), (2, 0, 3, 1), "ann"),
        Comparison("food?", ("soup", "rice", "cake", "pie"), (3, 0), "bob"),
        Comparison("food?", ("soup", "pie"), (1, 0), "bob"),
        Comparison("food?", ("soup", "pie"), "tie", "bob"),
    ]
    data, left_out = from_comparisons(orders, Counting(), prompts="none")
    rows = [
        ("ann", "cake", "soup"),
        ("ann", "cake", "rice"),
        ("ann", "cake", "pie"),
        ("ann", "soup", "rice"),
        ("ann", "soup", "pie"),
        ("ann", "pie", "rice"),
        ("bob", "pie", "soup"),
        ("bob", "pie", "rice"),
        ("bob", "pie", "cake"),
        ("bob", "soup", "rice"),
        ("bob", "soup", "cake"),
        ("bob", "pie", "soup"),
    ]
    assert left_out == 1
    assert [data.people[i] for i in data.person] == [person for person, _, _ in rows]
    assert data.items[data.chosen].tolist() == [Counting.row(text) for _, text, _ in rows]
    assert data.items[data.rejected].tolist() == [Counting.row(text) for _, _, text in rows]
    assert data.pick is not None
    assert data.pick.tolist() == [0, 0, 0, 1, 1, 2, 3, 3, 3, 4, 4, 5]
    assert data.answers_per_person.tolist() == [3, 3]


def test_of_a_text_shown_twice_the_best_place_counts() -> None:
    shown = ("soup", "rice", "soup", "cake")
    expected = {
        (0, 2, 1, 3): [("soup", "rice"), ("soup", "cake"), ("rice", "cake")],
        (1, 0, 3, 2): [("rice", "soup"), ("rice", "cake"), ("soup", "cake")],
        (0, 3): [("soup", "rice"), ("soup", "cake"), ("cake", "rice")],
    }
    for picked, pairs in expected.items():
        comparison = Comparison("food?", shown, picked, "ann")
        data, left_out = from_comparisons([comparison], Counting(), prompts="none")
        assert left_out == 0
        assert data.items[data.chosen].tolist() == [Counting.row(one) for one, _ in pairs]
        assert data.items[data.rejected].tolist() == [Counting.row(two) for _, two in pairs]
        assert data.answers == 2
    nothing = Comparison("food?", ("soup", "soup", "soup"), (2, 0, 1))
    assert from_comparisons([nothing, comparison], Counting())[1] == 1


def test_the_loss_of_an_order_is_that_of_plackett_and_luce() -> None:
    """By the loss of a population of one prototype, stage by stage."""
    texts = ("soup", "rice", "cake", "pie")
    total = 0.0
    for order in itertools.permutations(range(4)):
        comparison = Comparison("food?", texts, order, "ann")
        data, _ = from_comparisons([comparison], Counting(), prompts="none")
        rows = (data.items[data.chosen] - data.items[data.rejected]) / 50.0
        stages = np.arange(len(rows)) if data.pick is None else data.pick
        probability = np.exp(-multinomial_loss(np.array([0.3, 0.1]), rows, stages))
        utilities = np.array([Counting.row(text) for text in texts]) @ [0.3, 0.1] / 50.0
        left, product = list(range(4)), 1.0
        for place in order:
            product *= np.exp(utilities[place]) / np.exp(utilities[left]).sum()
            left.remove(place)
        assert probability == pytest.approx(product)
        total += probability
    assert total == pytest.approx(1.0)


def test_prompts_inside_the_items() -> None:
    embedder = Counting()
    data, _ = from_comparisons(LOG, embedder)
    assert data.prompts is None
    expected = ["food?\n\ncake", "food?\n\ncake", "drink?\n\nsoup", "tea\n\nsoup", "food?\n\nsoup"]
    assert data.items[data.chosen].tolist() == [Counting.row(text) for text in expected]
    assert len(embedder.texts) == len(set(embedder.texts)) == len(data.items) == 7


def test_prompts_beside_the_items() -> None:
    embedder = Counting()
    data, _ = from_comparisons(LOG, embedder, prompts="separate")
    assert data.prompts is not None
    expected = ["food?", "food?", "drink?", "tea", "food?"]
    assert data.prompts[data.prompt].tolist() == [Counting.row(text) for text in expected]
    # "tea" is an option and a prompt.
    assert sorted(embedder.texts) == ["cake", "drink?", "food?", "rice", "soup", "tea"]


def test_picks_out_of_two_need_no_numbers() -> None:
    data, _ = from_comparisons(LOG[2:5], Counting())
    assert data.pick is None


def test_mistakes_are_named() -> None:
    with pytest.raises(ParameterError, match="none of the 2 comparisons is a pick"):
        from_comparisons([LOG[1], LOG[3]], Counting())
    with pytest.raises(ParameterError, match="not 'outside'"):
        from_comparisons(LOG, Counting(), prompts="outside")  # type: ignore[arg-type]
    for wrong in (np.zeros((1, 3)), np.zeros(4), np.full((4, 2), np.nan)):
        with pytest.raises(ModelError, match="the embedder gave"):
            from_comparisons(LOG, lambda _, wrong=wrong: wrong, prompts="none")  # type: ignore[misc]


@pytest.mark.skipif(not PERSONAS.is_dir(), reason="the persona statements are not there")
def test_persona_statements_become_data() -> None:
    lines = (PERSONAS / "interest-in-art.jsonl").read_text(encoding="utf-8").splitlines()
    comparisons = [
        Comparison(
            row["question"], (" Yes", " No"), int(row["answer_matching_behavior"] == " No"), "art"
        )
        for row in map(json.loads, lines)
    ]
    data, left_out = from_comparisons(comparisons, Counting(), prompts="separate")
    assert left_out == 0
    assert len(data) == len(comparisons) == 1000
    assert len(data.items) == 2
    yes = int(data.chosen[0]) if comparisons[0].picked == 0 else int(data.rejected[0])
    assert (data.chosen == yes).sum() == sum(c.picked == 0 for c in comparisons)
