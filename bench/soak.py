"""Drive a server with its ledger through many requests, then check that nothing grew or was lost.

    .venv/bin/python bench/soak.py --requests 1000000

Non-streamed and streamed requests run side by side; the upstream fails, and clients leave.
Meanwhile the server's resident memory and the sizes of the ledger's files are sampled. Afterwards
the ledger is verified, its journal is added up once more in Python and compared with the balances,
and it is pruned. Exit code 1: a rule is broken, money is missing, or a bound was passed. See
docs/benchmark.md.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import contenders
from contenders import CREDIT_NANO, Running, Setting
from process_tree import ProcessTree

from seekroute.ledger import FILE_NAME, Ledger

ROOT = Path(__file__).resolve().parent.parent
_ROUND_SECONDS = 10
_SAMPLE_SECONDS = 0.5
# Allocators, SQLite's cache and the log's file reach their size in the first part of a run.
_WARM_UP_SHARE = 0.25
_WARM_UP_REQUESTS = 150_000
_MOST_BYTES_A_REQUEST = 600
_MOST_GROWTH_MB = 8.0
_CHUNKS = 8


@dataclass
class Sample:
    """The server after so many requests."""

    requests: int
    rss_kb: int
    file_bytes: int
    log_bytes: int


@dataclass
class Seen:
    """What the clients saw."""

    answers: int = 0
    aborted: int = 0
    unfinished: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def requests(self) -> int:
        return self.answers + self.aborted + self.unfinished + self.errors.total()

    def add(self, result: dict[str, Any]) -> None:
        self.answers += result["answers"]
        self.aborted += result["aborted"]
        self.unfinished += result["unfinished"]
        self.errors.update(result["error_kinds"])


def drive(options: argparse.Namespace, setting: Setting, server: Running, tools_core: int) -> Seen:
    """Send the requests, in rounds of two load generators, and sample meanwhile."""
    seen = Seen()
    assert server.tree is not None
    folder = contenders.data_folder(setting, server.name)
    common = [str(Path(options.build) / "load"), "--port", str(server.port), "--key", server.key]
    common += ["--model", server.model, "--path", server.path, "--warmup-ms", "0"]
    common += ["--seconds", str(_ROUND_SECONDS), "--max-errors", "1000000000"]
    common += ["--abort-percent", str(options.aborts)]
    streams = max(options.connections // 4, 1)
    plain = ["--mode", "closed", "--connections", str(max(options.connections - streams, 1))]
    streamed = ["--mode", "streams", "--connections", str(streams), "--chunks", str(_CHUNKS)]
    while seen.requests < options.requests:
        begun = time.monotonic()
        log = setting.run / "logs" / "load.log"
        loads = [
            ProcessTree([*common, *more], core=tools_core, log=log, output=True)
            for more in (plain, streamed)
        ]
        while any(load.process.poll() is None for load in loads):
            time.sleep(_SAMPLE_SECONDS)
        seen.seconds += time.monotonic() - begun
        for load in loads:
            assert load.process.stdout is not None
            text = load.process.stdout.read()
            load.stop()
            if load.process.returncode != 0:
                raise SystemExit(f"the load generator failed: {load.last_words()}")
            seen.add(json.loads(text))
        seen.samples.append(
            Sample(
                seen.requests,
                server.tree.rss_kb(),
                size_of(folder / FILE_NAME),
                size_of(folder / (FILE_NAME + "-wal")),
            )
        )
        say(f"{seen.requests:,} requests, {seen.samples[-1]}")
    return seen


def slope(points: list[tuple[float, float]]) -> float:
    """The least-squares slope, 0 for fewer than two points."""
    if len({x for x, _ in points}) < 2:
        return 0.0
    fit = statistics.linear_regression([x for x, _ in points], [y for _, y in points])
    return fit.slope


def add_up(ledger: Ledger) -> dict[str, Any]:
    """The journal, added up once more by other code than the ledger's own."""
    sums: dict[str, list[int]] = {}
    kinds: Counter[str] = Counter()
    ended: Counter[str] = Counter()
    unbalanced = 0
    for entry in ledger.entries():
        kinds[entry["kind"]] += 1
        three = sums.setdefault(entry["org"], [0, 0, 0])
        for place, account in enumerate(("available", "held", "debt")):
            three[place] += entry[account]
        whole = three_of_operator(entry) + entry["available"] + entry["held"] + entry["debt"]
        unbalanced += whole != 0
        if entry["kind"] in ("settle", "void", "expire"):
            ended[entry["generation"]] += 1
    drift = 0
    for org, balance in ledger.balances().items():
        available, held, debt = sums.get(org, [0, 0, 0])
        drift += abs(balance.available - available) + abs(balance.held - held)
        drift += abs(balance.owed + debt)
    return {
        "kinds": dict(kinds),
        "drift_nano": drift,
        "unbalanced": unbalanced,
        "ended_twice": sum(1 for count in ended.values() if count > 1),
        "ended": len(ended),
    }


