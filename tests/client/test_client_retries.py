"""When a call is tried again, and how long it waits."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import seekroute
from client_modes import HELLO, MODEL, providers_at
from in_process import settings_for
from seekroute.client.wires.retry import pause_before
from seekroute.errors import retry_after_of
from seekroute.gateway import Gateway
from seekroute.testing import MockProvider, Raw, Status, Text

# An answer that never begins.
HANG = Raw([("hang",)])
SOON = {"retry-after-ms": "1"}


@pytest.fixture
def client(mock: MockProvider) -> Iterator[seekroute.Client]:
    """A client whose remote gateway is played by the mock, status by status."""
    with seekroute.Client(base_url=mock.base_url, api_key="sk-test") as running:
        yield running


def test_what_timed_out_at_a_provider_is_not_repeated_and_counts_at_its_estimate() -> None:
    with MockProvider(default=HANG) as mock:
        settings = {**settings_for(mock), "timeouts": {"total_timeout_ms": 200}}
        with seekroute.Client(**settings) as client:
            expected = client.estimate("Hello!", MODEL).cost.expected
            with client.budget("1") as budget, pytest.raises(seekroute.UpstreamError) as late:
                client.ask("Hello!", MODEL)
            assert late.value.code == "upstream_timeout"
            assert not late.value.retryable
            assert "timeouts.total_timeout_ms" in late.value.hint
            assert len(mock.requests) == 1
            assert 0.9 * float(expected) < float(client.spend) <= float(expected)
            assert budget.spent == client.spend == client.usage()[MODEL].cost

            mock.reset()
            client.reset_spend()
            results = client.map(["a", "b", "c"], MODEL, progress=False, max_cost="1")
            assert [error.code for error in results.errors.values()] == ["upstream_timeout"] * 3
            assert len(mock.requests) == 3
            assert results.spent == client.spend > 2.5 * float(expected)


def test_what_the_client_did_not_wait_for_is_not_repeated_either() -> None:
    with (
        MockProvider(default=HANG) as mock,
        seekroute.Client(timeout=0.2, **settings_for(mock)) as client,
    ):
        with pytest.raises(seekroute.APITimeoutError) as late:
            client.ask("Hello!", MODEL)
        assert not late.value.retryable
        assert "timeout=" in late.value.hint
        assert len(mock.requests) == 1
        results = client.map(["a", "b"], MODEL, progress=False)
        assert len(mock.requests) == 3
        assert results.spent > 0
        assert client.spend > results.spent


@pytest.mark.parametrize(
    ("options", "longest"),
    [
        ({}, 1_800_000),
        ({"timeout": 7200}, 7_200_000),
        ({"timeout": float("inf")}, 24 * 3_600_000),
        ({"timeout": 5}, 1_800_000),
        ({"timeout": 7200, "timeouts": {"total_timeout_ms": 60_000}}, 60_000),
    ],
)
def test_the_gateway_in_process_waits_as_long_as_the_client(
    options: dict[str, Any], longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[dict[str, Any]] = []
    opened = Gateway.__init__

    def seen(self: Gateway, options: dict[str, Any], *rest: Any, **more: Any) -> None:
        made.append(options)
        opened(self, options, *rest, **more)

    monkeypatch.setattr(Gateway, "__init__", seen)
    with seekroute.Client(mock="on", **options):
        assert made[0]["total_timeout_ms"] == longest


@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
def test_what_passes_is_tried_again(
    client: seekroute.Client, mock: MockProvider, status: int
) -> None:
    mock.queue(Status(status, headers=SOON), Status(status, headers=SOON), Text("at last"))
    answer = client.ask("Hello!", MODEL)
    assert answer.text == "at last"
    assert answer.attempts == 3
    assert len(mock.requests) == 3
    assert len({request.body for request in mock.requests}) == 1


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 413, 415, 422])
def test_what_does_not_pass_is_not(
    client: seekroute.Client, mock: MockProvider, status: int
) -> None:
    mock.queue(Status(status, headers=SOON))
    with pytest.raises(seekroute.APIStatusError) as caught:
        client.ask("Hello!", MODEL)
    assert caught.value.status_code == status
    assert (caught.value.attempts, caught.value.retryable) == (1, False)
    assert len(mock.requests) == 1


@pytest.mark.parametrize(("said", "status", "tries"), [("true", 400, 3), ("false", 500, 1)])
def test_the_gateway_has_the_last_word(
    client: seekroute.Client, mock: MockProvider, said: str, status: int, tries: int
) -> None:
    refusal = Status(status, headers={**SOON, "x-should-retry": said})
    mock.queue(*[refusal] * tries)
    with pytest.raises(seekroute.APIStatusError) as caught:
        client.ask("Hello!", MODEL)
    assert caught.value.attempts == len(mock.requests) == tries
    assert caught.value.retryable is (said == "true")


def test_the_pause_asked_for_is_kept(client: seekroute.Client, mock: MockProvider) -> None:
    mock.queue(Status(503, headers={"retry-after-ms": "200", "retry-after": "1"}), Text("yes"))
    answer = client.ask("Hello!", MODEL)
    assert 0.2 <= answer.latency < 1


def test_a_connection_that_fails_is_tried_again(
    client: seekroute.Client, mock: MockProvider
) -> None:
    mock.queue(Raw([("rst",)]), Text("at last"))
    assert client.ask("Hello!", MODEL).text == "at last"
    mock.queue(Raw([("head", 200, {"Content-Length": "100"}), ("send", b"half"), ("rst",)]))
    with pytest.raises(seekroute.APIConnectionError) as caught:
        client.with_options(max_retries=0).ask("Hello!", MODEL)
    assert caught.value.retryable


def test_nothing_is_tried_again_once_a_stream_has_begun(
    client: seekroute.Client, mock: MockProvider
) -> None:
    begun = ("head", 200, {"Content-Type": "text/event-stream"})
    mock.queue(Raw([begun, ("send", b'data: {"choices":[]}\n\n'), ("rst",)]))
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    with pytest.raises(seekroute.APIConnectionError):
        stream.get_final_completion()
    assert len(mock.requests) == 1


def test_a_stream_that_ends_early_is_an_error(client: seekroute.Client, mock: MockProvider) -> None:
    begun = ("head", 200, {"Content-Type": "text/event-stream"})
    mock.queue(Raw([begun, ("send", b'data: {"choices":[]}\n\n'), ("fin",)]))
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    with pytest.raises(seekroute.APIConnectionError, match="without its last event"):
        list(stream)


def test_closing_ends_the_wait_for_the_next_try(
    client: seekroute.Client, mock: MockProvider
) -> None:
    mock.queue(Status(429, headers={"retry-after": "30"}))
    caught: list[BaseException] = []

    def ask() -> None:
        try:
            client.ask("Hello!", MODEL)
        except seekroute.APIError as error:
            caught.append(error)

    thread = threading.Thread(target=ask)
    thread.start()
    mock.wait_for_requests(1)
    client.close()
    thread.join(10)
    assert not thread.is_alive()
    assert isinstance(caught[0], seekroute.RateLimitError | seekroute.APIConnectionError)


def test_retries_in_process_ask_the_upstream_again(mock: MockProvider) -> None:
    mock.queue(Status(429, headers=SOON), Text("at last"))
    with seekroute.Client(providers=providers_at(mock)) as client:
        answer = client.ask("Hello!", MODEL)
    assert (answer.text, answer.attempts) == ("at last", 2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_retries": -1},
        {"max_retries": 101},
        {"max_retries": True},
        {"max_retries": 1.5},
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": float("nan")},
        {"timeout": "10"},
    ],
)
def test_options_are_checked(client: seekroute.Client, wrong: dict[str, Any]) -> None:
    name = next(iter(wrong))
    with pytest.raises(ValueError, match=name):
        seekroute.Client(mock="on", **wrong)
    with pytest.raises(ValueError, match=name):
        client.with_options(**wrong)


def test_options_of_one_client_leave_the_other_alone(
    client: seekroute.Client, mock: MockProvider
) -> None:
    mock.queue(Status(500, headers=SOON), Text("at last"))
    with pytest.raises(seekroute.InternalServerError):
        client.with_options(max_retries=0).ask("Hello!", MODEL)
    assert client.max_retries == 2
    assert client.with_options(timeout=float("inf")).ask("Hello!", MODEL).text == "at last"


@given(st.integers(1, 100), st.floats(0, 1))
def test_pauses_grow_and_are_bounded(retry: int, jitter: float) -> None:
    pause = pause_before(retry, None, jitter)
    longest = pause_before(retry, None, 0.0)
    assert pause is not None
    assert longest is not None
    assert 0.375 <= pause <= longest <= 8.0
    assert longest == min(0.5 * 2 ** (retry - 1), 8.0)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9.0),
        ({"retry-after": formatdate(1_000_030, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(999_000, usegmt=True)}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": ""}, None),
    ],
)
def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_of(headers, now=1_000_000) == seconds


def test_a_date_is_waited_for(client: seekroute.Client, mock: MockProvider) -> None:
    mock.queue(Status(503, headers={"retry-after": formatdate(time.time() - 60, usegmt=True)}))
    with pytest.raises(seekroute.InternalServerError) as caught:
        client.with_options(max_retries=0).ask("Hello!", MODEL)
    assert caught.value.retry_after is None
    mock.queue(Status(503, headers={"retry-after": formatdate(time.time() + 40, usegmt=True)}))
    with pytest.raises(seekroute.InternalServerError) as caught:
        client.with_options(max_retries=0).ask("Hello!", MODEL)
    assert 30 < (caught.value.retry_after or 0) <= 40
