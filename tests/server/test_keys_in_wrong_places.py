"""A key that stands in a path, a model's name or an id is written nowhere."""

from __future__ import annotations

import logging
import os
import select
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from seekroute import _core
from seekroute.control import make_key
from seekroute.server.logs import LineWriter, configure, json_line, pretty_line
from seekroute.server.refusals import FILE_NAME
from seekroute.visible import begins_as_key, without_keys
from serving import chat_body, running_server

OWN = make_key("sk-sr-")
RANDOM = "aB3dE5gH7jK9mN1pQ3sT5"


@pytest.mark.parametrize(
    "key",
    [
        # By name: workers have to agree on what the tests are called.
        pytest.param(OWN, id="own"),
        pytest.param(make_key("acme_"), id="acme"),
        f"sk-{RANDOM}",
        f"sk-proj-{RANDOM}",
        f"sk-ant-api03-{RANDOM}",
        f"SK-{RANDOM}".upper(),
        f"gsk_{RANDOM}",
        f"xai-{RANDOM}",
        f"hf_{RANDOM}",
        f"nvapi-{RANDOM}",
        f"pplx-{RANDOM}",
        f"AIza{RANDOM}",
        f"ya29.{RANDOM}",
        f"eyJ{RANDOM}.{RANDOM}",
        f"sk%2D{RANDOM}",
    ],
)
def test_what_looks_like_a_key_is_taken_out(key: str) -> None:
    assert without_keys(f"GET /v1/{key}/chat") == "GET /v1/[key]/chat"
    assert without_keys(key) == "[key]"


@pytest.mark.parametrize(
    "text",
    [
        "POST /v1/chat/completions",
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
        "openai/gpt-4o-mini-2024-07-18",
        "task-sk-1",
        "hf-internal-testing/tiny-llama",
        "xai/xai-grok-4-fast-reasoning",
        "jina/jina_embeddings_v3_base_en",
        "me/fw-llama-v3p1-405b-instruct",
        "risk-adjusted-and-rather-long-names",
        "019ad2f4-5c1e-7c3b-8d0a-2f9b6f6f3b1e",
        "/a%20path?x=%2F",
    ],
)
def test_what_is_no_key_stays(text: str) -> None:
    assert without_keys(text) == text


