"""A study's answers as flat rows: one a comparison, and one an arm of each matchup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from palate.serve.study.records import task_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from palate.feedback import Answer
    from palate.pool import Pool
    from palate.serve.study.log import StudyLog
    from palate.serve.study.records import Matchup, Participant, Study
    from palate.serve.study.tasks import Task
    from palate.store import Store

COLUMNS: Final = (
    "participant",
    "simulated",
    "finished",
    "domain",
    "prompt",
    "persona",
    "method",
    "condition",
    "kind",
    "number",
    "arm",
    "step",
    "first",
    "second",
    "picked",
    "won",
    "seconds",
    "at",
)
"""Names of the columns of :func:`study_rows`, in order."""


def study_rows(store: Store, log: StudyLog, study: Study) -> Iterator[dict[str, Any]]:
    """Every answer of a study, by participant, without their secret links.

    Each row has the keys :data:`COLUMNS`. ``kind`` is "comparison" (stage 2) or "matchup"
    (stage 3), ``number`` counts them from 1 in the order shown. ``arm`` is "early", "late",
    "random" or "attention", and ``step`` the number of comparisons before the choice; arms with the
    same response share a number, since they were judged at once. ``first`` and ``second`` are the
    ids of the responses as shown, "baseline" and "check" (the attention check's card) among them;
    ``picked`` is one of the two, "tie" or "skip"; ``won`` is whether it was preferred to the
    baseline, or the attention check was passed.
    """
    for participant, matchups in log.everyone(study):
        if participant.place is None or participant.elicitation is None:
            continue
        task = task_of(study, participant)
        pool = store.pool(task.prompt.pool)
        known = _known(participant, task, finished(matchups))
        for number, answer in enumerate(store.answers(participant.elicitation), start=1):
            yield known | _comparison(number, answer)
        for matchup in matchups:
            if matchup.picked is not None:
                for arm in matchup.arms:
                    yield known | _judged(matchup, arm, task, pool)


def finished(matchups: tuple[Matchup, ...]) -> bool:
    """Whether a participant has answered everything."""
    return bool(matchups) and all(matchup.picked is not None for matchup in matchups)


def passed(matchup: Matchup) -> bool:
    """Whether an attention check was passed; its card is where a baseline would be."""
    return not matchup.won


def step_of(arm: str, task: Task) -> int | None:
    """How many comparisons came before the choice of an arm; None for a random candidate."""
    return {"early": task.domain.early, "late": task.domain.comparisons}.get(arm)


def _known(participant: Participant, task: Task, done: bool) -> dict[str, Any]:  # noqa: FBT001
    return {
        "participant": participant.number,
        "simulated": participant.simulated,
        "finished": done,
        "domain": task.domain.name,
        "prompt": task.prompt.id,
        "persona": None if task.persona is None else task.persona.id,
        "method": task.method.label,
        "condition": task.condition,
    }


def _comparison(number: int, answer: Answer) -> dict[str, Any]:
    first, second = answer.query.ids
    picked = answer.query.ids[answer.picked] if isinstance(answer.picked, int) else answer.picked
    return {
        "kind": "comparison",
        "number": number,
        "arm": None,
        "step": number,
        "first": first,
        "second": second,
        "picked": picked,
        "won": None,
        "seconds": answer.seconds,
        "at": answer.at,
    }


def _judged(matchup: Matchup, arm: str, task: Task, pool: Pool) -> dict[str, Any]:
    against = "check" if arm == "attention" else "baseline"
    pair = [pool.responses[matchup.response].id, against]
    if matchup.baseline_first:
        pair.reverse()
    milliseconds = matchup.response_ms
    return {
        "kind": "matchup",
        "number": matchup.place + 1,
        "arm": arm,
        "step": step_of(arm, task),
        "first": pair[0],
        "second": pair[1],
        "picked": pair[matchup.picked or 0],
        "won": passed(matchup) if arm == "attention" else matchup.won,
        "seconds": None if milliseconds is None else milliseconds / 1000,
        "at": matchup.at,
    }
