"""Second factors: codes of an app, and recovery codes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest

from browsing import PASSWORD, Browser, ConsoleWorld, running_console
from control_support import open_control
from seekroute.control import ControlError, ControlPlane
from seekroute.control.audit import Actor

BY = Actor("user", "user_x", "x@example.com")


def with_app(console: ConsoleWorld, email: str) -> tuple[Browser, str, list[str]]:
    """A person with a second factor: its browser, seed and recovery codes."""
    browser = console.person("member", email=email)
    begun = browser.do("POST", "/me/totp")
    assert begun["svg"].startswith("<svg")
    assert begun["uri"].startswith("otpauth://totp/seekroute:")
    wrong = browser.ask("POST", "/me/totp/confirm", {"code": "000000x"})
    assert wrong.code == "invalid_value"
    code = pyotp.TOTP(begun["secret"]).now()
    told = browser.do("POST", "/me/totp/confirm", {"code": code})
    assert len(set(told["recovery_codes"])) == 10
    return browser, begun["secret"], told["recovery_codes"]


def test_a_password_alone_signs_nobody_in_who_has_one(console: ConsoleWorld) -> None:
    _, _, codes = with_app(console, "factor@example.com")
    browser = console.browser()
    told = browser.sign_in("factor@example.com")
    assert "set-cookie" not in told.headers
    challenge = told.json()["challenge"]
    assert browser.ask("GET", "/session").code == "not_signed_in"
    wrong = browser.ask("POST", "/session/mfa", {"challenge": challenge, "code": "123 456"})
    assert (wrong.status, wrong.json()["error"]["param"]) == (400, "code")
    body = {"challenge": challenge, "code": codes[0]}
    assert browser.ask("POST", "/session/mfa", body).status == 200
    (current,) = [each for each in browser.get("/me/sessions")["data"] if each["current"]]
    assert current["methods"] == ["password", "recovery"]
    assert console.browser().ask("POST", "/session/mfa", body).code == "not_signed_in"


def test_who_guesses_codes_has_to_wait(console: ConsoleWorld) -> None:
    """A6."""
    with_app(console, "guess.code@example.com")
    browser = console.browser()
    challenge = browser.sign_in("guess.code@example.com").json()["challenge"]
    answers = [
        browser.ask("POST", "/session/mfa", {"challenge": challenge, "code": f"00000{n}"})
        for n in range(6)
    ]
    assert answers[-1].code == "rate_limit_exceeded"


@pytest.fixture
def clock() -> list[float]:
    return [1_800_000_000.0]


@pytest.fixture
def control(tmp_path: Path, clock: list[float]) -> Iterator[ControlPlane]:
    with open_control(tmp_path / "data", clock=lambda: clock[0]) as plane:
        yield plane


def test_each_code_is_taken_once_and_one_step_late(
    control: ControlPlane, clock: list[float]
) -> None:
    """A17."""
    user = control.users.create("ann@example.com", name="Ann", password=PASSWORD)
    seed, _ = control.second_factors.begin(user.id)
    app = pyotp.TOTP(seed)
    control.second_factors.confirm(user.id, app.at(int(clock[0])), by=BY)
    assert control.second_factors.check(user.id, app.at(int(clock[0]))) is None
    clock[0] += 60
    late = app.at(int(clock[0]) - 30)
    assert control.second_factors.check(user.id, late) == "totp"
    assert control.second_factors.check(user.id, late) is None
    clock[0] += 120
    assert control.second_factors.check(user.id, app.at(int(clock[0]) - 60)) is None
    assert control.second_factors.check(user.id, app.at(int(clock[0]) + 30)) == "totp"


def test_recovery_codes_are_good_once_and_until_renewed(
    control: ControlPlane, clock: list[float]
) -> None:
    user = control.users.create("ann@example.com", name="Ann", password=PASSWORD)
    seed, _ = control.second_factors.begin(user.id)
    codes = control.second_factors.confirm(user.id, pyotp.TOTP(seed).at(int(clock[0])), by=BY)
    assert control.second_factors.check(user.id, codes[0].upper().replace("-", " ")) == "recovery"
    assert control.second_factors.check(user.id, codes[0]) is None
    assert control.second_factors.left(user.id) == 9
    renewed = control.second_factors.renew_codes(user.id, by=BY)
    assert control.second_factors.check(user.id, codes[1]) is None
    assert control.second_factors.check(user.id, renewed[0]) == "recovery"
    control.second_factors.remove(user.id)
    assert control.second_factors.check(user.id, renewed[1]) is None


def test_a_seed_that_was_moved_does_not_open(control: ControlPlane, clock: list[float]) -> None:
    """A17: whoever can write the database cannot give an account the seed of another."""
    import sqlite3

    users = [
        control.users.create(f"{name}@example.com", name=name, password=PASSWORD)
        for name in ("ann", "bob")
    ]
    seeds = []
    for user in users:
        seed, _ = control.second_factors.begin(user.id)
        control.second_factors.confirm(user.id, pyotp.TOTP(seed).at(int(clock[0])), by=BY)
        seeds.append(seed)
    with sqlite3.connect(control.path) as other:
        other.execute(
            "UPDATE users SET totp_sealed = (SELECT totp_sealed FROM users WHERE id = ?)",
            (users[1].id,),
        )
    clock[0] += 60
    assert control.second_factors.check(users[1].id, pyotp.TOTP(seeds[1]).at(int(clock[0])))
    with pytest.raises(ControlError, match="not what was stored"):
        control.second_factors.check(users[0].id, pyotp.TOTP(seeds[1]).at(int(clock[0])))


def test_beyond_this_machine_an_operator_needs_one(tmp_path: Path) -> None:
    """A18."""
    with running_console(tmp_path, console={"public_url": "https://llm.example.com"}) as world:
        operator = world.operator
        assert operator.get(f"{operator.org}/keys")["data"] != []  # as the owner it is
        refused = operator.ask("GET", "/admin/orgs")
        assert (refused.status, refused.code) == (403, "permission_denied")
        assert "second factor" in refused.json()["error"]["message"]
        begun = operator.do("POST", "/me/totp")
        code = pyotp.TOTP(begun["secret"]).at(int(time.time()))
        operator.do("POST", "/me/totp/confirm", {"code": code})
        assert operator.ask("GET", "/admin/orgs").status == 200
