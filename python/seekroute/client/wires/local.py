"""The gateway in this process."""

from __future__ import annotations

import asyncio
import math
import os
import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlencode

from seekroute.api import table, unknown
from seekroute.api.call import ApiAnswer, ApiCall, RefusedError, Sources, Viewer
from seekroute.api.dry_run import drawn_by
from seekroute.client.wires.backend import (
    AsyncBackend,
    AsyncReadyReply,
    AsyncReply,
    Backend,
    ReadyReply,
    Reply,
    Request,
    header_map,
)
from seekroute.client.wires.cost import counted_nano
from seekroute.client.wires.loops import LoopGateway
from seekroute.client.wires.own_words import OwnWords
from seekroute.client.wires.retry import DEFAULT_TIMEOUT
from seekroute.client.wires.setting_words import in_python, no_key
from seekroute.errors import (
    APIConnectionError,
    APIError,
    ConfigError,
    NotSupportedError,
    timed_out,
)
from seekroute.gateway import (
    EXPLAIN_NO,
    EXPLAIN_SEEKROUTE,
    IN_PROCESS,
    AsyncExchange,
    Gateway,
    SyncExchange,
)
from seekroute.local_org import LOCAL_ORG
from seekroute.opening import open_gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from seekroute.gateway import Record
    from seekroute.plan import Plan

# Bound of the settings of deadlines.
_LONGEST_SECONDS = 24 * 3600
# Of rows that only a gateway with API keys can answer: what is said instead, and what to do.
_NOT_HERE = {
    "feedback": (
        "a gateway in this process keeps no ratings",
        "give base_url= to rate what a running gateway has answered, or see seekroute.Router",
    ),
    "key": (
        "a gateway in this process has no API keys",
        "give base_url= to ask a running gateway about its key",
    ),
    "receipt": (
        "a gateway in this process signs no receipts",
        "see client.generation(id) for what a request cost",
    ),
}


def _match(request: Request) -> table.Match | None:
    """The row of a request, whose path stands below the base and is encoded."""
    sent = table.BASES[0] + request.path
    return table.find(unquote(sent), sent)


def _surface(request: Request, match: table.Match | None) -> str:
    """What a request that the core's engine answers is spoken in; empty: it does not."""
    if match is None or match.route.kind is not table.Kind.INFERENCE:
        return ""
    return match.route.surface if request.method in match.route.methods else ""


def _check_method(request: Request, route: table.ApiRoute) -> None:
    if request.method not in route.methods:
        path = table.BASES[0] + request.path
        raise RefusedError("method_not_allowed", f"{path} takes {route.allowed}")