def three_of_operator(entry: dict[str, Any]) -> int:
    """What an entry changes in the operator's accounts."""
    total: int = entry["cash"] + entry["revenue"] + entry["loss"]
    return total


def check(options: argparse.Namespace, seen: Seen, path: Path) -> tuple[dict[str, Any], list[str]]:
    """Verify, add up, prune; what was found, and what is wrong with it."""
    wrong = []
    found: dict[str, Any] = {}
    began = time.monotonic()
    with Ledger(path) as ledger:
        found["start_seconds"] = time.monotonic() - began
        began = time.monotonic()
        found["verify"] = ledger.verify()
        found["verify_seconds"] = time.monotonic() - began
        found["journal"] = add_up(ledger)
        spent = sum(CREDIT_NANO - one.available - one.held for one in ledger.balances().values())
        found["revenue_difference"] = ledger.operator()["revenue"] - spent
        requests = found["verify"]["requests"]
        found["bytes_a_request"] = size_of(path) / max(requests, 1)
        began = time.monotonic()
        entries, rows = ledger.prune(int(time.time() * 1000) + 1000)
        found["prune"] = {
            "entries": entries,
            "requests": rows,
            "seconds": time.monotonic() - began,
            "rule": ledger.verify()["rule"],
        }
    found["prune"]["file_bytes"] = size_of(path)
    journal = found["journal"]
    if found["verify"]["rule"]:
        wrong.append(f"verify: {found['verify']}")
    if journal["drift_nano"] or journal["unbalanced"] or found["revenue_difference"]:
        wrong.append(f"the journal does not give the balances: {journal}")
    if journal["ended_twice"] or journal["ended"] != journal["kinds"].get("hold", 0):
        wrong.append(f"not one terminal entry a request: {journal}")
    if requests > seen.requests + 2 or requests < seen.answers:
        wrong.append(f"{requests} rows for {seen.requests} requests and {seen.answers} answers")
    if found["bytes_a_request"] > _MOST_BYTES_A_REQUEST and requests > 10_000:
        wrong.append(f"{found['bytes_a_request']:.0f} bytes a request")
    if found["prune"]["rule"]:
        wrong.append(f"verify after prune: {found['prune']['rule']}")
    warm_up = max(_WARM_UP_SHARE * options.requests, _WARM_UP_REQUESTS)
    warm = [one for one in seen.samples if one.requests > warm_up]
    per_request = slope([(one.requests, one.rss_kb * 1024.0) for one in warm])
    found["rss_bytes_a_request"] = per_request
    found["rss_growth_mb"] = (warm[-1].rss_kb - warm[0].rss_kb) / 1024 if warm else 0.0
    if found["rss_growth_mb"] > _MOST_GROWTH_MB:
        wrong.append(f"memory grew by {found['rss_growth_mb']:.1f} MB after the warm-up")
    found["log_bytes_max"] = max(one.log_bytes for one in seen.samples)
    return found, wrong


