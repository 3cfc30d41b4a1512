"""What a study found: win-rates against the baseline, as in Table 3 of the USERALIGN paper."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from statistics import mean, median, stdev
from typing import TYPE_CHECKING, Final

from palate.serve.study.export import finished, passed
from palate.serve.study.records import task_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from palate.serve.study.log import StudyLog
    from palate.serve.study.plan import Condition
    from palate.serve.study.records import Matchup, Participant, Study
    from palate.serve.study.tasks import Task

RANDOM: Final = "RANDOM"
"""How the report calls the random candidates, of all methods' participants together."""


@dataclass(frozen=True, slots=True)
class WinRate:
    """How often a choice was preferred to the baseline.

    Attributes:
        domain: name of the domain.
        method: label of the method, or RANDOM.
        step: comparisons before the choice; None for a random candidate.
        condition: whether a persona was played.
        wins: 1 where the choice was preferred, else 0, by participant.
    """

    domain: str
    method: str
    step: int | None
    condition: Condition
    wins: tuple[int, ...]

    def __str__(self) -> str:
        """Percentage with its standard error."""
        if not self.wins:
            return "none yet"
        n = len(self.wins)
        error = f"{100 * stdev(self.wins) / n**0.5:.1f}" if n > 1 else "unknown"
        return f"{100 * mean(self.wins):.1f} ({error})"


@dataclass(frozen=True, slots=True)
class Durations:
    """Median minutes of the participants of a domain (or of all) who have finished.

    Attributes:
        domain: its name, or "all".
        n: how many participants.
        reading: of stage 1, from the consent on.
        comparing: of stage 2.
        judging: of stage 3.
        total: from the consent to the last answer.
    """

    domain: str
    n: int
    reading: float
    comparing: float
    judging: float
    total: float


@dataclass(frozen=True, slots=True)
class StudyReport:
    """What a study found.

    Attributes:
        title: of the study.
        simulated: whether those whom it is about are simulated.
        left_out: how many of the other kind finished, and are not in it.
        invited: how many links there are.
        started: how many have consented.
        finished: how many have answered everything.
        attentive: how many of these have passed the attention check; None where there is none.
        only_attentive: whether the win-rates are theirs alone.
        win_rates: by domain, method, step and condition.
        durations: by domain, and of all.
    """

    title: str
    simulated: bool
    left_out: int
    invited: int
    started: int
    finished: int
    attentive: int | None
    only_attentive: bool
    win_rates: tuple[WinRate, ...]
    durations: tuple[Durations, ...]

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows in Table 3's layout: percentages, with standard errors in brackets."""
        conditions = list(dict.fromkeys(rate.condition for rate in self.win_rates))
        names = {"persona": "with persona", "own": "own taste"}
        rows: dict[tuple[str, str, int | None], dict[str, WinRate]] = {}
        for rate in self.win_rates:
            rows.setdefault((rate.domain, rate.method, rate.step), {})[rate.condition] = rate
        header = ["domain", "method", "step"]
        for condition in conditions:
            header += [f"{names[condition]}, win-rate %", "n"]
        return header, [
            [domain, method, "-" if step is None else str(step)]
            + [c for one in conditions for c in (str(rates[one]), str(len(rates[one].wins)))]
            for (domain, method, step), rates in rows.items()
        ]

    def summary(self) -> list[str]:
        """What to know before reading the table, in sentences."""
        who = "simulated participants" if self.simulated else "participants"
        counts = f"{self.started} started, {self.finished} finished"
        lines = [f"{self.title}: {self.invited} {who} with a link, {counts}."]
        if self.simulated:
            lines.append("These data are simulated: programs answered, and no person did.")
        if self.left_out:
            other = "people" if self.simulated else "simulated participants"
            lines.append(f"{self.left_out} {other} who finished are left out.")
        if self.attentive is not None and self.finished:
            share = 100 * self.attentive / self.finished
            lines.append(
                f"Attention check: {self.attentive} of {self.finished} passed ({share:.1f} %)"
                + ("; the others are left out." if self.only_attentive else ".")
            )
        return lines


@dataclass(frozen=True, slots=True)
class _Finished:
    """A participant who has answered everything."""

    participant: Participant
    task: Task
    matchups: tuple[Matchup, ...]

    @property
    def attentive(self) -> bool:
        return all(passed(m) for m in self.matchups if "attention" in m.arms)


def study_report(
    log: StudyLog, study: Study, *, simulated: bool | None = None, only_attentive: bool = False
) -> StudyReport:
    """What a study found so far. People and simulated participants are never put together.

    Args:
        log: of the study.
        study: which one.
        simulated: about whom it is; by default people, if any has started.
        only_attentive: whether to leave out who failed the attention check.
    """
    everyone = log.everyone(study)
    if simulated is None:
        begun = {
            participant.simulated for participant, _ in everyone if participant.place is not None
        }
        simulated = begun == {True}
    ours = [(p, m) for p, m in everyone if p.simulated == simulated]
    done = [_Finished(p, task_of(study, p), m) for p, m in ours if finished(m)]
    others = sum(finished(m) for p, m in everyone if p.simulated != simulated)
    counted = [one for one in done if one.attentive or not only_attentive]
    checked = study.plan.attention_check
    return StudyReport(
        title=study.plan.title,
        simulated=simulated,
        left_out=others,
        invited=len(ours),
        started=sum(p.place is not None for p, _ in ours),
        finished=len(done),
        attentive=sum(one.attentive for one in done) if checked else None,
        only_attentive=only_attentive,
        win_rates=tuple(_win_rates(study, counted)),
        durations=tuple(_durations(study, counted)),
    )


def _win_rates(study: Study, counted: Sequence[_Finished]) -> list[WinRate]:
    found = []
    for domain in study.plan.domains:
        rows: list[tuple[str, str]] = []
        for method in study.plan.methods:
            rows += [(method.label, "early")] if domain.early is not None else []
            rows.append((method.label, "late"))
        rows += [(RANDOM, "random")] if study.plan.random else []
        for label, arm in rows:
            for condition in study.plan.conditions:
                of_cell = [
                    one
                    for one in counted
                    if one.task.domain == domain
                    and one.task.condition == condition
                    and (arm == "random" or one.task.method.label == label)
                ]
                wins = [int(m.won) for one in of_cell for m in one.matchups if arm in m.arms]
                step = {"early": domain.early, "late": domain.comparisons}.get(arm)
                found.append(WinRate(domain.name, label, step, condition, tuple(wins)))
    return found


def _durations(study: Study, counted: Sequence[_Finished]) -> list[Durations]:
    groups = [(d.name, [o for o in counted if o.task.domain == d]) for d in study.plan.domains]
    if len(groups) > 1:
        groups.append(("all", list(counted)))
    found = []
    for name, of_group in groups:
        if of_group:
            stages = zip(*map(_minutes, of_group), strict=True)
            found.append(Durations(name, len(of_group), *map(median, stages)))
    return found


def _minutes(one: _Finished) -> tuple[float, float, float, float]:
    """Minutes of the three stages, and together."""
    last = max(matchup.at or "" for matchup in one.matchups)
    times = [one.participant.consented_at, one.participant.began_at, one.matchups[0].drawn_at, last]
    at = [datetime.fromisoformat(str(time)).timestamp() / 60 for time in times]
    return at[1] - at[0], at[2] - at[1], at[3] - at[2], at[3] - at[0]
