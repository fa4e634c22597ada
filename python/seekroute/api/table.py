"""The routes of a gateway: the one list of them.

A row gives the path below both base URLs, the methods, who may ask, what answers, the label in the
metrics, and what `/openapi.json` and docs/http-api.md say of it. Rows that answer have a handler
here. The core answers those of inference, by their surface. What is only about HTTP (health,
metrics, the description) stands here by name, and the server has the handlers.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from seekroute.api import account, keys, models, receipts
from seekroute.api.call import ApiAnswer, ApiCall, Handler, Sources, unreadable
from seekroute.ledger import LedgerError

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
    "meant_below_base",
    "served",
]

BASES: Final = ("/v1", "/api/v1")
"""OpenAI's clients expect the first, OpenRouter's the second."""

_GET: Final = ("GET", "HEAD")
_POST: Final = ("POST",)


class Kind(enum.Enum):
    """Who answers a route."""

    ANSWER = "answer"  # its handler, on every way to a gateway
    INFERENCE = "inference"  # the core, by asking a provider
    QUOTE = "quote"  # the core, of what inference would cost
    HTTP = "http"  # the server, which alone has what is asked for


class Who(enum.Enum):
    """Who may ask."""

    ANYONE = "anyone"
    CALLER = "caller"  # with a key, or without one where the gateway requires none
    ORG = "org"  # somebody whose money there is: with a key, or the gateway's own process
    KEY = "key"  # only with a key: the question is about it


class Reads(enum.Enum):
    """What a handler waits for, so that its caller may wait elsewhere."""

    MEMORY = "memory"
    ROWS = "rows"  # every model's row, for some milliseconds, where there is a query
    DISK = "disk"


@dataclass(frozen=True, slots=True)
class Told:
    """What descriptions of the API say of a route.

    Attributes:
        id: the operation's name in OpenAPI.
        summary: a line, without a full stop.
        page: the cell of docs/http-api.md, in Markdown.
        answer: the name of the answer: in `schemas.ANSWERS`, else in `schemas.SCHEMAS`.
        returns: what the answer is, as a sentence.
        tag: the group of the operation.
        parameters: names of `schemas.PARAMETERS`, and of groups in `schemas.GROUPS`.
        takes: the name of the body, in `schemas.BODIES`.
        more: what the summary leaves out, as sentences.
        errors: statuses beside those of `Who`.
    """

    id: str
    summary: str
    page: str
    answer: str
    returns: str
    tag: Literal["inference", "account", "operation"]
    parameters: tuple[str, ...] = ()
    takes: str = ""
    more: str = ""
    errors: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiRoute:
    """A row of the table.

    Attributes:
        kind: who answers.
        pattern: the path; at most one part is a name in braces, which stands for any text.
        label: of the metrics; for what the server answers also the name of its handler.
        methods: what is taken.
        who: who may ask.
        told: what descriptions say.
        below_base: whether the path stands below `BASES`, or alone.
        run: the handler, where the kind is `ANSWER`.
        reads: what the handler waits for.
        kept: whether clients may keep the answer: it has an ETag.
        surface: of inference, what the core knows it by; of a quote, what is quoted.
        probe: whether it is answered also where there are too many connections: whether the process
            lives must be seen most of all when it is full.
    """

    kind: Kind
    pattern: str
    label: str
    methods: tuple[str, ...]
    who: Who
    told: Told
    below_base: bool = True
    run: Handler | None = field(default=None, repr=False)
    reads: Reads = Reads.MEMORY
    kept: bool = False
    surface: str = ""
    probe: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """The pattern as whole paths."""
        return tuple(base + self.pattern for base in BASES) if self.below_base else (self.pattern,)

    @property
    def allowed(self) -> str:
        """The methods that are taken, as the header `Allow` lists them."""
        return ", ".join(self.methods)

    def answer(self, call: ApiCall, sources: Sources) -> ApiAnswer:
        """Asks the handler. Waits for what `reads` says.

        Raises:
            RefusedError: it refuses, or the ledger cannot be read.
        """
        assert self.run is not None, f"{self.pattern} has no handler here"
        try:
            return self.run(call, sources)
        except LedgerError as error:
            raise unreadable(error) from error


class Match(NamedTuple):
    """The row of a path, and what stands in the path for the name in its pattern."""

    route: ApiRoute
    params: Mapping[str, str]


# --- making rows ----------------------------------------------------------------------------------

_KEYED: Final = (400, 401, 403, 414, 431)
_POSTED: Final = (404, 408, 413, 415, 417, 429, 503)
_REFUSED_BY_PROVIDERS: Final = (402, 409, 422, 500, 502, 504)


def answer(
    pattern: str,
    run: Handler,
    told: Told,
    *,
    label: str = "",
    who: Who = Who.CALLER,
    reads: Reads = Reads.MEMORY,
    kept: bool = False,
) -> ApiRoute:
    """A GET that a handler answers. Its label is the pattern's last word, unless given."""
    label = label or pattern.rpartition("/")[2]
    return ApiRoute(Kind.ANSWER, pattern, label, _GET, who, told, run=run, reads=reads, kept=kept)


