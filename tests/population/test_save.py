from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from population_cases import VARIANTS, Variant, every_variant, make_data, make_model

from palate.errors import ModelError, ParameterError
from palate.population import LoRe, PalA, PopulationModel, Projector
from palate.population.reward import PersonReward, person_reward
from palate.population.save import from_pretrained, save_pretrained

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from palate._typing import FloatArray

LORE = Variant("lore")


def same(one: object, two: object) -> bool:
    """Equal to the last bit and in the type of its numbers."""
    if isinstance(one, np.ndarray) and isinstance(two, np.ndarray):
        return one.dtype == two.dtype and one.shape == two.shape and one.tobytes() == two.tobytes()
    if isinstance(one, tuple) and isinstance(two, tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, Projector) and isinstance(two, Projector):
        return all(same(getattr(one, f.name), getattr(two, f.name)) for f in fields(one))
    return type(one) is type(two) and one == two


@every_variant
def test_every_model_comes_back_to_the_last_bit(variant: Variant, tmp_path: Path) -> None:
    model = make_model(variant)
    model.save_pretrained(tmp_path / "a" / "model")
    back = PopulationModel.from_pretrained(tmp_path / "a" / "model")
    assert type(back) is type(model)
    for field in fields(model):
        assert same(getattr(back, field.name), getattr(model, field.name)), field.name
    data = make_data(variant)
    assert same(back.margins(data), model.margins(data))


