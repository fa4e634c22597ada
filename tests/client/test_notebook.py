"""The magics in a real IPython shell, and notebooks executed by a real kernel."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import seekroute
from bare_cli import unconfigure
from in_process import MODEL, begun, settings_for
from seekroute.testing import MockProvider, Status, Text

pytest.importorskip("IPython")

from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

KERNEL_SECONDS = 60


# --- the magics -----------------------------------------------------------------------------------


class Shell:
    """A shell with the extension and a client in the variable `c`."""

    def __init__(self, shell: InteractiveShell) -> None:
        self.shell = shell

    def run(self, cell: str) -> str:
        """What a cell shows."""
        with capture_output() as shown:
            self.result = self.shell.run_cell(cell)
        return str(shown.stdout) + str(shown.stderr)

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]


@pytest.fixture
def shell(mock: MockProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    from traitlets.config import Config

    made = InteractiveShell(config=Config({"HistoryManager": {"enabled": False}}))
    made.run_line_magic("colors", "nocolor")
    with seekroute.Client(max_retries=0, **settings_for(mock)) as client:
        made.user_ns["c"] = client
        made.run_cell("%load_ext seekroute")
        yield Shell(made)
        made.run_cell("%unload_ext seekroute")


def test_cell_magic(shell: Shell, mock: MockProvider) -> None:
    shown = shell.run(
        f"%%ask --client c -m {MODEL} -s 'You are a poet.' -t 0.5 --max-tokens 50 --into answer\n"
        "Say {this}, for $5:\n  a   b?\n"
    )
    assert shown == "Hello! You said: Say {this}, for $5:\n  a   b?\n"
    assert shell["answer"].text == shown.strip()
    assert shell["answer"].cost > 0
    asked = mock.requests[0].json
    assert asked["messages"] == [
        {"role": "system", "content": "You are a poet."},
        {"role": "user", "content": "Say {this}, for $5:\n  a   b?"},
    ]
    assert (asked["temperature"], asked["max_completion_tokens"]) == (0.5, 50)


def test_the_mock_of_the_magic(shell: Shell, mock: MockProvider, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        unconfigure(patch, tmp_path)
        refused = shell.run("%%ask\nHi")
        assert refused.startswith("ConfigError: ")
        assert "or %%ask --mock on to try it without one" in refused
        for _ in range(2):
            assert shell.run(f"%%ask --mock on -m {MODEL}\nHi") == "Hello! You said: Hi\n"
        assert "--mock: expected" in shell.run("%%ask --mock sideways\nHi")
        assert "--client" in shell.run("%%ask --mock on --client c\nHi")
    assert not mock.requests


@pytest.mark.parametrize(
    "prompt", ["What's up?", 'Why -m "not"? ', "{c} $PATH", "-- --model is what?", "ünïcode 🎉?"]
)
def test_line_magic_takes_prompts_as_they_are(
    shell: Shell, mock: MockProvider, prompt: str
) -> None:
    shell.run(f"%ask --client=c --model={MODEL} {prompt}")
    said = mock.requests[0].json["messages"][0]["content"]
    assert said == prompt.removeprefix("-- ").strip()


def test_the_model_is_auto_unless_given(shell: Shell, mock: MockProvider) -> None:
    assert "You said: Hi" in shell.run("%ask --client c Hi")
    assert mock.requests[0].json["model"]


def test_expansion_is_asked_for_and_takes_names_only(shell: Shell, mock: MockProvider) -> None:
    shell.run("topic = 'tides'")
    shell.run(f"%ask --client c -m {MODEL} -e About {{topic}}, {{1+1}} and {{{{topic}}}}")
    assert mock.requests[0].json["messages"][0]["content"] == "About tides, {1+1} and {tides}"
    assert "no variable 'nothing'" in shell.run("%ask --client c -e {nothing}")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("%ask --client c", "there is no prompt"),
        ("%ask --client nobody Hi", "expected a seekroute.Client in the variable 'nobody'"),
        ("%ask --client c --modle x Hi", "unrecognized arguments: --modle"),
        ("%ask --client c -t warm Hi", "invalid float value: 'warm'"),
        ("%ask --client c -t", "expected one argument"),
        ("%ask --client c --into 1x Hi", "expected the name of a variable, found '1x'"),
        ("%%ask --client c Hi\nthere", "'Hi' is none"),
        ("%%ask --client c\n  \n", "there is no prompt"),
    ],
)
def test_wrong_use_is_one_line(shell: Shell, mock: MockProvider, line: str, problem: str) -> None:
    shown = shell.run(line)
    assert shown.startswith("UsageError: ")
    assert problem in shown
    assert len(shown.splitlines()) == 1
    assert not mock.requests


def test_help(shell: Shell) -> None:
    shown = shell.run("%ask --help")
    assert "usage: %ask [options] prompt, or %%ask" in shown
    for option in ("--model", "--system", "--temperature", "--max-tokens", "--client", "--into"):
        assert option in shown


def test_errors_are_short_and_stop_the_cell(shell: Shell, mock: MockProvider) -> None:
    mock.queue(Status(429))
    shown = shell.run(f"%%ask --client c -m {MODEL} --into answer\nHi")
    assert "RateLimitError: " in shown
    assert "What to do: " in shown
    assert "Request id: " in shown
    assert "Traceback" not in shown
    assert isinstance(shell.result.error_in_exec, seekroute.RateLimitError)
    assert "answer" not in shell.shell.user_ns


def test_an_answer_that_breaks_keeps_what_came(shell: Shell, mock: MockProvider) -> None:
    mock.queue(begun(("rst",)))
    shown = shell.run(f"%ask --client c -m {MODEL} Hi")
    assert shown.startswith("Hel\n")
    assert "UpstreamError: " in shown


def test_without_a_client_one_is_made_of_the_environment(
    shell: Shell, mock: MockProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEEKROUTE_CONFIG", str(tmp_path / "seekroute.yaml"))
    (tmp_path / "seekroute.yaml").write_text(json.dumps(settings_for(mock)))
    assert shell.run(f"%ask -m {MODEL} Hi") == "Hello! You said: Hi\n"
    assert shell.run(f"%ask -m {MODEL} again") == "Hello! You said: again\n"
    (tmp_path / "seekroute.yaml").write_text("server: {port: 99999}")
    shell.run("%unload_ext seekroute")
    shell.run("%load_ext seekroute")
    shown = shell.run("%ask Hi")
    assert shown.startswith("ConfigError: ")
    assert "Traceback" not in shown


def test_unloading_takes_the_magics_away(shell: Shell) -> None:
    shell.run("%unload_ext seekroute")
    assert "`%ask` not found" in shell.run("%ask Hi")
    assert "`%%ask` not found" in shell.run("%%ask\nHi")


def test_questions_in_texts_are_left_alone(shell: Shell) -> None:
    shell.run('text = """\n%ask Why?\n"""')
    assert shell["text"] == "\n%ask Why?\n"


# --- notebooks ------------------------------------------------------------------------------------


@pytest.fixture
def execute(
    mock: MockProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[list[Any]]]:
    """Executes cells after one that makes `client`; returns the outputs of each."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    for variable in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable))

    def run(*cells: str, updates: list[Any] | None = None) -> list[list[Any]]:
        begin = f"import seekroute\nclient = seekroute.Client(**{settings_for(mock)!r})"
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in (begin, *cells)]
        )

        class Watching(nbclient.NotebookClient):  # type: ignore[misc, name-defined]
            def process_message(self, message: Any, *args: Any) -> Any:
                if updates is not None and message["msg_type"] == "update_display_data":
                    updates.append(message["content"]["data"])
                return super().process_message(message, *args)

        Watching(
            notebook,
            timeout=KERNEL_SECONDS,
            kernel_name="python3",
            allow_errors=True,
            resources={"metadata": {"path": str(tmp_path)}},
        ).execute()
        return [cell.outputs for cell in notebook.cells[1:]]

    return run


