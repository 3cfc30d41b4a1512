"""How planned questions fare by the prior precision lambda and the strength of the person."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.bench.design import CRITERIA, RANDOM
from palate.bench.design_styles import ratio, run_styles
from palate.design import check_lambda

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate.bench.design import World
    from palate.bench.design_styles import Runs

LAMBDAS = (0.1, 1.0, 10.0, 100.0)
STRENGTHS = (1.0, 5.0, 20.0)
LOSING = 1.05
"""Preference error over random's above which a design is said to lose; less may be chance."""


def run_sweep(
    world: World,
    *,
    seeds: int,
    episodes: int = 25,
    lambdas: Sequence[float] = LAMBDAS,
    strengths: Sequence[float] = STRENGTHS,
    jobs: int = 1,
) -> list[Runs]:
    """The experiment of ``styles`` at one number of episodes, for each strength and lambda."""
    return [
        run_styles(world, seeds=seeds, beta=beta, lam=lam, episodes=[episodes], jobs=jobs)
        for beta in strengths
        for lam in lambdas
    ]


def sweep_table(runs: Sequence[Runs]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Header and rows: a row a strength and lambda, in the mean over styles."""
    first = runs[0]
    header = (
        f"{first.world.name}, T = {first.episodes[0]}: strength, lambda (over matched)",
        "random's preference error",
        *(f"{method.name} over random" for method in first.methods[1:]),
        "estimated strength",
        "warned",
        "oracle's accuracy",
        "uniform's share",
    )
    return header, [_row(one) for one in runs]


def _row(one: Runs) -> tuple[str, ...]:
    n = one.episodes[0]
    over = one.lam / one.world.matched(one.beta)
    error = one.values("wrong", RANDOM, None, n).mean()
    beta = float(one.values("strength", RANDOM, None, n).mean())
    shares = " / ".join(f"{one.uniform[m, n]:.2f}" for m in CRITERIA)
    return (
        f"{one.beta:g}, {one.lam:g} ({over:.2g})",
        f"{error:.3f}",
        *(f"{ratio(one, method, None, n):.2f}" for method in one.methods[1:]),
        f"{beta:.3g}",
        "yes" if warning(one) else "no",
        f"{one.values('oracle', RANDOM, None, n).mean():.1%}",
        shares,
    )


def warning(one: Runs) -> str | None:
    """What palate says about this lambda after the answers to random questions, if anything."""
    n = one.episodes[0]
    beta = float(one.values("strength", RANDOM, None, n).mean())
    return check_lambda(one.lam, one.world.problem.d, beta)


def sweep_findings(runs: Sequence[Runs]) -> list[str]:
    """Where design loses to random questions, with the warning it was met by."""
    lines = []
    for one in runs:
        n = one.episodes[0]
        ratios = {m.name: ratio(one, m, None, n) for m in one.methods[1:]}
        lost = {name: r for name, r in ratios.items() if r > LOSING}
        if not lost:
            continue
        said = ", ".join(f"{name} by {100 * (r - 1):.0f} %" for name, r in lost.items())
        line = f"strength {one.beta:g}, lambda {one.lam:g}: design loses to random, {said}. "
        warned = warning(one)
        lines.append(line + (f"Warned: {warned}." if warned else "Not warned of."))
    return lines


def matched_ratio(runs: Sequence[Runs]) -> float:
    """The best design's error over random's at the lambda nearest to the matched one."""
    near = min(runs, key=lambda r: abs(np.log(r.lam / r.world.matched(r.beta))))
    return min(ratio(near, m, None, near.episodes[0]) for m in near.methods[1:])
