"""People who return to the API, are forgotten there, or deleted; and what is served of many."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from api_cases import Api, api_on, client_of, is_problem
from study_cases import a_study

from palate import Pool
from palate._random import generator
from palate.embed import default_embedder
from palate.errors import ModelError, ParameterError
from palate.population.gaussian import GaussianPopulation
from palate.serve import Settings, create_app
from palate.serve.population import load_population
from palate.store import open_store
from palate.strategies.default import LARGEST

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    yield from api_on(Settings())


def named_pool(api: Api, seed: int, n: int = 6, **more: Any) -> str:
    body = {
        "prompt": f"Which of {seed}?",
        "responses": [f"response {i} of {seed}" for i in range(n)],
        "features": generator(seed, "people").normal(size=(n, 3)).tolist(),
        "embedder": "mine",
    }
    return str(api.post("/pools", body | more)["id"])


def started(api: Api, person: str, pool: str, status: int = 201, **more: Any) -> Any:
    return api.post("/elicitations", {"person": person, "pool": pool} | more, status)


def answered(api: Api, person: str, pool: str, n: int = 3) -> str:
    id = str(started(api, person, pool, strategy={"name": "eubo", "tolerance": 0.0})["id"])  # noqa: A001
    for _ in range(n):
        assert api.tell(id, api.ask(id)["id"], 0)["recorded"]
    return id


# Remembering


def test_who_returns_is_known_before_the_first_question(api: Api) -> None:
    person, pool, other = api.person(), named_pool(api, 1), named_pool(api, 2)
    answered(api, person, pool)
    known = started(api, person, other, seed=1)
    assert known["remembered"] == 3
    assert known["strategy"]["prior"]["name"] == "remembering"
    anew = started(api, person, other, seed=1, remember=False)
    assert (anew["remembered"], anew["strategy"]["prior"]["name"]) == (0, "features")
    first = api.get(f"/elicitations/{known['id']}/recommendation")
    chance = api.get(f"/elicitations/{anew['id']}/recommendation")
    assert first["answers"] == chance["answers"] == 0
    assert first["expected_regret"] < chance["expected_regret"]
    assert api.get(f"/elicitations/{known['id']}")["remembered"] == 3
    assert started(api, api.person(), other)["remembered"] == 0


def test_a_strategy_that_is_named_remembers_where_it_is_told_to(api: Api) -> None:
    person = api.person()
    answered(api, person, named_pool(api, 1))
    other, eubo = named_pool(api, 2), {"name": "eubo", "options": 3}
    assert started(api, person, other, strategy=eubo)["remembered"] == 0
    known = started(api, person, other, strategy=eubo, remember=True)
    assert (known["remembered"], known["strategy"]["options"]) == (3, 3)
    refused = started(api, person, other, 422, strategy={"name": "useralign"}, remember=True)
    assert "no prior that could remember" in refused["detail"]
    refused = started(api, person, api.pool(), 422, remember=True)
    assert "what made them" in refused["detail"]
    assert started(api, person, api.pool())["remembered"] == 0
    unfit: list[Any] = ["yes", 1, []]
    for wrong in unfit:
        assert "remember" in started(api, person, other, 422, remember=wrong)["detail"]


def test_an_embedder_is_named_with_features_alone(api: Api) -> None:
    body = {"prompt": "p", "responses": ["a", "b"], "embedder": "mine"}
    assert "embedder names what made" in api.post("/pools", body, 422)["detail"]
    pool = api.post("/pools", body | {"features": [[0.0], [1.0]]})
    assert pool["embedder"] == "mine"


# Shown, forgotten, deleted


def test_what_was_learned_is_told_in_numbers_and_words(api: Api) -> None:
    person = api.person()
    nothing = api.get(f"/people/{person}/profile")
    assert (nothing["answers"], nothing["since"], nothing["contrary"]) == (0, None, None)
    assert nothing["text"] == "Nothing is remembered."
    id = answered(api, person, named_pool(api, 1))  # noqa: A001
    api.tell(id, api.ask(id)["id"], "tie")
    told = api.get(f"/people/{person}/profile")
    assert (told["answers"], told["undecided"], told["prompts"]) == (4, 1, 1)
    assert told["since"] == api.get(f"/elicitations/{id}/answers")["items"][0]["at"]
    assert told["best"][0].startswith("response")
    assert told["text"].startswith("4 answers (1 of them ties or skips) to 1 prompt, since ")
    assert 0.0 <= told["contrary"] <= 1.0


def test_what_is_forgotten_counts_no_more(api: Api) -> None:
    person, pools = api.person(), [named_pool(api, seed) for seed in (1, 2, 3)]
    for pool in pools[:2]:
        answered(api, person, pool)
    path = f"/people/{person}/profile"
    assert api.call("DELETE", f"{path}?pool={pools[0]}", 200) == {"forgotten": 3}
    assert started(api, person, pools[2])["remembered"] == 3
    assert api.call("DELETE", path, 200) == {"forgotten": 3}
    assert api.call("DELETE", path, 200) == {"forgotten": 0}
    assert started(api, person, pools[2])["remembered"] == 0
    assert api.get(path)["answers"] == 0
    exported = api.client.get("/api/v1/export", params={"person": person}).text
    assert len(exported.splitlines()) == 6
    assert "no pool" in api.call("DELETE", f"{path}?pool=x", 404)["detail"]


def test_who_is_deleted_is_gone(api: Api) -> None:
    person, pool = api.person(), named_pool(api, 1)
    id = answered(api, person, pool)  # noqa: A001
    query = api.ask(id)["id"]
    gone = api.call("DELETE", f"/people/{person}", 200)
    assert gone == {"elicitations": 1, "answers": 3}
    assert is_problem(api.client.get(f"/api/v1/people/{person}"), 404)
    for path in ("", "/query", "/recommendation", "/answers"):
        api.get(f"/elicitations/{id}{path}", 404)
    api.tell(id, query, 0, 404)
    api.post(f"/elicitations/{id}/undo", {}, 404)
    api.get(f"/people/{person}/profile", 404)
    for path in (f"/people/{person}", f"/people/{person}/profile", "/people/nobody"):
        api.call("DELETE", path, 404)
    started(api, person, pool, 404)
    assert api.client.get(f"/e/{id}").status_code == 404
    assert api.get(f"/elicitations?pool={pool}")["items"] == []


def test_who_took_part_in_a_study_stays(api: Api) -> None:
    for site in a_study():
        site.begun(site.link())
        (person,) = site.store.people().items
        refused = site.client.delete(f"/api/v1/people/{person.id}")
        assert is_problem(refused, 409)
        assert "took part in a study" in refused.json()["detail"]
        assert site.store.person(person.id) == person
        page = site.post(f"/owner/people/{person.id}/delete", status=409)
        assert "took part in a study" in page.text


def test_another_sites_page_deletes_nobody(api: Api) -> None:
    person, evil = api.person(), {"Origin": "https://evil.example"}
    for path in (f"/people/{person}", f"/people/{person}/profile"):
        assert api.client.delete(f"/api/v1{path}", headers=evil).status_code == 403
    api.get(f"/people/{person}")


# What many people taught


def learned(path: Path, **notes: Any) -> str:
    """A population of people who like one direction, of the shipped embedder's features."""
    rng = np.random.default_rng(0)
    embedder = default_embedder()
    made = {"embedder": "static", "identity": embedder.identity, "prompts": "none"} | notes
    population = GaussianPopulation(
        rng.normal(size=64), 0.1 * rng.normal(size=(64, 3)), 30, 300, notes={"features": made}
    )
    population.save(path)
    return str(path)


