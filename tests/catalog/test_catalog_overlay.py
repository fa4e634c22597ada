"""An operator's file over the catalog: what it changes, and what is wrong with it, all at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from seekroute.api.models import ModelList
from seekroute.config import (
    Catalog,
    build_snapshot,
    catalog_of,
    load_settings,
    model_rows,
    packaged_catalog,
    profiles_of,
)
from seekroute.config.catalog import Provider, load_catalog
from seekroute.config.documents import parse_document
from seekroute.config.overlay import Overlay, apply_overlay
from seekroute.config.prices import endpoint_table
from seekroute.errors import ConfigError, Problem

BASE = load_catalog(
    """
version: 1
sources:
  s: {title: S, url: "https://s", checked_on: 2026-01-02, valid_from: 2026-01-01}
providers:
  one: {base_url: "https://one.example.com/v1", env: [ONE_KEY]}
  two: {base_url: "https://two.example.com/v1", env: [TWO_KEY]}
models:
  - id: a/big
    name: Big
    context: 9000
    max_output: 900
    features: [tools]
    aliases: [large, huge]
    endpoints:
      - {provider: one, model: big-1, source: s, price: {input: "2", cache_read: "1", output: "4"}}
      - {provider: two, model: big-2, source: s, price: {input: "3", output: "5"}}
  - {id: a/small, context: 9000,
     endpoints: [{provider: one, model: small, price: {input: "1", output: "1"}}]}
  - {id: b/other, context: 9000,
     endpoints: [{provider: two, model: other, price: {input: "1", output: "1"}}]}
"""
)


def overlaid(text: str, providers: Mapping[str, Provider] | None = None) -> Catalog:
    return apply_overlay(BASE, Overlay(parse_document(text, name="own.yaml")), providers)


def refused(text: str) -> dict[str, Problem]:
    with pytest.raises(ConfigError) as caught:
        overlaid(text)
    return {problem.path: problem for problem in caught.value.problems}


def test_an_empty_file_changes_nothing() -> None:
    assert overlaid("") == BASE


def test_models_are_added_first_and_replace_whole() -> None:
    catalog = overlaid(
        """
sources:
  mine: {title: M, url: "https://m", checked_on: 2026-02-02, valid_from: 2026-02-01}
models:
  - {id: c/new, context: 5, aliases: [huge],
     endpoints: [{provider: one, model: n, source: mine, price: {input: "1", output: "1"}}]}
  - {id: a/big, context: 7,
     endpoints: [{provider: two, model: b, price: {input: "1", output: "1"}}]}
"""
    )
    assert [model.id for model in catalog.models] == ["c/new", "a/big", "a/small", "b/other"]
    assert catalog.get("a/big").features == ()
    assert catalog.names["huge"] == "c/new"
    assert "large" not in catalog.names
    assert set(catalog.sources) == {"s", "mine"}


def test_single_fields_change() -> None:
    catalog = overlaid(
        """
change:
  a/big:
    name: null
    max_output: 1000
    aliases: [large, b/other]
    endpoints:
      one: {model: big-1b, context: 500}
  a/small:
    endpoints:
      one: {price: {output: "9", per_request: "0.1"}}
"""
    )
    big, old = catalog.get("a/big"), BASE.get("a/big")
    assert (big.name, big.max_output, big.features) == ("", 1000, ("tools",))
    assert big.aliases == ("large", "b/other")
    # As with models of one's own, a name that is given here is taken from who had it.
    assert catalog.names["b/other"] == "a/big"
    assert [m.id for m in catalog.models] == ["a/big", "a/small"]
    assert (big.endpoints[0].model, big.endpoints[0].context) == ("big-1b", 500)
    assert (big.endpoints[0].price, big.endpoints[0].source) == (old.endpoints[0].price, "s")
    assert big.endpoints[1] == old.endpoints[1]
    small = catalog.get("a/small").endpoints[0].price
    assert (small.input, small.output, small.per_request) == ("1", "9", "0.1")


def test_endpoints_come_and_go() -> None:
    catalog = overlaid(
        """
