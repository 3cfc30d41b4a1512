"""A person's page in a real browser: mouse, keys, touch, without scripts, and with bad luck."""

from __future__ import annotations

import base64
import contextlib
import re
from typing import TYPE_CHECKING, Any

import pytest
from browser_cases import DESKTOP, PHONE, Served, chromium, served
from page_cases import a_pool

from palate.pool import Pool, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

KINDS = {"desktop": DESKTOP, "phone": PHONE}
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5E"
    "rkJggg=="
)
TABS: dict[str, Page] = {}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started
        TABS.clear()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("pages")
    for name in ("one.png", "two.png"):
        (folder / name).write_bytes(base64.b64decode(PNG))
    with served(folder, images=str(folder)) as started:
        yield started


@contextlib.contextmanager
def tab(browser: Browser, **more: Any) -> Iterator[Page]:
    """A tab of a browser of some kind; what goes wrong in its scripts fails the test.

    Tests share the tabs, since a new one takes a second; each goes to pages of its own.
    """
    kind = repr(sorted(more.items()))
    if kind not in TABS:
        TABS[kind] = browser.new_context(**DESKTOP | more).new_page()
        TABS[kind].set_default_timeout(10_000)
    page, wrong = TABS[kind], []

    def notice(event: Any) -> None:
        wrong.append(getattr(event, "message", None) or event.text)

    def notice_error(message: Any) -> None:
        if message.type == "error" and "Failed to load" not in message.text:
            notice(message)

    listeners = {"pageerror": notice, "dialog": notice, "console": notice_error}
    for name, listener in listeners.items():
        page.on(name, listener)  # type: ignore[call-overload]  # each name has one of its own
    yield page
    for name, listener in listeners.items():
        page.remove_listener(name, listener)
    assert wrong == []


def at_question(page: Page, number: int) -> None:
    """Wait until a question is there."""
    page.locator("#progress", has_text=re.compile(rf"^Question {number}\b")).wait_for()


def after_events(page: Page, number: int) -> None:
    """Wait for the page that knows of so many answers and undos."""
    page.locator(f'input[name=events][value="{number}"]').wait_for(state="attached")


def focused(page: Page) -> str:
    return str(page.evaluate("() => document.activeElement.id"))


def width(page: Page) -> int:
    return int(page.evaluate("() => document.documentElement.scrollWidth"))


# With the mouse and by touch


@pytest.mark.parametrize("kind", KINDS)
def test_a_walk_by_pointer(browser: Browser, site: Served, kind: str) -> None:
    url = site.started(max_steps=4)
    with tab(browser, **KINDS[kind]) as page:
        page.goto(url)
        loaded: list[str] = []
        page.once("load", lambda page: loaded.append(page.url))
        at_question(page, 1)
        assert page.get_by_role("button", name="Undo").is_disabled()
        page.get_by_role("button", name="I prefer 2").click()
        at_question(page, 2)
        page.get_by_role("button", name="Equally good").click()
        at_question(page, 3)
        page.get_by_role("button", name="Skip").click()
        after_events(page, 3)
        page.get_by_role("button", name="Undo").click()
        page.locator("#note", has_text="Your last answer is taken back.").wait_for()
        page.get_by_role("button", name="I prefer 1").click()
        at_question(page, 4)
        page.get_by_text("Best for you so far").click()
        assert page.locator("details .card").is_visible()
        page.get_by_role("button", name="I prefer 1").click()
        page.get_by_role("heading", name="Your response").wait_for()
        assert page.title().startswith("Your response · Which tea?")
        assert page.url == url
        assert loaded == []  # not one reload
    assert site.told(url) == [1, "tie", 0, 0]


def test_response_times_are_from_when_the_question_was_seen(browser: Browser, site: Served) -> None:
    url = site.started()
    with tab(browser) as page:
        page.goto(url)
        page.wait_for_timeout(400)
        page.keyboard.press("1")
        at_question(page, 2)
        page.keyboard.press("1")
        at_question(page, 3)
    first, second = (a.seconds for a in site.store.answers(url.rpartition("/")[2]))
    assert first is not None
    assert second is not None
    assert 0.35 < first < 10.0
    assert 0.0 < second < first  # its own, not from the first question on


