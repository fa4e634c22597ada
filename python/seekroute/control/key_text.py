"""The shape of API keys: prefix, 256 random bits, checksum.

A key is `<prefix><43 random characters><6 checksum characters>`, all of 0-9A-Za-z after the prefix,
so that it survives a double click and a shell. The checksum makes a mistyped key recognisable
without a look-up, and lets secret scanners report real keys only.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib

from seekroute.control.errors import ControlError

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_BITS = 256
_RANDOM_CHARS = 43  # the least n with 62**n >= 2**256
_CHECKSUM_CHARS = 6  # the least n with 62**n >= 2**32
_MAX_PREFIX = 32

_PREFIX = re.compile(rf"[A-Za-z][A-Za-z0-9_-]{{0,{_MAX_PREFIX - 2}}}[-_]")
_BODY = re.compile(rf"[0-9A-Za-z]{{{_RANDOM_CHARS + _CHECKSUM_CHARS}}}")


def make_key(prefix: str) -> str:
    """Make a new key.

    Args:
        prefix: what the key begins with, ends in `-` or `_`: `sk-sr-`. At most 32 characters.

    Raises:
        ControlError: the prefix is not one.

    Example:
        >>> key = make_key("sk-sr-")
        >>> key.startswith("sk-sr-"), len(key), looks_valid(key)
        (True, 55, True)
    """
    if not _PREFIX.fullmatch(prefix):
        raise ControlError(
            f"a key prefix is a letter, then letters, digits, '-' and '_', ends in '-' or '_' and "
            f"has at most {_MAX_PREFIX} characters; found {prefix!r}"
        )
    text = prefix + _base62(secrets.randbits(_RANDOM_BITS), _RANDOM_CHARS)
    return text + _checksum(text)


def looks_valid(key: str) -> bool:
    """Whether `key` has the shape of a key and its checksum fits. Says nothing about its rights.

    Example:
        >>> looks_valid("sk-sr-hello")
        False
    """
    body = key[-(_RANDOM_CHARS + _CHECKSUM_CHARS) :]
    if not _BODY.fullmatch(body) or not _PREFIX.fullmatch(key[: -len(body)]):
        return False
    return hmac.compare_digest(
        _checksum(key[:-_CHECKSUM_CHARS]).encode(), key[-_CHECKSUM_CHARS:].encode()
    )


def key_mac(pepper: bytes, key: str) -> bytes:
    """What is stored in place of a key: HMAC-SHA-256(pepper, key), 32 bytes.

    Example:
        >>> len(key_mac(bytes(32), "sk-sr-hello"))
        32
    """
    return hmac.new(pepper, key.encode(), hashlib.sha256).digest()


def _checksum(text: str) -> str:
    return _base62(zlib.crc32(text.encode()), _CHECKSUM_CHARS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, len(_ALPHABET))
        digits.append(_ALPHABET[digit])
    return "".join(reversed(digits))
