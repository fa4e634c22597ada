"""What the core is handed: options, usable providers, candidates, the mock, the default model."""

from __future__ import annotations

import json
from dataclasses import replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

from checkout import ROOT
from seekroute import _core
from seekroute.config import (
    Settings,
    build_options,
    build_snapshot,
    catalog_of,
    load_settings,
    mock_is_on,
    prepare,
    profiles_of,
    usable_providers,
)
from seekroute.config.catalog import Price, Tier
from seekroute.config.differences import differences
from seekroute.config.prices import price_table
from seekroute.config.snapshot import DEFAULT_MODELS
from seekroute.errors import ConfigError
from seekroute.gateway import price_usage

DOCS = ROOT / "docs" / "configuration.md"
SECRET = "sk-live-THIS-IS-SECRET-0123456789"


def snapshot(settings: Settings, **env: str) -> dict[str, Any]:
    return build_snapshot(
        settings,
        catalog_of(settings),
        profiles_of(settings),
        env,
        mock_base_url="http://[::1]:1/v1/",
    )


def candidates(snap: dict[str, Any], model_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(m for m in snap["models"] if m["id"] == model_id)[
        "candidates"
    ]
    return found


def base_rates(candidate: dict[str, Any]) -> dict[str, str]:
    """The rates that hold when no condition does."""
    rates: dict[str, str] = candidate["price"]["variants"][-1]["rates"]
    return rates


def test_a_price_becomes_a_table() -> None:
    price = Price(
        input="0.15",
        output="0.6",
        cache_read="0.075",
        tiers=(Tier(above=1000, input="0.3", output="1.2"),),
        per_request="0.01",
    )
    table = price_table(price, 0, "")
    (variant,) = table["variants"]
    assert variant["rates"] == {
        "input": "0.00000015",
        "cache_read": "0.000000075",
        "cache_write": "0.00000015",
        "cache_write_1h": "0.00000015",
        "audio_input": "0.00000015",
        "audio_cache_read": "0.000000075",
        "image_input": "0.00000015",
        "output": "0.0000006",
        "reasoning": "0.0000006",
        "audio_output": "0.0000006",
        "image_output": "0.0000006",
        "per_image": "0",
        "per_request": "0.01",
    }
    (tier,) = variant["tiers"]
    assert (tier["above"], tier["rates"]["input"]) == (1000, "0.0000003")
    assert (tier["rates"]["cache_read"], tier["rates"]["per_request"]) == ("0.000000075", "0.01")
    assert price_usage(table, {"prompt_tokens": 1001}, now=0)["tier_above"] == 1000


def test_options_have_the_cores_names_and_defaults() -> None:
    assert build_options(Settings(), b"pepper") == {
        "engine_threads": 1,
        "pepper": b"pepper",
        "require_key": True,
        "max_body_bytes": 20971520,
        "max_request_bytes": 268435456,
        "max_key_request_bytes": 134217728,
        "max_org_request_bytes": 201326592,
        "max_active": 10000,
        "connect_timeout_ms": 5000,
        "first_byte_timeout_ms": 600_000,
        "first_content_timeout_ms": 600_000,
        "idle_timeout_ms": 300_000,
        "total_timeout_ms": 1_800_000,
        "max_sse_line_bytes": 1048576,
        "max_sse_event_bytes": 4194304,
        "max_media_event_bytes": 33554432,
        "max_answer_bytes": 33554432,
        "window_bytes": 65536,
        "keep_alive_comment_ms": 15000,
        "max_attempts": 3,
        "retry_ambiguous": False,
        "fallback_on_400": False,
        "retry_budget_percent": 20,
        "retry_budget_min": 3,
        "leave_out_failing": True,
        "server_timing": False,
        "ejection_consecutive": 5,
        "ejection_base_ms": 30_000,
        "ejection_max_ms": 300_000,
        "ejection_max_share": 50,
        "slow_start_ms": 60_000,
        "hedge_enabled": False,
        "hedge_percent": 2,
        "hedge_min_delay_ms": 300,
        "sticky_ttl_ms": 600_000,
        "sticky_entries": 65_536,
        "limits_expected_output": 1024,
        "limits_queue_ms": 0,
        "limits_queue_max": 1000,
        "limits_queue_per_org": 100,
        "ratelimit_headers": "openai",
        "credits": False,
        "credits_strict_bound": False,
        "credits_max_media_tokens": 0,
        "credits_max_output_tokens": 0,
        "credits_on_client_abort": "charge",
        "credits_on_upstream_failure": "free",
        "credits_on_missing_usage": "estimate",
        "credits_max_read_outs": 100,
        "credits_progress_note_ms": 0,
        "credits_local_org": "",
        "max_stored_answers_bytes": 64 * 1024 * 1024,
    }


def test_every_option_is_told_by_the_path_of_its_setting() -> None:
    plan = prepare(Settings(), {})
    # A secret that no setting holds; and what follows from `require_key`, which is told.
    for option in build_options(Settings(), b"pepper").keys() - {"pepper", "credits_local_org"}:
        after = replace(plan, options={**plan.options, option: "another"})
        (path,) = differences(plan, after).needs_restart
        attrgetter(path)(Settings())


def test_a_key_in_the_environment_is_enough() -> None:
    snap = snapshot(Settings(), OPENAI_API_KEY=f" {SECRET}\n", DEEPSEEK_API_KEY="")
    assert snap["providers"] == [
        {
            "id": "openai",
            "base_url": "https://api.openai.com/v1",
            "authorization": f"Bearer {SECRET}",
            "allow_http": False,
            "allow_private": False,
            "ca_file": "",
            "proxy": "",
            "headers": [],
            "stream_options": True,
            "on_abort": "cancel",
            "keep_alive_ms": 50_000,
        }
    ]
    (candidate,) = candidates(snap, "openai/gpt-4o-mini")
    price = candidate.pop("price")
    assert candidate == {
        "provider": "openai",
        "upstream_model": "gpt-4o-mini",
        "dialect": "openai-chat",
        "cap_field": "max_completion_tokens",
        "reasoning_field": "none",
        "tag": "openai",
        "takes": ["response_format", "temperature", "tools"],
        "traits": {
            "tools": "yes",
            "structured_output": "yes",
            "image_input": "yes",
            "audio_input": "no",
            "video_input": "no",
            "file_input": "yes",
        },
    }
    assert price["markup_bps"] == 0
    assert price["revision"].startswith("2026-")
    rates = price["variants"][-1]["rates"]
    assert (rates["input"], rates["cache_read"]) == ("0.00000015", "0.000000075")
    assert (rates["output"], rates["reasoning"]) == ("0.0000006", "0.0000006")
    assert (rates["per_request"], rates["per_image"]) == ("0", "0")
    assert candidates(snap, "deepseek/deepseek-chat") == []
    assert snap["default_model"] == "openai/gpt-5-mini"
    assert snap["auto_names"] == ["auto", "seekroute/auto", "openrouter/auto"]
    assert snap["default_profile"] == "seekroute"


def test_a_model_says_what_else_it_may_answer_with() -> None:
    catalog = catalog_of(Settings())
    rows = {row["id"]: row for row in snapshot(Settings())["models"]}
    for model in catalog.models:
        others = set(model.output) - {"text", "embedding"}
        assert rows[model.id]["other_output"] == (others != set())
    assert any(row["other_output"] and row["output"] == "text" for row in rows.values())


def test_pictures_are_asked_for_in_a_dialect_of_their_own() -> None:
    rows = {row["id"]: row for row in snapshot(Settings(), ARK_API_KEY=SECRET)["models"]}
    for row in rows.values():
        dialect = "openai-images" if row["output"] == "image" else "openai-chat"
        assert {candidate["dialect"] for candidate in row["candidates"]} <= {dialect}
    assert any(row["candidates"] for row in rows.values() if row["output"] == "image")


@pytest.mark.parametrize("variable", ["GEMINI_API_KEY", "GOOGLE_API_KEY"])
def test_any_of_a_providers_variables_counts(variable: str) -> None:
    assert [p["id"] for p in snapshot(Settings(), **{variable: "k"})["providers"]] == ["google"]


@pytest.mark.parametrize("key", ["a\nb", "schlüssel", "a b"])
def test_a_key_that_would_break_a_header_is_not_used(key: str) -> None:
    assert usable_providers(Settings(), catalog_of(Settings()), {"OPENAI_API_KEY": key}) == {}


def test_endpoints_of_a_protocol_that_is_not_spoken_are_no_candidates() -> None:
    alone = snapshot(Settings(), OPENAI_API_KEY=SECRET)
    assert candidates(alone, "openai/gpt-5.3-codex") == []
    both = snapshot(Settings(), OPENAI_API_KEY=SECRET, OPENROUTER_API_KEY=SECRET)
    (only,) = candidates(both, "openai/gpt-5.3-codex")
    assert only["provider"] == "openrouter"


def test_settings_change_and_add_providers(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text(
        """
providers:
  openai: {base_url: http://10.0.0.1/v1/, allow_http: true, allow_private: true, enabled: true,
           headers: {X-Team: blue}, proxy: "http://proxy:3128"}
  groq: {enabled: false}
  local: {base_url: "https://llm.example.com/v1"}
models:
  - id: local/llama
    context: 8192
    endpoints: [{provider: local, model: llama3, price: {input: "0", output: 1}}]
  - id: openai/gpt-4o
    context: 5
    aliases: [gpt-4o-mini]
    endpoints: [{provider: local, model: own, price: {input: "0", output: "0"}}]
default_model: llama
"""
    )
    snap = snapshot(load_settings(file, environ={}), GROQ_API_KEY="k")
    by_id = {provider["id"]: provider for provider in snap["providers"]}
    assert set(by_id) == {"openai", "local"}
    assert by_id["openai"]["base_url"] == "http://10.0.0.1/v1"
    assert by_id["openai"]["authorization"] == ""
    assert by_id["openai"]["headers"] == ["X-Team: blue"]
    assert by_id["openai"]["proxy"] == "http://proxy:3128"
    assert (by_id["openai"]["allow_http"], by_id["openai"]["allow_private"]) == (True, True)
    assert snap["default_model"] == "local/llama"
    assert base_rates(candidates(snap, "local/llama")[0])["output"] == "0.000001"
    assert [m["context"] for m in snap["models"] if m["id"] == "openai/gpt-4o"] == [5]
    assert snap["names"]["gpt-4o-mini"] == "openai/gpt-4o"
    assert snap["names"]["openai/gpt-4o-mini"] == "openai/gpt-4o-mini"


def test_mock_stands_in_for_every_model_when_no_provider_has_a_key() -> None:
    settings = Settings()
    assert mock_is_on(settings, catalog_of(settings), {}) is True
    snap = snapshot(settings)
    (provider,) = snap["providers"]
    assert (provider["id"], provider["base_url"]) == ("mock", "http://[::1]:1/v1")
    assert (provider["allow_http"], provider["allow_private"]) == (True, True)
    assert provider["authorization"] == ""
    for model in snap["models"]:
        assert [c["provider"] for c in model["candidates"]] == ["mock"]
    assert candidates(snap, "openai/gpt-4o-mini")[0]["upstream_model"] == "openai/gpt-4o-mini"
    assert base_rates(candidates(snap, "openai/gpt-4o-mini")[0])["output"] == "0.0000006"
    assert snap["default_model"] == DEFAULT_MODELS[0]


def test_mock_on_leaves_nobody_else_to_be_asked() -> None:
    own = {"base_url": "http://10.0.0.1/v1", "enabled": True}
    settings = Settings.model_validate({"mock": "on", "providers": {"groq": own}})
    assert mock_is_on(settings, catalog_of(settings), {"OPENAI_API_KEY": "k"}) is True
    snap = snapshot(settings, OPENAI_API_KEY="k", DEEPSEEK_API_KEY="k")
    assert [provider["id"] for provider in snap["providers"]] == ["mock"]
    for model in snap["models"]:
        assert [c["provider"] for c in model["candidates"]] == ["mock"]
        assert {each["reason"] for each in model["excluded"]} == {"disabled"}


def test_mock_beside_real_providers() -> None:
    settings = Settings(mock="beside")
    snap = snapshot(settings, DEEPSEEK_API_KEY="k")
    assert candidates(snap, "openai/gpt-4o")[0]["provider"] == "mock"
    assert [c["provider"] for c in candidates(snap, "deepseek/deepseek-chat")] == ["deepseek"]
    assert snap["default_model"] == "deepseek/deepseek-chat"


def test_mock_off_leaves_models_without_candidates() -> None:
    snap = snapshot(Settings(mock="off"))
    assert snap["providers"] == []
    assert all(model["candidates"] == [] for model in snap["models"])
    assert snap["default_model"] == ""


def test_mock_is_off_once_a_provider_is_usable() -> None:
    settings = Settings()
    env = {"XAI_API_KEY": "k"}
    assert mock_is_on(settings, catalog_of(settings), env) is False
    assert build_snapshot(settings, catalog_of(settings), profiles_of(settings), env)["providers"]


def test_mock_needs_its_url() -> None:
    settings = Settings()
    with pytest.raises(ValueError, match="mock_base_url"):
        build_snapshot(settings, catalog_of(settings), profiles_of(settings), {})


def test_the_documented_example_is_accepted(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8")
    example = text.partition("```yaml\n")[2].partition("```")[0]
    file = tmp_path / "c.yaml"
    file.write_text(example, encoding="utf-8")
    settings = load_settings(file, environ={"TEAM_OPENAI_KEY": "k"})
    assert snapshot(settings)["default_model"] == "local/llama"


def test_policies_and_drains_reach_the_core() -> None:
    settings = Settings.model_validate(
        {
            "credits": {"enabled": True, "on_client_abort": "free", "max_read_outs": 7},
            "providers": {"groq": {"on_abort": "read_out"}},
        }
    )
    options = build_options(settings, b"pepper", ledger=True)
    assert options["credits_on_client_abort"] == "free"
    assert options["credits_on_upstream_failure"] == "free"
    assert options["credits_on_missing_usage"] == "estimate"
    assert options["credits_max_read_outs"] == 7
    _core.Gateway(options).close()
    snap = snapshot(settings, GROQ_API_KEY="g", OPENAI_API_KEY="o")
    assert {p["id"]: p["on_abort"] for p in snap["providers"]} == {
        "openai": "cancel",
        "groq": "read_out",
    }
    fields = {
        (c["provider"], c["cap_field"]) for model in snap["models"] for c in model["candidates"]
    }
    assert fields == {("openai", "max_completion_tokens"), ("groq", "max_tokens")}


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        ("", 50_000),
        ("base_url: https://llm.example.com/v1", 4_000),
        ("base_url: https://llm.example.com/v1, keep_alive_ms: 9000", 9_000),
    ],
)
def test_a_server_of_ones_own_is_not_taken_for_the_packaged_one(
    tmp_path: Path, own: str, kept: int
) -> None:
    file = tmp_path / "seekroute.yaml"
    file.write_text(f"providers: {{groq: {{{own}}}}}\n")
    snap = snapshot(load_settings(file, environ={}), GROQ_API_KEY="g")
    assert [each["keep_alive_ms"] for each in snap["providers"]] == [kept]


def timeouts_file(*, catalog: str, provider: str, model: str, endpoint: str) -> str:
    """Settings with the `idle_timeout_ms` that each place is given, empty for none."""

    def said(value: str) -> str:
        return f"timeouts: {{idle_timeout_ms: {value}}}" if value else "timeouts: {}"

    return f"""
timeouts: {{idle_timeout_ms: {catalog}}}
providers:
  groq: {{{said(provider)}, keep_alive_ms: 1500}}
models:
  - id: acme/thinker
    context: 1000
    {said(model)}
    endpoints:
      - provider: groq
        model: thinker
        price: {{input: "1", output: "1"}}
        {said(endpoint)}
"""


@pytest.mark.parametrize(
    ("provider", "model", "endpoint", "wins"),
    [
        ("", "", "", None),
        ("2000", "", "", 2000),
        ("2000", "3000", "", 3000),
        ("2000", "3000", "4000", 4000),
        ("", "3000", "", 3000),
        ("2000", "", "4000", 4000),
    ],
)
def test_the_most_specific_timeout_wins(
    tmp_path: Path, provider: str, model: str, endpoint: str, wins: int | None
) -> None:
    file = tmp_path / "seekroute.yaml"
    file.write_text(
        timeouts_file(catalog="1500", provider=provider, model=model, endpoint=endpoint)
    )
    settings = load_settings(file, environ={})
    snap = snapshot(settings, GROQ_API_KEY="g")
    (candidate,) = candidates(snap, "acme/thinker")
    assert candidate.get("timeouts") == (None if wins is None else {"idle_timeout_ms": wins})
    assert [each["keep_alive_ms"] for each in snap["providers"]] == [1500]
    core = _core.Gateway(build_options(settings, b"pepper"))
    core.install(snap)
    core.close()


def test_timeouts_of_an_endpoint_are_at_least_a_second(tmp_path: Path) -> None:
    file = tmp_path / "seekroute.yaml"
    file.write_text(timeouts_file(catalog="1", provider="999", model="1000", endpoint="0"))
    with pytest.raises(ConfigError) as caught:
        load_settings(file, environ={})
    assert {problem.path for problem in caught.value.problems} == {
        "providers.groq.timeouts.idle_timeout_ms",
        "models.0.endpoints.0.timeouts.idle_timeout_ms",
    }
    snap = snapshot(Settings(), OPENAI_API_KEY=SECRET)
    candidates(snap, "openai/gpt-4o-mini")[0]["timeouts"] = {"idle_timeout_ms": 999}
    core = _core.Gateway(build_options(Settings(), b"pepper"))
    with pytest.raises(ValueError, match=r"timeouts\.idle_timeout_ms"):
        core.install(snap)
    core.close()


def test_an_overlay_may_give_a_packaged_model_time(tmp_path: Path) -> None:
    (tmp_path / "overlay.yaml").write_text(
        """
change:
  openai/gpt-4o-mini:
    timeouts: {total_timeout_ms: 7200000}
    endpoints:
      openai: {timeouts: {idle_timeout_ms: 60000}}
"""
    )
    file = tmp_path / "seekroute.yaml"
    file.write_text("catalog_overlay: overlay.yaml\n")
    snap = snapshot(load_settings(file, environ={}), OPENAI_API_KEY=SECRET)
    (candidate,) = candidates(snap, "openai/gpt-4o-mini")
    assert candidate["timeouts"] == {"idle_timeout_ms": 60_000, "total_timeout_ms": 7_200_000}


def test_who_refuses_stream_options_is_told_to_the_core() -> None:
    settings = Settings.model_validate({"providers": {"groq": {"stream_options": False}}})
    snap = snapshot(settings, GROQ_API_KEY="g", OPENAI_API_KEY="o", MISTRAL_API_KEY="m")
    assert {p["id"]: p["stream_options"] for p in snap["providers"]} == {
        "openai": True,
        "groq": False,
        "mistral": False,  # says the catalog
    }


@pytest.mark.parametrize(
    ("provider", "endpoint", "features", "told"),
    [
        ("", "", "", None),
        ("", "cap_excludes_reasoning: true", "", ("", 0)),
        ("cap_excludes_reasoning: true", "", "", ("", 0)),
        ("cap_excludes_reasoning: true", "", "features: [tools, reasoning]", ("", 0)),
        # Features that do not name it are no proof.
        ("cap_excludes_reasoning: true", "", "features: [tools]", ("", 0)),
        ("cap_excludes_reasoning: true", "cap_excludes_reasoning: false", "", None),
        ("", "cap_excludes_reasoning: true", "features: [tools]", ("", 0)),
        (
            "cap_excludes_reasoning: true, reasoning_budget_field: thinking_budget,"
            " max_reasoning: 900",
            "",
            "",
            ("thinking_budget", 900),
        ),
        (
            "cap_excludes_reasoning: true, reasoning_budget_field: thinking_budget,"
            " max_reasoning: 900",
            "reasoning_budget_field: none, max_reasoning: 700",
            "",
            ("", 700),
        ),
    ],
)
def test_what_bounds_thinking_reaches_the_core(
    tmp_path: Path, provider: str, endpoint: str, features: str, told: tuple[str, int] | None
) -> None:
    file = tmp_path / "seekroute.yaml"
    file.write_text(
        f"""
providers:
  groq: {{{provider}}}
models:
  - id: acme/thinker
    context: 1000
    {features}
    endpoints:
      - provider: groq
        model: thinker
        {endpoint.replace(", ", chr(10) + "        ")}
        price: {{input: "1", output: "1"}}
"""
    )
    snap = snapshot(load_settings(file, environ={}), GROQ_API_KEY="g")
    (candidate,) = candidates(snap, "acme/thinker")
    if told is None:
        assert "cap_excludes_reasoning" not in candidate
    else:
        assert candidate["cap_excludes_reasoning"] is True
        assert (candidate["reasoning_budget_field"], candidate["max_reasoning"]) == told
    gateway = _core.Gateway(build_options(Settings(), b"pepper"))
    gateway.install(snap)
    gateway.close()


@pytest.mark.parametrize(
    ("model", "endpoint", "if_asked"),
    [
        ("", "", False),
        ("thinks: true", "", False),
        ("thinks: false", "", True),
        # The endpoint's word is about this very model.
        ("thinks: false", "cap_excludes_reasoning: true", False),
    ],
)
def test_a_model_that_never_thinks_unasked_is_told_to_the_core(
    tmp_path: Path, model: str, endpoint: str, if_asked: bool
) -> None:
    file = tmp_path / "seekroute.yaml"
    file.write_text(
        f"""
providers:
  groq: {{cap_excludes_reasoning: true}}
models:
  - id: acme/thinker
    context: 1000
    {model}
    endpoints:
      - provider: groq
        model: thinker
        {endpoint}
        price: {{input: "1", output: "1"}}
"""
    )
    snap = snapshot(load_settings(file, environ={}), GROQ_API_KEY="g")
    (candidate,) = candidates(snap, "acme/thinker")
    assert candidate["cap_excludes_reasoning"] is True
    assert candidate["thinks_if_asked"] is if_asked


def test_the_lengths_of_an_endpoint_reach_the_core() -> None:
    snap = snapshot(Settings(), ZAI_API_KEY="z")
    (long,) = candidates(snap, "z-ai/glm-5.2")
    assert long["context"] == 1_000_000
    (talkative,) = candidates(snap, "z-ai/glm-4.7")
    assert talkative["max_output"] == 131_072
    told = {
        (model["id"], c["upstream_model"]): (c.get("context"), c.get("max_output"))
        for model in snap["models"]
        for c in model["candidates"]
    }
    catalog = catalog_of(Settings())
    for model in catalog.models:
        for endpoint in model.endpoints:
            if (model.id, endpoint.model) in told and endpoint.provider == "zai":
                own = (endpoint.context, endpoint.max_output)
                assert told[model.id, endpoint.model] == own


def test_the_catalog_knows_whose_cap_leaves_thinking_out() -> None:
    snap = snapshot(Settings(), SILICONFLOW_API_KEY="s", DASHSCOPE_API_KEY="d")
    told = {
        (c["provider"], c["upstream_model"]): (c["reasoning_budget_field"], c["max_reasoning"])
        for model in snap["models"]
        for c in model["candidates"]
        if c.get("cap_excludes_reasoning")
    }
    assert told["siliconflow", "Qwen/Qwen3-32B"] == ("thinking_budget", 32768)
    assert told["siliconflow", "deepseek-ai/DeepSeek-V3.2"] == ("", 32768)
    assert told["alibaba", "qwen-plus"] == ("thinking_budget", 81920)
    assert told["siliconflow", "Qwen/Qwen3-VL-30B-A3B-Thinking"] == ("", 32768)
    assert told["siliconflow", "ByteDance-Seed/Seed-OSS-36B-Instruct"] == ("", 32768)
    # Those that answer at once say so, and count as soon as they are asked to think.
    quiet = {
        c["upstream_model"]
        for model in snap["models"]
        for c in model["candidates"]
        if c.get("thinks_if_asked")
    }
    assert {"qwen3-max", "Qwen/Qwen2.5-72B-Instruct"} <= quiet
    # Hosted Qwen3 models think when they are asked to; open ones and Qwen3.5 unless they are not.
    assert {"qwen-plus", "qwen-flash", "qwen-turbo", "qwen3-vl-plus"} <= quiet
    assert not {"qwen3-32b", "qwen3.5-plus", "qwen3.6-plus", "qwen3.7-max"} & quiet
    assert not {name for name in quiet if "thinking" in name.lower() or "r1" in name.lower()}
    assert told["alibaba", "qwq-plus"] == ("", 81920)
    # SiliconFlow lets this one think for longer than the others.
    assert told["siliconflow", "tencent/Hunyuan-A13B-Instruct"] == ("", 38912)


def test_an_endpoint_may_name_its_own_cap(tmp_path: Path) -> None:
    file = tmp_path / "seekroute.yaml"
    file.write_text(
        """
models:
  - id: acme/thinker
    context: 1000
    endpoints:
      - provider: groq
        model: thinker
        cap_field: max_completion_tokens
        price: {input: "1", output: "1"}
"""
    )
    settings = load_settings(file, environ={})
    (candidate,) = candidates(snapshot(settings, GROQ_API_KEY="g"), "acme/thinker")
    assert candidate["cap_field"] == "max_completion_tokens"


def _two_offers(tmp_path: Path, **second: Any) -> list[dict[str, Any]]:
    """What the core is told of two endpoints of one provider."""
    rows = [
        {"provider": "groq", "model": "m", "free": True},
        {"provider": "groq", "model": "m", "free": True, **second},
    ]
    model = {
        "id": "own/m",
        "context": 8000,
        "input": ["text", "image"],
        "features": ["tools", "temperature"],
        "endpoints": rows,
    }
    (tmp_path / "seekroute.yaml").write_text(json.dumps({"models": [model]}))
    settings = load_settings(tmp_path / "seekroute.yaml", environ={})
    return candidates(snapshot(settings, GROQ_API_KEY="k"), "own/m")


def test_two_endpoints_of_a_provider_differ_in_region_or_quantization(tmp_path: Path) -> None:
    plain, other = _two_offers(
        tmp_path,
        region="eu",
        quantization="fp8",
        data={"collects": False, "zdr": "yes"},
        weight=2.5,
        features={"tools": False, "logprobs": "yes", "image_input": "unknown"},
        parameters=["seed"],
    )
    assert (plain["tag"], other["tag"]) == ("groq", "groq/fp8-eu")
    assert "weight" not in plain
    assert "zdr" not in plain
    assert plain["traits"] == {
        "tools": "yes",
        "image_input": "yes",
        "audio_input": "no",
        "video_input": "no",
        "file_input": "no",
    }
    assert plain["takes"] == ["temperature", "tools"]
    assert (other["data_collects"], other["zdr"], other["weight"]) == ("no", "yes", 2.5)
    assert other["traits"]["tools"] == "no"
    assert "image_input" not in other["traits"]
    assert other["takes"] == ["logprobs", "seed", "temperature", "top_logprobs"]
    with pytest.raises(ConfigError, match="the same offer as"):
        _two_offers(tmp_path)
    # Not to say it means `unknown`; it is told with its place.
    with pytest.raises(ConfigError, match=r"yaml:1:.*the same offer as"):
        _two_offers(tmp_path, quantization="unknown")
    # Or in the provider's name for the model: a faster or a longer one.
    assert len(_two_offers(tmp_path, model="m-turbo")) == 2


def test_the_names_of_traits_are_those_of_the_core() -> None:
    from typing import get_args

    from seekroute.config.catalog_schema import Parameter, Trait

    header = (ROOT / "cpp/wire/traits.h").read_text()
    for table, words in (("kTraitNames", Trait), ("kParameterNames", Parameter)):
        listed = header.partition(f"{table} = ")[2].partition("};")[0]
        assert tuple(part for part in listed.split('"')[1::2]) == get_args(words)
