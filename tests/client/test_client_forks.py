"""Clients in processes that `fork`, `forkserver` and `spawn` make: they work, or say why not."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import seekroute
from checkout import ROOT
from serving import running_server

# Seconds. A script that is still running then hangs.
PATIENCE = 60


def run(folder: Path, script: str, *words: str) -> list[str]:
    """Runs a script as a program and returns the lines it prints."""
    file = folder / "script.py"
    file.write_text(textwrap.dedent(script))
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", file, *words],
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


POOL = """
    import multiprocessing
    import sys

    import seekroute

    client = seekroute.Client(mock="on")

    def ask(number):
        return client.ask(str(number), "openai/gpt-4o-mini").text

    if __name__ == "__main__":
        client.ask("first", "openai/gpt-4o-mini")
        multiprocessing.set_start_method(sys.argv[1])
        with multiprocessing.Pool(2) as pool:
            print(*pool.map(ask, range(4)), sep="\\n")
        print(client.ask("last", "openai/gpt-4o-mini").text)
"""


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_a_module_s_client_answers_in_the_processes_of_a_pool(method: str, tmp_path: Path) -> None:
    said = [f"Hello! You said: {each}" for each in [*range(4), "last"]]
    assert run(tmp_path, POOL, method) == said


# What a child does with a client that its parent made and used.
CHILD = """
    import asyncio
    import os
    import sys
    import threading

    import seekroute

    MODEL = "openai/gpt-4o-mini"

    def in_child(use):
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            try:
                use()
            except seekroute.SeekrouteError as error:
                print(type(error).__name__, error)
            sys.stdout.flush()
            sys.exit(0)  # with all of Python's endings, which multiprocessing leaves out
        _, status = os.waitpid(child, 0)
        print("ended", os.waitstatus_to_exitcode(status))
