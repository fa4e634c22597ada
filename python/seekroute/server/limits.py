"""Bounds and deadlines of the HTTP side, all of them settable."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a client may cost before it has been answered. Times are seconds, sizes bytes.

    Every deadline is absolute: a byte that trickles in does not extend it. The body's deadline
    grows by `body_s_per_mib` for each MiB that has arrived, which is a minimum rate.

    Example:
        Limits(header_s=0.2, max_connections=64)
    """

    first_byte_s: float = 10.0  # connection accepted -> first byte of a request
    fresh_s: float = 1.0  # after being accepted a connection need not give way to others, yet
    header_s: float = 10.0  # first byte -> blank line after the headers
    body_s: float = 30.0  # blank line -> last byte of the body, plus ...
    body_s_per_mib: float = 1.0  # ... this for each MiB that has arrived
    keep_alive_s: float = 15.0  # answer sent -> first byte of the next request
    write_s: float = 60.0  # a client that takes no byte for this long is aborted
    linger_s: float = 2.0  # without input, after the last answer; see closing.py
    linger_most_s: float = 10.0  # and with input, such as the rest of a refused body

    max_target_bytes: int = 8 * 1024
    max_header_bytes: int = 16 * 1024  # names, values and four bytes of punctuation each
    max_header_fields: int = 100
    max_trailer_bytes: int = 4 * 1024  # also the bound of one chunk extension
    max_pipelined: int = 8  # requests waiting for the one being answered
    max_connections: int = 10_000  # of this process; more are answered 503 and closed
    reserved_connections: int = 16  # above those, for /livez and its like alone
    max_idle_per_address: int = 1_024  # waiting for a request; one more ends the oldest
    max_strangers_per_address: int = 256  # in a request without a key so far; the same
    # Requests with a usable key whose body is not complete. Where connections are few, less: an
    # eighth, a quarter and a sixty-fourth of them; see unfinished.py.
    max_unfinished_per_key: int = 256
    max_unfinished_per_org: int = 512
    max_unfinished_unpaid: int = 16  # of an organization that has no credit
