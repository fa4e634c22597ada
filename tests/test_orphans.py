"""A server that dies with 10,000 requests under way: the next one gives all their holds back."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from asked_upstream import prompt
from ledger_audit import Audit, Order
from ledger_load import Asked
from ledger_world import MODEL, RECOVERY, run, world
from seekroute.ledger import nano
from serving import chat_body

ORPHANS = 10_000

# A gateway over the world's data, without its HTTP side: asks as the customer, so often that
# nothing but holds is there, and says so.
_DOOMED = """
import pickle, resource, sys, time
from seekroute.server.service import Service
plan_file, key, count, body = sys.argv[1:]
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
with open(plan_file, "rb") as file:
    service = Service(pickle.load(file))
service.open()
for number in range(int(count)):
    token = b"orphan-%d" % number
    service.core.submit(body.encode(), b"Bearer " + key.encode(), token, False, False)
service.core.flush()
while not (rows := service.ledger.rows(limit=1)) or rows[0]["n"] < int(count):
    time.sleep(0.01)
print("all are held", flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("whole", [False, True])
def test_all_orphans_are_given_back_before_the_first_answer(tmp_path: Path, whole: bool) -> None:
    # Takes connections and answers none; most are still to be made when the process dies.
    silent = socket.create_server(("127.0.0.1", 0))
    with silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        provider = {
            "base_url": url,
            "api_key": "upstream-key",
            "allow_http": True,
            "allow_private": True,
        }

        async def main() -> None:
            async with world(
                tmp_path,
                providers={"openai": provider},
                timeouts={"connect_timeout_ms": 600_000},
            ) as place:
                customer = place.customer("many", "100")
                messages = [{"role": "user", "content": prompt("silent")}]
                body = chat_body(model=MODEL, messages=messages, max_tokens=20)
                doomed = subprocess.Popen(
                    [sys.executable, "-c", _DOOMED, place.plan, customer.key, str(ORPHANS), body],
                    stdout=subprocess.PIPE,
                    text=True,
                )
                with doomed:
                    assert doomed.stdout is not None
                    try:
                        assert doomed.stdout.readline() == "all are held\n"
                    finally:
                        doomed.kill()
                with place.ledger(read_only=True) as ledger:
                    balance = ledger.balance(customer.org)
                    assert balance.held >= ORPHANS
                    assert balance.available + balance.held == nano("100")

                recovery = await place.serve(whole=whole)
                assert recovery.own < RECOVERY, recovery
                audit = Audit(place)
                audit.ordered([Order("topup", "first:many", customer.org, nano("100"), "ok")])
                audit.heard(
                    Asked(f"orphan-{number}", customer.org, "silent", False)
                    for number in range(ORPHANS)
                )
                audit.check(replay=True)  # the whole balance is back, and nothing is held
                assert len(audit.rows) == ORPHANS
                for row in audit.rows.values():
                    assert (row["state"], row["cost"]) == ("expired", 0)
                    assert row["lost_bound"] == row["held"] > 0
                await place.stop()

        run(main())
