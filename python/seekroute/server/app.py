"""The ASGI application: routing, and the answers that do not come from the core."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote as quoted

from seekroute.api import table, unknown
from seekroute.api.call import RefusedError
from seekroute.server import answers, routes
from seekroute.server.answers import HttpCall, Refusal
from seekroute.server.chat import inference, quote
from seekroute.server.console import owns
from seekroute.server.cors import adding
from seekroute.server.first_start import FirstStart
from seekroute.server.service import Service

if TYPE_CHECKING:
    from seekroute.config import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


_INFERENCE: Final = table.Kind.INFERENCE


async def _answer_other(call: HttpCall, match: table.Match) -> None:
    kind = match.route.kind
    if kind is table.Kind.QUOTE:
        await quote(call, match.route.surface)
    elif kind is table.Kind.ANSWER:
        await routes.answer(call, match)
    else:
        await routes.HANDLERS[match.route.label](call)


class App:
    """The gateway as an ASGI 3 application. Made by `create_app`.

    Serves under any `root_path`, so that it can be mounted. Starts its service in the lifespan, or
    with the first request where the outer application does not run lifespans of mounted ones.
    """

    def __init__(self, service: Service) -> None:
        self.service: Final = service
        self.first_start: Final = FirstStart(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            if self.service.started or await self.first_start.succeeds():
                await self._http(scope, receive, send)
            else:
                await self.first_start.refuse(send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        elif kind == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})  # answers the handshake with 403
        else:
            raise ValueError(f"unknown ASGI scope type {kind!r}")

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        root: str = scope.get("root_path", "")
        if root:
            path = path.removeprefix(root)
        call = HttpCall(self.service, scope, receive, send, path)
        cors = self.service.cors
        if cors is not None:
            added = cors.headers(scope)
            if call.cycle is not None:
                call.cycle.add_headers(added)
            else:
                call.send = adding(added, send)
        try:
            raw: bytes = scope.get("raw_path") or b""
            sent = raw.decode("latin-1").removeprefix(quoted(root)) if b"%" in raw else ""
            console = self.service.console
            if console is not None and owns(path, call.authorization):
                await console.forward(call)
                return
            if console is not None and path == "/" and call.asks_for_a_page:
                await call.answer(302, [(b"location", b"/console/")], b"")
                return
            match = table.find(path, sent)
            if match is None:
                raise Refusal("not_found", unknown.over_http(call.method, path))
            route = match.route
            call.route = route.label
            allowed_by_cors = cors.preflight(scope, route.methods) if cors is not None else None
            if allowed_by_cors is not None:
                await call.answer(204, allowed_by_cors, b"")
                return
            if call.method not in route.methods:
                raise Refusal(
                    "method_not_allowed",
                    f"{path} takes {route.allowed}",
                    headers=((b"allow", route.allowed.encode("ascii")),),
                )
            if route.kind is _INFERENCE:
                await inference(call, route.surface)
            else:
                await _answer_other(call, match)
        except Refusal as refusal:
            await call.refuse(refusal)
        except RefusedError as error:
            await call.refuse(Refusal(error.code, error.message, param=error.param))

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.service.start()
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.service.stop()
        await send({"type": "lifespan.shutdown.complete"})


def create_app(
    settings: Settings | None = None,
    *,
    config: str | Path | None = None,
    data_dir: str | Path | None = None,
) -> App:
    """Makes the gateway as an ASGI application, to run on its own or to mount into another one.

    The data directory is locked and opened when the application starts, not here; where it is
    missing, it is made, and the log says so. Only one process, and one application in it, can use
    a data directory at a time. Where the gateway cannot start, its clients get 503, and the log
    has the reason.

    Args:
        settings: what `seekroute.config.load_settings` returned; then nothing else is given.
        config: path of a configuration file. Default: `seekroute.yaml` if there is one.
        data_dir: where keys and databases live.

    Raises:
        ConfigError: the configuration is wrong; lists every problem.

    Example:
        from fastapi import FastAPI
        import seekroute

        app = FastAPI()
        app.mount("/llm", seekroute.create_app(data_dir="seekroute-data"))
    """
    if settings is None:
        from seekroute.config import load_settings

        overrides = {} if data_dir is None else {"data_dir": str(data_dir)}
        settings = load_settings(config, overrides=overrides)
    elif config is not None or data_dir is not None:
        raise TypeError("give either settings, or config and data_dir")
    return App(Service(settings))


__all__ = ["App", "answers", "create_app"]
