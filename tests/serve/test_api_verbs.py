"""The API's verbs do what the library's do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from api_cases import STRATEGY, Api, api_on

from palate import Elicitation, Pool, UserAlign
from palate._random import generator
from palate.serve import Settings, api_elicitations

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    yield from api_on(Settings())


def test_a_walk_asks_and_recommends_what_the_library_does(api: Api) -> None:
    features = generator(0, "api").normal(size=(6, 3))
    pool = Pool("Which?", [f"response {i}" for i in range(6)], features)
    library = Elicitation(pool, UserAlign(epsilon=0.0, max_steps=6), seed=1)
    id = api.elicitation()  # noqa: A001
    asked = api.get(f"/elicitations/{id}/query")
    while (query := library.ask()) is not None:
        shown = asked["query"]
        assert shown["number"] == query.number
        assert [r["id"] for r in shown["responses"]] == list(query.ids)
        assert [r["text"] for r in shown["responses"]] == [
            pool.responses[i].text for i in query.options
        ]
        assert asked["stopped"] is None
        library.tell(query, 1)
        told = api.tell(id, shown["id"], 1)
        assert told["recorded"]
        asked = told["next"]
    assert asked["query"] is None
    assert asked == api.get(f"/elicitations/{id}/query")
    best, found = library.recommend(), api.get(f"/elicitations/{id}/recommendation")
    assert found["response"]["id"] == best.response.id
    assert found["index"] == best.index
    assert found["bound"] == pytest.approx(best.bound)
    assert (found["certified"], found["answers"]) == (best.certified, best.answers)
    assert asked["stopped"] == ("certified" if best.certified else "max_steps")


def test_it_says_why_it_stopped(api: Api) -> None:
    certain = api.elicitation(strategy={"name": "useralign", "epsilon": 3.0})
    assert api.get(f"/elicitations/{certain}/query") == {"query": None, "stopped": "certified"}
    none = api.elicitation(strategy=STRATEGY | {"max_steps": 0})
    assert api.get(f"/elicitations/{none}/query") == {"query": None, "stopped": "max_steps"}
    pair = api.elicitation(pool=api.pool(n=2), strategy={"name": "eubo", "tolerance": 0.0})
    told = api.tell(pair, api.ask(pair)["id"], "skip")
    assert told["next"] == {"query": None, "stopped": "exhausted"}


def test_asking_again_asks_the_same(api: Api) -> None:
    id = api.elicitation()  # noqa: A001
    assert api.ask(id) == api.ask(id)


def test_an_answer_counts_once_however_often_it_is_sent(api: Api) -> None:
    id = api.elicitation()  # noqa: A001
    query = api.ask(id)["id"]
    first = api.tell(id, query, 0)
    again = api.tell(id, query, 0)
    assert (first["recorded"], again["recorded"]) == (True, False)
    assert first["next"] == again["next"]
    assert api.get(f"/elicitations/{id}")["answers"] == 1
    refused = api.tell(id, query, 1, 409)
    assert "undo first" in refused["detail"]
    assert api.get(f"/elicitations/{id}")["answers"] == 1


def test_the_next_question_can_be_left_for_later(api: Api) -> None:
    id = api.elicitation()  # noqa: A001
    path = f"/elicitations/{id}/queries/{api.ask(id)['id']}/answer?next=false"
    assert api.put(path, {"picked": "skip"}) == {"recorded": True, "next": None}


@pytest.mark.parametrize("picked", [0, 1, "tie", "skip", [1, 0]])
def test_each_kind_of_answer_is_kept(api: Api, picked: object) -> None:
    id = api.elicitation()  # noqa: A001
    query = api.ask(id)
    path = f"/elicitations/{id}/queries/{query['id']}/answer"
    api.put(path, {"picked": picked, "response_ms": 1500})
    (answer,) = api.get(f"/elicitations/{id}/answers")["items"]
    assert answer["picked"] == (1 if picked == [1, 0] else picked)
    assert answer["shown"] == [r["id"] for r in query["responses"]]
    assert answer["response_ms"] == 1500
    assert answer["at"].endswith("+00:00")


def test_orders_of_several(api: Api) -> None:
    id = api.elicitation(strategy={"name": "eubo", "options": 4})  # noqa: A001
    api.tell(id, api.ask(id)["id"], [3, 1, 0, 2])
    assert api.get(f"/elicitations/{id}/answers")["items"][0]["picked"] == [3, 1, 0, 2]


def test_an_undo_that_names_the_events_seen_is_done_once(api: Api) -> None:
    id = api.elicitation()  # noqa: A001
    api.tell(id, api.ask(id)["id"], 0)
    events = api.get(f"/elicitations/{id}")["events"]
    undone = [api.post(f"/elicitations/{id}/undo", {"events": events}, 200) for _ in range(2)]
    assert [u["undone"] for u in undone] == [True, False]
    assert undone[0]["next"] == undone[1]["next"]
    for wrong in (-1, 1.5, "1", True, 2**63):
        api.post(f"/elicitations/{id}/undo", {"events": wrong}, 422)


def test_undo_asks_again_and_is_done_once(api: Api) -> None:
    id = api.elicitation()  # noqa: A001
    query = api.ask(id)
    api.tell(id, query["id"], 0)
    undone = api.post(f"/elicitations/{id}/undo", {"query": query["id"]}, 200)
    assert undone["undone"]
    assert undone["next"]["query"]["responses"] == query["responses"]
    assert undone["next"]["query"]["id"] != query["id"]
    again = api.post(f"/elicitations/{id}/undo", {"query": query["id"]}, 200)
    assert again == undone | {"undone": False}
    api.post(f"/elicitations/{id}/undo", {}, 422)  # nothing is left to take back
    stale = api.tell(id, query["id"], 0, 404)
    assert "ask again" in stale["detail"]
    stored = api.get(f"/elicitations/{id}")
    assert (stored["answers"], stored["events"]) == (0, 2)


def test_people_are_found_by_their_name(api: Api) -> None:
    ann = api.post("/people", {"name": "ann"})
    assert api.post("/people", {"name": "ann"}) == ann
    assert api.post("/people", {})["id"] != api.post("/people", {})["id"]
    assert api.get(f"/people/{ann['id']}") == ann


def test_a_pool_of_texts_is_embedded(api: Api) -> None:
    body = {
        "prompt": "Dinner?",
        "responses": ["Salmon.", {"id": "curry", "text": "Curry.", "metadata": {"kcal": 500}}],
        "name": "dinner",
        "style": 0.3,
    }
    made = api.post("/pools", body)
    assert made["size"] == 2
    assert made["embedder"] == "minilm64+style:0.3"
    assert api.get(f"/pools/{made['id']}") == made
    listed = {pool["id"]: pool for pool in api.get("/pools?limit=1000")["items"]}
    assert listed[made["id"]] == made | {"added_at": listed[made["id"]]["added_at"]}
    assert api.get(f"/pools/{made['id']}/responses")["items"] == [
        {"id": "r1", "text": "Salmon.", "image": None, "metadata": {}},
        {"id": "curry", "text": "Curry.", "image": None, "metadata": {"kcal": 500}},
    ]
    api.ask(api.elicitation(pool=made["id"], strategy=None))  # EUBO, by default


@pytest.mark.parametrize("listing", ["/people", "/pools", "/elicitations", "answers", "responses"])
def test_every_list_comes_in_pages(api: Api, listing: str) -> None:
    made = [api.elicitation() for _ in range(5)]
    if listing == "answers":
        path = f"/elicitations/{made[0]}/answers"
        query = api.ask(made[0])
        for _ in range(5):
            query = api.tell(made[0], query["id"], "skip")["next"]["query"]
    else:
        pool = api.get("/pools")["items"][0]["id"]
        path = f"/pools/{pool}/responses" if listing == "responses" else listing
    whole = api.get(f"{path}?limit=1000")
    assert whole["after"] is None
    found, after, pages = [], "", 0
    while after is not None:
        page = api.get(f"{path}?limit=2" + (f"&after={after}" if after else ""))
        found += page["items"]
        after, pages = page["after"], pages + 1
    assert found == whole["items"]
    assert len(found) >= 5
    assert pages == (len(found) + 1) // 2


def test_elicitations_of_a_person_and_about_a_pool(api: Api) -> None:
    first, second = api.elicitation(), api.elicitation()
    stored = api.get(f"/elicitations/{second}")
    for kind in ("person", "pool"):
        (found,) = api.get(f"/elicitations?{kind}={stored[kind]}")["items"]
        assert found == stored
    assert first != second
    assert stored["page"] == f"http://127.0.0.1:8000/e/{second}"
    assert stored["strategy"]["name"] == "useralign"


def test_export_of_more_than_goes_at_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_elicitations, "_LINES_AT_ONCE", 2)
    id = api.elicitation()  # noqa: A001
    query = api.ask(id)
    chosen = []
    while query is not None:
        chosen.append(query["responses"][0]["text"])
        query = api.tell(id, query["id"], 0)["next"]["query"]
    assert len(chosen) > 2
    person = api.get(f"/elicitations/{id}")["person"]
    lines = api.client.get(f"/api/v1/export?person={person}").text.splitlines()
    assert [json.loads(line)["chosen"] for line in lines] == chosen


def test_export_has_the_rows_that_trainers_read(api: Api) -> None:
    id = api.elicitation()  # noqa: A001
    query = api.ask(id)
    after = api.tell(id, query["id"], 1)["next"]["query"]
    api.tell(id, after["id"], "tie")
    other = api.elicitation()
    api.tell(other, api.ask(other)["id"], 0)
    person = api.get(f"/elicitations/{id}")["person"]
    answer = api.client.get(f"/api/v1/export?person={person}&metadata=true")
    assert answer.headers["content-type"].startswith("application/jsonl")
    (row,) = [json.loads(line) for line in answer.text.splitlines()]
    texts = [response["text"] for response in query["responses"]]
    assert (row["prompt"], row["chosen"], row["rejected"]) == ("Which?", texts[1], texts[0])
    assert row["metadata"]["person"] == person
    rows = [json.loads(line) for line in api.client.get("/api/v1/export").text.splitlines()]
    assert len(rows) >= 2
    assert all(set(row) == {"prompt", "chosen", "rejected"} for row in rows)
    (line,) = api.client.get(
        f"/api/v1/export?person={person}&conversational=true"
    ).text.splitlines()
    assert json.loads(line)["prompt"] == [{"role": "user", "content": "Which?"}]
