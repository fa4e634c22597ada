"""What headers say of one request that goes to a provider, beside its body."""

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from seekroute.gateway import EXPLAIN_NO, EXPLAIN_OPENROUTER, EXPLAIN_SEEKROUTE
from seekroute.server.answers import HttpCall, Refusal

# How a header says that it is on, and that it is off, in lower case.
_YES: Final = (b"1", b"true", b"enabled")
_NO: Final = (b"0", b"false", b"disabled")
_DAY_MS: Final = 86_400_000
_LONGEST_QUEUE_MS: Final = 60_000
_LONGEST_SESSION: Final = 256


class HeaderOptions(NamedTuple):
    """As the core takes them.

    Attributes:
        timeout_ms: how long the whole request may take; 0: as long as the gateway allows.
        queue_ms: how long it would wait for room in its limits; -1: not said.
        queue_progress: its stream may begin with comments while it waits.
        session_id: what requests share that should keep to one provider's prompt cache.
    """

    timeout_ms: int = 0
    queue_ms: int = -1
    queue_progress: bool = False
    session_id: bytes | None = None


def _milliseconds(name: bytes, value: bytes, least: int, most: int) -> int:
    if value.isdigit() and len(value) <= len(str(most)) and least <= int(value) <= most:
        return int(value)
    shown = name.decode()
    raise Refusal(
        "invalid_value", f"{shown}: expected milliseconds from {least} to {most}", param=shown
    )


def _switch(name: bytes, value: bytes) -> bool:
    value = value.lower()
    if value in _YES or value in _NO:
        return value in _YES
    shown = name.decode()
    raise Refusal(
        "invalid_value",
        f"{shown}: expected 1, true or enabled, or 0, false or disabled",
        param=shown,
    )


def _change(call: HttpCall, **changes: Any) -> None:
    call.options = (call.options or HeaderOptions())._replace(**changes)


def _timeout(call: HttpCall, name: bytes, value: bytes) -> None:
    _change(call, timeout_ms=_milliseconds(name, value, 1, _DAY_MS))


def _queue(call: HttpCall, name: bytes, value: bytes) -> None:
    _change(call, queue_ms=_milliseconds(name, value, 0, _LONGEST_QUEUE_MS))


def _progress(call: HttpCall, name: bytes, value: bytes) -> None:
    _change(call, queue_progress=_switch(name, value))


def _session(call: HttpCall, name: bytes, value: bytes) -> None:
    if not 0 < len(value) <= _LONGEST_SESSION:
        shown = name.decode()
        raise Refusal(
            "invalid_value", f"{shown}: expected 1 to {_LONGEST_SESSION} bytes", param=shown
        )
    _change(call, session_id=value)


def _explain(call: HttpCall, name: bytes, value: bytes) -> None:
    call.explain = EXPLAIN_SEEKROUTE if _switch(name, value) else EXPLAIN_NO


def _metadata(call: HttpCall, _: bytes, value: bytes) -> None:
    # OpenRouter's own: it refuses no value, so a client of its that sends another one is served.
    if value.lower() in _YES:
        call.explain = EXPLAIN_OPENROUTER


def _idempotency_key(call: HttpCall, _: bytes, value: bytes) -> None:
    if not value or call.idempotency_key is not None:
        raise Refusal(
            "idempotency_key_invalid",
            "send one Idempotency-Key of 1 to 255 printable ASCII characters",
        )
    call.idempotency_key = value


def _content_type(_call: HttpCall, _: bytes, value: bytes) -> None:
    media_type = value.partition(b";")[0].strip().lower()
    if media_type not in (b"application/json", b""):
        raise Refusal(
            "unsupported_media_type", "the body must be sent as Content-Type: application/json"
        )


def _content_encoding(_call: HttpCall, _: bytes, value: bytes) -> None:
    if value.lower() not in (b"", b"identity"):
        raise Refusal(
            "unsupported_content_encoding",
            "compressed bodies are not taken; send the body without Content-Encoding",
        )


READERS: Final[dict[bytes, Callable[[HttpCall, bytes, bytes], None]]] = {
    b"content-encoding": _content_encoding,
    b"content-type": _content_type,
    b"idempotency-key": _idempotency_key,
    b"x-openrouter-metadata": _metadata,
    b"x-seekroute-explain": _explain,
    b"x-seekroute-queue-ms": _queue,
    b"x-seekroute-queue-progress": _progress,
    b"x-seekroute-timeout-ms": _timeout,
    b"x-session-id": _session,
}
"""By the name of the header, in lower case, what it does to its request. Each raises Refusal."""
