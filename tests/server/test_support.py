"""What support can find out of a customer's id: refused requests, unknown paths, unknown models."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

import money_cli
from money_cli import run, run_json
from seekroute.server import refusals as written
from seekroute.server.refusals import FILE_NAME, Refusals, refusals
from seekroute.testing import Status
from serving import RunningServer, chat_body, running_server

CANARY = "canary-of-the-prompt"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    money_cli.clear(monkeypatch, tmp_path)


def keyed(server: RunningServer, **options: Any) -> str:
    """The key of a customer without credit, or with what `options` say."""
    control = server.service.control
    if "acme" not in {org.name for org in control.orgs.list()}:
        control.orgs.create("acme")
    profile = server.service.default_profile
    _, key = control.keys.create(
        "acme", name="bot", profile=profile.name, prefix=profile.key_prefix, **options
    )
    server.service.sync_keys()
    return key


def sent(server: RunningServer, key: str, path: str = "/v1/chat/completions", **fields: Any) -> Any:
    messages = [{"role": "user", "content": CANARY}]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    return server.request("POST", path, chat_body(messages=messages, **fields), headers)


def test_every_refusal_has_a_row_that_support_finds(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        poor = keyed(server)
        pending = keyed(server, models=["openai/gpt-4o"])
        answers = {
            401: sent(server, "sk-sr-" + "x" * 48),
            402: sent(server, poor),
            404: sent(server, server.key, model="openai/gpt-9"),
            400: sent(server, server.key, temperature="warm"),
        }
        unknown = sent(server, server.key, "/v1/responses")
        barred = sent(server, pending, model="openai/o3")
        listed = server.request("GET", "/v1/models", headers={"Authorization": "Bearer sk-x"})
        fine = server.chat()
        assert fine.status == 200
    found = {row["request_id"]: row for row in run_json("logs", "--failed")}
    for status, answer in answers.items():
        assert answer.status == status
        row = found[answer.headers["x-request-id"]]
        assert (row["status"], row["settlement"]) == (status, "refused")
        assert row["error"]
    assert found[answers[402].headers["x-request-id"]]["org"] == "acme"
    assert found[answers[402].headers["x-request-id"]]["key"] == "bot"
    assert found[answers[404].headers["x-request-id"]]["model"] == "openai/gpt-9"
    assert found[unknown.headers["x-request-id"]]["wanted"] == "POST /v1/responses"
    assert found[barred.headers["x-request-id"]]["error"] == "model_not_found"
    assert found[listed.headers["x-request-id"]]["wanted"] == "GET /v1/models"
    assert fine.headers["x-request-id"] not in found
    # One by one, by the id of the request; of an answered one by either id.
    shown = run_json("logs", "show", answers[402].headers["x-request-id"])
    assert (shown["status"], shown["error"]) == (402, "insufficient_credits")
    for id_ in (fine.headers["x-request-id"], fine.headers["x-generation-id"]):
        assert run_json("logs", "show", id_)["generation"] == fine.headers["x-generation-id"]
    assert "there is no request 'nobody'" in run("logs", "show", "nobody", code=1).stderr
    # Who asks for all sees what was sent.
    assert len(run_json("logs")) == 1
    assert len(run_json("logs", "--failed", "--org", "acme")) == 2
    assert [row["status"] for row in run_json("logs", "--failed", "--model", "openai/gpt-9")] == [
        404
    ]
    text = (tmp_path / "data" / FILE_NAME).read_text()
    assert CANARY not in text
    assert not {server.key, poor, pending, "sk-sr-xxx"} & set(text.split('"'))
    assert (tmp_path / "data" / FILE_NAME).stat().st_mode & 0o077 == 0


def test_a_failed_request_and_refused_ones_stand_in_their_order(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        server.mock.default = Status(500)
        assert server.chat().status == 502 or True
        sent(server, server.key, model="openai/gpt-9")
    rows = run_json("logs", "--failed")
    assert {row["settlement"] == "refused" for row in rows} == {True, False}
    assert [row["created_at"] for row in rows] == sorted(
        (row["created_at"] for row in rows), reverse=True
    )
    assert len(run_json("logs", "--failed", "--limit", "1")) == 2  # one of either


def test_the_file_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "_MOST_BYTES", 2000)
    for n in range(20):
        kept = Refusals(tmp_path)
        for m in range(20):
            kept.add(request_id=f"{n}-{m}", status=404, error="not_found", path="/" + "x" * 500)
        kept.close()
    sizes = [each.stat().st_size for each in tmp_path.glob(f"{FILE_NAME}*")]
    assert len(sizes) == 2
    assert max(sizes) < 2000 + 20 * 300
    assert next(iter(refusals(tmp_path)))["request_id"] == "19-19"
    with (tmp_path / FILE_NAME).open("a") as file:
        file.write('{"half')
    assert next(iter(refusals(tmp_path)))["request_id"] == "19-19"


def test_a_flood_is_counted_and_waits_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(written, "_WRITE_S", 60.0)
    kept = Refusals(tmp_path)
    for n in range(5000):
        kept.add(request_id=str(n), status=401, error="invalid_api_key")
    kept.close()
    found = list(refusals(tmp_path))
    assert found[0]["dropped"] == 5000 - 500
    assert len(found) == 501


def test_a_disk_that_fails_is_said_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE_NAME).mkdir()
    kept = Refusals(tmp_path)
    kept.add(request_id="1", status=401, error="invalid_api_key")
    kept.close()
    assert "refused requests cannot be written down" in caplog.text
    assert list(refusals(tmp_path)) == []


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "/v1/responses",
            "POST /v1/responses is not served by this gateway; it serves POST /v1/ch",
        ),
        ("/api/v1/responses", "openai.chat(…)"),
        ("/v1/completions", "it serves POST /v1/chat/completions"),
        ("/v1/messages", "it serves POST /v1/chat/completions"),
        ("/v1/images/generations", "pictures by POST /v1/chat/completions"),
        ("/v1/audio/speech", "no speech yet"),
        ("/v1/keys", "GET /v1/key"),
        ("/chat/completions", "the base URL ends in /v1: POST /v1/chat/completions"),
        ("/api/chat/completions", "the base URL ends in /v1: POST /v1/chat/completions"),
        ("/v1/v1/chat/completions", "the base URL ends in /v1: POST /v1/chat/completions"),
        ("/v1/chat/completions/models", "the base URL ends in /v1: POST /v1/models"),
        ("/responses", "POST /responses is not served by this gateway; it serves POST /v1/ch"),
        ("/v2/anything", "no such path; GET /openapi.json lists the paths"),
    ],
)
def test_an_unknown_path_says_what_is_served_and_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, path: str, said: str
) -> None:
    with running_server(tmp_path / "data") as server, caplog.at_level(logging.WARNING):
        answer = sent(server, server.key, f"{path}?secret=1")
        assert answer.status == 404
        assert said in answer.json()["error"]["message"]
    line = f"no such path: POST {path} (request {answer.headers['x-request-id']})"
    assert line in caplog.text
    assert "secret" not in caplog.text


def test_an_unknown_model_is_named_with_the_nearest(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        answer = sent(server, server.key, model="openai/gpt-4o-minni").json()["error"]["message"]
        assert "no model 'openai/gpt-4o-minni'" in answer
        assert "did you mean openai/gpt-4o-mini" in answer
        found = server.request("GET", "/v1/models/openai/gpt-4o-minni")
        assert found.status == 404
        assert "did you mean" in found.json()["error"]["message"]
        assert "openai/gpt-4o-mini" in found.json()["error"]["message"]
        # What a key may not use is not offered to it.
        only = keyed(server, models=["anthropic/*"])
        headers = {"Authorization": f"Bearer {only}"}
        barred = server.request("GET", "/v1/models/gpt-4o-minni", headers=headers).body
        assert b"did you mean" not in barred
        assert b"openai/" not in barred
        assert b"openai/gpt-4o" not in sent(server, only, model="gpt-4o-minni").body
        long = sent(server, server.key, model="x" * 5000)
        assert len(long.body) < 1000
        assert b'"x"x' not in sent(server, server.key, model='x"x').body


def test_a_404_of_a_model_names_it_in_the_log() -> None:
    from types import SimpleNamespace

    from seekroute.server.logs import json_line, pretty_line

    record: Any = SimpleNamespace(
        request_id="r-1",
        key_id="key_1",
        org_id="org_1",
        requested_model="gpt-9\n" + "x" * 500,
        model="",
        provider="",
        error="model_not_found",
        status=404,
        attempts=0,
        tried=[],
        streamed=False,
        service_tier="",
        usage_odd=False,
        cap_ignored=False,
        prompt_tokens=0,
        completion_tokens=0,
        held_nano=0,
        cost_nano=0,
        upstream_cost_nano=0,
        price_revision="",
        availability="",
        total_ms=1.0,
        first_content_ms=0.0,
        overhead_ms=1.0,
    )
    line = json.loads(json_line(record, "2027-01-31T00:00:00.000Z"))
    assert line["model"].startswith("gpt-9\nxxx")
    assert len(line["model"]) == 120
    shown = pretty_line(record, "2027-01-31T00:00:00.000Z")
    assert "gpt-9" in shown
    assert "key_1" in shown
    assert shown.count("\n") == 1


def test_following_begins_with_the_latest_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seekroute.cli import logs

    with running_server(tmp_path / "data") as server:
        ids = [server.chat().headers["x-generation-id"] for _ in range(4)]
        later: list[str] = []

        def rest(_: float) -> None:
            if later:
                raise KeyboardInterrupt
            later.append(server.chat().headers["x-generation-id"])

        monkeypatch.setattr(logs.time, "sleep", rest)
        shown = run("logs", "--follow", "--limit", "3", "--json").stdout.splitlines()
    assert [json.loads(line)["generation"] for line in shown] == [*ids[1:], *later]
