"""A running server takes over a new configuration whole, or stays as it was."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from first_starts import first_words
from seekroute.cli.root import app
from seekroute.config import load_settings, prepare
from seekroute.control import ControlError, ControlPlane, directory
from seekroute.plan import Plan
from seekroute.reloading import packed
from seekroute.server.reloading import Reloads
from seekroute.testing import Gate, MockProvider, Text
from serving import PATIENCE, RunningServer, chat_body, post_bytes, read_until, running_server

# How long requests run against reloads: `script/test --long` wants a minute.
LOAD_S = float(os.environ.get("SEEKROUTE_RELOAD_SECONDS", "3"))
EVERY_S = 0.05


def house(url: str, model: str, price: str, **more: Any) -> str:
    """A configuration whose alias `house` is one model, at a price in USD per million tokens."""
    provider = {"base_url": url, "allow_http": True, "allow_private": True, "api_key": "k"}
    endpoint = {"provider": "house", "model": f"up-{model}"}
    # Per million, so that every token of an answer shows its price.
    endpoint["price"] = {"input": price, "output": price}  # type: ignore[assignment]
    entry = {
        "id": f"team/{model}",
        "name": model,
        "aliases": ["house"],
        "context": 1000,
        "max_output": 1000,
        "endpoints": [endpoint],
    }
    # JSON is YAML, and every value has a line of its own.
    whole = {"providers": {"house": provider}, "models": [entry], **more}
    return json.dumps(whole, indent=1)


def file_of(server: RunningServer) -> Path:
    """Its configuration file."""
    return Path(server.service.data_dir) / "seekroute.yaml"


def reload(server: RunningServer, *words: str) -> Result:
    """`seekroute config reload`."""
    command = ["--data-dir", str(server.service.data_dir), "config", "reload", *words]
    return CliRunner().invoke(app, command, catch_exceptions=False)


def told(server: RunningServer) -> Any:
    """What a reload that is applied says."""
    result = reload(server, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with running_server(tmp_path / "data") as running:
        file_of(running).write_text(house(running.mock.base_url, "one", "1"))
        yield running


def ask(server: RunningServer) -> tuple[str, float]:
    """The model that `house` is, and what a token of its costs, per million."""
    answer = server.chat(model="house")
    assert answer.status == 200, answer.body
    return served(answer.json())


def served(answer: Any) -> tuple[str, float]:
    usage = answer["usage"]
    return answer["model"], round(usage["cost"] * 1e6 / usage["total_tokens"], 6)


def test_a_reload_adds_changes_and_removes(server: RunningServer) -> None:
    url = server.mock.base_url
    assert server.chat(model="house").status == 404
    said = told(server)
    changes = [each["text"] for each in said["changes"]]
    auto = "~ name auto: means openai/gpt-5-mini -> team/one"
    assert changes == ["+ provider house", "+ model team/one", auto]
    assert (said["result"], said["problems"], said["needs_restart"]) == ("applied", [], [])
    assert ask(server) == ("team/one", 1)
    shown = server.request("GET", "/v1/models/team/one/endpoints").json()
    assert shown["data"]["endpoints"][0]["pricing"]["prompt"] == "0.000001"

    file_of(server).write_text(house(url, "one", "2.5", profiles=["seekroute", "router9"]))
    changes = [each["text"] for each in told(server)["changes"]]
    assert "~ price team/one at house: input 1 -> 2.5" in changes
    assert "- profile reseller" in changes
    assert ask(server) == ("team/one", 2.5)
    shown = server.request("GET", "/v1/models/team/one/endpoints").json()
    assert shown["data"]["endpoints"][0]["pricing"]["prompt"] == "0.0000025"

    file_of(server).write_text("{}")
    result = reload(server)
    assert "- provider house\n- model team/one\n" in result.stdout
    assert server.chat(model="house").status == 404
    assert reload(server).stdout == "nothing changed\n"


def test_a_refused_reload_keeps_the_old_one_and_says_where(server: RunningServer) -> None:
    told(server)
    text = file_of(server).read_text()
    line = 1 + text[: text.index('"allow_http"')].count("\n")
    file_of(server).write_text(text.replace('"allow_http": true', '"allow_http": "perhaps"'))
    result = reload(server)
    assert result.exit_code == 1
    assert f"seekroute.yaml:{line}:" in result.stderr
    assert "providers.house.allow_http: expected true or false" in result.stderr
    assert "a running server keeps the one that it has" in result.stderr
    assert ask(server) == ("team/one", 1)
    file_of(server).write_text("{")
    result = reload(server, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["result"] == "refused"
    assert ask(server) == ("team/one", 1)
    shown = server.request("GET", "/metrics").body.decode()
    assert 'seekroute_config_reloads_total{result="applied"} 1.0' in shown
    assert 'seekroute_config_reloads_total{result="refused"} 2.0' in shown


def test_differences_of_routing_name_what_changed(server: RunningServer) -> None:
    url = server.mock.base_url
    file = file_of(server)
    member = {"model": "team/one"}
    mini = "openai/gpt-4o-mini"
    file.write_text(
        house(
            url,
            "one",
            "1",
            routing={"fallbacks": {"any": {"house": [mini, "openai/gpt-5-nano"]}}},
            virtual_models={"a/old": {"candidates": [member]}, "a/both": {"candidates": [member]}},
        )
    )
    told(server)
    file.write_text(
        house(
            url,
            "one",
            "1",
            profile="router9",
            routing={
                "balance": "listed",
                "fallbacks": {"any": {"house": [mini]}, "context": {mini: ["house"]}},
            },
            virtual_models={
                "a/new": {"candidates": [member]},
                "a/both": {"candidates": [member, {"model": mini}], "strategy": "price"},
            },
        )
    )
    changes = [each["text"] for each in told(server)["changes"]]
    assert changes == [
        "~ routing balance: inverse_square -> listed",
        "~ virtual model a/both: strategy weighted -> price",
        "~ virtual model a/both: candidates changed",
        "+ virtual model a/new",
        "- virtual model a/old",
        f"~ routing fallbacks.any of team/one: {mini}, openai/gpt-5-nano -> {mini}",
        f"~ routing fallbacks.context of {mini}: none -> team/one",
        "~ default profile: seekroute -> router9",
    ]


def test_a_reload_warns_of_a_fallback_that_is_never_asked(
    server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    lists = {"any": {"house": ["openai/gpt-4.1"]}}
    url = server.mock.base_url
    file_of(server).write_text(house(url, "one", "0.01", routing={"fallbacks": lists}))
    result = reload(server)
    assert result.exit_code == 0
    warning = "routing.fallbacks.any.house.0: openai/gpt-4.1 is never asked after team/one"
    assert f": {warning}" in result.stderr
    assert warning in caplog.text
    (told_again,) = told(server)["warnings"]
    assert warning in told_again


def test_an_authority_that_is_no_certificate_is_refused(server: RunningServer) -> None:
    told(server)
    file = file_of(server)
    whole = json.loads(file.read_text())
    whole["providers"]["house"] |= {"base_url": "https://127.0.0.1:1/v1", "ca_file": "none.pem"}
    file.write_text(json.dumps(whole))
    result = reload(server)
    assert result.exit_code == 1
    assert "providers.house.ca_file" in result.stderr
    assert ask(server) == ("team/one", 1)


def test_what_only_a_start_can_take_is_named(server: RunningServer) -> None:
    url = server.mock.base_url
    other: dict[str, Any] = {
        "require_key": False,
        "engine_threads": 2,
        "timeouts": {"idle_timeout_ms": 1000},
    }
    other |= {"credits": {"strict_bound": True}}
    other |= {"limits": {"expected_output": 7, "queue_ms": 5, "queue": {"per_org": 6}}}
    file_of(server).write_text(house(url, "one", "1", **other))
    wanted = {"require_key", "engine_threads", "timeouts.idle_timeout_ms"}
    wanted |= {"credits.strict_bound", "limits.expected_output"}
    wanted |= {"limits.queue_ms", "limits.queue.per_org"}
    said = told(server)
    assert set(said["needs_restart"]) == wanted
    assert ask(server) == ("team/one", 1)  # all else is taken
    assert set(told(server)["needs_restart"]) == wanted  # until a restart
    result = reload(server)
    assert "require_key: needs a restart, and stays as it was" in result.stderr
    assert server.request("POST", "/v1/chat/completions", chat_body(), with_key=False).status == 401


def test_no_secret_is_told(server: RunningServer) -> None:
    told(server)
    file = file_of(server)
    text = file.read_text().replace('"api_key": "k"', '"api_key": "another-key-1234"')
    file.write_text(text.replace('"base_url"', '"headers": {"x-team": "hush"}, "base_url"'))
    result = reload(server)
    assert "~ provider house: key changed" in result.stdout
    assert "~ provider house: headers changed" in result.stdout
    assert "another-key" not in result.output
    assert "hush" not in result.output
    ask(server)
    assert server.mock.requests[-1].headers["authorization"] == "Bearer another-key-1234"


def test_a_stream_ends_as_it_began(server: RunningServer) -> None:
    url = server.mock.base_url
    told(server)
    gate = Gate()
    server.mock.queue(Text("before after", chunks=["before ", "after"], gate=gate))
    with contextlib.closing(server.connect()) as client:
        client.sendall(server.chat_bytes(model="house", stream=True))
        gate.release(2)
        begun = read_until(client, b"before")
        file_of(server).write_text(house(url, "two", "7"))
        told(server)
        assert ask(server) == ("team/two", 7)
        gate.open()
        whole = begun + read_until(client, b"[DONE]")
    events = [line[6:] for line in whole.split(b"\n") if line.startswith(b"data: {")]
    chunks = [json.loads(event) for event in events]
    assert {chunk["model"] for chunk in chunks} == {"team/one"}
    assert b"after" in whole
    last = next(chunk for chunk in reversed(chunks) if chunk.get("usage"))
    assert served(last) == ("team/one", 1)


def test_without_a_server_there_is_nothing_to_reload(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as running:
        pass
    result = CliRunner().invoke(
        app, ["--data-dir", str(running.service.data_dir), "config", "reload"]
    )
    assert result.exit_code == 1
    assert "no server runs from" in result.output


@pytest.mark.parametrize("text", ["{", "default_model: no/such\n"])
def test_a_file_that_does_not_tell_the_data_directory_is_refused_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.delenv("SEEKROUTE_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("seekroute.yaml").write_text(text)
    result = CliRunner().invoke(app, ["config", "reload"], catch_exceptions=False)
    assert result.exit_code == 1
    assert "seekroute.yaml:" in result.stderr
    assert "a running server keeps the one that it has" in result.stderr
    result = CliRunner().invoke(app, ["config", "reload", "--json"], catch_exceptions=False)
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert (told["result"], told["changes"], told["needs_restart"]) == ("refused", [], [])
    assert "--data-dir DIR before the command" in told["problems"][-1]


@pytest.mark.parametrize(
    ("folder", "text"),
    [("seekroute-data", "{"), ("other", "{data_dir: other, default_model: no/such}")],
)
def test_a_server_refuses_and_counts_a_file_that_the_command_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, text: str
) -> None:
    monkeypatch.delenv("SEEKROUTE_DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path)
    with running_server(tmp_path / folder) as server:
        for file in (file_of(server), Path("seekroute.yaml")):
            file.write_text(text)
        result = CliRunner().invoke(app, ["config", "reload"], catch_exceptions=False)
        assert result.exit_code == 1
        assert f"{file_of(server)}:" in result.stderr
        assert "a running server keeps the one that it has" in result.stderr
        assert "--data-dir" not in result.stderr
        shown = server.request("GET", "/metrics").body.decode()
        assert 'seekroute_config_reloads_total{result="refused"} 1.0' in shown


def test_keys_are_asked_for_the_new_mock(tmp_path: Path) -> None:
    """A provider's key ends the built-in mock; without one it is back."""
    with running_server(tmp_path / "data", mock="auto", own_mock=True) as running:
        assert running.service.mocked
        assert running.service.checks()["mock"].state == "warning"
        with MockProvider() as upstream:
            file_of(running).write_text(house(upstream.base_url, "one", "1"))
            assert "- provider mock" in reload(running).stdout
            assert not running.service.mocked
            assert ask(running) == ("team/one", 1)
            assert running.chat().status == 404  # nobody serves it now
        file_of(running).write_text("{}")
        assert "+ provider mock" in reload(running).stdout
        assert running.service.mocked
        assert running.chat().status == 200


