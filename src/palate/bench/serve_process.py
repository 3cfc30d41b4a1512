"""A real server process to measure, and to kill."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

_PATIENCE = 60.0  # seconds for a server to answer
_TICKS = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class ServerProcess:
    """``palate serve`` in processes of its own; use it in a ``with`` block.

    Args:
        db: URL of its store.
        workers: how many processes serve.
        core: the processor that all of them share, or None for any.
        log: file that its messages go to.
        environment: variables beside this process's own.
    """

    def __init__(
        self,
        db: str,
        *,
        workers: int = 1,
        core: int | None = None,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = _free_port()
        self._core = core
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        arguments = ["--db", db, "--port", str(self.port), "--workers", str(workers)]
        self._command = [sys.executable, "-m", "palate", "serve", *arguments]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        """Start it, at the same port as before, and wait until it answers."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it, at the same port as before."""
        log = None if self._log is None else self._log.open("ab")
        with contextlib.ExitStack() as stack:
            output = subprocess.DEVNULL if log is None else stack.enter_context(log)
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                self._command,
                env=self._environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=self._settle,  # noqa: PLW1509 - this process has one thread by now
            )

    def _settle(self) -> None:
        if self._core is not None:
            os.sched_setaffinity(0, {self._core})

    def wait(self) -> None:
        """Wait until it answers.

        Raises:
            RuntimeError: it does not, or has ended.
        """
        until = time.monotonic() + _PATIENCE
        while not self._answers():
            ended = self._process is None or self._process.poll() is not None
            if ended or time.monotonic() > until:
                told = "" if self._log is None else self._log.read_text(encoding="utf-8")[-2000:]
                msg = f"the server does not answer at port {self.port}: {told}"
                raise RuntimeError(msg)
            time.sleep(0.02)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self) -> None:
        """Kill -9 all of it, so that it has no moment to tidy up."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def stop(self) -> int:
        """Ask it to stop, as a service manager does, and wait: its exit status."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(_PATIENCE)

    def cpu_seconds(self) -> float:
        """Processor time of all its processes so far; NaN where the system does not tell."""
        if self._process is None or not Path("/proc/self/stat").exists():
            return float("nan")
        total = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
            except OSError:  # it has just ended
                continue
            if int(fields[3]) == self._process.pid:  # the session, which is its own
                total += int(fields[11]) + int(fields[12])
        return total / _TICKS


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
