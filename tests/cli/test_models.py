"""Pools from a model, embedders and personas, from the command line through a real server."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate.formats import read_pools

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from palate.bench.fake_server import FakeServer

PROMPT = "What should I cook tonight?"
NEEDED = 10 + 10 + 1 + 1
"""Requests for a pool of 20: two halves, the interests and the baseline."""


@pytest.fixture(autouse=True)
def _model(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.reply = reply
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("COLUMNS", "200")


def reply(body: dict[str, Any], number: int) -> str:
    """Interests where they are asked for, the number of what names fish, else some dish."""
    asked = body["messages"][-1]["content"]
    if "Which of the" in asked:
        shown = re.findall(r"<response (\d+) \w+>\n(.*?)\n</response", asked, re.DOTALL)
        fish = [place for place, text in shown if "fish" in text]
        return fish[0] if len(fish) == 1 else "1"
    if body.get("temperature") == 0.8:
        return json.dumps([f"interest {number}-{i}" for i in range(10)])
    what = "fish" if number % 2 else ("lentils", "rice", "a salad")[number % 3]
    return f"Dish {number}: {what}, with {'much ' * (number % 3)}care."


def palate(
    *arguments: str | Path, answers: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "palate", *map(str, arguments)],
        input=answers,
        capture_output=True,
        text=True,
        env=os.environ | environment,
        timeout=120,
        check=False,
    )


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a command that refused."""
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    line = done.stderr.splitlines()[-1]
    assert line.startswith("palate: ")
    assert "Traceback" not in done.stderr
    return line


