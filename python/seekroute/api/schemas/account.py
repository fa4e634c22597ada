"""What the owner of a key sees of its money."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seekroute.api.feedback import CATEGORIES
from seekroute.api.schemas.shapes import (
    AMOUNT,
    Schema,
    array,
    flag,
    integer,
    number,
    record,
    text,
)
from seekroute.rate_limits import LIMIT_NAMES

__all__ = ["SCHEMAS"]

_SETTLEMENT: Final[Schema] = {
    "enum": ["exact", "estimated", "partial", "cancelled", "failed", "free"]
}

SCHEMAS: Final[Mapping[str, Schema]] = {
    "Key": record(
        {
            "data": record(
                {
                    "label": text(),
                    "limit": number(null=True),
                    "limit_remaining": number(
                        null=True,
                        description="What charges and holds leave of the limit in its window.",
                    ),
                    "limit_reset": {"enum": ["daily", "weekly", "monthly", None]},
                    "usage": AMOUNT,
                    "usage_daily": AMOUNT,
                    "usage_weekly": AMOUNT,
                    "usage_monthly": AMOUNT,
                    "is_free_tier": flag(),
                    "organization_id": text(),
                    "expires_at": text(null=True),
                    "rate_limit": record(
                        {"requests": integer(), "interval": text(), "note": text()},
                        required="requests interval note",
                        description="Requests in an interval; -1: any number.",
                    ),
                    "limits": record(
                        {name: integer(null=True) for name in LIMIT_NAMES},
                        required=" ".join(LIMIT_NAMES),
                        description="What holds for the key itself; null: no limit.",
                    ),
                    "model_limits": {
                        "type": "object",
                        "additionalProperties": record(
                            {name: integer(null=True) for name in LIMIT_NAMES},
                            required=" ".join(LIMIT_NAMES),
                        ),
                        "description": "What holds for it beside that for one model, by its id.",
                    },
                },
                required="label limit limit_remaining limit_reset usage",
                open=True,
                description="Amounts are USD; usage is 0 where the gateway keeps no ledger.",
            )
        },
        required="data",
    ),
    "Credits": record(
        {
            "data": record(
                {
                    "total_credits": number(description="Top-ups and adjustments."),
                    "total_usage": number(description="Charges without refunds."),
                    "available": AMOUNT,
                    "held": number(minimum=0, description="For requests that run."),
                    "owed": AMOUNT,
                    "credit_line": number(
                        null=True, description="What may be owed. Null is any amount."
                    ),
                },
                required="total_credits total_usage available held owed credit_line",
                description=(
                    "USD. `available` + `held` - `owed` + `total_usage` = `total_credits`."
                ),
            )
        },
        required="data",
    ),
    "FeedbackRequest": record(
        {
            "generation_id": text(
                minLength=1, maxLength=200, description="The `id` of the answer."
            ),
            "score": number(minimum=0, maximum=1, description="0 is bad, 1 is good."),
            "comment": text(maxLength=1000, description="For the operator."),
        },
        required="generation_id score",
        additionalProperties=False,
    ),
    "GenerationFeedbackRequest": record(
        {
            "generation_id": text(
                minLength=1, maxLength=200, description="The `id` of the answer."
            ),
            "category": {"enum": list(CATEGORIES)},
            "comment": text(maxLength=1000, description="For the operator."),
        },
        required="generation_id category",
        additionalProperties=False,
    ),
    "Feedback": record(
        {"generation_id": text(), "score": number(minimum=0, maximum=1)},
        required="generation_id score",
    ),
    "FeedbackTaken": record(
        {"data": record({"success": {"const": True}}, required="success")}, required="data"
    ),
    "Generation": record(
        {
            "data": record(
                {
                    "id": text(),
                    "request_id": text(),
                    "key_id": text(null=True),
                    "created_at": text(),
                    "ended_at": text(),
                    "model": text(),
                    "requested_model": text(),
                    "provider_name": text(null=True),
                    "api_type": {
                        "enum": ["completions", "embeddings", None],
                        "description": "Null: the model is not served any more.",
                    },
                    "total_cost": AMOUNT,
                    "usage": AMOUNT,
                    "held": number(minimum=0, description="Set aside before it was sent."),
                    "refunded": AMOUNT,
                    "upstream_inference_cost": number(
                        null=True,
                        description="What the provider charges; where the key's profile shows it.",
                    ),
                    "settlement": _SETTLEMENT,
                    "status": integer(null=True),
                    "error": text(null=True),
                    "price_revision": text(),
                    "tokens_prompt": integer(null=True),
                    "tokens_completion": integer(null=True),
                    "native_tokens_cached": integer(null=True),
                    "native_tokens_reasoning": integer(null=True),
                    "native_tokens_cache_write": integer(null=True),
                    "usage_estimated": flag(),
                    "latency": number(null=True, description="Milliseconds, of all."),
                    "generation_time": number(
                        null=True, description="Milliseconds, of the providers."
                    ),
                    "time_to_first_token": number(null=True),
                    "overhead": number(null=True, description="Milliseconds, the gateway's own."),
                    "streamed": flag(),
                    "cancelled": flag(),
                    "finish_reason": text(null=True),
                    "provider_responses": array(
                        record(
                            {
                                "provider_name": text(),
                                "status": integer(null=True, description="Null: no answer came."),
                                "latency": number(),
                                "error": text(null=True),
                            },
                            required="provider_name status latency error",
                            open=True,
                        )
                    ),
                },
                required=(
                    "id request_id created_at ended_at model requested_model "
                    "provider_name provider_responses total_cost usage held "
                    "refunded settlement price_revision tokens_prompt "
                    "tokens_completion latency generation_time streamed cancelled"
                ),
                open=True,
                description=(
                    "OpenRouter's members, of which those that are not known here "
                    "are null, and some more."
                ),
            )
        },
        required="data",
    ),
    "Activity": record(
        {
            "has_more": flag(description="Whether `offset` would find more."),
            "data": array(
                record(
                    {
                        "date": text(format="date"),
                        "model": text(),
                        "key_id": text(description="With `group_by=key`."),
                        "endpoint_id": {
                            "const": "",
                            "description": "Days are summed over providers.",
                        },
                        "provider_name": {"const": ""},
                        "usage": AMOUNT,
                        "requests": integer(minimum=0),
                        "failed": integer(minimum=0),
                        "prompt_tokens": integer(minimum=0),
                        "completion_tokens": integer(minimum=0),
                        "reasoning_tokens": integer(minimum=0),
                        "cached_tokens": integer(minimum=0),
                    },
                    required=(
                        "date model usage requests failed prompt_tokens "
                        "completion_tokens reasoning_tokens cached_tokens"
                    ),
                    open=True,
                )
            ),
        },
        required="data has_more",
    ),
    "Receipt": record(
        {
            "object": {"const": "receipt"},
            "version": {"const": 1},
            "charged": text(description="USD."),
            "charged_nano": integer(description="10⁻⁹ USD."),
            "settlement": _SETTLEMENT,
            "signature": text(pattern="^[0-9a-f]{64}$"),
            "operator_signature": text(pattern="^[0-9a-f]{64}$"),
        },
        required=(
            "object version gateway_id generation_id organization_id key_id"
            " model charged charged_nano settlement signature "
            "operator_signature"
        ),
        others={"type": ["string", "integer", "null"]},
        description=(
            "Texts, integers and nulls only; see the guide to credits for what is signed."
        ),
    ),
}
