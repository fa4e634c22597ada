"""The queries that the control plane's methods share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Row, Select, delete, insert, or_, select
from sqlalchemy.orm import Session

from seekroute.control.errors import ControlError
from seekroute.control.keys import looks_valid
from seekroute.control.models import ApiKey, App, KeyChange, Organization

CoreKey = dict[str, Any]
_Named = TypeVar("_Named", Organization, App)


def announce(session: Session, which: ColumnElement[bool]) -> None:
    """Put the keys that `which` selects at the end of the change feed."""
    macs = select(ApiKey.mac).where(which)
    session.execute(delete(KeyChange).where(KeyChange.mac.in_(macs)))
    session.execute(insert(KeyChange).from_select(["mac"], macs))


def find_org(session: Session, ref: str) -> Organization:
    """The organization with this id, or else this name."""
    query = select(Organization).where(or_(Organization.id == ref, Organization.name == ref))
    return _one(session.scalars(query), ref, "an organization")


def find_app(session: Session, ref: str, org: Organization | None) -> App:
    """The app with this id, or else this name; of one organization or of any."""
    query = select(App).where(or_(App.id == ref, App.name == ref))
    if org is not None:
        query = query.where(App.org_id == org.id)
    return _one(session.scalars(query), ref, "an app")


def _one(rows: Iterable[_Named], ref: str, kind: str) -> _Named:
    found = list(rows)
    for row in found:
        if row.id == ref:
            return row
    if not found:
        shown = "of that name" if looks_valid(ref) else repr(ref)  # a misplaced key stays unsaid
        raise ControlError(f"there is no {kind.partition(' ')[2]} {shown}")
    if len(found) > 1:
        raise ControlError(f"{ref!r} is the name of more than {kind}: give the id instead")
    return found[0]


def with_rights(query: Select[Any]) -> Select[Any]:
    """Add to keys what else decides their rights: the organization's and the app's state."""
    return (
        query.add_columns(Organization.suspended_at, App.status)
        .outerjoin_from(ApiKey, Organization, Organization.id == ApiKey.org_id)
        .outerjoin_from(ApiKey, App, App.id == ApiKey.app_id)
    )


def core_key(row: Row[Any]) -> CoreKey:
    """A row of `with_rights` as the core takes it."""
    key: ApiKey = row.ApiKey
    return {
        "key_id": key.id,
        "org_id": key.org_id,
        "profile": key.profile,
        "disabled": key.disabled or row.suspended_at is not None,
        "expires_at": key.expires_at,
        "models": key.models,
        "app_pending": row.status not in (None, "approved"),
    }
