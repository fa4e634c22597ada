"""Holds of a process that is dead, by the thousand."""

from __future__ import annotations

import socket
import subprocess
import sys

from asked_upstream import prompt
from ledger_world import MODEL, Customer, World
from serving import chat_body

# A gateway over the world's data, without its HTTP side: asks as the customer until so many holds
# are on the disk, and says so. Its upstream takes connections and answers none.
_DOOMED = """
import pickle, resource, sys, time
from seekroute.server.service import Service
from seekroute.gateway import CHAT, SERVER
plan_file, key, count, body, url = sys.argv[1:]
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
with open(plan_file, "rb") as file:
    plan = pickle.load(file)
plan.options["connect_timeout_ms"] = 600_000
for provider in plan.snapshot["providers"]:
    provider["base_url"] = url
service = Service(plan)
service.open()
for number in range(int(count)):
    token = b"orphan-%d" % number
    service.core.submit(CHAT, body.encode(), b"Bearer " + key.encode(), token, SERVER)
service.core.flush()
while not (rows := service.ledger.rows(limit=1)) or rows[0]["n"] < int(count):
    time.sleep(0.01)
print("all are held", flush=True)
time.sleep(600)
"""


def leave_orphans(place: World, customer: Customer, count: int) -> None:
    """Holds money for so many requests, "orphan-0" and so on, by a process that is then killed.

    The ledger must have no rows yet.
    """
    messages = [{"role": "user", "content": prompt("silent")}]
    body = chat_body(model=MODEL, messages=messages, max_tokens=20).decode()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        doomed = subprocess.Popen(
            [sys.executable, "-c", _DOOMED, place.plan, customer.key, str(count), body, url],
            stdout=subprocess.PIPE,
            text=True,
            env=place.environ,
        )
        with doomed:
            assert doomed.stdout is not None
            try:
                assert doomed.stdout.readline() == "all are held\n"
            finally:
                doomed.kill()