# Without a mouse


def test_a_walk_by_keys(browser: Browser, site: Served) -> None:
    url = site.started(max_steps=4)
    with tab(browser) as page:
        page.goto(url)
        for number, key in enumerate(["2", "t", "S"], start=2):
            page.keyboard.press(key)
            after_events(page, number - 1)
            assert focused(page) == "question"
        page.keyboard.press("u")
        after_events(page, 4)
        page.keyboard.press("b")
        assert page.locator("details .card").is_visible()
        page.keyboard.press("q")
        page.get_by_role("heading", name="Your best response so far").wait_for()
        page.keyboard.press("Enter")
        at_question(page, 3)
        page.keyboard.press("1")
        at_question(page, 4)
        page.keyboard.press("1")
        page.get_by_role("heading", name="Your response").wait_for()
    assert site.told(url) == [1, "tie", 0, 0]


def test_a_walk_by_tab_and_enter(browser: Browser, site: Served) -> None:
    url = site.started()
    with tab(browser) as page:
        page.goto(url)
        page.keyboard.press("Tab")
        assert page.get_by_text("Skip to the content").is_visible()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        assert page.locator(":focus").inner_text() == "I prefer 2"
        assert page.locator(":focus").evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
        page.keyboard.press("Enter")
        at_question(page, 2)
        assert focused(page) == "question"
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        at_question(page, 3)
    assert site.told(url) == [1, 0]


def test_an_order_by_keys(browser: Browser, site: Served) -> None:
    url = site.started(options=4)
    with tab(browser) as page:
        page.goto(url)
        page.keyboard.press("o")
        page.get_by_role("heading", name="In which order").wait_for()
        page.keyboard.press("Enter")
        page.get_by_text("Give at least two responses a place").wait_for()
        assert focused(page) == "problem"
        for key in ["3", "1", "1", "Backspace", "4", "2"]:
            page.keyboard.press(key)
        assert page.locator("#live").inner_text() == "Response 2: place 3"
        page.keyboard.press("Enter")
        at_question(page, 2)
        page.get_by_label("Place of response 2").select_option("1")
        page.get_by_label("Place of response 4").select_option("2")
        page.get_by_role("button", name="Save this order").click()
        at_question(page, 3)
    assert site.told(url) == [(2, 3, 1, 0), (1, 3)]


def test_keys_can_be_switched_off_and_stay_so(browser: Browser, site: Served) -> None:
    url = site.started()
    with tab(browser) as page:
        page.goto(url)
        page.get_by_role("button", name="Keys are on").click()
        page.keyboard.press("1")
        page.reload()
        page.keyboard.press("1")
        page.get_by_role("button", name="Keys are off").click()
        assert site.told(url) == []
        page.keyboard.press("1")
        at_question(page, 2)


def test_keys_of_the_browser_are_left_alone(browser: Browser, site: Served) -> None:
    url = site.started(options=3)
    with tab(browser) as page:
        page.goto(url)
        for key in ["Control+1", "Alt+s", "Meta+u", "9", "0", "x", "Escape"]:
            page.keyboard.press(key)
        page.goto(f"{url}?order=1")
        page.get_by_label("Place of response 1").focus()
        page.keyboard.press("t")
        page.keyboard.press("s")
        page.wait_for_timeout(100)
    assert site.told(url) == []


def test_a_screen_reader_is_told_the_number_and_reads_the_cards_in_order(
    browser: Browser, site: Served
) -> None:
    url = site.started(options=3)
    with tab(browser) as page:
        page.goto(url)
        page.keyboard.press("2")
        at_question(page, 2)
        assert re.match(
            r"Question 2, about \d+ questions? left", page.locator("#live").inner_text()
        )
        tree = page.locator("main").aria_snapshot()
        names = ["heading", "Response 1", "Response 2", "Response 3", "Your answer", "Best is 1"]
        places = [tree.index(name) for name in names]
        assert places == sorted(places)
        assert page.locator("html").get_attribute("lang") == "en"
        for role in ("banner", "main"):
            assert page.get_by_role(role).count() == 1


