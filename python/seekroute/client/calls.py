"""One call, without I/O: what is sent, and what its answer means. Both clients drive it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from seekroute.client.request_fields import culprit, plain
from seekroute.client.results import (
    ChatCompletion,
    ImagesResponse,
    ModelPage,
    ProviderPage,
    Result,
)
from seekroute.client.spend.quotes import Quote, Routing
from seekroute.client.wires.backend import CHAT_PATH, Request
from seekroute.client.wires.retry import Tries, checked_timeout
from seekroute.errors import APIError, error_for_status
from seekroute.money import decimal_usd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from seekroute.client.result import Beside
    from seekroute.gateway import Record

R = TypeVar("R")
# Answers tell how they were routed, for `ChatCompletion.routing`.
_EXPLAINED = {"x-seekroute-explain": "1"}
_SHOWN_BODY = 2000  # characters of an error body that is not JSON


def cost_of(
    headers: Mapping[str, str], data: Mapping[str, Any], record: Record | None
) -> Decimal | None:
    """The price of an answer: of its record, its header or its usage, in this order.

    Returns:
        USD; None where nobody says.
    """
    if record is not None:
        return decimal_usd(record.cost_nano)
    said = headers.get("x-seekroute-cost")
    if said is None:
        said = (data.get("usage") or {}).get("cost")
        if isinstance(said, bool) or not isinstance(said, int | float):
            return None
    # The shortest decimal that reads back as this float is what stood in the JSON.
    try:
        cost = Decimal(str(said))
    except ArithmeticError:
        return None
    if not cost.is_finite():
        return None
    return cost.normalize() if cost else Decimal(0)


class CostOf(Protocol):
    """The price of an answer; `cost_of`, or a function around it."""

    def __call__(
        self, headers: Mapping[str, str], data: Mapping[str, Any], record: Record | None
    ) -> Decimal | None: ...


@dataclass(frozen=True, slots=True)
class Head:
    """What is known of an answer besides its body."""

    headers: Mapping[str, str]
    record: Record | None
    tries: Tries
    cost_of: CostOf

    def beside(self, data: Mapping[str, Any]) -> Beside:
        """What an `Answer` with this JSON, which has just come whole, is given besides it."""
        return {
            "id": self.headers.get("x-generation-id", ""),
            "cost": self.cost_of(self.headers, data, self.record),
            "provider": self.headers.get("x-seekroute-provider", ""),
            "request_id": self.headers.get("x-request-id", ""),
            "latency": time.monotonic() - self.tries.started,
            "attempts": self.tries.count(self.headers),
        }


@dataclass(frozen=True, slots=True)
class Call(Generic[R]):
    """One call.

    Args:
        path: Below `/v1`.
        finish: Makes the result of a whole answer of status 200.
        body: JSON; empty for a GET.
        method: `POST` or `GET`.
        headers: Added to the request's own.
        query: Parameters of the URL.
        timeout: As in `Request`; None for the client's.
    """

    path: str
    finish: Callable[[bytes, Head], R]
    body: bytes = b""
    method: str = "POST"
    headers: Mapping[str, str] | None = None
    query: Mapping[str, Any] | None = None
    timeout: float | None = None

    def result(self, body: bytes, head: Head) -> R:
        """What `finish` makes of a whole answer of status 200.

        Raises:
            APIError: the body is not such an answer.
        """
        try:
            return self.finish(body, head)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise APIError(
                f"the answer to {self.method} {self.path} is not what a gateway gives",
                hint="check base_url: it ends with /v1",
                request_id=head.headers.get("x-request-id", ""),
                attempts=max(1, head.tries.attempts),
            ) from None

    def request(self, timeout: float) -> Request:
        """What to give a backend, with the client's `timeout`."""
        limit = timeout if self.timeout is None else checked_timeout(self.timeout)
        headers = self.headers or {}
        if self.path == CHAT_PATH:
            headers = {**_EXPLAINED, **headers}
        return Request(self.path, self.body, self.method, headers, self.query or {}, limit)


