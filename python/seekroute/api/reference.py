"""Writes what is published of the table of routes: openapi.json, and the table in docs/http-api.md.

Run `python -m seekroute.api.reference docs` after changing the table or the schemas.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from pathlib import Path
from typing import Any, Final

from seekroute.api import schemas
from seekroute.api.route import BASES, ApiRoute, Who
from seekroute.api.table import ROUTES

__all__ = ["document", "routes_table", "serialized", "with_routes"]

# Refusals of whatever needs a key: of the head, and of the key.
_KEYED: Final = (400, 401, 403, 414, 431)
_RETRY: Final = (429, 503)


# --- openapi.json ---------------------------------------------------------------------------------


def document() -> dict[str, Any]:
    """The OpenAPI document, without `servers`."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "seekroute",
            "version": "1",
            "summary": "OpenAI-compatible LLM gateway",
            "description": (
                "Chat completions and embeddings of many providers behind one API key. Every path "
                "under `/v1` is served under `/api/v1` too."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": tag} for tag in dict.fromkeys(route.told.tag for route in ROUTES)],
        "security": [{"bearer": []}],
        "paths": {
            path: {route.methods[0].lower(): _operation(route, path)}
            for route in ROUTES
            for path in route.paths
        },
        "components": {
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
            "parameters": dict(schemas.PARAMETERS),
            "responses": dict(schemas.RESPONSES),
            "schemas": dict(schemas.SCHEMAS),
        },
    }


def _operation(route: ApiRoute, path: str) -> dict[str, Any]:
    told = route.told
    first = path == route.paths[0]
    made: dict[str, Any] = {"tags": [told.tag], "summary": told.summary}
    if told.more:
        made["description"] = told.more
    made["operationId"] = told.id if first else f"{told.id}Api"
    if route.who is Who.ANYONE:
        made["security"] = []
    if told.parameters:
        made["parameters"] = [each for name in told.parameters for each in _parameters(name)]
    if told.takes:
        made["requestBody"] = schemas.BODIES[told.takes]
    made["responses"] = {str(status): each for status, each in sorted(_responses(route).items())}
    return made


def _parameters(name: str) -> tuple[dict[str, Any], ...]:
    if name in schemas.PARAMETERS:
        return ({"$ref": f"#/components/parameters/{name}"},)
    return schemas.GROUPS[name]


def _responses(route: ApiRoute) -> dict[int, dict[str, Any]]:
    told = route.told
    shape = schemas.ANSWERS.get(told.answer) or schemas.plain(told.answer)
    made = {200: {"description": told.returns, **shape}}
    if route.kept:
        made[200]["headers"] = schemas.KEPT
        made[304] = {
            "description": "What `If-None-Match` names is what would be sent.",
            "headers": schemas.KEPT,
        }
    for status in (*(() if route.who is Who.ANYONE else _KEYED), *told.errors):
        name = "Unauthorized" if status == 401 else "RetryLater" if status in _RETRY else "Error"
        made[status] = {"$ref": f"#/components/responses/{name}"}
    if told.otherwise:
        made[503] = {"description": told.otherwise, **shape}
    return made


def serialized() -> str:
    """The text of openapi.json: a line for each path and schema."""
    return _text(document(), 3) + "\n"


def _text(value: Any, depth: int) -> str:
    """`value` as JSON, its objects over several lines down to `depth`."""
    if depth == 0 or not isinstance(value, dict) or not value:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    members = (f"{json.dumps(name)}: {_text(each, depth - 1)}" for name, each in value.items())
    return "{\n" + ",\n".join(members) + "\n}"


# --- docs/http-api.md -----------------------------------------------------------------------------

_MARKED: Final = re.compile(r"(<!-- routes:begin -->\n).*?(<!-- routes:end -->)", re.DOTALL)


def routes_table() -> str:
    """The routes as a Markdown table. Routes that follow one another and are told alike share a
    row."""
    rows = ["| path | what | key |", "|---|---|---|"]
    for page, alike in itertools.groupby(ROUTES, key=lambda route: route.told.page):
        routes = list(alike)
        method = routes[0].methods[0]
        paths = [_shown(route) for route in routes]
        named = ", ".join([f"`{method} {paths[0]}`", *(f"`{path}`" for path in paths[1:])])
        rows.append(f"| {named} | {page} | {'no' if routes[0].who is Who.ANYONE else 'yes'} |")
    return "\n".join(rows)


def _shown(route: ApiRoute) -> str:
    return BASES[0] + route.pattern if route.below_base else route.pattern


def with_routes(text: str) -> str:
    """`text` with the marked table written anew."""
    return _MARKED.sub(lambda m: f"{m.group(1)}{routes_table()}\n{m.group(2)}", text)


if __name__ == "__main__":
    docs = Path(sys.argv[1])
    page = docs / "http-api.md"
    page.write_text(with_routes(page.read_text(encoding="utf-8")), encoding="utf-8")
    packaged = docs.parent / "python/seekroute/api/openapi.json"
    packaged.write_text(serialized(), encoding="utf-8")
