"""MockProvider: a real HTTP server that speaks the OpenAI protocol and does as it is told."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import Any

from seekroute.testing.answers import Answer
from seekroute.testing.http import Exchange
from seekroute.testing.images import picture
from seekroute.testing.records import MAX_RECORDS, RecordedRequest, Recorder
from seekroute.testing.replies import JSON_TYPE, Delay, Raw, Reply, ReplyOrFactory
from seekroute.testing.server import HttpServer
from seekroute.testing.shapes import dump, error_body

Predicate = Callable[[RecordedRequest], bool]

DEFAULT_MODELS = ("mock-model", "mock-reasoner", "mock-image", "mock-embedding")
# Replies waiting for their request, and rules; more is a loop that went wrong.
MAX_QUEUED = 100_000
MAX_RULES = 10_000
# Faults of replies kept for the test to look at.
MAX_ERRORS = 100
# Longest wait for the server's thread to start or end, in seconds.
THREAD_SECONDS = 10.0
# Records kept by `run_mock`, which nobody reads.
CLI_RECORDS = 16


class MockProvider:
    """A scriptable upstream: a real HTTP/1.1 server that speaks the OpenAI protocol.

    Without a script it is a good fake provider (see `Answer`). Replies for the next requests are
    given with `queue`, for matching requests with `on`, and for all others with `default`. It
    runs in a thread of its own and listens on a free port of the loopback interface. All methods
    may be called from any thread.

    Args:
        default: the reply to POST requests that no script takes; the fake model when None.
        api_key: when given, requests without ``Authorization: Bearer <api_key>`` get a 401.
        models: the model ids that ``GET /v1/models`` lists. Any model name is answered.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        delay: seconds before each chunk of the fake model's streams, or a function of the
            chunk's number that returns them.
        first_byte_delay: seconds before each of the fake model's answers.
        record_limit: how many requests `requests` keeps, at most.

    Raises:
        ValueError: if `default` comes together with a delay, which only the fake model has.

    Example::

        from openai import OpenAI
        from seekroute.testing import MockProvider, Text

        with MockProvider() as mock:
            mock.queue(Text("Paris."))
            client = OpenAI(base_url=mock.base_url, api_key="any")
            answer = client.chat.completions.create(
                model="mock-model", messages=[{"role": "user", "content": "Capital of France?"}]
            )
            assert answer.choices[0].message.content == "Paris."
            assert mock.requests[0].json["model"] == "mock-model"
    """

    def __init__(
        self,
        default: ReplyOrFactory | None = None,
        *,
        api_key: str | None = None,
        models: Sequence[str] = DEFAULT_MODELS,
        host: str = "127.0.0.1",
        port: int = 0,
        delay: Delay = 0.0,
        first_byte_delay: float = 0.0,
        record_limit: int = MAX_RECORDS,
    ) -> None:
        if default is not None and (delay or first_byte_delay):
            raise ValueError("give the delays to the default reply itself")
        self._lock = threading.Lock()
        self._default = default or Answer(delay=delay, first_byte_delay=first_byte_delay)
        self._queue: deque[ReplyOrFactory] = deque()
        self._rules: list[tuple[Predicate, ReplyOrFactory]] = []
        self._errors: deque[BaseException] = deque(maxlen=MAX_ERRORS)
        self._api_key = api_key
        self._models = tuple(models)
        self._created = int(time.time())
        self._host = host
        self._port = port
        self._recorder = Recorder(record_limit)
        self._server = HttpServer(self._handle, self._recorder)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping: asyncio.Event | None = None

    # --- starting and stopping

    def start(self) -> MockProvider:
        """Start serving in a thread of its own; returns the provider itself.

        Raises:
            RuntimeError: if it is running already.
            OSError: if it cannot listen on the address.
        """
        if self._thread is not None or self._loop is not None:
            raise RuntimeError("the mock provider is running already")
        started = threading.Event()
        failures: list[BaseException] = []

        def run() -> None:
            try:
                # A loop of the standard library whatever policy the process has set: the
                # server relies on how its transports close.
                with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
                    runner.run(self._serve_until_stopped(started))
            except Exception as error:
                failures.append(error)
            finally:
                started.set()

        self._thread = threading.Thread(target=run, name="seekroute-mock", daemon=True)
        self._thread.start()
        started.wait(THREAD_SECONDS)
        if failures:
            self._thread.join(THREAD_SECONDS)
            self._thread = None
            raise failures[0]
        return self

    def stop(self) -> None:
        """Stop serving and drop all connections, also hanging ones. Safe to call twice."""
        thread, loop, stopping = self._thread, self._loop, self._stopping
        if thread is None:
            return
        if loop is not None and stopping is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended by itself
                loop.call_soon_threadsafe(stopping.set)
        if thread is not threading.current_thread():  # a garbage collection may run on any
            thread.join(THREAD_SECONDS)
        self._thread = None

    async def start_async(self) -> MockProvider:
        """Start serving on the running event loop; returns the provider itself.

        The waiting methods block, so call them through ``asyncio.to_thread`` there.

        Raises:
            RuntimeError: if it is running already.
            OSError: if it cannot listen on the address.
        """
        if self._loop is not None or self._thread is not None:
            raise RuntimeError("the mock provider is running already")
        await self._listen()
        return self

    async def stop_async(self) -> None:
        """Stop what `start_async` started. Safe to call twice."""
        self._loop = None
        await self._server.stop()

    async def serve_forever(self) -> None:
        """Serve on the running event loop until the task is cancelled."""
        await self.start_async()
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await self.stop_async()

    async def _listen(self) -> None:
        self._port = await self._server.start(self._host, self._port)
        self._loop = asyncio.get_running_loop()

    async def _serve_until_stopped(self, started: threading.Event) -> None:
        self._stopping = asyncio.Event()
        await self._listen()
        started.set()
        try:
            await self._stopping.wait()
        finally:
            await self.stop_async()

    def __enter__(self) -> MockProvider:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    async def __aenter__(self) -> MockProvider:
        return await self.start_async()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop_async()

    @property
    def port(self) -> int:
        """The port it listens on; the one asked for, maybe 0, before it was started."""
        return self._port

    @property
    def origin(self) -> str:
        """Scheme, host and port, for example ``"http://127.0.0.1:40123"``."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"http://{host}:{self._port}"

    @property
    def base_url(self) -> str:
        """The base URL for an OpenAI client, for example ``"http://127.0.0.1:40123/v1"``."""
        return f"{self.origin}/v1"

    # --- scripting

    def queue(self, *replies: ReplyOrFactory) -> None:
        """Answer the next POST requests with these replies, one each, in order.

        Args:
            replies: replies, or functions that get the request and return one.

        Raises:
            ValueError: if more than 100 000 replies would wait.

        Example::

            mock.queue(Status(429), Text("second time lucky"))
        """
        with self._lock:
            if len(self._queue) + len(replies) > MAX_QUEUED:
                raise ValueError(f"more than {MAX_QUEUED} replies are waiting")
            self._queue.extend(replies)

    def script(self, steps: Iterable[Sequence[Any]]) -> None:
        """Answer the next POST request with JSON steps; short for ``queue(Raw.from_steps())``.

        Example::

            mock.script([["head", 200, {"Content-Type": "text/event-stream"}], ["rst"]])
        """
        self.queue(Raw.from_steps(steps))

    def on(self, predicate: Predicate, reply: ReplyOrFactory) -> None:
        """Answer every POST request for which `predicate` is true with `reply`.

        Queued replies come first; of several rules that match, the newest wins.

        Raises:
            ValueError: if there are more than 10 000 rules.

        Example::

            mock.on(lambda request: request.json["model"] == "down", Status(503))
        """
        with self._lock:
            if len(self._rules) >= MAX_RULES:
                raise ValueError(f"there are more than {MAX_RULES} rules")
            self._rules.append((predicate, reply))

    @property
    def default(self) -> ReplyOrFactory:
        """The reply to POST requests that neither a queued reply nor a rule takes."""
        with self._lock:
            return self._default

    @default.setter
    def default(self, reply: ReplyOrFactory) -> None:
        with self._lock:
            self._default = reply

    @property
    def queued(self) -> int:
        """How many queued replies still wait for their request."""
        with self._lock:
            return len(self._queue)

    def reset(self) -> None:
        """Forget the queue, the rules, the records and the faults; the default reply stays."""
        with self._lock:
            self._queue.clear()
            self._rules.clear()
            self._errors.clear()
        self._recorder.clear()

    # --- what it saw

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests received so far, oldest first; GET requests too."""
        return self._recorder.requests

    @property
    def connections(self) -> int:
        """How many connections clients have opened in all."""
        return self._recorder.connections

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return self._recorder.open_connections

    @property
    def errors(self) -> list[BaseException]:
        """Exceptions raised by predicates, factories and replies; each also gave a 500."""
        with self._lock:
            return list(self._errors)

    def wait_for_requests(self, count: int = 1, timeout: float = 5.0) -> list[RecordedRequest]:
        """Wait until `count` requests have arrived in all, and return those kept.

        Args:
            count: requests since the start or the last `reset`.
            timeout: longest wait, in seconds.

        Raises:
            TimeoutError: if fewer arrived in time.
        """
        return self._recorder.wait_for_requests(count, timeout)

    def wait_for_abort(self, count: int = 1, timeout: float = 5.0) -> RecordedRequest:
        """Wait until the clients of `count` requests went away before their reply was complete.

        Args:
            count: aborted requests since the start or the last `reset`.
            timeout: longest wait, in seconds.

        Returns:
            The last of these requests; its ``aborted_at`` says when.

        Raises:
            TimeoutError: if fewer were aborted in time.

        Example::

            mock.queue(Raw([("hang",)]))
            ...  # start a request, then cancel it
            seconds = mock.wait_for_abort().aborted_at - cancelled_at
        """
        return self._recorder.wait_for_abort(count, timeout)

    def wait_until_closed(self, timeout: float = 5.0) -> None:
        """Wait until no connection is open.

        Raises:
            TimeoutError: if one was still open after `timeout` seconds.
        """
        self._recorder.wait_until_idle(timeout)

    # --- answering, on the loop

    async def _handle(self, exchange: Exchange) -> None:
        try:
            await self._route(exchange)
        except (ConnectionError, asyncio.CancelledError):
            raise
        except Exception as error:
            # The fault of a test's own reply must neither hang its client nor be lost.
            with self._lock:
                self._errors.append(error)
            if not exchange.started:
                message = f"the mock reply failed: {type(error).__name__}: {error}"
                await _respond(exchange, 500, error_body(message, status=500))

    async def _route(self, exchange: Exchange) -> None:
        request = exchange.request
        path = request.path.rstrip("/")
        if path == "" and request.method in ("GET", "HEAD"):
            await _respond(exchange, 200, {"status": "ok"})
        elif not self._authorized(request):
            message = "Incorrect API key provided."
            await _respond(exchange, 401, error_body(message, status=401))
        elif request.method == "POST":
            await self._answer_post(exchange, path)
        elif request.method == "GET":
            await self._answer_get(exchange, path)
        else:
            message = f"Method {request.method} is not allowed."
            await _respond(exchange, 405, error_body(message, status=405))

    async def _answer_post(self, exchange: Exchange, path: str) -> None:
        reply = self._choose(exchange.request)
        known = path.endswith(("/chat/completions", "/images/generations", "/embeddings"))
        if isinstance(reply, Answer) and not known:
            await _not_found(exchange)
            return
        await reply.play(exchange)

    def _choose(self, request: RecordedRequest) -> Reply:
        with self._lock:
            chosen = self._queue.popleft() if self._queue else None
            rules = list(reversed(self._rules))
            default = self._default
        if chosen is None:
            # Predicates are the test's code and may call back, so no lock is held here.
            chosen = next((reply for matches, reply in rules if matches(request)), default)
        # A reply class itself is callable too, but an instance of one is what was asked for.
        return chosen if hasattr(chosen, "play") else chosen(request)

    async def _answer_get(self, exchange: Exchange, path: str) -> None:
        before, found, name = path.partition("/models/")
        if path.endswith("/models"):
            data = [self._model(one) for one in self._models]
            await _respond(exchange, 200, {"object": "list", "data": data})
        elif found and name in self._models and before in ("", "/v1", "/api/v1"):
            await _respond(exchange, 200, self._model(name))
        elif "/images/" in path and path.endswith(".png"):
            await exchange.respond(200, [("content-type", "image/png")], picture())
        else:
            await _not_found(exchange)

    def _model(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._created, "owned_by": "mock"}

    def _authorized(self, request: RecordedRequest) -> bool:
        if self._api_key is None:
            return True
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self._api_key}".encode())


def run_mock(
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    on_start: Callable[[MockProvider], None] | None = None,
    **options: Any,
) -> None:
    """Run a mock provider until SIGINT or SIGTERM; call it from the main thread.

    Args:
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        on_start: called once it listens, for example to print its ``base_url``.
        options: further arguments of `MockProvider`.

    Raises:
        OSError: if it cannot listen on the address.

    Example::

        run_mock(port=9000, delay=0.02, on_start=lambda mock: print(mock.base_url))
    """
    options.setdefault("record_limit", CLI_RECORDS)
    mock = MockProvider(host=host, port=port, **options)

    async def serve() -> None:
        stopped = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stopped.set)
        async with mock:
            if on_start is not None:
                on_start(mock)
            await stopped.wait()

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(serve())


async def _respond(exchange: Exchange, status: int, body: Any) -> None:
    await exchange.respond(status, [JSON_TYPE], dump(body))


async def _not_found(exchange: Exchange) -> None:
    request = exchange.request
    message = f"Invalid URL ({request.method} {request.path})"
    await _respond(exchange, 404, error_body(message, status=404))
