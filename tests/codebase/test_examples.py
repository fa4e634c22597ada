"""Every file under examples/ runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from checkout import ROOT
from serving import running_server

EXAMPLES = ROOT / "examples"


def run(script: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / script],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=cwd,
        # A key that lies about: an example that asks for the mock has no use for it.
        env={**os.environ, "OPENAI_API_KEY": "sk-abcdefghijk", **environment},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_in_process(tmp_path: Path) -> None:
    shown = run("in_process.py", tmp_path)
    assert "You said: What is the capital of France?" in shown
    assert "served by mock" in shown
    assert shown.count(" USD") == 2


def test_embeddings_in_process(tmp_path: Path) -> None:
    pytest.importorskip("numpy")
    first, second, third, spent = run("embeddings_in_process.py", tmp_path).splitlines()
    assert first.endswith("The last ferry back leaves the island at nine.")
    assert second.endswith("The ferry to the island leaves at seven.")
    assert third.endswith("Bread needs flour, water, salt and time.")
    assert spent.endswith(" tokens")


def test_batch_map(tmp_path: Path) -> None:
    first = run("batch_map.py", tmp_path)
    assert "tide: Hello! You said: Explain the word 'tide' to a child." in first
    assert "0 from the checkpoint" in first
    second = run("batch_map.py", tmp_path)
    assert "5 from the checkpoint, 0 USD spent" in second


def test_ledger_in_process(tmp_path: Path) -> None:
    shown = run("ledger_in_process.py", tmp_path)
    assert "every harbour: " in shown
    assert shown.count("openai/gpt-4o-mini: held ") == 2
    again = run("ledger_in_process.py", tmp_path)
    assert again.count("openai/gpt-4o-mini: held ") == 4


def test_openai_sdk(tmp_path: Path) -> None:
    with running_server(tmp_path / "data") as server:
        shown = run(
            "openai_sdk.py",
            tmp_path,
            SEEKROUTE_BASE_URL=server.base_url,
            SEEKROUTE_API_KEY=server.key,
        )
    assert "Say hello." in shown


def test_instructor(tmp_path: Path) -> None:
    pytest.importorskip("instructor")
    shown = run("instructor_in_process.py", tmp_path)
    assert "City(name=" in shown
    assert shown.endswith(" USD spent\n")


def test_pydantic_ai(tmp_path: Path) -> None:
    pytest.importorskip("pydantic_ai")
    shown = run("pydantic_ai_in_process.py", tmp_path)
    # The agent's tool was called, and what it said went back to the model.
    assert "tool called for " in shown
    assert shown.endswith(" USD spent\n")


def test_mounted_in_fastapi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEKROUTE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import mount_in_fastapi
    from starlette.testclient import TestClient

    with TestClient(mount_in_fastapi.app) as client:
        assert client.get("/").json() == {"chat": "/llm/v1/chat/completions"}
        assert client.get("/llm/livez").status_code == 200
        refused = client.post("/llm/v1/chat/completions", json={})
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "missing_api_key"


def test_none_is_forgotten() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {
        "batch_map.py",
        "embeddings_in_process.py",
        "in_process.py",
        "instructor_in_process.py",
        "langchain_in_process.py",
        "ledger_in_process.py",
        "mount_in_fastapi.py",
        "openai_sdk.py",
        "openai_sdk_in_process.py",
        "pydantic_ai_in_process.py",
    }
