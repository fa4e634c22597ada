"""What a running server is told about keys: all of them once, then each change."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from seekroute.control.models import api_keys, key_changes
from seekroute.control.queries import CORE_KEY, CoreKey, core_key, joined_with_rights

PAGE = 1000  # keys in memory at once


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """Key changes in their order.

    Attributes:
        cursor: what the next `changes_since` starts from.
        changes: (MAC, key as the core takes it); None instead of a key means: remove it.
        more: whether further changes wait; then ask again at once.
    """

    cursor: int
    changes: list[tuple[bytes, CoreKey | None]]
    more: bool


def last_change(connection: Connection) -> int:
    """Where the change feed is now."""
    return connection.scalar(select(func.max(key_changes.c.seq))) or 0


def keys_after(
    connection: Connection, key_id: str, *, limit: int
) -> list[tuple[str, bytes, CoreKey]]:
    """(id, MAC, key as the core takes it) of the next `limit` keys that are not revoked, by id."""
    query = (
        select(*CORE_KEY, api_keys.c.mac)
        .select_from(joined_with_rights(api_keys))
        .where(api_keys.c.revoked_at.is_(None), api_keys.c.id > key_id)
        .order_by(api_keys.c.id)
        .limit(limit)
    )
    return [(row[0], row[-1], core_key(row)) for row in connection.execute(query)]


def changes_after(connection: Connection, cursor: int, *, limit: int) -> ChangeBatch:
    """The changes after `cursor`, at most `limit`. One indexed query."""
    keys = key_changes.outerjoin(api_keys, api_keys.c.mac == key_changes.c.mac)
    query = (
        select(*CORE_KEY, api_keys.c.revoked_at, key_changes.c.seq, key_changes.c.mac)
        .select_from(joined_with_rights(keys))
        .where(key_changes.c.seq > cursor)
        .order_by(key_changes.c.seq)
        .limit(limit)
    )
    found = connection.execute(query).all()
    changes = []
    for row in found:
        live = row.id is not None and row.revoked_at is None
        changes.append((row.mac, core_key(row) if live else None))
    return ChangeBatch(
        cursor=found[-1].seq if found else cursor, changes=changes, more=len(found) == limit
    )
