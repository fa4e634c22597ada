"""What a request says of where it may go, and what a dry run tells of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seekroute.api.schemas.shapes import (
    Schema,
    array,
    flag,
    integer,
    number,
    record,
    text,
)

__all__ = ["DRAWN", "ROUTE_FIELDS"]

_SLUGS: Final = array(text(minLength=1, maxLength=128), null=True, maxItems=64)
_CUTOFF: Final[Schema] = {
    "anyOf": [
        number(null=True, exclusiveMinimum=0),
        record(
            {name: number(null=True, exclusiveMinimum=0) for name in ("p50", "p75", "p90", "p99")}
        ),
    ]
}
_PRICE: Final = number(null=True, minimum=0, maximum=1e6)
_SORT: Final = ["price", "throughput", "latency", None]

_STRATEGIES: Final = ("balanced", "cost", "latency", "quality")
_PATTERNS: Final = array(
    text(minLength=1, maxLength=128),
    null=True,
    maxItems=64,
    description="Ids of models; `*` stands for any text.",
)

ROUTE_FIELDS: Final[Mapping[str, Schema]] = {
    "provider": record(
        {
            "order": _SLUGS,
            "only": _SLUGS,
            "ignore": _SLUGS,
            "allow_fallbacks": flag(null=True, default=True),
            "require_parameters": flag(null=True, default=False),
            "data_collection": {"enum": ["allow", "deny", None]},
            "zdr": flag(null=True, default=False),
            "regions": _SLUGS,
            "quantizations": array(
                text(
                    enum=[
                        "int4",
                        "int8",
                        "fp4",
                        "fp6",
                        "fp8",
                        "fp16",
                        "bf16",
                        "fp32",
                        "unknown",
                    ]
                ),
                null=True,
            ),
            "sort": {
                "anyOf": [
                    {"enum": _SORT},
                    record({"by": {"enum": _SORT}, "partition": {"enum": ["model", "none", None]}}),
                ]
            },
            "max_price": record(
                {name: _PRICE for name in ("prompt", "completion", "request", "image")}, null=True
            ),
            "preferred_min_throughput": _CUTOFF,
            "preferred_max_latency": _CUTOFF,
        },
        null=True,
        open=True,
        description="Which endpoints, in which order. For the gateway alone.",
    ),
    "models": array(
        text(minLength=1, maxLength=256),
        null=True,
        minItems=1,
        maxItems=8,
        description="Asked in order after `model`. For the gateway alone.",
    ),
    "route": {
        "enum": ["fallback", *(f"auto/{name}" for name in _STRATEGIES), None],
        "description": "`auto/...`: how a model is chosen for `auto`.",
    },
    "plugins": array(
        record(
            {
                "id": text(description="Of `auto-router` alone the other members count."),
                "enabled": flag(null=True, default=True),
                "allowed_models": _PATTERNS,
                "excluded_models": _PATTERNS,
                "cost_tier": {"enum": ["low", "medium", "high", None]},
            },
            required="id",
            open=True,
        ),
        null=True,
        description="What `auto` may choose from. For the gateway alone.",
    ),
    "zdr": flag(null=True, description="As `provider.zdr`; the stricter holds."),
    "data_collection": {
        "enum": ["allow", "deny", None],
        "description": "As `provider.data_collection`; the stricter holds.",
    },
    "session_id": text(null=True, minLength=1, maxLength=256),
}
"""Fields of a chat request. One for embeddings may have them, too."""

DRAWN: Final[Mapping[str, Schema]] = {
    "sort": text(enum=["default", "price", "throughput", "latency"]),
    "seed": integer(minimum=0, description="What the order was drawn by."),
    "explored": flag(),
    "auto": record(
        {
            "strategy": text(enum=list(_STRATEGIES)),
            "strategy_source": text(
                enum=["request", "key", "default"],
                description="Who said it: the request, its key, or the operator for all.",
            ),
            "revision": text(null=True, description="Of the weights; null: nothing was learned."),
            "difficulty": number(minimum=0, maximum=1),
            "propensity": number(minimum=0, maximum=1),
            "models": array(
                record(
                    {
                        "model": text(),
                        "quality": number(minimum=0, maximum=1),
                        "expected_usd": number(minimum=0),
                        "answer_tokens": integer(
                            minimum=0,
                            description="That a choice of the answer is expected to have.",
                        ),
                        "latency_ms": integer(null=True, description="Null: unknown."),
                        "score": number(),
                        "reason": text(),
                    },
                    required="model quality expected_usd answer_tokens latency_ms score reason",
                )
            ),
        },
        required="strategy strategy_source revision difficulty propensity models",
        description="How a model was chosen, the chosen one first; where one was.",
    ),
    "simulated": record(
        {
            "draws": integer(minimum=1),
            "first": array(
                record(
                    {
                        "endpoint": text(),
                        "model": text(),
                        "share": number(minimum=0, maximum=1),
                    },
                    required="endpoint model share",
                )
            ),
        },
        required="draws first",
        description="How often each endpoint came first; where `simulate` was asked for.",
    ),
}
"""What a quote tells of how its order came about."""
