"""How requests are spread over models and their endpoints."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from seekroute.config.schema import ALIAS, Strict, check_path
from seekroute.money import nano

Balance = Literal["inverse_square", "listed"]
# Of one list; a route has no more.
MOST_MODELS = 8
ModelName = Annotated[str, Field(min_length=1, max_length=200)]
ModelNames = Annotated[tuple[ModelName, ...], Field(min_length=1, max_length=MOST_MODELS)]


def _web(value: str) -> str:
    if value and not value.startswith(("http://", "https://")):
        raise ValueError(f"expected a URL with http:// or https://, found {value}")
    return value


def _amount(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = f"{value:.9f}"
    if isinstance(value, str) and value and nano(value) <= 0:
        raise ValueError(f"expected USD above 0, found {value}")
    return value


def _jump(value: float) -> float:
    # Below 1 even the cheapest endpoint would be too dear, and nobody would be asked.
    if 0 < value < 1:
        raise ValueError(
            f"expected 0 (no bound), or 1 or more times the cheapest price, found {value:g}"
        )
    return value


class FallbackSettings(Strict):
    """Models that are asked after others, by the name of the model before them."""

    any: dict[ModelName, ModelNames] = Field(default_factory=dict)
    """After a failure after which another provider would be asked."""
    context: dict[ModelName, ModelNames] = Field(default_factory=dict)
    """Where the prompt is too long."""
    content_policy: dict[ModelName, ModelNames] = Field(default_factory=dict)
    """Where the provider refuses what is asked."""


class RetryBudgetSettings(Strict):
    """How much of a provider's work may be asked of it again at once."""

    percent: Annotated[int, Field(ge=0, le=100)] = 20
    """Most repeats, in percent of the calls running at the provider."""
    min: Annotated[int, Field(ge=0, le=10_000)] = 3
    """Repeats that are always allowed."""


class EjectionSettings(Strict):
    """When an endpoint that fails is left out for a while."""

    consecutive: Annotated[int, Field(ge=1, le=1000)] = 5
    """Faults in a row; three failures to connect are enough whatever this says."""
    base_seconds: Annotated[int, Field(ge=1, le=3600)] = 30
    """Length of the first ejection; each further one is that much longer."""
    max_seconds: Annotated[int, Field(ge=1, le=86_400)] = 300
    """The longest."""
    max_share: Annotated[int, Field(ge=0, le=100)] = 50
    """Percent of a model's endpoints that may be out so at once. The others are asked last, once
    in five seconds."""


class HedgeSettings(Strict):
    """A second call beside a slow one. The first content wins, and the other call is stopped; what
    its provider may charge is the operator's."""

    enabled: bool = False
    """Whether a stream whose content is late is asked for at another provider, too, where neither
    its key nor its organization says it."""
    percent: Annotated[int, Field(ge=0, le=100)] = 2
    """Of a hundred requests so many may have a second call, and ten more at once."""
    min_delay_ms: Annotated[int, Field(ge=1, le=30_000)] = 300
    """No content is late before, or before the time that 19 of 20 streams of the endpoint need."""


class StickySettings(Strict):
    """Requests of one conversation go to the endpoint that answered the last one, because its cache
    knows the prompt."""

    ttl_seconds: Annotated[int, Field(ge=1, le=86_400)] = 600
    """How long after the last answer."""
    entries: Annotated[int, Field(ge=0, le=1_048_576)] = 65_536
    """How many conversations are remembered, 48 bytes each; 0: none."""


AutoStrategy = Literal["balanced", "cost", "latency", "quality"]
# That `auto` chooses from; as AutoRouter::kMostModels in the core.
MOST_POOLED = 32


