"""What the experiments on priors print: tables, and each figure beside what was asked of it."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from palate.bench.measures import average, difference
from palate.bench.report import markdown_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from palate._typing import FloatArray
    from palate.bench.priors import Arm, Pace, Visits

TIMES = (2, 3, 5, 10)

ASKED_SHARES = {
    (3, 20, 0.0): (0.92, 0.94, 0.99, 0.995),
    (3, 200, 0.0): (0.93, 0.96, 0.997, 0.997),
    (8, 20, 0.0): (0.80, 0.89, 0.94, 0.97),
    (8, 200, 0.0): (0.73, 0.78, 0.85, 0.93),
    (3, 20, 0.1): (0.80, 0.84, 0.89, 0.955),
    (3, 200, 0.1): (0.69, 0.82, 0.88, 0.93),
}
"""Shares asked of the learned prior at :data:`TIMES`, by rank, N and flip rate."""

FLOOR = 0.97
"""Share asked of rank 3 after 5 answers, whatever the pool."""

ASKED_REGRETS = {20: {3: 0.13, 5: 0.072, 10: 0.023}, 40: {5: 0.108, 10: 0.053}}
"""Mean regrets asked of the best strategy without a population on real pools, by N and t."""


def shares_table(arms: Iterable[Arm], times: Sequence[int] = TIMES) -> str:
    """Mean share of the best by answers with its standard error, and when it is reached."""
    header = (
        "share of the range of utilities (standard error)",
        *(f"t = {t}" for t in times),
        f"best at t = {times[-1]}",
        "answers to .90",
        "to .95",
        "ms a step",
    )
    rows = [
        (
            arm.name,
            *(_mean(arm.shares[:, t]) for t in times),
            f"{100 * arm.best[:, times[-1]].mean():.0f} %",
            _reached(arm.shares, 0.90),
            _reached(arm.shares, 0.95),
            f"{1e3 * arm.step:.1f}",
        )
        for arm in arms
    ]
    return markdown_table(header, rows)


def regrets_table(arms: Iterable[Arm], times: Sequence[int]) -> str:
    """Mean regret by answers with its standard error."""
    header = ("mean regret, share of the range (standard error)", *(f"t = {t}" for t in times))
    return markdown_table(
        header, [(arm.name, *(_mean(arm.regret[:, t]) for t in times)) for arm in arms]
    )


def paired_table(
    arms: Sequence[Arm], ours: str, others: Sequence[str], times: Sequence[int]
) -> str:
    """Regret of others less ours, person by person, with 95 % intervals; above 0 ours is better."""
    header = (f"regret less that of {ours} [95 %]", *(f"t = {t}" for t in times))
    mine = named(arms, ours)
    rows = []
    for name in others:
        theirs = named(arms, name)
        gaps = [difference(theirs.regret[:, t], mine.regret[:, t]) for t in times]
        rows.append((name, *(f"{g.mean:+.3f} [{g.low:+.3f}, {g.high:+.3f}]" for g in gaps)))
    return markdown_table(header, rows)


def wins_table(arms: Sequence[Arm], levels: Sequence[float] = (0.9, 0.95, 0.99)) -> str:
    """Answers until the mean win-rate against the baseline stays at a share of the best one's."""
    best = max(float(arm.wins[:, -1].mean()) for arm in arms)
    header = ("answers to a win-rate of", *(f"{100 * level * best:.1f} %" for level in levels))
    rows = [(arm.name, *(_reached(arm.wins, level * best) for level in levels)) for arm in arms]
    return markdown_table(header, rows)


def wins_lines(arms: Sequence[Arm], ours: str, level: float = 0.95) -> list[str]:
    """Whether it takes fewer answers than USERALIGN to a share of the best win-rate."""
    best = max(float(arm.wins[:, -1].mean()) for arm in arms)
    mine, theirs = (answers_to(named(arms, n).wins, level * best) for n in (ours, "useralign"))
    reached = mine is not None and (theirs is None or mine < theirs)
    what = f"{ours}: answers to a win-rate of {100 * level * best:.1f} %, fewer than useralign's"
    return [verdict(what, f"below {_count(theirs)}", _count(mine), reached=reached)]


def low_rank_lines(arms: Sequence[Arm], rank: int, n: int, flip_rate: float) -> list[str]:
    """The learned prior beside what was asked of it."""
    learned = named(arms, "eubo, population").shares
    lines = []
    for t, asked in zip(TIMES, ASKED_SHARES.get((rank, n, flip_rate), ()), strict=False):
        found = average(learned[:, t])
        lines.append(
            verdict(
                f"learned prior, rank {rank}, N = {n}, flips {flip_rate:.0%}, t = {t}",
                f"{asked:.3g}",
                f"{found.mean:.3f} ({found.error:.3f})",
                reached=found.mean >= asked,
                near=found.mean + 2.0 * found.error >= asked,
            )
        )
    if rank == 3 and not flip_rate:
        five = float(learned[:, 5].mean())
        what = f"floor of rank 3, N = {n}, t = 5"
        lines.append(verdict(what, f"{FLOOR}", f"{five:.3f}", reached=five >= FLOOR))
    where = f"rank {rank}, N = {n}, flips {flip_rate:.0%}"
    return [*lines, _population_line(arms, "eubo, population", where)]