def test_a_signal_is_not_lost_where_the_database_fails(tmp_path: Path) -> None:
    with ControlPlane(tmp_path) as control:
        adopted: list[Plan] = []
        reloads = Reloads(control, adopted.append, {})
        settings = load_settings(overrides={"data_dir": str(tmp_path)}, environ={})
        plan = prepare(settings, {})
        reloads.begin(plan.source, packed(plan))
        reloads.ask()
        failing = control.reloads.pending

        def fails() -> list[int]:
            raise ControlError("the disk fails")

        control.reloads.pending = fails  # type: ignore[method-assign]
        with pytest.raises(ControlError):
            reloads.turn()
        assert adopted == []
        control.reloads.pending = failing  # type: ignore[method-assign]
        reloads.turn()
        reloads.turn()
        assert len(adopted) == 1


def reloads_of(control: ControlPlane, folder: Path, adopt: Callable[[Plan], None]) -> Reloads:
    """Those of a server that has just started."""
    reloads = Reloads(control, adopt, {})
    plan = prepare(load_settings(overrides={"data_dir": str(folder)}, environ={}), {})
    reloads.begin(plan.source, packed(plan))
    return reloads


def test_what_a_starting_server_is_asked_it_does_when_it_has_started(tmp_path: Path) -> None:
    with ControlPlane(tmp_path) as control:
        asked = [control.reloads.put() for _ in range(2)]
        adopted: list[Plan] = []
        reloads_of(control, tmp_path, adopted.append).turn()
        assert [control.reloads.get(n).state for n in asked] == ["applied"] * 2
        assert len(adopted) == 1


