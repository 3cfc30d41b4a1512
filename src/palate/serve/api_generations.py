"""The API's routes of pools that the configured model writes."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from palate.errors import ConflictError
from palate.serve._json import reply
from palate.serve.api_pools import After, Limit, sliced
from palate.serve.bodies import GenerationOut, NewGeneration, Page
from palate.serve.context import PREFIX, context_of
from palate.serve.documented import problems

if TYPE_CHECKING:
    from palate.serve.generations import Generations

router = APIRouter(prefix=PREFIX)


@router.post(
    "/generations",
    status_code=202,
    response_model=GenerationOut,
    responses=problems(409, writes=True),
)
def generate(request: Request, body: NewGeneration) -> Response:
    """Have the configured model write a pool, in the background."""
    started = _generations(request).start(
        body.prompt,
        body.size,
        interest_share=body.interest_share,
        baseline=body.baseline,
        style=body.style,
    )
    return reply(dataclasses.asdict(started), 202)


@router.get("/generations", response_model=Page[GenerationOut], responses=problems(409))
def generations(request: Request, after: After = None, limit: Limit = 100) -> Response:
    """Pools that were or are being written since the service was started, oldest first."""
    rows = [dataclasses.asdict(generation) for generation in _generations(request).all()]
    return reply(sliced(rows, after, limit))


@router.get("/generations/{generation}", response_model=GenerationOut, responses=problems(404, 409))
def generation(request: Request, generation: str) -> Response:
    """How far a pool is."""
    return reply(dataclasses.asdict(_generations(request).get(generation)))


def _generations(request: Request) -> Generations:
    found = context_of(request).generations
    if found is None:
        raise ConflictError("no model is set up here: start the service with --model")
    return found
