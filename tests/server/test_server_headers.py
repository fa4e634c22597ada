"""Header values as they are read: white space around them, empty ones, and some that come twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from serving import (
    Answer,
    RunningServer,
    chat_body,
    parse_answers,
    post_bytes,
    read_until_closed,
    running_server,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A gateway that nothing is special about."""
    with running_server(tmp_path_factory.mktemp("headers")) as running:
        yield running


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["Idempotency-Key:"], "idempotency_key_invalid"),
        (["Idempotency-Key: \t "], "idempotency_key_invalid"),
        (["Idempotency-Key: a", "Idempotency-Key: b"], "idempotency_key_invalid"),
        (["Idempotency-Key: a", "Idempotency-Key: a"], "idempotency_key_invalid"),
        (["Idempotency-Key:", "Idempotency-Key: a"], "idempotency_key_invalid"),
        (["Idempotency-Key: caf\xe9"], "idempotency_key_invalid"),
        (["Idempotency-Key: " + "k" * 256], "idempotency_key_invalid"),
    ],
)
def test_idempotency_keys_that_are_none(server: RunningServer, lines: list[str], code: str) -> None:
    sent = len(server.mock.requests)
    with server.connect() as client:
        client.sendall(server.chat_bytes(*lines, "Connection: close"))
        (answer,) = parse_answers(read_until_closed(client))
    assert (answer.status, answer.code) == (400, code)
    assert len(server.mock.requests) == sent


def test_white_space_around_a_value_is_no_part_of_it(server: RunningServer) -> None:
    def ask(*lines: str, path: str = "/v1/chat/completions") -> Answer:
        with server.connect() as client:
            client.sendall(post_bytes(chat_body(), *lines, "Connection:\tclose \t", path=path))
            (answer,) = parse_answers(read_until_closed(client))
        return answer

    key = f"Authorization: \tBearer {server.key}"
    first = ask(f"{key} \t", "Idempotency-Key:\t padded ", "X-Request-Id: req-1 \t")
    assert first.status == 200
    assert first.headers["x-request-id"] == "req-1"
    again = ask(key, "Idempotency-Key: padded")
    assert (again.status, again.code) == (409, "idempotency_completed")
    explained = ask(key, "X-Seekroute-Explain: 1 ", "Content-Encoding: identity ")
    assert "seekroute" in explained.json()
