"""The parameters of requests: of paths, queries and heads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from seekroute.api.schemas.shapes import Schema, integer, text

__all__ = ["GROUPS", "PARAMETERS"]

_MOST: Final = 1 << 53
# Of a million tokens.
_USD: Final = text(pattern=r"^[0-9]{1,8}(\.[0-9]{1,6})?$")
_DAYS: Final = integer(minimum=0, maximum=100000)
_DATE: Final = text(
    format="date",
    pattern="^(19[7-9][0-9]|20[0-9]{2})-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$",
)


def parameter(place: str, name: str, schema: Schema, **more: Any) -> dict[str, Any]:
    """A parameter of OpenAPI. `place`: `path`, `query` or `header`."""
    return {"name": name, "in": place, **more, "schema": schema}


PARAMETERS: Final[Mapping[str, dict[str, Any]]] = {
    "RequestId": parameter(
        "header",
        "x-request-id",
        text(),
        description=("Echoed if it is 1 to 128 letters, digits and `._:-`; else a new id is made."),
    ),
    "IfNoneMatch": parameter(
        "header",
        "if-none-match",
        text(pattern='^"[a-z0-9]{1,64}"$'),
        description=(
            "Tags of earlier answers; if one of them is the answer's, 304 is all that is sent."
        ),
    ),
}
"""Those of many routes, which refer to them."""

GROUPS: Final[Mapping[str, tuple[dict[str, Any], ...]]] = {
    "Explain": (
        parameter(
            "header",
            "x-seekroute-explain",
            text(enum=["0", "1"]),
            description=(
                "`1`: the answer, or the stream's last chunk, has a member "
                "`seekroute` that tells how it was routed. `X-OpenRouter-"
                "Metadata: enabled` gives the same as `openrouter_metadata`."
            ),
        ),
    ),
    "HeaderOptions": (
        parameter(
            "header",
            "x-seekroute-timeout-ms",
            integer(minimum=1, maximum=86_400_000),
            description=(
                "How long the whole request may take, where that is shorter than the gateway's "
                "own limit."
            ),
        ),
        parameter(
            "header",
            "x-seekroute-queue-ms",
            integer(minimum=0, maximum=60_000),
            description=(
                "How long it waits for room in its limits, instead of what is set for its key, its "
                "organization or the gateway."
            ),
        ),
        parameter(
            "header",
            "x-seekroute-queue-progress",
            {"enum": ["1", "true", "enabled"]},
            description="A stream that waits gets a comment each second.",
        ),
    ),
    "DryRun": (
        parameter(
            "query",
            "seed",
            integer(minimum=0, maximum=_MOST - 1),
            description="What the order is drawn by; default: chance.",
        ),
        parameter(
            "query",
            "simulate",
            integer(minimum=0, maximum=10_000),
            description="How often the order is drawn anew, to tell the shares of first places.",
        ),
    ),
    "ModelQuery": (
        parameter(
            "query",
            "q",
            text(maxLength=200),
            description="Words that must all be in id, name or description.",
        ),
        parameter(
            "query",
            "providers",
            text(maxLength=500),
            description=("Ids or names, separated by commas; one of them serves the model."),
        ),
        parameter(
            "query",
            "model_authors",
            text(maxLength=500),
            description="Separated by commas; one of them made the model.",
        ),
        parameter(
            "query",
            "supported_parameters",
            text(maxLength=500),
            description="Separated by commas; the model takes all of them.",
        ),
        parameter(
            "query",
            "input_modalities",
            text(pattern=("^(text|image|audio|video|file)(,(text|image|audio|video|file))*$")),
            description=("Some of `text`, `image`, `audio`, `video`, `file`, separated by commas."),
        ),
        parameter(
            "query",
            "output_modalities",
            text(
                pattern=("^(all|(text|image|audio|video|file)(,(text|image|audio|video|file))*)$")
            ),
            description="As `input_modalities`, or `all`.",
        ),
        parameter(
            "query",
            "context",
            integer(minimum=1, maximum=_MOST),
            description="Least length in tokens.",
        ),
        parameter(
            "query",
            "min_price",
            _USD,
            description="Of prompt tokens.",
        ),
        parameter(
            "query",
            "max_price",
            _USD,
            description="Of prompt tokens.",
        ),
        parameter(
            "query",
            "min_output_price",
            _USD,
            description="Of completion tokens.",
        ),
        parameter(
            "query",
            "max_output_price",
            _USD,
            description="Of completion tokens.",
        ),
        parameter(
            "query",
            "min_age_days",
            _DAYS,
            description="Since its release.",
        ),
        parameter(
            "query",
            "max_age_days",
            _DAYS,
            description="Since its release.",
        ),
        parameter(
            "query",
            "sort",
            text(
                enum=["newest", "pricing-low-to-high", "pricing-high-to-low", "context-high-to-low"]
            ),
        ),
        parameter("query", "offset", integer(minimum=0, maximum=_MOST)),
        parameter("query", "limit", integer(minimum=1, maximum=1000)),
    ),
    "Model": (
        parameter(
            "path",
            "model",
            text(minLength=1, maxLength=200),
            required=True,
            description=(
                "Full id (`author/name`, with the slash as it is or as `%2F`), name or alias."
            ),
            example="openai/gpt-4o-mini",
        ),
    ),
    "GenerationId": (
        parameter(
            "query",
            "id",
            text(minLength=1, maxLength=200),
            required=True,
            description="The `id` of the answer, or its header `x-generation-id`.",
        ),
    ),
    "ActivityQuery": (
        parameter(
            "query",
            "date",
            _DATE,
            description="One UTC day; not together with `from` or `to`.",
        ),
        parameter(
            "query",
            "from",
            _DATE,
            description=("The first day, at most 366 before `to`. By default 29 days before it."),
        ),
        parameter(
            "query",
            "to",
            _DATE,
            description="The last day, included. By default yesterday.",
        ),
        parameter(
            "query",
            "key",
            text(maxLength=200),
            description="The id of a key; only its requests count.",
        ),
        parameter(
            "query",
            "group_by",
            text(enum=["key"]),
            description="Keeps the rows of different keys apart.",
        ),
        parameter("query", "limit", integer(minimum=1, maximum=10000)),
        parameter("query", "offset", integer(minimum=0, maximum=1000000000)),
    ),
    "Verbose": (
        parameter(
            "query",
            "verbose",
            text(),
            allowEmptyValue=True,
            description="If present, the answer names each check.",
        ),
    ),
}
"""Those that stand in the routes themselves."""
