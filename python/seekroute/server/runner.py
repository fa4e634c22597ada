"""`seekroute serve`: the gateway as a process."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Collection, Generator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import uvicorn

from seekroute.errors import SeekrouteError
from seekroute.gateway import return_large_blocks
from seekroute.server import logs
from seekroute.server.app import App
from seekroute.server.files import OpenFiles
from seekroute.server.first_key import tell_first_key, tell_setup_link
from seekroute.server.limits import Limits
from seekroute.server.listening import STOPPED, asked_anew, listen, load, refused, starting
from seekroute.server.protocol import HttpProtocol, protocol_class
from seekroute.server.reloading import has_terminal
from seekroute.server.service import MOCK_ANSWERS, Service
from seekroute.wording import number_of

if TYPE_CHECKING:
    from seekroute.config import Settings
    from seekroute.control.lost import Anew
    from seekroute.plan import Plan

_log: Final = logging.getLogger("seekroute.server")

# At the end of a shutdown, for last bytes on their way to slow clients: once for answers that were
# cut, and once more for connections to close.
_GRACE_S: Final = 2
_POLL_S: Final = 0.02
# Allocations between two looks of Python's cycle collector (its default: 700).
_GC_THRESHOLD: Final = 50_000


def serve(
    *,
    config: str | Path | None = None,
    data_dir: str | Path | None = None,
    host: str | None = None,
    port: int | None = None,
    profile: str | None = None,
    mock: str | None = None,
    log_level: str | None = None,
    log_format: str | None = None,
    new_ledger: bool = False,
    new_control: bool = False,
) -> int:
    """Runs the gateway until SIGTERM or SIGINT. Call it from the main thread.

    What is None comes from the configuration: file, `SEEKROUTE_*` variables, defaults.

    Args:
        config: path of the configuration file.
        data_dir: where keys and databases live; one process at a time.
        host: address to listen on.
        port: TCP port; 0 for any free one.
        profile: the profile of new keys and of callers without one.
        mock: "on", "off" or "auto" (on without any provider key).
        log_level: "debug", "info", "warning" or "error".
        log_format: "json" or "pretty".
        new_ledger: ledger.db is lost: begin a new one. Refused while it is there.
        new_control: control.db is lost, or lacks organizations that the ledger has money of: begin
            a new one, or go on with this one. Refused where nothing is lost.

    Returns:
        The process' exit code: 0 after a clean stop, 2 when the gateway could not start; the
        reason is then on stderr.

    Example:
        raise SystemExit(seekroute.server.serve(port=8000))
    """
    given = dict(locals())
    anew = asked_anew(given)
    try:
        with starting():
            settings = load(**given)
            listener = listen(settings)
    except SeekrouteError as error:
        return refused(error)
    return serve_plan(settings, listener, anew)


def serve_plan(
    settings: Settings | Plan, listener: socket.socket, anew: Collection[Anew] = ()
) -> int:
    """Serves on an open listener, which is closed in the end. Returns the exit code.

    Args:
        settings: what `load_settings` returned, or a plan made of it.
        listener: from `listen()`.
        anew: lost databases that may be begun anew; a plan has its own.
    """
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(contextlib.closing(listener))
            with starting():
                files = _open_files(settings)
                limits = replace(Limits(), max_connections=files.connections(Limits()))
                service = Service(settings, limits=limits, anew=anew, console=True)
                del settings  # the service lets go of it, too
                stack.callback(service.close)
                service.open()
                return_large_blocks()
                first_key = service.create_first_key()
            _run(service, listener, first_key, files)
    except SeekrouteError as error:
        return refused(error)
    return STOPPED


class GatewayServer(uvicorn.Server):
    """uvicorn's server with our way of stopping.

    The first SIGTERM or SIGINT begins the shutdown: new requests get 503, running ones may finish.
    The second ends it. Either way everything is closed in order and the process exits 0.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        service: Service,
        on_started: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(config)
        self._service = service
        self._on_started = on_started
        self._has_terminal = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Starts serving; signals are handled from here on."""
        await super().startup(sockets)
        if self.started and self._on_started is not None:
            self._on_started()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Handles the signals while serving; unlike uvicorn's, does not raise them again."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        wanted = {signal.SIGTERM: self.handle_exit, signal.SIGINT: self.handle_exit}
        wanted[signal.SIGHUP] = self.handle_hangup
        # Under nohup a terminal that is gone ends nothing.
        ends = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN
        self._has_terminal = ends and has_terminal()
        before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})  # see handover.py
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: object) -> None:
        """The first signal begins the shutdown, the second ends it."""
        if self._service.shutting_down:
            self.force_exit = True
        self._service.shutting_down = True
        self.should_exit = True

    def handle_hangup(self, sig: int, frame: object) -> None:
        """Reloads the configuration. Where the terminal itself is gone, stops: so it ever was."""
        if self._has_terminal and not has_terminal():
            self.handle_exit(sig, frame)
        else:
            self._service.reloads.ask()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Lets running requests end, then closes listeners and connections."""
        service = self._service
        service.begin_shutdown()
        loop = asyncio.get_running_loop()
        patience = service.server.shutdown_seconds
        deadline = loop.time() + patience
        if owed := self._owes():
            _log.info(
                "stopping: waiting for %s, at most %g s; the next signal ends at once",
                number_of(owed, "request"),
                patience,
            )
        # The listeners stay open meanwhile: a 503 with Retry-After says more than a refusal.
        while self._owes() and not self.force_exit and loop.time() < deadline:
            await asyncio.sleep(_POLL_S)
        await self._end_answers(loop)
        await super().shutdown(sockets)
        if self.force_exit:
            await self.lifespan.shutdown()  # which uvicorn skips then

    def _connections(self) -> list[HttpProtocol]:
        open_ones: set[Any] = self.server_state.connections
        return [each for each in open_ones if isinstance(each, HttpProtocol)]

    def _owes(self) -> int:
        """How many answers are not complete, or not delivered."""
        delivering = sum(bool(each.undelivered()) for each in self._connections())
        return len(self.server_state.tasks) + delivering

    async def _end_answers(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tells whoever still waits, gives the last bytes time to get out, and cuts the rest."""
        service = self._service
        connections = self._connections()
        service.end_answers()
        for connection in connections:
            connection.refuse_unfinished()
            connection.shutdown()  # after the answer that it owes
        until = loop.time() + _GRACE_S
        while loop.time() < until and any(not each.closed for each in connections):
            await asyncio.sleep(_POLL_S)
        for connection in connections:
            for answer in connection.cut():
                service.undelivered.add(answer)


def make_server(service: Service, on_started: Callable[[], None] | None = None) -> GatewayServer:
    """Makes the server of an opened service: uvicorn with our protocol, without its logging."""
    config = uvicorn.Config(
        App(service),
        # uvicorn gives it to asyncio, which takes buffered protocols too.
        http=protocol_class(service.limits, service.refuse, service.connections),  # type: ignore[arg-type]
        ws="none",
        loop="none",
        interface="asgi3",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=True,
        timeout_graceful_shutdown=_GRACE_S,
    )
    return GatewayServer(config, service, on_started)


def run_loop(server: GatewayServer, listener: socket.socket) -> None:
    """Serves until the server is told to stop, on uvloop where there is one."""
    factory: Any = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(server.serve(sockets=[listener]))


def _run(
    service: Service, listener: socket.socket, first_key: str | None, files: OpenFiles
) -> None:
    settings = service.server
    writer = logs.LineWriter(_stderr())
    service.log_writer = writer
    log = logs.configure(writer, settings.log_format, settings.log_level)
    level = getattr(logging, settings.log_level.upper())
    request_log = logs.RequestLog(writer, settings.log_format, enabled=level <= logging.INFO)
    service.gateway.on_record(request_log.record)

    def started() -> None:
        # What exists by now stays: the garbage collector need not walk it again and again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_GC_THRESHOLD)
        address = _url(listener)
        if first_key is not None:
            tell_first_key(service, address, first_key, log)
        log.info(
            "listening",
            url=address,
            profile=service.default_profile.name,
            data_dir=str(Path(service.data_dir).resolve()),
            mock=bool(service.mock_url),
        )
        if service.mocked:
            log.warning(f"{MOCK_ANSWERS}; who has paid is charged nothing for it")
        for warning in service.warnings:
            log.warning(warning)
        if files.shortage:
            # A default that cannot be had is only told: nobody has asked for so many.
            tell = log.warning if files.meant else log.info
            tell("fewer requests fit at once, as too few files may be open", **files.shortage)
        tell_setup_link(service, address, log)
        asyncio.get_running_loop().set_exception_handler(files.handler())

    try:
        run_loop(make_server(service, started), listener)
        request_log.flush()
        log.info("stopped")
    finally:
        writer.close()


def _stderr() -> int:
    """The standard error; nowhere, for a program that was started without one."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        return sys.stderr.fileno()
    return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)


def _open_files(settings: Settings | Plan) -> OpenFiles:
    options = getattr(settings, "options", None)  # a plan's
    if options is not None:
        plan = cast("Plan", settings)
        return OpenFiles.raised(options["max_active"], meant=plan.max_active_meant)
    whole = cast("Settings", settings)
    meant = whole.origin("limits.max_active") != "default"
    return OpenFiles.raised(whole.limits.max_active, meant=meant)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
