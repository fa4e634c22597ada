"""The table, and the bars it is held against."""

# The multiplication sign and the dash are meant: they are printed.
# ruff: noqa: RUF001

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

OURS = "seekroute"
LEDGER = "seekroute-ledger"
COLUMNS = ("direct", "nginx", "portkey", "litellm", "aiohttp", OURS, LEDGER)
PEERS = ("nginx", "portkey", "litellm", "aiohttp")
Medians = dict[str, dict[str, dict[str, Any]]]


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        label: What is measured, with its unit.
        scenario: The load it comes from.
        key: The figure of the load's result.
        scale: Factor from the figure's unit to the label's.
        more_is_better: Which way a ratio is turned.
        added: Show the difference to `direct`.
    """

    label: str
    scenario: str
    key: str
    scale: float = 1.0
    more_is_better: bool = False
    added: bool = False

    def value(self, medians: Medians, name: str) -> float | None:
        """The contender's figure, None when it has none."""
        figure = medians.get(self.scenario, {}).get(name, {}).get(self.key)
        if figure is None:
            return None
        if self.added:
            base = medians.get(self.scenario, {}).get("direct", {}).get(self.key)
            if base is None or name == "direct":
                return None
            figure -= base
        return float(figure) * self.scale


def _rows() -> list[Row]:
    rows = []
    for connections in (1, 16, 64, 256):
        label = f"requests/s, 1 KB, {connections} conn"
        rows.append(Row(label, f"requests-{connections}", "rps", more_is_better=True))
    rows += [
        Row("CPU µs a request, 64 conn", "requests-64", "cpu_us"),
        Row("requests/s, 100 KB, 16 conn", "body-100k", "rps", more_is_better=True),
        Row("requests/s, 1 MB, 16 conn", "body-1m", "rps", more_is_better=True),
        Row("added µs at 1,000 req/s, p50", "open-1000", "p50_us", added=True),
        Row("added µs at 1,000 req/s, p99", "open-1000", "p99_us", added=True),
        Row("added µs, 1 conn, one core, p50", "one-core", "p50_us", added=True),
        Row("added µs, 1 conn, one core, p99", "one-core", "p99_us", added=True),
        Row("of which two synced writes, p50", "one-core", "two_writes_p50_us"),
        Row("of which two synced writes, p99", "one-core", "two_writes_p99_us"),
        Row(
            "added µs to the first chunk, one core, p50",
            "stream-one-core",
            "first_p50_us",
            added=True,
        ),
        Row(
            "added µs to the first chunk, one core, p99",
            "stream-one-core",
            "first_p99_us",
            added=True,
        ),
    ]
    for streams in (500, 1500):
        scenario = f"streams-{streams}"
        rows += [
            Row(f"{streams} streams: % of chunks asked", scenario, "share_of_asked", 100, True),
            Row(f"{streams} streams: first chunk ms, p50", scenario, "first_p50_us", 1e-3),
            Row(f"{streams} streams: first chunk ms, p99", scenario, "first_p99_us", 1e-3),
            Row(f"{streams} streams: chunk delay ms, p50", scenario, "delay_p50_us", 1e-3),
            Row(f"{streams} streams: chunk delay ms, p99", scenario, "delay_p99_us", 1e-3),
            Row(f"{streams} streams: cores used", scenario, "cores_used"),
            Row(f"{streams} streams: RSS MB", scenario, "rss_kb", 1 / 1024),
        ]
    rows += [
        Row("RSS MB, idle", "memory-500", "idle_rss_kb", 1 / 1024),
        Row("RSS KB for each open stream", "memory-500", "kb_per_stream"),
    ]
    return rows


@dataclass(frozen=True)
class Bar:
    """A value seekroute has to reach. `measured` gives None when the run did not measure it."""

    label: str
    measured: Callable[[Medians], float | None]
    limit: float
    at_least: bool
    unit: str

    def line(self, medians: Medians) -> str:
        """The bar as a line of a markdown table."""
        value = self.measured(medians)
        sign = "≥" if self.at_least else "≤"
        limit = f"{sign} {number(self.limit)} {self.unit}".strip()
        if value is None:
            return f"| {self.label} | {limit} | – | not measured |"
        met = value >= self.limit if self.at_least else value <= self.limit
        return f"| {self.label} | {limit} | {number(value)} | {'met' if met else 'MISSED'} |"


