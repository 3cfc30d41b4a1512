"""``palate export``: logs of answers become rows that trainers read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from palate.formats import read_comparisons


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")}


def palate(
    *arguments: str | Path, env: dict[str, str], answers: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "palate", *map(str, arguments)],
        input=answers,
        capture_output=True,
        text=True,
        env=env,
        timeout=120,
        check=False,
    )


def answered(path: Path, answers: str, env: dict[str, str], pool: str = "cook") -> Path:
    lines = "\n".join([*answers, ""])
    done = palate("align", "--pool", pool, "--log", path, env=env, answers=lines)
    assert done.returncode == 0, done.stderr
    return path


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_answers_of_several_logs_are_written_and_the_rest_counted(
    environment: dict[str, str], tmp_path: Path
) -> None:
    cook = answered(tmp_path / "cook.jsonl", "12ts1u2", environment)
    travel = answered(tmp_path / "travel.jsonl", "1", environment, pool="travel")
    before = cook.read_bytes(), travel.read_bytes()
    done = palate("export", cook, travel, "-o", tmp_path / "rows.jsonl", env=environment)
    assert done.returncode == 0, done.stderr
    assert "4 rows written, 2 of 6 answers left out" in done.stderr
    assert done.stdout == ""
    assert (cook.read_bytes(), travel.read_bytes()) == before
    rows = rows_of(tmp_path / "rows.jsonl")
    assert [list(row) for row in rows] == [["prompt", "chosen", "rejected"]] * 4
    assert [row["prompt"].split()[0] for row in rows[:3]] == ["What"] * 3
    assert rows[3]["prompt"] != rows[0]["prompt"]
    events = [json.loads(line) for line in cook.read_text().splitlines()[1:]]
    picks = [e for e in events if e.get("answer") == "pick"]
    texts = {r["id"]: r["text"] for r in shipped("cook")["responses"]}
    # The fifth answer was taken back; its query got another one.
    assert [row["chosen"] for row in rows[:3]] == [
        texts[picks[i]["picked"]] for i in (0, 1, len(picks) - 1)
    ]
    assert rows[2]["rejected"] == texts[picks[2]["picked"]]


def shipped(name: str) -> dict[str, Any]:
    import palate.data  # noqa: PLC0415 - the name is the helper's above

    line = (Path(palate.data.__file__).parent / f"{name}.jsonl").read_text(encoding="utf-8")
    return dict(json.loads(line))


def test_the_latest_log_is_exported_by_default_with_metadata_on_request(
    environment: dict[str, str], tmp_path: Path
) -> None:
    palate("align", "--pool", "cook", env=environment, answers="2\n1\n")
    output = tmp_path / "rows.parquet"
    done = palate("export", "-o", output, "--conversational", "--with-metadata", env=environment)
    assert "2 rows written, 0 of 2 answers left out" in done.stderr
    comparisons = read_comparisons(output)
    assert [c.picked for c in comparisons] == [1, 0]
    assert all(c.metadata["seconds"] >= 0 and len(c.metadata["ids"]) == 2 for c in comparisons)


def test_a_log_in_use_is_exported(environment: dict[str, str], tmp_path: Path) -> None:
    log = answered(tmp_path / "cook.jsonl", "1", environment)
    with subprocess.Popen(
        [sys.executable, "-m", "palate", "align", "--resume", str(log)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("2\n")
        process.stdin.flush()
        while log.read_bytes().count(b"\n") < 3:
            assert process.poll() is None
        done = palate("export", log, "-o", tmp_path / "rows.jsonl", env=environment)
        process.stdin.close()
        process.stdout.read()
    assert "2 rows written" in done.stderr
    assert process.returncode == 0


def test_what_cannot_be_exported_gets_one_clear_line(
    environment: dict[str, str], tmp_path: Path
) -> None:
    log = answered(tmp_path / "cook.jsonl", "1", environment)
    other = tmp_path / "other.jsonl"
    other.write_text('{"prompt": "x"}\n')
    output = tmp_path / "rows.jsonl"
    for arguments, said in (
        ((tmp_path / "missing.jsonl", "-o", output), "missing.jsonl: No such file"),
        ((other, "-o", output), "other.jsonl is not a log of answers"),
        ((log,), "Missing option '-o'"),
        ((log, "-o", tmp_path / "no" / "rows.jsonl"), "rows.jsonl: No such file"),
    ):
        done = palate("export", *arguments, env=environment)
        assert done.returncode == 2, done.stdout
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
    assert not output.exists()


def test_a_folder_of_model_outputs_is_asked_about_and_exported(
    environment: dict[str, str], tmp_path: Path
) -> None:
    for model in ("m1", "m2"):
        path = tmp_path / "outputs" / model / "model_outputs.json"
        path.parent.mkdir(parents=True)
        outputs = [("Dinner?", f"{model} cooks soup and stew."), ("Lunch?", "Salad.")]
        path.write_text(json.dumps([{"instruction": i, "output": o} for i, o in outputs]))
    arguments = ("align", "--pool", tmp_path / "outputs", "--json")
    done = palate(*arguments, env=environment, answers="1\n")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["id"] in {"m1", "m2"}
    warned = [line for line in done.stderr.splitlines() if "left out" in line]
    assert len(warned) == 1
    assert warned[0].startswith("palate: 1 of 2 instructions in ")
    done = palate("export", "-o", tmp_path / "rows.jsonl", env=environment)
    assert [row["prompt"] for row in rows_of(tmp_path / "rows.jsonl")] == ["Dinner?"]