# Without scripts


def test_a_walk_without_scripts(browser: Browser, site: Served) -> None:
    url = site.started(max_steps=3)
    with tab(browser, java_script_enabled=False) as page:
        page.goto(url)
        page.get_by_role("button", name="I prefer 2").click()
        at_question(page, 2)
        assert page.url == f"{url}#question"
        assert page.locator("#question:focus").count() == 1
        page.get_by_role("button", name="Skip").click()
        page.get_by_role("button", name="Undo").click()
        page.get_by_text("Your last answer is taken back.").wait_for()
        page.reload()
        at_question(page, 2)
        page.get_by_role("link", name="Stop").click()
        page.get_by_role("heading", name="Your best response so far").wait_for()
        page.get_by_role("link", name="Go on").click()
        page.get_by_role("button", name="Equally good").click()
        at_question(page, 3)
        page.get_by_text("Best for you so far").click()
        assert page.locator("details .card").is_visible()
        assert page.locator("#keys").is_hidden()
        page.get_by_role("button", name="I prefer 1").click()
        page.get_by_role("heading", name="Your response").wait_for()
    assert site.told(url) == [1, "tie", 0]
    assert [a.seconds for a in site.store.answers(url.rpartition("/")[2])] == [None] * 3


def test_going_back_without_scripts_asks_what_is_asked_now(browser: Browser, site: Served) -> None:
    url = site.started()
    with tab(browser, java_script_enabled=False) as page:
        page.goto(f"{site.url}/")
        page.goto(url)
        page.get_by_role("button", name="I prefer 2").click()
        at_question(page, 2)
        page.go_back()
        at_question(page, 2)  # pages are not kept, so that none is stale
    assert site.told(url) == [1]


# Bad luck


@pytest.mark.parametrize("scripts", [True, False])
def test_a_stale_tab_is_told_kindly(browser: Browser, site: Served, *, scripts: bool) -> None:
    url = site.started()
    more = {} if scripts else {"java_script_enabled": False}
    with tab(browser, **more) as page:
        page.goto(url)
        with contextlib.closing(page.context.new_page()) as other:
            other.goto(url)
            other.get_by_role("button", name="I prefer 1").click()
            at_question(other, 2)
        page.get_by_role("button", name="I prefer 2").click()
        page.get_by_text("You answered that question already.").first.wait_for()
        at_question(page, 2)
        page.get_by_role("button", name="I prefer 2").click()
        at_question(page, 3)
        assert page.locator("#note").count() == 0
    assert site.told(url) == [0, 1]


def test_a_reload_asks_the_same_and_says_nothing_twice(browser: Browser, site: Served) -> None:
    url = site.started()
    with tab(browser) as page:
        page.goto(url)
        page.keyboard.press("1")
        at_question(page, 2)
        page.keyboard.press("u")
        page.locator("#note").wait_for()
        before = page.locator(".cards").inner_text()
        page.reload()
        assert page.locator(".cards").inner_text() == before
        assert page.locator("#note").count() == 0
        page.keyboard.press("1")
        at_question(page, 2)
        page.keyboard.press("q")
        page.get_by_role("button", name="Undo the last answer").click()
        at_question(page, 1)
        assert page.url == url  # and not that of the result


def test_an_answer_that_does_not_arrive_is_said_and_can_be_given_again(
    browser: Browser, site: Served
) -> None:
    url = site.started()
    with tab(browser) as page:
        page.goto(url)
        page.context.set_offline(True)
        page.keyboard.press("2")
        page.get_by_text("The service could not be reached").wait_for()
        assert site.told(url) == []
        page.context.set_offline(False)
        page.keyboard.press("2")
        at_question(page, 2)
        assert page.locator("#problem").count() == 0
    assert site.told(url) == [1]


def test_keys_pressed_in_a_hurry_answer_one_question(browser: Browser, site: Served) -> None:
    url = site.started()
    with tab(browser) as page:
        page.goto(url)
        sent: list[str] = []

        def later(route: Any) -> None:
            sent.append(route.request.url)
            page.wait_for_timeout(200)
            route.continue_()

        page.route("**/answer", later)
        page.evaluate(
            "() => { for (const key of '1212') document.body.dispatchEvent("
            "new KeyboardEvent('keydown', { key, bubbles: true })) }"
        )
        at_question(page, 2)
        page.wait_for_timeout(100)
        page.unroute("**/answer")
    assert sent == [f"{url}/answer"]
    assert site.told(url) == [0]


