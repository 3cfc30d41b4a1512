"""The owner's page of a person: what was learned of them, and having it forgotten or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Depends, Request, Response
from fastapi.responses import RedirectResponse

from palate.serve.context import context_of
from palate.serve.html import page
from palate.serve.login import needs_owner

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import APIRouter


def add_routes(pages: APIRouter) -> None:
    """Add the pages at ``/owner/people/ID``; what cannot be undone is asked for once more."""
    shown: dict[str, Callable[..., Response]] = {
        "/owner/people/{person}": one_person,
        "/owner/people/{person}/forget": confirm_forget,
        "/owner/people/{person}/delete": confirm_delete,
    }
    done: dict[str, Callable[..., Response]] = {
        "/owner/people/{person}/forget": forget,
        "/owner/people/{person}/delete": delete,
    }
    for method, routes in (("GET", shown), ("POST", done)):
        for path, route in routes.items():
            needed = [Depends(needs_owner)]
            pages.add_api_route(path, route, methods=[method], dependencies=needed)


def one_person(request: Request, person: str) -> Response:
    """A person, and what was learned of them."""
    context = context_of(request)
    found = context.store.person(person)
    summary = context.store.profile(person).summary()
    return page(
        "owner_person",
        person=found,
        learned=str(summary).split("\n"),
        answers=summary.answers,
        token=context.settings.token is not None,
    )


def confirm_forget(request: Request, person: str) -> Response:
    """Ask whether what was learned is to be forgotten."""
    return _confirm(request, person, "forget")


def confirm_delete(request: Request, person: str) -> Response:
    """Ask whether the person is to be deleted."""
    return _confirm(request, person, "delete")


def forget(request: Request, person: str) -> Response:
    """Forget what was learned."""
    context_of(request).store.forget(person)
    return RedirectResponse(f"/owner/people/{person}", 303)


def delete(request: Request, person: str) -> Response:
    """Delete the person."""
    context_of(request).store.delete_person(person)
    return RedirectResponse("/owner/people", 303)


def _confirm(request: Request, person: str, action: str) -> Response:
    context = context_of(request)
    return page(
        "owner_person_confirm",
        person=context.store.person(person),
        action=action,
        token=context.settings.token is not None,
    )
