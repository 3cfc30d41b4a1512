"""The API's routes of elicitations: start, ask, tell, undo, recommend, list, export."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import StreamingResponse

from palate.formats import trl_rows
from palate.serve._json import encoded, reply
from palate.serve.api_pools import After, Limit, Newest, response_object, sliced
from palate.serve.bodies import (
    AnswerOut,
    Asked,
    ElicitationOut,
    NewAnswer,
    NewElicitation,
    NewUndo,
    Page,
    RecommendationOut,
    Told,
    Undone,
)
from palate.serve.context import PREFIX, context_of
from palate.serve.documented import problems
from palate.serve.quick import QuickRoute

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from palate.feedback import Answer, Comparison, Picked
    from palate.serve.settings import Settings
    from palate.store import Store, StoredElicitation
    from palate.strategies import Strategy

JSONL = "application/jsonl"
_LINES_AT_ONCE = 200

router = APIRouter(prefix=PREFIX)
often = APIRouter(prefix=PREFIX, route_class=QuickRoute)


@router.post(
    "/elicitations",
    status_code=201,
    response_model=ElicitationOut,
    responses=problems(404, writes=True),
)
def start(request: Request, body: NewElicitation) -> Response:
    """Start asking a person about a pool."""
    context = context_of(request)
    store = context.store
    strategy: Mapping[str, Any] | Strategy | None = body.strategy
    remember = body.remember
    if strategy is None and context.population is not None:
        strategy = context.strategy(store.pool(body.pool))
        if strategy is not None and remember is None:
            remember = True
    id = store.start(  # noqa: A001
        body.person, body.pool, strategy, seed=body.seed, remember=remember
    )
    return reply(_elicitation(store.elicitation(id), context.settings), 201)


@router.get("/elicitations", response_model=Page[ElicitationOut], responses=problems(404))
def elicitations(  # noqa: PLR0917 - as FastAPI has it
    request: Request,
    person: Annotated[str | None, Query(description="Only this person's.")] = None,
    pool: Annotated[str | None, Query(description="Only those about this pool.")] = None,
    after: After = None,
    limit: Limit = 100,
    newest: Newest = False,  # noqa: FBT002
) -> Response:
    """Elicitations, oldest first."""
    context = context_of(request)
    page = context.store.elicitations(
        person=person, pool=pool, after=after, limit=limit, newest=newest
    )
    items = [_elicitation(e, context.settings) for e in page.items]
    return reply({"items": items, "after": page.after})


@router.get("/elicitations/{elicitation}", response_model=ElicitationOut, responses=problems(404))
def elicitation(request: Request, elicitation: str) -> Response:
    """How an elicitation stands."""
    context = context_of(request)
    return reply(_elicitation(context.store.elicitation(elicitation), context.settings))


@often.get("/elicitations/{elicitation}/query", response_model=Asked, responses=problems(404, 409))
def ask(request: Request, elicitation: str) -> Response:
    """The query that waits for its answer: the same one until it is answered."""
    return reply(asked_object(context_of(request).store, elicitation))


@often.put(
    "/elicitations/{elicitation}/queries/{query}/answer",
    response_model=Told,
    responses=problems(404, 409, writes=True),
)
def tell(
    request: Request,
    elicitation: str,
    query: str,
    body: NewAnswer,
    next: Annotated[bool, Query(description="Whether to ask at once.")] = True,  # noqa: A002, FBT002
) -> Response:
    """Answer a query. Sent again, the same answer counts once; another one is refused."""
    context = context_of(request)
    picked: Picked = tuple(body.picked) if isinstance(body.picked, list) else body.picked
    new = context.store.tell(elicitation, query, picked, response_ms=body.response_ms)
    context.metrics.answers += new
    asked = asked_object(context.store, elicitation) if next else None
    return reply({"recorded": new, "next": asked})


@router.post(
    "/elicitations/{elicitation}/undo",
    response_model=Undone,
    responses=problems(404, 409, writes=True),
)
def undo(request: Request, elicitation: str, body: NewUndo) -> Response:
    """Take back the last answer that stands; its query is asked again."""
    store = context_of(request).store
    undone = store.undo(elicitation, body.query, events=body.events)
    return reply({"undone": undone, "next": asked_object(store, elicitation)})


@router.get(
    "/elicitations/{elicitation}/recommendation",
    response_model=RecommendationOut,
    responses=problems(404, 409),
)
def recommend(request: Request, elicitation: str) -> Response:
    """The best response by the answers so far; at any time."""
    found = context_of(request).store.recommend(elicitation)
    return reply(
        {
            "response": response_object(found.response),
            "index": found.index,
            "bound": found.bound,
            "expected_regret": found.expected_regret,
            "certified": found.certified,
            "consistent": found.consistent,
            "answers": found.answers,
            "questions_left": found.questions_left,
        }
    )


@router.get(
    "/elicitations/{elicitation}/answers",
    response_model=Page[AnswerOut],
    responses=problems(404, 409),
)
def answers(
    request: Request, elicitation: str, after: After = None, limit: Limit = 100
) -> Response:
    """The answers that stand, in order."""
    stand = context_of(request).store.answers(elicitation)
    return reply(sliced([_answer(answer) for answer in stand], after, limit))


@router.get(
    "/export",
    response_class=StreamingResponse,
    responses=problems(404)
    | {200: {"description": "A row a line.", "content": {JSONL: {"schema": {"type": "string"}}}}},
)
def export(
    request: Request,
    person: Annotated[str | None, Query(description="Only this person's.")] = None,
    pool: Annotated[str | None, Query(description="Only those about this pool.")] = None,
    conversational: Annotated[bool, Query(description="Messages, not texts.")] = False,  # noqa: FBT002
    metadata: Annotated[bool, Query(description="A column more.")] = False,  # noqa: FBT002
) -> Response:
    """All answers that stand, as JSON lines that TRL trains on: prompt, chosen, rejected."""
    store = context_of(request).store
    store.elicitations(person=person, pool=pool, limit=1)  # an unknown id is said before any row
    lines = _lines(
        store.export(person=person, pool=pool), conversational=conversational, metadata=metadata
    )
    return StreamingResponse(lines, media_type=JSONL)


def asked_object(store: Store, elicitation: str) -> dict[str, Any]:
    """What is asked now, as :class:`palate.serve.bodies.Asked`."""
    asked = store.ask(elicitation)
    if asked is None:
        return {"query": None, "stopped": stopped(store, elicitation)}
    shown = {
        "id": asked.id,
        "number": asked.query.number,
        "responses": [response_object(response) for response in asked.responses],
    }
    return {"query": shown, "stopped": None}


def stopped(store: Store, elicitation: str) -> str:
    """Why an elicitation asks nothing more: "certified", "max_steps" or "exhausted"."""
    found = store.recommend(elicitation)
    if found.certified:
        return "certified"
    most = store.elicitation(elicitation).strategy.get("max_steps")
    return "max_steps" if most is not None and found.answers >= most else "exhausted"


def _lines(
    comparisons: Iterable[Comparison], *, conversational: bool, metadata: bool
) -> Iterator[bytes]:
    """Rows as JSON lines, many at a time: each time a thread has to be waited for."""
    lines: list[bytes] = []
    for comparison in comparisons:
        rows, _ = trl_rows([comparison], conversational=conversational, metadata=metadata)
        lines += [encoded(row) + b"\n" for row in rows]
        if len(lines) >= _LINES_AT_ONCE:
            yield b"".join(lines)
            lines.clear()
    yield b"".join(lines)


def _elicitation(stored: StoredElicitation, settings: Settings) -> dict[str, Any]:
    return {
        "id": stored.id,
        "person": stored.person,
        "pool": stored.pool,
        "strategy": dict(stored.strategy),
        "seed": stored.seed,
        "started_at": stored.started_at,
        "answers": stored.answers,
        "events": stored.events,
        "remembered": stored.remembered,
        "page": f"{settings.url}/e/{stored.id}",
    }


def _answer(answer: Answer) -> dict[str, Any]:
    milliseconds = None if answer.seconds is None else round(answer.seconds * 1000.0)
    return {
        "number": answer.query.number,
        "shown": list(answer.query.ids),
        "picked": list(answer.picked) if isinstance(answer.picked, tuple) else answer.picked,
        "at": answer.at,
        "response_ms": milliseconds,
    }
