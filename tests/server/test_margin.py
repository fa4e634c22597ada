"""The operator's margin: no surface tells a customer, unless the profile says that it may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import seekroute
from seekroute.api.account import Usd, encode
from seekroute.config import PACKAGED_PROFILES, packaged_catalog
from seekroute.config.profile import packaged_profile
from seekroute.testing import MockProvider, Status
from serving import RunningServer, running_server

MODEL = "canary/bird"
MARKUP = 765_432  # basis points, as no random id has them
# Of the provider, in USD per million tokens, and as they stand in rates of one token.
RATES = ("1234.5678", "4321.8765")
TOLD = ("0.0012345678", "0.0043218765", "12345678", "43218765")


@contextmanager
def shop(folder: Path, profile: str, *, markup: int = MARKUP) -> Iterator[RunningServer]:
    """A gateway that sells one provider's model, dearer by the markup."""
    overlay = folder / "prices.yaml"
    overlay.write_text(json.dumps({"markup": {"default": markup}}))
    with MockProvider() as upstream:
        own = {"allow_http": True, "allow_private": True, "base_url": upstream.base_url}
        price = {"input": RATES[0], "output": RATES[1]}
        row = {
            "id": MODEL,
            "context": 8000,
            "endpoints": [{"provider": "aviary", "model": "bird", "price": price}],
        }
        with running_server(
            folder / "data",
            mock="off",
            profile=profile,
            providers={"aviary": own},
            models=[row],
            catalog_overlay=str(overlay),
        ) as server:
            server.mock = upstream
            yield server


def surfaces(server: RunningServer) -> Iterator[tuple[str, str]]:
    """Everything that a customer can get of the gateway, headers included, by name."""

    def told(path: str, answer: Any) -> tuple[str, str]:
        return path, f"{answer.headers}\n{answer.body.decode()}"

    chat = {"model": MODEL, "max_tokens": 50}
    answer = server.chat(**chat)
    generation = answer.headers["x-generation-id"]
    assert answer.status == 200
    yield told("answer", answer)
    yield told("stream", server.chat(**chat, stream=True))
    body = json.dumps({**chat, "messages": [{"role": "user", "content": "Hi"}]}).encode()
    kind = {"Content-Type": "application/json"}
    for base in ("/v1", "/api/v1"):
        for header in ("X-Seekroute-Explain", "X-OpenRouter-Metadata"):
            words = {**kind, header: "1" if header.startswith("X-Seek") else "enabled"}
            path = f"{base}/chat/completions"
            yield told(f"{path} {header}", server.request("POST", path, body, words))
        quote = server.request("POST", f"{base}/quote", body, kind)
        assert quote.status == 200, quote.body
        yield told(f"{base}/quote", quote)
        for path in (
            f"generation?id={generation}",
            f"receipt?id={generation}",
            "activity",
            "key",
            "credits",
            "models",
            "models?q=bird",
            "models/count",
            f"models/{MODEL}",
            f"models/{MODEL}/endpoints",
            f"model/{MODEL}",
            "providers",
        ):
            found = server.request("GET", f"{base}/{path}")
            assert found.status == 200, path
            yield told(f"{base}/{path}", found)
    server.mock.queue(Status(400))
    yield told("error", server.chat(**chat))
    yield told("too dear", server.chat(**chat, max_cost="0.000001"))
    yield told("openapi", server.request("GET", "/livez"))


@pytest.mark.parametrize("profile", PACKAGED_PROFILES)
def test_no_surface_tells_the_margin(tmp_path: Path, profile: str) -> None:
    with shop(tmp_path, profile) as server:
        assert server.chat(model=MODEL).status == 200
        row = server.service.ledger.rows()[0]  # type: ignore[union-attr]
        assert row["cost"] > row["upstream_cost"] > 0
        upstream = encode(Usd(row["upstream_cost"])).decode()
        for name, text in surfaces(server):
            for canary in (str(MARKUP), "markup", *TOLD, upstream):
                assert canary not in text, (name, canary, text)
            assert '"upstream_inference_cost":' not in text.replace(
                '"upstream_inference_cost":null', ""
            ), name
            if "receipt" not in name and name != "openapi":
                assert "x-seekroute-provider" not in text, name
            if not packaged_profile(profile).usage_cost:
                assert "x-seekroute-cost" not in text, name


def test_a_quote_has_the_rates_that_are_charged(tmp_path: Path) -> None:
    with shop(tmp_path, "seekroute") as server:
        body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]})
        kind = {"Content-Type": "application/json"}
        quote = server.request("POST", "/v1/quote", body.encode(), kind).json()
        listed = server.request("GET", f"/v1/models/{MODEL}").json()
        pricing = quote["candidates"][0]["pricing"]
        assert "markup_bps" not in pricing
        assert Decimal(pricing["prompt"]) == Decimal(TOLD[0]) * (10_000 + MARKUP) / 10_000
        assert {name: pricing[name] for name in ("prompt", "completion")} == {
            name: listed["pricing"][name] for name in ("prompt", "completion")
        }


def test_without_a_markup_there_is_nothing_to_hide(tmp_path: Path) -> None:
    with shop(tmp_path, "seekroute", markup=0) as server:
        found = dict(surfaces(server))
    assert "'x-seekroute-provider': 'aviary'" in found["answer"]
    assert '"cost_details"' in found["answer"]
    assert '"markup_bps":0' in found["/v1/quote"]
    assert '"upstream_inference_cost":null' not in "".join(found.values())


def test_a_profile_may_show_the_margin(tmp_path: Path) -> None:
    profile = tmp_path / "open.yaml"
    profile.write_text(
        "extends: seekroute\nname: open\nkey_prefix: sk-open-\nupstream_cost: true\n"
    )
    with shop(tmp_path, str(profile)) as server:
        found = dict(surfaces(server))
    assert f'"markup_bps":{MARKUP}' in found["/v1/quote"]
    assert '"upstream_inference_cost":' in found["answer"]
    assert "'x-seekroute-provider': 'aviary'" in found["stream"]


@pytest.mark.parametrize(
    "markup", [{"default": 1}, {"providers": {"openai": 5}}, {"models": {"openai/*": -100}}]
)
def test_any_markup_counts(markup: dict[str, Any]) -> None:
    from seekroute.config.catalog import Markup

    assert Markup(**markup).is_set
    assert not Markup(providers={"openai": 0}).is_set
    assert not packaged_catalog().markup.is_set


def test_the_operators_own_program_sees_it(tmp_path: Path) -> None:
    (tmp_path / "prices.yaml").write_text("markup: {default: 777}\n")
    (tmp_path / "seekroute.yaml").write_text("catalog_overlay: prices.yaml\n")
    with seekroute.Client(mock="on", config=tmp_path / "seekroute.yaml") as client:
        answer = client.ask("Hi", "openai/gpt-4o")
        assert answer.usage.cost_details is not None
        assert answer.provider == "mock"