def test_arrays_in_any_layout_and_precision(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    basis = rng.normal(size=(3, 4)).T  # its bytes lie in the other order
    assert not basis.flags.c_contiguous
    arrays: list[Any] = [basis, rng.normal(size=(8, 6))[::2, ::2], basis.astype(np.float32)]
    for array in arrays:
        save_pretrained(LoRe(basis=array, weights=np.zeros((0, array.shape[1]))), tmp_path)
        back = from_pretrained(tmp_path)
        assert isinstance(back, LoRe)
        assert same(back.basis, np.ascontiguousarray(array))
        assert back.people == ()


def test_saving_again_replaces_the_model_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    for variant in VARIANTS[:3]:
        save_pretrained(make_model(variant), tmp_path)
        names = sorted(path.name for path in tmp_path.iterdir())
        assert len(names) == 3
        assert names[:2] == ["README.md", "config.json"]
        assert names[2].endswith(".safetensors")
    save_pretrained(make_model(VARIANTS[2]), tmp_path)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("dies_at", [1, 2])
def test_a_process_that_dies_leaves_the_old_model(
    dies_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = make_model(LORE, seed=0), make_model(LORE, seed=1)
    save_pretrained(old, tmp_path)
    replace_file = type(tmp_path).replace
    calls = []

    def dying(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == dies_at:
            raise OSError(28, "No space left on device")
        return replace_file(path, target)

    monkeypatch.setattr(type(tmp_path), "replace", dying)
    with pytest.raises(ModelError, match=r"cannot save the model in .*: No space left on device"):
        save_pretrained(new, tmp_path)
    monkeypatch.undo()
    back = from_pretrained(tmp_path)
    assert same(back.weights, old.weights)
    assert not list(tmp_path.glob(".palate-*"))


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot save"):
        save_pretrained(make_model(LORE), tmp_path / "file")


def test_only_models_of_palate_are_saved(tmp_path: Path) -> None:
    class Mine(LoRe):
        pass

    with pytest.raises(ParameterError, match="not Mine"):
        save_pretrained(Mine(basis=np.eye(2), weights=np.zeros((0, 2))), tmp_path)
    assert not list(tmp_path.iterdir())


def _edit(key: str, value: Any) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text())
        place = config
        *path, last = key.split("/")
        for part in path:
            place = place[part]
        place[last] = value
        (folder / "config.json").write_text(json.dumps(config))

    return edit


def _tensors(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def edit(folder: Path) -> None:
        (file,) = folder.glob("*.safetensors")
        file.write_bytes(change(file.read_bytes()))

    return edit


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no model of a population"),
        (lambda folder: (folder / "config.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "config.json").write_text("[" * 10_000), "not JSON"),
        (lambda folder: (folder / "config.json").write_bytes(b"\xff"), "not JSON"),
        (lambda folder: (folder / "config.json").write_text("[]"), "does not describe"),
        (lambda folder: (folder / "config.json").write_text('{"model_type": "opt"}'), "does not"),
        (_edit("tensors", "../other/model.safetensors"), "does not describe"),
        (_edit("format", 2), "format 2, and this palate .* install palate .* or newer"),
        (_edit("format", "one"), "does not describe"),
        (_edit("kind", "pal-z"), "unknown kind 'pal-z', not one of pal-a, pal-b, lore"),
        (_edit("kind", ["pal-a"]), "unknown kind"),
        (_edit("kind", "lore"), "damaged"),
        (_edit("settings", {}), "damaged"),
        (_edit("settings", []), "damaged"),
        (_edit("settings/power", 3), "damaged: ideal is one of"),
        (_edit("settings/ideal", "P w"), "damaged: ideal is one of"),
        (_edit("settings/people", ["ann"]), "damaged: 1 people and 3 prototypes"),
        (_edit("settings/people", ["ann"] * 4), "damaged: people must have different names"),
        (_edit("settings/people", [1, 2, 3, 4]), "damaged: .*names"),
        (_edit("settings/colour", "red"), "damaged: .*colour"),
        (_edit("settings/f", {}), "damaged"),
        (_edit("settings/f", None), "damaged"),
        (_edit("settings/f/activation", "tanh"), "damaged: the activation"),
        (_edit("settings/f/biases", [True]), "damaged"),
        (lambda folder: next(folder.glob("*.safetensors")).unlink(), "damaged: model-"),
        (_tensors(lambda data: data[:-1]), "not the file that was saved"),
        (_tensors(lambda data: data[:-1] + bytes([data[-1] ^ 1])), "not the file that was saved"),
        (_tensors(lambda _: b""), "not the file that was saved"),
    ],
)
def test_damage_is_one_clear_error(
    damage: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    save_pretrained(make_model(VARIANTS[0]), tmp_path)
    damage(tmp_path)
    with pytest.raises(ModelError, match=message) as caught:
        from_pretrained(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_model_of_another_kind_is_not_passed_off(tmp_path: Path) -> None:
    save_pretrained(make_model(LORE), tmp_path)
    assert isinstance(LoRe.from_pretrained(tmp_path), LoRe)
    with pytest.raises(ModelError, match="kind lore; load it as a PopulationModel"):
        PalA.from_pretrained(tmp_path)


@every_variant
def test_a_persons_reward_is_theirs_and_knows_nobody_else(variant: Variant, tmp_path: Path) -> None:
    model = make_model(variant)
    data = make_data(variant, people=("bob",))
    reward = person_reward(model, "bob")
    reward.save_pretrained(tmp_path)
    for mine in (reward, PersonReward.from_pretrained(tmp_path)):
        prompts = None if data.prompts is None else data.prompts[data.prompt]
        first, second = data.items[data.chosen], data.items[data.rejected]
        gained = mine(first, prompts) - mine(second, prompts)
        np.testing.assert_allclose(gained, model.margins(data), atol=1e-12)
        np.testing.assert_allclose(
            mine.predict_proba(first, second, prompts), model.predict_proba(data), atol=1e-12
        )
        assert mine.model.people == ("bob",)
        assert same(mine.weights, model.weights_of("bob"))
    assert "ann" not in (tmp_path / "config.json").read_text()


def test_the_reward_of_somebody_located(tmp_path: Path) -> None:
    model = make_model(LORE)
    w = np.array([0.2, 0.3, 0.5])
    reward = person_reward(model, "zoe", w)
    items = np.random.default_rng(0).normal(size=(5, 4))
    np.testing.assert_allclose(reward(items), model.rewards(w, items))
    for bad in (np.array([0.5, 0.5]), np.array([0.5, 0.5, 0.5]), np.array([-1.0, 1.0, 1.0])):
        with pytest.raises(ParameterError, match="weights"):
            person_reward(model, "zoe", bad)
    with pytest.raises(ParameterError, match="'zoe'"):
        person_reward(model, "zoe")
    with pytest.raises(ParameterError, match="knows 4 people"):
        PersonReward(model)
    save_pretrained(model, tmp_path)
    with pytest.raises(ParameterError, match="knows 4 people"):
        PersonReward.from_pretrained(tmp_path)


def _weights(values: FloatArray) -> PopulationModel:
    return replace(make_model(LORE), weights=values)


def test_the_weights_saved_are_points_of_the_simplex() -> None:
    good = make_model(LORE).weights
    assert _weights(good.astype(np.float32)).weights.dtype == np.float32
    for bad in (good * 2, good - 0.5, np.where(good == good[1, 1], np.nan, good)):
        with pytest.raises(ParameterError, match="sum to 1"):
            _weights(bad)
