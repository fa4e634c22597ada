"""A run that is killed at any moment goes on where it was and asks nothing twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from seekroute.client import Client
from seekroute.testing import MockProvider, Text, Usage

PROMPTS = 1500
CONCURRENCY = 8
KILLS = 5
SCRIPT = """
import sys
import seekroute

provider = {"base_url": sys.argv[1], "api_key": sys.argv[3]}
provider |= {"allow_http": True, "allow_private": True}
with seekroute.Client(providers={"openai": provider}) as client:
    client.map(
        (f"p{i}" for i in range(%d)), "openai/gpt-4o-mini",
        concurrency=%d, progress=False, checkpoint=sys.argv[2],
    )
""" % (PROMPTS, CONCURRENCY)  # noqa: UP031 - the script has braces of its own


def start(mock: MockProvider, path: Path, key: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", SCRIPT, mock.base_url, str(path), key])


def finished(path: Path) -> set[int]:
    """The prompts whose whole line is in the file."""
    if not path.exists():
        return set()
    lines = path.read_bytes().split(b"\n")[1:-1]
    return {json.loads(line)["index"] for line in lines}


def test_killed_at_random_moments(tmp_path: Path) -> None:
    seed = int(os.environ.get("SEEKROUTE_SEED", "11"))
    rng = random.Random(seed)
    path = tmp_path / "run.jsonl"
    with MockProvider() as mock:
        mock.default = lambda request: Text(
            "re: " + request.json["messages"][-1]["content"], usage=Usage(10, 1)
        )
        done_before: set[int] = set()
        asked: Counter[int] = Counter()
        for kill in range(KILLS):
            mock.reset()
            # Some moments before the first answer, in the middle, and close to the end.
            count = rng.randrange(1, (PROMPTS - len(done_before)) // (KILLS - kill))
            process = start(mock, path, f"round-{kill}")
            mock.wait_for_requests(count, timeout=30)
            process.send_signal(signal.SIGKILL)
            process.wait()
            # The key tells what this process sent: the last words of the one before may come late.
            round_asked = [
                int(request.json["messages"][-1]["content"][1:])
                for request in mock.requests
                if request.headers["authorization"] == f"Bearer round-{kill}"
            ]
            assert not done_before & set(round_asked), f"asked twice; seed {seed}, kill {kill}"
            assert len(round_asked) == len(set(round_asked))
            asked.update(round_asked)
            done = finished(path)
            assert done_before <= done
            # What was asked and is not in the file was in flight.
            assert len(set(round_asked) - done) <= CONCURRENCY
            done_before = done
        assert 0 < len(done_before) < PROMPTS
        mock.reset()
        provider = {
            "base_url": mock.base_url,
            "api_key": "x",
            "allow_http": True,
            "allow_private": True,
        }
        with Client(providers={"openai": provider}) as client:
            results = client.map(
                (f"p{i}" for i in range(PROMPTS)),
                "openai/gpt-4o-mini",
                progress=False,
                checkpoint=path,
            )
        assert results.complete
        assert results.texts == [f"re: p{i}" for i in range(PROMPTS)]
        assert results.restored == len(done_before)
        last = [r for r in mock.requests if r.headers["authorization"] == "Bearer x"]
        assert len(last) == PROMPTS - len(done_before)
        assert results.spent == (PROMPTS - len(done_before)) * Decimal("0.0000021")
        asked.update(int(r.json["messages"][-1]["content"][1:]) for r in last)
        assert sum(asked.values()) - PROMPTS <= KILLS * CONCURRENCY


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    from seekroute.client.batch.map import CheckpointError
    from seekroute.testing import Gate

    path = tmp_path / "run.jsonl"
    gate = Gate()
    with MockProvider() as mock, Client(mock="on") as client:
        mock.default = Text("late", gate=gate)
        process = start(mock, path, "first")
        try:
            mock.wait_for_requests(1, timeout=30)
            with pytest.raises(CheckpointError, match="another run"):
                client.map(["a"], "openai/gpt-4o-mini", progress=False, checkpoint=path)
        finally:
            process.kill()
            process.wait()
        # The lock went with the process.
        results = client.map(["a"], "openai/gpt-4o-mini", progress=False, checkpoint=path)
        assert results.complete
