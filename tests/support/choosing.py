"""A gateway whose `auto` chooses among three models of one provider."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seekroute.testing import MockProvider
from serving import RunningServer, running_server

WEAK, MIDDLE, STRONG = "acme/weak", "acme/middle", "other/strong"
EASY = "Hi"
HARD = "Prove the theorem step by step and explain why the algorithm's complexity is optimal."


def settings_for(mock: MockProvider, **auto: Any) -> dict[str, Any]:
    """Three models at one provider, of which `auto` chooses."""
    provider = {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
    prices = {WEAK: "0.1", MIDDLE: "1", STRONG: "2"}
    models = [
        {
            "id": model_id,
            "context": 1_000_000,
            "features": [] if model_id == WEAK else ["tools"],
            "endpoints": [
                {
                    "provider": "up",
                    "model": f"up-{model_id.partition('/')[2]}",
                    "price": {"input": price, "output": price},
                    **({"features": {"tools": "no"}} if model_id == WEAK else {}),
                }
            ],
        }
        for model_id, price in prices.items()
    ]
    pool = [
        {"model": WEAK, "quality": 0.6},
        {"model": "middle", "quality": 0.7},
        {"model": STRONG, "quality": 0.8},
    ]
    return {
        "providers": {"up": provider},
        "models": models,
        "routing": {
            # A conversation is judged anew, but where it is what is tested.
            "auto": {"models": pool, "stay": 0, **auto},
            "retry_budget": {"percent": 20, "min": 3},
        },
    }


def asking(text: Any) -> list[dict[str, Any]]:
    """The messages of a request."""
    return [{"role": "user", "content": text}]


@dataclass(frozen=True)
class Choosing:
    """A gateway that chooses, and the provider that it asks."""

    server: RunningServer
    upstream: MockProvider

    def post(self, path: str, text: Any, **fields: Any) -> Any:
        """What is answered to a question, told how it was routed."""
        body = json.dumps({"model": "auto", "messages": asking(text), **fields}).encode()
        headers = {"Content-Type": "application/json", "X-Seekroute-Explain": "1"}
        return self.server.request("POST", path, body, headers)

    def told(self, text: Any, **fields: Any) -> Any:
        """How a question was routed."""
        return self.post("/v1/chat/completions", text, **fields).json()["seekroute"]

    def model(self, text: Any = EASY, **fields: Any) -> str:
        """The model that answers, which is the one that the provider was asked for."""
        answer = self.post("/v1/chat/completions", text, **fields)
        assert answer.status == 200, answer.body
        model: str = answer.json()["model"]
        sent = self.upstream.requests[-1].json
        assert sent["model"] == f"up-{model.partition('/')[2]}"
        assert not {"plugins", "route", "models"} & set(sent)
        return model


@contextlib.contextmanager
def choosing(folder: Path, upstream: MockProvider, **settings: Any) -> Iterator[Choosing]:
    """Runs such a gateway."""
    with running_server(folder, **settings) as server:
        yield Choosing(server, upstream)
