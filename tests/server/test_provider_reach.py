"""Providers that cannot be reached as they are configured: who is told what, and when."""

from __future__ import annotations

import json
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

import seekroute
from bare_cli import unconfigure
from money_cli import run
from plain_http import Answer, answering
from seekroute.gateway import refuses_address
from seekroute.server.logs import LineWriter, RequestLog
from serving import running_server


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unconfigure(monkeypatch, tmp_path)


def configured(base_url: str, **fields: Any) -> None:
    own = {"base_url": base_url, "api_key": "k-1", "allow_http": True, **fields}
    Path("seekroute.json").write_text(
        json.dumps({"server": {"port": 0}, "providers": {"openai": own}})
    )


def told(*words: str, code: int) -> str:
    result = run("--config", "seekroute.json", *words, code=code)
    return str(result.stdout + result.stderr)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.0.0.7", "192.168.1.2", "169.254.169.254", "[::1]"]
)
def test_a_private_address_is_a_problem_where_it_is_not_allowed(host: str) -> None:
    configured(f"http://{host}:11434/v1")
    for words, code in ((("config", "check"), 2), (("doctor", "--offline"), 1)):
        said = told(*words, code=code)
        assert "providers.openai.base_url" in said
        assert "is private or special" in said
        assert "set providers.openai.allow_private: true" in said
    configured(f"http://{host}:11434/v1", allow_private=True)
    told("config", "check", code=0)


def test_an_ordinary_address_is_none() -> None:
    configured("http://8.8.8.8/v1")
    told("config", "check", code=0)
    # A name that nobody knows is no private address; that it is not reached is for doctor.
    configured("http://no-such-host.invalid/v1")
    told("config", "check", code=0)
    assert refuses_address("fe80::1%eth0")
    assert not refuses_address("2606:4700::1111")


def test_the_customer_hears_that_and_the_operator_why(tmp_path: Path) -> None:
    own = {"base_url": "http://127.0.0.1:9/v1", "api_key": "k", "allow_http": True}
    with running_server(tmp_path / "data", mock="off", providers={"openai": own}) as server:
        answer = server.chat()
        assert answer.status == 502
        assert answer.json()["error"]["message"] == "the provider is unavailable"
        assert b"allow_private" not in answer.body
        stream = server.chat(stream=True)
        assert b"the provider is unavailable" in stream.body
        assert server.service.ledger is not None
        row = server.service.ledger.rows()[0]
        attempts = server.service.ledger.generation(row["generation"])["attempts"]  # type: ignore[index]
        assert "mark the provider `allow_private`" in attempts[0]["words"]


def test_the_log_has_the_reason(tmp_path: Path) -> None:
    own = {"base_url": "http://127.0.0.1:9/v1", "api_key": "k", "allow_http": True}
    log = tmp_path / "log"
    with log.open("wb") as file:
        writer = LineWriter(file.fileno())
        with running_server(tmp_path / "data", mock="off", providers={"openai": own}) as server:
            requests = RequestLog(writer, "json")
            server.gateway.on_record(requests.record)
            assert server.chat().status == 502
        requests.flush()
        writer.close()
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert "allow_private" in lines[-1]["failures"][0]["words"]


def test_whoever_runs_the_gateway_in_a_program_is_told(tmp_path: Path) -> None:
    own = {"base_url": "http://127.0.0.1:9/v1", "api_key": "k", "allow_http": True}
    with (
        seekroute.Client(providers={"openai": own}, max_retries=0) as client,
        pytest.raises(seekroute.SeekrouteError, match="allow_private"),
    ):
        client.ask("Hi", "openai/gpt-4o-mini")


# --- what doctor says of them ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["/v1/chat/completions", "/v1/chat/completions/", "/chat/completions"]
)
def test_a_base_url_ends_before_the_path_of_a_request(url: str) -> None:
    configured(f"https://api.example.com{url}")
    said = told("config", "check", code=2)
    assert "ends before /chat/completions, which is appended" in said


def test_a_base_url_without_v1_is_named() -> None:
    with served() as port:
        configured(f"http://127.0.0.1:{port}", allow_private=True)
        said = told("doctor", code=1)
        assert "but below /v1" in said
        assert f"set providers.openai.base_url: http://127.0.0.1:{port}/v1" in said
        configured(f"http://127.0.0.1:{port}/v1", allow_private=True)
        told("doctor", code=0)


def served(context: ssl.SSLContext | None = None) -> AbstractContextManager[int]:
    """A provider that has its list at /v1/models, and nothing else."""

    def answer(path: str) -> Answer:
        return (200 if path == "/v1/models" else 404), {}, b'{"data": [{"id": "m"}]}'

    return answering(answer, context)


@contextmanager
def self_signed(folder: Path) -> Iterator[int]:
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    with served(context) as port:
        yield port


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_a_self_signed_certificate_is_named(tmp_path: Path) -> None:
    with self_signed(tmp_path) as port:
        configured(f"https://localhost:{port}/v1", allow_private=True)
        said = told("doctor", code=1)
        assert "its certificate is not trusted: self-signed certificate" in said
        assert "set providers.openai.ca_file" in said
        configured(f"https://localhost:{port}/v1", allow_private=True, ca_file="cert.pem")
        assert "answers; 1 model" in told("doctor", code=0)
