"""Secrets that have to be read again, and so cannot be hashed: sealed under a key of the pepper.

A sealed value is bound to its place: moved to another row or column, it does not open.
"""

from __future__ import annotations

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from seekroute.control.errors import ControlError

__all__ = ["Sealer"]

_PURPOSE: Final = b"seekroute sealed columns 1"
_NONCE: Final = 12  # bytes


class Sealer:
    """Seals with AES-256-GCM, and opens. Thread-safe.

    Args:
        pepper: the secret that the key is made of.

    Example:
        >>> sealer = Sealer(bytes(32))
        >>> sealed = sealer.seal(b"seed", "users.totp", "user_1")
        >>> sealer.open(sealed, "users.totp", "user_1")
        b'seed'
    """

    def __init__(self, pepper: bytes) -> None:
        self._cipher = AESGCM(HKDF(SHA256(), 32, None, _PURPOSE).derive(pepper))

    def seal(self, value: bytes, column: str, id: str) -> bytes:
        """The value as it is stored in a column of a row."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher.encrypt(nonce, value, _place(column, id))

    def open(self, sealed: bytes, column: str, id: str) -> bytes:
        """The value that was sealed for that column and row.

        Raises:
            ControlError: it was sealed for another one, or is damaged.
        """
        try:
            return self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], _place(column, id))
        except InvalidTag as error:
            raise ControlError(f"{column} of {id} is not what was stored there") from error


def _place(column: str, id: str) -> bytes:
    return f"{column}\0{id}".encode()
