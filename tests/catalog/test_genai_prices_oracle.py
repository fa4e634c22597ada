"""Our arithmetic and our prices against those of `genai-prices`, model by model."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest
from genai_prices import Usage, types

import genai_prices_tables as theirs
from seekroute.config import Settings, build_snapshot, catalog_of, profiles_of
from seekroute.gateway import price_usage

USAGES = 200  # of each model
# Instants on both sides of price changes, in and out of peak hours.
MOMENTS = [
    int(datetime(*parts, tzinfo=UTC).timestamp())
    for parts in [
        (2025, 2, 1, 3, 30),
        (2026, 3, 13, 0, 0),
        (2026, 8, 1, 12, 0),
        (2026, 9, 10, 2, 0),
        (2026, 11, 20, 8, 59, 59),
        (2026, 11, 20, 16, 30),
        (2027, 1, 1, 0, 0),
    ]
]
CHECKED_AT = int(datetime(2026, 11, 20, 16, 30, tzinfo=UTC).timestamp())


def endpoints() -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """Of every packaged endpoint: provider, its address, model name there, our price table."""
    settings = Settings()
    catalog = catalog_of(settings)
    keys = {variable: "k" for p in catalog.providers.values() for variable in p.env[:1]}
    snapshot = build_snapshot(
        settings, catalog, profiles_of(settings), keys, mock_base_url="http://[::1]:1"
    )
    urls = {provider["id"]: provider["base_url"] for provider in snapshot["providers"]}
    for model in snapshot["models"]:
        for candidate in model["candidates"]:
            provider = candidate["provider"]
            if provider in urls and model["output"] == "text":
                yield provider, urls[provider], candidate["upstream_model"], candidate["price"]


# Prices that their file has as binary fractions, a third of something: no decimal says them, so no
# table of ours can hold them. Ours has what the provider states, to the millionth of a dollar.
FLOATS = {
    f"openrouter/google/{name}"
    for name in (
        "gemini-2.5-flash",
        "gemini-2.5-flash-lite",
        "gemini-3-flash-preview",
        "gemini-3.1-flash-lite",
        "gemini-3.1-flash-lite-preview",
        "gemini-3.5-flash",
    )
}
KNOWN = {
    f"{provider}/{name}": (found, table)
    for provider, url, name, table in endpoints()
    if (found := theirs.find(url, name))
}
SHARED = {key: pair for key, pair in KNOWN.items() if key not in FLOATS}


def test_enough_models_are_shared_to_say_something() -> None:
    assert len(SHARED) >= 400
    assert len({key.split("/")[0] for key in SHARED}) >= 12


@pytest.mark.parametrize("key", sorted(FLOATS))
def test_a_price_that_is_no_decimal_is_theirs_alone(key: str) -> None:
    with pytest.raises(theirs.NotOurs, match="decimals"):
        theirs.table_of(KNOWN[key][0][1])


# --- the same arithmetic --------------------------------------------------------------------------


def any_use(rng: random.Random, priced: set[str]) -> dict[str, int]:
    """Tokens by class; of classes whose overlaps they price."""

    def some() -> int:
        return rng.choice((0, 1, rng.randrange(50), rng.randrange(30_000), rng.randrange(300_000)))

    use = {name: some() for name in theirs.PRICES}
    if not priced & {"audio_input", "audio_cache_read"}:
        use["audio_input"] = use["audio_cache_read"] = 0
    elif "audio_cache_read" not in priced:
        use["audio_cache_read"] = 0
    return use


def as_theirs(use: dict[str, int]) -> Usage:
    """The same use in their words: each count includes its parts."""
    prompt = ("input", "cache_read", "cache_write", "cache_write_1h")
    prompt += ("audio_input", "audio_cache_read", "image_input")
    return Usage(
        input_tokens=sum(use[name] for name in prompt),
        cache_read_tokens=use["cache_read"] + use["audio_cache_read"],
        cache_write_tokens=use["cache_write"] + use["cache_write_1h"],
        cache_write_1h_tokens=use["cache_write_1h"],
        input_audio_tokens=use["audio_input"] + use["audio_cache_read"],
        cache_audio_read_tokens=use["audio_cache_read"],
        input_image_tokens=use["image_input"],
        output_tokens=sum(use[n] for n in ("output", "reasoning", "audio_output", "image_output")),
        output_reasoning_tokens=use["reasoning"],
        output_audio_tokens=use["audio_output"],
        output_image_tokens=use["image_output"],
    )


def as_openai(usage: Usage) -> dict[str, Any]:
    """The usage object of an answer that says so."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cache_read_tokens,
            "cached_tokens_details": {"audio_tokens": usage.cache_audio_read_tokens},
            "cache_write_tokens": usage.cache_write_tokens,
            "cache_creation": {"ephemeral_1h_input_tokens": usage.cache_write_1h_tokens},
            "audio_tokens": usage.input_audio_tokens,
            "image_tokens": usage.input_image_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.output_reasoning_tokens,
            "audio_tokens": usage.output_audio_tokens,
            "image_tokens": usage.output_image_tokens,
        },
    }


