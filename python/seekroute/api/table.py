"""The routes of a gateway: the one list of them.

A row gives the path below both base URLs, the methods, who may ask, what answers, the label in the
metrics, and what `/openapi.json` and docs/http-api.md say of it. Rows that answer have a handler
here. The core answers those of inference, by their surface. What is only about HTTP (health,
metrics, the description) stands here by name, and the server has the handlers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from seekroute.api import account, feedback, keys, models, receipts
from seekroute.api.route import (
    BASES,
    ApiRoute,
    Kind,
    Reads,
    Told,
    Who,
    answer,
    http,
    inference,
    posted,
    quote,
)

__all__ = [
    "BASES",
    "PROBES",
    "ROUTES",
    "ApiRoute",
    "Kind",
    "Match",
    "Reads",
    "Who",
    "find",
]

_POSTED: Final = (404, 408, 413, 415, 417, 429, 503)
_OF_PROVIDERS: Final = (402, 409, 422, 500, 502, 504)


def _live(path: str, label: str, id: str) -> ApiRoute:
    told = Told(
        id=id,
        summary="Whether the process answers",
        page="the process answers",
        answer="Health",
        returns="It does.",
        tag="operation",
    )
    return http(path, label, told, probe=True)


def _ready(path: str, label: str, id: str) -> ApiRoute:
    told = Told(
        id=id,
        summary="Whether requests can be served",
        page=(
            "requests can be served; `?verbose` names the checks ([which](deployment.md#health))"
        ),
        answer="Health",
        returns="It does.",
        tag="operation",
        parameters=("Verbose",),
        errors=(503,),
        otherwise="They cannot; `checks` says why.",
    )
    return http(path, label, told, probe=True)


# --- the table ------------------------------------------------------------------------------------

ROUTES: Final = (
    inference(
        "/chat/completions",
        Told(
            id="createChatCompletion",
            summary="Create a chat completion",
            page="a chat completion, streamed or not",
            answer="ChatAnswer",
            returns="The answer; with `stream` set, as server-sent events.",
            tag="inference",
            parameters=("RequestId", "Explain", "HeaderOptions"),
            takes="ChatRequest",
            more="Fields that are not listed reach the provider unchanged, byte for byte.",
            errors=(*_POSTED, *_OF_PROVIDERS),
        ),
        surface="chat_completions",
    ),
    quote(
        "/quote",
        Told(
            id="createQuote",
            summary="Say what a chat completion would cost, without asking anybody",
            page="what it would cost; see [quotes](#quotes)",
            answer="Quote",
            returns="The quote.",
            tag="inference",
            parameters=("RequestId", "DryRun"),
            takes="ChatRequest",
            more="Takes the body of a chat completion, routes and prices it, and sends nothing.",
            errors=(*_POSTED, 402),
        ),
        of="chat_completions",
    ),
    inference(
        "/embeddings",
        Told(
            id="createEmbeddings",
            summary="Create embeddings",
            page="vectors of texts; see [embeddings](#embeddings)",
            answer="EmbeddingsAnswer",
            returns="The vectors, in the order of the inputs.",
            tag="inference",
            parameters=("RequestId", "Explain", "HeaderOptions"),
            takes="EmbeddingsRequest",
            more="Fields that are not listed reach the provider unchanged, byte for byte.",
            errors=(*_POSTED, *_OF_PROVIDERS),
        ),
        surface="embeddings",
    ),
    quote(
        "/quote/embeddings",
        Told(
            id="createEmbeddingsQuote",
            summary="Say what embeddings would cost, without asking anybody",
            page="what they would cost; see [quotes](#quotes)",
            answer="Quote",
            returns="The quote.",
            tag="inference",
            parameters=("RequestId", "DryRun"),
            takes="EmbeddingsRequest",
            more="Takes the body of an embeddings request, prices it, and sends nothing.",
            errors=(*_POSTED, 402),
        ),
        of="embeddings",
    ),
    answer(
        "/models",
        models.listed,
        Told(
            id="listModels",
            summary="List the models that the key may use",
            page=(
                "the models that a provider serves now and the key may use; see [models](#models)"
            ),
            answer="ModelList",
            returns="The models that a provider serves now.",
            tag="inference",
            parameters=("RequestId", "IfNoneMatch", "ModelQuery"),
            more=(
                "Without a query, all that a provider serves now. Prices in a query are USD per "
                "million tokens. A parameter that is not listed here is refused."
            ),
        ),
        reads=Reads.ROWS,
        kept=True,
    ),
    answer(
        "/models/count",
        models.counted,
        Told(
            id="countModels",
            summary="Count the models that the key may use",
            page="how many of them there are",
            answer="ModelCount",
            returns="How many a query finds, on all pages.",
            tag="inference",
            parameters=("RequestId", "IfNoneMatch", "ModelQuery"),
        ),
        label="model_count",
        reads=Reads.ROWS,
        kept=True,
    ),
    answer(
        "/models/{model}",
        models.one,
        Told(
            id="getModel",
            summary="Show one model",
            page="one model, by full id, bare name or alias",
            answer="Model",
            returns="The model.",
            tag="inference",
            parameters=("Model", "RequestId", "IfNoneMatch"),
            errors=(404,),
        ),
        label="model",
        kept=True,
    ),
    answer(
        "/model/{model}",
        models.one_in_data,
        Told(
            id="getModelInData",
            summary="Show one model, wrapped in `data`",
            page="the same, wrapped in `data`",
            answer="ModelInData",
            returns="The model.",
            tag="inference",
            parameters=("Model", "RequestId", "IfNoneMatch"),
            errors=(404,),
        ),
        label="model_in_data",
        kept=True,
    ),
    answer(
        "/models/{model}/endpoints",
        models.endpoints,
        Told(
            id="listEndpoints",
            summary="List who serves a model",
            page="who serves a model, at what price",
            answer="EndpointList",
            returns="The endpoints at providers that are on, in order of preference.",
            tag="inference",
            parameters=("Model", "RequestId", "IfNoneMatch"),
            errors=(404,),
        ),
        label="model",
        kept=True,
    ),
    answer(
        "/providers",
        models.providers,
        Told(
            id="listProviders",
            summary="List the providers that are on",
            page="the providers that are on",
            answer="ProviderList",
            returns="The providers, in the catalog's order.",
            tag="inference",
            parameters=("RequestId", "IfNoneMatch"),
        ),
        kept=True,
    ),
    answer(
        "/key",
        keys.key,
        Told(
            id="getKey",
            summary="Show the key that the request was made with",
            page="what the key of this request is, its limit and what it has used",
            answer="Key",
            returns="The key.",
            tag="account",
            parameters=("RequestId",),
            errors=(503,),
        ),
        who=Who.KEY,
        reads=Reads.DISK,
    ),
    answer(
        "/credits",
        account.credits,
        Told(
            id="getCredits",
            summary="Show what the organization has paid in, used and has left",
            page="what its organization has paid in, used and has left; see [money](#money)",
            answer="Credits",
            returns="The balance.",
            tag="account",
            parameters=("RequestId",),
            more="Amounts are USD, exact. 404 where the gateway keeps no ledger.",
            errors=(404, 503),
        ),
        who=Who.ORG,
        reads=Reads.DISK,
    ),
    answer(
        "/generation",
        account.generation,
        Told(
            id="getGeneration",
            summary="Show one request that has ended",
            page="one request that has ended: `?id=`",
            answer="Generation",
            returns="The request.",
            tag="account",
            parameters=("RequestId", "GenerationId"),
            more=(
                "Of the organization of the key that asks; any other request is 404, as is one "
                "that still runs."
            ),
            errors=(404, 503),
        ),
        who=Who.ORG,
        reads=Reads.DISK,
    ),
    answer(
        "/activity",
        account.activity,
        Told(
            id="getActivity",
            summary="List requests, tokens and cost by day and model",
            page="requests, tokens and cost by day and model",
            answer="Activity",
            returns="The days.",
            tag="account",
            parameters=("RequestId", "ActivityQuery"),
            more=(
                "Of the organization of the key that asks, oldest first; by default of the last 30 "
                "UTC days that are over."
            ),
            errors=(404, 503),
        ),
        who=Who.ORG,
        reads=Reads.DISK,
    ),
    answer(
        "/receipt",
        receipts.receipt,
        Told(
            id="getReceipt",
            summary="Show the signed receipt of a request",
            page="the signed receipt of a request: `?id=`",
            answer="Receipt",
            returns="The receipt, as the bytes that are signed, with the signatures.",
            tag="account",
            parameters=("RequestId", "GenerationId"),
            more="Signed with the key that asks, so that its holder can check it offline.",
            errors=(404, 503),
        ),
        who=Who.KEY,
        reads=Reads.DISK,
    ),
    posted(
        "/feedback",
        feedback.feedback,
        Told(
            id="rateGeneration",
            summary="Rate an answer of `auto`",
            page="how well a request for `auto` was answered; see [ratings](auto.md#ratings)",
            answer="Feedback",
            returns="The rating is written down.",
            tag="inference",
            parameters=("RequestId",),
            takes="FeedbackRequest",
            more="A second rating of a request takes the place of the first.",
            errors=(*_POSTED,),
        ),
        label="feedback",
        who=Who.KEY,
    ),
    posted(
        "/generation/feedback",
        feedback.generation_feedback,
        Told(
            id="submitGenerationFeedback",
            summary="Say what was wrong with an answer of `auto`",
            page="what was wrong with it, in OpenRouter's words",
            answer="FeedbackTaken",
            returns="It is written down.",
            tag="inference",
            parameters=("RequestId",),
            takes="GenerationFeedbackRequest",
            more=(
                "`incorrect_response`, `incoherence` and `formatting` count as a score of 0, the "
                "others as none."
            ),
            errors=(*_POSTED,),
        ),
        label="feedback",
        who=Who.KEY,
    ),
    _live("/livez", "livez", "livez"),
    _live("/health/liveliness", "health_liveliness", "healthLiveliness"),
    _ready("/readyz", "readyz", "readyz"),
    _ready("/healthz", "healthz", "healthz"),
    _ready("/health", "health", "health"),
    _ready("/health/readiness", "health_readiness", "healthReadiness"),
    http(
        "/metrics",
        "metrics",
        Told(
            id="metrics",
            summary="Metrics for Prometheus",
            page="metrics for Prometheus",
            answer="Metrics",
            returns="Prometheus' text format.",
            tag="operation",
        ),
    ),
    http(
        "/openapi.json",
        "openapi",
        Told(
            id="openapi",
            summary="This document",
            page="this API, as OpenAPI 3.1",
            answer="OpenApi",
            returns="OpenAPI 3.1.",
            tag="operation",
        ),
    ),
)


# --- finding a row --------------------------------------------------------------------------------


class Match(NamedTuple):
    """The row of a path, and what stands in the path for the name in its pattern."""

    route: ApiRoute
    params: Mapping[str, str]


PROBES: Final = frozenset(path for route in ROUTES if route.probe for path in route.paths)
"""Paths that are answered on the connections of the reserve, too."""

_NO_PARAMS: Final[Mapping[str, str]] = {}
_EXACT: Final = {
    path: Match(route, _NO_PARAMS) for route in ROUTES for path in route.paths if "{" not in path
}


class _Pattern(NamedTuple):
    before: str
    name: str
    after: str
    route: ApiRoute


def _pattern(path: str, route: ApiRoute) -> _Pattern:
    before, _, rest = path.partition("{")
    name, _, after = rest.partition("}")
    return _Pattern(before, name, after, route)


# The first that fits is meant: those that say more of the path's end come first.
_PATTERNS: Final = sorted(
    (_pattern(path, route) for route in ROUTES for path in route.paths if "{" in path),
    key=lambda pattern: -len(pattern.after),
)


def find(path: str, sent: str = "") -> Match | None:
    """The row of a whole path; None: there is none.

    There is no normalisation: a path fits exactly, or it does not exist. That holds for encoded
    letters too, or a proxy's rules in front could be side-stepped; only what stands for a name,
    which may have slashes of its own, may be encoded.

    Args:
        path: decoded.
        sent: as it came; empty where nothing in it was encoded.
    """
    exact = _EXACT.get(path)
    if exact is not None and "%" not in sent:
        return exact
    for before, name, after, route in _PATTERNS:
        # No part of the path is both before the name and after it.
        if (
            len(path) >= len(before) + len(after)
            and path.startswith(before)
            and path.endswith(after)
            and (not sent or sent.startswith(before))
        ):
            return Match(route, {name: path[len(before) : len(path) - len(after)]})
    return None
