"""The settings of a gateway: what an operator may write, with its types, bounds and defaults."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    field_validator,
    model_validator,
)

from seekroute.config.catalog import CatalogModel
from seekroute.config.catalog_schema import (
    CallTimeouts,
    KeepAlive,
    OnAbort,
    ReasoningBudgetField,
    ReasoningField,
)
from seekroute.config.limit_schema import LimitValues
from seekroute.config.price_schema import Tokens
from seekroute.config.profile import PACKAGED_PROFILES
from seekroute.config.routing_schema import RoutingSettings, VirtualModels
from seekroute.config.schema import (
    PROVIDER_ID,
    Strict,
    check_base_url,
    check_host,
    check_path,
)
from seekroute.plan import Source

__all__ = [
    "CreditSettings",
    "LimitDefaults",
    "LimitSettings",
    "Origin",
    "ProviderSettings",
    "RoutingSettings",
    "ServerSettings",
    "Settings",
    "TimeoutSettings",
    "config_schema",
]

Origin = Literal["cli", "env", "file", "default"]

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_PROXY = re.compile(r"(?:http|socks5h?)://[!-~]+")
# The transport sets these itself; a second copy would change what reaches the upstream.
_OWN_HEADERS = (
    "accept",
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
)
PathText = Annotated[str, AfterValidator(check_path)]
Milliseconds = Annotated[int, Field(ge=1, le=24 * 3600 * 1000)]


# As browsers write it: no path, no user, lower case, and no port that goes without saying.
_ORIGIN = re.compile(r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([1-9][0-9]{0,4}))?")


def _check_origin(value: str) -> str:
    found = _ORIGIN.fullmatch(value)
    if found is None:
        raise ValueError("expected an origin such as https://chat.example or http://localhost:3000")
    if found[3] == {"https": "443", "http": "80"}[found[1]]:
        raise ValueError(f"browsers leave out the port {found[3]} of {found[1]}: leave it out, too")
    return value


def _check_network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError:
        raise ValueError("expected an address or a network, such as 10.0.0.0/8") from None


class ServerSettings(Strict):
    """The listening server."""

    host: Annotated[str, Field(min_length=1, max_length=255), AfterValidator(check_host)] = (
        "127.0.0.1"
    )
    """Address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    """TCP port; 0 lets the system choose one."""
    log_level: Literal["debug", "info", "warning", "error", "critical"] = "info"
    """Least severe log lines that are written."""
    log_format: Literal["pretty", "json"] = "pretty"
    """Log lines for people or for machines."""
    shutdown_seconds: Annotated[float, Field(ge=0, le=3600)] = 30
    """How long running answers may take to finish after SIGTERM."""
    server_timing: bool = False
    """Tell with each answer how long its steps took: the header `Server-Timing`."""
    cors_origins: tuple[Annotated[str, AfterValidator(_check_origin)], ...] = ()
    """Origins of web pages that may call the gateway and read its answers, as browsers write them:
    `https://chat.example`, with a port where it is not the scheme's own. Default: none."""

    trusted_proxies: tuple[Annotated[str, AfterValidator(_check_network)], ...] = ()
    """Addresses and networks of proxies in front, such as `10.0.0.0/8`: from them `X-Forwarded-For`
    says whose a sign-in of the console is. Default: nobody's word counts."""

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value


