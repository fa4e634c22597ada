"""What others wrote reaches a terminal as text, never as commands to it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.main import get_command

import money_cli
from bare_cli import unconfigure
from seekroute.cli import doctor, shared
from seekroute.cli.findings import Finding
from seekroute.cli.root import app
from seekroute.errors import SeekrouteError
from seekroute.server import logs
from seekroute.testing import MockProvider, Status, Text
from seekroute.visible import harmless, visible, visible_json

# A title, a color, a bell, a cleared screen, a C1 command, a line overwritten, one turned around.
NASTY = "a\x1b]0;owned\x07b\x1b[31mc\x1b[2Jd\x9b1me\rf\x00g\x7fh\u202ei\u2066j\u2028k\x85l"
# What a terminal obeys or does not show; a newline and a tab it may have.
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unconfigure(monkeypatch, tmp_path)


@pytest.fixture
def run() -> Run:
    return money_cli.run


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[MockProvider]:
    with MockProvider() as mock:
        (tmp_path / "seekroute.yaml").write_text(
            "providers:\n  openai:\n    api_key: k-1\n    allow_http: true\n"
            f"    allow_private: true\n    base_url: {mock.base_url}\n",
            encoding="utf-8",
        )
        yield mock


@pytest.mark.parametrize(
    ("text", "line", "lines"),
    [
        ("plain, ünïcode 漢字 🎉", None, None),
        ("👩\u200d💻, \u0645\u06cc\u200c\u062e, \u200f\u05e2", None, None),  # joiners, a mark
        ("a\nb\tc", r"a\nb\tc", None),
        ("a\r\nb", r"a\r\nb", "a\nb"),
        ("50 %\r100 %", r"50 %\r100 %", r"50 %\r100 %"),
        ("\x00\x07\x08\x0b\x0c", r"\x00\x07\x08\x0b\x0c", r"\x00\x07\x08\x0b\x0c"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]52;c;aGk=\x07", r"\x1b]52;c;aGk=\x07", r"\x1b]52;c;aGk=\x07"),
        ("\x7f\x80\x85\x9b\x9f", r"\x7f\x80\x85\x9b\x9f", r"\x7f\x80\x85\x9b\x9f"),
        ("\u2028\u2029", r"\u2028\u2029", r"\u2028\u2029"),
        ("\u202a\u202e\u2066\u2069", r"\u202a\u202e\u2066\u2069", r"\u202a\u202e\u2066\u2069"),
        ("\ud800", r"\ud800", r"\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_shown(
    text: str, line: str | None, lines: str | None
) -> None:
    assert visible(text) == (text if line is None else line)
    assert visible(text, lines=True) == (text if lines is None else lines)
    assert not OBEYED.search(harmless(text))
    assert json.loads(visible_json(json.dumps(text, ensure_ascii=False))) == text
    assert not OBEYED.search(visible_json(json.dumps(text, ensure_ascii=False)))


@pytest.mark.parametrize("stream", ["--stream", "--no-stream"])
def test_an_answer_is_text(run: Run, provider: MockProvider, stream: str) -> None:
    provider.default = Text(f"one\n\ttwo {NASTY}")
    said = run("ask", "Hi", "-m", "openai/gpt-4o", stream).stdout
    assert said.startswith("one\n\ttwo a\\x1b]0;owned\\x07b")
    assert not OBEYED.search(said)
    said = run("ask", "Hi", "-m", "openai/gpt-4o", "--json").stdout
    assert not OBEYED.search(said)
    assert json.loads(said)["text"] == f"one\n\ttwo {NASTY}"
    said = run("chat", "-m", "openai/gpt-4o", stdin="Hi\n").stdout
    assert "\\x1b[2J" in said
    assert not OBEYED.search(said)


def test_a_refusal_is_text(run: Run, provider: MockProvider) -> None:
    words = {"error": {"message": f"no {NASTY}", "type": NASTY, "code": NASTY, "param": NASTY}}
    provider.default = Status(400, body=words)
    for command in (("ask", "Hi", "-m", "openai/gpt-4o"), ("chat", "-m", "openai/gpt-4o")):
        result = run(*command, code=1, stdin="Hi\n")
        assert "error: " in result.stderr
        assert not OBEYED.search(result.stdout + result.stderr)


def test_values_in_rows_are_text(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"name": NASTY, "models": [NASTY, "x"], "none": None, "tab": "a\tb\nc"}
    shared.print_rows([row], tuple(row), as_json=False)
    (line,) = capsys.readouterr().out.splitlines()
    assert line.count("\t") == 3
    assert line.endswith("\t-\ta\\tb\\nc")
    assert not OBEYED.search(line)
    shared.print_row(row, as_json=False)
    said = capsys.readouterr().out
    assert len(said.splitlines()) == len(row)
    assert not OBEYED.search(said)
    for as_json in (lambda: shared.print_row(row, as_json=True), lambda: shared.print_json(row)):
        as_json()
        said = capsys.readouterr().out
        assert not OBEYED.search(said)
        assert json.loads(said) == row
    shared.print_line(row, tuple(row), as_json=True)
    assert json.loads(capsys.readouterr().out) == row


def test_a_table_on_a_terminal_is_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    shared.print_rows([{"name": NASTY}], ("name",), as_json=False)
    said = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out)  # the table's own
    assert "owned" in said
    assert not OBEYED.search(said)


def test_what_doctor_finds_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    doctor._print([Finding("check", "failed", NASTY, NASTY)])
    assert not OBEYED.search(capsys.readouterr().out)


def test_errors_of_commands_are_text(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> None:
        raise SeekrouteError(f"no {NASTY}\nsecond line")

    monkeypatch.setattr("seekroute.cli.doctor._examine", failing)
    said = run("doctor", code=1).stderr
    assert not OBEYED.search(said)
    assert said.endswith("\nsecond line\n")


def test_readable_log_lines_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.root, "handlers", [])
    monkeypatch.setattr(logging.root, "level", logging.root.level)
    written: list[bytes] = []
    writer = SimpleNamespace(write=lambda lines, count=1: written.append(lines))
    log = logs.configure(writer, "pretty", "info")  # type: ignore[arg-type]
    log.info("listening", url=NASTY)
    assert not OBEYED.search(b"".join(written).decode())
    fields = dict.fromkeys(("request_id", "key_id", "model", "provider", "error"), NASTY)
    counts = {"attempts": 1, "status": 502, "total_ms": 1.0, "cost_nano": 0}
    tokens = {"prompt_tokens": 1, "completion_tokens": 1}
    tried = [("openai", 500, "upstream_error", 1.0, NASTY)]
    record: Any = SimpleNamespace(**fields, **counts, **tokens, tried=tried, availability="")
    line, rest = logs.pretty_line(record, "2027-01-01T00:00:00.000Z").split("\n")
    assert rest == ""
    assert not OBEYED.search(line)


def test_help_is_broken_by_the_terminal_alone() -> None:
    def helps(command: Any) -> Iterator[str]:
        yield command.help or ""
        for below in getattr(command, "commands", {}).values():
            yield from helps(below)

    found = list(helps(get_command(app)))
    assert len(found) > 60
    assert sum("\n\n" in each for each in found) > 1
    assert [each for each in found if "\n" in each.replace("\n\n", "")] == []