@pytest.mark.parametrize("key", SHARED)
def test_their_prices_in_our_table_give_their_sums(key: str) -> None:
    provider, model = SHARED[key][0]
    table = theirs.table_of(model)
    rng = random.Random(key)
    for _ in range(USAGES):
        now = rng.choice(MOMENTS)
        tier = rng.choice(["", *theirs.service_tiers(model)])
        moment = datetime.fromtimestamp(now, UTC)
        context = {"service_tier": tier} if tier else None
        prices = model.get_prices(moment, context)
        priced = {name for name, (own, _) in theirs.PRICES.items() if getattr(prices, own)}
        usage = as_theirs(any_use(rng, priced))
        calculated = model.calc_price(
            usage, provider, genai_request_timestamp=moment, price_context=context
        )
        ours = price_usage(table, as_openai(usage), now=now, service_tier=tier)
        assert not ours["odd"]
        assert ours["upstream_nano"] == nano(calculated.total_price), (now, tier, usage)
        assert ours["prompt_nano"] == nano(calculated.input_price)
        assert ours["completion_nano"] == nano(calculated.output_price)


def nano(usd: Any) -> int:
    """USD as nano-USD, rounded up."""
    return math.ceil(Fraction(usd) * 10**9)


# --- the same prices ------------------------------------------------------------------------------

# Why a price of ours differs from theirs, by endpoint. Anything else that differs is a mistake of
# one of the two, and so is an entry that has become superfluous.
_INCLUSIVE = "xAI's boundary is inclusive: theirs begins above 199,999, ours above 200,000"
EXPLAINED: dict[str, str] = {
    "anthropic/claude-sonnet-4-5": "theirs keeps the long prompts of a beta that ended 2026-04-30",
    "xai/grok-4.3": _INCLUSIVE,
    "xai/grok-build-0.1": _INCLUSIVE,
}
COMPARED = ("input", "output", "cache_read", "cache_write")


def holding(table: dict[str, Any], now: int) -> dict[str, Any]:
    """The variant that a plain answer is priced by."""
    index = price_usage(table, {}, now=now)["variant"]
    found: dict[str, Any] = table["variants"][index]
    return found


def stated(model: types.ModelInfo, now: int) -> list[str]:
    """The classes that they give a price of their own."""
    prices = model.get_prices(datetime.fromtimestamp(now, UTC))
    return [name for name in COMPARED if getattr(prices, theirs.PRICES[name][0]) is not None]


def difference(key: str) -> str:
    """What differs in the price of a plain answer, at any length of prompt; empty: nothing."""
    (_, model), table = SHARED[key]
    ours, known = holding(table, CHECKED_AT), holding(theirs.table_of(model), CHECKED_AT)
    bounds = {0, *(t["above"] for v in (ours, known) for t in v["tiers"])}
    found = []
    for bound in sorted(bounds):
        mine, other = (rates_above(variant, bound) for variant in (ours, known))
        for name in stated(model, CHECKED_AT):
            if Fraction(mine[name]) != Fraction(other[name]):
                found.append(f"{name} above {bound}: {mine[name]}, theirs {other[name]}")
    return "; ".join(found)


def rates_above(variant: dict[str, Any], bound: int) -> dict[str, str]:
    """What a prompt of one token more than `bound` pays."""
    rates: dict[str, str] = variant["rates"]
    for tier in variant["tiers"]:
        if bound >= tier["above"]:
            rates = tier["rates"]
    return rates


def test_every_difference_is_explained() -> None:
    different = {key: found for key in SHARED if (found := difference(key))}
    unexplained = {key: found for key, found in different.items() if key not in EXPLAINED}
    assert unexplained == {}


def test_no_explanation_is_superfluous() -> None:
    assert {key for key in EXPLAINED if key not in SHARED or not difference(key)} == set()