class QueueBounds(Strict):
    """How many requests may wait for room in their limits; who comes then is refused."""

    max: Annotated[int, Field(ge=0, le=100_000)] = 1000
    """Most requests that wait for room in their limits; they keep at most 64 MiB of bodies."""
    per_org: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Most of them of one organization."""


class LimitDefaults(Strict):
    """Each limit that a key or an organization does not set itself."""

    key: LimitValues = LimitValues()
    """Each limit that neither a key nor its profile sets."""
    org: LimitValues = LimitValues()
    """Each limit that an organization does not set itself, for all its keys together."""


class LimitSettings(Strict):
    """Sizes and counts that nothing exceeds, and the limits of requests and tokens."""

    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 20 * 1024 * 1024
    """Largest request body."""
    max_request_bytes: Annotated[int, Field(ge=1024, le=1 << 40)] = 256 * 1024 * 1024
    """Request bodies over 64 KiB at once, each until its answer begins; more get 503."""
    max_key_request_bytes: Annotated[int, Field(ge=1024, le=1 << 40)] = 128 * 1024 * 1024
    """The same for one API key."""
    max_org_request_bytes: Annotated[int, Field(ge=1024, le=1 << 40)] = 192 * 1024 * 1024
    """The same for one organization, all its keys together."""
    max_active: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Requests at once in the whole gateway; more are refused with 503."""
    max_sse_line_bytes: Annotated[int, Field(ge=1024, le=1 << 28)] = 1024 * 1024
    """Longest line of an upstream's stream."""
    max_sse_event_bytes: Annotated[int, Field(ge=1024, le=1 << 28)] = 4 * 1024 * 1024
    """Largest event of an upstream's stream."""
    max_media_event_bytes: Annotated[int, Field(ge=1024, le=1 << 28)] = 32 * 1024 * 1024
    """Longest line and largest event of the stream of a model that can output pictures or sound."""
    max_answer_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 32 * 1024 * 1024
    """Largest upstream answer that is not streamed."""
    window_bytes: Annotated[int, Field(ge=1024, le=1 << 26)] = 64 * 1024
    """Bytes of an answer waiting for its client before the upstream is paused."""
    max_stored_answers_bytes: Annotated[int, Field(ge=0, le=1 << 34)] = 64 * 1024 * 1024
    """Memory for answers that keys with `store_answers` may ask for again."""
    defaults: LimitDefaults = LimitDefaults()
    """Limits of keys and organizations that have none of their own."""
    gateway: LimitValues = LimitValues()
    """Limits of all requests together."""
    expected_output: Annotated[int, Field(ge=1, le=1 << 30)] = 1024
    """Tokens that are counted ahead for an answer whose length nobody has named; what it takes is
    counted at its end."""
    queue_ms: Annotated[int, Field(ge=0, le=60_000)] = 0
    """How long a request waits for room in its limits, where neither it nor its key or organization
    says it; 0: it is refused at once."""
    queue: QueueBounds = QueueBounds()
    """How many may wait."""
    ratelimit_headers: Literal["openai", "ietf"] = "openai"
    """Headers that tell what is left. ietf adds `RateLimit` and `RateLimit-Policy` to OpenAI's
    `x-ratelimit-…`."""


class TimeoutSettings(Strict):
    """Deadlines of an upstream call, in milliseconds."""

    connect_timeout_ms: Milliseconds = 5_000
    """Until the connection stands, TLS included."""
    first_byte_timeout_ms: Milliseconds = 600_000
    """Until a stream's response begins."""
    first_content_timeout_ms: Milliseconds = 600_000
    """Until a stream's first content, and between two pieces of it while only comments come."""
    idle_timeout_ms: Milliseconds = 300_000
    """Longest silence of a stream whose content has begun."""
    total_timeout_ms: Milliseconds = 1_800_000
    """The whole answer; the only deadline of a call that is not streamed."""
    keep_alive_comment_ms: Milliseconds = 15_000
    """Silence after which a client's stream gets a comment line."""


class CreditSettings(Strict):
    """The ledger: what organizations have, what is held and charged, a row for every request."""

    enabled: bool = True
    """Whether a ledger is kept; without one nothing is charged and no request is recorded."""
    strict_bound: bool = False
    """Holds count a prompt by its bytes, which no tokenizer exceeds, not by its estimate."""
    max_media_tokens: Annotated[int, Field(ge=0, le=1 << 31)] = 0
    """Most tokens that a hold takes each part of a prompt for that is no picture and has no size (a
    document, a video, a search); 0: the whole context of the endpoint."""
    max_output_tokens: Annotated[int, Field(ge=0, le=1 << 31)] = 0
    """Longest answer of one choice, whatever the client asks for; 0: the model's own."""
    on_client_abort: Literal["charge", "free"] = "charge"
    """Whether a client that leaves pays for what it was sent."""
    on_upstream_failure: Literal["charge", "free"] = "free"
    """Whether what was sent before a provider failed is paid for."""
    on_missing_usage: Literal["estimate", "free"] = "estimate"
    """Whether a whole answer without usable usage is paid for by the gateway's own count."""
    max_read_outs: Annotated[int, Field(ge=0, le=100_000)] = 100
    """Answers read to their end at once after their clients have left; see `on_abort`."""
    orphans: Literal["expire", "charge"] = "expire"
    """What a start does with requests that ran when the process died: give their holds back, or
    charge what is known to have been delivered."""
    progress_note_ms: Annotated[int, Field(ge=100, le=3_600_000)] = 5_000
    """How often a stream's delivery is written down, with `orphans: charge`."""


def _check_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value().strip()
    if not text:
        raise ValueError("the key is empty: set its variable, or leave the line out")
    if not text.isascii() or any(ord(c) < 33 or ord(c) == 127 for c in text):
        raise ValueError("expected a key: printable ASCII without spaces")
    return SecretStr(text)


def _check_one_of_keys(value: SecretStr) -> SecretStr:
    return _check_key(value) if value.get_secret_value().strip() else SecretStr("")


