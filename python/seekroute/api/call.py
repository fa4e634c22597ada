"""A question to a gateway and its answer, as values: whoever speaks HTTP, or not, translates."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from seekroute.error_table import row_of
from seekroute.ledger import LedgerError

if TYPE_CHECKING:
    from seekroute.api.models import ModelList
    from seekroute.ledger import Ledger

__all__ = [
    "ApiAnswer",
    "ApiCall",
    "Handler",
    "KeyBook",
    "Ratings",
    "RefusedError",
    "Sources",
    "Unrated",
    "Viewer",
]

_log: Final = logging.getLogger("seekroute.http")

_OFF: Final = (
    "this gateway keeps no ledger: credits.enabled is off, or Client() was given no ledger"
)


class RefusedError(Exception):
    """The question is not answered.

    Attributes:
        code: the wire's word; the core's table of errors has its HTTP status.
        message: what was wrong, where, and what to do.
        param: the parameter or field at fault.
    """

    def __init__(self, code: str, message: str, param: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who asks, and what it may see. Money is in nano-USD.

    Attributes:
        org: whose money is shown; nobody else's ever is. Empty: nobody's.
        credit_line: what the organization may owe; None: any amount.
        key: the id of the API key; empty where none was given.
        key_limit: what the key may spend in its window; None: any amount.
        limit_reset: when that window begins anew: `daily`, `weekly`, `monthly` or `never`.
        secret: the API key itself.
        shows_upstream_cost: whether the viewer may see what the provider charges.
        model_ids: how ids of models are spelled: the profile's `model_ids`.
        models: the key's allow-list; None allows every model.
        profile: the key's.
    """

    org: str
    credit_line: int | None = 0
    key: str = ""
    key_limit: int | None = None
    limit_reset: str | None = None
    secret: str = field(default="", repr=False)
    shows_upstream_cost: bool = False
    model_ids: Literal["full", "bare"] = "full"
    models: Sequence[str] | None = None
    profile: str = ""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """What is asked.

    Attributes:
        viewer: who asks.
        method: as HTTP has it.
        path: below the base URL, decoded.
        params: what stands in the path for the names of the route's pattern.
        query: what stands behind the question mark, encoded.
        body: of a POST.
        mount: what paths of the gateway begin with for the viewer, before the base.
        now: Unix seconds.
    """

    viewer: Viewer
    method: str = "GET"
    path: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    body: bytes = b""
    mount: str = ""
    now: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """An answer: JSON, as bytes. A refusal is a `RefusedError` instead."""

    body: bytes
    status: int = 200


class KeyBook(Protocol):
    """The API keys of a gateway: the keys of its `seekroute.control.ControlPlane`."""

    def info(self, key: str) -> dict[str, Any]: ...


class Unrated(Exception):
    """There is no such request to be rated."""


class Ratings(Protocol):
    """Where ratings go: the `Learning` of a server."""

    def rate(
        self, *, org: str, generation: str, score: float | None, category: str, comment: str
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Sources:
    """What answers are made from. As thread-safe as its parts, which all are.

    Attributes:
        models: the models that can be used now.
        ledger: None where the gateway keeps none.
        keys: None where the gateway has no API keys.
        pepper: the secret that receipts are signed with; empty where there are no keys.
        limits_of: what holds for a key, by its id and its profile: limits of requests and tokens.
        model_limits_of: likewise for single models, by the key's id: by the ids of the models.
        health: how the endpoints have been doing, as the core tells it.
        ratings: None where nothing is learned.
    """

    models: ModelList
    ledger: Ledger | None = None
    keys: KeyBook | None = None
    pepper: bytes = field(default=b"", repr=False)
    limits_of: Callable[[str, str], Mapping[str, int]] = lambda _key, _profile: {}
    model_limits_of: Callable[[str], Mapping[str, Mapping[str, int]]] = lambda _key: {}
    health: Callable[[], Sequence[Mapping[str, Any]]] = tuple
    ratings: Ratings | None = None

    def books(self) -> Ledger:
        """The ledger.

        Raises:
            RefusedError: there is none.
        """
        if self.ledger is None:
            raise RefusedError("not_found", _OFF)
        return self.ledger


Handler = Callable[[ApiCall, Sources], ApiAnswer]


def unreadable(error: LedgerError) -> RefusedError:
    """How a ledger that cannot be read is told to who asks. SQLite's own words name files: those go
    to the log."""
    _log.error("the ledger cannot be read: %s", error)
    row = row_of(error.code)
    if row is None or row.status != 503:
        row = row_of("store_unavailable")
    assert row is not None
    return RefusedError(row.code, f"the ledger cannot be read: {row.hint}")
