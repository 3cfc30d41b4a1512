"""What an import costs, and what it must not pull in."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

import palate


def fastest(*arguments: str) -> float:
    """Seconds of the fastest of five runs, less those of an interpreter that does nothing."""

    def once(command: tuple[str, ...]) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        return time.perf_counter() - began

    return min(once(arguments) for _ in range(5))


def test_import_is_light() -> None:
    assert fastest("-c", "import palate") < 0.3


def test_help_comes_soon() -> None:
    assert fastest("-m", "palate", "--help") < 0.5


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import palate", ("numpy", "scipy", "typer", "rich", "model2vec", "torch")),
        ("import palate.cli", ("numpy", "scipy", "rich.console", "model2vec", "torch", "cvxpy")),
        ("import palate.formats", ("pyarrow", "model2vec", "typer")),
        ("from palate import open_store", ("sqlalchemy", "psycopg", "model2vec", "typer")),
        ("from palate import Elicitation, UserAlign", ("model2vec", "torch", "typer", "cvxpy")),
        (
            "from palate import shipped_pool; shipped_pool('cook')",
            ("torch", "typer", "cvxpy", "requests", "httpx", "huggingface_hub.file_download"),
        ),
    ],
)
def test_heavy_modules_wait_until_they_are_needed(statement: str, absent: tuple[str, ...]) -> None:
    program = f"{statement}\nimport sys\nprint([m for m in {absent!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    for name in palate.__all__:
        assert getattr(palate, name).__name__ == name
    assert set(palate.__all__) <= set(dir(palate))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        palate.nothing  # noqa: B018
