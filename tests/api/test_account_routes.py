"""What the owner of a key sees of its money, through real sockets: credits, key, days, requests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from seekroute.api import account, keys
from seekroute.api.call import ApiCall, Sources, Viewer
from seekroute.api.models import ModelList
from seekroute.ledger import Ledger
from seekroute.money import nano
from seekroute.testing import Gate, Status, Text, Usage
from serving import Answer, RunningServer, chat_body, post_bytes, running_server
from shared import shared_path

BOTH = ["/v1", "/api/v1"]
PATHS = ["/credits", "/key", "/activity", "/generation?id=gen-x", "/receipt?id=gen-x"]
ON: dict[str, Any] = {"credits": {"enabled": True}}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running_server(tmp_path_factory.mktemp("account"), **ON) as running:
        ledger(running).topup("test:1", org(running), nano("10"))
        yield running


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    if "server" in request.fixturenames:
        request.getfixturevalue("server").mock.reset()


def ledger(server: RunningServer) -> Ledger:
    found = server.service.ledger
    assert found is not None
    return found


def org(server: RunningServer, name: str = "default") -> str:
    return server.service.control.orgs.get(name).id


def new_key(server: RunningServer, name: str, profile: str = "seekroute") -> tuple[str, str, str]:
    """(organization's id, key's id, the key) of a new organization with a dollar."""
    made = server.service.control.orgs.create(name)
    row, key = server.service.control.keys.create(
        made.id, name="test", profile=profile, prefix="sk-sr-"
    )
    server.service.sync_keys()
    ledger(server).topup(f"test:{name}", made.id, nano("1"))
    return made.id, row.id, key


def get(server: RunningServer, path: str, key: str | None = None) -> Answer:
    return server.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else None)


def exact(answer: Answer) -> Any:
    assert answer.status == 200, answer.body
    return json.loads(answer.body, parse_float=Decimal)


def today() -> date:
    return datetime.now(UTC).date()


# --- credits --------------------------------------------------------------------------------------


def replayed(server: RunningServer, id: str) -> dict[str, Decimal]:
    """What the journal's entries say."""
    entries = [each for each in ledger(server).entries() if each["org"] == id]
    paid = sum(-e["cash"] - e["loss"] for e in entries if e["kind"] in ("topup", "adjust"))
    used = sum(e["revenue"] for e in entries if e["kind"] in ("settle", "refund"))
    sums = {name: sum(e[name] for e in entries) for name in ("available", "held", "debt")}
    usd = Decimal("1e-9")
    return {
        "total_credits": paid * usd,
        "total_usage": used * usd,
        "available": sums["available"] * usd,
        "held": sums["held"] * usd,
        "owed": -sums["debt"] * usd,
    }


@pytest.mark.parametrize("base", BOTH)
def test_credits_are_what_a_replay_of_the_journal_says(server: RunningServer, base: str) -> None:
    name = f"replay{base.replace('/', '-')}"
    id, _, key = new_key(server, name)
    book = ledger(server)
    spent = []
    for tokens in (7, 123, 100_001):
        server.mock.queue(Text("hello", usage=Usage(tokens, 11)))
        spent.append(server.chat_with(key).json()["id"])
    book.adjust(f"{name}:gift", id, nano("0.000000001"), "a gift")
    assert book.refund(f"{name}:refund", spent[1], 3).result == "ok"
    assert book.refund(f"{name}:more", spent[2], 1000).result == "ok"
    # More than there is: what cannot be taken is owed.
    book.adjust(f"{name}:back", id, nano("-1.5"), "the payment was reversed", chargeback=True)
    data = exact(get(server, f"{base}/credits", key))["data"]
    found = replayed(server, id)
    assert {name: data[name] for name in found} == found
    assert found["owed"] > 0
    assert (
        data["total_credits"]
        == data["available"] + data["held"] - data["owed"] + (data["total_usage"])
    )


