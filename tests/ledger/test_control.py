"""The control plane on real SQLite files."""

from __future__ import annotations

import doctest
import hashlib
import hmac
import importlib
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control_support import NOW, SR, add_key, open_control
from seekroute.control import ControlError, ControlPlane, CoreKey, looks_valid, make_key
from seekroute.control.directory import write_lock


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlPlane]:
    with open_control(tmp_path / "data") as plane:
        yield plane


def core_keys(control: ControlPlane) -> dict[bytes, CoreKey]:
    return {key.mac: key for key in control.core_keys()}


def mac_of(control: ControlPlane, key: str) -> bytes:
    return hmac.digest(control.pepper, key.encode(), hashlib.sha256)


def core_key_of(control: ControlPlane, key: str) -> CoreKey:
    return core_keys(control)[mac_of(control, key)]


class Follower:
    """What a running server does: all keys once, then the feed."""

    def __init__(self, control: ControlPlane, *, limit: int = 1000) -> None:
        self._control = control
        self._limit = limit
        self._cursor = control.change_cursor()
        self.keys = core_keys(control)

    def poll(self) -> int:
        changed = 0
        while True:
            batch = self._control.changes_since(self._cursor, limit=self._limit)
            self._cursor = batch.cursor
            changed += len(batch.keys) + len(batch.removed)
            for mac in batch.removed:
                self.keys.pop(mac, None)
            self.keys.update((key.mac, key) for key in batch.keys)
            if not batch.more:
                return changed


# --- the shape of keys -------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["sk-sr-", "sr-", "sr_", "sk-r9k-", "sk-"])
def test_a_key_has_its_prefix_256_bits_and_a_checksum(prefix: str) -> None:
    key = make_key(prefix)
    assert re.fullmatch(re.escape(prefix) + "[0-9A-Za-z]{43}[0-9A-Za-z]{6}", key)
    assert looks_valid(key)
    assert make_key(prefix) != key


@given(st.integers(0, 54), st.characters(codec="utf-8"))
def test_one_wrong_character_is_noticed(position: int, char: str) -> None:
    key = make_key("sk-sr-")
    changed = key[:position] + char + key[position + 1 :]
    assert looks_valid(changed) == (changed == key)


@pytest.mark.parametrize("text", ["", "sk-sr-", "sk-sr-hello", "é" * 55, "0" * 49, "\0" * 60])
def test_other_text_is_not_a_key(text: str) -> None:
    assert not looks_valid(text)


@pytest.mark.parametrize("prefix", ["", "-", "sk", "1-", "sk sr-", "sé-", "a" * 40 + "-", "sk-\n"])
def test_a_bad_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(ControlError, match="key prefix"):
        make_key(prefix)


# --- organizations, apps, keys -----------------------------------------------------------------


def test_ids_carry_128_random_bits(control: ControlPlane) -> None:
    row, _ = add_key(control)
    app = control.apps.create("acme", name="bot")
    assert re.fullmatch("key_[0-9a-f]{32}", row.id)
    assert re.fullmatch("org_[0-9a-f]{32}", row.org_id)
    assert re.fullmatch("app_[0-9a-f]{32}", app.id)


def test_a_new_key_as_the_core_takes_it(control: ControlPlane) -> None:
    row, key = add_key(
        control, expires_at=NOW + 60, models=["deepseek/*", "openai/gpt-4o", "deepseek/*"]
    )
    assert core_key_of(control, key) == CoreKey(
        row.mac,
        row.id,
        control.orgs.get("acme").id,
        "seekroute",
        expires_at=NOW + 60,
        models=["deepseek/*", "openai/gpt-4o"],
    )
    assert row.label == f"sk-sr-...{key[-4:]}"
    assert row.created_at == NOW


def test_disable_and_enable(control: ControlPlane) -> None:
    row, key = add_key(control)
    assert control.keys.disable(row.id).disabled
    assert core_key_of(control, key).disabled == 1
    assert not control.keys.enable(row.id).disabled
    assert core_key_of(control, key).disabled == 0


def test_suspending_an_organization_disables_its_keys_only(control: ControlPlane) -> None:
    _, ours = add_key(control, "acme")
    _, theirs = add_key(control, "other")
    control.orgs.suspend("acme")
    assert core_key_of(control, ours).disabled == 1
    assert core_key_of(control, theirs).disabled == 0
    control.orgs.resume("acme")
    assert core_key_of(control, ours).disabled == 0


def test_an_apps_key_waits_for_its_approval(control: ControlPlane) -> None:
    control.orgs.create("acme")
    app = control.apps.create("acme", name="bot")
    _, key = add_key(control, app="bot")
    assert app.status == "pending"
    assert core_key_of(control, key).app_pending == 1
    control.apps.approve("bot")
    assert core_key_of(control, key).app_pending == 0
    control.apps.reject(app.id)
    assert core_key_of(control, key).app_pending == 1


