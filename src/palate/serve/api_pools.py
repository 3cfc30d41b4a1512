"""The API's routes of people and of pools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from palate.errors import ParameterError
from palate.pool import Pool
from palate.pool import Response as Candidate
from palate.serve._json import reply
from palate.serve.bodies import (
    ListedPool,
    NewPerson,
    NewPool,
    Page,
    PersonOut,
    PoolOut,
    ResponseIn,
    ResponseOut,
)
from palate.serve.context import PREFIX, context_of
from palate.serve.documented import problems

if TYPE_CHECKING:
    from palate.serve.settings import Settings
    from palate.store import StoredPerson, StoredPool

After = Annotated[
    str | None, Query(max_length=100, description="Where the page before ended: its after.")
]
Limit = Annotated[int, Query(ge=1, le=1000, description="Rows a page, at most.")]
Newest = Annotated[bool, Query(description="Whether the newest come first.")]

router = APIRouter(prefix=PREFIX)


@router.post("/people", status_code=201, response_model=PersonOut, responses=problems(writes=True))
def add_person(request: Request, body: NewPerson) -> Response:
    """Add a person, or find the one who has this name already."""
    store = context_of(request).store
    return reply(_person(store.person(store.add_person(body.name))), 201)


@router.get("/people", response_model=Page[PersonOut], responses=problems())
def people(
    request: Request,
    after: After = None,
    limit: Limit = 100,
    newest: Newest = False,  # noqa: FBT002
) -> Response:
    """People, oldest first."""
    page = context_of(request).store.people(after=after, limit=limit, newest=newest)
    return reply({"items": [_person(p) for p in page.items], "after": page.after})


@router.get("/people/{person}", response_model=PersonOut, responses=problems(404))
def person(request: Request, person: str) -> Response:
    """One person."""
    return reply(_person(context_of(request).store.person(person)))


@router.post("/pools", status_code=201, response_model=PoolOut, responses=problems(writes=True))
def add_pool(request: Request, body: NewPool) -> Response:
    """Add a pool of responses; texts are embedded unless features come with them."""
    context = context_of(request)
    pool = _pool(body, context.settings)
    return reply(pool_object(context.store.add_pool(pool), pool), 201)


@router.get("/pools", response_model=Page[ListedPool], responses=problems())
def pools(
    request: Request,
    after: After = None,
    limit: Limit = 100,
    newest: Newest = False,  # noqa: FBT002
) -> Response:
    """Pools, oldest first."""
    page = context_of(request).store.pools(after=after, limit=limit, newest=newest)
    return reply({"items": [_listed(p) for p in page.items], "after": page.after})


@router.get("/pools/{pool}", response_model=PoolOut, responses=problems(404))
def pool(request: Request, pool: str) -> Response:
    """One pool, without its responses."""
    return reply(pool_object(pool, context_of(request).store.pool(pool)))


@router.get("/pools/{pool}/responses", response_model=Page[ResponseOut], responses=problems(404))
def responses(request: Request, pool: str, after: After = None, limit: Limit = 100) -> Response:
    """The responses of a pool, in order."""
    candidates = context_of(request).store.pool(pool).responses
    return reply(sliced([response_object(c) for c in candidates], after, limit))


def sliced(rows: list[Any], after: str | None, limit: int) -> dict[str, Any]:
    """A page of rows that are numbered from 0 and never move.

    Raises:
        ParameterError: ``after`` is not what a page ended with.
    """
    if after is not None and not (after.isascii() and after.isdigit() and len(after) < 19):
        msg = f"after must be what a page ended with, not {after!r}"
        raise ParameterError(msg)
    first = int(after or 0)
    end = first + limit
    return {"items": rows[first:end], "after": str(end) if end < len(rows) else None}


def response_object(response: Candidate) -> dict[str, Any]:
    """A response as :class:`palate.serve.bodies.ResponseOut`."""
    return {
        "id": response.id,
        "text": response.text,
        "image": response.image,
        "metadata": dict(response.metadata),
    }


def pool_object(id: str, pool: Pool) -> dict[str, Any]:  # noqa: A002
    """A pool as :class:`palate.serve.bodies.PoolOut`."""
    return {
        "id": id,
        "name": pool.id,
        "prompt": pool.prompt,
        "size": len(pool),
        "embedder": pool.embedder,
    }


def _pool(body: NewPool, settings: Settings) -> Pool:
    responses = [_candidate(r, i, settings) for i, r in enumerate(body.responses, start=1)]
    bare = Pool(body.prompt, responses, id=body.name, baseline=body.baseline)
    if body.features is None:
        if body.embedder is not None:
            raise ParameterError("embedder names what made the features; give them, or neither")
        return bare.embedded(style=body.style, scaling=body.scaling)
    if body.style:
        raise ParameterError("style goes with texts that are embedded; leave it out with features")
    return bare.with_features(
        body.features, scaling=body.scaling or "diameter", embedder=body.embedder
    )


def _candidate(given: str | ResponseIn, place: int, settings: Settings) -> Candidate:
    if isinstance(given, str):
        return Candidate(f"r{place}", given)
    image = None if given.image is None else _image(given.image, settings)
    return Candidate(given.id or f"r{place}", given.text, image, given.metadata)


def _image(name: str, settings: Settings) -> str:
    """An image's name, if it is one in the folder that the owner shares.

    Raises:
        ParameterError: there is no such folder, or no such file in it.
    """
    if settings.images is None:
        raise ParameterError("responses show no images here; the owner can share a folder of them")
    folder = Path(settings.images).resolve()
    try:
        inside = (folder / name).resolve().is_relative_to(folder)
        found = inside and (folder / name).is_file()
    except (OSError, ValueError):  # a name that no file can have
        found = False
    if not found:
        msg = f"there is no image {name!r} in the folder that the owner shares"
        raise ParameterError(msg)
    return name


def _person(person: StoredPerson) -> dict[str, Any]:
    return {"id": person.id, "name": person.name, "added_at": person.added_at}


def _listed(pool: StoredPool) -> dict[str, Any]:
    return {
        "id": pool.id,
        "name": pool.name,
        "prompt": pool.prompt,
        "size": pool.size,
        "embedder": pool.embedder,
        "added_at": pool.added_at,
    }
