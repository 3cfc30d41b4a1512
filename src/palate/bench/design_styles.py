"""Whether planned questions beat random ones, by the number of episodes, for three tastes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import joblib
import numpy as np
from scipy import stats

from palate.bench.design import (
    CRITERIA,
    RANDOM,
    HeldOut,
    Method,
    Score,
    World,
    designs,
    estimate_after,
    shown,
)
from palate.bench.diversity import Check, Panel
from palate.design import strength

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from palate._typing import FloatArray
    from palate.design import Design
    from palate.design.styles import StyleName

EPISODES = (5, 10, 25, 50)
BETA = 20.0
"""Strength of the people: the best of four options is picked about two times in three."""

COMPARED_AT = 25
"""Episodes at which the methods are held against random questions."""

OTHERS = (
    Method("random, greedy", None, "greedy"),
    Method("D, greedy", "D", "greedy"),
    Method("A, greedy", "A", "greedy"),
    Method("A, at the estimate", "A", "greedy", every=5, replan=False),
)
"""Other ways to ask, tried at that number: the best of 16 draws for each question, and the same
by the information at the estimate, which is made anew after every fifth episode.
"""


@dataclass(frozen=True, eq=False)
class Runs:
    """Scores of every method, style and number of episodes in one world, a seed each.

    Attributes:
        world: vocabulary and tastes.
        beta: strength of the people.
        lam: prior precision of designs and estimates.
        methods: first the random one; some were run at ``COMPARED_AT`` alone.
        episodes: numbers of them.
        scores: by method, style and episodes, one a seed; the same seeds for all.
        uniform: by method and episodes, the uniform design's share of the information; none for
            methods without a design.
    """

    world: World
    beta: float
    lam: float
    methods: tuple[Method, ...]
    episodes: tuple[int, ...]
    scores: dict[tuple[Method, StyleName, int], list[Score]]
    uniform: dict[tuple[Method, int], float]

    def values(self, what: str, method: Method, style: StyleName | None, n: int) -> FloatArray:
        """(seeds,) a field of the scores; without a style the mean over styles, seed by seed."""
        styles = [style] if style is not None else list(self.world.directions)
        rows = [[getattr(s, what) for s in self.scores[method, name, n]] for name in styles]
        return np.asarray(rows, dtype=np.float64).mean(axis=0)

    def has(self, method: Method, n: int) -> bool:
        """Whether a method was run for so many episodes."""
        return (method, next(iter(self.world.directions)), n) in self.scores

    @property
    def seeds(self) -> int:
        """How many."""
        return len(next(iter(self.scores.values())))


def run_styles(
    world: World,
    *,
    seeds: int,
    beta: float = BETA,
    lam: float | None = None,
    methods: Sequence[Method] = (RANDOM, *CRITERIA),
    others: Sequence[Method] = (),
    episodes: Sequence[int] = EPISODES,
    jobs: int = 1,
) -> Runs:
    """Ask simulated people, fit, and judge the estimates.

    A seed fixes held-out prompts, noise of the answers and draws of the questions; methods share
    the former two, so that they can be compared seed by seed.

    Args:
        world: vocabulary and tastes.
        seeds: how many.
        beta: strength of the people.
        lam: prior precision; by default the one that matches beta.
        methods: ways to ask; the first is what the others are compared with.
        others: further ones, which are run at ``COMPARED_AT`` episodes alone.
        episodes: numbers of them.
        jobs: seeds at a time.
    """
    lam = world.matched(beta) if lam is None else lam
    methods, others = tuple(methods), tuple(others) if COMPARED_AT in episodes else ()
    planned = {
        n: designs(world, methods + others if n == COMPARED_AT else methods, n, lam)
        for n in episodes
    }
    parallel = joblib.Parallel(n_jobs=jobs)
    made = parallel(
        joblib.delayed(_one_seed)(world, planned, beta, lam, seed) for seed in range(seeds)
    )
    scores: dict[tuple[Method, StyleName, int], list[Score]] = {}
    for one in made:
        for key, score in one.items():
            scores.setdefault(key, []).append(score)
    uniform = {
        (method, n): design.uniform_share
        for n, found in planned.items()
        for method, design in found.items()
        if method.criterion is not None
    }
    return Runs(world, beta, lam, methods + others, tuple(episodes), scores, uniform)


def _one_seed(
    world: World,
    planned: dict[int, dict[Method, Design]],
    beta: float,
    lam: float,
    seed: int,
) -> dict[tuple[Method, StyleName, int], Score]:
    held_out = HeldOut.drawn(world, seed)
    found = {}
    for n, of_methods in planned.items():
        for method, design in of_methods.items():
            asked = None
            if method.every is None:
                asked = shown(design, n, method.rounding, seed)
            for style, direction in world.directions.items():
                theta = beta * direction
                estimate = estimate_after(
                    method, design, theta, episodes=n, lam=lam, seed=seed, options=asked
                )
                found[method, style, n] = held_out.score(estimate.theta, theta, strength(estimate))
    return found


METRICS = {
    "wrong": "preference error",
    "cosine": "cosine error (where tokens differ)",
    "seen": "cosine error where tokens differ",
}


def metric_table(runs: Runs, what: str) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows of a metric: a row a style and method, a column a number of episodes.

    The cosine error has that of the directions in which the tokens differ beside it.

    The last two columns are what a row must be read with: how often knowing theta would predict the
    pick in a question at random, and what asking uniformly would tell.
    """
    header = (
        f"{runs.world.name}: {METRICS[what]}",
        *(f"T = {n}" for n in runs.episodes),
        "oracle's accuracy",
        "uniform's share by T",
    )
    rows = []
    for style in runs.world.directions:
        for method in runs.methods:
            if not all(runs.has(method, n) for n in runs.episodes):
                continue
            cells = [mean_error(runs.values(what, method, style, n)) for n in runs.episodes]
            if what == "cosine":
                seen = (runs.values("seen", method, style, n).mean() for n in runs.episodes)
                cells = [f"{cell} ({part:.3f})" for cell, part in zip(cells, seen, strict=True)]
            oracle = runs.values("oracle", runs.methods[0], style, runs.episodes[0]).mean()
            rows.append((f"{style}, {method.name}", *cells, f"{oracle:.1%}", shares(runs, method)))
    return header, rows


