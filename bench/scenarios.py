"""What is measured: the loads, in the order in which they run."""

from __future__ import annotations

from dataclasses import dataclass

# The streams of the load scenarios: 64 chunks at 50 a second, then the next stream.
CHUNKS = 64
INTERVAL_US = 20_000


@dataclass(frozen=True)
class Scenario:
    """One load, offered to every contender in turn.

    Args:
        name: How it is called on the command line and in the result file.
        mode: `closed`, `open` or `streams` of the load generator.
        connections: Connections, or open streams.
        body_bytes: Size of the request body.
        rate: Requests a second of the open loop.
        chunks: Content chunks of each stream.
        interval_us: Time between two chunks.
        one_core: Contender, upstream and load generator share one core, so that the time of a
            request is the sum of all work on it and no wake-up of another core is in it.
        memory: Only resident memory is of interest; runs once, right after the start.
    """

    name: str
    mode: str
    connections: int
    body_bytes: int = 1024
    rate: int = 0
    chunks: int = CHUNKS
    interval_us: int = INTERVAL_US
    one_core: bool = False
    memory: bool = False

    @property
    def streams(self) -> bool:
        return self.mode == "streams"

    def warmup_ms(self) -> int:
        """Time before the measured window; streams need one whole generation of streams."""
        if self.memory:
            return 3000
        return 1500 if self.connections >= 100 and self.streams else 500

    def window(self, seconds: int) -> int:
        """The measured seconds: with many streams at least one that sees new streams begin."""
        return max(seconds, 2) if self.streams and self.connections >= 100 else seconds

    def load_options(self, seconds: int) -> list[str]:
        """The options of `load` for a measured window of `seconds`."""
        options = ["--mode", self.mode, "--connections", str(self.connections)]
        options += ["--body-bytes", str(self.body_bytes), "--seconds", str(self.window(seconds))]
        options += ["--warmup-ms", str(self.warmup_ms())]
        if self.mode == "open":
            options += ["--rate", str(self.rate)]
        if self.streams:
            options += ["--chunks", str(self.chunks), "--interval-us", str(self.interval_us)]
        return options


# 500 streams that all stay open through the window, at so slow a pace that memory is all they cost.
MEMORY = Scenario("memory-500", "streams", 500, chunks=30, interval_us=500_000, memory=True)

SCENARIOS = (
    Scenario("requests-1", "closed", 1),
    Scenario("requests-16", "closed", 16),
    Scenario("requests-64", "closed", 64),
    Scenario("requests-256", "closed", 256),
    Scenario("body-100k", "closed", 16, body_bytes=100 * 1024),
    Scenario("body-1m", "closed", 16, body_bytes=1024 * 1024),
    Scenario("open-1000", "open", 64, rate=1000),
    Scenario("one-core", "closed", 1, one_core=True),
    Scenario("stream-one-core", "streams", 1, chunks=2, interval_us=1000, one_core=True),
    Scenario("streams-500", "streams", 500),
    Scenario("streams-1500", "streams", 1500),
)

# A word of --scenarios for those that money on and money off are compared by.
GROUPS = {
    "ledger": (
        "requests-1",
        "requests-16",
        "requests-64",
        "requests-256",
        "open-1000",
        "one-core",
        "streams-500",
        "memory-500",
    )
}