def _ratio(
    scenario: str, peer: str, percent: bool = False, name: str = OURS
) -> Callable[[Medians], float | None]:
    row = Row("", scenario, "rps")

    def measured(medians: Medians) -> float | None:
        ours, theirs = row.value(medians, name), row.value(medians, peer)
        if ours is None or not theirs:
            return None
        return ours / theirs * (100 if percent else 1)

    return measured


def _figure(row: Row, name: str = OURS) -> Callable[[Medians], float | None]:
    return lambda medians: row.value(medians, name)


def _bars() -> list[Bar]:
    def figure(scenario: str, key: str, scale: float = 1.0, added: bool = False) -> Any:
        return _figure(Row("", scenario, key, scale, added=added))

    return [
        Bar(
            "requests/s, 64 conn, share of nginx",
            _ratio("requests-64", "nginx", True),
            20,
            True,
            "%",
        ),
        Bar("requests/s, 64 conn, times Portkey", _ratio("requests-64", "portkey"), 30, True, "×"),
        Bar("requests/s, 64 conn, times aiohttp", _ratio("requests-64", "aiohttp"), 4, True, "×"),
        Bar("requests/s, 64 conn, times LiteLLM", _ratio("requests-64", "litellm"), 15, True, "×"),
        Bar("CPU of a request, 64 conn", figure("requests-64", "cpu_us"), 60, False, "µs"),
        Bar("added, one core, p50", figure("one-core", "p50_us", added=True), 75, False, "µs"),
        Bar("added, one core, p99", figure("one-core", "p99_us", added=True), 160, False, "µs"),
        Bar(
            "added at 1,000 req/s, p50", figure("open-1000", "p50_us", added=True), 200, False, "µs"
        ),
        Bar(
            "added at 1,000 req/s, p99", figure("open-1000", "p99_us", added=True), 500, False, "µs"
        ),
        Bar("100 KB bodies, share of nginx", _ratio("body-100k", "nginx", True), 12, True, "%"),
        Bar("1 MB bodies, share of nginx", _ratio("body-1m", "nginx", True), 15, True, "%"),
        Bar(
            "500 streams, chunks of asked",
            figure("streams-500", "share_of_asked", 100),
            99,
            True,
            "%",
        ),
        Bar("500 streams, chunk p99", figure("streams-500", "delay_p99_us", 1e-3), 8, False, "ms"),
        Bar(
            "1,500 streams, chunks of asked",
            figure("streams-1500", "share_of_asked", 100),
            90,
            True,
            "%",
        ),
        Bar("RSS idle", figure("memory-500", "idle_rss_kb", 1 / 1024), 70, False, "MB"),
        Bar("RSS of an open stream", figure("memory-500", "kb_per_stream"), 40, False, "KB"),
    ]


def _ledger_bars() -> list[Bar]:
    def added(label: str, scenario: str, key: str, limit: float) -> Bar:
        row = Row("", scenario, key, added=True)
        return Bar(f"money on: added {label}", _figure(row, LEDGER), limit, False, "µs")

    share = _ratio("requests-64", OURS, True, LEDGER)
    return [
        Bar("money on: requests/s, 64 conn, share of money off", share, 60, True, "%"),
        added("one core, p50", "one-core", "p50_us", 250),
        added("one core, p99", "one-core", "p99_us", 600),
        added("at 1,000 req/s, p50", "open-1000", "p50_us", 300),
        added("at 1,000 req/s, p99", "open-1000", "p99_us", 800),
    ]


def number(value: float | None) -> str:
    """A figure with three significant places or thousands separators."""
    if value is None:
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _times_better(row: Row, medians: Medians, peer: str, name: str = OURS) -> str:
    ours, theirs = row.value(medians, name), row.value(medians, peer)
    if ours is None or theirs is None or ours <= 0 or theirs <= 0:
        return "–"
    return f"{number(ours / theirs if row.more_is_better else theirs / ours)}×"


