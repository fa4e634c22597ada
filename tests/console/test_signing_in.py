"""Sessions: how they begin and end, and what slows down who guesses."""

from __future__ import annotations

import time

import pytest

from browsing import PASSWORD, ConsoleWorld


def test_a_wrong_password_and_an_unknown_account_are_told_alike(console: ConsoleWorld) -> None:
    """A5."""
    console.person("member", email="known@example.com")
    wrong = console.browser().sign_in("known@example.com", "not the password")
    unknown = console.browser().sign_in("nobody@example.com", "not the password")
    assert wrong.status == unknown.status == 401
    assert wrong.body == unknown.body
    assert "set-cookie" not in wrong.headers


def test_who_guesses_has_to_wait(console: ConsoleWorld) -> None:
    """A6: five failures of an account, and then not even the right password is taken."""
    console.person("member", email="guessed@example.com")
    browser = console.browser()
    for _ in range(5):
        assert browser.sign_in("guessed@example.com", "wrong wrong wrong").status == 401
    refused = browser.sign_in("GUESSED@example.com")
    assert (refused.status, refused.code) == (429, "rate_limit_exceeded")
    assert 0 < int(refused.headers["retry-after"]) <= 15 * 60


def test_signing_out_ends_that_session_alone(console: ConsoleWorld) -> None:
    one = console.person("member", email="two.browsers@example.com")
    other = console.browser()
    assert other.sign_in("two.browsers@example.com").status == 200
    cookie = one.cookie
    assert one.ask("DELETE", "/session").status == 204
    assert one.cookie == ""
    one.cookie = cookie
    assert one.ask("GET", "/session").code == "not_signed_in"
    assert other.ask("GET", "/session").status == 200


def test_another_password_ends_all_other_sessions(console: ConsoleWorld) -> None:
    """A7: and the session that changed it has another token from then on."""
    one = console.person("member", email="changes@example.com")
    other = console.browser()
    other.sign_in("changes@example.com")
    before = one.cookie
    wrong = one.ask("PUT", "/me/password", {"current": "no", "new": "a whole new secret"})
    assert (wrong.status, wrong.code) == (403, "permission_denied")
    one.do("PUT", "/me/password", {"current": PASSWORD, "new": "a whole new secret"})
    assert one.cookie != before
    assert one.get("/me")["data"]["email"] == "changes@example.com"
    assert other.ask("GET", "/session").code == "not_signed_in"
    assert console.browser().sign_in("changes@example.com", "a whole new secret").status == 200


def test_a_planted_cookie_is_not_taken(console: ConsoleWorld) -> None:
    """A7."""
    console.person("member", email="planted@example.com")
    browser = console.browser()
    browser.cookie = "planted"
    assert browser.sign_in("planted@example.com").status == 200
    assert browser.cookie not in ("", "planted")


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("short", "12"),
        ("x" * 129, "128"),
        ("weak@example.com", "first"),
        ("passwordpassword", "first"),
        ("aaaaaaaaaaaaaaa", "first"),
    ],
)
def test_weak_passwords_are_refused(console: ConsoleWorld, password: str, word: str) -> None:
    """A4."""
    browser = console.person("member", email=f"weak.{time.monotonic_ns()}@example.com")
    if password == "weak@example.com":
        password = browser.get("/me")["data"]["email"]
    refused = browser.ask("PUT", "/me/password", {"current": PASSWORD, "new": password})
    assert (refused.status, refused.code) == (400, "invalid_value")
    assert word in refused.json()["error"]["message"]


def test_a_reset_link_works_once(console: ConsoleWorld) -> None:
    person = console.person("member", email="forgot@example.com")
    user = person.get("/me")["data"]["id"]
    link = console.operator.do("POST", f"/admin/users/{user}/reset-link")["link"]
    token = link.partition("#")[2]
    browser = console.browser()
    weak = browser.ask("POST", "/password/reset", {"token": token, "password": "short"})
    assert weak.code == "invalid_value"
    body = {"token": token, "password": "another long secret"}
    assert browser.ask("POST", "/password/reset", body).status == 204
    assert browser.ask("POST", "/password/reset", body).status == 404
    assert person.ask("GET", "/session").code == "not_signed_in"
    assert browser.sign_in("forgot@example.com", "another long secret").status == 200


def test_sessions_are_listed_and_ended(console: ConsoleWorld) -> None:
    one = console.person("member", email="lists@example.com")
    other = console.browser()
    other.ask(
        "POST",
        "/session",
        {"email": "lists@example.com", "password": PASSWORD},
        {"User-Agent": "Other/1.0"},
    )
    rows = one.get("/me/sessions")["data"]
    assert [(row["current"], row["agent"]) for row in rows].count((False, "Other/1.0")) == 1
    (foreign,) = [row["id"] for row in rows if not row["current"]]
    assert one.ask("DELETE", f"/me/sessions/{foreign}").status == 204
    assert other.ask("GET", "/session").code == "not_signed_in"
    stranger = console.person("member")
    assert stranger.ask("DELETE", f"/me/sessions/{rows[0]['id']}").status == 404
