"""The log: JSON or readable lines on stderr, written without ever making the event loop wait.

When whoever reads stderr stops (a full pipe, a full disk), request lines are dropped and counted;
requests go on.
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import sys
import textwrap
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Final, Literal, Protocol, TextIO

import structlog

from seekroute.money import usd
from seekroute.visible import visible, without_keys

LogFormat = Literal["json", "pretty"]

# Without the local variables, which structlog shows unless told otherwise: they hold keys and
# prompts. The readable form has the same default, and another formatter below.
_TRACEBACKS: Final = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)

# Bytes waiting for the writer's thread: some ten thousand request lines.
_MAX_QUEUED: Final = 4 * 1024 * 1024
# Characters of a model's name that only the client knows.
_MOST_NAME: Final = 120
# Request lines are handed over in batches: to wake a thread for each would cost more than the line.
_BATCH_S: Final = 0.05
_MAX_BATCH: Final = 256
# How long the end of the process waits for a reader of stderr.
_CLOSE_S: Final = 1.0


class Record(Protocol):
    """What a line says of an ended request; the core's record has it."""

    @property
    def request_id(self) -> str: ...
    @property
    def key_id(self) -> str: ...
    @property
    def org_id(self) -> str: ...
    @property
    def requested_model(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def error(self) -> str: ...
    @property
    def status(self) -> int: ...
    @property
    def attempts(self) -> int: ...
    @property
    def tried(self) -> Sequence[tuple[str, int, str, float, str]]: ...
    @property
    def streamed(self) -> bool: ...
    @property
    def service_tier(self) -> str: ...
    @property
    def usage_odd(self) -> bool: ...
    @property
    def cap_ignored(self) -> bool: ...
    @property
    def prompt_tokens(self) -> int: ...
    @property
    def completion_tokens(self) -> int: ...
    @property
    def held_nano(self) -> int: ...
    @property
    def cost_nano(self) -> int: ...
    @property
    def upstream_cost_nano(self) -> int: ...
    @property
    def price_revision(self) -> str: ...
    @property
    def total_ms(self) -> float: ...
    @property
    def first_content_ms(self) -> float: ...
    @property
    def overhead_ms(self) -> float: ...
    @property
    def limit(self) -> str: ...
    @property
    def queued_ms(self) -> float: ...
    @property
    def availability(self) -> str: ...


class LineWriter:
    """Writes lines to a file descriptor in a thread of its own. Thread-safe.

    Example:
        writer = LineWriter(2)
        writer.write(b"started\\n")
        writer.close()
    """

    def __init__(self, descriptor: int, *, max_queued: int = _MAX_QUEUED) -> None:
        self._descriptor = descriptor
        self._max_queued = max_queued
        self._queue: deque[bytes] = deque()
        self._queued = 0
        self._condition = threading.Condition()
        self._closed = False
        self.dropped = 0  # lines
        self._thread = threading.Thread(target=self._run, name="seekroute-log", daemon=True)
        self._thread.start()

    def write(self, lines: bytes, count: int = 1) -> None:
        """Queues `count` lines, or drops and counts them when the queue is full."""
        with self._condition:
            if self._closed or self._queued + len(lines) > self._max_queued:
                self.dropped += count
                return
            self._queue.append(lines)
            self._queued += len(lines)
            self._condition.notify()

    def close(self) -> None:
        """Writes what is queued, for a second at most, and ends the thread."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        while True:
            with self._condition:
                while not self._queue and not self._closed:
                    self._condition.wait()
                if not self._queue:
                    return
                lines = self._queue.popleft()
            try:
                view = memoryview(lines)
                while view:
                    view = view[os.write(self._descriptor, view) :]
            except OSError:  # closed, or the disk is full: as good as dropped
                with self._condition:
                    self.dropped += 1
            with self._condition:
                self._queued -= len(lines)


def _timestamp(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class RequestLog:
    """One line for each ended request. Event loop thread only.

    The line is put together by hand: it is the only log line on the hot path, and structlog's
    processors would cost more than the request's own bookkeeping.
    """

    def __init__(self, writer: LineWriter, log_format: LogFormat, *, enabled: bool = True) -> None:
        self._writer = writer
        self._format: Callable[[Record, str], str] = (
            json_line if log_format == "json" else pretty_line
        )
        self._enabled = enabled
        self._lines: list[str] = []
        self._armed = False
        self._second = 0
        self._prefix = ""

    def record(self, record: Record) -> None:
        """Adds the line of one request."""
        if not self._enabled:
            return
        self._lines.append(self._format(record, self._now()))
        if len(self._lines) >= _MAX_BATCH:
            self.flush()
        elif not self._armed:
            self._armed = True
            asyncio.get_running_loop().call_later(_BATCH_S, self.flush)

    def flush(self) -> None:
        """Hands the lines over to the writer."""
        self._armed = False
        lines, self._lines = self._lines, []
        if lines:
            self._writer.write("".join(lines).encode("utf-8", "replace"), len(lines))

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._prefix = _timestamp(second)[:-4]
        return f"{self._prefix}{int((now - second) * 1000):03d}Z"


def json_line(record: Record, now: str) -> str:
    """The JSON line of one request."""
    status = record.status
    error = record.error
    level = "error" if status >= 500 else "warning" if error or record.cap_ignored else "info"
    optional = ""
    if record.first_content_ms > 0:
        optional = f',"ttft_ms":{record.first_content_ms:.3f}'
    if error:
        optional += f',"error_type":{_quoted(error)}'
        if words := left_out(record):
            optional += f',"left_out":[{",".join(map(_quoted, words))}]'
    failures = [
        f'{{"provider":{_quoted(provider)},"status":{status},"error":{_quoted(why)}'
        f',"words":{_quoted(words)}}}'
        for provider, status, why, _, words in record.tried
        if why and words
    ]
    if failures:
        optional += f',"failures":[{",".join(failures)}]'
    if record.service_tier:
        optional += f',"service_tier":{_quoted(record.service_tier)}'
    if record.usage_odd:
        optional += ',"usage_odd":true'
    if record.cap_ignored:
        optional += ',"cap_ignored":true'
    return (
        f'{{"ts":"{now}","level":"{level}","msg":"request"'
        f',"request_id":{_quoted(without_keys(record.request_id))},"key_id":{_quoted(record.key_id)}'
        f',"org_id":{_quoted(record.org_id)},"model":{_quoted(_model_of(record))}'
        f',"provider":{_quoted(record.provider)},"status":{status}'
        f',"streamed":{"true" if record.streamed else "false"}'
        f',"latency_ms":{record.total_ms:.3f},"overhead_ms":{record.overhead_ms:.3f}'
        f',"prompt_tokens":{record.prompt_tokens}'
        f',"completion_tokens":{record.completion_tokens}'
        f',"cost_usd":"{usd(record.cost_nano, places=0)}"'
        f',"upstream_cost_usd":"{usd(record.upstream_cost_nano, places=0)}"'
        f',"price_revision":{_quoted(record.price_revision)}'
        f',"attempts":{record.attempts}{optional}}}\n'
    )


def _model_of(record: Record) -> str:
    """The model that was meant; of an unknown one what it was called, as far as a name goes."""
    return record.model or without_keys(record.requested_model)[:_MOST_NAME]


def left_out(record: Record) -> list[str]:
    """The words for why endpoints were left out or passed over, of a request that nobody could
    serve; each once."""
    if not record.availability:
        return []
    excluded = json.loads(record.availability)["excluded"]
    return list(dict.fromkeys(each["excluded_by"] for each in excluded))


def pretty_line(record: Record, now: str) -> str:
    """The readable line of one request, whose stamp is that of the other lines."""
    parts = [now, str(record.status), _model_of(record) or "-", record.provider or "-"]
    parts.append(f"{record.total_ms:.0f} ms")
    if record.attempts:
        parts.append(f"{record.prompt_tokens}+{record.completion_tokens} tokens")
        parts.append(f"${usd(record.cost_nano, places=0)}")
    if record.error:
        words = left_out(record)
        parts.append(record.error + (f" ({', '.join(words)})" if words else ""))
    parts += [f"{provider}: {words}" for provider, *_, words in record.tried if words]
    if record.key_id:
        parts.append(record.key_id)
    parts.append(without_keys(record.request_id))
    return "  ".join(part if part.isprintable() else _quoted(part) for part in parts) + "\n"


class _WriterFile:
    """A file that structlog can print to; the lines go to the writer."""

    def __init__(self, writer: LineWriter) -> None:
        self._writer = writer

    def write(self, text: str) -> None:
        # Of a readable line; one of JSON has nothing left to show.
        shown = without_keys(visible(text, lines=True))
        self._writer.write(shown.encode("utf-8", "replace"))

    def flush(self) -> None:
        """Nothing is held back."""


def _in_one_line(_logger: Any, _level: str, line: Any) -> Any:
    """Shows the line ends in every field: a client must not write lines of its own."""
    return {name: visible(each) if isinstance(each, str) else each for name, each in line.items()}


def _indented(out: TextIO, error: Any) -> None:
    """A traceback whose lines cannot be taken for those of the log, whatever the error quotes."""
    lines = io.StringIO()
    structlog.dev.plain_traceback(lines, error)
    out.write(textwrap.indent(visible(lines.getvalue(), lines=True), "  "))


class _StructlogHandler(logging.Handler):
    """Takes the lines of other libraries (uvicorn, asyncio) into the same log."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._logger.log(
                record.levelno,
                record.getMessage(),
                logger=record.name,
                exc_info=record.exc_info or None,
            )
        except Exception:
            self.handleError(record)


