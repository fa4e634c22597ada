"""OpenAI's own SDK over the gateway in this process: no server, no port, no key of ours."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from seekroute.client.client import AsyncClient, Client
from seekroute.client.wires.openai_transport import transports

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    import openai

# Nothing is resolved or connected; the SDK shows it in its log lines and in `error.request`.
_BASE_URL: Final = "http://in-process.invalid/v1"
# The SDK wants one, and would take OPENAI_API_KEY, which belongs to a provider.
_NO_KEY: Final = "in-process"


def openai_client(
    config: str | Path | None = None,
    *,
    client: Client | None = None,
    max_retries: int | None = None,
    timeout: Any = None,
    **settings: Any,
) -> openai.OpenAI:
    """An `openai.OpenAI` whose requests are served by the gateway in this process.

    Everything built on the SDK works with it: streaming, `parse`, tools, raw responses,
    `with_options`, and libraries that take an SDK client. `POST /chat/completions`, `GET /models`
    and `GET /models/{id}` are served; anything else gets a 404 that says so. Closing it, directly
    or as a context manager, ends the gateway that was made for it. Thread-safe.

    Args:
        config: A `seekroute.yaml`, as for `seekroute.Client`.
        client: An existing `seekroute.Client` in process, whose gateway is shared, instead of
            `config` and `settings`. Its `spend` counts what is asked here too, and it stays open
            when the SDK client is closed.
        max_retries: The SDK's own retries, on top of the gateway's; default: the SDK's, 2.
        timeout: Seconds, or the SDK's `Timeout`. Its `read` bounds each silence of the gateway;
            connecting takes no time. Default: the SDK's, 10 minutes.
        **settings: As for `seekroute.Client`: `providers={...}`, `mock="on"`.

    Raises:
        ImportError: The openai package is not installed.
        ConfigError: As for `seekroute.Client`.
        TypeError: `client` is none in process, or comes together with `config` or `settings`.

    Example:
        >>> import seekroute
        >>> with seekroute.openai_client(mock="on") as llm:
        ...     answer = llm.chat.completions.create(
        ...         model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}]
        ...     )
        ...     print(answer.choices[0].message.content)
        Hello! You said: Hi
    """
    sdk = _sdk()
    blocking, _ = transports(_library(sdk))
    options = _options(max_retries, timeout)
    own = None
    if client is None:
        client = own = Client(config=config, **_local(settings))
    else:
        _check(client, Client, config, settings)
    transport = blocking(client._backend, None if own is None else own.close)
    made: openai.OpenAI = sdk.OpenAI(
        http_client=sdk.DefaultHttpxClient(transport=transport), **options
    )
    return made


def async_openai_client(
    config: str | Path | None = None,
    *,
    client: AsyncClient | None = None,
    max_retries: int | None = None,
    timeout: Any = None,
    **settings: Any,
) -> openai.AsyncOpenAI:
    """An `openai.AsyncOpenAI` over the gateway in this process; see `openai_client`.

    `client` is a `seekroute.AsyncClient` here. Runs under asyncio, on any event loop and on several
    one after the other. Cancelling a task cancels its upstream request.

    Example:
        >>> import asyncio, seekroute
        >>> async def main():
        ...     async with seekroute.async_openai_client(mock="on") as llm:
        ...         answer = await llm.chat.completions.create(
        ...             model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "Hi"}]
        ...         )
        ...     return answer.choices[0].message.content
        >>> asyncio.run(main())
        'Hello! You said: Hi'
    """
    sdk = _sdk()
    _, awaiting = transports(_library(sdk))
    options = _options(max_retries, timeout)
    own = None
    if client is None:
        client = own = AsyncClient(config=config, **_local(settings))
    else:
        _check(client, AsyncClient, config, settings)
    transport = awaiting(client._backend, None if own is None else own.close)
    made: openai.AsyncOpenAI = sdk.AsyncOpenAI(
        http_client=sdk.DefaultAsyncHttpxClient(transport=transport), **options
    )
    return made


def _options(max_retries: int | None, timeout: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"base_url": _BASE_URL, "api_key": _NO_KEY}
    if max_retries is not None:
        options["max_retries"] = max_retries
    if timeout is not None:
        options["timeout"] = timeout
    return options


def _local(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings, made to mean this process whatever the environment says."""
    if "base_url" in settings:
        raise TypeError("base_url is for openai.OpenAI itself: here the gateway is in this process")
    return {"base_url": "", **settings}


def _sdk() -> ModuleType:
    try:
        return importlib.import_module("openai")
    except ImportError as error:
        hint = "the openai package is not installed: pip install 'openai>=2'"
        raise ImportError(hint, name="openai") from error


def _library(sdk: ModuleType) -> str:
    """`httpx` or `httpx2`: what the installed SDK's own HTTP client is made of."""
    for base in sdk.DefaultHttpxClient.__mro__:
        module: str = base.__module__.partition(".")[0]
        if module in ("httpx", "httpx2"):
            return module
    version = getattr(sdk, "__version__", "?")
    raise ImportError(
        f"openai {version} is not supported: its HTTP client is unknown", name="openai"
    )


def _check(
    client: Client | AsyncClient,
    kind: type[Client | AsyncClient],
    config: str | Path | None,
    settings: dict[str, Any],
) -> None:
    """Raises TypeError when `client` is not what the SDK client can stand on."""
    if config is not None or settings:
        raise TypeError("give either client, or config and settings")
    if not isinstance(client, kind):
        raise TypeError(f"client: expected a seekroute.{kind.__name__}, found {type(client)}")
    if not client._backend.records:
        raise TypeError(
            "client asks a gateway at a URL: give that URL to the SDK itself, as base_url"
        )
