"""What the runs of an experiment are held against: a line each, the measured beside the asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from palate.bench.measures import average, by_person, difference
from palate.bench.tables import Section
from palate.bench.trial import SPARSE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from palate._typing import FloatArray
    from palate.bench.experiment import Outcome
    from palate.bench.steps import StepTimes
    from palate.bench.tables import Group


def checks(
    groups: Sequence[Group], times: Sequence[StepTimes], max_steps: int, spent: str
) -> Section:
    """All checks that the methods run allow.

    Args:
        groups: the runs.
        times: of steps, by group.
        max_steps: most questions of a run.
        spent: what the whole experiment took, in words.
    """
    rows = [(group.name, *row) for group in groups for row in _of_group(group, max_steps)]
    rows += [row for t in times for row in _reference_time(t)]
    rows.append(("all", "time of the whole experiment", spent, ""))
    return Section("Checks", ("people", "check", "measured", "asked"), tuple(rows))


def _of_group(group: Group, max_steps: int) -> Iterator[tuple[str, str, str]]:
    runs = group.runs
    size = len(next(iter(runs.values()))[0].subject.pool)
    if "useralign" in runs:
        cost = average(by_person(runs["useralign"], lambda o: float(o.trial.cost)))
        yield "USERALIGN, cost at epsilon = 0", str(cost), f"N - 1 = {size - 1} where d >= N - 1"
        best = by_person(runs["useralign"], lambda o: o.final_best)
        if runs["useralign"][0].subject.utilities is not None:
            share = f"{100.0 * best.mean():.2f} % of {len(runs['useralign'])} runs"
            yield (
                "USERALIGN, choices that are the pool's best",
                share,
                "100 % where a linear taste explains all answers",
            )
    if {"useralign", "oracle"} <= runs.keys():
        less = difference(_final(runs["useralign"]), _final(runs["oracle"]))
        yield "USERALIGN less ORACLE, win-rate in points", str(less), "0"
    if "random" in runs and runs["random"][0].subject.utilities is not None:
        yield from _random_rows(runs["random"])
    if {"useralign", "iidbest"} <= runs.keys():
        yield from _ahead_of_iidbest(group, max_steps)
    if "useralign-loss" in runs:
        yield _loss_bound(runs["useralign-loss"], max_steps)


def _final(runs: Sequence[Outcome]) -> FloatArray:
    return by_person(runs, lambda o: 100.0 * o.trial.wins[-1])


def _random_rows(runs: Sequence[Outcome]) -> Iterator[tuple[str, str, str]]:
    """RANDOM against its exact expectation: every response equally likely, runs independent."""
    for name, got, values in (
        ("win-rate", [o.trial.wins[-1] for o in runs], [_all_wins(o) for o in runs]),
        ("share of range", [o.shares([0])[0] for o in runs], [o.subject.shares for o in runs]),
    ):
        expected = float(np.mean([np.mean(v) for v in values]))
        error = float(np.sqrt(np.sum([np.var(v) for v in values]))) / len(runs)
        measured = float(np.mean(got))
        z = (measured - expected) / error if error > 0.0 else 0.0
        yield (
            f"RANDOM, {name} in %",
            f"{100.0 * measured:.2f}, {z:+.2f} standard errors away",
            f"{100.0 * expected:.2f}, within 2",
        )


def _all_wins(outcome: Outcome) -> list[float]:
    subject = outcome.subject
    return [subject.preference(i) for i in range(len(subject.pool))]


def _ahead_of_iidbest(group: Group, max_steps: int) -> Iterator[tuple[str, str, str]]:
    """USERALIGN less IIDBEST at each step from the fifth on, paired."""
    ts = sorted(t for t in SPARSE if 5 <= t <= max_steps)
    if not ts:
        return
    for name, measure in (
        ("win-rate", lambda o: 100.0 * o.wins(ts)),
        ("share of range", lambda o: 100.0 * o.shares(ts)),
    ):
        ours, theirs = (by_person(group.runs[m], measure) for m in ("useralign", "iidbest"))
        if not np.isfinite(ours).all():
            continue
        at = list(map(difference, ours.T, theirs.T))
        ahead, behind = sum(d.mean > 0.0 for d in at), sum(d.mean < 0.0 for d in at)
        surely = sum(d.low > 0.0 for d in at)
        least = min(range(len(ts)), key=lambda place: at[place].mean)
        measured = (
            f"least at t = {ts[least]}: {at[least]}; above 0 at {ahead} of {len(ts)} steps, with "
            f"the whole interval at {surely}, below at {behind}"
        )
        check = f"USERALIGN less IIDBEST, {name} in points, t = {ts[0]} to {ts[-1]}"
        yield check, measured, "above 0 at every t >= 5"


def _loss_bound(runs: Sequence[Outcome], max_steps: int) -> tuple[str, str, str]:
    """By how much the bound of USERALIGN_LOSS falls after its first question."""
    features = runs[0].subject.pool.features
    d = 0 if features is None else features.shape[1]
    first = np.mean([o.trial.bounds[min(1, o.trial.cost)] or 0.0 for o in runs])
    last = np.mean([o.trial.bounds[-1] or 0.0 for o in runs])
    certified = sum(o.trial.certified[-1] for o in runs)
    measured = f"{first:.3f} and {last:.3f}; {certified} of {len(runs)} runs certified"
    check = f"USERALIGN_LOSS, bound at t = 1 and at the end (at most {max_steps}), d = {d}"
    return check, measured, "no certificate within 199 questions at d = 64"


def _reference_time(times: StepTimes) -> Iterator[tuple[str, str, str, str]]:
    if times.reference:
        reference = float(np.mean(times.reference))
        measured = (
            f"{times.steps * reference / 60.0:,.1f} minutes on one core for {times.steps:,} steps; "
            f"a step takes {reference / times.in_runs:.0f} times ours in the runs"
        )
        check = "the reference solver, estimated for the steps of USERALIGN and USERALIGN_LOSS"
        yield times.group, check, measured, ""
