"""What the tests in a browser share: real servers on loopback, and one Chromium."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from page_cases import a_pool

from palate.serve import Settings, create_app
from palate.store import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

    from palate.pool import Pool
    from palate.store import Store

CHROMIUM = shutil.which("chromium")
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
}


@dataclass(frozen=True)
class Served:
    """A service that a browser can reach."""

    url: str
    store: Store

    def started(self, pool: Pool | None = None, **strategy: Any) -> str:
        """The address of somebody's page."""
        settings = {"name": "eubo"} | strategy
        person, stored = self.store.add_person(), self.store.add_pool(pool or a_pool(20))
        return f"{self.url}/e/{self.store.start(person, stored, settings, seed=1)}"

    def told(self, url: str) -> list[object]:
        """What was answered there."""
        return [answer.picked for answer in self.store.answers(url.rpartition("/")[2])]


@contextlib.contextmanager
def served(folder: Path, **settings: Any) -> Iterator[Served]:
    """A server on a free port, with a database in a folder."""
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        port = listening.getsockname()[1]
        store = stack.enter_context(open_store(str(folder / "answers.db")))
        app = create_app(store, Settings(port=port, **settings))
        config = uvicorn.Config(app, log_level="error", ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield Served(f"http://127.0.0.1:{port}", store)
        finally:
            server.should_exit = True
            thread.join(10.0)


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; the tests are skipped where there is none."""
    reason = "needs playwright for Python, of the extra test"
    playwright = pytest.importorskip("playwright.sync_api", reason=reason)
    if CHROMIUM is None:
        pytest.skip("needs a program named chromium on the path")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()
