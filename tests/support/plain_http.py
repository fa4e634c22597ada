"""A small HTTP server for what commands read from others: price lists, lists of models."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

# Of a path: status, headers and body of the answer.
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def answering(
    answer: Callable[[str], Answer], context: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Answers every GET by its path, on the port that it gives; over TLS with a `context`."""

    class Answering(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, name="test-http")
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
