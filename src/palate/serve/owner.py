"""The owner's pages that show what there is: elicitations, people, pools, and one of each."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, Query, Request, Response
from starlette.responses import StreamingResponse

from palate.elicitation import event_to_object
from palate.errors import LogError, PoolError
from palate.formats import trl_rows
from palate.serve.context import context_of
from palate.serve.html import page
from palate.serve.images import image_file, joined
from palate.serve.login import needs_owner
from palate.strategies import STRATEGIES
from palate.wording import headline, sureness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from fastapi import APIRouter

    from palate.feedback import Answer, Comparison
    from palate.pool import Response as Candidate
    from palate.store import Page, Store, StoredElicitation

After = Annotated[str | None, Query(max_length=100)]
_ROWS = 20  # of a page; each elicitation's best response is worked out
_JSONL = "application/jsonl"


def add_routes(pages: APIRouter) -> None:
    """Add the pages at ``/owner``."""
    routes: dict[str, Callable[..., Response]] = {
        "/owner": elicitations,
        "/owner/people": people,
        "/owner/pools": pools,
        "/owner/pools/{pool}": one_pool,
        "/owner/elicitations/{elicitation}": one_elicitation,
        "/owner/elicitations/{elicitation}/log.jsonl": log,
        "/owner/export.jsonl": export,
    }
    for path, route in routes.items():
        pages.add_api_route(path, route, dependencies=[Depends(needs_owner)])


def elicitations(
    request: Request, person: After = None, pool: After = None, after: After = None
) -> Response:
    """All elicitations, or those of a person or about a pool; the newest first."""
    store = context_of(request).store
    found = store.elicitations(person=person, pool=pool, after=after, limit=_ROWS, newest=True)
    return page(
        "owner_elicitations",
        rows=[_row(store, stored) for stored in found.items],
        person=None if person is None else store.person(person),
        pool=None if pool is None else _prompt(store, pool),
        chosen={"person": person, "pool": pool},
        first=after is None,
        after=found.after,
        token=_token(request),
    )


def people(request: Request, after: After = None) -> Response:
    """All people, the newest first."""
    found = context_of(request).store.people(after=after, limit=_ROWS, newest=True)
    return _listing("owner_people", request, found, first=after is None)


def pools(request: Request, after: After = None) -> Response:
    """All pools, the newest first, and forms to add one."""
    found = context_of(request).store.pools(after=after, limit=_ROWS, newest=True)
    return _listing("owner_pools", request, found, first=after is None)


def one_pool(request: Request, pool: str, after: After = None) -> Response:
    """A pool with its responses, and a form to start asking somebody about it."""
    context = context_of(request)
    found = context.store.pool(pool)
    start = int(after) if after is not None and after.isascii() and after.isdecimal() else 0
    end = start + _ROWS
    return page(
        "owner_pool",
        id=pool,
        pool=found,
        shown=list(enumerate(found.responses[start:end], start=start + 1)),
        first=start == 0,
        after=str(end) if end < len(found) else None,
        unseen=_unseen(found.responses, context.settings.images),
        strategies=[name for name in STRATEGIES if name not in {"oracle", "planned"}],
        token=_token(request),
    )


def one_elicitation(request: Request, elicitation: str) -> Response:
    """One elicitation: the link for who is asked, the best so far, the answers and their times."""
    context = context_of(request)
    stored = context.store.elicitation(elicitation)
    answers = context.store.answers(elicitation)
    pool = context.store.pool(stored.pool)
    names = {r.id: r for r in (*pool.responses, *joined(context.store, elicitation))}
    best, sure, problem = None, None, None
    try:
        found = context.store.recommend(elicitation)
        best, sure = found.response, sureness(found)
    except (LogError, PoolError) as error:
        problem = str(error)
    times = sorted(a.seconds for a in answers if a.seconds is not None)
    return page(
        "owner_elicitation",
        stored=stored,
        person=context.store.person(stored.person),
        prompt=pool.prompt,
        link=f"{_address(request)}/e/{elicitation}",
        best=best,
        sure=sure,
        problem=problem,
        answers=[_answer(answer, names) for answer in answers],
        median=times[len(times) // 2] if times else None,
        total=sum(times),
        token=_token(request),
    )


def export(request: Request, person: After = None, pool: After = None) -> Response:
    """All answers as rows that TRL trains on."""
    store = context_of(request).store
    comparisons = store.export(person=person, pool=pool)
    first = list(itertools.islice(comparisons, 1))  # what cannot be exported is said before any row
    return _download("answers.jsonl", _trl(itertools.chain(first, comparisons)))


def log(request: Request, elicitation: str) -> Response:
    """All that happened in one elicitation, with what was taken back."""
    events = context_of(request).store.log(elicitation)
    lines = (json.dumps(event_to_object(event)).encode() + b"\n" for event in events)
    return _download(f"elicitation-{elicitation}.jsonl", lines)


def _listing(template: str, request: Request, found: Page[Any], *, first: bool) -> Response:
    return page(template, rows=found.items, first=first, after=found.after, token=_token(request))


def _row(store: Store, stored: StoredElicitation) -> dict[str, Any]:
    """What the list shows of an elicitation."""
    best = None
    if stored.answers:
        try:
            best = headline(store.recommend(stored.id).response)
        except (LogError, PoolError):  # its own page says what is wrong
            best = "cannot be worked out"
    name = store.person(stored.person).name
    return {"stored": stored, "name": name, "prompt": _prompt(store, stored.pool), "best": best}


def _prompt(store: Store, pool: str) -> str:
    line = " ".join(store.pool(pool).prompt.split())
    return line if len(line) <= 80 else line[:77] + "..."


def _answer(answer: Answer, responses: dict[str, Candidate]) -> dict[str, Any]:
    """What the table shows of an answer: those shown, and the place that each was given."""
    picked = answer.picked
    order = (picked,) if isinstance(picked, int) else picked if isinstance(picked, tuple) else ()
    places = {position: place for place, position in enumerate(order, start=1)}
    shown = [
        (headline(responses[i]) if i in responses else i, places.get(position))
        for position, i in enumerate(answer.query.ids)
    ]
    said = picked if isinstance(picked, str) else None
    return {"shown": shown, "said": said, "at": answer.at, "seconds": answer.seconds}


def _unseen(responses: Iterable[Candidate], folder: str | None) -> int:
    """How many images are not in the folder that is shared."""
    images = [r.image for r in responses if r.image is not None]
    return sum(image_file(image, folder) is None for image in images)


def _address(request: Request) -> str:
    """Where people reach the service, as the owner's browser does if nothing else is said."""
    settings = context_of(request).settings
    return settings.public_url or str(request.base_url).rstrip("/")


def _token(request: Request) -> bool:
    return context_of(request).settings.token is not None


def _trl(comparisons: Iterable[Comparison]) -> Iterator[bytes]:
    for comparison in comparisons:
        for row in trl_rows([comparison], metadata=True)[0]:
            yield json.dumps(row).encode() + b"\n"


def _download(name: str, lines: Iterable[bytes]) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "Referrer-Policy": "same-origin",
    }
    return StreamingResponse(lines, media_type=_JSONL, headers=headers)
