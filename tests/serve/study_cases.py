"""What the tests of the study share: a small study on a domain made up for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from page_cases import BASE, Page
from starlette.testclient import TestClient

from palate._random import generator
from palate.pool import Pool, Response
from palate.serve import Settings, create_app
from palate.serve.study import plan_from_object, set_up, study_log
from palate.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palate.serve.study import Study, StudyLog
    from palate.store import Store

PLAN: dict[str, Any] = {
    "title": "Which tea?",
    "consent": "You compare **teas**. It takes a minute.",
    "domains": [{"name": "teas"}],
    "methods": ["useralign", {"label": "IIDBEST", "name": "iidbest"}],
    "comparisons": 3,
    "early": 2,
    "attention_check": True,
    "completion_code": "LEAF-42",
    "participants": 100,
}


@dataclass(frozen=True)
class Somebody:
    """A persona."""

    id: str
    text: str
    prompt: str | None = None


@dataclass(frozen=True)
class Teas:
    """A domain."""

    pools: tuple[Pool, ...]
    personas: tuple[Somebody, ...]


def teas(prompts: int = 2, n: int = 6) -> Teas:
    """A domain with two personas a prompt."""
    pools, personas = [], []
    for i in range(prompts):
        responses = [Response(f"r{j}", f"Tea **{i}.{j}** with a leaf.") for j in range(n)]
        features = generator(i, "teas").normal(size=(n, 3))
        baseline = Response("baseline", f"Water **{i}**.")
        pools.append(Pool(f"Tea for {i}?", responses, features, id=f"p{i}", baseline=baseline))
        personas += [Somebody(f"s{i}{j}", f"Person {j} of {i}.", f"p{i}") for j in range(2)]
    return Teas(tuple(pools), tuple(personas))


@dataclass(frozen=True)
class StudySite:
    """A study served, and a browser of a kind on it."""

    client: TestClient
    store: Store
    log: StudyLog
    study: Study

    def get(self, path: str, status: int = 200) -> Page:
        answer = self.client.get(path)
        assert answer.status_code == status, answer.text
        return Page(answer.text)

    def post(self, path: str, fields: dict[str, Any] | None = None, status: int = 200) -> Page:
        """Send a form and follow where it leads."""
        answer = self.client.post(path, data=fields or {})
        assert answer.status_code == status, answer.text
        return Page(answer.text)

    def send(self, page: Page, **more: Any) -> Page:
        """Send the one form of a page."""
        ((action, fields),) = page.forms.items()
        return self.post(action, fields | more)

    def link(self, **more: Any) -> str:
        """The path of a new participant's page."""
        return f"/p/{self.log.add_participants(self.study, 1, **more)[0]}"

    def begun(self, path: str) -> Page:
        """The first comparison, after the consent and stage 1."""
        return self.send(self.send(self.get(path), agree="yes"))

    def at_matchups(self, path: str) -> Page:
        """The first matchup."""
        page = self.begun(path)
        while "query" in next(iter(page.forms.values())):
            page = self.send(page, picked="0")
        return page

    def walked(self, path: str) -> Page:
        """The last page, after everything is answered by whatever is first."""
        page = self.at_matchups(path)
        while page.forms:
            page = self.send(page, picked="0")
        return page


def a_study(db: str = "memory:", **plan: Any) -> Iterator[StudySite]:
    """A small study served; keys of its plan by name."""
    with open_store(db) as store:
        study = set_up(store, plan_from_object(PLAN | plan), {"teas": teas()})
        with TestClient(create_app(store, Settings()), base_url=BASE) as client:
            yield StudySite(client, store, study_log(store), study)
