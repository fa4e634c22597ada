"""Packaged prices against an independent calculator: the list's own package computes the costs of
the same requests."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Any

import pytest

from seekroute.config import packaged_catalog
from seekroute.config.prices import price_table
from seekroute.gateway import price_usage

genai_prices = pytest.importorskip("genai_prices", reason="genai-prices is not installed")

READ = "0.2.3"
NANO = 10**9
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
# Our provider ids -> theirs, where they differ.
THEIRS = {"moonshot": "moonshotai", "xai": "x-ai", "zhipu": "zhipuai"}
USAGES = [
    {"input_tokens": 1_000, "output_tokens": 500, "cache_read_tokens": 100},
    {"input_tokens": 300_000, "output_tokens": 7},
]


def ours(table: dict[str, Any], usage: dict[str, int], service_tier: str) -> Decimal:
    told = {
        "prompt_tokens": usage["input_tokens"],
        "completion_tokens": usage["output_tokens"],
        "prompt_tokens_details": {"cached_tokens": usage.get("cache_read_tokens", 0)},
    }
    now = int(NOON.timestamp())
    priced = price_usage(table, told, now=now, service_tier=service_tier)
    return Decimal(priced["upstream_nano"])


def theirs(provider: str, model: str, usage: dict[str, int], service_tier: str) -> Decimal:
    found = genai_prices.calc_price(
        genai_prices.Usage(**usage),
        model_ref=model,
        provider_id=THEIRS.get(provider, provider),
        genai_request_timestamp=NOON,
        price_context={"service_tier": service_tier} if service_tier else None,
    )
    return (found.total_price * NANO).to_integral_value(ROUND_CEILING)


def test_costs_are_those_that_the_list_s_own_package_computes() -> None:
    if importlib.metadata.version("genai-prices") != READ:
        pytest.skip(f"the packaged prices were read from genai-prices {READ}")
    compared: Counter[str] = Counter()
    wrong: list[tuple[object, ...]] = []
    for model in packaged_catalog().models:
        for endpoint in model.endpoints:
            if endpoint.source not in ("confirmed", "genai-prices"):
                continue
            table = price_table(endpoint.price, 0, "")
            tiers = {v["service_tier"] for v in table["variants"]}
            for tier in sorted(tiers):
                for usage in USAGES:
                    if usage["input_tokens"] > (endpoint.context or model.context):
                        continue
                    expected = theirs(endpoint.provider, endpoint.model, usage, tier)
                    if (found := ours(table, usage, tier)) != expected:
                        wrong.append((endpoint.provider, endpoint.model, tier, found, expected))
                    compared[tier] += 1
    assert wrong == []
    assert compared[""] > 500
    assert compared["flex"] > 30
