"""What a small request waits for beside large ones of another key, and what memory stays.

`python bench/large_bodies.py` starts a gateway with a ledger, a provider that answers everything,
and two keys. One sends many bodies of 20 MB at once, the other small requests all the while: on a
connection that stays open, and on a new connection for each. One JSON line: the percentiles of the
small ones, alone and beside, in milliseconds; how the large ones ended; the gateway's memory in MB
before, at its most, and after. `--unfinished` leaves the last byte of each large body away until
the small ones are over.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

MODEL = "openai/gpt-4o-mini"
# Reads bodies without looking at them: a provider that did would be what is measured.
_PROVIDER = """
import re, socketserver, sys, threading
BODY = (b'{"id":"1","object":"chat.completion","created":1,"model":"m",'
        b'"choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11}}')
class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        room = memoryview(bytearray(1 << 18))
        while True:
            head = b""
            while b"\\r\\n\\r\\n" not in head:
                size = self.request.recv_into(room)
                if not size:
                    return
                head += room[:size]
            head, _, body = head.partition(b"\\r\\n\\r\\n")
            left = int(re.search(rb"(?i)content-length: (\\d+)", head)[1]) - len(body)
            while left > 0:
                left -= self.request.recv_into(room)
            self.request.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\n"
                                 b"Content-Length: %d\\r\\n\\r\\n%b" % (len(BODY), BODY))
class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128
with Server(("127.0.0.1", 0), Handler) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("http://127.0.0.1:%d/v1" % server.server_address[1], flush=True)
    sys.stdin.read()
"""
_WARMUP = 50


def request_of(body: bytes, key: str) -> bytes:
    """The bytes of one chat completion."""
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def body_of(words: str) -> bytes:
    """A request whose prompt is `words`."""
    message = {"role": "user", "content": words}
    return json.dumps({"model": MODEL, "max_tokens": 5, "messages": [message]}).encode()


def answer(client: socket.socket) -> int:
    """Reads one answer with a Content-Length; returns its status, 0 for none."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = client.recv(65536)
        if not piece:
            return 0
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
    if length is None:
        raise RuntimeError("an answer without a length")
    while len(body) < int(length[1]):
        body += client.recv(65536)
    return int(head[9:12])


