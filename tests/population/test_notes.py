"""Notes kept with a saved model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from palate.errors import ModelError, ParameterError
from palate.population import LoRe, from_pretrained, read_notes, save_pretrained

if TYPE_CHECKING:
    from pathlib import Path

MODEL = LoRe(basis=np.ones((3, 1)))


def test_notes_come_back_and_the_model_does_not_mind_them(tmp_path: Path) -> None:
    notes = {"features": {"embedder": "static"}, "seed": 3, "none": None}
    save_pretrained(MODEL, tmp_path, notes=notes)
    assert read_notes(tmp_path) == notes
    assert from_pretrained(tmp_path).kind == "lore"
    save_pretrained(MODEL, tmp_path)
    assert read_notes(tmp_path) == {}


def test_a_model_saved_before_there_were_notes_has_none(tmp_path: Path) -> None:
    save_pretrained(MODEL, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    del config["notes"]
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert read_notes(tmp_path) == {}


def test_notes_that_are_no_json_and_folders_without_a_model(tmp_path: Path) -> None:
    for notes in ({"a": np.ones(2)}, {"a": float("nan")}):
        with pytest.raises(ParameterError, match="the notes of a model are JSON"):
            save_pretrained(MODEL, tmp_path / "m", notes=notes)
    assert not (tmp_path / "m").exists()
    with pytest.raises(ModelError, match="no model of a population in"):
        read_notes(tmp_path / "m")
