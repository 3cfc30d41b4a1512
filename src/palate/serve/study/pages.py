"""The pages of a study: consent, the prompt, comparisons, matchups, the completion code.

``/s/ID`` is a study's link, which anybody may have; each who joins gets a secret link ``/p/ID``,
whose page shows where they are. Forms record what they send and lead back to it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse

from palate.errors import AnswerError, ConflictError, UnknownIdError, UnknownQueryError
from palate.pool import Response as Candidate
from palate.serve.cards import card, image_reply, milliseconds
from palate.serve.context import context_of
from palate.serve.html import page
from palate.serve.study.records import task_of
from palate.serve.study.setup import study_log
from palate.serve.study.walk import (
    Comparing,
    Done,
    Judging,
    Landing,
    Reading,
    elicitation_of,
    stage_of,
)

if TYPE_CHECKING:
    from fastapi import APIRouter

    from palate.feedback import Picked
    from palate.pool import Pool
    from palate.serve.study.log import StudyLog
    from palate.serve.study.records import Participant, Study
    from palate.serve.study.tasks import Task

_NOTES: Final = {
    "agree": "To take part, tick the box that says that you agree.",
    "answered": "You answered that one already. Here is the next one.",
}
_A_MONTH = 30 * 24 * 3600
CHECK: Final = (
    "This pair only checks that the page is being read. Please pick **this** answer, whatever the "
    "other one says."
)
"""What the attention check asks, on a card of its own."""


def add_routes(pages: APIRouter) -> None:
    """Add the pages at ``/s/ID`` and ``/p/ID``."""
    pages.add_api_route("/s/{study}", landing)
    pages.add_api_route("/s/{study}/join", join, methods=["POST"])
    pages.add_api_route("/p/{participant}", here)
    pages.add_api_route("/p/{participant}/consent", consent, methods=["POST"])
    pages.add_api_route("/p/{participant}/begin", begin, methods=["POST"])
    pages.add_api_route("/p/{participant}/answer", answer, methods=["POST"])
    pages.add_api_route("/p/{participant}/judge", judge, methods=["POST"])
    pages.add_api_route("/p/{participant}/image/{index}", image)


def landing(request: Request, study: str, note: str = "") -> Response:
    """What the study is; whoever has joined by this browser is led on to their own page."""
    log, found = _study(request, study)
    own = request.cookies.get(_cookie(found), "")
    try:
        if log.participant(own).study == found.id:
            return _onward(own)
    except UnknownIdError:
        pass
    full = log.finished(found) >= found.plan.participants
    ticket = secrets.token_urlsafe(12)
    return _landing(found, f"/s/{study}/join", full=full, note=note, ticket=ticket)


def join(
    request: Request,
    study: str,
    ticket: Annotated[str, Form(min_length=16, max_length=64)],
    agree: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Take in a new participant, who has agreed, and lead on to their own page."""
    log, found = _study(request, study)
    if not agree:
        return RedirectResponse(f"/s/{study}?note=agree", 303)
    if log.finished(found) >= found.plan.participants:
        return RedirectResponse(f"/s/{study}", 303)
    participant = log.join(found, ticket)
    log.consent(log.participant(participant), found)
    response = _onward(participant)
    response.set_cookie(
        _cookie(found),
        participant,
        max_age=_A_MONTH,
        path=f"/s/{found.id}",
        secure=context_of(request).settings.url.startswith("https:"),
        httponly=True,
        samesite="lax",
    )
    return response


def here(request: Request, participant: str, note: str = "") -> Response:
    """Where a participant is."""
    log, study, found = _participant(request, participant)
    stage = stage_of(context_of(request).store, log, study, found)
    base = f"/p/{participant}"
    match stage:
        case Landing(full):
            return _landing(study, f"{base}/consent", full=full, note=note)
        case Reading(task, pool):
            asked = _asked(study, task, pool)
            return page("study_task", base=base, of=task.domain.comparisons, **asked)
        case Comparing():
            return _compare(request, study, base, stage, note)
        case Judging():
            return _matchup(request, study, base, stage, note)
        case Done():
            code = study.plan.completion_code
            return page("study_done", title=study.plan.title, code=code, note=None)


def consent(
    request: Request, participant: str, agree: Annotated[str, Form(max_length=10)] = ""
) -> Response:
    """Record that somebody whose link was made ahead agrees."""
    log, study, found = _participant(request, participant)
    if not agree:
        return _onward(participant, "agree")
    full = found.place is None and log.finished(study) >= study.plan.participants
    if not full:
        log.consent(found, study)
    return _onward(participant)


def begin(request: Request, participant: str) -> Response:
    """Record that stage 1 is read."""
    log, _, found = _participant(request, participant)
    if found.place is not None:
        log.begin(found)
    return _onward(participant)