@pytest.mark.parametrize("name", ["local", " local ", "Local"])
def test_nobody_is_named_as_those_without_a_key(tmp_path: Path, name: str) -> None:
    with open_control(tmp_path) as control:
        with pytest.raises(ControlError, match="without a key"):
            control.orgs.create(name)
        assert control.orgs.list() == []
        assert control.orgs.create("local team").name == "local team"


def test_a_revoked_key_is_gone_for_good(control: ControlPlane) -> None:
    row, key = add_key(control)
    control.keys.revoke(row.id)
    assert control.keys.revoke(row.id).revoked_at == NOW
    assert mac_of(control, key) not in core_keys(control)
    for change in (control.keys.enable, control.keys.disable, control.keys.roll):
        with pytest.raises(ControlError, match="is revoked, and that is final"):
            change(row.id)
    assert control.keys.get(row.id).name == "ci"


def test_a_rolled_key_keeps_its_id_and_ends_the_old_text(control: ControlPlane) -> None:
    row, old = add_key(control, models=["deepseek/*"])
    before = core_key_of(control, old)
    again, new = control.keys.roll(row.id)
    assert again.id == row.id
    assert again.last4 == new[-4:]
    assert mac_of(control, old) not in core_keys(control)
    assert core_key_of(control, new)[1:] == before[1:]


def test_a_key_is_found_by_its_text(control: ControlPlane) -> None:
    row, key = add_key(control)
    assert control.keys.get(key).id == row.id
    stranger = make_key("sk-sr-")
    for unknown in (stranger, stranger[:-1]):
        with pytest.raises(ControlError) as caught:
            control.keys.get(unknown)
        assert unknown not in str(caught.value)
    with pytest.raises(ControlError) as caught:
        control.orgs.get(stranger)
    assert stranger not in str(caught.value)


def test_names_are_stored_literally(control: ControlPlane) -> None:
    names = ["'; DROP TABLE api_keys; --", "<script>alert(1)</script>", "%s%n {0}", "[red]x[/red]"]
    for name in names:
        control.orgs.create(name)
        add_key(control, name, name=name)
    assert [org.name for org in control.orgs.list()] == sorted(names)
    assert {key.name for key in control.keys.list()} == set(names)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "\x1b[31mred", "x" * 201, "\udcff", "a\u2028b"])
def test_a_name_that_would_break_a_screen_is_refused(control: ControlPlane, name: str) -> None:
    with pytest.raises(ControlError, match="name of the organization"):
        control.orgs.create(name)


def test_an_invalid_text_as_a_name_to_find_is_refused(control: ControlPlane) -> None:
    with pytest.raises(ControlError, match="not valid Unicode"):
        control.orgs.get("\udcff")


def test_a_name_is_taken_once(control: ControlPlane) -> None:
    control.orgs.create("acme")
    control.apps.create("acme", name="bot")
    with pytest.raises(ControlError, match="already an organization named 'acme'"):
        control.orgs.create(" acme ")
    with pytest.raises(ControlError, match="already has an app named 'bot'"):
        control.apps.create("acme", name="bot")


def test_an_app_name_of_two_organizations_needs_the_organization(control: ControlPlane) -> None:
    for org in ("one", "two"):
        control.orgs.create(org)
        control.apps.create(org, name="bot")
    with pytest.raises(ControlError, match="more than an app"):
        control.apps.approve("bot")
    approved = control.apps.approve("bot", org="two")
    assert [app.status for app in control.apps.list("one")] == ["pending"]
    assert [app.id for app in control.apps.list("two")] == [approved.id]


def test_an_app_of_another_organization_is_not_found(control: ControlPlane) -> None:
    control.orgs.create("other")
    app = control.apps.create("other", name="bot")
    with pytest.raises(ControlError, match="no app"):
        add_key(control, app=app.id)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"expires_at": NOW}, "not in the future"),
        ({"expires_at": 10**15}, "after the year 9999"),
        ({"models": []}, "1 to 1000 models"),
        ({"models": ["m"] + [f"m{i}" for i in range(1000)]}, "1 to 1000 models"),
        ({"models": [""]}, "not a model id"),
        ({"models": ["*"]}, "not a model id"),
        ({"models": ["a b"]}, "not a model id"),
        ({"models": ["deepseek/chat*"]}, "not a model id"),
        ({"models": ["modèle"]}, "printable ASCII"),
        ({"name": ""}, "name of the key"),
        ({"profile": "\0"}, "name of the profile"),
        ({"prefix": "sk"}, "key prefix"),
        ({"app": "nowhere"}, "no app 'nowhere'"),
    ],
)
def test_a_bad_key_is_refused_whole(
    control: ControlPlane, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ControlError, match=message):
        add_key(control, **options)
    assert control.keys.list() == []
    assert control.change_cursor() == 0


