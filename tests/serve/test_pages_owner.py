"""The owner's pages: who may see them, what they show, and what their forms do."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
from page_cases import BASE, Site, a_pool, a_site

from palate.pool import Pool, Response
from palate.serve import Settings, login

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "0123456789abcdef-token"  # noqa: S105 - of a test
PAGES = ["/owner", "/owner/people", "/owner/pools"]
FORMS = ["/owner/pools", "/owner/pools/file", "/owner/elicitations"]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    yield from a_site()


@pytest.fixture
def locked() -> Iterator[Site]:
    yield from a_site(Settings(token=TOKEN))


def log_in(site: Site, token: str = TOKEN, status: int = 200, wanted: str = "/owner") -> str:
    return site.post("/owner/login", status, token=token, wanted=wanted).title


# Who may see them


def test_without_a_token_this_machine_sees_them(site: Site) -> None:
    for path in PAGES:
        assert "Log out" not in site.get(path).text
    assert "/owner" in site.get("/").links


def test_with_a_token_nothing_is_shown_to_who_lacks_it(locked: Site) -> None:
    path = locked.started()
    for page in (
        *PAGES,
        f"/owner/elicitations/{path[3:]}",
        "/owner/export.jsonl",
        "/owner/pools/x",
    ):
        assert locked.get(page, 401).title == "Log in · palate"
    for form in FORMS:
        assert locked.post(form, 401, prompt="p", responses="a\n---\nb").title.startswith("Log in")
    assert locked.store.pools().items[1:] == ()
    assert "/owner" not in locked.get("/").links
    assert locked.get(path).title.startswith("Question 1")  # people need none


def test_the_token_opens_them_for_this_browser(locked: Site) -> None:
    assert log_in(locked) == "Elicitations · palate"
    assert "Log out" in locked.get("/owner/pools").text
    locked.post("/owner/logout")
    locked.get("/owner", 401)


def test_one_comes_to_the_page_that_was_asked_for(locked: Site) -> None:
    wanted = locked.get("/owner/people", 401).forms["/owner/login"]["wanted"][0]
    assert log_in(locked, wanted=wanted) == "People · palate"


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_a_login_leads_nowhere_else(locked: Site, wanted: str) -> None:
    assert log_in(locked, wanted=wanted) == "Elicitations · palate"


@pytest.mark.parametrize("token", ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\u00e9"])
def test_another_token_does_not(locked: Site, token: str) -> None:
    log_in(locked, token, 401)
    locked.get("/owner", 401)


def test_the_cookie_is_out_of_reach_and_holds_no_token(locked: Site) -> None:
    fields = {"token": TOKEN, "wanted": "/owner"}
    answer = locked.client.post("/owner/login", data=fields, follow_redirects=False)
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/owner" in cookie
    assert TOKEN not in cookie
    assert "secure" not in cookie


def test_behind_https_the_cookie_stays_there() -> None:
    for site in a_site(Settings(token=TOKEN, public_url="https://taste.example.org")):
        answer = site.client.post("/owner/login", data={"token": TOKEN}, follow_redirects=False)
        assert "secure" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    "cookie",
    [
        "",
        ".",
        "9999999999.",
        "9999999999." + "0" * 64,
        "x." + "0" * 64,
        "9" * 5000,
        login._made(TOKEN, 1),
        login._made("another-token-entirely", 9999999999),
        login._made(TOKEN, 9999999999).replace("9999999999", "9999999998"),
    ],
)
def test_a_cookie_that_was_not_given_here_or_is_old_opens_nothing(
    locked: Site, cookie: str
) -> None:
    locked.client.cookies.set(login.COOKIE, cookie)
    locked.get("/owner", 401)


def test_a_cookie_that_was_given_here_does(locked: Site) -> None:
    locked.client.cookies.set(login.COOKIE, login._made(TOKEN, int(time.time()) + 60))
    locked.get("/owner")


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}])
@pytest.mark.parametrize("path", [*FORMS, "/owner/login", "/owner/logout", "/e/x/answer"])
def test_no_other_site_sends_these_forms(site: Site, path: str, headers: dict[str, str]) -> None:
    assert site.client.post(path, data={}, headers=headers).status_code == 403


# Adding pools


def test_a_pasted_pool_has_a_response_between_two_lines_of_dashes(site: Site) -> None:
    first = "first\r\n\r\nwith - dashes -- inside\r\n"
    text = f"{first}---\r\n\r\n  -----  \r\n* second\r\n---\r\n{first}"
    page = site.post("/owner/pools", prompt=" What?\r\nNow ", responses=text)
    assert "2 responses" in page.text
    stored = site.store.pool(page.forms["/owner/elicitations"]["pool"][0])
    assert stored.prompt == "What?\nNow"
    assert [r.text for r in stored.responses] == ["first\n\nwith - dashes -- inside", "* second"]
    assert stored.features is not None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"prompt": "p", "responses": "only one"}, "at least 2 different"),
        ({"prompt": "p", "responses": "---\n---"}, "at least 2 different"),
        ({"prompt": "p", "responses": "a\n---\na"}, "at least 2 different"),
        ({"prompt": " ", "responses": "a\n---\nb"}, "the prompt is empty"),
        ({"prompt": "p"}, "not complete"),
    ],
)
def test_a_pool_that_is_none_is_refused_with_the_reason(
    site: Site, fields: dict[str, str], said: str
) -> None:
    before = site.store.pools().items
    assert said in site.post("/owner/pools", 422, **fields).text
    assert site.store.pools().items == before


def upload(site: Site, content: bytes, status: int = 200, name: str = "my pools.jsonl") -> str:
    answer = site.client.post("/owner/pools/file", files={"file": (name, content)})
    assert answer.status_code == status, answer.text
    return answer.text


def test_an_uploaded_file_adds_its_pools(site: Site) -> None:
    before = len(site.store.pools().items)
    rows = [
        {"prompt": "one?", "responses": ["a b", "c d"]},
        {"prompt": "two?", "responses": ["a", "b"], "features": [[1.0, 0.0], [0.0, 2.0]]},
        {"prompt": "three?", "responses": [{"image": "a.png"}, {"image": "b.png"}]},
    ]
    upload(site, "\n".join(map(json.dumps, rows)).encode())
    added = [site.store.pool(pool.id) for pool in site.store.pools().items[before:]]
    assert [pool.prompt for pool in added] == ["one?", "two?", "three?"]
    shapes = [None if p.features is None else p.features.shape[1] for p in added]
    assert shapes[1:] == [2, None]
    assert shapes[0] is not None


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"not json", b"[]", b'{"prompt": "p"}'])
def test_a_file_that_is_none_is_refused_by_its_own_name(site: Site, content: bytes) -> None:
    before = site.store.pools().items
    html = upload(site, content, 422)
    assert "my pools.jsonl" in html
    assert "/tmp" not in html  # noqa: S108 - where it lay for a moment is nobody's business
    assert site.store.pools().items == before


def test_a_file_that_is_too_long_is_refused() -> None:
    for site in a_site(Settings(max_body_bytes=2000)):
        assert site.client.post("/owner/pools/file", files={"file": b"x" * 3000}).status_code == 413


# Starting


def test_starting_gives_the_link_of_a_person(site: Site) -> None:
    pool = site.store.add_pool(a_pool())
    page = site.post("/owner/elicitations", pool=pool, name=" Ada ", options="3", budget="4")
    link = next(link for link in page.links if "/e/" in link)
    assert link.startswith(f"{BASE}/e/")
    stored = site.store.elicitation(link.rpartition("/")[2])
    assert site.store.person(stored.person).name == "Ada"
    assert (stored.strategy["options"], stored.strategy["max_steps"]) == (3, 4)
    assert site.get(link.removeprefix(BASE)).buttons == ["0", "1", "2", "tie", "skip"]


def test_the_link_is_for_where_people_reach_the_service() -> None:
    for site in a_site(Settings(public_url="https://taste.example.org")):
        page = site.post("/owner/elicitations", pool=site.store.add_pool(a_pool()))
        assert any(link.startswith("https://taste.example.org/e/") for link in page.links)


def test_the_strategy_can_be_named(site: Site) -> None:
    pool = site.store.add_pool(a_pool())
    page = site.post("/owner/elicitations", pool=pool, strategy="useralign", budget="7")
    found = next(link for link in page.links if "/e/" in link).rpartition("/")[2]
    stored = site.store.elicitation(found)
    assert (stored.strategy["name"], stored.strategy["max_steps"]) == ("useralign", 7)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"budget": "many"}, 422),
        ({"budget": "-1"}, 422),
        ({"strategy": "oracle"}, 422),
        ({"strategy": "useralign", "options": "3"}, 422),
        ({"options": "three"}, 422),
        ({"options": "100"}, 422),
        ({"name": "x" * 300}, 422),
        ({"pool": "nothing"}, 404),
    ],
)
def test_a_start_that_does_not_fit_is_refused(
    site: Site, fields: dict[str, str], status: int
) -> None:
    pool = site.store.add_pool(a_pool(3))
    before = site.store.elicitations(pool=pool).items
    assert "<h1>" in site.post("/owner/elicitations", status, **{"pool": pool} | fields).html
    assert site.store.elicitations(pool=pool).items == before


# What they show


def test_one_elicitation_with_its_answers_and_their_times(site: Site) -> None:
    path = site.started(a_pool(20), options=3)
    page = site.get(path)
    for picked, more in [
        ("2", {"ms": ["1500"]}),
        ("order", {"place": ["2", "3", "1"]}),
        ("tie", {}),
        ("skip", {"ms": ["2500"]}),
    ]:
        page = site.answer(page, picked, **more)
    text = site.get(f"/owner/elicitations/{path[3:]}").text
    assert "4 in all, 2.5 s in the middle, 4 s together" in text
    for word in ("picked", "place 3", "equally good", "skipped", "1.5"):
        assert word in text
    shown = site.get("/owner").text
    assert "Tea **number" in shown


def test_what_happened_can_be_downloaded(site: Site) -> None:
    path = site.started()
    page = site.undo(site.answer(site.get(path), "0"))
    site.answer(page, "1")
    log = site.client.get(f"/owner/elicitations/{path[3:]}/log.jsonl")
    assert [("undo" in json.loads(line)) for line in log.text.splitlines()] == [False, True, False]
    assert log.headers["content-disposition"].startswith("attachment")
    stored = site.store.elicitation(path[3:])
    answers = site.client.get(f"/owner/export.jsonl?person={stored.person}&pool={stored.pool}")
    (row,) = map(json.loads, answers.text.splitlines())
    assert row.keys() == {"prompt", "chosen", "rejected", "metadata"}
    assert row["metadata"]["elicitation"] == path[3:]


def test_what_cannot_be_exported_is_said_as_a_page(site: Site) -> None:
    images = Pool("?", [Response("a", image="a"), Response("b", image="b")], [[1.0], [0.0]])
    path = site.started(images)
    site.answer(site.get(path), "0")
    stored = site.store.elicitation(path[3:])
    assert "is an image" in site.get(f"/owner/export.jsonl?pool={stored.pool}", 422).text
    site.get("/owner/export.jsonl?person=nobody", 404)


def test_lists_come_in_pages() -> None:
    for site in a_site():
        pool = site.store.add_pool(a_pool())
        people = [site.store.add_person(f"person {i:02}") for i in range(45)]
        for person in people:
            site.store.start(person, pool, seed=1)
        for first in ("/owner", "/owner/people", f"/owner?pool={pool}"):
            seen, path = [], first
            while path:
                page = site.get(path.replace("&amp;", "&"))
                shown = [i for i in range(45) if f"person {i:02}" in page.text]
                assert sorted(shown, key=lambda i: page.text.index(f"person {i:02}")) == shown[::-1]
                seen += shown[::-1]
                path = next((link for link in page.links if "after=" in link), "")
            assert seen == list(range(45))[::-1]
        assert len(site.get(f"/owner?person={people[7]}").links) < 12


def test_the_responses_of_a_large_pool_come_in_pages(site: Site) -> None:
    pool = site.store.add_pool(a_pool(30))
    first = site.get(f"/owner/pools/{pool}")
    assert "number 19" in first.text
    assert "number 20" not in first.text
    more = next(link for link in first.links if "after=" in link)
    assert "number 29" in site.get(more).text


@pytest.mark.parametrize("after", ["x", "-1", "9" * 40, "\u0664"])
def test_a_place_in_a_list_that_is_none_is_refused_or_the_start(site: Site, after: str) -> None:
    for path in PAGES:
        site.get(f"{path}?after={after}", 422)
    pool = site.store.add_pool(a_pool())
    assert "<h1" in site.get(f"/owner/pools/{pool}?after={after}").html


def test_everything_that_others_wrote_is_escaped_here_too(site: Site) -> None:
    evil = '"><script>alert(1)</script>'
    pool = Pool(
        f"{evil}\ud83d", [Response(evil, evil), Response("b", "b\ud83d")], [[1.0, 0.0], [0.0, 1.0]]
    )
    stored = site.store.add_pool(pool)
    path = site.store.start(site.store.add_person(evil), stored, {"name": "eubo"}, seed=1)
    site.answer(site.get(f"/e/{path}"), "0")
    last = site.store.elicitations(pool=stored).items[0]
    for page in (
        f"/owner?pool={stored}",
        f"/owner?person={last.person}",
        "/owner/people",
        "/owner/pools",
        f"/owner/pools/{stored}",
        f"/owner/elicitations/{path}",
    ):
        assert "<script" not in site.get(page).html
