"""Compare seekroute with a plain proxy and other gateways, side by side in one run.

`script/bench` prepares the machine and calls this. Every round of every load goes to all
contenders in turn, so that a slow minute of the machine hits all of them; the table shows medians.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import contenders
import report
from contenders import Running, Setting, UnavailableError
from disk import two_synced_writes
from process_tree import ProcessTree, pin
from scenarios import GROUPS, MEMORY, SCENARIOS, Scenario

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = ("socket", "openai", "litellm", "tensorzero", "seekroute")
# Connecting, last answers and printing of the load generator, beyond its window.
_LOAD_SLACK_SECONDS = 40.0
_SAMPLE_SECONDS = 0.5
_MANY_STREAMS = 100


class Bench:
    """One run: the mock upstream, the contenders that stand, and what was measured."""

    def __init__(self, options: argparse.Namespace, run: Path) -> None:
        self.options = options
        self.run = run
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise SystemExit(
                "the benchmark needs two cores: one for the contender, one for the rest"
            )
        self.gateway_core, self.tools_core = cores[:2]
        os.sched_setaffinity(0, {self.tools_core})
        self.programs = Path(options.build)
        self.upstream = self._start_upstream()
        self.running: list[Running] = []
        self.unavailable: dict[str, str] = {}
        self.rounds: dict[str, dict[str, list[dict[str, Any]]]] = {}
        self.in_process: dict[str, list[dict[str, Any]]] = {}

    def _start_upstream(self) -> ProcessTree:
        tree = ProcessTree(
            [str(self.programs / "mock_upstream")],
            core=self.tools_core,
            log=self.run / "logs" / "mock_upstream.log",
            output=True,
        )
        assert tree.process.stdout is not None
        words = tree.process.stdout.readline().split()
        if len(words) != 2 or words[0] != "listening":
            raise SystemExit(f"the mock upstream did not start: {tree.last_words()}")
        self.upstream_port = int(words[1])
        return tree

    def start(self) -> None:
        """Start every contender that was asked for, and note why one is missing."""
        self.setting = Setting(
            Path(self.options.work), self.run, self.upstream_port, self.gateway_core
        )
        for name in self.options.only:
            say(f"starting {name}")
            try:
                self.running.append(contenders.start(name, self.setting))
            except UnavailableError as error:
                self.unavailable[name] = str(error)
                say(f"  not available: {error}")

    def stop(self) -> None:
        """Stop what was started, the last first."""
        for contender in reversed(self.running):
            if contender.tree is not None:
                contender.tree.stop()
        self.upstream.stop()

    def measure(self) -> None:
        """Run every load that was asked for."""
        if MEMORY.name in self.options.scenarios:
            # Before any load: an allocator that has grown would hide what a stream takes.
            for contender in self.running:
                if contender.tree is not None:
                    self._measure_memory(contender)
        for scenario in SCENARIOS:
            if scenario.name not in self.options.scenarios:
                continue
            for number in range(self.options.rounds):
                say(f"{scenario.name}: round {number + 1} of {self.options.rounds}")
                for contender in self.running:
                    self._note(scenario, contender, self._round(scenario, contender))
        if "in-process" in self.options.scenarios:
            self._measure_in_process()

    def _note(self, scenario: Scenario, contender: Running, result: dict[str, Any]) -> None:
        by_name = self.rounds.setdefault(scenario.name, {})
        by_name.setdefault(contender.name, []).append(result)

    def _measure_memory(self, contender: Running) -> None:
        say(f"memory: {contender.name}")
        assert contender.tree is not None
        self._load(Scenario("warm-up", "closed", 1), contender, 1)
        contender.tree.settle()
        idle = contender.tree.rss_kb()
        result = self._round(MEMORY, contender)
        result["idle_rss_kb"] = idle
        result["kb_per_stream"] = (result.get("rss_kb", idle) - idle) / MEMORY.connections
        self._note(MEMORY, contender, result)

    def _round(self, scenario: Scenario, contender: Running) -> dict[str, Any]:
        """One round of one contender, with the upstream's own count as a check."""
        if scenario.streams:
            self._ask_upstream(f"/pace?chunks={scenario.chunks}&interval_us={scenario.interval_us}")
        disk: dict[str, float] = {}
        if scenario.one_core:
            if contender.name == report.LEDGER:
                disk = two_synced_writes(self.run, self.gateway_core)
            pin(self.upstream, self.gateway_core)
        try:
            before = self._served()
            result = self._load(scenario, contender, self.options.seconds)
            if contender.tree is not None:
                contender.tree.settle()
            served = self._served() - before
        finally:
            if scenario.one_core:
                pin(self.upstream, self.tools_core)
        begun = result.get("answers", 0) + result.get("unfinished", 0) + result.get("errors", 0)
        if served < result.get("answers", 0):
            result["fault"] = "answers that did not come from the upstream"
        elif served > begun:
            result["fault"] = f"the upstream saw {served - begun} requests more than were counted"
        return result | disk

    def _load(self, scenario: Scenario, contender: Running, seconds: int) -> dict[str, Any]:
        core = self.gateway_core if scenario.one_core else self.tools_core
        command = [str(self.programs / "load"), "--port", str(contender.port)]
        command += ["--path", contender.stream_path if scenario.streams else contender.path]
        command += ["--model", contender.model, "--key", contender.key]
        for header in contender.headers:
            command += ["--header", header]
        command += scenario.load_options(seconds)
        tree = contender.tree
        cpu_before = tree.cpu_seconds() if tree else 0.0
        started = time.monotonic()
        load = ProcessTree(command, core=core, log=self.run / "logs" / "load.log", output=True)
        rss = 0
        deadline = (
            started + scenario.window(seconds) + scenario.warmup_ms() / 1000 + _LOAD_SLACK_SECONDS
        )
        try:
            while load.process.poll() is None:
                if time.monotonic() > deadline:
                    return {"errors": 1, "error_kinds": {"the round did not end in time": 1}}
                if tree and scenario.streams and scenario.connections >= _MANY_STREAMS:
                    rss = max(rss, tree.rss_kb())
                try:
                    load.process.wait(_SAMPLE_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
            elapsed = time.monotonic() - started
            assert load.process.stdout is not None
            text = load.process.stdout.read()
        finally:
            load.stop()
        if load.process.returncode != 0:
            return {"errors": 1, "error_kinds": {load.last_words(): 1}}
        result: dict[str, Any] = json.loads(text)
        if tree:
            cpu = tree.cpu_seconds() - cpu_before
            result["cores_used"] = cpu / elapsed
            if result["answers"]:
                result["cpu_us"] = cpu * 1e6 / result["answers"]
        if rss:
            result["rss_kb"] = rss
        return result

    def _ask_upstream(self, path: str) -> bytes:
        url = f"http://127.0.0.1:{self.upstream_port}{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            body: bytes = answer.read()
            return body

    def _served(self) -> int:
        stats = json.loads(self._ask_upstream("/stats"))
        return int(stats["answers"]) + int(stats["streams"])

    def _measure_in_process(self) -> None:
        try:
            peers = contenders.peers_python(self.setting.work)
        except UnavailableError as error:
            self.unavailable["in-process"] = str(error)
            return
        config = contenders.seekroute_config(self.setting)
        log = self.run / "logs" / "in_process.log"
        for number in range(self.options.rounds):
            say(f"in-process: round {number + 1} of {self.options.rounds}")
            for library in LIBRARIES:
                if f"in-process {library}" in self.unavailable:
                    continue
                python = sys.executable if library == "seekroute" else str(peers)
                command = ["taskset", "-c", str(self.gateway_core), python]
                command += [str(ROOT / "bench" / "in_process.py"), "--library", library]
                command += ["--port", str(self.upstream_port), "--config", str(config)]
                command += ["--seconds", str(self.options.seconds)]
                env = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
                done = subprocess.run(
                    command, capture_output=True, text=True, check=False, timeout=120, env=env
                )
                if done.returncode == 0:
                    result = json.loads(done.stdout.splitlines()[-1])
                    self.in_process.setdefault(library, []).append(result)
                else:
                    with log.open("a") as stream:
                        stream.write(done.stderr)
                    lines = done.stderr.strip().splitlines() or ["no output"]
                    self.unavailable[f"in-process {library}"] = lines[-1][:200]

    def result(self) -> dict[str, Any]:
        """Everything measured, for `result.json`."""
        return {
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": {
                "cpu": cpu_model(),
                "kernel": platform.release(),
                "python": platform.python_version(),
                "gateway_core": self.gateway_core,
                "tools_core": self.tools_core,
            },
            "rounds_per_load": self.options.rounds,
            "seconds_per_round": self.options.seconds,
            "versions": {one.name: one.version for one in self.running if one.version},
            "unavailable": self.unavailable,
            "medians": {
                scenario: {name: medians(rounds) for name, rounds in by_name.items()}
                for scenario, by_name in self.rounds.items()
            },
            "in_process": {name: medians(rounds) for name, rounds in self.in_process.items()},
            "rounds": self.rounds,
            "in_process_rounds": self.in_process,
        }