def test_a_second_signal_does_not_wait_for_the_first(tmp_path: Path) -> None:
    with ControlPlane(tmp_path) as control:
        reloads = reloads_of(control, tmp_path, lambda plan: None)
        nested: list[str] = []

        def trace(frame: Any, event: str, arg: object) -> Any:
            if event == "call":
                nested.append(frame.f_code.co_name)
            return None

        sys.setprofile(trace)
        try:
            reloads.ask()
        finally:
            sys.setprofile(None)
        assert nested == ["ask"]  # which takes no lock


def test_of_a_fault_only_its_type_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(plan: Plan) -> None:
        raise RuntimeError("sk-live-secret")

    with ControlPlane(tmp_path) as control:
        n = control.reloads.put()
        reloads_of(control, tmp_path, fails).turn()
        said = control.reloads.get(n).told
        assert said is not None
        assert "RuntimeError" in said
        assert "secret" not in said

        (tmp_path / "sitecustomize.py").write_text(
            "import pickle\n"
            "def load(stream): raise KeyError('of the\\nsecret: sk')\n"
            "pickle.load = load\n"
        )
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        n = control.reloads.put()
        reloads_of(control, tmp_path, lambda plan: None).turn()
        said = control.reloads.get(n).told
        assert said is not None
        assert "could not be read: KeyError" in said
        assert "secret" not in said


