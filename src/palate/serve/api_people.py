"""The API's routes of what is remembered of a person: shown, forgotten, deleted."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from palate.serve._json import reply
from palate.serve.bodies import DeletedOut, Forgotten, ProfileOut
from palate.serve.context import PREFIX, context_of
from palate.serve.documented import problems

router = APIRouter(prefix=PREFIX)


@router.get("/people/{person}/profile", response_model=ProfileOut, responses=problems(404))
def profile(request: Request, person: str) -> Response:
    """What was learned of a person, in words and numbers."""
    found = context_of(request).store.profile(person).summary()
    told = dataclasses.asdict(found) | {"since": found.since or None, "text": str(found)}
    return reply(told)


@router.delete(
    "/people/{person}/profile",
    response_model=Forgotten,
    responses=problems(404, writes=True),
)
def forget(
    request: Request,
    person: str,
    pool: Annotated[str | None, Query(description="Only the answers about this pool.")] = None,
) -> Response:
    """Let what a person answered so far enter no later elicitation; the answers stay in the log."""
    return reply({"forgotten": context_of(request).store.forget(person, pool)})


@router.delete(
    "/people/{person}",
    response_model=DeletedOut,
    responses=problems(404, 409, writes=True),
)
def delete(request: Request, person: str) -> Response:
    """Delete a person with their elicitations and answers; not who took part in a study."""
    gone = context_of(request).store.delete_person(person)
    return reply(dataclasses.asdict(gone))
