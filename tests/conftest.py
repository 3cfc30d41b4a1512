"""Shared by all tests."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from palate.cli.options import one_thread

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from palate.bench.fake_server import FakeServer

pytest.register_assert_rewrite("palate.testing")
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in the background; children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)
one_thread()  # the matrices of tests are small, and numpy is not imported yet


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No key, server, cache or log of whoever runs the tests is used or touched."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def server() -> Iterator[FakeServer]:
    """A server that speaks OpenAI's protocol and misbehaves on demand."""
    from palate.bench.fake_server import FakeServer  # noqa: PLC0415 - it may import numpy

    with FakeServer() as fake:
        yield fake