def test_what_runs_is_held_and_its_generation_does_not_exist_yet(server: RunningServer) -> None:
    _, _, key = new_key(server, "running")
    gate = Gate()
    server.mock.queue(Text("one two", chunks=["one ", "two"], gate=gate))
    with server.connect() as client:
        client.sendall(
            post_bytes(chat_body(stream=True), f"Authorization: Bearer {key}", "Connection: close")
        )
        gate.release(2)
        head = client.recv(65536)
        assert b"200" in head
        (row,) = ledger(server).rows(org=org(server, "running"))
        held = exact(get(server, "/v1/credits", key))["data"]
        assert held["held"] == Decimal(row["held"]) / 10**9 > 0
        assert held["available"] == 1 - held["held"]
        for path in ("generation", "receipt"):
            assert get(server, f"/v1/{path}?id={row['generation']}", key).status == 404
        gate.open()
        while client.recv(65536):
            pass
    assert get(server, f"/v1/generation?id={row['generation']}", key).status == 200


def test_sums_survive_pruning(tmp_path: Path) -> None:
    with running_server(tmp_path, **ON) as server:
        book, id = ledger(server), org(server)
        book.topup("test:1", id, nano("2"))
        first = server.chat().json()["id"]
        server.chat()
        book.refund("test:refund", first, 5)
        before = exact(get(server, "/v1/credits"))
        entries, _ = book.prune(2**45)
        assert entries > 0
        assert exact(get(server, "/v1/credits")) == before


def test_money_is_written_without_floating_point() -> None:
    for amount in (0, 1, -1, 10**9, 123_456_789_012_345_678, -(10**18) - 1, 1_500_000_000):
        text = account.encode(account.Usd(amount)).decode()
        assert Decimal(text) == Decimal(amount).scaleb(-9)
        assert "e" not in text.lower()
        assert not text.endswith((".", "0")) or "." not in text


# --- the key --------------------------------------------------------------------------------------


def test_a_key_says_what_it_has_used(server: RunningServer) -> None:
    id, key_id, key = new_key(server, "used")
    cost = Decimal(0)
    for _ in range(3):
        cost += Decimal(server.chat_with(key).headers["x-seekroute-cost"])
    data = exact(get(server, "/v1/key", key))["data"]
    assert cost > 0
    for period in ("", "_daily", "_weekly", "_monthly"):
        assert data[f"usage{period}"] == cost
        assert data[f"byok_usage{period}"] == 0
    assert data["limit"] is data["limit_remaining"] is data["limit_reset"] is None
    # Another key of the same organization has used nothing.
    _, other = server.service.control.keys.create(id, name="b", profile="seekroute", prefix="sk-")
    server.service.sync_keys()
    assert exact(get(server, "/v1/key", other))["data"]["usage"] == 0
    assert ledger(server).rows(key=key_id)


@pytest.mark.parametrize("reset", ["daily", "weekly", "monthly", "never"])
def test_a_limit_leaves_what_charges_and_holds_do_not_take(
    server: RunningServer, reset: str
) -> None:
    _, key_id, key = new_key(server, f"limit-{reset}")
    cost = nano(server.chat_with(key).headers["x-seekroute-cost"])
    for limit, left in ((cost + 7, 7), (cost - 1, 0)):
        server.service.control.keys.set_limit(key_id, limit, reset=reset)
        server.service.sync_keys()
        data = exact(get(server, "/v1/key", key))["data"]
        assert data["limit"] == Decimal(limit).scaleb(-9)
        assert data["limit_remaining"] == Decimal(left).scaleb(-9)
        assert data["limit_reset"] == (None if reset == "never" else reset)


