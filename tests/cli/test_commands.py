"""The command line as a user calls it: a process, its output, its exit status."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared" / "data"
REAL_POOLS = DATA / "alpaca_pools_dev.jsonl.gz"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return os.environ | {"XDG_STATE_HOME": str(tmp_path / "state"), "COLUMNS": "100"}


def palate(
    *arguments: str, env: dict[str, str], answers: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "palate", *arguments],
        input=answers,
        capture_output=True,
        text=True,
        env=env,
        timeout=120,
        check=False,
    )


def write_pool(path: Path, prompt: str = "p", n: int = 6) -> Path:
    texts = [
        f"response number {i} about {'cats' if i % 2 else 'dogs'} and {i * 7}" for i in range(n)
    ]
    path.write_text(json.dumps({"prompt": prompt, "responses": texts}) + "\n", encoding="utf-8")
    return path


def test_demo_without_a_terminal_says_who_answers_and_shows_the_result(
    environment: dict[str, str],
) -> None:
    done = palate("demo", env=environment)
    assert done.returncode == 0, done.stderr
    assert "simulated person" in done.stdout
    assert "question 10" in done.stdout
    assert "your response" in done.stdout
    assert "After 10 questions" in done.stdout


def test_demo_asks_until_certain_without_a_budget_in_reach(environment: dict[str, str]) -> None:
    arguments = ("demo", "--pool", "travel", "--epsilon", "0", "--budget", "60")
    done = palate(*arguments, env=environment)
    assert "After 19 questions: certain." in done.stdout


def test_align_reads_answers_from_lines_and_reports_json(
    environment: dict[str, str], tmp_path: Path
) -> None:
    pool = write_pool(tmp_path / "pool.jsonl")
    arguments = ("align", "--pool", str(pool), "--epsilon", "0", "--json")
    done = palate(*arguments, env=environment, answers="1\n" * 50)
    result = json.loads(done.stdout)
    assert done.returncode == 0
    assert result["answers"] == 5
    assert result["certified"] is True
    assert result["text"].startswith("response number")
    assert "[1]" in done.stderr  # the questions do not spoil the JSON


def test_line_that_is_no_answer_is_asked_again(environment: dict[str, str], tmp_path: Path) -> None:
    pool = write_pool(tmp_path / "pool.jsonl", n=2)
    done = palate("align", "--pool", str(pool), env=environment, answers="3\nyes\n2\n")
    assert done.stdout.count("is no answer") == 2
    assert "After 1 question: the best so far." in done.stdout


def test_end_of_input_keeps_the_answers_and_says_how_to_resume(
    environment: dict[str, str], tmp_path: Path
) -> None:
    pool, log = write_pool(tmp_path / "pool.jsonl"), tmp_path / "answers.jsonl"
    start = ("align", "--pool", str(pool), "--epsilon", "0")
    whole = palate(
        *start, "--log", str(tmp_path / "other.jsonl"), env=environment, answers="1\n" * 9
    )
    first = palate(*start, "--log", str(log), env=environment, answers="1\n1\n")
    assert f"palate align --resume {log}" in first.stdout
    second = palate("align", "--resume", str(log), env=environment, answers="1\n" * 9)
    assert second.returncode == 0
    assert "question 3" in second.stdout
    assert "question 2," not in second.stdout
    assert second.stdout.rsplit("your response")[-1] == whole.stdout.rsplit("your response")[-1]


def test_resume_last_takes_the_latest_log(environment: dict[str, str]) -> None:
    palate("align", "--pool", "cook", env=environment, answers="1\n")
    done = palate("align", "--resume", "last", env=environment, answers="q\n")
    assert "question 2" in done.stdout


def test_undo_and_tie_and_skip_reach_the_log(environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "answers.jsonl"
    arguments = ("align", "--pool", "cook", "--log", str(log))
    palate(*arguments, env=environment, answers="1\nu\nt\ns\nq\n")
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()[1:]]
    assert [e.get("answer", "undo") for e in events] == ["pick", "undo", "tie", "skip"]


def test_simulated_run_of_each_strategy(environment: dict[str, str]) -> None:
    for strategy in ("useralign", "useralign-loss", "winner-stays", "iidbest", "random"):
        arguments = ("align", "--pool", "cook", "--strategy", strategy, "--budget", "3")
        done = palate(*arguments, "--simulate", "--json", env=environment)
        assert done.returncode == 0, done.stderr
        result = json.loads(done.stdout)
        assert result["strategy"]["name"] == strategy
        assert result["answers"] == (0 if strategy == "random" else 3)


def test_a_simulated_run_leaves_no_log_for_a_person_to_resume(
    environment: dict[str, str],
) -> None:
    palate("align", "--pool", "cook", "--budget", "2", "--simulate", env=environment)
    done = palate("align", "--resume", "last", env=environment)
    assert "there is no log of answers" in done.stderr
    done = palate("align", "--resume", "x.jsonl", "--simulate", env=environment)
    assert "cannot resume a person's" in done.stderr


def test_version(environment: dict[str, str]) -> None:
    assert palate("--version", env=environment).stdout.strip() == "0.1.0"


def broken_file(folder: Path) -> str:
    path = folder / "broken.jsonl"
    path.write_text('{"prompt": "p", "responses": ["a", "b"]}\n{"prompt": ', encoding="utf-8")
    return str(path)


def duplicates_file(folder: Path) -> str:
    path = folder / "twice.jsonl"
    path.write_text('{"prompt": "p", "responses": ["a", "b", "a"]}\n', encoding="utf-8")
    return str(path)


def several_file(folder: Path) -> str:
    path = folder / "several.jsonl"
    lines = [
        {"id": f"q{i}", "prompt": f"dogs or cats {i}", "responses": ["a", "b"]} for i in (1, 2)
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("align",), "name the pool with --pool"),
        (("align", "--pool", "nowhere.jsonl"), "cannot read nowhere.jsonl: No such file"),
        (("align", "--pool", "{broken}"), "line 2: not JSON"),
        (("align", "--pool", "{twice}"), "'r1' and 'r3' are the same"),
        (("align", "--pool", "{several}"), "holds 2 pools; choose one by --prompt"),
        (("align", "--pool", "{several}", "--prompt", "cats"), "2 prompts of"),
        (("align", "--pool", "{several}", "--prompt", "birds"), "'birds'"),
        (("align", "--pool", "cook", "--epsilon", "4"), "epsilon must lie between 0 and"),
        (("align", "--pool", "cook", "--epsilon", "nan"), "epsilon must lie between 0 and"),
        (("align", "--pool", "cook", "--budget", "-1"), "max_steps must be None or a whole number"),
        (("align", "--pool", "cook", "--strategy", "best"), "there is no strategy 'best'"),
        (
            ("align", "--pool", "cook", "--strategy", "winner-stays", "--epsilon", "1"),
            "the strategy winner-stays has no --epsilon",
        ),
        (("align", "--resume", "nowhere.jsonl"), "cannot read nowhere.jsonl"),
        (("align", "--resume", "last"), "there is no log of answers"),
        (("align", "--resume", "{broken}"), "is not a log of answers"),
        (("demo", "--pool", "music"), "there is no shipped pool 'music'"),
        (("demo", "--style", "2"), "Invalid value for '--style'"),
        (("align", "--pool", "cook", "--seed", "-3"), "Invalid value for '--seed'"),
        (("align", "--pool", "cook", "--sead", "3"), "No such option: --sead"),
        (("ask",), "No such command 'ask'"),
    ],
)
def test_bad_input_gets_one_clear_line_and_status_2(
    arguments: tuple[str, ...], said: str, environment: dict[str, str], tmp_path: Path
) -> None:
    files = {
        "broken": broken_file(tmp_path),
        "twice": duplicates_file(tmp_path),
        "several": several_file(tmp_path),
    }
    done = palate(*(a.format(**files) for a in arguments), env=environment)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("palate: ")
    assert len(done.stderr.strip().splitlines()) == 1
    assert said in done.stderr


def test_duplicates_can_be_dropped(environment: dict[str, str], tmp_path: Path) -> None:
    arguments = ("align", "--pool", duplicates_file(tmp_path), "--drop-duplicates")
    done = palate(*arguments, env=environment, answers="1\n")
    assert done.returncode == 0, done.stderr
    assert "After 1 question" in done.stdout


def test_changed_pool_is_refused_by_name(environment: dict[str, str], tmp_path: Path) -> None:
    pool, log = tmp_path / "pool.jsonl", tmp_path / "answers.jsonl"
    write_pool(pool)
    palate("align", "--pool", str(pool), "--log", str(log), env=environment, answers="1\n")
    before = log.read_bytes()
    write_pool(pool, prompt="another")
    done = palate("align", "--resume", str(log), env=environment, answers="1\n")
    assert done.returncode == 2
    assert "recorded with another pool" in done.stderr
    assert log.read_bytes() == before


def test_a_log_is_never_overwritten(environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "answers.jsonl"
    arguments = ("align", "--pool", "cook", "--log", str(log))
    palate(*arguments, env=environment, answers="1\n")
    before = log.read_bytes()
    done = palate(*arguments, env=environment, answers="1\n")
    assert done.returncode == 2
    assert "--resume" in done.stderr
    assert log.read_bytes() == before


@pytest.mark.skipif(
    not REAL_POOLS.exists(), reason=f"the real response pools are not at {REAL_POOLS.name}"
)
def test_real_model_outputs_are_walked_by_a_simulated_person(
    environment: dict[str, str],
) -> None:
    arguments = ("align", "--pool", str(REAL_POOLS), "--prompt", "cool music from the 1920s")
    done = palate(*arguments, "--simulate", "--epsilon", "0.3", "--json", env=environment)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["certified"] is True
    assert result["bound"] <= 0.3 + 1e-5
    assert 10 <= result["answers"] <= 79  # 80 responses
    assert len(result["text"]) >= 80
