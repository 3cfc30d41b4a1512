"""The page of a person who is asked: a question, the result, and what their forms send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from palate.errors import AnswerError, ConflictError, UnknownQueryError
from palate.serve.cards import card, image_reply, milliseconds, whole
from palate.serve.context import context_of
from palate.serve.html import page
from palate.serve.images import response_at
from palate.wording import progress, sureness

if TYPE_CHECKING:
    from fastapi import APIRouter

    from palate.elicitation import Recommendation
    from palate.feedback import Picked
    from palate.store import Asked

_NOTES: Final = {
    "answered": "You answered that question already. Here is the next one.",
    "stale": "That question is no longer asked. Here is the one that is.",
    "undone": "Your last answer is taken back. Here is its question again.",
    "moved": "Your answers have changed since that page was shown, so nothing was taken back.",
    "nothing": "There is no answer to take back.",
}


class AnswerForm(BaseModel):
    """What the form of a question sends.

    Attributes:
        query: id of the query that it showed.
        picked: a position from 0, "tie", "skip", or "order".
        place: of each response, from 1, or empty; where an order was asked for.
        ms: milliseconds from when the question was seen, or empty.
        order: whether to ask for an order the next time, too.
    """

    query: str = Field(max_length=100)
    picked: str = Field(max_length=10)
    place: list[str] = Field(default=[], max_length=100)
    ms: str = ""
    order: str = ""


def add_routes(pages: APIRouter) -> None:
    """Add the pages at ``/e/ID``."""
    pages.add_api_route("/e/{elicitation}", question)
    pages.add_api_route("/e/{elicitation}/result", result)
    pages.add_api_route("/e/{elicitation}/answer", answer, methods=["POST"])
    pages.add_api_route("/e/{elicitation}/undo", undo, methods=["POST"])
    pages.add_api_route("/e/{elicitation}/image/{index}", image)


def question(request: Request, elicitation: str, note: str = "", order: str = "") -> Response:
    """What is asked now; the result where nothing is."""
    asked = context_of(request).store.ask(elicitation)
    if asked is None:
        return _result(request, elicitation, note, unfinished=False)
    places = [""] * len(asked.responses) if order else []
    return _question(request, elicitation, asked, note=note, places=places)


def result(request: Request, elicitation: str, note: str = "") -> Response:
    """The best response so far, to whoever stops."""
    unfinished = context_of(request).store.ask(elicitation) is not None
    return _result(request, elicitation, note, unfinished=unfinished)


def answer(request: Request, elicitation: str, form: Annotated[AnswerForm, Form()]) -> Response:
    """Record an answer and lead on to what is asked then."""
    context = context_of(request)
    note = ""
    try:
        said = _order(form.place) if form.picked == "order" else _pick(form.picked)
        taken = milliseconds(form.ms)
        new = context.store.tell(elicitation, form.query, said, response_ms=taken)
        context.metrics.answers += new
    except ConflictError:
        note = "answered"
    except UnknownQueryError:
        note = "stale"
    except AnswerError:
        asked = context.store.ask(elicitation)
        if asked is None or asked.id != form.query or form.picked != "order":
            raise
        problem = "Give at least two responses a place, and every place only once."
        return _question(request, elicitation, asked, problem=problem, places=form.place)
    return _onward(elicitation, note, form.order)


def undo(
    request: Request,
    elicitation: str,
    events: Annotated[int, Form()],
    order: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    """Take back the last answer, if it is the last that the person saw."""
    store = context_of(request).store
    note = "undone"
    try:  # a form that is sent twice takes back one answer
        if not store.undo(elicitation, events=events):
            note = "moved"
    except AnswerError:
        note = "nothing"
    return _onward(elicitation, note, order)


def image(request: Request, elicitation: str, index: int) -> Response:
    """The image of a response, by its place in the pool."""
    return image_reply(request, response_at(context_of(request).store, elicitation, index))


def _question(
    request: Request,
    elicitation: str,
    asked: Asked,
    *,
    places: list[str],
    note: str = "",
    problem: str = "",
) -> Response:
    """The page of a question; for an order if places are given, which are those put so far."""
    store = context_of(request).store
    stored, found = store.elicitation(elicitation), store.recommend(elicitation)
    prompt = store.pool(stored.pool).prompt
    base = f"/e/{elicitation}"
    cards = [
        card(request, base, response, index, f"Response {position}")
        for position, (response, index) in enumerate(
            zip(asked.responses, asked.query.options, strict=True), start=1
        )
    ]
    for shown, place in zip(cards, places, strict=False):
        shown["place"] = whole(place)
    return page(
        "question",
        status=422 if problem else 200,
        base=base,
        prompt=prompt,
        short=_short(prompt),
        query=asked.id,
        cards=cards,
        number=found.answers + 1,
        answered=found.answers,
        left=found.questions_left,
        progress=progress(found),
        answers=stored.answers,
        events=stored.events,
        best=_best(request, base, found) if found.answers or stored.remembered else None,
        note=_NOTES.get(note),
        problem=problem,
        order=bool(places) and len(cards) > 2,
    )


def _result(request: Request, elicitation: str, note: str, *, unfinished: bool) -> Response:
    store = context_of(request).store
    stored, found = store.elicitation(elicitation), store.recommend(elicitation)
    prompt = store.pool(stored.pool).prompt
    base = f"/e/{elicitation}"
    return page(
        "result",
        base=base,
        prompt=prompt,
        short=_short(prompt),
        best=_best(request, base, found),
        sureness=sureness(found),
        answers=stored.answers,
        personal=bool(stored.answers or stored.remembered),
        events=stored.events,
        # The question that it spoke of is no longer there, where this is the page at the end.
        note=_NOTES["moved"] if note == "moved" else None,
        unfinished=unfinished,
    )


def _onward(elicitation: str, note: str, order: str) -> Response:
    """To what is asked next, with the place of the page from which it is read on."""
    parameters = [f"note={note}"] if note else []
    parameters += ["order=1"] if order else []
    query = f"?{'&'.join(parameters)}" if parameters else ""
    return RedirectResponse(f"/e/{elicitation}{query}#question", 303)


def _best(request: Request, base: str, found: Recommendation) -> dict[str, Any]:
    return card(request, base, found.response, found.index, "The best response so far")


def _pick(picked: str) -> Picked:
    if picked == "tie":
        return "tie"
    if picked == "skip":
        return "skip"
    position = whole(picked)
    if position is None:
        raise AnswerError("an answer is a position, tie or skip")
    return position


def _order(places: list[str]) -> Picked:
    """The order that the places of responses mean, best first."""
    wholes = enumerate(map(whole, places))
    named = [(place, i) for i, place in wholes if place is not None]
    if len({place for place, _ in named}) < len(named):
        raise AnswerError("two responses have the same place")
    return tuple(i for _, i in sorted(named))


def _short(prompt: str) -> str:
    line = " ".join(prompt.split())
    return line if len(line) <= 60 else line[:57] + "..."
