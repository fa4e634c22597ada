"""Programs of an organization that the operator approves, for its pages."""

from __future__ import annotations

from typing import Literal

from seekroute.api.call import RefusedError
from seekroute.console import shapes
from seekroute.console.call import Answer, Body, Call, take
from seekroute.console.desk import Desk
from seekroute.console.fields import Name, text_of
from seekroute.control import ControlError


class _NewApp(Body):
    name: Name


class _Decision(Body):
    status: Literal["approved", "rejected"]


def listed(call: Call, desk: Desk) -> Answer:
    """GET apps: of the organization."""
    return Answer({"data": [shapes.app(row) for row in desk.control.apps.list(call.org)]})


def create(call: Call, desk: Desk) -> Answer:
    """POST apps: pending, until the operator approves it."""
    body = take(call, _NewApp)
    try:
        row = desk.control.apps.create(call.org, name=body.name, by=call.caller.actor)
    except ControlError as error:
        raise RefusedError("conflict", str(error), "name") from error
    return Answer({"data": shapes.app(row)}, status=201)


def of_all(call: Call, desk: Desk) -> Answer:
    """GET admin/apps: of all organizations; by `status`."""
    status = text_of(call.query, "status", "pending", "approved", "rejected")
    rows = [row for row in desk.control.apps.list() if not status or row.status == status]
    return Answer({"data": [shapes.app(row) for row in rows]})


def decide(call: Call, desk: Desk) -> Answer:
    """PATCH admin/apps/{id}: approve or reject; its keys answer 403 until it is approved."""
    body = take(call, _Decision)
    apps = desk.control.apps
    act = apps.approve if body.status == "approved" else apps.reject
    try:
        return Answer({"data": shapes.app(act(call.params["id"], by=call.caller.actor))})
    except ControlError as error:
        raise RefusedError("not_found", str(error)) from error
