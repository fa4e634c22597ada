"""Comparisons, roll-ups and drawings."""

from __future__ import annotations

import asyncio
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import seekroute
from seekroute.client import AsyncClient, Client
from seekroute.client.batch.results import latency_of
from seekroute.client.spend.rollup import MAX_MODELS, OTHERS, UNKNOWN, Rollup
from seekroute.testing import MockProvider, RecordedRequest, Reply, Status, Text, Usage

MODELS = ["openai/gpt-4o-mini", "gpt-4o"]


def settings_of(mock: MockProvider) -> dict[str, Any]:
    provider = {
        "base_url": mock.base_url,
        "api_key": "sk-upstream",
        "allow_http": True,
        "allow_private": True,
    }
    return {"providers": {"openai": provider}, "max_retries": 0}


@pytest.fixture(scope="module")
def provider() -> Iterator[MockProvider]:
    with MockProvider() as running:
        yield running


@pytest.fixture(scope="module")
def client(provider: MockProvider) -> Iterator[Client]:
    with Client(**settings_of(provider)) as running:
        yield running


def by_model(request: RecordedRequest) -> Reply:
    return Text(f"<b>{request.json['model']}</b>", usage=Usage(1000, 100))


@pytest.fixture
def mock(provider: MockProvider) -> MockProvider:
    provider.reset()
    provider.default = by_model
    return provider


def test_every_model_has_its_row(client: Client, mock: MockProvider) -> None:
    comparison = client.compare("Hi", MODELS, system="Be brief.", temperature=0)
    assert list(comparison) == MODELS
    assert comparison["gpt-4o"].text == "<b>gpt-4o</b>"  # type: ignore[union-attr]
    assert comparison.cost == sum(answer.cost for answer in comparison.answers.values())  # type: ignore[misc]
    assert not comparison.errors
    rows = comparison.rows()
    assert [row["served"] for row in rows] == ["openai/gpt-4o-mini", "openai/gpt-4o"]
    assert rows[0]["cost"] == Decimal("0.00021")
    shown = repr(comparison)
    assert "openai/gpt-4o-mini" in shown
    assert "0.00021" in shown
    assert "1,000" in shown
    page = comparison._repr_html_()
    assert "&lt;b&gt;gpt-4o&lt;/b&gt;" in page
    assert "<b>gpt-4o" not in page
    frame = comparison.to_pandas()
    assert list(frame.model) == MODELS
    assert frame.cost.sum() == pytest.approx(float(comparison.cost))
    assert {len(request.json["messages"]) for request in mock.requests} == {2}


def test_a_failed_model_is_a_row(client: Client, mock: MockProvider) -> None:
    mock.on(lambda request: request.json["model"] == "gpt-4o", Status(500))
    comparison = client.compare("Hi", [*MODELS, "no-such-model"])
    assert list(comparison.answers) == ["openai/gpt-4o-mini"]
    assert isinstance(comparison.errors["gpt-4o"], seekroute.UpstreamError)
    assert isinstance(comparison["no-such-model"], seekroute.NotFoundError)
    assert "NotFoundError" in repr(comparison)
    with pytest.raises(KeyError):
        comparison["other"]


def test_only_when_all_fail_it_raises(client: Client, mock: MockProvider) -> None:
    mock.default = Status(400)
    with pytest.raises(seekroute.BadRequestError) as caught:
        client.compare("Hi", MODELS)
    assert list(caught.value.partial) == MODELS  # type: ignore[attr-defined]


def test_models_are_asked_at_once(mock: MockProvider) -> None:
    from seekroute.testing import Gate

    gate = Gate()
    mock.default = Text("late", gate=gate)

    async def main() -> None:
        async with AsyncClient(**settings_of(mock)) as client:
            task = asyncio.create_task(client.compare("Hi", MODELS))
            await asyncio.to_thread(mock.wait_for_requests, 2)
            gate.open()
            assert len((await task).answers) == 2

    asyncio.run(main())


