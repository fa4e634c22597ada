"""The errors: their classes, what they carry, and that openai's `except` clauses catch them."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, get_args

import openai
import pytest

import seekroute
from client_modes import MODEL
from seekroute import error_table, errors
from seekroute.config.catalog_schema import Refusable
from seekroute.errors import APIStatusError, NoProviderError, error_for_status
from seekroute.hints import _DROPPABLE, hint_for
from seekroute.testing import MockProvider, Raw, Status

CLASSES = {
    400: seekroute.BadRequestError,
    401: seekroute.AuthenticationError,
    402: seekroute.InsufficientCreditsError,
    403: seekroute.PermissionDeniedError,
    404: seekroute.NotFoundError,
    405: seekroute.APIStatusError,
    408: seekroute.APIStatusError,
    409: seekroute.ConflictError,
    413: seekroute.BadRequestError,
    422: seekroute.UnprocessableEntityError,
    429: seekroute.RateLimitError,
    500: seekroute.InternalServerError,
    503: seekroute.InternalServerError,
}
OPENAI_NAMES = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "ConflictError",
    "InternalServerError",
    "NotFoundError",
    "PermissionDeniedError",
    "RateLimitError",
    "UnprocessableEntityError",
]
ATTRIBUTES = (
    *("message", "hint", "request_id", "attempts", "retryable", "retry_after"),
    *("status_code", "code", "type", "param", "body"),
)


def own_class(error: errors.APIError) -> type[BaseException]:
    """The class as this package names it, without openai's beside it."""
    return error._own_class


def sample(kind: type[errors.APIError]) -> errors.APIError:
    """One of any class."""
    if issubclass(kind, APIStatusError):
        body = {"message": "no", "code": "c", "type": "t", "param": "p"}
        headers = {"x-request-id": "r-1", "retry-after-ms": "1500"}
        return kind(429, body, headers, attempts=2)
    return kind("no", hint="do", request_id="r-1", attempts=2, retryable=True, retry_after=1.5)


ALL = [
    value
    for name, value in vars(errors).items()
    if name in errors.__all__ and inspect.isclass(value) and issubclass(value, errors.APIError)
]


@pytest.mark.parametrize(("status", "kind"), list(CLASSES.items()))
def test_each_status_has_its_class(status: int, kind: type[APIStatusError]) -> None:
    assert own_class(error_for_status(status, {"message": "no"}, {})) is kind


def test_a_model_that_nobody_serves_is_not_found() -> None:
    made = error_for_status(404, {"code": "no_matching_endpoint"}, {})
    assert own_class(made) is seekroute.NoProviderError
    assert isinstance(made, seekroute.NotFoundError)
    assert not made.retryable


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (503, {"code": "no_upstream"}, seekroute.InternalServerError),
        (503, {"code": "upstream_unavailable"}, seekroute.UpstreamError),
        (502, {"code": "bad_upstream_response"}, seekroute.UpstreamError),
        (502, {"code": 502, "type": "upstream_error"}, seekroute.UpstreamError),
        (503, {"code": "overloaded", "type": "server_error"}, seekroute.InternalServerError),
        (0, {"code": "upstream_truncated"}, seekroute.UpstreamError),
        (0, {"code": "upstream_rate_limited"}, seekroute.RateLimitError),
        (0, {"code": "internal_error"}, seekroute.InternalServerError),
        (0, {"code": 502}, seekroute.UpstreamError),
    ],
)
def test_the_code_says_more(status: int, error: dict[str, Any], kind: type[APIStatusError]) -> None:
    made = error_for_status(status, error, {})
    assert own_class(made) is kind
    assert isinstance(made, seekroute.InternalServerError | seekroute.RateLimitError)


@pytest.mark.parametrize(
    "error",
    [
        {"code": "content_policy_violation"},
        {"code": "context_length_exceeded"},
        {"code": "their_own", "type": "invalid_request_error"},
    ],
)
def test_a_request_that_is_refused_within_a_stream_is_not_sent_again(error: dict[str, Any]) -> None:
    made = error_for_status(0, error, {})
    assert own_class(made) is seekroute.BadRequestError
    assert not made.retryable


def test_the_operators_trouble_within_a_stream_is_not_sent_again() -> None:
    made = error_for_status(0, {"code": "upstream_no_credit", "type": "upstream_error"}, {})
    assert own_class(made) is seekroute.UpstreamError
    assert not made.retryable