class PooledModel(Strict):
    """A model that `auto` may choose."""

    model: ModelName
    """A name of the catalog."""
    quality: Annotated[float, Field(ge=0, le=1)] | None = None
    """How many of a hundred middling prompts it serves well, over a hundred; default: by its rank
    in price among those that say none, 0.6 to 0.8."""
    trained_as: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Its name in the weights; default: any of its names in the catalog."""


def _pooled(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


class GraderSettings(Strict):
    """Who grades shadow pairs; one of the two. Needs `routing.auto.learning`."""

    webhook: Annotated[str, AfterValidator(_web)] = ""
    """URL of a program of yours that is sent both answers and says how good each is."""
    webhook_key_env: str = ""
    """Variable with a key that the program is sent as a bearer key; none: none is sent."""
    judge: str = ""
    """Model that is asked to grade both answers, in either order, within `usd_per_day`."""

    @model_validator(mode="after")
    def _one(self) -> GraderSettings:
        if self.webhook and self.judge:
            raise ValueError("give webhook or judge, not both")
        return self


class ShadowSettings(Strict):
    """Shadow pairs: requests for `auto` that are sent to a second model, too, so that both answers
    can be graded. The operator pays for the second."""

    share: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    """Of requests for `auto` over HTTP; 0: none."""
    usd_per_day: Annotated[str, BeforeValidator(_amount), Field(min_length=1)] = "1"
    """The most that second requests, and those of a judge, may cost on a UTC day. None is sent that
    might exceed it."""
    grader: GraderSettings = GraderSettings()
    """Who grades the two answers."""


class LearningSettings(Strict):
    """What `model: auto` learns from ratings of its answers."""

    enabled: bool = False
    """Keeps what was chosen in `router.db`, with figures of each prompt and never the prompt; takes
    ratings by POST /v1/feedback and learns from them."""
    explore: Annotated[float, Field(ge=0, le=0.2)] = 0.03
    """Share of the requests for which another model is drawn than the best one, if it is nearly as
    good and costs at most twice as much."""
    trusted: Annotated[tuple[str, ...], Field(max_length=1000)] = ("default",)
    """Organizations, by id or name, whose keys may rate as much as they like. What another key says
    counts at most a quarter of all that is known of a model."""
    refit: bool = True
    """Makes new weights of all ratings, once there are enough new ones, in a process of its own.
    Needs `seekroute[router]`."""
    keep: Annotated[int, Field(ge=1000, le=1_000_000)] = 50_000
    """Requests that wait to be rated; the oldest are forgotten. Of rated ones four times as many
    are kept."""


class SpendingSettings(Strict):
    """What requests that are chosen for in a balance may cost. Needs `routing.auto.learning`."""

    usd_per_request: Annotated[str, BeforeValidator(_amount)] = ""
    """What one is expected to cost on the mean of the last 500, such as "0.002": `cost_weight` is
    found anew from them."""
    dearest_share: Annotated[float, Field(ge=0, le=1)] | None = None
    """Or the share of them that goes to the dearest model of those that can serve."""

    @model_validator(mode="after")
    def _one(self) -> SpendingSettings:
        if self.usd_per_request and self.dearest_share is not None:
            raise ValueError("give usd_per_request or dearest_share, not both")
        return self


class AutoSettings(Strict):
    """How `model: auto` chooses by the prompt's content."""

    models: Annotated[
        tuple[Annotated[PooledModel, BeforeValidator(_pooled)], ...], Field(max_length=MOST_POOLED)
    ] = ()
    """The models to choose from, each a name or `{model, quality, trained_as}`. None: `auto` means
    `default_model`."""
    strategy: AutoStrategy = "balanced"
    """Of requests that name none: `quality`: the best; `cost`: the cheapest that is nearly as good;
    `latency`: the quickest of those; `balanced`: quality less `cost_weight` times the cost, where
    that of the best model is 1."""
    weights: Annotated[str, AfterValidator(check_path)] = ""
    """File that `seekroute router train` has written; relative to this file. None: models are told
    apart by `quality`, prompts by length and keywords."""
    cost_weight: Annotated[float, Field(ge=0, le=100)] = 0.2
    """What it is worth to `balanced` to spend nothing instead of what the best model costs, in
    quality; 0: nothing."""
    cost_slack: Annotated[float, Field(ge=0.01, le=1)] | None = None
    """How much less quality than the best `cost` and `latency` take. Default: 0.05, and 0.2 where
    no `quality` is said and there are no weights: as far as those are apart that are guessed from
    the prices. It comes to 0.05 as models are learned of."""
    stay: Annotated[float, Field(ge=0, le=1)] = 0.1
    """The model that has answered a conversation stays, unless the score of another one is better
    by more; 0: each prompt is judged anew."""
    shadow: ShadowSettings = ShadowSettings()
    """Which requests are sent to a second model, too."""
    learning: LearningSettings = LearningSettings()
    """What it learns from ratings."""
    spending: SpendingSettings = SpendingSettings()
    """What the strategy `balanced` holds, in the place of a `cost_weight` that is set once."""

    @model_validator(mode="after")
    def _learns(self) -> AutoSettings:
        spends = self.spending.usd_per_request or self.spending.dearest_share is not None
        if spends and not self.learning.enabled:
            raise ValueError("spending needs learning.enabled: it is held by what was chosen")
        if (self.shadow.grader.webhook or self.shadow.grader.judge) and not self.learning.enabled:
            raise ValueError("shadow.grader needs learning.enabled: grades are kept as ratings")
        return self


