"""Real server processes: killed, several on one database, started and stopped as an owner does."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from api_cases import STRATEGY, TOKEN
from postgres_cases import postgres_url

from palate.bench.serve_kill import kill_often
from palate.bench.serve_load import Plan, measure
from palate.bench.serve_process import ServerProcess
from palate.cli import main
from palate.embed import default_embedder
from palate.population.gaussian import GaussianPopulation

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings of whoever runs the tests."""
    for name in list(os.environ):
        if name.startswith("PALATE_") and not name.startswith("PALATE_TEST"):
            monkeypatch.delenv(name)


def call(server: ServerProcess, method: str, path: str, body: object = None) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request(method, path, sent, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status < 300, content
        return json.loads(content) if content[:1] in b"{[" else content.decode()
    finally:
        connection.close()


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(("kind", "kills"), [("sqlite", 5), ("postgresql", 2)])
def test_killing_the_server_loses_no_answer(kind: str, kills: int, tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        db = str(tmp_path / "palate.db")
        if kind == "postgresql":
            db = stack.enter_context(postgres_url())
        server = stack.enter_context(ServerProcess(db, log=tmp_path / "log"))
        found = kill_often(server, kills, STRATEGY, clients=20, seed=3)
        assert found.refused == []
        assert found.flawless, found
        assert found.kills == kills
        assert found.interrupted
        assert found.acknowledged >= 20
        assert server.stop() in {0, -signal.SIGTERM}
        assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")


@pytest.mark.usefixtures("quiet")
def test_two_workers_share_a_file(tmp_path: Path) -> None:
    with ServerProcess(str(tmp_path / "palate.db"), workers=2, log=tmp_path / "log") as server:
        load = measure(server, Plan(STRATEGY, clients=20, seconds=1.0, settle=0.5, together=False))
        assert load.errors == []
        assert load.pairs > 5
        workers = set()
        for _ in range(200):
            workers |= set(re.findall(r'worker="(\d+)"', call(server, "GET", "/metrics")))
            if len(workers) == 2:
                break
        assert len(workers) == 2
        all_at_once(server)
        assert server.stop() in {0, -signal.SIGTERM}


def all_at_once(server: ServerProcess) -> None:
    """Twenty who give each answer of one elicitation at the same time: it counts once."""
    person = call(server, "POST", "/api/v1/people", {})["id"]
    features = [[float(i == j) for j in range(4)] for i in range(4)]
    pool = {"prompt": "p", "responses": ["a", "b", "c", "d"], "features": features}
    begun = {"person": person, "pool": call(server, "POST", "/api/v1/pools", pool)["id"]}
    path = "/api/v1/elicitations"
    path += "/" + call(server, "POST", path, begun | {"strategy": STRATEGY})["id"]
    for number in range(3):
        query = call(server, "GET", f"{path}/query")["query"]
        assert query["number"] == number
        told: list[Any] = []

        def tell(query: str = query["id"], told: list[Any] = told) -> None:
            told.append(call(server, "PUT", f"{path}/queries/{query}/answer", {"picked": "tie"}))

        threads = [threading.Thread(target=tell) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answer["recorded"] for answer in told) == [False] * 19 + [True]
        assert len({json.dumps(answer["next"]) for answer in told}) == 1
    assert len(call(server, "GET", f"{path}/answers")["items"]) == 3


@pytest.mark.usefixtures("quiet")
def test_what_somebody_began_from_outlives_the_server(tmp_path: Path) -> None:
    """Killed, and started again without the population: the same question, and the next one."""
    db, file, texts = str(tmp_path / "palate.db"), tmp_path / "p.safetensors", ["a b", "c d", "e f"]
    embedder, rng = default_embedder(), np.random.default_rng(0)
    made = {"embedder": "static", "identity": embedder.identity, "prompts": "none"}
    mean, factor = rng.normal(size=64), rng.normal(size=(64, 2))
    GaussianPopulation(mean, factor, 9, 90, notes={"features": made}).save(file)
    settings = {"PALATE_PRIOR": str(file)}
    begun: list[Any] = []
    with ServerProcess(db, environment=settings, log=tmp_path / "log") as server:
        person = call(server, "POST", "/api/v1/people", {})["id"]
        for prompt in ("First?", "Second?"):
            pool = call(server, "POST", "/api/v1/pools", {"prompt": prompt, "responses": texts})
            body = {"person": person, "pool": pool["id"], "seed": 1}
            begun.append(call(server, "POST", "/api/v1/elicitations", body))
            path = f"/api/v1/elicitations/{begun[-1]['id']}"
            query = call(server, "GET", f"{path}/query")["query"]
            if prompt == "First?":
                answer = {"picked": 0}
                call(server, "PUT", f"{path}/queries/{query['id']}/answer?next=false", answer)
        found = call(server, "GET", f"{path}/recommendation")
        server.kill()
    file.unlink()
    assert [e["remembered"] for e in begun] == [0, 1]
    assert begun[1]["strategy"]["prior"]["base"] == begun[0]["strategy"]["prior"]
    with ServerProcess(db, log=tmp_path / "log") as server:
        first = f"/api/v1/elicitations/{begun[0]['id']}"
        call(server, "POST", f"{first}/undo", {})  # what was remembered stays remembered
        assert call(server, "GET", f"{path}/query")["query"] == query
        assert call(server, "GET", f"{path}/recommendation") == found
        told = call(server, "PUT", f"{path}/queries/{query['id']}/answer", {"picked": 1})
        assert told["recorded"]
        assert call(server, "DELETE", f"/api/v1/people/{person}") == {
            "elicitations": 2,
            "answers": 1,
        }
        assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")


@pytest.mark.usefixtures("quiet")
def test_a_body_that_never_ends_is_refused_at_once(tmp_path: Path) -> None:
    limit = {"PALATE_MAX_BODY_BYTES": "100000", "PALATE_TOKEN": TOKEN}
    with ServerProcess(str(tmp_path / "palate.db"), environment=limit) as server:
        sent = 0
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.putrequest("POST", "/api/v1/pools")
        connection.putheader("Authorization", f"Bearer {TOKEN}")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        part = b"10000\r\n" + b"a" * 0x10000 + b"\r\n"
        with contextlib.suppress(OSError):  # it hangs up
            while sent < 2**27:
                connection.send(part)
                sent += len(part)
        assert sent < 2**27
        with contextlib.suppress(OSError):
            assert connection.getresponse().status == 413
        connection.close()
        with pytest.raises(AssertionError, match="show the token"):
            call(server, "GET", "/api/v1/people")
        assert call(server, "GET", "/healthz") == {"status": "ok"}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--host", "0.0.0.0"), "set a token in PALATE_TOKEN"),  # noqa: S104 - it is refused
        (("--workers", "2", "--db", "memory:"), "cannot share a database in memory"),
        (("--workers", "2", "--model", "m", "--db", "x.db"), "known to one worker alone"),
        (("--db", "mysql://x/y"), "mysql"),
        (("--db", "memory:", "--prior", "/"), "/ is a folder"),
        (("--db", "memory:", "--prior", "/no/such"), "holds no population"),
        (("--host", "256.0.0.1", "--token", TOKEN), "cannot listen"),
    ],
)
@pytest.mark.usefixtures("quiet")
def test_what_cannot_be_served_is_one_line(
    arguments: tuple[str, ...],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["palate", "serve", *arguments])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    line = capsys.readouterr().err
    assert line.startswith("palate: ")
    assert told in line
    assert line.count("\n") == 1