def medians(rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The median of each number over the rounds; errors are summed, faults collected."""
    merged: dict[str, Any] = {}
    for key in sorted({key for one in rounds for key in one}):
        values = [one[key] for one in rounds if key in one]
        if key == "errors":
            merged[key] = sum(values)
        elif key == "error_kinds":
            kinds: dict[str, int] = {}
            for value in values:
                for kind, count in value.items():
                    kinds[kind] = kinds.get(kind, 0) + count
            merged[key] = kinds
        elif key == "fault":
            merged[key] = sorted(set(values))
        elif isinstance(values[0], int | float):
            merged[key] = statistics.median(values)
    return merged


def cpu_model() -> str:
    """The processor's name as the kernel tells it."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def say(text: str) -> None:
    """Progress goes to standard error, so that standard output holds the table alone."""
    print(text, file=sys.stderr, flush=True)


def names(allowed: Sequence[str], text: str) -> list[str]:
    """A comma-separated choice, in the order of `allowed`; a group stands for its members."""
    asked = [name for word in text.split(",") for name in GROUPS.get(word, (word,))]
    for name in asked:
        if name not in allowed:
            raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(allowed)}")
    return [name for name in allowed if name in asked]


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options of the command line."""
    loads = [MEMORY.name, *(scenario.name for scenario in SCENARIOS), "in-process"]
    everyone = list(contenders.STARTERS)
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="2 rounds of 1 s: does it all run?")
    parser.add_argument("--rounds", type=int, help="rounds of each load (5)")
    parser.add_argument("--seconds", type=int, help="measured seconds of a round (3)")
    parser.add_argument(
        "--only", type=lambda text: names(everyone, text), default=everyone,
        help=f"contenders, comma-separated, of {', '.join(everyone)}",
    )  # fmt: skip
    parser.add_argument(
        "--scenarios", type=lambda text: names(loads, text), default=loads,
        help=f"loads, comma-separated, of {', '.join(loads)}; {', '.join(GROUPS)}: those of money",
    )  # fmt: skip
    parser.add_argument("--build", default=str(ROOT / "build" / "release"), help="built programs")
    parser.add_argument("--work", default=str(ROOT / "build" / "bench"), help="peers and results")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (2 if options.quick else 5)
    options.seconds = options.seconds or (1 if options.quick else 3)
    return options


def main() -> int:
    """Run the benchmark; 0 when seekroute, if asked for, ran without an error."""
    options = parse()
    # Without handlers SIGTERM would skip the clean-up, and a shell's background job ignores SIGINT.
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda number, _frame: sys.exit(128 + number))
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-", dir=work, ignore_cleanup_errors=True) as run:
        bench = Bench(options, Path(run))
        try:
            bench.start()
            bench.measure()
        finally:
            bench.stop()
        result = bench.result()
    (work / "result.json").write_text(json.dumps(result, indent=1) + "\n")
    text = report.markdown(result)
    (work / "result.md").write_text(text)
    print(text)
    return 1 if report.seekroute_failed(result) else 0


if __name__ == "__main__":
    sys.exit(main())
