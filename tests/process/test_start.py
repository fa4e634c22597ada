"""A start that cannot be ends in words about what is wrong and what to do, whatever it was."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import shlex
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

import seekroute.server
from bare_cli import unconfigure
from seekroute.cli.root import app
from seekroute.control import ControlPlane
from seekroute.ledger import Ledger
from seekroute.server.files import OpenFiles
from seekroute.server.limits import Limits

PATIENCE = 60.0
ROOT = os.geteuid() == 0
Prepare = Callable[[Path], Any]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unconfigure(monkeypatch, tmp_path)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


def nothing(folder: Path) -> None:
    """The table's cases are settings alone."""


def file(name: str, content: bytes = b"nonsense " * 1000, mode: int = 0o600) -> Prepare:
    def prepare(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)

    return prepare


def folder_at(name: str) -> Prepare:
    return lambda folder: (folder / name).mkdir(parents=True)


def used(then: Prepare) -> Prepare:
    """A data directory that has served, changed afterwards."""

    def prepare(folder: Path) -> None:
        data = folder / "data"
        with ControlPlane(data) as control:
            org = control.orgs.create("acme")
            control.keys.create(org.id, name="k", profile="seekroute", prefix="sk-sr-")
        Ledger(data / "ledger.db").close()
        then(folder)

    return prepare


def from_the_future(folder: Path) -> None:
    with sqlite3.connect(folder / "data" / "control.db") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()


PRICE = {"input": "1", "output": "1"}


def model(**fields: Any) -> dict[str, Any]:
    """Settings with one model of the operator's own."""
    endpoint = {"provider": "own", "model": "m", "price": PRICE}
    own = {"id": "acme/m", "context": 1000, "endpoints": [endpoint], **fields}
    return {**provider(), "models": [own]}


def provider(**fields: Any) -> dict[str, Any]:
    return {"providers": {"own": {"base_url": "https://127.0.0.1:1/v1", **fields}}}


@dataclass(frozen=True)
class Case:
    """One way not to start.

    Args:
        says: a pattern that the refusal matches.
        settings: of the configuration file.
        prepare: what is done to the folder before.
        check: whether `seekroute config check` knows of it; that of a running server's port or a
            damaged database it does not say: `seekroute doctor` does.
        environ: variables.
    """

    says: str
    settings: dict[str, Any]
    prepare: Prepare = nothing
    check: bool = True
    environ: tuple[tuple[str, str], ...] = ()


