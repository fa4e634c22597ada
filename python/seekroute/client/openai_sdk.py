"""OpenAI's own SDK over the gateway in this process: no server, no port, no key of ours."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from seekroute.client.openai_transport import Core, transports

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    import openai

    from seekroute.client.client import Client

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
    and `GET /models/{id}` are served; other paths get a 404 that says so. Closing it, directly or
    as a context manager, ends the gateway that was made for it. Thread-safe.

    Args:
        config: A `seekroute.yaml`, as for `seekroute.Client`.
        client: A `seekroute.Client` whose gateway to use, instead of `config` and `settings`. It
            counts what is spent here too, and stays open when the SDK client is closed.
        max_retries: The SDK's own retries, on top of the gateway's; default: the SDK's, 2.
        timeout: Seconds, or the SDK's `Timeout`. Its `read` bounds each silence of the gateway;
            connecting takes no time. Default: the SDK's, 10 minutes.
        **settings: As for `seekroute.Client`: `providers={...}`, `mock="on"`.

    Raises:
        ImportError: The openai package is not installed.
        ConfigError: As for `seekroute.Client`.
        TypeError: `client` together with `config` or `settings`.

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
    core = _core(config, client, settings)
    made: openai.OpenAI = sdk.OpenAI(
        http_client=sdk.DefaultHttpxClient(transport=blocking(core)),
        **_options(max_retries, timeout),
    )
    return made


def async_openai_client(
    config: str | Path | None = None,
    *,
    client: Client | None = None,
    max_retries: int | None = None,
    timeout: Any = None,
    **settings: Any,
) -> openai.AsyncOpenAI:
    """An `openai.AsyncOpenAI` over the gateway in this process; see `openai_client`.

    Runs under asyncio, on any event loop and on several one after the other. Cancelling a task
    cancels its upstream request.

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
    core = _core(config, client, settings)
    made: openai.AsyncOpenAI = sdk.AsyncOpenAI(
        http_client=sdk.DefaultAsyncHttpxClient(transport=awaiting(core)),
        **_options(max_retries, timeout),
    )
    return made


def _options(max_retries: int | None, timeout: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"base_url": _BASE_URL, "api_key": _NO_KEY}
    if max_retries is not None:
        options["max_retries"] = max_retries
    if timeout is not None:
        options["timeout"] = timeout
    return options


def _sdk() -> ModuleType:
    try:
        return importlib.import_module("openai")
    except ImportError as error:
        hint = "the openai package is not installed: pip install 'seekroute[openai]'"
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


def _core(config: str | Path | None, client: Client | None, settings: dict[str, Any]) -> Core:
    if client is not None:
        if config is not None or settings:
            raise TypeError("give either client, or config and settings")
        return Core(client._gateway, client._model_list, client._model_style, None)
    from seekroute.client.client import Client

    own = Client(config=config, **settings)
    return Core(own._gateway, own._model_list, own._model_style, own.close)
