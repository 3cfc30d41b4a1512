"""The figures of the USERALIGN paper: 2, 3 and 4 from an experiment's runs, and 5."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from palate._figure import figure_class
from palate._random import generator
from palate.bench.exact import NORM_BOUND, random_theta
from palate.bench.experiment import run_seed
from palate.bench.measures import average, by_person
from palate.bench.methods import in_print
from palate.bench.tables import trade_off_points
from palate.elicitation import Elicitation
from palate.feedback import check_picked
from palate.people import SimulatedPerson
from palate.pool import Pool
from palate.preference import VersionSpace
from palate.strategies import UserAlign, comparisons

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from palate._typing import BoolArray, FloatArray
    from palate.bench.experiment import Outcome
    from palate.bench.tables import Group
    from palate.feedback import Answer

FOLDER = "figures"

_GRID = 241  # points a side, on which areas of sets are measured
_PANELS = (1, 2, 4, 8)  # steps whose sets are drawn in Fig. 2
_SHRINK_STEPS = 30
_SHRINK_RUNS = 10
_TICKS = (0, 2, 5, 10, 20, 50, 100, 199)


def plot_groups(out: Path, groups: Sequence[Group], max_steps: int) -> dict[str, str]:
    """Draw what the runs allow, as PNG files in a folder of the results.

    Returns:
        Captions by file name, relative to ``out``.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure_class()
    (out / FOLDER).mkdir(exist_ok=True)
    captions = {}

    def save(figure: Any, name: str, caption: str) -> None:  # noqa: ANN401
        figure.savefig(out / FOLDER / f"{name}.png", dpi=110)
        captions[f"{FOLDER}/{name}.png"] = caption

    for group in groups:
        name = "".join(c if c.isalnum() else "_" for c in group.name)
        save(
            plot_trade_off(group, max_steps),
            f"cost_{name}",
            f"Win-rate and interaction cost, {group.name} (Figures 3 and 4): a point an epsilon "
            "or a number of questions; bars are standard errors over people.",
        )
        save(
            plot_by_step(group, max_steps),
            f"step_{name}",
            f"Win-rate by step, {group.name} (Figure 3, bottom); a run that has stopped keeps its "
            "choice. Bands are standard errors over people.",
        )
    save(
        plot_shrinkage(seed=0),
        "shrinkage",
        "How the confidence sets of USERALIGN and USERALIGN_LOSS shrink in two dimensions (Figure "
        f"2): simulated responses in the ball of radius 0.5, {_SHRINK_RUNS} simulated people with "
        "weights on the circle of radius 3. Left: one run, the weights that remain after t "
        "questions. Right: the share of the disc that remains, mean and standard deviation.",
    )
    planar = [g for g in groups if _d(g) == 2 and "useralign" in g.runs]
    for group in planar[-1:]:  # personas, where there are some
        runs = group.runs["useralign"]
        told = next((o for o in runs if 4 <= o.trial.cost <= 8), runs[0])
        save(
            plot_example(told),
            "example",
            f"A worked example (Figure 5): {told.subject.name} of {group.name}, asked "
            f"“{told.subject.pool.prompt}” Each panel shows the weights still possible before the "
            "question, the incumbent above the challenger, and a mark at the one preferred.",
        )
    return captions


def _d(group: Group) -> int:
    features = next(iter(group.runs.values()))[0].subject.pool.features
    return 0 if features is None else features.shape[1]


def plot_trade_off(group: Group, max_steps: int) -> Any:  # noqa: ANN401 - a matplotlib Figure
    """Win-rate against interaction cost; one colour a method."""
    figure = figure_class()(figsize=(7.0, 4.5), layout="constrained")
    panel = figure.subplots()
    points: dict[str, list[tuple[float, float, float]]] = {}
    for name, wins, costs in trade_off_points(group, max_steps):
        found = average(100.0 * wins)
        method = name.partition(" (")[0]
        points.setdefault(method, []).append((float(costs.mean()), found.mean, found.error))
    for place, (method, listed) in enumerate(points.items()):
        costs, wins, errors = np.array(sorted(listed)).T
        if method in {"ORACLE", "RANDOM"}:
            panel.axhline(wins[0], linestyle="--", color=f"C{place}", label=method)
        else:
            panel.errorbar(
                costs, wins, errors, marker="o", markersize=4, color=f"C{place}", label=method
            )
    panel.set(xlabel="questions", ylabel="win-rate %", title=group.name)
    panel.set_xscale("symlog", linthresh=10)
    panel.set_xticks(_TICKS, map(str, _TICKS))
    panel.set_xlim(left=-0.5)
    panel.legend(fontsize="small")
    return figure


def plot_by_step(group: Group, max_steps: int) -> Any:  # noqa: ANN401
    """Win-rate after t questions; one line a method."""
    figure = figure_class()(figsize=(7.0, 4.5), layout="constrained")
    panel = figure.subplots()
    ts = list(range(min(max_steps, 30) + 1))
    for method, runs in group.runs.items():
        wins = by_person(runs, lambda outcome: 100.0 * outcome.wins(ts))
        found = [average(column) for column in wins.T]
        means = np.array([f.mean for f in found])
        errors = np.array([f.error for f in found])
        flat = {"linestyle": "--"} if method in {"oracle", "random"} else {}
        panel.plot(ts, means, label=in_print(method), **flat)
        panel.fill_between(ts, means - errors, means + errors, alpha=0.15)
    panel.set(xlabel="questions", ylabel="win-rate %", title=group.name)
    panel.legend(fontsize="small")
    return figure


