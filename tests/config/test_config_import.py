"""`seekroute config import litellm`: what is taken of a configuration, and what is said."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

import money_cli
from bare_cli import unconfigure
from litellm_configs import CATALOG, FIXTURES, converted, loaded, one, said
from seekroute.config import catalog_of, load_settings


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unconfigure(monkeypatch, tmp_path)


# --- whole files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("fixture", FIXTURES.values(), ids=FIXTURES)
def test_whole_files(fixture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = money_cli.run("config", "import", "litellm", str(fixture))
    assert max(map(len, result.stdout.splitlines())) <= 80
    text = Path("seekroute.yaml").read_text(encoding="utf-8")
    assert "canary" not in text + result.output
    found = converted(fixture.read_text(encoding="utf-8"))
    for name in found.variables:
        monkeypatch.setenv(name, "https://provider.invalid")
    money_cli.run("config", "check")
    catalog = catalog_of(load_settings())
    assert found.models
    for model in found.models:
        meant = catalog.resolve(model.name)
        assert meant is not None
        assert meant.id == model.id
        own = tuple(f"{each.provider}/{each.model}" for each in meant.endpoints)
        assert own[: len(model.endpoints)] == model.endpoints
        assert own == model.endpoints or not model.written
    lines = fixture.read_text(encoding="utf-8").splitlines()
    for each in found.findings:
        word = each.path.rpartition(".")[2]
        assert word.isdecimal() or word in lines[each.line - 1], each


def test_a_team_s_file() -> None:
    found = converted(FIXTURES["team"].read_text(encoding="utf-8"))
    settings = loaded(found)
    assert (settings.server.log_format, settings.limits.max_active) == ("json", 400)
    assert settings.drop_refused_parameters
    assert settings.limits.max_body_bytes == 32 * 1024 * 1024
    assert settings.timeouts.total_timeout_ms == 300_000  # the router's, not the library's
    azure = settings.providers["azure"]
    assert azure.base_url == "https://acme-sweden.openai.azure.com/openai/v1"
    headers = settings.providers["openai"].headers
    assert headers["OpenAI-Organization"].get_secret_value() == "org-acme"
    catalog = catalog_of(settings)
    for name in ("gpt-4o", "gpt-4", "gpt-4-turbo"):
        model = catalog.resolve(name)
        assert model is not None
        assert [each.provider for each in model.endpoints] == ["openai", "azure", "azure-2"]
        assert {each.cap_field for each in model.endpoints[1:]} == {"max_completion_tokens"}
        assert model.endpoints[1].price == CATALOG.get("openai/gpt-4o").endpoints[0].price
        assert model.endpoints[2].timeouts.total_timeout_ms == 90_000
    mini = catalog.resolve("gpt-4o-mini")
    assert mini is not None
    assert mini.endpoints[0].provider == "openai-2"
    assert mini.endpoints[0].timeouts.first_byte_timeout_ms == 20_000
    assert model.endpoints[1].limits.said() == {
        "requests_per_minute": 480,
        "tokens_per_minute": 80_000,
    }
    assert settings.routing.fallbacks.any == {"gpt-4o": ("claude-sonnet",)}
    assert settings.routing.fallbacks.context == {"gpt-4o-mini": ("gpt-4o",)}
    assert '"${OPENAI_API_KEY_2}"' in found.text
    assert "33 OPENAI_API_KEY_2: a key stands in this line: move it there" in said(found, "to set")
    skipped = said(found, "not taken")
    for line in (
        "11 weight: asked as listed, by order: see routing.balance",
        "46 routing_strategy: see routing.balance",
        "50 alias old: of a model that was not taken",
        "70 master_key: make keys anew: seekroute keys create",
    ):
        assert line in skipped
    assert not any("set_verbose" in line for line in skipped)  # it is off, as here


def test_an_imported_list_keeps_its_order() -> None:
    entry = "- model_name: m\n  litellm_params: {model: %s/gpt-4o, api_key: os.environ/KEY%s}\n"
    listed = converted("model_list:\n" + entry % ("openai", "") + entry % ("openai", "_2"))
    assert loaded(listed).routing.balance == "listed"
    # Where there is no list, the setting stays as it is without an import.
    assert "routing" not in converted("model_list:\n" + entry % ("openai", "")).text


def test_what_routes_here_is_named() -> None:
    words = (
        "model_list:\n- model_name: m\n"
        "  litellm_params: {model: openai/gpt-4o, api_key: os.environ/KEY, max_retries: 3}\n"
        "router_settings: {num_retries: 2, cooldown_time: 9}\n"
    )
    assert said(converted(words), "not taken") == [
        "3 max_retries: see routing.max_attempts",
        "4 num_retries: see routing.max_attempts",
        "4 cooldown_time: see routing.ejection",
    ]


def test_a_laboratory_s_file() -> None:
    found = converted(FIXTURES["local"].read_text(encoding="utf-8"))
    settings = loaded(found)
    assert {each: own.base_url for each, own in settings.providers.items()} == {
        "ollama": "http://gpu-1:11434/v1",
        "vllm": "https://provider.invalid",
        "lm-studio": "http://127.0.0.1:1234/v1",
        "local": "http://10.1.2.3:8000/v1",
        "ollama-2": "http://localhost:11434/v1",
    }
    assert all(own.allow_http and own.allow_private for own in settings.providers.values())
    assert not any(own.api_key for own in settings.providers.values())
    assert all(each.endpoints[0].free for each in settings.models)
    qwen = catalog_of(settings).resolve("qwen")
    assert qwen is not None
    assert (qwen.context, qwen.max_output) == (40_960, 8_192)
    assert qwen.features == ("tools", "reasoning")
    lab = catalog_of(settings).resolve("Lab/Llama-4")
    assert lab is not None
    # Features without `reasoning` would say that it does not think.
    assert (lab.input, lab.features) == (("text", "image"), ())


def test_what_no_provider_here_can_answer_is_said() -> None:
    found = converted(FIXTURES["clouds"].read_text(encoding="utf-8"))
    assert {each.name for each in found.models} == {"gemini-pro", "paid-at-groq"}
    assert loaded(found).providers.keys() == {"google", "groq"}
    skipped = said(found, "not taken")
    assert len([each for each in skipped if "login" in each]) == 2
    assert "21 model: not in the catalog: needs *_cost_per_token" in skipped
    assert "31 model_name: the catalog's models of groq are served" in said(found, "changed")


def test_shared_words() -> None:
    found = converted(FIXTURES["shared"].read_text(encoding="utf-8"))
    settings = loaded(found)
    catalog = catalog_of(settings)
    fast = catalog.resolve("fast")
    assert fast is not None
    assert [(e.provider, e.timeouts.total_timeout_ms) for e in fast.endpoints] == [
        ("openai", 60_000),
        ("openai-2", 120_000),
    ]
    house = catalog.resolve("house")
    assert house is not None
    price = house.endpoints[0].price
    assert (price.input, price.output, price.cache_read) == ("1", "2.5", "0.1")
    assert (house.context, house.description) == (32_768, "Costs $1 a million")
    headers = settings.providers["eu"].headers
    assert headers["X-Team"].get_secret_value() == "https://provider.invalid"  # a variable's
    assert "EU_X_TEAM" in found.variables
    assert '"${EU_X_INTERNAL_TOKEN}"' in found.text


# --- secrets in odd places ------------------------------------------------------------------------

RANDOM = "aB3dE5gH7jK9mN1pQ3sT5"
SECRET_HEADERS = {
    **{
        name: "canary"
        for name in (
            "X-Signature",
            "X-Hub-Password",
            "X-Passwd",
            "My-Credential",
            "X-Auth",
            "Ocp-Apim-Subscription-Key",
            "X-Session",
            "Set-Cookie",
            "X-Pass",
            "X-Pwd",
            "X-Team",
        )
    },
    "X-U": "user:canary",
    "X-Api": "AAAA-BBBB-canary-DDDD-EEEE",
    "X-Title": f"sk-{RANDOM}-canary",
    "User-Agent": "Bearer canary",
    "X-Via": f"r8_{RANDOM}canary",
    "X-Cloud": f"AKIAIOSFODNN7EXAMPLE{'canary'}",
    "X-Jwt": f"eyJ{RANDOM}.canary.{RANDOM}",
    "X-Proxy": "Bearer canary",
    "X-Proxy-Basic": "basic canary=",
    "X-Account": f"canary{RANDOM}",
}


@pytest.mark.parametrize("header", SECRET_HEADERS)
def test_a_header_that_may_be_a_secret_is_not_copied(header: str) -> None:
    value = SECRET_HEADERS[header]
    found = converted(one(f"model: openai/gpt-4o, extra_headers: {{{header}: '{value}'}}"))
    assert "canary" not in found.text + "".join(said(found))
    variable = f"OPENAI_{header.upper().replace('-', '_')}"
    assert f"3 {variable}: a header stands in this line: move it there" in said(found, "to set")
    assert header in loaded(found).providers["openai"].headers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Title", "blue"),
        ("anthropic-beta", "prompt-caching-2024-07-31"),
        ("HTTP-Referer", "https://acme.example/a"),
        ("User-Agent", "team-7 of eu-west-1"),
    ],
)
def test_a_header_that_is_none_is_copied(name: str, value: str) -> None:
    found = converted(one(f"model: openai/gpt-4o, extra_headers: {{{name}: '{value}'}}"))
    headers = loaded(found).providers["openai"].headers
    assert headers[name].get_secret_value() == value
    assert not said(found, "to set")


@pytest.mark.parametrize(
    "path",
    [
        *(f"sk-{RANDOM}/v1", f"gw/hf_{RANDOM}", f"a/gsk%5F{RANDOM}/v1", "token/c4n4ryc4n4ry/v1"),
        "c4n4ry/0123456789abcdef0123456789abcdef/v1",
        "c4n4ry/tok_abcdefghijklmnopqrstuvwxyz/v1",
    ],
)
@pytest.mark.parametrize(
    "model", ["openai/gpt-4o", "hosted_vllm/x", "mistral/mistral-large-latest"]
)
def test_a_key_in_the_path_of_an_address_is_not_copied(model: str, path: str) -> None:
    url = f"https://gw.acme.example/{path}"
    found = converted(one(f"model: {model}, api_base: '{url}', api_key: os.environ/K"))
    text = found.text + "".join(said(found))
    assert RANDOM not in text
    assert "c4n4ry" not in text
    (to_set,) = said(found, "to set")
    assert to_set.endswith(": a key stands in this line's URL: move it there")
    assert to_set.startswith("3 ")
    assert "BASE_URL" in to_set
    assert len(loaded(found).providers) == 1


@pytest.mark.parametrize("key", ["[canary]", "{a: canary}"])
def test_a_key_that_is_no_text_is_told(key: str) -> None:
    found = converted(one(f"model: openai/gpt-4o, api_key: {key}"))
    assert "3 api_key: no key, but a list or a mapping" in said(found, "not taken")
    assert "canary" not in found.text + "".join(said(found))


@pytest.mark.parametrize(
    "url",
    [
        f"https://user:{RANDOM}@gw.example/v1",
        f"https://{RANDOM}@gw.example/v1",
        f"https://gw.example/v1?key={RANDOM}",
        f"https://gw.example/v1#{RANDOM}",
    ],
)
def test_an_address_with_a_password_or_a_query_is_left_out(url: str) -> None:
    found = converted(one(f"model: hosted_vllm/x, api_base: '{url}'"))
    assert RANDOM not in found.text + "".join(said(found))
    assert said(found, "not taken")


# --- single deployments ---------------------------------------------------------------------------

REACHED = {
    "openai": ("model: openai/gpt-4o", "openai", "gpt-4o", "openai/gpt-4o"),
    "bare": ("model: gpt-4o", "openai", "gpt-4o", "openai/gpt-4o"),
    "bare-claude": (
        "model: claude-sonnet-4-5",
        "anthropic",
        "claude-sonnet-4-5",
        "anthropic/claude-sonnet-4.5",
    ),
    "own-host": ("model: openai/gpt-4o, api_base: 'https://api.openai.com/v1'", "openai", "gpt-4o"),
    "another-s-host": (
        "model: openai/deepseek-chat, api_base: 'https://api.deepseek.com'",
        "deepseek",
        "deepseek-chat",
    ),
    "folder": (
        "model: openrouter/anthropic/claude-sonnet-4.5",
        "openrouter",
        "anthropic/claude-sonnet-4.5",
    ),
    "provider-aside": (
        "model: org/large, custom_llm_provider: openai, api_base: 'https://llm.acme.example/v1'",
        "acme",
        "org/large",
    ),
    "gemini": ("model: gemini/gemini-2.5-pro", "google", "gemini-2.5-pro"),
    "together": (
        "model: together_ai/x/new, input_cost_per_token: 0, output_cost_per_token: 0",
        "together",
        "x/new",
    ),
    "own-groq": (
        "model: groq/llama-3.3-70b-versatile, api_base: 'https://groq.acme.example/v1'",
        "groq-2",
        "llama-3.3-70b-versatile",
    ),
    "vllm": ("model: hosted_vllm/a/b, api_base: 'https://vllm.acme.example/v1'", "vllm", "a/b"),
    "name-with-dollar": ("model: ollama/a$b", "ollama", "a$b"),
    "own-azure": (
        "model: azure/gpt-4o, api_base: 'http://azure.internal', api_key: none",
        "azure",
        "gpt-4o",
    ),
    "hugging-face": ("model: huggingface/meta/llama", "huggingface", "meta/llama"),
}


@pytest.mark.parametrize("case", list(REACHED))
def test_prefixes_that_are_reached(case: str) -> None:
    params, provider, model, *_ = REACHED[case]
    found = converted(one(params))
    settings = loaded(found)
    taken = catalog_of(settings).resolve("m")
    assert taken is not None
    assert [(each.provider, each.model) for each in taken.endpoints] == [(provider, model)]
    assert provider in found.providers


UNREACHED = {
    "no-model": ("api_key: k", "names no model"),
    "bedrock": ("model: bedrock/x", "AWS"),
    "vertex": ("model: vertex_ai/x", "Google Cloud"),
    "unknown": ("model: nobody/x", "not a provider here"),
    "no-prefix": ("model: something", "not a provider here"),
    "azure-no-base": ("model: azure/x, api_key: k", "without an api_base"),
    "azure-entra": (
        "model: azure/x, api_base: 'https://x.openai.azure.com', azure_ad_token: t",
        "without a key",
    ),
    "azure-unpriced": (
        "model: azure/prod-1, api_base: 'https://x.openai.azure.com', api_key: k",
        "needs base_model",
    ),
    "no-base": ("model: hosted_vllm/x", "without an api_base"),
    "bad-url": ("model: openai/x, api_base: 'llm.acme.example'", "expected a URL"),
    "query": ("model: openai/x, api_base: 'https://a.example/v1?key=canary'", "query"),
    "chat-url": ("model: openai/x, api_base: 'https://a.example/v1/chat/completions'", "ends"),
    "claude-proxy": ("model: anthropic/x, api_base: 'https://a.example'", "no OpenAI"),
    "unpriced": ("model: mistral/unlisted", "not in the catalog"),
    "unpriced-embedding": ("model: mistral/embed-x", "not in the catalog"),
    "picture": ("model: openai/dall-e-3", "images"),
    "codex": ("model: openai/gpt-5.3-codex", "responses API"),
    "half-a-price": (
        "model: ollama/x, input_cost_per_token: 1",
        "needs a price for input and output",
    ),
    "price-word": (
        "model: ollama/x, input_cost_per_token: os.environ/P, output_cost_per_token: 1",
        "no number",
    ),
    "price-negative": (
        "model: ollama/x, input_cost_per_token: -1, output_cost_per_token: 1",
        "out of range",
    ),
    "price-huge": (
        "model: ollama/x, input_cost_per_token: 1e999999999, output_cost_per_token: 1",
        "no number",
    ),
}


@pytest.mark.parametrize("case", list(UNREACHED))
def test_deployments_that_are_not_taken(case: str) -> None:
    params, reason = UNREACHED[case]
    found = converted(one(params))
    assert found.models == ()
    assert found.providers == ()
    (finding,) = [each for each in found.findings if each.kind == "not taken"]
    assert reason in finding.text
    assert (finding.line, finding.section) == (2 if case == "no-model" else 3, "model m")
    assert "canary" not in repr(finding)


EXACT = {
    "0.00000015": "0.15",
    "1.5e-07": "0.15",
    "1.5E-7": "0.15",
    "'0.000000150'": "0.15",
    "15.0e-8": "0.15",
    "1e-06": "1",
    ".000001": "1",
    "0": "0",
    "3": "3000000",
    "0.0000000000001": "0.000001",  # finer than the catalog: never less than it costs
    "1.23456789e-7": "0.123457",
}


@pytest.mark.parametrize("text", list(EXACT))
@pytest.mark.parametrize("inside", ["params", "info"])
def test_prices_are_exact(text: str, inside: str) -> None:
    costs = f"input_cost_per_token: {text}, output_cost_per_token: 2e-6"
    base = "model: openai/x, api_base: 'https://a.example/v1'"
    found = one(f"{base}, {costs}") if inside == "params" else one(base, f"{{{costs}}}")
    price = loaded(converted(found)).models[0].endpoints[0].price
    assert price.input is not None
    assert (Decimal(price.input), price.output) == (Decimal(EXACT[text]), "2")


def test_a_price_of_one_s_own_replaces_the_catalog_s() -> None:
    costs = "input_cost_per_token: 1e-6, output_cost_per_token: 2e-6"
    found = converted(one(f"model: openai/gpt-4o, {costs}", name="gpt-4o"))
    (model,) = loaded(found).models
    (endpoint,) = model.endpoints
    assert (model.id, endpoint.source, endpoint.price.variants) == ("openai/gpt-4o", "", ())
    assert (endpoint.price.input, endpoint.price.cache_read) == ("1", None)


def test_long_prompts_and_what_is_no_price_here() -> None:
    costs = (
        "input_cost_per_token: 1e-6, output_cost_per_token: 2e-6,"
        " input_cost_per_token_above_200k_tokens: 3e-6, input_cost_per_second: 1"
    )
    found = converted(one(f"model: ollama/x, {costs}"))
    (tier,) = loaded(found).models[0].endpoints[0].price.tiers
    assert (tier.above, tier.input) == (200_000, "3")
    assert "3 input_cost_per_second: no price of that kind" in said(found, "not taken")


def test_a_model_that_is_the_catalog_s_is_left_to_it() -> None:
    found = converted(one("model: openai/gpt-4o, api_key: os.environ/MY_KEY", name="gpt-4o"))
    assert not loaded(found).models
    (model,) = found.models
    assert (model.id, model.written) == ("openai/gpt-4o", False)
    assert 'api_key: "${MY_KEY}"' in found.text
    # What another account, another name or another length has is not.
    for params, info, name in (
        ("model: openai/gpt-4o, timeout: 30", "{}", "gpt-4o"),
        ("model: openai/gpt-4o", "{max_input_tokens: 9000}", "gpt-4o"),
        ("model: openai/gpt-4o", "{}", "gpt-4o-mini"),
        ("model: openrouter/openai/gpt-4o", "{}", "gpt-4o"),
    ):
        found = converted(one(params, info, name))
        assert found.models[0].written, (params, info, name)
        taken = catalog_of(loaded(found)).resolve(name)
        assert taken is not None
        assert len(taken.endpoints) == 1


NAMES = {
    "gpt-4o": "openai/gpt-4o",
    "Team-A/gpt": "openai/Team-A-gpt",
    "a/b/c": "openai/a-b-c",
    "team/gpt": "team/gpt",
    "5": "openai/5",
    "gpt-4o-2024:free@eu": "openai/gpt-4o-2024:free@eu",
}


@pytest.mark.parametrize("name", list(NAMES))
def test_clients_ask_by_the_names_that_they_used(name: str) -> None:
    found = converted(one("model: openai/gpt-4o, timeout: 9", name=f"'{name}'"))
    model = catalog_of(loaded(found)).resolve(name)
    assert model is not None
    assert model.id == NAMES[name]


@pytest.mark.parametrize("name", ["auto", "two words", "-x", "ü", "x" * 200, "a;b"])
def test_names_that_cannot_be(name: str) -> None:
    found = converted(one("model: openai/gpt-4o", name=f"'{name}'"))
    assert found.models == ()
    assert [each.what for each in found.findings] == ["model_name"]


def test_names_that_nearly_collide() -> None:
    entries = "".join(
        f"- {{model_name: {name}, litellm_params: {{model: ollama/{model}}}}}\n"
        for name, model in (("x/gpt-4o", "a"), ("gpt-4o", "b"), ("openai/gpt-4o", "c"))
    )
    found = converted(f"model_list:\n{entries}")
    catalog = catalog_of(loaded(found))
    for name, model in (("x/gpt-4o", "a"), ("gpt-4o", "b"), ("openai/gpt-4o", "c")):
        meant = catalog.resolve(name)
        assert meant is not None
        assert meant.endpoints[0].model == model, name


def test_every_word_that_is_not_taken_has_its_line() -> None:
    found = converted(
        "model_list:\n"
        "- model_name: m\n"
        "  tpm: 5.5\n"
        "  litellm_params:\n"
        "    model: ollama/x\n"
        "    temperature: 0.2\n"
        "    unheard_of: 1\n"
        "    ssl_verify: false\n"
        "    extra_headers: {Authorization: canary, 'bad name': x}\n"
        "    timeout: soon\n"
        "  model_info: {supports_prompt_caching: true, supports_vision: false, tier: gold}\n"
        "router_settings: {timeout: 0, enable_pre_call_checks: true, new_word: 2}\n"
        "litellm_settings: {json_logs: false, drop_params: false}\n"
    )
    lines = {(each.line, each.what) for each in found.findings if each.kind == "not taken"}
    assert lines == {
        *((3, "tpm"), (6, "temperature"), (7, "unheard_of"), (8, "ssl_verify")),
        *((9, "Authorization"), (9, "bad name"), (10, "timeout")),
        *((11, "supports_prompt_caching"), (11, "tier")),
        *((12, "timeout"), (12, "enable_pre_call_checks"), (12, "new_word")),
    }
    assert "canary" not in found.text + repr(found.findings)


def test_thousands_of_accounts_have_names_of_their_own() -> None:
    deployment = "litellm_params: {model: openai/x, api_base: 'https://a.example/v1', api_key: "
    found = converted(
        "model_list:\n"
        + "".join(f"- {{model_name: m{n % 7}, {deployment}k-{n}}}}}\n" for n in range(3000))
    )
    assert len(found.models) == 7
    assert len(set(found.providers)) == len(set(found.variables)) == 3000
    assert {"a-2", "a-3000"} <= set(found.providers)


WORDS: dict[str, Sequence[Any]] = {
    "model": (
        *("gpt-4o", "openai/gpt-4o", "azure/gpt-4o", "azure/x", "anthropic/claude-sonnet-4-5"),
        *("ollama/a/b", "hosted_vllm/x", "openai/x", "openai/o3-pro", "bedrock/x", "groq/*"),
        *("openai/gpt-image-1", "openai/a$b", "openai/${X}", "mistral/new", "databricks/x", "*"),
    ),
    "api_base": (
        *("https://a.example/v1", "http://localhost:1/", "os.environ/BASE", "http://10.0.0.1"),
        *("https://u:canary@x.example", "https://a.example?x=canary", "http://[bad", "${HOME}"),
        *("https://api.deepseek.com/v1", "ftp://x", "https://a.example:99999"),
    ),
    "api_key": (
        "os.environ/OPENAI_API_KEY",
        "sk-canary",
        "none",
        "canary two",
        "os.environ/no-name",
    ),
    "extra_headers": (
        {"X-A": "v"},
        {"Authorization": "canary"},
        {"X-Key": "canary"},
        {"X": "a\nb"},
    ),
    "timeout": (0, 1, 30.5, "soon", None, 1e300),
    "order": (1, 2, "x"),
    "input_cost_per_token": (0, 1e-6, "1e-6", "1e999999", -1, "x", 1.2345678901234567e-7),
    "output_cost_per_token": (0, 1e-6, "1e-6", 10**30),
    "organization": ("org-1", 5, "a\nb"),
}
FACTS: dict[str, Sequence[Any]] = {
    "base_model": ("azure/gpt-4o", "gpt-5", "nothing"),
    "mode": ("chat", "embedding", 5),
    "max_input_tokens": (1000, 1000.0, "x", 0, 10**40),
    "max_tokens": (1000, -1),
    "supports_reasoning": (True, False, "x"),
    "supports_vision": (True,),
    "description": ("d", "$x", 5),
}
ASKED = ("gpt-4o", "openai/gpt-4o", "x/gpt-4o", "a b", "auto", "m", "A/B", "a/b/c", "openai/m", "*")


def some(draw: random.Random, words: Mapping[str, Sequence[Any]], share: float) -> dict[str, Any]:
    return {word: draw.choice(values) for word, values in words.items() if draw.random() < share}


@pytest.mark.parametrize("seed", range(150))
def test_whatever_is_written_can_be_read(seed: int) -> None:
    draw = random.Random(seed)
    entries = [
        {
            "model_name": draw.choice(ASKED),
            "litellm_params": {"model": draw.choice(WORDS["model"]), **some(draw, WORDS, 0.3)},
            "model_info": some(draw, FACTS, 0.2),
        }
        for _ in range(draw.randint(1, 8))
    ]
    aliases = {draw.choice(ASKED): draw.choice(ASKED) for _ in range(3)}
    text = yaml.safe_dump(
        {"model_list": entries, "router_settings": {"model_group_alias": aliases}}
    )
    found = converted(text)
    assert "canary" not in found.text + repr(found.findings), text
    catalog = catalog_of(loaded(found))
    said_of = {each.what for each in found.findings if each.text.startswith("the name means")}
    for model in found.models:
        meant = catalog.resolve(model.name)
        assert meant is not None
        if model.name not in said_of:
            assert meant.id == model.id, text
            own = tuple(f"{each.provider}/{each.model}" for each in meant.endpoints)
            assert own == model.endpoints or not model.written, text
