"""What would keep `seekroute serve` from starting, as far as it can be known without starting."""

from __future__ import annotations

import dataclasses
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from seekroute.errors import ConfigError, Problem, SeekrouteError

if TYPE_CHECKING:
    from seekroute.config import Settings


def start_problems(settings: Settings, folder: Path) -> list[Problem]:
    """What is wrong with a configuration that is right in itself, on this machine.

    Nothing is written and nobody is asked, but for the addresses of the operator's own providers:
    with one that is refused a gateway starts, and answers every request with 502. What other
    programs do just now, such as to listen on the port, and what the databases hold is not looked
    at: that is for `seekroute doctor`.

    Args:
        settings: from `load_settings`.
        folder: the data directory.
    """
    problems = [*_place(folder), *_pepper(), *_host(settings.server.host), *_core(settings)]
    problems += _addresses(settings)
    return [
        each
        if each.where
        else dataclasses.replace(each, where=settings.origin_detail(each.path) if each.path else "")
        for each in problems
    ]


def start_warnings(settings: Settings) -> list[str]:
    """What a start with a right configuration, and each reload, warns of. Raises ConfigError."""
    from seekroute.config import prepare

    return list(prepare(settings, os.environ).warnings)


def _place(folder: Path) -> Iterator[Problem]:
    from seekroute.control.directory import why_unusable

    if why := why_unusable(folder, writing=True):
        yield Problem("data_dir", why, "choose another folder, or make it usable")


def _pepper() -> Iterator[Problem]:
    from seekroute.control.pepper import PEPPER_VARIABLE, check_variable

    try:
        check_variable(os.environ)
    except SeekrouteError as error:
        yield Problem("", str(error), where=PEPPER_VARIABLE)


def _host(host: str) -> Iterator[Problem]:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
    except OSError as error:
        hint = "127.0.0.1 is this machine for itself, 0.0.0.0 for everybody"
        yield Problem("server.host", f"cannot listen on {host}: {error.strerror}", hint)


def _addresses(settings: Settings) -> Iterator[Problem]:
    """Providers that the core would not call, as it judges the addresses that it would find."""
    from seekroute.config import catalog_of, usable_providers
    from seekroute.gateway import refuses_address

    try:
        usable = usable_providers(settings, catalog_of(settings), os.environ)
    except ConfigError:
        return  # which is said already
    for name, own in settings.providers.items():
        if name not in usable or own.base_url is None or own.allow_private or own.proxy:
            continue
        found = _resolved(urlsplit(own.base_url).hostname or "")
        if found and all(map(refuses_address, found)):
            yield Problem(
                f"providers.{name}.base_url",
                f"its address {found[0]} is private or special, and is not called",
                f"if that is meant, set providers.{name}.allow_private: true",
            )


def _resolved(host: str) -> list[str]:
    """The addresses of a host; none where it has none: that it cannot be reached is found later."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [str(address[0]) for *_, address in found]


def _core(settings: Settings) -> Iterator[Problem]:
    """What the core does not take, of providers, models, prices and profiles."""
    from seekroute.config import prepare
    from seekroute.gateway import Gateway

    try:
        plan = prepare(settings, os.environ)
        # Without a ledger, which is a file: its options are the same.
        options = {**plan.options, "pepper": bytes(32), "credits": False, "engine_threads": 1}
        Gateway(options, plan.snapshot).close()
    except ConfigError as error:
        yield from error.problems
    except ValueError as error:
        yield Problem("", str(error))