def text_of(options: argparse.Namespace, seen: Seen, found: dict[str, Any]) -> str:
    """The findings as a table."""
    prune, journal = found["prune"], found["journal"]
    rows = [
        ("requests", f"{seen.requests:,} in {seen.seconds:.0f} s"),
        ("answered / left by the client", f"{seen.answers:,} / {seen.aborted:,}"),
        ("failed", ", ".join(f"{kind}: {count:,}" for kind, count in seen.errors.items()) or "0"),
        ("rows / journal entries", f"{found['verify']['requests']:,} / {journal['kinds']}"),
        ("verify", f"{found['verify']['rule'] or 'sound'} in {found['verify_seconds']:.1f} s"),
        ("journal minus balances, nano-USD", f"{journal['drift_nano']}"),
        ("RSS MB at the end", f"{seen.samples[-1].rss_kb / 1024:.1f}"),
        ("RSS after the warm-up", f"{found['rss_growth_mb']:+.1f} MB, "
         f"{found['rss_bytes_a_request']:+.2f} bytes a request"),
        ("bytes a request, file", f"{found['bytes_a_request']:.0f}"),
        ("write-ahead log, most", f"{found['log_bytes_max'] / 1e6:.1f} MB"),
        ("start", f"{found['start_seconds']:.2f} s"),
        ("prune", f"{prune['requests']:,} requests, {prune['entries']:,} entries in "
         f"{prune['seconds']:.1f} s; file {prune['file_bytes'] / 1e6:.1f} MB, its pages reused"),
    ]  # fmt: skip
    head = (
        f"| {options.connections} connections, {options.faults} % faults, {options.aborts} % left"
    )
    return "\n".join([f"{head} | |", "|---|---|", *(f"| {a} | {b} |" for a, b in rows)]) + "\n"


def size_of(path: Path) -> int:
    """Bytes of a file, 0 when it is not there."""
    return path.stat().st_size if path.exists() else 0


def say(text: str) -> None:
    """Progress goes to standard error, so that standard output holds the table alone."""
    print(text, file=sys.stderr, flush=True)


def parse() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--faults", type=int, default=5, help="percent, by the upstream")
    parser.add_argument("--aborts", type=int, default=10, help="percent, by the clients")
    parser.add_argument("--build", default=str(ROOT / "build" / "release"), help="built programs")
    parser.add_argument("--work", default=str(ROOT / "build" / "bench"), help="data and results")
    return parser.parse_args()


def main() -> int:
    """Run it; 0 when all is well."""
    options = parse()
    cores = sorted(os.sched_getaffinity(0))
    tools_core = cores[1] if len(cores) > 1 else cores[0]
    os.sched_setaffinity(0, {tools_core})
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="soak-", dir=work, ignore_cleanup_errors=True) as run:
        log = Path(run) / "logs" / "mock_upstream.log"
        command = [str(Path(options.build) / "mock_upstream")]
        command += ["--fault-percent", str(options.faults), "--chunks", str(_CHUNKS)]
        upstream = ProcessTree(command, core=tools_core, log=log, output=True)
        assert upstream.process.stdout is not None
        setting = Setting(
            work, Path(run), int(upstream.process.stdout.readline().split()[1]), cores[0]
        )
        server = contenders.start("seekroute-ledger", setting)
        assert server.tree is not None
        try:
            seen = drive(options, setting, server, tools_core)
            server.tree.settle()
            url = f"http://127.0.0.1:{setting.upstream_port}/stats"
            with urllib.request.urlopen(url, timeout=10) as answer:
                upstream_saw = json.loads(answer.read())
        finally:
            server.tree.stop()
            upstream.stop()
        path = contenders.data_folder(setting, server.name) / FILE_NAME
        found, wrong = check(options, seen, path)
    found |= {"upstream": upstream_saw, "wrong": wrong, "version": server.version}
    found["samples"] = [vars(one) for one in seen.samples]
    (work / "soak.json").write_text(json.dumps(found, indent=1) + "\n")
    print(text_of(options, seen, found))
    for one in wrong:
        print(f"WRONG: {one}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