def asked_lines(arms: Sequence[Arm], n: int, best: str) -> list[str]:
    """The best strategy without a population, on real pools and nobody's answers turned round."""
    lines = []
    for t, asked in ASKED_REGRETS.get(n, {}).items():
        found = average(named(arms, best).regret[:, t])
        lines.append(
            verdict(
                f"{best}, N = {n}, t = {t}: mean regret at most",
                f"{asked}",
                f"{found.mean:.3f} ({found.error:.3f})",
                reached=found.mean <= asked,
                near=found.mean - 2.0 * found.error <= asked,
            )
        )
    return lines


def persona_lines(arms: Sequence[Arm], flip_rate: float, best: str) -> list[str]:
    """The best strategy without a population, and the one with it, beside the paper's."""
    mine, lines = named(arms, best), []
    most = mine.shares.shape[1]
    for other in ("useralign", "winner-stays"):
        gaps = {
            t: difference(named(arms, other).regret[:, t], mine.regret[:, t])
            for t in range(3, most)
        }
        worse = [t for t, g in gaps.items() if g.high < 0.0]
        above = [t for t, g in gaps.items() if g.mean < 0.0]
        late = [t for t in above if t >= 15]
        name = f"{best} against {other}, flips {flip_rate:.0%}, t = 3..{most - 1}"
        lines.append(
            verdict(f"{name}: beyond the interval worse at", "none", _ts(worse), reached=not worse)
        )
        lines.append(
            verdict(f"{name}: mean regret higher at", "none", _ts(above), reached=not above)
            if not flip_rate
            else verdict(
                f"{name}: mean regret higher from 15 on at", "none", _ts(late), reached=not late
            )
        )
    lines.append(_population_line(arms, "eubo, style, population", f"flips {flip_rate:.0%}"))
    return lines


def _population_line(arms: Sequence[Arm], ours: str, where: str) -> str:
    """Whether a population's prior beats USERALIGN from 5 answers on, for as long as it can."""
    mine, theirs = named(arms, ours).regret, named(arms, "useralign").regret
    times = [t for t in range(5, mine.shape[1]) if theirs[:, t].any()]
    not_yet = [t for t in times if difference(theirs[:, t], mine[:, t]).low <= 0.0]
    what = f"with the population better than useralign, {where}, interval above 0 at every t from 5"
    what += f" to {times[-1]}: not at" if times else ": not at"
    return verdict(what, "none", _ts(not_yet), reached=not not_yet)


def outside_lines(arms: Sequence[Arm], t: int = 20) -> list[str]:
    """Somebody outside the population, beside the strategy without it."""
    gap = difference(named(arms, "eubo").shares[:, t], named(arms, "eubo, population").shares[:, t])
    what = f"outside the population, t = {t}: share lost to the strategy without it, at most"
    return [verdict(what, "0.02", f"{gap.mean:+.3f}", reached=gap.mean <= 0.02)]


def pace_table(paces: Iterable[Pace]) -> str:
    """Medians of steps, beside what was asked."""
    rows = []
    for pace in paces:
        asked = 5.0 if pace.n <= 20 else 50.0
        took = 1e3 * median(pace.seconds)
        state = "reached" if took < asked else "MISSED"
        cells = (f"{pace.n:,}", str(pace.after), f"{took:.2f}", f"{asked:.0f}", state)
        rows.append((pace.name, *cells))
    return markdown_table(("step", "N", "after answers", "median ms", "asked", ""), rows)


def visits_table(found: Iterable[Visits], times: Sequence[int] = (0, 1, 2, 3, 5, 8, 10)) -> str:
    """Share of the best at each of a person's prompts."""
    header = (
        "share of the range (standard error)",
        "prompt",
        *(f"t = {t}" for t in times),
        "to .90",
    )
    rows = []
    for one in found:
        for visit in range(one.shares.shape[1]):
            shares = one.shares[:, visit]
            cells = (_mean(shares[:, t]) for t in times)
            rows.append((one.name, str(visit + 1), *cells, _reached(shares, 0.90)))
    return markdown_table(header, rows)


def visits_lines(found: Iterable[Visits], level: float = 0.9) -> list[str]:
    """A returning person's third prompt beside their first."""
    one = next(v for v in found if v.name == "remembering")
    first, last = (answers_to(one.shares[:, v], level) for v in (0, one.shares.shape[1] - 1))
    reached = last is not None and (first is None or last <= first / 2)
    what = f"answers to a share of {level:.2f} at the third prompt, at most half of the first's"
    return [verdict(what, "half", f"{_count(last)} of {_count(first)}", reached=reached)]


def answers_to(shares: FloatArray, level: float) -> int | None:
    """The first t from which on the mean share is at least ``level``; None if it never is."""
    below = np.flatnonzero(shares.mean(axis=0) < level)
    t = int(below[-1]) + 1 if len(below) else 0
    return t if t < shares.shape[1] else None


def named(arms: Iterable[Arm], name: str) -> Arm:
    """The arm of this name."""
    return next(arm for arm in arms if arm.name == name)


def verdict(what: str, asked: str, measured: str, *, reached: bool, near: bool = False) -> str:
    """One line: what was asked, what was measured."""
    state = "reached" if reached else "within two standard errors" if near else "MISSED"
    return f"{what}: asked {asked}, measured {measured}: {state}"


def _mean(values: FloatArray) -> str:
    found = average(values)
    return f"{found.mean:.3f} ({found.error:.3f})"


def _reached(shares: FloatArray, level: float) -> str:
    return _count(answers_to(shares, level))


def _count(t: int | None) -> str:
    return "never" if t is None else str(t)


def _ts(ts: Sequence[int]) -> str:
    return ", ".join(map(str, ts)) or "none"
