"""Reloads that commands ask of the running server, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, insert, select, update

from seekroute.control.errors import ControlError
from seekroute.control.models import ConfigReload, config_reloads

if TYPE_CHECKING:
    from seekroute.control.database import Database

_KEPT: Final = 100  # of those that have ended


class ReloadBook:
    """The reloads in control.db. Thread-safe; blocks on the disk. Part of a `ControlPlane`.

    Every method raises ControlError: the database failed.
    """

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now

    def put(self) -> int:
        """Asks for a reload. Returns its number, for `get`."""
        table = config_reloads
        with self._database.write() as connection:
            made = connection.execute(
                insert(table).values(created_at=self._now(), state="pending")
            ).inserted_primary_key
            assert made is not None
            n: int = made[0]
            connection.execute(delete(table).where(table.c.n <= n - _KEPT))
        return n

    def get(self, n: int) -> ConfigReload:
        """What is known of one."""
        query = select(config_reloads).where(config_reloads.c.n == n)
        with self._database.read() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            raise ControlError(f"nothing is known of reload {n} any more")
        return ConfigReload(**row._mapping)

    def pending(self) -> list[int]:
        """The numbers of those that wait."""
        query = select(config_reloads.c.n).where(config_reloads.c.state == "pending")
        with self._database.read() as connection:
            return list(connection.scalars(query))

    def finish(self, numbers: Sequence[int], state: str, told: str) -> None:
        """Writes down what became of these.

        Args:
            numbers: from `pending`.
            state: `applied` or `refused`.
            told: JSON, for the commands that wait.
        """
        if not numbers:
            return
        table = config_reloads
        values = {"state": state, "told": told, "finished_at": self._now()}
        with self._database.write() as connection:
            connection.execute(update(table).where(table.c.n.in_(numbers)).values(values))
