"""Files of the experiments on priors: rows as CSV, and the share of the best by answers."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from palate._figure import figure_class
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from palate.bench.priors import Arm


def write_arms(folder: Path, name: str, title: str, arms: Sequence[Arm]) -> None:
    """Write ``name.csv``, a row a method, person and t, and ``name.png`` with 95 % bands.

    Raises:
        ParameterError: the folder cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(("method", "person", "t", "share", "best", "win"))
            for arm in arms:
                for person, t in np.ndindex(*arm.shares.shape):
                    values = (arm.shares, arm.best, arm.wins)
                    cells = (f"{table[person, t]:.6g}" for table in values)
                    rows.writerow((arm.name, person, t, *cells))
        _draw(folder / f"{name}.png", title, arms)
    except OSError as error:
        msg = f"cannot write to {folder}: {error.strerror or error}"
        raise ParameterError(msg) from error


def _draw(path: Path, title: str, arms: Sequence[Arm]) -> None:
    figure = figure_class()(figsize=(7.0, 4.5), layout="constrained")
    axes = figure.subplots()
    for arm in arms:
        t = np.arange(arm.shares.shape[1])
        mean = arm.shares.mean(axis=0)
        reach = 1.96 * arm.shares.std(axis=0, ddof=1) / np.sqrt(len(arm.shares))
        [line] = axes.plot(t, mean, label=arm.name)
        band = (mean - reach, mean + reach)
        axes.fill_between(t, *band, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set(
        title=title, xlabel="answers", ylabel="share of the range of utilities", ylim=(None, 1)
    )
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)
