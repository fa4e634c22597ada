"""A browser of the console, as far as requests go: cookie, CSRF token, the headers that it adds."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serving import PATIENCE, Answer, RunningServer, running_server

PASSWORD = "correct horse battery"
_COOKIE = re.compile(r"__Host-seekroute=([^;]*)")


@dataclass
class Browser:
    """One person's browser."""

    port: int
    host: str = ""
    cookie: str = ""
    csrf: str = ""
    orgs: list[dict[str, Any]] = field(default_factory=list)

    def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        """One request of a page. `path` is below `/api/console`, unless it begins with `//`."""
        sent = {"Host": self.host or f"localhost:{self.port}", "Sec-Fetch-Site": "same-origin"}
        if self.cookie:
            sent["Cookie"] = f"__Host-seekroute={self.cookie}"
        if method != "GET":
            sent["Content-Type"] = "application/json"
            if self.csrf:
                sent["X-CSRF-Token"] = self.csrf
        sent |= headers or {}
        sent = {name: value for name, value in sent.items() if value}
        whole = path[1:] if path.startswith("//") else f"/api/console{path}"
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, whole, data, sent)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            answer = Answer(response.status, found, response.read())
        if set_cookie := _COOKIE.search(found.get("set-cookie", "")):
            self.cookie = set_cookie[1].strip('"')
            told = answer.json() if answer.body else {}
            self.csrf = told.get("csrf", "")
            self.orgs = told.get("orgs", self.orgs)
        return answer

    def get(self, path: str) -> Any:
        """The JSON of a page's request that has to succeed."""
        answer = self.ask("GET", path)
        assert answer.status == 200, answer
        return answer.json()

    def do(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON of a change that has to succeed."""
        answer = self.ask(method, path, body)
        assert answer.status < 300, answer
        return answer.json() if answer.body else None

    def sign_in(self, email: str, password: str = PASSWORD) -> Answer:
        """Signs in."""
        return self.ask("POST", "/session", {"email": email, "password": password})

    @property
    def org(self) -> str:
        """The path of the first organization."""
        return f"/orgs/{self.orgs[0]['id']}"


@dataclass
class ConsoleWorld:
    """A gateway with its console, and the operator's browser."""

    server: RunningServer
    operator: Browser

    def browser(self) -> Browser:
        """Somebody else's browser, who is not signed in."""
        return Browser(self.server.port)

    def person(self, role: str, *, org: str = "", email: str = "") -> Browser:
        """A person with a role in an organization (default: the operator's), signed in."""
        control = self.server.service.control
        email = email or f"{role}.{time.monotonic_ns()}@example.com"
        user = control.users.create(email, name=f"A {role}", password=PASSWORD)
        control.members.add(org or self.operator.orgs[0]["id"], user.id, role)
        browser = self.browser()
        assert browser.sign_in(email).status == 200
        return browser


def wait_for_console(server: RunningServer) -> None:
    """Returns once the console's process answers."""
    until = time.monotonic() + PATIENCE
    while Browser(server.port).ask("GET", "/setup").status != 200:
        assert time.monotonic() < until, "the console does not start"
        time.sleep(0.02)


@contextlib.contextmanager
def running_console(data_dir: Path, **settings: Any) -> Iterator[ConsoleWorld]:
    """A gateway with its console, set up by its first operator."""
    with running_server(data_dir, with_console=True, **settings) as server:
        wait_for_console(server)
        token = server.service.control.setup_token()
        operator = Browser(server.port)
        made = operator.ask(
            "POST",
            "/setup",
            {
                "token": token,
                "name": "Olivia Operator",
                "email": "olivia@example.com",
                "password": PASSWORD,
            },
        )
        assert made.status == 201, made
        yield ConsoleWorld(server, operator)