class RoutingSettings(Strict):
    """Which endpoint of a model is asked first, and who after it."""

    balance: Balance = "inverse_square"
    """`inverse_square` draws the order anew for each request, by weight over the square of the
    price: of two endpoints the one at half the price comes first four times of five. `listed` asks
    in the order of the catalog."""
    max_price_jump: Annotated[float, Field(ge=0, le=1_000_000), AfterValidator(_jump)] = 3.0
    """An endpoint that the request does not name is passed over if it is expected to cost more than
    so many times what the cheapest that the request may use does, 1 or more; 0: never."""
    explore: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Share of streams that are first sent to an endpoint of which little is known, if it costs at
    most a quarter more."""
    fallbacks: FallbackSettings = FallbackSettings()
    """Models that are asked after others. A key's own list of models binds them, too."""
    auto: AutoSettings = AutoSettings()
    """What `model: auto` chooses from, and how."""
    max_attempts: Annotated[int, Field(ge=1, le=8)] = 3
    """Calls for one request."""
    retry_ambiguous: bool = False
    """Asks another provider also where the first may have done, and billed, the work: after a
    timeout, or a connection that died."""
    fallback_on_400: bool = False
    """Asks the request's other models where one refuses it as wrong."""
    retry_budget: RetryBudgetSettings = RetryBudgetSettings()
    """How much may be asked again at once."""
    leave_out_failing: bool = True
    """Leave endpoints and keys out while they fail."""
    ejection: EjectionSettings = EjectionSettings()
    """When an endpoint is left out."""
    slow_start_seconds: Annotated[int, Field(ge=0, le=3600)] = 60
    """How long an endpoint that is back gets less than its share; 0: not at all."""
    hedge: HedgeSettings = HedgeSettings()
    """Second calls beside slow ones. Needs `leave_out_failing`."""
    sticky: StickySettings = StickySettings()
    """Who goes first for the sake of its cache."""


class VirtualCandidate(Strict):
    """One of the models that a virtual one stands for."""

    model: ModelName
    """A name of the catalog."""
    provider: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """Provider, or tag of an endpoint, at which alone it is asked; default: any."""
    weight: Annotated[float, Field(ge=0, le=1000)] = 1.0
    """How often it comes first; 0: after all others. For `weighted`."""


class VirtualModel(Strict):
    """A name that stands for several models."""

    strategy: Literal["weighted", "order", "price"] = "weighted"
    """`weighted`: their order is drawn for each request; `order`: as they are listed; `price`: all
    their endpoints as one list, the cheapest first."""
    candidates: Annotated[tuple[VirtualCandidate, ...], Field(min_length=1, max_length=MOST_MODELS)]
    """The models, each of their endpoints once. The one that answers is billed and named."""


VirtualModels = dict[Annotated[str, Field(pattern=ALIAS)], VirtualModel]
