"""Second factors of accounts: codes of an app (TOTP), and recovery codes for when it is lost."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final

import pyotp
from sqlalchemy import Connection, delete, insert, select, update

from seekroute.control.audit import Actor, AuditLog
from seekroute.control.database import Database
from seekroute.control.errors import ControlError
from seekroute.control.people.tables import User, recovery_codes, users
from seekroute.control.people.users import Users
from seekroute.control.queries import change
from seekroute.control.sealing import Sealer

__all__ = ["SecondFactors"]

_COLUMN: Final = "users.totp_sealed"
_ISSUER: Final = "seekroute"
_STEP_S: Final = 30
_AROUND: Final = (0, -1, 1)  # steps beside the clock's that are taken
_CODES: Final = 10
_CODE_BYTES: Final = 10  # 80 random bits: no salt nor stretching is needed


class SecondFactors:
    """The second factors of a control plane, as `ControlPlane.second_factors`. Thread-safe; blocks
    on the disk. A user is named by its id. Every method raises ControlError.

    Args:
        database: where they are.
        users: the accounts.
        audit: where changes are told.
        pepper: what seeds are sealed under.
        now: the time in seconds since 1970.
    """

    def __init__(
        self,
        database: Database,
        users: Users,
        audit: AuditLog,
        pepper: bytes,
        now: Callable[[], int],
    ) -> None:
        self._database = database
        self._users = users
        self._audit = audit
        self._sealer = Sealer(pepper)
        self._now = now

    def begin(self, user: str) -> tuple[str, str]:
        """Make a seed for an app, which counts once `confirm` has seen a code of it.

        Returns:
            The seed, and the URI that apps read from a picture. Neither can be had again.
        """
        seed = pyotp.random_base32()
        with self._database.write() as connection:
            row = self._users.find(connection, user)
            if row.has_totp:
                raise ControlError("there is a second factor already: take it away first")
            sealed = self._sealer.seal(seed.encode(), _COLUMN, row.id)
            change(connection, row, totp_sealed=sealed, totp_step=None, updated_at=self._now())
        return seed, pyotp.TOTP(seed).provisioning_uri(name=row.email, issuer_name=_ISSUER)

    def confirm(self, user: str, code: str, *, by: Actor) -> list[str]:
        """Begin to ask for codes, now that the app gives them.

        Returns:
            The recovery codes, each good once. They cannot be had again.
        """
        with self._database.write() as connection:
            row = self._users.find(connection, user)
            if row.has_totp or not self._takes(connection, row, code):
                raise ControlError("code: is not the app's of this moment: check its clock")
            row = self._users.find(connection, user)
            now = self._now()
            change(connection, row, totp_confirmed_at=now, updated_at=now)
            self._audit.note(connection, by, "second_factor.add", row.id)
            return self._new_codes(connection, row)

    def check(self, user: str, code: str) -> str | None:
        """Take a code of the app, or a recovery code; each is taken once.

        Returns:
            `totp` or `recovery`; None where it is neither.
        """
        with self._database.write() as connection:
            row = self._users.find(connection, user)
            if not row.has_totp:
                return None
            if self._takes(connection, row, code):
                return "totp"
            done = connection.execute(
                update(recovery_codes)
                .where(
                    recovery_codes.c.user_id == row.id,
                    recovery_codes.c.hash == _hash(code),
                    recovery_codes.c.used_at.is_(None),
                )
                .values(used_at=self._now())
            )
            return "recovery" if done.rowcount else None

    def left(self, user: str) -> int:
        """How many recovery codes are left."""
        query = select(recovery_codes.c.hash).where(
            recovery_codes.c.user_id == user, recovery_codes.c.used_at.is_(None)
        )
        with self._database.read() as connection:
            return len(connection.execute(query).all())

    def renew_codes(self, user: str, *, by: Actor) -> list[str]:
        """Make new recovery codes; the old ones are worth nothing from then on."""
        with self._database.write() as connection:
            row = self._users.find(connection, user)
            if not row.has_totp:
                raise ControlError("there is no second factor: add one first")
            self._audit.note(connection, by, "second_factor.codes", row.id)
            return self._new_codes(connection, row)

    def remove(self, user: str, *, by: Actor | None = None) -> None:
        """Ask for no second factor any more."""
        with self._database.write() as connection:
            row = self._users.find(connection, user)
            values = {"totp_sealed": None, "totp_confirmed_at": None, "totp_step": None}
            change(connection, row, **values, updated_at=self._now())
            connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == row.id))
            self._audit.note(connection, by, "second_factor.remove", row.id)

    def _takes(self, connection: Connection, row: User, code: str) -> bool:
        """Whether it is a code of the app at this moment that was not taken yet; takes it."""
        if row.totp_sealed is None or not (code.isascii() and code.isdigit()):
            return False
        seed = self._sealer.open(row.totp_sealed, _COLUMN, row.id).decode()
        step = self._now() // _STEP_S
        for each in (step + beside for beside in _AROUND):
            right = hmac.compare_digest(pyotp.TOTP(seed).at(each * _STEP_S), code)
            if right and (row.totp_step is None or each > row.totp_step):
                connection.execute(update(users).where(users.c.id == row.id).values(totp_step=each))
                return True
        return False

    def _new_codes(self, connection: Connection, row: User) -> list[str]:
        connection.execute(delete(recovery_codes).where(recovery_codes.c.user_id == row.id))
        codes = [_code() for _ in range(_CODES)]
        connection.execute(
            insert(recovery_codes), [{"user_id": row.id, "hash": _hash(code)} for code in codes]
        )
        return codes


def _code() -> str:
    """Random text that can be read aloud: four groups of letters and digits."""
    text = secrets.token_hex(_CODE_BYTES)
    return "-".join(text[n : n + 5] for n in range(0, len(text), 5))


def _hash(code: str) -> bytes:
    plain = code.strip().lower().replace("-", "").replace(" ", "")
    return hashlib.sha256(plain.encode("utf-8", "replace")).digest()