change:
  a/big: {endpoints: {one: null}}
  a/small: {endpoints: {two: {model: s2, price: {input: "1", output: "2"}}}}
  b/other: {endpoints: [{provider: one, model: o1, price: {input: "1", output: "2"}}]}
"""
    )
    served = {m.id: [(e.provider, e.model) for e in m.endpoints] for m in catalog.models}
    assert served == {
        "a/big": [("two", "big-2")],
        "a/small": [("one", "small"), ("two", "s2")],
        "b/other": [("one", "o1")],
    }


def test_a_changed_price_is_no_longer_its_source_s() -> None:
    text = 'change: {a/big: {endpoints: {one: {price: {input: "7", cache_read: null}}}}}'
    endpoint = overlaid(text).get("a/big").endpoints[0]
    assert (endpoint.price.input, endpoint.price.cache_read) == ("7", None)
    assert (endpoint.price.output, endpoint.source) == ("4", "")


def test_hidden_models_are_gone_but_not_one_s_own() -> None:
    catalog = overlaid(
        """
hide: ["*"]
models: [{id: a/big, context: 1, endpoints: [
  {provider: one, model: m, price: {input: "1", output: "1"}}]}]
"""
    )
    assert [model.id for model in catalog.models] == ["a/big"]
    assert set(catalog.names) == {"a/big", "big"}
    assert [m.id for m in overlaid('hide: ["a/*"]').models] == ["b/other"]


def test_markups() -> None:
    catalog = overlaid('markup: {default: 500, providers: {two: 200}, models: {"a/s*": -100}}')
    found = {
        (model.id, e.provider): endpoint_table(catalog, model, e)["markup_bps"]
        for model in catalog.models
        for e in model.endpoints
    }
    assert found == {
        ("a/big", "one"): 500,
        ("a/big", "two"): 200,
        ("a/small", "one"): -100,
        ("b/other", "two"): 200,
    }


def test_providers_of_the_settings_may_be_named() -> None:
    text = 'change: {a/small: {endpoints: {mine: {model: m, price: {input: "1", output: "1"}}}}}'
    assert "change.a/small.endpoints.mine.provider" in refused(text)
    catalog = overlaid(text, {"mine": Provider(base_url="https://m.example.com/v1")})
    assert catalog.is_served(catalog.get("a/small").endpoints[1])


def test_everything_wrong_at_once() -> None:
    problems = refused(
        """
versionn: 1
models:
  - {id: c/new, context: 5, aliases: [auto],
     endpoints: [{provider: onee, model: n, price: {input: "1"}}]}
change:
  a/bigg: {name: x}
  large: {name: x}
  a/big:
    id: a/x
    contxt: 5
    max_output: many
    endpoints:
      one: {price: {input: 0.5, tiers: [{above: 5}]}}
      three: {model: m, price: {input: "1", output: "1"}}
      two: 5
  a/small: {endpoints: {two: null}}
  b/other: {name: x}
