"""The house rules that a machine can check: linting, formatting, types, imports between rooms."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "palate"

MAY_IMPORT = {
    "errors": set(),
    "feedback": {"errors", "pool"},
    "pool": {"errors", "embed"},
    "chat": {"errors"},
    "embed": {"chat", "errors", "pool"},
    "data": {"errors", "formats", "pool"},
    "preference": {"errors", "pool"},
    "strategies": {"errors", "feedback", "pool", "preference"},
    "elicitation": {"errors", "feedback", "pool", "strategies"},
    "wording": {"elicitation", "pool"},
    "people": {"chat", "errors", "feedback", "pool"},
    "generate": {"chat", "elicitation", "errors", "feedback", "pool"},
    "formats": {"errors", "feedback", "pool"},
    "profile": {
        "elicitation",
        "embed",
        "errors",
        "feedback",
        "formats",
        "pool",
        "preference",
        "strategies",
    },
    "population": {"errors", "feedback", "pool", "preference"},
    "serve": {
        "chat",
        "elicitation",
        "embed",
        "errors",
        "feedback",
        "formats",
        "generate",
        "pool",
        "population",
        "preference",
        "store",
        "strategies",
        "wording",
    },
    "store": {
        "elicitation",
        "errors",
        "feedback",
        "formats",
        "pool",
        "population",
        "preference",
        "profile",
        "strategies",
    },
    "diversity": {"errors", "feedback", "pool", "preference", "population"},
    "design": {"chat", "embed", "errors", "feedback", "people", "pool", "preference"},
}
"""Downward only; every room may use the private helpers, and bench and cli may use every room."""


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check"),
        ("ruff", "format", "--check"),
        ("mypy",),
    ],
    ids=" ".join,
)
def test_tools_are_content(command: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_rooms_import_downward_only(room: str) -> None:
    folder = SOURCE / room
    files = folder.rglob("*.py") if folder.is_dir() else [SOURCE / f"{room}.py"]
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            modules = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                modules = [node.module or ""]
            for module in modules:
                parts = module.split(".")
                if parts[0] == "palate" and len(parts) > 1 and not parts[1].startswith("_"):
                    assert parts[1] in MAY_IMPORT[room] | {room}, f"{file}: {module}"


def test_readme_and_ci_run_the_same_test_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = 'pip install -c constraints.txt -e ".[test]" && pytest'
    assert command in readme
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_every_test_named_in_the_paper_index_exists() -> None:
    index = (ROOT / "docs" / "paper_index.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/]+(?:\.py)?/?)`", index))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
