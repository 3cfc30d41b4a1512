"""``palate population``: fitted, measured, asked about somebody new; and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate.cli import app
from palate.data import shipped_texts
from palate.embed import StaticEmbedder, default_embedder
from palate.embed.static import SHIPPED
from palate.errors import LogError, MissingExtraError, ModelError, ParameterError
from palate.population import from_pretrained, read_notes
from palate.population.localise import PRIOR_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest import CaptureFixture, MonkeyPatch  # noqa: PT013 - types alone

Row = dict[str, Any]

POOL = shipped_texts("cook")
TEXTS = [str(response.text) for response in POOL.responses]
FEATURES = np.asarray(default_embedder()(TEXTS), dtype=np.float64)
TASTES = np.random.default_rng(0).normal(size=(2, FEATURES.shape[1]))


def simulated(names: Sequence[str], each: int, seed: int = 0) -> list[Row]:
    """Rows of simulated people, each a mixture of two tastes that decides alone."""
    rng = np.random.default_rng(seed)
    rows = []
    for name in names:
        worth = FEATURES @ (rng.dirichlet([0.3, 0.3]) @ TASTES)
        for _ in range(each):
            pair = rng.choice(len(TEXTS), 2, replace=False)
            winner, loser = sorted(pair, key=lambda i: -worth[i])
            row = {"prompt": POOL.prompt, "chosen": TEXTS[winner], "rejected": TEXTS[loser]}
            rows.append(row | {"user_id": name})
    return rows


def write(path: Path, rows: Sequence[Row]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


PEOPLE = [f"p{i}" for i in range(20)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """The data and the folder of a model with two prototypes."""
    folder = tmp_path_factory.mktemp("population")
    data = write(folder / "rows.jsonl", simulated(PEOPLE, 30))
    run("fit", data, "-o", folder / "model", "--k", 2)
    return data, str(folder / "model")


def run(*arguments: object) -> None:
    app(["population", *map(str, arguments)], standalone_mode=False)


def result(capsys: CaptureFixture[str], *arguments: object) -> Any:
    capsys.readouterr()
    run(*arguments, "--json")
    return json.loads(capsys.readouterr().out)


def test_a_model_is_fitted_measured_and_saved(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    data = write(tmp_path / "rows.jsonl", simulated(PEOPLE, 30))
    fitted = result(capsys, "fit", data, "-o", tmp_path / "model", "--k", 2)
    held_out = fitted["held_out"]
    assert (fitted["k"], fitted["people"], fitted["converged"]) == (2, 20, True)
    assert fitted["answers"] + held_out["answers"] == 600
    assert held_out["people"] == 20
    assert held_out["accuracy"] > 0.9
    assert held_out["reference"] < held_out["accuracy"] - 0.1
    assert 0.4 < held_out["base_rate"] < held_out["accuracy"] - 0.1
    assert held_out["quantiles"]["0.1"] <= held_out["quantiles"]["0.9"] <= 1.0
    model = from_pretrained(tmp_path / "model")
    assert (model.kind, model.k, model.people) == ("pal-a", 2, tuple(PEOPLE))
    notes = read_notes(tmp_path / "model")
    assert notes["features"] == {
        "embedder": "static",
        "identity": StaticEmbedder().identity,
        "prompts": "inside",
    }
    again = result(capsys, "evaluate", tmp_path / "model", data)
    assert again["seen"]["accuracy"] == held_out["accuracy"]
    assert again["seen"]["answers"] == held_out["answers"]
    assert again["new"] is None


def test_what_is_printed_for_people_to_read(
    trained: tuple[str, str], tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    data, folder = trained
    run("fit", data, "-o", tmp_path / "m", "--k", 2, "--model", "lore")
    printed = capsys.readouterr()
    assert "lore, K = 2: " in printed.out
    for line in ("K = 1, one reward for everybody", "the option picked most", "by person: mean"):
        assert line in printed.out
    assert f"saved in {tmp_path / 'm'}" in printed.err
    run("evaluate", folder, data, write(tmp_path / "new.jsonl", simulated(["q"], 12)))
    printed = capsys.readouterr()
    assert "people it knows" in printed.out
    assert "1 new people located by answers" in printed.out
    assert "kept back" not in printed.err
    run("evaluate", folder, data)
    assert "measured are the answers that were kept back" in capsys.readouterr().err
    run("locate", folder, data, "--person", "p3")
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()[2:]] == ["p3"]


def test_new_people_are_measured_by_number_of_answers(
    trained: tuple[str, str], tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    rows = simulated(["q0", "q1", "q2", "q3", "q4"], 44, seed=5) + simulated(["alone"], 1)
    new = write(tmp_path / "new.jsonl", rows)
    found = result(capsys, "evaluate", trained[1], new)
    assert found["seen"] is None
    curve = {point["located_by"]: point for point in found["new"]}
    assert sorted(curve) == [0, 1, 2, 5, 10, 20]
    assert {point["people"] for point in curve.values()} == {5}
    assert curve[20]["accuracy"] > curve[0]["accuracy"]
    assert curve[20]["accuracy"] > 0.85
    assert curve[20]["log_loss"] < curve[1]["log_loss"]


def test_locate(trained: tuple[str, str], tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    _, folder = trained
    model = from_pretrained(folder)
    ties = [{**battle("shy"), "winner": "tie"}]
    data = write(tmp_path / "new.jsonl", simulated(["q0", "q1"], 10, seed=7))
    found = result(capsys, "locate", folder, data)
    assert (found["kind"], found["k"]) == ("pal-a", 2)
    assert [row["person"] for row in found["people"]] == ["q0", "q1"]
    for row in found["people"]:
        assert row["answers"] == 10
        assert row["from"] == "answers"
        assert sum(row["weights"]) == pytest.approx(1.0)
        assert 0.0 <= row["gap"] <= 1e-6
        assert row["log_loss"] > 0.0
    (one,) = result(capsys, "locate", folder, data, "--person", "q1")["people"]
    assert one["weights"] == pytest.approx(found["people"][1]["weights"], abs=1e-6)
    usual = result(capsys, "locate", folder, data, "--prior-weight", PRIOR_WEIGHT)
    assert usual == found
    far = result(capsys, "locate", folder, data, "--person", "q1", "--prior-weight", 1e6)
    assert far["people"][0]["weights"] == pytest.approx(model.mean_weights, abs=1e-3)
    for arguments, source, weights in (
        ((data, "--person", "nobody"), "the average person", model.mean_weights),
        (("--person", "p4"), "training", model.weights_of("p4")),
        ((write(tmp_path / "t.jsonl", ties),), "the average person", model.mean_weights),
        ((), "the average person", model.mean_weights),
    ):
        (row,) = result(capsys, "locate", folder, *arguments)["people"]
        assert (row["from"], row["answers"], row["gap"]) == (source, 0, None)
        assert row["weights"] == pytest.approx(weights.tolist())


def battle(judge: str) -> Row:
    said = [{"role": "user", "content": POOL.prompt}]
    return {
        "conversation_a": [*said, {"role": "assistant", "content": TEXTS[0]}],
        "conversation_b": [*said, {"role": "assistant", "content": TEXTS[1]}],
        "winner": "model_a",
        "judge": judge,
    }


def test_select_finds_two_tastes(trained: tuple[str, str], capsys: CaptureFixture[str]) -> None:
    found = result(capsys, "select", trained[0], "--k", "1..3", "--folds", 2)
    assert found["k"] == 2
    assert [row["k"] for row in found["tried"]] == [1, 2, 3]
    assert found["tried"][0]["log_loss"] > found["tried"][1]["log_loss"]
    assert found["people"] == 20
    run("select", trained[0], "--k", "1,2", "--folds", 2, "--model", "lore")
    assert "chosen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--model", "bt"], ("lore", 1, 64)),
        (["--model", "lore", "--k", "3", "--prompts", "none"], ("lore", 3, 64)),
        (["--model", "pal-a", "--k", "1", "--prompts", "separate"], ("pal-a", 1, 128)),
    ],
)
def test_models_and_places_of_prompts(
    tmp_path: Path,
    trained: tuple[str, str],
    capsys: CaptureFixture[str],
    options: list[str],
    expected: tuple[str, int, int],
) -> None:
    fitted = result(capsys, "fit", trained[0], "-o", tmp_path / "m", *options, "--validation", "0")
    assert fitted["held_out"] is None
    assert fitted["answers"] == 600
    model: Any = from_pretrained(tmp_path / "m")
    dimension = model.f.d_in if model.kind == "pal-a" else len(model.basis)
    assert (model.kind, model.k, dimension) == expected
    found = result(capsys, "locate", tmp_path / "m", trained[0], "--person", "p0")
    assert found["people"][0]["answers"] == 30
    with pytest.raises(ParameterError, match="no answers were kept back"):
        run("evaluate", tmp_path / "m", trained[0])


def test_pal_b(tmp_path: Path, capsys: CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="networks need torch")
    data = write(tmp_path / "rows.jsonl", simulated(PEOPLE[:6], 20))
    fitted = result(capsys, "fit", data, "-o", tmp_path / "m", "--k", 2, "--model", "pal-b")
    assert fitted["held_out"]["accuracy"] > 0.6
    assert read_notes(tmp_path / "m")["features"]["prompts"] == "separate"
    found = result(capsys, "locate", tmp_path / "m", data, "--person", "p0")
    assert found["people"][0]["gap"] <= 1e-6


def test_the_base_rate_is_that_of_the_option_whatever_the_prompt(
    tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    rows = []
    for name in ("a", "b", "c"):
        for i in range(40):
            said = ["No", "Yes"] if rng.random() < 0.9 else ["Yes", "No"]
            row = {"prompt": f"statement {i}", "chosen": said[0], "rejected": said[1]}
            rows.append(row | {"user_id": name})
    data = write(tmp_path / "rows.jsonl", rows)
    fitted = result(capsys, "fit", data, "-o", tmp_path / "m", "--k", 1)
    assert 0.8 < fitted["held_out"]["base_rate"] <= 1.0
    assert fitted["held_out"]["reference"] is None


def test_a_log_of_answers_belongs_to_whom_its_file_is_named_after(
    tmp_path: Path,
    trained: tuple[str, str],
    capsys: CaptureFixture[str],
    monkeypatch: MonkeyPatch,
) -> None:
    log = tmp_path / "ann.jsonl"
    command = ["align", "--pool", "cook", "--log", str(log), "--budget", "4", "--json"]
    subprocess.run(
        [sys.executable, "-m", "palate", *command],
        input="1\n2\ns\n1\n",
        text=True,
        check=True,
        capture_output=True,
    )
    (row,) = result(capsys, "locate", trained[1], log)["people"]
    assert (row["person"], row["answers"]) == ("ann", 3)


def test_published_data_sets_are_told_by_their_rows(
    tmp_path: Path, trained: tuple[str, str], capsys: CaptureFixture[str]
) -> None:
    rows = [
        {
            "conversation_id": "c1",
            "user_id": "u1",
            "turn": 0,
            "within_turn_id": i,
            "user_prompt": POOL.prompt,
            "model_response": TEXTS[i],
            "score": 50 + i,
            "if_chosen": i == 2,
        }
        for i in range(3)
    ]
    prism = write(tmp_path / "utterances.jsonl", rows)
    (row,) = result(capsys, "locate", trained[1], prism)["people"]
    assert (row["person"], row["answers"]) == ("u1", 1)


def refused(*arguments: object, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        run(*arguments)


def test_other_features_are_refused_by_name(
    trained: tuple[str, str], tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    data, folder = trained
    monkeypatch.setattr(StaticEmbedder, "identity", "another")
    refused(
        "locate",
        folder,
        data,
        error=ParameterError,
        match=r"trained on features of static \(minilm64 .*\), and static \(another\)",
    )


def test_the_same_embedder_by_another_name(
    trained: tuple[str, str], capsys: CaptureFixture[str]
) -> None:
    data, folder = trained
    found = [
        result(capsys, "locate", folder, data, "--person", "p0", *options)
        for options in ((), ("--embedder", f"model2vec:{SHIPPED}"))
    ]
    assert found[0] == found[1]


def test_a_model_that_does_not_say_what_made_its_features(
    trained: tuple[str, str], tmp_path: Path
) -> None:
    from_pretrained(trained[1]).save_pretrained(tmp_path / "m")
    refused(
        "evaluate",
        tmp_path / "m",
        trained[0],
        error=ParameterError,
        match="does not say which embedder made its features",
    )


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        (["fit", "DATA", "-o", "OUT"], ParameterError, "name the number of prototypes by --k"),
        (["fit", "DATA", "-o", "OUT", "--model", "bt", "--k", "2"], ParameterError, "K = 1, not 2"),
        (["fit", "DATA", "-o", "OUT", "--k", "2", "--model", "pal"], ParameterError, "not 'pal'"),
        (["fit", "DATA", "-o", "MODEL", "--k", "2"], ParameterError, "holds a model"),
        (["fit", "ONE", "-o", "OUT", "--k", "2"], ParameterError, "all answers are p0's"),
        (["fit", "FEW", "-o", "OUT", "--k", "1"], ParameterError, "less than one.*--validation 0"),
        (["fit", "absent", "-o", "OUT", "--k", "2"], LogError, "cannot read absent"),
        (
            ["fit", "DATA", "-o", "OUT", "--k", "2", "--prompts", "x"],
            ParameterError,
            "inside, separate or none, not 'x'",
        ),
        (
            ["fit", "DATA", "-o", "OUT", "--k", "2", "--model", "pal-b", "--prompts", "none"],
            ParameterError,
            "pal-b maps prompts",
        ),
        (
            ["fit", "DATA", "-o", "OUT", "--k", "2", "--embedder", "axes:a,b"],
            ParameterError,
            "no chat model to rate axes",
        ),
        (
            ["fit", "DATA", "-o", "OUT", "--k", "2", "--embedder", "word2vec"],
            ParameterError,
            "no embedder 'word2vec'",
        ),
        (["locate", "OUT"], ModelError, "no model of a population in"),
        (["evaluate", "OUT", "DATA"], ModelError, "no model of a population in"),
        (["select", "DATA", "--k", "one"], ParameterError, "1..6 or a list such as 1,2,4"),
        (["select", "DATA", "--k", "3..1"], ParameterError, "one or more numbers"),
        (["select", "DATA", "--model", "bt"], ParameterError, "no number to choose"),
    ],
)
def test_what_is_refused(
    trained: tuple[str, str],
    tmp_path: Path,
    arguments: list[str],
    error: type[Exception],
    match: str,
) -> None:
    places = {
        "DATA": trained[0],
        "MODEL": trained[1],
        "OUT": str(tmp_path / "out"),
        "ONE": write(tmp_path / "one.jsonl", simulated(["p0"], 9)),
        "FEW": write(tmp_path / "few.jsonl", simulated(["p0", "p1"], 2)),
    }
    refused(*(places.get(a, a) for a in arguments), error=error, match=match)
    assert not (tmp_path / "out").exists()


def test_without_torch_pal_b_says_what_to_install(
    trained: tuple[str, str], tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "palate.population.networks", raising=False)
    refused(
        "fit",
        trained[0],
        "-o",
        tmp_path / "m",
        "--k",
        "2",
        "--model",
        "pal-b",
        error=MissingExtraError,
        match=r"palate\[population\]",
    )


def test_the_command_ends_with_one_line_and_status_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "palate", "population", "locate", str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("palate: no model of a population in")
