"""Who gets in: hosts, other sites' pages, tokens; and what browsers are told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from api_cases import API, TOKEN, Api, api_on, client_of, is_problem
from starlette.responses import Response

from palate.errors import ParameterError
from palate.serve import Settings, create_app, from_environment
from palate.serve.security import POLICY, Security, same_token
from palate.serve.settings import is_loopback
from palate.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.testclient import TestClient
    from starlette.types import Message, Receive, Scope, Send

SITE = "https://taste.example.org"


@pytest.fixture(scope="module")
def open_api() -> Iterator[Api]:
    yield from api_on(Settings())


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    settings = Settings(
        host="0.0.0.0",  # noqa: S104 - with a token
        token=TOKEN,
        allowed_hosts=("other.example.org",),
        public_url=SITE,
    )
    with open_store("memory:") as store:
        yield client_of(create_app(store, settings))


BEARER = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("localhost:8000", 200),
        ("127.0.0.1:1", 200),
        ("[::1]:8000", 200),
        ("LOCALHOST", 200),
        ("evil.example.com", 400),
        ("localhost.evil.example.com", 400),
        ("localhost:8000:9000", 400),
        ("127.0.0.1.nip.io", 400),
        ("0.0.0.0", 400),  # noqa: S104 - no name
        ("", 400),
        ("user@localhost", 400),
        ("[::1", 400),
        ("taste.example.org", 400),
    ],
)
def test_only_hosts_that_are_served(open_api: Api, host: str, status: int) -> None:
    answer = open_api.client.get(f"{API}/people", headers={"host": host})
    assert answer.status_code == status
    assert status == 200 or is_problem(answer, 400)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("taste.example.org", 200),
        ("taste.example.org:443", 200),
        ("other.example.org", 200),
        ("localhost", 200),
        ("0.0.0.0:8000", 400),
        ("example.org", 400),
    ],
)
def test_hosts_that_the_owner_allows(client: TestClient, host: str, status: int) -> None:
    answer = client.get(f"{API}/people", headers={"host": host, **BEARER})
    assert answer.status_code == status


def test_pages_too_need_a_host_and_health_does_not(client: TestClient) -> None:
    for path in ("/", "/docs", "/e/x", "/owner", "/metrics"):
        assert client.get(path, headers={"host": "evil.example.com"}).status_code == 400
    assert client.get("/healthz", headers={"host": "10.0.0.7"}).json() == {"status": "ok"}


def test_a_host_given_twice_is_none(open_api: Api) -> None:
    twice = [("host", "localhost"), ("host", "evil.example.com")]
    for headers in (twice, twice[::-1]):
        assert open_api.client.get(f"{API}/people", headers=headers).status_code == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 201),
        ({"origin": "http://localhost"}, 201),
        ({"origin": "http://localhost", "sec-fetch-site": "same-origin"}, 201),
        ({"origin": "null", "sec-fetch-site": "same-origin"}, 201),
        ({"sec-fetch-site": "none"}, 201),
        ({"origin": "http://evil.example.com"}, 403),
        ({"origin": "http://localhost:9000"}, 403),
        ({"origin": "http://localhost.evil.example.com"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "file://localhost"}, 403),
        ({"origin": "http://[::1"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://localhost", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://evil.example.com", "sec-fetch-site": "same-origin"}, 403),
    ],
)
def test_another_sites_page_changes_nothing(
    open_api: Api, headers: dict[str, str], status: int
) -> None:
    before = len(open_api.get("/people?limit=1000")["items"])
    answer = open_api.client.post(f"{API}/people", json={}, headers=headers)
    assert answer.status_code == status
    after = len(open_api.get("/people?limit=1000")["items"])
    assert after - before == (status == 201)


def test_behind_a_proxy_the_origin_is_the_public_one(client: TestClient) -> None:
    for origin, status in ((SITE, 201), ("https://other.example.org", 403)):
        headers = {"host": "127.0.0.1:8000", "origin": origin, **BEARER}
        assert client.post(f"{API}/people", json={}, headers=headers).status_code == status


@pytest.mark.parametrize(
    "shown",
    [
        None,
        "",
        TOKEN,
        "Bearer",
        "Bearer ",
        f"Basic {TOKEN}",
        f"Bearer {TOKEN}x",
        f"Bearer {TOKEN[:-1]}",
        f"Bearer {TOKEN.upper()}",
        f"Bearer {TOKEN} {TOKEN}",
        "Bearer \xff",
    ],
)
@pytest.mark.parametrize("path", [f"{API}/people", f"{API}/export", f"{API}/nothing", "/metrics"])
def test_without_the_token_nobody_gets_in(client: TestClient, path: str, shown: str | None) -> None:
    headers = {} if shown is None else {"authorization": shown.encode("latin-1")}
    answer = client.get(path, headers=headers)  # type: ignore[arg-type]
    assert is_problem(answer, 401)
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert TOKEN not in answer.text


def test_with_the_token(client: TestClient) -> None:
    for shown in (f"Bearer {TOKEN}", f"bearer  {TOKEN} "):
        headers = {"authorization": shown}
        assert client.get(f"{API}/people", headers=headers).status_code == 200
        assert "palate_requests_total" in client.get("/metrics", headers=headers).text
    twice = [("authorization", f"Bearer {TOKEN}"), ("authorization", "Bearer nothing")]
    assert client.get(f"{API}/people", headers=twice).status_code == 401


def test_documentation_tells_no_secret_and_needs_no_token(client: TestClient) -> None:
    for path in ("/docs", "/openapi.json", "/healthz"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert TOKEN not in answer.text


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/healthz", f"{API}/people", f"{API}/x", "/nothing"]
)
def test_what_browsers_are_told(open_api: Api, path: str) -> None:
    headers = open_api.client.get(path, headers={"origin": "http://evil.example.com"}).headers
    assert headers["content-security-policy"] == POLICY
    assert "default-src 'self'" in POLICY
    assert "unsafe" not in POLICY
    assert "frame-ancestors 'none'" in POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] in {"same-origin", "no-referrer"}
    assert headers["cache-control"] == "no-store"
    assert not [name for name in headers if name.startswith("access-control")]


def test_the_documentation_loads_nothing_from_elsewhere(open_api: Api) -> None:
    page = open_api.client.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert "<script" not in page.text
    assert "<style" not in page.text
    assert "://" not in page.text
    assert "/elicitations/{elicitation}/query" in page.text


def test_tokens_are_compared_whole() -> None:
    assert same_token(TOKEN, TOKEN)
    assert same_token(TOKEN.encode(), TOKEN)
    assert not same_token("", TOKEN)
    assert not same_token(TOKEN + "\ud83d", TOKEN)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"host": "0.0.0.0"}, "set a token"),  # noqa: S104 - it is refused
        ({"host": "192.168.1.5"}, "set a token"),
        ({"host": "::"}, "set a token"),
        ({"host": "example.org"}, "set a token"),
        ({"token": "short"}, "16 to 512"),
        ({"token": ""}, "16 to 512"),
        ({"token": "0123456789abcdef\n"}, "16 to 512"),
        ({"port": 70000}, "port"),
        ({"max_body_bytes": 10}, "max_body_bytes"),
        ({"allowed_hosts": ("*",)}, "allowed host"),
        ({"allowed_hosts": ("https://a.org",)}, "allowed host"),
        ({"public_url": "taste.example.org"}, "public URL"),
        ({"public_url": "https://a.org/palate"}, "public URL"),
        ({"public_url": "https://me:secret@a.org"}, "public URL"),
        ({"public_url": "https://[::1"}, "public URL"),
    ],
)
def test_settings_that_do_not_fit(values: dict[str, object], said: str) -> None:
    with pytest.raises(ParameterError, match=said) as caught:
        Settings(**values)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    shown = str(values.get("token", "")).strip()
    assert not shown or shown not in str(caught.value)


def test_settings_survive_the_environment() -> None:
    settings = Settings(
        db="postgresql://x/y",
        host="10.0.0.1",
        port=81,
        token=TOKEN,
        allowed_hosts=("a.org", "b.org"),
        max_body_bytes=5000,
        public_url=SITE,
        images="/images",
        model="m",
        base_url="http://localhost:1/v1",
        prior="/srv/people.safetensors",
    )
    assert Settings.from_environment(settings.to_environment()) == settings
    assert Settings.from_environment({}) == Settings()
    assert Settings.from_environment({"PALATE_ALLOWED_HOSTS": " A.org, ,b.org "}).hosts >= {
        "a.org",
        "b.org",
    }
    with pytest.raises(ParameterError, match="PALATE_PORT must be a whole number"):
        Settings.from_environment({"PALATE_PORT": "x"})


def test_a_server_is_told_its_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PALATE_DB", raising=False)
    with pytest.raises(ParameterError, match="PALATE_DB"):
        from_environment()
    monkeypatch.setenv("PALATE_DB", "memory:")
    with client_of(from_environment()) as client:  # which closes the store
        assert client.get("/healthz").status_code == 200


def test_what_is_out_of_reach_for_others() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.1.2.3", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "127.0.0.1.nip.io", "10.0.0.1", "")))  # noqa: S104


def test_a_body_in_parts_arrives_whole_and_in_order() -> None:
    sent = [b"one ", b"two ", b"three"]
    messages = [
        {"type": "http.request", "body": part, "more_body": part != sent[-1]} for part in sent
    ]
    got: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        got.append(message)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        parts = [await receive() for _ in sent]
        assert [part["more_body"] for part in parts] == [True, True, False]
        body = b"".join(part["body"] for part in parts)
        await Response(body)(scope, receive, send)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "headers": [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")],
    }
    asyncio.run(Security(app, Settings())(scope, receive, send))
    assert got[-1]["body"] == b"one two three"
