"""`limits show` and `limits set` of keys, organizations, apps, models and the gateway."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from models_cli import clear
from seekroute.cli.root import app
from seekroute.money import nano
from serving import running_server

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    clear(monkeypatch, tmp_path)
    Path("seekroute.yaml").write_text(
        "limits: {defaults: {key: {tokens_per_minute: 9000}, org: {concurrent: 40}}}\n"
    )

    def run(*words: str, code: int = 0) -> Any:
        result = CliRunner().invoke(app, [*words], catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result

    run("init", "--force")
    Path("seekroute.yaml").write_text(
        "limits: {defaults: {key: {tokens_per_minute: 9000}, org: {concurrent: 40}}}\n"
    )
    run("orgs", "create", "acme")
    return run


def shown(result: Any) -> dict[str, tuple[Any, Any, Any]]:
    """What --json says of each limit: set, in force, from."""
    rows = json.loads(result.stdout)["limits"]
    return {row["limit"]: (row["set"], row["in_force"], row["from"]) for row in rows}


def a_key(run: Run, *words: str) -> str:
    made = run("keys", "create", "--org", "acme", "--name", "web", "--json", *words)
    id: str = json.loads(made.stdout)["id"]
    return id


def test_a_keys_limits_are_set_shown_and_taken_back(run: Run) -> None:
    key = a_key(run, "--profile", "reseller")
    found = shown(run("keys", "limits", "show", key, "--json"))
    assert found["requests_per_minute"] == (None, 60, "profile reseller")
    assert found["concurrent"] == (None, 10, "profile reseller")
    assert found["tokens_per_minute"] == (None, 9000, "limits.defaults.key")
    assert found["tokens_per_day"] == (None, None, None)

    words = ("--rpm", "600", "--burst", "20", "--concurrent", "0")
    found = shown(run("keys", "limits", "set", "web", *words, "--json"))
    assert found["requests_per_minute"] == (600, 600, "own")
    assert found["burst_requests"] == (20, 20, "own")
    assert found["concurrent"] == (0, 0, "own")
    row = json.loads(run("keys", "show", key, "--json").stdout)
    assert row["rate_limits"]["requests_per_minute"] == 600
    assert "requests_per_minute 600" in run("keys", "show", key).stdout
    [row] = json.loads(run("keys", "list", "--json").stdout)
    assert row["rate_limits"]["burst_requests"] == 20

    words = ("--rpm", "none", "--burst", "none", "--concurrent", "none")
    found = shown(run("keys", "limits", "set", key, *words, "--json"))
    assert found["requests_per_minute"] == (None, 60, "profile reseller")
    assert run("keys", "limits", "show", key).stdout.splitlines()[0].split("\t") == [
        *("requests_per_minute", "-", "60", "profile reseller")
    ]


def test_how_long_requests_wait_is_set_with_the_limits(run: Run) -> None:
    a_key(run)
    found = shown(run("keys", "limits", "set", "web", "--queue-ms", "20000", "--json"))
    assert found["queue_ms"] == (20_000, 20_000, "own")
    assert "queue_weight" not in found
    found = shown(run("orgs", "limits", "set", "acme", "--queue-weight", "3", "--json"))
    assert found["queue_weight"] == (3, 3, "own")
    result = run("keys", "limits", "set", "web", "--queue-ms", "60001", code=1)
    assert "expected 0 to 60000 as --queue-ms" in result.stderr
    result = run("models", "limits", "set", "gpt-4o-mini", "--queue-ms", "5", code=1)
    assert "--queue-ms is set for a key or an organization, not for a model" in result.stderr


def test_whether_slow_streams_are_hedged_is_set_with_the_limits(run: Run) -> None:
    key = a_key(run)
    found = shown(run("keys", "limits", "set", "web", "--hedge", "on", "--json"))
    assert found["hedge"] == (True, True, "own")
    assert json.loads(run("keys", "show", key, "--json").stdout)["rate_limits"] == {"hedge": True}
    assert "hedge on" in run("keys", "show", key).stdout
    assert "hedge\ton\ton\town" in run("keys", "limits", "show", key).stdout.splitlines()
    found = shown(run("orgs", "limits", "set", "acme", "--hedge", "OFF", "--json"))
    assert found["hedge"] == (False, False, "own")
    assert "hedge\toff\toff\town" in run("orgs", "limits", "show", "acme").stdout.splitlines()
    found = shown(run("keys", "limits", "set", "web", "--hedge", "none", "--json"))
    assert found["hedge"] == (None, None, None)
    for word in ("1", "yes", ""):
        result = run("keys", "limits", "set", "web", "--hedge", word, code=2)
        assert "expected on, off or none" in result.stderr
    result = run("models", "limits", "set", "gpt-4o-mini", "--hedge", "on", code=1)
    assert "--hedge is set for a key or an organization, not for a model" in result.stderr
    result = run("keys", "limits", "set", "web", "--model", "gpt-4o-mini", "--hedge", "on", code=1)
    assert "--hedge is for all models of a key: set it without a model" in result.stderr


def test_who_says_how_long_requests_wait_is_named(run: Run) -> None:
    a_key(run)

    def of(*what: str) -> tuple[Any, Any, Any]:
        return shown(run(what[0], "limits", "show", what[1], "--json"))["queue_ms"]

    assert of("keys", "web") == (None, 0, "limits.queue_ms")
    Path("seekroute.yaml").write_text("limits: {queue_ms: 500}\n")
    assert of("keys", "web") == (None, 500, "limits.queue_ms")
    assert of("orgs", "acme") == (None, 500, "limits.queue_ms")
    run("orgs", "limits", "set", "acme", "--queue-ms", "0")
    assert of("keys", "web") == (None, 0, "organization acme")
    assert of("orgs", "acme") == (0, 0, "own")
    run("keys", "limits", "set", "web", "--queue-ms", "7")
    assert of("keys", "web") == (7, 7, "own")


def test_limits_of_what_keys_share(run: Run) -> None:
    found = shown(run("orgs", "limits", "set", "acme", "--tpd", "5000000", "--json"))
    assert found["tokens_per_day"] == (5000000, 5000000, "own")
    assert found["concurrent"] == (None, 40, "limits.defaults.org")
    assert json.loads(run("orgs", "show", "acme", "--json").stdout)["rate_limits"] == {
        "tokens_per_day": 5000000
    }
    run("apps", "create", "shop", "--org", "acme")
    found = shown(run("apps", "limits", "set", "shop", "--rpd", "7", "--json"))
    assert found["requests_per_day"] == (7, 7, "own")
    found = shown(run("models", "limits", "set", "gpt-4o-mini", "--tpm", "10", "--json"))
    assert found["tokens_per_minute"] == (10, 10, "own")
    assert json.loads(run("models", "limits", "show", "gpt-4o-mini", "--json").stdout)["id"] == (
        "openai/gpt-4o-mini"
    )
    found = shown(run("limits", "set", "--concurrent", "500", "--json"))
    assert found["concurrent"] == (500, 500, "own")
    assert shown(run("limits", "show", "--json"))["concurrent"] == (500, 500, "own")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rpm", "many"), "expected a whole number, or none, found 'many'"),
        (("--rpm", "-1"), "expected a whole number, or none, found '-1'"),
        ((), "give at least one limit"),
    ],
)
def test_what_is_no_limit_is_refused(run: Run, words: tuple[str, ...], said: str) -> None:
    result = run("orgs", "limits", "set", "acme", *words, code=2)
    assert said in " ".join(result.stderr.split())


def test_what_cannot_hold_is_refused(run: Run) -> None:
    result = run("orgs", "limits", "set", "acme", "--rpm", "4000000001", code=1)
    assert "expected 0 to 4000000000 as --rpm" in result.stderr
    result = run("orgs", "limits", "set", "acme", "--burst", "4", code=1)
    assert "--burst is a part of --rpm" in result.stderr
    result = run("models", "limits", "set", "gpt-9", "--rpm", "4", code=1)
    assert "no model of the catalog is 'gpt-9'" in result.stderr
    # Not the whole key.
    a_key(run)
    result = run("keys", "limits", "set", "web", "--model", "", "--rpm", "4", code=1)
    assert "no model of the catalog is ''" in result.stderr


@pytest.mark.parametrize(
    ("kind", "offered"),
    [
        ("keys", {"--queue-ms", "--hedge", "--model"}),
        ("orgs", {"--queue-ms", "--queue-weight", "--hedge"}),
        ("apps", set()),
        ("models", set()),
    ],
)
def test_what_would_always_be_refused_is_not_offered(
    run: Run, kind: str, offered: set[str]
) -> None:
    shown = run(kind, "limits", "set", "--help").stdout
    assert "--rpm" in shown
    some = ("--queue-ms", "--queue-weight", "--hedge", "--model")
    assert {option for option in some if f"{option} " in shown} == offered


def test_all_limits_are_listed(run: Run) -> None:
    Path("seekroute.yaml").write_text(
        """
