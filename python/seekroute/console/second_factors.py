"""A person's second factor, for its pages."""

from __future__ import annotations

import io

import segno
from pydantic import Field

from seekroute.api.call import RefusedError
from seekroute.console.call import Answer, Body, Call, take
from seekroute.console.desk import Desk
from seekroute.console.throttle import SECOND_FACTOR
from seekroute.control import ControlError


class _Code(Body):
    code: str = Field(min_length=6, max_length=40)


def begin(call: Call, desk: Desk) -> Answer:
    """POST me/totp: a seed for an app, and its picture; neither can be had again."""
    try:
        seed, uri = desk.control.second_factors.begin(call.user.id)
    except ControlError as error:
        raise RefusedError("conflict", str(error)) from error
    picture = io.BytesIO()
    segno.make(uri, error="m").save(picture, kind="svg", xmldecl=False, scale=4, border=2)
    return Answer({"secret": seed, "uri": uri, "svg": picture.getvalue().decode()}, status=201)


def confirm(call: Call, desk: Desk) -> Answer:
    """POST me/totp/confirm: with a code of the app; answers the recovery codes, this once."""
    body = take(call, _Code)
    desk.throttle.take((SECOND_FACTOR, call.user.id))
    try:
        codes = desk.control.second_factors.confirm(call.user.id, body.code, by=call.caller.actor)
    except ControlError as error:
        raise RefusedError("invalid_value", str(error), "code") from error
    return Answer({"recovery_codes": codes}, status=201)


def remove(call: Call, desk: Desk) -> Answer:
    """DELETE me/totp: no second factor any more."""
    desk.control.second_factors.remove(call.user.id, by=call.caller.actor)
    return Answer(status=204)


def renew_codes(call: Call, desk: Desk) -> Answer:
    """POST me/recovery-codes: new ones; the old ones are worth nothing."""
    try:
        codes = desk.control.second_factors.renew_codes(call.user.id, by=call.caller.actor)
    except ControlError as error:
        raise RefusedError("conflict", str(error)) from error
    return Answer({"recovery_codes": codes}, status=201)
