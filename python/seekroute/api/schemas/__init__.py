"""What the HTTP API takes and gives, as OpenAPI describes it.

Only the generator of `openapi.json` imports this (`seekroute.api.reference`): no server does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from seekroute.api.schemas import account, inference, models, operation
from seekroute.api.schemas.parameters import GROUPS, PARAMETERS
from seekroute.api.schemas.shapes import Schema, ref, text

__all__ = ["ANSWERS", "BODIES", "GROUPS", "KEPT", "PARAMETERS", "RESPONSES", "SCHEMAS", "plain"]

SCHEMAS: Final[Mapping[str, Schema]] = {
    **inference.SCHEMAS,
    **models.SCHEMAS,
    **account.SCHEMAS,
    **operation.SCHEMAS,
}

_JSON: Final = "application/json"


def headers(*names: str) -> dict[str, Any]:
    """The headers of an answer, all of them texts."""
    return {name: {"schema": text()} for name in names}


def plain(name: str) -> dict[str, Any]:
    """What an answer of JSON has, by the name of its schema."""
    return {
        "headers": headers("x-request-id"),
        "content": {_JSON: {"schema": ref(name)}},
    }


KEPT: Final = headers("x-request-id", "etag", "cache-control", "vary")
"""The headers of answers that a client may keep."""

BODIES: Final[Mapping[str, dict[str, Any]]] = {
    "ChatRequest": {
        "required": True,
        "content": {
            _JSON: {
                "schema": ref("ChatRequest"),
                "example": {
                    "model": "openai/gpt-4o-mini",
                    "messages": [{"role": "user", "content": "Hello!"}],
                },
            }
        },
    },
    "EmbeddingsRequest": {
        "required": True,
        "content": {
            _JSON: {
                "schema": ref("EmbeddingsRequest"),
                "example": {"model": "openai/text-embedding-3-small", "input": ["Hello!"]},
            }
        },
    },
    "FeedbackRequest": {
        "required": True,
        "content": {
            _JSON: {
                "schema": ref("FeedbackRequest"),
                "example": {"generation_id": "gen-0123456789", "score": 1},
            }
        },
    },
    "GenerationFeedbackRequest": {
        "required": True,
        "content": {
            _JSON: {
                "schema": ref("GenerationFeedbackRequest"),
                "example": {"generation_id": "gen-0123456789", "category": "incorrect_response"},
            }
        },
    },
}
"""The bodies of requests."""

_INFERENCE: Final = headers(
    "x-request-id",
    "x-generation-id",
    "x-seekroute-provider",
    "x-seekroute-model",
    "x-seekroute-route",
    "x-seekroute-attempts",
    "x-seekroute-ignored",
    "x-seekroute-overhead-ms",
)

ANSWERS: Final[Mapping[str, dict[str, Any]]] = {
    "EmbeddingsAnswer": {
        "headers": _INFERENCE,
        "content": {_JSON: {"schema": ref("EmbeddingsAnswer")}},
    },
    "ChatAnswer": {
        "headers": _INFERENCE,
        "content": {
            _JSON: {"schema": ref("ChatAnswer")},
            "text/event-stream": {
                "schema": {
                    "description": (
                        "`data:` lines with ChatChunk objects, `data: [DONE]` at the end. Comment "
                        "lines keep the connection alive. After a failure: one `data:` line with "
                        "an Error, and no `[DONE]`."
                    )
                }
            },
        },
    },
    "Health": {"content": {_JSON: {"schema": ref("Health")}}},
    "Metrics": {"content": {"text/plain": {"schema": text()}}},
    "OpenApi": {"content": {_JSON: {"schema": {"type": "object"}}}},
}
"""Answers that are more than a schema, or less."""

RESPONSES: Final[Mapping[str, dict[str, Any]]] = {
    "Error": {"description": "What was wrong, and what to do.", **plain("Error")},
    "Unauthorized": {
        "description": "No API key, or one that is not valid.",
        **plain("Error"),
        "headers": headers("x-request-id", "www-authenticate"),
    },
    "RetryLater": {
        "description": "Try again later.",
        **plain("Error"),
        "headers": {
            **headers("x-request-id"),
            "retry-after": {"description": "Seconds, where known.", "schema": text()},
            "retry-after-ms": {"description": "Milliseconds, where known.", "schema": text()},
        },
    },
}
"""Refusals."""
