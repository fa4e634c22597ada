"""Which provider a deployment is asked at: a packaged one, or one of the new file's own."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from seekroute.config.catalog import MOCK_PROVIDER, Catalog, Provider
from seekroute.config.from_litellm.findings import (
    REFERENCE,
    Findings,
    Taken,
    Variables,
    is_no_key,
)
from seekroute.config.from_litellm.tree import Node
from seekroute.config.from_litellm.words import (
    AZURE,
    COMPATIBLE,
    OWN_PROTOCOL,
    PACKAGED,
    UNPREFIXED,
    UNREACHED,
    Compatible,
)
from seekroute.config.schema import PROVIDER_ID, check_base_url
from seekroute.config.settings import ProviderSettings
from seekroute.visible import without_keys

# Headers whose values are no secrets. Of any other nobody knows what it is for.
_HARMLESS_HEADERS = frozenset(
    (
        *("accept", "accept-encoding", "accept-language", "anthropic-beta", "anthropic-version"),
        *("api-version", "content-type", "http-referer", "openai-beta", "openai-organization"),
        *("openai-project", "referer", "user-agent", "x-title"),
    )
)
# But for values that are some in any header: behind a scheme, or of letters and digits without a
# word.
_VALUE_SECRET = re.compile(
    r"(?i)(?:bearer|basic|token) \S|(?<![a-z0-9])(?=[0-9]*[a-z])(?=[a-z]*[0-9])[a-z0-9]{20,}"
)
# What follows such a part of a path.
_PATH_SECRET = re.compile(
    r"(?i)/(?:api[-_]?)?(?:key|token|secret|password)s?[/=:][^/]{8,}"
    r"|/(?:key|tok|token|secret)[-_][a-z0-9]{12,}"
)
_HOST_LABELS = frozenset(("api", "www", "llm", "gateway", "inference", "openai"))
# What a provider's own row says and a second account of it has to say again.
_OF_THE_PROVIDER = (
    "stream_options",
    "on_abort",
    "cap_excludes_reasoning",
    "reasoning_budget_field",
    "max_reasoning",
    "reasoning_field",
    "keep_alive_ms",
)


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a deployment is asked.

    Args:
        provider: The provider's id in the new file.
        model: The model's name there.
        packaged: The packaged provider it is, or is another account of; empty: none.
        local: Whether it is a server of the operator's own.
        azure: Whether it is Azure's.
    """

    provider: str
    model: str
    packaged: str = ""
    local: bool = False
    azure: bool = False


