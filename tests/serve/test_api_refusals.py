"""What the API refuses, and how it says so."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from api_cases import API, STRATEGY, Api, api_on, client_of, is_problem

from palate.errors import StoreError
from palate.serve import Settings, create_app
from palate.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from palate.store import Store

JSON = {"content-type": "application/json"}
LONG = 2 * 10**6
PAIR = {"prompt": "p", "responses": ["a", "b"]}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    yield from api_on(Settings(max_body_bytes=LONG))


POOLS: list[tuple[Any, str]] = [
    ({}, "body.prompt"),
    ([], "body"),
    ({"prompt": 3, "responses": ["a"]}, "body.prompt"),
    ({"prompt": "p", "responses": "abc"}, "body.responses"),
    ({"prompt": "p", "responses": []}, "body.responses"),
    ({"prompt": "p", "responses": ["a", "a"]}, "are the same"),
    ({"prompt": "p", "responses": ["a", " "]}, "is empty"),
    ({"prompt": "p", "responses": ["a", None]}, "body.responses.1"),
    ({"prompt": "p", "responses": ["a", {"id": "x"}]}, "is empty"),
    ({"prompt": "p", "responses": [{"id": "x", "text": "a"}, {"id": "x", "text": "b"}]}, "the id"),
    ({"prompt": "p", "responses": [{"text": "a", "txt": "b"}]}, "body.responses.0"),
    (PAIR | {"responces": []}, "body.responces"),
    (PAIR | {"features": [[1.0]]}, "shape (2, d)"),
    (PAIR | {"features": [[1.0], [2.0, 3.0]]}, "features must be"),
    (PAIR | {"features": [[1.0], ["x"]]}, "body.features.1.0"),
    (PAIR | {"features": [[1.0], [1e300]]}, "must not exceed"),
    (PAIR | {"features": [[1.0], [1.0]]}, "the same features"),
    (PAIR | {"features": [[], []]}, "shape (2, d)"),
    (PAIR | {"features": [[1.0], [0.0]], "scaling": "best"}, "body.scaling"),
    (PAIR | {"features": [[5.0], [0.0]], "scaling": "none"}, "rule allows 1"),
    (PAIR | {"features": [[1.0], [0.0]], "style": 0.5}, "leave it out"),
    (PAIR | {"style": 2.0}, "body.style"),
    (PAIR | {"responses": ["a", {"image": "/etc/passwd"}]}, "no images here"),
    (PAIR | {"name": ""}, "body.name"),
]


@pytest.mark.parametrize(("body", "said"), POOLS)
def test_no_such_pool(api: Api, body: object, said: str) -> None:
    assert said in api.post("/pools", body, 422)["detail"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"{", 400),
        (b"\xff\xfe", 400),
        (b'{"name": NaN}', 422),
        (b'{"name": "\\ud83d"}', 422),
        (b'{"name": "a\\u0000b"}', 422),
        (b"", 422),
        (b"null", 422),
        (b'"ann"', 422),
        (b"[" * 100_000, 400),
        (b'{"name": ' + b"[" * 900 + b"]" * 900 + b"}", 422),
    ],
)
def test_no_such_json(api: Api, content: bytes, status: int) -> None:
    answer = api.client.post(f"{API}/people", content=content, headers=JSON)
    assert is_problem(answer, status), answer.text


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", None])
def test_only_json_is_read(api: Api, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    answer = api.client.post(f"{API}/people", content=b'{"name": "eve"}', headers=headers)
    assert is_problem(answer, 422), answer.text


def test_a_number_with_more_digits_than_anybody_reads(api: Api) -> None:
    content = b'{"person": "a", "pool": "b", "seed": ' + b"9" * 10_000 + b"}"
    answer = api.client.post(f"{API}/elicitations", content=content, headers=JSON)
    assert answer.status_code in {400, 422}


@pytest.mark.parametrize(
    ("change", "status", "said"),
    [
        ({"person": "nobody"}, 404, "no person"),
        ({"pool": "nothing"}, 404, "no pool"),
        ({"person": "x" * 10_000}, 404, "no person"),
        ({"person": "\x00"}, 404, "no person"),
        ({"person": 7}, 422, "body.person"),
        ({"person": None}, 422, "body.person"),
        ({"strategy": {"name": "best"}}, 422, "no strategy"),
        ({"strategy": {"name": "oracle"}}, 422, "no strategy"),
        ({"strategy": {}}, 422, "no strategy"),
        ({"strategy": "useralign"}, 422, "body.strategy"),
        ({"strategy": STRATEGY | {"epsilon": -1.0}}, 422, "epsilon"),
        ({"strategy": STRATEGY | {"epsilon": "much"}}, 422, ""),
        ({"strategy": STRATEGY | {"eps": 1.0}}, 422, "no setting"),
        ({"strategy": {"name": "eubo", "options": 1}}, 422, "options"),
        ({"strategy": {"name": "eubo", "prior": {"name": "x"}}}, 422, ""),
        ({"strategy": {"name": "eubo", "prior": 3}}, 422, ""),
        ({"seed": -1}, 422, "body.seed"),
        ({"seed": 2**63}, 422, "body.seed"),
        ({"seed": 1.5}, 422, "body.seed"),
        ({"seed": True}, 422, "body.seed"),
    ],
)
def test_no_such_elicitation(api: Api, change: dict[str, Any], status: int, said: str) -> None:
    body = {"person": api.person(), "pool": api.pool(), "strategy": STRATEGY, "seed": 1} | change
    detail = api.post("/elicitations", body, status)["detail"]
    assert said in detail
    assert "\n" not in detail
    assert len(detail) <= 500


@pytest.mark.parametrize(
    ("picked", "status"),
    [
        (2, 422),
        (-1, 422),
        (10**9, 422),
        (0.0, 422),
        (True, 422),
        (None, 422),
        ("first", 422),
        ("0", 422),
        ([], 422),
        ([0], 422),
        ([0, 0], 422),
        ([0, 2], 422),
        ([0, "1"], 422),
        (list(range(2000)), 422),
        ({"winner": 0}, 422),
    ],
)
def test_no_such_answer(api: Api, picked: object, status: int) -> None:
    id = api.elicitation()  # noqa: A001
    query = api.ask(id)["id"]
    api.tell(id, query, picked, status)
    assert api.get(f"/elicitations/{id}")["answers"] == 0
    assert api.tell(id, query, 0)["recorded"]


@pytest.mark.parametrize("response_ms", [-1, 2**53, 1.5, "fast"])
def test_no_such_time(api: Api, response_ms: object) -> None:
    id = api.elicitation()  # noqa: A001
    path = f"/elicitations/{id}/queries/{api.ask(id)['id']}/answer"
    api.put(path, {"picked": 0, "response_ms": response_ms}, 422)


@pytest.mark.parametrize(
    ("content", "kind", "question", "status", "said"),
    [
        (b"{", "application/json", "", 400, "not JSON"),
        (b"", "application/json", "", 400, "not JSON"),
        (b"[" * 100_000, "application/json", "", 400, "not JSON"),
        (b'{"picked": "\\ud83d"}', "application/json", "", 400, "not JSON"),
        (b"null", "application/json", "", 422, "body: "),
        (b"{}", "application/json", "", 422, "body.picked: "),
        (b'{"picked": 0, "pciked": 1}', "application/json", "", 422, "body.pciked: "),
        (b'{"picked": 0}', "text/plain", "", 422, "application/json"),
        (b'{"picked": 0}', "", "", 422, "application/json"),
        (b'{"picked": 0}', "application/json", "?next=maybe", 422, "query.next: "),
    ],
)
def test_an_answer_in_another_form(  # noqa: PLR0917 - a table
    api: Api, content: bytes, kind: str, question: str, status: int, said: str
) -> None:
    id = api.elicitation()  # noqa: A001
    path = f"{API}/elicitations/{id}/queries/{api.ask(id)['id']}/answer{question}"
    answer = api.client.put(path, content=content, headers={"content-type": kind})
    assert is_problem(answer, status), answer.text
    assert said in answer.json()["detail"]
    assert api.get(f"/elicitations/{id}")["answers"] == 0
    told = api.client.put(
        path.partition("?")[0] + "?next=0",
        content=b'{"picked": 0}',
        headers={"content-type": "Application/JSON; charset=utf-8"},
    )
    assert told.json() == {"recorded": True, "next": None}


def test_a_query_of_somebody_else(api: Api) -> None:
    mine, yours = api.elicitation(), api.elicitation()
    query = api.ask(yours)["id"]
    for told in (api.tell(mine, query, 0, 404), api.tell(mine, "nothing", 0, 404)):
        assert "not one of this elicitation" in told["detail"]
    api.post(f"/elicitations/{mine}/undo", {"query": query}, 404)
    assert api.get(f"/elicitations/{mine}")["events"] == 0
    assert api.ask(yours)["id"] == query


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/people/x"),
        ("GET", "/pools/x"),
        ("GET", "/pools/x/responses"),
        ("GET", "/elicitations/x"),
        ("GET", "/elicitations/x/query"),
        ("GET", "/elicitations/x/answers"),
        ("GET", "/elicitations/x/recommendation"),
        ("GET", "/elicitations?person=x"),
        ("GET", "/elicitations?pool=x"),
        ("GET", "/export?person=x"),
        ("GET", "/export?pool=x"),
        ("GET", "/nothing"),
        ("GET", "/elicitations/%2e%2e/query"),
        ("GET", "/people/%00"),
        ("GET", "/people/%ff%fe"),
        ("GET", "/people/" + "x" * 5000),
    ],
)
def test_unknown_ids(api: Api, method: str, path: str) -> None:
    assert is_problem(api.client.request(method, API + path), 404)


@pytest.mark.parametrize(
    "question",
    ["limit=0", "limit=1001", "limit=x", "after=x", "after=-1", "after=" + "9" * 200, "after=1.5"],
)
@pytest.mark.parametrize("listing", ["/people", "/pools", "/elicitations", "answers"])
def test_no_such_page(api: Api, listing: str, question: str) -> None:
    path = f"/elicitations/{api.elicitation()}/answers" if listing == "answers" else listing
    assert is_problem(api.client.get(f"{API}{path}?{question}"), 422)


def test_no_such_method(api: Api) -> None:
    for method in ("DELETE", "PATCH", "PUT"):
        assert is_problem(api.client.request(method, f"{API}/people"), 405)


def test_a_body_that_is_too_long(api: Api) -> None:
    body = json.dumps({"name": "a" * LONG}).encode()
    assert is_problem(api.client.post(f"{API}/people", content=body, headers=JSON), 413)

    def parts() -> Iterator[bytes]:
        for _ in range(20):
            yield b"a" * (LONG // 10)

    answer = api.client.post(f"{API}/people", content=parts(), headers=JSON)
    assert "content-length" not in answer.request.headers
    assert is_problem(answer, 413)
    lying = JSON | {"content-length": "-1"}
    assert is_problem(api.client.post(f"{API}/people", content=b"{}", headers=lying), 413)


def test_a_body_in_parts_that_is_not_too_long(api: Api) -> None:
    def parts() -> Iterator[bytes]:
        yield b'{"name": '
        yield b'"in parts"}'

    answer = api.client.post(f"{API}/people", content=parts(), headers=JSON)
    assert (answer.status_code, answer.json()["name"]) == (201, "in parts")


def test_scripts_in_responses_stay_text(api: Api) -> None:
    hostile = "<script>alert(1)</script>"
    body = {"prompt": hostile, "responses": [hostile, "<img src=x onerror=alert(1)>"]}
    pool = api.post("/pools", body)["id"]
    answer = api.client.get(f"{API}/pools/{pool}/responses")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["items"][0]["text"] == hostile
    refused = api.client.get(f"{API}/people/{hostile}")
    assert refused.headers["content-type"] == "application/problem+json"


def test_an_image_is_one_of_the_shared_folder(tmp_path: Path) -> None:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "cat.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (tmp_path / "secret.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    for api in api_on(Settings(images=str(folder))):
        for name in ("../secret.png", str(tmp_path / "secret.png"), "link.png", "dog.png", "a\0"):
            body = PAIR | {"responses": [{"image": name}, "b"], "features": [[0.0], [1.0]]}
            assert "no image" in api.post("/pools", body, 422)["detail"]
        body = PAIR | {"responses": [{"image": "cat.png"}, "b"], "features": [[0.0], [1.0]]}
        pool = api.post("/pools", body)["id"]
        assert api.get(f"/pools/{pool}/responses")["items"][0]["image"] == "cat.png"


class Broken:
    """A store whose database is gone."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        if name == "people":
            return self._fail
        if name == "person":
            return self._surprise
        return getattr(self._store, name)

    def _fail(self, *_: object, **__: object) -> None:
        raise StoreError("the database postgresql://me:***@secret-host/db cannot be used: gone")

    def _surprise(self, *_: object) -> None:
        raise ZeroDivisionError("a secret")


def test_a_database_that_fails_is_no_answer_and_no_secret() -> None:
    with open_store("memory:") as store:
        client = client_of(create_app(Broken(store), Settings()))
        for path in (f"{API}/people", "/healthz"):
            answer = client.get(path)
            assert is_problem(answer, 503)
            assert answer.headers["retry-after"] == "1"
            assert "secret" not in answer.text
        surprise = client.get(f"{API}/people/x")
        assert is_problem(surprise, 500)
        assert "secret" not in surprise.text
        assert surprise.headers["x-content-type-options"] == "nosniff"


def test_a_model_is_needed_for_pools_to_be_written(api: Api) -> None:
    assert "--model" in api.post("/generations", {"prompt": "p"}, 409)["detail"]
    api.get("/generations", 409)