hide: [nothing/*, b/*]
markup:
  default: -10001
  providers: {twoo: 5}
  models: {z/*: 5, a/big: 1.5}
"""
    )
    expected = {
        "versionn": "unknown key",
        "models.0.aliases.0": "reserved",
        "models.0.endpoints.0.provider": "no provider",
        "models.0.endpoints.0.price.output": "required",
        "change.a/bigg": "no model of this id",
        "change.large": "no model of this id",
        "change.a/big.id": "cannot be changed",
        "change.a/big.contxt": "unknown key",
        "change.a/big.max_output": "an integer",
        "change.a/big.endpoints.one.price.input": "in quotes",
        "change.a/big.endpoints.one.price.tiers.0": "at least one price",
        "change.a/big.endpoints.three.provider": "no provider",
        "change.a/big.endpoints.two": "expected a mapping",
        "change.a/small.endpoints.two": "no endpoint at this provider",
        "hide.0": "no model of the catalog matches",
        "change.b/other": "hidden by hide.1",
        "markup.default": "at least -10000",
        "markup.providers.twoo": "no provider",
        "markup.models.z/*": "no model of the catalog matches",
        "markup.models.a/big": "an integer",
    }
    assert set(problems) == set(expected)
    for path, words in expected.items():
        assert words in problems[path].message, path
        assert problems[path].where.startswith("own.yaml:"), path
    assert problems["change.a/bigg"].hint == "did you mean a/big?"
    assert problems["change.large"].hint == "write a/big"
    assert problems["markup.providers.twoo"].hint == "did you mean two?"
    assert problems["change.a/big.max_output"].where == "own.yaml:12:5"


def test_two_endpoints_at_one_provider_are_told_apart_by_a_list_only() -> None:
    found = overlaid(
        """
change: {a/small: {endpoints: [
  {provider: one, model: x, price: {input: "1", output: "1"}},
  {provider: one, model: y, price: {input: "1", output: "1"}}]}}
"""
    )
    document = parse_document("change: {a/small: {endpoints: {one: null}}}", name="own.yaml")
    with pytest.raises(ConfigError, match="give endpoints as a list"):
        apply_overlay(found, Overlay(document))


# --- as a setting -----------------------------------------------------------------------------


def written(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder / "seekroute.yaml"


OWN = """
models:
  - {id: acme/m, context: 5, endpoints: [
      {provider: mine, model: m, price: {input: "1", output: "1"}}]}
change: {openai/gpt-4o: {endpoints: {openai: {price: {input: "3"}}, openrouter: null}}}
hide: [openai/gpt-4.1]
markup: {default: 1000}
"""
SETTINGS = """
catalog_overlay: own.yaml
default_model: acme/m
providers: {mine: {base_url: "https://mine.example.com/v1"}}
models: [{id: mine/last, context: 5, endpoints: [
  {provider: mine, model: m, price: {input: "1", output: "1"}}]}]
"""


def test_the_setting_names_a_file_beside_its_own(tmp_path: Path) -> None:
    config = load_settings(written(tmp_path, seekroute=SETTINGS, own=OWN), environ={})
    catalog = catalog_of(config)
    assert [model.id for model in catalog.models[:2]] == ["mine/last", "acme/m"]
    assert catalog.resolve("gpt-4.1") is None
    assert len(catalog.models) == len(packaged_catalog().models) + 1
    env = {"OPENAI_API_KEY": "k"}
    snap = build_snapshot(config, catalog, profiles_of(config), env)
    assert snap["default_model"] == "acme/m"
    assert "gpt-4.1" not in snap["names"]
    one = ModelList(model_rows(catalog, snap)).one("gpt-4o")
    assert one is not None
    # What clients pay: 3 and the packaged 10 per million, with ten percent.
    pricing: dict[str, Any] = json.loads(one)["pricing"]
    assert (pricing["prompt"], pricing["completion"]) == ("0.0000033", "0.000011")


def test_problems_of_the_overlay_come_with_those_of_the_settings(tmp_path: Path) -> None:
    own = OWN.replace('"3"', "3.5").replace("openai/gpt-4.1", "openai/nothing")
    config = SETTINGS.replace("acme/m", "acme/x") + "server: {port: high}\n"
    with pytest.raises(ConfigError) as caught:
        load_settings(written(tmp_path, seekroute=config, own=own), environ={})
    places = {problem.path: problem.where for problem in caught.value.problems}
    at = "catalog_overlay: change.openai/gpt-4o.endpoints.openai.price.input"
    assert set(places) == {at, "catalog_overlay: hide.0", "server.port", "default_model"}
    assert places[at].startswith(str(tmp_path / "own.yaml") + ":5:")


def test_a_missing_overlay(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the file") as caught:
        load_settings(written(tmp_path, seekroute="catalog_overlay: none.yaml"), environ={})
    assert caught.value.problems[0].path == "catalog_overlay"
