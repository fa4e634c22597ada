"""`seekroute router eval | train | explain`, on outcomes made here."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import money_cli
from seekroute import auto


@pytest.fixture
def outcomes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The weak model is right where a prompt is short."""
    money_cli.clear(monkeypatch, tmp_path)
    draw = random.Random(5)
    lines = []
    for i in range(120):
        long = draw.random() < 0.5
        words = [draw.choice("abcdefgh") * 3 for _ in range(40 if long else 5)]
        row = {
            "prompt": f"{i} " + " ".join(words),
            "weak": int(draw.random() < (0.2 if long else 0.9)),
            "strong": int(draw.random() < 0.95),
            "subject": f"s{i % 12}",
        }
        lines.append(json.dumps(row))
    file = tmp_path / "outcomes.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def table(*arguments: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = money_cli.run_json("router", "eval", *map(str, arguments))
    return found


def test_the_table_has_its_baselines(outcomes: Path) -> None:
    (report,) = table(outcomes, "--labels", "60", "--seeds", "2", "--published", "mmlu")
    rows = {row["router"]: row for row in report["table"]}
    assert list(rows)[:6] == [
        "random",
        "length",
        "keyword",
        "length + keyword",
        "seekroute, without neighbours",
        "seekroute",
    ]
    assert list(rows)[-1] == "oracle"
    assert rows["RouteLLM similarity, with labels"]["apgr"] == 0.603
    assert rows["length"]["apgr"] > 0.65
    assert rows["seekroute"]["apgr"] > 0.6
    assert rows["oracle"]["apgr"] > rows["seekroute"]["apgr"]
    assert report["learned"] + report["tested"] == 120
    assert set(report["calibration"]) == {"weak", "strong"}


@pytest.mark.parametrize(
    ("protocol", "labels"),
    [
        (["--folds", "3"], [None]),
        (["--leave-out", "subject"], [None]),
        (["--curve", "20,40"], [20, 40]),
    ],
)
def test_protocols(outcomes: Path, protocol: list[str], labels: list[int | None]) -> None:
    reports = table(outcomes, *protocol, "--seeds", "1", "--no-vectors")
    assert [report["labels"] for report in reports] == labels
    assert all(row["runs"] == 1 for report in reports for row in report["table"])


def test_a_stream_of_ratings(outcomes: Path) -> None:
    (report,) = table(outcomes, "--online", "chosen", "--seeds", "1", "--no-vectors")
    assert (report["labels"], report["tested"]) == (84, 36)
    assert 0.3 < report["strong_share"] < 0.7
    assert 0.4 < report["served"] < 1
    shown = money_cli.run("router", "eval", str(outcomes), "--online", "pairs", "--seeds", "1")
    assert "weak and strong: learned from 84 prompts, tested on 36" in shown.stdout
    assert "the stream:" not in shown.stdout


def test_a_pipe_gets_rows(outcomes: Path) -> None:
    result = money_cli.run("router", "eval", str(outcomes), "--labels", "60", "--seeds", "1")
    assert "weak and strong: learned from 60 prompts, tested on 60; seeds: 1" in result.stdout
    assert "\nseekroute\t0." in result.stdout
    assert "calibration error: weak 0." in result.stdout


def test_trained_weights_score(outcomes: Path, tmp_path: Path) -> None:
    out = tmp_path / "weights.bin"
    told = money_cli.run_json("router", "train", str(outcomes), "--out", str(out))
    assert told["ratings"] == 120
    assert told["bytes"] == out.stat().st_size
    scorer = auto.Scorer(out.read_bytes(), auto.shipped_vectors())
    assert scorer.revision == told["revision"]
    short, long = scorer.score([b"aaa bbb", b"aaa bbb ccc ddd " * 10]).quality[:, 0]
    assert short > long + 0.2
    assert list(tmp_path.glob(".weights*")) == []


SVG = "{http://www.w3.org/2000/svg}"