@dataclass(slots=True)
class Upstreams:
    """The providers of the new file, made as deployments name them.

    Args:
        catalog: The packaged one.
        variables: Of the new file.
        findings: Where to say what was not taken.
        rows: What the new file says under `providers`, by id.
    """

    catalog: Catalog
    variables: Variables
    findings: Findings
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    _ids: dict[tuple[Any, ...], str] = field(default_factory=dict)
    _taken: Taken = field(init=False)

    def __post_init__(self) -> None:
        self._taken = Taken([MOCK_PROVIDER, *self.catalog.providers])

    def of(self, params: Mapping[str, Node], section: str) -> Upstream | None:
        """Where a deployment is asked, None and a finding where it cannot be.

        Args:
            params: Its `litellm_params`, those of a credential below them.
            section: Of findings.
        """
        node = params["model"]
        prefix, model = self._named(params)
        if prefix in UNREACHED:
            self.findings.skip(node, section, UNREACHED[prefix], prefix)
            return None
        base = params.get("api_base") or params.get("base_url")
        if prefix == "azure":
            return self._azure(params, base, model, section)
        if prefix in COMPATIBLE:
            return self._compatible(params, prefix, base, model, section)
        if prefix not in PACKAGED:
            text = "not a provider here; openai/ with api_base?"
            self.findings.skip(node, section, text, prefix or "model")
            return None
        packaged = PACKAGED[prefix]
        url = self._url(base, Compatible(packaged), section) if base else ""
        if url is None:
            return None
        if url and not self._is_at(url, packaged):
            if packaged == "openai":
                elsewhere = next((p for p in self.catalog.providers if self._is_at(url, p)), "")
                if not elsewhere:
                    kind = Compatible(_host_name(url), local=False)
                    return self._own(params, base, url, kind, model, section)
                packaged = elsewhere
            elif packaged in OWN_PROTOCOL:
                text = "a server that speaks no OpenAI: not reached"
                self.findings.skip(base or node, section, text, "api_base")
                return None
            else:
                row = {"base_url": url, **_allowed(url)}
                return self._add(params, section, packaged, model, row, packaged)
        return self._add(params, section, packaged, model, {}, packaged)

    def _named(self, params: Mapping[str, Node]) -> tuple[str, str]:
        """The prefix of a deployment's model, and the rest."""
        text = (params["model"].text or "").strip()
        told = params.get("custom_llm_provider")
        prefix, slash, rest = text.partition("/")
        if told and told.text:
            return told.text, rest if slash and prefix == told.text else text
        known = prefix in PACKAGED or prefix in COMPATIBLE or prefix in UNREACHED
        if slash and (known or prefix == "azure"):
            return prefix, rest
        name = text.rpartition("/")[2]
        for starts, provider in UNPREFIXED:
            if not slash and name.startswith(starts):
                return provider, text
        return (prefix, rest) if slash else ("", text)

    def _azure(
        self, params: Mapping[str, Node], base: Node | None, model: str, section: str
    ) -> Upstream | None:
        if base is None:
            self.findings.skip(params["model"], section, "azure/ without an api_base", "api_base")
            return None
        if "api_key" not in params:
            text = "Azure without a key is not reached"
            for word in ("azure_ad_token", "client_secret", "tenant_id"):
                if word in params:
                    self.findings.skip(params[word], section, text, word)
                    return None
        url = self._url(base, AZURE, section)
        if url is None:
            return None
        at = params.get("api_version", base)
        self.findings.change(at, section, "Azure's v1 API is asked, without a version")
        row = {"base_url": url, **_allowed(url)}
        found = self._add(params, section, AZURE.name, model, row, "", AZURE.key)
        return Upstream(found.provider, model, azure=True)

    def _compatible(
        self, params: Mapping[str, Node], prefix: str, base: Node | None, model: str, section: str
    ) -> Upstream | None:
        kind = COMPATIBLE[prefix]
        if base is None and not kind.base:
            self.findings.skip(params["model"], section, f"{prefix}/ without an api_base")
            return None
        url = self._url(base, kind, section) if base else kind.base + kind.suffix
        return None if url is None else self._own(params, base, url, kind, model, section)

    def _own(
        self,
        params: Mapping[str, Node],
        base: Node | None,
        url: str,
        kind: Compatible,
        model: str,
        section: str,
    ) -> Upstream | None:
        """A provider that the new file defines."""
        row: dict[str, Any] = {"base_url": url, **_allowed(url)}
        if base and REFERENCE.fullmatch((base.text or "").strip()):
            # What the variable holds is not known; a prefix of own servers says what is likely.
            if kind.local:
                row |= {"allow_http": True, "allow_private": True}
            else:
                text = "if it is http or private: allow_http, allow_private"
                self.findings.change(base, section, text, "api_base")
        found = self._add(params, section, kind.name, model, row, "", kind.key)
        return Upstream(found.provider, model, local=kind.local or is_private(url))

    def _url(self, base: Node, kind: Compatible, section: str) -> str | None:
        """The base URL in the new file, None and a finding where there can be none."""
        text = (base.text or "").strip().rstrip("/")
        if REFERENCE.fullmatch(text):
            if kind.suffix:
                note = f"{kind.suffix} comes behind it: without a / at its end"
                self.findings.change(base, section, note, "api_base")
            return self.variables.text(text) + kind.suffix
        if kind is AZURE:
            text = re.sub(r"/openai(?:/deployments/.*|/v1)?$", "", text.partition("?")[0])
        try:
            url = check_base_url(text, allow_http=True)
        except ValueError as error:
            self.findings.skip(base, section, str(error).partition(";")[0][:60], "api_base")
            return None
        if kind.suffix and not url.endswith(kind.suffix):
            url += kind.suffix
        return url.replace("$", "$$")

    def _is_at(self, url: str, packaged: str) -> bool:
        """Whether a URL is of the packaged provider's own servers."""
        return urlsplit(self.catalog.providers[packaged].base_url).hostname == _host(url)

    def _add(
        self,
        params: Mapping[str, Node],
        section: str,
        name: str,
        model: str,
        row: dict[str, Any],
        packaged: str,
        key_variable: str = "",
    ) -> Upstream:
        """Finds or makes the provider with this address, key and headers."""
        row = self._with_address(params, section, name, row)
        known = self.catalog.providers.get(packaged)
        wanted = known.env[0] if known and known.env else key_variable
        key = self._key(params, section, wanted or _variable(f"{name}_api_key"))
        if not key and not known and key_variable:
            key = self.variables.text(f"os.environ/{key_variable}")
        headers = self._headers(params, section, name)
        if key:
            row = {**row, "api_key": key}
        if headers:
            row = {**row, "headers": headers}
        # Without a key the packaged provider takes its first variable's.
        own = known and known.env and key == f"${{{known.env[0]}}}"
        same = {k: v for k, v in row.items() if k != "api_key"} if own else row
        identity = (packaged or name, repr(sorted(same.items())))
        provider = self._ids.get(identity)
        if provider is None:
            provider = self._new_id(name, "" if "base_url" in row else packaged)
            if known and provider != packaged:
                row = _again(known) | row
            self._ids[identity] = provider
        self.rows.setdefault(provider, {}).update(row)
        return Upstream(provider, model, packaged)

    def _with_address(
        self, params: Mapping[str, Node], section: str, name: str, row: dict[str, Any]
    ) -> dict[str, Any]:
        """`row` with a variable in the place of an address that has a key in its path."""
        url: str = row.get("base_url", "")
        node = params.get("api_base") or params.get("base_url")
        if node is None or not (_PATH_SECRET.search(url) or _is_secret(urlsplit(url).path)):
            return row
        wanted = _variable(f"{name}_base_url")
        reference, to_set = self.variables.secret(url.replace("$$", "$"), wanted)
        if to_set:
            text = "a key stands in this line's URL: move it there"
            self.findings.set(node, section, to_set, text)
        return {**row, "base_url": reference}

    def _new_id(self, name: str, packaged: str) -> str:
        if packaged and packaged not in self.rows:
            return packaged
        base = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:50]
        return self._taken.free(base if re.fullmatch(PROVIDER_ID, base) else "custom")

    def _key(self, params: Mapping[str, Node], section: str, wanted: str) -> str:
        node = params.get("api_key")
        if node is not None and node.text is None and not node.is_empty:
            self.findings.skip(node, section, "no key, but a list or a mapping", "api_key")
        if node is None or is_no_key(node.text or ""):
            return ""
        reference, to_set = self.variables.secret((node.text or "").strip(), wanted)
        if to_set:
            self.findings.set(node, section, to_set, "a key stands in this line: move it there")
        return reference

    def _headers(self, params: Mapping[str, Node], section: str, name: str) -> dict[str, str]:
        given: dict[str, Node] = {}
        if "organization" in params:
            given["OpenAI-Organization"] = params["organization"]
        for word in ("headers", "extra_headers"):
            given |= params[word].fields if word in params else {}
        found: dict[str, str] = {}
        for header, node in given.items():
            value = (node.text or "").strip()
            try:
                ProviderSettings.model_validate({"headers": {header: value}})
            except ValueError:
                self.findings.skip(node, section, "no header that can be sent", header)
                continue
            if header.lower() not in _HARMLESS_HEADERS or _is_secret(value):
                variable = _variable(f"{name}_{header}")
                found[header], to_set = self.variables.secret(value, variable)
                if to_set:
                    text = "a header stands in this line: move it there"
                    self.findings.set(node, section, to_set, text)
            else:
                found[header] = self.variables.text(value)
        return found