def test_notebook_shows_results(
    execute: Callable[..., list[list[Any]]], mock: MockProvider
) -> None:
    mock.queue(Text("<script>alert(1)</script>"), Status(404))
    answer, models, error, caught = execute(
        f"client.ask('Hi', model='{MODEL}')",
        "client.models.list()",
        "client.ask('Hi', model='nobody/nothing')",
        "try:\n    client.ask('Hi', model='nobody/nothing')\n"
        "except seekroute.APIError as error:\n    shown = error\nshown",
    )
    [output] = answer
    assert output.output_type == "execute_result"
    assert set(output.data) == {"text/plain", "text/markdown", "text/html"}
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in output.data["text/html"]
    assert "<script" not in output.data["text/html"]
    assert "<script" not in output.data["text/markdown"]
    assert MODEL in models[0].data["text/html"]
    assert (error[0].output_type, error[0].ename) == ("error", "NotFoundError")
    assert "What to do: " in caught[0].data["text/html"]


def test_notebook_updates_one_output_in_place(
    execute: Callable[..., list[list[Any]]], mock: MockProvider
) -> None:
    mock.queue(Text(" ".join("word" for _ in range(200)), delay=0.004))
    updates: list[Any] = []
    live, cost = execute(
        "answer = seekroute.live(client.chat.completions.create(\n"
        f"    model='{MODEL}', messages=[{{'role': 'user', 'content': 'Hi'}}], stream=True))",
        "print(answer.latency, answer.cost)",
        updates=updates,
    )
    [output] = live
    assert output.output_type == "display_data"
    assert output.data == updates[-1]
    assert "USD" in output.data["text/html"]
    assert "complete" not in output.data["text/html"]
    latency = float(cost[0].text.split()[0])
    # At most ten a second, and the last one.
    assert 2 <= len(updates) <= latency / 0.1 + 2
    texts = [update["text/plain"] for update in updates]
    assert all(len(a) < len(b) for a, b in itertools.pairwise(texts))


