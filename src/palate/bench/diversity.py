"""What the simulated experiments about diverse people share: runs over seeds, tables, checks."""

from __future__ import annotations

import csv
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from palate.diversity.online import run_online

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from palate._typing import FloatArray, IndexArray
    from palate.diversity.online import OnlineRun
    from palate.diversity.world import BilinearWorld

CERTAIN = (
    "From the paper (Kang 2026, arXiv 2605.09119, of which we have the abstract and excerpts): "
    "where the heads of the people span the directions that can alter a best response, regret is "
    "bounded; where they do not, it is at least logarithmic for every learner of an admissible "
    "class. Exact empirical risk minimisation on multinomial-logit answers; d = 5, J = 10, 100 "
    "contexts and 100 actions a person, 10, 50 or 100 people, problem seed 1000, a least gap."
)
RECONSTRUCTED = (
    "Reconstructed by us: the reward h'B vec(xa'), all distributions, scale and least gap, slates "
    "and samplers, horizon and seeds, which heads are known, and that the regret is that of the "
    "deployed response. The figures illustrate how the regret of these learners grows; they prove "
    "no lower bound, and are not the paper's."
)

PARTS = (1 / 16, 1 / 4, 1 / 2, 1.0)
"""Of all rounds, at which regret is told: 4k, 16k, 32k and 64k of 64,000."""

_INTERVALS = ((1 / 64, 1 / 16), (1 / 16, 1 / 4), (1 / 4, 1 / 2), (1 / 2, 1.0))


@dataclass(frozen=True, slots=True)
class Check:
    """A measured figure, what is asked of it, and whether it is so."""

    what: str
    measured: str
    asked: str
    met: bool


def at_most(what: str, value: float, limit: float) -> Check:
    """Whether a figure is small enough."""
    return Check(what, f"{value:.3g}", f"at most {limit:g}", value <= limit)


def at_least(what: str, value: float, limit: float) -> Check:
    """Whether a figure is large enough."""
    return Check(what, f"{value:.3g}", f"at least {limit:g}", value >= limit)


def between(what: str, value: float, low: float, high: float) -> Check:
    """Whether a figure lies where it should."""
    return Check(what, f"{value:.3g}", f"{low:g} to {high:g}", low <= value <= high)


CHECK_HEADER = ("check, on simulated people", "measured", "asked", "met")


def check_rows(checks: Iterable[Check]) -> list[tuple[str, ...]]:
    """The cells of a table."""
    return [(c.what, c.measured, c.asked, "yes" if c.met else "NO") for c in checks]


@dataclass(frozen=True, eq=False)
class Curve:
    """Online runs in one world, one a seed. Group 0 are the main people, group 1 the latecomers.

    Attributes:
        name: of the setting.
        world: people, pools and the truth.
        runs: of the seeds.
        seconds: of CPU, of each run.
    """

    name: str
    world: BilinearWorld
    runs: tuple[OnlineRun, ...]
    seconds: tuple[float, ...]

    @property
    def rounds(self) -> int:
        """T."""
        return int(self.runs[0].rounds[-1])

    def regret(self, part: float = 1.0, group: int = 0) -> FloatArray:
        """(seeds,) cumulative regret after a part of the rounds."""
        return np.array([run.cumulative(part * self.rounds)[group] for run in self.runs])

    def slopes(self, group: int = 0) -> FloatArray:
        """(4,) mean growth per unit of ln t, up to each of ``PARTS`` from the one before."""
        return np.array(
            [
                np.mean([run.slope(a * self.rounds, b * self.rounds)[group] for run in self.runs])
                for a, b in _INTERVALS
            ]
        )

    def after_half(self, group: int = 0) -> float:
        """Share of the regret that comes in the second half of the rounds."""
        whole = float(self.regret(group=group).mean())
        return 1.0 - float(self.regret(0.5, group).mean()) / whole if whole else 0.0

    def gap(self, group: int = 0) -> FloatArray:
        """(seeds,) mean gap under the last fit."""
        return np.array([run.gap[-1][self._people(group)].mean() for run in self.runs])

    def wrong(self, group: int = 0) -> FloatArray:
        """(seeds,) share of wrong responses under the last fit."""
        return np.array([run.wrong[-1][self._people(group)].mean() for run in self.runs])

    def _people(self, group: int) -> slice:
        return slice(self.world.main, None) if group else slice(self.world.main)


def curve(name: str, world: BilinearWorld, seeds: int, **settings: Any) -> Curve:  # noqa: ANN401
    """Run the learner once a seed; the settings are those of :func:`run_online`."""
    runs, seconds = [], []
    for seed in range(seeds):
        began = time.process_time()
        runs.append(run_online(world, seed=seed, **settings))
        seconds.append(time.process_time() - began)
    return Curve(name, world, tuple(runs), tuple(seconds))


def regret_header(first: str, rounds: int) -> tuple[str, ...]:
    """Of :func:`regret_cells`, after a first column."""
    at = (f"C({part * rounds:,.0f})" + (" ± sd" if part == 1.0 else "") for part in PARTS)
    return (
        first,
        *at,
        "share after half",
        "slope per ln t, by interval",
        "gap in the end",
        "wrong in the end",
    )


def regret_cells(c: Curve, group: int = 0) -> tuple[str, ...]:
    """Cumulative regret, its growth, and what is still wrong, in the mean over seeds."""
    at = [f"{c.regret(part, group).mean():,.0f}" for part in PARTS[:-1]]
    return (
        c.name,
        *at,
        spread(c.regret(group=group)),
        f"{c.after_half(group):.3f}",
        " / ".join(f"{slope:,.0f}" for slope in c.slopes(group)),
        f"{c.gap(group).mean():.1e}",
        f"{c.wrong(group).mean():.1e}",
    )


def spread(values: Sequence[float] | FloatArray) -> str:
    """Mean and standard deviation over seeds, of large numbers."""
    deviation = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return f"{np.mean(values):,.0f} ± {deviation:,.0f}"


@dataclass(frozen=True, eq=False)
class Panel:
    """A figure's panel, and the numbers behind it.

    Attributes:
        title: of the panel.
        x: label of that axis.
        y: label of that axis.
        lines: by name, (n,) places and (seeds, n) values.
        log: the axes that are logarithmic, of "x" and "y".
    """

    title: str
    x: str
    y: str
    lines: Mapping[str, tuple[FloatArray | IndexArray, FloatArray]]
    log: str = "x"


def regret_panel(title: str, curves: Iterable[Curve], group: int = 0) -> Panel:
    """Cumulative regret by round."""
    lines = {
        c.name: (c.runs[0].rounds[1:], np.array([run.regret[1:, group] for run in c.runs]))
        for c in curves
    }
    return Panel(title, "round", "cumulative regret", lines)


def write_panels(path: Path, panels: Iterable[Panel]) -> None:
    """Write what panels show as CSV, a line a value."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("panel", "line", "place", "seed", "value"))
        for panel in panels:
            for name, (places, values) in panel.lines.items():
                for (seed, i), value in np.ndenumerate(values):
                    writer.writerow((panel.title, name, f"{places[i]:g}", seed, f"{value:.6g}"))
