"""`seekroute.Management` against a real gateway, and OpenRouter's own SDK."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

import seekroute
from browsing import ConsoleWorld


@pytest.fixture
def management(console: ConsoleWorld) -> Iterator[seekroute.Management]:
    browser = console.operator
    made = browser.do("POST", f"{browser.org}/management-keys", {"name": "python"})
    with seekroute.Management(console.server.base_url, made["key"]) as management:
        yield management


def test_a_researcher_makes_a_key_that_ends_by_itself(
    console: ConsoleWorld, management: seekroute.Management
) -> None:
    ends = datetime.now(UTC) + timedelta(days=14)
    made = management.keys.create(
        "study 7", limit="20", expires_at=ends, models=["openai/gpt-4o-mini"]
    )
    assert made.key not in repr(made)
    console.server.service.sync_keys()
    with seekroute.Client(base_url=console.server.base_url, api_key=made.key) as client:
        assert client.ask("Hello!", model="openai/gpt-4o-mini")
        with pytest.raises(seekroute.SeekrouteError):
            client.ask("Hello!", model="deepseek/deepseek-chat")
    told = management.keys.get(made.data.hash)
    assert 0 < told.usage < Decimal("0.01")
    assert told.limit_remaining == 20 - told.usage
    assert told.expires_at == ends.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert made.data.hash in [row.hash for row in management.keys.list()]


def test_a_key_is_changed_rolled_and_revoked(
    console: ConsoleWorld, management: seekroute.Management
) -> None:
    made = management.keys.create("changes")
    hash = made.data.hash
    changed = management.keys.update(hash, name="changed", limit=Decimal("0.000000001"))
    assert (changed.name, changed.limit) == ("changed", Decimal("0.000000001"))
    assert management.keys.update(hash, limit=None).limit is None
    assert management.keys.update(hash, disabled=True).disabled is True
    rolled = management.keys.roll(hash)
    assert rolled.data.hash == hash
    assert rolled.key != made.key
    management.keys.delete(hash)
    assert hash not in [row.hash for row in management.keys.list()]


def test_refusals_are_the_clients_errors(
    console: ConsoleWorld, management: seekroute.Management
) -> None:
    with pytest.raises(seekroute.NotFoundError):
        management.keys.get("key_none")
    with pytest.raises(seekroute.BadRequestError, match="name"):
        management.keys.create("")
    with pytest.raises(ValueError, match="time zone"):
        management.keys.create("x", expires_at=datetime(2030, 1, 1))
    with (
        seekroute.Management(console.server.base_url, console.server.key) as ordinary,
        pytest.raises(seekroute.PermissionDeniedError, match="management key"),
    ):
        list(ordinary.keys.list())


def test_members_are_told(management: seekroute.Management) -> None:
    assert "olivia@example.com" in [row.email for row in management.members()]


def test_openrouters_sdk_makes_and_ends_keys(console: ConsoleWorld) -> None:
    openrouter = pytest.importorskip("openrouter", reason="the test extra has it")
    browser = console.operator
    made = browser.do("POST", f"{browser.org}/management-keys", {"name": "sdk"})
    url = f"http://127.0.0.1:{console.server.port}/api/v1"
    with openrouter.OpenRouter(api_key=made["key"], server_url=url) as sdk:
        created = sdk.api_keys.create(name="by the SDK", limit=1.5, limit_reset="weekly")
        assert created.key.startswith("sk-sr-")
        hash = created.data.hash
        console.server.service.sync_keys()
        assert console.server.chat_with(created.key).status == 200
        assert sdk.api_keys.get(hash=hash).data.usage > 0
        assert sdk.api_keys.update(hash=hash, name="renamed", disabled=True).data.disabled
        assert hash not in [row.hash for row in sdk.api_keys.list().data]
        assert hash in [row.hash for row in sdk.api_keys.list(include_disabled=True).data]
        assert sdk.organization.list_members().result.total_count >= 1
        sdk.api_keys.delete(hash=hash)
        assert hash not in [row.hash for row in sdk.api_keys.list(include_disabled=True).data]
