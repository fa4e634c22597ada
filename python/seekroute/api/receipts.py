"""Receipts: what a request cost, in a form that its customer and the operator can check offline.

A receipt is a flat JSON object of texts, integers and nulls. It is signed over its canonical bytes
(sorted names, no spaces, ASCII) twice, with HMAC-SHA-256:

* `operator_signature`, with a key derived from the gateway's pepper: only the operator can make and
  check it. It covers everything but the two signatures.
* `signature`, with a key derived from the API key that asked for the receipt: whoever has that key
  can check it, and nobody else can make it but the gateway. It covers everything but itself.

But for `receipt`, which asks the ledger, nothing here reads a file or the clock.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any, Final

from seekroute.api.account import find, stamp
from seekroute.api.call import ApiAnswer, ApiCall, Sources
from seekroute.errors import SeekrouteError
from seekroute.money import usd

__all__ = [
    "VERSION",
    "ReceiptError",
    "check_operator",
    "check_signature",
    "gateway_id",
    "issue",
    "parse",
    "receipt",
    "serialize",
    "sign",
]

VERSION: Final = 1

_SIGNATURE: Final = "signature"
_OPERATOR: Final = "operator_signature"
_CUSTOMER_LABEL: Final = b"seekroute receipt v1"
_OPERATOR_LABEL: Final = b"seekroute receipt operator v1"
_GATEWAY_LABEL: Final = b"seekroute gateway id v1"
_MOST_BYTES: Final = 64 * 1024


class ReceiptError(SeekrouteError):
    """It is no receipt, or not one that was issued like this; the text says why."""


def gateway_id(pepper: bytes) -> str:
    """The public name of the installation whose pepper this is. It tells nothing of the pepper.

    >>> gateway_id(b"x" * 32)
    'gw-226b39d88a4f58793a5610f5'
    """
    return f"gw-{hmac.digest(pepper, _GATEWAY_LABEL, hashlib.sha256).hex()[:24]}"


def issue(row: Mapping[str, Any], pepper: bytes) -> dict[str, Any]:
    """The receipt of a request that has ended, signed by the operator.

    Args:
        row: of `Ledger.generation`.
        pepper: the gateway's.
    """
    known = row["state"] != "expired"
    tokens = ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens")
    receipt: dict[str, Any] = {
        "object": "receipt",
        "version": VERSION,
        "gateway_id": gateway_id(pepper),
        "generation_id": row["generation"],
        "request_id": row["request_id"],
        "organization_id": row["org"],
        "key_id": row["key"],
        "model": row["model"],
        "provider": row["provider"] or None,
        **{name: row[name] if known else None for name in tokens},
        "currency": "USD",
        "charged": usd(row["cost"]),
        "charged_nano": row["cost"],
        "held": usd(row["held"]),
        "held_nano": row["held"],
        "price_revision": row["price_revision"],
        "settlement": row["settlement"],
        "created_at": stamp(row["created"]),
        "ended_at": stamp(row["ended"] // 1000, row["ended"] % 1000),
    }
    receipt[_OPERATOR] = _signed(pepper, _OPERATOR_LABEL, receipt)
    return receipt


def receipt(call: ApiCall, sources: Sources) -> ApiAnswer:
    """GET /receipt: what one request cost, signed for the holder of the key that asks."""
    assert sources.pepper, "only a gateway with keys signs receipts"
    row = find(sources.books(), call.viewer.org, call.query)
    issued = issue(row, sources.pepper)
    return ApiAnswer(serialize(sign(issued, call.viewer.secret)))


def sign(receipt: Mapping[str, Any], api_key: str) -> dict[str, Any]:
    """The receipt with the signature that the holder of `api_key` can check."""
    unsigned = {name: value for name, value in receipt.items() if name != _SIGNATURE}
    return {**unsigned, _SIGNATURE: _signed(api_key.encode(), _CUSTOMER_LABEL, unsigned)}


def serialize(receipt: Mapping[str, Any]) -> bytes:
    """The canonical bytes.

    >>> serialize({"b": 1, "a": "é"})
    b'{"a":"\\\\u00e9","b":1}'
    """
    return json.dumps(
        receipt, ensure_ascii=True, allow_nan=False, separators=(",", ":"), sort_keys=True
    ).encode("ascii")


def parse(text: str | bytes) -> dict[str, Any]:
    """Reads a receipt, whatever its spaces and order.

    Raises:
        ReceiptError: it is none: no flat JSON object of texts, integers and nulls, a name twice,
            another version, or over 64 KiB.
    """
    if len(text) > _MOST_BYTES:
        raise ReceiptError("this is no receipt: it is too long")
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_float=_no_float)
    except (ValueError, RecursionError) as error:
        raise ReceiptError(f"this is no receipt: {error}") from None
    if not isinstance(found, dict) or found.get("object") != "receipt":
        raise ReceiptError('this is no receipt: it is no JSON object with "object": "receipt"')
    if type(found.get("version")) is not int or found["version"] != VERSION:
        raise ReceiptError(f"this receipt is not of version {VERSION}, the only one known here")
    for name, value in found.items():
        if not (value is None or type(value) in (str, int)):
            raise ReceiptError(f"this is no receipt: {name!r} is neither text, integer nor null")
    return found


def check_signature(receipt: Mapping[str, Any], api_key: str) -> None:
    """Checks what the holder of the key can: that a gateway which knows it issued all of this.

    Args:
        receipt: as `parse` gives it.
        api_key: the key that asked for the receipt.

    Raises:
        ReceiptError: it was changed, or issued for another key.

    >>> signed = sign({"object": "receipt", "version": 1, "charged_nano": 5}, "sk-sr-mine")
    >>> check_signature(signed, "sk-sr-mine")
    >>> check_signature({**signed, "charged_nano": 6}, "sk-sr-mine")
    Traceback (most recent call last):
    seekroute.api.receipts.ReceiptError: the signature is wrong: ...
    """
    given = _given(receipt, _SIGNATURE)
    unsigned = {name: value for name, value in receipt.items() if name != _SIGNATURE}
    expected = _signed(api_key.encode(), _CUSTOMER_LABEL, unsigned)
    if not hmac.compare_digest(given, expected.encode()):
        raise ReceiptError(
            "the signature is wrong: the receipt was changed, or asked for with another API key"
        )


def check_operator(receipt: Mapping[str, Any], pepper: bytes) -> None:
    """Checks what the operator can: that this installation issued all but `signature`.

    Raises:
        ReceiptError: it did not.
    """
    given = _given(receipt, _OPERATOR)
    covered = {k: v for k, v in receipt.items() if k not in (_SIGNATURE, _OPERATOR)}
    expected = _signed(pepper, _OPERATOR_LABEL, covered)
    if not hmac.compare_digest(given, expected.encode()):
        other = receipt.get("gateway_id") != gateway_id(pepper)
        why = "it names another gateway" if other else "the receipt was changed"
        raise ReceiptError(f"the operator's signature is wrong: {why}")


def _given(receipt: Mapping[str, Any], name: str) -> bytes:
    text = receipt.get(name)
    if not isinstance(text, str):
        raise ReceiptError(f"the receipt has no member {name!r}")
    return text.encode("utf-8", "surrogatepass")


def _signed(secret: bytes, label: bytes, receipt: Mapping[str, Any]) -> str:
    key = hmac.digest(secret, label, hashlib.sha256)
    return hmac.digest(key, serialize(receipt), hashlib.sha256).hex()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice in it")
    return found


def _no_float(text: str) -> Any:
    raise ValueError("a number in it is no integer")
