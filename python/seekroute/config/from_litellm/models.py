"""What a deployment is in our catalog: an endpoint, its price, and what it says of its model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from seekroute.config.catalog import Catalog
from seekroute.config.catalog_schema import CatalogModel, Endpoint, given
from seekroute.config.from_litellm.findings import Findings
from seekroute.config.from_litellm.tree import Node
from seekroute.config.from_litellm.upstreams import Upstream, Upstreams
from seekroute.config.from_litellm.words import (
    MODEL_INFO,
    MODES,
    MODES_BY_NAME,
    NO_COUNTERPART,
    PARAMS,
)
from seekroute.config.importers.litellm import price_of
from seekroute.config.importers.rows import Rows, Unusable
from seekroute.rate_limits import BOUNDS

# What a model of unknown length is taken for: what most servers of open models offer.
GUESSED_CONTEXT = 131_072

_ENTRY = frozenset(("model_name", "litellm_params", "model_info"))
_READ_PARAMS = frozenset(
    (
        *("model", "api_base", "base_url", "api_key", "api_version", "custom_llm_provider"),
        *("headers", "extra_headers", "litellm_credential_name", "order", "organization"),
        *("timeout", "stream_timeout", "weight"),
    )
)
# Limits of a deployment -> ours of an endpoint. Some files have them beside `litellm_params`.
_LIMITS = {
    "rpm": "requests_per_minute",
    "tpm": "tokens_per_minute",
    "max_parallel_requests": "concurrent",
}
_HEAVIEST = 1000
_READ_INFO = frozenset(
    (
        *("base_model", "description", "id", "max_input_tokens", "max_output_tokens"),
        *("max_tokens", "mode", "supports_reasoning"),
    )
)
_FEATURES = {"supports_function_calling": "tools", "supports_response_schema": "structured_output"}
_INPUTS = {
    "supports_vision": "image",
    "supports_audio_input": "audio",
    "supports_video_input": "video",
    "supports_pdf_input": "file",
}
# What the catalog says of a model that its price and its providers do not change.
_FACTS = ("description", "knowledge", "input", "output", "dimensions", "features", "thinks")


@dataclass(slots=True)
class Offer:
    """A deployment that was taken.

    Args:
        line: Where it stands.
        upstream: Where it is asked.
        endpoint: Its row in the new file.
        facts: What it says of its model, in the catalog's fields.
        order: Its place among those of one name; the lower is asked first.
        catalog_id: The packaged model whose first endpoint it is, as it is; else empty.
        guessed: Whether the context is a guess.
        weight: How often it is drawn beside the others of its name; None: nothing is said.
    """

    line: int
    upstream: Upstream
    endpoint: dict[str, Any]
    facts: dict[str, Any] = field(default_factory=dict)
    order: Decimal = Decimal(0)
    catalog_id: str = ""
    guessed: bool = False
    weight: Node | None = None

    @property
    def embeds(self) -> bool:
        """Whether it gives vectors."""
        return "embedding" in self.facts.get("output", ())


@dataclass(slots=True)
class Deployments:
    """Reads the entries of `model_list`.

    Args:
        catalog: The packaged one.
        credentials: The values of `credential_list`, by name.
        upstreams: Where the providers are made.
        findings: Where to say what was not taken.
    """

    catalog: Catalog
    credentials: Mapping[str, Node]
    upstreams: Upstreams
    findings: Findings

    def offer(self, entry: Node, section: str) -> Offer | None:
        """The endpoint that an entry means, None and a finding where it means none."""
        params, info = self._parts(entry, section)
        if "model" not in params:
            self.findings.skip(entry, section, "names no model", "litellm_params")
            return None
        model = params["model"]
        mode = self._mode(model, info)
        if mode not in ("", "chat", "embedding"):
            text = MODES.get(mode, "of a mode that is not served")
            self.findings.skip(info.get("mode", model), section, text, mode[:24])
            return None
        upstream = self.upstreams.of(params, section)
        if upstream is None:
            return None
        upstream_model = self.upstreams.variables.text(upstream.model)
        if not 0 < len(upstream_model) <= 200:
            self.findings.skip(model, section, "no name of a model")
            return None
        offer = self._priced(params, info, upstream, upstream_model, mode, section)
        if offer is not None:
            self._timeouts(offer, params, section)
            self._limits(offer, entry, params, section)
            self._rest(entry, params, info, section)
        return offer

    def _parts(self, entry: Node, section: str) -> tuple[dict[str, Node], dict[str, Node]]:
        params = dict(entry.fields["litellm_params"].fields) if entry.get("litellm_params") else {}
        name = params.get("litellm_credential_name")
        if name is not None:
            found = self.credentials.get(name.text or "")
            if found is None:
                self.findings.skip(name, section, "no credential of this name in the file")
            params = {**(found.fields if found else {}), **params}
        info = entry.get("model_info")
        return (
            {key: node for key, node in params.items() if not node.is_empty},
            {k: n for k, n in info.fields.items() if not n.is_empty} if info else {},
        )

    @staticmethod
    def _mode(model: Node, info: Mapping[str, Node]) -> str:
        told = info.get("mode")
        if told is not None:
            return (told.text or "").strip()
        # A deployment of Azure's may be called anything; its base_model says what it is.
        names = [_openai_spelling(each.lower()) for each in (model.text or "", _base_of(info))]
        found = (mode for name in names for part, mode in MODES_BY_NAME if part in name)
        return next(found, "")

    def _priced(
        self,
        params: Mapping[str, Node],
        info: Mapping[str, Node],
        upstream: Upstream,
        model: str,
        mode: str,
        section: str,
    ) -> Offer | None:
        """The offer with its price and lengths."""
        node = params["model"]
        exact = self._endpoint(upstream.packaged, upstream.model)
        known = exact[0] if exact else self._known(info, upstream)
        if known is not None and known.is_image:
            self.findings.skip(node, section, MODES["image_generation"])
            return None
        embeds = mode == "embedding" or (mode == "" and known is not None and known.is_embedding)
        if known is not None and known.is_embedding is not embeds:
            self.findings.skip(info.get("mode", node), section, "not what the model is for", mode)
            return None
        row: dict[str, Any] = given(exact[1]) if exact else {}
        row |= {"provider": upstream.provider, "model": model}
        if exact and not self.catalog.is_served(exact[1]):
            self.findings.skip(node, section, MODES["responses"])
            return None
        packaged = self.catalog.providers.get("openai" if upstream.azure else upstream.packaged)
        is_again = packaged is not None and upstream.provider != upstream.packaged
        if is_again and packaged and packaged.cap_field != "max_tokens":
            row.setdefault("cap_field", packaged.cap_field)
        offer = Offer(node.line, upstream, row)
        own_price = self._own_price(params, info, section, row, embeds=embeds)
        if own_price is None:
            return None
        own_price = own_price or "price" in row or bool(row.get("free"))
        if not own_price and not self._found_price(offer, known, info, node, section):
            return None
        if _base_of(info) and self._of_base(info) is None:
            what = f"base_model {_base_of(info)}"
            self.findings.skip(info["base_model"], section, "not in the catalog", what)
        self._facts(offer, known, info, section, guess_at=node, embeds=embeds)
        is_first = exact is not None and exact[1] == exact[0].endpoints[0]
        untouched = exact is not None and given(exact[1]) == row
        if exact and is_first and untouched and offer.facts == _facts_of(exact[0]):
            offer.catalog_id = exact[0].id
        return offer

    def _endpoint(self, provider: str, model: str) -> tuple[CatalogModel, Endpoint] | None:
        for each in self.catalog.models if provider else ():
            for endpoint in each.endpoints:
                if (endpoint.provider, endpoint.model) == (provider, model):
                    return each, endpoint
        return None

    def _known(self, info: Mapping[str, Node], upstream: Upstream) -> CatalogModel | None:
        """The catalog's model that a deployment is said to be, or is called like."""
        found = self._of_base(info)
        if found is not None or upstream.local:  # of an own server, a name says little
            return found
        if upstream.azure and _base_of(info):
            return None  # a deployment may be called like a model that it is not
        return self.catalog.resolve(_openai_spelling(upstream.model))

    def _of_base(self, info: Mapping[str, Node]) -> CatalogModel | None:
        """The catalog's model that `base_model` names."""
        base = _openai_spelling(_base_of(info))
        return self.catalog.resolve(base) or self.catalog.resolve(base.partition("/")[2])

    def _own_price(
        self,
        params: Mapping[str, Node],
        info: Mapping[str, Node],
        section: str,
        row: dict[str, Any],
        *,
        embeds: bool,
    ) -> bool | None:
        """Whether the file has a price, which is put into `row`; None where it is of no use."""
        costs = {k: n for k, n in {**info, **params}.items() if "cost" in k and _is_cost(k)}
        if not costs:
            return False
        first = next(iter(costs.values()))
        for name, node in list(costs.items()):
            if node.number is None:
                self.findings.skip(node, section, "no number: leaves the model out", name)
                return None
        rows = Rows(source="", checked_on=date.min, providers=None, known=None)
        try:
            found = price_of(rows, "", {name: node.number for name, node in costs.items()})
        except Unusable as reason:
            self.findings.skip(first, section, str(reason)[:50])
            return None
        for note in rows.result.notes:
            name = next((each for each in costs if f" {each} " in f" {note.text} "), "")
            if name:
                self.findings.skip(costs[name], section, "no price of that kind", name)
            else:
                self.findings.change(first, section, note.text[:60], "price")
        if not found:
            return False
        base = row.get("price") or {}
        needed = {"input"} if embeds else {"input", "output"}
        if embeds:
            found.pop("output", None)  # of vectors there is none, whatever it is said to cost
        if not needed <= found.keys():
            plain = {k: v for k, v in base.items() if k not in ("tiers", "variants")}
            found = {**plain, **found}
        if not needed <= found.keys():
            words = " and ".join(sorted(needed))
            self.findings.skip(first, section, f"needs a price for {words}")
            return None
        for name in ("free", "source", "checked_on", "valid_from"):
            row.pop(name, None)
        row["price"] = found
        return True

    def _found_price(
        self,
        offer: Offer,
        known: CatalogModel | None,
        info: Mapping[str, Node],
        node: Node,
        section: str,
    ) -> bool:
        """Puts the price into an offer that the file has none for; False: it has to have one."""
        row, upstream = offer.endpoint, offer.upstream
        if upstream.local:
            row["free"] = True
            return True
        offers = known.endpoints if known is not None else ()
        if upstream.packaged:  # under another of the model's names
            offers = tuple(each for each in offers if each.provider == upstream.packaged)
        if known is not None and offers:
            like = offers[0]
            if like.free or known.free:
                row["free"] = True
            else:
                row["price"] = given(like.price)
            text = f"price of {known.id}: is it what is charged?"
            self.findings.change(node, section, text, "model")
            return True
        if upstream.packaged or upstream.azure:
            # What costs money is never sold for nothing because nobody said what it costs.
            if _base_of(info) and self._of_base(info) is None:
                text, what = "not in the catalog: give *_cost_per_token", _base_of(info)
                self.findings.skip(info["base_model"], section, text, f"base_model {what}")
                return False
            text = "not in the catalog: needs *_cost_per_token"
            if upstream.azure:
                text = "needs base_model or *_cost_per_token"
            self.findings.skip(node, section, text, "model")
            return False
        row["free"] = True
        self.findings.change(node, section, "no price is given: it is free", "model")
        return True

    def _facts(
        self,
        offer: Offer,
        known: CatalogModel | None,
        info: Mapping[str, Node],
        section: str,
        guess_at: Node,
        *,
        embeds: bool,
    ) -> None:
        facts = _facts_of(known) if known is not None else {}
        lengths = {
            "context": ("max_input_tokens",),
            "max_output": ("max_output_tokens", "max_tokens"),
        }
        if embeds:
            facts["output"] = ["embedding"]
            lengths = {"context": ("max_input_tokens", "max_tokens")}
        for name, fields in lengths.items():
            told = next((info[each] for each in fields if each in info), None)
            if told is not None and told.whole is None:
                self.findings.skip(told, section, "no number of tokens")
            elif told is not None:
                facts[name] = told.whole
                offer.endpoint.pop(name, None)
        if "context" not in facts:
            facts["context"], offer.guessed = GUESSED_CONTEXT, True
            text = f"context guessed: {GUESSED_CONTEXT} (max_input_tokens)"
            self.findings.change(guess_at, section, text, "model")
        if "description" in info:
            text = (info["description"].text or "").strip()[:200]
            facts["description"] = self.upstreams.variables.text(text)
        inputs = [ours for name, ours in _INPUTS.items() if name in info and info[name].flag]
        if inputs:
            facts["input"] = list(dict.fromkeys(["text", *facts.get("input", ()), *inputs]))
        told_features = [n for n in _FEATURES if n in info and info[n].flag]
        reasoning = info["supports_reasoning"].flag if "supports_reasoning" in info else None
        if embeds:
            pass  # what a chat may do says nothing of vectors
        elif reasoning is not None:
            # Features without `reasoning` say that a model does not think: only together.
            features = [_FEATURES[name] for name in told_features]
            facts["features"] = [*features, "reasoning"] if reasoning else features
        elif not facts.get("features"):
            for name in told_features:
                self.findings.skip(info[name], section, "only beside supports_reasoning")
        offer.facts = facts

    def _timeouts(self, offer: Offer, params: Mapping[str, Node], section: str) -> None:
        found: dict[str, int] = {}
        for word, names in TIMEOUTS.items():
            if word in params:
                milliseconds = milliseconds_of(params[word], 1000)
                if milliseconds is None:
                    self.findings.skip(params[word], section, "not from 1 s to a day")
                elif word == "timeout":
                    self.findings.change(params[word], section, ENDS_STREAMS)
                found |= {name: milliseconds for name in names if milliseconds}
        if found:
            offer.endpoint["timeouts"] = {**offer.endpoint.get("timeouts", {}), **found}
            offer.catalog_id = ""
        order = params["order"].number if "order" in params else None
        # What says no order is asked behind what does.
        offer.order = order if order is not None else Decimal("Infinity")

    def _limits(self, offer: Offer, entry: Node, params: Mapping[str, Node], section: str) -> None:
        found: dict[str, int] = {}
        for word, name in _LIMITS.items():
            node = params.get(word) or entry.get(word)
            if node is None:
                continue
            least, most = BOUNDS[name]
            number = node.number
            if number is None or number != int(number) or not least <= number <= most:
                self.findings.skip(node, section, f"not from {least} to {most}")
            else:
                found[name] = int(number)
        if found:
            offer.endpoint["limits"] = {**offer.endpoint.get("limits", {}), **found}
            offer.catalog_id = ""
        weight = params.get("weight")
        if weight is None:
            return
        if weight.number is not None and 0 <= weight.number <= _HEAVIEST:
            offer.weight = weight
        else:
            self.findings.skip(weight, section, f"not from 0 to {_HEAVIEST}")

    def _rest(
        self,
        entry: Node,
        params: Mapping[str, Node],
        info: Mapping[str, Node],
        section: str,
    ) -> None:
        """Says of every word that was not read why."""
        for key, node in entry.fields.items():
            if key not in _ENTRY and key not in _LIMITS and not node.is_empty:
                self.findings.skip(node, section, PARAMS.get(key, NO_COUNTERPART))
        for key, node in params.items():
            if key not in _READ_PARAMS and key not in _LIMITS and not _is_cost(key):
                self.findings.skip(node, section, PARAMS.get(key, NO_COUNTERPART))
        for key, node in info.items():
            read = key in _READ_INFO or key in _FEATURES or key in _INPUTS or _is_cost(key)
            # What is false is so here, too.
            if not read and not (key.startswith("supports_") and node.flag is False):
                self.findings.skip(node, section, MODEL_INFO.get(key, NO_COUNTERPART))