class Perform(Protocol):
    """How a client makes a call: at once, or as a coroutine."""

    def __call__(self, call: Call[Any]) -> Any: ...


def refusal(status: int, headers: Mapping[str, str], body: bytes, tries: Tries) -> APIError:
    """The exception for an answer that is not of status 200."""
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    error = found.get("error") if isinstance(found, dict) else None
    if not isinstance(error, dict):
        # Not from a gateway of ours: a proxy's page, or another server.
        shown = body[: 4 * _SHOWN_BODY].decode("utf-8", "replace")[:_SHOWN_BODY]
        error = {"message": f"HTTP status {status}, without an error object", "text": shown}
    return error_for_status(status, error, headers, attempts=tries.count(headers))


def broken(error: APIError, tries: Tries) -> APIError:
    """Adds to a connection's error how often it was tried."""
    tries.attempts += 1
    error.attempts = tries.attempts
    return error


def chat_completion(body: bytes, head: Head) -> ChatCompletion:
    """The result of a chat completion that was not streamed."""
    data = json.loads(body)
    return ChatCompletion(data, **head.beside(data))


def quote(body: bytes, head: Head) -> Quote:
    """The result of `estimate()`."""
    found = Quote(json.loads(body))
    assert found.cost.min >= 0  # a body of another shape has raised by now
    return found


def drawn_by(seed: int | None, simulate: int) -> dict[str, str]:
    """The parameters of the URL of a dry run."""
    asked = {"seed": seed, "simulate": simulate or None}
    return {name: str(value) for name, value in asked.items() if value is not None}


def routing(body: bytes, head: Head) -> Routing:
    """The result of `route()`."""
    return quote(body, head).routing


def images_response(body: bytes, head: Head) -> ImagesResponse:
    """The result of a generation of images, which is a chat to the gateway."""
    return ImagesResponse.of(chat_completion(body, head))


def model_page(body: bytes, head: Head) -> ModelPage:
    """The result of `models.list()`."""
    return ModelPage(json.loads(body))


def provider_page(body: bytes, head: Head) -> ProviderPage:
    """The result of `providers.list()`."""
    return ProviderPage(json.loads(body))


def inner(body: bytes, head: Head) -> Result:
    """The JSON object under `data`."""
    return Result(json.loads(body)["data"])


def result(body: bytes, head: Head) -> Result:
    """Any other JSON object."""
    return Result(json.loads(body))


def chat_body(
    fields: Mapping[str, Any], more: Mapping[str, Any], extra: Mapping[str, Any] | None
) -> bytes:
    """The body of a chat completion: fields that are None are left out, `extra` comes last."""
    body = {name: value for name, value in fields.items() if value is not None}
    body.update((name, value) for name, value in more.items() if value is not None)
    if extra:
        body.update(extra)
    try:
        return _encode(body).encode()
    except (TypeError, ValueError) as error:
        name = culprit(body, _encode) or "a field of the request"
        raise TypeError(f"{name}: cannot be written as JSON: {error}") from None


_encode = json.JSONEncoder(default=plain).encode


def url_query(named: Mapping[str, Any], extra: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Parameters of a URL: those that are None are left out, `extra` comes last."""
    found = {name: value for name, value in {**named, **(extra or {})}.items() if value is not None}
    return {name: _parameter(value) for name, value in found.items()} or None


def _parameter(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal | float):
        return format(Decimal(str(value)), "f")
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ",".join(map(_parameter, value))
    return str(value)


def chat_messages(prompt: str | Sequence[Any], system: str | None) -> list[dict[str, Any]]:
    """The messages of a single question."""
    if not prompt:
        raise ValueError("prompt: expected a text, or a list of content parts; it is empty")
    content = prompt if isinstance(prompt, str) else list(prompt)
    messages: list[dict[str, Any]] = [{"role": "user", "content": content}]
    if system is not None:
        messages.insert(0, {"role": "system", "content": system})
    return messages
