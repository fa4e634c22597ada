"""What stands behind the application: the core, the keys, the catalog, the mock provider."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from seekroute.api.call import Sources
from seekroute.gateway import SERVER
from seekroute.opening import open_gateway
from seekroute.plan import Plan
from seekroute.reloading import packed
from seekroute.server.body_budget import BodyBudget
from seekroute.server.connection_table import ConnectionTable
from seekroute.server.console import Console
from seekroute.server.cors import Cors
from seekroute.server.day_counts import DayCounts
from seekroute.server.followers import Follower
from seekroute.server.key_feed import KeyFeed, KeyRights
from seekroute.server.learning import Learning
from seekroute.server.limits import Limits
from seekroute.server.metrics import HttpCounts, Sample
from seekroute.server.questions import of_providers
from seekroute.server.readiness import Check
from seekroute.server.refusals import Refusals
from seekroute.server.reloading import RELOAD_POLL_S, Reloads
from seekroute.server.undelivered import Undelivered
from seekroute.server.unfinished import UnfinishedRequests
from seekroute.server.upkeep import Upkeep

if TYPE_CHECKING:
    from seekroute.api.models import ModelList
    from seekroute.config import Settings
    from seekroute.control import ControlPlane
    from seekroute.control.lost import Anew
    from seekroute.gateway import Gateway, Record
    from seekroute.ledger import Ledger
    from seekroute.opening import Opened
    from seekroute.plan import Profile
    from seekroute.rate_limits import LimitPlan
    from seekroute.server.cycle import Header
    from seekroute.server.logs import LineWriter
    from seekroute.testing import MockProvider

_log: Final = logging.getLogger("seekroute.server")

# Questions to the ledger at once: each has a thread and a connection. Others wait in line, at
# most one a connection to the server.
_LEDGER_READS: Final = 4
# How long a stop waits for the ends of answers that it has cut.
_ENDS_S: Final = 2.0
MOCK_ANSWERS: Final = "the built-in mock provider answers: it repeats the question"
# Between two lines in the log that say what one model lacks.
_SAY_AGAIN_S: Final = 60.0
# Labels of the metric for logs that could not be written.
_DROPPED: Final = "seekroute_log_lines_dropped_total"


class _Shown(NamedTuple):
    """What the HTTP side takes of a configuration; swapped whole."""

    models: ModelList
    profiles: Mapping[str, Profile]
    default_profile: Profile
    example_model: str
    has_models: bool
    unserved: Mapping[str, str]
    mock_url: str
    mocked: bool


class Service:
    """Everything that lives as long as the gateway does.

    `open()` and `close()` block and may be called from any thread; `start()` and `stop()` belong
    to the event loop that serves. Not reusable after `close()`.

    Args:
        settings: what `seekroute.config.load_settings` returned, or a plan made of it.
        limits: bounds of the HTTP side.
        environ: where provider keys are looked up. Default: the process's environment.
        mock: a running provider to use instead of starting the mock, where the settings want that.
            It is the caller's, so what it answers is charged like any provider's answer.
        anew: lost databases that may be begun anew; a plan has its own.
        console: whether the console is started beside it, where the settings want one. Not of an
            application that is mounted: its pages are below `/`.
    """

    def __init__(
        self,
        settings: Settings | Plan,
        *,
        limits: Limits | None = None,
        environ: Mapping[str, str] | None = None,
        mock: MockProvider | None = None,
        anew: Collection[Anew] = (),
        console: bool = False,
    ) -> None:
        self._anew: Final = settings.anew if isinstance(settings, Plan) else frozenset(anew)
        self._settings: Settings | Plan | None = settings  # until it is opened
        self.data_dir: Final = settings.data_dir
        self.server: Final = settings.server
        origins = settings.server.cors_origins
        self.cors: Final = Cors(origins) if origins else None
        self.require_key: Final = settings.require_key
        self.limits: Final = limits or Limits()
        self.max_body_bytes: Final = (
            settings.max_body_bytes
            if isinstance(settings, Plan)
            else settings.limits.max_body_bytes
        )
        limits_of = settings if isinstance(settings, Plan) else settings.limits
        # One body is always taken, however small the bounds.
        self.bodies: Final = BodyBudget(
            total=max(limits_of.max_request_bytes, self.max_body_bytes),
            per_key=max(limits_of.max_key_request_bytes, self.max_body_bytes),
            per_org=max(limits_of.max_org_request_bytes, self.max_body_bytes),
            unpaid=self.max_body_bytes,
        )
        self.counts: Final = HttpCounts()
        self.connections: Final = ConnectionTable(self.limits)
        self.unfinished: Final = UnfinishedRequests(self.limits)
        self.undelivered: Final = Undelivered()
        self.shutting_down = False
        self.started = False
        self.log_writer: LineWriter | None = None
        self._mock = mock
        self._environ = os.environ if environ is None else environ
        self._starting: asyncio.Lock | None = None
        self._resources: contextlib.ExitStack | None = None
        self.refusals: Refusals | None = None  # of a server that keeps a ledger
        self.ledger_reads: Final = asyncio.Semaphore(_LEDGER_READS)
        self._told_lack: dict[str, float] = {}  # by model of the catalog
        self._with_console = console
        self.console: Console | None = None

    # --- life -------------------------------------------------------------------------------------

    def open(self) -> None:
        """Locks and opens the data directory and starts the core. Idempotent.

        Raises:
            ControlError: the data directory is in use by another process, or unusable, or one of
                its databases is lost.
            ConfigError: a profile or the catalog is wrong.
            LedgerError: the ledger is damaged, newer, or its disk fails.
        """
        if self._resources is not None:
            return
        settings = self._settings
        assert settings is not None, "a service is not opened twice"
        data_dir = Path(self.data_dir)
        plan = settings if isinstance(settings, Plan) else self._prepared(settings)
        with contextlib.ExitStack() as stack:
            opened = stack.enter_context(open_gateway(plan, home=data_dir, mock=self._mock))
            assert opened.control is not None, "a data directory has one"
            self.control: ControlPlane = opened.control
            self.ledger: Ledger | None = opened.ledger
            self.gateway: Gateway = opened.gateway
            self.core = self.gateway.core
            # Of its own, and one: a quote may take tens of milliseconds, and nobody pays for it.
            self.quotes = ThreadPoolExecutor(1, thread_name_prefix="sr-quote")
            stack.callback(self.quotes.shutdown, cancel_futures=True)
            self._opened: Opened = opened
            self._shown = self._shown_of(plan)
            self.warnings = plan.warnings
            self.control.tell_profile(plan.told_profile)
            self._days = DayCounts(self.control, self.gateway, self.ledger)
            self._key_feed = KeyFeed(
                self.control, self.gateway, plan.limits, self._days, mocked=self.mocked
            )
            self.gateway.on_record(self._tell_lack)
            self.learning = Learning(data_dir, self.gateway, self._org_named)
            self.learning.adopt(plan)
            stack.callback(self.learning.close)
            self.learning.turn()
            if plan.ledger:
                self.refusals = Refusals(data_dir)
                stack.callback(self.refusals.close)
                self.gateway.on_record(self.refusals.record)
            self.reloads = Reloads(self.control, self.adopt, self._environ)
            self.reloads.begin(plan.source, packed(replace(plan, anew=frozenset())))
            self.upkeep = Upkeep(
                data_dir,
                self.control,
                self.ledger,
                self.gateway,
                self._key_feed,
                self._days,
                mocked=lambda: self.mocked,
            )
            self.upkeep.count_days()
            # With a thread of its own: to read a configuration takes a second.
            reloading = Follower(
                "reload",
                RELOAD_POLL_S,
                self.reloads.turn,
                does="look for reloads that were asked for",
                trouble="reloads are not seen",
            )
            assert opened.state is not None, "a data directory has one"
            stack.callback(opened.state.save_at_stop, self.gateway)
            if plan.console is not None and self._with_console:
                self.console = Console(plan.console, proxies=plan.server.trusted_proxies)
                stack.callback(self.console.close)
                stack.enter_context(self.console.follower().running())
            stack.enter_context(self.upkeep.running())
            for follower in (
                reloading,
                *self.learning.followers(),
                *of_providers(self.control, self.gateway, opened.state),
            ):
                stack.enter_context(follower.running())
            stack.callback(self.learning.grading.stop)
            stack.callback(self.reloads.close)
            self._resources = stack.pop_all()
        self._settings = None  # its snapshot alone is megabytes, and the core has it now

    def _shown_of(self, plan: Plan) -> _Shown:
        """What this side answers by; assigned at once, so that no request sees a mixture."""
        return _Shown(
            plan.model_list,
            {each.name: each for each in plan.profiles},
            plan.profiles[0],
            plan.example_model,
            plan.has_models,
            plan.unserved,
            self._opened.mock.base_url if plan.mock and self._opened.mock is not None else "",
            plan.mock and self._opened.mocked,
        )

    def adopt(self, plan: Plan) -> None:
        """Makes a plan what new requests are answered by; running ones keep what they have.

        What only a start can take of it is not looked at. One call at a time. Where it fails,
        nothing has changed.

        Raises:
            ControlError: our own mock would answer, unasked, for organizations that have paid.
            ConfigError: a provider's certificates cannot be verified.
            ValueError: the core refuses it.
        """
        from seekroute.control.lost import guard_customers

        if plan.mock and not plan.mock_meant:
            guard_customers(self.control.orders, Path(self.data_dir))
        _, snapshot = self._opened.core_arguments(plan)
        mocked = plan.mock and self._opened.mocked
        shown = self._shown_of(plan)
        try:
            if mocked:
                self._key_feed.adopt(mocked=True)  # before the mock can be asked by who has paid
            with self.learning.adopting(plan, snapshot) as learned:
                self.gateway.install(learned)
            if self.console is not None and plan.console is not None:
                self.console.adopt(plan.console)
        except Exception:
            self._tell_keys(mocked=self.mocked)  # as before
            raise
        self._shown = shown  # it is taken over, and no longer to be refused
        self._tell_keys(plan.limits, mocked=mocked)

    def _tell_keys(self, limits: LimitPlan | None = None, *, mocked: bool) -> None:
        try:
            self._key_feed.adopt(limits, mocked=mocked)
        except Exception as error:  # the follower repeats it
            _log.error("keys and limits follow later: %s", type(error).__name__)

    @property
    def profiles(self) -> Mapping[str, Profile]:
        """The profiles that are spoken, by name."""
        return self._shown.profiles

    @property
    def default_profile(self) -> Profile:
        """The profile of callers without one of their own."""
        return self._shown.default_profile

    @property
    def example_model(self) -> str:
        """What `auto` means, as the default profile spells it."""
        return self._shown.example_model

    @property
    def mock_url(self) -> str:
        """Where the mock provider listens; empty: none answers."""
        return self._shown.mock_url

    @property
    def mocked(self) -> bool:
        """Whether our own mock provider answers."""
        return self._shown.mocked

    def _prepared(self, settings: Settings) -> Plan:
        from seekroute.config import prepare

        plan = prepare(settings, self._environ, console=self._with_console)
        return replace(plan, anew=self._anew)

    @property
    def is_open(self) -> bool:
        """Whether `open()` has succeeded."""
        return self._resources is not None

    def close(self) -> None:
        """Ends everything; running requests are dropped. Idempotent."""
        self.started = False
        if self._resources is not None:
            self._resources.close()

    async def start(self) -> None:
        """Opens if need be, and serves on the running event loop. Idempotent."""
        if self._starting is None:
            self._starting = asyncio.Lock()
        async with self._starting:
            if self.started:
                return
            await asyncio.to_thread(self.open)
            self.gateway.attach(asyncio.get_running_loop())
            self.started = True

    async def stop(self) -> None:
        """Ends what `start()` began."""
        if self.started:
            self.end_answers()
            until = time.monotonic() + _ENDS_S
            while self.core.active() and time.monotonic() < until:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(self.undelivered.give_back, self.control.orders, self.ledger)
            self.gateway.detach()
            self.started = False
            await asyncio.to_thread(self.close)

    def begin_shutdown(self) -> None:
        """From now on new requests are refused; running ones go on."""
        self.shutting_down = True
        if self._resources is not None:
            self.core.begin_shutdown()

    def end_answers(self) -> None:
        """Ends what still runs: its clients get an error, pay nothing, and may ask again."""
        self.shutting_down = True
        if self._resources is not None:
            self.core.stop()

    # --- keys -------------------------------------------------------------------------------------

    def create_first_key(self) -> str | None:
        """Makes the organization `default` and a key in it, unless there has ever been a key.

        Returns:
            The key, which can never be had again; None where there was one already.
        """
        made = self.control.keys.create_first(
            profile=self.default_profile.name, prefix=self.default_profile.key_prefix
        )
        if made is None:
            return None
        self.sync_keys()
        return made[1]

    def find_key(
        self, authorization: bytes | None, *, needs_key: bool = False
    ) -> tuple[str, str, str]:
        """(key id, organization id, profile) of a usable key.

        Without a key where none is required, nor `needs_key`: empty ids and the default profile.

        Raises:
            CoreError: there is no key, or none that may be used.
        """
        if authorization is None and not self.require_key and not needs_key:
            return "", "", self.default_profile.name
        return self.core.find_key(authorization)

    def known_key(self, authorization: bytes | None) -> tuple[str, str, str] | None:
        """As `find_key`; None of a stranger, whom that would refuse."""
        from seekroute.gateway import CoreError

        try:
            return self.find_key(authorization)
        except CoreError:
            return None

    @property
    def sources(self) -> Sources:
        """What answers without inference are made from."""
        return Sources(
            self._shown.models,
            self.ledger,
            self.control.keys,
            self.control.pepper,
            self._key_feed.limits_of,
            self.control.limits.for_models,
            self.core.health,
            self.learning if self.learning.takes_ratings else None,
        )

    def rights_of_key(self, authorization: bytes | None) -> KeyRights:
        """Those of the key that `find_key` has found there; of nobody where that found none.

        Raises:
            CoreError: the key has been revoked since.
        """
        return self._key_feed.rights_of(authorization)

    def sync_keys(self) -> None:
        """Takes over what has changed in the control plane since the last look."""
        self._key_feed.sync()
        self._days.count()

    # --- what operators look at -------------------------------------------------------------------

    def checks(self) -> dict[str, Check]:
        """The parts that have to work for the gateway to be ready, and those to look after."""
        found = self.upkeep.checks()
        return {
            "accepting": Check.of("the server is stopping" if self.shutting_down else ""),
            "keys": found.pop("keys"),
            "models": Check.of(
                "" if self._shown.has_models else "no model has a provider that is on"
            ),
            "mock": Check("warning" if self.mocked else "ok", MOCK_ANSWERS if self.mocked else ""),
            "learning": Check("warning" if self.learning.reason else "ok", self.learning.reason),
            **found,
        }

    def samples(self) -> Iterator[Sample]:
        """All metrics of this process."""
        yield from self.core.samples()
        yield from self.counts.samples()
        yield from self.connections.samples()
        yield from self.reloads.samples()
        yield from self.learning.samples()
        yield "seekroute_http_body_bytes", (), float(self.bodies.taken)
        yield _DROPPED, (), float(self.log_writer.dropped if self.log_writer else 0)

    def _org_named(self, name: str) -> str | None:
        """The id of an organization."""
        from seekroute.control import ControlError

        try:
            return self.control.orgs.get(name).id
        except ControlError:
            return None

    def _tell_lack(self, record: Record) -> None:
        """Tells the operator what a model lacks that was asked for; its client is told less."""
        if record.error != "no_matching_endpoint":
            return
        model, now = record.model, time.monotonic()
        lack = self._shown.unserved.get(model)
        if not lack:
            return  # what is served was asked for something that it does not do
        if now - self._told_lack.get(model, float("-inf")) >= _SAY_AGAIN_S:
            self._told_lack[model] = now
            _log.warning(
                "no provider of %s is configured (request %s): %s", model, record.request_id, lack
            )

    def note_refusal(self, **fields: Any) -> None:
        """Writes down what the HTTP side has refused, as `Refusals.add` takes it."""
        if self.refusals is not None:
            self.refusals.add(**fields)

    def refuse(self, code: str, message: str) -> tuple[int, list[Header], bytes]:
        """The answer to what is not a request: for `protocol.protocol_class`."""
        return self.core.write_error(code, message, "", None, None, SERVER)
