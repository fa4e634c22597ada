"""The files of JSONTestSuite: as requests, inside requests, and as answers of a provider."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from pathlib import Path

import pytest

from seekroute.testing import Status
from serving import MODEL, PATIENCE, Answer, RunningServer
from shared import shared_path

CHAT = "/v1/chat/completions"
# Valid JSON in which a name occurs twice: refused, since two readers might read it differently.
DUPLICATES = {
    "y_object_duplicated_key.json",
    "y_object_duplicated_key_and_value.json",
}
JSON = {"content-type": "application/json"}


class KeptAlive:
    """One connection that is used for all requests; the server must never drop it."""

    def __init__(self, server: RunningServer) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        self._connection.connect()
        self._headers = {**JSON, "Authorization": f"Bearer {server.key}"}

    def post(self, body: bytes) -> Answer:
        assert self._connection.sock is not None, "the server closed the connection"
        self._connection.request("POST", CHAT, body, self._headers)
        response = self._connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def connection(gateway: RunningServer) -> Iterator[KeptAlive]:
    made = KeptAlive(gateway)
    yield made
    made.close()


def files(kind: str) -> dict[str, bytes]:
    """The files of a class, "y", "n" or "i", by name."""
    folder = shared_path("corpora", "jsontestsuite", "test_parsing")
    return {file.name: file.read_bytes() for file in sorted(Path(folder).glob(f"{kind}_*"))}


def all_files() -> dict[str, bytes]:
    """Every file, those of test_transform too."""
    folder = shared_path("corpora", "jsontestsuite", "test_transform")
    transform = {file.name: file.read_bytes() for file in sorted(Path(folder).iterdir())}
    return {**files("y"), **files("n"), **files("i"), **transform}


def as_metadata(value: bytes) -> bytes:
    """A valid request with this as a value inside."""
    head = f'{{"model":"{MODEL}","messages":[{{"role":"user","content":"x"}}],"metadata":'
    return head.encode() + value + b"}"


def test_corpus_is_whole() -> None:
    counts = {kind: len(files(kind)) for kind in "yni"}
    assert counts == {"y": 95, "n": 188, "i": 35}
    assert len(all_files()) == 318 + 22


def test_as_the_whole_body(gateway: RunningServer, connection: KeptAlive) -> None:
    wrong = {}
    for name, body in all_files().items():
        answer = connection.post(body)
        broken = name.startswith("n_")
        codes = {"invalid_json", "json_too_deep", "invalid_unicode", "duplicate_key"}
        if not broken:
            codes |= {"missing_required_parameter", "invalid_type", "invalid_value"}
        if answer.status != 400 or answer.code not in codes:
            wrong[name] = (answer.status, answer.body[:200])
    assert wrong == {}
    assert gateway.mock.requests == []


def test_valid_files_inside_a_request_arrive(gateway: RunningServer, connection: KeptAlive) -> None:
    wrong = {}
    for name, value in files("y").items():
        body = as_metadata(value)
        answer = connection.post(body)
        if name in DUPLICATES:
            if (answer.status, answer.code) != (400, "duplicate_key"):
                wrong[name] = (answer.status, answer.body[:200])
        elif answer.status != 200 or gateway.mock.requests[-1].body != body:
            wrong[name] = (answer.status, answer.body[:200])
    assert wrong == {}


def test_broken_files_inside_a_request_are_refused(
    gateway: RunningServer, connection: KeptAlive
) -> None:
    wrong = {}
    for name, value in files("n").items():
        answer = connection.post(as_metadata(value))
        if answer.status != 400:
            wrong[name] = (answer.status, answer.body[:200])
    assert wrong == {}
    assert gateway.mock.requests == []


def test_unclear_files_inside_a_request_do_no_harm(
    gateway: RunningServer, connection: KeptAlive
) -> None:
    wrong = {}
    passed = 0
    for name, value in files("i").items():
        body = as_metadata(value)
        answer = connection.post(body)
        if answer.status == 200 and gateway.mock.requests[-1].body == body:
            passed += 1
        elif answer.status != 400:
            wrong[name] = (answer.status, answer.body[:200])
    assert wrong == {}
    assert passed > 0


@pytest.mark.parametrize("stream", [False, True])
def test_as_answers_of_a_provider(
    gateway: RunningServer, connection: KeptAlive, stream: bool
) -> None:
    wrong = {}
    request = b'{"model":"%s","messages":[{"role":"user","content":"x"}],"stream":%s}' % (
        MODEL.encode(),
        b"true" if stream else b"false",
    )
    for name, body in all_files().items():
        gateway.mock.queue(Status(200, body=body, headers=JSON))
        answer = connection.post(request)
        if (answer.status, answer.code) != (502, "bad_upstream_response"):
            wrong[name] = (answer.status, answer.body[:200])
    assert wrong == {}
    assert gateway.mock.queued == 0
    assert connection.post(request).status == 200


def test_as_events_of_a_provider(gateway: RunningServer, connection: KeptAlive) -> None:
    wrong = {}
    request = (
        b'{"model":"%s","messages":[{"role":"user","content":"x"}],"stream":true}' % MODEL.encode()
    )
    for name, value in files("n").items():
        if not value.strip() or b"\n" in value or b"\r" in value:
            continue  # not one event
        event = b"data: " + value + b"\n\ndata: [DONE]\n\n"
        gateway.mock.queue(Status(200, body=event, headers={"content-type": "text/event-stream"}))
        answer = connection.post(request)
        if (answer.status, answer.code) != (502, "bad_upstream_response"):
            wrong[name] = (answer.status, answer.body[:200])
    assert wrong == {}