@pytest.mark.parametrize(
    ("models", "kind"),
    [([], ValueError), ("gpt-4o", TypeError), ([1], TypeError), (["a", "a"], ValueError)],
)
def test_models_that_are_none(client: Client, models: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="models: "):
        client.compare("Hi", models)


def test_usage_follows_every_call(mock: MockProvider) -> None:
    with Client(**settings_of(mock)) as client:
        client.ask("Hi", MODELS[0])
        client.map(["a", "b"], "openai/gpt-4o", progress=False)
        list(client.chat.completions.create(model=MODELS[0], messages=[_HI], stream=True))
        mock.queue(Status(400))
        with pytest.raises(seekroute.BadRequestError):
            client.ask("Hi", MODELS[0])
        with pytest.raises(seekroute.NotFoundError):
            client.ask("Hi", "no-such-model")
        usage = client.usage()
        assert usage.cost == client.spend
        assert usage.calls == 6
        small = usage["openai/gpt-4o-mini"]
        assert (small.calls, small.errors, small.prompt_tokens) == (3, 1, 2000)
        assert 0 < small.p50 <= small.p90 <= small.longest
        assert usage["openai/gpt-4o"].completion_tokens == 200
        assert usage[UNKNOWN].errors == 1
        assert next(iter(usage)) == "openai/gpt-4o"  # the dearest first
        assert "openai/gpt-4o-mini" in repr(usage)
        assert list(usage.to_pandas().model) == list(usage)
        assert usage._repr_html_().startswith("<table")
        assert usage._repr_html_().count("text-align:left") > 10


_HI: Any = {"role": "user", "content": "Hi"}


def test_quantiles_are_near_enough_and_memory_is_bounded() -> None:
    rollup = Rollup()
    values = [0.001 * n for n in range(1, 1001)]
    for value in values:
        rollup.add("m", ok=True, seconds=value)
    row, exact = rollup.usage()["m"], latency_of(values)
    assert row.p50 == pytest.approx(exact.p50, rel=0.051)
    assert row.p90 == pytest.approx(exact.p90, rel=0.051)
    assert row.longest == exact.longest == 1.0
    assert row.mean == pytest.approx(exact.mean)
    for extreme in (0.0, 1e-9, 1e9):
        rollup.add("extreme", ok=True, seconds=extreme)
    for number in range(2 * MAX_MODELS):
        rollup.add(f"model-{number}", ok=False)
    usage = rollup.usage()
    assert len(usage) == MAX_MODELS + 1
    assert usage[OTHERS].calls == MAX_MODELS + 2
    assert usage.calls == 1003 + 2 * MAX_MODELS


def test_quantiles_of_few_values() -> None:
    assert latency_of([]).p99 == 0.0
    assert latency_of([3.0]) == (3.0, 3.0, 3.0, 3.0, 3.0)
    assert latency_of([1.0, 2.0, 3.0, 4.0]).p50 == 2.0


def check_bars(figure: Any) -> None:
    """No bar is a slab, no legend lies on one, and labels of ticks do not touch."""
    figure.draw_without_rendering()
    for axes in figure.axes:
        height = axes.get_window_extent().height
        for bar in axes.patches:
            assert bar.get_window_extent().height <= height / 3
        legend = axes.get_legend()
        if legend is not None:
            box = legend.get_window_extent()
            assert not any(bar.get_window_extent().overlaps(box) for bar in axes.patches)
        boxes = [label.get_window_extent() for label in axes.get_xticklabels() if label.get_text()]
        inside = [b for b in boxes if b.x1 > axes.bbox.x0 and b.x0 < axes.bbox.x1]
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(inside))