limits: {defaults: {org: {concurrent: 40}}, gateway: {concurrent: 900}}
providers:
  own:
    base_url: "https://own.test/v1"
    limits: {requests_per_minute: 90, burst_requests: 9}
    keys: [{id: a, env: OWN_A, limits: {tokens_per_minute: 7}}, {id: b, env: OWN_B}]
models:
  - id: acme/large
    context: 1000
    limits: {requests_per_day: 5}
    endpoints:
      - {provider: own, model: big, free: true, limits: {concurrent: 2}}
      - {provider: own, model: bigger, free: true}
"""
    )
    run("limits", "set", "--rpm", "600")
    run("models", "limits", "set", "acme/large", "--tpm", "10")
    listed = json.loads(run("limits", "list", "--json").stdout)
    found = {(row["scope"], row["name"]): (row["limits"], row["from"]) for row in listed}
    assert found.pop(("each key", "reseller"))[1] == "profile reseller"
    assert found == {
        ("gateway", ""): ({"requests_per_minute": 600, "concurrent": 900}, "own, limits.gateway"),
        ("each organization", ""): ({"concurrent": 40}, "limits.defaults.org"),
        ("model", "acme/large"): (
            {"tokens_per_minute": 10, "requests_per_day": 5},
            "own, catalog",
        ),
        ("provider", "own"): ({"requests_per_minute": 90, "burst_requests": 9}, "providers"),
        ("provider_key", "own#a"): ({"tokens_per_minute": 7}, "providers"),
        ("endpoint", "own/big"): ({"concurrent": 2}, "model acme/large"),
    }
    assert "provider_key\town#a\ttokens_per_minute 7\tproviders" in run("limits", "list").stdout


def test_a_virtual_model_is_limited_by_its_models(run: Run) -> None:
    Path("seekroute.yaml").write_text(
        "virtual_models: {team/any: {candidates: [{model: openai/gpt-4o-mini}]}}\n"
    )
    result = run("models", "limits", "set", "team/any", "--rpm", "4", code=1)
    assert "team/any is a virtual model: limit its models instead: openai/gpt-4o-mini" in (
        " ".join(result.stderr.split())
    )


def test_what_was_used_today_is_shown_of_a_key_its_app_and_its_organization(
    run: Run, tmp_path: Path
) -> None:
    with running_server(tmp_path / "data", credits={"enabled": True}) as server:
        control = server.service.control
        org = control.orgs.get("default")
        assert server.service.ledger is not None
        server.service.ledger.topup("test:1", org.id, nano("1"))
        app_id = control.apps.create("default", name="shop").id
        control.apps.approve(app_id)
        profile = server.service.default_profile
        key, text = control.keys.create(
            "default", name="web", profile=profile.name, prefix=profile.key_prefix, app=app_id
        )
        server.service.sync_keys()
        answers = [server.chat(), server.chat_with(text), server.chat_with(text)]
        tokens = [answer.json()["usage"]["total_tokens"] for answer in answers]

        def used(*words: str) -> tuple[Any, Any]:
            command = ["--data-dir", str(tmp_path / "data"), *words]
            rows = json.loads(run(*command, "--json").stdout)["limits"]
            by_name = {row["limit"]: row["used_today"] for row in rows}
            assert by_name["requests_per_minute"] is None
            return by_name["requests_per_day"], by_name["tokens_per_day"]

        assert used("keys", "limits", "show", key.id) == (2, sum(tokens[1:]))
        assert used("apps", "limits", "show", "shop") == (2, sum(tokens[1:]))
        assert used("orgs", "limits", "show", "default") == (3, sum(tokens))
        assert used("limits", "show") == (None, None)
        shown = run("--data-dir", str(tmp_path / "data"), "keys", "limits", "show", key.id).stdout
        assert "requests_per_day\t-\t-\t-\t2" in shown.splitlines()
