"""The owner's page of a person: what was learned, and the buttons that forget and delete."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from page_cases import Site, a_pool, a_site

from palate._random import generator
from palate.pool import Pool
from palate.serve import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "0123456789abcdef-token"  # noqa: S105 - of a test


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    yield from a_site()


def named_pool(seed: int, n: int = 6) -> Pool:
    texts = [f"Tea **number {i}** of {seed}." for i in range(n)]
    rows = generator(seed, "pages").normal(size=(n, 3))
    return Pool(f"Which of {seed}?", texts, rows, embedder="mine")


def answered(site: Site, name: str | None = "Ada") -> tuple[str, str]:
    """The id of somebody who answered twice, and of the elicitation."""
    person, pool = site.store.add_person(name), site.store.add_pool(named_pool(1))
    id = site.store.start(person, pool, {"name": "eubo", "tolerance": 0.0}, seed=1)  # noqa: A001
    page = site.get(f"/e/{id}")
    for picked in ("0", "1"):
        page = site.answer(page, picked)
    return person, id


def test_what_was_learned_is_shown(site: Site) -> None:
    person, _ = answered(site)
    assert f"/owner/people/{person}" in site.get("/owner/people").links
    page = site.get(f"/owner/people/{person}")
    assert page.title == "Ada · palate"
    assert "2 answers to 1 prompt" in page.text
    assert "Liked best so far: Tea" in page.text
    assert {f"/owner/people/{person}/forget", f"/owner/people/{person}/delete"} < set(page.links)
    assert f"/owner?person={person}" in page.links
    new = site.store.add_person()
    page = site.get(f"/owner/people/{new}")
    assert "Nothing is remembered." in page.text
    assert f"/owner/people/{new}/forget" not in page.links


def test_forgetting_is_asked_for_once_more_and_done_without_a_script(site: Site) -> None:
    person, id = answered(site)  # noqa: A001
    before = site.store.profile(person).summary().answers
    page = site.get(f"/owner/people/{person}/forget")
    assert "Forget what was learned of Ada?" in page.text
    assert "<script" not in page.html
    assert site.store.profile(person).summary().answers == before, "asking is harmless"
    (action,) = page.forms
    after = site.post(action)
    assert "Nothing is remembered." in after.text
    assert len(site.store.answers(id)) == 2


def test_deleting_is_asked_for_once_more(site: Site) -> None:
    person, id = answered(site, None)  # noqa: A001
    page = site.get(f"/owner/people/{person}/delete")
    assert "Delete somebody without a name?" in page.text
    site.store.person(person)
    (action,) = page.forms
    assert site.post(action).title == "People · palate"
    for path in (f"/owner/people/{person}", f"/e/{id}", f"/owner/elicitations/{id}"):
        assert "There is nothing here" in site.get(path, 404).text
    site.post(action, 404)
    site.get(f"/owner?person={person}", 404)


@pytest.mark.parametrize("action", ["forget", "delete"])
def test_nobody_else_has_it_done(site: Site, action: str) -> None:
    person, _ = answered(site)
    path = f"/owner/people/{person}/{action}"
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert site.client.post(path, headers=headers).status_code == 403
    assert site.store.profile(person).summary().answers
    for locked in a_site(Settings(token=TOKEN)):
        person = locked.store.add_person()
        for page in (f"/owner/people/{person}", f"/owner/people/{person}/{action}"):
            assert locked.get(page, 401).title == "Log in · palate"
        locked.post(f"/owner/people/{person}/{action}", 401)
        locked.store.person(person)


@pytest.mark.parametrize("path", ["", "/forget", "/delete"])
def test_a_person_who_is_not_there(site: Site, path: str) -> None:
    site.get(f"/owner/people/nobody{path}", 404)


def test_names_and_texts_are_escaped(site: Site) -> None:
    evil = "<script>alert(1)</script>"
    person = site.store.add_person(evil)
    rows = [[1.0, 0.0], [0.0, 1.0]]
    pool = site.store.add_pool(Pool(evil, [evil, "b"], rows, embedder="mine"))
    page = site.get(f"/e/{site.store.start(person, pool, {'name': 'winner-stays'}, seed=1)}")
    site.answer(page, "0")
    for path in ("", "/forget", "/delete"):
        page = site.get(f"/owner/people/{person}{path}")
        assert "<script" not in page.html
        assert "&lt;script&gt;" in page.html


def test_the_form_starts_from_earlier_answers_unless_told_not_to(site: Site) -> None:
    answered(site, "Bea")
    pool = site.store.add_pool(named_pool(2))
    fields = site.get(f"/owner/pools/{pool}").forms["/owner/elicitations"]
    assert fields["remember"] == ["yes"]

    def started(about: str, **more: str) -> int:
        sent: dict[str, Any] = fields | {"pool": about, "name": "Bea"} | more
        page = site.post("/owner/elicitations", **sent)
        link = next(link for link in page.links if "/e/" in link)
        return site.store.elicitation(link.rpartition("/")[2]).remembered

    fields["options"] = ["2"]
    assert started(pool) == 2
    assert started(pool, budget="3") == 2
    assert started(pool, remember="") == 0
    assert started(pool, strategy="winner-stays") == 0
    assert started(pool, strategy="thompson") == 2
    assert started(site.store.add_pool(a_pool())) == 0


def test_the_person_sees_their_best_before_the_first_question(site: Site) -> None:
    person, _ = answered(site, "Cleo")
    pool = site.store.add_pool(named_pool(3))
    known = site.store.start(person, pool, seed=1)
    assert "Best for you so far" in site.get(f"/e/{known}").text
    assert "Your best response so far" in site.get(f"/e/{known}/result").text
    anew = site.store.start(person, pool, seed=1, remember=False)
    assert "Best for you so far" not in site.get(f"/e/{anew}").text
    assert "You have not answered yet" in site.get(f"/e/{anew}/result").text
