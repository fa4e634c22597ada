"""Who belongs to an organization, as what, and who is invited."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from seekroute.control import checks
from seekroute.control.audit import Actor, AuditLog
from seekroute.control.database import Database
from seekroute.control.errors import ControlError
from seekroute.control.models import new_id
from seekroute.control.people.sessions import Token, token_hash
from seekroute.control.people.tables import (
    ORG_ROLES,
    Invitation,
    Membership,
    User,
    invitations,
    memberships,
    users,
)
from seekroute.control.people.users import Users, checked_email, email_key
from seekroute.control.queries import add, change, find_org, rows

__all__ = ["LastOwnerError", "Members"]

INVITATION_S: Final = 7 * 24 * 3600
_MOST_OPEN: Final = 1000  # invitations of an organization that wait


Invitations = list[Invitation]


class LastOwnerError(ControlError):
    """The organization would be left without an owner."""


class Members:
    """Members and invitations of organizations, as `ControlPlane.members`. Thread-safe; blocks on
    the disk.

    An organization is named by its id or name, a user by its id. Every method raises ControlError.
    Whether somebody may do it is for the caller to say, by `roles`.

    Args:
        database: where they are.
        users: the accounts.
        audit: where changes are told.
        now: the time in seconds since 1970.
    """

    def __init__(
        self, database: Database, users: Users, audit: AuditLog, now: Callable[[], int]
    ) -> None:
        self._database = database
        self._users = users
        self._audit = audit
        self._now = now

    def add(self, org: str, user: str, role: str, *, by: Actor | None = None) -> Membership:
        """Make a user a member of an organization."""
        with self._database.write() as connection:
            owner = find_org(connection, org)
            return self.add_in(connection, owner.id, self._users.find(connection, user), role, by)

    def add_in(
        self, connection: Connection, org_id: str, user: User, role: str, by: Actor | None
    ) -> Membership:
        """As `add`, in the caller's transaction."""
        _check_role(role)
        if self._find(connection, org_id, user.id) is not None:
            raise ControlError(f"{user.email} is a member already")
        now = self._now()
        row = Membership(org_id=org_id, user_id=user.id, role=role, created_at=now, updated_at=now)
        values = {name: getattr(row, name) for name in row.__slots__}
        connection.execute(insert(memberships).values(values))
        after = {"email": user.email, "role": role}
        self._audit.note(connection, by, "member.add", user.id, org=org_id, after=after)
        return row

    def role(self, org_id: str, user_id: str) -> str | None:
        """What a user is in an organization; None: nothing."""
        with self._database.read() as connection:
            found = self._find(connection, org_id, user_id)
        return None if found is None else found.role

    def get(self, org_id: str, user_id: str) -> Membership | None:
        """A user's membership of an organization."""
        with self._database.read() as connection:
            return self._find(connection, org_id, user_id)

    def list(
        self, org: str, *, offset: int = 0, limit: int = 50
    ) -> tuple[list[tuple[Membership, User]], int]:
        """The members of an organization by address, and how many there are."""
        with self._database.read() as connection:
            owner = find_org(connection, org)
            mine = memberships.c.org_id == owner.id
            total = connection.scalar(select(func.count()).select_from(memberships).where(mine))
            query = (
                select(memberships.c.user_id)
                .join(users, users.c.id == memberships.c.user_id)
                .where(mine)
                .order_by(users.c.email_key)
                .offset(offset)
                .limit(limit)
            )
            ids = connection.scalars(query).all()
            people = {each.id: each for each in rows(connection, User, users.c.id.in_(ids))}
            found = []
            for id in ids:
                membership = self._find(connection, owner.id, id)
                assert membership is not None, "one view of the database"
                found.append((membership, people[id]))
            return found, total or 0

    def change(
        self,
        org: str,
        user: str,
        *,
        role: str | None = None,
        monthly_limit_nano: int | bool | None = False,
        by: Actor | None = None,
    ) -> Membership:
        """Change what a member is and may spend.

        Args:
            role: None: as it is.
            monthly_limit_nano: the most that each key which it makes may spend in a month, in
                nano-USD; None: no limit; False: as it is.

        Raises:
            LastOwnerError: no owner would be left.
        """
        values: dict[str, Any] = {}
        if role is not None:
            _check_role(role)
            values["role"] = role
        if monthly_limit_nano is not False:
            limit = None if monthly_limit_nano is None else int(monthly_limit_nano)
            values["monthly_limit_nano"] = checks.credit(limit, of="limit")
        with self._database.write() as connection:
            owner, row = self._known(connection, org, user)
            changed = {k: v for k, v in values.items() if getattr(row, k) != v}
            if not changed:
                return row
            before = {name: getattr(row, name) for name in changed}
            connection.execute(
                update(memberships)
                .where(memberships.c.org_id == owner, memberships.c.user_id == row.user_id)
                .values(**changed, updated_at=self._now())
            )
            self._check_owners(connection, row)
            self._audit.note(
                connection,
                by,
                "member.change",
                row.user_id,
                org=owner,
                before=before,
                after=changed,
            )
            found = self._find(connection, owner, row.user_id)
            assert found is not None, "it was changed"
            return found

    def remove(self, org: str, user: str, *, by: Actor | None = None) -> None:
        """End a membership. Keys that the user made stay, and work on.

        Raises:
            LastOwnerError: no owner would be left.
        """
        with self._database.write() as connection:
            owner, row = self._known(connection, org, user)
            connection.execute(
                delete(memberships).where(
                    memberships.c.org_id == owner, memberships.c.user_id == row.user_id
                )
            )
            self._check_owners(connection, row)
            self._audit.note(
                connection, by, "member.remove", row.user_id, org=owner, before={"role": row.role}
            )

    # --- invitations ------------------------------------------------------------------------------

    def invite(
        self, org: str, email: str, role: str, *, by: Actor | None = None
    ) -> tuple[Invitation, Token]:
        """Invite whoever has an address. An earlier invitation of it is void from then on.

        Returns:
            The invitation, and the token of its link, which can never be had again.
        """
        _check_role(role)
        email = checked_email(email)
        token, now = secrets.token_urlsafe(32), self._now()
        with self._database.write() as connection:
            owner = find_org(connection, org)
            key = email_key(email)
            member = rows(connection, User, users.c.email_key == key)
            if member and self._find(connection, owner.id, member[0].id) is not None:
                raise ControlError(f"{email} is a member already")
            waiting = self._open(connection, owner.id)
            for old in waiting:
                if old.email_key == key:
                    change(connection, old, revoked_at=now, updated_at=now)
            if len(waiting) >= _MOST_OPEN:
                raise ControlError(
                    f"{len(waiting)} invitations wait already: withdraw some of them first"
                )
            row = Invitation(
                id=new_id("invitation"),
                org_id=owner.id,
                email=email,
                email_key=key,
                role=role,
                token_hash=token_hash(token),
                invited_by="" if by is None else by.id,
                created_at=now,
                updated_at=now,
                expires_at=now + INVITATION_S,
            )
            add(connection, row)
            after = {"email": email, "role": role}
            self._audit.note(connection, by, "invitation.create", row.id, org=owner.id, after=after)
            return row, token

    def invitations(self, org: str) -> Invitations:
        """Those that wait, and those that nobody took in time; the newest first."""
        with self._database.read() as connection:
            return self._open(connection, find_org(connection, org).id)

    def withdraw(self, org: str, invitation: str, *, by: Actor | None = None) -> None:
        """Make an invitation void."""
        with self._database.write() as connection:
            owner = find_org(connection, org)
            for row in self._open(connection, owner.id):
                if row.id == invitation:
                    now = self._now()
                    change(connection, row, revoked_at=now, updated_at=now)
                    self._audit.note(
                        connection,
                        by,
                        "invitation.withdraw",
                        row.id,
                        org=owner.id,
                        before={"email": row.email},
                    )
                    return
            raise ControlError("there is no such invitation, or it was accepted")

    def opened(self, token: Token) -> Invitation | None:
        """The invitation of a link; None where it is unknown, outdated, void or accepted."""
        with self._database.read() as connection:
            return self._by_token(connection, token)

    def accept(self, token: Token, user: User, *, is_new: bool, by: Actor) -> Invitation:
        """Make a user a member by an invitation of its address.

        Args:
            token: of the link.
            user: who accepts; where it `is_new`, a draft of `Users.draft`.
            is_new: whether the account is made with it.
            by: who accepts.

        Raises:
            ControlError: it can no longer be accepted, or is another one's.
        """
        with self._database.write() as connection:
            row = self._by_token(connection, token)
            if row is None or row.email_key != user.email_key:
                raise ControlError("the invitation is no longer valid: ask for a new one")
            if is_new:
                user = self._users.add(connection, user, by=by)
            now = self._now()
            change(connection, row, accepted_at=now, accepted_by=user.id, updated_at=now)
            self.add_in(connection, row.org_id, user, row.role, by)
            return row

    # --- within a transaction ---------------------------------------------------------------------

    def _by_token(self, connection: Connection, token: Token) -> Invitation | None:
        found = rows(connection, Invitation, invitations.c.token_hash == token_hash(token))
        return found[0] if found and found[0].is_open(self._now()) else None

    def _open(self, connection: Connection, org_id: str) -> Invitations:
        return rows(
            connection,
            Invitation,
            invitations.c.org_id == org_id,
            invitations.c.accepted_at.is_(None),
            invitations.c.revoked_at.is_(None),
            order=(invitations.c.created_at.desc(), invitations.c.id),
        )

    def _find(self, connection: Connection, org_id: str, user_id: str) -> Membership | None:
        found = rows(
            connection,
            Membership,
            memberships.c.org_id == org_id,
            memberships.c.user_id == user_id,
        )
        return found[0] if found else None

    def _known(self, connection: Connection, org: str, user: str) -> tuple[str, Membership]:
        owner = find_org(connection, org)
        found = self._find(connection, owner.id, user)
        if found is None:
            raise ControlError("there is no such member")
        return owner.id, found

    def _check_owners(self, connection: Connection, before: Membership) -> None:
        """Raises LastOwnerError where an owner went, and none is left."""
        owners = (memberships.c.org_id == before.org_id) & (memberships.c.role == "owner")
        if before.role == "owner" and not connection.scalar(
            select(func.count()).select_from(memberships).where(owners)
        ):
            raise LastOwnerError("the last owner cannot go: make another one first")


def _check_role(role: str) -> None:
    if role not in ORG_ROLES:
        raise ControlError(f"role: expected one of {', '.join(ORG_ROLES)}; found {role!r}")
