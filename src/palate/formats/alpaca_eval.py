"""The outputs of many models as AlpacaEval keeps them: MODEL/model_outputs.json."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from palate.errors import PoolError
from palate.formats._files import cannot
from palate.pool import Pool, Response, unique_responses


def read_alpaca_eval(folder: str | Path) -> list[Pool]:
    """Read a folder of AlpacaEval's results: one pool an instruction, one response a model.

    Each ``MODEL/model_outputs.json`` is a list of objects with ``instruction`` and ``output``;
    MODEL becomes the response's id, other keys its metadata. Outputs that are blank, and those
    that another model or an earlier line gave already, are dropped. Instructions that are left
    with fewer than two responses are no pools; a warning says how many there were.

    Raises:
        PoolError: the folder holds no such file, or one cannot be read; or no pool is left.
    """
    folder = Path(folder)
    files = sorted(folder.glob("*/model_outputs.json"))
    if not files:
        msg = f"cannot read {folder}: a folder of pools holds MODEL/model_outputs.json, this none"
        raise PoolError(msg)
    found: dict[str, dict[str, Response]] = {}
    for file in files:
        model = file.parent.name
        for number, item in enumerate(_outputs(file), start=1):
            responses = found.setdefault(_text(item, "instruction", file, number), {})
            output = _text(item, "output", file, number)
            if output.strip() and model not in responses:
                rest = {k: v for k, v in item.items() if k not in {"instruction", "output"}}
                responses[model] = Response(model, output, metadata=rest)
    distinct = {prompt: unique_responses(by.values()) for prompt, by in found.items()}
    pools = [Pool(prompt, kept) for prompt, kept in distinct.items() if len(kept) > 1]
    if not pools:
        msg = f"no instruction in {folder} has two different outputs; add another model's folder"
        raise PoolError(msg)
    if len(pools) < len(distinct):
        few = len(distinct) - len(pools)
        warnings.warn(
            f"{few} of {len(distinct)} instructions in {folder} have fewer than two different "
            "outputs and are left out",
            stacklevel=2,
        )
    return pools


def _outputs(file: Path) -> list[Any]:
    try:
        outputs = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise cannot("read", file, error, PoolError) from error
    if not isinstance(outputs, list):
        msg = f"{file}: expected a list of outputs, not {type(outputs).__name__}"
        raise PoolError(msg)
    return outputs


def _text(item: Any, key: str, file: Path, number: int) -> str:  # noqa: ANN401 - from a file
    value = item.get(key) if isinstance(item, dict) else None
    if not isinstance(value, str):
        msg = f"{file}, output {number}: {key!r} is not a text"
        raise PoolError(msg)
    return value