def test_a_plan_that_is_in_force_is_not_refused(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = server.service._key_feed
    adopt = feed.adopt

    def fails(*args: Any, **more: Any) -> None:
        adopt(*args, **more)
        raise RuntimeError("a fault")

    monkeypatch.setattr(feed, "adopt", fails)
    told(server)
    assert ask(server) == ("team/one", 1)


def test_a_plan_that_the_core_refuses_leaves_keys_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_server(tmp_path / "data", mock="auto", own_mock=True) as running:
        file_of(running).write_text(house(running.mock.base_url, "one", "1"))
        told(running)

        def fails(snapshot: Any) -> None:
            raise ValueError("it is refused")

        monkeypatch.setattr(running.gateway, "install", fails)
        file_of(running).write_text("{}")
        assert reload(running).exit_code == 1
        assert not running.service.mocked
        assert not running.service._key_feed._mocked


def test_an_answer_of_a_server_that_has_ended_is_still_told(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = directory.serving_pid(Path(server.service.data_dir))
    reloads = server.service.control.reloads
    found = [pid]

    def serving(folder: Path) -> int | None:
        if found:
            return found.pop()
        answer = {"result": "applied", "changes": [], "more_changes": 0, "needs_restart": []}
        reloads.finish(reloads.pending(), "applied", json.dumps(answer))
        return None

    monkeypatch.setattr(directory, "serving_pid", serving)
    assert reload(server).stdout == "nothing changed\n"


# --- under load ----------------------------------------------------------------------------------


class Load:
    """Clients that ask for `house` without a pause, on connections that stay open."""

    def __init__(self, port: int, key: str, clients: int = 4) -> None:
        self.answers: list[tuple[str, float]] = []
        self.faults: list[object] = []
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._port = port
        self._ended = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(n % 2 == 0,)) for n in range(clients)
        ]

    def _run(self, stream: bool) -> None:
        body = chat_body(model="house", stream=stream)
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE)
        try:
            with contextlib.closing(connection):
                while not self._ended.is_set():
                    connection.request("POST", "/v1/chat/completions", body, self._headers)
                    answer = connection.getresponse()
                    self._note(answer.status, answer.read(), stream)
        except Exception as error:  # of a thread: shown by the test
            self.faults.append(error)

    def _note(self, status: int, body: bytes, stream: bool) -> None:
        if status != 200 or (stream and not body.endswith(b"data: [DONE]\n\n")):
            self.faults.append((status, body))
            return
        if not stream:
            self.answers.append(served(json.loads(body)))
            return
        events = [json.loads(x[6:]) for x in body.split(b"\n") if x.startswith(b"data: {")]
        models = {event["model"] for event in events}
        if len(models) != 1 or any("error" in event for event in events):
            self.faults.append(body)
            return
        self.answers.append(served(next(x for x in reversed(events) if x.get("usage"))))

    @contextlib.contextmanager
    def running(self) -> Iterator[Load]:
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            for thread in self._threads:
                thread.join(PATIENCE)