def test_the_first_key_is_made_once(control: ControlPlane) -> None:
    made = control.keys.create_first(**SR)
    assert made is not None
    assert control.orgs.get("default").id == made[0].org_id
    assert looks_valid(made[1])
    control.keys.revoke(made[0].id)
    assert control.keys.create_first(**SR) is None


def test_key_info_has_openrouters_fields(control: ControlPlane) -> None:
    row, key = add_key(control, expires_at=NOW + 86_400)
    data = control.keys.info(row.id)["data"]
    assert data["label"] == f"sk-sr-...{key[-4:]}"
    assert data["expires_at"] == "2027-01-16T08:00:00Z"
    assert data["limit"] is None
    assert data["usage_weekly"] == 0
    assert data["rate_limit"] == {"requests": -1, "interval": "10s", "note": "deprecated"}


# --- credit lines and limits ---------------------------------------------------------------------


def test_a_new_organization_is_prepaid_and_the_operators_own_is_not(control: ControlPlane) -> None:
    assert control.orgs.create("acme").credit_line_nano == 0
    assert control.orgs.create("partner", None).credit_line_nano is None
    assert control.orgs.create("friend", credit_line=5 * 10**9).credit_line_nano == 5 * 10**9
    made = control.keys.create_first(**SR)
    assert made is not None
    assert control.orgs.get("default").credit_line_nano is None
    core = core_key_of(control, made[1])
    assert core.credit_line_nano is None


def test_a_credit_line_reaches_the_keys_of_its_organization(control: ControlPlane) -> None:
    row, _ = add_key(control)
    add_key(control, "other")
    follower = Follower(control)
    control.orgs.set_credit_line("acme", 7)
    assert follower.poll() == 1
    assert follower.keys[row.mac].credit_line_nano == 7
    control.orgs.set_credit_line(row.org_id, 7)
    assert follower.poll() == 0  # a repeated change is none
    control.orgs.set_credit_line("acme", None)
    follower.poll()
    assert follower.keys[row.mac].credit_line_nano is None


def test_a_keys_strategy_reaches_the_server(control: ControlPlane) -> None:
    row, _ = add_key(control, auto_strategy="cost")
    follower = Follower(control)
    assert follower.keys[row.mac].auto_strategy == "cost"
    assert control.keys.set_auto_strategy(row.id, "quality").auto_strategy == "quality"
    assert follower.poll() == 1
    assert follower.keys[row.mac].auto_strategy == "quality"
    control.keys.set_auto_strategy(row.id, "quality")
    assert follower.poll() == 0  # a repeated change is none
    rolled, _ = control.keys.roll(row.id)
    assert rolled.auto_strategy == "quality"
    control.keys.set_auto_strategy(row.id, None)
    follower.poll()
    assert follower.keys[rolled.mac].auto_strategy is None
    with pytest.raises(ControlError, match="balanced, cost, latency, quality; found 'best'"):
        control.keys.set_auto_strategy(row.id, "best")
    assert control.keys.get(row.id).auto_strategy is None


def test_a_keys_limit_reaches_the_server(control: ControlPlane) -> None:
    row, _ = add_key(control, limit_nano=10, limit_reset="daily", store_answers=True)
    follower = Follower(control)
    core = follower.keys[row.mac]
    assert (core.limit_nano, core.limit_reset) == (10, "daily")
    assert core.store_answers == 1
    changed = control.keys.set_limit(row.id, 20)
    assert (changed.limit_nano, changed.limit_reset) == (20, "daily")
    control.keys.set_store_answers(row.id, False)
    assert follower.poll() == 1
    core = follower.keys[row.mac]
    assert (core.limit_nano, core.limit_reset) == (20, "daily")
    assert core.store_answers == 0
    assert control.keys.set_limit(row.id, None, reset="never").limit_nano is None
    assert control.keys.get(row.id).limit_reset == "never"
    control.keys.revoke(row.id)
    with pytest.raises(ControlError, match="revoked"):
        control.keys.set_limit(row.id, 1)


@pytest.mark.parametrize("amount", [-1, 10**18 + 1])
def test_a_senseless_line_or_limit_is_refused(control: ControlPlane, amount: int) -> None:
    row, _ = add_key(control)
    cursor = control.change_cursor()
    for change in (
        lambda: control.orgs.create("x", amount),
        lambda: control.orgs.set_credit_line("acme", amount),
        lambda: control.keys.set_limit(row.id, amount),
        lambda: add_key(control, limit_nano=amount),
    ):
        with pytest.raises(ControlError, match="between 0 and a billion"):
            change()
    with pytest.raises(ControlError, match="never, daily, weekly, monthly; found 'yearly'"):
        control.keys.set_limit(row.id, 1, reset="yearly")
    assert control.change_cursor() == cursor