def _is_secret(value: str) -> bool:
    """Whether a header's value looks like a key, whatever the header is called."""
    return without_keys(value) != value or _VALUE_SECRET.search(value) is not None


def _allowed(url: str) -> dict[str, Any]:
    """What a provider has to be allowed for its URL to be called."""
    row = {"allow_http": url.startswith("http://"), "allow_private": is_private(url)}
    return {name: True for name, needed in row.items() if needed}


def _again(provider: Provider) -> dict[str, Any]:
    """What a second account of a packaged provider has to say of it."""
    defaults = {name: field.default for name, field in Provider.model_fields.items()}
    said = {name: getattr(provider, name) for name in _OF_THE_PROVIDER}
    row = {"base_url": provider.base_url}
    return row | {name: value for name, value in said.items() if value != defaults[name]}


def _variable(text: str) -> str:
    name = re.sub(r"[^A-Z0-9]+", "_", text.upper()).strip("_")
    return name if name[:1].isalpha() else f"KEY_{name}"


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _host_name(url: str) -> str:
    """What a provider at a URL may be called: the telling part of its host."""
    if is_private(url):
        return "local"
    labels = _host(url).split(".")[:-1]
    return next((each for each in reversed(labels) if each not in _HOST_LABELS), "custom")


def is_private(url: str) -> bool:
    """Whether a URL leads, as far as its host's name tells, to this machine or a private network:
    an address of one, a name without a dot, or under a suffix of such networks."""
    host = _host(url)
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        inner = (".local", ".internal", ".lan", ".svc", ".home.arpa", ".localhost")
        return bool(host) and ("." not in host or host.endswith(inner))