def generate(path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ("generate", PROMPT, "-o", str(path), "--model", "m", *arguments)
    return palate(*command, **environment)


def test_a_prompt_becomes_a_pool(server: FakeServer, tmp_path: Path) -> None:
    path = tmp_path / "pool.jsonl"
    done = generate(path, "--price", "1,2")
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == NEEDED
    assert f"{NEEDED} requests" in done.stderr
    assert "about $0.0" in done.stderr
    [pool] = read_pools(path)
    assert len(pool) == 20
    assert pool.baseline is not None
    assert sum(r.metadata["kind"] == "interest" for r in pool.responses) == 10
    assert list(tmp_path.glob("*.part")) == []
    assert "exists" in refusal(generate(path))
    assert len(server.requests) == NEEDED


def test_settings_reach_the_requests(server: FakeServer, tmp_path: Path) -> None:
    done = generate(
        tmp_path / "pool.jsonl",
        *("-n", "4", "--interest-share", "0", "--temperature", "0.9", "--no-baseline"),
        *("--system", "Be brief.", "--option", "max_tokens=50", "--option", "stop=END"),
    )
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == 4
    for body in server.requests:
        assert body["temperature"] == 0.9
        assert body["max_tokens"] == 50
        assert body["stop"] == "END"
        assert body["messages"][0] == {"role": "system", "content": "Be brief."}
        assert "n" not in body


def wait_for(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 30.0
    while not happened():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.01)


def test_killed_in_the_middle_nothing_is_paid_for_twice(server: FakeServer, tmp_path: Path) -> None:
    server.delay = 0.1
    path = tmp_path / "pool.jsonl"
    command = ["generate", PROMPT, "-o", str(path), "--model", "m", "--concurrency", "2"]
    process = subprocess.Popen([sys.executable, "-m", "palate", *command], env=os.environ)
    part = tmp_path / "pool.jsonl.part"
    wait_for(lambda: part.exists() and len(part.read_bytes().splitlines()) > 6)
    process.send_signal(signal.SIGKILL)
    process.wait()
    server.delay = 0.0
    kept = len(part.read_bytes().splitlines()) - 1
    assert not path.exists()
    assert "--resume" in refusal(generate(path, "--concurrency", "2"))
    wait_for(lambda: server.under_way == 0)
    before = len(server.requests)
    assert kept <= before <= kept + 2  # two were under way
    done = generate(path, "--concurrency", "2", "--resume")
    assert done.returncode == 0, done.stderr
    assert len(server.requests) - before == NEEDED - kept
    assert len(read_pools(path)[0]) == 20


def test_ctrl_c_keeps_what_is_under_way(server: FakeServer, tmp_path: Path) -> None:
    server.delay = 0.3
    path = tmp_path / "pool.jsonl"
    command = ["generate", PROMPT, "-o", str(path), "--model", "m"]
    process = subprocess.Popen(
        [sys.executable, "-m", "palate", *command],
        env=os.environ,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_for(lambda: len(server.requests) >= 10)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "waiting for" in said
    assert "--resume" in said
    assert "Traceback" not in said
    before = len(server.requests)
    assert server.served == before  # none was broken off
    done = generate(path, "--resume")
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == NEEDED


def test_a_refused_option_is_named_and_can_be_left_out(server: FakeServer, tmp_path: Path) -> None:
    server.known = frozenset({"model", "messages"})
    path = tmp_path / "pool.jsonl"
    assert "it refuses the option temperature: leave it out" in refusal(generate(path))
    server.reply = lambda body, number: (
        "- one\n- two\n- three" if "interests" in str(body) else reply(body, number)
    )
    done = generate(path, "-n", "4", "--option", "temperature=null")
    assert done.returncode == 0, done.stderr


def test_a_wrong_key_is_said_once_and_not_shown(server: FakeServer, tmp_path: Path) -> None:
    server.api_key = "right"
    done = generate(tmp_path / "pool.jsonl", OPENAI_API_KEY="sk-wrong-and-secret")
    assert "check OPENAI_API_KEY" in refusal(done)
    assert "secret" not in done.stderr
    assert len(server.requests) <= 8
    assert list(tmp_path.iterdir()) == []  # nothing was answered, nothing is left to go on with


def test_waits_are_said_and_not_for_each_request(server: FakeServer, tmp_path: Path) -> None:
    server.faults.extend(["500"] * 8)
    done = generate(tmp_path / "pool.jsonl")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("500 Internal Server Error") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("generate", PROMPT, "-o", "x.jsonl"), "--model"),
        (("generate", PROMPT, "-o", "x.parquet", "--model", "m"), "x.jsonl"),
        (("generate", " ", "-o", "x.jsonl", "--model", "m"), "prompt"),
        (("generate", PROMPT, "-o", "x.jsonl", "--model", "m", "--option", "k"), "NAME=VALUE"),
        (("generate", PROMPT, "-o", "x.jsonl", "--model", "m", "--price", "1"), "two numbers"),
        (("align",), "--pool"),
        (("align", PROMPT), "--model"),
        (("align", PROMPT, "--model", "m", "--pool", "cook"), "--prompt"),
        (("align", "--pool", "cook", "--persona", "p"), "--model"),
        (("align", "--pool", "cook", "--persona", "p", "--simulate"), "not both"),
        (("align", "--pool", "cook", "--simulate", "--grow", "2", "--model", "m"), "--budget"),
        (("align", "--resume", "last", "--persona", "p"), "cannot resume"),
        (("align", "--pool", "cook", "--model", "m", "--persona", "@none.txt"), "none.txt"),
        (("align", "--pool", "cook", "--embedder", "word2vec"), "model2vec:"),
        (("align", "--pool", "cook", "--embedder", "axes:hot"), "chat model"),
        (("embed", "cook", "-o", "x.jsonl", "--features", "f.npy"), "f.npy"),
        (("embed", "nothing.jsonl", "-o", "x.jsonl"), "nothing.jsonl"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = palate(*arguments)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_from_a_prompt_to_a_personal_answer(server: FakeServer, tmp_path: Path) -> None:
    arguments = ("align", PROMPT, "--model", "m", "-n", "6", "--epsilon", "0")
    done = palate(*arguments, "--log", tmp_path / "first.jsonl", answers="1\n" * 20)
    assert done.returncode == 0, done.stderr
    assert "certain" in done.stdout
    requests = len(server.requests)
    assert requests == 6 + 2
    again = palate(*arguments, "--json", answers="1\n" * 20)
    assert len(server.requests) == requests  # the pool is the one generated before
    assert json.loads(again.stdout)["certified"] is True
    assert "--fresh" in again.stderr
    palate(*arguments, "--fresh", answers="q\n")
    assert len(server.requests) == 2 * requests
    for log in ("last", tmp_path / "first.jsonl"):  # a log goes on with the pool it belongs to
        resumed = palate("align", "--resume", log, "--json", answers="2\n" * 20)
        assert resumed.returncode == 0, resumed.stderr
        assert json.loads(resumed.stdout)["certified"] is True
    assert "generated before" in palate(*arguments, answers="q\n").stderr
    assert len(server.requests) == 2 * requests


def test_an_interrupted_pool_is_gone_on_with_by_the_same_command(server: FakeServer) -> None:
    server.faults.extend([None, None, None, "401"])
    arguments = ("align", PROMPT, "--model", "m", "-n", "6", "--epsilon", "0")
    done = palate(*arguments)
    assert "OPENAI_API_KEY" in refusal(done)
    assert "the same command" in done.stderr
    assert palate(*arguments, answers="1\n" * 20).returncode == 0
    assert server.served == 6 + 2


def test_a_persona_answers_and_a_second_run_costs_nothing(server: FakeServer) -> None:
    arguments = ("align", PROMPT, "--model", "m", "-n", "6", "--epsilon", "0", "--json")
    first = palate(*arguments, "--persona", "Somebody who wants fish.")
    assert first.returncode == 0, first.stderr
    assert "fish" in json.loads(first.stdout)["text"]
    requests = len(server.requests)
    again = palate(*arguments, "--persona", "Somebody who wants fish.")
    assert again.stdout == first.stdout
    assert "0 requests to the model" in again.stderr
    assert len(server.requests) == requests


def test_a_pool_grows_while_it_is_asked_about(server: FakeServer, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    arguments = ("align", PROMPT, "--model", "m", "-n", "6", "--epsilon", "0")
    grown = ("--grow", "2", "--grow-by", "3")
    done = palate(*arguments, *grown, "--log", log, answers="1\n1\n1\nq\n")
    assert done.returncode == 0, done.stderr
    assert "3 new responses joined the pool; it holds 9 now" in done.stdout
    requests = len(server.requests)
    resumed = palate("align", "--resume", log, "--json", answers="1\n" * 40)
    assert json.loads(resumed.stdout)["certified"] is True
    assert json.loads(resumed.stdout)["answers"] >= 8 - 2
    assert len(server.requests) == requests  # the log brings the responses that joined
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [len(e["extend"]) for e in events if "extend" in e] == [3]


def test_a_model_that_fails_while_growing_costs_no_answer(server: FakeServer) -> None:
    arguments = ("align", PROMPT, "--model", "m", "-n", "6", "--epsilon", "0", "--grow", "2")
    palate(*arguments, answers="q\n")
    server.always = "401"
    done = palate(*arguments, answers="1\n" * 20)
    assert done.returncode == 0, done.stderr
    assert "no new responses: " in done.stdout
    assert "certain" in done.stdout


def test_embedders_of_a_server(server: FakeServer, tmp_path: Path) -> None:
    out = tmp_path / "embedded.jsonl"
    done = palate("embed", "cook", "-o", out, "--embedder", "openai:e")
    assert done.returncode == 0, done.stderr
    [pool] = read_pools(out)
    assert pool.features is not None
    assert pool.features.shape == (20, 3)
    requests = len(server.requests)
    arguments = ("align", "--pool", "cook", "--embedder", "openai:e", "--simulate")
    assert palate(*arguments).returncode == 0
    assert len(server.requests) == requests  # kept from before
    assert "exists" in palate("embed", "cook", "-o", out).stderr
    # The features that a pool brings can be left aside, and the log then still goes on.
    log = tmp_path / "log.jsonl"
    other = palate("align", "--pool", out, "--embedder", "static", "--log", log, answers="1\nq\n")
    assert other.returncode == 0, other.stderr
    assert palate("align", "--resume", log, answers="1\n").returncode == 0
    needs = palate("align", "--pool", out, "--grow", "3", "--model", "m")
    assert "--embedder" in needs.stderr.splitlines()[-1]


def test_rated_axes_and_a_resumed_log(server: FakeServer, tmp_path: Path) -> None:
    server.reply = lambda body, number: json.dumps(  # noqa: ARG005
        {"hot": (len(str(body)) % 19 - 9) / 9, "green": (len(str(body)) % 7 - 3) / 3}
    )
    log = tmp_path / "log.jsonl"
    arguments = ("align", "--pool", "cook", "--embedder", "axes:hot,green", "--model", "m")
    done = palate(*arguments, "--log", log, answers="1\nq\n")
    assert done.returncode == 0, done.stderr
    assert len(server.requests) == 20
    resumed = palate("align", "--resume", log, "--json", answers="1\n" * 40)
    assert resumed.returncode == 0, resumed.stderr
    assert len(server.requests) == 20


def test_features_from_an_array(tmp_path: Path) -> None:
    np.save(tmp_path / "f.npy", np.random.default_rng(0).normal(size=(20, 5)))
    done = palate("embed", "cook", "-o", tmp_path / "o.jsonl", "--features", tmp_path / "f.npy")
    assert done.returncode == 0, done.stderr
    features = read_pools(tmp_path / "o.jsonl")[0].features
    assert features is not None
    assert features.shape == (20, 5)
