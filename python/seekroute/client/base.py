"""What `Client` and `AsyncClient` share: settings, spend, and where their gateway is."""

from __future__ import annotations

import importlib
import os
import threading
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NoReturn, Self, TypeVar

from seekroute import forks
from seekroute.client import calls
from seekroute.client.batch.requests import refuse_table
from seekroute.client.request_fields import check_names
from seekroute.client.wires.backend import QUOTE_PATH
from seekroute.client.wires.retry import Tries, checked_max_retries, checked_timeout
from seekroute.errors import APIError
from seekroute.money import decimal_usd, nano_at_least
from seekroute.shown import Shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from seekroute.client.calls import Call, Head
    from seekroute.client.wires.backend import AsyncBackend, AsyncReply, Backend, Reply, Request
    from seekroute.gateway import Record

R = TypeVar("R")
_NOT_SERVED = {
    "responses": "ask with client.chat.completions.create() instead",
}


class Spend:
    """A running total of money. Thread-safe."""

    __slots__ = ("__weakref__", "_lock", "_nano")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nano = 0
        forks.watch(self)

    def after_fork(self) -> None:
        """A child counts on from here by itself."""
        self._lock = threading.Lock()

    def add(self, nano: int) -> None:
        """Adds nano-USD."""
        if nano:
            with self._lock:
                self._nano += nano

    def add_usd(self, usd: Decimal | None) -> None:
        """Adds USD, where known."""
        if usd:
            self.add(nano_at_least(usd))

    def reset(self) -> None:
        """Begins at zero."""
        with self._lock:
            self._nano = 0

    @property
    def total(self) -> Decimal:
        """USD."""
        return decimal_usd(self._nano)


class Closing:
    """Set by `close()`: whoever waits for the next try stops waiting. Thread-safe."""

    def __init__(self) -> None:
        self._event = threading.Event()
        forks.watch(self)

    def after_fork(self) -> None:
        """The event's own lock may be held by a thread of the parent."""
        before, self._event = self._event, threading.Event()
        if before.is_set():
            self._event.set()

    def set(self) -> None:
        self._event.set()

    def wait(self, seconds: float) -> bool:
        """Waits; whether it is set."""
        return self._event.wait(seconds)


class BaseClient(Shown):
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

    def __repr__(self) -> str:
        place = "in this process" if self._backend.records else "at a gateway elsewhere"
        return f"<seekroute.{type(self).__name__} {place}: {self.spend:f} USD spent>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a client cannot be sent to another process: make a client in each process, such as in "
            "the initializer of a pool"
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
        self, request: Request, reply: Reply | AsyncReply, body: bytes, tries: Tries
    ) -> APIError:
        self._cost(reply.headers, {}, None)  # a failure may have its price, too
        error = calls.refusal(reply.status, reply.headers, body, tries)
        return self._backend.told(error, request.body, reply.record)

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

    def _quoted(
        self,
        finish: Callable[[bytes, Head], R],
        prompt: str | Sequence[Any],
        model: str,
        system: str | None,
        fields: dict[str, Any],
        query: dict[str, Any] | None = None,
    ) -> Call[R]:
        """The call for a quote of one question, or of a conversation."""
        check_names(fields, "call", "estimate()" if finish is calls.quote else "route()")
        messages: list[Any]
        if isinstance(prompt, str):
            messages = calls.chat_messages(prompt, system)
        else:
            messages = list(prompt)
            if system is not None:
                messages.insert(0, {"role": "system", "content": system})
        extra = fields.pop("extra_body", None)
        body = calls.chat_body({"model": model, "messages": messages}, fields, extra)
        return calls.Call(QUOTE_PATH, finish, body, query=query)

    def count_tokens(
        self,
        text_or_messages: str | Sequence[Mapping[str, Any]],
        model: str | None = None,
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
    ) -> Any:
        """Counts tokens here, without a request; see `seekroute.client.tokens.count_tokens`.

        Args:
            text_or_messages: A text, or messages as `chat.completions.create` takes them.
            model: Whose tokens.
            tools: Tool definitions sent with the messages.

        Returns:
            A `TokenCount`: `tokens`, the bound `upper`, and the `method` of counting.
        """
        count = importlib.import_module("seekroute.client.tokens").count_tokens
        return count(text_or_messages, model, tools=tools)


def remote_address(
    base_url: str | None,
    api_key: str | None,
    config: str | Path | None,
    ledger: str | Path | None,
    settings: Mapping[str, Any],
) -> tuple[str, str | None] | None:
    """URL and key of a gateway elsewhere, or None for one in this process."""
    local = config is not None or ledger is not None or bool(settings)
    if base_url is None and not local:
        base_url = os.environ.get("SEEKROUTE_BASE_URL") or None
    if not base_url:  # "" asks for this process, whatever the environment says
        if api_key is not None:
            raise TypeError(
                "api_key is for a gateway at base_url; in process a provider's key goes in "
                'OPENAI_API_KEY or providers={"openai": {"api_key": ...}}'
            )
        return None
    if local:
        raise TypeError(
            "config, ledger and settings configure a gateway in this process; they cannot be "
            "combined with base_url"
        )
    return base_url, api_key or os.environ.get("SEEKROUTE_API_KEY") or None


def _is_messages(prompt: object) -> bool:
    first = prompt[0] if isinstance(prompt, list | tuple) and prompt else None
    return isinstance(first, dict) and "role" in first


def question(
    prompt: str | Sequence[Any], system: str | None, fields: Mapping[str, Any]
) -> list[dict[str, Any]]:
    if "messages" in fields or _is_messages(prompt):
        raise TypeError(
            "ask() takes one question; for messages use chat.completions.create(messages=...)"
        )
    if "stream" in fields:
        raise TypeError(
            "ask() takes no 'stream': it returns the whole answer; for a stream use "
            "chat.completions.stream(...)"
        )
    check_names(fields, "call", "ask()")
    refuse_table("prompt", prompt)
    return calls.chat_messages(prompt, system)