CASES = {
    "host-nul": Case("server.host: expected an address", {"server": {"host": "a\0b"}}),
    "host-space": Case("server.host: expected an address", {"server": {"host": "local host"}}),
    "host-long-label": Case("server.host: expected an", {"server": {"host": "a" * 70 + ".org"}}),
    "host-empty-label": Case("server.host: expected an", {"server": {"host": "a..b"}}),
    "host-unknown": Case("server.host|cannot listen", {"server": {"host": "no-such.invalid"}}),
    "host-not-ours": Case("server.host|cannot listen", {"server": {"host": "203.0.113.7"}}),
    "data-nul": Case("data_dir: expected a path", {"data_dir": "a\0b"}),
    "data-file": Case("data", {}, file("data")),
    "data-below-file": Case("under", {"data_dir": "under/data"}, file("under")),
    "data-long": Case("File name too long", {"data_dir": "x" * 300}),
    "data-lock-is-folder": Case("server.lock", {}, folder_at("data/server.lock"), check=False),
    "data-other-lock-is-folder": Case(
        "control.lock", {}, folder_at("data/control.lock"), check=False
    ),
    "control-is-folder": Case("control.db", {}, folder_at("data/control.db"), check=False),
    "control-garbage": Case("control.db", {}, file("data/control.db"), check=False),
    "control-newer": Case("newer seekroute", {}, used(from_the_future), check=False),
    "ledger-is-folder": Case("ledger.db", {}, folder_at("data/ledger.db"), check=False),
    "ledger-garbage": Case("ledger.db", {}, file("data/ledger.db"), check=False),
    "pepper-missing": Case(
        "pepper", {}, used(lambda folder: (folder / "data/pepper").unlink()), check=False
    ),
    "pepper-short": Case(
        "holds 5 bytes",
        {},
        used(lambda folder: (folder / "data/pepper").write_bytes(b"short")),
        check=False,
    ),
    "pepper-open": Case(
        "chmod 600", {}, used(lambda folder: (folder / "data/pepper").chmod(0o644)), check=False
    ),
    "pepper-alone": Case("--new-control", {}, file("data/pepper", b"x" * 32), check=False),
    "pepper-is-folder": Case("pepper", {}, folder_at("data/pepper"), check=False),
    "pepper-variable": Case("openssl rand", {}, environ=(("SEEKROUTE_PEPPER", "short"),)),
    "ca-missing": Case("ca_file: no such file", provider(ca_file="none.pem")),
    "ca-folder": Case("ca_file: no such file", provider(ca_file="."), check=True),
    "ca-empty": Case("holds no certificate", provider(ca_file="ca.pem"), file("ca.pem", b"")),
    "ca-words": Case("holds no certificate", provider(ca_file="ca.pem"), file("ca.pem")),
    "ca-nul": Case("ca_file", provider(ca_file="a\0b")),
    "proxy-open-bracket": Case("proxy: expected", provider(proxy="http://[::1")),
    "proxy-port": Case("proxy: expected", provider(proxy="http://proxy:99999")),
    "proxy-no-host": Case("proxy: expected", provider(proxy="http://:3128")),
    "header-nul": Case("one line", provider(headers={"X-A": "a\0b"})),
    "header-line-break": Case("one line", provider(headers={"X-A": "a\nb: c"})),
    "profile-nul": Case("profile", {"profile": "a\0/b.yaml"}),
    "profile-folder": Case("Is a directory", {"profile": "./"}),
    "profile-binary": Case("UTF-8", {"profile": "p.yaml"}, file("p.yaml", b"\xff\xfe")),
    "profile-huge-number": Case(
        "max_tokens_min",
        {"profile": "p.yaml"},
        file("p.yaml", b"name: p\nkey_prefix: p-\nchecks: {max_tokens_min: %d}\n" % 10**30),
    ),
    "overlay-nul": Case("catalog_overlay", {"catalog_overlay": "a\0b"}),
    "overlay-folder": Case("Is a directory", {"catalog_overlay": "."}),
    "context-huge": Case("models.0.context", model(context=10**30)),
    "output-huge": Case("models.0.max_output", model(max_output=10**30)),
    "output-float": Case("models.0.max_output", model(max_output=1e300)),
    "tier-huge": Case(
        "above",
        model(
            endpoints=[
                {
                    "provider": "own",
                    "model": "m",
                    "price": {**PRICE, "tiers": [{"above": 10**30, "input": "2"}]},
                }
            ]
        ),
    ),
    "half-a-character": Case(
        "models.0", model(endpoints=[{"provider": "own", "model": "\ud800", "price": PRICE}])
    ),
    "half-a-character-in-a-name": Case("models.0", model(name="\ud800", aliases=["\ud800"])),
}


