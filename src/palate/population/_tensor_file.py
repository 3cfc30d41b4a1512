"""Where a training stands, as one file: tensors, and JSON in the file's header."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from palate._beside import beside
from palate.errors import ModelError, ParameterError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

FORMAT = 1


def write(
    path: Path, fingerprint: str, header: dict[str, Any], tensors: dict[str, torch.Tensor]
) -> None:
    """Write a file whole or not at all.

    Args:
        path: in a folder that is made where there is none; a file in its place is replaced.
        fingerprint: of all that the training depends on but for its length.
        header: what JSON can hold.
        tensors: by name, on any device; no two may share their memory.

    Raises:
        ModelError: the file cannot be written.
    """
    header = {**header, "format": FORMAT, "fingerprint": fingerprint}
    text = {"palate": json.dumps(header, allow_nan=False)}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside(path) as name:
            save_file({key: t.detach().contiguous() for key, t in tensors.items()}, name, text)
            with name.open("rb+") as file:
                os.fsync(file.fileno())
    except (OSError, SafetensorError) as error:
        said = getattr(error, "strerror", None) or " ".join(str(error).split())
        msg = f"cannot save the checkpoint {path}: {said}"
        raise ModelError(msg) from error


def read(path: Path, fingerprint: str) -> tuple[dict[str, Any], dict[str, torch.Tensor]] | None:
    """The header and the tensors of a file; None where there is no file.

    Raises:
        ParameterError: the file is of another training.
        ModelError: it is damaged.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {})["palate"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, KeyError) as error:
        said = " ".join(str(error).split())
        msg = f"the checkpoint {path} is damaged: {said}; remove it to begin anew"
        raise ModelError(msg) from error
    if header.get("format") != FORMAT or header.get("fingerprint") != fingerprint:
        msg = (
            f"the checkpoint {path} is of another training, with other data or settings: name "
            "another file, or remove it to begin anew"
        )
        raise ParameterError(msg)
    return header, tensors


def part(tensors: dict[str, torch.Tensor], name: str) -> dict[str, torch.Tensor]:
    """Those whose names begin with ``name.``, by the rest of their names."""
    start = f"{name}."
    return {k.removeprefix(start): t for k, t in tensors.items() if k.startswith(start)}


def of_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """What an optimiser remembers, by ``optimiser.<parameter>.<name>``."""
    return {
        f"optimiser.{number}.{key}": value
        for number, state in optimiser.state_dict()["state"].items()
        for key, value in state.items()
    }


def to_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """Make it remember what :func:`of_optimiser` gave."""
    states: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in part(tensors, "optimiser").items():
        number, _, key = name.partition(".")
        states.setdefault(int(number), {})[key] = tensor
    groups = optimiser.state_dict()["param_groups"]
    optimiser.load_state_dict({"state": states, "param_groups": groups})
