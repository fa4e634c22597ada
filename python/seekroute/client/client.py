"""`Client` and `AsyncClient`: OpenAI's method tree over a gateway in this process or at a URL."""

from __future__ import annotations

import asyncio
import importlib
import os
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from seekroute.client import calls
from seekroute.client.calls import Call, Head
from seekroute.client.extras import (
    AsyncClientExtras,
    ClientExtras,
    metered,
    metered_async,
)
from seekroute.client.local import AsyncLocalBackend, LocalBackend
from seekroute.client.resources import Chat, Completions, Images, Models
from seekroute.client.results import ChatCompletion, ImagesResponse, ModelPage, Result
from seekroute.client.retry import Tries, checked_max_retries, checked_timeout
from seekroute.client.streams import AsyncChatStream, AsyncStreamContext, ChatStream, StreamContext
from seekroute.errors import APIConnectionError, APIError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType

    from seekroute.client.backend import AsyncBackend, AsyncReply, Backend, Reply
    from seekroute.gateway import Record

R = TypeVar("R")

_NOT_SERVED = {
    "responses": "ask with client.chat.completions.create() instead",
    "embeddings": "ask a provider for embeddings directly",
}


class Spend:
    """A running total of money. Thread-safe."""

    __slots__ = ("_lock", "_nano")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nano = 0

    def add(self, nano: int) -> None:
        """Adds nano-USD."""
        if nano:
            with self._lock:
                self._nano += nano

    def add_usd(self, usd: Decimal | None) -> None:
        """Adds USD, where known."""
        if usd:
            self.add(int(usd.scaleb(9).to_integral_value(rounding="ROUND_CEILING")))

    def reset(self) -> None:
        """Begins at zero."""
        with self._lock:
            self._nano = 0

    @property
    def total(self) -> Decimal:
        """USD."""
        return calls.usd(self._nano)


class _BaseClient:
    """What the two clients share: their settings and their spend."""

    _max_retries: int
    _timeout: float
    _spend: Spend
    _backend: Backend | AsyncBackend

    def _set_up(self, max_retries: int, timeout: float) -> None:
        self._max_retries = checked_max_retries(max_retries)
        self._timeout = checked_timeout(timeout)

    def _become(self, other: Self, max_retries: int | None, timeout: float | None) -> None:
        self.__dict__.update(other.__dict__)
        self._set_up(
            other._max_retries if max_retries is None else max_retries,
            other._timeout if timeout is None else timeout,
        )

    if not TYPE_CHECKING:  # a type checker would take any name for an attribute

        def __getattr__(self, name: str) -> NoReturn:
            instead = _NOT_SERVED.get(name)
            if instead is not None:
                raise AttributeError(f"client.{name}: the gateway does not serve it; {instead}")
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _cost(
        self, headers: Mapping[str, str], data: Mapping[str, Any], record: Record | None
    ) -> Decimal | None:
        """The cost of an answer, which is added to the spend where no record does that."""
        cost = calls.cost_of(headers, data, record)
        if not self._backend.records:
            self._spend.add_usd(cost)
        return cost

    def _refusal(
        self, status: int, headers: Mapping[str, str], body: bytes, tries: Tries
    ) -> APIError:
        self._cost(headers, {}, None)  # a failure may have its price, too
        return calls.refusal(status, headers, body, tries)

    @property
    def max_retries(self) -> int:
        """How often a failed call is tried again."""
        return self._max_retries

    @property
    def timeout(self) -> float:
        """Seconds of silence that end a wait."""
        return self._timeout

    @property
    def spend(self) -> Decimal:
        """What all calls have cost so far in USD, those that failed or were cancelled included.

        In process this is exact, and up to date when a call returns. Of a remote gateway it is the
        sum of what the answers said. Clients made by `with_options` share it.
        """
        return self._spend.total

    def reset_spend(self) -> None:
        """Lets `spend` begin at zero."""
        self._spend.reset()

    def count_tokens(self, text_or_messages: Any, model: str | None = None) -> int:
        """Counts tokens here, without asking anybody; see `seekroute.client.tokens`."""
        count = importlib.import_module("seekroute.client.tokens").count_tokens
        tokens: int = count(text_or_messages, model)
        return tokens


def _remote_address(
    base_url: str | None,
    api_key: str | None,
    config: str | Path | None,
    settings: Mapping[str, Any],
) -> tuple[str, str | None] | None:
    """URL and key of a gateway elsewhere, or None for one in this process."""
    local = config is not None or bool(settings)
    if base_url is None and not local:
        base_url = os.environ.get("SEEKROUTE_BASE_URL") or None
    if not base_url:  # "" asks for this process, whatever the environment says
        if api_key is not None:
            raise TypeError("api_key is for a gateway at base_url; in process there are no keys")
        return None
    if local:
        raise TypeError(
            "base_url asks a gateway that runs elsewhere: config and settings are its own"
        )
    return base_url, api_key or os.environ.get("SEEKROUTE_API_KEY") or None


