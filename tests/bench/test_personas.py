"""The persona experiment on small files of the published form, made here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest
from typer.testing import CliRunner

from palate.errors import ParameterError

pytest.importorskip("torch", reason="training networks needs torch")

from palate.bench.personas import (
    COUNTS,
    INTERESTS,
    Questions,
    ask,
    experiment,
    persona_findings,
    persona_header,
    persona_rows,
    read_statements,
)
from palate.cli.bench import bench

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from palate._typing import FloatArray

A_PERSONA = 80


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for interest in INTERESTS:
        rows = [
            {
                "statement": f"{'I love' if i % 2 else 'I hate'} {interest}, number {i}",
                "answer_matching_behavior": " Yes" if i % 2 else " No",
            }
            for i in range(A_PERSONA)
        ]
        text = "\n".join(map(json.dumps, rows))
        (tmp_path / f"interest-in-{interest}.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


def embed(texts: Sequence[str]) -> FloatArray:
    """Which of some words a text holds."""
    words = ("love", "hate", "Yes", "No", *INTERESTS)
    return np.array([[float(word in text) for word in words] for text in texts])


def test_statements_belong_to_the_persona_that_would_say_them(folder: Path) -> None:
    statements = read_statements(folder, 3)
    assert len(statements.texts) == 3 * A_PERSONA
    assert statements.said.shape == (3, 3 * A_PERSONA)
    for text, said in zip(statements.texts, statements.said.T, strict=True):
        expected = [f"love {interest}" in text for interest in INTERESTS[:3]]
        assert said.tolist() == expected


@pytest.mark.parametrize("kind", ["pal-a", "pal-b"])
def test_people_answer_by_their_persona_and_held_out_statements_stay_so(
    folder: Path, kind: str
) -> None:
    statements = read_statements(folder, 2)
    questions = Questions(statements, kind, embed)  # type: ignore[arg-type]
    asked = ask(questions, 3, 60, 0)
    parts = {}
    for name in ("train", "validation", "seen_test", "support", "unseen_test"):
        data = getattr(asked, name)
        assert len(data.people) == 6
        if kind == "pal-b":
            about, no = data.prompt, data.chosen
            np.testing.assert_array_equal(data.chosen + data.rejected, 1)
        else:
            about, no = data.chosen % 160, data.chosen // 160
            np.testing.assert_array_equal(np.abs(data.chosen - data.rejected), 160)
            assert data.prompts is None
        np.testing.assert_array_equal(no == 0, statements.said[data.person // 3, about])
        parts[name] = set(about.tolist())
    assert asked.train.people == asked.validation.people == asked.seen_test.people
    assert asked.support.people == asked.unseen_test.people
    assert not set(asked.train.people) & set(asked.support.people)
    assert set(asked.train.per_person + asked.validation.per_person) == {60}
    assert set(asked.support.per_person) == {COUNTS[-1]}
    assert set(asked.seen_test.per_person) == {160 // 5}
    held_out = parts["seen_test"]
    assert parts["unseen_test"] == held_out
    assert not held_out & (parts["train"] | parts["validation"] | parts["support"])
    assert not parts["train"] & parts["validation"]
    with pytest.raises(ParameterError, match="from 1 to the 128 statements not held out, not 129"):
        ask(questions, 3, 129, 0)


def test_the_right_number_of_prototypes_beats_one_which_stays_at_the_base_rate(
    folder: Path,
) -> None:
    questions = Questions(read_statements(folder, 3), "pal-b", embed)
    rows = experiment(questions, "pal-b", (1, 3), people=4, answers=60, d=4, seeds=2)
    one, three = rows
    assert np.mean(one.base) == pytest.approx(100.0 * 5 / 6, abs=5.0)
    assert np.abs(np.subtract(one.seen, one.base)).max() < 5.0
    assert np.mean(three.seen) > 95.0
    assert np.mean(three.unseen_with(20)) > np.mean(three.unseen_with(0))
    assert np.mean(three.unseen_with(100)) > 95.0
    assert {len(cells) for cells in persona_rows(rows)} == {len(persona_header())}
    found = dict(persona_findings(rows, 3))
    gap = float(found["K = 3 less K = 1, seen people"].split()[0])
    assert gap == pytest.approx(np.mean(np.subtract(three.seen, one.seen)), abs=0.06)
    assert len(found) == 2 + len(COUNTS[1:])
    assert list(persona_findings(rows[1:], 2)) == []


@pytest.mark.parametrize("model", ["pal-a", "pal-b"])
def test_the_command_prints_its_tables(folder: Path, model: str) -> None:
    command = ["population", "personas", "--data", str(folder), "--model", model, "--k", "2"]
    sizes = ["--fit", "1", "--people", "1", "--answers", "30", "--seeds", "1"]
    done = CliRunner().invoke(bench, command + sizes, catch_exceptions=False)
    assert done.exit_code == 0
    assert "| K | seen people | base rate" in done.output
    assert f"{model}, embedder static: 160 statements of 2 personas" in done.output


def test_files_that_are_not_the_personas(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="there are 1 to 6 personas, not 7"):
        read_statements(tmp_path, 7)
    with pytest.raises(ParameterError, match=r"interest-in-art\.jsonl"):
        read_statements(tmp_path, 1)
    file = tmp_path / "interest-in-art.jsonl"
    file.write_text('{"statement": "s", "answer_matching_behavior": "Yes"}\n', encoding="utf-8")
    with pytest.raises(ParameterError, match=r"art\.jsonl, line 1: a row has a statement, and"):
        read_statements(tmp_path, 1)
