"""What `client.map` costs: CPU per prompt of this process, with the upstream in another.

`python bench/map.py --upstream build/release/mock_upstream --prompts 10000 --concurrency 16` prints
one JSON line a round: CPU (user and system) of this process in microseconds a prompt, prompts a
second, and how many requests were in flight on average (by Little's law, from the core's own
times: what waits for this process is not in it).
`--checkpoint` also writes a checkpoint file; `--lazy` gives the prompts as a generator; `--async`
takes `AsyncClient`; `--max-cost` sets a cap; `--base` measures the core alone, started in batches
without `map`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import queue
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import seekroute

MODEL = "bench/bench-model"


def settings_of(port: int) -> dict[str, Any]:
    """A gateway with one provider, the mock upstream."""
    price = {"input": "0.50", "output": "1.50"}
    endpoint = {"provider": "bench", "model": "bench-model", "price": price}
    provider = {
        "base_url": f"http://127.0.0.1:{port}/v1",
        "allow_http": True,
        "allow_private": True,
        "api_key": "x",
    }
    model = {"id": MODEL, "context": 1_000_000, "endpoints": [endpoint]}
    return {"providers": {"bench": provider}, "models": [model]}


class Bare:
    """The least that can be done with the core: submit, and count the ends."""

    def __init__(self, client: seekroute.Client) -> None:
        self._gateway = client._backend.gateway
        self._ended: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def push(self, event: Any) -> None:
        if event[3] is not None:
            self._ended.put(event[3])

    def drop(self) -> None:
        raise RuntimeError("the gateway was closed")

    def run(self, prompts: list[str], concurrency: int) -> list[float]:
        """Seconds of every exchange."""
        messages = [{"role": "user", "content": prompts[0]}]
        body = json.dumps({"model": MODEL, "messages": messages}).encode()
        left, times, free = len(prompts), [], concurrency
        while len(times) < len(prompts):
            for _ in range(min(free, left)):
                self._gateway.submit_for(self, body)
            left -= min(free, left)
            self._gateway.core.flush()
            records = [self._ended.get()]
            records += [self._ended.get() for _ in range(self._ended.qsize())]
            times += [record.total_ms / 1000 for record in records]
            free = len(records)
        return times


class Watch:
    """Wall clock and CPU of this process from its making on."""

    def __init__(self) -> None:
        self._began, self._cpu = time.perf_counter(), time.process_time()

    def stop(self, times: list[float], prompts: int) -> dict[str, float]:
        """The figures of one round, whose exchanges took `times` seconds."""
        elapsed, cpu = time.perf_counter() - self._began, time.process_time() - self._cpu
        if len(times) != prompts:
            raise SystemExit(f"{prompts - len(times)} prompts have no answer")
        return {
            "cpu_us_per_prompt": round(cpu / prompts * 1e6, 1),
            "prompts_per_s": round(prompts / elapsed),
            "in_flight": round(sum(times) / elapsed, 1),
            "cores": round(cpu / elapsed, 2),
        }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--upstream", required=True, help="the program mock_upstream")
    parser.add_argument("--prompts", type=int, default=10_000)
    parser.add_argument("--concurrency", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=3)
    for switch in ("--checkpoint", "--lazy", "--async", "--base", "--max-cost"):
        parser.add_argument(switch, action="store_true")
    options = parser.parse_args()
    upstream = subprocess.Popen([options.upstream], stdout=subprocess.PIPE, text=True)
    try:
        assert upstream.stdout is not None
        port = int(upstream.stdout.readline().split()[1])
        for number in range(options.rounds):
            print(json.dumps(one_round(options, port, number)), flush=True)
    finally:
        upstream.kill()
        upstream.wait()


def one_round(options: argparse.Namespace, port: int, number: int) -> dict[str, float]:
    prompts = [f"Prompt {i}: what does a gateway cost? " * 5 for i in range(options.prompts)]
    asked: Iterable[str] = (text for text in prompts) if options.lazy else prompts
    with tempfile.TemporaryDirectory() as folder:
        arguments: dict[str, Any] = {"concurrency": options.concurrency, "progress": False}
        if options.checkpoint:
            arguments["checkpoint"] = Path(folder) / f"{number}.jsonl"
        if options.max_cost:
            arguments["max_cost"] = "1000"
        if getattr(options, "async"):
            return asyncio.run(one_async_round(port, asked, options.prompts, arguments))
        with seekroute.Client(**settings_of(port)) as client:
            client.map(["warm-up"] * options.concurrency, MODEL, progress=False)
            watch = Watch()
            if options.base:
                times = Bare(client).run(prompts, options.concurrency)
                return watch.stop(times, options.prompts)
            results = client.map(asked, MODEL, **arguments)
            return watch.stop(results.times, options.prompts)


async def one_async_round(
    port: int, asked: Iterable[str], prompts: int, arguments: dict[str, Any]
) -> dict[str, float]:
    async with seekroute.AsyncClient(**settings_of(port)) as client:
        await client.map(["warm-up"] * 16, MODEL, progress=False)
        watch = Watch()
        results = await client.map(asked, MODEL, **arguments)
        return watch.stop(results.times, prompts)


if __name__ == "__main__":
    main()
