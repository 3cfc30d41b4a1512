"""Figures of the experiments about diverse people: means over seeds, and bands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate._figure import figure_class

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from palate.bench.diversity import Panel

_FEW = 10  # places, which are marked


def plot_panels(path: Path, panels: Sequence[Panel], *, standard_error: bool = False) -> None:
    """Draw panels beside each other; bands are a standard deviation over seeds to either side.

    Args:
        path: a picture to write; its ending names the format.
        panels: one or more.
        standard_error: bands of a standard error of the mean instead.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = figure_class()(figsize=(5.0 * len(panels), 4.0), layout="constrained")
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name, (places, values) in panel.lines.items():
            mean, spread = values.mean(axis=0), values.std(axis=0)
            if standard_error and len(values) > 1:
                spread = values.std(axis=0, ddof=1) / np.sqrt(len(values))
            shown = mean > 0.0 if "y" in panel.log else np.ones(len(mean), dtype=bool)
            marker = "o" if len(places) < _FEW else ""
            (line,) = axes.plot(places[shown], mean[shown], label=name, marker=marker)
            low = np.maximum(mean - spread, 0.1 * mean) if "y" in panel.log else mean - spread
            band = (low[shown], (mean + spread)[shown])
            axes.fill_between(places[shown], *band, color=line.get_color(), alpha=0.2, linewidth=0)
        axes.set(title=panel.title, xlabel=panel.x, ylabel=panel.y)
        if "x" in panel.log:
            axes.set_xscale("log")
        if "y" in panel.log:
            axes.set_yscale("log")
        axes.legend(fontsize="small")
    figure.savefig(path, dpi=110)