def inference(pattern: str, told: Told, *, surface: str) -> ApiRoute:
    """A POST that providers answer: what the core relays."""
    label = pattern.removeprefix("/").replace("/", "_")
    return ApiRoute(Kind.INFERENCE, pattern, label, _POST, Who.CALLER, told, surface=surface)


def quote(pattern: str, told: Told, *, of: str) -> ApiRoute:
    """The twin of an inference route: what its request would cost. `of`: its surface."""
    label = pattern.removeprefix("/").replace("/", "_")
    return ApiRoute(Kind.QUOTE, pattern, label, _POST, Who.CALLER, told, surface=of)


def http(path: str, label: str, told: Told, *, probe: bool = False) -> ApiRoute:
    """A GET that the server answers, to anyone."""
    return ApiRoute(Kind.HTTP, path, label, _GET, Who.ANYONE, told, below_base=False, probe=probe)


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
            parameters=("RequestId", "Explain"),
            takes="ChatRequest",
            more="Fields that are not listed reach the provider unchanged, byte for byte.",
            errors=(*_POSTED, *_REFUSED_BY_PROVIDERS),
        ),
        surface="chat",
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
            parameters=("RequestId",),
            takes="ChatRequest",
            more="Takes the body of a chat completion, routes and prices it, and sends nothing.",
            errors=_POSTED,
        ),
        of="chat",
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


def find(path: str, *, encoded: bool = False) -> Match | None:
    """The row of a whole path; None: there is none.

    There is no normalisation: a path fits exactly, or it does not exist. That holds for encoded
    letters too, or a proxy's rules in front could be side-stepped; only what stands for a name,
    which may have slashes of its own, may be encoded.

    Args:
        path: decoded.
        encoded: whether anything in it was.
    """
    exact = _EXACT.get(path)
    if exact is not None and not encoded:
        return exact
    for before, name, after, route in _PATTERNS:
        # No part of the path is both before the name and after it.
        if (
            len(path) >= len(before) + len(after)
            and path.startswith(before)
            and path.endswith(after)
        ):
            return Match(route, {name: path[len(before) : len(path) - len(after)]})
    return None


# What stands behind a base URL: also behind one that was given wrongly.
_WITHOUT_BASE: Final = frozenset(
    route.pattern for route in ROUTES if route.below_base and "{" not in route.pattern
)
_MOST_PARTS: Final = max(path.count("/") for path in _WITHOUT_BASE)


def meant_below_base(path: str) -> str | None:
    """The path below a base that a path ends with whose client was given another base URL."""
    # A client puts its path behind the base URL: the longest one that there is, from the left.
    parts = path.rstrip("/").rsplit("/", _MOST_PARTS)
    for begin in range(1, len(parts)):
        meant = "/" + "/".join(parts[begin:])
        if meant in _WITHOUT_BASE:
            return meant
    return None


def served(*without: Who) -> str:
    """The routes below a base, but for those of some callers, as a sentence lists them."""
    return ", ".join(
        f"{route.methods[0]} {route.pattern}"
        for route in ROUTES
        if route.below_base and route.who not in without
    )