def answer(
    request: Request,
    participant: str,
    query: Annotated[str, Form(max_length=100)],
    picked: Annotated[str, Form(max_length=10)],
    ms: Annotated[str, Form()] = "",
) -> Response:
    """Record a comparison of stage 2."""
    context = context_of(request)
    log, study, found = _participant(request, participant)
    if found.began_at is None:
        return _onward(participant)
    said = _said(picked, study.plan.allow)
    elicitation = elicitation_of(context.store, log, found, task_of(study, found))
    note = ""
    try:
        new = context.store.tell(elicitation, query, said, response_ms=milliseconds(ms))
        context.metrics.answers += new
    except (ConflictError, UnknownQueryError):
        note = "answered"
    return _onward(participant, note)


def judge(
    request: Request,
    participant: str,
    matchup: Annotated[str, Form(max_length=100)],
    picked: Annotated[str, Form(max_length=10)],
    ms: Annotated[str, Form()] = "",
) -> Response:
    """Record a matchup of stage 3."""
    log, _, found = _participant(request, participant)
    said = _said(picked, ())
    note = ""
    try:
        log.judge(found, matchup, said, milliseconds(ms))  # type: ignore[arg-type]  # 0 or 1
    except (ConflictError, UnknownQueryError):
        note = "answered"
    return _onward(participant, note)


def image(request: Request, participant: str, index: int) -> Response:
    """The image of a response by its place in the pool; the baseline's is one further."""
    _, study, found = _participant(request, participant)
    pool = context_of(request).store.pool(task_of(study, found).prompt.pool)
    shown = (*pool.responses, pool.baseline)
    return image_reply(request, shown[index] if 0 <= index < len(shown) else None)


def _study(request: Request, study: str) -> tuple[StudyLog, Study]:
    log = study_log(context_of(request).store)
    return log, log.study(study)


def _participant(request: Request, participant: str) -> tuple[StudyLog, Study, Participant]:
    log = study_log(context_of(request).store)
    found = log.participant(participant)
    return log, log.study(found.study), found


def _landing(
    study: Study, action: str, *, full: bool, note: str, ticket: str | None = None
) -> Response:
    return page(
        "study_landing",
        title=study.plan.title,
        consent=study.plan.consent,
        action=action,
        full=full,
        note=_NOTES.get(note),
        ticket=ticket,
    )


def _compare(request: Request, study: Study, base: str, stage: Comparing, note: str) -> Response:
    shown = zip(stage.asked.responses, stage.asked.query.options, strict=True)
    return page(
        "study_pair",
        action=f"{base}/answer",
        shown={"query": stage.asked.id},
        progress=f"Step {stage.step} out of {stage.of}",
        intro="",
        step=stage.step,
        of=stage.of,
        cards=[
            card(request, base, response, index, f"Answer {position}")
            for position, (response, index) in enumerate(shown, start=1)
        ],
        allow=study.plan.allow,
        note=_NOTES.get(note),
        **_asked(study, stage.task, stage.pool),
    )


def _matchup(request: Request, study: Study, base: str, stage: Judging, note: str) -> Response:
    matchup, pool = stage.matchup, stage.pool
    against = pool.baseline
    if "attention" in matchup.arms:
        against = Candidate("check", CHECK)
    if against is None:
        raise UnknownIdError("the pool has lost its baseline")
    pair = [(pool.responses[matchup.response], matchup.response), (against, len(pool))]
    if matchup.baseline_first:
        pair.reverse()
    return page(
        "study_pair",
        action=f"{base}/judge",
        shown={"matchup": matchup.id},
        progress=f"Final pair {stage.step} out of {stage.of}",
        intro="Almost done: a few last pairs, to be answered in the same way."
        if stage.step == 1
        else "",
        step=stage.step,
        of=stage.of,
        cards=[
            card(request, base, response, index, f"Answer {position}")
            for position, (response, index) in enumerate(pair, start=1)
        ],
        allow=(),
        note=_NOTES.get(note),
        **_asked(study, stage.task, pool),
    )


def _asked(study: Study, task: Task, pool: Pool) -> dict[str, Any]:
    persona = None if task.persona is None else task.persona.text
    return {"title": study.plan.title, "prompt": pool.prompt, "persona": persona}


def _said(picked: str, allow: tuple[str, ...]) -> Picked:
    """An answer that the study allows.

    Raises:
        AnswerError: it is none.
    """
    if picked in {"0", "1"}:
        return int(picked)
    if picked == "tie" and "tie" in allow:
        return "tie"
    if picked == "skip" and "skip" in allow:
        return "skip"
    raise AnswerError("an answer is one of the buttons of the page; go back and press one")


def _onward(participant: str, note: str = "") -> RedirectResponse:
    return RedirectResponse(f"/p/{participant}{f'?note={note}' if note else ''}#question", 303)


def _cookie(study: Study) -> str:
    return f"palate_study_{study.number}"
