"""What passes between a server and the process that reads its configuration again.

Plain data: the server imports no schema and no YAML. See `config/replanning.py` for the other side.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from seekroute.plan import Plan, Source

# What a core, a ledger and a listener are made with: a plan that is taken over keeps the old ones.
_FROM_THE_START: Final = (
    "server",
    "data_dir",
    "require_key",
    "ledger",
    "orphans",
    "max_body_bytes",
    "max_request_bytes",
    "max_key_request_bytes",
    "max_active_meant",
    "max_org_request_bytes",
    "options",
)


# Likewise of the console's part.
_OF_THE_CONSOLE: Final = ("data_dir", "ledger", "public_url", "log_level", "log_format")


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between two configurations. Holds no secret.

    Attributes:
        kind: `provider`, `model`, `virtual_model`, `endpoint`, `price`, `limit`, `profile`,
            `routing`, `name` or `default`.
        name: whose: an id, or `MODEL at PROVIDER`.
        change: what became of it.
        field: what of it; empty where it came or went whole, or is one value.
        was: the value before; None where there was none, or it is not shown.
        now: the value after, likewise.
    """

    kind: str
    name: str
    change: Literal["added", "removed", "changed"]
    field: str = ""
    was: str | None = None
    now: str | None = None

    def __str__(self) -> str:
        mark = {"added": "+", "removed": "-", "changed": "~"}[self.change]
        text = f"{mark} {self.kind.replace('_', ' ')} {self.name}"
        words = [self.field] if self.field else []
        if self.was is not None or self.now is not None:
            words += ["none" if self.was is None else self.was, "->"]
            words.append("none" if self.now is None else self.now)
        elif words:
            words.append(self.change)
        return f"{text}: {' '.join(words)}" if words else text


@dataclass(frozen=True, slots=True)
class Question:
    """What the other process is to do.

    Attributes:
        source: what the running configuration was read from.
        environ: where variables are looked up; holds provider keys.
        running: the plan in force, of `packed()`.
    """

    source: Source
    environ: Mapping[str, str] = field(repr=False)
    running: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Differences:
    """What a new plan changes.

    Attributes:
        changes: in order, at most `MOST_CHANGES`.
        more: how many further ones there are.
        needs_restart: settings that differ and are not taken over, by their paths.
    """

    changes: tuple[Change, ...] = ()
    more: int = 0
    needs_restart: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What became of it.

    Attributes:
        refused: why it cannot be taken, a line for each problem; then there is nothing else.
        plan: what to take over.
        running: the plan in force afterwards, of `packed()`.
        differences: between that and the one before.
    """

    refused: str = ""
    plan: Plan | None = field(default=None, repr=False)
    running: bytes = field(default=b"", repr=False)
    differences: Differences = Differences()


def taken_over(running: Plan, new: Plan) -> Plan:
    """The plan in force once a running server has taken over a new one."""
    kept = {name: getattr(running, name) for name in _FROM_THE_START}
    console = running.console
    if console is not None and new.console is not None:
        there = {name: getattr(console, name) for name in _OF_THE_CONSOLE}
        console = replace(new.console, **there)
    return replace(new, **kept, console=console)


def packed(plan: Plan) -> bytes:
    """A plan in a tenth of its memory. Holds provider keys: never to be stored."""
    return zlib.compress(pickle.dumps(plan, pickle.HIGHEST_PROTOCOL), 1)


def unpacked(data: bytes) -> Plan:
    """What `packed()` has packed: our own, never from outside."""
    plan: Plan = pickle.loads(zlib.decompress(data))
    return plan
