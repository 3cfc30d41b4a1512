"""The pages can be used by everybody: no serious violation of the rules that axe-core checks."""

from __future__ import annotations

import contextlib
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from browser_cases import DESKTOP, PHONE, Served, chromium, served
from page_cases import a_pool

from palate.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

TOKEN = "0123456789abcdef-token"  # noqa: S105 - of a test
RICH = """## Plan

A [link](https://example.org), [](https://example.org/bare) and `code`.

1. first
   - nested

| day | what | where | and | so | on | with | many | columns | that | do | not | fit |
|-----|------|-------|-----|----|----|------|------|---------|------|----|-----|-----|
| Mon | walk | hills | a   | b  | c  | d    | e    | f       | g    | h  | i   | j   |

> quoted

```
a very long line of code that goes on and on and on and on and on and on and on and on and on
```

#### deep

![image](https://example.org/i.png)
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("access"), token=TOKEN) as started:
        yield started


@pytest.fixture(scope="module")
def axe() -> str:
    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python")
    script = files("axe_playwright_python") / "axe.min.js"
    return script.read_text(encoding="utf-8")


def violations(page: Page, axe: str, only: str | None = None) -> list[str]:
    """Serious and critical ones, with where they are; of one rule, in a page that has axe."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if only is None:
        page.evaluate(axe)
    else:
        options["runOnly"] = [only]
    report: dict[str, Any] = page.evaluate("options => axe.run(options)", options)
    assert len(report["passes"]) > (8 if only is None else 0)
    return [
        f"{found['id']}: {[node['html'][:120] for node in found['nodes']]}"
        for found in report["violations"]
        if found["impact"] in {"serious", "critical"}
    ]


def pages(site: Served) -> Iterator[tuple[str, str]]:
    """What there is to see, by name; the person's pages in several states."""
    answered = site.started(Pool("Which?\n" * 20, [RICH + str(i) for i in range(4)], EYE))
    many = site.started(a_pool(20), options=4)
    done = site.started(a_pool(3), max_steps=1)
    for url in (answered, done):
        elicitation = url.rpartition("/")[2]
        asked = site.store.ask(elicitation)
        assert asked is not None
        site.store.tell(elicitation, asked.id, 0, response_ms=1500)
    stored = site.store.elicitation(answered.rpartition("/")[2])
    yield "first question", many
    yield "order", f"{many}?order=1"
    yield "question", f"{answered}?note=undone"
    yield "stopped", f"{answered}/result"
    yield "nothing yet", f"{many}/result"
    yield "result", done
    yield "no such link", f"{site.url}/e/nobody"
    yield "home", f"{site.url}/"
    yield "elicitations", f"{site.url}/owner"
    yield "people", f"{site.url}/owner/people"
    yield "pools", f"{site.url}/owner/pools"
    yield "pool", f"{site.url}/owner/pools/{stored.pool}"
    yield "elicitation", f"{site.url}/owner/elicitations/{stored.id}"


EYE = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]


def test_no_page_has_a_serious_violation(browser: Browser, site: Served, axe: str) -> None:
    # axe runs inside the page, whose policy allows no scripts but its own
    with contextlib.closing(browser.new_context(**DESKTOP, bypass_csp=True)) as context:
        page = context.new_page()
        page.goto(f"{site.url}/owner/people")
        assert violations(page, axe) == []
        page.get_by_label("The service's token").fill("wrong")
        page.keyboard.press("Enter")
        page.get_by_role("alert").wait_for()
        assert violations(page, axe) == []
        page.get_by_label("The service's token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        page.get_by_role("heading", name="People").wait_for()
        found = {}
        for name, url in pages(site):
            page.goto(url)
            for details in page.locator("summary").all():
                details.click()
            found[name] = violations(page, axe)
            page.emulate_media(color_scheme="dark")
            found[f"{name}, dark"] = violations(page, axe, only="color-contrast")
            page.emulate_media(color_scheme="light")
            if name in {"order", "elicitation"}:  # which differ most on a phone
                page.set_viewport_size(PHONE["viewport"])
                found[f"{name}, on a phone"] = violations(page, axe)
                page.set_viewport_size(DESKTOP["viewport"])
        assert len(found) == 28
        assert not any(found.values()), found


def test_the_owner_adds_a_pool_and_somebody_answers(browser: Browser, site: Served) -> None:
    with contextlib.closing(browser.new_context(**DESKTOP)) as context:
        page = context.new_page()
        page.goto(f"{site.url}/owner/pools")
        page.get_by_label("The service's token").fill(TOKEN)
        page.keyboard.press("Enter")
        page.get_by_label("Prompt").fill("Tea or coffee?")
        page.get_by_label("Responses").fill("Tea, of **course**.\n---\nCoffee.\n---\nWater.")
        page.get_by_role("button", name="Add the pool").click()
        page.get_by_label("Person's name").fill("Ada")
        page.get_by_label("Shown at a time").select_option("3")
        page.get_by_role("button", name="Start, and get the link").click()
        page.get_by_role("link", name="Open it").click()
        page.get_by_role("button", name="Best is 2").click()
        page.locator('input[name=events][value="1"]').wait_for(state="attached")
        page.goto(f"{site.url}/owner")
        page.get_by_role("link", name="Ada").click()
        page.get_by_text("picked").wait_for()
        page.get_by_role("button", name="Log out").click()
        page.goto(f"{site.url}/owner")
        page.get_by_role("heading", name="Owner's page").wait_for()
