"""What a catalog may say: providers, models and endpoints, with their types and bounds.

These are slotted dataclasses, not pydantic models: a catalog holds thousands of them for as long
as the process lives.
"""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import UTC, date, datetime
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator
from pydantic.dataclasses import dataclass

from seekroute.config.limit_schema import LimitValues
from seekroute.config.price_schema import DATACLASS_CONFIG, Price, Tokens
from seekroute.config.schema import ALIAS, MODEL_ID, PROVIDER_ID, Strict, check_base_url

_MONTH = re.compile(r"[0-9]{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12][0-9]|3[01]))?)?")

Dialect = Literal[
    "openai-chat", "openai-responses", "openai-images", "anthropic-messages", "google-generate"
]
SERVED_DIALECTS = frozenset({"openai-chat"})
CapField = Literal["max_tokens", "max_completion_tokens"]
ReasoningBudgetField = Literal["thinking_budget", "none"]
ReasoningField = Literal["reasoning_effort", "reasoning", "none"]
# As kRefusable in cpp/wire/request_form.h.
Refusable = Literal[
    "temperature",
    "top_p",
    "presence_penalty",
    "frequency_penalty",
    "logprobs",
    "top_logprobs",
    "logit_bias",
]
OnAbort = Literal["cancel", "read_out"]


# The core's timers of a call are this coarse.
CallMilliseconds = Annotated[int, Field(ge=1000, le=24 * 3600 * 1000)]
# Below what uvicorn and Node give an idle connection, five seconds.
DEFAULT_KEEP_ALIVE_MS = 4_000
KeepAlive = Annotated[int, Field(ge=0, le=3600 * 1000)]


@dataclass(slots=True, frozen=True, kw_only=True, config=DATACLASS_CONFIG)
class CallTimeouts:
    """How long a call may take, in milliseconds, where it differs from what is said elsewhere."""

    first_byte_timeout_ms: CallMilliseconds | None = None
    """Until a stream's response begins."""
    first_content_timeout_ms: CallMilliseconds | None = None
    """Until a stream's first content, and between two pieces of it while only comments come."""
    idle_timeout_ms: CallMilliseconds | None = None
    """Longest silence of a stream whose content has begun."""
    total_timeout_ms: CallMilliseconds | None = None
    """The whole answer of this endpoint."""


def _yes_or_no(value: object) -> object:
    return {True: "yes", False: "no"}.get(value, value) if isinstance(value, bool) else value


# YAML reads a bare yes or no as a boolean.
Known = Annotated[Literal["yes", "no", "unknown"], BeforeValidator(_yes_or_no)]
Quantization = Literal["int4", "int8", "fp4", "fp6", "fp8", "fp16", "bf16", "fp32", "unknown"]
# As kTraitNames in cpp/wire/traits.h.
Trait = Literal[
    "image_input",
    "audio_input",
    "video_input",
    "file_input",
    "audio_output",
    "image_output",
    "tools",
    "tool_choice",
    "structured_output",
    "reasoning",
    "logprobs",
    "choices",
]
# As kParameterNames in cpp/wire/traits.h.
Parameter = Literal[
    "temperature",
    "top_p",
    "top_k",
    "top_a",
    "min_p",
    "frequency_penalty",
    "presence_penalty",
    "repetition_penalty",
    "seed",
    "stop",
    "n",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "response_format",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "reasoning_effort",
    "verbosity",
    "prediction",
    "service_tier",
    "web_search_options",
]


@dataclass(slots=True, frozen=True, kw_only=True, config=DATACLASS_CONFIG)
class DataPolicy:
    """What a provider does with what it is sent."""

    collects: Known = "unknown"
    """Whether it may keep prompts, or train on them."""
    zdr: Known = "unknown"
    """Whether it promises to keep nothing."""


CALL_TIMEOUTS = tuple(field.name for field in fields(CallTimeouts))


