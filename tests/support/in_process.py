"""What the tests of a gateway in process share: a mock for a provider, and its misbehaviour."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import seekroute
from routings import NO_MEMORY
from seekroute.testing import MockProvider, Raw

MODEL = "openai/gpt-4o-mini"
# Longest wait for anything, in seconds; reached only when something is broken.
PATIENCE = 20.0
SAID = "Hello! You said: Hello!"
HELLO: list[Any] = [{"role": "user", "content": "Hello!"}]


def settings_for(mock: MockProvider) -> dict[str, Any]:
    """Settings whose provider of MODEL is the mock."""
    provider = {"base_url": mock.base_url, "api_key": "sk-upstream"}
    providers = {"openai": {**provider, "allow_http": True, "allow_private": True}}
    return {"providers": providers, "routing": NO_MEMORY}


def begun(*steps: tuple[str]) -> Raw:
    """A stream that begins with `Hel`, and then does `steps`: by default it never ends."""
    chunk = {"id": "x", "choices": [{"index": 0, "delta": {"content": "Hel"}}]}
    return Raw(
        [
            ("head", 200, {"Content-Type": "text/event-stream"}),
            ("send", b"data: " + json.dumps(chunk).encode() + b"\n\n"),
            *(steps or [("hang",)]),
        ]
    )


def run(settings: dict[str, Any], use: Callable[[Any], Any], **options: Any) -> Any:
    """Runs `use(AsyncOpenAI)` on an event loop of its own, without retries."""

    async def main() -> Any:
        options.setdefault("timeout", PATIENCE)
        async with seekroute.async_openai_client(max_retries=0, **options, **settings) as llm:
            return await use(llm)

    return asyncio.run(main())
