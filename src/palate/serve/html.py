"""Pages from templates, everything in them escaped, and the two files that they load."""

from __future__ import annotations

import functools
import hashlib
from datetime import datetime
from importlib.resources import files
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import Response

from palate.serve.markdown import to_html
from palate.wording import headline, printable

_FILES: Final = {
    "palate.css": "text/css; charset=utf-8",
    "palate.js": "text/javascript; charset=utf-8",
    "palate.svg": "image/svg+xml",
}
_A_YEAR = "public, max-age=31536000, immutable"
_HEADERS = {
    "Cache-Control": "no-store",  # going back shows what is asked now
    # With "no-referrer" browsers would hide from us, too, that a form was sent from this site.
    "Referrer-Policy": "same-origin",
}


def page(name: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """A page.

    Args:
        name: of its template, without the ending.
        status: of the response.
        values: what the template shows; texts in them are escaped.
    """
    content = _environment().get_template(f"{name}.html").render(values)
    return HTMLResponse(content, status, _HEADERS)


def static() -> APIRouter:
    """The style sheet, the script and the icon, under an address that changes when they do."""
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{version}/{name}")
    def file(version: str, name: str) -> Response:
        if name not in _FILES:
            raise HTTPException(404)
        lasting = _A_YEAR if version == _version() else "no-cache"
        return Response(_read(name), media_type=_FILES[name], headers={"Cache-Control": lasting})

    return router


@functools.cache
def _read(name: str) -> bytes:
    return (files("palate.serve") / "static" / name).read_bytes()


@functools.cache
def _version() -> str:
    return hashlib.sha256(b"".join(map(_read, _FILES))).hexdigest()[:12]


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("palate.serve"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "markdown": lambda text: Markup(to_html(text)),  # noqa: S704 - which is what it is for
        "headline": headline,
        "when": _when,
        "sentence": lambda text: text[:1].upper() + text[1:],
    }
    environment.globals["static"] = f"/static/{_version()}"
    return environment


def _shown(value: object) -> object:
    """Half an emoji has no UTF-8, and control characters have no place on a page."""
    return printable(value) if type(value) is str else value


def _when(at: str) -> str:
    """A time in UTC to the minute, as people read it; what is no time, as it is."""
    try:
        return f"{datetime.fromisoformat(at):%Y-%m-%d %H:%M}"
    except ValueError:
        return at