# LiteLLM's is between two pieces of a stream.
ENDS_STREAMS = "total_timeout_ms: ends long streams, too"
# LiteLLM's deadlines in seconds -> ours.
TIMEOUTS = {
    "timeout": ("total_timeout_ms",),
    "stream_timeout": ("first_byte_timeout_ms", "first_content_timeout_ms"),
}


def milliseconds_of(node: Node, least: int) -> int | None:
    """The milliseconds of a number of seconds, None where no deadline can be so."""
    found = node.number
    if found is None or not Decimal(least) <= found * 1000 <= 24 * 3600 * 1000:
        return None
    return int(found * 1000)


def _openai_spelling(name: str) -> str:
    """A model's name as OpenAI spells it: Azure's names have no dot, `gpt-35-turbo-16k`."""
    return re.sub(r"(?:^|(?<=/))gpt-35-", "gpt-3.5-", name)


def _base_of(info: Mapping[str, Node]) -> str:
    """What a deployment is said to be; empty: nothing is."""
    return (info["base_model"].text or "").strip() if "base_model" in info else ""


def _facts_of(model: CatalogModel) -> dict[str, Any]:
    row = given(model)
    names = (*_FACTS, "context", "max_output")
    return {name: row[name] for name in names if name in row}


_COST = re.compile(r"(?:input|output|cache_creation|cache_read)_.*cost.*|.*_cost_per_.*")


def _is_cost(key: str) -> bool:
    return bool(_COST.fullmatch(key))
