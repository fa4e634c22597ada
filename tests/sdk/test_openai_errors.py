"""What OpenAI's Python SDK makes of errors, headers, deadlines and cancelling."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam

from seekroute.testing import Gate, MockProvider, Raw, Status, Text
from serving import MODEL, PATIENCE, RunningServer

# Upstreams are cancelled this soon after a client left, in seconds.
CANCEL_S = 0.1
# A busy machine may delay the one that measures; it does not delay it every time.
CANCEL_TRIES = 3

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello!"}]


@pytest.fixture
def client(gateway: RunningServer) -> Iterator[openai.OpenAI]:
    """A client that does not retry, so that every answer is the first one."""
    with openai.OpenAI(
        base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=PATIENCE
    ) as made:
        yield made


def test_unknown_key(gateway: RunningServer) -> None:
    with (
        openai.OpenAI(base_url=gateway.base_url, api_key="sk-sr-nobody", max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.code == "invalid_api_key"
    assert caught.value.type == "authentication_error"


def test_revoked_key_fails_within_a_second(gateway: RunningServer) -> None:
    control = gateway.service.control
    row, key = control.keys.create(
        "default", name="short-lived", profile="seekroute", prefix="sk-sr-"
    )
    gateway.service.sync_keys()
    with openai.OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0) as client:
        client.chat.completions.create(model=MODEL, messages=HELLO)
        revoked = time.monotonic()
        control.keys.revoke(row.id)

        def refused() -> bool:
            try:
                client.chat.completions.create(model=MODEL, messages=HELLO)
            except openai.AuthenticationError:
                return True
            return False

        while not refused():
            assert time.monotonic() - revoked < 1.0


def test_unknown_model(client: openai.OpenAI, gateway: RunningServer) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nobody/nothing", messages=HELLO)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    assert gateway.mock.requests == []


def test_model_that_the_key_may_not_use(gateway: RunningServer) -> None:
    _, key = gateway.service.control.keys.create(
        "default",
        name="only deepseek",
        profile="seekroute",
        prefix="sk-sr-",
        models=["deepseek/*"],
    )
    gateway.service.sync_keys()
    with openai.OpenAI(base_url=gateway.base_url, api_key=key, max_retries=0) as client:
        client.chat.completions.create(model="deepseek-chat", messages=HELLO)
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model=MODEL, messages=HELLO)
        listed = {model.id for model in client.models.list()}
    assert listed
    assert all(name.startswith("deepseek/") for name in listed)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"max_tokens": -1}, "max_tokens"),
        ({"n": 129}, "n"),
        ({"temperature": "warm"}, "temperature"),
        ({"messages": [{"role": "wizard", "content": "Hi"}]}, "messages[0].role"),
        ({"extra_body": {"api_base": "http://elsewhere.test"}}, "api_base"),
    ],
)
def test_bad_request_names_the_parameter(
    client: openai.OpenAI, gateway: RunningServer, fields: dict[str, object], param: str
) -> None:
    request = {"model": MODEL, "messages": HELLO, **fields}
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**request)  # type: ignore[call-overload]
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert gateway.mock.requests == []


def test_provider_refuses_the_request(client: openai.OpenAI, gateway: RunningServer) -> None:
    message = "'messages' must be happier, see https://10.0.0.1/internal with sk-proj-SECRETSECRET"
    gateway.mock.queue(Status(400, body={"error": {"message": message}}))
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.code == "upstream_invalid_request"
    assert "must be happier" in caught.value.message
    for secret in ("10.0.0.1", "https://", "SECRET"):
        assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (401, openai.InternalServerError, "upstream_auth_error"),
        (402, openai.InternalServerError, "upstream_no_credit"),
        (403, openai.InternalServerError, "upstream_auth_error"),
        (404, openai.InternalServerError, "upstream_model_not_found"),
        (429, openai.RateLimitError, "upstream_rate_limited"),
        (500, openai.InternalServerError, "upstream_error"),
        (503, openai.InternalServerError, "upstream_unavailable"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_provider_fails(
    client: openai.OpenAI,
    gateway: RunningServer,
    status: int,
    error: type[openai.APIStatusError],
    code: str,
    stream: bool,
) -> None:
    gateway.mock.queue(Status(status))
    with pytest.raises(error) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO, stream=stream)
    assert caught.value.code == code
    assert len(gateway.mock.requests) == 1


def test_a_prompt_that_is_too_long_is_told_in_openais_words(
    client: openai.OpenAI, gateway: RunningServer
) -> None:
    words = {"message": "prompt is too long: 9 > 8", "type": "invalid_request_error"}
    gateway.mock.queue(Status(400, body={"type": "error", "error": words}))
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.code == "context_length_exceeded"
    assert "9 > 8" in caught.value.message


def test_the_providers_code_and_param_pass_through(
    client: openai.OpenAI, gateway: RunningServer
) -> None:
    error = {"message": "no", "code": "unsupported_value", "param": "temperature"}
    gateway.mock.queue(Status(400, body={"error": error}))
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO)
    assert (caught.value.code, caught.value.param) == ("unsupported_value", "temperature")


def test_an_account_without_money_is_asked_once(gateway: RunningServer) -> None:
    error = {"message": "Quota of org-Ab12 is gone", "code": "insufficient_quota"}
    gateway.mock.queue(Status(429, body={"error": error}))
    with (
        openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=2) as client,
        pytest.raises(openai.InternalServerError) as caught,
    ):
        client.chat.completions.create(model=MODEL, messages=HELLO)
    assert (caught.value.status_code, caught.value.code) == (502, "upstream_no_credit")
    assert "uota" not in str(caught.value)
    assert len(gateway.mock.requests) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_sdk_retries_what_is_worth_it_and_waits_as_told(
    gateway: RunningServer, status: int
) -> None:
    gateway.mock.queue(Status(status, headers={"retry-after-ms": "40"}), Text("at last"))
    with openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=2) as client:
        answer = client.chat.completions.create(model=MODEL, messages=HELLO)
    assert answer.choices[0].message.content == "at last"
    first, second = gateway.mock.requests
    # The SDK's own pause is half a second and more.
    assert 0.04 <= second.received_at - first.received_at < 0.4


def test_retry_after_reaches_the_client(client: openai.OpenAI, gateway: RunningServer) -> None:
    gateway.mock.queue(Status(429, headers={"retry-after": "7"}))
    with pytest.raises(openai.RateLimitError) as caught:
        client.chat.completions.create(model=MODEL, messages=HELLO)
    assert caught.value.response.headers["retry-after"] == "7"
    assert caught.value.response.headers["retry-after-ms"] == "7000"


@pytest.mark.parametrize("status", [401, 404])
def test_sdk_does_not_retry_what_stays_as_it_is(gateway: RunningServer, status: int) -> None:
    gateway.mock.default, before = Status(status), gateway.mock.default
    try:
        with (
            openai.OpenAI(base_url=gateway.base_url, api_key=gateway.key, max_retries=3) as client,
            pytest.raises(openai.InternalServerError) as caught,
        ):
            client.chat.completions.create(model=MODEL, messages=HELLO)
    finally:
        gateway.mock.default = before
    assert caught.value.response.headers["x-should-retry"] == "false"
    assert len(gateway.mock.requests) == 1


def test_failure_in_the_middle_of_a_stream_raises(
    client: openai.OpenAI, gateway: RunningServer
) -> None:
    chunk = {"index": 0, "delta": {"role": "assistant", "content": "Hel"}, "finish_reason": None}
    event = b"data: " + json.dumps({"id": "x", "choices": [chunk]}).encode() + b"\n\n"
    gateway.mock.queue(
        Raw([("head", 200, {"Content-Type": "text/event-stream"}), ("send", event), ("fin",)])
    )
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    assert next(stream).choices[0].delta.content == "Hel"
    with pytest.raises(openai.APIError) as caught:
        list(stream)
    assert caught.value.code == "upstream_truncated"


# --- headers, time, cancelling


def test_headers(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=HELLO, extra_headers={"x-request-id": "from-the-client-1"}
    )
    answer = raw.parse()
    assert raw.headers["x-request-id"] == "from-the-client-1"
    assert raw.headers["x-generation-id"] == answer.id
    assert raw.headers["x-seekroute-provider"] == "mock"
    assert 0 <= float(raw.headers["x-seekroute-overhead-ms"]) < 1000
    streamed = client.chat.completions.with_raw_response.create(
        model=MODEL, messages=HELLO, stream=True
    )
    chunks = list(streamed.parse())
    assert streamed.headers["x-generation-id"] == chunks[0].id
    assert streamed.headers["x-request-id"] != "from-the-client-1"
    assert streamed.headers["x-seekroute-provider"] == "mock"


def test_no_client_header_reaches_the_provider(
    client: openai.OpenAI, gateway: RunningServer
) -> None:
    client.chat.completions.create(model=MODEL, messages=HELLO, extra_headers={"x-secret": "s3"})
    [request] = gateway.mock.requests
    assert not {"x-secret", "authorization", "x-stainless-lang"} & set(request.headers)
    assert not any("openai" in value.lower() for value in request.headers.values())


def test_client_timeout_cancels_the_upstream(gateway: RunningServer) -> None:
    gateway.mock.queue(Raw([("hang",)]))
    with (
        openai.OpenAI(
            base_url=gateway.base_url, api_key=gateway.key, max_retries=0, timeout=0.2
        ) as client,
        pytest.raises(openai.APITimeoutError),
    ):
        client.chat.completions.create(model=MODEL, messages=HELLO)
    gateway.mock.wait_for_abort()


def seconds_until_cancelled(client: openai.OpenAI, mock: MockProvider) -> float:
    """Leaves a stream in its middle; returns how long the upstream went on."""
    mock.reset()
    gate = Gate()
    gate.release(3)  # the role and two pieces: a stream begins with its first content
    mock.queue(Text("one two three four five", gate=gate))
    stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
    next(stream)
    gate.wait_arrivals(4)
    left = time.monotonic()
    stream.close()
    aborted_at = mock.wait_for_abort().aborted_at
    assert aborted_at is not None
    return aborted_at - left


def test_closing_a_stream_cancels_the_upstream_at_once(
    client: openai.OpenAI, gateway: RunningServer
) -> None:
    times = []
    while not times or (times[-1] >= CANCEL_S and len(times) < CANCEL_TRIES):
        times.append(seconds_until_cancelled(client, gateway.mock))
    assert times[-1] < CANCEL_S, times


def test_content_is_not_held_back(client: openai.OpenAI, gateway: RunningServer) -> None:
    gate = Gate()
    gate.release(2)  # the role and the first piece
    gateway.mock.queue(Text("abc", chunks=["a", "b", "c"], gate=gate))
    received = ""
    for chunk in client.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
        if chunk.choices[0].delta.content:
            received += chunk.choices[0].delta.content
            # Every piece has to be here before the provider may send the next one.
            assert gate.arrivals <= len(received) + 2
            gate.release()
        if received == "abc":
            gate.open()
    assert received == "abc"


def test_cancelled_task_cancels_the_upstream(gateway: RunningServer) -> None:
    gateway.mock.queue(Raw([("hang",)]))

    async def give_up() -> None:
        async with openai.AsyncOpenAI(
            base_url=gateway.base_url, api_key=gateway.key, max_retries=0
        ) as client:
            asking = asyncio.create_task(
                client.chat.completions.create(model=MODEL, messages=HELLO)
            )
            await asyncio.to_thread(gateway.mock.wait_for_requests)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking

    asyncio.run(give_up())
    gateway.mock.wait_for_abort()