"""


def test_the_guide_s_pool_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "client.md").read_text()
    script = page.partition("### Several processes")[2].partition("```python\n")[2]
    shown = run(tmp_path, script.partition("```")[0])
    assert shown == ["['Hello! You said: 2+2?', 'Hello! You said: 3+3?']"]


def test_every_way_of_asking_works_in_a_child(tmp_path: Path) -> None:
    script = (
        CHILD
        + """
    client = seekroute.Client(mock="on")
    client.ask("x", MODEL)
    before = client.spend

    def use():
        print(client.spend == before)
        print(client.map(["a", "b"], MODEL, progress=False).texts)
        print(client.compare("c", [MODEL])[MODEL].text)
        print("".join(client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "d"}], stream=True).texts()))
        print(client.estimate("e", MODEL).model, len(client.models.list()) > 1)
        print(client.with_options(timeout=5).ask("f", MODEL).text)
        with client.budget("0.01") as budget:
            client.ask("g", MODEL)
        print(budget.spent > 0, client.spend > before, client.usage()[MODEL].calls)
        client.close()

    in_child(use)
    in_child(client.close)
    in_child(lambda: in_child(lambda: print(client.ask("h", MODEL).text)))
    in_child(lambda: None)
    print(client.ask("parent", MODEL).text)
    """
    )
    hello = "Hello! You said: "
    assert run(tmp_path, script) == [
        "True",
        f"['{hello}a', '{hello}b']",
        f"{hello}c",
        f"{hello}d",
        "openai/gpt-4o-mini True",
        f"{hello}f",
        "True True 7",
        "ended 0",
        "ended 0",
        f"{hello}h",
        "ended 0",
        "ended 0",
        "ended 0",
        f"{hello}parent",
    ]


def test_an_asynchronous_client_and_the_sdk_work_in_a_child(tmp_path: Path) -> None:
    script = (
        CHILD
        + """
    client = seekroute.AsyncClient(mock="on")

    async def ask(word):
        return (await client.ask(word, MODEL)).text

    asyncio.run(ask("x"))
    in_child(lambda: print(asyncio.run(ask("a")), asyncio.run(ask("b"))))
    print(asyncio.run(ask("parent")))
    with seekroute.Client(mock="on") as other, seekroute.openai_client(client=other) as llm:
        def sdk():
            messages = [{"role": "user", "content": "c"}]
            print(llm.chat.completions.create(model=MODEL, messages=messages).choices[0].message)

        in_child(sdk)
    """
    )
    found = run(tmp_path, script)
    hello = "Hello! You said: "
    assert found[:3] == [f"{hello}a {hello}b", "ended 0", f"{hello}parent"]
    assert f"{hello}c" in found[3]
    assert found[4] == "ended 0"


def test_a_stream_that_was_open_ends_at_once_in_a_child(tmp_path: Path) -> None:
    script = (
        CHILD
        + """
    from seekroute.testing import Gate, MockProvider, Text

    gate = Gate()
    gate.release(2)
    with MockProvider() as mock:
        mock.queue(Text("one two", gate=gate))
        own = {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
        client = seekroute.Client(providers={"openai": {**own, "api_key": "sk-1"}})
        stream = client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "x"}], stream=True)
        in_child(lambda: list(stream))
        gate.open()
        print("".join(stream.texts()))
    """
    )
    told, ended, text = run(tmp_path, script)
    assert told.startswith("APIConnectionError")
    assert "fork" in told
    assert (ended, text) == ("ended 0", "one two")


def test_a_ledger_s_client_says_at_once_that_it_is_the_parent_s(tmp_path: Path) -> None:
    script = (
        CHILD
        + """
    client = seekroute.Client(mock="on", ledger="spend.db")
    client.ask("x", MODEL)
    in_child(lambda: client.ask("y", MODEL))
    in_child(lambda: client.map(["y"], MODEL, progress=False)[0])
    in_child(lambda: client.credits())
    in_child(lambda: client.ledger.rows())
    in_child(client.close)
    print(client.ask("parent", MODEL).text, len(client.ledger.rows()))
    client.close()
    print(len(seekroute.Client(mock="on", ledger="spend.db").ledger.rows()))
    """
    )
    found = run(tmp_path, script)
    assert [line for line in found if line.startswith("ended")] == ["ended 0"] * 5
    errors = [line for line in found if "Error" in line]
    assert len(errors) == 4
    for line in errors:
        assert "before a fork" in line
        assert "spend.db" in line
    assert found[-2:] == ["Hello! You said: parent 2", "2"]


def test_a_fork_beside_busy_threads(tmp_path: Path) -> None:
    script = (
        CHILD
        + """
    client = seekroute.Client(mock="on")
    done = threading.Event()

    def work():
        while not done.is_set():
            client.map(["x"] * 20, MODEL, progress=False)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(10):
        in_child(lambda: print(client.ask("a", MODEL).text, client.spend > 0))
    done.set()
    for thread in threads:
        thread.join()
    """
    )
    assert run(tmp_path, script) == ["Hello! You said: a True", "ended 0"] * 10


def test_a_child_s_own_client_survives_another_fork(tmp_path: Path) -> None:
    script = (
        CHILD
        + """
    client = seekroute.Client(mock="on", ledger="spend.db")
    client.ask("x", MODEL)

    def use():
        own = seekroute.Client(mock="on")
        own.ask("y", MODEL)
        in_child(lambda: print(own.ask("z", MODEL).text))
        print(own.ask("child", MODEL).text)

    in_child(use)
    """
    )
    hello = "Hello! You said: "
    assert run(tmp_path, script) == [f"{hello}z", "ended 0", f"{hello}child", "ended 0"]


def test_a_remote_stream_that_was_open_ends_at_once_in_a_child(tmp_path: Path) -> None:
    script = (
        CHILD
        + """
    url, key = sys.argv[1:]

    async def main():
        client = seekroute.AsyncClient(base_url=url, api_key=key)
        stream = await client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": "x"}], stream=True)

        async def read():
            async for _ in stream:
                pass
            await stream.close()

        def use():
            asyncio._set_running_loop(None)
            asyncio.new_event_loop().run_until_complete(read())

        in_child(use)
        print("".join([text async for text in stream.texts()]))
        await client.close()

    asyncio.run(main())
    """
    )
    with running_server(tmp_path / "data") as server:
        told, ended, text = run(tmp_path, script, server.base_url, server.key)
    assert told.startswith("APIConnectionError")
    assert "fork" in told
    assert (ended, text) == ("ended 0", "Hello! You said: x")


def test_a_remote_client_s_connections_are_not_shared_with_a_child(tmp_path: Path) -> None:
    script = (
        CHILD
        + """
    url, key = sys.argv[1:]
    client = seekroute.Client(base_url=url, api_key=key)
    client.ask("x", MODEL)

    def use():
        for number in range(20):
            text = client.ask(f"child {number}", MODEL).text
            assert text == f"Hello! You said: child {number}", text

    sys.stdout.flush()
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            use()
            os._exit(0)
        children.append(child)
    for number in range(20):
        text = client.ask(f"parent {number}", MODEL).text
        assert text == f"Hello! You said: parent {number}", text
    print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
    """
    )
    with running_server(tmp_path / "data") as server:
        assert run(tmp_path, script, server.base_url, server.key) == ["[0, 0, 0]"]


def test_a_client_that_is_sent_to_another_process_is_refused_with_words() -> None:
    import pickle

    with (
        seekroute.Client(mock="on") as client,
        pytest.raises(TypeError, match="make a client in each process"),
    ):
        pickle.dumps(client)