@pytest.mark.parametrize("name", CASES)
def test_what_keeps_it_from_starting_is_said(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    case = CASES[name]
    config = tmp_path / "seekroute.json"
    defaults = {"server": {"port": 0}, "data_dir": "data"}
    config.write_text(json.dumps({**defaults, **case.settings}))
    monkeypatch.setenv("SEEKROUTE_CONFIG", str(config))
    for variable, value in case.environ:
        monkeypatch.setenv(variable, value)
    case.prepare(tmp_path)

    checked = CliRunner().invoke(app, ["config", "check"])
    assert checked.exit_code == (2 if case.check else 0), checked.output
    assert checked.exception is None or isinstance(checked.exception, SystemExit)
    if case.check:
        assert re.search(case.says, checked.stderr), checked.stderr
    as_json = CliRunner().invoke(app, ["config", "check", "--json"])
    assert as_json.exit_code == checked.exit_code
    assert json.loads(as_json.stdout)["ok"] == (not case.check)

    monkeypatch.setattr("seekroute.server.runner._run", lambda *_: pytest.fail("it has started"))
    assert seekroute.server.serve() == 2
    said = capsys.readouterr().err
    assert re.search(case.says, said), said
    assert said.startswith("seekroute: ")
    assert "Traceback" not in said
    assert not (tmp_path / "\\0").exists()


def test_a_machine_without_certificates_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("seekroute._core.trust_problem", lambda file: file or "there are none")
    Path("seekroute.json").write_text(json.dumps({**provider(), "server": {"port": 0}}))
    monkeypatch.setenv("SEEKROUTE_CONFIG", "seekroute.json")
    words = "providers.own.ca_file: there are none (install the package ca-certificates"
    checked = CliRunner().invoke(app, ["config", "check"])
    assert checked.exit_code == 2
    assert words in checked.stderr
    looked = CliRunner().invoke(app, ["doctor", "--offline"])
    assert looked.exit_code == 1
    assert "providers.own.ca_file: there are none" in looked.stdout
    assert seekroute.server.serve(data_dir=tmp_path / "data") == 2
    assert words in capsys.readouterr().err
    with pytest.raises(seekroute.ConfigError, match="there are none"):
        seekroute.Client(**provider())
    # One that is spoken to without TLS needs none.
    plain = provider(base_url="http://127.0.0.1:1/v1", allow_http=True)
    seekroute.Client(**plain).close()


def test_a_port_in_use_is_said(
    taken: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert seekroute.server.serve(port=taken, data_dir=tmp_path / "data") == 2
    assert "stop the other program or choose another" in capsys.readouterr().err
    assert CliRunner().invoke(app, ["config", "check"]).exit_code == 0


def test_a_failure_that_nobody_foresaw_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error in (
        OSError(5, "Input/output error", "/somewhere"),
        ValueError("wrong type for key: x"),
        RuntimeError("can't start new thread"),
        MemoryError(),
    ):
        monkeypatch.setattr(
            "seekroute.server.service.Service.open",
            lambda _self, error=error: (_ for _ in ()).throw(error),
        )
        assert seekroute.server.serve(port=0, data_dir=tmp_path / "data", mock="on") == 2
        said = capsys.readouterr().err
        assert said.startswith("seekroute: cannot start: ")
        assert "seekroute doctor" in said
        assert len(said.splitlines()) == 1


def start(tmp_path: Path, files: int, redirected: str = "") -> subprocess.Popen[str]:
    """`seekroute serve` in a process that may have so many files open."""
    words = "-m seekroute --data-dir data serve --port 0 --mock on --log-format json"
    return subprocess.Popen(
        ["bash", "-c", f"ulimit -n {files}; exec {sys.executable} {words} {redirected}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )


@pytest.mark.parametrize("files", [24, 60, 127])
def test_too_few_files_are_said(tmp_path: Path, files: int) -> None:
    with start(tmp_path, files) as child:
        _, said = child.communicate(timeout=PATIENCE)
    assert child.returncode == 2
    assert "Traceback" not in said
    assert f"may have {files} files" in said
    assert "ulimit -n" in said


def test_files_for_fewer_requests_than_allowed_are_said(tmp_path: Path) -> None:
    with start(tmp_path, 300) as child:
        assert child.stderr is not None
        lines = [json.loads(child.stderr.readline()) for _ in range(4)]
        child.terminate()
        child.communicate(timeout=PATIENCE)
    (said,) = [line for line in lines if "limit" in line]
    assert (said["limit"], said["enough_for_requests"], said["max_active"]) == (300, 100, 10_000)
    assert "ulimit -n" in said["hint"]


def test_a_fallback_that_is_never_asked_is_warned_of(tmp_path: Path) -> None:
    lists = "{any: {deepseek-chat: [gpt-4.1]}}"
    (tmp_path / "seekroute.yaml").write_text(f"routing: {{fallbacks: {lists}}}\n")
    with start(tmp_path, 1024) as child:
        assert child.stderr is not None
        line = "-"
        while line and "is never asked" not in line:
            line = child.stderr.readline()
        child.terminate()
        child.communicate(timeout=PATIENCE)
    assert "openai/gpt-4.1 is never asked after deepseek/deepseek-chat" in line
    assert '"warning"' in line


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&-", "> /dev/full"])
def test_it_serves_with_a_closed_output(tmp_path: Path, closed: str) -> None:
    with start(tmp_path, 1024, closed) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        shown = ""
        while not re.search(r'"listening"|  -d ', shown):
            line = (child.stdout if closed == "2>&-" else child.stderr).readline()
            assert line, shown
            shown += line
        child.terminate()
        child.communicate(timeout=PATIENCE)
    assert child.returncode == 0
    assert "sk-sr-" not in shown  # none of these is a terminal
    # A full disk takes no words, so they are beside the log.
    assert (" -d " in shown) == (closed in ("2>&-", "> /dev/full"))
    assert (tmp_path / "data" / "first-key").read_text().startswith("sk-sr-")


@dataclass(frozen=True)
class Files:
    """What the system allows, what is asked for, and what comes of it."""

    soft: int
    hard: int
    max_active: int
    raised: int
    connections: int
    short: bool


NO_LIMIT = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    "case",
    [
        Files(1024, 524_288, 10_000, 65_536, 10_000, short=False),
        Files(1024, NO_LIMIT, 10_000, 65_536, 10_000, short=False),
        Files(1024, 4096, 10_000, 4096, 1998, short=True),
        Files(1024, 4096, 1000, 4096, 1998, short=False),
        Files(1024, 1 << 20, 100_000, 200_100, 10_000, short=False),
        Files(100_000, 100_000, 10_000, 100_000, 10_000, short=False),
        Files(NO_LIMIT, NO_LIMIT, 1_000_000, NO_LIMIT, 10_000, short=False),
        Files(128, 128, 10, 128, 14, short=False),
    ],
)
def test_the_limit_is_raised_as_far_as_it_is_of_use(
    case: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = [case.soft, case.hard]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda _, wanted: limits.__setitem__(0, wanted[0]))
    files = OpenFiles.raised(case.max_active)
    assert limits == [case.raised, case.hard]
    assert files.connections(Limits()) == case.connections
    assert bool(files.shortage) == case.short


@pytest.mark.parametrize(
    ("words", "level"), [("", "info"), ("limits: {max_active: 10000}\n", "warning")]
)
def test_fewer_requests_than_were_asked_for_are_warned_of(
    tmp_path: Path, words: str, level: str
) -> None:
    """With a hard limit of 4,096 files, and so 1,998 requests; a default asks for nothing."""
    (tmp_path / "seekroute.yaml").write_text(f"server: {{port: 0}}\nmock: on\n{words}")
    command = shlex.join([sys.executable, "-m", "seekroute", "serve", "--log-format", "json"])
    child = subprocess.Popen(
        ["sh", "-c", f"ulimit -n 4096; exec {command}"],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SEEKROUTE_CONFIG": "seekroute.yaml"},
    )
    assert child.stderr is not None
    told = (json.loads(text) for text in child.stderr)
    said = next(line for line in told if "enough_for_requests" in line or line["msg"] == "stopped")
    child.terminate()
    child.communicate(timeout=PATIENCE)
    assert said["enough_for_requests"] == 1998
    assert said["level"] == level


def test_little_less_than_asked_for_is_not_said() -> None:
    """20,000 files, as many systems allow, are enough for 9,950 of 10,000 requests."""
    for files, said in ((20_000, False), (18_100, False), (18_098, True)):
        assert bool(OpenFiles(files, 10_000).shortage) is said


def test_no_file_left_for_a_connection_is_said_now_and_then(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    others: list[dict[str, Any]] = []
    loop: Any = SimpleNamespace(default_exception_handler=others.append)
    handle = OpenFiles(4096, 10).handler()
    for now[0] in (1000.0, 1001.0, 1009.9, 1010.0):
        handle(loop, {"message": "accept", "exception": OSError(errno.EMFILE, "too many")})
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]
    assert "limit 4096" in caplog.text
    assert "ulimit -n" in caplog.text
    assert others == []
    handle(loop, {"message": "something else", "exception": OSError(errno.EPIPE, "broken")})
    handle(loop, {"message": "no exception"})
    assert len(others) == 2
