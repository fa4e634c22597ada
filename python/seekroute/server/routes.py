"""Routes over HTTP: those that `seekroute.api` answers, and those that only a server has: health,
metrics, the description."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from seekroute.api import openapi as description
from seekroute.api.call import ApiCall
from seekroute.api.table import Match, Reads
from seekroute.server import metrics as exposition
from seekroute.server.answers import HttpCall
from seekroute.server.chat import take_body
from seekroute.server.viewers import viewer_of

_JSON: Final = b"application/json"
# Of a body that a handler reads: without a lease, as it is less than what strangers may send.
_MOST_POSTED: Final = 16 * 1024


async def answer(call: HttpCall, match: Match) -> None:
    """Answers a route that has a handler in `seekroute.api`.

    Raises:
        Refusal: the caller may not ask.
        RefusedError: the handler refuses.
    """
    route, service = match.route, call.service
    query: bytes = call.scope.get("query_string", b"")
    body: bytes = b""
    viewer = viewer_of(call, route.who)
    if call.method == "POST":
        taken, _ = await take_body(call, _MOST_POSTED)
        if taken is None:
            return  # the client left in the middle of its request
        body = bytes(taken)
    asked = ApiCall(
        viewer,
        call.method,
        call.path,
        match.params,
        query.decode("latin-1"),
        body,
        mount=call.scope.get("root_path", ""),
    )
    if asked.viewer.key:
        call.limit_headers = service.core.limit_headers(call.authorization)
    if route.reads is Reads.DISK:
        async with service.ledger_reads:
            answer = await asyncio.to_thread(route.answer, asked, service.sources)
    elif route.waits(query):
        answer = await asyncio.to_thread(route.answer, asked, service.sources)
    else:
        answer = route.answer(asked, service.sources)
    if route.kept:
        await call.tagged(answer.body)
    else:
        await call.plain(answer.body, _JSON, status=answer.status)


async def livez(call: HttpCall) -> None:
    """GET /livez: the process answers. Depends on nothing else."""
    await call.json({"status": "ok"})


async def readyz(call: HttpCall) -> None:
    """GET /readyz: requests can be served; with `?verbose`, each check, and what is wrong."""
    checks = call.service.checks()
    ready = all(check.state != "failed" for check in checks.values())
    answer: dict[str, object] = {"status": "ok" if ready else "unavailable"}
    query: bytes = call.scope.get("query_string", b"")
    if not ready or any(part.partition(b"=")[0] == b"verbose" for part in query.split(b"&")):
        answer["checks"] = {name: check.state for name, check in checks.items()}
        reasons = {name: check.reason for name, check in checks.items() if check.reason}
        if reasons:
            answer["reasons"] = reasons
    await call.json(answer, status=200 if ready else 503)


async def metrics(call: HttpCall) -> None:
    """GET /metrics: Prometheus' text format."""
    await call.plain(exposition.exposition(call.service), exposition.CONTENT_TYPE)


async def openapi(call: HttpCall) -> None:
    """GET /openapi.json: this API, as OpenAPI 3.1."""
    root = call.scope.get("root_path", "")
    document = {**description.document(), "servers": [{"url": root or "/"}]}
    await call.plain(json.dumps(document, separators=(",", ":")).encode(), _JSON)


HANDLERS: Final[Mapping[str, Callable[[HttpCall], Awaitable[None]]]] = {
    "livez": livez,
    "health_liveliness": livez,
    "readyz": readyz,
    "healthz": readyz,
    "health": readyz,
    "health_readiness": readyz,
    "metrics": metrics,
    "openapi": openapi,
}
"""Of the rows of the kind `HTTP`, by label."""
