"""`Client`: routes in this process, over the same core as the server."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, overload

from seekroute.client.results import ChatCompletion, Result
from seekroute.errors import APIConnectionError, ConfigError, Problem, error_for_status
from seekroute.gateway import Gateway, SyncExchange

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from types import TracebackType

    from seekroute.testing import MockProvider

_NANO = Decimal("1e-9")


def _usd(nano: int) -> Decimal:
    return (Decimal(nano) * _NANO).normalize() if nano else Decimal(0)


def _raise(status: int, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
    error = json.loads(body)["error"]
    named = {name.decode(): value.decode() for name, value in headers}
    raise error_for_status(status, error, named)


class ChatStream:
    """A running answer: iterate it for chunks. Closing or dropping it cancels the request."""

    def __init__(self, exchange: SyncExchange) -> None:
        self._exchange = exchange
        self._text = ""
        self._done = False

    def __iter__(self) -> Iterator[Result]:
        return self

    def __next__(self) -> Result:
        while True:
            event, found, rest = self._text.partition("\n\n")
            if not found:
                self._read_more()
                continue
            self._text = rest
            data = event.rpartition("data: ")[2]  # a keep-alive comment may stand before it
            if data == "[DONE]":
                self._done = True
                self._exchange.read()
                raise StopIteration
            chunk = json.loads(data)
            if chunk.get("error"):
                self._done = True
                self._exchange.read()
                raise error_for_status(0, chunk["error"], {})
            return Result(chunk)

    def _read_more(self) -> None:
        if self._done:
            raise StopIteration
        part = self._exchange.next()
        if part is None:
            self._done = True
            raise APIConnectionError("the answer ended without its last event")
        # Events are whole JSON texts in UTF-8 cut at event ends by the core's own writer.
        self._text += part.decode()

    @property
    def cost(self) -> Decimal | None:
        """The exact price of the answer in USD, once the stream has been read; None before."""
        record = self._exchange.record
        return _usd(record.cost_nano) if self._done and record is not None else None

    def close(self) -> None:
        """Cancels the request when it still runs. Idempotent."""
        self._exchange.cancel()

    def __enter__(self) -> ChatStream:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()


class Completions:
    """`client.chat.completions`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    @overload
    def create(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        stream: Literal[False] | None = None,
        extra_body: dict[str, Any] | None = None,
        **fields: Any,
    ) -> ChatCompletion: ...

    @overload
    def create(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        stream: Literal[True],
        extra_body: dict[str, Any] | None = None,
        **fields: Any,
    ) -> ChatStream: ...

    def create(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        stream: bool | None = None,
        extra_body: dict[str, Any] | None = None,
        **fields: Any,
    ) -> ChatCompletion | ChatStream:
        """Asks for a chat completion.

        `model` is any spelling the catalog knows, or "auto"; `messages` and all other `fields` are
        OpenAI's and reach the provider as they are. Fields that are None are left out;
        `extra_body` is merged in last. With `stream=True` returns a `ChatStream`.

        Raises the errors of `seekroute.errors`, whose names are those of OpenAI's SDK.

            client = seekroute.Client()
            answer = client.chat.completions.create(
                model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "Hello!"}]
            )
            print(answer.choices[0].message.content, answer.cost)
        """
        body: dict[str, Any] = {"model": model, "messages": list(messages), "stream": stream}
        body.update(fields)
        body = {name: value for name, value in body.items() if value is not None}
        body.update(extra_body or {})
        exchange = self._gateway.submit_sync(json.dumps(body).encode())
        status, headers = exchange.head()
        if status != 200:
            _raise(status, exchange.read(), headers)
        if body.get("stream"):
            return ChatStream(exchange)
        data = json.loads(exchange.read())
        record = exchange.record
        assert record is not None  # read() returns after the end
        return ChatCompletion(
            data,
            cost=_usd(record.cost_nano),
            provider=record.provider,
            request_id=record.request_id,
        )


class Chat:
    """`client.chat`."""

    def __init__(self, gateway: Gateway) -> None:
        self.completions = Completions(gateway)


class Client:
    """The gateway in this process: no server, no API key of ours.

    Providers whose key is in the environment (`OPENAI_API_KEY`, `DEEPSEEK_API_KEY`, ...) are on.

    Parameters: `config` is a `seekroute.yaml` (default: the one the server would find, if any);
    `settings` are its keys as keyword arguments (`default_model="openai/gpt-4o-mini"`,
    `providers={...}`, `mock="on"` for a built-in provider that needs no key).

    Raises `ConfigError` with all problems of the configuration at once. A context manager;
    thread-safe.

        with seekroute.Client(mock="on") as client:
            for chunk in client.chat.completions.create(
                model="auto", messages=[{"role": "user", "content": "Hi"}], stream=True
            ):
                print(chunk.choices[0].delta.content or "", end="")
    """

    def __init__(self, *, config: str | Path | None = None, **settings: Any) -> None:
        from seekroute.config import (
            ModelList,
            build_options,
            build_snapshot,
            catalog_of,
            load_settings,
            mock_is_on,
            profiles_of,
            usable_providers,
        )

        self._mock: MockProvider | None = None
        # A fake answer nobody asked for would be worse than none: the mock is on only on request.
        settings.setdefault("mock", "off")
        loaded = load_settings(config, overrides=settings)
        catalog = catalog_of(loaded)
        mock_base_url = ""
        if mock_is_on(loaded, catalog, os.environ):
            from seekroute.testing import MockProvider

            self._mock = MockProvider()
            self._mock.start()
            mock_base_url = self._mock.base_url
        elif not usable_providers(loaded, catalog, os.environ):
            hint = "set OPENAI_API_KEY, DEEPSEEK_API_KEY, ...; or mock: on to try it without one"
            raise ConfigError([Problem("providers", "no provider has a key", hint)])
        # No key is ever checked in process; a pepper there must be all the same.
        options = build_options(loaded, os.urandom(32))
        profiles = profiles_of(loaded)
        snapshot = build_snapshot(
            loaded, catalog, profiles, os.environ, mock_base_url=mock_base_url
        )
        self._model_list = ModelList(catalog, snapshot)
        self._model_style = profiles[0].model_ids
        self._gateway = Gateway(options, snapshot)
        self._gateway.start_thread()
        self.chat = Chat(self._gateway)

    def close(self) -> None:
        """Ends the engine; running requests are dropped. Idempotent."""
        self._gateway.close()
        if self._mock is not None:
            self._mock.stop()
            self._mock = None

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