def configure(writer: LineWriter, log_format: LogFormat, level: str) -> Any:
    """Sends all logging of the process to `writer`.

    Args:
        writer: where lines go.
        log_format: JSON lines, or readable ones.
        level: "debug", "info", "warning" or "error".

    Returns:
        A structlog logger for the gateway's own lines.
    """
    threshold = getattr(logging, level.upper())
    shared: list[Any] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
    ]
    if log_format == "json":
        shared += [
            structlog.processors.ExceptionRenderer(_TRACEBACKS),
            structlog.processors.EventRenamer("msg"),
            structlog.processors.JSONRenderer(),
        ]
    else:
        shared.append(_in_one_line)
        shared.append(
            structlog.dev.ConsoleRenderer(
                colors=False, timestamp_key="ts", exception_formatter=_indented
            )
        )
    logger = structlog.wrap_logger(
        structlog.PrintLogger(_WriterFile(writer)),  # type: ignore[arg-type]
        processors=shared,
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
    )
    root = logging.getLogger()
    root.handlers = [_StructlogHandler(logger)]
    root.setLevel(threshold)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        library = logging.getLogger(name)
        library.handlers = []
        library.propagate = True
        # "Started server process" and the like are said in our own words.
        library.setLevel(max(threshold, logging.WARNING))
    return logger


def default_format() -> LogFormat:
    """Readable lines on a terminal, JSON elsewhere."""
    return "pretty" if sys.stderr.isatty() else "json"
