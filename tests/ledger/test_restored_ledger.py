"""A ledger that was restored from an older copy: what it lacks is found, named and booked again."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from money_cli import asked, balance_of, clear, command, run, run_json
from seekroute.control import ControlPlane
from seekroute.control.booking import book, book_pending
from seekroute.control.comparison import compare, differences
from seekroute.ledger import FILE_NAME, Balance, Ledger
from seekroute.money import nano
from seekroute.server.order_check import OrderCheck
from serving import PATIENCE, RunningServer, running_server

USD = 10**9


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clear(monkeypatch, tmp_path)


def restore(data: Path, copy: Path) -> None:
    """As docs/ledger.md says."""
    for name in (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm", f"{FILE_NAME}.mark"):
        (data / name).unlink(missing_ok=True)
    shutil.copy(copy, data / FILE_NAME)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """acme paid 5 before the copy that was restored, and 7 after it."""
    data = tmp_path / "data"
    run_json("orgs", "create", "acme")
    run("credits", "add", "acme", "5", "--id", "stripe:evt_1")
    run("backup", "copy.db")
    run("credits", "add", "acme", "7", "--id", "stripe:evt_2")
    restore(data, tmp_path / "copy.db")
    return data


@pytest.fixture
def server(data: Path) -> Iterator[RunningServer]:
    with running_server(data, credits={"enabled": True}) as running:
        yield running


def acme(data: Path) -> Balance:
    with ControlPlane(data) as control:
        org = control.orgs.get("acme").id
    return balance_of(data, org)


# --- a payment that is repeated by its id ---------------------------------------------------------


def test_a_payment_that_the_ledger_lacks_is_booked_when_it_is_repeated(data: Path) -> None:
    words = ("credits", "add", "acme", "7", "--id", "stripe:evt_2")
    told = run_json(*words)
    assert (told["state"], told["result"], told["available"]) == ("booked", "ok", "12.00")
    assert acme(data).available == 12 * USD
    again = run_json(*words)
    assert (again["state"], again["result"], again["available"]) == ("booked", "exists", "12.00")
    assert acme(data).available == 12 * USD


def test_a_payment_that_the_ledger_has_is_answered_with_the_balance_of_now(data: Path) -> None:
    run("credits", "adjust", "acme", "-2", "--note", "a correction")
    told = run_json("credits", "add", "acme", "5", "--id", "stripe:evt_1")
    assert (told["result"], told["available"]) == ("exists", "3.00")
    assert acme(data).available == 3 * USD


def test_a_running_server_books_a_repeated_payment(server: RunningServer, data: Path) -> None:
    with command("credits", "add", "acme", "7", "--id", "stripe:evt_2", "--json") as process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    told = json.loads(output)
    assert (told["result"], told["available"]) == ("ok", "12.00")
    assert "the ledger did not have it" in errors


# --- found and named ------------------------------------------------------------------------------


def test_verify_names_what_the_ledger_lacks(data: Path) -> None:
    result = run("ledger", "verify", code=1)
    assert "topup stripe:evt_2 of acme: 7.00 USD" in result.stdout
    assert "stripe:evt_1" not in result.output
    assert "seekroute credits replay" in result.stderr
    told = run_json("ledger", "verify", code=1)
    assert told["ok"] is False
    assert told["rule"] == ""
    (missing,) = told["orders"]["missing"]
    assert missing["id"] == "stripe:evt_2"
    assert missing["org"] == "acme"
    assert missing["amount_nano"] == 7 * USD
    assert told["orders"]["counts"] == {"missing": 1, "differing": 0, "unknown": 0}


def test_doctor_names_what_the_ledger_lacks(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEKROUTE_MOCK", "on")  # who has paid needs a provider, or this one by name
    told = run_json("doctor", "--offline", code=1)
    (found,) = [each for each in told["findings"] if each["level"] == "failed"]
    assert found["check"] == "orders"
    assert "topup stripe:evt_2 of acme: 7.00 USD" in found["message"]
    assert "seekroute credits replay" in found["hint"]


def test_the_list_of_orders_does_not_call_it_booked(data: Path) -> None:
    states = {each["id"]: each["state"] for each in run_json("credits", "orders")}
    assert states == {"stripe:evt_1": "booked", "stripe:evt_2": "missing"}


def test_a_server_says_what_the_ledger_lacks_until_it_is_booked(
    server: RunningServer, data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def verbose() -> Any:
        answer = server.request("GET", "/readyz?verbose", with_key=False)
        assert answer.status == 200  # it serves: an order that is missing is nobody's request
        return answer.json()

    check = server.service.upkeep.order_check
    assert check is not None
    assert check.compare()
    told = verbose()
    assert told["checks"]["orders"] == "warning"
    assert "seekroute credits replay" in told["reasons"]["orders"]
    assert "stripe" not in json.dumps(told)  # health needs no key
    with command("credits", "replay", "--json") as process:
        output, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, errors
    assert [each["result"] for each in json.loads(output)["orders"]] == ["ok"]
    check.compare()
    assert verbose()["checks"]["orders"] == "ok"
    assert acme(data).available == 12 * USD


def test_entries_that_control_db_does_not_know_are_named_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEKROUTE_MOCK", "on")  # who has paid needs a provider, or this one by name
    data = tmp_path / "data"
    org = run_json("orgs", "create", "acme")["id"]
    run("backup", "copy.db", "--control", "control.db", code=1)  # no ledger yet
    run("credits", "add", "acme", "5", "--id", "stripe:evt_1")
    run("backup", "copy.db", "--control", "control.db")
    run("credits", "add", "acme", "7", "--id", "stripe:evt_2")
    for name in ("control.db", "control.db-wal", "control.db-shm"):
        (data / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "control.db", data / "control.db")
    told = run_json("ledger", "verify")  # no money is missing
    (unknown,) = told["orders"]["unknown"]
    assert (unknown["id"], unknown["org_id"], unknown["amount"]) == ("stripe:evt_2", org, "7.00")
    assert told["ok"] is True
    (found,) = [
        each
        for each in run_json("doctor", "--offline")["findings"]
        if each["check"] == "orders" and each["level"] == "warning"
    ]
    assert "stripe:evt_2" in found["message"]
    # Repeated, it is there and known again.
    assert (
        run_json("credits", "add", "acme", "7", "--id", "stripe:evt_2")["available_nano"]
        == 12 * USD
    )
    assert run_json("ledger", "verify")["orders"]["counts"]["unknown"] == 0


def test_a_refund_of_all_that_is_left_is_known_by_its_id(tmp_path: Path) -> None:
    """Also to a control.db that is older than the refund, or asked before another shell gave it."""
    data = tmp_path / "data"
    with running_server(data, credits={"enabled": True}) as server:
        generation = asked(server)
    words = ("credits", "refund", generation, "--id", "case:7")
    run("backup", "copy.db", "--control", "control.db")
    first = run_json(*words)
    assert (first["state"], first["result"]) == ("booked", "ok")
    for name in ("control.db", "control.db-wal", "control.db-shm"):
        (data / name).unlink(missing_ok=True)
    shutil.copy(tmp_path / "control.db", data / "control.db")
    for _ in range(2):
        again = run_json(*words)
        assert (again["state"], again["result"]) == ("booked", "exists")
        assert again["amount_nano"] == first["amount_nano"]
        assert again["available_nano"] == first["available_nano"]
    other = run("credits", "refund", generation, "--id", "case:8", code=1)
    assert "was refunded before" in other.stderr
    assert run_json("ledger", "verify")["orders"]["counts"]["unknown"] == 0


# --- booked again ---------------------------------------------------------------------------------


def test_replay_books_what_the_ledger_lacks_once(data: Path) -> None:
    dry = run_json("credits", "replay", "--dry-run")
    assert [(each["id"], each["state"]) for each in dry["orders"]] == [("stripe:evt_2", "missing")]
    assert acme(data).available == 5 * USD
    done = run_json("credits", "replay")
    assert [(each["id"], each["state"], each["result"]) for each in done["orders"]] == [
        ("stripe:evt_2", "booked", "ok")
    ]
    assert acme(data).available == 12 * USD
    assert run_json("credits", "replay") == {"dry_run": False, "orders": [], "more": False}
    assert acme(data).available == 12 * USD
    assert run_json("ledger", "verify")["ok"] is True
    assert "nothing is missing" in run("credits", "replay").stdout


def test_every_kind_of_order_is_booked_again(tmp_path: Path) -> None:
    """A table of all kinds; the refund of a request that is gone too is refused, and says so."""
    data = tmp_path / "data"
    with running_server(data, credits={"enabled": True}) as server:
        before = asked(server)
        run("backup", "copy.db")
        after = asked(server)
        run("credits", "adjust", "default", "3", "--note", "a present", "--id", "adjust:1")
        run("credits", "adjust", "default", "-1", "--note", "a fee", "--id", "adjust:2")
        run(
            *("credits", "adjust", "default", "-2", "--note", "reversed", "--chargeback"),
            *("--id", "chargeback:1"),
        )
        run("credits", "refund", before, "0.000000001", "--id", "refund:1")
        run("credits", "refund", after, "0.000000001", "--id", "refund:2")
        run("prune", "--older-than", "1d", "--yes")
    with Ledger(data / FILE_NAME, read_only=True) as ledger:
        whole = [each for each in ledger.entries() if each["id"].startswith(("adj", "char", "ref"))]
    restore(data, tmp_path / "copy.db")
    rehearsed = run_json("credits", "replay", "--dry-run", code=1)
    with Ledger(data / FILE_NAME, read_only=True) as ledger:
        assert not any(each["id"].startswith(("adj", "char", "ref")) for each in ledger.entries())
    done = run_json("credits", "replay", code=1)
    judged = [(each["id"], each["result"], each["error"]) for each in done["orders"]]
    assert [(each["id"], each["result"], each["error"]) for each in rehearsed["orders"]] == judged
    results = {each["id"].partition(":")[0]: each["state"] for each in done["orders"]}
    assert results.keys() == {"manual", "adjust", "chargeback", "refund"}
    assert [each["id"] for each in done["orders"]][1:] == [
        *("adjust:1", "adjust:2", "chargeback:1", "refund:1", "refund:2")
    ]
    refused = done["orders"][-1]
    assert (refused["id"], refused["state"], refused["result"]) == (
        *("refund:2", "refused"),
        "unknown",
    )
    with Ledger(data / FILE_NAME, read_only=True) as ledger:
        now = [each for each in ledger.entries() if each["id"].startswith(("adj", "char", "ref"))]
        assert ledger.verify()["rule"] == ""
    kept = ("kind", "id", "org", "note", "cash", "loss", "revenue")
    expected = [{name: each[name] for name in kept} for each in whole if each["id"] != "refund:2"]
    assert [{name: each[name] for name in kept} for each in now] == expected
    assert run_json("credits", "replay")["orders"] == []
    assert run_json("ledger", "verify")["ok"] is True


def test_a_rehearsal_judges_as_the_replay_does(tmp_path: Path) -> None:
    """Refunds are counted against what the orders before them left of the charge."""
    data = tmp_path / "data"
    with running_server(data, credits={"enabled": True}) as server:
        generation = asked(server)
        run("backup", "copy.db")
        run("credits", "refund", generation, "0.000000002", "--id", "refund:1")
    restore(data, tmp_path / "copy.db")
    run("credits", "refund", generation, "--id", "refund:2")
    said = run("credits", "replay", "--dry-run", code=1)
    assert "0 would be booked, 1 would be refused" in said.stderr
    assert "more than what is left" in said.stdout
    assert run_json("credits", "orders", "--limit", "1")[0]["id"] == "refund:2"
    assert "0 booked, 1 refused" in run("credits", "replay", code=1).stderr


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
@pytest.mark.parametrize("how", ["page", "mark"])
def test_a_broken_ledger_is_not_called_complete(
    data: Path, how: str, words: tuple[str, ...]
) -> None:
    run("credits", "replay")
    path = data / FILE_NAME
    if how == "page":
        content = bytearray(path.read_bytes())
        for at in range(4096 + 2000, len(content), 4096):  # but for the header's page
            content[at] ^= 1
        path.write_bytes(content)
    else:
        shutil.copy(data.parent / "copy.db", path)  # its mark has the number of a later entry
    told = run("credits", "replay", *words, code=1)
    assert "nothing is missing" not in told.stdout
    assert ("restore a backup" if how == "mark" else "checksum") in told.stderr


def test_a_replay_that_died_half_way_books_the_rest(data: Path) -> None:
    with ControlPlane(data) as control:
        order = control.orders.get("stripe:evt_2")
        control.orders.reopen(order)  # and here it dies
        with Ledger(data / FILE_NAME) as ledger:
            book(ledger, order)  # or here
    assert run_json("credits", "replay")["orders"] == []
    run("credits", "add", "acme", "1")  # what waits goes along
    assert acme(data).available == 13 * USD
    assert run_json("ledger", "verify")["ok"] is True


def test_an_order_that_differs_is_never_booked_again(data: Path) -> None:
    with ControlPlane(data) as control, Ledger(data / FILE_NAME) as ledger:
        org = control.orgs.get("acme").id
        ledger.topup("stripe:evt_2", org, nano("70"))
        found = compare(control.orders, ledger)
    assert found.counts == {"missing": 0, "differing": 1, "unknown": 0}
    told = run_json("ledger", "verify", code=1)
    assert told["orders"]["differing"][0]["id"] == "stripe:evt_2"
    assert run_json("credits", "replay")["orders"] == []
    assert acme(data).available == 75 * USD


def test_verify_needs_no_control_db(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    shutil.copy(tmp_path / "copy.db", folder / FILE_NAME)
    told = run_json("--data-dir", str(folder), "ledger", "verify")
    assert (told["ok"], told["orders"]) == (True, None)
    assert not (folder / "control.db").exists()
    # Nor the pepper, which is never beside a copy.
    shutil.copy(data / "control.db", folder / "control.db")
    told = run_json("--data-dir", str(folder), "ledger", "verify", code=1)
    assert told["orders"]["counts"]["missing"] == 1


# --- bounds ---------------------------------------------------------------------------------------


def test_both_sides_are_read_in_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seekroute.control.comparison.PAGE", 3)
    data = tmp_path / "data"
    with ControlPlane(data) as control:
        org = control.orgs.create("acme").id
        for number in range(10):
            control.orders.put("topup", org="acme", amount_nano=1, id=f"a:{number}")
            control.orders.put("adjust", org="acme", amount_nano=1, note="x", id=f"b:{number}")
        with Ledger(data / FILE_NAME) as ledger:
            book_pending(control.orders, ledger)
            assert list(differences(control.orders, ledger)) == []
            for number in range(10):  # ids of both kinds, between those of control.db
                ledger.topup(f"a:{number}+", org, 1)
                ledger.adjust(f"a:{number}", org, 1, "another kind of the same id")
            ledger.prune(2**50)  # ids of pruned orders are kept, and count
            ledger.topup("z", org, 1)
            found = [
                (each.what, each.kind, each.id) for each in differences(control.orders, ledger)
            ]
    expected = [("unknown", "topup", f"a:{number}+") for number in range(10)]
    expected += [("unknown", "topup", "z")]
    expected += [("unknown", "adjust", f"a:{number}") for number in range(10)]
    assert found == expected


# --- what a server says, and when it ends ---------------------------------------------------------


def said_by_server(data: Path, caplog: pytest.LogCaptureFixture) -> tuple[str, list[str]]:
    with ControlPlane(data) as control, Ledger(data / FILE_NAME) as ledger:
        check = OrderCheck(control.orders, ledger)
        assert check.compare()
        return check.reason, [each.getMessage() for each in caplog.records]


def test_an_order_of_another_amount_is_not_called_missing(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ControlPlane(data) as control:
        org = control.orgs.get("acme").id
    with Ledger(data / FILE_NAME) as ledger:
        ledger.topup("stripe:evt_2", org, 1)
    reason, lines = said_by_server(data, caplog)
    said = "1 order has other arguments in the ledger: adjust by hand"
    assert said in reason
    assert "replay" not in "".join((reason, *lines))
    assert "another one in the ledger: topup stripe:evt_2 of acme: 7.00 USD" in lines
    assert said in run("ledger", "verify", code=1).stderr


def test_one_missing_order_is_told_in_the_same_words_everywhere(
    data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    reason, lines = said_by_server(data, caplog)
    said = "1 order counts as booked and is not in the ledger, 7.00 USD in sum: seekroute credits"
    assert said in reason
    assert said in run("ledger", "verify", code=1).stderr
    assert "missing in the ledger: topup stripe:evt_2 of acme: 7.00 USD" in lines


def test_a_stop_between_two_comparisons_is_not_missed(data: Path) -> None:
    class Late(threading.Event):
        """Is asked just before somebody else stops the comparison."""

        def is_set(self) -> bool:
            found = super().is_set()
            if not found:
                check.stop()
            return found

    with ControlPlane(data) as control, Ledger(data / FILE_NAME) as ledger:
        check = OrderCheck(control.orders, ledger)
        check.reason = "something is wrong, so that it would compare again"
        check.compare = lambda: True  # type: ignore[method-assign]
        check._stopping = Late()
        thread = threading.Thread(target=check.run, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert not thread.is_alive()


def test_orders_that_are_booked_during_a_comparison_are_compared_again(data: Path) -> None:
    rounds: list[str] = []

    def compare_once() -> bool:
        rounds.append(check.reason)
        check.reason = "one is missing" if len(rounds) == 1 else ""
        check.orders_booked()
        return True

    with ControlPlane(data) as control, Ledger(data / FILE_NAME) as ledger:
        check = OrderCheck(control.orders, ledger)
        check.compare = compare_once  # type: ignore[method-assign]
        thread = threading.Thread(target=check.run, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert not thread.is_alive()  # nothing is wrong any more
        assert rounds == ["", "one is missing"]