def test_no_file_and_no_log_line_has_a_key_of_a_wrong_place(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    json = {"Content-Type": "application/json"}
    with running_server(tmp_path / "data") as server, caplog.at_level(logging.DEBUG):
        for answer in (
            server.request("GET", f"/v1/models/{OWN}"),
            server.request("POST", f"/{OWN}/v1/chat/completions", chat_body(), json),
            server.request("POST", "/v1/chat/completions", chat_body(model=OWN), json),
            server.request("GET", "/v1/nothing", headers={"X-Request-Id": OWN}),
            server.request("GET", f"/v1/{'x' * 90}/{OWN}"),
        ):
            assert answer.status == 404
    written = (tmp_path / "data" / FILE_NAME).read_text()
    assert written.count("[key]") >= 4
    for text in (written, caplog.text):
        assert OWN[:20] not in text


# As vendors write them; each beginning that the core knows has one here.
VENDORS = [
    *(
        f"{head}{RANDOM}"
        for head in [
            "sk-",
            "sk_",
            "sr-",
            "sr_",
            "pk-",
            "pk_",
            "rk-",
            "rk_",
            "gsk_",
            "gsk-",
            "xai-",
            "hf_",
            "hf-",
            "nvapi-",
            "pplx-",
            "ya29.",
            "ghp_",
            "ghp-",
            "gho_",
            "ghu_",
            "ghs_",
            "ghr_",
            "github_pat_",
            "glpat-",
            "fw_",
            "fw-",
            "r8_",
            "csk-",
            "tgp_",
            "rpa_",
            "vck_",
            "dop_",
            "jina_",
            "tvly-",
            "lsv2_",
            "whsec_",
            "xoxb-",
            "xoxp-",
            "xapp-",
            "bedrock-api-key-",
            "ABSK",
            "dapi",
        ]
    ),
    f"AIza{RANDOM}",
    f"eyJ{RANDOM}.{RANDOM}.{RANDOM}",
    "AKIAIOSFODNN7EXAMPLE",
    "ASIAIOSFODNN7EXAMPLE",
    OWN,
]


def test_every_beginning_of_a_key_has_an_example() -> None:
    for head in _core.key_heads():
        assert any(each.lower().startswith(head.lower()) for each in VENDORS), head
        assert begins_as_key(head + "1")


def test_no_surface_shows_a_key_that_a_client_put_anywhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    json = {"Content-Type": "application/json"}
    shown: list[str] = []  # to clients
    lines: list[str] = []  # of the log of requests
    with running_server(tmp_path / "data") as server, caplog.at_level(logging.DEBUG):
        org = server.service.control.orgs.get("default").id
        assert server.service.ledger is not None
        server.service.ledger.topup("test:1", org, 10**12)
        server.gateway.on_record(
            lambda record: lines.extend((json_line(record, "now"), pretty_line(record, "now")))
        )
        for number, key in enumerate(VENDORS):
            ids = {
                name: key
                for name in ("X-Request-Id", "X-Session-Id", "X-Trace-Id", "Idempotency-Key")
            }
            user = {"user": key, "session_id": key, "metadata": {"trace": key}}
            with_ids = chat_body(max_tokens=5, n=1, **user)
            answers = [
                server.request("POST", "/v1/chat/completions", with_ids, json | ids),
                server.request("POST", "/v1/chat/completions", chat_body(model=key), json),
                server.request("POST", "/v1/quote", chat_body(model=key), json | ids),
                server.request("GET", f"/v1/models/{key}"),
                server.request("GET", f"/v1/{key}/x", headers=ids),
            ]
            assert [each.status for each in answers] == [200, 404, 404, 404, 404], key
            assert answers[0].headers["x-request-id"] != key
            shown += [f"{each.headers} {each.body!r}" for each in answers]
            assert len(lines) >= 2 * number, "a request has no line"
        metrics = server.request("GET", "/metrics").body.decode()
    files = {
        path.name: path.read_bytes() for path in (tmp_path / "data").rglob("*") if path.is_file()
    }
    assert {"ledger.db", "control.db", FILE_NAME} <= set(files)
    for secret in {key[-16:] for key in VENDORS}:  # also where its beginning was cut off
        for text in (*shown, *lines, caplog.text, metrics):
            assert secret not in text
        for name, found in files.items():
            assert secret.encode() not in found, name


def test_an_id_that_looks_like_a_key_is_replaced(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        for sent, kept in ((f"hf_{RANDOM}", False), (f"job-1:{OWN}", False), ("job-1:a.b", True)):
            answer = server.request("GET", "/v1/models", headers={"X-Request-Id": sent})
            assert (answer.headers["x-request-id"] == sent) is kept, sent


def test_a_request_line_has_no_key() -> None:
    record: Any = SimpleNamespace(
        **dict.fromkeys(("key_id", "org_id", "model", "provider", "service_tier"), ""),
        **dict.fromkeys(("streamed", "usage_odd", "cap_ignored"), False),
        **dict.fromkeys(("attempts", "prompt_tokens", "completion_tokens", "held_nano"), 0),
        **dict.fromkeys(("cost_nano", "upstream_cost_nano"), 0),
        **dict.fromkeys(("total_ms", "first_content_ms", "overhead_ms"), 0.0),
        request_id=OWN,
        requested_model="x" * 90 + "/" + OWN,
        error="model_not_found",
        status=404,
        tried=[],
        price_revision="",
        availability="",
    )
    for line in (json_line(record, "2027-01-31T00:00:00Z"), pretty_line(record, "0" * 24)):
        assert "[key]" in line
        assert OWN[:20] not in line


def test_no_other_line_has_one_either() -> None:
    handlers, level = list(logging.root.handlers), logging.root.level
    reader, descriptor = os.pipe()
    writer = LineWriter(descriptor)
    try:
        configure(writer, "json", "info")
        logging.getLogger("anything").error("cannot open %s", OWN)
        try:
            raise ValueError(OWN)
        except ValueError:
            logging.getLogger("anything").exception("failed")
        writer.close()
        assert select.select([reader], [], [], 0)[0]
        written = os.read(reader, 65536)
    finally:
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        os.close(reader)
        os.close(descriptor)
    assert b"cannot open [key]" in written
    assert OWN[:20].encode() not in written
