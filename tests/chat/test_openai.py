"""Whatever a server does, a request ends in a right answer or in one line that says what to do."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from palate.chat import Completion, OpenAIModel, Usage, _endpoint
from palate.errors import ModelError, ParameterError
from palate.testing import ChatModelContract

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from palate.bench.fake_server import FakeServer
    from palate.chat import ChatModel, Message

KEY = "sk-secret-0123456789"
HELLO: Sequence[Message] = [{"role": "user", "content": "Dinner tonight?"}]


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_endpoint, "_FIRST_WAIT", 0.001)


@pytest.fixture
def model(server: FakeServer) -> Iterator[OpenAIModel]:
    with OpenAIModel("m", base_url=server.url, api_key=KEY, timeout=5.0, attempts=3) as made:
        yield made


def refusal(ask: Callable[[], Any]) -> str:
    """The message of the ModelError: one line, without the key, within seconds."""
    began = time.monotonic()
    with pytest.raises(ModelError) as caught:
        ask()
    message = str(caught.value)
    assert time.monotonic() - began < 5.0
    assert message.isprintable()
    assert KEY not in message
    return message


class TestOpenAIModel(ChatModelContract):
    @pytest.fixture
    def model(self, server: FakeServer) -> Iterator[ChatModel]:
        with OpenAIModel("m", base_url=server.url) as model:
            yield model


def test_a_request_says_what_was_asked_and_no_more(server: FakeServer, model: OpenAIModel) -> None:
    assert model.complete(HELLO).text == "reply 0"
    model.complete(HELLO, temperature=0.0, seed=7)
    assert server.requests == [
        {"model": "m", "messages": HELLO},
        {"model": "m", "messages": HELLO, "temperature": 0.0, "seed": 7},
    ]


def test_options_add_change_and_leave_out_fields(server: FakeServer) -> None:
    options = {"max_tokens": 9, "temperature": None, "seed": 3}
    with OpenAIModel("m", base_url=server.url, options=options) as model:
        model.complete(HELLO, temperature=0.5, seed=1)
    assert server.requests == [{"model": "m", "messages": HELLO, "max_tokens": 9, "seed": 3}]


@pytest.mark.parametrize(
    "fault",
    "429 500 503 cut cut-json html html-502 stream-cut no-choices error-200".split(),
)
def test_what_fails_for_the_moment_is_tried_again(
    server: FakeServer, model: OpenAIModel, fault: str
) -> None:
    server.faults.extend([fault, fault])
    assert model.complete(HELLO).text == "reply 2"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("429", "429 Too Many Requests: Rate limit reached (tried 3 times)"),
        ("500", "500 Internal Server Error: The server had an error (tried 3 times)"),
        ("503", "503 Service Unavailable: The server had an error (tried 3 times)"),
        ("cut", "the connection broke off"),
        ("cut-json", "cut off, or is not JSON (tried 3 times)"),
        ("html", "cut off, or is not JSON (tried 3 times)"),
        ("html-502", "502 Bad Gateway: Bad gateway (tried 3 times)"),
        ("stream-cut", "the server's stream was cut off (tried 3 times)"),
        ("no-choices", "holds no choice (tried 3 times)"),
        ("error-200", "error: Provider returned an error (tried 3 times)"),
    ],
)
def test_what_goes_on_failing_is_one_line(
    server: FakeServer, model: OpenAIModel, fault: str, says: str
) -> None:
    server.always = fault
    message = refusal(lambda: model.complete(HELLO))
    assert says in message
    assert message.startswith(server.url)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ("429-quota", "429 Too Many Requests: You exceeded your current quota"),
        ("401", "Incorrect API key provided: ***; check OPENAI_API_KEY"),
        ("redirect", "it redirects to https://elsewhere.example/v1/chat, correct the base URL"),
    ],
)
def test_what_would_fail_again_is_not_tried_again(
    server: FakeServer, model: OpenAIModel, fault: str, says: str
) -> None:
    server.always = fault
    assert says in refusal(lambda: model.complete(HELLO))
    assert len(server.requests) == 1


def test_a_wrong_key_is_refused_and_the_right_one_taken(server: FakeServer) -> None:
    server.api_key = "the right one"
    with OpenAIModel("m", base_url=server.url, api_key=KEY) as model:
        assert "401" in refusal(lambda: model.complete(HELLO))
    with OpenAIModel("m", base_url=server.url, api_key="the right one\n") as model:
        assert model.complete(HELLO).text == "reply 1"


def test_an_option_that_the_server_refuses_is_named(server: FakeServer) -> None:
    server.known = frozenset({"model", "messages", "temperature"})
    with OpenAIModel("m", base_url=server.url, options={"top_k": 5}) as model:
        message = refusal(lambda: model.complete(HELLO, temperature=0.0))
    assert message.endswith("supplied: top_k; it refuses the option top_k: leave it out")
    assert len(server.requests) == 1


def test_a_base_url_without_v1_is_suggested(server: FakeServer) -> None:
    with OpenAIModel("m", base_url=server.url.removesuffix("/v1")) as model:
        assert "that the base URL ends in /v1" in refusal(lambda: model.complete(HELLO))


@pytest.mark.parametrize("path", ["{}", "{}/", " {}/\n"])
def test_the_base_url_and_the_key_may_come_from_the_environment(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    server.api_key = KEY
    monkeypatch.setenv("OPENAI_BASE_URL", path.format(server.url))
    monkeypatch.setenv("OPENAI_API_KEY", f"{KEY}\n")
    with OpenAIModel("m") as model:
        assert model.complete(HELLO).text == "reply 0"
        assert KEY not in repr(model)
        assert KEY not in model.identity


def test_without_a_key_and_a_server_there_is_nothing_to_ask() -> None:
    assert "set OPENAI_API_KEY" in refusal(lambda: OpenAIModel("m"))


def test_a_server_that_is_not_there(model: OpenAIModel) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        with OpenAIModel("m", base_url=url, attempts=2) as nobody:
            message = refusal(lambda: nobody.complete(HELLO))
    assert "cannot be reached" in message
    assert "(tried 2 times)" in message


@pytest.mark.parametrize("fault", ["hang", "trickle"])
def test_a_request_ends_at_its_timeout(server: FakeServer, fault: str) -> None:
    server.always = fault
    with OpenAIModel("m", base_url=server.url, timeout=0.15, attempts=2) as model:
        began = time.monotonic()
        assert "no answer within 0.15 s (tried 2 times)" in refusal(lambda: model.complete(HELLO))
        assert time.monotonic() - began < 1.0


def test_after_a_hang_the_answer_is_taken(server: FakeServer) -> None:
    server.faults.append("hang")
    with OpenAIModel("m", base_url=server.url, timeout=0.3) as model:
        assert model.complete(HELLO).text == "reply 1"


def test_retry_after_is_kept_to_in_seconds(server: FakeServer, model: OpenAIModel) -> None:
    server.retry_after = "0.2"
    server.faults.append("429")
    model.complete(HELLO)
    first, second = server.times
    assert 0.2 <= second - first < 0.6


def test_retry_after_is_read_as_a_date(monkeypatch: pytest.MonkeyPatch, server: FakeServer) -> None:
    waits: list[str] = []
    monkeypatch.setattr(_endpoint, "LONGEST_WAIT", -1.0)
    server.faults.append("429-date")
    with OpenAIModel("m", base_url=server.url, on_wait=waits.append) as model:
        message = refusal(lambda: model.complete(HELLO))
    assert message.endswith(("it asks to wait 0 s, try again then", "wait 1 s, try again then"))
    assert not waits


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("-3", 0.0),
        ("nan", 0.0),
        ("soon", None),
        ("", None),
        (None, None),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0.0),
        ("Mon, 99 Foo 2001", None),
    ],
)
def test_any_retry_after_can_be_read(header: str | None, seconds: float | None) -> None:
    assert _endpoint._retry_after(header) == seconds


def test_a_wait_of_an_hour_is_refused_at_once(server: FakeServer, model: OpenAIModel) -> None:
    server.retry_after, server.always = "3600", "429"
    message = refusal(lambda: model.complete(HELLO))
    assert "it asks to wait 3600 s, try again then" in message


def test_waits_are_told(server: FakeServer) -> None:
    told: list[str] = []
    server.faults.extend(["429", "500"])
    with OpenAIModel("m", base_url=server.url, on_wait=told.append) as model:
        model.complete(HELLO)
    assert told == [
        "429 Too Many Requests: Rate limit reached, trying again in 0.0 s",
        "500 Internal Server Error: The server had an error, trying again in 0.0 s",
    ]


def test_own_waits_grow_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_endpoint, "_FIRST_WAIT", 0.5)
    with contextlib.closing(_endpoint.Endpoint("http://x/v1", None, timeout=1, attempts=1)) as e:
        waits = [[e._wait(attempt, None) for _ in range(50)] for attempt in range(1, 12)]
    for attempt, some in enumerate(waits):
        full = min(0.5 * 2**attempt, 20.0)
        assert full / 2 <= min(some) < max(some) <= full


def test_a_stream_that_nobody_asked_for_is_joined(server: FakeServer, model: OpenAIModel) -> None:
    server.reply = lambda *_: "Zwei Tacos,\u2028 bitte: 🌮\n\n- ja"
    server.always = "stream"
    assert model.complete(HELLO).text == "Zwei Tacos,\u2028 bitte: 🌮\n\n- ja"


def test_streams_keep_what_json_need_not_escape() -> None:
    whole = 'data: {"choices": [{"delta": {"content": "a\u2028b\x85c"}}]}\r\n\r\ndata: [DONE]\r\n'
    joined = _endpoint._decoded(whole.encode(), "text/event-stream")
    assert joined["choices"][0]["message"]["content"] == "a\u2028b\x85c"


def test_an_empty_text_is_an_answer(server: FakeServer, model: OpenAIModel) -> None:
    server.always = "empty"
    assert model.complete(HELLO) == Completion("", Usage(15 // 4, 0), "m")


def test_usage_is_counted_or_estimated(server: FakeServer, model: OpenAIModel) -> None:
    server.reply = lambda *_: "x" * 10
    server.faults.extend([None, "no-usage"])
    assert model.complete(HELLO).usage == Usage(15 // 4, 10 // 4, estimated=False)
    estimated = model.complete(HELLO).usage
    assert estimated == Usage(4, 3, estimated=True)  # rounded up
    assert Usage(1, 2) + estimated == Usage(5, 5, estimated=True)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("<think>Hm, 1 or 2?\n</think>\n\n2", "2"),
        ("  <think></think>2", "2"),
        ("<think>cut off by the lim", ""),
        ("Hm, 1 or 2?\n</think>\n\n2", "2"),
        ("Write <think> and </think> around it.", "Write <think> and </think> around it."),
        ("Say </think> there.", "Say </think> there."),
        ("<thinking> is a tag", "<thinking> is a tag"),
    ],
)
def test_thoughts_are_no_part_of_the_text(
    server: FakeServer, model: OpenAIModel, written: str, text: str
) -> None:
    server.reply = lambda *_: written
    assert model.complete(HELLO).text == text


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"message": {"content": [{"type": "text", "text": "a"}, {"text": "b"}]}}, "ab"),
        ({"message": {"content": None}}, ""),
        ({"text": "old form"}, "old form"),
    ],
)
def test_other_forms_of_a_choice(model: OpenAIModel, choice: dict[str, Any], expected: str) -> None:
    answer = {"choices": [choice | {"finish_reason": "length"}]}
    completion = model._parse(answer, {"messages": []})
    assert completion.text == expected
    assert completion.truncated


@pytest.mark.parametrize(
    "answer",
    [{}, {"choices": None}, {"choices": ["x"]}, {"choices": [{"message": {"content": 3}}]}],
)
def test_what_is_no_answer_is_tried_again(model: OpenAIModel, answer: dict[str, Any]) -> None:
    with pytest.raises(_endpoint.TransientError):
        model._parse(answer, {"messages": []})


@pytest.mark.parametrize("content", [b"[1]", b"[" * 100_000, b"", b"\xff\xfe{", b"data: {}\n\n"])
def test_what_is_no_object_is_tried_again(content: bytes) -> None:
    with pytest.raises(_endpoint.TransientError):
        _endpoint._decoded(content, "application/json")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"error": {"message": "a\\nb", "code": ["x"]}}', "a b"),
        (b'{"detail": [{"loc": ["body"], "msg": "no"}]}', "[{'loc': ['body'], 'msg': 'no'}]"),
        (b'[{"error": 1}]', '[{"error": 1}]'),
        (b"\x00\x1b[31mred\xff", "[31mred \ufffd".replace(" ", "")),
        (b"x" * 500, "x" * 197 + "..."),
        (b"", ""),
    ],
)
def test_any_refusal_becomes_one_line(content: bytes, said: str) -> None:
    assert _endpoint._explanation(content)[0] == said


@pytest.mark.parametrize("fault", ["hang", "trickle", "429"])
def test_close_ends_what_is_under_way_in_other_threads(server: FakeServer, fault: str) -> None:
    server.always, server.retry_after = fault, "50"
    model = OpenAIModel("m", base_url=server.url, timeout=60.0)
    with ThreadPoolExecutor(2) as threads:
        asked = [threads.submit(model.complete, HELLO) for _ in range(2)]
        until = time.monotonic() + 5.0
        while len(server.requests) < 2 and time.monotonic() < until:
            time.sleep(0.005)
        time.sleep(0.05)  # the answer of a 429 is on its way
        began = time.monotonic()
        model.close()
        for one in asked:
            with pytest.raises(ModelError, match="stopped, the model was closed"):
                one.result(timeout=5.0)
        assert time.monotonic() - began < 1.0
    assert "stopped" in refusal(lambda: model.complete(HELLO))


def test_threads_get_their_own_answers(server: FakeServer, model: OpenAIModel) -> None:
    server.reply = lambda body, _: "re: " + body["messages"][0]["content"]
    server.delay = 0.05
    texts = [f"question {i}" for i in range(16)]

    def ask(text: str) -> str:
        return model.complete([{"role": "user", "content": text}]).text

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, texts)) == ["re: " + text for text in texts]
    assert server.at_once > 1
    assert threading.active_count() < 40


def test_half_an_emoji_can_be_sent(server: FakeServer, model: OpenAIModel) -> None:
    model.complete([{"role": "user", "content": "cut off \ud83d"}])
    assert server.requests[0]["messages"][0]["content"] == "cut off ?"


@pytest.mark.parametrize(
    "url",
    [
        "localhost:11434",
        "ftp://x/v1",
        "http://",
        "http://x:99999/v1",
        "http://[::1",
        "http://a b/v1",
        "http://x\n/v1",
        "http://münchen.example/v1",
        "gpt-4o-mini",
    ],
)
def test_a_base_url_that_is_none(url: str) -> None:
    with pytest.raises(ParameterError, match="the base URL must look like http"):
        OpenAIModel("m", base_url=url)


@pytest.mark.parametrize("url", [f"https://me:{KEY}@x/v1", f"https://x/v1?key={KEY}"])
def test_a_key_in_the_base_url_is_not_shown(url: str) -> None:
    with pytest.raises(ParameterError, match="give the key as api_key") as caught:
        OpenAIModel("m", base_url=url)
    assert KEY not in str(caught.value)


def test_a_key_that_cannot_be_sent_is_not_shown() -> None:
    for key in (f"{KEY}\n{KEY}", f"{KEY}é"):
        with pytest.raises(ParameterError, match="copy it anew") as caught:
            OpenAIModel("m", base_url="http://x/v1", api_key=key)
        assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"timeout": 0.0},
        {"timeout": float("nan")},
        {"timeout": float("inf")},
        {"attempts": 0},
        {"options": {"stop": {1}}},
        {"options": {"top_p": float("nan")}},
    ],
)
def test_settings_out_of_range(settings: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        OpenAIModel("m", base_url="http://x/v1", **settings)


def test_a_model_has_a_name() -> None:
    with pytest.raises(ParameterError, match="name a model"):
        OpenAIModel("", base_url="http://x/v1")


def test_a_proxy_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://proxy:1")
    with pytest.raises(ModelError, match="ALL_PROXY"):
        OpenAIModel("m", base_url="http://x/v1")


def test_identity_tells_server_model_and_options_apart() -> None:
    made = [
        OpenAIModel("m", base_url="http://x/v1"),
        OpenAIModel("m", base_url="http://y/v1"),
        OpenAIModel("n", base_url="http://x/v1"),
        OpenAIModel("m", base_url="http://x/v1", options={"a": 1, "b": 2}),
        OpenAIModel("m", base_url="http://x/v1", options={"a": 1}),
    ]
    assert len({model.identity for model in made}) == len(made)
    again = OpenAIModel("m", base_url="http://x/v1/", options={"b": 2, "a": 1}, timeout=1.0)
    assert again.identity == made[3].identity
    for model in [*made, again]:
        model.close()
