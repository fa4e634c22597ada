"""Owns the C++ core and bridges its mailbox to asyncio and to plain threads.

The core hands out everything through one mailbox with a file descriptor. Under asyncio the event
loop watches the descriptor and one call takes the events of all exchanges (`Gateway.attach`);
without an event loop a thread waits for it (`Gateway.start_thread`). One of the two at a time.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from seekroute import _core, forks
from seekroute._core import CoreError as CoreError
from seekroute.errors import APIConnectionError, ConfigError, Problem
from seekroute.exchange import AnswerSink as AnswerSink
from seekroute.exchange import AsyncExchange as AsyncExchange
from seekroute.exchange import Sink as Sink
from seekroute.exchange import SyncExchange as SyncExchange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from seekroute._core import Event as Event
    from seekroute._core import Headers as Headers
    from seekroute._core import Record as Record
    from seekroute.ledger import Ledger
    from seekroute.routing_state import RoutingState

# A request's body as it arrives, in the core's own memory: `RequestBody(size)`, `append(part)`.
RequestBody = _core.RequestBody

# What a request is spoken in, as the core and the metrics name it: of rows of `api/table.py` it is
# the `surface`.
CHAT = "chat_completions"
EMBEDDINGS = "embeddings"

# How a request came in: over HTTP; likewise, by /api/v1, in OpenRouter's shapes; or of the program
# that has the gateway in it, without a key.
SERVER = "server"
SERVER_API_V1 = "server_api_v1"
IN_PROCESS = "in_process"

# Whether an answer tells how it was routed: in a member "seekroute" or "openrouter_metadata".
EXPLAIN_NO = 0
EXPLAIN_SEEKROUTE = 1
EXPLAIN_OPENROUTER = 2

# How long the pump thread sleeps at most: a bound on how late it sees `close()`.
_WAIT_SECONDS = 0.5
# How long closing waits for what it has cancelled.
_CLOSE_SECONDS = 1.0


def price_usage(
    table: dict[str, Any], usage: dict[str, Any], *, now: int, service_tier: str = ""
) -> dict[str, Any]:
    """Prices the `usage` object of an answer exactly as a running gateway does.

    Args:
        table: A price table as snapshots have it: `price` of a candidate.
        usage: The object as a provider writes it, in any spelling that the gateway reads; counts
            that are not there are zero. `images` is the number of generated images.
        now: When the request was admitted, in Unix seconds.
        service_tier: As the answer names it.

    Returns:
        `cost_nano` (with the operator's markup), `upstream_nano` (without) and its parts
        `prompt_nano` and `completion_nano`, all in nano-USD, each rounded up on its own; `variant`
        (index of the one taken) and `tier_above` (threshold of the tier taken, 0: base rates);
        `classes`, the units of each class of rates; `odd`, whether a count was no count or
        contradicted another.

    Raises:
        ValueError: The table is not one; the message begins with the path of the fault.

    Example:
        >>> from seekroute.config.prices import price_table
        >>> from seekroute.config.catalog import Price
        >>> table = price_table(Price(input="3", cache_read="0.3", output="15"), 550, "")
        >>> usage = {"prompt_tokens": 100, "completion_tokens": 10,
        ...          "prompt_tokens_details": {"cached_tokens": 90}}
        >>> priced = price_usage(table, usage, now=0)
        >>> priced["upstream_nano"], priced["cost_nano"]
        (207000, 218385)
    """
    return _core.price_usage(table, usage, now=now, service_tier=service_tier)


def return_large_blocks() -> None:
    """Makes this process give the memory of large blocks back as soon as it is free.

    Else the C library keeps what the largest request bodies took. For a program that does nothing
    but serve: it holds for all of the process.
    """
    _core.return_large_blocks()


def estimate_tokens(text: bytes) -> tuple[int, int]:
    """About how many tokens a text is, without a vocabulary.

    Args:
        text: UTF-8; other bytes are estimated as the noise they are.

    Returns:
        The expected count of o200k_base, and an upper bound that the true count exceeds in fewer
        than one text in a thousand. The bound is at most the number of bytes.

    >>> estimate_tokens(b"The ferry left at seven.")
    (6, 12)
    """
    return _core.estimate_tokens(text)


def estimate_prompt(body: bytes) -> tuple[int, int]:
    """About how many prompt tokens a chat completion request costs.

    Args:
        body: the request's JSON. Text, tools, the chat template and images count; base64 of images
            and files does not count as text. What is not JSON is estimated as plain text.

    Returns:
        The expected count and an upper bound, as `estimate_tokens` does.

    >>> estimate_prompt(b'{"messages": [{"role": "user", "content": "The ferry left at seven."}]}')
    (13, 36)
    """
    return _core.estimate_prompt(body)


def refuses_address(literal: str) -> bool:
    """Whether a provider at this IP address is called only where `allow_private` is set.

    Example:
        >>> refuses_address("127.0.0.1"), refuses_address("fd00::1"), refuses_address("8.8.8.8")
        (True, True, False)
    """
    return _core.is_special_address(literal.partition("%")[0])


def snapshot_problems(snapshot: Mapping[str, Any]) -> list[Problem]:
    """What is wrong with files that a snapshot's settings name: weights of `auto`, and the
    certificates that providers are trusted by.

    A gateway that trusts nobody reaches nobody, and would say so to every client. Providers that
    are spoken to in plain http need no certificates.
    """
    problems: list[Problem] = []
    known: dict[str, str] = {}
    for provider in snapshot["providers"]:
        if not provider["base_url"].lower().startswith("https:"):
            continue
        file: str = provider["ca_file"]
        if file not in known:
            known[file] = _core.trust_problem(file)
        if not known[file]:
            continue
        hint = "give a PEM file with the certificates of authorities"
        if not file:
            hint = "install the package ca-certificates, or set ca_file"
        problems.append(Problem(f"providers.{provider['id']}.ca_file", known[file], hint))
    if why := _core.auto_problem(snapshot.get("auto")):
        path, _, message = why.partition(": ")
        problems.append(Problem(path, message))
    return problems


def _check_files(snapshot: Mapping[str, Any]) -> None:
    if problems := snapshot_problems(snapshot):
        raise ConfigError(problems)


class Gateway:
    """The core with its live exchanges.

    `options` and `snapshot` are what `seekroute.config` builds.
    `ledger` is where requests are held and settled, if the options say so; close it afterwards.
    `state` has what an earlier gateway knew of endpoints and provider keys.
    Raises ValueError when the core refuses one of them, ConfigError when a provider's certificates
    cannot be verified, or what `auto` has learned is of no use.
    """

    def __init__(
        self,
        options: dict[str, Any],
        snapshot: dict[str, Any],
        *,
        ledger: Ledger | None = None,
        state: RoutingState | None = None,
    ) -> None:
        _check_files(snapshot)
        self.core = _core.Gateway(options, None if ledger is None else ledger.core)
        if state is not None:
            state.give_back(self)
        self.core.install(snapshot)
        self._ledger_path = None if ledger is None else ledger.path
        self._revive: Callable[[], tuple[dict[str, Any], dict[str, Any]]] | None = None
        self._pumps = False
        self._abandoned: Callable[[], None] | None = None
        self._live: dict[int, Sink] = {}
        self._ack_bytes = options["window_bytes"] // 4
        self._on_record: list[Callable[[Record], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flushing = False
        self._thread: threading.Thread | None = None
        self._submitting = threading.Lock()
        self._closed = threading.Event()
        forks.watch(self)

    def install(self, snapshot: dict[str, Any]) -> None:
        """Makes `snapshot` what new requests are answered by; running ones keep theirs.

        From any thread. Raises as the constructor does, and then the old one stays.
        """
        _check_files(snapshot)
        self.core.install(snapshot)

    def set_limits(self, scope: str, id: str, limits: Mapping[str, int | None] | None) -> None:
        """Limits what is asked of the gateway, from now on; keys bring theirs with `put_keys`.

        Args:
            scope: "org", "app" or "model", whose `id` follows; or "gateway", whose id is "".
            limits: Any of `requests_per_minute`, `tokens_per_minute` (of prompt and answer),
                `requests_per_day`, `tokens_per_day` (of UTC) and `concurrent`; 0 refuses
                everything. `burst_requests` and `burst_tokens`: how many of a minute's at once.
                What is absent, or None, is unlimited. Of an organization also `hedge`: whether its
                slow streams are asked for at a second provider, too.

        What was used stays used. May be called from any thread, while requests run.

        Raises:
            ValueError: Another scope or name, or a figure out of its range.

        Example:
            >>> gateway.set_limits("org", "org_1", {"requests_per_minute": 600})  # doctest: +SKIP
        """
        self.core.set_limits(scope, id, None if limits is None else dict(limits))

    # --- in a forked process ---------------------------------------------------------------------

    def revive_with(self, make: Callable[[], tuple[dict[str, Any], dict[str, Any]]]) -> None:
        """Lets a forked process open a core of its own, of the options and the snapshot that
        `make` gives there. Without this, and with a ledger, the gateway is of no use in it."""
        self._revive = make

    def after_fork(self) -> None:
        """The threads of the core are the parent's. The next use opens another core."""
        core = self.__dict__.pop("core", None)
        if core is not None:
            forks.forget(core)
        closed, self._closed = self._closed.is_set(), threading.Event()
        if closed:
            self._closed.set()
        self._submitting = threading.Lock()
        self._reviving = threading.Lock()
        live, self._live = self._live, {}
        for running in live.values():
            if isinstance(running, SyncExchange | AsyncExchange):
                running.leave_behind()
        # Not detach(): the parent's event loop would lose its reader, as both share its epoll set.
        self._loop, self._flushing, self._thread = None, False, None

    if not TYPE_CHECKING:  # a type checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            # Only what is missing comes here, and `core` is so after a fork alone.
            if name != "core" or "_reviving" not in self.__dict__:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            return self._core_of_this_process()

    def _core_of_this_process(self) -> _core.Gateway:
        with self._reviving:
            found: _core.Gateway | None = self.__dict__.get("core")
            if found is not None:
                return found
            if self._closed.is_set():
                raise APIConnectionError("the client is closed")
            if self._ledger_path is not None or self._revive is None:
                book = f", and {self._ledger_path} is open there" if self._ledger_path else ""
                raise APIConnectionError(
                    f"this gateway was made before a fork{book}: it belongs to the parent process",
                    hint="make a client in this process, with a ledger file of its own",
                )
            options, snapshot = self._revive()
            core = _core.Gateway(options, None)
            core.install(snapshot)
            self.core = core  # only now: other threads read it without the lock
            if self._pumps:
                self.start_thread()
            return core

    # --- under asyncio ---------------------------------------------------------------------------

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Serves this gateway's exchanges on `loop`, which must be running in this thread."""
        self._loop = loop
        loop.add_reader(self.core.fileno(), self._dispatch)

    def detach(self) -> None:
        """Ends `attach()`. Idempotent."""
        if self._loop is not None:
            self._loop.remove_reader(self.core.fileno())
            self._loop = None

    def submit(
        self,
        surface: str,
        body: bytes | RequestBody,
        authorization: bytes | None,
        request_id: bytes | None,
        *,
        origin: str = SERVER,
        explain: int = EXPLAIN_NO,
        idempotency_key: bytes | None = None,
        options: tuple[int, int, bool, bytes | None] | None = None,
    ) -> AsyncExchange:
        """Starts an exchange on the attached loop. Refusals come as its answer too."""
        core, loop = self.core, self._loop
        if loop is None:
            raise RuntimeError("attach() the gateway to an event loop before submitting")
        exchange = core.submit(
            surface, body, authorization, request_id, origin, explain, idempotency_key, options
        )
        running = AsyncExchange(core, loop, exchange, self._ack_bytes)
        self._live[exchange] = running
        if not self._flushing:
            # One wake-up of the engine for all requests of this turn of the loop.
            self._flushing = True
            loop.call_soon(self._flush)
        return running

    def _flush(self) -> None:
        self._flushing = False
        self.core.flush()

    # --- without an event loop -------------------------------------------------------------------

    def start_thread(self) -> None:
        """Serves this gateway's exchanges from a thread of its own, for `submit_sync()`."""
        self._pumps = True
        self._thread = threading.Thread(target=self._pump, name="seekroute-pump", daemon=True)
        self._thread.start()
        _pumped[self] = os.getpid()

    def _pump(self) -> None:
        while not self._closed.is_set():
            if self._abandoned is not None:
                then, self._abandoned = self._abandoned, None
                self.close()
                then()
            elif self.core.wait(_WAIT_SECONDS):
                self._dispatch()

    def abandon(self, then: Callable[[], None]) -> None:
        """Closes a gateway that nobody can use any more, and calls `then`; returns at once.

        For a finalizer: takes no lock, since a garbage collection may begin inside any of them.
        """
        core = self.__dict__.get("core")
        if core is None or self._closed.is_set():
            return
        self._abandoned = then
        os.eventfd_write(core.fileno(), 1)  # the pump thread does it

    def submit_sync(
        self,
        surface: str,
        body: bytes,
        *,
        request_id: bytes | None = None,
        explain: int = EXPLAIN_NO,
    ) -> SyncExchange:
        """Starts an exchange served by the pump thread."""
        # The lock lets the pump see no event of an exchange that is not in the table yet.
        with self._submitting:
            if self._closed.is_set():
                raise APIConnectionError("the client is closed")
            exchange = self.core.submit(surface, body, None, request_id, IN_PROCESS, explain)
            running = SyncExchange(self.core, exchange)
            self._live[exchange] = running
        self.core.flush()
        return running

    def submit_for(self, sink: Sink, surface: str, body: bytes) -> int:
        """Queues an exchange whose events go to `sink`, on the pump thread; returns its id.

        Call `core.flush()` after a batch of them. The id is for `core.cancel()`. Raises
        APIConnectionError when the gateway is closed.
        """
        with self._submitting:
            if self._closed.is_set():
                raise APIConnectionError("the client is closed")
            exchange = self.core.submit(surface, body, None, None, IN_PROCESS)
            self._live[exchange] = sink
        return exchange

    # --- both ------------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether `close()` was called."""
        return self._closed.is_set()

    def on_record(self, callback: Callable[[Record], None]) -> None:
        """Calls `callback` with the record of every exchange that ends."""
        self._on_record.append(callback)

    def _dispatch(self) -> None:
        if self._thread is not None:
            with self._submitting:
                events = self.core.take_all()
        else:
            events = self.core.take_all()
        live = self._live
        for event in events:
            if event[3] is None:
                running = live.get(event[0])
            else:
                running = live.pop(event[0], None)
                for callback in self._on_record:
                    callback(event[3])
            if running is not None:
                running.push(event)

    def close(self) -> None:
        """Ends the engine threads; what still runs is cancelled or dropped. Idempotent."""
        with self._submitting:  # whoever is submitting comes into the table first
            self._closed.set()
        if "core" not in self.__dict__:
            return  # it is the parent's
        self.detach()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            os.eventfd_write(self.core.fileno(), 1)  # what the mailbox does for a reader
            thread.join()
            self._thread = None
            self._cancel_running()
        self.core.close()
        for exchange, running in list(self._live.items()):
            self._drop(exchange, running)
        self._live.clear()
        # These know the gateway: without the circle its descriptors go with its last user.
        self._on_record.clear()
        self._revive = None

    def _drop(self, exchange: int, sink: Sink) -> None:
        if not isinstance(sink, AsyncExchange):
            sink.drop()

    def _cancel_running(self) -> None:
        """Cancels every exchange and takes their ends, so that upstreams see it and costs count.

        Takes `_CLOSE_SECONDS` at most. Nobody else reads the mailbox by now.
        """
        for exchange in list(self._live):
            self.core.cancel(exchange)
        until = time.monotonic() + _CLOSE_SECONDS
        while self._live and time.monotonic() < until:
            if self.core.wait(_CLOSE_SECONDS / 20):
                self._dispatch()


# Gateways with a thread of their own, and the process they are in: a fork copies no threads.
_pumped: weakref.WeakKeyDictionary[Gateway, int] = weakref.WeakKeyDictionary()


@atexit.register
def _close_pumped() -> None:
    # A daemon thread that comes back from the core while Python ends would abort the process.
    for gateway, pid in list(_pumped.items()):
        if pid == os.getpid():
            gateway.close()
