"""What to do about an error: the hint of the core's table, else that of its status."""

from __future__ import annotations

from typing import Any

from seekroute.error_table import row_of

# Of answers whose code is a profile's own, or a provider's: the error that usually has the status.
_BY_STATUS: dict[int, str] = {
    400: "invalid_request",
    401: "invalid_api_key",
    402: "insufficient_credits",
    403: "permission_denied",
    404: "not_found",
    408: "request_timeout",
    413: "request_too_large",
    422: "invalid_request",
    429: "rate_limit_exceeded",
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


# What a message says that ends with the one change that would bring most endpoints back, behind
# its last semicolon.
_SAYS_WHAT_TO_CHANGE = "can serve this request: "
_EMBEDDERS = (
    'name a model that makes embeddings: client.models.list(output_modalities="embeddings")'
)
# Of a refusal that leads to another path: how this client asks there. Profiles may use words of
# their own; the code's usual hint is then as good as any.
_ELSEWHERE = {
    "POST /v1/embeddings": "make vectors with client.embeddings.create(model=..., input=...)",
    "POST /v1/chat/completions": _EMBEDDERS,
    "output_modalities=embeddings": _EMBEDDERS,
}


def hint_for(status: int, code: Any, param: Any = None, message: str = "") -> str:
    """What to do about an error answer; empty where there is nothing to say.

    Args:
        status: HTTP status; 0 inside a stream.
        code: The error's code; profiles may use words of their own, or a number.
        param: The field that it names.
        message: What it says.
    """
    if code == "no_matching_endpoint":
        if _SAYS_WHAT_TO_CHANGE in message:
            return message.rpartition("; ")[2]
        for place, hint in _ELSEWHERE.items():
            if place in message:
                return hint
    words = isinstance(code, str) and isinstance(param, str)
    if words and code in _UNSUPPORTED and param in _DROPPABLE:
        return (
            f"leave `{param}` out: this model does not take it; drop_refused_parameters: true of "
            "the gateway (in Python Client(drop_refused_parameters=True)) leaves it out by itself"
        )
    usual = "store_unavailable" if status >= 500 else _BY_STATUS.get(status)
    found = row_of(code) or row_of(usual)
    return found.hint if found is not None else ""
