"""`seekroute doctor`: what is wrong, and what to do about it."""

from __future__ import annotations

import errno
import importlib
import os
import shlex
import shutil
import socket
import stat
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seekroute.cli.findings import Finding, Level, ledger_findings
from seekroute.cli.shared import NO_FILE, JsonOption, Shared, is_begun, print_json, say, shared
from seekroute.errors import ConfigError, Problem, SeekrouteError
from seekroute.wording import number_of

if TYPE_CHECKING:
    from seekroute.config import Catalog, Settings

_LEAST_FREE = 256 * 1024 * 1024  # bytes on the disk of the data directory
_LEAST_ROOM = 20  # characters of a finding, below which a terminal is left to break its lines
_MOST_SKEW_S = 30.0


def doctor(
    ctx: typer.Context,
    offline: Annotated[
        bool, typer.Option("--offline", help="Do not ask the providers anything.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for faults: installation, configuration, data, providers. Exit 1 if anything
    failed."""
    findings = list(_examine(shared(ctx), offline=offline))
    failed = any(finding.level == "failed" for finding in findings)
    if as_json:
        print_json({"ok": not failed, "findings": [asdict(each) for each in findings]})
    else:
        _print(findings)
    if failed:
        raise typer.Exit(1)


def _examine(options: Shared, *, offline: bool) -> Iterator[Finding]:
    yield from _installation()
    try:
        settings = options.settings(provider_keys=True)
    except ConfigError as error:
        for problem in error.problems:
            yield _wrong(problem)
        return
    from seekroute.cli.start_checks import start_problems, start_warnings
    from seekroute.config import catalog_of, config_file
    from seekroute.control.directory import serving_pid, why_unusable

    folder = options.data_dir or Path(settings.data_dir)
    wrong = start_problems(settings, folder)
    for problem in wrong:
        if problem.path not in ("data_dir", "server.host"):  # which are looked at below
            yield _wrong(problem)
    if not wrong:
        file = config_file(options.config)
        yield Finding("configuration", "ok", f"{file} is valid" if file else NO_FILE)
        for warning in start_warnings(settings):
            yield Finding("configuration", "warning", warning)
    catalog = catalog_of(settings)
    if why := why_unusable(folder, writing=True):
        yield Finding("data", "failed", why, "choose another data_dir, or make it usable")
    else:
        yield from _data(folder)
        yield from ledger_findings(folder, enabled=settings.credits.enabled)
    serving = serving_pid(folder)
    yield from _port(settings, serving)
    yield from _providers(settings, catalog, folder, serving, offline=offline)
    yield from _models(settings, catalog)


def _wrong(problem: Problem) -> Finding:
    parts = (problem.where, problem.path, problem.message)
    return Finding("configuration", "failed", ": ".join(filter(None, parts)), problem.hint)


def _installation() -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    try:
        importlib.import_module("seekroute.gateway")
    except ImportError as error:
        yield Finding(
            "installation",
            "failed",
            f"the core cannot be loaded: {error}",
            "install seekroute again: pip install --force-reinstall seekroute",
        )
        return
    yield Finding("installation", "ok", f"Python {python}, the core is loaded")


def _data(folder: Path) -> Iterator[Finding]:
    from seekroute.control import ControlPlane
    from seekroute.control.directory import why_unusable

    if not is_begun(folder):
        there = "is empty" if folder.exists() else "does not exist yet"
        what = "makes its databases" if folder.exists() else "creates it"
        yield Finding("data", "ok", f"{folder} {there}; the first start {what}")
        return
    if why := why_unusable(folder, writing=True):
        yield Finding("data", "failed", why, "commands that only read work all the same")
        return
    try:
        with ControlPlane(folder) as control:
            keys = sum(1 for _ in control.core_keys())
            orgs = control.orgs.list()
    except SeekrouteError as error:
        yield Finding("data", "failed", str(error))
        return
    yield Finding("data", "ok", f"{folder}: {keys} usable {'key' if keys == 1 else 'keys'}")
    if not keys:
        hint = "the first start of `serve` makes one, and shows it"
        if orgs:
            hint = f"seekroute keys create --org {shlex.quote(orgs[0].name)}"
        yield Finding("data", "warning", "there is no key yet", hint)
    open_to_others = stat.S_IMODE(folder.stat().st_mode) & 0o077
    if open_to_others:
        yield Finding("data", "warning", f"other users may read {folder}", f"chmod 700 {folder}")
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE:
        yield Finding(
            "data", "warning", f"only {free // 1_000_000} MB are free on the disk of {folder}"
        )


def _port(settings: Settings, serving: int | None) -> Iterator[Finding]:
    host, port = settings.server.host, settings.server.port
    if port == 0:
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if serving and error.errno == errno.EADDRINUSE:
                yield Finding(
                    "address", "ok", f"{host}:{port} is in use; the server runs (pid {serving})"
                )
                return
            yield Finding(
                "address",
                "warning",
                f"{host}:{port}: {error.strerror}",
                "is a gateway running there already? Else choose another with --port",
            )
            return
    yield Finding("address", "ok", f"{host}:{port} is free")


def _providers(
    settings: Settings, catalog: Catalog, folder: Path, serving: int | None, *, offline: bool
) -> Iterator[Finding]:
    from seekroute.config import mock_is_on, usable_providers

    for provider_id, provider in catalog.providers.items():
        for variable in provider.env:
            value = os.environ.get(variable, "")
            if value and (value != value.strip() or not value.strip().isascii()):
                yield Finding(
                    provider_id,
                    "warning",
                    f"{variable} has spaces, line breaks or foreign letters in it",
                    "copy the key again",
                )
    usable = usable_providers(settings, catalog, os.environ)
    if settings.mock == "on":
        yield Finding(
            "providers",
            "warning",
            "mock is on: the mock provider answers for every model, and no provider is asked",
            "mock: auto, or none, asks the providers that have a key",
        )
        return
    if not usable:
        if settings.mock == "auto" and (why := _why_no_mock(folder)):
            if serving:  # it was started with --mock on, or has keys in its own environment
                yield Finding(
                    "providers",
                    "warning",
                    f"no provider has a key here, but the server runs (pid {serving}): its keys, "
                    "or --mock on, are its own",
                    "its next start needs them again",
                )
                return
            yield Finding("providers", "failed", why)
        elif mock_is_on(settings, catalog, os.environ):
            yield Finding(
                "providers",
                "warning",
                "no provider has a key: the mock provider answers",
                "export OPENAI_API_KEY, DEEPSEEK_API_KEY, ... or set providers.<id>.api_key",
            )
        else:
            yield Finding(
                "providers",
                "failed",
                "no provider has a key, and mock is off: every request will be refused",
                "export OPENAI_API_KEY, DEEPSEEK_API_KEY, ... or set providers.<id>.api_key",
            )
        return
    if offline:
        yield Finding("providers", "ok", f"on: {', '.join(usable)} (not asked)")
        return

    from seekroute.config.probe import ask_providers

    for answer in ask_providers(settings, catalog):
        if answer.status == 404:  # some have no list; that says nothing about chat completions
            yield Finding(answer.provider, "warning", answer.problem, answer.hint)
        elif answer.problem:
            yield Finding(answer.provider, "failed", answer.problem, answer.hint)
        else:
            yield Finding(
                answer.provider, "ok", f"answers; {number_of(len(answer.models), 'model')}"
            )
        skew = 0.0 if answer.date is None else time.time() - answer.date
        if abs(skew) > _MOST_SKEW_S:
            side = "ahead of" if skew > 0 else "behind"
            yield Finding(
                "clock",
                "warning",
                f"this machine's clock is {abs(skew):.0f} s {side} {answer.provider}'s",
                "switch on time synchronisation: expiries and dated prices go by the clock",
            )


def _why_no_mock(folder: Path) -> str:
    """Why `serve` does not start the mock provider unasked, in its words; "" if it does."""
    from seekroute.control import ControlPlane
    from seekroute.control.directory import why_unusable
    from seekroute.control.lost import MockBesideCustomersError, guard_customers

    if why_unusable(folder, writing=True) or not is_begun(folder):
        return ""
    try:
        with ControlPlane(folder) as control:
            guard_customers(control.orders, folder)
    except MockBesideCustomersError as error:
        return str(error)
    except SeekrouteError:
        return ""  # which is said of the data
    return ""


def _models(settings: Settings, catalog: Catalog) -> Iterator[Finding]:
    from seekroute.config import usable_providers

    usable = usable_providers(settings, catalog, os.environ)
    served = [m for m in catalog.models if any(e.provider in usable for e in m.endpoints)]
    if usable:
        yield Finding(
            "models", "ok", number_of(len(served), "model is served", "models are served")
        )
    if settings.default_model:
        chosen = catalog.resolve(settings.default_model)
        if usable and chosen not in served:
            yield Finding(
                "models",
                "failed",
                f"default_model {settings.default_model} has no provider that is on",
                "choose another, or give one of its providers a key: "
                f"seekroute models show {settings.default_model}",
            )


def _room() -> int:
    """The columns of the terminal; 0 in a pipe, where each finding is a line, to be searched."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else 0


def _under(text: str, column: int, room: int) -> str:
    """A text that begins at `column`, with its further lines under the first.

    Args:
        text: what is said; paths and commands stay in one piece, however long.
        column: characters before it.
        room: columns of the terminal; 0: no line ends.
    """
    if len(text) <= room - column or room < column + _LEAST_ROOM:
        return text
    wrapped = textwrap.wrap(text, room - column, break_long_words=False, break_on_hyphens=False)
    return f"\n{'':<{column}}".join(wrapped)


_SIGNS: dict[Level, tuple[str, str]] = {
    "ok": ("ok     ", typer.colors.GREEN),
    "warning": ("warning", typer.colors.YELLOW),
    "failed": ("failed ", typer.colors.RED),
}


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    room = _room()
    for finding in findings:
        sign, color = _SIGNS[finding.level]
        say(sign, fg=color, nl=False)
        say(f"  {finding.check:<{width}}  {_under(finding.message, width + 11, room)}")
        if finding.hint:
            say(f"{'':<{width + 11}}{_under(finding.hint, width + 11, room)}")
    failed = sum(finding.level == "failed" for finding in findings)
    warned = sum(finding.level == "warning" for finding in findings)
    if failed or warned:
        say(f"\n{failed} failed, {warned} {'warning' if warned == 1 else 'warnings'}")
    else:
        say("\nall is well")
