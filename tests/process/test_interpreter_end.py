"""Programs that end while threads of theirs are in the core: none aborts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

# A daemon thread is never joined: whatever it is at when the program ends, it is in the midst of.
PROGRAM = """
import sys
import threading
from pathlib import Path

from seekroute.ledger import Ledger

ledger = Ledger(Path("ledger.db"))
began = threading.Event()

def run():
    number = 0
    while True:
        number += 1
        {call}
        began.set()

threading.Thread(target=run, daemon=True).start()
began.wait()
print("done")
"""


@pytest.mark.parametrize(
    "call",
    [
        'ledger.topup(f"a:{number}", "acme", 5)',  # waits for the ledger's writer
        'ledger.balance("acme")',  # reads
    ],
)
def test_a_program_may_end_while_a_thread_waits_for_the_ledger(call: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.replace("{call}", call)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_a_program_may_forget_to_close_its_client(tmp_path: Path) -> None:
    program = """
import asyncio
import threading

import seekroute

client = seekroute.Client(mock="on", ledger="ledger.db")
print(client.ask("one", "openai/gpt-4o-mini").text)
other = seekroute.AsyncClient(mock="on")
print(asyncio.run(other.ask("two", "openai/gpt-4o-mini")).text)
stream = client.chat.completions.create(
    model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "three"}], stream=True
)
next(iter(stream))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=tmp_path
    )
    said = "Hello! You said: one\nHello! You said: two\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")
