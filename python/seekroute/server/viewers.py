"""Who a caller over HTTP is, by its key."""

from __future__ import annotations

from seekroute.api.call import Viewer
from seekroute.api.table import Who
from seekroute.gateway import CoreError
from seekroute.server.answers import HttpCall, Refusal


def identify(call: HttpCall, *, needs_key: bool = False) -> tuple[str, str, str]:
    """Returns key id, organization id and profile of the caller.

    Args:
        needs_key: whether a key is asked for also where requests without one are served.

    Raises:
        Refusal: no key, or one that may not be used.
    """
    call.check_single_authorization()
    try:
        found = call.service.find_key(call.authorization, needs_key=needs_key)
    except CoreError as error:
        raise Refusal(error.code, error.message) from None
    if found[0] and call.cycle is not None:
        call.cycle.vouch()
    return found


def viewer_of(call: HttpCall, who: Who) -> Viewer:
    """Who asks, as the handlers know it. Requests without a key are nobody's, also where they are
    served.

    Raises:
        Refusal: there is no key and one is needed, or it may not be used.
    """
    key, org, profile_name = identify(call, needs_key=who in (Who.ORG, Who.KEY))
    service = call.service
    profile = service.profiles.get(profile_name, service.default_profile)
    authorization = (call.authorization or b"") if key else b""
    try:
        rights = service.rights_of_key(authorization or None)
    except CoreError as error:  # revoked a moment ago
        raise Refusal(error.code, error.message) from None
    return Viewer(
        org,
        rights.credit_line,
        key=key,
        key_limit=rights.limit,
        limit_reset=rights.limit_reset,
        secret=authorization.partition(b" ")[2].strip(b" ").decode("ascii"),
        shows_upstream_cost=profile.shows_upstream_cost,
        model_ids=profile.model_ids,
        models=rights.models,
        profile=profile_name,  # limits are by the key's own, also where nobody speaks it any more
    )
