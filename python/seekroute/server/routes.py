"""The routes that are neither inference nor money: models, health, metrics, the description."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from seekroute._visible import without_keys
from seekroute.config.model_query import BadQueryError, ModelQuery
from seekroute.config.models_list import BASE_PATH
from seekroute.server import metrics as exposition
from seekroute.server import openapi as description
from seekroute.server.answers import HttpCall, Refusal

if TYPE_CHECKING:
    from seekroute.config import ModelList

_JSON: Final = b"application/json"
# Characters of a model's name that an error repeats.
_MOST_NAME: Final = 100

# The core says these itself where it refuses a chat completion; here the key is all there is.
KEY_MESSAGES: Final = {
    "missing_api_key": "no API key was given: send it as 'Authorization: Bearer YOUR_KEY'",
    "invalid_api_key": (
        "the API key is not valid: check that it is complete, and not revoked or expired"
    ),
    "app_not_approved": "App not approved: the operator has not approved this key's app yet",
    "permission_denied": "this API key is disabled: ask whoever runs this gateway",
}


def identify(call: HttpCall) -> tuple[str, str, str]:
    """Returns key id, organization id and profile of the caller.

    Raises:
        Refusal: no key, or one that may not be used.
    """
    call.check_single_authorization()
    found = call.service.find_key(call.authorization)
    if isinstance(found, str):
        raise Refusal(found, KEY_MESSAGES.get(found, "this API key cannot be used"))
    if found[0] and call.cycle is not None:
        call.cycle.vouch()
    return found


class _View(NamedTuple):
    """The models as a caller sees them: the arguments of `ModelList`'s methods."""

    models: ModelList
    style: Literal["full", "bare"]
    allow: list[str] | None
    base: str


def _viewed(call: HttpCall) -> _View:
    key_id, _, profile = identify(call)
    service = call.service
    style = service.profiles.get(profile, service.default_profile).model_ids
    root = call.scope.get("root_path", "")
    return _View(service.model_list, style, service.models_of_key(key_id), root + BASE_PATH)


def _query(call: HttpCall) -> ModelQuery:
    """What stands behind the question mark.

    Raises:
        Refusal: something of it is wrong.
    """
    try:
        return ModelQuery(call.scope.get("query_string", b"").decode("latin-1"))
    except BadQueryError as error:
        raise Refusal("invalid_value", str(error), param=error.param) from None


def _unknown_model(view: _View, name: str) -> Refusal:
    near = view.models.nearest(name, allow=view.allow)
    meant = f" did you mean {', '.join(near)}?" if near else ""
    return Refusal(
        "model_not_found",
        f"there is no model '{without_keys(name)[:_MOST_NAME]}' for this key;{meant} GET "
        "/v1/models lists those that exist",
        param="model",
    )


async def models(call: HttpCall) -> None:
    """GET /v1/models: the models that the key may use and a provider serves."""
    models, style, allow, base = _viewed(call)
    query = _query(call)
    make = partial(models.payload, query, style=style, allow=allow, base=base)
    # A query reads every row, which takes a few milliseconds that streams do not have to wait for.
    await call.tagged(await asyncio.to_thread(make) if query else make())


async def model_count(call: HttpCall) -> None:
    """GET /v1/models/count: how many models a query finds."""
    models, _, allow, _ = _viewed(call)
    found = await asyncio.to_thread(models.count, _query(call), allow=allow)
    await call.tagged(b'{"data":{"count":%d}}' % found)


async def model(call: HttpCall) -> None:
    """GET /v1/models/{id} and .../endpoints: one model, by full id, bare id or alias."""
    models, style, allow, base = view = _viewed(call)
    name = call.path.partition("/models/")[2]
    body = models.resource(name, style=style, allow=allow, base=base)
    if body is None:
        raise _unknown_model(view, name.removesuffix("/endpoints"))
    await call.tagged(body)


async def model_in_data(call: HttpCall) -> None:
    """GET /v1/model/{id}: one model, wrapped in `data`, as OpenRouter has it."""
    models, style, allow, base = view = _viewed(call)
    name = call.path.partition("/model/")[2]
    body = models.one(name, style=style, allow=allow, base=base)
    if body is None:
        raise _unknown_model(view, name)
    await call.tagged(b'{"data":' + body + b"}")


async def providers(call: HttpCall) -> None:
    """GET /v1/providers: the providers that are on."""
    identify(call)
    await call.tagged(call.service.model_list.providers())


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


# Paths of health checks, with their labels in the metrics. They are answered on the connections of
# the reserve, too: whether the process lives must be seen most of all when it is full.
PROBES: Final = {
    "/livez": (livez, "livez"),
    "/readyz": (readyz, "readyz"),
    "/healthz": (readyz, "healthz"),
    "/health": (readyz, "health"),
    "/health/liveliness": (livez, "health_liveliness"),
    "/health/readiness": (readyz, "health_readiness"),
}


async def metrics(call: HttpCall) -> None:
    """GET /metrics: Prometheus' text format."""
    await call.plain(exposition.exposition(call.service), exposition.CONTENT_TYPE)


async def openapi(call: HttpCall) -> None:
    """GET /openapi.json: this API, as OpenAPI 3.1."""
    root = call.scope.get("root_path", "")
    document = {**description.document(), "servers": [{"url": root or "/"}]}
    await call.plain(json.dumps(document, separators=(",", ":")).encode(), _JSON)
