"""An organization's keys from Python, by a management key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote

from seekroute.client.calls import refusal
from seekroute.client.result import Result
from seekroute.client.wires.backend import Request
from seekroute.client.wires.remote import RemoteBackend
from seekroute.client.wires.retry import DEFAULT_TIMEOUT, Tries, checked_timeout
from seekroute.closable import Closable
from seekroute.money import nano, usd

__all__ = ["Keys", "Management", "NewKey"]

Reset = Literal["daily", "weekly", "monthly"]

_PAGE: Final = 100
_UNSAID: Final[Any] = object()


class NewKey(NamedTuple):
    """A key that was made or rolled.

    Attributes:
        data: what is kept of it.
        key: the key itself, which can never be had again.
    """

    data: Result
    key: str

    def __repr__(self) -> str:
        return f"NewKey({self.data.get('label')!r})"  # a notebook keeps what it shows


class Management(Closable):
    """The management API of a gateway. Thread-safe; nothing is sent twice. A context manager.

    Args:
        base_url: of the gateway: `https://llm.example.com/v1`.
        api_key: a management key, which the console makes; it asks no model.
        timeout: seconds of silence that end the wait for an answer.

    Attributes:
        keys: the organization's API keys.

    Raises:
        ConfigError: `base_url` or `api_key` is none.

    Every method raises `APIError` (`AuthenticationError`, `PermissionDeniedError` …) where the
    gateway refuses, and `APIConnectionError` where it does not answer.

    Example:
        management = seekroute.Management("https://llm.example.com/v1", "sk-sr-mgmt-…")
        made = management.keys.create(
            "study 7", limit="20", expires_at=datetime(2027, 1, 31, tzinfo=UTC),
            models=["openai/gpt-4o-mini", "deepseek/deepseek-chat"],
        )
        client = seekroute.Client(base_url="https://llm.example.com/v1", api_key=made.key)
    """

    def __init__(self, base_url: str, api_key: str, *, timeout: float = DEFAULT_TIMEOUT) -> None:
        self._backend = RemoteBackend(base_url, api_key)
        self._timeout = checked_timeout(timeout)
        self.keys: Final = Keys(self._ask)

    def members(self) -> list[Result]:
        """The members of the organization."""
        found: list[Result] = []
        while True:
            query = {"offset": str(len(found)), "limit": str(_PAGE)}
            page = self._ask("GET", "/organization/members", query=query)
            found += [Result(row) for row in page["data"]]
            if not page["data"] or len(found) >= page["total_count"]:
                return found

    def close(self) -> None:
        """Closes the connections. Idempotent."""
        self._backend.close()

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        sent = b"" if body is None else json.dumps(body).encode()
        request = Request(path, sent, method, {}, query or {}, self._timeout)
        tries = Tries(0)
        reply = self._backend.open(request)
        try:
            answer = reply.read()
        finally:
            reply.close()
        if not 200 <= reply.status < 300:
            raise refusal(reply.status, reply.headers, answer, tries)
        found: dict[str, Any] = json.loads(answer, parse_float=Decimal) if answer else {}
        return found


class Keys:
    """The API keys of an organization, as `Management.keys`.

    A key is named by its `hash`, which stays when it is rolled. Amounts are exact decimals of USD.
    """

    def __init__(self, ask: Any) -> None:
        self._ask = ask

    def list(
        self, *, include_disabled: bool = False, include_expired: bool = False
    ) -> Iterator[Result]:
        """The keys that work, or all that are not revoked; the newest first, read in pages."""
        offset = 0
        while True:
            query = {
                "offset": str(offset),
                "include_disabled": str(include_disabled).lower(),
                "include_expired": str(include_expired).lower(),
            }
            rows = self._ask("GET", "/keys", query=query)["data"]
            yield from map(Result, rows)
            if len(rows) < _PAGE:
                return
            offset += len(rows)

    def get(self, hash: str) -> Result:
        """One key, with what it has used."""
        return Result(self._ask("GET", _path(hash))["data"])

    def create(
        self,
        name: str,
        *,
        limit: Decimal | str | None = None,
        limit_reset: Reset | None = None,
        expires_at: datetime | None = None,
        models: Sequence[str] | None = None,
        app: str | None = None,
    ) -> NewKey:
        """Makes a key.

        Args:
            name: what it is for.
            limit: the most it may spend until the reset, in USD; None: no limit.
            limit_reset: when that begins anew, in UTC; None: never.
            expires_at: when it stops working, with its time zone; None: never.
            models: ids and `author/*` patterns that it may use; None: all.
            app: the organization's app it belongs to.
        """
        body = {
            "name": name,
            "limit": _usd(limit),
            "limit_reset": limit_reset,
            "expires_at": _moment(expires_at),
            "models": None if models is None else [*models],
            "app": app,
        }
        told = self._ask("POST", "/keys", {k: v for k, v in body.items() if v is not None})
        return NewKey(Result(told["data"]), told["key"])

    def update(
        self,
        hash: str,
        *,
        name: str = _UNSAID,
        disabled: bool = _UNSAID,
        limit: Decimal | str | None = _UNSAID,
        limit_reset: Reset | None = _UNSAID,
        expires_at: datetime | None = _UNSAID,
        models: Sequence[str] | None = _UNSAID,
    ) -> Result:
        """Changes what is given of a key, within a second; the rest stays. As for `create`."""
        body: dict[str, Any] = {"name": name, "disabled": disabled, "limit_reset": limit_reset}
        if limit is not _UNSAID:
            body["limit"] = _usd(limit)
        if expires_at is not _UNSAID:
            body["expires_at"] = _moment(expires_at)
        if models is not _UNSAID:
            body["models"] = None if models is None else [*models]
        given = {each: value for each, value in body.items() if value is not _UNSAID}
        return Result(self._ask("PATCH", _path(hash), given)["data"])

    def roll(self, hash: str) -> NewKey:
        """Gives a key another text; the old one ends at once. Its hash and rights stay."""
        told = self._ask("POST", f"{_path(hash)}/roll", {})
        return NewKey(Result(told["data"]), told["key"])

    def delete(self, hash: str) -> None:
        """Revokes a key: from now on it is like one that never was."""
        self._ask("DELETE", _path(hash))


def _path(hash: str) -> str:
    return f"/keys/{quote(hash, safe='')}"


def _usd(amount: Decimal | str | None) -> str | None:
    """USD as the API takes them, exact. Raises ValueError."""
    if amount is None:
        return None
    return usd(nano(amount if isinstance(amount, str) else f"{amount:f}"))


def _moment(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("expires_at: give its time zone, such as tzinfo=UTC")
    return moment.isoformat()
