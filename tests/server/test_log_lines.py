"""Whatever a client writes into its request, it writes no line of the log."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from seekroute.server.logs import LineWriter, LogFormat, configure, json_line, pretty_line
from serving import RunningServer, chat_body, running_server

FORGED = "2026-01-01T00:00:00Z [error] forged"
ENDS = ["\n", "\r", "\r\n", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"]
FORMATS: list[LogFormat] = ["json", "pretty"]


class Log:
    """What a log writes, line by line, as whoever reads it splits it."""

    def __init__(self, log_format: LogFormat) -> None:
        self._read, self._write = os.pipe()
        os.set_blocking(self._read, False)
        self._writer = LineWriter(self._write)
        self.logger = configure(self._writer, log_format, "info")

    def close(self) -> list[str]:
        self._writer.close()
        os.close(self._write)
        with os.fdopen(self._read, "rb") as file:
            return (file.read() or b"").decode().splitlines()


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("end", ENDS, ids=ascii)
def test_a_field_of_any_line_stays_on_it(log_format: LogFormat, end: str) -> None:
    text = f"a{end}{FORGED}"
    log = Log(log_format)
    logging.getLogger("seekroute.server").warning("no such path: %s", text)
    log.logger.warning(text, model=text, user_agent=text)
    lines = log.close()
    assert len(lines) == 2
    assert all("forged" in each for each in lines)
    assert not any(each.startswith(FORGED) for each in lines)


@pytest.mark.parametrize("log_format", FORMATS)
def test_what_an_error_quotes_is_no_line_of_the_log(log_format: LogFormat) -> None:
    log = Log(log_format)
    try:
        raise ValueError(f"a\n{FORGED}")
    except ValueError:
        logging.getLogger("seekroute.http").exception("the application failed")
    lines = log.close()
    assert any("forged" in each for each in lines)
    assert not any(each.startswith("2026-01-01") for each in lines)


@pytest.mark.parametrize("end", ENDS, ids=ascii)
def test_a_field_of_a_request_stays_on_its_line(end: str) -> None:
    text = f"a{end}{FORGED}"
    names = "request_id key_id org_id requested_model provider error service_tier price_revision"
    numbers = "attempts prompt_tokens completion_tokens cost_nano upstream_cost_nano total_ms"
    record = SimpleNamespace(
        **dict.fromkeys(names.split(), text),
        **dict.fromkeys(numbers.split(), 1),
        model="",
        status=500,
        streamed=False,
        usage_odd=False,
        cap_ignored=False,
        first_content_ms=0.0,
        overhead_ms=0.0,
        availability=json.dumps({"excluded": [{"excluded_by": text}]}),
        tried=[(text, 500, text, 1.0, text)],
    )
    for line in (json_line, pretty_line):
        written = line(record, "2026-01-01T00:00:00.000Z")
        assert len(written.splitlines()) == 1
        assert "forged" in written


def test_a_line_tells_why_nobody_could_serve_a_request() -> None:
    record = SimpleNamespace(
        **dict.fromkeys(
            ["request_id", "key_id", "org_id", "provider", "service_tier", "price_revision"], ""
        ),
        **dict.fromkeys(["attempts", "prompt_tokens", "completion_tokens"], 0),
        **dict.fromkeys(["cost_nano", "upstream_cost_nano", "total_ms"], 0),
        **dict.fromkeys(["streamed", "usage_odd", "cap_ignored"], False),
        **dict.fromkeys(["first_content_ms", "overhead_ms"], 0.0),
        requested_model="a/m",
        model="a/m",
        error="no_upstream",
        status=503,
        tried=[],
        availability=json.dumps(
            {"excluded": [{"excluded_by": word} for word in ("ejected", "dead_key", "ejected")]}
        ),
    )
    now = "2026-01-01T00:00:00.000Z"
    assert json.loads(json_line(record, now))["left_out"] == ["ejected", "dead_key"]
    line = pretty_line(record, now)
    assert line.startswith(f"{now}  503  a/m  ")
    assert "  no_upstream (ejected, dead_key)  " in line


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("log")) as running:
        yield running


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_client_writes_no_line_over_the_wire(
    server: RunningServer, log_format: LogFormat
) -> None:
    log = Log(log_format)
    for end in ("%0a", "%0d%0a", "%c2%85", "%e2%80%a8"):
        path = f"/x{end}{FORGED.replace(' ', '%20')}"
        agent = {"User-Agent": "x\x85y", "Content-Type": "application/json"}
        assert server.request("GET", path, headers=agent).status == 404
        model = chat_body(model=f"x\n{FORGED}")
        assert server.request("POST", "/v1/chat/completions", model, agent).status == 404
    lines = log.close()
    said = [each for each in lines if "no such path" in each]
    assert len(said) == 4
    assert not any(each.startswith(FORGED) for each in lines)
    if log_format == "json":
        assert all("forged" in json.loads(each)["msg"] for each in said)
