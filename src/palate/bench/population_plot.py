"""People and prototypes as PAL-A finds them in two dimensions (Fig. 5a and D.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from palate._figure import figure_class
from palate.population.linear import fit_pal_a
from palate.population.simulate import simulate_population

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from palate.population.model import PalA

_MIXTURES = ("softmax", "partition")


def plot_ideal_points(
    path: Path, ks: Sequence[int], settings: Mapping[str, Any], seed: int
) -> None:
    """Draw true and learned ideal points of seen people, a panel a K and a kind of population.

    They are drawn in the space of the items, where a full linear map leaves nothing open but how
    far outside the people the prototypes lie.

    Args:
        path: a picture to write; its ending names the format.
        ks: numbers of prototypes to fit.
        settings: of :func:`palate.population.simulate.simulate_population`; d is 2.
        seed: of the populations and fits.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    shape = (len(_MIXTURES), len(ks))
    figure = figure_class()(figsize=(4 * shape[1], 4 * shape[0]), layout="constrained")
    panels = figure.subplots(*shape, squeeze=False, sharex="row", sharey="row")
    for row, mixture in zip(panels, _MIXTURES, strict=True):
        varied = {**settings, "d": 2, "mixture": mixture, "unseen": 0}
        population = simulate_population(**varied, seed=seed)
        for panel, k in zip(row, ks, strict=True):
            panel.set_title(f"{mixture}, K = {k}")
            _draw(panel, population.truth, ("0.7", "0.4"), "true")
            _draw(panel, fit_pal_a(population.train, k, seed=seed).model, ("C0", "C3"), "learned")
    panels[0, 0].legend(fontsize="small")
    figure.savefig(path)


def _draw(panel: Any, model: PalA, colours: tuple[str, str], name: str) -> None:  # noqa: ANN401
    people, prototypes = model.weights @ model.prototypes, model.prototypes
    panel.scatter(*people.T, s=8, color=colours[0], label=f"{name} ideal points")
    panel.scatter(*prototypes.T, s=60, marker="x", color=colours[1], label=f"{name} prototypes")
