"""What second requests may cost on a day bounds all servers of that day, also those that
were killed while one ran."""

from __future__ import annotations

import asyncio
import http.client
import json
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest

from asked_upstream import Upstream
from ledger_world import PATIENCE, World
from routings import NO_MEMORY
from seekroute.testing import Gate, MockProvider, Text

FIRST, SECOND = "openai/gpt-4o-mini", "openai/gpt-4o"
MOST_TRIES = 300  # of which a fifth is drawn
KILLS = 3


def ask(world: World, key: str) -> None:
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hi"}]})
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection("127.0.0.1", world.port, timeout=PATIENCE)) as client:
        client.request("POST", "/v1/chat/completions", body, headers)
        answer = client.getresponse()
        assert answer.status == 200, answer.read()
        answer.read()


async def ask_until_one_is_not_sent(world: World, key: str) -> None:
    """Until the bound of the day has kept one back."""
    for _ in range(MOST_TRIES):
        await asyncio.to_thread(ask, world, key)
        _, metrics = await world.get("/metrics")
        if b'seekroute_shadow_dropped_total{reason="budget"}' in metrics:
            return
    pytest.fail("nothing was kept back")


def test_kills_make_no_room_for_more(tmp_path: Path) -> None:
    gate = Gate()  # never opened: each second request runs until its server is killed

    def seconds(mock: MockProvider) -> list[Any]:
        return [each for each in mock.requests if each.json["model"] == "gpt-4o"]

    async def lives(mock: MockProvider) -> None:
        auto = {
            "models": [{"model": FIRST, "quality": 0.9}, {"model": SECOND, "quality": 0.5}],
            "strategy": "quality",
            # Of 8,192 tokens at 10 USD a million, and a prompt: room for one.
            "shadow": {"share": 0.2, "usd_per_day": "0.1"},
        }
        world = World(tmp_path, cast("Upstream", mock), routing={**NO_MEMORY, "auto": auto})
        customer = world.customer("rich", "10")
        for _ in range(KILLS):
            await world.serve()
            await ask_until_one_is_not_sent(world, customer.key)
            assert len(seconds(mock)) == 1
            world.kill()

    with MockProvider() as mock:
        mock.on(lambda request: request.json["model"] == "gpt-4o", Text("late", gate=gate))
        asyncio.run(lives(mock))
