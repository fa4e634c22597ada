"""What a gateway answers besides inference is the same over HTTP and in this process."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl

import pytest

import seekroute
from asked_paths import ASKED
from seekroute.api.table import ROUTES, ApiRoute, Who
from seekroute.client.wires.backend import Request
from serving import MODEL, RunningServer, running_server

CHAT = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}).encode()
EMBEDDINGS = json.dumps({"model": "text-embedding-3-small", "input": "Hi"}).encode()
BODIES = {"chat_completions": CHAT, "embeddings": EMBEDDINGS}


class Both(NamedTuple):
    """A server with the key of an organization that may owe anything, as in process."""

    server: RunningServer
    key: str
    client: seekroute.Client

    def over_http(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        answer = self.server.request(method, f"/v1{path}", body or None, headers)
        return answer.status, answer.body

    def in_process(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        path, _, query = path.partition("?")
        request = Request(path, body, method, query=dict(parse_qsl(query, keep_blank_values=True)))
        reply = self.client._backend.open(request)
        return reply.status, reply.read()


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("both")
    with (
        running_server(folder / "data", credits={"enabled": True}) as server,
        seekroute.Client(mock="on", ledger=folder / "ledger.db") as client,
    ):
        control = server.service.control
        org = control.orgs.create("open").id
        control.orgs.set_credit_line(org, None)
        _, key = control.keys.create(org, name="k", profile="seekroute", prefix="sk-sr-")
        server.service.sync_keys()
        yield Both(server, key, client)


def plain(body: bytes) -> str:
    """A body without what differs from request to request."""
    text = re.sub(r'"request_id":"[^"]*"|"created":\d+', "", body.decode())
    return re.sub(r"^\{,", "{", text)


UNKNOWN = [
    "GET /nothing",
    "POST /responses",
    "GET /models2",
    "GET /credits/",
    # Only what stands for a model's name may be encoded.
    "GET /%63redits",
    "GET /%6dodels/gpt-4o-mini",
    "GET /mo%64el/gpt-4o-mini",
    "GET %2Fmodels/gpt-4o-mini",
    "GET /models%2Fgpt-4o-mini",
]


@pytest.mark.parametrize("asked", ASKED)
def test_both_answer_alike(both: Both, asked: str) -> None:
    method, path = asked.split(" ")
    status, body = both.over_http(method, path, b"")
    other, twin = both.in_process(method, path, b"")
    assert (status, plain(body)) == (other, plain(twin))
    assert status in (200, 400, 404, 405)


@pytest.mark.parametrize("asked", UNKNOWN)
def test_neither_knows_other_paths(both: Both, asked: str) -> None:
    method, path = asked.split(" ")
    for status, body in (both.over_http(method, path, b""), both.in_process(method, path, b"")):
        assert (status, json.loads(body)["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize(("path", "asked"), [("/quote", CHAT), ("/quote/embeddings", EMBEDDINGS)])
def test_both_quote(both: Both, path: str, asked: bytes) -> None:
    (status, body), (other, twin) = (
        ask("POST", path, asked) for ask in (both.over_http, both.in_process)
    )
    assert status == other == 200
    quote, same = json.loads(body), json.loads(twin)
    # Whom the gateway in process charges is its own caller: it needs no balance.
    assert quote.pop("balance")["affordable"]
    for each in (quote, same):
        del each["created"], each["excluded"]  # by the environment's keys
        assert each.pop("seed") >= 0  # drawn by each
    assert quote == same


# --- the rows over HTTP ---------------------------------------------------------------------------


def real(path: str) -> str:
    """A path of a row's pattern."""
    return path.replace("{model}", "openai/gpt-4o-mini")


def test_every_row_names_its_methods(both: Both) -> None:
    for route in ROUTES:
        for path in route.paths:
            answer = both.server.request("DELETE", real(path))
            assert answer.status == 405, path
            assert answer.headers["allow"] == route.allowed


def test_who_may_ask_without_a_key(both: Both, tmp_path: Path) -> None:
    kind = {"Content-Type": "application/json"}

    def unkeyed(server: RunningServer, route: ApiRoute) -> int:
        method = route.methods[0]
        body = BODIES.get(route.surface)
        return server.request(method, real(route.paths[0]), body, kind, with_key=False).status

    for route in ROUTES:
        expected = 200 if route.who is Who.ANYONE else 401
        assert unkeyed(both.server, route) == expected, route.pattern
    with running_server(tmp_path, credits={"enabled": True}, require_key=False) as open_to_all:
        for route in ROUTES:
            expected = 401 if route.who in (Who.ORG, Who.KEY) else 200
            assert unkeyed(open_to_all, route) == expected, route.pattern