@pytest.mark.parametrize("kind", ALL)
def test_every_error_has_what_is_promised(kind: type[errors.APIError]) -> None:
    error = sample(kind)
    assert {name: hasattr(error, name) for name in ATTRIBUTES} == dict.fromkeys(ATTRIBUTES, True)
    assert (error.request_id, error.attempts, error.retry_after) == ("r-1", 2, 1.5)
    assert error.retryable is True
    assert str(error) == error.message == "no"
    assert isinstance(error, kind)
    assert type(error).__name__ == kind.__name__
    assert type(error).__module__ == "seekroute.errors"


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("way", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_errors_survive_pickling(kind: type[errors.APIError], way: Any) -> None:
    error = sample(kind)
    again = way(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert {name: getattr(again, name) for name in ATTRIBUTES} == {
        name: getattr(error, name) for name in ATTRIBUTES
    }


def test_configuration_errors_survive_pickling() -> None:
    error = seekroute.ConfigError([errors.Problem("server.port", "expected a port")])
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.problems) == (str(error), error.problems)


@pytest.mark.parametrize("name", OPENAI_NAMES)
def test_openai_s_names_are_all_there_and_catch_ours(name: str) -> None:
    kind = getattr(seekroute, name)
    with pytest.raises(getattr(openai, name)) as caught:
        raise sample(kind)
    assert isinstance(caught.value, kind)
    assert caught.value.message == "no"
    assert caught.value.request.url.host == "seekroute.invalid"


@pytest.mark.parametrize("kind", ALL)
def test_every_error_is_one_of_openai_s(kind: type[errors.APIError]) -> None:
    assert isinstance(sample(kind), openai.APIError)


def test_openai_s_response_is_there() -> None:
    headers = {"retry-after": "7", "content-encoding": "gzip", "x-request-id": "r-9"}
    error = error_for_status(429, {"message": "slow down", "code": "x"}, headers)
    assert isinstance(error, openai.RateLimitError)
    assert error.response.status_code == 429
    assert error.response.headers["retry-after"] == "7"
    assert error.response.json() == {"error": {"message": "slow down", "code": "x"}}
    assert error.request_id == "r-9"


def test_a_class_of_the_user_s_own_works_too() -> None:
    class Mine(seekroute.RateLimitError):
        pass

    error = Mine(429, {"message": "no"}, {})
    assert isinstance(error, Mine)
    assert isinstance(error, openai.RateLimitError)


def test_openai_is_not_imported_for_it() -> None:
    script = (
        "import pickle, sys\n"
        "import seekroute, seekroute.client\n"
        "error = seekroute.errors.error_for_status(429, {'message': 'no'}, {})\n"
        "assert type(error) is seekroute.RateLimitError, type(error).__mro__\n"
        "assert not hasattr(error, 'response')\n"
        "assert not {'openai', 'httpx', 'httpx2'} & set(sys.modules)\n"
        "sys.stdout.buffer.write(pickle.dumps(error))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)
    # Raised where there was no openai, caught where there is.
    again = pickle.loads(done.stdout)
    assert isinstance(again, seekroute.RateLimitError)
    assert isinstance(again, openai.RateLimitError)


@pytest.mark.parametrize("row", error_table.rows(), ids=lambda row: f"{row.code}-{row.status}")
def test_the_client_reads_every_error_as_the_table_of_the_core_has_it(
    row: error_table.ErrorRow,
) -> None:
    first = error_table.row_of(row.code)
    assert first is not None
    assert row.hint
    assert not row.hint.endswith(".")
    whole = error_for_status(row.status, {"code": row.code, "type": row.type}, {})
    assert whole.hint == first.hint
    # The words of a profile, which has no types: the code is enough.
    named = error_for_status(row.status, {"code": row.code}, {})
    assert own_class(named) is own_class(whole)
    assert issubclass(own_class(whole), seekroute.UpstreamError) == (row.type == "upstream_error")
    inside = error_for_status(0, {"code": row.code, "type": row.type}, {})
    if row is first:
        assert own_class(inside) is own_class(whole)
        sent = {None: {}, True: {"x-should-retry": "true"}, False: {"x-should-retry": "false"}}
        told = error_for_status(row.status, {"code": row.code}, sent[row.should_retry])
        assert inside.retryable is told.retryable


@pytest.mark.parametrize(
    ("status", "code", "words"),
    [
        (404, "model_not_found", "models.list"),
        (401, "invalid_api_key", "SEEKROUTE_API_KEY"),
        (402, 402, "top up"),
        (429, "a_profile_s_own_word", "retry_after"),
        (503, None, "later"),
        (418, None, ""),
        (0, "upstream_truncated", "try again"),
    ],
)
def test_hints(status: int, code: Any, words: str) -> None:
    hint = hint_for(status, code)
    assert words in hint
    assert bool(hint) is bool(words)


def test_a_hint_that_the_message_ends_with_is_not_said_twice() -> None:
    said = "no endpoint of 'a/b' can serve this request: 1 is not free of charge; leave :free off"
    assert hint_for(404, "no_matching_endpoint", "model", said) == "leave :free off"
    told = {"message": said, "code": "no_matching_endpoint", "param": "model"}
    error = error_for_status(404, told, {})
    assert isinstance(error, NoProviderError)
    assert error.hint == "leave :free off"
    assert not getattr(error, "__notes__", [])
    said = "no provider of 'a/b' is configured at this gateway"
    assert "set the key" in hint_for(404, "no_matching_endpoint", "model", said)


def test_a_parameter_that_a_model_refuses_has_its_setting_as_hint() -> None:
    for model, field in (
        ("openai/gpt-5-mini", {"temperature": 0.2}),
        ("openai/o3", {"top_p": 0.5}),
    ):
        (name,) = field
        with seekroute.Client(mock="on") as client, pytest.raises(seekroute.BadRequestError) as no:
            client.ask("x", model, **field)
        assert no.value.param == name
        assert f"leave `{name}` out" in no.value.hint
        assert "drop_refused_parameters" in no.value.hint
        with seekroute.Client(mock="on", drop_refused_parameters=True) as client:
            assert client.ask("x", model, **field).text
    assert set(get_args(Refusable)) == _DROPPABLE
    # Of other fields the gateway knows no model that refuses them.
    assert "drop_refused" not in hint_for(400, "unsupported_value", "response_format")
    assert "drop_refused" not in hint_for(400, "invalid_value", "temperature")


# --- as they come from a server that is none of ours ----------------------------------------------


KEY = "sk-sr-very-secret"
PROMPT = "my private question"


@pytest.fixture
def client(mock: MockProvider) -> Iterator[seekroute.Client]:
    with seekroute.Client(base_url=mock.base_url, api_key=KEY, max_retries=0) as running:
        yield running


@pytest.mark.parametrize(
    "body", ["<html>Bad gateway</html>", "[]", '{"error": "no"}', '{"detail": 1}', b"\xff\xfe"]
)
def test_a_proxy_s_own_error_page(client: seekroute.Client, mock: MockProvider, body: Any) -> None:
    mock.queue(Status(502, body=body))
    with pytest.raises(seekroute.InternalServerError, match="HTTP status 502") as caught:
        client.ask(PROMPT, MODEL)
    assert caught.value.body["text"]


@pytest.mark.parametrize("body", ["<html>Welcome</html>", "[]", "{}", '{"choices": 1}', ""])
def test_an_answer_of_another_kind(client: seekroute.Client, mock: MockProvider, body: str) -> None:
    mock.queue(Status(200, body=body))
    with pytest.raises(seekroute.APIError, match="not what a gateway gives"):
        client.images.generate(prompt=PROMPT, model=MODEL)


def test_a_redirect_is_not_followed(client: seekroute.Client, mock: MockProvider) -> None:
    # Following it would carry the key and the prompt to wherever it points.
    mock.queue(Status(307, headers={"location": mock.base_url + "/chat/completions"}))
    with pytest.raises(seekroute.APIStatusError) as caught:
        client.ask(PROMPT, MODEL)
    assert caught.value.status_code == 307
    assert len(mock.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [Status(500), Status(401), Raw([("rst",)]), Raw([("hang",)]), Status(200, body="nonsense")],
)
def test_neither_key_nor_prompt_is_in_an_error(
    client: seekroute.Client, mock: MockProvider, reply: Any
) -> None:
    mock.queue(reply)
    with pytest.raises(seekroute.APIError) as caught:
        client.ask(PROMPT, MODEL, timeout=0.3)
    error = caught.value
    seen = f"{error!r} {error.hint} {error.__dict__!r} {error.__cause__!r} {client!r}"
    assert KEY not in seen
    assert PROMPT not in seen
    assert error.__suppress_context__ or error.__context__ is None
