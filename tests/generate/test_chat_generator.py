"""Pools from a chat model: the procedure, the journal, and models and servers that misbehave."""

from __future__ import annotations

import collections
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from generate_cases import PROMPT, Cook, interests_asked

from palate._journal import Journal
from palate.chat import Completion, OpenAIModel, Usage
from palate.errors import FingerprintError, LogError, ModelError, ParameterError
from palate.generate import ChatGenerator, Price, Progress
from palate.pool import Pool, Response
from palate.testing import GeneratorContract, ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from palate.bench.fake_server import FakeServer
    from palate.chat import Message
    from palate.generate import Generator

    Connect = Callable[..., OpenAIModel]

ALL = 22  # requests for 20 responses: 10 plain, 10 by interest, 1 for interests, 1 baseline


class TestChatGenerator(GeneratorContract):
    @pytest.fixture
    def generator(self) -> Generator:
        return ChatGenerator(ScriptedModel(Cook()), seed=1)


class TestChatGeneratorOnAServer(GeneratorContract):
    @pytest.fixture
    def generator(self, server: FakeServer, connect: Connect) -> Generator:
        server.reply = Cook().reply
        return ChatGenerator(connect())


@pytest.fixture
def connect(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Makes models on the server that wait briefly before they try again, and closes them."""
    monkeypatch.setattr("palate.chat._endpoint._FIRST_WAIT", 0.01)
    with contextlib.ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            OpenAIModel("m", base_url=server.url, **settings)
        )


class Blocking:
    """A model whose answers, but for the first few, wait until they are let go."""

    identity = "blocking"

    def __init__(self, free: int, cook: Cook | None = None) -> None:
        self.free = free
        self.asked = 0
        self.go = threading.Event()
        self.answered = 0
        self.cook = cook or Cook()
        self.lock = threading.Lock()

    def complete(self, messages: Sequence[Message], **_: Any) -> Completion:
        with self.lock:
            self.free -= 1
            wait = self.free < 0
        if wait:
            assert self.go.wait(30.0)
        with self.lock:
            self.answered += 1
        return Completion(self.cook(messages), Usage(10, 5), "m")


def texts(pool: Pool) -> list[str | None]:
    return [response.text for response in pool.responses]


# The procedure


def test_half_plain_half_by_interest_and_a_baseline() -> None:
    model = ScriptedModel(Cook())
    pool = ChatGenerator(model, system="Be brief.").generate(PROMPT, 20)
    names = [f"{kind}-{i}" for kind in ("plain", "interest") for i in range(1, 11)]
    assert [response.id for response in pool.responses] == names
    assert pool.prompt == PROMPT
    assert pool.features is None
    assert pool.baseline is not None
    assert len(model.asked) == ALL
    sent: dict[str, int] = collections.Counter()
    for asked in model.asked:
        content = asked.messages[-1]["content"]
        if interests_asked(asked.messages):
            assert (interests_asked(asked.messages), asked.temperature) == (10, 0.8)
            assert json.dumps(PROMPT) in content
            assert len(asked.messages) == 1
            sent["interests"] += 1
            continue
        assert asked.messages[0] == {"role": "system", "content": "Be brief."}
        assert asked.seed is None
        if content == PROMPT:
            sent[f"plain at {asked.temperature}"] += 1
        else:
            assert content.startswith(PROMPT)
            assert asked.temperature == 0.5
            sent["by interest"] += 1
    assert sent == {"interests": 1, "plain at 0.5": 10, "plain at 0.0": 1, "by interest": 10}


def test_metadata_say_how_a_response_was_made() -> None:
    def say(messages: Sequence[Message]) -> str:
        found = re.search(r"matters: (.*)", messages[-1]["content"])
        return cook(messages) + (f" For {json.loads(found[1])}." if found else "")

    cook = Cook()
    pool = ChatGenerator(ScriptedModel(say), temperature=0.7).generate(PROMPT, 4)
    for response in pool.responses:
        rest = {"model": "scripted", "temperature": 0.7, "truncated": False}
        if response.id.startswith("plain"):
            assert response.metadata == {"kind": "plain"} | rest
        else:
            interest = response.metadata["interest"]
            assert response.metadata == {"kind": "interest", "interest": interest} | rest
            assert (response.text or "").endswith(f" For {interest}.")
    interests = [response.metadata.get("interest") for response in pool.responses[2:]]
    assert interests == sorted({str(interest) for interest in interests})
    assert pool.baseline is not None
    assert pool.baseline.metadata["kind"] == "baseline"
    assert pool.baseline.metadata["temperature"] == 0.0


@pytest.mark.parametrize(
    ("n", "share", "by_interest"),
    [(1, 0.5, 0), (2, 0.5, 1), (3, 0.5, 1), (20, 0.25, 5), (7, 0.0, 0), (7, 1.0, 7)],
)
def test_the_share_of_interests(n: int, share: float, by_interest: int) -> None:
    model = ScriptedModel(Cook())
    pool = ChatGenerator(model, interest_share=share, baseline=False).generate(PROMPT, n)
    kinds = [response.metadata["kind"] for response in pool.responses]
    assert kinds == ["plain"] * (n - by_interest) + ["interest"] * by_interest
    assert pool.baseline is None
    assert len(model.asked) == n + (by_interest > 0)


def test_temperatures_of_none_are_not_sent() -> None:
    model = ScriptedModel(Cook())
    ChatGenerator(
        model, temperature=None, interest_temperature=None, baseline_temperature=None
    ).generate(PROMPT, 4)
    assert {asked.temperature for asked in model.asked} == {None}


def test_each_request_has_a_seed_of_its_own_and_the_same_again() -> None:
    """A server that derives its answer from the seed alone still gives distinct responses."""

    class Seeded:
        identity = "seeded"

        def complete(
            self,
            messages: Sequence[Message],
            *,
            temperature: float | None = None,
            seed: int | None = None,
        ) -> Completion:
            assert temperature in {0.0, 0.5, 0.8}
            assert seed is not None
            seeds.append(seed)
            count = interests_asked(messages)
            names = [f"i{i}" for i in range(count)]
            return Completion(json.dumps(names) if count else f"answer of {seed}")

    seeds: list[int] = []
    pools = [ChatGenerator(Seeded(), seed=seed).generate(PROMPT, 20) for seed in (7, 7, 8)]
    assert len(set(seeds)) == 2 * ALL
    assert all(0 <= seed < 2**31 for seed in seeds)
    assert texts(pools[0]) == texts(pools[1])
    assert not set(texts(pools[0])) & set(texts(pools[2]))


def test_missing_interests_are_asked_for_again() -> None:
    replies = iter(['["a", "b", "A"]', "Sorry.", '["b", "c"]', '["d", "e", "f"]'])

    def say(messages: Sequence[Message]) -> str:
        return next(replies) if interests_asked(messages) else cook(messages)

    cook = Cook()
    model = ScriptedModel(say)
    pool = ChatGenerator(model, interest_share=1.0, baseline=False).generate(PROMPT, 5)
    assert [response.metadata["interest"] for response in pool.responses] == list("abcde")
    asked = [a.messages[0]["content"] for a in model.asked if interests_asked(a.messages)]
    assert [interests_asked([{"content": content}]) for content in asked] == [5, 3, 3, 2]
    assert '["a", "b", "c"]' in asked[3]


def test_few_interests_go_round() -> None:
    def say(messages: Sequence[Message]) -> str:
        return '["a", "b"]' if interests_asked(messages) else cook(messages)

    cook = Cook()
    model = ScriptedModel(say)
    pool = ChatGenerator(model, interest_share=1.0, baseline=False).generate(PROMPT, 5)
    assert [response.metadata["interest"] for response in pool.responses] == list("ababa")
    assert len(model.asked) == 5 + 4  # once in vain is no proof, three times are


def test_many_interests_come_in_several_requests() -> None:
    model = ScriptedModel(Cook())
    pool = ChatGenerator(model).generate(PROMPT, 240)
    assert len(pool) == 240
    counts = [n for asked in model.asked if (n := interests_asked(asked.messages))]
    assert counts == [50, 50, 20]


def test_a_model_that_names_no_interests_is_said_in_one_line() -> None:
    with pytest.raises(ModelError, match="asked for interests 3 times and named none") as caught:
        ChatGenerator(ScriptedModel(lambda _: "Sorry.")).generate(PROMPT, 4)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "bad",
    ["", "  \n", "Dish number 1.", "  dish NUMBER\n1. "],
    ids=["empty", "blank", "duplicate", "duplicate but for case and space"],
)
def test_empty_and_repeated_answers_are_asked_again(bad: str) -> None:
    lines = iter(["Dish number 1.", bad, bad, "Dish 2", "Dish 3"])
    model = ScriptedModel(lines)
    generator = ChatGenerator(model, interest_share=0.0, baseline=False, concurrency=1, seed=1)
    pool = generator.generate(PROMPT, 3)
    assert len({asked.seed for asked in model.asked}) == 5  # else a seeded server says it again
    assert texts(pool) == ["Dish number 1.", "Dish 2", "Dish 3"]
    assert [response.id for response in pool.responses] == ["plain-1", "plain-2", "plain-3"]


def test_a_model_that_repeats_itself_is_said_in_one_line(tmp_path: Path) -> None:
    words = iter(["one", "two", "", *["two"] * 99])
    model = ScriptedModel(words)
    generator = ChatGenerator(model, interest_share=0.0, concurrency=2)
    journal = tmp_path / "j"
    with pytest.raises(ModelError, match=r"^2 of 5 distinct responses") as caught:
        generator.generate(PROMPT, 5, journal=journal)
    message = str(caught.value)
    assert len(model.asked) == 3 * 5 + 10
    assert "after 25 requests" in message
    assert "1 empty" in message
    assert str(journal) in message
    assert "\n" not in message
    fresh = ScriptedModel(Cook())
    pool = ChatGenerator(fresh, interest_share=0.0).generate(
        PROMPT, 5, journal=journal, resume=True
    )
    assert texts(pool)[:2] == ["one", "two"]
    assert len(fresh.asked) == 3 + (pool.baseline is not None and pool.baseline.text != "two")


def test_a_baseline_may_equal_a_candidate_and_is_named_when_it_is_missing() -> None:
    pool = ChatGenerator(ScriptedModel(lambda _: "same"), interest_share=0.0).generate(PROMPT, 1)
    assert pool.baseline is not None
    assert texts(pool) == [pool.baseline.text]

    def say(messages: Sequence[Message]) -> str:
        return next(answers)

    answers = iter(["one", *[""] * 99])
    with pytest.raises(ModelError, match="1 of 1 distinct responses and no baseline"):
        ChatGenerator(ScriptedModel(say), interest_share=0.0, concurrency=1).generate(PROMPT, 1)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"interest_share": -0.1}, "interest_share"),
        ({"interest_share": float("nan")}, "interest_share"),
        ({"temperature": -1.0}, "temperature"),
        ({"interest_temperature": float("inf")}, "interest_temperature"),
        ({"baseline_temperature": float("nan")}, "baseline_temperature"),
        ({"concurrency": 0}, "concurrency"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
    ],
)
def test_settings_are_checked(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        ChatGenerator(ScriptedModel([]), **settings)


def test_odd_prompts_and_answers_are_kept_whole(tmp_path: Path) -> None:
    odd = ["\ud83d half", "é" * 50_000, "line\u2028separator\r\x85end", '"}\n{"', "\x00"]
    model = ScriptedModel(iter(odd))
    generator = ChatGenerator(model, interest_share=0.0, baseline=False, concurrency=1)
    prompt = 'Über "dinner"\n\udcff 東京?'
    pool = generator.generate(prompt, 5, journal=tmp_path / "j")
    assert texts(pool) == odd
    again = generator.generate(prompt, 5, journal=tmp_path / "j", resume=True)
    assert again.content_fingerprint == pool.content_fingerprint
    assert len(model.asked) == 5


# Time, cost and progress


def test_the_halves_overlap(server: FakeServer, connect: Connect) -> None:
    """22 requests, 8 at a time, are 3 rounds."""
    server.reply = Cook().reply
    server.delay = 0.2
    generator = ChatGenerator(connect(), concurrency=8)
    generator.generate(PROMPT, 1)  # what is loaded late is loaded
    ideal = 3 * server.delay
    ratio = float("inf")
    for _ in range(5):
        began = time.perf_counter()
        generator.generate(PROMPT, 20)
        ratio = min(ratio, (time.perf_counter() - began) / ideal)
        if ratio <= 1.3:
            break
    assert ratio <= 1.3, f"20 responses took {ratio:.2f} times the ideal of {ideal:g} s"
    assert server.at_once == 8


def test_progress_is_told_after_each_answer() -> None:
    told: list[Progress] = []
    threads = set()

    def tell(progress: Progress) -> None:
        told.append(progress)
        threads.add(threading.get_ident())

    ChatGenerator(ScriptedModel(Cook()), on_progress=tell).generate(PROMPT, 20)
    assert [progress.requests for progress in told] == list(range(1, ALL + 1))
    assert told[-1].had == told[-1].wanted == 20
    assert [progress.had for progress in told] == sorted(progress.had for progress in told)
    assert max(progress.under_way for progress in told) == 7
    assert told[-1].under_way == 0
    assert not told[-1].ending
    assert threads == {threading.get_ident()}
    usages = [progress.usage.prompt_tokens for progress in told]
    assert usages == sorted(set(usages))
    price = Price(input=2.0, output=10.0)
    assert price.cost(Usage(1_000_000, 100_000)) == pytest.approx(3.0)
    with pytest.raises(ParameterError, match="prices are at least 0"):
        Price(-1.0, 0.0)


# The journal


def test_a_journal_goes_on_where_it_stopped(tmp_path: Path) -> None:
    journal = tmp_path / "folder" / "pool.journal"
    whole = ScriptedModel(Cook())
    pool = ChatGenerator(whole, seed=1).generate(PROMPT, 20, journal=journal)
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) == 1 + ALL
    for kept in (0, 1, 2, 7, 22):
        journal.write_bytes(b"".join(lines[: 1 + kept]) + b'{"slot": "plain-1", "te')
        rest = ScriptedModel(Cook(1000))
        told: list[Progress] = []
        generator = ChatGenerator(rest, seed=1, concurrency=3, on_progress=told.append)
        again = generator.generate(PROMPT, 20, journal=journal, resume=True)
        assert len(rest.asked) == ALL - kept
        assert [r.id for r in again.responses] == [r.id for r in pool.responses]
        if kept:
            assert told[0].requests == kept
        assert told[-1].requests == ALL
        if kept == ALL:
            assert again.content_fingerprint == pool.content_fingerprint
            assert again.responses[15].metadata == pool.responses[15].metadata
            assert again.baseline == pool.baseline


def test_a_journal_killed_before_its_first_line_was_whole_is_begun_again(tmp_path: Path) -> None:
    for begun in (b"", b'{"generation": 1, "pro'):
        journal = tmp_path / "j"
        journal.write_bytes(begun)
        ChatGenerator(ScriptedModel(Cook())).generate(PROMPT, 2, journal=journal, resume=True)
        rest = ScriptedModel([])
        pool = ChatGenerator(rest).generate(PROMPT, 2, journal=journal, resume=True)
        assert (len(pool), rest.asked) == (2, [])


def test_another_n_asks_for_the_rest_or_takes_the_first(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    model = ScriptedModel(Cook())
    generator = ChatGenerator(model)
    pools, asked = {}, {}
    for n in (10, 20, 5):
        before = len(model.asked)
        pools[n] = generator.generate(PROMPT, n, journal=journal, resume=True)
        asked[n] = len(model.asked) - before
    assert asked == {10: 12, 20: 11, 5: 0}
    everything = {(r.id, r.text) for r in pools[20].responses}
    for small in (10, 5):
        assert len(pools[small]) == small
        assert {(r.id, r.text) for r in pools[small].responses} <= everything


def test_a_journal_of_another_run_is_refused_by_name(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    ChatGenerator(ScriptedModel(Cook()), seed=1).generate(PROMPT, 2, journal=journal)
    before = journal.read_bytes()
    others: dict[str, dict[str, Any]] = {
        "interest_share": {"interest_share": 0.6},
        "temperature": {"temperature": None},
        "interest_temperature": {"interest_temperature": 0.9},
        "baseline": {"baseline": False},
        "baseline_temperature": {"baseline_temperature": 0.1},
        "system": {"system": "Be brief."},
        "seed": {"seed": 2},
    }
    model = ScriptedModel([])
    for name, other in others.items():
        generator = ChatGenerator(model, **({"seed": 1} | other))
        with pytest.raises(FingerprintError, match=f"another {name}:") as caught:
            generator.generate(PROMPT, 2, journal=journal, resume=True)
        assert "\n" not in str(caught.value)
    with pytest.raises(FingerprintError, match=r"another prompt: .*dinner.* there, .*Lunch"):
        ChatGenerator(model, seed=1).generate("Lunch?", 2, journal=journal, resume=True)
    with pytest.raises(FingerprintError, match='another model: "scripted" there, "other" here'):
        ChatGenerator(ScriptedModel([], identity="other"), seed=1).generate(
            PROMPT, 2, journal=journal, resume=True
        )
    assert journal.read_bytes() == before
    assert model.asked == []
    ChatGenerator(model, seed=1, concurrency=2).generate(PROMPT, 2, journal=journal, resume=True)


def test_a_journal_that_cannot_be_used_is_said_in_one_line(tmp_path: Path) -> None:
    model = ScriptedModel(Cook())
    generator = ChatGenerator(model)
    journal = tmp_path / "j"
    generator.generate(PROMPT, 2, journal=journal)
    asked = len(model.asked)
    whole = journal.read_text()
    assert len(whole.splitlines()) == 5
    for content, resume, said in [
        (whole, False, "exists; go on with it by --resume"),
        ('{"palate": 1, "fingerprint": {}}\n', True, "is not the journal of a generated pool"),
        ("somebody's notes", True, "is not the journal of a generated pool"),
        ('{"generation": 2}\n', True, "is not the journal of a generated pool, format 1"),
        (whole.replace('"usage"', '"use"'), True, "line 2: not an answer of a model"),
        (whole.replace('"slot": "', '"slot": 1, "s": "'), True, "line 2: not an answer of a model"),
        (whole.replace('"text": "', '"text": null, "t": "'), True, "line 2: not an answer"),
        (whole.replace("_tokens", "_words"), True, "line 2: not an answer of a model"),
        (whole + '{"slot": "plain-1"}\n', True, "line 6: not an answer"),
        (whole + "[]\n", True, "line 6: a record is a JSON object"),
    ]:
        journal.write_text(content)
        with pytest.raises(LogError, match=re.escape(str(journal))) as caught:
            generator.generate(PROMPT, 2, journal=journal, resume=resume)
        assert said in str(caught.value)
        assert "\n" not in str(caught.value)
        assert journal.read_text() == content
    with pytest.raises(LogError, match="cannot write"):
        generator.generate(PROMPT, 2, journal=journal / "below a file")
    assert len(model.asked) == asked


# Endings


def test_the_first_error_ends_it_and_what_is_under_way_is_kept(tmp_path: Path) -> None:
    class Failing(Blocking):
        def complete(self, messages: Sequence[Message], **settings: Any) -> Completion:
            with self.lock:
                self.asked += 1
                fails = self.asked == 8
            if fails:
                raise ModelError("the quota is used up")
            return super().complete(messages, **settings)

    journal = tmp_path / "j"
    told: list[Progress] = []
    model = Failing(free=6)

    def tell(progress: Progress) -> None:
        told.append(progress)
        if progress.ending:
            model.go.set()

    generator = ChatGenerator(model, concurrency=4, on_progress=tell)
    with pytest.raises(ModelError, match=r"^the quota is used up$"):
        generator.generate(PROMPT, 20, journal=journal)
    assert model.asked <= 8 + 3
    assert model.answered == model.asked - 1
    assert len(journal.read_text().splitlines()) == 1 + model.answered
    assert told[-1].ending
    assert told[-1].requests == model.answered
    assert told[-1].under_way == 0


def test_interrupting_keeps_what_is_under_way(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    model = Blocking(free=5)

    def tell(progress: Progress) -> None:
        if progress.ending:
            model.go.set()
            raise BrokenPipeError  # a terminal that has gone costs no answer
        if progress.requests == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ChatGenerator(model, concurrency=8, on_progress=tell).generate(PROMPT, 20, journal=journal)
    assert model.answered == 3 + 7
    rest = Blocking(free=99, cook=model.cook)
    ChatGenerator(rest).generate(PROMPT, 20, journal=journal, resume=True)
    assert model.answered + rest.answered == ALL


def test_interrupting_twice_leaves_at_once() -> None:
    model = Blocking(free=3)

    def tell(progress: Progress) -> None:
        if progress.requests == 2:
            raise KeyboardInterrupt

    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        ChatGenerator(model, on_progress=tell).generate(PROMPT, 20)
    assert time.perf_counter() - began < 5.0
    model.go.set()


def test_what_cannot_be_kept_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Blocking(free=3)
    append, records = Journal.append, []

    def full(journal: Journal, record: dict[str, Any]) -> None:
        records.append(record)
        if len(records) == 3:
            raise LogError("cannot write: No space left on device")
        append(journal, record)

    monkeypatch.setattr(Journal, "append", full)
    began = time.perf_counter()
    with pytest.raises(LogError, match="No space left"):
        ChatGenerator(model).generate(PROMPT, 20, journal=tmp_path / "j")
    assert time.perf_counter() - began < 5.0
    assert len(records) == 3
    model.go.set()


SCRIPT = """
import sys
from pathlib import Path
from palate.chat import OpenAIModel
from palate.errors import PalateError
from palate.generate import ChatGenerator
url, journal, limit, prompt = sys.argv[1:]
if int(limit):
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
generator = ChatGenerator(OpenAIModel("m", base_url=url), concurrency=4)
print("begun", flush=True)
try:
    generator.generate(prompt, 20, journal=Path(journal), resume=True)
except PalateError as error:
    sys.exit(str(error))
"""


def started(server: FakeServer, journal: Path, limit: int = 0) -> subprocess.Popen[str]:
    """A process that generates 20 responses, four requests at a time."""
    command = [sys.executable, "-c", SCRIPT, server.url, str(journal), str(limit), PROMPT]
    source = str(Path(__file__).parents[2] / "src")
    process = subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": source},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


def until(true: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + 20.0
    while not true():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.002)


def finished(server: FakeServer, journal: Path) -> Pool:
    with OpenAIModel("m", base_url=server.url) as model:
        generator = ChatGenerator(model, concurrency=4)
        return generator.generate(PROMPT, 20, journal=journal, resume=True)


def test_killed_and_gone_on_with_asks_for_little_twice(server: FakeServer, tmp_path: Path) -> None:
    """At most the requests under way at each kill are sent again."""
    server.reply = Cook().reply
    server.delay = 0.05
    journal = tmp_path / "j"
    for answers in (2, 9):
        process = started(server, journal)
        until(lambda answers=answers: server.served >= answers)  # type: ignore[misc]  # its default
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    server.delay = 0.0
    time.sleep(0.1)
    kept = len(journal.read_bytes().splitlines()) - 1
    before = len(server.requests)
    assert len(finished(server, journal)) == 20
    assert len(server.requests) - before in (ALL - kept, ALL - kept + 1)  # one line may be torn
    assert len(server.requests) <= ALL + 2 * 4


def test_a_second_ctrl_c_ends_the_process_at_once(server: FakeServer, tmp_path: Path) -> None:
    server.reply = Cook().reply
    server.faults.extend([None] * 3)
    server.always = "hang"
    process = started(server, tmp_path / "j")
    until(lambda: len(server.requests) >= 3 + 4)
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert time.monotonic() - began < 5.0
    server.always = None
    finished(server, tmp_path / "j")
    assert server.served == ALL


def test_a_full_disk_ends_it_in_one_line_and_loses_little(
    server: FakeServer, tmp_path: Path
) -> None:
    pytest.importorskip("resource", reason="file sizes cannot be limited on this platform")
    cook = Cook()
    server.reply = lambda body, number: cook.reply(body, number) + "x" * 200
    journal = tmp_path / "j"
    process = started(server, journal, limit=2000)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert said.strip().splitlines() == [said.strip()]
    assert "cannot write" in said
    assert str(journal) in said
    cost = len(server.requests)
    kept = journal.read_bytes().count(b"\n") - 1
    assert cost <= kept + 1 + 4
    assert len(finished(server, journal)) == 20
    assert len(server.requests) - cost == ALL - kept


# Servers that misbehave


@pytest.mark.parametrize(
    "fault",
    ["429", "500", "503", "hang", "cut", "cut-json", "html", "stream", "stream-cut", "empty",
     "no-choices", "error-200", "no-usage"],
)  # fmt: skip
def test_a_fault_now_and_then_costs_no_response(
    server: FakeServer, connect: Connect, fault: str
) -> None:
    server.reply = Cook().reply
    server.faults.extend([fault, None, None, fault])  # three in a row can end the interests
    model = connect(timeout=0.3)
    pool = ChatGenerator(model, concurrency=4).generate(PROMPT, 6)
    assert len(set(texts(pool))) == 6
    assert server.served >= 8
    extra = 0 if fault in {"stream", "no-usage"} else 2
    assert len(server.requests) == 8 + extra
    assert all("n" not in body for body in server.requests)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("401", "401 Unauthorized"),
        ("429-quota", "exceeded your current quota"),
        ("500", "500 Internal Server Error"),
        ("hang", "no answer within 0.2 s"),
        ("cut-json", "cut off"),
        ("empty", "asked for interests 3 times and named none"),
        ("no-choices", "no choice"),
    ],
)
def test_a_fault_for_good_is_one_line_and_nothing_is_asked_twice(
    server: FakeServer, connect: Connect, tmp_path: Path, fault: str, said: str
) -> None:
    server.reply = Cook().reply
    server.faults.extend([None] * 5)
    server.always = fault
    journal = tmp_path / "j"
    model = connect(timeout=0.2, attempts=1)
    generator = ChatGenerator(model, concurrency=2, interest_share=1.0)
    if fault == "empty":  # what fails then are the interests
        server.faults.clear()
    with pytest.raises(ModelError) as caught:
        generator.generate(PROMPT, 8, journal=journal)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    kept = journal.read_bytes().count(b"\n") - 1 if fault != "empty" else 0
    assert kept in {0, 5, 6}
    before = len(server.requests)
    server.always = None
    pool = generator.generate(PROMPT, 8, journal=journal, resume=True)
    assert len(pool) == 8
    assert len(server.requests) - before == 10 - kept


def test_an_option_that_the_server_does_not_know_is_named_and_can_be_left_out(
    server: FakeServer, connect: Connect
) -> None:
    server.reply = Cook().reply
    server.known = frozenset({"model", "messages", "temperature"})
    model = connect()
    with pytest.raises(ModelError, match="refuses the option seed: leave it out"):
        ChatGenerator(model, seed=1).generate(PROMPT, 4)
    assert len(ChatGenerator(model).generate(PROMPT, 4)) == 4
    server.known = frozenset({"model", "messages"})
    plain = ChatGenerator(
        model, temperature=None, interest_temperature=None, baseline_temperature=None
    )
    assert len(plain.generate(PROMPT, 4)) == 4


def test_a_wrong_key_is_one_line(server: FakeServer, connect: Connect) -> None:
    server.api_key = "right"
    with pytest.raises(ModelError, match="check OPENAI_API_KEY") as caught:
        ChatGenerator(connect(api_key="wrong")).generate(PROMPT, 20)
    assert "\n" not in str(caught.value)
    assert len(server.requests) <= 8


# Growing


def test_growing_never_repeats_the_pool() -> None:
    words = iter(['["x", "y", "z"]', "  Dish ONE ", "two", "two", *["dish one"] * 99])
    pool = Pool(PROMPT, [Response("grown-7", "Dish  One"), Response("grown-x", "dish two")])
    model = ScriptedModel(words)
    grown = ChatGenerator(model, concurrency=1, seed=1).grow(pool, 3)
    assert [(r.id, r.text, r.metadata["interest"]) for r in grown] == [("grown-8", "two", "x")]
    assert len(model.asked) == 3 * 3 + 10
    assert [r.id for r in pool.responses] == ["grown-7", "grown-x"]


def test_growing_again_asks_for_other_interests_with_other_seeds() -> None:
    model = ScriptedModel(Cook())
    generator = ChatGenerator(model, seed=1)
    pool = Pool(PROMPT, ["one"])
    for _ in range(3):
        pool = Pool(PROMPT, [*pool.responses, *generator.grow(pool, 2)])
    assert [r.id for r in pool.responses[1:]] == [f"grown-{i}" for i in range(1, 7)]
    seeds = [asked.seed for asked in model.asked]
    assert len(set(seeds)) == len(seeds) == 9
    last = [a for a in model.asked if interests_asked(a.messages)][-1].messages[0]["content"]
    named = [str(r.metadata["interest"]) for r in pool.responses[1:5]]
    assert json.dumps(named) in last


def test_growing_where_the_model_names_the_same_again_gives_fewer() -> None:
    def say(messages: Sequence[Message]) -> str:
        return '["a"]' if interests_asked(messages) else cook(messages)

    cook = Cook()
    generator = ChatGenerator(ScriptedModel(say))
    pool = Pool(PROMPT, ["one"])
    grown = generator.grow(pool, 2)
    assert [r.metadata["interest"] for r in grown] == ["a", "a"]
    assert generator.grow(Pool(PROMPT, [*pool.responses, *grown]), 2) == []
    with pytest.raises(ModelError, match="named none that could be read"):
        ChatGenerator(ScriptedModel(lambda _: "No.")).grow(pool, 2)


def test_growing_looks_at_texts_alone() -> None:
    image = Response("i", image="a.png")
    model = ScriptedModel(Cook())
    grown = ChatGenerator(model).grow(
        Pool(PROMPT, [image, Response("t", "tofu")]), 1, liked=[image], disliked=[image]
    )
    assert len(grown) == 1
    assert all("iked:" not in asked.messages[-1]["content"] for asked in model.asked)
