"""`seekroute models import | diff`: our catalog and the price lists of others."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import seekroute
from models_cli import CATALOG, clear, files_served, rows, run, table, write
from seekroute.config import catalog_of, load_settings
from seekroute.config.catalog_text import dump_catalog
from seekroute.testing import MockProvider, Text, Usage
from shared import shared_path


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clear(monkeypatch, tmp_path)


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
def test_every_list_can_be_imported(name: str, told: bool) -> None:
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


def test_what_is_imported_is_served() -> None:
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


def test_import_says_what_it_did() -> None:
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


def test_a_provider_of_ones_own_is_imported() -> None:
    write("providers: {acme: {base_url: 'https://api.acme.test/v1'}}\n")
    write(models_dev(), "list.json")
    run("import", "list.json", "--provider", "acme")
    write(
        "providers: {acme: {base_url: 'https://api.acme.test/v1'}}\n"
        "catalog_overlay: catalog-overlay.yaml\n"
    )
    assert catalog_of(load_settings()).get("acme/large").endpoints[0].provider == "acme"


def test_a_known_model_keeps_what_a_list_does_not_say() -> None:
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


def test_prices_that_a_list_does_not_have_are_kept() -> None:
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


def test_prices_whose_day_has_come_are_not_kept() -> None:
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


def test_kept_variants_fit_new_tiers() -> None:
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


def test_what_costs_the_same_is_left_alone() -> None:
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


def test_short_names_keep_their_meaning() -> None:
    text = SAMPLES["openrouter"][0].replace("meta-llama/llama-new", "acme/gpt-4o")
    write(text, "list.json")
    found = json.loads(run("import", "list.json", "--json", code=1).stdout)
    assert found["skipped"][0]["reason"].startswith("gpt-4o would no longer mean openai/gpt-4o")
    run("import", "list.json", "--model", "acme/gpt-4o")
    write("catalog_overlay: catalog-overlay.yaml\n")
    assert catalog_of(load_settings()).names["gpt-4o"] == "acme/gpt-4o"


def test_remarks_are_about_what_was_asked_for() -> None:
    bad = {"limit": {"context": 9}, "cost": {"input": "?"}}
    write(models_dev(**{"gpt-bad": bad, "other-bad": bad}), "list.json")
    skipped = json.loads(run("import", "list.json", "--json").stdout)["skipped"]
    assert {"openai/gpt-bad", "openai/other-bad"} <= {each["row"] for each in skipped}
    found = json.loads(run("import", "list.json", "--json", "--force", "--model", "gpt*").stdout)
    assert {each["row"] for each in found["skipped"]} == {"openai/gpt-bad", "acme/*"}


def test_import_overwrites_only_when_told() -> None:
    write(models_dev(), "list.json")
    write("mine: all mine\n", "o.yaml")
    assert "--force" in run("import", "list.json", "--out", "o.yaml", code=1).stderr
    run("import", "list.json", "--out", "o.yaml", "--dry-run")
    assert Path("o.yaml").read_text(encoding="utf-8") == "mine: all mine\n"
    run("import", "list.json", "--out", "o.yaml", "--force")
    assert "openai/gpt-new" in Path("o.yaml").read_text(encoding="utf-8")
    assert sorted(path.name for path in Path().iterdir()) == ["list.json", "o.yaml"]
    assert "ends with .yaml" in run("import", "list.json", "--out", "o.txt", code=1).stderr


def test_dry_run_writes_nothing() -> None:
    write(models_dev(), "list.json")
    result = run("import", "list.json", "--dry-run")
    assert ["added", "openai/gpt-new", "openai"] in table(result)
    assert [path.name for path in Path().iterdir()] == ["list.json"]


def test_import_from_standard_input_to_standard_output() -> None:
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
def test_what_is_no_list_is_refused(text: str, says: str) -> None:
    write(text, "list.json")
    assert says in run("import", "list.json", code=2).stderr


def test_a_list_called_another_is_refused() -> None:
    write(SAMPLES["genai-prices"][0], "list.json")
    assert "LiteLLM" in run("import", "list.json", "--from", "litellm", code=2).stderr
    run("import", "list.json", "--from", "nobody", code=2)


def test_places_that_cannot_be_read() -> None:
    assert "No such file" in run("import", "nowhere.json", code=1).stderr
    assert "https only" in run("import", "http://127.0.0.1:9/x", code=1).stderr
    assert "cannot be fetched" in run("import", "https://127.0.0.1:9/x", code=1).stderr


# --- import from a URL ----------------------------------------------------------------------------


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
    with files_served(models_dev(), context) as port:
        yield f"https://localhost:{port}"


def test_import_from_a_url(https: str) -> None:
    result = run("import", f"{https}/list.json")
    assert f"fetched {https}/list.json: {len(models_dev())} bytes" in result.stderr
    assert Path("catalog-overlay.yaml").exists()
    assert "answers 404" in run("import", f"{https}/other", "--force", code=1).stderr
    # Nothing listens there, and nobody asks.
    assert "away from https" in run("import", f"{https}/away", "--force", code=1).stderr
    assert "more than 5 times" in run("import", f"{https}/round", "--force", code=1).stderr
    assert f"fetched {https}/list.json" in run("import", f"{https}/moved", "--force").stderr


def test_a_list_that_is_too_long_is_not_read(https: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from seekroute.cli import price_lists

    monkeypatch.setattr(price_lists, "_MAX_BYTES", 100)
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
def test_whole_lists_make_overlays_that_load(file: str) -> None:
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


def test_diff_with_itself() -> None:
    write(dump_catalog(CATALOG), "same.yaml")
    result = run("diff", "same.yaml", "--exit-code")
    assert (result.stdout, result.stderr) == ("", "no differences\n")


def test_diff_with_a_price_list() -> None:
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


def test_diff_with_an_overlay() -> None:
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
