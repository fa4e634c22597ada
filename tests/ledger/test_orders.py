"""Orders: what commands ask of the owner of the ledger, and that each is booked once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from control_support import open_control
from seekroute.control import ControlError, ControlPlane, InstanceLock
from seekroute.control.booking import book, book_pending, carry_out
from seekroute.ledger import FILE_NAME, Balance, Ledger, LedgerError
from seekroute.money import nano

USD = 10**9


@pytest.fixture
def control(tmp_path: Path) -> Iterator[ControlPlane]:
    with open_control(tmp_path) as plane:
        plane.orgs.create("acme")
        yield plane


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / FILE_NAME) as opened:
        yield opened


def topup(control: ControlPlane, amount: int = USD, **options: Any) -> Any:
    return control.orders.put("topup", org="acme", amount_nano=amount, **options)


def balance(ledger: Ledger, control: ControlPlane) -> Balance:
    return ledger.balance(control.orgs.get("acme").id)


# --- the book of orders --------------------------------------------------------------------------


def test_orders_are_booked_in_order_with_their_results(
    control: ControlPlane, ledger: Ledger
) -> None:
    first = topup(control, 5 * USD, note='from "René" 🎁, cash')
    second = control.orders.put("adjust", org="acme", amount_nano=-7 * USD, note="O'Neil; --")
    third = control.orders.put("chargeback", org="acme", amount_nano=-USD, note="reversed")
    assert first.id.startswith("manual:")
    assert [order.id for order in control.orders.pending(2)] == [first.id, second.id]
    assert book_pending(control.orders, ledger) == 3
    assert control.orders.pending(10) == ()

    done = [control.orders.get(order.id) for order in (first, second, third)]
    assert [order.state for order in done] == ["booked"] * 3
    assert [(o.available_nano, o.held_nano, o.owed_nano) for o in done] == [
        (5 * USD, 0, 0),
        (0, 0, 2 * USD),
        (0, 0, 3 * USD),
    ]
    assert done[0].note == 'from "René" 🎁, cash'
    assert done[0].finished_at is not None
    entries = list(ledger.entries())
    assert [entry["note"] for entry in entries] == ["", "O'Neil; --", "reversed"]
    assert [entry["cash"] for entry in entries] == [-5 * USD, 0, USD]
    assert [order.n for order in control.orders.list(limit=2)] == [third.n, second.n]
    assert control.orders.list(pending=True) == []


def test_an_order_repeated_by_its_id_is_the_same_one(control: ControlPlane, ledger: Ledger) -> None:
    first = topup(control, id="stripe:evt_1")
    assert topup(control, id="stripe:evt_1") == first
    book_pending(control.orders, ledger)
    assert topup(control, id="stripe:evt_1").state == "booked"
    for other in (2 * USD, 1):
        with pytest.raises(ControlError, match="used for a different order, which is booked"):
            topup(control, other, id="stripe:evt_1")
    control.orgs.create("other")
    with pytest.raises(ControlError, match="a different order"):
        control.orders.put("topup", org="other", amount_nano=USD, id="stripe:evt_1")
    assert book_pending(control.orders, ledger) == 0
    assert balance(ledger, control) == Balance(USD, 0, 0)


def test_a_refused_order_says_why_and_frees_its_id(control: ControlPlane, ledger: Ledger) -> None:
    def refund(generation: str) -> Any:
        return control.orders.put("refund", generation=generation, amount_nano=1, id="refund:1")

    refund("gen-nothing")
    assert book_pending(control.orders, ledger) == 1
    refused = control.orders.get("refund:1")
    assert (refused.state, refused.result) == ("refused", "unknown")
    assert refused.error is not None
    assert "nothing to refund" in refused.error
    assert refund("gen-other").state == "pending"
    assert list(ledger.entries()) == []


def test_an_id_of_the_ledger_with_other_arguments_is_refused(
    control: ControlPlane, ledger: Ledger
) -> None:
    ledger.topup("manual:1", control.orgs.get("acme").id, 5)
    topup(control, 6, id="manual:1")
    book_pending(control.orders, ledger)
    refused = control.orders.get("manual:1")
    assert (refused.state, refused.result) == ("refused", "conflict")
    # Booked before, though control.db did not know: a restored copy, say.
    topup(control, 5, id="manual:1")
    book_pending(control.orders, ledger)
    assert control.orders.get("manual:1").state == "booked"
    assert balance(ledger, control).available == 5


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("gift", {"org": "acme", "amount_nano": 1}, "no order 'gift'"),
        ("topup", {"org": "acme", "amount_nano": 0}, "amount is 0"),
        ("topup", {"org": "acme", "amount_nano": -1}, "amount is negative"),
        ("topup", {"org": "acme", "amount_nano": 10**18 + 1}, "a billion"),
        ("topup", {"org": "nobody", "amount_nano": 1}, "no organization 'nobody'"),
        ("topup", {"org": "acme", "amount_nano": 1, "id": ""}, "1 to 200 printable"),
        ("topup", {"org": "acme", "amount_nano": 1, "id": "é"}, "1 to 200 printable"),
        ("topup", {"org": "acme", "amount_nano": 1, "id": "x" * 201}, "1 to 200 printable"),
        ("topup", {"org": "acme", "amount_nano": 1, "note": "a\nb"}, "control characters"),
        ("topup", {"org": "acme", "amount_nano": 1, "note": "x" * 501}, "501 characters"),
        ("adjust", {"org": "acme", "amount_nano": 1, "note": " "}, "note is empty"),
        ("chargeback", {"org": "acme", "amount_nano": -1}, "note is empty"),
        ("refund", {"generation": "g", "amount_nano": -1}, "amount is negative"),
    ],
)
def test_a_bad_order_is_refused_before_it_is_stored(
    control: ControlPlane, kind: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ControlError, match=message):
        control.orders.put(kind, **options)
    assert control.orders.list() == []


# --- booked once ---------------------------------------------------------------------------------


def test_a_death_between_booking_and_saying_so_books_once(
    control: ControlPlane, tmp_path: Path
) -> None:
    order = topup(control)
    with Ledger(tmp_path / FILE_NAME) as ledger:
        book(ledger, order)  # and here the process ends: control.db was told nothing
    assert control.orders.get(order.id).state == "pending"
    done = carry_out(control.orders, tmp_path, order)
    assert (done.state, done.result, done.available_nano) == ("booked", "exists", USD)
    with Ledger(tmp_path / FILE_NAME, read_only=True) as reader:
        assert [entry["id"] for entry in reader.entries()] == [order.id]


def test_a_prune_reports_what_went(control: ControlPlane, ledger: Ledger) -> None:
    for _ in range(3):
        topup(control)
    control.orders.put("prune", older_than_ms=2**50)
    assert book_pending(control.orders, ledger) == 4
    (done, *_) = control.orders.list()
    assert (done.state, done.pruned_entries, done.pruned_requests) == ("booked", 2, 0)
    assert balance(ledger, control).available == 3 * USD


def test_a_look_has_a_bound(control: ControlPlane, ledger: Ledger) -> None:
    for _ in range(5):
        topup(control)
    assert book_pending(control.orders, ledger, limit=2) == 2
    assert len(control.orders.pending(10)) == 3


def test_an_order_waits_while_another_process_has_the_directory(
    control: ControlPlane, tmp_path: Path
) -> None:
    order = topup(control)
    with InstanceLock(tmp_path):
        with pytest.raises(ControlError, match=rf"no answer .* {order.id} is stored"):
            carry_out(control.orders, tmp_path, order, wait_s=0)
        assert book_pending(control.orders, None) == 0  # a server without a ledger
        with pytest.raises(ControlError, match=r"keeps no ledger: set credits\.enabled"):
            carry_out(control.orders, tmp_path, order, wait_s=0)
    assert carry_out(control.orders, tmp_path, order).state == "booked"


def test_an_order_waits_while_the_ledger_cannot_be_written(
    control: ControlPlane, tmp_path: Path
) -> None:
    order, later = topup(control), topup(control)
    path = tmp_path / FILE_NAME
    path.write_bytes(b"not a database at all" * 500)
    with pytest.raises(LedgerError, match=f"{order.id} is stored"):
        carry_out(control.orders, tmp_path, order)
    path.unlink()
    assert carry_out(control.orders, tmp_path, order).state == "booked"
    assert control.orders.get(later.id).state == "booked"  # what waited went along


def test_commands_at_the_same_time_book_each_order_once(
    control: ControlPlane, tmp_path: Path
) -> None:
    gate = threading.Barrier(8)
    states: list[str] = []

    def run(number: int) -> None:
        with open_control(tmp_path) as own:
            gate.wait()
            order = topup(own, 1 << number)
            states.append(carry_out(own.orders, tmp_path, order).state)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert states == ["booked"] * 8
    with Ledger(tmp_path / FILE_NAME, read_only=True) as reader:
        assert balance(reader, control).available == 255
        assert len(list(reader.entries())) == 8
        assert reader.verify()["rule"] == ""


# --- amounts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "Infinity",
        "0.0000000001",
        "1000000000.00000000000000000000000000001",
        "$5",
        "1 2",
        "sNaN",
        "9" * 99,
        "1e99999999",
        "1e-99999999",
    ],
)
def test_an_amount_that_would_be_rounded_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"amount|places"):
        nano(text)


@pytest.mark.parametrize(
    "text", ["1_5", "1e3", "1E-3", "\uff11", "\u0661", "0x5", "- 5", "", ".", "+", "nan"]
)
def test_an_amount_is_a_plain_number(text: str) -> None:
    """A slip of the hand is no other amount: 1_5 is not 15."""
    with pytest.raises(ValueError, match="not an amount"):
        nano(text)


def test_ids_that_the_gateway_itself_gives_are_nobody_elses(control: ControlPlane) -> None:
    with pytest.raises(ControlError, match="undelivered:"):
        control.orders.put("refund", generation="gen-1", amount_nano=1, id="undelivered:gen-1")
