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
    assert "expected 0 to 60000 as queue_ms" in result.stderr
    result = run("models", "limits", "set", "gpt-4o-mini", "--queue-ms", "5", code=1)
    assert "queue_ms is set for a key or an organization, not for a model" in result.stderr


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
    assert "hedge is set for a key or an organization, not for a model" in result.stderr
    result = run("keys", "limits", "set", "web", "--model", "gpt-4o-mini", "--hedge", "on", code=1)
    assert "hedge is of a key, whatever the model" in result.stderr


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
    assert "expected 0 to 4000000000 as requests_per_minute" in result.stderr
    result = run("orgs", "limits", "set", "acme", "--burst", "4", code=1)
    assert "burst_requests is a part of requests_per_minute" in result.stderr
    result = run("models", "limits", "set", "gpt-9", "--rpm", "4", code=1)
    assert "no model of the catalog is 'gpt-9'" in result.stderr


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
