"""A person's page without scripts: every form, and what is told to whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from page_cases import Site, a_site

from palate.errors import StoreError
from palate.pool import Pool, Response
from palate.serve import Settings
from palate.wording import progress, sureness

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PNG = b"\x89PNG\r\n\x1a\n" + b"rest of the image"


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    yield from a_site()


def told(site: Site, path: str) -> list[object]:
    return [answer.picked for answer in site.store.answers(path.removeprefix("/e/"))]


def test_a_question_shows_the_prompt_and_the_responses_in_the_order_of_the_query(
    site: Site,
) -> None:
    path = site.started()
    page = site.get(path)
    asked = site.store.ask(path.removeprefix("/e/"))
    assert asked is not None
    assert "Which tea?" in page.text
    assert page.title.startswith("Question 1 · Which tea?")
    shown = [page.html.index(r.text.split("**")[1]) for r in asked.responses if r.text]
    assert shown == sorted(shown)
    assert "<strong>number" in page.html
    assert page.forms[f"{path}/answer"]["query"] == [asked.id]
    assert page.buttons == ["0", "1", "tie", "skip"]
    found = site.store.recommend(path.removeprefix("/e/"))
    assert progress(found)[1:] in page.text  # it begins a sentence


@pytest.mark.parametrize("picked", ["0", "1", "tie", "skip"])
def test_an_answer_is_recorded_and_leads_to_the_next_question(site: Site, picked: str) -> None:
    path = site.started()
    first = site.get(path)
    second = site.answer(first, picked, ms=["1234"])
    assert told(site, path) == [int(picked) if picked.isdecimal() else picked]
    assert site.store.answers(path.removeprefix("/e/"))[0].seconds == 1.234
    assert second.forms[f"{path}/answer"]["query"] != first.forms[f"{path}/answer"]["query"]
    assert 'id="note"' not in second.html


def test_a_form_redirects_so_that_a_reload_sends_nothing_again(site: Site) -> None:
    path = site.started()
    fields = site.get(path).forms[f"{path}/answer"] | {"picked": ["0"]}
    answer = site.client.post(f"{path}/answer", data=fields, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"{path}#question"


@pytest.mark.parametrize("ms", ["", "abc", "-1", "1.5", "9" * 12, "9" * 30, "\u0664"])
def test_a_time_that_was_not_measured_is_none(site: Site, ms: str) -> None:
    path = site.started()
    site.answer(site.get(path), "0", ms=[ms])
    assert site.store.answers(path.removeprefix("/e/"))[0].seconds is None


def test_a_stale_form_with_another_answer_is_told_kindly(site: Site) -> None:
    path = site.started()
    first = site.get(path)
    site.answer(first, "0")
    again = site.answer(first, "1")
    assert "You answered that question already" in again.text
    assert told(site, path) == [0]


def test_the_same_answer_sent_twice_counts_once_and_says_nothing(site: Site) -> None:
    path = site.started()
    first = site.get(path)
    site.answer(first, "tie")
    again = site.answer(first, "tie")
    assert 'id="note"' not in again.html
    assert told(site, path) == ["tie"]


def test_a_form_of_a_question_that_was_taken_back_is_told_kindly(site: Site) -> None:
    path = site.started()
    first = site.get(path)
    site.undo(site.answer(first, "0"))
    late = site.answer(first, "1")
    assert "no longer asked" in late.text
    assert told(site, path) == []


def test_undo_asks_the_same_question_again(site: Site) -> None:
    path = site.started()
    first = site.get(path)
    back = site.undo(site.answer(first, "0"))
    assert "Your last answer is taken back" in back.text
    assert "Question 1," in back.text
    assert told(site, path) == []
    assert back.text.count("Tea") == first.text.count("Tea")


def test_an_undo_sent_twice_takes_back_one_answer(site: Site) -> None:
    path = site.started()
    second = site.answer(site.get(path), "0")
    third = site.answer(second, "1")
    site.undo(third)
    again = site.undo(third)
    assert "nothing was taken back" in again.text
    assert told(site, path) == [0]


def test_an_undo_before_any_answer_is_told_kindly(site: Site) -> None:
    path = site.started()
    assert "There is no answer to take back" in site.undo(site.get(path)).text


def test_the_best_so_far_is_there_on_demand_from_the_first_answer_on(site: Site) -> None:
    path = site.started()
    first = site.get(path)
    assert "<details>" not in first.html
    second = site.answer(first, "0")
    assert "<details>" in second.html
    assert "<details open" not in second.html


def test_stopping_shows_the_result_and_lets_one_go_on(site: Site) -> None:
    path = site.started()
    page = site.answer(site.get(path), "0")
    assert f"{path}/result" in page.links
    stopped = site.get(f"{path}/result")
    found = site.store.recommend(path.removeprefix("/e/"))
    assert sureness(found) in stopped.text
    assert stopped.title.startswith("Your response")
    assert path in stopped.links
    assert site.get(path).forms[f"{path}/answer"]["query"] == page.forms[f"{path}/answer"]["query"]


def test_stopping_before_any_answer_promises_nothing(site: Site) -> None:
    page = site.get(f"{site.started()}/result")
    assert "You have not answered yet" in page.text
    assert "Tea" not in page.text


def test_after_the_last_question_the_page_is_the_result(site: Site) -> None:
    path = site.started(max_steps=2)
    page = site.answer(site.answer(site.get(path), "0"), "1")
    assert page.title.startswith("Your response")
    assert "That was the last question" in page.text
    assert path not in page.links  # there is nothing to go on with
    assert site.undo(page).title.startswith("Question 2")


def test_a_pool_of_one_has_its_result_at_once(site: Site) -> None:
    path = site.started(Pool("Which?", ["the only one"], [[1.0, 0.0]]))
    assert "the only one" in site.get(path).text


# More than two


def test_the_best_of_four_is_picked(site: Site) -> None:
    path = site.started(options=4)
    page = site.get(path)
    assert page.buttons == ["0", "1", "2", "3", "tie", "skip"]
    site.answer(page, "3")
    assert told(site, path) == [3]


def test_an_order_of_four_is_recorded_and_the_next_one_asked_for(site: Site) -> None:
    path = site.started(options=4)
    page = site.get(f"{path}?order=1")
    assert page.buttons == ["order", "tie", "skip"]
    after = site.answer(page, "order", place=["2", "", "1", "3"])
    assert told(site, path) == [(2, 0, 3, 1)]
    assert after.buttons == ["order", "tie", "skip"]


@pytest.mark.parametrize(
    "places", [["1", "1", "", ""], ["1", "", "", ""], ["", "", "", ""], ["2", "9" * 5000, "", ""]]
)
def test_an_order_that_is_none_is_shown_again_as_it_was(site: Site, places: list[str]) -> None:
    path = site.started(options=4)
    page = site.get(f"{path}?order=1")
    fields = page.forms[f"{path}/answer"] | {"picked": ["order"], "place": places}
    again = site.post(f"{path}/answer", 422, **fields)
    assert "Give at least two responses a place" in again.text
    kept = [place if place in {"1", "2"} else "" for place in places]
    assert again.forms[f"{path}/answer"]["place"] == kept
    assert told(site, path) == []


def test_two_are_not_put_in_order(site: Site) -> None:
    path = site.started()
    assert site.get(f"{path}?order=1").buttons == ["0", "1", "tie", "skip"]


# What does not fit


@pytest.mark.parametrize("picked", ["2", "-1", "best", "", "0.5", "order"])
def test_what_is_no_answer_is_refused(site: Site, picked: str) -> None:
    path = site.started(options=2)
    fields = site.get(path).forms[f"{path}/answer"] | {"picked": [picked]}
    site.post(f"{path}/answer", 422, **fields)
    assert told(site, path) == []


def test_a_form_without_its_fields_is_refused_as_a_page(site: Site) -> None:
    path = site.started()
    assert "<h1>" in site.post(f"{path}/answer", 422, picked="0").html
    assert "<h1>" in site.post(f"{path}/undo", 422, events="many").html
    broken = {"content-type": "multipart/form-data; boundary=x"}
    answer = site.client.post(f"{path}/answer", content=b"--x\r\nno", headers=broken)
    assert answer.status_code in {400, 422}
    assert "<h1>" in answer.text


@pytest.mark.parametrize("end", ["", "/result", "/image/0", "/image/-1"])
def test_a_link_that_is_not_complete_is_told_as_a_page(site: Site, end: str) -> None:
    page = site.get(f"/e/nobody{end}", 404)
    assert "Check that the link is complete" in page.text


def test_another_persons_query_is_none_of_this_one(site: Site) -> None:
    mine, other = site.started(), site.started()
    fields = site.get(other).forms[f"{other}/answer"]
    page = site.post(f"{mine}/answer", 200, **fields | {"picked": ["0"]})
    assert "no longer asked" in page.text
    assert told(site, mine) == told(site, other) == []


def test_a_database_that_fails_is_told_without_its_name(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = site.started()

    def fails(*_: object) -> None:
        raise StoreError("cannot reach postgresql://secret")

    monkeypatch.setattr(site.store, "ask", fails)
    page = site.get(path, 503)
    assert "try again" in page.text
    assert "secret" not in page.html
    assert path in page.links


def test_everything_that_others_wrote_is_escaped(site: Site) -> None:
    evil = '"><script>alert(1)</script><b onclick="x'
    pool = Pool(
        f"{evil}\ud83d", [Response("<i>", evil), Response("b", "b\ud83d")], [[1.0, 0.0], [0.0, 1.0]]
    )
    path = site.started(pool)
    for page in (site.get(path), site.answer(site.get(path), "0"), site.get(f"{path}/result")):
        assert "<script>alert" not in page.html
        assert "<b onclick" not in page.html


def test_pages_are_not_kept_and_say_where_forms_come_from(site: Site) -> None:
    headers = site.client.get(site.started()).headers
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["content-security-policy"].startswith("default-src 'self';")


def test_no_page_has_anything_inline_or_from_elsewhere(site: Site) -> None:
    path = site.started(options=3)
    for page in (site.get(path), site.get(f"{path}?order=1"), site.get(f"{path}/result")):
        assert "style=" not in page.html
        assert "<style" not in page.html
        assert page.html.count("<script") == page.html.count('<script src="/static/')
        assert "http" not in page.html.replace("http-equiv", "")


def test_static_files_are_kept_for_long_and_others_are_none(site: Site) -> None:
    html = site.get(site.started()).html
    for line in (line for line in html.split('"') if line.startswith("/static/")):
        answer = site.client.get(line)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    old = site.client.get("/static/old/palate.css")
    assert old.headers["cache-control"] == "no-cache"
    for name in ("../pages.py", "%2e%2e%2fpages.py", "templates", "palate.css%00"):
        assert site.client.get(f"/static/x/{name}").status_code == 404


# Images


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[tuple[Site, str, Path]]:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "cat.png").write_bytes(PNG)
    (folder / "evil.png").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg' onload='x'/>")
    (tmp_path / "secret.png").write_bytes(PNG)
    (folder / "out.png").symlink_to(tmp_path / "secret.png")
    names = ["cat.png", "evil.png", "../secret.png", str(tmp_path / "secret.png"), "out.png"]
    names += ["https://e.example/a.png", "no.png", "nul\0.png"]
    images = [Response(f"i{i}", image=name) for i, name in enumerate(names)]
    images[0] = Response("i0", image="cat.png", metadata={"alt": "a cat on a mat"})
    pool = Pool("Which?", images, [[float(i), 1.0] for i in range(len(names))])
    for site in a_site(Settings(images=str(folder))):
        yield site, site.started(pool, options=len(names)), folder


def test_images_are_served_by_their_place_from_the_shared_folder_alone(
    gallery: tuple[Site, str, Path],
) -> None:
    site, path, _ = gallery
    found = [site.client.get(f"{path}/image/{i}") for i in range(9)]
    assert [answer.status_code for answer in found] == [200] + [404] * 8
    assert found[0].content == PNG
    assert found[0].headers["content-type"] == "image/png"


def test_the_page_shows_what_it_can_and_links_what_is_elsewhere(
    gallery: tuple[Site, str, Path],
) -> None:
    site, path, folder = gallery
    page = site.get(path)
    assert f'<img src="{path}/image/0" alt="a cat on a mat">' in page.html
    assert page.html.count("This image cannot be shown.") == 5
    assert "https://e.example/a.png" in page.links
    assert str(folder.parent) not in page.html


def test_without_a_shared_folder_no_image_is_served(site: Site) -> None:
    pool = Pool("?", [Response("a", image="/etc/hostname"), Response("b", "b")], [[1.0], [0.5]])
    path = site.started(pool)
    assert site.client.get(f"{path}/image/0").status_code == 404
    assert "cannot be shown" in site.get(path).text


def test_responses_that_joined_have_their_images_too(gallery: tuple[Site, str, Path]) -> None:
    site, path, folder = gallery
    (folder / "new.jpg").write_bytes(b"\xff\xd8\xff\xe0 jpeg")
    site.store.extend(path.removeprefix("/e/"), [Response("n", image="new.jpg")], features=[[9, 9]])
    answer = site.client.get(f"{path}/image/8")
    assert answer.headers["content-type"] == "image/jpeg"


def test_answers_are_counted(site: Site) -> None:
    def counted() -> int:
        lines = site.client.get("/metrics").text.splitlines()
        return sum(int(line.split()[-1]) for line in lines if line.startswith("palate_answers"))

    before = counted()
    site.answer(site.answer(site.get(site.started()), "0"), "skip")
    assert counted() == before + 2
