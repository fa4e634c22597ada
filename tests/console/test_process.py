"""The console's process: what it holds, and what becomes of the gateway without it."""

from __future__ import annotations

import json
import os
import signal
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from browsing import PASSWORD, Browser, ConsoleWorld, running_console, wait_for_console
from eventually import eventually
from seekroute.cli.root import app
from serving import running_server


def test_it_holds_no_providers_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A25: neither in its environment nor in its memory."""
    secret = "sk-canary-0123456789abcdef"
    monkeypatch.setenv("OPENAI_API_KEY", secret)
    with running_console(tmp_path, providers={"openai": {"api_key": secret}}) as world:
        console = world.server.service.console
        assert console is not None
        pid = console.pid
        assert secret.encode() not in Path(f"/proc/{pid}/environ").read_bytes()
        assert not in_memory(pid, secret.encode())
        assert in_memory(os.getpid(), secret.encode())  # or the search finds nothing at all
        mode = (tmp_path / "console.sock").stat().st_mode
        assert stat.S_IMODE(mode) == 0o600


def in_memory(pid: int | None, text: bytes) -> bool:
    """Whether the text stands in what a process may write to."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if not rights.startswith("rw"):
                continue
            begin, end = (int(each, 16) for each in span.split("-"))
            try:
                memory.seek(begin)
                if text in memory.read(end - begin):
                    return True
            except OSError:
                continue
    return False


def test_inference_goes_on_without_it_and_it_comes_back(tmp_path: Path) -> None:
    """A26."""
    with running_console(tmp_path) as world:
        server, console = world.server, world.server.service.console
        assert console is not None
        first = console.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        eventually(lambda: not console.is_up)
        refused = world.operator.ask("GET", "/session")
        assert (refused.status, refused.code) == (503, "console_unavailable")
        assert int(refused.headers["retry-after"]) >= 1
        assert server.chat().status == 200
        wait_for_console(server)
        assert console.pid != first
        assert world.operator.ask("GET", "/session").status == 200


def test_it_ends_with_the_gateway(tmp_path: Path) -> None:
    with running_server(tmp_path, with_console=True) as server:
        wait_for_console(server)
        console = server.service.console
        assert console is not None
        pid = console.pid
    assert not Path(f"/proc/{pid}").exists()
    assert not (tmp_path / "console.sock").exists()


def test_a_body_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with running_console(tmp_path) as world:
        body = b'{"name":"' + b"x" * (1 << 20) + b'"}'
        refused = world.operator.ask("POST", f"{world.operator.org}/keys", body)
        assert (refused.status, refused.code) == (413, "request_too_large")


def test_what_a_client_says_of_itself_is_not_believed(tmp_path: Path) -> None:
    """The headers by which the gateway tells who asks are the gateway's alone."""
    with running_server(tmp_path, with_console=True) as server:
        wait_for_console(server)
        browser = Browser(server.port, host="llm.example.com")
        forged = {"X-Seekroute-Scheme": "https", "X-Seekroute-Client": "192.0.2.1"}
        answer = browser.ask("GET", "/setup", headers=forged)
        assert (answer.status, answer.code) == (421, "invalid_host")
        token = server.service.control.setup_token()
        body = {"token": token, "name": "O", "email": "o@example.com", "password": "a long secret"}
        made = Browser(server.port).ask("POST", "/setup", body, forged)
        assert made.status == 201
        assert "strict-transport-security" not in made.headers
        row = server.service.control.audit.list(limit=1)[0]
        assert row.address == "127.0.0.1"


def test_a_head_is_answered_without_a_body(console: ConsoleWorld) -> None:
    answer = console.browser().ask("HEAD", "//console/", headers={"Content-Type": ""})
    assert (answer.status, answer.body) == (200, b"")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_a_browser_is_led_to_the_pages_and_a_program_is_not(console: ConsoleWorld) -> None:
    browser = console.browser()
    led = browser.ask("GET", "//", headers={"Accept": "text/html,*/*"})
    assert (led.status, led.headers["location"]) == (302, "/console/")
    assert browser.ask("GET", "//", headers={"Accept": "*/*"}).status == 404


def test_behind_tls_people_sign_in_by_the_public_name(tmp_path: Path) -> None:
    """Whoever ends TLS in front passes plain http on: the name says how a browser has come."""
    settings = {"console": {"public_url": "https://llm.example.com"}}
    with running_console(tmp_path, **settings) as world:
        browser = Browser(world.server.port, host="llm.example.com")
        told = browser.sign_in("olivia@example.com")
        assert told.status == 200
        assert "max-age" in told.headers["strict-transport-security"]
        older = {"Sec-Fetch-Site": "", "Origin": "https://llm.example.com"}
        assert browser.ask("PATCH", "/me", {"name": "O"}, older).status == 200
        older["Origin"] = "http://llm.example.com"
        assert browser.ask("PATCH", "/me", {"name": "O"}, older).code == "csrf_failed"
        for host in ("[", "a:b:c", "other.example.com"):
            answer = Browser(world.server.port, host=host).ask("GET", "/setup")
            assert (answer.status in (400, 421), answer.code) == (True, "invalid_host")


def test_who_guesses_behind_a_proxy_stops_nobody_else(tmp_path: Path) -> None:
    server = {"trusted_proxies": ["127.0.0.1"]}
    with running_console(tmp_path, server=server) as world:
        browser = world.browser()
        guesser = {"X-Forwarded-For": "198.51.100.7"}
        for n in range(21):
            body = {"email": f"{n}@example.com", "password": "guessed and guessed"}
            answer = browser.ask("POST", "/session", body, guesser)
        assert answer.code == "rate_limit_exceeded"
        other = {"X-Forwarded-For": "198.51.100.7, 203.0.113.9"}
        body = {"email": "olivia@example.com", "password": PASSWORD}
        assert browser.ask("POST", "/session", body, other).status == 200
        assert world.server.service.control.audit.list(limit=1)[0].address == "203.0.113.9"


def test_a_reload_reaches_the_console(tmp_path: Path) -> None:
    def reload() -> Any:
        words = ["--data-dir", str(tmp_path), "config", "reload", "--json"]
        result = CliRunner().invoke(app, words, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    with running_console(tmp_path) as world:
        server, console = world.server, world.server.service.console
        assert console is not None
        first = console.pid
        assert reload()["changes"] == []
        assert console.pid == first
        endpoint = {"provider": "house", "model": "up", "price": {"input": "1", "output": "1"}}
        model = {"id": "team/one", "name": "One", "context": 1000, "endpoints": [endpoint]}
        house = {"base_url": server.mock.base_url, "allow_http": True, "allow_private": True}
        public = {"public_url": "https://llm.example.com"}
        whole = {"providers": {"house": house}, "models": [model], "console": public}
        (tmp_path / "seekroute.yaml").write_text(json.dumps(whole))
        assert reload()["needs_restart"] == ["console.public_url"]
        eventually(lambda: console.pid not in (None, first))
        wait_for_console(server)
        assert "team/one" in [each["id"] for each in world.operator.get("/models")["data"]]
        assert world.operator.get("/admin/system")["public_url"] == ""
