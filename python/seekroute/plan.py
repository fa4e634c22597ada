"""What a gateway needs of settings, profiles and catalog, as plain data.

Reading and checking a configuration takes libraries and object trees that no request needs:
pydantic, YAML, the whole catalog. `seekroute.config.prepare()` runs them once; a process that is
given the plan imports none of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from seekroute.rate_limits import LimitPlan

if TYPE_CHECKING:
    from seekroute.api.models import ModelList
    from seekroute.control.lost import Anew

# Stands for the mock provider's URL until that listens. Never asked: port 0 is nobody's.
MOCK_URL: Final = "http://127.0.0.1:0/v1"


@dataclass(frozen=True, slots=True)
class Source:
    """What a configuration was read from, so that it can be read again."""

    # The file, as it was given or found; None: there was none. One that has gone must be missed,
    # or defaults would be taken for what it says.
    config: str | None
    overrides: dict[str, Any]  # what the command line said, by dotted path
    folder: str  # the working directory of that time


@dataclass(frozen=True, slots=True)
class ServerPart:
    """The `server` section of the settings."""

    host: str
    port: int
    log_level: str
    log_format: Literal["pretty", "json"]
    shutdown_seconds: float
    cors_origins: tuple[str, ...]
    trusted_proxies: tuple[str, ...]  # networks


@dataclass(frozen=True, slots=True)
class Profile:
    """What the HTTP side needs of a profile; the core has the rest."""

    name: str
    base_path: str
    key_prefix: str
    model_ids: Literal["full", "bare"]
    shows_upstream_cost: bool  # whether customers see what the provider charges


@dataclass(frozen=True, slots=True)
class GraderPlan:
    """Who grades shadow pairs: a program, or a model."""

    webhook: str = ""
    key: str = field(default="", repr=False)  # that the program is shown
    judge: str = ""


@dataclass(frozen=True, slots=True)
class LearningPlan:
    """How `auto` learns from ratings."""

    trusted: tuple[str, ...]  # organizations, by id or name, whose ratings count whole
    keep: int  # requests that wait to be rated
    refit: bool  # whether new weights are made of them
    pico_per_request: int | None = None  # what `balanced` holds, in pico-USD
    dearest_share: float | None = None  # or this share of the dearest model
    grader: GraderPlan | None = None  # of shadow pairs; None: nobody grades


@dataclass(frozen=True, slots=True)
class ShownProvider:
    """What may be told of a provider: never its keys, nor where they are."""

    name: str
    shown_name: str
    has_key: bool
    models: int  # that it serves


@dataclass(frozen=True, slots=True)
class ConsolePlan:
    """What the console's process may know of a configuration. Picklable; holds no secret."""

    data_dir: str
    ledger: bool
    public_url: str  # scheme and host of links; empty: as the browser found it
    log_level: str
    log_format: Literal["pretty", "json"]
    model_list: ModelList
    profiles: tuple[Profile, ...]  # the default one first
    example_model: str
    providers: tuple[ShownProvider, ...]
    mock: bool
    config: str  # path of the file; empty: none
    version: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked configuration, ready to serve. Picklable. Holds provider keys: never to be shown.

    `server`, `data_dir` and `require_key` are those of the settings.
    """

    server: ServerPart
    data_dir: str
    require_key: bool
    ledger: bool  # whether requests are held and settled in one
    orphans: Literal["expire", "charge"]  # of the ledger
    max_body_bytes: int
    max_request_bytes: int
    max_key_request_bytes: int
    max_active_meant: bool  # whether somebody has set how many requests may run
    max_org_request_bytes: int
    profiles: tuple[Profile, ...]  # the default one first
    example_model: str  # as the default profile spells it; what `auto` means
    has_models: bool  # whether any model has a candidate
    mock: bool  # whether a mock provider has to be started
    mock_meant: bool  # whether somebody has asked for it by name
    model_list: ModelList
    unserved: dict[str, str]  # models that nobody serves, and what they lack
    options: dict[str, Any] = field(repr=False)  # of the core, but for the pepper
    snapshot: dict[str, Any] = field(repr=False)
    limits: LimitPlan = field(default_factory=LimitPlan)  # of keys and of what they share
    source: Source | None = None  # None: of settings that were read from nowhere
    told_profile: str = ""  # the default one, if it is not of a file: its name or path
    learning: LearningPlan | None = None  # None: nothing is learned
    console: ConsolePlan | None = None  # None: there is none
    warnings: tuple[str, ...] = ()  # of what is allowed, and does not do what it seems to
    anew: frozenset[Anew] = frozenset()  # lost databases that this start may begin anew

    def snapshot_with(self, mock_url: str) -> dict[str, Any]:
        """The core's snapshot with the URL of the running mock provider; "" where there is none."""
        if not self.mock:
            return self.snapshot
        url = mock_url.rstrip("/")
        providers = [
            {**provider, "base_url": url} if provider["base_url"] == MOCK_URL else provider
            for provider in self.snapshot["providers"]
        ]
        return {**self.snapshot, "providers": providers}