def test_elicitations_start_from_a_population_and_outlive_its_file(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/s.db", learned(tmp_path / "p.safetensors")
    texts = [f"A dish of {word}." for word in ("rice", "beans", "fish", "cheese", "kale", "figs")]
    with open_store(url) as store:
        app = create_app(store, Settings(prior=file))
        with client_of(app) as client:
            api = Api(client)
            person = api.person()
            pool = api.post("/pools", {"prompt": "Dinner?", "responses": texts})["id"]
            begun = started(api, person, pool, seed=1)
            assert begun["strategy"]["prior"]["name"] == "mixture"
            assert begun["strategy"]["prior"]["priors"][0]["name"] == "population"
            exact = started(api, person, pool, strategy={"name": "eubo"})
            assert exact["strategy"]["prior"]["name"] == "features"
            other = started(api, person, named_pool(api, 1))
            assert other["strategy"]["prior"]["name"] == "features"
            answered(api, person, pool)
            both = started(api, person, pool, seed=1)
            assert both["strategy"]["prior"]["base"] == begun["strategy"]["prior"]
            assert both["remembered"] == 3
            alone = started(api, person, pool, remember=False)
            assert alone["strategy"]["prior"] == begun["strategy"]["prior"]
            paths = [f"/elicitations/{e['id']}" for e in (begun, both)]
            said = [(api.get(f"{p}/query"), api.get(f"{p}/recommendation")) for p in paths]
            top = Pool.from_texts("Dinner?", texts)
            assert top.features is not None
            mean = GaussianPopulation.load(tmp_path / "p.safetensors").mean
            assert said[0][1]["index"] == int((top.features @ mean).argmax())
    (tmp_path / "p.safetensors").unlink()
    with open_store(url) as store, client_of(create_app(store)) as client:
        api = Api(client)
        assert said == [(api.get(f"{p}/query"), api.get(f"{p}/recommendation")) for p in paths]
        id = paths[1].rpartition("/")[2]  # noqa: A001
        assert api.tell(id, said[1][0]["query"]["id"], 0)["recorded"]


def test_a_population_that_cannot_be_served_is_one_line(tmp_path: Path) -> None:
    unlike = learned(tmp_path / "unlike", identity="minilm64 of old")
    unknown = learned(tmp_path / "unknown", embedder="nothing:x")
    silent = tmp_path / "silent"
    GaussianPopulation(np.ones(3), np.ones((3, 1)), 2, 4).save(silent)
    (tmp_path / "broken").write_bytes(b"x")
    wrong: list[tuple[str, type[Exception], str]] = [
        (str(tmp_path), ParameterError, "is a folder"),
        (str(tmp_path / "gone"), ModelError, "holds no population"),
        (str(tmp_path / "broken"), ModelError, "holds no population"),
        (str(silent), ParameterError, "does not say which embedder"),
        (unlike, ParameterError, "makes others now"),
        (unknown, ParameterError, "no embedder"),
    ]
    for path, error, said in wrong:
        with pytest.raises(error, match=said) as caught:
            load_population(path)
        assert "\n" not in str(caught.value)


def test_a_large_pool_is_left_to_what_can_search_it(tmp_path: Path) -> None:
    population = load_population(learned(tmp_path / "p"))
    rows = np.random.default_rng(0).normal(size=(LARGEST + 1, 64))
    pool = Pool("?", map(str, range(LARGEST + 1)), rows, scaling="half", embedder="minilm64")
    assert population.strategy(pool) is None
    small = Pool("?", ["a", "b", "c"], rows[:3], scaling="half", embedder="minilm64")
    assert population.strategy(small) is not None
    assert population.strategy(Pool("?", ["a", "b"])) is None
