"""The listening side of the mock provider's HTTP server."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

from seekroute.testing.http import Connection, Handler
from seekroute.testing.records import Recorder

# Accepted but not yet served connections, for tests that open thousands at once.
BACKLOG = 4096
# Turns of the event loop given to dropped connections to close.
MAX_STOP_TURNS = 1000
# Pause of listening when the process has no free file descriptor, in seconds.
NO_DESCRIPTOR_SECONDS = 0.05


class HttpServer:
    """Listens on one address and hands every request to `handler`. Lives on one event loop."""

    def __init__(self, handler: Handler, recorder: Recorder) -> None:
        self.handler = handler
        self.recorder = recorder
        self.connections: set[Connection] = set()
        self._listener: socket.socket | None = None
        self._accepting: set[asyncio.Task[Any]] = set()

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which the system chose when `port` is 0."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
        self._listener.setblocking(False)
        # asyncio's own server leaks a connection that comes in just while it is closed.
        self._listen()
        return int(self._listener.getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and drop every connection, hanging ones included."""
        if self._listener is None:
            return
        asyncio.get_running_loop().remove_reader(self._listener.fileno())
        self._listener.close()
        self._listener = None
        await asyncio.gather(*self._accepting, return_exceptions=True)
        tasks = [connection.task for connection in self.connections]
        for connection in list(self.connections):
            connection.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(MAX_STOP_TURNS):  # each closes its socket in the loop's next turn
            if not self.connections:
                break
            await asyncio.sleep(0)

    def _listen(self) -> None:
        if self._listener is not None:
            asyncio.get_running_loop().add_reader(self._listener.fileno(), self._accept)

    def _accept(self) -> None:
        if self._listener is None:
            return
        loop = asyncio.get_running_loop()
        try:
            accepted, _ = self._listener.accept()
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                loop.remove_reader(self._listener.fileno())
                loop.call_later(NO_DESCRIPTOR_SECONDS, self._listen)
            return  # else the client has left already
        accepted.setblocking(False)
        task = loop.create_task(loop.connect_accepted_socket(lambda: Connection(self), accepted))
        self._accepting.add(task)
        task.add_done_callback(self._accepted)

    def _accepted(self, task: asyncio.Task[Any]) -> None:
        self._accepting.discard(task)
        if not task.cancelled():
            task.exception()  # only says that the client has left; asyncio would log it unread
