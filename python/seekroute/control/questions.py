"""Questions about providers that commands ask of the running server, and its answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal

from sqlalchemy import delete, insert, select, update

from seekroute.control.errors import ControlError
from seekroute.control.models import Question, questions

if TYPE_CHECKING:
    from seekroute.control.database import Database

# An answer may have hundreds of kilobytes, and is read at once by who has asked.
_KEPT: Final = 8


class QuestionBook:
    """The questions in control.db. Thread-safe; blocks on the disk. Part of a `ControlPlane`.

    Every method raises ControlError: the database failed.
    """

    def __init__(self, database: Database, now: Callable[[], int]) -> None:
        self._database = database
        self._now = now

    def put(self, kind: Literal["health", "reset", "quote"], name: str = "") -> int:
        """Asks. Returns the question's number, for `get`."""
        with self._database.write() as connection:
            made = connection.execute(
                insert(questions).values(created_at=self._now(), kind=kind, name=name)
            ).inserted_primary_key
            assert made is not None
            n: int = made[0]
            connection.execute(delete(questions).where(questions.c.n <= n - _KEPT))
        return n

    def get(self, n: int) -> Question:
        """One of them, with its answer if it has one."""
        with self._database.read() as connection:
            row = connection.execute(select(questions).where(questions.c.n == n)).one_or_none()
        if row is None:
            raise ControlError(f"nothing is known of question {n} any more")
        return Question(**row._mapping)

    def pending(self) -> list[Question]:
        """Those that wait, the oldest first."""
        query = select(questions).where(questions.c.told.is_(None)).order_by(questions.c.n)
        with self._database.read() as connection:
            return [Question(**row._mapping) for row in connection.execute(query)]

    def answer(self, n: int, told: str) -> None:
        """Answers one.

        Args:
            n: from `pending`.
            told: JSON, for the command that waits.
        """
        with self._database.write() as connection:
            connection.execute(update(questions).where(questions.c.n == n).values(told=told))
