"""The page on the store does what it says."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from palate.pool import Response

PAGE = Path(__file__).parents[2] / "docs" / "store.md"


def blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def test_its_example_and_its_query_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown: list[tuple[Response, ...]] = []

    def show(responses: tuple[Response, ...]) -> int:
        shown.append(responses)
        return 0

    (example,) = blocks("python")
    said: dict[str, Any] = {"texts": ["Soup.", "Pasta.", "Salad, again."], "show": show}
    exec(example, said)  # noqa: S102 - our own page
    assert len(said["rows"]) == len(shown) > 0
    (query,) = blocks("sql")
    with contextlib.closing(sqlite3.connect("answers.db")) as connection:
        assert connection.execute(query).fetchall() == [("ann", len(shown), 2300.0)]