def plot_shrinkage(*, seed: int) -> Any:  # noqa: ANN401
    """How fast the two confidence sets shrink in two dimensions."""
    runs = [_sets(*_planar_run(seed, run)) for run in range(_SHRINK_RUNS)]
    figure = figure_class()(figsize=(3.0 * (len(_PANELS) + 1), 3.2), layout="constrained")
    *panels, curve = figure.subplots(1, len(_PANELS) + 1)
    for panel, t in zip(panels, _PANELS, strict=True):
        loss, practical = runs[0][t]
        panel.set_title(f"t = {t}")
        _draw_set(panel, loss, "0.75")
        _draw_set(panel, practical, "C0")
    ts = np.arange(_SHRINK_STEPS + 1)
    areas = np.array([[[inside.sum() for inside in pair] for pair in run] for run in runs])
    shares = areas / areas[:, :1]
    for place, (name, colour) in enumerate((("USERALIGN_LOSS", "0.5"), ("USERALIGN", "C0"))):
        mean, spread = shares[:, :, place].mean(axis=0), shares[:, :, place].std(axis=0)
        curve.plot(ts, mean, color=colour, label=name)
        curve.fill_between(ts, mean - spread, mean + spread, color=colour, alpha=0.2)
    curve.set(xlabel="questions", ylabel="share of the disc", ylim=(-0.02, 1.05))
    curve.legend(fontsize="small")
    return figure


def plot_example(outcome: Outcome) -> Any:  # noqa: ANN401
    """A run of USERALIGN in two dimensions, question by question."""
    subject, seed = outcome.subject, run_seed(outcome.subject, outcome.seed)
    elicitation = Elicitation(subject.pool, UserAlign(max_steps=outcome.trial.cost), seed)
    person = subject.person(seed)
    incumbents = []
    while (query := elicitation.ask()) is not None:
        incumbents.append(elicitation.recommend().response.id)
        elicitation.tell(query, check_picked(person.answer(query, subject.pool), query), at="")
    answers = elicitation.history
    drawn = _sets(subject.pool, answers)
    shape = (-(-len(drawn) // 3), min(3, len(drawn)))
    figure = figure_class()(figsize=(4.0 * shape[1], 4.4 * shape[0]), layout="constrained")
    panels = figure.subplots(*shape, squeeze=False).ravel()
    for t, (panel, (_, practical)) in enumerate(zip(panels, drawn, strict=False)):
        _draw_set(panel, practical, "C0")
        if t < len(answers):
            query, winner = answers[t].query, answers[t].winner
            shown = sorted(
                query.options, key=lambda i: subject.pool.responses[i].id != incumbents[t]
            )
            lines = [
                f"{subject.pool.responses[i].id}{' (preferred)' if i == winner else ''}"
                for i in shown
            ]
            panel.set_title("\n".join((f"t = {t}", *lines)), fontsize="small")
        else:
            chosen = elicitation.recommend().response.id
            panel.set_title(f"after {t} questions:\n{chosen}", fontsize="small", weight="bold")
    for panel in panels[len(drawn) :]:
        panel.set_axis_off()
    return figure


def _planar_run(seed: int, run: int) -> tuple[Pool, tuple[Answer, ...]]:
    """A simulated person's run of a fixed length on responses in the ball of radius 0.5."""
    rng = generator(seed, "shrinkage", run)
    directions = rng.normal(size=(20, 2))
    directions /= np.sqrt((directions**2).sum(axis=1, keepdims=True))
    features = 0.5 * directions * np.sqrt(rng.random((20, 1)))
    pool = Pool("simulated", [f"response {i}" for i in range(20)], features, scaling="none")
    elicitation = Elicitation(pool, UserAlign(epsilon=None, max_steps=_SHRINK_STEPS), run)
    elicitation.run(SimulatedPerson(random_theta(rng, 2)))
    return pool, elicitation.history


def _sets(pool: Pool, answers: Sequence[Answer]) -> list[tuple[BoolArray, BoolArray]]:
    """Which weights lie in the loss-based and in the practical set before each question, and last.

    Returns:
        Pairs of (G, G) arrays over a grid on the square around the disc of radius S.
    """
    features = np.asarray(pool.features, dtype=np.float64)
    thetas = np.stack(np.meshgrid(*[_side()] * 2), axis=-1).reshape(-1, 2)
    sets = []
    for t in range(len(answers) + 1):
        differences, _ = comparisons(answers[:t], features)
        loss, practical = (
            VersionSpace(differences, NORM_BOUND, consistent=consistent).contains(thetas)
            for consistent in (False, True)
        )
        sets.append((loss.reshape(_GRID, _GRID), practical.reshape(_GRID, _GRID)))
    return sets


def _side() -> FloatArray:
    return np.linspace(-1.05 * NORM_BOUND, 1.05 * NORM_BOUND, _GRID)


def _draw_set(panel: Any, inside: BoolArray, colour: str) -> None:  # noqa: ANN401
    panel.contourf(_side(), _side(), inside.astype(float), levels=(0.5, 1.5), colors=[colour])
    turn = np.linspace(0.0, 2.0 * np.pi, 100)
    panel.plot(NORM_BOUND * np.cos(turn), NORM_BOUND * np.sin(turn), color="0.5", linewidth=0.8)
    panel.set(aspect="equal", xticks=[], yticks=[])