class _Local:
    """A gateway in this process: how it is configured, and its answers that need no engine."""

    def __init__(
        self,
        kind: type[Gateway] | type[LoopGateway],
        config: str | Path | None,
        ledger: str | Path | None,
        settings: dict[str, Any],
        on_cost: Callable[[int], None],
        timeout: float,
    ) -> None:
        from seekroute.config import (
            catalog_of,
            key_sources,
            load_settings,
            mock_is_on,
            prepare,
            usable_providers,
        )

        environ = dict(os.environ)
        try:
            loaded = load_settings(config, overrides=settings)
        except ConfigError as error:
            raise ConfigError([in_python(each) for each in error.problems]) from None
        if loaded.mock == "auto" and "mock" not in settings:
            # A fake answer nobody asked for would be worse than none.
            loaded = loaded.model_copy(update={"mock": "off"})
        catalog = catalog_of(loaded)
        mocked = mock_is_on(loaded, catalog, environ)
        if not mocked and not usable_providers(loaded, catalog, environ):
            raise ConfigError([no_key()])

        def make() -> Plan:
            # Who runs the gateway is its customer here: nothing is hidden from them.
            plan = prepare(loaded, environ, ledger=ledger is not None, shows_cost=True)
            options = {**plan.options, "credits_local_org": LOCAL_ORG}
            if loaded.origin("timeouts.total_timeout_ms") == "default":
                options["total_timeout_ms"] = _total_ms(timeout, options["total_timeout_ms"])
            return replace(plan, options=options)

        plan = make()
        self.told = OwnWords(key_sources(loaded, catalog, environ), catalog.names, plan.unserved)
        self._viewer = Viewer(
            LOCAL_ORG,
            credit_line=None,
            shows_upstream_cost=True,
            model_ids=plan.profiles[0].model_ids,
        )
        file = None if ledger is None else Path(ledger)
        self._opened = open_gateway(plan, ledger=file, kind=kind)
        self._opened.revive_with(make)
        self.ledger = self._opened.ledger
        self.gateway = self._opened.gateway
        self.gateway.on_record(lambda record: on_cost(counted_nano(record)))

    def answer_here(
        self, request: Request, match: table.Match | None
    ) -> tuple[int, dict[str, str], bytes]:
        """The answer to a request that is not for the core's engine, as the server gives it."""
        offered = _request_id(request)
        core = self.gateway.core
        if match is not None and match.route.label in _NOT_HERE:
            message, hint = _NOT_HERE[match.route.label]
            raise NotSupportedError(message, hint=hint)
        try:
            if match is not None and match.route.kind is table.Kind.QUOTE:
                _check_method(request, match.route)
                drawn = drawn_by({name: str(value) for name, value in request.query.items()})
                status, headers, body = core.quote(
                    match.route.surface, request.body, None, offered, IN_PROCESS, *drawn
                )
                return status, header_map(headers), body
            answer = self._answer(request, match)
        except RefusedError as error:
            status, headers, body = core.write_error(
                error.code, error.message, error.param, offered, None, IN_PROCESS
            )
            return status, header_map(headers), body
        request_id = core.new_request_id(offered).decode("latin-1")
        made = {"content-type": "application/json", "x-request-id": request_id}
        return answer.status, made, answer.body

    def _answer(self, request: Request, match: table.Match | None) -> ApiAnswer:
        if match is None:
            raise RefusedError("not_found", unknown.in_process(request.method, request.path))
        _check_method(request, match.route)
        call = ApiCall(
            self._viewer,
            request.method,
            request.path,
            match.params,
            urlencode(request.query),
            request.body,
        )
        sources = Sources(
            self._opened.models, self.ledger, health=lambda: self.gateway.core.health()
        )
        return match.route.answer(call, sources)

    def close(self) -> None:
        """Lets go of the gateway, its ledger and its mock provider. Idempotent."""
        self._opened.close()


def _total_ms(timeout: float, default: int) -> int:
    """How long the gateway gives a call: the client waits as long itself, or gives up before."""
    if timeout <= DEFAULT_TIMEOUT:  # a minute above the gateway's default
        return default
    return math.ceil(min(timeout, _LONGEST_SECONDS) * 1000)


def _request_id(request: Request) -> bytes | None:
    for name, value in request.headers.items():
        if name.lower() == "x-request-id":
            return value.encode("latin-1", "replace")
    return None


def _explain(request: Request) -> int:
    asked = request.headers.get("x-seekroute-explain") == "1"
    return EXPLAIN_SEEKROUTE if asked else EXPLAIN_NO


def _close_when_dropped(backend: Backend | AsyncBackend, local: _Local) -> None:
    """Ends the gateway once no client, stream or SDK can ask `backend` any more."""
    ending = weakref.finalize(backend, local.gateway.abandon, local.close)
    ending.atexit = False  # gateways with threads are closed there by themselves


