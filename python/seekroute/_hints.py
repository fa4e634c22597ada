"""What to do about an error: one sentence for each code of the core's table, else for a status."""

from __future__ import annotations

from typing import Any

_BODY = "correct the request; `param` names the field"
_WAIT = "try again later"
_LATE = (
    "give it longer: timeouts.total_timeout_ms of the gateway (in Python Client(timeouts={...})), "
    "or ask for a stream; the provider may charge for what it was asked"
)
_OPERATOR = "tell whoever runs the gateway, with the request id"
_PROVIDER = "try again, or ask another model"
_KEY = "check the API key: api_key=, or the variable SEEKROUTE_API_KEY"

BY_CODE: dict[str, str] = {
    "invalid_json": "send one JSON object in UTF-8",
    "json_too_deep": "nest the request less deeply",
    "duplicate_key": "give each field once",
    "invalid_value": _BODY,
    "invalid_type": _BODY,
    "missing_required_parameter": _BODY,
    "unknown_parameter": "leave the field out; where a request goes is the gateway's to say",
    "invalid_unicode": "send whole characters: a half of a surrogate pair is none",
    "context_length_exceeded": "shorten the prompt, or ask a model with a longer context",
    "invalid_host": "check base_url",
    "invalid_request": _BODY,
    "request_too_large": "send less, or raise limits.max_body_bytes of the gateway",
    "unsupported_content_encoding": "send the body uncompressed",
    "unsupported_media_type": "send the body as application/json",
    "headers_too_large": "send fewer or shorter headers",
    "uri_too_long": "send a shorter query",
    "method_not_allowed": "check base_url and the path",
    "not_found": "check the id that was asked for, and base_url: it ends with /v1",
    "request_timeout": "try again on a better connection",
    "missing_api_key": _KEY,
    "invalid_api_key": _KEY,
    "permission_denied": "ask whoever runs the gateway for access",
    "app_not_approved": "ask whoever runs the gateway to approve the app",
    "model_not_found": "see client.models.list() for the models there are",
    "no_matching_endpoint": (
        "see client.models.list() for the models that are served, or set the key of a provider "
        "that serves this one"
    ),
    "insufficient_credits": "top up the balance, or ask a cheaper model",
    "max_cost_exceeded": "raise `max_cost`, shorten the prompt, or ask a cheaper model",
    "idempotency_key_invalid": "send 1 to 255 printable ASCII characters",
    "idempotency_in_progress": "wait for the request that runs under this Idempotency-Key",
    "idempotency_completed": "look the request up by its generation id, or use a new key",
    "idempotency_mismatch": "use a new Idempotency-Key for a new request",
    "rate_limit_exceeded": "wait `retry_after` seconds, or send fewer requests at once",
    "request_too_large_for_limit": "ask for fewer tokens: the request is over a limit of the key",
    "store_unavailable": _WAIT,
    "storage_full": "tell whoever runs the gateway that the ledger's disk is full",
    "storage_corrupt": "tell whoever runs the gateway: the ledger takes nothing until a restart",
    "shutting_down": _WAIT,
    "overloaded": "wait `retry_after` seconds, or send fewer requests at once",
    "no_upstream": _PROVIDER,
    "internal_error": _OPERATOR,
    "upstream_error": _PROVIDER,
    "upstream_tls": _OPERATOR,
    "bad_upstream_response": _PROVIDER,
    "upstream_truncated": _PROVIDER,
    "upstream_auth_error": "check the provider's key in the gateway's configuration",
    "upstream_no_credit": "top up the account at the provider, or ask another model",
    "upstream_forbidden": "check what the account at the provider may do, and from where",
    "upstream_model_not_found": "check the model's name at the provider in the configuration",
    "upstream_timeout": _LATE,
    "upstream_idle_timeout": (
        "give it longer: timeouts.idle_timeout_ms of the gateway (in Python Client(timeouts={...}))"
    ),
    "upstream_rate_limited": "wait `retry_after` seconds, or ask another model",
    "upstream_unavailable": _PROVIDER,
    "upstream_invalid_request": "correct the request: the provider says what is wrong",
    "content_filter": "change what is asked: the provider refuses this content",
    "client_closed": "the request was cancelled on this side",
}

_BY_STATUS: dict[int, str] = {
    400: _BODY,
    401: _KEY,
    402: BY_CODE["insufficient_credits"],
    403: BY_CODE["permission_denied"],
    404: BY_CODE["not_found"],
    408: BY_CODE["request_timeout"],
    413: "send less",
    422: _BODY,
    429: BY_CODE["rate_limit_exceeded"],
}


# What a provider calls a parameter that this model does not take, and those of which the catalog
# knows it (`refuses`).
_UNSUPPORTED = frozenset({"unsupported_parameter", "unsupported_value"})
_DROPPABLE = frozenset(
    (
        *("temperature", "top_p", "presence_penalty", "frequency_penalty"),
        *("logprobs", "top_logprobs", "logit_bias"),
    )
)


def hint_for(status: int, code: Any, param: Any = None) -> str:
    """What to do about an error answer; empty where there is nothing to say.

    Args:
        status: HTTP status; 0 inside a stream.
        code: The error's code; profiles may use words of their own, or a number.
        param: The field that it names.
    """
    words = isinstance(code, str) and isinstance(param, str)
    if words and code in _UNSUPPORTED and param in _DROPPABLE:
        return (
            f"leave `{param}` out: this model does not take it; drop_refused_parameters: true of "
            "the gateway (in Python Client(drop_refused_parameters=True)) leaves it out by itself"
        )
    found = BY_CODE.get(code) if isinstance(code, str) else None
    if found is None:
        found = _BY_STATUS.get(status) or (_WAIT if status >= 500 else "")
    return found
