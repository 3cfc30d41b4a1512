"""What the tests of the pages share: a service on a store in memory, and forms filled as seen."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

from starlette.testclient import TestClient

from palate._random import generator
from palate.pool import Pool
from palate.serve import Settings, create_app
from palate.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from palate.store import Store

BASE = "http://127.0.0.1"


class Page(HTMLParser):
    """A page as far as the tests look at it.

    Attributes:
        forms: the fields of each form by its action, as it would be sent untouched.
        buttons: values of the buttons named "picked".
        links: where links lead.
        text: all text.
        title: of the document.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.forms: dict[str, dict[str, list[str]]] = {}
        self.buttons: list[str] = []
        self.links: list[str] = []
        self._form: dict[str, list[str]] = {}
        self._select = ""
        self.feed(html)
        self.text = " ".join(re.sub(r"<[^>]+>", " ", html).split())
        found = re.search(r"<title>(.*?)</title>", html, re.DOTALL)
        self.title = found[1] if found else ""

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = self.forms.setdefault(given["action"], {})
        elif tag == "input" and "name" in given:
            self._form.setdefault(given["name"], []).append(given.get("value", ""))
        elif tag == "select" and "name" in given:
            self._select = given["name"]
            self._form.setdefault(self._select, []).append("")
        elif tag == "option" and "selected" in given:
            self._form[self._select][-1] = given.get("value", "")
        elif tag == "button" and given.get("name") == "picked":
            self.buttons.append(given["value"])
        elif tag == "a":
            self.links.append(given.get("href", ""))


@dataclass(frozen=True)
class Site:
    """A service, and a browser of a kind on it."""

    client: TestClient
    store: Store

    def get(self, path: str, status: int = 200) -> Page:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"].startswith("text/html")
        return Page(answer.text)

    def post(self, path: str, status: int = 200, **fields: Any) -> Page:
        """Send a form and follow where it leads."""
        answer = self.client.post(path, data=fields)
        assert answer.status_code == status, answer.text
        return Page(answer.text)

    def answer(self, page: Page, picked: str, **more: Any) -> Page:
        action, fields = next(form for form in page.forms.items() if form[0].endswith("/answer"))
        return self.post(action, **fields | {"picked": [picked]} | more)

    def undo(self, page: Page, **more: Any) -> Page:
        action, fields = next(form for form in page.forms.items() if form[0].endswith("/undo"))
        return self.post(action, **fields | more)

    def started(self, pool: Pool | None = None, **strategy: Any) -> str:
        """The address of somebody's page."""
        settings = {"name": "eubo"} | strategy
        person, stored = self.store.add_person(), self.store.add_pool(pool or a_pool())
        return f"/e/{self.store.start(person, stored, settings, seed=1)}"


def a_pool(n: int = 6, prompt: str = "Which tea?") -> Pool:
    texts = [f"Tea **number {i}**, with a leaf." for i in range(n)]
    return Pool(prompt, texts, generator(0, "pages").normal(size=(n, 3)))


def a_site(settings: Settings | None = None) -> Iterator[Site]:
    """A service on a store in memory, closed at the end."""
    with open_store("memory:") as store:
        app = create_app(store, settings or Settings())
        with TestClient(app, base_url=BASE) as client:
            yield Site(client, store)
