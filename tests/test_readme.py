"""The Python of the README and the docs runs as it stands; its model server is one of our own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate import SimulatedPerson
from palate.chat import OpenAIModel
from palate.data import shipped_texts
from palate.embed import default_embedder
from palate.formats import read_people
from palate.population import fit_lore, from_comparisons

if TYPE_CHECKING:
    from palate.bench.fake_server import FakeServer

PAGES = ("README.md", "docs/design.md", "docs/diversity.md", "docs/priors.md")
BLOCKS = [
    pytest.param(page, block, id=f"{page}: {block.splitlines()[0]}")
    for page in PAGES
    for block in re.findall(
        r"```python\n(.*?)```",
        (Path(__file__).parents[1] / page).read_text(encoding="utf-8"),
        re.DOTALL,
    )
]


def test_there_are_blocks() -> None:
    assert {block.values[0] for block in BLOCKS} == set(PAGES)


@pytest.mark.parametrize(("page", "block"), BLOCKS)
def test_block_runs(
    page: str, block: str, server: FakeServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def reply(body: dict[str, Any], number: int) -> str:
        if "Which of the" in body["messages"][-1]["content"]:
            return "1"
        interests = "\n".join(f"- interest {number}-{i}" for i in range(10))
        return interests if body["temperature"] == 0.8 else f"Cook dish number {number}."

    server.reply = reply
    monkeypatch.setattr("builtins.input", lambda _: "0")
    monkeypatch.chdir(tmp_path)
    _write_preferences(tmp_path / "preferences.jsonl")
    block = block.replace("http://localhost:11434/v1", server.url)
    given: dict[str, Any] = {
        "texts": ["Fish, fried.", "Rice and peas.", "A salad of beans."],
        "person": SimulatedPerson(np.ones(64)),
    }
    if page == "docs/diversity.md":
        answers, _ = from_comparisons(read_people("preferences.jsonl"), default_embedder())
        given |= {"model": fit_lore(answers, k=2).model, "answers": answers, "served": None}
    exec(compile(block, page, "exec"), given)  # noqa: S102
    if isinstance(model := given.get("model"), OpenAIModel):
        model.close()


def _write_preferences(path: Path) -> None:
    """Simulated people, each of whom likes long texts or short ones."""
    rng = np.random.default_rng(0)
    texts = [r.text or "" for r in shipped_texts("cook").responses]
    with path.open("w", encoding="utf-8") as file:
        for person in range(12):
            for _ in range(15):
                short, long = sorted(rng.choice(texts, size=2, replace=False).tolist(), key=len)
                chosen, rejected = (short, long) if person % 2 else (long, short)
                row = {"prompt": "Dinner?", "chosen": chosen, "rejected": rejected}
                file.write(json.dumps(row | {"user_id": f"person {person}"}) + "\n")