def percentiles(seconds: list[float]) -> dict[str, float]:
    """Of durations, in milliseconds."""
    ordered = sorted(seconds)
    found = {f"p{q}": ordered[min(len(ordered) - 1, len(ordered) * q // 100)] for q in (50, 95, 99)}
    found["most"] = ordered[-1]
    return {name: round(value * 1000, 1) for name, value in found.items()}


class Gateway:
    """`seekroute serve` in a process of its own, and its memory."""

    def __init__(self, folder: Path, upstream: str) -> None:
        (folder / "seekroute.yaml").write_text(
            f"data_dir: {folder}/data\nmock: 'off'\nserver: {{port: 0, log_level: warning}}\n"
            "providers:\n  openai: {api_key: bench, allow_http: true, allow_private: true,"
            f" base_url: '{upstream}'}}\n"
        )
        self._folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", "seekroute", "serve"],
            cwd=folder, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        shown = ""
        while "  -d " not in shown:
            line = self.process.stdout.readline()
            if not line:
                raise RuntimeError("the gateway did not start:\n" + shown)
            shown += line
        address = re.search(r"http://127\.0\.0\.1:(\d+)/", shown)
        if address is None:
            raise RuntimeError(shown)
        self.port = int(address[1])
        self.key = (folder / "data" / "first-key").read_text().strip()
        self.most = 0.0
        self._watching = threading.Event()

    def run(self, *command: str) -> str:
        """Runs one command of the gateway's."""
        done = subprocess.run(
            [sys.executable, "-m", "seekroute", *command],
            cwd=self._folder, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout

    def memory(self) -> float:
        """Resident, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+)", status)
        return round(int(found[1]) / 1024, 1) if found else 0.0

    def watch(self) -> None:
        """Notes the most memory, until `stop()`."""
        while not self._watching.wait(0.02):
            self.most = max(self.most, self.memory())

    def stop(self) -> None:
        """Ends it, twice asked."""
        self._watching.set()
        for _ in range(2):
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


def connected(gateway: Gateway) -> socket.socket:
    """A connection."""
    client = socket.create_connection(("127.0.0.1", gateway.port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def small_ones(
    gateway: Gateway, key: str, until: threading.Event, most: int, *, each_its_own: bool = False
) -> list[float]:
    """Durations of small requests, one after another: on one connection, or each on its own."""
    took = []
    sent = request_of(body_of("Hello!"), key)
    client = None
    while len(took) < most and not until.is_set():
        began = time.perf_counter()
        if client is None:
            client = connected(gateway)
        client.sendall(sent)
        if answer(client) != 200:
            raise RuntimeError("a small request was refused")
        took.append(time.perf_counter() - began)
        if each_its_own:
            client.close()
            client = None
    if client is not None:
        client.close()
    return took


def both_ways(
    gateway: Gateway, key: str, until: threading.Event, most: int
) -> dict[str, list[float]]:
    """Small requests both ways at once."""
    found: dict[str, list[float]] = {}

    def ask(name: str, each_its_own: bool) -> None:
        found[name] = small_ones(gateway, key, until, most, each_its_own=each_its_own)

    threads = [threading.Thread(target=ask, args=each) for each in (("open", False), ("new", True))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def measure(gateway: Gateway, large_key: str, options: argparse.Namespace) -> dict[str, object]:
    """One run."""
    never = threading.Event()
    both_ways(gateway, gateway.key, never, _WARMUP)
    alone = both_ways(gateway, gateway.key, never, 500)
    before = gateway.memory()
    threading.Thread(target=gateway.watch, daemon=True).start()
    words = "some words to read. " * (options.megabytes * 50_000)
    sent = memoryview(request_of(body_of(words), large_key))  # a slice is no copy
    ended: Counter[int] = Counter()
    go, over = threading.Event(), threading.Event()

    def large() -> None:
        status = 0
        try:
            with socket.create_connection(("127.0.0.1", gateway.port)) as client:
                client.sendall(sent[:-1])
                if options.unfinished:
                    go.wait()
                client.sendall(sent[-1:])
                status = answer(client)
        except OSError:
            pass  # refused while it was sending
        ended[status] += 1

    threads = [threading.Thread(target=large) for _ in range(options.bodies)]
    for thread in threads:
        thread.start()

    def end() -> None:
        if options.unfinished:
            time.sleep(5)
            go.set()
        for thread in threads:
            thread.join()
        over.set()

    threading.Thread(target=end).start()
    beside = both_ways(gateway, gateway.key, over, 1_000_000)
    time.sleep(1)
    return {
        "alone": {name: percentiles(took) for name, took in alone.items()},
        "beside": {name: percentiles(took) for name, took in beside.items()},
        "small": {name: len(took) for name, took in beside.items()},
        "large": {str(status): count for status, count in sorted(ended.items())},
        "memory": {"before": before, "most": gateway.most, "after": gateway.memory()},
    }


def main() -> None:
    """Measures once."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bodies", type=int, default=40)
    parser.add_argument("--megabytes", type=int, default=20)
    parser.add_argument("--unfinished", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        environ = {k: v for k, v in os.environ.items() if "KEY" not in k}
        provider = subprocess.Popen(
            [sys.executable, "-c", _PROVIDER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ,
        )  # fmt: skip
        assert provider.stdout is not None
        gateway = Gateway(Path(name), provider.stdout.readline().strip())
        try:
            gateway.run("orgs", "create", "large")
            shown = gateway.run("keys", "create", "--org", "large")
            found = re.search(r"sk-\S+", shown)
            if found is None:
                raise RuntimeError(shown)
            for org in ("default", "large"):
                gateway.run("credits", "add", org, "1000")
            time.sleep(1)  # keys are looked for four times a second
            print(json.dumps(measure(gateway, found[0], options)))
        finally:
            gateway.stop()
            provider.kill()


if __name__ == "__main__":
    main()