def test_drawings(client: Client, mock: MockProvider, tmp_path: Path) -> None:
    results = client.map(
        [{"model": model, "messages": [_HI]} for model in MODELS * 5], progress=False
    )
    figure = results.plot("cost", "latency", "tokens")
    check_bars(figure)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["Cost", "Latency", "Tokens"]
    bars = [bar.get_width() for bar in figure.axes[0].patches]
    assert sum(bars) == pytest.approx(float(results.cost))
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["openai/gpt-4o-mini", "openai/gpt-4o"]
    figure.savefig(tmp_path / "results.png")
    assert (tmp_path / "results.png").read_bytes().startswith(b"\x89PNG")
    usage = client.usage().plot("cost")
    assert len(usage.axes) == 1
    client.usage().plot().savefig(tmp_path / "usage.png")
    with pytest.raises(ValueError, match="plot: expected cost, latency, tokens, found 'price'"):
        results.plot("price")
    client.map([], progress=False).plot().savefig(tmp_path / "empty.png")


def test_heavy_libraries_are_loaded_when_needed() -> None:
    script = (
        "import sys, seekroute\n"
        "with seekroute.Client(mock='on') as client:\n"
        "    client.map(['a'], progress=False); client.usage(); client.budget('1')\n"
        "    heavy = {'matplotlib', 'pandas', 'tqdm', 'IPython'} & set(sys.modules)\n"
        "    assert not heavy, heavy\n"
        "    client.usage().plot('cost')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(
    ("module", "what"),
    [("matplotlib.figure", r"'seekroute\[plot\]'"), ("pandas", "pandas")],
)
def test_a_missing_extra_is_named(
    client: Client, mock: MockProvider, monkeypatch: pytest.MonkeyPatch, module: str, what: str
) -> None:
    results = client.map(["a"], MODELS[0], progress=False)
    monkeypatch.setitem(sys.modules, module, None)
    package = module.partition(".")[0]
    with pytest.raises(ImportError, match=f"pip install {what}"):
        results.plot() if package == "matplotlib" else results.to_pandas()


def test_rows_have_their_prompts(client: Client) -> None:
    messages = [{"role": "user", "content": "b"}]
    asked = ["a", messages, {"messages": messages, "temperature": 0}, "c", "d"]
    results = client.map(iter(asked), MODELS[0], progress=False)
    assert list(results.to_pandas()["prompt"]) == asked
    assert [row["prompt"] for row in json.loads(results.to_json())] == asked
    # Also of those that were not asked, as far as they were read.
    results = client.map(asked, MODELS[0], progress=False, max_cost="0.000000001")
    rows = results.rows()
    assert [row.get("prompt") for row in rows][: len(results._outcomes)] == (
        asked[: len(results._outcomes)]
    )
    assert results.skipped


def test_the_summary_names_the_commonest_error(client: Client, mock: MockProvider) -> None:
    for prompt, why in {"b": "too long", "c": "no such tool", "d": "too long"}.items():
        error = {"error": {"message": f"the prompt is {why}"}}
        mock.on(lambda r, p=prompt: r.json["messages"][-1]["content"] == p, Status(400, body=error))
    results = client.map(["a", "b", "c", "d"], MODELS[0], progress=False)
    said = str(results.summary())
    assert "3 BadRequestError" in said
    assert "2 times: " in said
    assert "the prompt is too long" in " ".join(said.split())
    assert "no such tool" not in said


def test_results_as_a_frame_and_as_json(client: Client, mock: MockProvider) -> None:
    mock.on(lambda request: request.json["messages"][-1]["content"] == "b", Status(400))
    results = client.map(["a", "b"], MODELS[0], progress=False)
    frame = results.to_pandas()
    assert list(frame["index"]) == [0, 1]
    assert frame.cost.sum() == pytest.approx(float(results.cost))
    assert frame.error[1].startswith("BadRequestError")
    assert '"cost": "0.00021"' in results.to_json(indent=1)
    summary = str(results.summary())
    assert "1 of 2" in summary
    assert "1 BadRequestError" in summary
    assert results._repr_html_().startswith("<table")
    assert repr(results) == "<Results: 1 answer, 1 error, 0 not asked, 0.00021 USD>"
