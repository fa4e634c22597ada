"""Who is signed in: browser sessions, and tokens that are good for one thing, once."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, insert, select, update

from seekroute.control.database import Database
from seekroute.control.errors import ControlError
from seekroute.control.models import new_id
from seekroute.control.people.tables import CHALLENGES, Session, challenges, sessions

__all__ = ["ABSOLUTE_S", "IDLE_S", "Sessions", "Spent", "Token", "token_hash"]

ABSOLUTE_S: Final = 168 * 3600
IDLE_S: Final = 24 * 3600
_MOST_AGENT: Final = 200
_MOST_SESSIONS: Final = 50  # of a user; the oldest goes
# A session's last use is written down once in so long.
_TOUCH_S: Final = 60
# Used and outdated ones are deleted after so long.
_KEPT_S: Final = 7 * 24 * 3600

Token = str
"""256 random bits as text; only its hash is stored."""


def token_hash(token: Token) -> bytes:
    """What is stored of a token. It has 256 random bits, so no salt nor stretching is needed."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


@dataclass(frozen=True, slots=True)
class Spent:
    """What a one-time token was made for."""

    subject: str
    data: dict[str, Any]


class Sessions:
    """Sessions and one-time tokens of a control plane, as `ControlPlane.sessions`. Thread-safe;
    blocks on the disk. Methods raise ControlError where the database fails.

    Args:
        database: where they are.
        now: the time in seconds since 1970.
        absolute_s: how long a session may last.
        idle_s: how long it may not be used.
    """

    def __init__(
        self,
        database: Database,
        now: Callable[[], int],
        *,
        absolute_s: int = ABSOLUTE_S,
        idle_s: int = IDLE_S,
    ) -> None:
        self._database = database
        self._now = now
        self._absolute_s = absolute_s
        self._idle_s = idle_s

    def open(
        self, user_id: str, methods: str, *, address: str = "", agent: str = ""
    ) -> tuple[Session, Token]:
        """Sign a user in. The token is returned here and can never be had again.

        Args:
            user_id: who.
            methods: how it proved who it is: `password`, `password totp` …
            address: from where.
            agent: with which browser.
        """
        token, now = secrets.token_urlsafe(32), self._now()
        session = Session(
            id=new_id("session"),
            user_id=user_id,
            methods=methods,
            reauth_at=now,
            created_at=now,
            last_seen_at=now,
            expires_at=now + self._absolute_s,
            address=address,
            agent="".join(c for c in agent[:_MOST_AGENT] if c.isprintable()),
        )
        values = {name: getattr(session, name) for name in session.__slots__}
        old = (
            select(sessions.c.token_hash)
            .where(sessions.c.user_id == user_id)
            .order_by(sessions.c.created_at.desc(), sessions.c.id)
            .offset(_MOST_SESSIONS)
        )
        with self._database.write() as connection:
            connection.execute(insert(sessions).values(**values, token_hash=token_hash(token)))
            connection.execute(delete(sessions).where(sessions.c.token_hash.in_(old)))
            connection.execute(delete(sessions).where(sessions.c.expires_at < now))
        return session, token

    def find(self, token: Token) -> Session | None:
        """The session of a token that still holds; notes that it was used."""
        now = self._now()
        where = sessions.c.token_hash == token_hash(token)
        columns = [each for each in sessions.c if each.name != "token_hash"]
        with self._database.read() as connection:
            row = connection.execute(select(*columns).where(where)).first()
        if row is None:
            return None
        session = Session(**row._mapping)
        if now >= session.expires_at or now - session.last_seen_at > self._idle_s:
            return None
        if now - session.last_seen_at >= _TOUCH_S:
            with self._database.write() as connection:
                connection.execute(update(sessions).where(where).values(last_seen_at=now))
        return session

    def renew(self, session: Session, methods: str) -> Token:
        """Give a session another token, after its user proved once more who it is."""
        token = secrets.token_urlsafe(32)
        values = {
            "token_hash": token_hash(token),
            "methods": methods,
            "reauth_at": self._now(),
        }
        with self._database.write() as connection:
            done = connection.execute(
                update(sessions).where(sessions.c.id == session.id).values(values)
            )
            if not done.rowcount:
                raise ControlError("the session has ended: sign in again")
        return token

    def list(self, user_id: str) -> list[Session]:
        """The sessions of a user that still hold, the newest first."""
        now = self._now()
        columns = [each for each in sessions.c if each.name != "token_hash"]
        query = (
            select(*columns)
            .where(
                sessions.c.user_id == user_id,
                sessions.c.expires_at > now,
                sessions.c.last_seen_at >= now - self._idle_s,
            )
            .order_by(sessions.c.created_at.desc(), sessions.c.id)
        )
        with self._database.read() as connection:
            return [Session(**row._mapping) for row in connection.execute(query)]

    def end(self, user_id: str, session_id: str) -> bool:
        """End one session of a user. Returns whether there was one."""
        where = (sessions.c.user_id == user_id) & (sessions.c.id == session_id)
        with self._database.write() as connection:
            return bool(connection.execute(delete(sessions).where(where)).rowcount)

    def end_all(self, user_id: str, *, but: str = "") -> int:
        """End the sessions of a user, all but one. Returns how many."""
        where = (sessions.c.user_id == user_id) & (sessions.c.id != but)
        with self._database.write() as connection:
            return connection.execute(delete(sessions).where(where)).rowcount

    # --- tokens for one thing, once ---------------------------------------------------------------

    def make_token(
        self, kind: str, subject: str, data: dict[str, Any] | None = None, *, lasts_s: int
    ) -> Token:
        """Make a token that `spend` takes once.

        Args:
            kind: what it is good for: `setup`, `reset`, `mfa` or `connect`.
            subject: for whom: the id of a user; of `setup` nobody.
            data: what `spend` returns with it.
            lasts_s: how long.
        """
        assert kind in CHALLENGES
        token, now = secrets.token_urlsafe(32), self._now()
        with self._database.write() as connection:
            connection.execute(delete(challenges).where(challenges.c.expires_at < now - _KEPT_S))
            connection.execute(
                insert(challenges).values(
                    hash=token_hash(token),
                    kind=kind,
                    subject=subject,
                    data=json.dumps(data or {}),
                    created_at=now,
                    expires_at=now + lasts_s,
                )
            )
        return token

    def void(self, kind: str) -> None:
        """Make all tokens of a kind worth nothing."""
        with self._database.write() as connection:
            connection.execute(delete(challenges).where(challenges.c.kind == kind))

    def look(self, kind: str, token: Token) -> Spent | None:
        """What `spend` would return, without spending it."""
        with self._database.read() as connection:
            return self._found(connection, kind, token)

    def spend(
        self, kind: str, token: Token, *, connection: Connection | None = None
    ) -> Spent | None:
        """What a token was made for; None where it is unknown, outdated or spent.

        Of any number of calls with one token, one gets it.

        Args:
            connection: of the caller's transaction; None: of its own.
        """
        if connection is None:
            with self._database.write() as own:
                return self.spend(kind, token, connection=own)
        found = self._found(connection, kind, token)
        if found is None:
            return None
        done = connection.execute(
            update(challenges)
            .where(challenges.c.hash == token_hash(token), challenges.c.used_at.is_(None))
            .values(used_at=self._now())
        )
        return found if done.rowcount else None

    def _found(self, connection: Connection, kind: str, token: Token) -> Spent | None:
        row = connection.execute(
            select(challenges.c.subject, challenges.c.data).where(
                challenges.c.hash == token_hash(token),
                challenges.c.kind == kind,
                challenges.c.used_at.is_(None),
                challenges.c.expires_at > self._now(),
            )
        ).first()
        return None if row is None else Spent(row.subject, json.loads(row.data))
