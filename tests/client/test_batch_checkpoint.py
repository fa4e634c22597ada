"""The checkpoint file: what survives, what is refused, what is repaired."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest

import seekroute
from seekroute.client.batch.checkpoint import (
    SYNC_LINES,
    SYNC_SECONDS,
    Checkpoint,
    describe,
    digest,
)
from seekroute.client.batch.errors import CheckpointError
from seekroute.client.batch.outcome import Outcome
from seekroute.errors import APIConnectionError

RUN = describe("m", None, {"temperature": 0})


def answer(index: int, text: str = "hi", cost_nano: int = 7) -> Outcome:
    body = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
    outcome = Outcome(index, body)
    outcome.cost_nano = cost_nano
    outcome.latency = 0.25
    outcome.model, outcome.provider, outcome.request_id = "m", 'p",\n"answer":', "r"
    return outcome


def write(path: Path, *outcomes: tuple[Outcome, str]) -> None:
    checkpoint = Checkpoint(path, RUN)
    for outcome, key in outcomes:
        checkpoint.add(outcome, key)
    checkpoint.close()


def test_an_answer_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    original = answer(3, 'é "quoted"\n')
    write(path, (original, "d3"))
    checkpoint = Checkpoint(path, RUN)
    assert checkpoint.answers == 1
    assert checkpoint.spent_nano == 7
    found = checkpoint.take("d3", 3)
    assert found is not None
    assert found.body == original.body
    assert found.text == 'é "quoted"\n'
    assert found.provider == original.provider
    assert (found.index, found.cost, found.latency) == (3, Decimal("7e-9"), 0.25)
    assert found.restored
    assert checkpoint.take("d3", 3) is None  # given once
    checkpoint.close()


def test_every_line_is_json_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    pretty = answer(0)
    pretty.body = b'{\n  "choices": []\r\n}\n'
    failed = Outcome(1, error=APIConnectionError("the prompt was: secret"))
    write(path, (pretty, "a"), (failed, "b"))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines[0] == {"seekroute_checkpoint": 2, "run": RUN}
    assert lines[1]["answer"] == {"choices": []}
    assert lines[2]["error"] == "APIConnectionError"
    assert "secret" not in path.read_text()


def test_a_failed_prompt_is_asked_again_but_its_cost_stays(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    failed = Outcome(1, error=APIConnectionError("gone"))
    failed.cost_nano = 40
    write(path, (failed, "b"), (answer(2), "c"))
    checkpoint = Checkpoint(path, RUN)
    assert checkpoint.take("b", 1) is None
    assert checkpoint.spent_nano == 47
    checkpoint.close()


def test_a_changed_prompt_has_no_answer_and_a_moved_one_keeps_its_own(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    write(path, (answer(0, "zero"), "d0"), (answer(1, "one"), "d1"))
    checkpoint = Checkpoint(path, RUN)
    assert checkpoint.take("changed", 0) is None
    moved = checkpoint.take("d0", 5)
    assert moved is not None
    assert (moved.index, moved.text) == (5, "zero")
    checkpoint.close()


def test_equal_prompts_keep_their_own_answers(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    write(path, (answer(1, "second"), "same"), (answer(0, "first"), "same"))
    checkpoint = Checkpoint(path, RUN)
    texts = [found.text for i in range(2) if (found := checkpoint.take("same", i)) is not None]
    assert texts == ["first", "second"]
    checkpoint.close()


@pytest.mark.parametrize("cut", [1, 2, 30])
def test_a_torn_last_line_is_cut_off(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "run.jsonl"
    write(path, (answer(0), "d0"), (answer(1), "d1"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    checkpoint = Checkpoint(path, RUN)
    assert checkpoint.take("d1", 1) is None
    assert checkpoint.take("d0", 0) is not None
    checkpoint.add(answer(1), "d1")
    checkpoint.close()
    assert path.read_bytes() == whole


def test_any_cut_of_the_file_can_be_gone_on_from(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    write(path, (answer(0), "d0"), (answer(1), "d1"))
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        checkpoint = Checkpoint(path, RUN)
        assert checkpoint.answers == max(whole[:size].count(b"\n") - 1, 0)
        checkpoint.close()
        assert path.read_bytes().endswith(b"\n")


def test_damaged_lines_in_the_middle_are_told_and_asked_again(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    write(path, (answer(0), "d0"), (answer(1), "d1"))
    lines = path.read_bytes().splitlines(keepends=True)
    lines[1] = b"\0" * 40 + b"\n"
    path.write_bytes(b"".join(lines))
    with pytest.warns(RuntimeWarning, match="1 damaged"):
        checkpoint = Checkpoint(path, RUN)
    assert checkpoint.answers == 1
    checkpoint.close()


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (describe("other", None, {"temperature": 0}), "model: 'm' there, 'other' here"),
        (describe("m", None, {"temperature": 1}), "temperature: 0 there, 1 here"),
        (describe("m", "Be brief.", {"temperature": 0}), "system: not given there, given here"),
        (describe("m", None, {}), "temperature: 0 there, not given"),
    ],
)
def test_another_run_s_file_is_refused(tmp_path: Path, run: dict[str, str], words: str) -> None:
    path = tmp_path / "run.jsonl"
    write(path, (answer(0), "d0"))
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=words):
        Checkpoint(path, run)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"my notes\n", b"my notes", b'{"a": 1}\n', b"\n"])
def test_a_file_that_is_none_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="not a seekroute checkpoint"):
        Checkpoint(path, RUN)
    assert path.read_bytes() == content


@pytest.mark.parametrize("version", [1, 3])
def test_another_format_is_refused(tmp_path: Path, version: int) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text(f'{{"seekroute_checkpoint":{version},"run":{{}}}}\n')
    with pytest.raises(CheckpointError, match=f"format {version}; this version reads 2"):
        Checkpoint(path, RUN)


def test_one_run_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    first = Checkpoint(path, RUN)
    with pytest.raises(CheckpointError, match="another run has this checkpoint open"):
        Checkpoint(path, RUN)
    first.close()
    first.close()
    Checkpoint(path, RUN).close()


def test_lines_are_in_the_file_before_the_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fdatasync", synced.append)
    path = tmp_path / "run.jsonl"
    checkpoint = Checkpoint(path, RUN)
    checkpoint.sync(0.0)
    checkpoint.add(answer(0), "d0")
    assert path.read_bytes().count(b"\n") == 1
    checkpoint.write()
    assert path.read_bytes().count(b"\n") == 2
    checkpoint.sync(SYNC_SECONDS - 0.01)
    assert not synced
    checkpoint.sync(SYNC_SECONDS)
    assert len(synced) == 1
    for number in range(SYNC_LINES):
        checkpoint.add(answer(number), "d")
    checkpoint.write()
    checkpoint.sync(SYNC_SECONDS)
    assert len(synced) == 2
    checkpoint.close()
    assert len(synced) == 2  # nothing was left to tell


def test_the_order_of_keys_and_the_writing_of_numbers_are_no_difference() -> None:
    one = digest(b'{"model":"m","temperature":0,"tools":[{"a":1,"b":{"c":2,"d":3}}],"top_p":1.0}')
    same = digest(b'{"top_p":1, "tools":[{"b":{"d":3,"c":2},"a":1}],"model":"m","temperature":0.0}')
    assert one == same
    assert one != digest(b'{"model":"m","temperature":0,"tools":[{"a":1}],"top_p":1}')
    assert digest(b'{"stop":["a","b"]}') != digest(b'{"stop":["b","a"]}')
    assert digest(b'{"a":1}') != digest(b'{"a":true}') != digest(b'{"a":"1"}')
    fields = {"metadata": {"a": 1, "b": 2}, "temperature": 0}
    again = {"temperature": 0.0, "metadata": {"b": 2, "a": 1}}
    assert describe("m", None, fields) == describe("m", None, again)


def test_a_run_goes_on_whatever_the_order_of_its_keywords(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with seekroute.Client(mock="on") as client:
        prompts = ["a", {"messages": [{"role": "user", "content": "b"}], "seed": 1, "n": 1}]
        first = client.map(
            prompts, "gpt-4o", temperature=0, max_tokens=3, checkpoint=path, progress=False
        )
        moved = ["a", {"n": 1, "seed": 1, "messages": [{"content": "b", "role": "user"}]}]
        second = client.map(
            moved, "gpt-4o", max_tokens=3, temperature=0, checkpoint=path, progress=False
        )
    assert second.restored == 2
    assert second.texts == first.texts
    assert second.cost == first.cost
    assert second.retries == 0


def test_another_value_is_told_with_both(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    Checkpoint(path, describe("m", None, {"temperature": 0, "stop": ["a" * 500]})).close()
    for fields, words in (
        ({"temperature": 1, "stop": ["a" * 500]}, "temperature: 0 there, 1 here"),
        ({"stop": ["a" * 500]}, "temperature: 0 there, not given here"),
        ({"temperature": 0, "stop": ["b"]}, "stop: another value"),
    ):
        with pytest.raises(CheckpointError) as refused:
            Checkpoint(path, describe("m", None, fields))
        assert words in str(refused.value)


def test_the_home_folder_may_be_written_as_a_tilde(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Checkpoint("~/run.jsonl", {"model": "m"}).close()
    assert (tmp_path / "run.jsonl").exists()


def test_requests_differ_in_any_byte() -> None:
    assert digest(b'{"a":1}') != digest(b'{"a":2}')
    assert len(digest(b"")) == 32
