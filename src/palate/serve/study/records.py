"""A study, its participants and their matchups, as the rows of the database have them."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from palate.errors import UnknownIdError
from palate.serve.study.plan import StudyPlan, plan_from_object
from palate.serve.study.tasks import Prompt, Task, prompts_from_object, task_at
from palate.store.rows import load

if TYPE_CHECKING:
    from sqlalchemy import Row


@dataclass(frozen=True, slots=True)
class Study:
    """A study in the database.

    Attributes:
        number: in the database.
        id: the secret of the link by which anybody can join.
        plan: its file.
        prompts: of each domain of the plan.
    """

    number: int
    id: str
    plan: StudyPlan
    prompts: tuple[tuple[Prompt, ...], ...]


@dataclass(frozen=True, slots=True)
class Participant:
    """A participant, and how far they have come.

    Attributes:
        number: in the database.
        id: the secret of their link.
        study: its id.
        simulated: whether a program answers.
        place: among those who consented, from 0; None before.
        consented_at: when, as an ISO 8601 time in UTC; so the others.
        elicitation: id of what stage 2 asks, or None.
        began_at: when stage 2 began.
    """

    number: int
    id: str
    study: str
    simulated: bool
    place: int | None
    consented_at: str | None
    elicitation: str | None
    began_at: str | None


@dataclass(frozen=True, slots=True)
class Matchup:
    """Two responses of stage 3: one of the pool, and the baseline (or the attention check's card).

    Attributes:
        id: unguessable, and says nothing of the arms.
        place: from 0, in the order shown.
        arms: "early", "late", "random", those of the same response together; or "attention".
        response: place in the pool.
        baseline_first: whether the baseline is shown first.
        drawn_at: when stage 2 ended.
        picked: 0 or 1 as shown; None before it is judged.
        response_ms: how long that took, or None.
        at: when, or None.
    """

    id: str
    place: int
    arms: tuple[str, ...]
    response: int
    baseline_first: bool
    drawn_at: str
    picked: int | None
    response_ms: int | None
    at: str | None

    @property
    def won(self) -> bool:
        """Whether the response was preferred to the baseline."""
        return self.picked == int(self.baseline_first)


def task_of(study: Study, participant: Participant) -> Task:
    """What a participant who has consented is given.

    Raises:
        UnknownIdError: they have not.
    """
    if participant.place is None:
        raise UnknownIdError("this participant has not consented")
    return task_at(study.plan, study.prompts, participant.place)


@functools.lru_cache(maxsize=64)
def study_from(number: int, id: str, plan: str, tasks: str) -> Study:  # noqa: A002 - as in the row
    """A row as a study; kept, since rows never change and each request needs one."""
    return Study(number, id, plan_from_object(load(plan)), prompts_from_object(load(tasks)))


def participant_from(row: Row[Any]) -> Participant:
    """A row as a participant."""
    return Participant(
        row.number,
        row.id,
        row.study,
        bool(row.simulated),
        row.place,
        row.consented_at,
        row.elicitation,
        row.began_at,
    )


def matchup_from(row: Row[Any]) -> Matchup:
    """A row as a matchup."""
    return Matchup(
        row.id,
        row.place,
        tuple(load(row.arms)),
        row.response,
        bool(row.baseline_first),
        row.drawn_at,
        row.picked,
        row.response_ms,
        row.at,
    )