def every(seconds: float, what: Callable[[int], None]) -> int:
    """Does it again and again for `LOAD_S`, so many seconds apart. Returns how often."""
    began, n = time.monotonic(), 0
    pause = threading.Event()
    while time.monotonic() < began + LOAD_S:
        what(n)
        n += 1
        pause.wait(max(0.0, began + n * seconds - time.monotonic()))
    return n


def test_no_request_is_mixed_or_failed_by_swaps(server: RunningServer) -> None:
    plans: list[Plan] = []
    for model, price in (("one", "1"), ("two", "7")):
        file_of(server).write_text(house(server.mock.base_url, model, price))
        overrides = {"mock": "beside", "data_dir": str(server.service.data_dir)}
        settings = load_settings(file_of(server), overrides=overrides, environ={})
        plans.append(prepare(settings, {}))
    server.service.adopt(plans[0])
    load = Load(server.port, server.key)
    with load.running():
        swaps = every(EVERY_S, lambda n: server.service.adopt(plans[n % 2]))
    assert load.faults == []
    assert swaps > LOAD_S / EVERY_S / 4
    assert set(load.answers) == {("team/one", 1.0), ("team/two", 7.0)}


@contextlib.contextmanager
def program(folder: Path, *, named: bool = True) -> Iterator[Any]:
    """`seekroute serve` with the file of a folder: named, or found there."""
    kept = {name: os.environ[name] for name in os.environ if "KEY" not in name}
    file = ["--config", str(folder / "seekroute.yaml")] if named else []
    child = subprocess.Popen(
        [
            *(sys.executable, "-m", "seekroute", *file, "serve"),
            *("--port", "0", "--mock", "off", "--log-format", "json"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=kept,
        cwd=folder,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def test_signals_under_load(tmp_path: Path) -> None:
    """A signal every 50 ms: each reading answers all that came before it."""
    models = (("one", "1"), ("two", "7"))

    with MockProvider() as upstream:

        def write(n: int) -> None:
            draft = tmp_path / "draft"
            draft.write_text(house(upstream.base_url, *models[n % 2]))
            draft.rename(tmp_path / "seekroute.yaml")

        write(0)
        with program(tmp_path) as child:
            key, port, _ = first_words(child)
            log: queue.Queue[str] = queue.Queue()
            # Always read, or the server would drop lines.
            reader = threading.Thread(target=lambda: [log.put(line) for line in child.stderr])
            reader.start()
            load = Load(port, key, clients=2)

            def hang_up(n: int) -> None:
                write(n)
                child.send_signal(signal.SIGHUP)

            with load.running():
                signals = every(EVERY_S, hang_up)
                hang_up(0)
                hang_up(1)
                while "+ model team/two" not in (line := log.get(timeout=PATIENCE)):
                    assert "not reloaded" not in line
            assert load.faults == []
            assert set(load.answers) <= {("team/one", 1.0), ("team/two", 7.0)}
            assert signals > 10
            maps = Path(f"/proc/{child.pid}/maps").read_text()
            assert "pydantic_core" not in maps  # it has read nothing itself
            child.kill()
            reader.join(PATIENCE)


def said(child: Any, begins: str) -> str:
    """The next line of its log that begins so."""
    for line in child.stderr:
        text: str = json.loads(line)["msg"]
        if text.startswith(begins):
            return text
    raise AssertionError(f"it ended without saying {begins!r}")


def test_a_signal_reloads_and_says_so(tmp_path: Path) -> None:
    file = tmp_path / "seekroute.yaml"
    with MockProvider() as upstream:
        file.write_text(house(upstream.base_url, "one", "1"))
        with program(tmp_path) as child:
            key, port, _ = first_words(child)
            file.write_text(house(upstream.base_url, "one", "3"))
            child.send_signal(signal.SIGHUP)
            said(child, "configuration reloaded: 1 change")
            said(child, "reload: ~ price team/one at house: input 1 -> 3")
            file.write_text("models: 3\n")
            child.send_signal(signal.SIGHUP)
            refused = said(child, "configuration not reloaded, the old one stays")
            assert "seekroute.yaml:1" in refused
            with contextlib.closing(socket.create_connection(("127.0.0.1", port))) as client:
                client.settimeout(PATIENCE)
                client.sendall(post_bytes(chat_body(model="house"), f"Authorization: Bearer {key}"))
                head = read_until(client, b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200")
            child.send_signal(signal.SIGTERM)
            assert child.wait(PATIENCE) == 0


@pytest.mark.parametrize("named", [True, False])
def test_a_file_that_has_vanished_is_missed_by_name(tmp_path: Path, named: bool) -> None:
    """Without it, defaults would be in force: other models, no limits, the mock."""
    file = tmp_path / "seekroute.yaml"
    with MockProvider() as upstream:
        file.write_text(house(upstream.base_url, "one", "1"))
        with program(tmp_path, named=named) as child:
            first_words(child)
            file.unlink()
            child.send_signal(signal.SIGHUP)
            refused = said(child, "configuration")
            assert refused.startswith("configuration not reloaded, the old one stays")
            assert "seekroute.yaml: cannot read the file" in refused


def blocks_hangups(pid: int) -> bool:
    """Whether a process lets SIGHUP wait."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigBlk:"):
            return bool(int(line.split()[1], 16) & 1 << (signal.SIGHUP - 1))
    return False


def test_a_signal_to_a_server_that_starts_waits_for_it(tmp_path: Path) -> None:
    (tmp_path / "seekroute.yaml").write_text("{}")
    with program(tmp_path) as child:
        until = time.monotonic() + PATIENCE
        looks = 0  # in a row: whoever makes a thread blocks all signals for a moment
        while looks < 100:
            looks = looks + 1 if blocks_hangups(child.pid) else 0
            assert child.poll() is None
            assert time.monotonic() < until
        child.send_signal(signal.SIGHUP)
        first_words(child)
        said(child, "configuration reloaded: 0 changes")
        assert not blocks_hangups(child.pid)


_WITH_TERMINAL = """
import fcntl, os, signal, sys, termios
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
"""


def test_a_terminal_that_is_closed_ends_what_runs_in_it(tmp_path: Path) -> None:
    (tmp_path / "seekroute.yaml").write_text("{}")
    ours, theirs = os.openpty()
    words = ["-m", "seekroute", "serve", "--port", "0", "--log-format", "json"]
    child = subprocess.Popen(
        [sys.executable, "-c", _WITH_TERMINAL, *words],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        cwd=tmp_path,
        text=True,
    )
    try:
        os.close(theirs)
        first_words(child)
        os.close(ours)
        assert child.wait(PATIENCE) == 0
    finally:
        child.kill()
        child.communicate()
