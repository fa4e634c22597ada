"""`seekroute models`: looking through the catalog, and keeping its prices current."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import seekroute
from seekroute.cli._root import app
from seekroute.config import catalog_of, load_settings
from seekroute.config.catalog import packaged_catalog
from seekroute.config.catalog_text import dump_catalog
from seekroute.testing import MockProvider, Text, Usage
from shared import shared_path

Run = Callable[..., Any]
CATALOG = packaged_catalog()


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keys = {variable for provider in CATALOG.providers.values() for variable in provider.env}
    for name in list(os.environ):
        if name.startswith("SEEKROUTE_") or name in keys or name == "FORCE_COLOR":
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run() -> Run:
    def invoke(*words: str, code: int = 0, stdin: str | None = None) -> Any:
        result = CliRunner().invoke(app, ["models", *words], input=stdin, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    return invoke


def table(result: Any) -> list[list[str]]:
    return [line.split("\t") for line in result.stdout.splitlines()]


def rows(result: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(result.stdout)
    return found


def write(text: str, name: str = "seekroute.yaml") -> None:
    Path(name).write_text(text, encoding="utf-8")


# --- list -----------------------------------------------------------------------------------------


def test_list_has_what_is_served(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k")
    result = run("list")
    ids = [row[0] for row in table(result)]
    assert ids == [
        model.id
        for model in CATALOG.models
        if any(e.provider == "groq" and CATALOG.is_served(e) for e in model.endpoints)
    ]
    for _, context, price_in, price_out, providers, _ in table(result):
        assert int(context) > 0
        assert Decimal(price_in) < Decimal(price_out)
        assert providers == "groq"
    assert "USD per million tokens, no markup" in result.stderr
    assert "mock" not in result.stderr


def test_without_a_key_the_mock_serves_everything(run: Run) -> None:
    result = run("list")
    assert len(table(result)) == len(CATALOG.models)
    assert "mock provider" in result.stderr


def test_list_all(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "k")
    found = rows(run("list", "--all", "--json"))
    assert [row["id"] for row in found] == [model.id for model in CATALOG.models]
    by_id = {row["id"]: row for row in found}
    assert by_id["openai/gpt-oss-120b"]["served"] is True
    assert by_id["openai/gpt-4o-mini"]["served"] is False
    assert len(by_id["openai/gpt-oss-120b"]["providers"]) > 5


def test_list_filters(run: Run) -> None:
    def ids(*words: str) -> set[str]:
        return {row["id"] for row in rows(run("list", "--all", "--json", *words))}

    assert ids("--author", "openai") == {m.id for m in CATALOG.models if m.author == "openai"}
    assert ids("--provider", "groq") == {
        m.id for m in CATALOG.models if any(e.provider == "groq" for e in m.endpoints)
    }
    assert ids("--feature", "tools", "--feature", "reasoning") == {
        m.id for m in CATALOG.models if {"tools", "reasoning"} <= set(m.features)
    }
    assert ids("--image") == {m.id for m in CATALOG.models if m.is_image}
    free = ids("--free")
    assert {m.id for m in CATALOG.models if m.endpoints[0].free} <= free
    assert "openai/gpt-4o" not in free
    assert ids("--author", "nobody") == set()


def test_list_orders(run: Run) -> None:
    def listed(order: str) -> list[dict[str, Any]]:
        return rows(run("list", "--json", "--sort", order))

    text = [row for row in listed("price") if row["per_image"] is None]
    totals = [Decimal(row["input"]) + Decimal(row["output"]) for row in text]
    assert totals == sorted(totals)
    lengths = [row["context"] for row in listed("context")]
    assert lengths == sorted(lengths, reverse=True)
    days = [row["created"] or "0" for row in listed("newest")]
    assert days == sorted(days, reverse=True)
    names = [row["name"].casefold() for row in listed("name")]
    assert names == sorted(names)


def test_list_shows_prices_with_markup(run: Run) -> None:
    write("catalog_overlay: mine.yaml\n")
    write("markup: {default: 1000, models: {openai/gpt-4o: 0}}\n", "mine.yaml")
    result = run("list", "--all", "--author", "openai")
    by_id = {row[0]: row for row in table(result)}
    assert by_id["openai/gpt-4o-mini"][2:4] == ["0.165", "0.66"]
    assert by_id["openai/gpt-4o"][2:4] == ["2.5", "10"]
    assert "your markup included" in result.stderr


def test_list_refuses_what_there_is_not(run: Run) -> None:
    assert "did you mean groq" in run("list", "--provider", "grok", code=1).stderr
    run("list", "--sort", "beauty", code=2)
    run("list", "--feature", "smell", code=2)


def test_on_a_terminal_there_are_tables(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    assert "┃" in run("list", "--author", "openai").stdout
    page = run("show", "gemini-2.5-pro").stdout
    assert "above 200000 prompt tokens" in page
    assert "no key: set GEMINI_API_KEY or GOOGLE_API_KEY" in page
    assert "┃" in page


# --- search ---------------------------------------------------------------------------------------


def test_search_ranks(run: Run) -> None:
    ids = [row[0] for row in table(run("search", "gpt-4o"))]
    assert ids[0] == "openai/gpt-4o"
    assert "openai/gpt-4o-mini" in ids
    assert rows(run("search", "GPT", "oss", "--json"))[0]["id"].startswith("openai/gpt-oss")
    assert len(table(run("search", "gpt", "--limit", "2"))) == 2
    assert "more: raise --limit" in run("search", "gpt", "--limit", "2").stderr


def test_search_looks_into_descriptions_last(run: Run) -> None:
    price = "endpoints: [{provider: openai, model: m, free: true}], context: 9"
    write(
        "models:\n"
        f"  - {{id: a/one, description: Knows the zebrafish, {price}}}\n"
        f"  - {{id: a/two, name: The Zebrafish, {price}}}\n"
        f"  - {{id: a/three, aliases: [zebrafish], {price}}}\n"
    )
    assert [row[0] for row in table(run("search", "zebrafish"))] == ["a/three", "a/two", "a/one"]


def test_search_offers_close_names(run: Run) -> None:
    result = run("search", "gtp-4o-mini", code=1)
    assert "openai/gpt-4o-mini" in [row[0] for row in table(result)]
    assert "nearly" in result.stderr
    found = rows(run("search", "gtp-4o-mini", "--json", code=1))
    assert {row["match"] for row in found} == {"close"}
    assert rows(run("search", "qqqqqqqqqqqqqqqq", "--json", code=1)) == []


# --- show -----------------------------------------------------------------------------------------

SHOWN = """
providers: {openai: {enabled: false}, groq: {api_key: k}}
catalog_overlay: mine.yaml
models:
  - id: acme/all
    aliases: [everything]
    context: 64000
    endpoints:
      - provider: groq
        model: acme-all
        context: 32000
        source: deepseek
        checked_on: 2026-11-01
        price:
          input: "2"
          output: "10"
          tiers: [{above: 16000, input: "4"}]
          variants:
            - {service_tier: flex, input: "1", tiers: []}
            - {hours: "16:30-00:30", valid_from: 2026-12-01, output: "5",
               tiers: [{above: 8000, output: "6"}]}
      - {provider: openai, model: acme-all, price: {input: "3", output: "9"}}
      - {provider: mistral, model: acme-all, free: true}
      - {provider: groq, model: other, free: true, dialect: anthropic-messages}