@pytest.mark.parametrize(
    ("at", "week", "month"),
    [
        # a Monday
        ("2027-03-01T00:00:00", ("2027-03-01", "2027-03-08"), ("2027-03-01", "2027-04-01")),
        # a Sunday
        ("2027-02-28T23:59:59", ("2027-02-22", "2027-03-01"), ("2027-02-01", "2027-03-01")),
        ("2028-01-01T12:00:00", ("2027-12-27", "2028-01-03"), ("2028-01-01", "2028-02-01")),
        ("2027-12-31T12:00:00", ("2027-12-27", "2028-01-03"), ("2027-12-01", "2028-01-01")),
    ],
)
def test_windows_begin_and_end_on_utc_days_mondays_and_firsts(
    at: str, week: tuple[str, str], month: tuple[str, str]
) -> None:
    asked: dict[str, tuple[int, int]] = {}

    class Spy:
        def key_use(self, org: str, key: str, **days: tuple[int, int]) -> dict[str, int]:
            asked.update(days)
            names = ("total", "daily", "weekly", "monthly", "window", "held")
            return dict.fromkeys(names, 0)

    moment = datetime.fromisoformat(at).replace(tzinfo=UTC)
    book: Any = Spy()
    keys.key_use(book, "o", "k", 5, "weekly", now=moment.timestamp())
    day = (moment.date() - date(1970, 1, 1)).days
    spans = {
        name: tuple((date.fromisoformat(each) - date(1970, 1, 1)).days for each in both)
        for name, both in (("week", week), ("month", month))
    }
    assert asked == {"day": (day, day + 1), **spans, "window": spans["week"]}
    keys.key_use(book, "o", "k", 5, "never", now=moment.timestamp())
    assert asked["window"] == (0, 10**9)


# --- one request ----------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BOTH)
def test_a_generation_says_what_it_cost_and_why(server: RunningServer, base: str) -> None:
    id, key_id, key = new_key(server, f"told{base.replace('/', '-')}")
    server.mock.queue(Text("hello", usage=Usage(1000, 100)))
    answer = server.chat_with(key)
    generation = answer.json()["id"]
    ledger(server).refund(f"{id}:r", generation, 42)
    data = exact(get(server, f"{base}/generation?id={generation}", key))["data"]
    cost = Decimal(answer.headers["x-seekroute-cost"])
    assert data["total_cost"] == data["usage"] == cost > 0
    assert data["upstream_inference_cost"] == cost
    assert data["refunded"] == Decimal("0.000000042")
    assert data["held"] > cost
    assert (data["settlement"], data["status"], data["error"]) == ("exact", 200, None)
    assert (data["tokens_prompt"], data["native_tokens_completion"]) == (1000, 100)
    assert (data["streamed"], data["cancelled"], data["finish_reason"]) == (False, False, "stop")
    assert data["latency"] >= data["generation_time"] >= 0
    assert (data["id"], data["api_type"]) == (generation, "completions")
    assert data["key_id"] == key_id
    assert data["request_id"] == answer.headers["x-request-id"]
    assert data["price_revision"]
    (attempt,) = data["provider_responses"]
    assert (attempt["provider_name"], attempt["status"]) == (data["provider_name"], 200)
    assert datetime.fromisoformat(data["created_at"]) <= datetime.fromisoformat(data["ended_at"])


def test_which_api_was_asked_is_unknown_once_the_model_is_gone(server: RunningServer) -> None:
    id, _, key = new_key(server, "gone")
    generation = server.chat_with(key).headers["x-generation-id"]
    nothing = ModelList({"names": {}, "providers": [], "models": []})
    answer = account.generation(
        ApiCall(Viewer(id), query=f"id={generation}"), Sources(nothing, ledger(server))
    )
    data = json.loads(answer.body)["data"]
    assert (data["id"], data["api_type"]) == (generation, None)


def test_a_failed_generation_is_told_too(server: RunningServer) -> None:
    id, _, key = new_key(server, "failed")
    server.mock.queue(Status(500), Status(500), Status(500), Status(500))
    answer = server.chat_with(key)
    assert answer.status == 502
    (row,) = ledger(server).rows(org=id)
    data = exact(get(server, f"/v1/generation?id={row['generation']}", key))["data"]
    assert (data["settlement"], data["total_cost"], data["status"]) == ("failed", 0, 502)
    assert data["error"]
    assert data["provider_responses"][0]["status"] == 500


def test_upstream_cost_is_shown_where_the_profile_shows_it(server: RunningServer) -> None:
    for profile, shown in (("seekroute", True), ("solrouter", False), ("reseller", False)):
        _, _, key = new_key(server, f"profile-{profile}", profile)
        generation = server.chat_with(key).headers["x-generation-id"]
        data = exact(get(server, f"/v1/generation?id={generation}", key))["data"]
        assert (data["upstream_inference_cost"] is not None) is shown, profile


