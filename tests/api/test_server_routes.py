"""The server's routes: finding them, keys, models, chat, health, metrics, the API's description."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from seekroute import error_table
from seekroute.server.limits import Limits
from seekroute.testing import Gate, Raw, Text
from serving import (
    MODEL,
    RunningServer,
    chat_body,
    parse_answers,
    read_until,
    read_until_closed,
    running_server,
)

HEALTH = ["/livez", "/readyz", "/healthz", "/health", "/health/liveliness", "/health/readiness"]
BOTH = ["/v1", "/api/v1"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("routes"), limits=Limits(linger_s=0.2)) as running:
        yield running


# --- finding the route ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v2/models",
        "//v1/models",
        "/v1//models",
        "/v1/./models",
        "/v1/x/../models",
        "/v1/%2e%2e/v1/models",
        "/v1/models/",
        "/v1/mode%6cs",
        "/v1/models%00",
        "/V1/models",
        "/v1/Models",
        "/livez/",
        "/docs",
    ],
)
def test_unknown_paths_are_404_without_redirect(server: RunningServer, path: str) -> None:
    with server.connect() as client:
        client.sendall(
            f"GET {path} HTTP/1.1\r\nHost: g\r\nConnection: close\r\n"
            f"Authorization: Bearer {server.key}\r\n\r\n".encode()
        )
        (answer,) = parse_answers(read_until_closed(client))
    assert answer.status == 404
    assert answer.code in ("not_found", "model_not_found")
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("GET", "/v1/chat/completions", "POST"),
        ("DELETE", "/api/v1/chat/completions", "POST"),
        ("POST", "/v1/models", "GET, HEAD"),
        ("PUT", "/v1/models/openai/gpt-4o-mini", "GET, HEAD"),
        ("TRACE", "/livez", "GET, HEAD"),
        ("OPTIONS", "/v1/key", "GET, HEAD"),
        ("PATCH", "/metrics", "GET, HEAD"),
    ],
)
def test_other_methods_are_405(server: RunningServer, method: str, path: str, allow: str) -> None:
    answer = server.request(method, path)
    assert answer.status == 405
    # Under OpenRouter's path the code is the status, as there.
    assert answer.code == (405 if path.startswith("/api") else "method_not_allowed")
    assert answer.headers["allow"] == allow


def test_head_has_no_body(server: RunningServer) -> None:
    answer = server.request("HEAD", "/livez")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_websocket_is_not_upgraded(server: RunningServer) -> None:
    headers = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    answer = server.request("GET", "/v1/chat/completions", headers=headers)
    assert answer.status == 405


# --- keys -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/x", "/v1/key", "/api/v1/key"])
@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        (None, "missing_api_key"),
        ("", "missing_api_key"),
        ("Bearer", "missing_api_key"),
        ("Basic dTpw", "missing_api_key"),
        ("Bearer sk-sr-unknown", "invalid_api_key"),
        ("Bearer " + "x" * 600, "invalid_api_key"),
        ("Bearer sk-\xe9", "invalid_api_key"),
    ],
)
def test_keys_are_required(
    server: RunningServer, path: str, authorization: str | None, code: str
) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = server.request("GET", path, headers=headers, with_key=False)
    chat = server.request("POST", "/v1/chat/completions", chat_body(), headers, with_key=False)
    assert answer.code == (401 if path.startswith("/api") else code)
    assert chat.code == code
    for each in (answer, chat):
        assert each.status == 401
        assert each.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["message"] == chat.json()["error"]["message"]


@pytest.mark.parametrize("request_line", ["POST /v1/chat/completions", "GET /v1/models"])
def test_two_authorization_headers(server: RunningServer, request_line: str) -> None:
    line = f"Authorization: Bearer {server.key}\r\n"
    with server.connect() as client:
        client.sendall(
            f"{request_line} HTTP/1.1\r\nHost: g\r\nContent-Length: 0\r\n"
            f"Connection: close\r\n{line}{line}\r\n".encode()
        )
        (answer,) = parse_answers(read_until_closed(client))
    assert (answer.status, answer.code) == (401, "invalid_api_key")
    assert answer.headers["www-authenticate"] == "Bearer"


def wait_for_status(server: RunningServer, key: str, status: int, limit: float) -> float:
    """Asks until the key is answered with `status`; returns how long that took."""
    begin = time.monotonic()
    while True:
        answer = server.chat_with(key)
        taken = time.monotonic() - begin
        if answer.status == status:
            return taken
        assert taken < limit, f"still {answer.status} after {taken:.1f} s"


def test_every_route_refuses_a_key_in_the_same_words(server: RunningServer) -> None:
    control = server.service.control
    org = control.orgs.get("default").id
    made = {"name": "x", "profile": "seekroute", "prefix": "sk-sr-"}
    pending = control.keys.create(org, app=control.apps.create(org, name="new").id, **made)[1]
    row, disabled = control.keys.create(org, **made)
    control.keys.disable(row.id)
    server.service.sync_keys()
    for sent, code in (
        (None, "missing_api_key"),
        ("sk-sr-nobody", "invalid_api_key"),
        (pending, "app_not_approved"),
        (disabled, "permission_denied"),
    ):
        headers = {"Content-Type": "application/json"}
        if sent is not None:
            headers["Authorization"] = f"Bearer {sent}"
        words = set()
        for method, path in (
            *(("POST", "/v1/chat/completions"), ("POST", "/v1/quote")),
            *(("GET", "/v1/models"), ("GET", "/v1/key")),
        ):
            body = chat_body() if method == "POST" else None
            answer = server.request(method, path, body, headers, with_key=False)
            error = answer.json()["error"]
            words.add((answer.status, error["code"], error["message"]))
        ((status, said, message),) = words
        assert (status, said) == (401 if code.endswith("api_key") else 403, code)
        assert message


def test_the_time_of_the_next_try_is_the_table_s_whoever_refuses(tmp_path: Path) -> None:
    with running_server(tmp_path, credits={"enabled": True}) as server:
        server.service.core.begin_shutdown()
        by_core = server.chat()
        server.service.shutting_down = True
        by_server = server.chat()
    for answer in (by_core, by_server):
        assert (answer.status, answer.code) == (503, "shutting_down")
        assert answer.headers["retry-after"] == "1"
        assert answer.headers["retry-after-ms"] == "1000"


def test_key_changes_count_within_a_second(server: RunningServer) -> None:
    control = server.service.control
    row, key = control.keys.create("default", name="new", profile="seekroute", prefix="sk-sr-")
    wait_for_status(server, key, 200, 1.0)
    control.keys.disable(row.id)
    wait_for_status(server, key, 403, 1.0)
    control.keys.enable(row.id)
    wait_for_status(server, key, 200, 1.0)
    control.keys.revoke(row.id)
    wait_for_status(server, key, 401, 1.0)


def test_key_is_described(server: RunningServer) -> None:
    for base in BOTH:
        answer = server.request("GET", f"{base}/key")
        assert answer.status == 200
        data = answer.json()["data"]
        assert data["label"].startswith("sk-sr-")
        assert server.key not in answer.body.decode()
        assert data["limit"] is None


# --- models ---------------------------------------------------------------------------------------


def test_models_have_the_fields_of_both_apis(server: RunningServer) -> None:
    first, second = (server.request("GET", f"{base}/models") for base in BOTH)
    assert first.status == 200
    assert first.body == second.body
    listed = first.json()
    assert listed["object"] == "list"
    by_id = {model["id"]: model for model in listed["data"]}
    model = by_id[MODEL]
    assert model["object"] == "model"
    assert model["owned_by"] == "openai"
    assert re.fullmatch(r"0\.\d+", model["pricing"]["prompt"])
    assert model["context_length"] > 0


@pytest.mark.parametrize("name", [MODEL, MODEL.replace("/", "%2F"), MODEL.partition("/")[2]])
@pytest.mark.parametrize("base", BOTH)
def test_one_model(server: RunningServer, base: str, name: str) -> None:
    answer = server.request("GET", f"{base}/models/{name}")
    assert (answer.status, answer.json()["id"]) == (200, MODEL)


@pytest.mark.parametrize("name", ["nobody/nothing", "..%2F..%2Fetc", "x" * 300, "%00", "%ff"])
def test_unknown_model(server: RunningServer, name: str) -> None:
    answer = server.request("GET", f"/v1/models/{name}")
    assert (answer.status, answer.code) == (404, "model_not_found")


def test_models_are_those_of_the_key(server: RunningServer) -> None:
    control = server.service.control
    _, key = control.keys.create(
        "default", name="few", profile="seekroute", prefix="sk-sr-", models=["deepseek/*"]
    )
    server.service.sync_keys()
    mine = {"Authorization": f"Bearer {key}"}
    listed = server.request("GET", "/v1/models", headers=mine).json()["data"]
    assert listed
    assert all(model["id"].startswith("deepseek/") for model in listed)
    assert server.request("GET", f"/v1/models/{MODEL}", headers=mine).status == 404
    assert server.request("GET", "/v1/models/deepseek/deepseek-chat", headers=mine).status == 200


def test_profile_spells_model_ids(server: RunningServer) -> None:
    _, key = server.service.control.keys.create(
        "default", name="bare", profile="reseller", prefix="sk-"
    )
    server.service.sync_keys()
    listed = server.request("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})
    assert "deepseek-chat" in {model["id"] for model in listed.json()["data"]}


def test_no_key_needed_where_the_operator_says_so(tmp_path: Path) -> None:
    with running_server(tmp_path, require_key=False) as server:
        assert server.request("GET", "/v1/models", with_key=False).status == 200
        answer = server.request("POST", "/v1/chat/completions", chat_body(), with_key=False)
        assert answer.status == 200
        assert server.request("GET", "/v1/key", with_key=False).status == 401
        wrong = {"Authorization": "Bearer sk-sr-wrong"}
        assert server.request("GET", "/v1/models", headers=wrong).status == 401


# --- chat -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BOTH)
def test_chat_under_both_paths(server: RunningServer, base: str) -> None:
    headers = {"Content-Type": "application/json", "x-request-id": "my-id-1"}
    answer = server.request("POST", f"{base}/chat/completions", chat_body(), headers)
    assert answer.status == 200
    assert answer.headers["x-request-id"] == "my-id-1"
    assert answer.headers["x-generation-id"]
    assert answer.json()["usage"]["total_tokens"] > 0


def test_stream_is_sent_as_it_comes(server: RunningServer) -> None:
    gate = Gate()
    server.mock.queue(Text("one two three", chunks=["one ", "two ", "three"], gate=gate))
    with server.connect() as client:
        client.sendall(server.chat_bytes("Connection: close", stream=True))
        gate.release(3)  # the role, one, two
        first = read_until(client, b"two ")
        assert b"three" not in first
        gate.open()
        (answer,) = parse_answers(first + read_until_closed(client))
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.body.endswith(b"data: [DONE]\n\n")


def test_connection_is_kept_alive_after_a_stream(server: RunningServer) -> None:
    with server.connect() as client:
        for _ in range(3):
            client.sendall(server.chat_bytes(stream=True))
            assert b"data: [DONE]\n\n" in read_until(client, b"\r\n0\r\n\r\n")


# --- operation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", HEALTH)
def test_health_needs_no_key(server: RunningServer, path: str) -> None:
    answer = server.request("GET", path, with_key=False)
    assert (answer.status, answer.json()) == (200, {"status": "ok"})


def test_verbose_readiness_names_its_checks(server: RunningServer) -> None:
    answer = server.request("GET", "/readyz?verbose", with_key=False).json()
    assert set(answer["checks"].values()) == {"ok"}


def test_metrics(server: RunningServer) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    assert server.chat().status == 200
    assert server.chat(stream=True).status == 200
    server.request("GET", "/v1/models")
    server.request("GET", "/does-not-exist-4711")
    answer = server.request("GET", "/metrics", with_key=False)
    assert answer.headers["content-type"].startswith("text/plain")
    text = answer.body.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    counted = {
        (s.labels["route"], s.labels["method"], s.labels["status"]): s.value
        for s in families["seekroute_http_requests"].samples
    }
    assert counted["chat_completions", "POST", "200"] >= 2
    assert counted["models", "GET", "200"] >= 1
    assert counted["other", "GET", "404"] >= 1
    assert "4711" not in text
    for name in ("overhead_seconds", "http_request_duration_seconds", "upstream_latency_seconds"):
        family = families[f"seekroute_{name}"]
        assert family.type == "histogram"
        count = sum(s.value for s in family.samples if s.name.endswith("_count"))
        infinite = sum(s.value for s in family.samples if s.labels.get("le") == "+Inf")
        assert count == infinite > 0
    for name in ("input_tokens", "output_tokens", "cost_usd", "upstream_requests"):
        assert sum(s.value for s in families[f"seekroute_{name}"].samples) > 0
    assert families["seekroute_active_requests"].type == "gauge"
    assert server.key not in text


def test_metrics_count_a_running_request_once(server: RunningServer) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    gate = Gate()
    hello = {"id": "x", "choices": [{"index": 0, "delta": {"content": "Hel"}}]}
    events = {"Content-Type": "text/event-stream"}
    first = b"data: " + json.dumps(hello).encode() + b"\n\n"
    server.mock.queue(Raw([("head", 200, events), ("send", first), ("gate", gate), ("fin",)]))
    with server.connect() as client:
        client.sendall(server.chat_bytes("Connection: close", stream=True))
        read_until(client, b"Hel")
        text = server.request("GET", "/metrics", with_key=False).body.decode()
        gate.open()
        read_until_closed(client)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    (sample,) = families["seekroute_active_requests"].samples
    assert sample.value == 1


def resolved(document: dict[str, Any], node: Any) -> Any:
    while "$ref" in node:
        found: Any = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        node = found
    return node


def test_openapi_describes_what_is_answered(server: RunningServer) -> None:
    document = server.request("GET", "/openapi.json", with_key=False).json()
    assert document["openapi"].startswith("3.1")
    assert document["servers"] == [{"url": "/"}]
    seen = set()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            body = chat_body() if method == "post" else None
            real = path.replace("{model}", MODEL)
            for with_key in (True, False):
                answer = server.request(method.upper(), real, body, with_key=with_key)
                described = resolved(document, operation["responses"][str(answer.status)])
                media_type = answer.headers["content-type"].partition(";")[0]
                schema = described["content"][media_type]["schema"]
                if media_type == "application/json":
                    whole = {**schema, "components": document["components"]}
                    jsonschema.validate(answer.json(), whole)
                seen.add((path, answer.status))
    assert ("/v1/chat/completions", 200) in seen
    assert ("/api/v1/chat/completions", 401) in seen


def test_openapi_names_every_status_of_the_error_table(server: RunningServer) -> None:
    document = server.request("GET", "/openapi.json").json()
    described = document["paths"]["/v1/chat/completions"]["post"]["responses"]
    # The client is gone; another method is another operation; the console alone says 412.
    never_sent = {"499", "405", "412"}
    produced = {str(row.status) for row in error_table.rows()} - never_sent
    assert produced <= set(described)
