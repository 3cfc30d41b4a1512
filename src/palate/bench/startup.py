"""How long a user waits: for the import, for the help, for the demo's first question."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from statistics import median


def import_seconds(runs: int) -> list[float]:
    """Seconds of ``import palate``, interpreter included."""
    return [_process_seconds("-c", "import palate") for _ in range(runs)]


def help_seconds(runs: int) -> list[float]:
    """Seconds of ``palate --help``."""
    return [_process_seconds("-m", "palate", "--help") for _ in range(runs)]


def first_question_seconds(runs: int) -> list[float]:
    """Seconds from starting ``palate demo`` on a pseudo-terminal to its first question.

    Raises:
        OSError: the platform has no pseudo-terminals.
    """
    return [_first_question() for _ in range(runs)]


def startup_rows(runs: int) -> list[list[str]]:
    """Table rows: what was started, runs, median and slowest in seconds."""
    measured = {
        "import palate": import_seconds(runs),
        "palate --help": help_seconds(runs),
        "palate demo, to the first question": first_question_seconds(runs),
    }
    return [
        [name, str(runs), f"{median(seconds):.2f}", f"{max(seconds):.2f}"]
        for name, seconds in measured.items()
    ]


def _process_seconds(*arguments: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)  # noqa: S603
    return time.perf_counter() - began


def _first_question() -> float:
    import pty  # noqa: PLC0415
    import tempfile  # noqa: PLC0415

    with tempfile.TemporaryDirectory() as state:
        environment = os.environ | {"XDG_STATE_HOME": state, "TERM": "xterm"}
        outer, inner = pty.openpty()
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "palate", "demo"],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=environment,
            start_new_session=True,
        )
        os.close(inner)
        screen = b""
        while b"question 1" not in screen:
            screen += os.read(outer, 4096)
        elapsed = time.perf_counter() - began
        process.kill()
        process.wait()
        os.close(outer)
    return elapsed