@pytest.mark.parametrize("name", ["generation", "receipt"])
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "missing_required_parameter"),
        ("?id=", 400, "missing_required_parameter"),
        ("?id=" + "x" * 201, 400, "invalid_value"),
        ("?id=gen-1&id=gen-2", 400, "invalid_value"),
        ("?id=gen-1&color=red", 400, "invalid_value"),
        ("?" + "&".join(f"a{i}=1" for i in range(30)), 400, "invalid_value"),
        ("?id=gen-unknown", 404, "not_found"),
        ("?id=%00%ff'%22;--", 404, "not_found"),
    ],
)
def test_wrong_ids(server: RunningServer, name: str, query: str, status: int, code: str) -> None:
    answer = get(server, f"/v1/{name}{query}")
    assert (answer.status, answer.code) == (status, code)


# --- nobody else's --------------------------------------------------------------------------------


def body_without_ids(answer: Answer) -> Any:
    found = answer.json()
    found["error"].get("metadata", {}).pop("request_id", None)
    return found


@pytest.mark.parametrize("base", BOTH)
@pytest.mark.parametrize("name", ["generation", "receipt"])
def test_what_is_another_organizations_does_not_exist(
    server: RunningServer, base: str, name: str
) -> None:
    tag = f"{name}{base.replace('/', '-')}"
    mine, theirs = new_key(server, f"mine-{tag}")[2], new_key(server, f"theirs-{tag}")[2]
    ids = {key: server.chat_with(key).json()["id"] for key in (mine, theirs)}
    for asking, other in ((mine, theirs), (theirs, mine)):
        assert get(server, f"{base}/{name}?id={ids[asking]}", asking).status == 200
        foreign = get(server, f"{base}/{name}?id={ids[other]}", asking)
        unknown = get(server, f"{base}/{name}?id=gen-unknown", asking)
        assert foreign.status == unknown.status == 404
        assert body_without_ids(foreign) == body_without_ids(unknown)
        assert set(foreign.headers) == set(unknown.headers)


