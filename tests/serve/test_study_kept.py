"""What outlasts the process: a study that version 2 wrote, one served as a command, and images."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from browser_cases import served
from page_cases import BASE
from starlette.testclient import TestClient
from study_cases import PLAN, StudySite, Teas, teas

from palate.bench.domains import shipped_domain
from palate.bench.study import simulate_participants
from palate.errors import ParameterError, StoreError
from palate.pool import Pool, Response
from palate.serve import Settings, create_app
from palate.serve.study import plan_from_object, set_up, study_log, study_report, study_rows
from palate.store import open_store

SECOND = Path(__file__).parents[1] / "store" / "schemas" / "0002.sql"
DONE, MATCHUPS, COMPARING, NEW = (
    "/p/BGEGG5wMZoImtGOX",
    "/p/Y4fGLg6lBFA4Z05J",
    "/p/0UdppEl9-t_8P2Sy",
    "/p/QzWzD5BhHUeRvuEn",
)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def test_a_study_that_version_2_wrote_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(SECOND.read_text(encoding="utf-8"))
    with open_store(str(path)) as store, TestClient(create_app(store), base_url=BASE) as client:
        log = study_log(store)
        (study,) = log.studies()
        site = StudySite(client, store, log, study)
        assert set_up(store, plan_from_object(PLAN), {"teas": teas()}) == study
        report = study_report(log, study)
        assert (report.started, report.finished, report.left_out) == (2, 1, 0)
        assert [r.wins for r in report.win_rates if r.wins] == [(0,), (1,), (1,)]
        assert "LEAF-42" in site.get(DONE).text
        assert "Final pair 2 out of" in site.get(MATCHUPS).text
        assert "Step 1 out of 3" in site.get(COMPARING).text
        for link in (MATCHUPS, COMPARING):
            page = site.get(link)
            while page.forms:
                page = site.send(page, picked="0")
            assert "LEAF-42" in page.text
        assert "LEAF-42" in site.walked(NEW).text
        report = study_report(log, study)
        assert (report.finished, report.left_out) == (3, 1)


def test_images_of_responses_and_of_the_baseline(tmp_path: Path) -> None:
    for i in range(4):
        (tmp_path / f"{i}.png").write_bytes(PNG)
    pictures = [Response(f"r{i}", image=f"{i}.png") for i in range(3)]
    features = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]
    baseline = Response("baseline", image="3.png")
    pool = Pool("Which picture?", pictures, features, id="p0", baseline=baseline)
    plan = plan_from_object(PLAN | {"conditions": ["own"], "attention_check": False})
    with open_store("memory:") as store:
        study = set_up(store, plan, {"teas": Teas((pool,), ())})
        app = create_app(store, Settings(images=str(tmp_path)))
        with TestClient(app, base_url=BASE) as client:
            site = StudySite(client, store, study_log(store), study)
            path = site.link()
            page = site.begun(path)
            assert page.html.count(f'src="{path}/image/') == 2
            for _ in range(3):
                page = site.send(page, picked="0")
            assert f'src="{path}/image/3"' in page.html
            for index in range(4):
                shown = client.get(f"{path}/image/{index}")
                assert (shown.status_code, shown.headers["content-type"]) == (200, "image/png")
            for index in (4, -1):
                assert client.get(f"{path}/image/{index}").status_code == 404
            assert client.get(f"{site.link()}/image/0").status_code == 404  # who has not agreed


def test_simulated_participants_answer_over_http(tmp_path: Path) -> None:
    domain = shipped_domain("food2d").first(2)
    prompts = [str(pool.id) for pool in domain.pools]
    change = {"domains": [{"name": "food2d", "prompts": prompts}], "comparisons": 6, "early": 1}
    with served(tmp_path) as site:
        study = set_up(site.store, plan_from_object(PLAN | change), {"food2d": domain})
        log = study_log(site.store)
        ids = log.add_participants(study, 16, simulated=True)
        done = simulate_participants(site.url, ids, {"food2d": domain}, code="LEAF-42", together=3)
        assert done.finished == 16
        assert done.requests > 16 * 2 * 9
        with pytest.raises(StoreError, match="has status 404"):
            simulate_participants(site.url, ["a" * 16], {"food2d": domain}, code="LEAF-42")
    with pytest.raises(StoreError, match="does not answer"):
        simulate_participants("http://127.0.0.1:1", ids, {"food2d": domain}, code="LEAF-42")
    with pytest.raises(ParameterError, match="http://HOST:PORT"):
        simulate_participants("ftp://here", ids, {"food2d": domain}, code="LEAF-42")


def test_simulated_answers_follow_the_ratings(tmp_path: Path) -> None:
    domain = shipped_domain("food2d")
    with served(tmp_path) as site:
        plan = plan_from_object(PLAN | {"domains": ["food2d"], "conditions": ["persona"]})
        study = set_up(site.store, plan, {"food2d": domain})
        log = study_log(site.store)
        ids = log.add_participants(study, 6, simulated=True)
        simulate_participants(site.url, ids, {"food2d": domain}, code="LEAF-42")
        assert domain.ratings is not None
        pools = [pool.id for pool in domain.pools]
        people = [persona.id for persona in domain.personas]
        rows = [r for r in study_rows(site.store, log, study) if r["arm"] != "attention"]
        assert len(rows) == 6 * 6
        for row in rows:
            x = pools.index(row["prompt"])
            ids_shown = ["baseline", *(r.id for r in domain.pools[x].responses)]
            ratings = domain.ratings[x, people.index(row["persona"])]
            one, other = (ratings[ids_shown.index(row[side])] for side in ("first", "second"))
            assert row["picked"] == (row["first"] if one > other else row["second"])


def test_a_study_is_served_by_the_command(tmp_path: Path) -> None:
    file = tmp_path / "study.json"
    change = '{"title": "Tea?", "consent": "Yes?", "domains": ["food2d"], "methods": ["iidbest"], '
    file.write_text(change + '"completion_code": "X", "participants": 3}')
    command = [sys.executable, "-m", "palate", "study", "serve", str(file)]
    command += ["--db", str(tmp_path / "study.db"), "--port", "0"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PALATE_")}
    with subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        try:
            link = server.stdout.readline().strip()
            assert "palate serves at" in server.stderr.readline()
            assert link.startswith("http://127.0.0.1:")
            for attempt in range(100):
                with contextlib.suppress(OSError):
                    with urllib.request.urlopen(link, timeout=5) as answer:  # noqa: S310 - ours
                        assert "Tea?" in answer.read().decode()
                    break
                assert attempt < 99
                assert server.poll() is None
                time.sleep(0.1)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(20)
