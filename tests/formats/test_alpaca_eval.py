"""AlpacaEval's folders of outputs: a pool an instruction, a response a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from palate.errors import PoolError
from palate.formats import read_alpaca_eval, read_pools

if TYPE_CHECKING:
    from pathlib import Path


def write_model(folder: Path, model: str, outputs: Any) -> None:
    path = folder / model / "model_outputs.json"
    path.parent.mkdir(parents=True)
    path.write_text(outputs if isinstance(outputs, str) else json.dumps(outputs), encoding="utf-8")


def output(instruction: str, text: str, generator: str = "g") -> dict[str, str]:
    return {
        "dataset": "vicuna",
        "instruction": instruction,
        "output": text,
        "generator": generator,
    }


def test_an_instruction_is_a_pool_and_a_model_a_response(tmp_path: Path) -> None:
    write_model(tmp_path, "m2", [output("Lunch?", "Salad."), output("Dinner?", "Stew.", "M 2")])
    write_model(tmp_path, "m1", [output("Dinner?", "Soup."), output("Lunch?", "Rice.")])
    (tmp_path / "leaderboard.csv").write_text("a,b\n")
    (tmp_path / "m3").mkdir()
    for pools in (read_alpaca_eval(tmp_path), read_pools(tmp_path)):
        assert [pool.prompt for pool in pools] == ["Dinner?", "Lunch?"]
        texts = [{r.id: r.text for r in pool.responses} for pool in pools]
        assert texts == [{"m1": "Soup.", "m2": "Stew."}, {"m1": "Rice.", "m2": "Salad."}]
        assert pools[0].responses[1].metadata == {"dataset": "vicuna", "generator": "M 2"}


def test_what_occurs_twice_or_is_blank_is_dropped_and_the_rest_counted(tmp_path: Path) -> None:
    asked = ["Dinner?", "Lunch?", "Tea?", "Rest?"]
    write_model(tmp_path, "m1", [output(q, t) for q, t in zip(asked, "abcd", strict=True)])
    write_model(tmp_path, "m2", [output(q, t) for q, t in zip(asked, "ab \n", strict=True)])
    write_model(tmp_path, "m3", [output("Dinner?", "z"), output("Dinner?", "y")])
    with pytest.warns(UserWarning, match=r"^3 of 4 instructions in .* fewer than two"):
        (pool,) = read_alpaca_eval(tmp_path)
    assert [(r.id, r.text) for r in pool.responses] == [("m1", "a"), ("m3", "z")]


def test_nothing_to_choose_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r"holds MODEL/model_outputs\.json"):
        read_alpaca_eval(tmp_path)
    write_model(tmp_path, "m1", [output("Dinner?", "Soup.")])
    with pytest.raises(PoolError, match=r"no instruction .* has two different outputs"):
        read_alpaca_eval(tmp_path)


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        ("{", r"cannot read .*model_outputs\.json: "),
        ("[" * 100_000, r"cannot read .*model_outputs\.json: "),
        ({}, r"model_outputs\.json: expected a list of outputs, not dict"),
        ([3], r"model_outputs\.json, output 1: 'instruction' is not a text"),
        ([output("q", "a"), {"instruction": "q"}], "output 2: 'output' is not a text"),
        ([{"instruction": None, "output": "a"}], "output 1: 'instruction' is not a text"),
    ],
)
def test_a_file_of_something_else_is_refused_by_its_name(
    tmp_path: Path, outputs: Any, said: str
) -> None:
    write_model(tmp_path, "m1", outputs)
    with pytest.raises(PoolError, match=said):
        read_alpaca_eval(tmp_path)
