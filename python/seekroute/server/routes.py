"""The routes that are not inference: models, key, health, metrics, the API's description."""

from __future__ import annotations

import asyncio
import json
from typing import Final

from seekroute.errors import SeekrouteError
from seekroute.server import metrics as exposition
from seekroute.server import openapi as description
from seekroute.server.answers import Call, Refusal

_JSON: Final = b"application/json"

# The core says these itself where it refuses a chat completion; here the key is all there is.
_KEY_MESSAGES: Final = {
    "missing_api_key": "no API key was given: send it as 'Authorization: Bearer YOUR_KEY'",
    "invalid_api_key": (
        "the API key is not valid: check that it is complete and has not been revoked"
    ),
    "app_not_approved": "App not approved: the operator has not approved this key's app yet",
    "permission_denied": "this API key is disabled: ask whoever runs this gateway",
}


def _identify(call: Call) -> tuple[str, str, str]:
    """Returns key id, organization id and profile of the caller.

    Raises:
        Refusal: no key, or one that may not be used.
    """
    call.check_single_authorization()
    found = call.service.find_key(call.authorization)
    if isinstance(found, str):
        raise Refusal(found, _KEY_MESSAGES.get(found, "this API key cannot be used"))
    return found


async def models(call: Call) -> None:
    """GET /v1/models: the models that the key may use and a provider serves."""
    key_id, _, profile = _identify(call)
    service = call.service
    style = service.profiles.get(profile, service.default_profile).model_ids
    body = service.model_list.payload(style=style, allow=service.models_of_key(key_id))
    await call.plain(body, _JSON)


async def model(call: Call) -> None:
    """GET /v1/models/{id}: one model, by full id, bare id or alias."""
    key_id, _, profile = _identify(call)
    service = call.service
    name = call.path.partition("/models/")[2]
    style = service.profiles.get(profile, service.default_profile).model_ids
    body = service.model_list.one(name, style=style, allow=service.models_of_key(key_id))
    if body is None:
        raise Refusal(
            "model_not_found",
            "there is no such model for this key: GET /v1/models lists those that exist",
            param="model",
        )
    await call.plain(body, _JSON)


async def key(call: Call) -> None:
    """GET /v1/key: what the caller's key is."""
    key_id, _, _ = _identify(call)
    if not key_id:
        raise Refusal("missing_api_key", _KEY_MESSAGES["missing_api_key"])
    try:
        info = await asyncio.to_thread(call.service.control.key_info, key_id)
    except SeekrouteError as error:
        raise Refusal("store_unavailable", "the key's data cannot be read; try again") from error
    await call.json(info)


async def livez(call: Call) -> None:
    """GET /livez: the process answers. Depends on nothing else."""
    await call.json({"status": "ok"})


async def readyz(call: Call) -> None:
    """GET /readyz: requests can be served; with `?verbose`, each check by name."""
    checks = call.service.checks()
    ready = all(checks.values())
    answer: dict[str, object] = {"status": "ok" if ready else "unavailable"}
    query: bytes = call.scope.get("query_string", b"")
    if not ready or any(part.partition(b"=")[0] == b"verbose" for part in query.split(b"&")):
        answer["checks"] = {name: "ok" if good else "failed" for name, good in checks.items()}
    await call.json(answer, status=200 if ready else 503)


async def metrics(call: Call) -> None:
    """GET /metrics: Prometheus' text format."""
    await call.plain(exposition.exposition(call.service), exposition.CONTENT_TYPE)


async def openapi(call: Call) -> None:
    """GET /openapi.json: this API, as OpenAPI 3.1."""
    root = call.scope.get("root_path", "")
    document = {**description.document(), "servers": [{"url": root or "/"}]}
    await call.plain(json.dumps(document, separators=(",", ":")).encode(), _JSON)