def markdown(result: dict[str, Any]) -> str:
    """The whole report as markdown."""
    medians: Medians = result["medians"]
    shown = [name for name in COLUMNS if any(name in by_name for by_name in medians.values())]
    shown += [name for name in COLUMNS if name in result["unavailable"] and name not in shown]
    peers = [name for name in PEERS if name in shown] if OURS in shown else []
    both = OURS in shown and LEDGER in shown
    heads = ["", *shown, *(f"{OURS} against {peer}" for peer in peers)]
    heads += [f"{LEDGER} against {OURS}"] if both else []
    lines = ["| " + " | ".join(heads) + " |", "|---" + "|---:" * (len(heads) - 1) + "|"]
    for row in _rows():
        if row.scenario not in medians:
            continue
        cells = [row.label, *(number(row.value(medians, name)) for name in shown)]
        cells += [_times_better(row, medians, peer) for peer in peers]
        cells += [_times_better(row, medians, OURS, LEDGER)] if both else []
        lines.append("| " + " | ".join(cells) + " |")
    lines += ["", "`against`: how many times better the first is; below 1 the second is better."]
    lines += _in_process(result["in_process"])
    if OURS in shown and OURS not in result["unavailable"]:
        lines += ["", "| bar | wanted | measured | |", "|---|---:|---:|---|"]
        lines += [bar.line(medians) for bar in _bars()]
        lines += _in_process_bars(result["in_process"])
    if LEDGER in shown and LEDGER not in result["unavailable"]:
        lines += ["", "| bar of the ledger | wanted | measured | |", "|---|---:|---:|---|"]
        lines += [bar.line(medians) for bar in _ledger_bars()]
    lines += _notes(result)
    return "\n".join(lines) + "\n"


def _in_process(figures: dict[str, dict[str, Any]]) -> list[str]:
    if not figures:
        return []
    base = figures.get("socket", {}).get("p50_us")
    lines = [
        "",
        "| call inside the program | p50 µs | p99 µs | over a bare socket, p50 µs | CPU µs |",
    ]
    lines.append("|---" + "|---:" * 4 + "|")
    for name, one in figures.items():
        over = None if base is None else one["p50_us"] - base
        cells = [number(value) for value in (one["p50_us"], one["p99_us"], over, one["cpu_us"])]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return lines


def _in_process_bars(figures: dict[str, dict[str, Any]]) -> list[str]:
    ours, base, peer = (figures.get(name) for name in (OURS, "socket", "litellm"))
    over = None if ours is None or base is None else ours["p50_us"] - base["p50_us"]
    cheaper = None if ours is None or peer is None else peer["cpu_us"] / ours["cpu_us"]
    label = "call inside the program"
    return [
        Bar(f"{label}, over the upstream's answer, p50", lambda _: over, 150, False, "µs").line({}),
        Bar(f"{label}, CPU, times cheaper than LiteLLM's", lambda _: cheaper, 20, True, "×").line(
            {}
        ),
    ]


def _notes(result: dict[str, Any]) -> list[str]:
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    lines = [
        "",
        f"{result['time']}; {machine['cpu']}, Linux {machine['kernel']}; medians of "
        f"{result['rounds_per_load']} rounds of {result['seconds_per_round']} s; {versions}.",
    ]
    lines += [f"- not available: {name}: {why}" for name, why in result["unavailable"].items()]
    for scenario, by_name in result["medians"].items():
        for name, one in by_name.items():
            kinds = ", ".join(
                f"{kind} ({count})" for kind, count in one.get("error_kinds", {}).items()
            )
            if one.get("errors"):
                lines.append(f"- errors: {name}, {scenario}: {one['errors']}: {kinds}")
            for fault in one.get("fault", []):
                lines.append(f"- fault: {name}, {scenario}: {fault}")
            if scenario.startswith("open-") and one.get("unfinished"):
                lines.append(
                    f"- overloaded: {name}, {scenario}: {one['unfinished']:.0f} unanswered"
                )
    return lines


def seekroute_failed(result: dict[str, Any]) -> bool:
    """Whether seekroute was asked for and did not start, or had an error or a fault."""
    if any(name.endswith((OURS, LEDGER)) for name in result["unavailable"]):
        return True
    medians = result["medians"].values()
    ours = [by_name.get(name, {}) for by_name in medians for name in (OURS, LEDGER)]
    return any(one.get("errors") or one.get("fault") for one in ours)