"""


def test_show_has_everything(run: Run) -> None:
    write(SHOWN)
    write("markup: {providers: {groq: 5000}}\n", "mine.yaml")
    found = json.loads(run("show", "everything", "--json").stdout)
    assert found["id"] == "acme/all"
    assert found["aliases"] == ["all", "everything"]
    assert found["served_by"] == ["groq"]
    first, off, keyless, foreign = found["endpoints"]
    assert (first["served"], first["why_not"], first["context"]) == (True, None, 32000)
    assert (first["checked_on"], first["valid_from"]) == ("2026-11-01", "2026-09-10")
    assert first["source_title"].startswith("DeepSeek")
    assert first["markup_bps"] == 5000
    prices = {price["when"]: price["rates"] for price in first["prices"]}
    assert prices == {
        "always": {"input": "3", "output": "15"},
        "above 16000 prompt tokens": {"input": "6"},
        "tier flex": {"input": "1.5"},
        "16:30-00:30 UTC, from 2026-12-01": {"output": "7.5"},
        "16:30-00:30 UTC, from 2026-12-01, above 8000 prompt tokens": {"output": "9"},
    }
    assert off["why_not"] == "providers.openai.enabled is false"
    assert keyless["why_not"] == "no key: set MISTRAL_API_KEY"
    assert (keyless["free"], keyless["source"]) == (True, None)
    assert foreign["why_not"] == "its protocol anthropic-messages is not spoken yet"


def test_show_into_a_pipe(run: Run) -> None:
    write(SHOWN)
    write("{}\n", "mine.yaml")
    lines = table(run("show", "acme/all"))
    assert ["context", "64000"] in lines
    assert ["endpoint", "groq", "acme-all", "context", "32000"] in lines
    assert ["price", "groq", "acme-all", "tier flex", "input", "1"] in lines
    assert ["price", "groq", "acme-all", "above 16000 prompt tokens", "input", "4"] in lines


def test_show_says_what_it_does_not_know(run: Run) -> None:
    assert "did you mean openai/gpt-4o-mini" in run("show", "gpt-4o-mimi", code=1).stderr
    assert "seekroute models search" in run("show", "qqqqqqqqqqqqqqq", code=1).stderr


def test_show_knows_every_model(run: Run) -> None:
    for model in CATALOG.models[::9]:
        found = json.loads(run("show", model.id, "--json").stdout)
        assert len(found["endpoints"]) == len(model.endpoints)
        assert found["served_by"] == ["mock"]


# --- import ---------------------------------------------------------------------------------------


def models_dev(price_in: str = "0.30000000000000004", **more: Any) -> str:
    def row(price: str, context: int = 8192) -> dict[str, Any]:
        return {
            "name": "New",
            "limit": {"context": context, "output": 1024},
            "modalities": {"input": ["text"], "output": ["text"]},
            "tool_call": True,
            "cost": {"input": float(price), "output": 1.2, "cache_read": 0.075},
        }

    listed = {
        "openai": {"models": {"gpt-new": row(price_in), "gpt-4o-mini": row("0.2"), **more}},
        "acme": {"api": "https://api.acme.test/v1", "models": {"large": row("1")}},
    }
    return json.dumps(listed)


SAMPLES = {
    "models.dev": (models_dev(), "openai/gpt-new"),
    "litellm": (
        '{"sample_spec": {}, "gpt-new": {"litellm_provider": "openai", "mode": "chat",'
        ' "max_input_tokens": 9000, "input_cost_per_token": 3e-07,'
        ' "output_cost_per_token": 1.2e-06}}',
        "openai/gpt-new",
    ),
    "genai-prices": (
        '[{"id": "groq", "models": [{"id": "llama-new", "context_window": 9000,'
        ' "match": {"equals": "meta-llama/llama-new"},'
        ' "prices": {"input_mtok": 0.3, "output_mtok": 1.2}}]}]',
        "meta-llama/llama-new",
    ),
    "openrouter": (
        '{"data": [{"id": "meta-llama/llama-new", "context_length": 9000,'
        ' "pricing": {"prompt": "0.0000003", "completion": "0.0000012"}}]}',
        "meta-llama/llama-new",
    ),
}


@pytest.mark.parametrize("name", list(SAMPLES))
@pytest.mark.parametrize("told", [True, False])
def test_every_list_can_be_imported(run: Run, name: str, told: bool) -> None:
    text, model_id = SAMPLES[name]
    write(text, "list.json")
    words = ["--from", name] if told else []
    found = json.loads(run("import", "list.json", "--json", *words).stdout)
    assert (found["list"], found["out"]) == (name, "catalog-overlay.yaml")
    assert model_id in found["added"]
    write("catalog_overlay: catalog-overlay.yaml\n")
    catalog = catalog_of(load_settings())
    price = catalog.get(model_id).endpoints[0].price
    assert (price.input, price.output) == ("0.3", "1.2")
    source = catalog.sources[catalog.get(model_id).endpoints[0].source]
    assert source.url.startswith("https://")


def test_what_is_imported_is_served(run: Run) -> None:
    write(models_dev(), "list.json")
    run("import", "list.json", "--model", "gpt-new")
    with MockProvider() as upstream:
        upstream.queue(Text("Yes.", usage=Usage(1000, 100)))
        write(
            "catalog_overlay: catalog-overlay.yaml\n"
            f"providers: {{openai: {{base_url: '{upstream.base_url}', api_key: k,"
            " allow_http: true, allow_private: true}}\n"
        )
        with seekroute.Client() as client:
            answer = client.ask("Are you there?", model="gpt-new")
            assert (answer.text, answer.provider) == ("Yes.", "openai")
            assert answer.cost == Decimal("0.00042")
            assert client.models.retrieve("gpt-new").context_length == 8192


def test_import_says_what_it_did(run: Run) -> None:
    write(models_dev(), "list.json")
    result = run("import", "list.json", "--checked-on", "2026-10-01")
    lines = table(result)
    assert ["added", "openai/gpt-new", "openai"] in lines
    note = next(line for line in lines if line[0] == "note" and line[1] == "openai/gpt-new")
    assert note[2] == "input rounded from 0.30000000000000004 to 0.3"
    skipped = next(line for line in lines if line[0] == "skipped")
    assert skipped[1] == "acme/*"
    assert "providers: {acme: {base_url: https://api.acme.test/v1}}" in skipped[2]
    assert "1 added, 1 changed, 0 unchanged" in result.stderr
    assert "catalog_overlay: catalog-overlay.yaml" in result.stderr
    text = Path("catalog-overlay.yaml").read_text(encoding="utf-8")
    assert "read on 2026-10-01" in text
    assert "checked_on: 2026-10-01" in text


def test_a_provider_of_ones_own_is_imported(run: Run) -> None:
    write("providers: {acme: {base_url: 'https://api.acme.test/v1'}}\n")
    write(models_dev(), "list.json")
    run("import", "list.json", "--provider", "acme")
    write(
        "providers: {acme: {base_url: 'https://api.acme.test/v1'}}\n"
        "catalog_overlay: catalog-overlay.yaml\n"
    )
    assert catalog_of(load_settings()).get("acme/large").endpoints[0].provider == "acme"


def test_a_known_model_keeps_what_a_list_does_not_say(run: Run) -> None:
    write(models_dev(), "list.json")
    found = json.loads(run("import", "list.json", "--model", "openai/gpt-4o-mini", "--json").stdout)
    assert (found["added"], found["changed"]) == ([], ["openai/gpt-4o-mini"])
    write("catalog_overlay: catalog-overlay.yaml\n")
    ours, now = CATALOG.get("openai/gpt-4o-mini"), catalog_of(load_settings())
    changed = now.get("openai/gpt-4o-mini")
    assert (changed.name, changed.description) == (ours.name, ours.description)
    assert changed.aliases == ours.aliases
    assert len(changed.endpoints) == len(ours.endpoints)
    assert changed.endpoints[0].price.input == "0.2"
    assert now.resolve("gpt-4o-mini") is changed


def test_prices_that_a_list_does_not_have_are_kept(run: Run) -> None:
    price = '{"id": "x", "context_window": 9, "match": {"equals": "gemini-2.5-pro"}, "prices": '
    write(
        '[{"id": "google", "models": [' + price + '{"input_mtok": 9, "output_mtok": 9}}]}]',
        "list.json",
    )
    found = json.loads(run("import", "list.json", "--json").stdout)
    texts = {note["row"]: note["text"] for note in found["notes"]}
    assert texts["google/gemini-2.5-pro"].startswith("kept cache_read, tiers")
    write("catalog_overlay: catalog-overlay.yaml\n")
    now = catalog_of(load_settings()).get("google/gemini-2.5-pro").endpoints[0].price
    ours = CATALOG.get("google/gemini-2.5-pro").endpoints[0].price
    assert (now.input, now.output) == ("9", "9")
    assert (now.cache_read, now.tiers) == (ours.cache_read, ours.tiers)


def test_prices_whose_day_has_come_are_not_kept(run: Run) -> None:
    def variants(day: str) -> list[str]:
        write(SAMPLES["litellm"][0].replace("gpt-new", "acme-all"), "list.json")
        write(DATED)
        run("import", "list.json", "--checked-on", day, "--force")
        write("catalog_overlay: catalog-overlay.yaml\n")
        price = catalog_of(load_settings()).get("acme/all").endpoints[0].price
        return [each.output or "" for each in price.variants]

    assert variants("2026-08-31") == ["3", "4", "7", "5", "6"]
    assert variants("2026-09-01") == ["3", "4", "5"]
    assert variants("2026-12-01") == ["3", "4"]


DATED = """
models:
  - id: acme/all
    context: 9
    endpoints:
      - provider: openai
        model: acme-all
        price:
          input: "1"
          output: "2"
          variants:
            - {service_tier: flex, output: "3"}
            - {hours: "16:30-00:30", output: "4"}
            - {valid_from: 2026-09-01, valid_until: 2026-12-01, output: "7"}
            - {valid_from: 2026-12-01, output: "5"}
            - {valid_from: 2026-09-01, output: "6"}
