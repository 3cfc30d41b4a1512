"""A training that was interrupted, as a file."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from palate.population._tensor_file import of_optimiser, part, read, to_optimiser, write
from palate.population.fit import Step

if TYPE_CHECKING:
    from pathlib import Path

    from palate.population._training import Run


def save(run: Run, path: Path, fingerprint: str) -> None:
    """Write where a run stands, whole or not at all.

    Raises:
        ModelError: the file cannot be written.
    """
    header = {
        "history": [asdict(step) for step in run.history],
    }
    tensors = {f"head.{key}": value for key, value in run.head.state_dict().items()}
    tensors |= {f"best.{key}": value for key, value in (run.best or {}).items()}
    tensors["rng"] = run.rng.get_state()
    write(path, fingerprint, header, tensors | of_optimiser(run.optimiser))


def load(run: Run, path: Path, fingerprint: str) -> None:
    """Bring a run to where it stood; where there is no file, leave it at its beginning.

    Raises:
        ParameterError: the file is of another training.
        ModelError: it is damaged.
    """
    found = read(path, fingerprint)
    if found is None:
        return
    header, tensors = found
    run.head.load_state_dict(part(tensors, "head"))
    run.best = part(tensors, "best") or None
    run.history = [Step(**step) for step in header["history"]]
    run.rng.set_state(tensors["rng"])
    to_optimiser(run.optimiser, tensors)
