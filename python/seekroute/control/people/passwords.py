"""Passwords: which are taken, and how they are kept (argon2id)."""

from __future__ import annotations

import contextlib
import threading
import unicodedata
from collections.abc import Iterator
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from seekroute.control.errors import ControlError

LEAST: Final = 12  # characters
MOST: Final = 128

# OWASP's second choice of equal strength: 19 MiB, two passes, some 40 ms.
_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_AT_ONCE: Final = 2
# Of zxcvbn, which takes longer than linear time: what 72 characters are worth is enough.
_MOST_JUDGED: Final = 72
_LEAST_SCORE: Final = 2
_PATIENCE_S: Final = 5.0
# What an unknown account's password is compared with, so that it takes as long as a known one's.
_NOBODY: Final = _HASHER.hash("nobody has this password")


class BusyError(ControlError):
    """Too many passwords are being checked."""


class Passwords:
    """Hashes and compares passwords, two at a time. Thread-safe."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(_AT_ONCE)

    def hash(self, password: str, *, email: str) -> str:
        """What is stored of a new password.

        Args:
            password: as it was typed.
            email: of the account, which it must not be.

        Raises:
            ControlError: it is too short, too long, or one that is soon guessed.
        """
        text = checked(password, email=email)
        with self._slot():
            return _HASHER.hash(text)

    @staticmethod
    def check(password: str, *, email: str) -> None:
        """Raises ControlError where `hash` would."""
        checked(password, email=email)

    def matches(self, password: str, stored: str | None) -> bool:
        """Whether it is the password that was stored. Takes as long where none was.

        Raises:
            BusyError: too many are being checked.
        """
        # None is that long, and to take it apart would cost whoever asks nothing.
        text = unicodedata.normalize("NFKC", password) if len(password) <= MOST else ""
        with self._slot():
            try:
                _HASHER.verify(stored or _NOBODY, text)
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def rehash(self, password: str) -> str:
        """What is stored of a password that has just been taken."""
        with self._slot():
            return _HASHER.hash(unicodedata.normalize("NFKC", password))

    @staticmethod
    def is_outdated(stored: str) -> bool:
        """Whether it was made with other parameters than those of today."""
        return _HASHER.check_needs_rehash(stored)

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=_PATIENCE_S):
            raise BusyError("too many passwords are being checked at once: try again in a moment")
        try:
            yield
        finally:
            self._slots.release()


def checked(password: str, *, email: str) -> str:
    """The password in the form that is hashed (NFKC). Raises ControlError where it is too weak."""
    text = unicodedata.normalize("NFKC", password)
    if len(text) < LEAST:
        raise ControlError(f"password: has {len(text)} characters, {LEAST} are the least")
    if len(text) > MOST:
        raise ControlError(f"password: has {len(text)} characters, {MOST} are the most")
    if _is_guessed(text, email):
        raise ControlError("password: is among the first that anybody would try: choose another")
    return text


def _is_guessed(text: str, email: str) -> bool:
    """Whether a program that knows the address finds it in a million tries."""
    from zxcvbn import zxcvbn

    found = zxcvbn(text[:_MOST_JUDGED], user_inputs=[email, email.partition("@")[0]])
    return bool(found["score"] < _LEAST_SCORE)