"""


def test_kept_variants_fit_new_tiers(run: Run) -> None:
    price = CATALOG.get("openai/gpt-4o-mini").endpoints[0].price
    assert price.variants
    assert not price.tiers
    row = SAMPLES["litellm"][0].replace("gpt-new", "gpt-4o-mini")
    above = "cost_per_token_above_200k_tokens"
    tiers = f'"input_{above}": 6e-07, "output_{above}": 2e-06, '
    write(row.replace('"input_cost', tiers + '"input_cost', 1), "list.json")
    run("import", "list.json")
    write("catalog_overlay: catalog-overlay.yaml\n")
    now = catalog_of(load_settings()).get("openai/gpt-4o-mini").endpoints[0].price
    assert [tier.above for tier in now.tiers] == [200_000]
    assert [each.conditions for each in now.variants] == [v.conditions for v in price.variants]
    assert [each.tiers for each in now.variants] == [()] * len(price.variants)


def test_what_costs_the_same_is_left_alone(run: Run) -> None:
    row = CATALOG.get("openai/gpt-4o").endpoints[0].price
    listed = {
        "openai": {
            "models": {
                "gpt-4o": {
                    "limit": {"context": 5},
                    "modalities": {"input": ["text"], "output": ["text"]},
                    "cost": {
                        "input": float(row.input or 0),
                        "output": float(row.output or 0),
                        "cache_read": float(row.cache_read or 0),
                    },
                }
            }
        }
    }
    write(json.dumps(listed), "list.json")
    found = json.loads(run("import", "list.json", "--json").stdout)
    assert (found["unchanged"], found["out"]) == (1, None)
    assert not Path("catalog-overlay.yaml").exists()


def test_short_names_keep_their_meaning(run: Run) -> None:
    text = SAMPLES["openrouter"][0].replace("meta-llama/llama-new", "acme/gpt-4o")
    write(text, "list.json")
    found = json.loads(run("import", "list.json", "--json", code=1).stdout)
    assert found["skipped"][0]["reason"].startswith("gpt-4o would no longer mean openai/gpt-4o")
    run("import", "list.json", "--model", "acme/gpt-4o")
    write("catalog_overlay: catalog-overlay.yaml\n")
    assert catalog_of(load_settings()).names["gpt-4o"] == "acme/gpt-4o"


def test_import_overwrites_only_when_told(run: Run) -> None:
    write(models_dev(), "list.json")
    write("mine: all mine\n", "o.yaml")
    assert "--force" in run("import", "list.json", "--out", "o.yaml", code=1).stderr
    run("import", "list.json", "--out", "o.yaml", "--dry-run")
    assert Path("o.yaml").read_text(encoding="utf-8") == "mine: all mine\n"
    run("import", "list.json", "--out", "o.yaml", "--force")
    assert "openai/gpt-new" in Path("o.yaml").read_text(encoding="utf-8")
    assert sorted(path.name for path in Path().iterdir()) == ["list.json", "o.yaml"]
    assert "ends with .yaml" in run("import", "list.json", "--out", "o.txt", code=1).stderr


def test_dry_run_writes_nothing(run: Run) -> None:
    write(models_dev(), "list.json")
    result = run("import", "list.json", "--dry-run")
    assert ["added", "openai/gpt-new", "openai"] in table(result)
    assert [path.name for path in Path().iterdir()] == ["list.json"]


def test_import_from_standard_input_to_standard_output(run: Run) -> None:
    result = run("import", "-", "--out", "-", stdin=models_dev())
    assert result.stdout.startswith("# 2 models with prices of models.dev")
    assert "added\topenai/gpt-new" in result.stderr
    write(result.stdout, "o.yaml")
    write("catalog_overlay: o.yaml\n")
    assert catalog_of(load_settings()).resolve("gpt-new")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("no json", "not JSON"),
        ("{}", "--from"),
        ('{"a": {"b": 1}}', "--from"),
        ("7", "--from"),
    ],
)
def test_what_is_no_list_is_refused(run: Run, text: str, says: str) -> None:
    write(text, "list.json")
    assert says in run("import", "list.json", code=2).stderr


def test_a_list_called_another_is_refused(run: Run) -> None:
    write(SAMPLES["genai-prices"][0], "list.json")
    assert "LiteLLM" in run("import", "list.json", "--from", "litellm", code=2).stderr
    run("import", "list.json", "--from", "nobody", code=2)


def test_places_that_cannot_be_read(run: Run) -> None:
    assert "No such file" in run("import", "nowhere.json", code=1).stderr
    assert "https only" in run("import", "http://127.0.0.1:9/x", code=1).stderr
    assert "cannot be fetched" in run("import", "https://127.0.0.1:9/x", code=1).stderr


# --- import from a URL ----------------------------------------------------------------------------


class _Files(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        moved = {
            "/away": "http://127.0.0.1:9/list.json",
            "/moved": "/list.json",
            "/round": "/round",
        }
        if self.path in moved:
            self.send_response(302)
            self.send_header("Location", moved[self.path])
            self.end_headers()
            return
        found = self.path == "/list.json"
        self.send_response(200 if found else 404)
        self.end_headers()
        if found:
            self.wfile.write(models_dev().encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def files_served(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """Serves on the port that it gives."""
    with http.server.HTTPServer(("127.0.0.1", 0), _Files) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, name="test-files")
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def https(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with a price list, and a certificate that this process trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path / "tls"
    folder.mkdir()
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "cert.pem"))
    monkeypatch.setenv("NO_PROXY", "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    with files_served(context) as port:
        yield f"https://localhost:{port}"


def test_import_from_a_url(run: Run, https: str) -> None:
    result = run("import", f"{https}/list.json")
    assert f"fetched {https}/list.json: {len(models_dev())} bytes" in result.stderr
    assert Path("catalog-overlay.yaml").exists()
    assert "answers 404" in run("import", f"{https}/other", "--force", code=1).stderr
    # Nothing listens there, and nobody asks.
    assert "away from https" in run("import", f"{https}/away", "--force", code=1).stderr
    assert "more than 5 times" in run("import", f"{https}/round", "--force", code=1).stderr
    assert f"fetched {https}/list.json" in run("import", f"{https}/moved", "--force").stderr


def test_a_list_that_is_too_long_is_not_read(
    run: Run, https: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seekroute.cli import _price_lists

    monkeypatch.setattr(_price_lists, "_MAX_BYTES", 100)
    assert "is longer than" in run("import", f"{https}/list.json", code=1).stderr
    write(models_dev(), "list.json")
    assert "is longer than" in run("import", "list.json", code=1).stderr
    assert "is longer than" in run("import", "-", code=1, stdin=models_dev()).stderr


# --- whole lists ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "file",
    [
        "data/catalog/models.dev.json",
        "data/catalog/genai-prices.json",
        "data/api/openrouter.models-list.json",
    ],
)
def test_whole_lists_make_overlays_that_load(run: Run, file: str) -> None:
    path = shared_path(file)
    day = ("--checked-on", "2026-07-02")
    found = json.loads(run("import", str(path), "--json", *day).stdout)
    assert found["changed"]
    write("catalog_overlay: catalog-overlay.yaml\n")
    catalog = catalog_of(load_settings())
    assert {*found["added"], *found["changed"]} <= {model.id for model in catalog.models}
    for name, model_id in CATALOG.names.items():
        assert catalog.names[name] == model_id, name
    differences = rows(run("diff", str(path), "--prices-only", "--json", *day))
    # What the list does not give was kept.
    given = [row for row in differences if row["new"] is not None]
    assert [row for row in given if row["model"] in found["changed"]] == []


# --- diff -----------------------------------------------------------------------------------------


def test_diff_with_itself(run: Run) -> None:
    write(dump_catalog(CATALOG), "same.yaml")
    result = run("diff", "same.yaml", "--exit-code")
    assert (result.stdout, result.stderr) == ("", "no differences\n")


def test_diff_with_a_price_list(run: Run) -> None:
    write(models_dev(), "list.json")
    found = rows(run("diff", "list.json", "--json"))
    kinds = {kind: [r for r in found if r["change"] == kind] for kind in ("added", "removed")}
    assert [row["model"] for row in kinds["added"]] == ["openai/gpt-new"]
    # Other providers are not in the list at all: it says nothing of them.
    assert {row["provider"] for row in kinds["removed"]} == {"openai"}
    assert "gpt-4o" in {row["upstream"] for row in kinds["removed"]}
    changes = table(run("diff", "list.json", "--prices-only"))
    assert {tuple(row[:4]) for row in changes} == {
        ("price", "openai/gpt-4o-mini", "openai", "gpt-4o-mini")
    }
    by_field = {row[4]: row[5:] for row in changes}
    assert by_field["input"] == ["0.15", "0.2"]
    assert by_field["output"] == ["0.6", "1.2"]
    assert by_field["variants"][1] == "-"
    run("diff", "list.json", "--exit-code", code=1)
    run("diff", "list.json")


def test_diff_with_an_overlay(run: Run) -> None:
    write(
        "change: {openai/gpt-4o: {endpoints: {openai: {price: {input: '9'}}}}}\n"
        "hide: [openai/gpt-4o-mini]\n",
        "mine.yaml",
    )
    changes = table(run("diff", "mine.yaml"))
    assert ["price", "openai/gpt-4o", "openai", "gpt-4o", "input", "2.5", "9"] in changes
    removed = [row for row in changes if row[0] == "removed"]
    assert {row[1] for row in removed} == {"openai/gpt-4o-mini"}
    assert "cannot be read" in run("diff", "nowhere.json", code=1).stderr
    assert "no.yaml" in run("diff", "no.yaml", code=2).stderr


# --- check ----------------------------------------------------------------------------------------


def use(provider: MockProvider, *names: str, key: str = "k") -> None:
    one = f"{{base_url: '{provider.base_url}', api_key: {key}, allow_http: true}}"
    write("providers:\n" + "".join(f"  {name}: {one}\n" for name in names))


def at(provider: str) -> list[str]:
    return [e.model for m in CATALOG.models for e in m.endpoints if e.provider == provider]


def test_check_finds_nothing_wrong(run: Run) -> None:
    with MockProvider(models=at("groq")) as provider:
        use(provider, "groq")
        count = len(set(at("groq")))
        assert table(run("check")) == [
            ["groq", "ok", f"{count} of our {count} are there, and 0 others"]
        ]


def test_check_finds_what_is_gone_and_what_is_new(run: Run) -> None:
    gone, *rest = at("groq")
    with MockProvider(models=[*rest, "brand/new"]) as provider:
        use(provider, "groq")
        lines = table(run("check", code=1))
        assert [line[1] for line in lines] == ["ok", "gone"]
        assert lines[1][2].startswith(f"{gone} (")
        assert ["groq", "new", "brand/new"] in table(run("check", "--new", code=1))
        (found,) = rows(run("check", "--json", code=1))
        assert (found["gone"], found["new"]) == ([gone], ["brand/new"])
        assert found["state"] == "ok"


def test_check_tells_refusals_from_silence(run: Run) -> None:
    with MockProvider(api_key="right", models=at("groq")) as provider:
        use(provider, "groq", key="wrong")
        (line,) = table(run("check", code=1))
        assert line[:2] == ["groq", "failed"]
        assert "refuses the key (401); is the key complete" in line[2]
        address = provider.base_url
    write(f"providers: {{groq: {{base_url: '{address}', api_key: k, allow_http: true}}}}\n")
    (found,) = rows(run("check", "--json", code=1))
    assert "cannot be reached" in found["problem"]
    assert found["hint"]
    assert found["gone"] == []


def test_a_provider_without_a_list_is_not_a_failure(run: Run) -> None:
    with files_served() as port:
        address = f"http://127.0.0.1:{port}/v1"
        write(f"providers: {{groq: {{base_url: '{address}', api_key: k, allow_http: true}}}}\n")
        (line,) = table(run("check"))
        assert line[1] == "no list"


def test_check_asks_only_who_is_named(run: Run) -> None:
    with MockProvider(models=[*at("groq"), *at("cerebras")]) as provider:
        use(provider, "groq", "cerebras")
        assert [line[0] for line in table(run("check", "--provider", "groq"))] == ["groq"]
        assert len(table(run("check"))) == 2
        said = run("check", "--provider", "openai", code=2).stderr
        assert "providers.openai: this provider is not on (set OPENAI_API_KEY)" in said
        assert "no such provider" in run("check", "--provider", "grok", code=2).stderr


def test_check_needs_a_provider(run: Run) -> None:
    assert "no provider is on" in run("check", code=1).stderr