class Client(ClientExtras, _BaseClient):
    """A gateway: in this process, without a server, or at `base_url`.

    In process, providers whose key is in the environment (`OPENAI_API_KEY`, `DEEPSEEK_API_KEY`,
    ...) are on.

    Args:
        base_url: URL of a running gateway, `/v1` included. Default: `SEEKROUTE_BASE_URL` where
            that is set and neither `config` nor `settings` are given; else in process. "" is in
            process in any case.
        api_key: A key of that gateway. Default: `SEEKROUTE_API_KEY`.
        max_retries: How often a call is tried again, 0 to 100, after a connection that failed and
            after status 408, 409, 429 and 5xx; never once a stream has begun.
        timeout: Seconds of silence that end a wait for an answer, or for its next piece.
        config: A `seekroute.yaml` for the gateway in process (default: the one the server would
            find, if any).
        settings: Its keys as keyword arguments (`default_model="openai/gpt-4o-mini"`,
            `providers={...}`, `mock="on"` for a built-in provider that needs no key).

    Raises:
        ConfigError: with all problems of the configuration at once.
        ValueError: `max_retries` or `timeout` is out of bounds.
        TypeError: arguments for both ways were given.

    A context manager; thread-safe.

    Example:
        with seekroute.Client(mock="on") as client:
            for piece in client.chat.completions.create(
                model="auto", messages=[{"role": "user", "content": "Hi"}], stream=True
            ).texts():
                print(piece, end="")
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        max_retries: int = 2,
        timeout: float = 600.0,
        config: str | Path | None = None,
        **settings: Any,
    ) -> None:
        self._set_up(max_retries, timeout)
        self._spend = Spend()
        # Set by close(): whoever waits for the next try stops waiting.
        self._closing = threading.Event()
        address = _remote_address(base_url, api_key, config, settings)
        if address is None:
            backend: Backend = LocalBackend(config, settings, self._spend.add)
        else:
            from seekroute.client.remote import RemoteBackend

            backend = RemoteBackend(*address)
        self._backend = metered(backend)
        self._build_tree()

    def _build_tree(self) -> None:
        completions: Completions[ChatCompletion, ChatStream, StreamContext] = Completions(
            self._perform, self._start, StreamContext
        )
        self.chat = Chat(completions)
        self.models: Models[ModelPage, Result] = Models(self._perform)
        self.images: Images[ImagesResponse] = Images(self._perform)

    def with_options(
        self, *, max_retries: int | None = None, timeout: float | None = None
    ) -> Client:
        """A client with other options over the same gateway; closing one closes both.

        Example:
            client.with_options(max_retries=0, timeout=10).ask("Quick!")
        """
        other = object.__new__(type(self))
        other._become(self, max_retries, timeout)
        other._build_tree()
        return other

    # --- calls ------------------------------------------------------------------------------------

    def _perform(self, call: Call[R]) -> R:
        def read(reply: Reply, tries: Tries) -> R:
            body = reply.read()
            return call.finish(body, Head(reply.headers, reply.record, tries, self._cost))

        return self._try(call, read)

    def _start(self, call: Call[Any]) -> ChatStream:
        def begin(reply: Reply, tries: Tries) -> ChatStream:
            tries.count(reply.headers)
            return ChatStream(reply, tries, self._cost)

        return self._try(call, begin)

    def _try(self, call: Call[Any], accept: Callable[[Reply, Tries], R]) -> R:
        request = call.request(self._timeout)
        tries = Tries(self._max_retries)
        while True:
            try:
                reply = self._backend.open(request)
                if reply.status == 200:
                    return accept(reply, tries)
                body = reply.read()
            except APIConnectionError as error:
                failure: APIError = calls.broken(error, tries)
            else:
                failure = self._refusal(reply.status, reply.headers, body, tries)
            if self._closing.wait(tries.after(failure)):
                raise failure

    def ask(
        self,
        prompt: str | Sequence[Any],
        model: str = "auto",
        system: str | None = None,
        **fields: Any,
    ) -> ChatCompletion:
        """Asks one question and returns the whole answer; `client(prompt)` is the same.

        Args:
            prompt: The question, or a list of content parts.
            model: Any spelling the catalog knows, or "auto".
            system: The system message.
            fields: As of `chat.completions.create`.

        Example:
            print(client.ask("What is the capital of France?").text)
        """
        messages = _question(prompt, system, fields)
        answer: ChatCompletion = self.chat.completions.create(
            model=model, messages=messages, **fields
        )
        return answer

    __call__ = ask

    def key(self) -> Result:
        """What the key of this client is: `GET /v1/key` of a remote gateway.

        Raises:
            NotSupportedError: the gateway is in this process, where there are no keys.
        """
        return self._perform(Call("/key", calls.result, method="GET"))

    def close(self) -> None:
        """Ends the client; running requests are dropped. Idempotent."""
        self._closing.set()
        self._backend.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class AsyncClient(AsyncClientExtras, _BaseClient):
    """As `Client`, for asyncio: the same arguments, methods, results and errors.

    Usable from any event loop, from several one after another, and from several at once. In
    process, requests are served on the loop that makes them. Cancelling a task that waits for an
    answer cancels its upstream request.

    Example:
        async with seekroute.AsyncClient(mock="on") as client:
            answer = await client.ask("Hello!")
            async with client.chat.completions.stream(
                model="auto", messages=[{"role": "user", "content": "Hi"}]
            ) as stream:
                async for piece in stream.texts():
                    print(piece, end="")
    """

    def __init__(
        self,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        max_retries: int = 2,
        timeout: float = 600.0,
        config: str | Path | None = None,
        **settings: Any,
    ) -> None:
        self._set_up(max_retries, timeout)
        self._spend = Spend()
        address = _remote_address(base_url, api_key, config, settings)
        if address is None:
            backend: AsyncBackend = AsyncLocalBackend(config, settings, self._spend.add)
        else:
            from seekroute.client.remote import AsyncRemoteBackend

            backend = AsyncRemoteBackend(*address)
        self._backend = metered_async(backend)
        self._build_tree()

    def _build_tree(self) -> None:
        completions: Completions[
            Coroutine[Any, Any, ChatCompletion],
            Coroutine[Any, Any, AsyncChatStream],
            AsyncStreamContext,
        ] = Completions(self._perform, self._start, AsyncStreamContext)
        self.chat = Chat(completions)
        self.models: Models[Coroutine[Any, Any, ModelPage], Coroutine[Any, Any, Result]] = Models(
            self._perform
        )
        self.images: Images[Coroutine[Any, Any, ImagesResponse]] = Images(self._perform)

    def with_options(
        self, *, max_retries: int | None = None, timeout: float | None = None
    ) -> AsyncClient:
        """As `Client.with_options`."""
        other = object.__new__(type(self))
        other._become(self, max_retries, timeout)
        other._build_tree()
        return other

    # --- calls ------------------------------------------------------------------------------------

    async def _perform(self, call: Call[R]) -> R:
        async def read(reply: AsyncReply, tries: Tries) -> R:
            body = await reply.read()
            return call.finish(body, Head(reply.headers, reply.record, tries, self._cost))

        return await self._try(call, read)

    async def _start(self, call: Call[Any]) -> AsyncChatStream:
        async def begin(reply: AsyncReply, tries: Tries) -> AsyncChatStream:
            tries.count(reply.headers)
            return AsyncChatStream(reply, tries, self._cost)

        return await self._try(call, begin)

    async def _try(
        self, call: Call[Any], accept: Callable[[AsyncReply, Tries], Coroutine[Any, Any, R]]
    ) -> R:
        request = call.request(self._timeout)
        tries = Tries(self._max_retries)
        while True:
            try:
                reply = await self._backend.open(request)
                if reply.status == 200:
                    return await accept(reply, tries)
                body = await reply.read()
            except APIConnectionError as error:
                failure: APIError = calls.broken(error, tries)
            else:
                failure = self._refusal(reply.status, reply.headers, body, tries)
            await asyncio.sleep(tries.after(failure))

    async def ask(
        self,
        prompt: str | Sequence[Any],
        model: str = "auto",
        system: str | None = None,
        **fields: Any,
    ) -> ChatCompletion:
        """As `Client.ask`."""
        messages = _question(prompt, system, fields)
        answer: ChatCompletion = await self.chat.completions.create(
            model=model, messages=messages, **fields
        )
        return answer

    __call__ = ask

    async def key(self) -> Result:
        """As `Client.key`."""
        return await self._perform(Call("/key", calls.result, method="GET"))

    async def close(self) -> None:
        """Ends the client; running requests are dropped. Idempotent."""
        await self._backend.aclose()

    aclose = close

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


def _question(
    prompt: str | Sequence[Any], system: str | None, fields: Mapping[str, Any]
) -> list[dict[str, Any]]:
    for name in ("stream", "messages"):
        if name in fields:
            raise TypeError(
                f"ask() takes no {name!r}: it puts one question and returns the whole answer; "
                "see chat.completions"
            )
    return calls.chat_messages(prompt, system)
