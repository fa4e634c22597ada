"""One way to drive all four clients: in process or remote, sync or async."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import seekroute
from routings import NO_MEMORY
from seekroute.testing import MockProvider
from serving import running_server

MODES = ("local", "local-async", "remote", "remote-async")
MODEL = "openai/gpt-4o-mini"
IMAGE_MODEL = "bytedance/seedream-4.5"
EMBEDDING_MODEL = "openai/text-embedding-3-small"
HELLO = [{"role": "user", "content": "Hello!"}]


class Driver:
    """A client of any kind, called from a test that knows no difference.

    `run(step)` calls `step(client)` and waits for what it gives; `read_all(stream)` reads a stream.
    """

    def __init__(self, mode: str, make: Callable[[type[Any]], Any]) -> None:
        self.mode = mode
        self.remote = mode.startswith("remote")
        self.is_async = mode.endswith("async")
        self._loop: asyncio.AbstractEventLoop | None = None
        if self.is_async:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever, name="test-loop")
            self._thread.start()
        self.client = make(seekroute.AsyncClient if self.is_async else seekroute.Client)

    def run(self, step: Callable[[Any], Any]) -> Any:
        if self._loop is None:
            return step(self.client)
        return asyncio.run_coroutine_threadsafe(self._await(step), self._loop).result(30)

    async def _await(self, step: Callable[[Any], Any]) -> Any:
        given = step(self.client)
        return await given if inspect.isawaitable(given) else given

    def of(self, value: Any) -> Any:
        """Waits for `value` where it has to be waited for."""
        return self.run(lambda client: value)

    def read_all(self, source: Any) -> list[Any]:
        """Reads an iterator of either kind to its end."""
        if self._loop is None:
            return list(source)

        async def read() -> list[Any]:
            return [item async for item in source]

        items: list[Any] = self.of(read())
        return items

    def enter(self, context: Any) -> Any:
        return context.__enter__() if self._loop is None else self.of(context.__aenter__())

    def leave(self, context: Any) -> None:
        if self._loop is None:
            context.__exit__(None, None, None)
        else:
            self.of(context.__aexit__(None, None, None))

    def close(self) -> None:
        self.run(lambda client: client.close())
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(30)
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()


def providers_at(mock: MockProvider) -> dict[str, Any]:
    """Settings in which the mock stands in for two providers, one of text and one of images."""
    provider = {"base_url": mock.base_url, "allow_http": True, "allow_private": True}
    return {"openai": {**provider, "api_key": "sk-up"}, "byteplus": {**provider, "api_key": "bp"}}


def made_with(settings: dict[str, Any]) -> Callable[[Any], Any]:
    """Makes a client of either class with the same settings."""
    return lambda kind: kind(**settings)


@contextlib.contextmanager
def all_modes(folder: Path, mock: MockProvider) -> Iterator[dict[str, Driver]]:
    """The four clients, all with `mock` as the only upstream."""
    providers = providers_at(mock)
    off = {"enabled": False}
    shared: dict[str, Any] = {"providers": providers, "routing": NO_MEMORY}
    with running_server(folder, mock="off", credits=off, **shared) as server:
        drivers: dict[str, Driver] = {}
        try:
            for mode in MODES:
                if mode.startswith("remote"):
                    address = {"base_url": server.base_url, "api_key": server.key}
                    drivers[mode] = Driver(mode, made_with(address))
                else:
                    drivers[mode] = Driver(mode, made_with(shared))
            yield drivers
        finally:
            for driver in drivers.values():
                driver.close()
