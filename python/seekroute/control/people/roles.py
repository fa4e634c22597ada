"""What each role may do: the one table, for the console, the management API, tests and docs."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

__all__ = ["MANAGEMENT_KEY", "RIGHTS", "Grant", "Right", "grant_of", "may_grant"]

# What a management key of an organization is, beside the roles of people.
MANAGEMENT_KEY: Final = "management_key"


class Grant(StrEnum):
    """How far a right goes."""

    ALL = "all"
    OWN = "own"  # what one has made, or what is one's own
    SUMS = "sums"  # totals, no single row
    NONE = "none"

    def __bool__(self) -> bool:
        return self is not Grant.NONE


class Right(StrEnum):
    """What can be asked for. Those of an organization first, then those of the whole gateway."""

    SEE_USE = "see keys, logs and activity"
    CHANGE_KEYS = "make, edit, roll and revoke keys"
    SEE_BALANCE = "see the balance"
    SEE_STATEMENT = "see statement and payments"
    ADD_CREDIT = "add credit"
    SEE_MEMBERS = "see members"
    CHANGE_MEMBERS = "invite, change roles, remove"
    CREATE_APPS = "create apps"
    CHANGE_ORG = "change the organization"
    MANAGEMENT_KEYS = "make and revoke management keys"
    CLOSE_ORG = "close the organization"
    SEE_AUDIT = "see the audit log of the organization"
    SEE_INSTANCE = "see all organizations, users and the system"
    CHANGE_INSTANCE = "approve apps, suspend, adjust, refund, change users and the system"


_ALL, _OWN, _SUMS, _NO = Grant.ALL, Grant.OWN, Grant.SUMS, Grant.NONE
_ROLES: Final = ("operator", "support", "owner", "admin", "billing", "member", MANAGEMENT_KEY)


def _row(*grants: Grant) -> Mapping[str, Grant]:
    return dict(zip(_ROLES, grants, strict=True))


RIGHTS: Final[Mapping[Right, Mapping[str, Grant]]] = {
    #                          operator support owner admin billing member management key
    Right.SEE_USE: _row(_ALL, _ALL, _ALL, _ALL, _SUMS, _OWN, _ALL),
    Right.CHANGE_KEYS: _row(_ALL, _NO, _ALL, _ALL, _NO, _OWN, _ALL),
    Right.SEE_BALANCE: _row(_ALL, _ALL, _ALL, _ALL, _ALL, _ALL, _ALL),
    Right.SEE_STATEMENT: _row(_ALL, _ALL, _ALL, _ALL, _ALL, _NO, _NO),
    Right.ADD_CREDIT: _row(_NO, _NO, _ALL, _NO, _ALL, _NO, _NO),
    Right.SEE_MEMBERS: _row(_ALL, _ALL, _ALL, _ALL, _NO, _NO, _ALL),
    Right.CHANGE_MEMBERS: _row(_ALL, _NO, _ALL, _ALL, _NO, _NO, _NO),
    Right.CREATE_APPS: _row(_ALL, _NO, _ALL, _ALL, _NO, _OWN, _ALL),
    Right.CHANGE_ORG: _row(_ALL, _NO, _ALL, _ALL, _NO, _NO, _NO),
    Right.MANAGEMENT_KEYS: _row(_ALL, _NO, _ALL, _ALL, _NO, _NO, _NO),
    Right.CLOSE_ORG: _row(_ALL, _NO, _ALL, _NO, _NO, _NO, _NO),
    Right.SEE_AUDIT: _row(_ALL, _ALL, _ALL, _ALL, _NO, _NO, _ALL),
    Right.SEE_INSTANCE: _row(_ALL, _ALL, _NO, _NO, _NO, _NO, _NO),
    Right.CHANGE_INSTANCE: _row(_ALL, _NO, _NO, _NO, _NO, _NO, _NO),
}
"""How far each right goes for each role. What is not here, nobody may."""


def grant_of(right: Right, *roles: str | None) -> Grant:
    """How far a right goes for whoever has these roles: the farthest of them.

    >>> grant_of(Right.CHANGE_KEYS, "member"), grant_of(Right.CHANGE_KEYS, "member", "operator")
    (<Grant.OWN: 'own'>, <Grant.ALL: 'all'>)
    >>> grant_of(Right.CHANGE_KEYS, None)
    <Grant.NONE: 'none'>
    """
    found = {RIGHTS[right].get(role, Grant.NONE) for role in roles if role is not None}
    return min(found, key=list(Grant).index, default=Grant.NONE)


def may_grant(role: str, *, by: str) -> bool:
    """Whether someone with the role `by` may give another `role` in the organization.

    Nobody gives what it has not. An operator is the exception: it makes the first owner.

    >>> may_grant("owner", by="owner"), may_grant("owner", by="admin")
    (True, False)
    >>> may_grant("member", by="admin")
    True
    """
    if by == "operator":
        return role not in ("operator", "support")
    order = list(Grant).index
    may = bool(grant_of(Right.CHANGE_MEMBERS, by))
    return may and all(order(grants[by]) <= order(grants[role]) for grants in RIGHTS.values())
