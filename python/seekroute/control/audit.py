"""The audit log: who changed what, in rows that nobody can change unseen.

Each row carries an HMAC over itself and the row before, under a key that is made of the pepper: who
has the database alone can neither change a row nor take one out of the middle and mend the chain. A
cut at the end is seen by whoever remembers the last number, as a backup does.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from seekroute.control.database import Database
from seekroute.control.people.tables import AuditRow, audit_log

__all__ = ["SERVER", "Actor", "AuditLog", "Broken", "command_line"]

_PURPOSE: Final = b"seekroute audit log 1"
_PAGE: Final = 1000
# What stands under the MAC, in this order.
_SIGNED: Final = tuple(each.name for each in audit_log.columns if each.name != "mac")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who changes something.

    Attributes:
        kind: `user`, `key` (of the management API), `cli` or `server`.
        id: of the user or key; of a command the name of the account on this machine.
        label: how it is shown.
        address: where it came from; empty: this machine.
    """

    kind: str
    id: str
    label: str
    address: str = ""


SERVER: Final = Actor("server", "server", "server")


def command_line() -> Actor:
    """Who runs a command on this machine."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):  # an account without a name, in a container
        name = "unknown"
    return Actor("cli", name, f"command line, {name}")


@dataclass(frozen=True, slots=True)
class Broken:
    """Where the chain does not hold.

    Attributes:
        n: the first row that does not follow from what is before it.
        why: `changed`: it, or a row before it, is not what was written; `missing`: a number is.
    """

    n: int
    why: str


class AuditLog:
    """The audit log of a control plane, as `ControlPlane.audit`. Thread-safe; blocks on the disk.

    Args:
        database: where it is.
        pepper: the secret that the chain's key is made of.
        now: the time in seconds since 1970.
        actor: who acts where nobody is named.
    """

    def __init__(
        self, database: Database, pepper: bytes, now: Callable[[], int], actor: Actor
    ) -> None:
        self._database = database
        self._key = hmac.digest(pepper, _PURPOSE, hashlib.sha256)
        self._now = now
        self._actor = actor

    def note(
        self,
        connection: Connection,
        by: Actor | None,
        action: str,
        target: str,
        *,
        org: str | None = None,
        before: Mapping[str, Any] | None = None,
        after: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a row in the transaction of the change that it tells of: both or neither are kept.

        Args:
            connection: of a write.
            by: who; None: whom the log was made for.
            action: a noun and a verb: `key.create`.
            target: the id of what was changed.
            org: whose it is.
            before: names and values that are no longer so. No secrets, nor hashes of them.
            after: those that are so now.
        """
        actor = by or self._actor
        last = connection.execute(
            select(audit_log.c.n, audit_log.c.mac).order_by(audit_log.c.n.desc()).limit(1)
        ).first()
        row = {
            "n": 1 if last is None else last.n + 1,
            "at": self._now(),
            "actor_kind": actor.kind,
            "actor_id": actor.id,
            "actor_label": actor.label,
            "org_id": org,
            "action": action,
            "target": target,
            "before": _json(before or {}),
            "after": _json(after or {}),
            "address": actor.address,
        }
        row["mac"] = self._mac(b"" if last is None else last.mac, row)
        connection.execute(insert(audit_log).values(row))

    def change(
        self,
        connection: Connection,
        by: Actor | None,
        action: str,
        row: Any,
        values: Mapping[str, Any],
        *,
        org: str | None = None,
    ) -> None:
        """As `note`, of a row (before it was changed) and what is new in it."""
        changed = {name: value for name, value in values.items() if getattr(row, name) != value}
        before = {name: getattr(row, name) for name in changed}
        self.note(connection, by, action, row.id, org=org, before=before, after=changed)

    def list(
        self, *, org: str | None = None, before: int | None = None, limit: int = 50
    ) -> list[AuditRow]:
        """Rows, newest first.

        Args:
            org: the id of the organization they are of; None: all.
            before: only rows of a smaller number.
            limit: at most so many.
        """
        query = select(audit_log).order_by(audit_log.c.n.desc()).limit(limit)
        if org is not None:
            query = query.where(audit_log.c.org_id == org)
        if before is not None:
            query = query.where(audit_log.c.n < before)
        with self._database.read() as connection:
            return [AuditRow(**row._mapping) for row in connection.execute(query)]

    def verify(self) -> tuple[int, Broken | None]:
        """Check the chain from its first row to its last.

        Returns:
            How many rows hold, and where it breaks; None: nowhere.
        """
        previous, number = b"", 0
        for row in self._rows():
            if row.n != number + 1:
                return number, Broken(number + 1, "missing")
            values = {name: getattr(row, name) for name in _SIGNED}
            if not hmac.compare_digest(row.mac, self._mac(previous, values)):
                return number, Broken(row.n, "changed")
            previous, number = row.mac, row.n
        return number, None

    def _rows(self) -> Iterator[AuditRow]:
        after = 0
        while True:
            query = (
                select(audit_log).where(audit_log.c.n > after).order_by(audit_log.c.n).limit(_PAGE)
            )
            with self._database.read() as connection:
                page = [AuditRow(**row._mapping) for row in connection.execute(query)]
            yield from page
            if len(page) < _PAGE:
                return
            after = page[-1].n

    def _mac(self, previous: bytes, row: Mapping[str, Any]) -> bytes:
        signed = _json([row[name] for name in _SIGNED]).encode()
        return hmac.digest(self._key, previous + signed, hashlib.sha256)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":"))