def shares(runs: Runs, method: Method) -> str:
    """The uniform design's share of a method's information, by episodes."""
    if method.criterion is None:
        return "-"
    there = (n for n in runs.episodes if runs.has(method, n))
    return " / ".join(f"{runs.uniform[method, n]:.2f}" for n in there)


def mean_error(values: FloatArray) -> str:
    """Mean and its standard error over seeds."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return f"{values.mean():.3f} ± {error:.3f}"


def ratio_table(runs: Runs, n: int) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Preference error over random's at T = n, by style and over all, with one-sided paired p."""
    header = (
        f"{runs.world.name}, T = {n}: preference error over random's (p)",
        *runs.world.directions,
        "mean over styles",
        "oracle's accuracy",
        "uniform's share",
    )
    rows = []
    for method in runs.methods[1:]:
        cells = [
            f"{ratio(runs, method, style, n):.2f} ({p_value(runs, method, style, n):.1g})"
            for style in (*runs.world.directions, None)
        ]
        oracle = runs.values("oracle", method, None, n).mean()
        share = "-" if method.criterion is None else f"{runs.uniform[method, n]:.2f}"
        rows.append((method.name, *cells, f"{oracle:.1%}", share))
    return header, rows


def ratio(runs: Runs, method: Method, style: StyleName | None, n: int) -> float:
    """Mean preference error of a method over that of the first."""
    base = runs.values("wrong", runs.methods[0], style, n).mean()
    return float(runs.values("wrong", method, style, n).mean() / base)


def p_value(runs: Runs, method: Method, style: StyleName | None, n: int) -> float:
    """Of "no better than the first method", by Student's paired t over seeds, one-sided."""
    mine = runs.values("wrong", method, style, n)
    less = mine - runs.values("wrong", runs.methods[0], style, n)
    if len(less) < 2 or not less.std():
        return float("nan")
    return float(stats.ttest_1samp(less, 0.0, alternative="less").pvalue)


def redundant_checks(runs: Runs, n: int) -> Iterator[Check]:
    """The best design planned once, and the best way to ask at all, over random questions.

    Style by style and in the mean. Since the best is chosen by the same runs, its p is multiplied
    by how many were tried (Bonferroni).
    """
    families = {
        "best planned once": [m for m in runs.methods[1:] if m in CRITERIA],
        "best way to ask": list(runs.methods[1:]),
    }
    for family, tried in families.items():
        for style in (*runs.world.directions, None):
            best = min(tried, key=lambda m: ratio(runs, m, style, n))
            value = ratio(runs, best, style, n)
            p = min(1.0, len(tried) * p_value(runs, best, style, n))
            what = f"{runs.world.name}, {style or 'mean over styles'}: {family}, {best.name}"
            measured = f"{value:.3f}, p {p:.1g} (times {len(tried)})"
            yield Check(what, measured, "at most 0.85, p < 0.01", value <= 0.85 and p < 0.01)


def balanced_checks(runs: Runs) -> Iterator[Check]:
    """That the paper's criterion is no worse than random by more than 5 %, over styles."""
    for method in runs.methods[1:]:
        if method.criterion != "V":
            continue
        for n in runs.episodes:
            value = ratio(runs, method, None, n)
            what = f"{runs.world.name}, mean over styles, T = {n}: {method.name} over random"
            yield Check(what, f"{value:.3f}", "at most 1.05", value <= 1.05)


def panels(runs: Runs, what: str = "wrong") -> list[Panel]:
    """A panel a style: a metric by episodes."""
    places = np.array(runs.episodes)
    return [
        Panel(
            f"{runs.world.name}, {style}",
            "episodes, T",
            METRICS[what],
            {
                method.name: (
                    places,
                    np.array([runs.values(what, method, style, n) for n in runs.episodes]).T,
                )
                for method in runs.methods
                if all(runs.has(method, n) for n in runs.episodes)
            },
            log="",
        )
        for style in runs.world.directions
    ]


def where_not_better(runs: Iterable[Runs]) -> list[str]:
    """Where planning does not beat random questions, in words."""
    found = []
    for one in runs:
        for method in one.methods[1:]:
            worse = [
                f"{style} at T = {n} ({ratio(one, method, style, n):.2f})"
                for style in one.world.directions
                for n in one.episodes
                if one.has(method, n) and ratio(one, method, style, n) >= 1.0
            ]
            if worse:
                found.append(f"{one.world.name}, {method.name}: no better for {', '.join(worse)}.")
    return found
