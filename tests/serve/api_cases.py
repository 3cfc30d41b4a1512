"""What the tests of the API share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.testclient import TestClient

from palate._random import generator
from palate.serve import Settings, create_app
from palate.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator


TOKEN = "0123456789abcdef-token"  # noqa: S105 - of a test
API = "/api/v1"
STRATEGY = {"name": "useralign", "epsilon": 0.0, "max_steps": 6}


@dataclass(frozen=True)
class Api:
    """A client of an application on a store in memory."""

    client: TestClient

    def get(self, path: str, status: int = 200, **more: Any) -> Any:
        return self.call("GET", path, status, **more)

    def post(self, path: str, body: object, status: int = 201, **more: Any) -> Any:
        return self.call("POST", path, status, json=body, **more)

    def put(self, path: str, body: object, status: int = 200, **more: Any) -> Any:
        return self.call("PUT", path, status, json=body, **more)

    def call(self, method: str, path: str, status: int, **more: Any) -> Any:
        answer = self.client.request(method, API + path, **more)
        assert answer.status_code == status, answer.text
        return answer.json()

    def person(self) -> str:
        return str(self.post("/people", {})["id"])

    def pool(self, n: int = 6, d: int = 3) -> str:
        features = generator(0, "api").normal(size=(n, d)).tolist()
        texts = [f"response {i}" for i in range(n)]
        body = {"prompt": "Which?", "responses": texts, "features": features}
        return str(self.post("/pools", body)["id"])

    def elicitation(self, **more: Any) -> str:
        body = {"person": self.person(), "pool": self.pool(), "strategy": STRATEGY, "seed": 1}
        return str(self.post("/elicitations", body | more)["id"])

    def ask(self, elicitation: str) -> Any:
        return self.get(f"/elicitations/{elicitation}/query")["query"]

    def tell(self, elicitation: str, query: str, picked: object, status: int = 200) -> Any:
        path = f"/elicitations/{elicitation}/queries/{query}/answer"
        return self.put(path, {"picked": picked}, status)


def api_on(settings: Settings, **headers: str) -> Iterator[Api]:
    """An API on a store in memory."""
    with open_store("memory:") as store, client_of(create_app(store, settings)) as client:
        client.headers.update(headers)
        yield Api(client)


def client_of(app: Any) -> TestClient:
    return TestClient(app, base_url="http://localhost", raise_server_exceptions=False)


def is_problem(answer: Any, status: int) -> bool:
    """Whether an answer is the right problem, and says so three times over."""
    body = answer.json()
    kind = answer.headers["content-type"]
    told = body["status"], kind, bool(body["title"]), bool(body["detail"])
    return answer.status_code == status and told == (
        status,
        "application/problem+json",
        True,
        True,
    )
