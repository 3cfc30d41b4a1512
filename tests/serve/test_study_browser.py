"""The whole study in a real browser: both conditions, by mouse and by keyboard, wide and narrow."""

from __future__ import annotations

import contextlib
import re
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import pytest
from browser_cases import DESKTOP, PHONE, Served, chromium, served
from study_cases import PLAN, teas

from palate.serve.study import plan_from_object, set_up, study_log
from palate.serve.study.records import task_of
from palate.serve.study.tasks import task_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

    from palate.serve.study import Study, StudyLog

KINDS = {"desktop": DESKTOP, "phone": PHONE}
WALKS = [
    (kind, by, condition)
    for kind in KINDS
    for by in ("pointer", "keys")
    for condition in ("persona", "own")
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def tabs(browser: Browser) -> Iterator[dict[str, Page]]:
    """A tab of each kind, which walks share, since a new one takes a second."""
    with contextlib.ExitStack() as stack:
        found = {}
        for kind, options in KINDS.items():
            # axe runs inside the page, whose policy allows no scripts but its own
            context = browser.new_context(**options, bypass_csp=True)
            found[kind] = stack.enter_context(contextlib.closing(context)).new_page()
            found[kind].set_default_timeout(10_000)
        yield found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("study")) as started:
        yield started


@pytest.fixture(scope="module")
def axe() -> str:
    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python")
    script = files("axe_playwright_python") / "axe.min.js"
    return script.read_text(encoding="utf-8")


class Walker:
    """A tab in which somebody goes through the study."""

    def __init__(self, page: Page, axe: str, by: str, condition: str) -> None:
        self.page = page
        self.by = by
        self._axe = axe
        self._condition = condition

    def check(self, name: str) -> None:
        """That a page is not wider than the screen; and, in one walk of each kind, usable by all.

        What is shown is the same by pointer and by keys, and in both conditions after stage 1.
        """
        page = self.page
        assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0, name
        shown_here_alone = self._condition == "persona" or name == "stage 1"
        if self.by == "pointer" and shown_here_alone:
            page.evaluate("script => 'axe' in window || eval(script)", self._axe)
            assert self._violations(None) == [], name
            page.emulate_media(color_scheme="dark")
            assert self._violations("color-contrast") == [], name
            page.emulate_media(color_scheme="light")

    def _violations(self, only: str | None) -> list[str]:
        """Serious ones that axe-core finds; of one rule, or of all."""
        options: dict[str, Any] = {"resultTypes": ["violations"]}
        if only is not None:
            options["runOnly"] = [only]
        report = self.page.evaluate("options => axe.run(options)", options)
        assert len(report["passes"]) > (8 if only is None else 0)
        return [
            f"{found['id']}: {[node['html'][:120] for node in found['nodes']]}"
            for found in report["violations"]
            if found["impact"] in {"serious", "critical"}
        ]

    def agree(self) -> None:
        """Tick the box and go on."""
        box = self.page.get_by_role("checkbox", name=re.compile("I agree"))
        if self.by == "pointer":
            self.page.get_by_text("I agree to take part").click()
            self.page.get_by_role("button", name="Take part").click()
            return
        while not box.evaluate("box => box === document.activeElement"):
            self.page.keyboard.press("Tab")
        self.page.keyboard.press("Space")
        self.page.keyboard.press("Tab")
        self.page.keyboard.press("Enter")

    def begin(self) -> None:
        """Start comparing."""
        if self.by == "pointer":
            self.page.get_by_role("button", name="Start comparing").click()
        else:
            self.page.keyboard.press("Enter")

    def pick(self, position: int) -> None:
        """Answer a pair."""
        if self.by == "pointer":
            self.page.get_by_role("button", name=f"Pick {position}").click()
        else:
            self.page.keyboard.press(str(position))

    def at(self, progress: str) -> None:
        """Wait for a page."""
        self.page.locator("#progress", has_text=re.compile(rf"^{progress}")).wait_for()


@pytest.fixture(scope="module")
def study(site: Served) -> tuple[StudyLog, Study]:
    found = set_up(site.store, plan_from_object(PLAN), {"teas": teas()})
    return study_log(site.store), found


def condition_to_come(log: StudyLog, study: Study, wanted: str) -> None:
    """Let others consent, until whoever is next is in a condition."""
    while True:
        place = sum(p.place is not None for p, _ in log.everyone(study))
        if task_at(study.plan, study.prompts, place).condition == wanted:
            return
        (other,) = log.add_participants(study, 1)
        log.consent(log.participant(other), study)


@pytest.mark.parametrize("walk", WALKS, ids="-".join)
def test_the_whole_study(
    tabs: dict[str, Page],
    site: Served,
    study: tuple[StudyLog, Study],
    axe: str,
    walk: tuple[str, str, str],
) -> None:
    (log, found), (kind, by, condition) = study, walk
    condition_to_come(log, found, condition)
    page = tabs[kind]
    page.context.clear_cookies()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(error.message))
    walker = Walker(page, axe, by, condition)
    page.goto(f"{site.url}/s/{found.id}")
    walker.check("landing")
    walker.agree()
    walker.at("Before you begin")
    assert ("The person whom you play" in page.inner_text("main")) == (condition == "persona")
    assert "/p/" in page.url
    walker.check("stage 1")
    walker.begin()
    walker.at("Step 1 out of 3")
    walker.check("stage 2")
    walker.pick(1)
    walker.at("Step 2 out of 3")
    own = page.url
    page.goto(f"{site.url}/s/{found.id}")  # a tab that is opened again, by the study's link
    walker.at("Step 2 out of 3")
    assert page.url.partition("#")[0] == own
    walker.pick(2)
    walker.at("Step 3 out of 3")
    walker.pick(1)
    walker.at("Final pair 1 out of")
    walker.check("stage 3")
    participant = log.participant(own.rpartition("/")[2])
    count = len(log.matchups(participant))
    for number in range(1, count + 1):
        walker.at(f"Final pair {number} out of {count}")
        walker.pick(1 + number % 2)
    page.get_by_text("LEAF-42").wait_for()
    walker.check("done")
    assert page.title() == "Thank you · Which tea?"
    assert wrong == []
    assert task_of(found, participant).condition == condition
    assert participant.elicitation is not None
    assert [a.picked for a in site.store.answers(participant.elicitation)] == [0, 1, 0]
    judged = log.matchups(participant)
    assert [m.picked for m in judged] == [n % 2 for n in range(1, count + 1)]
    assert all(m.response_ms is not None for m in judged)  # the script measures


def test_without_scripts(browser: Browser, site: Served, study: tuple[StudyLog, Study]) -> None:
    log, found = study
    with contextlib.closing(browser.new_context(**DESKTOP, java_script_enabled=False)) as context:
        page = context.new_page()
        page.goto(f"{site.url}/p/{log.add_participants(found, 1)[0]}")
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Take part").click()
        page.get_by_role("button", name="Start comparing").click()
        while page.get_by_role("button", name="Pick 1").count():
            page.get_by_role("button", name="Pick 1").click()
        assert "LEAF-42" in page.inner_text("main")
