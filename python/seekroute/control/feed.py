"""What a running server is told about keys: all of them once, then each change."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select

from seekroute.control.models import api_keys, key_changes
from seekroute.control.queries import CORE_KEY, CoreKey, core_key, joined_with_rights

PAGE = 1000  # keys in memory at once


@dataclass(frozen=True, slots=True)
class ChangeBatch:
    """Changes of keys: of each key the last.

    Attributes:
        cursor: what the next `changes_since` starts from.
        keys: as the core takes them from now on.
        removed: MACs of keys that are no more.
        more: whether further changes wait; then ask again at once.
    """

    cursor: int
    keys: list[CoreKey]
    removed: list[bytes]
    more: bool


def last_change(connection: Connection) -> int:
    """Where the change feed is now."""
    return connection.scalar(select(func.max(key_changes.c.seq))) or 0


def keys_after(connection: Connection, key_id: str, *, limit: int) -> list[CoreKey]:
    """The next `limit` keys that are not revoked, by id."""
    query = (
        select(*CORE_KEY)
        .select_from(joined_with_rights(api_keys))
        .where(api_keys.c.revoked_at.is_(None), api_keys.c.id > key_id)
        .order_by(api_keys.c.id)
        .limit(limit)
    )
    return [core_key(row) for row in connection.execute(query)]


def changes_after(connection: Connection, cursor: int, *, limit: int) -> ChangeBatch:
    """The changes after `cursor`, at most `limit`: of each key the last. One indexed query."""
    changed = key_changes.outerjoin(api_keys, api_keys.c.mac == key_changes.c.mac)
    query = (
        select(*CORE_KEY, api_keys.c.revoked_at, key_changes.c.seq, key_changes.c.mac.label("of"))
        .select_from(joined_with_rights(changed))
        .where(key_changes.c.seq > cursor)
        .order_by(key_changes.c.seq)
        .limit(limit)
    )
    found = connection.execute(query).all()
    batch = ChangeBatch(
        cursor=found[-1].seq if found else cursor, keys=[], removed=[], more=len(found) == limit
    )
    for row in found:
        if row.id is None or row.revoked_at is not None:
            batch.removed.append(row.of)
        else:
            batch.keys.append(core_key(row[: len(CORE_KEY)]))
    return batch
