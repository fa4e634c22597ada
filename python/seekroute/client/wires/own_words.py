"""What a gateway in this process says of a provider's refusal, to the one whose key it is.

A gateway's answers are for customers: they keep the operator's keys and accounts out of it. In
process the caller is the operator. So a provider's refusal of the key, of its account or of the
model is told by the provider's name and in its words, as the error of its own kind.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from seekroute.errors import APIError, APIStatusError, error_for_status

if TYPE_CHECKING:
    from seekroute.gateway import Record

_SHOWN = 80  # characters of a model's name


class _Words(NamedTuple):
    status: int
    message: str
    hint: str


# `key` is where the provider's key comes from.
_REFUSALS = {
    "upstream_auth_error": _Words(
        401, "{provider} refused its key (from {key})", "check the key in {key}"
    ),
    "upstream_no_credit": _Words(
        402,
        "the account at {provider} is used up (its key is from {key})",
        "top up the account, or ask another model",
    ),
    "upstream_forbidden": _Words(
        403,
        "{provider} does not let this account do that (its key is from {key})",
        "check what the account may do, and from where",
    ),
    "upstream_model_not_found": _Words(
        404,
        "{provider} does not serve {model}",
        "check whether the account whose key is in {key} has access to the model",
    ),
}


class OwnWords:
    """Says errors anew.

    Args:
        keys: Where the key of each provider comes from, by its id.
        models: The model of every name, ids among them.
        unserved: What each model lacks that nobody serves, by its id.
    """

    def __init__(
        self, keys: Mapping[str, str], models: Mapping[str, str], unserved: Mapping[str, str]
    ) -> None:
        self._keys = keys
        self._ids = models
        self._models = sorted({*models, *models.values()})
        self._unserved = unserved

    def __call__(self, error: APIError, body: bytes, record: Record | None) -> APIError:
        """The error to raise instead of `error`, or itself.

        Args:
            error: As the gateway's answer says it.
            body: The request.
            record: How it ended, if known.
        """
        if not isinstance(error, APIStatusError):
            return error
        if error.code == "model_not_found":
            return self._unknown(error, body)
        if error.code == "no_matching_endpoint":
            return self._not_connected(error, body)
        words = _REFUSALS.get(error.code) if isinstance(error.code, str) else None
        if words is None or record is None:
            return error
        names = {
            "provider": record.provider,
            "key": self._keys.get(record.provider, f"providers.{record.provider}.api_key"),
            "model": record.model or record.requested_model,
        }
        said = record.tried[-1][4] if record.tried else ""
        message = words.message.format(**names) + (f": {said}" if said else "")
        return _anew(error, words.status, message, words.hint.format(**names))

    def _not_connected(self, error: APIStatusError, body: bytes) -> APIError:
        name = _model_in(body)
        model = self._ids.get(name, name)
        lack = self._unserved.get(model)
        if not lack:
            return error
        message = f"no provider of {model!r} is configured: {lack}"
        return _anew(error, error.status_code or 404, message, error.hint)

    def _unknown(self, error: APIStatusError, body: bytes) -> APIError:
        name = _model_in(body)
        # The core has words of its own for a snapshot that is gone.
        if not name or str(error.body.get("message", "")).startswith("the snapshot "):
            return error
        close = difflib.get_close_matches(name.lower(), self._models, n=3, cutoff=0.75)
        shown = name if len(name) <= _SHOWN else f"{name[:_SHOWN]}..."
        message = f"no model {shown!r}" + (f"; did you mean {', '.join(close)}?" if close else "")
        return _anew(error, error.status_code or 404, message, error.hint)


def _model_in(body: bytes) -> str:
    try:
        name = json.loads(body)["model"]
    except (ValueError, LookupError, TypeError):
        return ""
    return name if isinstance(name, str) else ""


def _anew(error: APIStatusError, status: int, message: str, hint: str) -> APIError:
    made = error_for_status(
        status, {**error.body, "message": message}, error.headers, attempts=error.attempts
    )
    made.hint = hint
    return made
