"""What became of one prompt, kept as the bytes it came as."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from seekroute.money import decimal_usd


class Outcome:
    """One finished prompt. `error` is None for an answer, whose bytes are in `body`.

    Costs are nano-USD and cover all tries; `priced` is False where a remote gateway did not say.
    `latency` is seconds of the last try. The body is parsed when somebody looks.
    """

    __slots__ = (
        "attempts",
        "body",
        "cached_tokens",
        "completion_tokens",
        "cost_nano",
        "error",
        "index",
        "latency",
        "model",
        "priced",
        "prompt_tokens",
        "provider",
        "reasoning_tokens",
        "request_id",
        "restored",
        "tries",
    )

    def __init__(self, index: int, body: bytes = b"", error: Exception | None = None) -> None:
        self.index = index
        self.body = body
        self.error = error
        self.cost_nano = 0
        self.priced = True
        self.prompt_tokens = 0
        self.completion_tokens = 0
        self.cached_tokens = 0
        self.reasoning_tokens = 0
        self.latency = 0.0
        self.model = ""
        self.provider = ""
        self.request_id = ""
        self.attempts = 1
        self.tries = 1
        self.restored = False

    @property
    def ok(self) -> bool:
        return self.error is None

    @property
    def cost(self) -> Decimal:
        """USD."""
        return decimal_usd(self.cost_nano)

    def json(self) -> dict[str, Any]:
        """The parsed answer; empty for an error."""
        data: dict[str, Any] = json.loads(self.body) if self.body and self.ok else {}
        return data

    @property
    def text(self) -> str:
        """The first choice's content; empty where there is none."""
        choices = self.json().get("choices") or [{}]
        content = (choices[0].get("message") or {}).get("content")
        return content if isinstance(content, str) else ""
