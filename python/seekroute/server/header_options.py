"""Headers by which a client asks for something of one request, beside its body."""

from collections.abc import Callable
from typing import Final, NamedTuple

from seekroute.server.answers import Refusal

YES: Final = (b"1", b"true", b"enabled")
"""How a header says that it is on, in lower case."""

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


def _timeout(options: HeaderOptions, name: bytes, value: bytes) -> HeaderOptions:
    return options._replace(timeout_ms=_milliseconds(name, value, 1, _DAY_MS))


def _queue(options: HeaderOptions, name: bytes, value: bytes) -> HeaderOptions:
    return options._replace(queue_ms=_milliseconds(name, value, 0, _LONGEST_QUEUE_MS))


def _progress(options: HeaderOptions, _: bytes, value: bytes) -> HeaderOptions:
    return options._replace(queue_progress=value.lower() in YES)


def _session(options: HeaderOptions, name: bytes, value: bytes) -> HeaderOptions:
    if not 0 < len(value) <= _LONGEST_SESSION:
        shown = name.decode()
        raise Refusal(
            "invalid_value", f"{shown}: expected 1 to {_LONGEST_SESSION} bytes", param=shown
        )
    return options._replace(session_id=value)


READERS: Final[dict[bytes, Callable[[HeaderOptions, bytes, bytes], HeaderOptions]]] = {
    b"x-seekroute-timeout-ms": _timeout,
    b"x-seekroute-queue-ms": _queue,
    b"x-seekroute-queue-progress": _progress,
    b"x-session-id": _session,
}
"""By the name of the header, in lower case: the options with it taken in. Each raises Refusal."""