# --- the change feed ---------------------------------------------------------------------------


def test_another_process_changes_are_followed(tmp_path: Path) -> None:
    with open_control(tmp_path) as server, open_control(tmp_path) as command:
        row, _ = add_key(command)
        follower = Follower(server)
        assert list(follower.keys) == [row.mac]
        assert follower.poll() == 0

        command.keys.disable(row.id)
        follower.poll()
        assert follower.keys[row.mac].disabled == 1

        rolled, _ = command.keys.roll(row.id)
        follower.poll()
        assert list(follower.keys) == [rolled.mac]

        command.keys.revoke(row.id)
        follower.poll()
        assert follower.keys == {}


def test_the_version_tells_of_every_change_and_of_nothing_else(tmp_path: Path) -> None:
    with open_control(tmp_path) as server, open_control(tmp_path) as command:
        seen = {server.version()}
        for change in (
            lambda: command.orgs.create("theirs"),  # by another process
            lambda: server.orgs.create("ours"),
            lambda: command.orders.put("prune", older_than_ms=1),
        ):
            change()
            assert server.version() not in seen
            seen.add(server.version())
        command.orgs.list()
        assert server.version() in seen


def test_a_change_of_an_organization_or_app_reaches_all_its_keys(control: ControlPlane) -> None:
    control.orgs.create("acme")
    control.apps.create("acme", name="bot")
    for _ in range(5):
        add_key(control, app="bot")
    add_key(control)
    follower = Follower(control, limit=2)  # several batches
    control.orgs.suspend("acme")
    assert follower.poll() == 6
    assert all(key.disabled for key in follower.keys.values())
    control.apps.approve("bot")
    assert follower.poll() == 5
    assert not any(key.app_pending for key in follower.keys.values())


def test_a_repeated_change_is_no_change(control: ControlPlane) -> None:
    row, _ = add_key(control)
    control.keys.disable(row.id)
    cursor = control.change_cursor()
    control.keys.disable(row.id)
    control.orgs.resume("acme")
    assert control.change_cursor() == cursor


def test_the_feed_does_not_grow_with_changes(control: ControlPlane) -> None:
    row, _ = add_key(control)
    for _ in range(5):
        control.keys.disable(row.id)
        control.keys.enable(row.id)
    assert [key.mac for key in control.changes_since(0).keys] == [row.mac]


actions = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "create",
                "disable",
                "enable",
                "revoke",
                "roll",
                "suspend",
                "resume",
                "approve",
                "poll",
            ]
        ),
        st.integers(0, 3),
    ),
    max_size=20,
)


@settings(deadline=None, max_examples=50)  # real files and syncs: the time of a step says nothing
@given(actions)
def test_a_follower_ends_where_a_new_reader_starts(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    with open_control(tmp_path_factory.mktemp("data")) as control:
        control.orgs.create("acme")
        control.apps.create("acme", name="bot")
        follower = Follower(control, limit=3)
        for action, which in steps:
            keys = [key for key in control.keys.list() if not key.revoked]
            if action == "create":
                add_key(control, app="bot" if which else None)
            elif action == "suspend":
                control.orgs.suspend("acme")
            elif action == "resume":
                control.orgs.resume("acme")
            elif action == "approve":
                control.apps.approve("bot")
            elif action == "poll":
                follower.poll()
            elif keys:
                getattr(control.keys, action)(keys[which % len(keys)].id)
        follower.poll()
        assert follower.keys == core_keys(control)


def test_all_keys_are_read_page_by_page(
    control: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seekroute.control.feed.PAGE", 2)
    macs = {add_key(control)[0].mac for _ in range(4)}
    read = [key.mac for key in control.core_keys()]
    assert len(read) == 4
    assert set(read) == macs


def test_writers_in_threads_wait_for_each_other(control: ControlPlane) -> None:
    control.orgs.create("acme")
    errors: list[Exception] = []

    def run() -> None:
        try:
            for _ in range(5):
                control.keys.create("acme", name="ci", **SR)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(control.keys.list()) == 30


def test_a_writer_does_not_wait_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seekroute.control.directory._WRITE_WAIT_SECONDS", 0.0)
    with open_control(tmp_path) as control:
        with write_lock(tmp_path), pytest.raises(ControlError, match="another process has been"):
            control.orgs.create("acme")
        control.orgs.create("acme")


@pytest.mark.parametrize(
    "module", ["__init__", "errors", "directory", "key_text", "models", "orders", "plane"]
)
def test_the_examples_in_the_documentation_work(module: str) -> None:
    name = "seekroute.control" + ("" if module == "__init__" else f".{module}")
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0
    assert result.failed == 0