# How it looks, as far as a machine can see


def test_on_a_phone_cards_are_stacked_and_answers_in_reach(browser: Browser, site: Served) -> None:
    long = Pool("Which? " * 40, ["word " * 900, "y" * 3000, "|a" * 40], [[1, 0], [0, 1], [1, 1]])
    with tab(browser, **PHONE) as page:
        for url in (site.started(long), site.started(a_pool(20), options=4)):
            page.goto(url)
            assert width(page) == 390
            boxes = [card.bounding_box() for card in page.locator("article.card").all()]
            found = [box for box in boxes if box]
            tops = [box["y"] for box in found]
            assert tops == sorted(set(tops))
            assert all(box["x"] == found[0]["x"] for box in found)
            for button in page.locator(".bar button, .bar a").all():
                box = button.bounding_box()
                assert box is not None
                assert box["height"] >= 44
                assert box["width"] >= 44
                assert 0 <= box["y"] <= 844 - box["height"]  # without scrolling


def test_on_a_desktop_cards_are_side_by_side_and_equally_high(
    browser: Browser, site: Served
) -> None:
    pool = Pool("Which?", ["short", "word " * 150], [[1.0, 0.0], [0.0, 1.0]])
    with tab(browser) as page:
        page.goto(site.started(pool))
        one, two = (card.bounding_box() for card in page.locator("article.card").all())
        assert one is not None
        assert two is not None
        assert (one["y"], one["height"]) == (two["y"], two["height"])
        assert one["x"] + one["width"] < two["x"]


def test_it_is_dark_where_the_reader_wants_it(browser: Browser, site: Served) -> None:
    found = {}
    with tab(browser) as page:
        page.goto(site.started())
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            colour = page.locator("body").evaluate("e => getComputedStyle(e).backgroundColor")
            found[scheme] = sum(map(int, re.findall(r"\d+", colour)[:3])) / 3
    assert found["dark"] < 60
    assert found["light"] > 200


def test_images_are_shown(browser: Browser, site: Served) -> None:
    images = [Response(name, image=f"{name}.png") for name in ("one", "two")]
    url = site.started(Pool("Which?", images, [[1.0, 0.0], [0.0, 1.0]]))
    with tab(browser) as page:
        page.goto(url)
        shown = page.locator("article.card img").all()
        assert len(shown) == 2
        assert all(img.evaluate("e => e.complete && e.naturalWidth > 0") for img in shown)
        page.keyboard.press("1")
        page.get_by_role("heading", name="Your response").wait_for()
        assert page.get_by_alt_text("The best response so far").is_visible()
    assert site.told(url) == [0]


# What others wrote


HOSTILE = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>\n\n"
    "[click](javascript:window.hacked=1) ![p](https://evil.example/pixel.png) "
    "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe> "
    '<div style="position:fixed;inset:0">x</div> </main></body><script>window.hacked = 1</script>'
)


def test_a_hostile_text_runs_nothing_and_loads_nothing(browser: Browser, site: Served) -> None:
    responses = [Response(f"r{i}", f"{HOSTILE} {i}") for i in range(2)]
    url = site.started(Pool(HOSTILE, responses, [[1.0, 0.0], [0.0, 1.0]]))
    with tab(browser) as page:
        asked: list[str] = []

        def note(request: Any) -> None:
            asked.append(request.url)

        page.on("request", note)
        page.goto(url)
        page.keyboard.press("1")
        page.locator("#question").wait_for()
        page.goto(f"{url}/result")
        page.goto(f"{site.url}/owner/elicitations/{url.rpartition('/')[2]}")
        assert page.evaluate("() => window.hacked === undefined")
        assert all(found.startswith(site.url) for found in asked)
        assert page.locator("iframe, img, [onerror], [style]").count() == 0
        page.remove_listener("request", note)
