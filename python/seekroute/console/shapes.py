"""How rows are told to the console's pages: money as exact decimal strings in USD, moments as ISO
8601 in UTC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seekroute.api.account import stamp
from seekroute.control.people.roles import Right, grant_of
from seekroute.money import usd

if TYPE_CHECKING:
    from seekroute.control.models import ApiKey, App, Organization
    from seekroute.control.people.tables import (
        AuditRow,
        Invitation,
        Membership,
        Session,
        User,
    )

__all__ = [
    "app",
    "audit_row",
    "invitation",
    "key",
    "member",
    "moment",
    "money",
    "organization",
    "rights",
    "session",
    "user",
]


def moment(seconds: int | None) -> str | None:
    """Unix seconds as ISO 8601; null stays null.

    >>> moment(0), moment(None)
    ('1970-01-01T00:00:00Z', None)
    """
    return None if seconds is None else stamp(seconds)


def money(nano: int | None) -> str | None:
    """Nano-USD as a string of USD; null, which is no limit, stays null.

    >>> money(1_234_567_891), money(None)
    ('1.234567891', None)
    """
    return None if nano is None else usd(nano)


def user(row: User) -> dict[str, Any]:
    """A person, without its secrets."""
    return {
        "id": row.id,
        "email": row.email,
        "email_verified": row.email_verified_at is not None,
        "name": row.name,
        "instance_role": row.instance_role,
        "has_password": row.password_hash is not None,
        "has_totp": row.has_totp,
        "disabled": row.disabled,
        "created_at": moment(row.created_at),
        "last_seen_at": moment(row.last_seen_at),
    }


def session(row: Session, *, current: str) -> dict[str, Any]:
    """A browser that is signed in. `current` is the id of the one that asks."""
    return {
        "id": row.id,
        "current": row.id == current,
        "methods": row.methods.split(),
        "created_at": moment(row.created_at),
        "last_seen_at": moment(row.last_seen_at),
        "expires_at": moment(row.expires_at),
        "address": row.address,
        "agent": row.agent,
    }


def rights(*roles: str | None) -> dict[str, str]:
    """What whoever has these roles may do, and how far: pages show nothing else.

    >>> rights("billing")["see_use"], "change_keys" in rights("billing")
    ('sums', False)
    """
    found = {right.name.lower(): grant_of(right, *roles) for right in Right}
    return {name: grant.value for name, grant in found.items() if grant}


def organization(row: Organization) -> dict[str, Any]:
    """An organization, without its balance."""
    return {
        "id": row.id,
        "name": row.name,
        "suspended": row.suspended,
        "credit_line": money(row.credit_line_nano),
        "created_at": moment(row.created_at),
    }


def key(row: ApiKey, *, creator: User | None = None) -> dict[str, Any]:
    """A key, without its use."""
    return {
        "id": row.id,
        "name": row.name,
        "label": row.label,
        "kind": row.kind,
        "state": state_of(row),
        "creator": None if creator is None else {"id": creator.id, "email": creator.email},
        "app_id": row.app_id,
        "profile": row.profile,
        "models": row.models,
        "limit": money(row.limit_nano),
        "limit_reset": row.limit_reset,
        "store_answers": row.store_answers,
        "auto_strategy": row.auto_strategy,
        "created_at": moment(row.created_at),
        "expires_at": moment(row.expires_at),
        "version": row.updated_at,
    }


def state_of(row: ApiKey) -> str:
    """`active`, `disabled` or `revoked`; whether it has expired is for the reader's clock."""
    return "revoked" if row.revoked else "disabled" if row.disabled else "active"


def member(row: Membership, person: User) -> dict[str, Any]:
    """A member of an organization."""
    return {
        "user_id": person.id,
        "email": person.email,
        "name": person.name,
        "role": row.role,
        "monthly_limit": money(row.monthly_limit_nano),
        "disabled": person.disabled,
        "joined_at": moment(row.created_at),
        "last_seen_at": moment(person.last_seen_at),
    }


def invitation(row: Invitation, *, now: float) -> dict[str, Any]:
    """Who is invited; never its token."""
    return {
        "id": row.id,
        "email": row.email,
        "role": row.role,
        "created_at": moment(row.created_at),
        "expires_at": moment(row.expires_at),
        "expired": not row.is_open(int(now)),
    }


def app(row: App) -> dict[str, Any]:
    """A program of an organization."""
    return {
        "id": row.id,
        "org_id": row.org_id,
        "name": row.name,
        "status": row.status,
        "created_at": moment(row.created_at),
    }


def audit_row(row: AuditRow) -> dict[str, Any]:
    """Who changed what; `before` and `after` are JSON texts."""
    return {
        "n": row.n,
        "at": moment(row.at),
        "actor": {"kind": row.actor_kind, "id": row.actor_id, "label": row.actor_label},
        "org_id": row.org_id,
        "action": row.action,
        "target": row.target,
        "before": row.before,
        "after": row.after,
        "address": row.address,
    }
