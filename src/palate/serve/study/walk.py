"""Where a participant is in a study, and what they see there; all of it follows from the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from palate._random import generator
from palate.elicitation import Elicitation, strategy_from_settings
from palate.serve.study.records import task_of

if TYPE_CHECKING:
    from palate.pool import Pool
    from palate.serve.study.log import StudyLog
    from palate.serve.study.records import Matchup, Participant, Study
    from palate.serve.study.tasks import Task
    from palate.store import Asked, Store


@dataclass(frozen=True, slots=True)
class Landing:
    """Before the consent.

    Attributes:
        full: whether enough others have finished, so that nobody new is taken in.
    """

    full: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """Stage 1: the prompt, and who is played."""

    task: Task
    pool: Pool


@dataclass(frozen=True, slots=True)
class Comparing:
    """Stage 2: one of a fixed number of comparisons, counted from 1."""

    task: Task
    pool: Pool
    asked: Asked
    step: int
    of: int


@dataclass(frozen=True, slots=True)
class Judging:
    """Stage 3: one of the matchups, counted from 1."""

    task: Task
    pool: Pool
    matchup: Matchup
    step: int
    of: int


@dataclass(frozen=True, slots=True)
class Done:
    """Everything is answered."""


def stage_of(
    store: Store, log: StudyLog, study: Study, participant: Participant
) -> Landing | Reading | Comparing | Judging | Done:
    """Where a participant is. What is needed to go on there is recorded, if it is not yet.

    Args:
        store: of the answers.
        log: of the study, in the same database.
        study: theirs.
        participant: as they are now.
    """
    if participant.place is None:
        return Landing(log.finished(study) >= study.plan.participants)
    task = task_of(study, participant)
    pool = store.pool(task.prompt.pool)
    if participant.began_at is None:
        return Reading(task, pool)
    elicitation = elicitation_of(store, log, participant, task)
    matchups = log.matchups(participant)
    if not matchups:
        # An undo is not offered, so that each answer stands.
        answered = store.elicitation(elicitation).answers
        asked = store.ask(elicitation) if answered < task.domain.comparisons else None
        if asked is not None:
            return Comparing(task, pool, asked, answered + 1, task.domain.comparisons)
        log.draw(participant, drawn(store, study, participant, task, elicitation))
        matchups = log.matchups(participant)
    left = [matchup for matchup in matchups if matchup.picked is None]
    if not left:
        return Done()
    return Judging(task, pool, left[0], len(matchups) - len(left) + 1, len(matchups))


def elicitation_of(store: Store, log: StudyLog, participant: Participant, task: Task) -> str:
    """Id of what stage 2 asks a participant, started if it is not yet."""
    if participant.elicitation is not None:
        return participant.elicitation
    strategy = task.method.strategy(task.domain.comparisons)
    # By this strategy alone: what was answered elsewhere is no part of a condition.
    started = store.start(store.add_person(), task.prompt.pool, strategy, remember=False)
    return log.set_elicitation(participant, started)


def drawn(
    store: Store, study: Study, participant: Participant, task: Task, elicitation: str
) -> list[tuple[tuple[str, ...], int, bool]]:
    """The matchups of a participant in random order: arms, response, whether the baseline is first.

    Arms whose response is the same are one matchup: nobody is asked the same twice.
    """
    rng = generator(study.plan.seed, "study matchups", participant.place or 0)
    arms: dict[int, list[str]] = {}
    if task.domain.early is not None:
        arms.setdefault(choice_after(store, elicitation, task.domain.early), []).append("early")
    arms.setdefault(choice_after(store, elicitation, None), []).append("late")
    size = len(store.pool(task.prompt.pool))
    candidate, beside = rng.integers(size, size=2).tolist()
    if study.plan.random:
        arms.setdefault(candidate, []).append("random")
    shown = [(tuple(names), response) for response, names in arms.items()]
    if study.plan.attention_check:
        shown.append((("attention",), beside))
    sides = rng.random(len(shown)) < 0.5
    return [(*shown[i], bool(sides[i])) for i in rng.permutation(len(shown))]


def choice_after(store: Store, elicitation: str, answers: int | None) -> int:
    """The place in the pool of the best response after so many answers, or after all for None."""
    stored = store.elicitation(elicitation)
    strategy = strategy_from_settings(stored.strategy)
    again = Elicitation(store.pool(stored.pool), strategy, stored.seed)
    for answer in store.answers(elicitation)[:answers]:
        again.tell(again.asked(answer.query.number, list(answer.query.ids)), answer.picked)
    return again.recommend().index
