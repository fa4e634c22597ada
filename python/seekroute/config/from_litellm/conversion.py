"""A whole file: its models under their names, their aliases, and the settings."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from seekroute.config.catalog import AUTO_NAMES, Catalog, Provider
from seekroute.config.catalog_schema import CatalogModel
from seekroute.config.catalog_text import dump_mapping, dump_models
from seekroute.config.from_litellm.fallbacks import Lists, read_fallbacks
from seekroute.config.from_litellm.findings import (
    REFERENCE,
    Finding,
    Findings,
    Taken,
    Variables,
)
from seekroute.config.from_litellm.models import Deployments, Offer
from seekroute.config.from_litellm.settings import read_settings
from seekroute.config.from_litellm.tree import Node, read_tree
from seekroute.config.from_litellm.upstreams import Upstreams
from seekroute.config.from_litellm.words import (
    AS_LISTED,
    NO_COUNTERPART,
    PACKAGED,
    SECTIONS,
    SETTINGS,
)
from seekroute.config.schema import ALIAS, MODEL_ID, problems_of
from seekroute.errors import ConfigError, Problem

_MODEL = TypeAdapter(CatalogModel)
# More than any list that people keep; each entry is compared with others.
MAX_MODELS = 5_000
_READ = frozenset(("model_list", "credential_list"))
_STAND_IN = Provider(base_url="https://provider.invalid")


@dataclass(frozen=True, slots=True)
class TakenModel:
    """A model of LiteLLM's file under the name that its clients use.

    Args:
        name: What clients ask for.
        id: Its id here.
        endpoints: `provider/model` of each endpoint, in order.
        written: Whether the new file defines it; the packaged catalog does else.
    """

    name: str
    id: str
    endpoints: tuple[str, ...]
    written: bool


@dataclass(frozen=True, slots=True)
class Converted:
    """What came of a file.

    Args:
        text: The new file's.
        models: What was taken, by the names that clients use; empty: nothing was.
        providers: Ids of the providers that the new file names.
        variables: Environment variables that the new file refers to.
        findings: What was not taken, changed, or has to be set, by line.
    """

    text: str
    models: tuple[TakenModel, ...]
    providers: tuple[str, ...]
    variables: tuple[str, ...]
    findings: tuple[Finding, ...]


@dataclass(slots=True)
class _Group:
    """The deployments of one name; `entries` are the paths of all that have it."""

    node: Node
    entries: list[str] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)
    aliases: list[str] = field(default_factory=list)


def convert(text: str, *, name: str, catalog: Catalog) -> Converted:
    """Turns LiteLLM's configuration into ours.

    Args:
        text: Of the file.
        name: The file's name, for problems and the head of the new file.
        catalog: The packaged one.

    Raises:
        ConfigError: The text is not YAML, or not LiteLLM's configuration.
    """
    tree = read_tree(text, name)
    _expect_litellm(tree, name)
    dropped: dict[str, tuple[Finding, ...]] = {}
    while True:
        # Once more without the entries that were dropped, so that they take no name from those that
        # are used. Each round drops more entries or is the last.
        conversion = _Conversion(tree, text, name, catalog, dropped)
        converted = conversion.run()
        if not (more := conversion.dropped or conversion.dropped_patterns):
            return converted
        dropped |= more


def _expect_litellm(tree: Node, name: str) -> None:
    models = tree.fields.get("model_list")
    place = f"{name}:{models.line}" if models else name
    if models is None:
        message = "this is not LiteLLM's config.yaml: it has no model_list"
        hint = "models that LiteLLM keeps in its database are not in the file"
    elif not models.is_list and not models.is_empty:
        message, hint = "expected a list of models", "each begins with `- model_name:`"
    elif len(models.items) > MAX_MODELS:
        message, hint = f"expected at most {MAX_MODELS} models", "import it in parts"
    else:
        return
    raise ConfigError([Problem("model_list", message, hint, place)])


class _Conversion:
    """One round.

    Args:
        dropped: Paths of the entries that are passed over, and what is said of each.
    """

    def __init__(
        self,
        tree: Node,
        text: str,
        name: str,
        catalog: Catalog,
        dropped: Mapping[str, tuple[Finding, ...]],
    ) -> None:
        self.dropped: dict[str, tuple[Finding, ...]] = {}
        # Apart: whether a pattern's account is a second one is known when the others are settled.
        self.dropped_patterns: dict[str, tuple[Finding, ...]] = {}
        self._passed_over = dropped
        # Names that no model of the file has: where each stands, and what to call it.
        self._lost: dict[str, tuple[Node, str, str]] = {}
        self._tree = tree
        self._name = name
        self._catalog = catalog
        self._findings = Findings()
        own = tree.get("environment_variables")
        self._variables = Variables([*REFERENCE.findall(text), *(own.fields if own else ())])
        self._upstreams = Upstreams(catalog, self._variables, self._findings)
        self._groups: dict[str, _Group] = {}
        self._patterns: set[str] = set()  # providers whose models are all served

    def run(self) -> Converted:
        self._read_models()
        self._read_aliases()
        settings = read_settings(self._tree, self._findings)
        drawn = self._weigh()
        rows, left = self._ids()
        models = self._validated(rows)
        self._rest()
        added = {p: _STAND_IN for p in self._upstreams.rows if p not in self._catalog.providers}
        whole = self._catalog.extended(added, tuple(models.values()))
        taken = self._names(whole, models, left)
        used = {each.upstream.provider for group in self._groups.values() for each in group.offers}
        providers = [p for p in self._upstreams.rows if p in used | self._patterns]
        self._say_who_answers(whole, providers)
        routing: dict[str, Any] = {}
        if not drawn and any(len(each.endpoints) > 1 for each in models.values()):
            routing["balance"] = "listed"  # by default their order would be drawn, by price
        if fallbacks := self._fallbacks(whole, providers, taken):
            routing["fallbacks"] = fallbacks
        if routing:
            settings["routing"] = routing
        new = self._text(settings, providers, models)
        variables = tuple(each for each in self._variables.names if f"${{{each}}}" in new)
        return Converted(
            text=new,
            models=tuple(taken),
            providers=tuple(providers),
            variables=variables,
            findings=tuple(
                each
                for each in sorted(dict.fromkeys(self._findings.found), key=lambda each: each.line)
                if each.kind != "to set" or each.what in variables
            ),
        )

    # --- models

    def _read_models(self) -> None:
        deployments = Deployments(
            self._catalog, self._credentials(), self._upstreams, self._findings
        )
        for entry in self._tree.fields["model_list"].items:
            name = entry.word("model_name") if entry.is_map else ""
            if not name:
                self._findings.skip(entry, "model_list", "no model_name", "entry")
                continue
            section = f"model {name}"
            model = entry.fields.get("litellm_params", entry).word("model")
            is_pattern = "*" in name or "*" in model
            if not is_pattern:
                self._lost.setdefault(name, (entry, section, "model_name"))
            if entry.path in self._passed_over:
                self._findings.found += self._passed_over[entry.path]
            elif is_pattern:
                self._wildcard(entry, name, section)
            elif name in AUTO_NAMES:
                text = f"{name} is a name of our own: see default_model"
                self._findings.skip(entry, section, text, "model_name")
            elif not re.fullmatch(ALIAS, name):
                text = "a name has letters, digits and . _ : @ + / -"
                self._findings.skip(entry, section, text, "model_name")
            else:
                start = len(self._findings.found)
                if not self._took(deployments, entry, name, section):
                    self.dropped[entry.path] = self._findings.reasons(start)
        for name in self._groups:
            del self._lost[name]
        for group in self._groups.values():
            group.offers.sort(key=lambda each: each.order)

    def _took(self, deployments: Deployments, entry: Node, name: str, section: str) -> bool:
        """Whether an entry is an endpoint of its name's model now."""
        offer = deployments.offer(entry, section)
        if offer is None:
            return False
        group = self._groups.setdefault(name, _Group(entry))
        group.entries.append(entry.path)
        same = (offer.upstream.provider, offer.upstream.model)
        if same in group.seen:
            self._findings.skip(entry, section, "the same endpoint once more", "entry")
            return False
        if group.offers and group.offers[0].embeds is not offer.embeds:
            self._findings.skip(entry, section, "one name for vectors and for chats", "entry")
            return False
        group.seen.add(same)
        group.offers.append(offer)
        return True

    def _credentials(self) -> dict[str, Node]:
        listed = self._tree.get("credential_list")
        found = {}
        for each in listed.items if listed else ():
            values = each.get("credential_values")
            if values is not None and each.word("credential_name"):
                found[each.word("credential_name")] = values
        return found

    def _wildcard(self, entry: Node, name: str, section: str) -> None:
        """A pattern names no model: its provider is switched on, with the catalog's models."""
        params = entry.get("litellm_params")
        model = params.word("model") if params else ""
        prefix = PACKAGED.get(model.partition("/")[0])
        if params is None or (model != "*" and prefix is None) or params.get("api_base"):
            self._findings.skip(entry, section, "a pattern: write each model", "model_name")
        elif prefix is None:
            text = "each provider with a key in the environment is on"
            self._findings.change(entry, section, text, "model_name")
        else:
            node = params.fields["model"]
            fields = {**params.fields, "model": dataclasses.replace(node, text=model)}
            start = len(self._findings.found)
            found = self._upstreams.of({k: n for k, n in fields.items() if not n.is_empty}, section)
            if found is not None and found.provider == prefix:
                self._patterns.add(prefix)
                text = f"the catalog's models of {prefix} are served"
                self._findings.change(entry, section, text, "model_name")
            else:
                if found is not None:
                    text = "a pattern, and a second account: write each model"
                    self._findings.skip(entry, section, text, "model_name")
                self.dropped_patterns[entry.path] = self._findings.reasons(start)

    def _read_aliases(self) -> None:
        settings = self._tree.get("router_settings")
        aliases = settings.get("model_group_alias") if settings else None
        for alias, node in (aliases.fields if aliases else {}).items():
            target = node.word("model") if node.is_map else (node.text or "").strip()
            group = self._groups.get(target)
            reason = ""
            if group is None:
                reason = "of a model that was not taken"
            elif alias in self._groups or alias in AUTO_NAMES:
                reason = "is the name of a model already"
            elif not re.fullmatch(ALIAS, alias):
                reason = "a name has letters, digits and . _ : @ + / -"
            if reason or group is None:
                self._findings.skip(node, "router_settings", reason, f"alias {alias}")
                if group is None and alias not in self._groups:
                    self._lost.setdefault(alias, (node, "router_settings", f"alias {alias}"))
            else:
                group.aliases.append(alias)

    def _ids(self) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
        """The rows of the models that the new file defines, and the ids of those that it leaves to
        the catalog, both by their names."""
        left: dict[str, str] = {}
        rows: dict[str, dict[str, Any]] = {}
        for name, group in self._groups.items():
            known = self._catalog.resolve(name)
            only = group.offers[0]
            if (
                len(group.offers) == 1
                and not group.aliases
                and known is not None
                and known.id == only.catalog_id
                and (known.id == name or known.id not in self._groups)
            ):
                left[name] = known.id
        taken = Taken(left.values())
        # A name that is an id has it before one that would get it.
        names = sorted(self._groups, key=lambda each: not re.fullmatch(MODEL_ID, each))
        ids: dict[str, str] = {}
        for name in (each for each in names if each not in left):
            ids[name] = self._id(name, self._groups[name].offers[0], taken)
        for group in self._groups.values():
            for alias in [each for each in group.aliases if each in taken]:
                group.aliases.remove(alias)
                text = "is the name of a model already"
                self._findings.skip(group.node, "router_settings", text, f"alias {alias}")
        # Of slugs that collide the first in the list has its way: names without an author first.
        for name in sorted(ids, key=lambda each: "/" in each):
            rows[name] = self._row(name, ids[name])
        return rows, left

    def _id(self, name: str, first: Offer, taken: Taken) -> str:
        known = self._catalog.resolve(name)
        if known is not None and known.slug == name and known.id not in taken:
            return taken.free(known.id)  # who asks for the packaged model means this one now
        if re.fullmatch(MODEL_ID, name) and name not in taken:
            return taken.free(name)
        author = re.sub(r"[^a-z0-9._-]", "-", first.upstream.provider)[:60]
        slug = re.sub(r"[^A-Za-z0-9._:@+-]", "-", name)[:120]
        return taken.free(f"{author}/{slug}")

    def _row(self, name: str, model_id: str) -> dict[str, Any]:
        group = self._groups[name]
        # A length that is known is better than one that is guessed.
        facts = dict(min(group.offers, key=lambda each: each.guessed).facts)
        endpoints = []
        for offer in group.offers:
            own = {
                key: offer.facts[key]
                for key in ("context", "max_output")
                if key in offer.facts and offer.facts[key] != facts.get(key)
            }
            endpoints.append(({} if offer.guessed else own) | offer.endpoint)
        slug = model_id.partition("/")[2]
        aliases = [each for each in (name, *group.aliases) if each not in (model_id, slug)]
        return {"id": model_id, "aliases": aliases, **facts, "endpoints": endpoints}

    def _validated(self, rows: dict[str, dict[str, Any]]) -> dict[str, CatalogModel]:
        """The models by name; what none can be is said."""
        found: dict[str, CatalogModel] = {}
        for name, row in rows.items():
            try:
                found[name] = _MODEL.validate_python(row)
            except ValidationError as error:
                first = problems_of(error, CatalogModel)[0]
                what = first.path.rpartition(".")[2]
                group = self._groups[name]
                start = len(self._findings.found)
                self._findings.skip(group.node, f"model {name}", first.message[:50], what)
                self.dropped |= dict.fromkeys(group.entries, ())
                self.dropped[group.node.path] = self._findings.reasons(start)
        return found

    def _names(
        self, whole: Catalog, models: dict[str, CatalogModel], left: dict[str, str]
    ) -> list[TakenModel]:
        """What each name means in `whole`, the catalog with the new file in force."""
        wanted = left | {name: model.id for name, model in models.items()}
        taken = []
        for name, group in self._groups.items():
            if name not in wanted:
                continue
            for each in (name, *group.aliases):
                meant = whole.resolve(each)
                if meant is None or meant.id != wanted[name]:
                    text = f"the name means {meant.id if meant else 'nothing'}"
                    self._findings.skip(group.node, f"model {name}", text, each)
            endpoints = tuple(f"{e.upstream.provider}/{e.upstream.model}" for e in group.offers)
            taken.append(TakenModel(name, wanted[name], endpoints, name in models))
        return taken

    def _say_who_answers(self, whole: Catalog, providers: list[str]) -> None:
        """Says of each name that was not taken which provider is asked by it all the same."""
        for name, (node, section, what) in self._lost.items():
            meant = whole.resolve(name)
            for each in meant.endpoints if meant else ():
                if each.provider in providers and whole.is_served(each):
                    text = f"asked by this name, {each.provider} answers"
                    self._findings.skip(node, section, text, what)
                    break

    # --- routing

    def _weigh(self) -> bool:
        """Gives endpoints their weights; whether they are drawn by them, not asked as listed."""
        several = {n: each.offers for n, each in self._groups.items() if len(each.offers) > 1}
        ordered = any(each.order.is_finite() for offers in several.values() for each in offers)
        drawn = False
        for name, offers in several.items():
            weights = [each.weight for each in offers if each.weight is not None]
            for node in weights:
                if ordered:
                    self._findings.skip(node, f"model {name}", AS_LISTED)
                else:
                    text = "drawn by weight over the price squared"
                    self._findings.change(node, f"model {name}", text)
            if weights and not ordered:
                drawn = True
                for each in offers:  # LiteLLM draws one without a weight last, too
                    each.endpoint["weight"] = float((each.weight and each.weight.number) or 0)
        return drawn

    def _fallbacks(self, whole: Catalog, providers: list[str], taken: list[TakenModel]) -> Lists:
        names = [each.name for each in taken]
        ids = {each.id for each in taken}

        def meant(name: str) -> CatalogModel | None:
            found = whole.resolve(name)
            if found is None or found.id in ids:
                return found
            served = (each for each in found.endpoints if each.provider in providers)
            return found if any(whole.is_served(each) for each in served) else None

        return read_fallbacks(self._tree, names, meant, self._findings)

    # --- the rest

    def _rest(self) -> None:
        """What is beside models and settings."""
        for section, node in self._tree.fields.items():
            if section in _READ or section in SETTINGS or node.is_empty:
                continue
            reason = SECTIONS.get(section, NO_COUNTERPART)
            for each in node.fields.values() if section == "environment_variables" else (node,):
                self._findings.skip(each, section, reason)

    # --- text

    def _text(
        self, settings: dict[str, Any], providers: list[str], models: dict[str, CatalogModel]
    ) -> str:
        source = "".join(c if c.isprintable() else "?" for c in Path(self._name).name)
        parts = [
            f"# Made of LiteLLM's {source} by `seekroute config import litellm`.\n"
            "#   seekroute config check           what is wrong with this file\n"
            "#   seekroute keys create            keys for clients\n"
        ]
        parts += [dump_mapping({key: value}) for key, value in settings.items()]
        named = {key: self._upstreams.rows[key] for key in providers if self._upstreams.rows[key]}
        if named:
            parts.append(dump_mapping({"providers": named}))
        if models:
            parts.append("models:\n" + dump_models(models.values()))
        return "\n".join(parts)
