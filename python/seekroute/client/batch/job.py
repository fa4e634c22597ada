"""One prompt on its way through a run, and how its answer is read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from seekroute.client.batch.outcome import Outcome
from seekroute.client.batch.schedule import Failure, ends_the_run
from seekroute.client.wires.cost import counted_nano
from seekroute.errors import APIConnectionError, APIError, error_for_status
from seekroute.money import nano_at_most

if TYPE_CHECKING:
    from seekroute.client.spend.budget import Hold
    from seekroute.client.spend.prices import Estimate
    from seekroute.gateway import Event, Headers, Record

_CANCELLED = 499


# As `Backend.told`.
Told = Callable[[APIError, bytes, "Record | None"], APIError]


class Lane(Protocol):
    """Where a run's requests go. `start` and `cancel` do not wait.

    Every started job comes back through its `arrive`, from any thread, also after `cancel`.
    """

    def start(self, job: Job) -> None: ...
    def flush(self) -> None:
        """Called after a batch of starts."""

    def cancel(self, job: Job) -> None: ...
    def close(self) -> None: ...


class Job:
    """One prompt from its start to its outcome. Takes its own events from the gateway."""

    __slots__ = (
        "arrive",
        "began",
        "body",
        "broken",
        "cost_nano",
        "digest",
        "estimate",
        "exchange",
        "gone",
        "headers",
        "holds",
        "index",
        "own_model",
        "parts",
        "record",
        "status",
        "took",
        "tries",
    )

    def __init__(
        self,
        index: int,
        body: bytes,
        digest: str,
        arrive: Callable[[Job], None],
        *,
        own_model: bool = False,
    ) -> None:
        self.index = index
        # Its prompt names a model: what is wrong with that is no other prompt's trouble.
        self.own_model = own_model
        self.body = body
        self.digest = digest
        self.arrive = arrive
        self.tries = 0
        self.began = 0.0
        self.cost_nano = 0
        self.holds: tuple[Hold, ...] = ()
        self.estimate: Estimate | None = None
        self.exchange = 0
        self.clear()

    def clear(self) -> None:
        """Forgets the last try."""
        self.status = 0
        self.headers: Headers | Mapping[str, str] = []
        self.parts: bytes | list[bytes] = b""
        self.record: Record | None = None
        self.broken: APIError | None = None
        self.took: float | None = None
        self.gone = False

    # --- what the gateway's mailbox brings -------------------------------------------------------

    def push(self, event: Event) -> None:
        """Takes one entry of a drained batch; an answer is usually one entry."""
        _, head, body, record = event
        if head is not None:
            self.status, self.headers = head
        if body:
            if not self.parts:
                self.parts = body
            elif isinstance(self.parts, bytes):
                self.parts = [self.parts, body]
            else:
                self.parts.append(body)
        if record is not None:
            self.record = record
            self.arrive(self)

    def drop(self) -> None:
        """Says that nothing will come: the client was closed."""
        self.broken = APIConnectionError("the client was closed while a request was running")
        self.arrive(self)

    # --- what it came to -------------------------------------------------------------------------

    @property
    def cancelled(self) -> bool:
        """Whether it ended without an answer because it was cancelled."""
        return self.gone or (self.record is not None and self.status in (0, _CANCELLED))

    def outcome(self, told: Told | None = None) -> tuple[Outcome, Failure | None]:
        """The outcome of this try, and how it failed if it did; `told` says errors anew."""
        body = self.parts if isinstance(self.parts, bytes) else b"".join(self.parts)
        outcome = Outcome(self.index)
        outcome.tries = self.tries
        if self.record is not None:
            _read_record(outcome, self.record)
        if self.took is not None:
            outcome.latency = self.took
        answered = self.status == 200 and (self.record is not None or self.broken is None)
        if answered:
            outcome.body = body
            if self.record is None:
                try:
                    _read_answer(outcome, body, self.headers)
                except (ValueError, TypeError, AttributeError):
                    answered = False
                    self.broken = APIConnectionError(
                        "the answer is not a JSON object", retryable=True
                    )
        elif self.record is None:  # a failure may have its price, too
            _read_cost(outcome, _named(self.headers).get("x-seekroute-cost"))
        self.cost_nano += outcome.cost_nano
        outcome.cost_nano = self.cost_nano
        if answered:
            return outcome, None
        if self.cancelled and self.broken is None:
            self.broken = APIConnectionError("the request was cancelled")
        error = self.broken or _error_of(self.status, body, self.headers)
        if told is not None:
            error = told(error, self.body, self.record)
        outcome.error = error
        outcome.body = b""
        ends = ends_the_run(error, own_model=self.own_model)
        return outcome, Failure(error.status_code or 0, error.retry_after, error.retryable, ends)


def _read_record(outcome: Outcome, record: Record) -> None:
    outcome.cost_nano = counted_nano(record)
    outcome.prompt_tokens = record.prompt_tokens
    outcome.completion_tokens = record.completion_tokens
    outcome.cached_tokens = record.cached_tokens
    outcome.reasoning_tokens = record.reasoning_tokens
    outcome.latency = record.total_ms / 1000
    outcome.model = record.model
    outcome.provider = record.provider
    outcome.request_id = record.request_id
    outcome.attempts = record.attempts


def _read_answer(outcome: Outcome, body: bytes, headers: Headers | Mapping[str, str]) -> None:
    """Reads a remote gateway's answer, which has no record."""
    named = _named(headers)
    answer = json.loads(body)
    usage = answer.get("usage") or {}
    _read_cost(outcome, named.get("x-seekroute-cost", usage.get("cost")))
    outcome.prompt_tokens = int(usage.get("prompt_tokens") or 0)
    outcome.completion_tokens = int(usage.get("completion_tokens") or 0)
    details = usage.get("prompt_tokens_details") or {}
    outcome.cached_tokens = int(details.get("cached_tokens") or 0)
    details = usage.get("completion_tokens_details") or {}
    outcome.reasoning_tokens = int(details.get("reasoning_tokens") or 0)
    outcome.model = str(answer.get("model") or "")
    outcome.provider = named.get("x-seekroute-provider") or str(answer.get("provider") or "")
    outcome.request_id = named.get("x-request-id", "")
    attempts = named.get("x-seekroute-attempts", "1")
    outcome.attempts = int(attempts) if attempts.isdecimal() else 1


def _read_cost(outcome: Outcome, said: object) -> None:
    """Takes over what a remote gateway says an answer, or a failure, has cost."""
    try:
        outcome.cost_nano = nano_at_most(str(said), "cost")
        outcome.priced = True
    except ValueError:
        outcome.priced = False


def _error_of(status: int, body: bytes, headers: Headers | Mapping[str, str]) -> APIError:
    try:
        error = json.loads(body)["error"]
        if not isinstance(error, dict):
            error = {"message": str(error)}
    except (ValueError, KeyError, TypeError):
        error = {"message": f"HTTP status {status} without an error object"}
    named = _named(headers)
    tries = named.get("x-seekroute-attempts", "1")
    return error_for_status(status, error, named, attempts=int(tries) if tries.isdecimal() else 1)


def _named(headers: Headers | Mapping[str, str]) -> Mapping[str, str]:
    if isinstance(headers, Mapping):
        return headers
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
