"""The OpenAPI document: every status of every route, and a page of it that needs nothing else."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from fastapi.openapi.utils import get_openapi

from palate.serve.bodies import Problem
from palate.serve.problems import MEDIA_TYPE, title

if TYPE_CHECKING:
    from fastapi import FastAPI

_REASONS = {
    400: "The body is not JSON, or the service has no such host name.",
    401: "The token is missing or wrong.",
    403: "A page of another site sent this.",
    404: "There is no such person, pool, elicitation or query.",
    409: "It contradicts what is recorded already.",
    413: "The body is too long.",
    422: "A value does not fit; the detail says which, and how to mend it.",
    503: "The database cannot be used; try again.",
}
_PROBLEM = {"$ref": "#/components/schemas/Problem"}


def problems(*statuses: int, writes: bool = False) -> dict[int | str, dict[str, Any]]:
    """What a route answers where something is wrong, beside what every route may answer.

    Args:
        *statuses: those of this route.
        writes: whether it has a body, or changes anything.
    """
    every = {400, 401, 422, 503, *statuses} | ({403, 413} if writes else set())
    return {
        status: {
            "description": _REASONS[status],
            "content": {MEDIA_TYPE: {"schema": _PROBLEM}},
        }
        for status in sorted(every)
    }


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of an application; made once, since it takes a while."""
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            description=app.description,
            routes=app.routes,
        )
        parts = made.setdefault("components", {})
        parts.setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{"token": []}]
        app.openapi_schema = made
    return app.openapi_schema


def page(made: dict[str, Any]) -> str:
    """An OpenAPI document as a plain page of HTML, without a script or anything from elsewhere."""
    told = html.escape
    info = made["info"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        "<meta name=viewport content='width=device-width'>",
        f"<title>{told(info['title'])}: the API</title>",
        f"<h1>{told(info['title'])} {told(info['version'])}</h1>",
        f"<p>{told(info['description'])}</p>",
        "<p>The same for programs: <a href='/openapi.json'>openapi.json</a>.</p><h2>Routes</h2>",
    ]
    for path, methods in made["paths"].items():
        for method, route in methods.items():
            parts.append(f"<h3><code>{method.upper()} {told(path)}</code></h3>")
            parts.append(f"<p>{told(route.get('description') or route.get('summary', ''))}</p>")
            parts += _parameters(route)
            parts += _statuses(route)
    parts.append("<h2>Bodies</h2>")
    for name, schema in made["components"]["schemas"].items():
        parts.append(f"<h3 id='{told(name)}'>{told(name)}</h3>")
        shown = json.dumps(schema, indent=1, ensure_ascii=False)
        parts.append(f"<pre>{told(shown)}</pre>")
    return "\n".join(parts)


def _parameters(route: dict[str, Any]) -> list[str]:
    named = [
        f"<li><code>{html.escape(p['name'])}</code> ({p['in']}"
        f"{', required' if p.get('required') else ''})</li>"
        for p in route.get("parameters", ())
    ]
    bodies = route.get("requestBody", {}).get("content", {}).values()
    named += [f"<li>body: {_schema(content['schema'])}</li>" for content in bodies]
    return ["<ul>", *named, "</ul>"] if named else []


def _statuses(route: dict[str, Any]) -> list[str]:
    rows = []
    for status, answer in route["responses"].items():
        kinds = [_schema(c.get("schema", {})) for c in answer.get("content", {}).values()]
        name = title(int(status))
        rows.append(f"<li>{status} {name}: {html.escape(answer['description'])} {kinds[0]}</li>")
    return ["<ul>", *rows, "</ul>"]


def _schema(schema: dict[str, Any]) -> str:
    name = html.escape(schema.get("$ref", "").rpartition("/")[2])
    return f"<a href='#{name}'>{name}</a>" if name else ""
