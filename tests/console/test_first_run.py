"""The first operator, over real sockets through the gateway."""

from __future__ import annotations

import threading
from pathlib import Path

from browsing import PASSWORD, Browser, running_console, wait_for_console
from serving import running_server


def setup_body(token: str | None, n: int = 0) -> dict[str, str | None]:
    return {
        "token": token,
        "name": "Olivia",
        "email": f"olivia{n}@example.com",
        "password": PASSWORD,
    }


def test_a_newcomer_has_an_answer_three_steps_after_the_link(tmp_path: Path) -> None:
    with running_server(tmp_path, with_console=True) as server:
        wait_for_console(server)
        browser = Browser(server.port)
        assert browser.get("/setup") == {"needed": True}
        token = server.service.control.setup_token()
        told = browser.ask("POST", "/setup", setup_body(token))
        assert told.status == 201
        assert told.json()["instance_role"] == "operator"
        assert [(org["name"], org["role"]) for org in told.json()["orgs"]] == [("default", "owner")]
        told_cookie = set(told.headers["set-cookie"].split("; ")[1:])
        assert told_cookie >= {"HttpOnly", "Path=/", "SameSite=strict", "Secure"}
        assert "Domain" not in told.headers["set-cookie"]
        assert browser.get("/setup") == {"needed": False}

        made = browser.do("POST", f"{browser.org}/keys", {"name": "first"})
        server.service.sync_keys()
        answer = server.chat_with(made["key"])
        assert answer.status == 200

        (row,) = browser.get(f"{browser.org}/generations?key={made['data']['id']}")["data"]
        assert row["status"] == 200
        assert row["key_name"] == "first"
        shown = browser.get(f"{browser.org}/generations/{row['id']}")["data"]
        assert shown["settlement"] == "exact"
        assert browser.get(f"{browser.org}/overview")["keys"][0]["name"] == "first"


def test_of_fifty_at_once_one_becomes_the_operator(tmp_path: Path) -> None:
    with running_server(tmp_path, with_console=True) as server:
        wait_for_console(server)
        control = server.service.control
        token = control.setup_token()
        assert token is not None
        made = []

        def one(n: int) -> None:
            made.append(
                control.set_up(
                    token, f"o{n}@example.com", name="O", password=PASSWORD, org="default"
                )
            )

        threads = [threading.Thread(target=one, args=(n,)) for n in range(50)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert sum(each is not None for each in made) == 1
        again = Browser(server.port).ask("POST", "/setup", setup_body(token, 1))
        assert (again.status, again.code) == (404, "not_found")


def test_a_link_that_does_not_hold_makes_nobody(tmp_path: Path) -> None:
    with running_server(tmp_path, with_console=True) as server:
        wait_for_console(server)
        control = server.service.control
        old = control.setup_token()
        control.setup_token()  # voids the one before
        for token in (old, "", "x" * 43):
            refused = Browser(server.port).ask("POST", "/setup", setup_body(token))
            assert (refused.status, refused.code) == (403, "permission_denied")
            assert "setup-link" in refused.json()["error"]["message"]
        assert not control.has_people()


def test_what_is_set_up_stays_over_a_restart(tmp_path: Path) -> None:
    with running_console(tmp_path) as world:
        cookie = world.operator.cookie
    with running_server(tmp_path, with_console=True) as server:
        wait_for_console(server)
        browser = Browser(server.port, cookie=cookie)
        assert browser.get("/session")["user"]["email"] == "olivia@example.com"
        assert server.service.control.setup_token() is None
