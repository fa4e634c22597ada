"""`Client` and `AsyncClient`: OpenAI's method tree over a gateway in this process or at a URL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Self, TypeVar

from seekroute.client import calls
from seekroute.client.account import AsyncClientAccount, ClientAccount
from seekroute.client.base import BaseClient, Closing, Spend, question, remote_address
from seekroute.client.calls import Call, Head
from seekroute.client.embeddings import Embeddings, EmbeddingsResponse
from seekroute.client.extras import (
    AsyncClientExtras,
    ClientExtras,
    metered,
    metered_async,
)
from seekroute.client.resources import Chat, Completions, Images, Models, Providers
from seekroute.client.results import (
    ChatCompletion,
    ImagesResponse,
    ModelPage,
    ProviderPage,
    Result,
)
from seekroute.client.spend.quotes import Quote, Routing
from seekroute.client.streams import AsyncChatStream, AsyncStreamContext, ChatStream, StreamContext
from seekroute.client.wires.local import AsyncLocalBackend, LocalBackend
from seekroute.client.wires.retry import DEFAULT_TIMEOUT, Tries
from seekroute.closable import Closable
from seekroute.errors import APIConnectionError, APIError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path
    from types import TracebackType

    from seekroute.client.wires.backend import AsyncBackend, AsyncReply, Backend, Reply

R = TypeVar("R")


class Client(ClientAccount, ClientExtras, BaseClient, Closable):
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
        ledger: A file to which the gateway in process books every call, made where it is missing:
            see `credits()`, `activity()` and the property `ledger`. Default: none is kept.
        settings: Its keys as keyword arguments (`default_model="openai/gpt-4o-mini"`,
            `providers={...}`; `mock="on"` lets a built-in provider answer, and nobody else is
            asked, whatever keys there are).

    Raises:
        ConfigError: with all problems of the configuration at once.
        LedgerError: the ledger is in use by another process, damaged, or none.
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
        timeout: float = DEFAULT_TIMEOUT,
        config: str | Path | None = None,
        ledger: str | Path | None = None,
        **settings: Any,
    ) -> None:
        self._set_up(max_retries, timeout)
        self._spend = Spend()
        self._closing = Closing()
        address = remote_address(base_url, api_key, config, ledger, settings)
        if address is None:
            self._backend: Backend = LocalBackend(
                config, ledger, settings, self._spend.add, self._timeout
            )
        else:
            from seekroute.client.wires.remote import RemoteBackend

            self._backend = RemoteBackend(*address)
        self._metered = metered(self._backend)
        self._build_tree()

    def _build_tree(self) -> None:
        completions: Completions[ChatCompletion, ChatStream, StreamContext] = Completions(
            self._perform, self._start, StreamContext
        )
        self.chat = Chat(completions)
        self.models: Models[ModelPage, Result] = Models(self._perform)
        self.providers: Providers[ProviderPage] = Providers(self._perform)
        self.images: Images[ImagesResponse] = Images(self._perform)
        self.embeddings: Embeddings[EmbeddingsResponse, Quote] = Embeddings(self._perform)

    def with_options(self, *, max_retries: int | None = None, timeout: float | None = None) -> Self:
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
            return call.result(body, Head(reply.headers, reply.record, tries, self._cost))

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
                reply = self._metered.open(request)
                try:
                    if reply.status == 200:
                        return accept(reply, tries)
                    body = reply.read()
                except BaseException:  # Ctrl-C, too
                    reply.close()
                    raise
            except APIConnectionError as error:
                failure: APIError = calls.broken(error, tries)
            else:
                failure = self._refusal(request, reply, body, tries)
            if self._closing.wait(tries.after(failure)):
                raise failure

    def ask(
        self,
        prompt: str | Sequence[Any] = "",
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
        messages = question(prompt, system, fields)
        answer: ChatCompletion = self.chat.completions.create(
            model=model, messages=messages, **fields
        )
        return answer

    __call__ = ask

    def estimate(
        self,
        prompt: str | Sequence[Any],
        model: str = "auto",
        system: str | None = None,
        **fields: Any,
    ) -> Quote:
        """Says what a chat completion would cost, without asking any provider.

        Args:
            prompt: The question, or a list of messages.
            model: Any spelling the catalog knows, or "auto".
            system: A system message before it.
            fields: As of `chat.completions.create`; `max_tokens` and `n` bound the cost.

        Example:
            quote = client.estimate("Why is the sky blue?", model="openai/gpt-4o-mini")
            print(quote.cost.expected, quote.cost.max)
        """
        return self._perform(self._quoted(calls.quote, prompt, model, system, fields))

    def route(
        self,
        prompt: str | Sequence[Any],
        model: str = "auto",
        system: str | None = None,
        *,
        seed: int | None = None,
        simulate: int = 0,
        **fields: Any,
    ) -> Routing:
        """Says how a chat completion would be routed, without asking any provider or paying.

        Args:
            prompt: The question, or a list of messages.
            model: Any spelling the catalog knows, or "auto".
            system: A system message before it.
            seed: What the order is drawn by, as an earlier route tells it; default: chance. It is
                not the `seed` of a request, which its provider gets and no draw looks at.
            simulate: How often to draw the order anew, at most 10,000 times, to tell in
                `simulated` how often each endpoint comes first.
            fields: As of `chat.completions.create`.

        Example:
            print(client.route("Why is the sky blue?", model="auto"))
        """
        query = calls.drawn_by(seed, simulate)
        return self._perform(self._quoted(calls.routing, prompt, model, system, fields, query))

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


class AsyncClient(AsyncClientAccount, AsyncClientExtras, BaseClient):
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
        timeout: float = DEFAULT_TIMEOUT,
        config: str | Path | None = None,
        ledger: str | Path | None = None,
        **settings: Any,
    ) -> None:
        self._set_up(max_retries, timeout)
        self._spend = Spend()
        address = remote_address(base_url, api_key, config, ledger, settings)
        if address is None:
            self._backend: AsyncBackend = AsyncLocalBackend(
                config, ledger, settings, self._spend.add, self._timeout
            )
        else:
            from seekroute.client.wires.remote import AsyncRemoteBackend

            self._backend = AsyncRemoteBackend(*address)
        self._metered = metered_async(self._backend)
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
        self.providers: Providers[Coroutine[Any, Any, ProviderPage]] = Providers(self._perform)
        self.images: Images[Coroutine[Any, Any, ImagesResponse]] = Images(self._perform)
        self.embeddings: Embeddings[
            Coroutine[Any, Any, EmbeddingsResponse], Coroutine[Any, Any, Quote]
        ] = Embeddings(self._perform)

    def with_options(self, *, max_retries: int | None = None, timeout: float | None = None) -> Self:
        """As `Client.with_options`."""
        other = object.__new__(type(self))
        other._become(self, max_retries, timeout)
        other._build_tree()
        return other

    # --- calls ------------------------------------------------------------------------------------

    async def _perform(self, call: Call[R]) -> R:
        async def read(reply: AsyncReply, tries: Tries) -> R:
            body = await reply.read()
            return call.result(body, Head(reply.headers, reply.record, tries, self._cost))

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
                reply = await self._metered.open(request)
                if reply.status == 200:
                    return await accept(reply, tries)
                body = await reply.read()
            except APIConnectionError as error:
                failure: APIError = calls.broken(error, tries)
            else:
                failure = self._refusal(request, reply, body, tries)
            await asyncio.sleep(tries.after(failure))

    async def ask(
        self,
        prompt: str | Sequence[Any] = "",
        model: str = "auto",
        system: str | None = None,
        **fields: Any,
    ) -> ChatCompletion:
        """As `Client.ask`."""
        messages = question(prompt, system, fields)
        answer: ChatCompletion = await self.chat.completions.create(
            model=model, messages=messages, **fields
        )
        return answer

    __call__ = ask

    async def estimate(
        self,
        prompt: str | Sequence[Any],
        model: str = "auto",
        system: str | None = None,
        **fields: Any,
    ) -> Quote:
        """As `Client.estimate`."""
        return await self._perform(self._quoted(calls.quote, prompt, model, system, fields))

    async def route(
        self,
        prompt: str | Sequence[Any],
        model: str = "auto",
        system: str | None = None,
        *,
        seed: int | None = None,
        simulate: int = 0,
        **fields: Any,
    ) -> Routing:
        """As `Client.route`."""
        query = calls.drawn_by(seed, simulate)
        return await self._perform(
            self._quoted(calls.routing, prompt, model, system, fields, query)
        )

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