def _ticks(root: ElementTree.Element, axis: str) -> list[tuple[float, float]]:
    """Where the numbers on an axis stand in the file: (number, place)."""
    found = []
    for group in root.iter(f"{SVG}g"):
        if group.get("id", "").startswith(f"{axis}tick_"):
            use = next(iter(group.iter(f"{SVG}use")))
            number = "".join(next(iter(group.iter(f"{SVG}text"))).itertext())
            found.append((float(number), float(use.get(axis, ""))))
    return found


def test_the_plot_has_the_points_of_the_table(outcomes: Path, tmp_path: Path) -> None:
    file = tmp_path / "curve.svg"
    (report,) = table(outcomes, "--labels", "60", "--seeds", "2", "--plot", str(file))
    root = ElementTree.fromstring(file.read_text(encoding="utf-8"))
    texts = {"".join(each.itertext()) for each in root.iter(f"{SVG}text")}
    assert {"calls to strong, %", "quality, %", "seekroute", "length", "oracle"} <= texts
    scales = []
    for axis in ("x", "y"):
        (number, place), *_, (last, end) = _ticks(root, axis)
        assert last > number
        scales.append(
            lambda at, n=number, p=place, s=(last - number) / (end - place): n + (at - p) * s
        )
    drawn = {}
    for group in root.iter(f"{SVG}g"):
        name = group.get("id", "")
        if name.startswith("curve: "):
            places = re.findall(
                r"[ML] (\S+) (\S+)", next(iter(group.iter(f"{SVG}path"))).get("d", "")
            )
            drawn[name.removeprefix("curve: ")] = [
                [scale(float(at)) for scale, at in zip(scales, point, strict=True)]
                for point in places
            ]
    assert len(drawn) == len(report["table"]) == 7
    for row in report["table"]:
        assert len(row["points"]) == 11
        assert drawn[row["router"]] == [pytest.approx(point, abs=0.1) for point in row["points"]]


def test_a_prompt_is_explained(outcomes: Path, tmp_path: Path) -> None:
    out = tmp_path / "weights.bin"
    money_cli.run_json("router", "train", str(outcomes), "--out", str(out))
    told = money_cli.run_json("router", "explain", "aaa bbb?", "--weights", str(out))
    assert told["features"]["words"] == 2
    assert [model["model"] for model in told["models"]] == ["weak", "strong"]
    piped = money_cli.run("router", "explain", "-", "--weights", str(out), stdin="aaa bbb?").stdout
    assert told["reason"] in piped
    assert "\nquestion_marks\t1\n" in piped
    assert f"\nweak\t{told['models'][0]['quality']:.3f}\t0.000\t" in piped
    absent = money_cli.run("router", "explain", "a", "--weights", str(tmp_path / "no"), code=1)
    assert "No such file" in absent.output


def test_what_cannot_be_measured_is_said(outcomes: Path, tmp_path: Path) -> None:
    def refusal(*arguments: Any, code: int = 1) -> str:
        result = money_cli.run("router", *map(str, arguments), code=code)
        return " ".join((result.stderr or result.output).split())

    assert "No such file" in refusal("eval", tmp_path / "none")
    assert "there is no 'topic'" in refusal("eval", outcomes, "--leave-out", "topic")
    assert "give one of" in refusal("eval", outcomes, "--folds", 3, "--labels", 9, code=2)
    assert "cannot be drawn" in refusal("eval", outcomes, "--labels", "120")
    assert "there is no outcome of 'dear'" in refusal("eval", outcomes, "--models", "weak,dear")
    assert "two different names" in refusal("eval", outcomes, "--models", "a,a,b", code=2)
    assert "weak is not better" in refusal("eval", outcomes, "--models", "strong,weak")
    svg = tmp_path / "a.svg"
    assert "leave --curve and --online out" in refusal(
        "eval", outcomes, "--curve", 20, "--plot", svg, code=2
    )
    short = ("eval", outcomes, "--labels", 60, "--seeds", 1, "--no-vectors", "--plot")
    assert "ends in .svg, .png or .pdf" in refusal(*short, tmp_path / "a.gif")
    assert "cannot be written" in refusal(*short, tmp_path / "no" / "a.svg")
    assert "cannot be written" in refusal("train", outcomes, "--out", tmp_path / "no" / "w")
