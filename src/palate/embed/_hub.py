"""Where a model's files are: a folder, or a model hub where somebody asked for one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from palate.errors import ModelError, ParameterError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence

_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def model_folder(
    path_or_name: str | os.PathLike[str],
    wanted: Sequence[str],
    missing: Callable[[Path], str | None],
) -> Path:
    """The folder of a model; one from the hub is downloaded unless it has been before.

    Args:
        path_or_name: a folder, which is never looked for anywhere else, or a hub's "org/name".
        wanted: patterns of the files to download.
        missing: what a folder lacks to be such a model, or None.

    Raises:
        ParameterError: it is neither a folder nor a name that a hub could know.
        ModelError: the folder holds no such model, or the hub did not give it.
    """
    path, name = Path(path_or_name), str(path_or_name)
    if path.is_dir():
        folder = path.resolve()
    elif _HUB_NAME.fullmatch(name):
        folder = _from_hub(name, wanted, missing)
    else:
        msg = (
            f"there is no model folder {name!r}; give one, "
            "or a name on the model hub, of the form org/name"
        )
        raise ParameterError(msg)
    lack = missing(folder)
    if lack is not None:
        msg = f"{name} is not a model of this kind: {lack} is missing"
        raise ModelError(msg)
    return folder


def _from_hub(name: str, wanted: Sequence[str], missing: Callable[[Path], str | None]) -> Path:
    import httpx  # noqa: PLC0415
    from huggingface_hub import constants, snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415

    def snapshot(*, local: bool) -> Path:
        return Path(snapshot_download(name, allow_patterns=list(wanted), local_files_only=local))

    try:
        folder = snapshot(local=True)
        if constants.HF_HUB_OFFLINE or missing(folder) is None:
            return folder
    except LocalEntryNotFoundError as error:
        if constants.HF_HUB_OFFLINE:
            msg = (
                f"there is no folder {name!r}, no model {name!r} was downloaded before, and "
                "HF_HUB_OFFLINE forbids to download it; unset that, or give a folder"
            )
            raise ModelError(msg) from error
    try:
        return snapshot(local=False)
    except (OSError, ValueError, httpx.HTTPError) as error:
        cause = error.__cause__ if isinstance(error, LocalEntryNotFoundError) else None
        said = " ".join(str(cause or error).split())
        msg = (
            f"there is no folder {name!r}, and the model hub did not give the model "
            f"({said if len(said) <= 200 else said[:197] + '...'}); "
            "check its name and the network, or give a folder"
        )
        raise ModelError(msg) from error
