"""Models that are asked after others: LiteLLM's lists in `routing.fallbacks`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from seekroute.config.catalog import CatalogModel
from seekroute.config.from_litellm.findings import Findings
from seekroute.config.from_litellm.tree import Node
from seekroute.config.routing_schema import MOST_MODELS

__all__ = ["FALLBACK_WORDS", "Lists", "read_fallbacks"]

# LiteLLM's lists by model, in the order in which they are written -> ours.
_KINDS = {
    "fallbacks": "any",
    "context_window_fallbacks": "context",
    "content_policy_fallbacks": "content_policy",
}
# Of every model that has no list of its own, like the key "*" of a list by model.
_DEFAULT = "default_fallbacks"
_EVERY = "*"
FALLBACK_WORDS = frozenset((*_KINDS, _DEFAULT))
# The router's, where it has one, is the one in force.
_SECTIONS = ("router_settings", "litellm_settings")

# By our kind of failure, by the name of the model before: the names of those after it.
Lists = dict[str, dict[str, list[str]]]


def read_fallbacks(
    tree: Node,
    names: Iterable[str],
    meant: Callable[[str], CatalogModel | None],
    findings: Findings,
) -> Lists:
    """What the new file has as `routing.fallbacks`; only kinds that have a list.

    Args:
        tree: LiteLLM's file.
        names: Of the models that were taken, for a list that is meant for each of them.
        meant: The model that a name has in the new file, None where none answers to it.
        findings: Where to say what was not taken.
    """
    reader = _Reader(tuple(names), meant, findings)
    every = _in_force(tree, _DEFAULT, findings)
    found: Lists = {}
    for word, kind in _KINDS.items():
        listed = _in_force(tree, word, findings)
        lists = reader.lists(word, listed, every if word == "fallbacks" else None)
        if lists:
            found[kind] = lists
    return found


@dataclass(frozen=True, slots=True)
class _Setting:
    section: str
    node: Node


def _in_force(tree: Node, word: str, findings: Findings) -> _Setting | None:
    given = []
    for section in _SECTIONS:
        settings = tree.get(section)
        node = settings.get(word) if settings else None
        if node is not None:
            given.append(_Setting(section, node))
    for lost in given[1:]:
        findings.skip(lost.node, lost.section, f"{given[0].section}' {word} wins")
    return given[0] if given else None


@dataclass(frozen=True, slots=True)
class _Reader:
    names: tuple[str, ...]
    meant: Callable[[str], CatalogModel | None]
    findings: Findings

    def lists(
        self, word: str, listed: _Setting | None, every: _Setting | None
    ) -> dict[str, list[str]]:
        """The lists of one word by the names of their models.

        Args:
            every: Who comes after each model without a list, if the file says it beside them.
        """
        found: dict[str, list[str]] = {}
        done: set[str] = set()
        after_every = None if every is None else (_DEFAULT, every.section, every.node)
        for name, node in self._by_model(word, listed):
            assert listed is not None
            section, what = listed.section, f"{word} of {name}"
            if name == _EVERY:
                if after_every is None:
                    after_every = (word, section, node)
                else:
                    self.findings.skip(node, section, f"{after_every[0]} wins", what)
                continue
            model = self.meant(name)
            if model is None:
                text = "a pattern: write each model" if _EVERY in name else "no such model is taken"
                self.findings.skip(node, section, text, what)
            elif model.id in done:
                self.findings.skip(node, section, "the model has a list already", what)
            else:
                done.add(model.id)
                if after := self._after(model, word, section, node):
                    found[name] = after
        if after_every is not None:
            found |= self._each(*after_every, done)
        return found

    def _by_model(self, word: str, listed: _Setting | None) -> Iterator[tuple[str, Node]]:
        if listed is None:
            return
        for item in listed.node.items if listed.node.is_list else (listed.node,):
            if not item.is_map:
                self.findings.skip(item, listed.section, "no list of a model", word)
            yield from item.fields.items()

    def _each(self, word: str, section: str, node: Node, done: set[str]) -> dict[str, list[str]]:
        """The same list for every model that has none."""
        found = {}
        said = len(self.findings.found)
        for name in self.names:
            model = self.meant(name)
            if model is None or model.id in done:
                continue
            done.add(model.id)
            # What is wrong with the list is found of each of them, and said once.
            if after := self._after(model, word, section, node, every=True):
                found[name] = after
        if found:
            self.findings.change(node, section, "written for each model", word)
        elif len(self.findings.found) == said and not node.is_empty:
            self.findings.skip(node, section, "no model is left to have it", word)
        return found

    def _after(
        self, model: CatalogModel, word: str, section: str, node: Node, *, every: bool = False
    ) -> list[str]:
        """The names of a list as far as they can come after `model`."""
        found: dict[str, str] = {}
        for item in node.items if node.is_list else (node,):
            name = (item.text or "").strip()
            after = self.meant(name) if name else None
            reason = ""
            if not name:
                reason = "not the name of a model"
            elif after is None:
                reason = "no such model is taken"
            elif after.id == model.id:
                reason = "" if every else "the model itself"
            elif after.is_embedding is not model.is_embedding:
                reason = "" if every else "one gives vectors, the other one chats"
            elif after.id not in found and len(found) == MOST_MODELS:
                reason = f"at most {MOST_MODELS} models"
            else:
                found.setdefault(after.id, name)
            if reason:
                self.findings.skip(item, section, reason, f"{word} to {name}" if name else word)
        return list(found.values())
