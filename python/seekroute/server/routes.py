"""Routes over HTTP: those that `seekroute.api` answers, and those that only a server has: health,
metrics, the description."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from seekroute.api import openapi as description
from seekroute.api.call import ApiCall, Viewer
from seekroute.api.table import Match, Reads, Who
from seekroute.gateway import CoreError
from seekroute.server import metrics as exposition
from seekroute.server.answers import HttpCall, Refusal

_JSON: Final = b"application/json"


def identify(call: HttpCall, *, needs_key: bool = False) -> tuple[str, str, str]:
    """Returns key id, organization id and profile of the caller.

    Args:
        needs_key: whether a key is asked for also where requests without one are served.

    Raises:
        Refusal: no key, or one that may not be used.
    """
    call.check_single_authorization()
    try:
        found = call.service.find_key(call.authorization, needs_key=needs_key)
    except CoreError as error:
        raise Refusal(error.code, error.message) from None
    if found[0] and call.cycle is not None:
        call.cycle.vouch()
    return found


async def answer(call: HttpCall, match: Match) -> None:
    """Answers a route that has a handler in `seekroute.api`.

    Raises:
        Refusal: the caller may not ask.
        RefusedError: the handler refuses.
    """
    route, service = match.route, call.service
    query: bytes = call.scope.get("query_string", b"")
    asked = ApiCall(
        viewer_of(call, route.who),
        call.method,
        call.path,
        match.params,
        query.decode("latin-1"),
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


def viewer_of(call: HttpCall, who: Who) -> Viewer:
    """Who asks, as the handlers know it. Requests without a key are nobody's, also where they are
    served.

    Raises:
        Refusal: there is no key and one is needed, or it may not be used.
    """
    key, org, profile_name = identify(call, needs_key=who in (Who.ORG, Who.KEY))
    service = call.service
    profile = service.profiles.get(profile_name, service.default_profile)
    authorization = (call.authorization or b"") if key else b""
    try:
        rights = service.rights_of_key(authorization or None)
    except CoreError as error:  # revoked a moment ago
        raise Refusal(error.code, error.message) from None
    return Viewer(
        org,
        rights.credit_line,
        key=key,
        key_limit=rights.limit,
        limit_reset=rights.limit_reset,
        secret=authorization.partition(b" ")[2].strip(b" ").decode("ascii"),
        shows_upstream_cost=profile.shows_upstream_cost,
        model_ids=profile.model_ids,
        models=rights.models,
        profile=profile_name,  # limits are by the key's own, also where nobody speaks it any more
    )


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
