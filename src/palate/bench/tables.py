"""The tables of the USERALIGN paper, from the runs of an experiment: Tables 4 to 8, and more.

A group is a domain with one kind of people. Win-rates are percentages of the preference of a person
for the choice over the baseline.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from palate.bench.measures import average, by_person, difference, head_to_head
from palate.bench.methods import BY_EPSILON, in_print
from palate.bench.report import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from palate._typing import FloatArray
    from palate.bench.experiment import Outcome
    from palate.bench.steps import StepTimes

EPSILONS = (3.0, 2.0, 1.0, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0)
"""Of the rows of Tables 4 and 5."""

GIVEN = (0, 5, 10, 15, 20, 25, 50, 75, 100, 150, 199)
"""Questions at which IIDBEST is reported in Tables 4 and 5."""

EARLY = (0, 1, 2, 3, 5, 8, 10, 15, 20, 25)
"""Questions at which every method is compared."""

AGAINST_IIDBEST = (20, 25, 50)
"""Questions of IIDBEST in Table 6."""


@dataclass(frozen=True, slots=True)
class Section:
    """A table with its heading.

    Attributes:
        title: the heading.
        header: names of the columns.
        rows: the cells.
        note: what to know when reading it.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""

    def __str__(self) -> str:
        """As Markdown."""
        parts = [f"## {self.title}", markdown_table(self.header, self.rows), self.note]
        return "\n\n".join(filter(None, parts))


@dataclass(frozen=True, eq=False)
class Group:
    """The runs of a domain and a kind of people.

    Attributes:
        name: of the group.
        runs: by method, each the people's runs in the same order.
    """

    name: str
    runs: dict[str, list[Outcome]] = field(default_factory=dict)

    def at_epsilon(self, method: str, epsilon: float) -> list[Outcome]:
        """The runs of a method that stops by a bound, as a larger epsilon would have ended them."""
        return [
            replace(outcome, trial=outcome.trial.stopped_at(epsilon))
            for outcome in self.runs[method]
        ]


def grouped(outcomes: Sequence[Outcome]) -> list[Group]:
    """The runs by group, in the order in which groups and methods come first."""
    groups: dict[str, Group] = {}
    for outcome in outcomes:
        group = groups.setdefault(outcome.subject.group, Group(outcome.subject.group))
        group.runs.setdefault(outcome.method, []).append(outcome)
    return list(groups.values())


def trade_off(groups: Sequence[Group], max_steps: int) -> Section:
    """Win-rate and interaction cost of each method (Tables 4 and 5)."""
    rows: dict[str, list[str]] = {}
    for place, group in enumerate(groups):
        for name, wins, costs in trade_off_points(group, max_steps):
            cells = rows.setdefault(name, [""] * (2 * len(groups)))
            cells[2 * place] = str(average(100.0 * wins))
            cells[2 * place + 1] = str(average(costs))
    header = [f"{group.name}: {what}" for group in groups for what in ("win-rate %", "cost")]
    return Section(
        "Win-rate and interaction cost (Tables 4 and 5)",
        ("method", *header),
        tuple((name, *cells) for name, cells in rows.items()),
        f"Mean (standard error over people, seeds averaged within). At most {max_steps} questions. "
        "People are simulated: by weights (consistent, btl, btl85), a table of ratings (persona) "
        "or by a model (played).",
    )


def trade_off_points(group: Group, max_steps: int) -> Iterator[tuple[str, FloatArray, FloatArray]]:
    """Rows of Tables 4 and 5: a method's name, and win-rates and costs of the (U,) people."""
    for method, runs in group.runs.items():
        if method in BY_EPSILON:
            for epsilon in EPSILONS:
                stopped = group.at_epsilon(method, epsilon)
                name = f"{in_print(method)} (epsilon = {epsilon:.1f})"
                yield name, by_person(stopped, _final_win), by_person(stopped, _cost)
            continue
        stops = any(outcome.trial.cost < max_steps for outcome in runs)
        if method not in {"oracle", "random"}:
            yield from _given_points(method, runs, [t for t in GIVEN if t <= max_steps])
        if stops:
            yield in_print(method), by_person(runs, _final_win), by_person(runs, _cost)


def _given_points(
    method: str, runs: Sequence[Outcome], ts: Sequence[int]
) -> Iterator[tuple[str, FloatArray, FloatArray]]:
    """A method after so many questions, or fewer where it stopped before."""
    wins = by_person(runs, lambda outcome: outcome.wins(ts))
    costs = by_person(runs, lambda outcome: np.minimum(ts, outcome.trial.cost))
    for place, t in enumerate(ts):
        if t <= costs[:, place].max():  # beyond it nobody was asked so many
            yield f"{in_print(method)} (t = {t})", wins[:, place], costs[:, place]


def _final_win(outcome: Outcome) -> float:
    return outcome.trial.wins[-1]