def test_sums_are_of_one_organization(server: RunningServer) -> None:
    _, key_id, mine = new_key(server, "sum-mine")
    _, _, theirs = new_key(server, "sum-theirs")
    server.chat_with(mine)
    assert exact(get(server, "/v1/credits", theirs))["data"]["total_usage"] == 0
    day = today()
    for query in ("", f"&key={key_id}", "&group_by=key"):
        found = exact(get(server, f"/v1/activity?from={day}{query}", theirs))
        assert found == {"data": [], "has_more": False}
        assert exact(get(server, f"/v1/activity?from={day}{query}", mine))["data"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("base", BOTH)
def test_a_key_is_needed(server: RunningServer, base: str, path: str) -> None:
    assert server.request("GET", base + path, with_key=False).status == 401
    assert get(server, base + path, "sk-sr-wrong").status == 401
    assert server.request("POST", base + path).status == 405


# --- days -----------------------------------------------------------------------------------------


def test_activity_has_a_row_a_day_and_model(server: RunningServer) -> None:
    id, key_id, key = new_key(server, "active")
    row, second = server.service.control.keys.create(
        id, name="second", profile="seekroute", prefix="sk-sr-"
    )
    server.service.sync_keys()
    cost: dict[str, Decimal] = {}
    for caller in (key, key, second):
        server.mock.queue(Text("hello", usage=Usage(1000, 100)))
        said = server.chat_with(caller).headers["x-seekroute-cost"]
        cost[caller] = cost.get(caller, Decimal(0)) + Decimal(said)
    day = today().isoformat()
    for query in (f"date={day}", f"from={day}", f"from={day}&to={day}"):
        (item,) = exact(get(server, f"/v1/activity?{query}", key))["data"]
        assert item["date"] == day
        assert item["model"] == "openai/gpt-4o-mini"
        assert (item["requests"], item["failed"]) == (3, 0)
        assert (item["prompt_tokens"], item["completion_tokens"]) == (3000, 300)
        assert item["usage"] == sum(cost.values())
    split = exact(get(server, f"/v1/activity?date={day}&group_by=key", key))["data"]
    assert {each["key_id"]: each["usage"] for each in split} == {
        key_id: cost[key],
        row.id: cost[second],
    }
    (own,) = exact(get(server, f"/v1/activity?date={day}&key={row.id}", key))["data"]
    assert own["usage"] == cost[second]
    # Pages.
    page = exact(get(server, f"/v1/activity?date={day}&group_by=key&limit=1", key))
    rest = exact(get(server, f"/v1/activity?date={day}&group_by=key&limit=1&offset=1", key))
    assert page["data"] + rest["data"] == split
    assert (page["has_more"], rest["has_more"]) == (True, False)
    # Without a query: the days that are over.
    assert exact(get(server, "/v1/activity", key))["data"] == []


class Days:
    """Notes which days are asked for."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def days(self, org: str, **fields: Any) -> list[Any]:
        self.asked.append(fields)
        return []


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("", "2027-01-31", "2027-03-01"),
        ("date=2027-03-02", "2027-03-02", "2027-03-02"),
        ("date=2026-01-01", "2026-01-01", "2026-01-01"),
        ("from=2027-02-20", "2027-02-20", "2027-03-01"),
        ("from=2027-03-02", "2027-03-02", "2027-03-02"),
        ("to=2027-02-01", "2027-01-03", "2027-02-01"),
        ("from=2026-03-01&to=2027-03-01", "2026-03-01", "2027-03-01"),
        ("to=1970-01-02", "1970-01-01", "1970-01-02"),
    ],
)
def test_which_days_are_meant(query: str, first: str, last: str) -> None:
    book = Days()
    now = datetime(2027, 3, 2, 0, 0, 1, tzinfo=UTC).timestamp()
    call = ApiCall(Viewer("o"), query=query, now=now)
    account.activity(call, Sources(None, book))  # type: ignore[arg-type]
    epoch = date(1970, 1, 1)
    asked = [epoch + timedelta(days=book.asked[0][name]) for name in ("first", "last")]
    assert [day.isoformat() for day in asked] == [first, last]


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("date=2027-02-30", "date"),
        ("date=yesterday", "date"),
        ("date=", "date"),
        ("date=20270101", "date"),
        ("date=1969-12-31", "date"),
        ("date=2027-01-01T00:00:00Z", "date"),
        ("date=%D9%A2%D9%A0%D9%A2%D9%A7-01-01", "date"),
        ("date=2027-01-01&from=2027-01-01", "from"),
        ("from=2027-01-02&to=2027-01-01", "from"),
        ("from=2026-01-01&to=2027-01-02", "from"),
        ("group_by=workspace", "group_by"),
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=1e3", "limit"),
        ("offset=-1", "offset"),
        ("api_key_hash=ab", "api_key_hash"),
        ("user_id=u", "user_id"),
        ("workspace_id=w", "workspace_id"),
        ("color=red", "color"),
        ("key=a&key=b", "key"),
    ],
)
def test_wrong_parameters_are_named(server: RunningServer, query: str, param: str) -> None:
    answer = get(server, f"/v1/activity?{query}")
    assert (answer.status, answer.code) == (400, "invalid_value")
    assert answer.json()["error"]["param"] == param


# --- quotes ---------------------------------------------------------------------------------------


def quote(server: RunningServer, key: str, **fields: Any) -> Any:
    headers = {**JSON, "Authorization": f"Bearer {key}"}
    return exact(server.request("POST", "/v1/quote", chat_body(**fields), headers))


def test_a_quote_says_whether_the_balance_is_enough(server: RunningServer) -> None:
    id, key_id, key = new_key(server, "quoted")
    found = quote(server, key, max_tokens=100)
    assert found["hold"]["min"] == found["hold"]["max"] > 0
    assert found["balance"] == {"available": 1, "spendable": 1, "affordable": True}
    answer = server.request(
        "POST",
        "/v1/chat/completions",
        chat_body(max_tokens=100),
        {**JSON, "Authorization": f"Bearer {key}"},
    )
    (row,) = ledger(server).rows(org=id)
    assert answer.status == 200
    assert Decimal(row["held"]).scaleb(-9) == found["hold"]["max"]
    # The limit of the key, a credit line, and an empty balance.
    control = server.service.control
    control.keys.set_limit(key_id, 1000, reset="daily")
    server.service.sync_keys()
    assert quote(server, key, max_tokens=100)["balance"]["affordable"] is False
    assert server.chat_with(key).status == 402
    control.keys.set_limit(key_id, None)
    control.orgs.set_credit_line(id, None)
    server.service.sync_keys()
    assert quote(server, key)["balance"]["spendable"] is None
    assert exact(get(server, "/v1/credits", key))["data"]["credit_line"] is None
    control.orgs.set_credit_line(id, 0)
    server.service.sync_keys()
    left = ledger(server).balance(id).available
    ledger(server).adjust("quoted:all", id, 1 - left, "spent elsewhere")
    balance = quote(server, key, max_tokens=100)["balance"]
    assert balance == {
        "available": Decimal("1e-9"),
        "spendable": Decimal("1e-9"),
        "affordable": False,
    }
    refused = server.chat_with(key)
    assert refused.status == 402


def test_a_quote_beyond_all_money_is_not_affordable(tmp_path: Path) -> None:
    endpoint = {"provider": "own", "model": "m", "price": {"input": "1", "output": "1000000"}}
    model = {"id": "test/huge", "context": 10**10, "endpoints": [endpoint]}
    own = {"base_url": "http://127.0.0.1:9/v1", "allow_http": True, "allow_private": True}
    with running_server(
        tmp_path, providers={"own": own}, models=[model], default_model="test/huge", **ON
    ) as server:
        _, _, key = new_key(server, "huge")
        found = quote(server, key, model="test/huge", max_tokens=2 * 10**9)
        assert found["hold"]["min"] > 10**9
        assert found["balance"]["affordable"] is False


def test_a_debt_takes_of_the_credit_line() -> None:
    def spendable(available: int, owed: int, line: int | None, left: int | None) -> Any:
        viewer = Viewer("o", line)
        return keys.balance({"available": available, "owed": owed}, viewer, left, 5)

    assert spendable(0, 7, 12, None) == {"available": 0, "spendable": 5, "affordable": True}
    assert spendable(0, 7, 11, None)["affordable"] is False
    assert spendable(3, 7, 5, None)["spendable"] == 3
    assert spendable(0, 7, None, None) == {"available": 0, "spendable": None, "affordable": True}
    assert spendable(9, 0, 0, 4) == {"available": 9, "spendable": 4, "affordable": False}
    assert spendable(9, 0, None, 4)["spendable"] == 4


def test_a_debt_is_owed_and_the_line_is_shown(server: RunningServer) -> None:
    id, _, key = new_key(server, "indebted")
    server.service.control.orgs.set_credit_line(id, nano("2"))
    server.service.sync_keys()
    ledger(server).adjust("indebted:1", id, nano("-1") + 1, "spent elsewhere")
    answer = server.chat_with(key)
    cost = Decimal(answer.headers["x-seekroute-cost"])
    # A refund repays the debt first.
    assert ledger(server).refund("indebted:2", answer.json()["id"], 5).result == "ok"
    data = exact(get(server, "/v1/credits", key))["data"]
    assert data["owed"] == cost - Decimal("6e-9")
    assert data["available"] == 0
    assert data["credit_line"] == 2
    assert data["total_usage"] == cost - Decimal("5e-9")
    told = exact(get(server, f"/v1/generation?id={answer.json()['id']}", key))["data"]
    assert told["refunded"] == Decimal("5e-9")
    assert {name: data[name] for name in replayed(server, id)} == replayed(server, id)


def test_many_ask_at_once(server: RunningServer) -> None:
    with ThreadPoolExecutor(32) as pool:
        answers = list(pool.map(lambda _: get(server, "/v1/credits"), range(100)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1


# --- shapes ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def openrouter() -> Any:
    text = shared_path("data", "api", "openrouter.openapi.yaml").read_text("utf-8")
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def without_their_providers(node: Any) -> Any:
    """The description without the list of provider names, which are OpenRouter's own."""
    if isinstance(node, list):
        return [without_their_providers(each) for each in node]
    if not isinstance(node, dict):
        return node
    return {
        name: without_their_providers(each)
        for name, each in node.items()
        if not (name == "enum" and "FakeProvider" in each)
    }


@pytest.mark.parametrize("path", ["/credits", "/key", "/generation", "/activity"])
def test_answers_fit_openrouters_description(
    server: RunningServer, openrouter: Any, path: str
) -> None:
    _, _, key = new_key(server, f"shape{path.replace('/', '-')}")
    generation = server.chat_with(key).headers["x-generation-id"]
    query = {"/generation": f"?id={generation}", "/activity": f"?date={today()}"}.get(path, "")
    operation = openrouter["paths"][path]["get"]
    schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
    whole = {**without_their_providers(schema)}
    whole["components"] = without_their_providers(openrouter["components"])
    body = get(server, f"/api/v1{path}{query}", key).json()
    errors = [error.message for error in Draft202012Validator(whole).iter_errors(body)]
    assert errors == []
    if path == "/generation":
        name = schema["$ref"].rpartition("/")[2]
        named = set(openrouter["components"]["schemas"][name]["properties"]["data"]["properties"])
        assert named <= set(body["data"])


# --- HEAD, off, broken ----------------------------------------------------------------------------


@pytest.mark.parametrize("base", BOTH)
def test_head_is_get_without_a_body(server: RunningServer, base: str) -> None:
    generation = server.chat().json()["id"]
    for path in (
        "/credits",
        "/key",
        "/activity",
        *(f"/{n}?id={generation}" for n in ("generation", "receipt")),
    ):
        asked, headed = get(server, base + path), server.request("HEAD", base + path)
        assert (headed.status, headed.body) == (200, b"")
        assert headed.headers["content-length"] == asked.headers["content-length"], path
        assert headed.headers["content-type"] == "application/json"


def test_without_a_ledger_there_is_nothing_of_it(tmp_path: Path) -> None:
    with running_server(tmp_path, credits={"enabled": False}) as server:
        for path in PATHS:
            answer = get(server, f"/v1{path}")
            if path == "/key":
                assert answer.json()["data"]["usage"] == 0
                continue
            assert (answer.status, answer.code) == (404, "not_found")
            assert "credits.enabled" in answer.json()["error"]["message"]
        assert "balance" not in quote(server, server.key)


@contextmanager
def broken(server: RunningServer, folder: Path, how: str) -> Iterator[None]:
    """Lets the server read a damaged copy of its ledger."""
    copy = folder / "copy.db"
    good = ledger(server)
    good.backup(copy)
    with Ledger(copy, read_only=True) as damaged:
        if how == "truncated":
            with copy.open("r+b") as file:
                file.truncate(4096 + 100)
        elif how == "overwritten":
            copy.write_bytes(b"not a database at all" * 5000)
        else:
            copy.unlink()
        server.service.ledger = damaged
        try:
            yield
        finally:
            server.service.ledger = good


@pytest.mark.parametrize(
    ("how", "codes"),
    [
        ("truncated", {"storage_corrupt"}),
        ("overwritten", {"storage_corrupt"}),
        ("missing", {"store_unavailable"}),
    ],
)
def test_a_ledger_that_cannot_be_read_is_503(
    server: RunningServer, tmp_path: Path, how: str, codes: set[str]
) -> None:
    with broken(server, tmp_path, how):
        for path in PATHS:
            for base in BOTH:
                answer = get(server, base + path)
                assert answer.status == 503, path
                error = answer.json()["error"]
                assert error["code"] in (codes if base == "/v1" else {503})
                assert int(answer.headers["retry-after"]) > 0
                # No name of a file, no words of SQLite's.
                assert str(tmp_path) not in error["message"]
                assert "SQLite" not in error["message"]
        asked = server.request("POST", "/v1/quote", chat_body(), JSON)
        assert asked.status == 503
    assert get(server, "/v1/credits").status == 200
