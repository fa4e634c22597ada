"""An operator's orders, by a process of its own that may be killed in the middle."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from ledger_audit import Order
from ledger_world import PATIENCE, World

# Does what it reads, one order a line, and says what became of each.
_OPERATOR = """
import json, sys
from pathlib import Path
from seekroute.ledger import Booked, Ledger
with Ledger(Path(sys.argv[1])) as ledger:
    print("ready", flush=True)
    for line in sys.stdin:
        kind, *order = json.loads(line)
        if kind == "backup":
            order = [Path(*order)]
        done = getattr(ledger, kind)(*order)
        print(done.result if isinstance(done, Booked) else "ok", flush=True)
"""


async def operate(
    place: World,
    lines: Sequence[Sequence[Any]],
    *,
    kill_after: float | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[int, list[str]]:
    """Calls methods of the ledger, one after another; no server may run.

    Args:
        lines: a method's name and its arguments.
        kill_after: seconds until `kill -9`.
        environ: added to the process's environment.

    Returns:
        The process's exit code, and what became of the first orders; what became of the others
        nobody knows. The first word, "ready", is of the opening itself.
    """
    process = subprocess.Popen(
        [sys.executable, "-c", _OPERATOR, str(place.ledger_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**place.environ, **(environ or {})},
    )
    with process:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        talk = asyncio.create_task(asyncio.to_thread(process.communicate, text, PATIENCE))
        if kill_after is not None:
            await asyncio.sleep(kill_after)  # the moment of the kill
            process.kill()
        said, _ = await talk
    # A word that was cut short is none.
    return process.returncode, [x[:-1] for x in said.splitlines(keepends=True) if x[-1] == "\n"]


async def book(
    place: World,
    orders: Sequence[Order],
    *,
    kill_after: float | None = None,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Books orders and notes the outcomes that became known; returns the exit code."""
    lines = [[order.kind, order.id, order.about, order.amount] for order in orders]
    code, said = await operate(place, lines, kill_after=kill_after, environ=environ)
    for order, result in zip(orders, said[1:], strict=False):
        assert result in ("ok", "exists"), (order, result)
        order.outcome = "ok"
    return code
