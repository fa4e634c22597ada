"""The commands of the first ten minutes: init, doctor, chat."""

from __future__ import annotations

import json
import shlex
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import money_cli
import seekroute
from bare_cli import unconfigure
from seekroute.cli import doctor
from seekroute.cli.chat import Conversation, UnknownModelError
from seekroute.config import load_settings
from seekroute.control import looks_valid
from seekroute.testing import MockProvider, Text

Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    unconfigure(monkeypatch, tmp_path)


@pytest.fixture
def run() -> Run:
    return money_cli.run


@pytest.fixture
def provider() -> Iterator[MockProvider]:
    with MockProvider() as mock:
        yield mock


def _use(provider: MockProvider, **more: str) -> None:
    extra = "".join(f"\n{name}: {value}" for name, value in more.items())
    Path("seekroute.yaml").write_text(
        "server: {port: 0}\nproviders:\n  openai:\n    api_key: k-1\n    allow_http: true\n"
        f"    allow_private: true\n    base_url: {provider.base_url}{extra}\n",
        encoding="utf-8",
    )


# --- init -----------------------------------------------------------------------------------------


def test_init_refers_to_the_keys_it_finds_and_never_writes_them(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-1")
    monkeypatch.setenv("GOOGLE_API_KEY", "canary-2")
    monkeypatch.setenv("GROQ_API_KEY", "two words")  # no key: it would end a header
    result = json.loads(run("init", "--json").stdout)
    assert result == {
        "path": "seekroute.yaml",
        "providers": {"openai": "OPENAI_API_KEY", "google": "GOOGLE_API_KEY"},
        "data_dir": "seekroute-data",
    }
    text = Path("seekroute.yaml").read_text(encoding="utf-8")
    assert "canary" not in text
    settings = load_settings()
    assert settings.origin("providers.openai.api_key") == "file"
    key = settings.providers["google"].api_key
    assert key is not None
    assert key.get_secret_value() == "canary-2"


def test_every_example_in_the_first_file_is_right_when_it_is_switched_on(run: Run) -> None:
    run("init")
    lines = Path("seekroute.yaml").read_text(encoding="utf-8").splitlines()
    head = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    switched = []
    for line in lines[head:]:
        stripped = line.lstrip()
        bare = stripped.removeprefix("# ") if stripped.startswith("# ") else None
        indent = line[: len(line) - len(stripped)]
        is_example = bare is not None and (bare.lstrip()[:1] in "-{" or ":" in bare.split()[0])
        switched.append(indent + bare if is_example and bare is not None else line)
    Path("on.yaml").write_text("\n".join(switched), encoding="utf-8")
    Path("prices.yaml").write_text("markup: {default: 500}\n", encoding="utf-8")
    settings = load_settings("on.yaml", environ={"OPENAI_API_KEY": "k"})
    assert settings.providers["local"].allow_private
    assert settings.models[0].id == "local/llama"
    assert settings.default_model == "openai/gpt-5-mini"
    assert settings.limits.max_active == 10_000


def test_init_replaces_a_file_only_when_told(run: Run) -> None:
    Path("seekroute.yaml").write_text("server: {port: 1}\n", encoding="utf-8")
    assert "--force" in run("init", code=1).stderr
    assert "port: 1" in Path("seekroute.yaml").read_text(encoding="utf-8")
    run("init", "--force")
    assert load_settings().server.port == 8000
    assert "suffix" in run("init", "settings.json", code=2).stderr


# --- doctor ---------------------------------------------------------------------------------------


def _findings(result: Any) -> dict[str, dict[str, str]]:
    return {each["check"]: each for each in json.loads(result.stdout)["findings"]}


def test_doctor_finds_nothing_wrong_where_nothing_is(run: Run, provider: MockProvider) -> None:
    _use(provider)
    found = json.loads(run("doctor", "--json").stdout)
    assert found["ok"]
    assert {each["level"] for each in found["findings"]} == {"ok"}
    assert "all is well" in run("doctor").stdout


def test_doctor_says_that_a_key_is_refused(run: Run) -> None:
    with MockProvider(api_key="another") as provider:
        _use(provider)
        found = _findings(run("doctor", "--json", code=1))
    assert found["openai"]["level"] == "failed"
    assert "refuses the key (401)" in found["openai"]["message"]
    assert "k-1" not in json.dumps(found)


def test_doctor_says_that_a_provider_is_not_there(run: Run, provider: MockProvider) -> None:
    _use(provider)
    provider.stop()
    found = _findings(run("doctor", "--json", code=1))
    assert "cannot be reached" in found["openai"]["message"]
    assert _findings(run("doctor", "--json", "--offline"))["providers"]["level"] == "ok"


def test_doctor_shows_every_problem_of_the_configuration(run: Run) -> None:
    Path("seekroute.yaml").write_text("server: {port: 70000}\nprofil: x\n", encoding="utf-8")
    result = json.loads(run("doctor", "--json", code=1).stdout)
    wrong = [each for each in result["findings"] if each["level"] == "failed"]
    assert len(wrong) == 2
    assert any("did you mean" in each["hint"] for each in wrong)


def test_doctor_warns_of_a_taken_port_and_an_unserved_default(
    run: Run, provider: MockProvider
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        _use(provider, default_model="deepseek/deepseek-chat")
        path = Path("seekroute.yaml")
        text = path.read_text(encoding="utf-8").replace(
            "port: 0", f"port: {taken.getsockname()[1]}"
        )
        path.write_text(text, encoding="utf-8")
        found = json.loads(run("doctor", "--json", code=1).stdout)["findings"]
    levels = {(each["check"], each["level"]) for each in found}
    assert ("address", "warning") in levels
    assert ("models", "failed") in levels


@pytest.mark.parametrize("tracked", [True, False])
def test_init_keeps_the_data_out_of_git(run: Run, tmp_path: Path, tracked: bool) -> None:
    """The pepper and the books are nobody's to commit; the file itself has no secret."""
    if tracked:
        (tmp_path / ".git").mkdir()
    inside = tmp_path / "service"
    inside.mkdir()
    said = run("init", str(inside / "seekroute.yaml")).stdout
    ignored = inside / "seekroute-data" / ".gitignore"
    assert ignored.exists() == tracked
    assert ("git: " in said) == tracked
    if tracked:
        assert ignored.read_text(encoding="utf-8") == "*\n"
        ignored.write_text("# mine\n", encoding="utf-8")
        run("init", str(inside / "seekroute.yaml"), "--force")
        assert ignored.read_text(encoding="utf-8") == "# mine\n"


def test_doctor_breaks_lines_between_words(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run("doctor", "--offline").stdout.splitlines()
    assert any(len(line) > 80 for line in whole)  # into a pipe: a line for each
    monkeypatch.setattr(doctor, "_room", lambda: 80)
    shown = run("doctor", "--offline").stdout
    lines = shown.splitlines()
    assert all(len(line) <= 80 or " " not in line[24:] for line in lines)
    # A line is continued under where it began, and no word of it is lost.
    assert shown.split() == "\n".join(whole).split()
    assert {line[:24] for line in lines if line[:24].isspace()} == {" " * 24}


def test_doctor_says_how_there_comes_a_key(run: Run) -> None:
    run("init")
    told = _findings(run("doctor", "--offline", "--json"))["data"]
    assert told["hint"] == "the first start of `serve` makes one, and shows it"
    run("orgs", "create", "acme corp")
    told = _findings(run("doctor", "--offline", "--json"))["data"]
    program, *words = shlex.split(told["hint"])
    assert program == "seekroute"
    assert looks_valid(run(*words).stdout.strip())


def test_doctor_warns_that_only_the_mock_answers(run: Run) -> None:
    found = _findings(run("doctor", "--json"))
    assert found["providers"]["level"] == "warning"
    assert "mock" in found["providers"]["message"]


def test_doctor_says_that_the_mock_was_asked_for(run: Run, provider: MockProvider) -> None:
    _use(provider, mock="on")
    found = _findings(run("doctor", "--json"))
    assert found["providers"]["level"] == "warning"
    assert "mock is on" in found["providers"]["message"]
    assert not provider.requests
    assert run("models", "list", "--json", "--provider", "openai").stdout != "[]\n"


# --- chat -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("command", "stdin"), [(("ask", "Hi"), ""), (("chat",), "Hi\n")])
def test_mock_on_asks_nobody_else(
    run: Run, provider: MockProvider, command: tuple[str, ...], stdin: str
) -> None:
    _use(provider)
    result = run(*command, "--mock", "on", "-m", "openai/gpt-4o", stdin=stdin)
    assert result.stdout == "Hello! You said: Hi\n"
    assert not provider.requests
    run(*command, "--mock", "beside", "-m", "openai/gpt-4o", stdin=stdin)
    assert len(provider.requests) == 1


def test_chat_remembers_what_was_said(run: Run, provider: MockProvider) -> None:
    _use(provider)
    provider.queue(Text("I am Bob."), Text("As I said, Bob."), Text("Nobody."))
    talk = (
        "/system Be Bob.\nWho are you?\nWho?\n/reset\n/model openai/gpt-4o-mini\nWho?\n/quit\nno\n"
    )
    result = run("chat", "-m", "openai/gpt-4o", stdin=talk)
    assert result.stdout.splitlines() == ["I am Bob.", "As I said, Bob.", "Nobody."]
    bodies = [record.json for record in provider.requests]
    assert [len(body["messages"]) for body in bodies] == [2, 4, 2]
    assert bodies[1]["messages"] == [
        {"role": "system", "content": "Be Bob."},
        {"role": "user", "content": "Who are you?"},
        {"role": "assistant", "content": "I am Bob."},
        {"role": "user", "content": "Who?"},
    ]
    assert bodies[2]["model"] == "gpt-4o-mini"


def test_chat_in_json_gives_content_and_cost(run: Run, provider: MockProvider) -> None:
    _use(provider)
    provider.queue(Text("Yes."))
    line = json.loads(run("chat", "-m", "openai/gpt-4o", "--json", stdin="Really?\n").stdout)
    assert line["content"] == "Yes."
    assert float(line["cost"]) > 0


def test_chat_ends_with_an_error_when_nobody_watches(run: Run, provider: MockProvider) -> None:
    _use(provider)
    assert "no model 'no/model'" in run("chat", "-m", "no/model", stdin="Hi\n", code=1).stderr
    assert "/help" in run("chat", "-m", "openai/gpt-4o", stdin="/what\n").stderr


def test_a_model_that_there_is_not_changes_no_conversation(
    run: Run, provider: MockProvider
) -> None:
    _use(provider)
    for name, words in (
        ("openai/gpt-4o-minii", "did you mean openai/gpt-4o-mini"),
        ("nope", "seekroute models list shows what there is"),
    ):
        provider.queue(Text("Yes."), Text("No."))
        talk = f"/model {name}\nHi\nReally?\n"
        result = run("chat", "-m", "openai/gpt-4o", stdin=talk, code=1)
        why, rest = result.stderr.splitlines()
        assert f"no model '{name}'" in why
        assert words in why
        assert rest == "model: openai/gpt-4o, as before"
        assert result.stdout.splitlines() == ["Yes.", "No."]
    assert [request.json["model"] for request in provider.requests] == ["gpt-4o"] * 4
    # To somebody at a terminal it is no end.
    with seekroute.Client(config="seekroute.yaml") as client:
        talk = Conversation(client, "openai/gpt-4o", None, as_json=False)
        with pytest.raises(UnknownModelError):
            talk.take("/model nope")
        assert talk.model == "openai/gpt-4o"
        talk.take("/model openai/gpt-4o-mini")
        assert talk.model == "openai/gpt-4o-mini"
    assert len(provider.requests) == 4


# --- ask ------------------------------------------------------------------------------------------


def test_ask_in_json_gives_the_answer_with_its_cost(run: Run, provider: MockProvider) -> None:
    _use(provider)
    provider.queue(Text("Blue."))
    found = json.loads(run("ask", "Why?", "-m", "openai/gpt-4o", "--json").stdout)
    assert (found["text"], found["provider"]) == ("Blue.", "openai")
    assert float(found["cost"]) > 0
    assert found["answer"]["object"] == "chat.completion"


@pytest.mark.parametrize("option", ["--stream", "--no-stream"])
def test_ask_puts_what_is_piped_in_behind_the_question(
    run: Run, provider: MockProvider, option: str
) -> None:
    _use(provider)
    Path("seekroute.yaml").rename("x.yaml")
    provider.queue(Text("Hello"))
    words = ("Sum up:", "-m", "openai/gpt-4o", "-s", "Be brief.", option)
    result = run("--config", "x.yaml", "ask", *words, stdin="a text\n")
    assert result.stdout == "Hello\n"
    assert provider.requests[0].json["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Sum up:\n\na text"},
    ]
    assert provider.requests[0].json.get("stream", False) is (option == "--stream")


def test_a_valid_configuration_is_named(run: Run, tmp_path: Path) -> None:
    none = "there is no configuration file: defaults are in force"
    assert none in run("config", "check").stdout
    assert none in run("doctor", "--offline", code=0).stdout
    assert json.loads(run("config", "check", "--json").stdout)["file"] is None
    Path("seekroute.yaml").write_text("mock: on\n", encoding="utf-8")
    assert run("config", "check").stdout == "seekroute.yaml is valid\n"
    other = tmp_path / "other.yaml"
    other.write_text("mock: on\n", encoding="utf-8")
    assert run("--config", str(other), "config", "check").stdout == f"{other} is valid\n"


def test_a_folder_in_the_place_of_the_file_is_said_without_stray_marks(run: Run) -> None:
    Path("seekroute.yaml").mkdir()
    (said,) = [each for each in run("doctor", "--offline", code=1).stdout.splitlines()
               if "it is a folder" in each]  # fmt: skip
    assert said.split(None, 2)[2] == "seekroute.yaml cannot be used: it is a folder"
