"""Credits, generations, days and receipts through the client, and the ledger of one in process."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import seekroute
from client_modes import EMBEDDING_MODEL, IMAGE_MODEL, MODEL, Driver
from seekroute.api import receipts
from seekroute.client.account import ActivityPage, Credits, Generation, Receipt
from seekroute.ledger import Balance, Ledger, LedgerError
from seekroute.money import nano
from seekroute.testing import Text, Usage
from serving import RunningServer, running_server

REMOTE = ("remote", "remote-async")
LOCAL = ("local", "local-async")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("account"), credits={"enabled": True}) as running:
        assert running.service.ledger is not None
        org = running.service.control.orgs.get("default").id
        running.service.ledger.topup("test:1", org, nano("12.000000001"))
        yield running


@pytest.fixture(params=REMOTE)
def remote(request: pytest.FixtureRequest, server: RunningServer) -> Iterator[Driver]:
    server.mock.reset()
    address = {"base_url": server.base_url, "api_key": server.key}
    driver = Driver(request.param, lambda kind: kind(**address))
    yield driver
    driver.close()


@pytest.fixture(params=LOCAL)
def local(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Driver]:
    file = tmp_path / "spend.db"
    driver = Driver(request.param, lambda kind: kind(mock="on", ledger=file))
    yield driver
    driver.close()


def today() -> date:
    return datetime.now(UTC).date()


def test_credits_are_exact(remote: Driver) -> None:
    before = remote.run(lambda c: c.credits())
    answer = remote.run(lambda c: c.ask("Hello!", MODEL))
    after = remote.run(lambda c: c.credits())
    assert isinstance(after, Credits)
    assert isinstance(after.available, Decimal)
    assert before.total_credits == after.total_credits == Decimal("12.000000001")
    assert before.available - after.available == answer.cost > 0
    assert after.total_usage - before.total_usage == answer.cost
    assert after.owed == after.held == 0
    assert json.loads(after.to_json())["total_credits"] == 12.000000001
    assert pickle.loads(pickle.dumps(after)) == after


def test_a_generation_is_that_of_the_answer(server: RunningServer, remote: Driver) -> None:
    server.mock.queue(Text("hello", usage=Usage(1000, 100)))
    answer = remote.run(lambda c: c.ask("Hello!", MODEL))
    found = remote.run(lambda c: c.generation(answer.id))
    assert isinstance(found, Generation)
    assert found.total_cost == found.usage == answer.cost
    assert isinstance(found.held, Decimal)
    assert isinstance(found.latency, float)
    assert found.settlement == "exact"
    assert found.native_tokens_prompt == 1000
    assert found.provider_responses[0].status == 200
    with pytest.raises(seekroute.NotFoundError) as caught:
        remote.run(lambda c: c.generation("gen-unknown"))
    assert caught.value.param == "id"


def test_activity_takes_days_and_keys(remote: Driver) -> None:
    remote.run(lambda c: c.ask("Hello!", MODEL))
    page = remote.run(lambda c: c.activity(start=today()))
    assert isinstance(page, ActivityPage)
    assert page.has_more is False
    assert {row.model for row in page} == {MODEL}
    used = remote.run(lambda c: c.credits()).total_usage
    assert page.usage == used
    assert remote.run(lambda c: c.activity()).usage == 0
    (row,) = remote.run(lambda c: c.activity(date=str(today()), group_by="key"))
    assert row.usage == used
    own = remote.run(lambda c: c.activity(date=today(), key=row.key_id, limit=1, offset=0))
    assert own.usage == used
    assert len(remote.run(lambda c: c.activity(date=today(), key="key_other"))) == 0
    assert json.loads(page.to_json())["data"][0]["usage"] == float(page[0].usage)
    assert page.model_dump_json(indent=1) == page.to_json(indent=1)
    with pytest.raises(seekroute.BadRequestError) as caught:
        remote.run(lambda c: c.activity(start="tomorrow"))
    assert caught.value.param == "from"


def test_a_receipt_verifies_with_the_key(server: RunningServer, remote: Driver) -> None:
    answer = remote.run(lambda c: c.ask("Hello!", MODEL))
    receipt = remote.run(lambda c: c.receipt(answer.id))
    assert isinstance(receipt, Receipt)
    assert Decimal(receipt.charged) == answer.cost
    assert receipt.verify(server.key)
    assert not receipt.verify(server.key + "x")
    assert not Receipt({**receipt.to_dict(), "charged_nano": 0}).verify(server.key)
    assert not Receipt({"object": "receipt", "version": 1, "charged": 0.5}).verify(server.key)
    receipts.check_operator(receipts.parse(receipt.to_json()), server.service.control.pepper)


def test_vectors_and_pictures_have_a_generation_too(remote: Driver) -> None:
    for answer in (
        remote.run(lambda c: c.embeddings.create(model=EMBEDDING_MODEL, input="a cat")),
        remote.run(lambda c: c.images.generate(prompt="A cat", model=IMAGE_MODEL)),
    ):
        found = remote.run(lambda c, id=answer.id: c.generation(id))
        assert found.total_cost == answer.cost > 0
        assert pickle.loads(pickle.dumps(answer)).id == answer.id
        receipt = remote.run(lambda c, id=answer.id: c.receipt(id))
        assert Decimal(receipt.charged) == answer.cost


def test_no_other_key_sees_it(server: RunningServer, remote: Driver) -> None:
    answer = remote.run(lambda c: c.ask("Hello!", MODEL))
    control = server.service.control
    other = control.orgs.create(f"other-{remote.mode}")
    _, key = control.keys.create(other.id, name="k", profile="seekroute", prefix="sk-")
    server.service.sync_keys()
    with seekroute.Client(base_url=server.base_url, api_key=key) as stranger:
        for ask in (stranger.generation, stranger.receipt):
            with pytest.raises(seekroute.NotFoundError):
                ask(answer.id)
        assert stranger.credits().total_credits == 0


# --- in process -----------------------------------------------------------------------------------


def test_a_ledger_in_process_is_the_researchers_own(local: Driver) -> None:
    book = local.client.ledger
    assert isinstance(book, Ledger)
    assert book.topup("grant:1", "local", nano("20.5")).result == "ok"
    book.adjust("grant:2", "local", -nano("0.5"), "a fee")
    found = local.run(lambda c: c.credits())
    assert isinstance(found, Credits)
    assert (found.total_credits, found.available) == (20, 20)
    assert found.total_usage == found.owed == found.held == 0
    assert found.credit_line is None
    assert book.verify()["rule"] == ""
    assert list(local.run(lambda c: c.activity(start=today()))) == []
    with pytest.raises(seekroute.NotFoundError):
        local.run(lambda c: c.generation("gen-unknown"))
    with pytest.raises(seekroute.BadRequestError) as caught:
        local.run(lambda c: c.activity(limit=0))
    assert caught.value.param == "limit"
    with pytest.raises(seekroute.NotSupportedError):
        local.run(lambda c: c.receipt("gen-unknown"))


def test_vectors_made_in_process_have_a_generation_too(local: Driver) -> None:
    local.client.ledger.topup("grant:1", "local", nano("1"))
    vectors = local.run(lambda c: c.embeddings.create(model=EMBEDDING_MODEL, input="a cat"))
    found = local.run(lambda c: c.generation(vectors.id))
    assert (found.id, found.total_cost) == (vectors.id, vectors.cost)
    assert found.api_type == "embeddings"


def test_calls_go_on_with_a_ledger_and_it_is_kept(local: Driver) -> None:
    book = local.client.ledger
    book.topup("grant:1", "local", nano("1"))
    assert local.run(lambda c: c.ask("Hello!", MODEL)).cost > 0
    local.run(lambda c: c.close())
    with Ledger(book.path) as again:
        assert again.verify()["rule"] == ""
        balance = again.balance("local")
        assert balance.held == 0
        spent = again.account("local")["charged"]
        assert balance == Balance(nano("1") - spent, 0, 0)


def test_clients_of_one_process_share_a_ledger(local: Driver) -> None:
    path = local.client.ledger.path
    with pytest.raises(LedgerError, match="open in this process"):
        Ledger(path)
    with seekroute.Client(mock="on", ledger=path) as other:
        assert other.ledger is local.client.ledger
    assert local.run(lambda client: client.credits()).total_usage == 0
    with Ledger(path, read_only=True) as reader:
        assert reader.balances() == {}


def test_a_ledger_is_for_a_gateway_in_process(tmp_path: Path) -> None:
    for kind in (seekroute.Client, seekroute.AsyncClient):
        with pytest.raises(TypeError, match="ledger"):
            kind(base_url="https://gateway.example.com/v1", ledger=tmp_path / "spend.db")
    assert not list(tmp_path.iterdir())


def test_the_environment_does_not_take_a_ledger_elsewhere(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEEKROUTE_BASE_URL", "https://gateway.example.com/v1")
    with seekroute.Client(ledger=tmp_path / "spend.db", mock="on") as client:
        assert client.credits().total_credits == 0


def test_a_damaged_ledger_is_an_error_not_a_balance(tmp_path: Path) -> None:
    with seekroute.Client(mock="on", ledger=tmp_path / "spend.db", max_retries=0) as client:
        copy = tmp_path / "copy.db"
        client.ledger.backup(copy)
        with Ledger(copy, read_only=True) as damaged:
            with copy.open("r+b") as file:
                file.truncate(5000)
            client._backend._local.ledger = damaged  # type: ignore[attr-defined]
            with pytest.raises(seekroute.InternalServerError) as caught:
                client.credits()
        assert caught.value.code == "storage_corrupt"
        client._backend._local.ledger = client.ledger  # type: ignore[attr-defined]


def test_reading_the_ledger_does_not_stop_the_event_loop(tmp_path: Path) -> None:
    async def main() -> list[Any]:
        async with seekroute.AsyncClient(mock="on", ledger=tmp_path / "spend.db") as client:
            asked = [client.credits() for _ in range(20)]
            return await asyncio.gather(*asked, client.ask("Hello!", MODEL))

    *found, answer = asyncio.run(main())
    assert {each.total_credits for each in found} == {Decimal(0)}
    assert answer.text


def test_every_call_in_process_is_booked(local: Driver) -> None:
    answer = local.run(lambda c: c.ask("Hello!", MODEL, max_tokens=100))
    stream = local.run(
        lambda c: c.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "Hello!"}], stream=True
        )
    )
    streamed = local.of(stream.get_final_completion())
    found = local.run(lambda c: c.credits())
    assert found.total_usage == answer.cost + streamed.cost == local.client.spend > 0
    # Nothing was topped up: the researcher's own organization may owe any amount.
    assert (found.total_credits, found.owed, found.held) == (0, found.total_usage, 0)
    for each in (answer, streamed):
        told = local.run(lambda c, id=each.id: c.generation(id))
        assert told.total_cost == each.cost
        assert (told.settlement, told.key_id) == ("exact", None)
        assert told.upstream_inference_cost == each.cost
    (row,) = local.run(lambda c: c.activity(date=today()))
    assert (row.requests, row.usage) == (2, found.total_usage)
    book = local.client.ledger
    assert book.verify()["rule"] == ""
    book.topup("grant:1", "local", nano("1"))
    after = local.run(lambda c: c.credits())
    assert (after.available, after.owed) == (1 - found.total_usage, 0)
