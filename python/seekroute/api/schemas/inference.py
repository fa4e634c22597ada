"""What inference takes and gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seekroute.api.schemas.routing import DRAWN, ROUTE_FIELDS
from seekroute.api.schemas.shapes import (
    AMOUNT,
    NULL,
    Schema,
    array,
    flag,
    integer,
    number,
    record,
    ref,
    text,
)

__all__ = ["SCHEMAS"]

_MAX_COST: Final[Schema] = {
    "description": "The most that the answer may cost, in USD. For the gateway alone.",
    "anyOf": [
        number(minimum=0, maximum=9e9),
        text(pattern=r"^[0-9]{1,9}(\.[0-9]+)?$", maxLength=32),
        NULL,
    ],
}

SCHEMAS: Final[Mapping[str, Schema]] = {
    "ChatRequest": record(
        {
            "model": text(
                minLength=1, description="`author/name`, the name alone, an alias, or `auto`."
            ),
            "messages": array(ref("RequestMessage"), minItems=1, maxItems=4096),
            "stream": flag(null=True, default=False),
            "stream_options": record(
                {"include_usage": flag()},
                null=True,
                open=True,
                description="Only with `stream` set.",
            ),
            "temperature": number(null=True, minimum=0, maximum=2),
            "top_p": number(null=True, minimum=0, maximum=1),
            "max_tokens": integer(null=True, minimum=1),
            "max_completion_tokens": integer(null=True, minimum=1),
            "n": integer(null=True, minimum=1, maximum=128),
            "seed": integer(null=True),
            "tools": array(
                record(
                    {
                        "type": text(),
                        "function": record(
                            {"name": text(minLength=1, maxLength=64)}, required="name", open=True
                        ),
                    },
                    required="type",
                    open=True,
                ),
                null=True,
                description="Providers may take fewer.",
                maxItems=512,
            ),
            "user": text(null=True),
            "max_cost": _MAX_COST,
            **ROUTE_FIELDS,
        },
        required="model messages",
        open=True,
        anyOf=[
            {"properties": {"stream_options": NULL}},
            {"properties": {"stream": {"const": True}}, "required": ["stream"]},
        ],
    ),
    "RequestMessage": record(
        {},
        required="role",
        open=True,
        anyOf=[
            {
                "properties": {
                    "role": {"enum": ["system", "developer", "user"]},
                    "content": ref("Content"),
                },
                "required": ["content"],
            },
            {
                "properties": {
                    "role": {"enum": ["tool", "function"]},
                    "content": {"anyOf": [ref("Content"), NULL]},
                },
                "required": ["content"],
            },
            {
                "properties": {
                    "role": {"enum": ["assistant"]},
                    "content": {"anyOf": [ref("Content"), NULL]},
                }
            },
        ],
    ),
    "Content": {"anyOf": [text(), array(record({"type": text()}, required="type", open=True))]},
    "ChatAnswer": record(
        {
            "id": text(),
            "object": text(),
            "created": integer(),
            "model": text(),
            "choices": array(
                record(
                    {
                        "index": integer(),
                        "message": record(
                            {"role": text(), "content": text(null=True)}, required="role", open=True
                        ),
                        "finish_reason": text(null=True),
                    },
                    required="index message",
                    open=True,
                )
            ),
            "usage": ref("Usage"),
        },
        required="id object created model choices",
        open=True,
    ),
    "ChatChunk": record(
        {
            "id": text(),
            "object": {"const": "chat.completion.chunk"},
            "created": integer(),
            "model": text(),
            "choices": array(record({}, open=True)),
            "usage": {"oneOf": [ref("Usage"), NULL]},
        },
        required="id object created model choices",
        open=True,
    ),
    "EmbeddingsRequest": record(
        {
            "model": text(minLength=1, description="`author/name`, the name alone, or an alias."),
            "input": {
                "description": "A text, texts, the tokens of a text, or the tokens of texts.",
                "anyOf": [
                    text(minLength=1),
                    array(text(minLength=1), minItems=1, maxItems=2048),
                    ref("TextTokens"),
                    array(ref("TextTokens"), minItems=1, maxItems=2048),
                ],
            },
            "dimensions": integer(null=True, minimum=1, maximum=65_536),
            "encoding_format": {"enum": ["float", "base64", None]},
            "stream": {"enum": [False, None]},
            "user": text(null=True),
            "max_cost": _MAX_COST,
        },
        required="model input",
        open=True,
    ),
    "TextTokens": array(integer(minimum=0, maximum=2**31), minItems=1),
    "EmbeddingsAnswer": record(
        {
            "object": text(),
            "model": text(),
            "data": array(
                record(
                    {
                        "object": text(),
                        "index": integer(minimum=0),
                        "embedding": {
                            "description": (
                                "Numbers, or base64 of them in single precision, little-endian."
                            ),
                            "oneOf": [array(number()), text()],
                        },
                    },
                    required="embedding",
                    open=True,
                )
            ),
            "usage": record(
                {
                    "prompt_tokens": integer(minimum=0),
                    "total_tokens": integer(minimum=0),
                    "cost": number(minimum=0, description="USD; where the key's profile shows it."),
                },
                required="prompt_tokens total_tokens",
                open=True,
            ),
        },
        required="model data usage",
        open=True,
    ),
    "CostRange": record(
        {
            "min": AMOUNT,
            "expected": AMOUNT,
            "max": number(null=True, minimum=0, description="Null: nothing bounds the answer."),
        },
        required="min expected max",
        description="USD.",
    ),
    "Quote": record(
        {
            "object": {"const": "quote"},
            "created": integer(),
            "requested": text(),
            "model": text(),
            "strategy": {"enum": ["auto", "direct", "alias", "virtual", "fallback"]},
            "prompt_tokens": ref("TokenRange"),
            "completion_tokens": ref("TokenRange"),
            "cost": ref("CostRange"),
            "hold": record(
                {"min": AMOUNT, "max": AMOUNT},
                required="min max",
                description=(
                    "USD that are set aside before the request is sent: `max`, or "
                    "less where the balance has no more, but never less than `min`."
                ),
            ),
            "balance": record(
                {
                    "available": number(),
                    "spendable": number(
                        null=True,
                        description="With its credit line and the key's limit. Null is any amount.",
                    ),
                    "affordable": flag(description="Whether `hold.min` can be set aside."),
                },
                required="available spendable affordable",
                description="What the organization has; with credits on.",
            ),
            "candidates": array(
                record(
                    {
                        "provider": text(),
                        "model": text(),
                        "upstream_model": text(description="The provider's own name of it."),
                        "endpoint": text(description="Its tag: `provider[/variant]`."),
                        "group": integer(minimum=0, description="Lower ones are asked first."),
                        "probability": number(
                            minimum=0, maximum=1, description="That it comes first."
                        ),
                        "latency_ms": number(
                            null=True, description="Median time to first content; null: unknown."
                        ),
                        "throughput": number(null=True, description="Median tokens a second."),
                        "uptime_30m": number(null=True, minimum=0, maximum=1),
                        "health": text(
                            description="ok, degraded, ejected, half_open, slow_start or out."
                        ),
                        "excluded_by": text(
                            null=True, description="Why it would be passed over now: a word."
                        ),
                        "pricing": record(
                            {},
                            required="revision min_prompt_tokens prompt completion",
                            description=(
                                "Rates in USD a unit, as decimals: the provider's own beside "
                                "`markup_bps`, or, where the profile does not show what the "
                                "provider charges, those that are charged."
                            ),
                        ),
                        "cost": ref("CostRange"),
                    },
                    required=(
                        "provider model upstream_model endpoint group probability latency_ms "
                        "throughput uptime_30m health excluded_by pricing cost"
                    ),
                ),
                minItems=1,
            ),
            "excluded": array(
                record(
                    {"provider": text(), "model": text(), "reason": text(), "detail": text()},
                    required="provider model reason",
                )
            ),
            **DRAWN,
        },
        required=(
            "object created requested model strategy prompt_tokens "
            "completion_tokens cost hold candidates excluded sort seed explored"
        ),
    ),
    "TokenRange": record(
        {"expected": integer(minimum=0), "max": integer(null=True, minimum=0)},
        required="expected max",
    ),
    "Usage": record(
        {
            "prompt_tokens": integer(minimum=0),
            "completion_tokens": integer(minimum=0),
            "total_tokens": integer(minimum=0),
            "cost": number(minimum=0, description="USD; where the key's profile shows it."),
            "cost_details": record(
                {
                    "upstream_inference_cost": AMOUNT,
                    "upstream_inference_prompt_cost": AMOUNT,
                    "upstream_inference_completions_cost": AMOUNT,
                },
                required=(
                    "upstream_inference_cost upstream_inference_prompt_cost "
                    "upstream_inference_completions_cost"
                ),
                description=(
                    "What the provider charges, in USD and without the operator's "
                    "markup; where the key's profile shows it. Each figure is "
                    "rounded up to the next nano-USD on its own."
                ),
            ),
        },
        required="prompt_tokens completion_tokens total_tokens",
        open=True,
    ),
}