@dataclass(slots=True, frozen=True, kw_only=True, config=DATACLASS_CONFIG)
class Endpoint:
    """One provider that serves a model."""

    provider: str
    """Id of the provider."""
    model: Annotated[str, Field(min_length=1, max_length=200)]
    """The model's name at this provider."""
    price: Price = Price()
    """What it charges; required unless `free`."""
    free: bool = False
    """Whether it costs nothing; an endpoint without a price is refused otherwise."""
    dialect: Dialect | None = None
    """Protocol it is spoken to in, where it differs from the provider's."""
    context: Tokens | None = None
    """Context length here, in tokens, where it differs from the model's."""
    max_output: Tokens | None = None
    """Longest answer here, in tokens, where it differs from the model's."""
    cap_field: CapField | None = None
    """Field that names the longest wanted answer, where it differs from the provider's."""
    cap_excludes_reasoning: bool | None = None
    """Whether that length leaves thinking out; default: as at the provider."""
    reasoning_budget_field: ReasoningBudgetField | None = None
    """Field that bounds thinking, where it differs from the provider's; `none`: nothing does."""
    max_reasoning: Tokens | None = None
    """Longest thinking here, in tokens, where it differs from the provider's."""
    reasoning_field: ReasoningField | None = None
    """Field in which it takes how much to think; default: as at the provider, where the model's
    `features` name `reasoning` or nothing."""
    refuses: tuple[Refusable, ...] = ()
    """Parameters that it is known to refuse a request for; they are sent all the same unless
    `drop_refused_parameters` says otherwise."""
    timeouts: CallTimeouts = CallTimeouts()
    """How long a call may take here, where it differs from the model's."""
    limits: LimitValues = LimitValues()
    """Limits of what is sent here. An endpoint that has reached one is passed over."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")] | None = None
    """Where it runs, such as `us` or `eu-west`; unknown where it is not said."""
    quantization: Quantization = "unknown"
    """How the numbers of the model are stored here."""
    data: DataPolicy = DataPolicy()
    """What becomes of prompts here. What is unknown keeps no promise: a request that asks for one
    passes the endpoint over."""
    weight: Annotated[float, Field(ge=0, le=1000)] = 1.0
    """How often it comes first, beside endpoints at the same price; 0: after all others."""
    features: dict[Trait, Known] | None = None
    """What it can do of what a request may need, where it differs from the model. A request that
    needs what is `no` passes it over; what is unknown is tried."""
    parameters: tuple[Parameter, ...] = ()
    """Optional parameters that it is known to take, beside what its features say. Asked for by
    requests with `provider.require_parameters` alone."""
    source: str = ""
    """Which of the catalog's sources the price was taken from."""
    checked_on: date | None = None
    """When the price was last compared with its source; default: the source's own date."""
    valid_from: date | None = None
    """First day the price is known to hold; default: the source's own date."""


Modality = Literal["text", "image", "audio", "video", "file"]
AnswerKind = Literal["text", "image", "audio", "video", "file", "embedding"]
# Numbers of a vector: the longest that is known of has an eighth of them.
Dimensions = Annotated[int, Field(gt=0, le=65_536)]
Feature = Literal["tools", "structured_output", "reasoning", "temperature"]


