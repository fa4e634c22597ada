"""The console's process as an ASGI application: who asks, from where, may it, and the answer."""

from __future__ import annotations

import hmac
import logging
import time
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, parse_qsl, urlsplit

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from seekroute.api.account import encode
from seekroute.api.call import RefusedError
from seekroute.console.access import authorize, is_fresh, person_of, program_of
from seekroute.console.call import Answer, Call, Caller
from seekroute.console.csrf import csrf_token, is_same_origin
from seekroute.console.desk import Desk
from seekroute.console.pages import Pages
from seekroute.console.routes import PAGES, Route, Who, find
from seekroute.console.throttle import Throttle, TooOftenError
from seekroute.control import ControlError, ControlPlane
from seekroute.control.audit import SERVER
from seekroute.error_table import row_of
from seekroute.file_names import LEDGER
from seekroute.ledger import Ledger

if TYPE_CHECKING:
    from seekroute.plan import ConsolePlan

__all__ = ["App", "create_app"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_log: Final = logging.getLogger("seekroute.console")

COOKIE: Final = "__Host-seekroute"
MOST_BODY: Final = 1 << 20
_MOST_PAIRS: Final = 20
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
_SAFE: Final = ("GET", "HEAD")
# Of an answer to a page or a program; those of the pages themselves are in `pages`.
_HEADERS: Final = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
# What handlers read of a request's headers.
_READ: Final = ("user-agent", "if-match")


class App:
    """The console. Made by `create_app`, or for a process by `seekroute.console.process`.

    Args:
        desk: what handlers answer from.
        pages: the built pages.
        clock: Unix seconds.
    """

    def __init__(self, desk: Desk, pages: Pages, *, clock: Callable[[], float] = time.time) -> None:
        self._desk = desk
        self._pages = pages
        self._clock = clock
        self._public = urlsplit(desk.plan.public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        if scope["type"] != "http":
            raise ValueError(f"unknown ASGI scope type {scope['type']!r}")
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        path = request.url.path
        try:
            place = Place.of(request, self._public)
            if not path.startswith(("/v1/", "/api/v1/")):
                self._check_host(place)
            if path.startswith("/api/") or path.startswith("/v1/"):
                return await self._api(request, place, path)
            return self._pages.answer(path, place.is_https)
        except TooOftenError as error:
            return _refused(error, {"retry-after": str(error.after_s)})
        except RefusedError as error:
            return _refused(error)
        except ControlError as error:
            _log.error("control.db: %s", error)
            return _refused(RefusedError("store_unavailable", "the data cannot be read; try again"))
        except Exception as error:
            # Not its text, which may hold what was sent.
            where = "".join(traceback.format_tb(error.__traceback__))
            _log.error("a request failed: %s\n%s", type(error).__name__, where)
            return _refused(RefusedError("internal_error", "the console failed; its log says why"))

    async def _api(self, request: Request, place: Place, path: str) -> Response:
        found = find(request.method, path)
        if isinstance(found, frozenset):
            if not found:
                raise RefusedError("not_found", "there is no such path")
            error = RefusedError(
                "method_not_allowed", f"this path takes {', '.join(sorted(found))}"
            )
            return _refused(error, {"allow": ", ".join(sorted(found))})
        route, params = found
        body = await _body(request) if request.method not in _SAFE else b""
        query = _query(request.url.query)
        call = Call(
            Caller(address=place.address),
            self._clock(),
            params=params,
            query=query,
            body=body,
            headers={name: request.headers.get(name, "") for name in _READ},
        )
        token = request.cookies.get(COOKIE, "") if path.startswith(PAGES) else ""
        if path.startswith(PAGES) and request.method not in _SAFE:
            _check_origin(request, place)
        csrf = request.headers.get("x-csrf-token", "")
        bearer = request.headers.get("authorization", "")

        def run() -> Answer:
            return self._run(route, call, token=token, csrf=csrf, bearer=bearer)

        answer = await anyio.to_thread.run_sync(run)
        return self._written(answer, place)

    def _run(self, route: Route, call: Call, *, token: str, csrf: str, bearer: str) -> Answer:
        """Finds out who asks, whether it may, and asks the handler. In a thread."""
        desk = self._desk
        if route.who is Who.PROGRAM:
            caller = program_of(desk, bearer, call.caller.address, call.now)
        else:
            caller = person_of(desk, token, call.caller.address)
            if caller.user is not None:
                own = csrf_token(desk.control.pepper, token)
                if route.method not in _SAFE and not hmac.compare_digest(
                    csrf.encode(), own.encode()
                ):
                    raise RefusedError("csrf_failed", "the page is of another session: reload it")
                call = replace(call, csrf=own)
        call = authorize(route, replace(call, caller=caller), desk)
        if route.fresh and not is_fresh(call):
            raise RefusedError(
                "reauthentication_required", "give your password once more, then repeat it"
            )
        return route.run(call, desk)

    def _written(self, answer: Answer, place: Place) -> Response:
        value = answer.value
        body = b"" if value is None else value if isinstance(value, bytes) else encode(value)
        response = Response(body, answer.status, {**_HEADERS, **dict(answer.headers)})
        if answer.value is not None:
            response.headers["content-type"] = "application/json"
        if place.is_https:
            response.headers["strict-transport-security"] = "max-age=31536000"
        if answer.cookie is not None:
            if not place.keeps_cookies:
                raise RefusedError(
                    "permission_denied",
                    "signing in over plain http works on this machine alone: put TLS in front, "
                    "and set console.public_url to the https address",
                )
            response.set_cookie(
                COOKIE,
                answer.cookie.token,
                max_age=answer.cookie.lasts_s,
                secure=True,
                httponly=True,
                samesite="strict",
            )
        return response

    def _check_host(self, place: Place) -> None:
        """Refuses names that lead here by accident or malice (DNS rebinding)."""
        if place.host not in (*_LOOPBACK, self._public.hostname):
            raise MisdirectedError


class MisdirectedError(RefusedError):
    """The request is for another host's name."""

    def __init__(self) -> None:
        super().__init__(
            "invalid_host",
            "this console is not known by that name: open it as localhost, or set "
            "console.public_url",
        )


class Place:
    """From where a request came, and by what name it found us.

    Behind the gateway (a unix socket) that is what the gateway says; else what the connection is.
    By the name of `console.public_url` a browser has come as that says: whoever ends TLS in front
    of us passes plain http on.
    """

    __slots__ = ("address", "host", "is_https", "origin")

    def __init__(self, address: str, host: str, scheme: str) -> None:
        self.address = address
        self.is_https = scheme == "https"
        self.origin = f"{scheme}://{host}"
        name = urlsplit(f"//{host}").hostname
        self.host = (name or "").rstrip(".").lower()

    @classmethod
    def of(cls, request: Request, public: SplitResult) -> Place:
        """Of a request. Raises MisdirectedError where its host is none."""
        headers = request.headers
        client = request.scope.get("client")
        host = headers.get("host", "")
        if client is None or not client[0]:  # over the socket that the gateway alone can open
            address = headers.get("x-seekroute-client", "")
            scheme = headers.get("x-seekroute-scheme", "http")
        else:
            address, scheme = client[0], request.scope.get("scheme", "http")
        try:
            if public.hostname is not None and urlsplit(f"//{host}").hostname == public.hostname:
                scheme = public.scheme
            return cls(address, host, scheme)
        except ValueError:
            raise MisdirectedError from None

    @property
    def keeps_cookies(self) -> bool:
        """Whether a browser keeps a Secure cookie of ours."""
        return self.is_https or self.host in _LOOPBACK


def _check_origin(request: Request, place: Place) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise RefusedError("unsupported_media_type", "send JSON, as application/json")
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if not is_same_origin(site, origin, place.origin):
        raise RefusedError("csrf_failed", "only pages of the console may ask this")


async def _body(request: Request) -> bytes:
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > MOST_BODY:
            raise RefusedError("request_too_large", "the body is over 1 MiB")
    return bytes(found)


def _query(text: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_PAIRS)
    except ValueError:
        raise RefusedError("invalid_value", f"expected at most {_MOST_PAIRS} parameters") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise RefusedError("invalid_value", f"{name} is given twice", name)
        found[name] = value
    return found


def _refused(error: RefusedError, headers: dict[str, str] | None = None) -> Response:
    row = row_of(error.code)
    status = 500 if row is None else 421 if isinstance(error, MisdirectedError) else row.status
    kind = "server_error" if row is None else row.type
    body = encode(
        {
            "error": {
                "message": error.message,
                "type": kind,
                "param": error.param or None,
                "code": error.code,
            }
        }
    )
    told = {**_HEADERS, "content-type": "application/json", **(headers or {})}
    return Response(body, status, told)


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


def create_app(plan: ConsolePlan) -> App:
    """Makes the console of a data directory as an ASGI application.

    Args:
        plan: of `seekroute.config.prepare(...).console`.

    Raises:
        ControlError: control.db cannot be used.
        LedgerError: the ledger cannot be read.
    """
    home = Path(plan.data_dir)
    control = ControlPlane(home, actor=SERVER)
    ledger = Ledger(home / LEDGER, read_only=True) if plan.ledger else None
    return App(Desk(control, ledger, plan, Throttle()), Pages.built())
