"""Pools that the configured model writes, in the background; and what is counted."""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from api_cases import Api, api_on, client_of

from palate.errors import ModelError
from palate.serve import Settings, create_app
from palate.store import open_store
from palate.testing import ScriptedModel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Writer:
    """A model that writes when it may, and fails when it is asked for failure."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self._numbers = itertools.count()

    def __call__(self, messages: Sequence[Any]) -> str:
        self.may.wait(20)
        said = messages[-1]["content"]
        if "failure" in said:
            raise ModelError("the model is out of words")
        if "surprise" in said:
            raise ZeroDivisionError
        asked = re.search(r"exactly (\d+) strings", said)
        number = next(self._numbers)
        if asked:
            return json.dumps([f"interest {i}" for i in range(int(asked[1]))])
        return f"Response number {number}, about {'fish' if number % 2 else 'curry'}."


@pytest.fixture
def writer() -> Iterator[Writer]:
    made = Writer()
    yield made
    made.may.set()


@pytest.fixture
def api(writer: Writer) -> Iterator[Api]:
    with open_store("memory:") as store:
        app = create_app(store, Settings(), model=ScriptedModel(writer))
        with client_of(app) as client:
            yield Api(client)


def finished(api: Api, id: str) -> Any:  # noqa: A002
    until = time.monotonic() + 20
    while (found := api.get(f"/generations/{id}"))["status"] == "running":
        assert time.monotonic() < until
        time.sleep(0.01)
    return found


def test_a_pool_is_written_in_the_background(api: Api, writer: Writer) -> None:
    body = {"prompt": "What should I cook?", "size": 6}
    started = api.post("/generations", body, 202)
    assert (started["status"], started["pool"], started["size"]) == ("running", None, 6)
    assert api.get("/generations")["items"] == [started]
    writer.may.set()
    done = finished(api, started["id"])
    assert (done["status"], done["had"], done["problem"]) == ("done", 6, None)
    pool = api.get(f"/pools/{done['pool']}")
    assert (pool["prompt"], pool["size"], pool["embedder"]) == (
        "What should I cook?",
        6,
        "minilm64",
    )
    responses = api.get(f"/pools/{done['pool']}/responses")["items"]
    assert {r["metadata"]["kind"] for r in responses} == {"plain", "interest"}
    assert api.ask(api.elicitation(pool=done["pool"], strategy=None)) is not None


@pytest.mark.parametrize(
    ("prompt", "said"),
    [("failure", "the model is out of words"), ("surprise", "see the log")],
)
def test_what_goes_wrong_is_said(api: Api, writer: Writer, prompt: str, said: str) -> None:
    writer.may.set()
    started = api.post("/generations", {"prompt": prompt, "size": 2}, 202)
    failed = finished(api, started["id"])
    assert (failed["status"], failed["pool"]) == ("failed", None)
    assert said in failed["problem"]


def test_only_so_many_at_a_time(api: Api, writer: Writer) -> None:
    body = {"prompt": "p", "size": 2}
    for _ in range(4):
        api.post("/generations", body, 202)
    assert "wait for one" in api.post("/generations", body, 409)["detail"]
    writer.may.set()
    for generation in api.get("/generations")["items"]:
        finished(api, generation["id"])
    api.post("/generations", body, 202)
    first = api.get("/generations?limit=3")
    assert len(first["items"]) == 3
    assert len(api.get(f"/generations?after={first['after']}")["items"]) == 2


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"prompt": ""},
        {"prompt": " "},
        {"prompt": "p", "size": 1},
        {"prompt": "p", "size": 201},
        {"prompt": "p", "size": 2.5},
        {"prompt": "p", "interest_share": 2},
        {"prompt": "p", "baseline": 1},
        {"prompt": "p", "model": "another"},
    ],
)
def test_no_such_generation(api: Api, body: object) -> None:
    api.post("/generations", body, 422)
    api.get("/generations/x", 404)


def test_what_is_counted() -> None:
    for api in api_on(Settings()):
        id = api.elicitation()  # noqa: A001
        query = api.ask(id)["id"]
        for _ in range(3):
            api.tell(id, query, 0)
        api.get("/people/unknown", 404)
        api.client.get("/nothing/" + "x" * 50)
        api.client.request("BREW", "/api/v1/people")
        text = api.client.get("/metrics").text
        counted = dict(re.findall(r"(?m)^(palate_\w+\{.*?\}) (\S+)$", text))
        (worker,) = set(re.findall(r'worker="(\d+)"', text))
        answer = "/api/v1/elicitations/{elicitation}/queries/{query}/answer"
        expected = {
            f'method="PUT",route="{answer}",status="200"': "3",
            'method="GET",route="/api/v1/people/{person}",status="404"': "1",
            'method="GET",route="other",status="404"': "1",
            'method="other",route="/api/v1/people",status="405"': "1",
        }
        for labels, number in expected.items():
            assert counted[f'palate_requests_total{{worker="{worker}",{labels}}}'] == number
        assert counted[f'palate_answers_total{{worker="{worker}"}}'] == "1"
        total = sum(int(n) for name, n in counted.items() if "requests_total" in name)
        assert counted[f'palate_request_seconds_count{{worker="{worker}"}}'] == str(total)
        buckets = [int(n) for name, n in counted.items() if "_bucket" in name]
        assert buckets == sorted(buckets)
        assert buckets[-1] == total
        assert id not in text