def _month_or_day(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


@dataclass(slots=True, frozen=True, kw_only=True, config=DATACLASS_CONFIG)
class CatalogModel:
    """A model, under one id whoever serves it."""

    id: Annotated[str, Field(pattern=MODEL_ID)]
    """`author/slug`. The slug alone is accepted too; the first model in the list wins."""
    name: str = ""
    """Shown name; default: the slug."""
    description: str = ""
    """One line for people choosing a model."""
    created: date | None = None
    """Day of release."""
    knowledge: Annotated[str, BeforeValidator(_month_or_day)] | None = None
    """Where its knowledge ends: a year, month or day such as `2025-01`."""
    expires: date | None = None
    """Day on which its maker will switch it off."""
    context: Tokens
    """Context length in tokens."""
    max_output: Tokens | None = None
    """Longest answer in tokens."""
    input: tuple[Modality, ...] = ("text",)
    """What a prompt may hold."""
    output: tuple[AnswerKind, ...] = ("text",)
    """What an answer holds; `[image]` makes it an image model, used through chat, and `[embedding]`
    an embedding model, used through `/embeddings`."""
    dimensions: Dimensions | None = None
    """Numbers of a vector of an embedding model, where a request names no `dimensions`."""
    features: tuple[Feature, ...] = ()
    """What the model can do."""
    thinks: bool = True
    """`false`: it never thinks unless a request asks for it, so the hold adds no thinking at
    providers whose length leaves it out. Features without `reasoning` do not say so."""
    aliases: tuple[Annotated[str, Field(pattern=ALIAS)], ...] = ()
    """Other accepted names, with or without author."""
    free: bool = False
    """Whether it costs nothing at every endpoint."""
    timeouts: CallTimeouts = CallTimeouts()
    """How long a call may take, where it differs from the providers'."""
    limits: LimitValues = LimitValues()
    """Limits of all requests for it, whoever sends them."""
    endpoints: tuple[Endpoint, ...]
    """Who serves it. Their order counts only with `routing.balance: listed`."""

    @field_validator("knowledge")
    @classmethod
    def _knowledge(cls, value: str | None) -> str | None:
        if value is not None and not _MONTH.fullmatch(value):
            raise ValueError("expected a year, month or day; for example 2025-01")
        return value

    @field_validator("output")
    @classmethod
    def _vectors_alone(cls, value: tuple[AnswerKind, ...]) -> tuple[AnswerKind, ...]:
        if "embedding" in value and value != ("embedding",):
            raise ValueError("an embedding model gives nothing else; write output: [embedding]")
        return value

    @model_validator(mode="after")
    def _dimensions_of_vectors(self) -> CatalogModel:
        if self.dimensions is not None and not self.is_embedding:
            raise ValueError("dimensions are those of embedding models; write output: [embedding]")
        return self

    @property
    def author(self) -> str:
        """The part of the id before the slash."""
        return self.id.partition("/")[0]

    @property
    def slug(self) -> str:
        """The part of the id after the slash."""
        return self.id.partition("/")[2]

    @property
    def is_image(self) -> bool:
        """Whether answers are images."""
        return "image" in self.output and "text" not in self.output

    @property
    def is_embedding(self) -> bool:
        """Whether answers are vectors."""
        return self.output == ("embedding",)

    @property
    def kind(self) -> Literal["text", "image", "embedding"]:
        """What it is asked for: the API that it is used through follows from it."""
        if self.is_embedding:
            return "embedding"
        return "image" if self.is_image else "text"

    @property
    def created_unix(self) -> int:
        """Midnight UTC of the release day in Unix seconds, 0 when unknown."""
        return unix_day(self.created)


def unix_day(day: date | None) -> int:
    """Midnight UTC of a day in Unix seconds, 0 for None."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) if day else 0


class Provider(Strict):
    """An upstream."""

    name: str = ""
    """Shown name; default: the id."""
    base_url: str
    """Where `/chat/completions` is appended."""
    dialect: Dialect = "openai-chat"
    """Protocol it speaks; models of another than openai-chat are not served yet."""
    env: tuple[str, ...] = ()
    """Environment variables that may hold its key, the first one set wins."""
    docs: str = ""
    """Where its models and prices are published."""
    allow_http: bool = False
    """Whether plain http is acceptable."""
    cap_field: CapField = "max_tokens"
    """The field that the longest wanted answer is named in."""
    cap_excludes_reasoning: bool = False
    """Whether that length leaves thinking out; the hold then adds it."""
    reasoning_budget_field: ReasoningBudgetField = "none"
    """The field that bounds the thinking where the other one does not; `none`: nothing does."""
    max_reasoning: Tokens | None = None
    """Longest such thinking, in tokens; default: the model's longest answer."""
    reasoning_field: ReasoningField = "reasoning_effort"
    """The field in which it takes how much to think: OpenAI's, OpenRouter's object, or neither."""
    stream_options: bool = True
    """Whether it takes the field `stream_options`, in which the gateway asks for a stream's usage.
    Where it refuses it, `no` saves each process a request that is refused and sent again."""
    on_abort: OnAbort = "cancel"
    """`read_out` where the provider charges for the whole answer although it is cancelled: then the
    answer to a client that has left is read to its end, for its usage."""
    timeouts: CallTimeouts = CallTimeouts()
    """How long a call may take, where it differs from the settings'."""
    keep_alive_ms: KeepAlive = DEFAULT_KEEP_ALIVE_MS
    """How long an idle connection is kept for the next request."""

    @field_validator("base_url")
    @classmethod
    def _base_url(cls, value: str) -> str:
        return check_base_url(value, allow_http=value.startswith("http://"))


class Source(Strict):
    """Where facts of the catalog come from."""

    title: str
    """What it is."""
    url: str
    """Where it is."""
    checked_on: date
    """When it was read."""
    valid_from: date
    """First day its prices are known to hold."""


BasisPoints = Annotated[int, Field(ge=-10_000, le=1_000_000, strict=True)]


@dataclass(slots=True, frozen=True, kw_only=True, config=DATACLASS_CONFIG)
class Markup:
    """What is added to the providers' prices, in basis points: 100 is one percent."""

    default: BasisPoints = 0
    """For everything."""
    providers: dict[str, BasisPoints] = Field(default_factory=dict)
    """By provider id; stronger than the default."""
    models: dict[str, BasisPoints] = Field(default_factory=dict)
    """By id or pattern (`openai/*`); stronger than both. An id is stronger than a pattern, a
    longer pattern than a shorter one."""

    @property
    def is_set(self) -> bool:
        """Whether any price is changed by it."""
        return any((self.default, *self.providers.values(), *self.models.values()))

    def of(self, model_id: str, provider: str) -> int:
        """The markup of one endpoint.

        Example:
            >>> markup = Markup(default=500, providers={"groq": 200}, models={"openai/*": 1000})
            >>> markup.of("openai/o3", "groq"), markup.of("qwen/qwen3-32b", "groq")
            (1000, 200)
            >>> markup.of("qwen/qwen3-32b", "nebius")
            500
        """
        if model_id in self.models:
            return self.models[model_id]
        fitting = [pattern for pattern in self.models if fnmatchcase(model_id, pattern)]
        if fitting:
            # Of two equally long patterns the first by alphabet, so that it is always the same.
            return self.models[min(fitting, key=lambda pattern: (-len(pattern), pattern))]
        return self.providers.get(provider, self.default)


class CatalogFile(Strict):
    """A whole catalog file."""

    version: Literal[1]
    """Version of this format."""
    sources: dict[str, Source] = Field(default_factory=dict)
    """Where prices come from, by name."""
    providers: dict[Annotated[str, Field(pattern=PROVIDER_ID)], Provider]
    """Upstreams, by id."""
    models: tuple[CatalogModel, ...]
    """Models, the preferred of two with the same slug first."""
    markup: Markup = Markup()
    """What is added to the prices."""


def given(value: Any) -> dict[str, Any]:
    """The fields of a dataclass of a catalog that differ from their defaults, nested ones as
    mappings: what a file would have to say."""
    result: dict[str, Any] = {}
    for field in fields(value):
        found = getattr(value, field.name)
        if found == field.default:
            continue
        if isinstance(found, tuple):
            found = [given(v) if hasattr(v, "__dataclass_fields__") else v for v in found]
        elif hasattr(found, "__dataclass_fields__"):
            found = given(found)
        result[field.name] = found
    return result
