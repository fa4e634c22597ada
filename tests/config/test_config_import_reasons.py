"""`seekroute config import litellm`: base models, deadlines of which one wins, and what is said of
deployments that are dropped."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from bare_cli import unconfigure
from litellm_configs import CATALOG, converted, entries, loaded, one, said
from seekroute.config import catalog_of
from seekroute.config.from_litellm import convert


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unconfigure(monkeypatch, tmp_path)


AT_AZURE = "api_base: 'https://x.openai.azure.com', api_key: k"
BASES = ("azure/gpt-35-turbo", "gpt-35-turbo", "azure/gpt-3.5-turbo", "openai/gpt-3.5-turbo")


@pytest.mark.parametrize("base", BASES)
def test_azure_spells_a_base_model_its_own_way(base: str) -> None:
    found = converted(one(f"model: azure/chatgpt-v-2, {AT_AZURE}", f"{{base_model: {base}}}"))
    (model,) = loaded(found).models
    (endpoint,) = model.endpoints
    assert (endpoint.model, endpoint.price.input, endpoint.price.output) == (
        *("chatgpt-v-2", "0.5", "1.5"),
    )
    assert model.context == 16_385
    assert "3 model: price of openai/gpt-3.5-turbo: is it what is charged?" in said(found)


@pytest.mark.parametrize(
    "params",
    [
        f"model: azure/gpt-35-turbo, {AT_AZURE}",
        "model: openai/gpt-35-turbo, api_base: 'https://x.openai.azure.com/openai/v1'",
    ],
)
def test_a_deployment_may_be_called_as_azure_spells_its_model(params: str) -> None:
    (model,) = loaded(converted(one(params))).models
    assert model.endpoints[0].price.output == "1.5"


def test_the_longer_model_has_its_own_price() -> None:
    like = CATALOG.get("openai/gpt-3.5-turbo")
    longer = dataclasses.replace(like, id="openai/gpt-3.5-turbo-16k", context=16_000)
    text = one(f"model: azure/x, {AT_AZURE}", "{base_model: azure/gpt-35-turbo-16k}")
    found = convert(text, name="config.yaml", catalog=CATALOG.extended({}, [longer]))
    assert loaded(found).models[0].context == 16_000
    # The shorter one's would be too low.
    assert converted(text).models == ()


@pytest.mark.parametrize("base", ["azure/gpt-4-32k", "azure/gpt-35-turbo-16k", "nothing"])
@pytest.mark.parametrize("model", ["azure/x", "azure/gpt-4"])
def test_a_base_model_that_is_not_in_the_catalog_is_named(base: str, model: str) -> None:
    text = one(f"model: {model}, {AT_AZURE}", f"{{base_model: {base}}}")
    assert said(converted(text)) == [
        f"4 base_model {base}: not in the catalog: give *_cost_per_token"
    ]
    costs = "input_cost_per_token: 6e-5, output_cost_per_token: 12e-5"
    found = converted(one(f"model: {model}, {AT_AZURE}, {costs}", f"{{base_model: {base}}}"))
    assert loaded(found).models[0].endpoints[0].price.output == "120"
    assert f"4 base_model {base}: not in the catalog" in said(found, "not taken")


OF_BASES = {
    "azure/dall-e-3": "images are served by chat only",
    "azure/gpt-35-turbo-instruct": "the old completions protocol is not served",
}


@pytest.mark.parametrize("base", list(OF_BASES))
def test_a_base_model_tells_the_api(base: str) -> None:
    found = converted(one(f"model: azure/x, {AT_AZURE}", f"{{base_model: {base}}}"))
    assert found.models == ()
    assert [each.text for each in found.findings] == [OF_BASES[base]]


def test_a_name_that_was_not_taken_may_be_served_all_the_same() -> None:
    openai = ("mine", "model: openai/gpt-4o-mini, api_key: os.environ/OPENAI_API_KEY", "{}")
    dropped = ("gpt-4", f"model: azure/x, {AT_AZURE}", "{base_model: azure/gpt-4-32k}")
    claude = ("claude-sonnet-4-5", "model: bedrock/claude", "{}")
    alias = "router_settings: {model_group_alias: {gpt-4-turbo: gpt-4, other: gpt-4}}\n"
    found = converted(entries(dropped, openai, claude) + alias)
    catalog = catalog_of(loaded(found))
    for name in ("gpt-4", "gpt-4-turbo"):
        model = catalog.resolve(name)
        assert model is not None
        assert model.endpoints[0].provider == "openai"
    answered = [line for line in said(found, "not taken") if "asked by this name" in line]
    assert answered == [
        "2 model_name: asked by this name, openai answers",
        "11 alias gpt-4-turbo: asked by this name, openai answers",
    ]
    # Nobody does where its provider is not on, or where another deployment of the name was taken.
    for others in ((), (("gpt-4", "model: openai/gpt-4", "{}"),)):
        assert not any("asked by" in line for line in said(converted(entries(dropped, *others))))
    pattern = ("anthropic/*", "model: anthropic/*", "{}")
    assert "2 model_name: asked by this name, anthropic answers" in said(
        converted(entries(claude, pattern))
    )


def test_of_a_dropped_deployment_only_the_reason_is_said() -> None:
    azure = "api_base: 'https://{}.openai.azure.com', api_key: sk-canary-{}, api_version: v"
    costs = "input_cost_per_token: 1e-6, output_cost_per_token: 2e-6"
    found = converted(
        entries(
            ("lost", f"model: azure/x, {azure.format('a', 1)}, timeout: 5", "{}"),
            ("kept", f"model: azure/gpt-4o, {azure.format('b', 2)}", "{}"),
            ("kept", f"model: azure/gpt-4o, {azure.format('b', 2)}, timeout: 5", "{}"),
            ("odd", f"model: azure/gpt-image-1, {azure.format('c', 3)}, order: 1", "{}"),
            ("last", f"model: azure/own, {azure.format('d', 4)}, {costs}", "{}"),
        )
    )
    assert found.providers == ("azure", "azure-2")
    assert found.variables == ("AZURE_API_KEY", "AZURE_API_KEY_2")
    urls = [own.base_url for own in loaded(found).providers.values()]
    assert urls == [f"https://{each}.openai.azure.com/openai/v1" for each in "bd"]
    assert {each.name for each in found.models} == {"kept", "last"}
    by_line = {each.line: each.text for each in found.findings if each.line in (2, 3, 4, 8, 9, 10)}
    assert by_line == {
        3: "needs base_model or *_cost_per_token",
        8: "the same endpoint once more",
    }
    assert [each.kind for each in found.findings if each.section == "model odd"] == ["not taken"]
    for line in (
        "6 api_version: Azure's v1 API is asked, without a version",
        "6 AZURE_API_KEY: a key stands in this line: move it there",
        "15 AZURE_API_KEY_2: a key stands in this line: move it there",
    ):
        assert line in said(found)


def test_a_dropped_account_leaves_its_provider_s_name_to_the_next() -> None:
    found = converted(
        entries(
            ("lost", "model: openai/unlisted, api_key: os.environ/A", "{}"),
            (
                "lost-2",
                "model: openai/unlisted, litellm_credential_name: no, organization: o",
                "{}",
            ),
            ("gpt-4o", "model: openai/gpt-4o, api_key: os.environ/B", "{}"),
            ("openai/*", "model: openai/*, api_key: os.environ/C", "{}"),
            ("own", "model: openai/gpt-4o, api_key: os.environ/D", "{}"),
        )
    )
    assert found.providers == ("openai", "openai-2")
    assert found.variables == ("B", "D")
    assert [each.written for each in found.models] == [False, True]
    assert said(found, "not taken") == [
        "3 model: not in the catalog: needs *_cost_per_token",
        "6 litellm_credential_name: no credential of this name in the file",
        "6 model: not in the catalog: needs *_cost_per_token",
        "11 model_name: a pattern, and a second account: write each model",
    ]


DEADLINES = {
    "router": (
        "litellm_settings: {request_timeout: 600}\nrouter_settings: {timeout: 30}\n",
        (30_000, 2, "request_timeout: router_settings' timeout wins"),
    ),
    "router-first": (
        "router_settings: {timeout: 30}\nlitellm_settings: {request_timeout: 600}\n",
        (30_000, 3, "request_timeout: router_settings' timeout wins"),
    ),
    "router-s-is-none": (
        "litellm_settings: {request_timeout: 600}\nrouter_settings: {timeout: 0}\n",
        (600_000, 3, "timeout: no deadline up to a day"),
    ),
    "one-section": (
        "router_settings:\n  request_timeout: 60\n  timeout: 30\n",
        (30_000, 3, "request_timeout: router_settings' timeout wins"),
    ),
}


@pytest.mark.parametrize("case", list(DEADLINES))
def test_of_two_deadlines_one_wins_and_the_other_is_named(case: str) -> None:
    text, (milliseconds, line, reason) = DEADLINES[case]
    found = converted(
        f"model_list: [{{model_name: m, litellm_params: {{model: ollama/x}}}}]\n{text}"
    )
    assert loaded(found).timeouts.total_timeout_ms == milliseconds
    assert said(found, "not taken") == [f"{line} {reason}"]
    told = [each for each in found.findings if each.text.startswith("total_timeout_ms")]
    assert len(told) == 1
    assert told[0].line != line


def test_of_two_deadlines_of_first_words_one_wins() -> None:
    found = converted(
        "model_list: [{model_name: m, litellm_params: {model: ollama/x}}]\n"
        "litellm_settings: {stream_timeout: 9}\n"
        "router_settings: {stream_timeout: 7}\n"
    )
    assert loaded(found).timeouts.first_byte_timeout_ms == 7_000
    assert said(found, "not taken") == ["2 stream_timeout: router_settings' stream_timeout wins"]


EMBEDDINGS = {
    "known": ("model: openai/text-embedding-3-small", "{mode: embedding}", "0.02"),
    "by-name": ("model: openai/text-embedding-3-small", "{}", "0.02"),
    "by-catalog": ("model: deepinfra/BAAI/bge-m3", "{}", "0.01"),
    "by-base": (
        f"model: azure/x, {AT_AZURE}",
        "{base_model: azure/text-embedding-3-small}",
        "0.02",
    ),
    "own-price": (
        "model: mistral/embed-x, input_cost_per_token: 0.0000001, output_cost_per_token: 0",
        "{max_tokens: 512, supports_reasoning: true}",
        "0.1",
    ),
}


@pytest.mark.parametrize("name", list(EMBEDDINGS))
def test_embedding_models_are_taken(name: str) -> None:
    params, info, price = EMBEDDINGS[name]
    settings = loaded(converted(one(params, info)))
    model = catalog_of(settings).resolve("m") or catalog_of(settings).resolve(
        "text-embedding-3-small"
    )
    assert model is not None
    assert (model.kind, model.max_output, model.features) == ("embedding", None, ())
    assert (model.endpoints[0].price.input, model.endpoints[0].price.output) == (price, None)
    if name == "own-price":
        assert model.context == 512


def test_what_gives_vectors_is_not_asked_for_chats() -> None:
    wrong = converted(one("model: openai/text-embedding-3-small", "{mode: chat}"))
    assert [each.text for each in wrong.findings] == ["not what the model is for"]
    mixed = converted(
        entries(
            ("m", "model: openai/gpt-4o-mini", "{}"),
            ("m", "model: openai/text-embedding-3-small", "{}"),
        )
    )
    assert "one name for vectors and for chats" in [each.text for each in mixed.findings]
    (model,) = mixed.models
    assert model.endpoints == ("openai/gpt-4o-mini",)