def test_a_live_answer_at_the_end_of_a_cell_is_shown_once(
    execute: Callable[..., list[list[Any]]], mock: MockProvider
) -> None:
    call = (
        "seekroute.live(client.chat.completions.create(\n"
        f"    model='{MODEL}', messages=[{{'role': 'user', 'content': 'Hi'}}], stream=True))"
    )
    once, kept, again, pickled = execute(
        call,
        f"answer = {call}",
        "answer",
        "import pickle; print(type(pickle.loads(pickle.dumps(answer))).__name__, answer.text)",
    )
    assert [output.output_type for output in once] == ["display_data"]
    assert len(kept) == 1
    assert "Hello! You said: Hi" in again[0].data["text/html"]
    assert pickled[0].text == "ChatCompletion Hello! You said: Hi\n"


def test_notebook_with_magics_and_asyncio(
    execute: Callable[..., list[list[Any]]], mock: MockProvider
) -> None:
    loaded, asked, kept, awaited, failed = execute(
        "%load_ext seekroute",
        f"%%ask --client client -m {MODEL} --into answer\nHello there",
        "answer.text",
        f"async with seekroute.AsyncClient(**{settings_for(mock)!r}) as other:\n"
        "    stream = await other.chat.completions.create(\n"
        f"        model='{MODEL}', messages=[{{'role': 'user', 'content': 'Hi'}}], stream=True)\n"
        "    later = await seekroute.live_async(stream)",
        "%ask --client client -m nobody/nothing Hi",
    )
    assert loaded == []
    [output] = asked
    assert "Hello! You said: Hello there" in output.data["text/html"]
    assert "Hello! You said: Hello there" in kept[0].data["text/plain"]
    assert "Hello! You said: Hi" in awaited[0].data["text/html"]
    assert failed[0].ename == "NotFoundError"
    assert "Traceback" not in "\n".join(failed[0].traceback)
    assert "What to do: " in "\n".join(failed[0].traceback)
