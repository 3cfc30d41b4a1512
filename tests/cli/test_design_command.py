"""``palate design``: plan, ask, fit, report, and what they refuse."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

import pexpect
import pytest

from palate.cli import app
from palate.design import read_queries
from palate.errors import AnswerError, LogError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest import CaptureFixture, MonkeyPatch  # noqa: PT013 - types alone

    from palate.bench.fake_server import FakeServer

SLOTS = [
    {
        "name": "subject",
        "tokens": ["a sunny beach", "a stone castle", "a robot", "a fox", "a ship"],
    },
    {"name": "light", "tokens": ["noon sun", "torch light", "neon glow", "moonlight", "dusk"]},
]


def run(*arguments: object) -> None:
    app(["design", *map(str, arguments)], standalone_mode=False)


@pytest.fixture
def vocabulary(tmp_path: Path) -> Path:
    path = tmp_path / "small.json"
    path.write_text(json.dumps(SLOTS), encoding="utf-8")
    return path


@pytest.fixture
def queries(tmp_path: Path, vocabulary: Path) -> Path:
    """Six episodes of two questions with three options."""
    path = tmp_path / "queries.jsonl"
    run("plan", vocabulary, "-o", path, "--episodes", 6, "--options", 3, "--lambda", 0.2)
    return path


@pytest.fixture
def say(monkeypatch: MonkeyPatch) -> Callable[..., None]:
    """What a person without a terminal answers; then the input ends."""

    def reply(*lines: object) -> None:
        left = [str(line) for line in lines]

        def read(*_: object) -> str:
            if not left:
                raise EOFError
            return left.pop(0)

        monkeypatch.setattr("builtins.input", read)

    return reply


def fitted(capsys: CaptureFixture[str], *arguments: object) -> Any:
    capsys.readouterr()
    run("fit", *arguments, "--json")
    return json.loads(capsys.readouterr().out)


def test_a_plan_says_what_it_is_worth(
    tmp_path: Path, vocabulary: Path, capsys: CaptureFixture[str]
) -> None:
    path = tmp_path / "q.jsonl"
    run("plan", vocabulary, "-o", path, "--options", 3, "--criterion", "D", "--lambda", 4)
    out = capsys.readouterr().out
    assert "small: 2 slots, 10 tokens, 64 features (static)" in out
    assert "criterion D, lambda 4 (suits a person of strength 4), greedy rounding" in out
    assert "relative gap" in out
    assert "a uniform design has" in out
    assert f"50 questions of 3 options are in {path}" in out
    file = read_queries(path)
    assert (len(file.planned), file.settings["lambda"]) == (50, 4.0)
    for share, slot in zip(file.settings["shares"], SLOTS, strict=True):
        assert set(share) <= set(slot["tokens"])
        assert sum(share.values()) == pytest.approx(1.0, abs=1e-3)


def test_a_simulated_person_gets_what_they_like(
    queries: Path, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    run("ask", queries, "--simulate", "medieval", "--strength", 60)
    assert "12 of 12 questions answered" in capsys.readouterr().out
    found = fitted(capsys, queries)
    assert (found["picks"], len(found["theta"])) == (12, 64)
    assert found["strength"] > 5
    assert found["held_out"]["accuracy"] > found["held_out"]["chance"] == pytest.approx(1 / 3)
    assert "castle" in found["prompts"][0]["prompt"]
    worth = [p["utility"] for p in found["prompts"]]
    assert worth == sorted(worth, reverse=True)
    given = fitted(capsys, queries, "--lambda", 50, "--near", 2)
    assert (given["lambda"], len(given["prompts"])) == (50, 3)
    assert given["open"] > found["open"]
    whole = fitted(capsys, queries, "--lambda", 50, "--whole")
    assert whole["theta"] != given["theta"]
    run("fit", queries)
    out = capsys.readouterr().out
    assert "12 picks of 12 questions" in out
    assert "subject: a stone castle, ahead of" in out
    page = tmp_path / "page.html"
    run("report", queries, "-o", page)
    html = page.read_text(encoding="utf-8")
    assert "After 12 picks in 12 questions, what suits best: a stone castle" in html
    assert html.count("<b>") >= 12
    assert "http" not in html.replace("http-equiv", "")


def test_a_lambda_that_does_not_suit_is_warned_of(
    tmp_path: Path, vocabulary: Path, capsys: CaptureFixture[str]
) -> None:
    path = tmp_path / "q.jsonl"
    run("plan", vocabulary, "-o", path, "--options", 3, "--lambda", 1e5)
    run("ask", path, "--simulate", "sunny", "--strength", 60)
    found = fitted(capsys, path)
    assert "can lose to random questions" in found["warning"]
    run("fit", path)
    assert "warning: lambda 100000 is" in capsys.readouterr().out


def test_answers_are_kept_and_go_on(
    queries: Path, say: Callable[..., None], capsys: CaptureFixture[str]
) -> None:
    say("2", "s", "u", "t", "9", "1", "q")
    run("ask", queries)
    out = capsys.readouterr().out
    assert "answer each question by a line: 1 to 3" in out
    assert "question 1, about 11 questions left" in out
    assert "3 of 12 questions answered" in out
    assert "Go on with: palate design ask" in out
    kept = {n: a.picked for n, a in read_queries(queries).answers.items()}
    assert kept == {0: 1, 1: "tie", 2: 0}
    say("3")
    run("ask", queries)
    assert "question 4, about 8 questions left" in capsys.readouterr().out
    assert read_queries(queries).answers[3].picked == 2


@pytest.mark.parametrize("at_estimate", [False, True])
def test_what_is_left_is_planned_anew(
    queries: Path, capsys: CaptureFixture[str], *, at_estimate: bool
) -> None:
    before = read_queries(queries).planned
    more = ["--at-estimate"] if at_estimate else []
    run("ask", queries, "--simulate", "sunny", "--redesign", 2, *more)
    out = capsys.readouterr().out
    how = "at the estimate" if at_estimate else "by what was asked"
    assert f"After 2 episodes the rest was planned anew {how}" in out
    assert f"After 4 episodes the rest was planned anew {how}" in out
    after = read_queries(queries)
    assert after.planned[:4] == before[:4]
    assert after.planned[4:] != before[4:]
    assert [q.episode for q in after.planned] == [q.episode for q in before]
    assert len(after.answers) == 12


def test_it_is_planned_anew_once_where_somebody_goes_on(
    queries: Path, say: Callable[..., None], capsys: CaptureFixture[str]
) -> None:
    for _ in range(2):
        say("1", "1", "1", "1", "q")
        run("ask", queries, "--redesign", 4)
    out = capsys.readouterr().out
    assert out.count("After 4 episodes the rest was planned anew") == 1
    say("q")
    run("ask", queries, "--redesign", 4)
    assert "planned anew" not in capsys.readouterr().out


def test_responses_of_pools_are_asked_about(
    tmp_path: Path, say: Callable[..., None], capsys: CaptureFixture[str]
) -> None:
    pools = tmp_path / "pools.jsonl"
    lines = [
        {"prompt": "dinner?", "responses": ["soup", "bread", "pizza", "salad"]},
        {"prompt": "where to?", "responses": ["the sea", "a wood", "a city", "the hills"]},
    ]
    pools.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    path = tmp_path / "q.jsonl"
    run("plan", "--pool", pools, "-o", path, "--episodes", 3, "--options", 2)
    out = capsys.readouterr().out
    assert "pools.jsonl: 2 prompts, 8 responses, 64 features" in out
    assert "responses in use: " in out
    say(*"121212")
    run("ask", path)
    out = capsys.readouterr().out
    assert "[1] " in out
    file = read_queries(path)
    assert len(file.asked.queries) == 6
    for query, planned in zip(file.asked.queries, file.planned, strict=True):
        texts = {file.asked.pool.responses[i].text for i in query.options}
        assert texts <= set(lines[planned.depth - 1]["responses"])
    found = fitted(capsys, path)
    assert len(found["prompts"]) == 2
    run("fit", path)
    assert capsys.readouterr().out.count("\nbest (") == 2
    run("report", path, "-o", tmp_path / "two.html")
    html = (tmp_path / "two.html").read_text(encoding="utf-8")
    assert "Best responses" in html
    assert "The best under the estimate for each prompt." in html
    one = tmp_path / "one.jsonl"
    run("plan", "--pool", "cook", "-o", one, "--episodes", 4)
    run("ask", one, "--simulate", "sunny", "--strength", 100)
    assert len(fitted(capsys, one)["prompts"]) == 6
    run("fit", one)
    assert capsys.readouterr().out.count("\nnext (") == 5
    run("report", one, "-o", tmp_path / "one.html")
    assert "those that come next" in (tmp_path / "one.html").read_text(encoding="utf-8")


def test_a_model_plays_the_person(
    queries: Path, server: FakeServer, capsys: CaptureFixture[str]
) -> None:
    run(
        *("ask", queries, "--persona", "Loves castles.", "--model", "any"),
        *("--base-url", server.url, "--timeout", 5),
    )
    out = capsys.readouterr().out
    assert "played by a model: Loves castles." in out
    assert "requests to the model" in out
    assert len(read_queries(queries).answers) == 12


def test_pictures_are_shown_and_made_of_the_best(
    tmp_path: Path, vocabulary: Path, server: FakeServer, capsys: CaptureFixture[str]
) -> None:
    path, images = tmp_path / "q.jsonl", ["--render", "images:any", "--base-url", server.url]
    run("plan", vocabulary, "-o", path, "--episodes", 2, "--options", 2, *images)
    assert all(r.image for r in read_queries(path).asked.pool.responses)
    run("ask", path, "--simulate", "sunny")
    found = fitted(capsys, path, *images, "--near", 1)
    assert all(p["image"] for p in found["prompts"])
    run("report", path, "-o", tmp_path / "page.html", *images)
    assert "data:image/png;base64," in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_plan_without_answers_has_a_report(queries: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    run("report", queries, "-o", page)
    html = page.read_text(encoding="utf-8")
    assert "12 questions are planned; nobody has picked anything yet." in html
    assert "information of a uniform design" in html


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (["plan", "-o", "x.jsonl"], ParameterError, "name a vocabulary"),
        (["plan", "mine", "-o", "x.jsonl"], ParameterError, "there is no vocabulary 'mine'"),
        (["plan", "balanced", "--pool", "cook", "-o", "x"], ParameterError, "or a --pool"),
        (["plan", "{vocabulary}", "-o", "{queries}"], ParameterError, "exists; name another"),
        (["plan", "{vocabulary}", "-o", "x", "--options", 6], ParameterError, "5 tokens, too few"),
        (["plan", "{vocabulary}", "-o", "x", "--render", "paint"], ParameterError, "--render is"),
        (["ask", "{queries}", "--simulate", "plain"], ParameterError, "no shipped style 'plain'"),
        (["ask", "{queries}", "--at-estimate"], ParameterError, "says how --redesign counts"),
        (["ask", "{queries}", "--strength", 3], ParameterError, "of a person of --simulate"),
        (["ask", "{queries}", "--persona", "x"], ParameterError, "name a model by --model"),
        (["fit", "{queries}"], AnswerError, "holds no pick yet"),
        (["fit", "nothing.jsonl"], LogError, "cannot read"),
        (["report", "{queries}", "-o", "no/where/page.html"], ParameterError, "cannot write"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[object],
    error: type[Exception],
    said: str,
    queries: Path,
    monkeypatch: MonkeyPatch,
) -> None:
    monkeypatch.chdir(queries.parent)
    names = {"{queries}": queries.name, "{vocabulary}": "small.json"}
    filled = [names.get(str(a), a) for a in arguments]
    with pytest.raises(error, match=said) as raised:
        run(*filled)
    assert "\n" not in str(raised.value)


def test_a_pool_that_changed_is_refused(tmp_path: Path) -> None:
    pool, path = tmp_path / "pool.jsonl", tmp_path / "q.jsonl"
    pool.write_text(json.dumps({"prompt": "?", "responses": list("abcde")}) + "\n")
    run("plan", "--pool", pool, "-o", path, "--options", 2, "--episodes", 2)
    pool.write_text(json.dumps({"prompt": "?", "responses": list("abcdf")}) + "\n")
    with pytest.raises(ParameterError, match="has changed since"):
        run("ask", path, "--simulate", "sunny")


def test_somebody_answers_on_a_real_terminal(queries: Path, tmp_path: Path) -> None:
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm-256color"}
    child = pexpect.spawn(
        sys.executable,
        ["-m", "palate", "design", "ask", str(queries)],
        env=environment,
        dimensions=(36, 110),
        encoding="utf-8",
        timeout=30,
    )
    child.delaybeforesend = 0.2
    child.expect("question 1, about 11 questions left")
    child.send("2")
    child.expect("question 2, about")
    child.expect("best so far: a ")
    child.send("3")
    child.expect("question 3, about")
    child.send("u")
    child.expect("question 2, about")
    child.send("1")
    child.expect("question 3, about")
    child.send("q")
    child.expect("2 of 12 questions answered")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert {n: a.picked for n, a in read_queries(queries).answers.items()} == {0: 1, 1: 0}
