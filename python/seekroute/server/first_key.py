"""The first key: shown on a terminal, or else left in a file that only its owner reads.

What is written to anything else is kept: by systemd in its journal, by a container's runtime in a
log, by a shell in a file. A key there is everybody's who may read logs, and stays.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import stat
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from seekroute.server.service import Service

FILE_NAME: Final = "first-key"  # in the data directory

# Of a container its first process's, whose output the runtime keeps, a terminal or not.
_CONSOLE: Final = Path("/proc/1/fd/1")


def tell_first_key(service: Service, address: str, key: str, log: Any) -> None:
    """Says what the first key is, or where; and a request that answers.

    Args:
        service: an opened one.
        address: where it listens, as a URL.
        key: which can never be had again.
        log: a structlog logger.
    """
    for stream in (sys.stdout, sys.stderr):
        if keeps_no_log(stream) and _write(stream, welcome(service, address, key)):
            return
    file = Path(service.data_dir).resolve() / FILE_NAME
    try:
        _keep(file, key)
    except OSError as error:
        log.error(
            "the first API key could not be written down: make another, `seekroute keys create`",
            path=str(file),
            reason=error.strerror,
        )
        return
    log.warning("the first API key is in a file: copy it, and remove the file", path=str(file))
    for stream in (sys.stdout, sys.stderr):
        if _write(stream, welcome(service, address, "", file=file)):
            return


def tell_setup_link(service: Service, address: str, log: Any) -> None:
    """Shows the link by which the first operator of the console is made, on a terminal alone; what
    is written to anything else is kept."""
    if service.console is None or service.control.has_people():
        return
    for stream in (sys.stdout, sys.stderr):
        if keeps_no_log(stream):
            token = service.control.setup_token()
            where = address.replace("127.0.0.1", "localhost")  # where passkeys work, too
            text = (
                "\nThe console, for accounts, keys and logs. The link works once, for a day "
                f"(another: seekroute console setup-link):\n\n  {where}/console/setup#{token}\n\n"
            )
            if _write(stream, text):
                return
    log.info("the console has no operator yet: `seekroute console setup-link` makes a link")


def keeps_no_log(stream: IO[str] | None, *, console: Path = _CONSOLE) -> bool:
    """Whether it is a terminal whose output nobody keeps.

    Args:
        stream: None where whoever started the program has closed it.
        console: that of the first process. The same terminal is a container's, as of
            `docker run -t`, and its log.
    """
    try:
        if stream is None or not stream.isatty():
            return False
        mine = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    try:
        first = console.stat()
    except OSError:
        return True  # another user's process: no container's
    return not (stat.S_ISCHR(first.st_mode) and first.st_rdev == mine.st_rdev)


def welcome(service: Service, address: str, key: str, *, file: Path | None = None) -> str:
    """What the first start shows: the key, this once, or its file; and a request that answers."""
    profile = service.default_profile
    body = json.dumps(
        {"model": service.example_model, "messages": [{"role": "user", "content": "Hello!"}]}
    )
    note = (
        "No provider key was found: the built-in mock provider answers for every model.\n\n"
        if service.mock_url
        else ""
    )
    where = "Your API key. It is shown only once; copy it now"
    bearer = f"'Authorization: Bearer {key}'"
    shown = key
    if file is not None:
        where = "Your API key is in a file that only you can read; copy it, and remove the file"
        bearer = f'"Authorization: Bearer $(cat {shlex.quote(str(file))})"'
        shown = str(file)
    return (
        f"\n{where}:\n\n  {shown}\n\n{note}Try it:\n\n"
        f"curl {address}{profile.base_path}/chat/completions \\\n"
        f"  -H {bearer} \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(body)}\n\n"
    )


def _write(stream: TextIO | None, text: str) -> bool:
    if stream is None:  # closed by whoever started the program
        return False
    with contextlib.suppress(OSError, ValueError):  # nobody reads, or a full disk
        stream.flush()
        try:
            descriptor = stream.fileno()
        except OSError:  # of a program that runs this one, and reads what it writes
            stream.write(text)
            stream.flush()
            return True
        # Not through the stream: what could not be written would stay in its buffer, and Python's
        # end would fail over it with exit code 120.
        left = text.encode(stream.encoding, "replace")
        while left:
            left = left[os.write(descriptor, left) :]
        return True
    return False


def _keep(file: Path, key: str) -> None:
    """Puts the key into a file of mode 0600, whole or not at all, in the place of any other."""
    draft = file.with_name(f"{FILE_NAME}.{secrets.token_hex(8)}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(draft, flags, 0o600), "w") as out:
            out.write(f"{key}\n")
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
