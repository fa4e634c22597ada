"""Models, providers and prices, as they are listed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seekroute.api.schemas.shapes import (
    NULL,
    Schema,
    array,
    flag,
    integer,
    record,
    ref,
    text,
)

__all__ = ["SCHEMAS"]

SCHEMAS: Final[Mapping[str, Schema]] = {
    "ModelList": record(
        {
            "object": {"const": "list"},
            "data": array(ref("Model")),
            "total_count": integer(minimum=0, description="On all pages."),
            "links": record(
                {"next": text(null=True, description="Path of the next page.")}, required="next"
            ),
        },
        required="object data total_count links",
    ),
    "Model": record(
        {
            "id": text(),
            "object": {"const": "model"},
            "created": integer(),
            "owned_by": text(),
            "canonical_slug": text(),
            "name": text(),
            "description": text(),
            "hugging_face_id": NULL,
            "context_length": integer(),
            "architecture": ref("Architecture"),
            "pricing": ref("Pricing"),
            "top_provider": record(
                {
                    "context_length": integer(),
                    "max_completion_tokens": integer(null=True),
                    "is_moderated": flag(),
                },
                required="context_length max_completion_tokens is_moderated",
                description="Of the endpoint that is preferred.",
            ),
            "per_request_limits": NULL,
            "supported_parameters": array(text()),
            "default_parameters": NULL,
            "supported_voices": NULL,
            "knowledge_cutoff": text(null=True, format="date"),
            "expiration_date": text(null=True, format="date"),
            "links": record(
                {"details": text(description="Path of its endpoints.")}, required="details"
            ),
        },
        required="id object created owned_by name context_length pricing",
        open=True,
    ),
    "Architecture": record(
        {
            "modality": text(),
            "input_modalities": array(text()),
            "output_modalities": array(text()),
            "tokenizer": text(),
            "instruct_type": NULL,
        },
        required="modality input_modalities output_modalities",
        open=True,
    ),
    "Pricing": record(
        {
            "prompt": text(),
            "completion": text(),
            "request": text(),
            "image": text(),
            "overrides": array(
                record({}, open=True),
                description=(
                    "Prices of longer prompts (`min_prompt_tokens`) and of hours of"
                    " the day (`utc_start`, `utc_end`, as HHMM); of those whose "
                    "conditions hold, the last one."
                ),
            ),
        },
        required="prompt completion request image",
        others=text(),
        description=(
            "USD per token, request or image, as decimal strings, with the "
            "operator's markup. Prices that are not listed are those of "
            "`prompt` or `completion`."
        ),
    ),
    "EndpointList": record(
        {
            "data": record(
                {
                    "id": text(),
                    "name": text(),
                    "created": integer(),
                    "description": text(),
                    "architecture": ref("Architecture"),
                    "endpoints": array(
                        record(
                            {
                                "name": text(),
                                "model_id": text(),
                                "model_name": text(),
                                "provider_name": text(),
                                "tag": text(description="The provider's id."),
                                "context_length": integer(),
                                "max_completion_tokens": integer(null=True),
                                "max_prompt_tokens": NULL,
                                "quantization": NULL,
                                "pricing": ref("Pricing"),
                                "supported_parameters": array(text()),
                                "supports_tool_choice": record(
                                    {}, required="auto function none required", others=flag()
                                ),
                                "supports_implicit_caching": flag(),
                                "status": {"const": 0},
                            },
                            required=(
                                "name model_id model_name provider_name tag context_length "
                                "max_completion_tokens max_prompt_tokens pricing "
                                "supported_parameters status"
                            ),
                            open=True,
                        ),
                        minItems=1,
                    ),
                },
                required="id name created description architecture endpoints",
            )
        },
        required="data",
    ),
    "ProviderList": record(
        {"data": array(record({"name": text(), "slug": text()}, required="name slug", open=True))},
        required="data",
    ),
    "ModelCount": record(
        {"data": record({"count": integer(minimum=0)}, required="count")}, required="data"
    ),
    "ModelInData": record({"data": ref("Model")}, required="data"),
}
