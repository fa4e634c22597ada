"""Where a client's gateway is: arguments, environment, and what is sent there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

import pytest

import seekroute
from client_modes import HELLO, MODEL
from seekroute.client.wires.local import LocalBackend
from seekroute.client.wires.remote import RemoteBackend
from seekroute.testing import Gate, MockProvider, Raw, Status, Text
from serving import RunningServer


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEEKROUTE_BASE_URL", "SEEKROUTE_API_KEY", "SEEKROUTE_CONFIG"):
        monkeypatch.delenv(name, raising=False)


def is_remote(client: seekroute.Client) -> bool:
    with client:
        assert isinstance(client._backend, RemoteBackend | LocalBackend)
        return isinstance(client._backend, RemoteBackend)


def test_the_environment_says_where(monkeypatch: pytest.MonkeyPatch, mock: MockProvider) -> None:
    monkeypatch.setenv("SEEKROUTE_BASE_URL", mock.base_url)
    monkeypatch.setenv("SEEKROUTE_API_KEY", "sk-env")
    with seekroute.Client() as client:
        client.ask("Hello!", MODEL)
    assert mock.requests[0].headers["authorization"] == "Bearer sk-env"
    with seekroute.Client(api_key="sk-given") as client:
        client.ask("Hello!", MODEL)
    assert mock.requests[1].headers["authorization"] == "Bearer sk-given"


def test_what_is_given_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch, mock: MockProvider
) -> None:
    monkeypatch.setenv("SEEKROUTE_BASE_URL", "http://127.0.0.1:1/v1")
    assert not is_remote(seekroute.Client(mock="on"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-up")
    assert not is_remote(seekroute.Client(base_url=""))
    assert is_remote(seekroute.Client())
    with seekroute.Client(base_url=mock.base_url) as client:
        assert client.ask("Hello!", MODEL).text
    assert "authorization" not in mock.requests[0].headers


@pytest.mark.parametrize(
    "wrong",
    [
        {"base_url": "http://x.example/v1", "mock": "on"},
        {"base_url": "http://x.example/v1", "config": "seekroute.yaml"},
        {"api_key": "sk-1"},
        {"api_key": "sk-1", "mock": "on"},
    ],
)
def test_arguments_of_both_kinds_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="base_url"):
        seekroute.Client(**wrong)
    with pytest.raises(TypeError, match="base_url"):
        seekroute.AsyncClient(**wrong)


@pytest.mark.parametrize(
    "base_url",
    [
        "gateway.example.com/v1",
        "ftp://gateway.example.com/v1",
        "https://",
        "https://sk-secret@gateway.example.com/v1",
        "https://me:sk-secret@gateway.example.com/v1",
        "https://gateway.example.com/v1?key=sk-secret",
        "https://gateway.example.com/v1#sk-secret",
        "https://gateway.example.com:99999/v1",
        "https://[::1/v1",
    ],
)
def test_a_bad_url_is_refused_and_not_repeated(base_url: str) -> None:
    with pytest.raises(seekroute.ConfigError, match="base_url") as caught:
        seekroute.Client(base_url=base_url)
    assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("api_key", ["sk-line\nbreak", "sk-ünïcode", "sk-\x00"])
def test_a_bad_key_is_refused_and_not_repeated(api_key: str) -> None:
    with pytest.raises(seekroute.ConfigError, match="api_key") as caught:
        seekroute.Client(base_url="https://gateway.example.com/v1", api_key=api_key)
    assert api_key not in str(caught.value)


def test_what_is_sent(mock: MockProvider) -> None:
    with seekroute.Client(base_url=mock.base_url + "/", api_key="sk-1") as client:
        client.chat.completions.create(
            model=MODEL,
            messages=HELLO,
            temperature=0.5,
            seed=None,
            extra_body={"some_field": {"of": "the provider"}, "last": None},
            extra_headers={"X-Request-Id": "mine"},
            extra_query={"a": "b c"},
        )
    (request,) = mock.requests
    assert request.json == {
        "model": MODEL,
        "messages": HELLO,
        "temperature": 0.5,
        "some_field": {"of": "the provider"},
        "last": None,
    }
    assert request.headers["x-request-id"] == "mine"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["user-agent"].startswith("seekroute-python/")
    assert request.path in ("/v1/chat/completions", "/v1/chat/completions?a=b+c")


def test_a_request_id_of_one_s_own_comes_back(gateway: RunningServer) -> None:
    with seekroute.Client(base_url=gateway.base_url, api_key=gateway.key) as client:
        answer = client.ask("Hello!", MODEL, extra_headers={"x-request-id": "order-66"})
        assert answer.request_id == "order-66"
        found = client.models.list(extra_headers={"x-request-id": "order-67"})
        assert found
    with seekroute.Client(mock="on") as client:
        answer = client.ask("Hello!", MODEL, extra_headers={"X-Request-Id": "order-68"})
        assert answer.request_id == "order-68"


def test_a_key_is_needed_where_the_gateway_wants_one(gateway: RunningServer) -> None:
    with (
        seekroute.Client(base_url=gateway.base_url) as client,
        pytest.raises(seekroute.AuthenticationError) as caught,
    ):
        client.ask("Hello!", MODEL)
    assert caught.value.code == "missing_api_key"
    assert "SEEKROUTE_API_KEY" in caught.value.hint


def test_a_path_that_is_not_there_says_so(gateway: RunningServer) -> None:
    wrong = gateway.base_url.removesuffix("/v1")
    with (
        seekroute.Client(base_url=wrong, api_key=gateway.key) as client,
        pytest.raises(seekroute.NotFoundError) as caught,
    ):
        client.ask("Hello!", MODEL)
    assert "the base URL ends in /v1: POST /v1/chat/completions" in str(caught.value)
    assert f"base_url={gateway.base_url!r}" in caught.value.hint


@pytest.mark.parametrize("method", ["ask", "map", "async"])
def test_a_base_url_without_its_end_is_named_whoever_answers(method: str) -> None:
    """Also where a server of another kind says nothing but 404."""
    with MockProvider() as other:
        other.default = Status(404, body="Not Found")
        wrong, right = other.base_url.removesuffix("/v1"), other.base_url
        for base_url, meant in ((wrong, True), (right, False)):
            error = _failed(method, base_url)
            assert isinstance(error, seekroute.NotFoundError)
            assert (f"base_url={right!r}" in error.hint) == meant


def test_a_wrong_base_url_ends_a_run(gateway: RunningServer) -> None:
    wrong = gateway.base_url.removesuffix("/v1")
    with seekroute.Client(base_url=wrong, api_key=gateway.key) as client:
        results = client.map(["x"] * 200, MODEL, concurrency=4, progress=False)
    assert results.stopped == "path"
    assert len(results.skipped) > 100


def _failed(method: str, base_url: str) -> BaseException:
    async def asked() -> None:
        async with seekroute.AsyncClient(base_url=base_url, max_retries=0) as client:
            await client.ask("Hello!", MODEL)

    with seekroute.Client(base_url=base_url, max_retries=0) as client:
        if method == "map":
            found = client.map(["x"], MODEL, progress=False)[0]
            assert isinstance(found, BaseException)
            return found
        call = partial(client.ask, "Hello!", MODEL) if method == "ask" else partial(_run, asked)
        with pytest.raises(seekroute.APIError) as caught:
            call()
    return caught.value


def _run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(main())


@pytest.mark.parametrize("how", ["close", "drop", "with"])
def test_leaving_a_stream_cancels_the_upstream(gateway: RunningServer, how: str) -> None:
    gate = Gate()
    gate.release(2)
    gateway.mock.queue(Text("a b c d", gate=gate))
    with seekroute.Client(base_url=gateway.base_url, api_key=gateway.key) as client:
        stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        next(stream)
        if how == "close":
            stream.close()
        elif how == "with":
            with stream:
                pass
        del stream
        gateway.mock.wait_for_abort()


def test_an_answer_too_large_to_hold_is_refused(
    mock: MockProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seekroute.client.wires.remote.MAX_ANSWER_BYTES", 1000)
    begun = ("head", 200, {"Content-Type": "application/json"})
    mock.queue(Raw([begun, *[("send", b" " * 400)] * 4, ("hang",)]))
    with (
        seekroute.Client(base_url=mock.base_url) as client,
        pytest.raises(seekroute.APIConnectionError, match="larger than 1000"),
    ):
        client.ask("Hello!", MODEL)


def test_many_threads_share_a_client(gateway: RunningServer) -> None:
    wrong: list[Any] = []

    def ask(name: str) -> None:
        try:
            for number in range(5):
                said = f"{name}-{number}"
                if said not in client.ask(said, MODEL).text:
                    wrong.append(said)
        except BaseException as error:
            wrong.append(error)

    with seekroute.Client(base_url=gateway.base_url, api_key=gateway.key) as client:
        threads = [threading.Thread(target=ask, args=(f"t{i}",)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert client.spend > 0
    assert not wrong


def test_without_an_http_library_local_clients_work() -> None:
    import subprocess
    import sys

    script = (
        "import sys\n"
        "sys.modules['httpx2'] = None\n"
        "import seekroute\n"
        "with seekroute.Client(mock='on') as client:\n"
        "    assert client.ask('Hello!').text\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
