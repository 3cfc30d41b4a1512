"""What the owner does on their pages: add a pool, pasted or uploaded, and start an elicitation."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from fastapi import Depends, File, Form, Request, Response, UploadFile
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from palate.errors import ParameterError, PoolError
from palate.formats import read_pools
from palate.pool import Pool, unique_responses
from palate.pool import Response as Candidate
from palate.serve.context import context_of
from palate.serve.login import needs_owner
from palate.store.priors import can_remember
from palate.strategies import default_strategy
from palate.strategies.named import strategy_kind, strategy_named, strategy_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import APIRouter

    from palate.strategies import Strategy

_BETWEEN = re.compile(r"^[ \t]*-{3,}[ \t]*$", re.MULTILINE)


class StartForm(BaseModel):
    """Whom to ask about a pool, and how.

    Attributes:
        pool: its id.
        name: of the person; empty for somebody new.
        strategy: its name; empty for the one that suits the pool.
        options: how many responses to show at a time.
        budget: the most questions; empty for no such limit.
        remember: whether to begin from the person's earlier answers, where that is possible.
    """

    pool: str
    name: str = ""
    strategy: str = ""
    options: int = Field(default=2, ge=2, le=9)
    budget: str = ""
    remember: str = ""


def add_routes(pages: APIRouter) -> None:
    """Add where the owner's forms are sent."""
    routes: dict[str, Callable[..., Response]] = {
        "/owner/pools": paste,
        "/owner/pools/file": upload,
        "/owner/elicitations": start,
    }
    for path, route in routes.items():
        pages.add_api_route(path, route, methods=["POST"], dependencies=[Depends(needs_owner)])


def paste(
    request: Request, prompt: Annotated[str, Form()], responses: Annotated[str, Form()]
) -> Response:
    """Add a pool of pasted texts, a line of dashes between two of them."""
    texts = [text.strip() for text in _BETWEEN.split(responses.replace("\r\n", "\n"))]
    found = [Candidate(f"r{i}", text) for i, text in enumerate(filter(None, texts), start=1)]
    pool = Pool(_stripped(prompt), _several(unique_responses(found)))
    id = context_of(request).store.add_pool(pool.embedded())  # noqa: A001
    return RedirectResponse(f"/owner/pools/{id}", 303)


def upload(request: Request, file: Annotated[UploadFile, File()]) -> Response:
    """Add the pools of a JSONL file; texts are embedded unless their features come with them."""
    store = context_of(request).store
    ids = [store.add_pool(pool) for pool in _uploaded(file)]
    return RedirectResponse(f"/owner/pools/{ids[0]}" if len(ids) == 1 else "/owner/pools", 303)


def start(request: Request, form: Annotated[StartForm, Form()]) -> Response:
    """Start asking somebody about a pool; the page that follows has the link for them."""
    context = context_of(request)
    store, pool = context.store, context.store.pool(form.pool)
    chosen = _strategy(context.strategy(pool) or default_strategy(pool), form)
    person = store.add_person(form.name.strip() or None)
    remember = bool(form.remember) and can_remember(chosen, pool)
    started = store.start(person, form.pool, chosen, remember=remember)
    return RedirectResponse(f"/owner/elicitations/{started}", 303)


def _stripped(prompt: str) -> str:
    if not prompt.strip():
        raise ParameterError("the prompt is empty; write what was asked")
    return prompt.replace("\r\n", "\n").strip()


def _several(responses: list[Candidate]) -> list[Candidate]:
    if len(responses) < 2:
        msg = (
            f"{len(responses)} response(s) found, and there must be at least 2 different ones; put "
            "a line of three dashes (---) between two"
        )
        raise PoolError(msg)
    return responses


def _uploaded(file: UploadFile) -> list[Pool]:
    """The pools of a file, ready to be asked about."""
    name = Path(file.filename or "").name
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pools.jsonl"
        path.write_bytes(file.file.read())
        try:
            pools = read_pools(path)
        except PoolError as error:
            raise PoolError(str(error).replace(str(path), name or "the file")) from error
    return [_ready(pool) for pool in pools]


def _ready(pool: Pool) -> Pool:
    """A pool with features, where it can have some."""
    texts = all(response.text is not None for response in pool.responses)
    return pool.embedded() if pool.features is None and texts else pool


def _strategy(usual: Strategy, form: StartForm) -> Strategy:
    """The strategy that a form describes."""
    kind = strategy_kind(form.strategy) if form.strategy else type(usual)
    chosen: dict[str, Any] = {}
    if form.options != 2:
        if "options" not in strategy_settings(kind):
            msg = f"the strategy {kind.name} shows two responses at a time, not {form.options}"
            raise ParameterError(msg)
        chosen["options"] = form.options
    budget = form.budget.strip()
    if budget:
        if not (budget.isascii() and budget.isdecimal() and len(budget) < 7):
            msg = f"the most questions is a whole number, not {budget[:40]!r}; or leave it empty"
            raise ParameterError(msg)
        chosen["max_steps"] = int(budget)
    if form.strategy:
        return strategy_named({"name": form.strategy, **chosen})
    return dataclasses.replace(cast("Any", usual), **chosen)