def _cost(outcome: Outcome) -> float:
    return float(outcome.trial.cost)


def versus_iidbest(groups: Sequence[Group], max_steps: int) -> Section | None:
    """USERALIGN at epsilon = 0 head to head against IIDBEST (Table 6)."""
    able = [group for group in groups if {"useralign", "iidbest"} <= group.runs.keys()]
    ts = [t for t in AGAINST_IIDBEST if t <= max_steps]
    if not able or not ts:
        return None
    columns = [head_to_head(g.runs["useralign"], g.runs["iidbest"], ts) for g in able]
    return Section(
        "Head to head, win-rate % of USERALIGN at epsilon = 0 (Table 6)",
        ("comparison", *(group.name for group in able)),
        tuple(
            (
                f"USERALIGN vs. IIDBEST (t = {t})",
                *(str(average(100.0 * column[:, place])) for column in columns),
            )
            for place, t in enumerate(ts)
        ),
        "The same response on both sides counts as a half.",
    )


def by_step(group: Group, max_steps: int) -> Iterator[Section]:
    """Win-rate and regret of each method after t questions (Table 7), people paired by method."""
    ts = [t for t in EARLY if t <= max_steps]
    first = next(iter(group.runs.values()))[0]
    size = f"{group.name}, N = {len(first.subject.pool):,}"
    header = ("method", *(f"t = {t}" for t in ts))
    wins = {m: by_person(runs, lambda o: 100.0 * o.wins(ts)) for m, runs in group.runs.items()}
    rows = tuple(
        (in_print(method), *(str(average(column)) for column in values.T))
        for method, values in wins.items()
    )
    note = "Mean (standard error over people); a run that has stopped keeps its choice."
    yield Section(f"Win-rate % by step (Table 7): {size}", header, rows, note)
    if first.subject.utilities is None:
        return
    regret = {
        m: by_person(runs, lambda o: 100.0 * (1.0 - o.shares(ts))) for m, runs in group.runs.items()
    }
    rows = tuple(
        (in_print(method), *(str(average(column)) for column in values.T))
        for method, values in regret.items()
    )
    note = "Regret is what the choice lacks to the best response, in % of the pool's range."
    yield Section(f"Regret by step: {size}", header, rows, note)
    for against in ("iidbest", "useralign"):
        if against in regret and len(regret) > 1:
            rows = tuple(
                (
                    f"{in_print(method)} less {in_print(against)}",
                    *map(str, map(difference, values.T, regret[against].T)),
                )
                for method, values in regret.items()
                if method not in {against, "oracle", "random"}
            )
            note = "Paired differences within people, 95 % intervals; below 0 is better."
            yield Section(f"Regret less that of {in_print(against)}: {size}", header, rows, note)


def quality(groups: Sequence[Group]) -> Section:
    """What each method ends with: how good the choice is, how costly, how often right."""
    rows = []
    for group in groups:
        for method, runs in group.runs.items():
            cells = [
                average(100.0 * by_person(runs, _final_win)),
                average(100.0 * by_person(runs, lambda o: o.final_share)),
                average(100.0 * by_person(runs, lambda o: o.final_best)),
                average(by_person(runs, _cost)),
                average(100.0 * by_person(runs, lambda o: float(o.trial.certified[-1]))),
                average(100.0 * by_person(runs, lambda o: o.flip_rate)),
            ]
            rows.append((group.name, in_print(method), *map(_or_unknown, cells)))
    header = ("win-rate %", "share of range %", "best found %", "cost", "certified %", "contrary %")
    return Section(
        "At the end of the runs",
        ("people", "method", *header),
        tuple(rows),
        "Share of range: 0 is the pool's worst response, 100 its best. Contrary: answers given "
        "that named the worse response, by noise or flips.",
    )


def _or_unknown(value: object) -> str:
    text = str(value)
    return "unknown" if "nan" in text else text


def wall_time(times: Sequence[StepTimes]) -> Section:
    """Wall time of a step of USERALIGN, broken down, beside the reference solver's (Table 8)."""
    return Section(
        "Wall time of a step of USERALIGN in milliseconds (Table 8)",
        (
            "domain",
            "steps timed",
            "total, in the runs",
            "theta_hat",
            "y1",
            "y2",
            "reference solver",
        ),
        tuple(
            (
                f"{t.group} (N = {t.size:,}, d = {t.d})",
                str(len(t.y2)),
                f"{1e3 * t.in_runs:.3f}",
                *(f"{1e3 * float(np.mean(part)):.3f}" for part in (t.estimate, t.y1, t.y2)),
                f"{1e3 * float(np.mean(t.reference)):.1f}" if t.reference else "not measured",
            )
            for t in times
        ),
        "The total is that of the runs, where each step goes on from the last; the parts and the "
        "reference (cvxpy with CLARABEL) are timed from scratch on the same few steps.",
    )
