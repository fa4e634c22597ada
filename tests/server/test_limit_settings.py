"""Limits that operators set, in control.db or in the configuration, hold in a running server."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seekroute.cli.root import app
from seekroute.testing import Gate, Text
from serving import (
    MODEL,
    PATIENCE,
    Answer,
    RunningServer,
    chat_body,
    parse_answers,
    read_until,
    read_until_closed,
    running_server,
)

# How soon an order holds.
SOON_S = 1.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "data") as running:
        yield running


def run(server: RunningServer, *words: str) -> Any:
    """A command for its data directory, with --json."""
    command = ["--data-dir", str(server.service.data_dir), *words, "--json"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def make_key(server: RunningServer, *words: str) -> tuple[str, str]:
    """The id and the text of a new key of `default`, known to the core."""
    made = run(server, "keys", "create", "--org", "default", *words)
    server.service.sync_keys()
    return made["id"], made["key"]


def until_limit(
    server: RunningServer, key: str, limit: str | None, *, of: str = "requests"
) -> None:
    """Asks for an answer that no limit counts until its headers tell this limit."""
    until = time.monotonic() + SOON_S
    while True:
        answer = server.chat_with(key)
        if answer.headers.get(f"x-ratelimit-limit-{of}") == limit:
            return
        assert time.monotonic() < until, answer.headers


def chat(server: RunningServer, key: str, **fields: Any) -> Answer:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
    return server.request("POST", "/v1/chat/completions", chat_body(**fields), headers)


@contextlib.contextmanager
def running_streams(server: RunningServer, key: str, count: int) -> Iterator[None]:
    """So many streams of a key that have begun, and end, whole, when this does."""
    gates = [Gate() for _ in range(count)]
    with contextlib.ExitStack() as stack:
        clients = []
        for gate in gates:
            stack.callback(gate.open)
            server.mock.queue(Text("a b", chunks=["a ", "b"], gate=gate))
            client = stack.enter_context(contextlib.closing(server.connect()))
            body = chat_body(stream=True)
            lines = (
                "POST /v1/chat/completions HTTP/1.1",
                "Host: gateway",
                "Connection: close",
                "Content-Type: application/json",
                f"Authorization: Bearer {key}",
                f"Content-Length: {len(body)}",
            )
            client.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
            gate.release(2)
            clients.append((client, read_until(client, b"data: ")))
        yield
        for gate in gates:
            gate.open()
        for client, begun in clients:
            [answer] = parse_answers(begun + read_until_closed(client))
            assert answer.status == 200
            assert answer.body.endswith(b"data: [DONE]\n\n")


def test_a_limit_holds_within_a_second_and_so_does_its_end(server: RunningServer) -> None:
    id, key = make_key(server)
    assert "x-ratelimit-limit-requests" not in chat(server, key).headers
    run(server, "keys", "limits", "set", id, "--rpm", "3")
    until_limit(server, key, "3")
    answers = [chat(server, key) for _ in range(4)]
    refused = answers[-1]
    assert refused.status == 429
    assert refused.code == "rate_limit_exceeded"
    assert 0 < int(refused.headers["retry-after-ms"]) <= 20_000
    facts = refused.json()["error"]["metadata"]["limit"]
    assert (facts["scope"], facts["dimension"], facts["limit"]) == ("key", "requests_per_minute", 3)
    assert server.chat().status == 200  # another key
    run(server, "keys", "limits", "set", id, "--rpm", "none")
    until_limit(server, key, None)
    assert chat(server, key).status == 200


def test_zero_lets_nothing_pass(server: RunningServer) -> None:
    id, key = make_key(server)
    run(server, "keys", "limits", "set", id, "--tpd", "0")
    until = time.monotonic() + SOON_S
    while (answer := chat(server, key)).status != 429:
        assert time.monotonic() < until
    assert "retry-after" not in answer.headers
    assert answer.headers["x-should-retry"] == "false"


def test_a_limit_that_is_lowered_ends_nothing_that_runs(server: RunningServer) -> None:
    id, key = make_key(server)
    run(server, "keys", "limits", "set", id, "--concurrent", "3")
    until_limit(server, key, "3", of="concurrent")
    with running_streams(server, key, 2):
        assert chat(server, key).status == 200  # the third
        run(server, "keys", "limits", "set", id, "--concurrent", "1")
        server.service.sync_keys()
        refused = chat(server, key)
        assert refused.status == 429
        assert refused.json()["error"]["metadata"]["limit"]["dimension"] == "concurrent"
    until = time.monotonic() + PATIENCE
    while chat(server, key).status != 200:
        assert time.monotonic() < until


def test_the_resellers_sixty_and_ten(tmp_path: Path) -> None:
    with running_server(tmp_path / "data", profile="reseller") as server:
        began = time.monotonic()
        passed = 0
        while (answer := server.chat()).status == 200:
            passed += 1
            assert passed < 60 + PATIENCE
        assert 60 <= passed <= 61 + (time.monotonic() - began)
        assert answer.status == 429
        assert answer.code == "rate_limit_exceeded"
        assert answer.headers["x-ratelimit-limit-requests"] == "60"
        _, key = make_key(server, "--profile", "reseller")
        with running_streams(server, key, 10):
            refused = chat(server, key)
            assert refused.status == 429
            assert refused.headers["x-ratelimit-limit-concurrent"] == "10"
            assert refused.headers["x-ratelimit-remaining-concurrent"] == "0"
            # A key of its own, whoever's profile it is: no bucket is shared.
            _, other = make_key(server, "--profile", "reseller")
            assert chat(server, other).status == 200


@pytest.mark.parametrize(
    ("noun", "name", "scope"),
    [
        (("orgs",), ("default",), "org"),
        (("apps",), ("shop",), "app"),
        (("models",), (MODEL,), "model"),
        ((), (), "gateway"),
    ],
)
def test_limits_of_what_keys_share(
    server: RunningServer, noun: tuple[str, ...], name: tuple[str, ...], scope: str
) -> None:
    run(server, "apps", "create", "shop", "--org", "default")
    run(server, "apps", "approve", "shop")
    keys = [make_key(server, "--app", "shop")[1] for _ in range(2)]
    run(server, *noun, "limits", "set", *name, "--rpm", "4")
    server.service.sync_keys()
    answers = [chat(server, keys[n % 2]) for n in range(5)]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 429]
    assert answers[-1].json()["error"]["metadata"]["limit"]["scope"] == scope
    run(server, *noun, "limits", "set", *name, "--rpm", "none")
    server.service.sync_keys()
    assert chat(server, keys[0]).status == 200


def test_limits_of_the_configuration_and_its_reload(tmp_path: Path) -> None:
    whole: dict[str, Any] = {
        "defaults": {"key": {"requests_per_minute": 5}, "org": {"concurrent": 9}},
        "gateway": {"tokens_per_minute": 1_000_000},
        "ratelimit_headers": "ietf",
    }
    with running_server(tmp_path / "data", limits_=whole) as server:
        # The settings given above are this server's command line; its file says the rest.
        answer = server.chat()
        assert answer.headers["x-ratelimit-limit-requests"] == "5"
        assert answer.headers["x-ratelimit-limit-tokens"] == "1000000"
        assert answer.headers["x-ratelimit-limit-concurrent"] == "9"
        assert '"key-requests";q=5;w=60' in answer.headers["ratelimit-policy"]
        shown = server.request("GET", "/v1/key").json()["data"]
        assert shown["rate_limit"]["requests"] == 5
        assert shown["rate_limit"]["interval"] == "1m"
        assert shown["limits"]["requests_per_minute"] == 5
        assert shown["limits"]["concurrent"] is None
        assert shown["model_limits"] == {}
        key = server.service.control.keys.list()[0].id
        server.service.control.limits.set("key", key, {"concurrent": 2}, model="acme/large")
        shown = server.request("GET", "/v1/key").json()["data"]
        assert shown["model_limits"]["acme/large"]["concurrent"] == 2
        assert shown["model_limits"]["acme/large"]["requests_per_minute"] is None
        assert shown["limits"]["concurrent"] is None


def test_a_reload_changes_the_limits_of_all_keys(server: RunningServer) -> None:
    file = Path(server.service.data_dir) / "seekroute.yaml"
    id, key = make_key(server)
    run(server, "keys", "limits", "set", id, "--rpm", "77")
    file.write_text("limits: {defaults: {key: {requests_per_minute: 8, burst_requests: 4}}}\n")
    said = run(server, "config", "reload")
    assert [each["text"] for each in said["changes"]] == [
        "~ limit of each key: requests_per_minute none -> 8",
        "~ limit of each key: burst_requests none -> 4",
    ]
    assert server.chat().headers["x-ratelimit-limit-requests"] == "4"
    assert chat(server, key).headers["x-ratelimit-limit-requests"] == "77"
    file.write_text("limits: {defaults: {org: {requests_per_minute: 1}}}\n")
    run(server, "config", "reload")
    assert chat(server, key).status == 200
    assert server.chat().status == 429


def test_a_model_of_the_catalog_has_limits(server: RunningServer) -> None:
    endpoint = {"provider": "openai", "model": "x", "price": {"input": "1", "output": "1"}}
    model = {
        "id": "team/small",
        "context": 1000,
        "max_output": 100,
        "limits": {"requests_per_minute": 2},
        "endpoints": [endpoint],
    }
    file = Path(server.service.data_dir) / "seekroute.yaml"
    file.write_text(json.dumps({"models": [model]}))
    run(server, "config", "reload")
    statuses = [server.chat(model="team/small").status for _ in range(3)]
    assert statuses == [200, 200, 429]
    run(server, "models", "limits", "set", MODEL, "--rpm", "1")  # what is ordered comes first
    server.service.sync_keys()
    assert [server.chat().status for _ in range(2)] == [200, 429]


def test_a_key_without_limits_says_so(server: RunningServer) -> None:
    shown = server.request("GET", "/v1/key").json()["data"]
    assert shown["rate_limit"] == {"requests": -1, "interval": "10s", "note": "deprecated"}
    assert set(shown["limits"].values()) == {None}


def key_data(server: RunningServer, key: str) -> Any:
    """What a key sees of itself."""
    headers = {"Authorization": f"Bearer {key}"}
    return server.request("GET", "/v1/key", b"", headers).json()["data"]


def test_a_key_that_nothing_passes_is_told_so(server: RunningServer) -> None:
    id, key = make_key(server)
    run(server, "keys", "limits", "set", id, "--rpm", "0")
    server.service.sync_keys()
    assert key_data(server, key)["rate_limit"]["requests"] == 0


def test_what_is_told_is_what_holds_where_a_keys_profile_is_gone(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        file = Path(server.service.data_dir) / "seekroute.yaml"
        _, key = make_key(server, "--profile", "reseller")
        (file.parent / "own.yaml").write_text(
            "extends: seekroute\nname: own\nlimits: {requests_per_minute: 7}\n"
        )
        file.write_text("profiles: [own.yaml]\nprofile: own.yaml\n")
        run(server, "config", "reload")
        assert "x-ratelimit-limit-requests" not in chat(server, key).headers
        assert key_data(server, key)["limits"]["requests_per_minute"] is None


def test_limits_are_there_again_after_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_server(data) as server:
        id, key = make_key(server)
        run(server, "keys", "limits", "set", id, "--rpm", "12", "--burst", "2")
        run(server, "orgs", "limits", "set", "default", "--concurrent", "7")
    with running_server(data) as server:
        headers = chat(server, key).headers
        assert headers["x-ratelimit-limit-requests"] == "2"
        assert headers["x-ratelimit-remaining-requests"] == "1"
        assert headers["x-ratelimit-limit-concurrent"] == "7"


def test_tokens_that_nobody_has_named_are_expected(tmp_path: Path) -> None:
    limits = {"expected_output": 5000, "defaults": {"key": {"tokens_per_minute": 5500}}}
    gate = Gate()
    with running_server(tmp_path / "data", limits_=limits) as server:
        server.mock.queue(Text("a b", chunks=["a ", "b"], gate=gate))
        with contextlib.closing(server.connect()) as client:
            client.sendall(server.chat_bytes("Connection: close", stream=True))
            gate.release(2)
            read_until(client, b"data: ")
            assert server.chat().status == 429  # the first may yet take all of it
            assert server.chat(max_tokens=10).status == 200
            gate.open()
            read_until_closed(client)
        assert server.chat().status == 200  # it has not


def test_a_key_has_limits_for_one_model(server: RunningServer) -> None:
    id, key = make_key(server)
    run(server, "keys", "limits", "set", id, "--model", MODEL, "--rpm", "1")
    until_limit(server, key, "1")
    refused = server.chat_with(key)
    assert refused.status == 429
    assert refused.json()["error"]["metadata"]["limit"]["scope"] == "key_model"
    shown = run(server, "keys", "limits", "show", id)
    assert shown["models"] == {MODEL: {"requests_per_minute": 1}}
    assert all(row["set"] is None for row in shown["limits"])
    run(server, "keys", "limits", "set", id, "--model", MODEL, "--rpm", "none")
    until_limit(server, key, None)
    assert server.chat_with(key).status == 200
