"""Models of a population as files: safetensors for the arrays, JSON for all else.

A folder holds ``config.json`` and the tensors that it names by their digest. The new tensors are
written first and the config takes the place of the old one at once, so that a folder always holds
one whole model, whenever a process dies.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from palate import __version__
from palate._beside import beside
from palate._cache import digest
from palate.errors import ModelError, ParameterError
from palate.population.model import LoRe, PalA, PalB, PopulationModel
from palate.population.projector import Projector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from palate._typing import FloatArray

FORMAT = 1
"""Version of the format; a model of a newer one is refused."""

CONFIG = "config.json"

_KINDS: dict[str, type[PopulationModel]] = {cls.kind: cls for cls in (PalA, PalB, LoRe)}
_TENSORS = re.compile(r"model-[0-9a-f]{16}\.safetensors")


def save_pretrained(
    model: PopulationModel, folder: str | Path, *, notes: Mapping[str, Any] | None = None
) -> None:
    """Save a model; :func:`from_pretrained` gives it back to the last bit.

    Args:
        model: a PalA, PalB or LoRe.
        folder: made where there is none; a model in it is replaced, other files are left alone.
        notes: what else belongs to the model, such as the embedder that made its features; JSON,
            given back by :func:`read_notes`.

    Raises:
        ParameterError: the model is of another class, or the notes are no JSON.
        ModelError: the folder cannot be written.
    """
    settings, payload = _whole(model)
    checksum = hashlib.sha256(payload).hexdigest()
    name = f"model-{checksum[:16]}.safetensors"
    config = {
        "format": FORMAT,
        "palate": __version__,
        "kind": model.kind,
        "tensors": name,
        "sha256": checksum,
        "settings": settings,
        "notes": dict(notes or {}),
    }
    try:
        written = json.dumps(config, indent=1, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        msg = f"the notes of a model are JSON: {error}"
        raise ParameterError(msg) from error
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _replace(folder / name, payload)
        _replace(folder / CONFIG, written)
        for file in folder.iterdir():
            if _TENSORS.fullmatch(file.name) and file.name != name:
                file.unlink()
    except OSError as error:
        msg = f"cannot save the model in {folder}: {error.strerror or error}"
        raise ModelError(msg) from error


def fingerprint(model: PopulationModel) -> str:
    """What tells a model from every other: its kind, its settings, each bit of its arrays.

    Raises:
        ParameterError: the model is none that can be saved.
    """
    settings, payload = _whole(model)
    return digest(model.kind, json.dumps(settings), hashlib.sha256(payload).hexdigest())


def _whole(model: PopulationModel) -> tuple[dict[str, Any], bytes]:
    """A model as JSON and as bytes."""
    from safetensors.numpy import save  # noqa: PLC0415 - slow to import

    if _KINDS.get(model.kind) is not type(model):
        msg = f"only {', '.join(_KINDS)} can be saved, not {type(model).__name__}"
        raise ParameterError(msg)
    tensors: dict[str, FloatArray] = {}
    settings = {
        field.name: _packed(getattr(model, field.name), field.name, tensors)
        for field in dataclasses.fields(model)
    }
    return settings, save(tensors)


def from_pretrained(folder: str | Path) -> PopulationModel:
    """Load the model that :func:`save_pretrained` put into a folder.

    Raises:
        ModelError: there is no model, it is damaged, or its format is newer than this palate.
    """
    from safetensors.numpy import load  # noqa: PLC0415 - slow to import

    folder = Path(folder)
    config = _config(folder)
    name = config["tensors"]
    try:
        payload = (folder / name).read_bytes()
    except OSError as error:
        msg = f"the model in {folder} is damaged: {name}: {error.strerror or error}"
        raise ModelError(msg) from error
    if hashlib.sha256(payload).hexdigest() != config.get("sha256"):
        msg = f"the model in {folder} is damaged: {name} is not the file that was saved"
        raise ModelError(msg)
    try:
        tensors = load(payload)
        settings = {
            key: _unpacked(value, key, tensors) for key, value in config["settings"].items()
        }
        return _KINDS[config["kind"]](**settings)
    except Exception as error:  # whatever a config that somebody edited leads to
        said = " ".join(str(error).split()) or type(error).__name__
        msg = f"the model in {folder} is damaged: {said}"
        raise ModelError(msg) from error


def read_notes(folder: str | Path) -> dict[str, Any]:
    """The notes that a model was saved with; empty where there are none.

    Raises:
        ModelError: there is no model, it is damaged, or its format is newer than this palate.
    """
    notes = _config(Path(folder)).get("notes")
    return notes if isinstance(notes, dict) else {}


def _config(folder: Path) -> dict[str, Any]:
    config = read_config(
        folder,
        CONFIG,
        "model of a population",
        FORMAT,
        lambda found: _TENSORS.fullmatch(str(found.get("tensors"))) is not None,
    )
    if str(config.get("kind")) not in _KINDS:
        known = ", ".join(_KINDS)
        msg = f"the model in {folder} is of unknown kind {config.get('kind')!r}, not one of {known}"
        raise ModelError(msg)
    return config


def read_config(
    folder: Path, name: str, what: str, newest: int, fits: Callable[[dict[str, Any]], bool]
) -> dict[str, Any]:
    """What a saved model says of itself.

    Args:
        folder: of the model.
        name: of the JSON file in it.
        what: the model is, in words.
        newest: format that this palate reads.
        fits: whether an object describes such a model.

    Raises:
        ModelError: there is no model, it is damaged, or its format is newer than this palate.
    """
    try:
        config = json.loads((folder / name).read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"no {what} in {folder}: {name}: {error.strerror or error}"
        raise ModelError(msg) from error
    except (ValueError, RecursionError) as error:
        msg = f"the model in {folder} is damaged: {name} is not JSON ({error})"
        raise ModelError(msg) from error
    version = config.get("format") if isinstance(config, dict) else None
    if not isinstance(version, int) or not fits(config):
        msg = f"{folder / name} does not describe a {what} saved by palate"
        raise ModelError(msg)
    if version > newest:
        msg = (
            f"the model in {folder} has format {version}, and this palate ({__version__}) reads "
            f"{newest}: install palate {config.get('palate')} or newer"
        )
        raise ModelError(msg)
    return dict(config)


def _packed(value: object, name: str, tensors: dict[str, FloatArray]) -> Any:  # noqa: ANN401
    """A field as JSON, None for an array; arrays go among the tensors."""
    if isinstance(value, np.ndarray):
        tensors[name] = np.ascontiguousarray(value)  # safetensors writes the bytes as they lie
        return None
    if isinstance(value, Projector):
        for i, (weight, bias) in enumerate(zip(value.weights, value.biases, strict=True)):
            _packed(weight, f"{name}.{i}.weight", tensors)
            _packed(bias, f"{name}.{i}.bias", tensors)
        return {
            "biases": [bias is not None for bias in value.biases],
            "activation": value.activation,
            "residual": value.residual,
        }
    if isinstance(value, tuple):
        return [_packed(part, f"{name}.{i}", tensors) for i, part in enumerate(value)]
    return value


def _unpacked(value: Any, name: str, tensors: dict[str, FloatArray]) -> Any:  # noqa: ANN401
    if isinstance(value, list):
        return tuple(_unpacked(part, f"{name}.{i}", tensors) for i, part in enumerate(value))
    if isinstance(value, dict):
        biases = value["biases"]
        return Projector(
            tuple(tensors[f"{name}.{i}.weight"] for i in range(len(biases))),
            tuple(tensors[f"{name}.{i}.bias"] if has else None for i, has in enumerate(biases)),
            value["activation"],
            value["residual"],
        )
    return tensors[name] if value is None else value


def _replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with beside(path) as name, name.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