class LocalBackend(Backend):
    """A gateway in this process, for plain threads.

    Args:
        config: A configuration file; default: the one the server would find, if any.
        ledger: A file to which every exchange is booked; None: none is.
        settings: Its keys.
        on_cost: Called with the nano-USD of every exchange that ends, from another thread.
        timeout: The client's own: the gateway waits no shorter for a provider, unless told to.

    Raises:
        ConfigError: the configuration is wrong; lists every problem.
        LedgerError: the ledger cannot be opened.
    """

    records = True

    def __init__(
        self,
        config: str | Path | None,
        ledger: str | Path | None,
        settings: dict[str, Any],
        on_cost: Callable[[int], None],
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        self._local = _Local(Gateway, config, ledger, settings, on_cost, timeout)
        self.gateway = self._local.gateway
        self.ledger = self._local.ledger
        self.gateway.start_thread()
        _close_when_dropped(self, self._local)

    def told(self, error: APIError, body: bytes, record: Record | None) -> APIError:
        return self._local.told(error, body, record)

    def open(self, request: Request) -> Reply:
        match = _match(request)
        surface = _surface(request, match)
        if not surface:
            return ReadyReply(*self._local.answer_here(request, match))
        exchange = self.gateway.submit_sync(
            surface, request.body, request_id=_request_id(request), explain=_explain(request)
        )
        exchange.timeout = None if math.isinf(request.timeout) else request.timeout
        try:
            status, headers = exchange.head()
        except BaseException:
            exchange.cancel()
            raise
        return _LocalReply(self, exchange, status, header_map(headers))

    def close(self) -> None:
        self.gateway.close()
        self._local.close()


class _LocalReply:
    __slots__ = ("_backend", "_exchange", "headers", "status")

    def __init__(
        self,
        backend: LocalBackend,
        exchange: SyncExchange,
        status: int,
        headers: Mapping[str, str],
    ) -> None:
        self._backend = backend  # who reads a stream may have dropped the client
        self._exchange = exchange
        self.status = status
        self.headers = headers

    @property
    def record(self) -> Record | None:
        return self._exchange.record

    def next(self) -> bytes | None:
        return self._exchange.next()

    def read(self) -> bytes:
        body = self._exchange.read()
        if self._exchange.record is None:
            raise APIConnectionError("the client was closed while a request was running")
        return body

    def close(self) -> None:
        self._exchange.cancel()


class AsyncLocalBackend(AsyncBackend):
    """As `LocalBackend`, for asyncio: serves on the event loop that asks, whichever it is."""

    records = True

    def __init__(
        self,
        config: str | Path | None,
        ledger: str | Path | None,
        settings: dict[str, Any],
        on_cost: Callable[[int], None],
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        self._local = _Local(LoopGateway, config, ledger, settings, on_cost, timeout)
        self.ledger = self._local.ledger
        assert isinstance(self._local.gateway, LoopGateway)
        self.gateway: LoopGateway = self._local.gateway
        _close_when_dropped(self, self._local)

    def told(self, error: APIError, body: bytes, record: Record | None) -> APIError:
        return self._local.told(error, body, record)

    async def open(self, request: Request) -> AsyncReply:
        match = _match(request)
        surface = _surface(request, match)
        if not surface:
            answer = self._local.answer_here
            if match is not None and match.route.waits(request.query):
                return AsyncReadyReply(*await asyncio.to_thread(answer, request, match))
            return AsyncReadyReply(*answer(request, match))
        exchange = self.gateway.submit_here(
            surface, request.body, _request_id(request), _explain(request)
        )
        try:
            async with asyncio.timeout(_limit(request.timeout)):
                status, headers = await exchange.head()
        except TimeoutError:
            exchange.cancel()
            raise timed_out(request.timeout) from None
        except BaseException:
            exchange.cancel()
            raise
        if not headers:
            raise APIConnectionError("the request was cancelled")
        return _AsyncLocalReply(self, exchange, status, header_map(headers), request.timeout)

    async def aclose(self) -> None:
        self.gateway.leave()
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self.gateway.close()
        self._local.close()


def _limit(timeout: float) -> float | None:
    return None if math.isinf(timeout) else timeout


class _AsyncLocalReply:
    __slots__ = ("_backend", "_exchange", "_timeout", "headers", "status")

    def __init__(
        self,
        backend: AsyncLocalBackend,
        exchange: AsyncExchange,
        status: int,
        headers: Mapping[str, str],
        timeout: float,
    ) -> None:
        self._backend = backend  # who reads a stream may have dropped the client
        self._exchange = exchange
        self._timeout = timeout
        self.status = status
        self.headers = headers

    @property
    def record(self) -> Record | None:
        return self._exchange.record

    async def next(self) -> bytes | None:
        exchange = self._exchange
        try:
            async with asyncio.timeout(_limit(self._timeout)):
                part = await exchange.next()
        except TimeoutError:
            exchange.cancel()
            raise timed_out(self._timeout) from None
        except BaseException:
            exchange.cancel()
            raise
        if part and exchange.record is None:
            exchange.ack(len(part))
        return part

    async def read(self) -> bytes:
        parts = []
        while (part := await self.next()) is not None:
            parts.append(part)
        if self._exchange.record is None:
            raise APIConnectionError("the client was closed while a request was running")
        return b"".join(parts)

    async def aclose(self) -> None:
        self._exchange.cancel()

    def abandon(self) -> None:
        self._exchange.cancel()
