"""Receipts: signed by the gateway, checked offline by the customer and by the operator."""

from __future__ import annotations

import doctest
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from seekroute.api import account, receipts
from seekroute.cli.root import app
from seekroute.ledger import Ledger
from seekroute.money import nano
from serving import RunningServer, running_server

KEY = "sk-sr-a-key-of-a-customer"
PEPPER = b"p" * 32
ROW: dict[str, Any] = {
    "generation": "gen-1",
    "request_id": "req-1",
    "state": "settled",
    "org": "org_1",
    "key": "key_1",
    "model": "openai/gpt-4o-mini",
    "provider": "openai",
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "cached_tokens": 0,
    "reasoning_tokens": 7,
    "cost": 210_000,
    "held": 999_999,
    "price_revision": "2026-11-01",
    "settlement": "exact",
    "created": 1_795_000_000,
    "ended": 1_795_000_001_234,
}
SIGNED = receipts.sign(receipts.issue(ROW, PEPPER), KEY)
OPERATORS = {name for name in SIGNED if not name.endswith("signature")} | {"operator_signature"}


def changed(value: Any, position: int) -> Any:
    """The value with one character, digit or bit of it changed."""
    if isinstance(value, int):
        return value ^ (1 << position % 40)
    if value is None:
        return ""
    at = position % len(value)
    return f"{value[:at]}{chr(ord(value[at]) ^ 1)}{value[at + 1 :]}"


@pytest.mark.parametrize("name", sorted(SIGNED))
@given(position=st.integers(0, 100))
def test_any_change_of_any_member_is_found(name: str, position: int) -> None:
    forged = {**SIGNED, name: changed(SIGNED[name], position)}
    assert forged != SIGNED
    with pytest.raises(receipts.ReceiptError):
        receipts.check_signature(receipts.parse(receipts.serialize(forged)), KEY)
    if name in OPERATORS:
        with pytest.raises(receipts.ReceiptError):
            receipts.check_operator(receipts.parse(receipts.serialize(forged)), PEPPER)


@pytest.mark.parametrize("name", sorted(SIGNED))
def test_a_member_less_or_more_is_found(name: str) -> None:
    without = {key: value for key, value in SIGNED.items() if key != name}
    for forged in (without, {**SIGNED, f"{name}2": SIGNED[name]}):
        for check, secret in ((receipts.check_signature, KEY), (receipts.check_operator, PEPPER)):
            if name == "signature" and forged is without and secret == PEPPER:
                check(forged, secret)  # what the operator issues has none
                continue
            with pytest.raises(receipts.ReceiptError):
                check(forged, secret)


@given(position=st.integers(0, len(receipts.serialize(SIGNED)) - 1), bit=st.integers(0, 7))
def test_any_bit_of_its_bytes_counts(position: int, bit: int) -> None:
    text = bytearray(receipts.serialize(SIGNED))
    text[position] ^= 1 << bit
    with pytest.raises(receipts.ReceiptError):
        receipts.check_signature(receipts.parse(bytes(text)), KEY)


def test_what_is_not_changed_is_valid_in_any_order_and_spacing() -> None:
    shuffled = dict(reversed(SIGNED.items()))
    for text in (receipts.serialize(SIGNED), json.dumps(shuffled, indent=4)):
        receipts.check_signature(receipts.parse(text), KEY)
        receipts.check_operator(receipts.parse(text), PEPPER)


def test_another_key_or_gateway_does_not_verify() -> None:
    with pytest.raises(receipts.ReceiptError, match="another API key"):
        receipts.check_signature(SIGNED, KEY + "x")
    with pytest.raises(receipts.ReceiptError, match="another gateway"):
        receipts.check_operator(SIGNED, b"q" * 32)
    # The customer knows the key, so it can sign what it likes; not as the operator.
    forged = receipts.sign({**SIGNED, "charged_nano": 0}, KEY)
    receipts.check_signature(forged, KEY)
    with pytest.raises(receipts.ReceiptError, match="was changed"):
        receipts.check_operator(forged, PEPPER)


def test_canonical_bytes_are_stable() -> None:
    """What was signed years ago has to verify: a change here needs a new version."""
    row = {**ROW, "model": "m\u00fc", "provider": ""}
    issued = receipts.issue(row, PEPPER)
    body = {name: value for name, value in issued.items() if name != "operator_signature"}
    assert receipts.serialize(body) == (
        b'{"cached_tokens":0,"charged":"0.00021","charged_nano":210000,"completion_tokens":100,'
        b'"created_at":"2026-11-18T11:06:40Z","currency":"USD","ended_at":"2026-11-18T11:06:41.234Z",'
        b'"gateway_id":"' + receipts.gateway_id(PEPPER).encode() + b'",'
        b'"generation_id":"gen-1","held":"0.000999999","held_nano":999999,"key_id":"key_1",'
        b'"model":"m\\u00fc","object":"receipt","organization_id":"org_1",'
        b'"price_revision":"2026-11-01","prompt_tokens":1000,"provider":null,'
        b'"reasoning_tokens":7,"request_id":"req-1","settlement":"exact","version":1}'
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"object":"quote","version":1}',
        '{"object":"receipt"}',
        '{"object":"receipt","version":2}',
        '{"object":"receipt","version":true}',
        '{"object":"receipt","version":"1"}',
        '{"object":"receipt","version":1,"version":1}',
        '{"object":"receipt","version":1,"a":1.0}',
        '{"object":"receipt","version":1,"a":NaN}',
        '{"object":"receipt","version":1,"a":[]}',
        '{"object":"receipt","version":1,"a":{}}',
        '{"object":"receipt","version":1,"a":true}',
        '{"object":"receipt","version":1,"a":' + "9" * 5000 + "}",
        '{"a":' * 5000,
        "x" * 70_000,
        b"\xff\xfe",
    ],
)
def test_what_is_no_receipt_is_refused(text: str | bytes) -> None:
    with pytest.raises(receipts.ReceiptError, match="receipt"):
        receipts.parse(text)


