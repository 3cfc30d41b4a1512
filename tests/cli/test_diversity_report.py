"""``palate diversity``: reports on arrays and on saved populations, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate.cli import app
from palate.data import shipped_texts
from palate.embed import default_embedder
from palate.errors import LogError, ModelError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest import CaptureFixture  # noqa: PT013 - a type alone

POOL = shipped_texts("cook")
TEXTS = [str(response.text) for response in POOL.responses]
FEATURES = np.asarray(default_embedder()(TEXTS), dtype=np.float64)
TASTES = np.random.default_rng(0).normal(size=(2, FEATURES.shape[1]))


def rows(names: Sequence[str], each: int, seed: int = 0) -> list[dict[str, Any]]:
    """Of simulated people, each a mixture of two tastes."""
    rng = np.random.default_rng(seed)
    found = []
    for name in names:
        worth = 8.0 * FEATURES @ (rng.dirichlet([0.5, 0.5]) @ TASTES)
        for _ in range(each):
            one, other = rng.choice(len(TEXTS), 2, replace=False).tolist()
            if rng.logistic() > worth[one] - worth[other]:
                one, other = other, one
            row = {"prompt": POOL.prompt, "chosen": TEXTS[one], "rejected": TEXTS[other]}
            found.append(row | {"user_id": name})
    return found


def write(path: Path, lines: Sequence[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return str(path)


def run(*arguments: object) -> None:
    app([*map(str, arguments)], standalone_mode=False)


def result(capsys: CaptureFixture[str], *arguments: object) -> Any:
    capsys.readouterr()
    run("diversity", "report", *arguments, "--json")
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module", params=["lore"])
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("diversity")
    data = write(folder / "rows.jsonl", rows([f"p{i}" for i in range(12)], 60))
    model = folder / "model"
    run("population", "fit", data, "-o", model, "--k", 2, "--model", request.param)
    return data, model


@pytest.mark.parametrize("scheme", ["covered", "uncovered"])
def test_simulated_people_get_the_verdict_they_were_made_for(
    scheme: str, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    arrays, page = tmp_path / "people.npz", tmp_path / "report.html"
    run("diversity", "simulate", arrays, "--scheme", scheme, "--answers", 8_000)
    assert str(arrays) in capsys.readouterr().out
    run("diversity", "report", "--arrays", arrays, "-o", page, "--tolerance", 0.2)
    said = capsys.readouterr().out
    assert said.lower().startswith(scheme)
    assert "These people are simulated." in said
    assert ("Ask first: silent person" in said) == (scheme == "uncovered")
    text = page.read_text(encoding="utf-8")
    assert "people.npz" in text
    assert "What to do next" in text


def test_simulated_people_are_as_many_as_wanted(tmp_path: Path) -> None:
    arrays = tmp_path / "people.npz"
    run("diversity", "simulate", arrays, "--answers", 50, "--people", 3, "--latent", 2)
    with np.load(arrays) as found:
        assert found["heads"].shape == (3 + 8, 2)
        assert found["person"].max() < 3


def test_a_saved_population_is_diagnosed(trained: Any, capsys: CaptureFixture[str]) -> None:
    data, model = trained
    found = result(capsys, model, data)
    assert found["verdict"] in {"covered", "learnable"}
    assert found["answers"] == 720
    assert (found["latent"], found["answering"]) == (2, 12)
    # Those who answered, and as many drawn like them.
    names = [person["person"] for person in found["people"]]
    assert names == [f"p{i}" for i in range(12)] + [f"new person {i + 1}" for i in range(12)]
    assert any("New person 1 and so on are nobody yet" in line for line in found["reasons"])
    shown = [e[side] for d in found["directions"] for e in d["examples"] for side in e]
    assert set(shown) <= {*names, *TEXTS}
    assert result(capsys, model, data, "--tolerance", "100")["verdict"] == "covered"


def test_other_people_and_pools_are_served(
    trained: Any, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    data, model = trained
    others = write(tmp_path / "others.jsonl", rows(["p0", "eve"], 30, seed=5))
    pools = write(tmp_path / "pools.jsonl", [{"prompt": "Dinner?", "responses": TEXTS[:4]}])
    found = result(capsys, model, data, "--serve", others, "--pools", pools)
    assert [person["person"] for person in found["people"]] == ["p0", "eve"]
    shipped = result(capsys, model, data, "--serve", others, "--pools", "cook")
    assert [person["person"] for person in shipped["people"]] == ["p0", "eve"]
    # The basis is judged by those alone whom it was not fitted to.
    assert found["adequacy"]["people"] == 1
    assert found["adequacy"]["answers"] == 30.0


def test_without_its_answers_a_population_is_undecided(
    trained: Any, capsys: CaptureFixture[str]
) -> None:
    _, model = trained
    found = result(capsys, model)
    assert found["verdict"] == "undecided"
    assert found["people"] is None
    assert len(found["singular_values"]) == 2
    assert "No answers were given" in found["reasons"][0]


def test_what_cannot_be_reported_on_is_refused(trained: Any, tmp_path: Path) -> None:
    data, model = trained
    arrays = tmp_path / "people.npz"
    run("diversity", "simulate", arrays, "--answers", 100)
    for arguments, error, said in (
        ((), ParameterError, "give a model and its answers, or a file"),
        ((model, data, "--arrays", arrays), ParameterError, "but not both"),
        (("--arrays", arrays, "--pools", data), ParameterError, "holds answers, people and pools"),
        (("--arrays", tmp_path / "no.npz"), ParameterError, "cannot read"),
        ((tmp_path, data), ModelError, "no model"),
        ((model, tmp_path / "no.jsonl"), LogError, "no.jsonl"),
        (("--arrays", arrays, "-o", tmp_path / "no" / "page"), ParameterError, "cannot write"),
    ):
        with pytest.raises(error, match=said):
            run("diversity", "report", *arguments)
    with pytest.raises(ParameterError, match="cannot write"):
        run("diversity", "simulate", tmp_path / "no" / "people.npz")
    one = write(tmp_path / "one.jsonl", [{"prompt": "Dinner?", "responses": TEXTS[:1]}])
    with pytest.raises(ParameterError, match="no pool has two responses"):
        run("diversity", "report", model, data, "--pools", one)


def test_alone_it_shows_what_there_is(capsys: CaptureFixture[str]) -> None:
    run("diversity")
    said = capsys.readouterr().out
    assert "report" in said
    assert "simulate" in said
