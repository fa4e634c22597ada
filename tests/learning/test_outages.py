"""What becomes of the files that a server learns in, while it serves: no request notices."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from eventually import eventually
from rated_requests import SETTINGS, STRONG, WEAK, fill
from seekroute.config import load_settings, prepare
from seekroute.learning import RatingBook
from seekroute.learning.refit import refit
from seekroute.testing import MockProvider
from serving import RunningServer, running_server

TURNS = 3  # of what is done each second


def settings_for(mock: MockProvider, **auto: Any) -> dict[str, Any]:
    models = [
        {
            "id": model_id,
            "context": 1_000_000,
            "endpoints": [
                {"provider": "up", "model": "up", "price": {"input": price, "output": price}}
            ],
        }
        for model_id, price in ((WEAK, "1"), (STRONG, "10"))
    ]
    learns = {"enabled": True, "explore": 0, "refit": False}
    return {
        "providers": {"up": {"base_url": mock.base_url, "allow_http": True, "allow_private": True}},
        "models": models,
        "routing": {"auto": {"models": [WEAK, STRONG], "learning": learns, **auto}},
    }


def post(server: RunningServer, path: str, body: Any) -> Any:
    headers = {"Content-Type": "application/json", "X-Seekroute-Explain": "1"}
    return server.request("POST", path, json.dumps(body).encode(), headers)


def ask(server: RunningServer) -> Any:
    body = {"model": "auto", "messages": [{"role": "user", "content": "lemma theorem topology"}]}
    answer = post(server, "/v1/chat/completions", body)
    assert answer.status == 200, answer.body
    return answer.json()


def rate(server: RunningServer, answer: Any) -> int:
    rated = post(server, "/v1/feedback", {"generation_id": answer["id"], "score": 1})
    status: int = rated.status
    return status


def state(server: RunningServer) -> str:
    return server.service.checks()["learning"].state


def test_a_file_that_can_only_be_read_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "router.db"

    def connect(path: Path) -> sqlite3.Connection:
        # As SQLite opens a file that this user may not write: it can be read.
        uri = f"{path.as_uri()}?mode=ro"
        return sqlite3.connect(uri, uri=True, timeout=1, check_same_thread=False)

    RatingBook(tmp_path).close()
    with (
        MockProvider() as mock,
        closing(sqlite3.connect(file)) as other,  # so that there is an index of the log
        monkeypatch.context() as patched,
    ):
        other.execute("SELECT count(*) FROM choice").fetchone()
        patched.setattr("seekroute.learning.database._connect", connect)
        with running_server(tmp_path, **settings_for(mock)) as server:
            for _ in range(TURNS):
                answer = ask(server)
                server.service.learning.turn()
                assert state(server) == "warning"
                assert rate(server, answer) == 503
            told = [each.message for each in caplog.records if "learn" in each.message]
            assert len(told) == 1
            assert "readonly" in told[0]
            patched.undo()
            caplog.set_level(logging.INFO, "seekroute.server")
            eventually(lambda: state(server) == "ok")
            # What was chosen in the meantime is not lost.
            eventually(lambda: rate(server, answer) == 200)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


def flip(file: Path) -> None:
    whole = bytearray(file.read_bytes())
    whole[len(whole) // 2] ^= 1
    file.write_bytes(whole)


def empty(file: Path) -> None:
    file.write_bytes(b"")


def turn_to_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [cut, flip, empty, turn_to_folder, Path.unlink])
def test_damaged_weights_are_left_aside_until_they_are_mended(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    with RatingBook(tmp_path) as book:
        fill(book, 300, pairs=True)
        assert refit(book, SETTINGS, {""}).version.state == "in_force"
    (file,) = (tmp_path / "router").glob("*.bin")
    whole = file.read_bytes()

    def chooses_by_weights(server: RunningServer) -> bool:
        answer = ask(server)
        assert rate(server, answer) == 200  # after which all is looked at anew
        return answer["seekroute"]["auto"]["revision"] is not None

    with MockProvider() as mock:
        with running_server(tmp_path, **settings_for(mock)) as server:
            assert chooses_by_weights(server)
            damage(file)
            eventually(lambda: not chooses_by_weights(server))
            assert server.request("GET", "/metrics").status == 200
        with running_server(tmp_path, **settings_for(mock)) as server:
            assert not chooses_by_weights(server)
            if file.is_dir():
                file.rmdir()
            file.write_bytes(whole)
            eventually(lambda: chooses_by_weights(server))


def test_reloads_lose_nothing_of_what_is_learned(tmp_path: Path) -> None:
    done = threading.Event()
    asked: list[int] = []

    def customer(server: RunningServer) -> None:
        count = 0
        while not done.is_set():
            assert rate(server, ask(server)) == 200
            count += 1
        asked.append(count)

    with MockProvider() as mock:
        plans = [
            prepare(load_settings(None, overrides=settings_for(mock, **auto), environ={}), {})
            for auto in (
                {"strategy": "cost"},
                {"learning": {"enabled": True, "keep": 1000, "explore": 0.1, "refit": False}},
                {"stay": 0, "cost_weight": 3},
            )
        ]
        with running_server(tmp_path, **settings_for(mock)) as server:
            customers = [threading.Thread(target=customer, args=(server,)) for _ in range(3)]
            for each in customers:
                each.start()
            for plan in plans * 5:
                server.service.adopt(plan)
                server.service.learning.turn()
            done.set()
            for each in customers:
                each.join()
    assert len(asked) == len(customers)  # nobody has failed
    with RatingBook(tmp_path, make=False) as book:
        assert book.counts() == (sum(asked), sum(asked))
