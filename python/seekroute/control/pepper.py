"""The pepper: the secret without which the key table verifies nothing and takes no forged row.

It lives outside the database, in `<data dir>/pepper` or in SEEKROUTE_PEPPER, so that a copy of the
database alone is worth nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path

from seekroute.control.directory import PRIVATE_FILE, sync_directory
from seekroute.control.errors import ControlError

PEPPER_VARIABLE = "SEEKROUTE_PEPPER"
PEPPER_BYTES = 32

_FILE = "pepper"
_MAX_FILE = 4096
_HEX = re.compile(r"[0-9A-Fa-f]+")  # base64 of random bytes has other letters too


def load_pepper(data_dir: Path, *, environ: Mapping[str, str], has_keys: bool) -> bytes:
    """The pepper of a data directory; made at the first call.

    Args:
        data_dir: an existing directory.
        environ: where SEEKROUTE_PEPPER is looked up; it wins over the file.
        has_keys: whether the database holds keys. Then a missing pepper is an error: a new one
            would turn every key away.

    Raises:
        ControlError: the pepper is missing, too short, unreadable, or readable by other users.
    """
    variable = check_variable(environ)
    if variable is not None:
        return variable
    path = data_dir / _FILE
    try:
        return _read(path)
    except FileNotFoundError:
        pass
    if has_keys:
        raise ControlError(
            f"the pepper file {path} is missing, but the database holds keys that only work with "
            f"it: restore the file from a backup, or set {PEPPER_VARIABLE}"
        )
    _create(path)
    return _read(path)  # another process may have been first; its pepper is the one then


def check_variable(environ: Mapping[str, str]) -> bytes | None:
    """The pepper in SEEKROUTE_PEPPER, None where it is not set.

    Raises:
        ControlError: it is set to something else.
    """
    text = environ.get(PEPPER_VARIABLE)
    return _decode(text.strip()) if text else None


def _decode(text: str) -> bytes:
    try:
        if _HEX.fullmatch(text):
            pepper = bytes.fromhex(text)
        else:
            standard = text.replace("-", "+").replace("_", "/").rstrip("=")
            padded = standard + "=" * (-len(standard) % 4)
            pepper = base64.b64decode(padded, validate=True)
    except (binascii.Error, ValueError):
        pepper = b""
    if len(pepper) < PEPPER_BYTES:
        # `from None` and no value: the text is a secret even when it is a bad one.
        raise ControlError(
            f"{PEPPER_VARIABLE} must be at least {PEPPER_BYTES} random bytes in base64 or hex: "
            f"make one with `openssl rand -hex {PEPPER_BYTES}`"
        ) from None
    return pepper


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            pepper = file.read(_MAX_FILE)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ControlError(f"cannot read the pepper file {path}: {error.strerror}") from error
    if mode & 0o077:
        raise ControlError(
            f"other users may use the pepper file {path} (mode {mode:o}): run `chmod 600 {path}`"
        )
    if len(pepper) < PEPPER_BYTES:
        raise ControlError(
            f"the pepper file {path} holds {len(pepper)} bytes instead of {PEPPER_BYTES}: restore "
            "it from a backup"
        )
    return pepper


def _create(path: Path) -> None:
    """Put a new pepper at `path`, whole or not at all, and never over another."""
    draft = path.with_name(f"{_FILE}.{secrets.token_hex(8)}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        descriptor = os.open(draft, flags, PRIVATE_FILE)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(secrets.token_bytes(PEPPER_BYTES))
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)  # fails where the name exists, unlike a rename
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        sync_directory(path.parent)
    except OSError as error:
        raise ControlError(f"cannot create the pepper file {path}: {error.strerror}") from error


def pepper_check(pepper: bytes) -> bytes:
    """What a database stores of its pepper, to know it again."""
    return hmac.new(pepper, b"seekroute pepper check", hashlib.sha256).digest()


def require_pepper(pepper: bytes, bound: bytes | None, database: Path) -> None:
    """Refuse a pepper that is not the one a database is bound to; `bound` is its check, if any.

    Raises:
        ControlError: it is another one.
    """
    if bound is not None and not hmac.compare_digest(bound, pepper_check(pepper)):
        raise ControlError(
            f"the pepper is not the one that the keys in {database} were made with: restore the "
            "right `pepper` file, or set SEEKROUTE_PEPPER to its value"
        )