def test_strange_texts_are_signed_all_the_same() -> None:
    odd = {**SIGNED, "model": "\ud800\x00\u2028\U0001f600"}
    signed = receipts.sign(odd, KEY)
    receipts.check_signature(receipts.parse(receipts.serialize(signed)), KEY)
    with pytest.raises(receipts.ReceiptError):
        receipts.check_signature({**odd, "signature": "\udfff"}, KEY)


@pytest.mark.parametrize("module", [receipts, account])
def test_examples(module: Any) -> None:
    flags = doctest.ELLIPSIS
    tried = doctest.testmod(module, optionflags=flags)
    assert tried.attempted > 0
    assert tried.failed == 0


# --- from a running gateway -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("receipts")
    with running_server(folder, credits={"enabled": True}) as running:
        assert running.service.ledger is not None
        running.service.ledger.topup(
            "test:1", running.service.control.orgs.get("default").id, nano("5")
        )
        yield running


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("SEEKROUTE_API_KEY", raising=False)

    def invoke(*words: str, code: int = 0, stdin: str | bytes | None = None, key: str = "") -> Any:
        env = {"SEEKROUTE_API_KEY": key} if key else {}
        result = CliRunner().invoke(app, ["receipt", *words], input=stdin, env=env)
        assert result.exit_code == code, result.output
        return result

    return invoke


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_a_receipt_is_verified_offline(
    server: RunningServer, run: Any, tmp_path: Path, base: str
) -> None:
    answer = server.chat()
    generation = answer.json()["id"]
    received = server.request("GET", f"{base}/receipt?id={generation}")
    assert received.status == 200
    receipt = receipts.parse(received.body)
    assert received.body == receipts.serialize(receipt)
    assert receipt["generation_id"] == generation
    assert receipt["charged"] == answer.headers["x-seekroute-cost"] or (
        nano(answer.headers["x-seekroute-cost"]) == receipt["charged_nano"]
    )
    assert server.key not in received.body.decode()
    # The same again is the same bytes.
    again = server.request("GET", f"{base}/receipt?id={generation}")
    assert again.body == received.body

    file = tmp_path / "receipt.json"
    file.write_bytes(received.body)
    data_dir = server.service.data_dir
    assert "valid, by the signature" in run("verify", str(file), key=server.key).stdout
    assert generation in run("verify", "-", stdin=received.body, key=server.key).stdout
    run("verify", str(file), "--key-stdin", stdin=f"{server.key}\n")
    run("verify", str(file), "--data-dir", data_dir, key="a-key-for-something-else")
    both = run("verify", str(file), "--data-dir", data_dir, "--key-stdin", stdin=server.key)
    assert "both signatures" in both.stdout
    said = json.loads(run("verify", str(file), "--json", key=server.key).stdout)
    assert said == {"valid": True, "receipt": receipt}

    forged = {**receipt, "charged": "0.00"}
    file.write_bytes(receipts.serialize(forged))
    for words in (["--data-dir", data_dir], []):
        key = "" if words else server.key
        result = run("verify", str(file), *words, key=key, code=1)
        assert "not valid" in result.stderr
    said = json.loads(run("verify", str(file), "--json", key=server.key, code=1).stdout)
    assert said["valid"] is False


def test_the_operator_shows_a_receipt_while_the_server_runs(
    server: RunningServer, run: Any
) -> None:
    generation = server.chat().json()["id"]
    data_dir = server.service.data_dir
    shown = run("show", generation, "--data-dir", data_dir).stdout
    receipt = receipts.parse(shown)
    assert "signature" not in receipt
    assert "no member 'signature'" in run("verify", stdin=shown, key=server.key, code=1).stderr
    run("verify", "--data-dir", data_dir, stdin=shown)
    indented = run("show", generation, "--data-dir", data_dir, "--json").stdout
    assert receipts.parse(indented) == receipt
    # What the customer has is what the operator has, and its signature on top.
    received = receipts.parse(server.request("GET", f"/v1/receipt?id={generation}").body)
    received.pop("signature")
    assert received == receipt


def test_what_cannot_be_checked_is_not_called_invalid(run: Any, tmp_path: Path) -> None:
    assert "SEEKROUTE_API_KEY" in run("verify", stdin=b"{}", code=2).stderr
    run("verify", str(tmp_path / "none.json"), key=KEY, code=2)
    run("verify", "--data-dir", str(tmp_path), stdin=receipts.serialize(SIGNED), code=2)
    assert not list(tmp_path.iterdir())  # no pepper was made
    run("verify", "--key-stdin", stdin=f"{KEY}\n", code=2)
    run("verify", stdin=b"no receipt", key=KEY, code=1)
    with Ledger(tmp_path / "ledger.db"):
        pass
    (tmp_path / "pepper").write_bytes(PEPPER)
    (tmp_path / "pepper").chmod(0o600)
    run("show", "gen-unknown", "--data-dir", str(tmp_path), code=1)


def test_what_the_process_took_with_it_has_a_receipt_without_counts() -> None:
    unknown = dict.fromkeys(
        ("prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens"), 0
    )
    row = {**ROW, **unknown, "state": "expired", "cost": 0, "settlement": "failed", "provider": ""}
    receipt = receipts.issue(row, PEPPER)
    assert (receipt["charged_nano"], receipt["settlement"]) == (0, "failed")
    assert {receipt[name] for name in unknown} == {None}
