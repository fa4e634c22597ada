"""Asks providers which models they serve: `GET base_url/models`."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from seekroute.config.catalog import Catalog
from seekroute.config.settings import ProviderSettings, Settings
from seekroute.config.snapshot import usable_providers

__all__ = ["ProviderAnswer", "ask_providers"]

_TIMEOUT_S = 15.0
_AT_ONCE = 8
_MAX_BODY = 16 * 1024 * 1024
_MAX_CAUSES = 8  # of an exception, one below the other
_MAX_PAGES = 20  # of providers that give their list in pages


@dataclass(frozen=True, slots=True)
class ProviderAnswer:
    """What a provider said. `problem` is empty when the list could be read."""

    provider: str
    models: tuple[str, ...] = ()
    """Its own names of the models, in its order."""
    status: int = 0
    """HTTP status; 0 when there was no answer."""
    problem: str = ""
    hint: str = ""
    date: float | None = None
    """The provider's clock in Unix seconds, where it told."""


def ask_providers(
    settings: Settings,
    catalog: Catalog,
    environ: Mapping[str, str] | None = None,
    *,
    only: Iterable[str] | None = None,
) -> list[ProviderAnswer]:
    """Asks each provider that is on for its models. Free of charge at all of them.

    Args:
        settings: From `load_settings`.
        catalog: From `catalog_of`.
        environ: Where provider keys are looked up; default: the process's.
        only: Ids to ask; default: every provider that is on.

    Returns:
        One answer a provider, in the catalog's order. A provider that cannot be reached, refuses
        the key or answers nonsense is an answer with a `problem`, never an exception.
    """
    usable = usable_providers(settings, catalog, os.environ if environ is None else environ)
    wanted = [name for name in usable if only is None or name in set(only)]
    return asyncio.run(_ask_all(settings, catalog, {name: usable[name] for name in wanted}))


async def _ask_all(
    settings: Settings, catalog: Catalog, keys: Mapping[str, str]
) -> list[ProviderAnswer]:
    turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(name: str, key: str) -> ProviderAnswer:
        own = settings.providers.get(name) or ProviderSettings()
        base_url = own.base_url or catalog.providers[name].base_url
        async with turns:
            return await _ask(name, base_url, key, own)

    return list(await asyncio.gather(*(ask(name, key) for name, key in keys.items())))


async def _ask(name: str, base_url: str, key: str, own: ProviderSettings) -> ProviderAnswer:
    import httpx2

    headers = {name: value.get_secret_value() for name, value in own.headers.items()}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    verify: ssl.SSLContext | bool = True
    if own.ca_file:
        try:
            verify = ssl.create_default_context(cafile=own.ca_file)
        except (OSError, ssl.SSLError):
            return ProviderAnswer(
                name, problem="its ca_file cannot be read", hint=f"look at {own.ca_file}"
            )
    proxy = own.proxy.get_secret_value() if own.proxy else None
    # trust_env off: the core takes no proxy from the environment either.
    async with httpx2.AsyncClient(
        timeout=_TIMEOUT_S, verify=verify, proxy=proxy, trust_env=False, headers=headers
    ) as client:
        try:
            return await _read_list(name, base_url.rstrip("/") + "/models", client)
        except httpx2.TimeoutException:
            return ProviderAnswer(
                name, problem=f"no answer within {_TIMEOUT_S:g} s", hint="is a proxy needed?"
            )
        except httpx2.HTTPError as error:
            if distrust := _distrust(error):
                return ProviderAnswer(
                    name,
                    problem=f"its certificate is not trusted: {distrust}",
                    hint=f"set providers.{name}.ca_file to the authority that signed it (PEM)",
                )
            # The class, not the text: the text may quote a URL with credentials.
            return ProviderAnswer(
                name,
                problem=f"cannot be reached ({type(error).__name__})",
                hint=f"is {_host(base_url)} reachable from here?",
            )


def _distrust(error: BaseException) -> str:
    """Why a certificate was not accepted ("self-signed certificate"); empty for other failures."""
    seen: BaseException | None = error
    for _ in range(_MAX_CAUSES):
        if seen is None:
            break
        if isinstance(seen, ssl.SSLCertVerificationError):
            return str(seen.verify_message).partition("\n")[0]
        seen = seen.__cause__ or seen.__context__
    return ""


async def _misses_v1(url: str, client: Any) -> str:
    """Where the list is that is not at `url`: below the /v1 that a base_url lacks. Else empty."""
    import httpx2

    base = url.removesuffix("/models")
    if base.rpartition("/")[2].startswith("v"):
        return ""
    try:
        async with client.stream("GET", f"{base}/v1/models") as response:
            # A refused key is an answer, too.
            return f"{base}/v1" if response.status_code in (200, 401, 403) else ""
    except httpx2.HTTPError:
        return ""


async def _read_list(name: str, url: str, client: Any) -> ProviderAnswer:
    models: list[str] = []
    after: dict[str, str] = {}
    for _ in range(_MAX_PAGES):
        async with client.stream("GET", url, params=after) as response:
            status = response.status_code
            date = _date(response.headers.get("date"))
            if status != 200:
                problem, hint = _refusal(status)
                if status in (404, 405) and (better := await _misses_v1(url, client)):
                    # Not a warning: chat completions are as little there.
                    problem = f"has nothing at {_shown(url)}, but below /v1"
                    hint = f"set providers.{name}.base_url: {_shown(better)}"
                    status = 0
                return ProviderAnswer(name, status=status, date=date, problem=problem, hint=hint)
            body = bytearray()
            async for part in response.aiter_bytes():
                body += part
                if len(body) > _MAX_BODY:
                    return ProviderAnswer(name, status=status, problem="its model list is too long")
        page, more = _names_in(bytes(body))
        if page is None:
            return ProviderAnswer(
                name,
                status=status,
                date=date,
                problem="what it answers is no list of models",
                hint="does its base_url end where /chat/completions is appended?",
            )
        models += page
        if not more or not page:
            break
        after = {"after_id": page[-1]}  # Anthropic's paging; OpenAI's lists are whole
    return ProviderAnswer(name, tuple(dict.fromkeys(models)), status, date=date)


def _names_in(body: bytes) -> tuple[list[str] | None, bool]:
    """The names in a model list: OpenAI's `{"data": [{"id"}]}`, or a bare list as Together's."""
    import json

    try:
        found = json.loads(body)
    except ValueError:
        return None, False
    rows = found.get("data", found.get("models")) if isinstance(found, dict) else found
    if not isinstance(rows, list):
        return None, False
    names = [str(row.get("id") or row.get("name") or "") for row in rows if isinstance(row, dict)]
    more = isinstance(found, dict) and bool(found.get("has_more"))
    # Google prefixes its names with the collection they live in.
    return [name.removeprefix("models/") for name in names if name], more


def _refusal(status: int) -> tuple[str, str]:
    """The problem, and what to do."""
    if status in (401, 403):
        hint = "is the key complete, of this provider, and not revoked?"
        return f"refuses the key ({status})", hint
    if status == 404:
        return "has no /models (404)", "some providers have none; else look at base_url"
    if status == 429:
        return "limits our requests (429)", "try again in a minute"
    return f"answers {status}", "try again; look at the provider's status page"


def _date(value: str | None) -> float | None:
    try:
        return parsedate_to_datetime(value).timestamp() if value else None
    except ValueError:
        return None


def _shown(url: str) -> str:
    """A base URL holds no secret: user names and queries are refused."""
    return url.removesuffix("/models")


def _host(url: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(url).hostname or "the provider"
