"""OpenAI's Python SDK over the gateway in this process: leaving, closing, sharing.

Also run by `test_openai_sdk2.py`, as `test_openai_sdk.py` is.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import openai
import pytest

import seekroute
from in_process import HELLO, MODEL, PATIENCE, SAID, begun, run, settings_for
from seekroute.testing import MockProvider, Raw, Stream, Text, Usage


@pytest.fixture
def settings(mock: MockProvider) -> dict[str, Any]:
    """Settings whose provider of MODEL is the mock."""
    return settings_for(mock)


@pytest.fixture
def llm(settings: dict[str, Any]) -> Iterator[openai.OpenAI]:
    """A client that does not retry, so that every answer is the first one."""
    with seekroute.openai_client(max_retries=0, timeout=PATIENCE, **settings) as made:
        yield made


# --- leaving --------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["close", "with", "drop"])
def test_leaving_a_stream_cancels_the_upstream(
    llm: openai.OpenAI, mock: MockProvider, how: str
) -> None:
    mock.queue(begun())
    stream = llm.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    assert next(stream).choices[0].delta.content == "Hel"
    if how == "close":
        stream.close()
    elif how == "with":
        with stream:
            pass
    del stream
    gc.collect()  # the SDK's stream refers to itself
    mock.wait_for_abort()


def test_cancelling_a_task_cancels_the_upstream(
    settings: dict[str, Any], mock: MockProvider
) -> None:
    async def use(llm: openai.AsyncOpenAI) -> None:
        waiting = asyncio.create_task(
            llm.chat.completions.create(model=MODEL, messages=HELLO)  # type: ignore[arg-type]
        )
        await asyncio.to_thread(mock.wait_for_requests, 1)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.to_thread(mock.wait_for_abort, 1)

        stream = await llm.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        assert (await anext(stream)).choices[0].delta.content == "Hel"

        async def read() -> None:
            async for _ in stream:
                pass

        reading = asyncio.create_task(read())
        await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        await stream.close()
        await asyncio.to_thread(mock.wait_for_abort, 2)

    mock.queue(Raw([("hang",)]), begun())
    run(settings, use)


def test_a_reader_that_stops_pauses_the_upstream(llm: openai.OpenAI, mock: MockProvider) -> None:
    sent = 0

    def counted() -> Iterator[Any]:
        nonlocal sent
        while True:
            sent += 1
            yield {"id": "x", "choices": [{"index": 0, "delta": {"content": "x" * 65536}}]}

    mock.queue(Stream(counted()))
    stream = llm.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    next(stream)
    # As in the mock's own test: the upstream stands still once the system's socket buffers are
    # full; the other requests give it thousands of turns in which it would go on otherwise.
    for _ in range(50):
        llm.chat.completions.create(model=MODEL, messages=HELLO)
    paused_at = sent
    assert paused_at < 1000
    while sent < paused_at + 100:  # and goes on with its reader
        next(stream)
    stream.close()
    mock.wait_for_abort()


# --- what it stands on ----------------------------------------------------------------------------


def test_a_shared_client_stays_open_and_counts(
    settings: dict[str, Any], mock: MockProvider
) -> None:
    with seekroute.Client(**settings) as client:
        for _ in range(2):
            mock.queue(Text("Paris.", usage=Usage(1000, 100)))
            with seekroute.openai_client(client=client) as llm:
                llm.chat.completions.create(model=MODEL, messages=HELLO)
        assert client.spend == 2 * Decimal("0.00021")
        assert client.ask("Hello!", model=MODEL).text == SAID


def test_a_shared_client_under_asyncio(settings: dict[str, Any], mock: MockProvider) -> None:
    async def main() -> Decimal:
        async with seekroute.AsyncClient(**settings) as client:
            async with seekroute.async_openai_client(client=client) as llm:
                await llm.chat.completions.create(model=MODEL, messages=HELLO)
            await client.ask("Hello!", model=MODEL)
            return client.spend

    mock.queue(*[Text("Paris.", usage=Usage(1000, 100))] * 2)
    assert asyncio.run(main()) == 2 * Decimal("0.00021")


def test_what_is_no_client_in_process_is_refused(settings: dict[str, Any]) -> None:
    with seekroute.Client(**settings) as client:
        with pytest.raises(TypeError, match="either client, or config and settings"):
            seekroute.openai_client(client=client, mock="on")
        with pytest.raises(TypeError, match=r"expected a seekroute\.AsyncClient"):
            seekroute.async_openai_client(client=client)  # type: ignore[arg-type]


def test_urls_and_keys_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="base_url is for openai"):
        seekroute.openai_client(base_url="http://127.0.0.1:1/v1", **settings)
    with pytest.raises(TypeError, match="key goes in OPENAI_API_KEY"):
        seekroute.async_openai_client(api_key="sk-sr-any", **settings)


def test_a_client_of_a_gateway_elsewhere_is_refused() -> None:
    pytest.importorskip("httpx2")
    with (
        seekroute.Client(base_url="http://127.0.0.1:1/v1", api_key="sk-sr-any") as client,
        pytest.raises(TypeError, match="give that URL to the SDK itself"),
    ):
        seekroute.openai_client(client=client)


def test_closing_ends_the_gateway(settings: dict[str, Any], mock: MockProvider) -> None:
    llm = seekroute.openai_client(max_retries=0, **settings)
    mock.queue(begun())
    stream = llm.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    next(stream)
    llm.close()
    with pytest.raises(Exception, match=r"closed|[Cc]onnection"):
        list(stream)
    mock.wait_for_abort()
    with pytest.raises(openai.APIConnectionError):
        llm.chat.completions.create(model=MODEL, messages=HELLO)


def test_closing_the_gateway_under_asyncio(settings: dict[str, Any], mock: MockProvider) -> None:
    async def main() -> None:
        llm = seekroute.async_openai_client(max_retries=0, **settings)
        stream = await llm.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
        await anext(stream)
        await llm.close()
        with pytest.raises(Exception, match=r"closed|[Cc]onnection"):
            [chunk async for chunk in stream]
        with pytest.raises(openai.APIConnectionError):
            await llm.chat.completions.create(model=MODEL, messages=HELLO)

    mock.queue(begun())
    asyncio.run(main())
    mock.wait_for_abort()


def test_closing_the_shared_client_under_requests(
    settings: dict[str, Any], mock: MockProvider
) -> None:
    client = seekroute.Client(**settings)
    llm = seekroute.openai_client(client=client, max_retries=0)
    failed: list[Exception] = []

    def ask() -> None:
        try:
            llm.chat.completions.create(model=MODEL, messages=HELLO)
        except Exception as error:
            failed.append(error)

    mock.queue(Raw([("hang",)]))
    asking = threading.Thread(target=ask)
    asking.start()
    mock.wait_for_requests(1)
    client.close()
    asking.join(PATIENCE)
    assert isinstance(failed[0], openai.APIConnectionError)
    with pytest.raises(openai.APIConnectionError) as caught:
        llm.chat.completions.create(model=MODEL, messages=HELLO)
    assert "the client is closed" in str(caught.value.__cause__)


def test_keys_and_proxies_of_the_environment_are_not_used(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-provider")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("SEEKROUTE_BASE_URL", "http://127.0.0.1:1/v1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with seekroute.openai_client(**settings) as llm:
        assert llm.api_key != "sk-of-the-provider"
        answer = llm.chat.completions.create(model=MODEL, messages=HELLO)
        assert answer.choices[0].message.content == SAID


def test_without_the_sdk_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openai", None)
    for make in (seekroute.openai_client, seekroute.async_openai_client):
        with pytest.raises(ImportError, match="pip install 'openai>=2'"):
            make(mock="on")


@pytest.mark.parametrize("library", ["httpx", "httpx2"])
def test_the_transport_serves_either_library(settings: dict[str, Any], library: str) -> None:
    http = pytest.importorskip(library)
    from seekroute.client.wires.openai_transport import transports

    blocking, awaiting = transports(library)
    ask = {"model": MODEL, "messages": HELLO}
    url = "https://anywhere.invalid/api/v1"
    ours = seekroute.Client(**settings)
    with http.Client(transport=blocking(ours._backend, ours.close)) as client:
        answer = client.post(f"{url}/chat/completions", json=ask)
        assert answer.json()["choices"][0]["message"]["content"] == SAID
        assert int(answer.headers["content-length"]) == len(answer.content)
        assert client.get("https://anywhere.invalid/nothing").status_code == 404

    async def stream() -> AsyncIterator[str]:
        ours = seekroute.AsyncClient(**settings)
        transport = awaiting(ours._backend, ours.close)
        async with http.AsyncClient(transport=transport) as client:
            body = {**ask, "stream": True}
            async with client.stream("POST", f"{url}/chat/completions", json=body) as answer:
                async for line in answer.aiter_lines():
                    yield line

    async def last() -> str:
        return [line async for line in stream() if line][-1]

    assert asyncio.run(last()) == "data: [DONE]"