class ProviderKeySettings(Strict):
    """One of several keys of a provider."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    """Its name in metrics and reports."""
    api_key: Annotated[SecretStr, AfterValidator(_check_one_of_keys)] | None = None
    """The key itself; one that is empty is left out, also where the variable it names is unset."""
    env: Annotated[str, Field(min_length=1, max_length=255)] | None = None
    """Or the environment variable that has it; a key whose variable is empty is left out."""
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    """Share of the organizations that use this key first, relative to the other keys."""
    limits: LimitValues = LimitValues()
    """Limits of what is sent with it. Another key is used where it has reached one."""

    @model_validator(mode="after")
    def _one_source(self) -> ProviderKeySettings:
        if (self.api_key is None) == (self.env is None):
            raise ValueError("expected either api_key or env")
        return self


class ProviderSettings(Strict):
    """Changes a packaged provider, or defines a new one that speaks OpenAI's protocol."""

    base_url: str | None = None
    """URL to which `/chat/completions` is added; required unless the provider is packaged."""
    api_key: SecretStr | None = None
    """Its key; default: the environment variables that the catalog names."""
    keys: Annotated[tuple[ProviderKeySettings, ...], Field(min_length=1, max_length=16)] = ()
    """Several keys in its place; the variables that the catalog names are then not looked at. One
    that is refused, limited or used up is left out; the others go on. While none has a value, the
    provider is not asked."""
    limits: LimitValues = LimitValues()
    """Limits of what is sent to it, with all its keys. Other providers are asked where it has
    reached one."""
    enabled: bool | None = None
    """False switches it off; default: on when it has a key."""
    allow_http: bool = False
    """Accepts plain http."""
    allow_private: bool = False
    """Accepts loopback, private and link-local addresses."""
    ca_file: PathText = ""
    """PEM file of certificate authorities; default: the system's."""
    proxy: SecretStr | None = None
    """Proxy URL (http, socks5, socks5h); default: no proxy, whatever the environment says."""
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """Headers sent with every request."""
    stream_options: bool | None = None
    """Whether the field `stream_options` is sent, in which a stream's usage is asked for; default:
    what the catalog says."""
    on_abort: OnAbort | None = None
    """What happens to an answer whose client has left, with credits on: `cancel`, or `read_out` to
    read it to its end and charge for its usage; default: what the catalog says."""
    cap_excludes_reasoning: bool | None = None
    """Whether the length that a request asks for leaves thinking out, so that the hold adds it;
    default: what the catalog says."""
    reasoning_budget_field: ReasoningBudgetField | None = None
    """The field that bounds such thinking; `none`: nothing does; default: what the catalog says."""
    max_reasoning: Tokens | None = None
    """Longest such thinking in tokens; default: what the catalog says."""
    reasoning_field: ReasoningField | None = None
    """The field in which it takes how much to think (`reasoning`: OpenRouter's object); default:
    what the catalog says."""
    drop_refused_parameters: bool | None = None
    """As the setting of this name for all, for this provider alone; default: that one's value."""
    timeouts: CallTimeouts = CallTimeouts()
    """How long a call may take, where it differs from `timeouts` below."""
    keep_alive_ms: KeepAlive | None = None
    """How long an idle connection is kept for the next request; 0: not at all; default: what the
    catalog says, else 4000."""

    @field_validator("api_key")
    @classmethod
    def _key(cls, value: SecretStr | None) -> SecretStr | None:
        return None if value is None else _check_key(value)

    @model_validator(mode="after")
    def _keys(self) -> ProviderSettings:
        if self.keys and self.api_key is not None:
            raise ValueError("expected api_key or keys, not both")
        ids = [key.id for key in self.keys]
        if len(set(ids)) != len(ids):
            raise ValueError("expected a different id for each of the keys")
        return self

    @field_validator("proxy")
    @classmethod
    def _proxy_url(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_proxy(value.get_secret_value()):
            raise ValueError(
                "expected an http, socks5 or socks5h URL such as http://proxy.example.com:3128"
            )
        return value

    @field_validator("headers")
    @classmethod
    def _header_lines(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError("a header name must be letters, digits and dashes")
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"the header {name} is set by the gateway itself")
            text = secret.get_secret_value()
            if not text.isascii() or any(ord(c) < 32 or ord(c) == 127 for c in text):
                raise ValueError(f"the value of {name} must be one line of printable ASCII")
        return value

    @field_validator("base_url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        # That plain http was meant is checked where allow_http is known, in crosscheck.py.
        return None if value is None else check_base_url(value, allow_http=True)


def _is_proxy(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return bool(_PROXY.fullmatch(text) and parts.hostname) and parts.port != 0
    except ValueError:  # half an IPv6 address, a port that is none
        return False


def _switch(value: Any) -> Any:
    """YAML 1.1 reads a bare `on` or `off` as a boolean."""
    return {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value


def _listed(value: Any) -> Any:
    """A comma-separated string, as environment variables hold it, as a list."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _check_public_url(value: str) -> str:
    parts = urlsplit(value)
    if value and (
        parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/")
    ):
        raise ValueError("expected scheme and host, such as https://llm.example.com")
    return value.rstrip("/")


class ConsoleSettings(Strict):
    """The pages for accounts, organizations and keys, in a process beside the gateway."""

    enabled: Annotated[Literal["auto", "on", "off"], BeforeValidator(_switch)] = "auto"
    """Whether it is started. auto: where `pip install 'seekroute[console]'` has what it needs."""
    public_url: Annotated[str, AfterValidator(_check_public_url)] = ""
    """Scheme and host by which browsers reach this gateway; needed for any but this machine."""


class Settings(Strict):
    """Everything an operator can set. Immutable; made by `load_settings`.

    Example:
        >>> Settings().server.port
        8000
    """

    server: ServerSettings = ServerSettings()
    """The listening server."""
    data_dir: Annotated[PathText, Field(min_length=1)] = "seekroute-data"
    """Folder of the databases and the key pepper."""
    profile: Annotated[PathText, Field(min_length=1)] = "seekroute"
    """Vocabulary spoken to clients without a key and given to new keys: a packaged name or the
    path of a file."""
    profiles: Annotated[tuple[PathText, ...], BeforeValidator(_listed)] = PACKAGED_PROFILES
    """Profiles that keys may use, by packaged name or path."""
    providers: dict[Annotated[str, Field(pattern=PROVIDER_ID)], ProviderSettings] = Field(
        default_factory=dict
    )
    """Changed and added providers, by id."""
    models: tuple[CatalogModel, ...] = ()
    """Added models, as in a catalog; one with an id of the catalog replaces it."""
    catalog_overlay: PathText = ""
    """File that adds, changes and hides models and sets markups; relative to this file."""
    virtual_models: VirtualModels = Field(default_factory=dict)
    """Names that stand for several models."""
    default_model: str = ""
    """What `auto` means without `routing.auto.models`; default: the first of a short list that a
    configured provider serves."""
    mock: Annotated[Literal["auto", "on", "beside", "off"], BeforeValidator(_switch)] = "auto"
    """The built-in mock provider. on: it answers for every model, and no provider is asked;
    beside: it answers for models that no provider serves; auto: on while no provider has a key."""
    drop_refused_parameters: bool = False
    """Whether parameters that the catalog knows a model to refuse (`temperature` of OpenAI's
    reasoning models) are left out of the request, and named in `x-seekroute-ignored`. False sends
    them, and the provider's refusal comes back."""
    limits: LimitSettings = LimitSettings()
    """Sizes and counts that nothing exceeds."""
    timeouts: TimeoutSettings = TimeoutSettings()
    """Deadlines of upstream calls."""
    routing: RoutingSettings = RoutingSettings()
    """Which endpoint of a model is asked first, and what follows when it fails."""
    credits: CreditSettings = CreditSettings()
    """The ledger and what it charges."""
    engine_threads: Annotated[int, Field(ge=1, le=64)] = 1
    """Threads that move the bytes."""
    require_key: bool = True
    """Whether clients need an API key."""
    console: ConsoleSettings = ConsoleSettings()
    """The pages for accounts, organizations and keys."""

    _origins: dict[str, tuple[Origin, str]] = PrivateAttr(default_factory=dict)
    _folder: str = PrivateAttr(default="")
    _source: Source | None = PrivateAttr(default=None)

    @property
    def source(self) -> Source | None:
        """What `load_settings` has read them from; None where it did not make them."""
        return self._source

    def origin(self, path: str) -> Origin:
        """Which source decided the value at `path`.

        Args:
            path: Keys joined by dots, for example `server.port`. For a mapping: the strongest
                source of anything inside it.
        """
        return self._origin(path)[0]

    def origin_detail(self, path: str) -> str:
        """Where exactly: a file with its line, a variable's name, `command line`, or empty."""
        return self._origin(path)[1]

    def _origin(self, path: str) -> tuple[Origin, str]:
        upward = path
        while upward:
            if upward in self._origins:
                return self._origins[upward]
            upward = upward.rpartition(".")[0]
        rank: tuple[Origin, ...] = ("cli", "env", "file")
        inside = [o for p, o in self._origins.items() if p.startswith(path + ".")]
        return min(inside, key=lambda o: rank.index(o[0]), default=("default", ""))


def config_schema() -> dict[str, Any]:
    """The JSON Schema of a configuration file, for editors and other tools."""
    schema = Settings.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "seekroute.yaml"
    return schema
