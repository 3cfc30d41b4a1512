"""The OpenAPI document is complete; and what is made up from it gets no answer that it lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
import schemathesis
from api_cases import API, STRATEGY, Api, api_on, client_of
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from palate.serve import Settings, create_app
from palate.serve.problems import STATUS
from palate.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
EXAMPLES = hypothesis.settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    yield from api_on(Settings())


def operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (path, method, route)
        for path, methods in document["paths"].items()
        for method, route in methods.items()
    ]


def test_every_route_says_what_it_answers(api: Api) -> None:
    document = api.client.get("/openapi.json").json()
    found = operations(document)
    assert len(found) == 22
    for path, method, route in found:
        assert path.startswith(API)
        assert route["description"]
        statuses = set(route["responses"])
        assert {"400", "401", "422", "503"} < statuses
        assert any(status.startswith("2") for status in statuses)
        if method != "get":
            assert {"403", "413"} < statuses
        if "{" in path:
            assert "404" in statuses
        for status, answer in route["responses"].items():
            kinds = answer["content"]
            problem = kinds.get("application/problem+json", {}).get("schema")
            assert (problem == {"$ref": "#/components/schemas/Problem"}) == (status[0] != "2")
            assert answer["description"]
    assert {str(status) for status in STATUS.values()} - {"501", "502"} <= {
        status for _, _, route in found for status in route["responses"]
    }
    assert document["security"] == [{"token": []}]


def test_bodies_have_examples_that_work(api: Api) -> None:
    schemas = api.client.get("/openapi.json").json()["components"]["schemas"]
    for example in schemas["NewPool"]["examples"]:
        api.post("/pools", example)
    for example in schemas["NewElicitation"]["properties"]["strategy"]["examples"]:
        api.elicitation(strategy=example)
    for example in schemas["NewAnswer"]["examples"]:
        id = api.elicitation()  # noqa: A001
        path = f"/elicitations/{id}/queries/{api.ask(id)['id']}/answer"
        assert api.put(path, example)["recorded"]
    (name,) = schemas["NewPerson"]["properties"]["name"]["examples"]
    api.post("/people", {"name": name})


@pytest.fixture(scope="module")
def made_up() -> Iterator[tuple[Any, dict[str, str], Api]]:
    """The document's schema, and ids that are there, so that requests reach what is behind them."""
    with open_store("memory:") as store:
        app = create_app(store, Settings(allowed_hosts=("testserver",)))
        api = Api(client_of(app))
        id = api.elicitation(strategy=STRATEGY | {"max_steps": 3})  # noqa: A001
        stored = api.get(f"/elicitations/{id}")
        known = {"elicitation": id, "query": api.ask(id)["id"]}
        known |= {name: stored[name] for name in ("person", "pool")}
        yield schemathesis.openapi.from_asgi("/openapi.json", app), known, api


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_made_up_requests(made_up: tuple[Any, dict[str, str], Api], mode: GenerationMode) -> None:
    schema, known, api = made_up
    tried: list[str] = []

    def mortal(case: schemathesis.Case[Any]) -> dict[str, str]:
        """Who is deleted is somebody new, lest nobody is left for the other requests."""
        gone = case.operation.label == f"DELETE {API}/people/{{person}}"
        return {"person": api.person()} if gone else {}

    for found in schema.get_all_operations():
        operation = found.ok()

        @EXAMPLES
        @hypothesis.given(operation.as_strategy(generation_mode=mode))
        def check(case: schemathesis.Case[Any]) -> None:
            tried.append(case.operation.label)
            case.call_and_validate(checks=CHECKS)
            if case.path_parameters:
                names = case.path_parameters
                ids = known | mortal(case)
                case.path_parameters = {name: ids.get(name, "x") for name in names}
                case.call_and_validate(checks=CHECKS)

        try:
            check()
        except hypothesis.errors.Unsatisfiable:  # there is no wrong request of this kind
            assert mode is GenerationMode.NEGATIVE
    assert len(set(tried)) >= 17
    assert len(tried) >= 100
