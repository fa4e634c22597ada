"""The table of API keys, under the pepper of their MACs."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, delete, insert, select

from seekroute.control.errors import ControlError
from seekroute.control.key_text import key_mac, looks_valid, make_key
from seekroute.control.models import (
    ApiKey,
    api_keys,
    is_short_id,
    key_changes,
    meta,
    new_id,
    without_mark,
)
from seekroute.control.pepper import pepper_check, require_pepper
from seekroute.control.queries import add, announce, change, refuse_short_id, rows

_MOST_NAMED = 3  # keys of one name, in an error
_PEPPER_CHECK = "pepper_check"
_PROFILE = "profile"


class KeyTable:
    """Rows of keys. Every method works in the transaction that it is given.

    Each raises ControlError: there is no such key, or the pepper is another one than that of the
    keys in the database. Thread-safe, for it keeps nothing.

    Args:
        pepper: the secret of the MACs.
        path: of the database, for words.
        now: the time in seconds since 1970.
    """

    def __init__(self, pepper: bytes, path: Path, now: Callable[[], int]) -> None:
        self._pepper = pepper
        self._path = path
        self._now = now

    def add(self, connection: Connection, prefix: str, **columns: Any) -> tuple[ApiKey, str]:
        """Make a key and its row, and tell the running server.

        Args:
            prefix: how the key begins.
            columns: those of the row that do not follow from the key.

        Returns:
            The row, and the key, which can never be had again.
        """
        text = make_key(prefix)
        now = self._now()
        row = ApiKey(
            id=new_id("key"),
            prefix=prefix,
            last4=text[-4:],
            mac=key_mac(self._pepper, text),
            created_at=now,
            updated_at=now,
            **columns,
        )
        self._bind_pepper(connection)
        add(connection, row)
        announce(connection, api_keys.c.id == row.id)
        return row, text

    def change(self, connection: Connection, row: ApiKey, values: dict[str, Any]) -> ApiKey:
        """Store other values in a key's row, and tell the running server."""
        row = change(connection, row, **values, updated_at=self._now())
        announce(connection, api_keys.c.id == row.id)
        return row

    def roll(self, connection: Connection, row: ApiKey) -> tuple[ApiKey, str]:
        """Give a key a new text and end the old one; returns what `add` does."""
        text = make_key(row.prefix)
        self._bind_pepper(connection)
        # The old MAC goes to the end of the change feed, where no key has it any more.
        connection.execute(delete(key_changes).where(key_changes.c.mac == row.mac))
        connection.execute(insert(key_changes).values(mac=row.mac))
        values = {"mac": key_mac(self._pepper, text), "last4": text[-4:]}
        return self.change(connection, row, values), text

    def find(self, connection: Connection, key: str) -> ApiKey:
        """A key, by its text, its id, the beginning of that as lists show it, or its name.

        A beginning and a name have to mean one key: of a name revoked ones do not count where
        another has it.
        """
        if looks_valid(key):
            mac = key_mac(self._pepper, key)
            found = rows(connection, ApiKey, api_keys.c.mac == mac)
            if not found or not hmac.compare_digest(found[0].mac, mac):
                raise ControlError("that key is not one of this data directory")  # not quoted!
            return found[0]
        key = without_mark(key)
        found = rows(connection, ApiKey, api_keys.c.id == key)
        if not found and is_short_id(key):
            found = rows(connection, ApiKey, api_keys.c.id.startswith(key, autoescape=True))
        if not found:
            found = rows(connection, ApiKey, api_keys.c.name == key)
            found = [row for row in found if not row.revoked] or found
        if not found:
            refuse_short_id(connection, api_keys, key)
            # Not quoted either: it may be a mistyped key.
            raise ControlError("no such key: `seekroute keys list` shows the ids and names")
        if len(found) > 1:
            ids = ", ".join(row.id for row in found[:_MOST_NAMED])
            more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
            raise ControlError(f"more than one key is meant: give an id, of {ids}{more}")
        return found[0]

    def find_live(self, connection: Connection, key: str) -> ApiKey:
        """A key that is not revoked."""
        row = self.find(connection, key)
        if row.revoked:
            raise ControlError(f"{row.id} is revoked, and that is final: make a new key")
        return row

    def _bind_pepper(self, connection: Connection) -> None:
        """Tie the database to this pepper with its first key; refuse another one later."""
        bound = pepper_bound(connection)
        require_pepper(self._pepper, bound, self._path)
        if bound is None:
            values = {"name": _PEPPER_CHECK, "value": pepper_check(self._pepper)}
            connection.execute(insert(meta).values(values))


def told_profile(connection: Connection) -> str:
    """The profile that the last start of a server was told, a name or a path; "" for none."""
    found: bytes | None = connection.scalar(select(meta.c.value).where(meta.c.name == _PROFILE))
    return "" if found is None else found.decode()


def tell_profile(connection: Connection, profile: str) -> None:
    """Write it down; "" forgets it."""
    connection.execute(delete(meta).where(meta.c.name == _PROFILE))
    if profile:
        connection.execute(insert(meta).values({"name": _PROFILE, "value": profile.encode()}))


def pepper_bound(connection: Connection) -> bytes | None:
    """What the database holds of its pepper; None where no key was ever made."""
    query = select(meta.c.value).where(meta.c.name == _PEPPER_CHECK)
    return connection.scalar(query)
