"""What a gateway says of its models and providers: queries, endpoints, caching."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from seekroute.api.model_query import ModelQuery
from seekroute.api.models import ModelList
from seekroute.config import (
    Settings,
    build_snapshot,
    catalog_of,
    model_rows,
    packaged_catalog,
    profiles_of,
)
from seekroute.server.app import App
from seekroute.testing import MockProvider
from serving import MODEL, Answer, RunningServer, running_server
from shared import shared_path

BOTH = ("/v1", "/api/v1")
SHARED_MODEL = "openai/gpt-oss-120b"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A gateway with three real providers on, one of which speaks a protocol of its own."""
    with (
        MockProvider() as upstream,
        running_server(
            tmp_path_factory.mktemp("models"),
            mock="off",
            providers={
                name: {
                    "base_url": upstream.base_url,
                    "api_key": "k",
                    "allow_http": True,
                    "allow_private": True,
                }
                for name in ("openai", "groq", "deepinfra")
            },
        ) as running,
    ):
        yield running


def get(server: RunningServer, path: str, **headers: str) -> Answer:
    return server.request("GET", path, headers=headers)


def key_for(server: RunningServer, name: str, **fields: Any) -> dict[str, str]:
    _, key = server.service.control.keys.create(
        "default", name=name, **{"profile": "seekroute", "prefix": "sk-sr-", **fields}
    )
    server.service.sync_keys()
    return {"Authorization": f"Bearer {key}"}


# --- the list -------------------------------------------------------------------------------------


def test_the_whole_list_says_how_long_it_is(server: RunningServer) -> None:
    found = get(server, "/v1/models").json()
    assert found["total_count"] == len(found["data"]) > 40
    assert found["links"] == {"next": None}
    assert not any("providers" in row for row in found["data"])
    for row in found["data"]:
        assert row["links"] == {"details": f"/api/v1/models/{row['canonical_slug']}/endpoints"}


def test_a_row_has_the_fields_of_openrouter(server: RunningServer) -> None:
    text = shared_path("data/api/openrouter.openapi.yaml").read_text(encoding="utf-8")
    import yaml

    schemas = yaml.safe_load(text)["components"]["schemas"]
    rows = get(server, "/v1/models").json()["data"]
    for row in rows:
        assert set(schemas["Model"]["required"]) <= set(row)
        assert set(row["pricing"]) <= set(schemas["PublicPricing"]["properties"])
    endpoints = get(server, f"/v1/models/{SHARED_MODEL}/endpoints").json()["data"]
    assert set(schemas["ListEndpointsResponse"]["required"]) <= set(endpoints)
    for endpoint in endpoints["endpoints"]:
        assert set(schemas["PublicEndpoint"]["required"]) <= set(endpoint)


@pytest.mark.parametrize("base", BOTH)
def test_a_query_filters_and_sorts(server: RunningServer, base: str) -> None:
    query = "providers=groq&supported_parameters=tools&sort=context-high-to-low"
    found = get(server, f"{base}/models?{query}").json()
    assert 0 < found["total_count"] < get(server, "/v1/models").json()["total_count"]
    lengths = [row["context_length"] for row in found["data"]]
    assert lengths == sorted(lengths, reverse=True)
    assert all("tools" in row["supported_parameters"] for row in found["data"])
    catalog = packaged_catalog()
    for row in found["data"]:
        assert "groq" in {endpoint.provider for endpoint in catalog.get(row["id"]).endpoints}
    by_name = get(server, f"{base}/models?providers=Groq").json()
    assert by_name["total_count"] >= found["total_count"]


def test_a_provider_that_is_off_serves_nothing(server: RunningServer) -> None:
    assert get(server, "/v1/models?providers=deepseek").json()["data"] == []


def test_pages_lead_through_the_list(server: RunningServer) -> None:
    whole = get(server, "/v1/models?sort=newest").json()["data"]
    path, seen = "/api/v1/models?sort=newest&limit=17", []
    for _ in range(len(whole)):
        page = get(server, path).json()
        assert page["total_count"] == len(whole)
        assert len(page["data"]) <= 17
        seen += page["data"]
        if page["links"]["next"] is None:
            break
        path = page["links"]["next"]
        assert path.startswith("/api/v1/models?")
    assert seen == whole


@pytest.mark.parametrize("path", ["/models", "/models/count"])
@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("sort=best", "sort"),
        ("limit=0", "limit"),
        ("limit=ten", "limit"),
        ("colour=red", "colour"),
        ("q=a&q=b", "q"),
        ("category=programming", "category"),
        ("input_modalities=smell", "input_modalities"),
        ("max_price=%20", "max_price"),
    ],
)
def test_a_bad_query_is_refused(server: RunningServer, path: str, query: str, param: str) -> None:
    answer = get(server, f"/v1{path}?{query}")
    assert (answer.status, answer.code) == (400, "invalid_value")
    assert answer.json()["error"]["param"] == param
    assert "etag" not in answer.headers


def test_a_query_finds_only_what_the_key_may_use(server: RunningServer) -> None:
    mine = key_for(server, "few", models=["openai/*"], profile="reseller")
    found = get(server, "/v1/models?sort=newest&limit=5", **mine).json()
    assert all(row["owned_by"] == "openai" and "/" not in row["id"] for row in found["data"])
    count = get(server, "/v1/models/count", **mine).json()["data"]["count"]
    assert count == found["total_count"]
    assert count < get(server, "/v1/models/count").json()["data"]["count"]


def test_the_count(server: RunningServer) -> None:
    for query in ("", "?providers=groq", "?q=gpt&limit=1"):
        counted = get(server, f"/api/v1/models/count{query}").json()
        listed = get(server, f"/api/v1/models{query}").json()
        assert counted == {"data": {"count": listed["total_count"]}}


# --- one model ------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", BOTH)
@pytest.mark.parametrize("name", [SHARED_MODEL, quote(SHARED_MODEL, safe=""), "gpt-oss-120b"])
def test_endpoints(server: RunningServer, base: str, name: str) -> None:
    data = get(server, f"{base}/models/{name}/endpoints").json()["data"]
    assert data["id"] == SHARED_MODEL
    model = packaged_catalog().get(SHARED_MODEL)
    on = [each for each in model.endpoints if each.provider in ("groq", "deepinfra")]
    assert [each["tag"] for each in data["endpoints"]] == [each.provider for each in on]
    assert len(on) == 2
    first = data["endpoints"][0]
    row = get(server, f"{base}/models/{name}").json()
    assert first["pricing"] == row["pricing"]
    assert first["context_length"] == row["context_length"]
    assert data["architecture"] == row["architecture"]
    assert first["name"] == f"{first['provider_name']}: {row['name']}"
    assert first["status"] == 0
    assert first["latency_last_30m"] is None
    assert {each["pricing"]["prompt"] for each in data["endpoints"]} != {row["pricing"]["prompt"]}


def test_the_link_of_a_model_leads_to_its_endpoints(server: RunningServer) -> None:
    for row in get(server, "/v1/models").json()["data"][:20]:
        details = get(server, row["links"]["details"]).json()["data"]
        assert details["id"] == row["id"]
        assert details["endpoints"]


def test_one_model_in_data(server: RunningServer) -> None:
    for name in (MODEL, quote(MODEL, safe=""), "gpt-4o-mini"):
        wrapped = get(server, f"/api/v1/model/{name}").json()
        assert wrapped == {"data": get(server, f"/v1/models/{name}").json()}


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models/nobody/nothing/endpoints",
        "/v1/models/endpoints",
        "/v1/models//endpoints",
        "/v1/models/deepseek/deepseek-chat/endpoints",  # nobody who is on serves it
        "/v1/model/nobody/nothing",
        "/v1/model/",
        "/v1/models/c%6Funt",
    ],
)
def test_unknown_models(server: RunningServer, path: str) -> None:
    answer = get(server, path)
    assert (answer.status, answer.code) == (404, "model_not_found")


def test_endpoints_are_those_of_the_key(server: RunningServer) -> None:
    mine = key_for(server, "other", models=["deepseek/*"])
    assert get(server, f"/v1/models/{SHARED_MODEL}/endpoints", **mine).status == 404
    assert get(server, f"/v1/model/{SHARED_MODEL}", **mine).status == 404


def test_a_model_may_be_called_endpoints(tmp_path: Path) -> None:
    price = {"input": "1", "output": "2"}
    model = {
        "id": "acme/endpoints",
        "context": 4096,
        "aliases": ["acme/x/endpoints"],
        "endpoints": [{"provider": "openai", "model": "e", "price": price}],
    }
    with running_server(tmp_path, models=[model]) as server:
        assert get(server, "/v1/models/acme/endpoints").json()["id"] == "acme/endpoints"
        assert get(server, "/v1/models/acme%2Fx%2Fendpoints").json()["id"] == "acme/endpoints"
        for path in ("acme/endpoints/endpoints", "acme/x/endpoints/endpoints"):
            data = get(server, f"/v1/models/{path}").json()["data"]
            assert [each["provider_name"] for each in data["endpoints"]] == ["Mock"]


# --- providers ------------------------------------------------------------------------------------


def test_providers_are_those_that_are_on(server: RunningServer) -> None:
    answer = get(server, "/api/v1/providers")
    data = answer.json()["data"]
    assert {row["slug"] for row in data} == {"openai", "groq", "deepinfra"}
    assert {row["name"] for row in data} == {
        packaged_catalog().providers[row["slug"]].name for row in data
    }
    assert all(row["privacy_policy_url"] is None for row in data)
    assert get(server, "/v1/providers").body == answer.body


@pytest.mark.parametrize(
    "path", ["/v1/models/count", "/v1/providers", f"/v1/models/{MODEL}/endpoints", "/v1/model/x"]
)
def test_a_key_is_needed(server: RunningServer, path: str) -> None:
    assert server.request("GET", path, with_key=False).status == 401
    assert server.request("POST", path, b"{}").status == 405


# --- caching --------------------------------------------------------------------------------------

CACHED = [
    "/v1/models",
    "/v1/models?q=gpt&sort=newest",
    "/v1/models/count",
    f"/v1/models/{MODEL}",
    f"/v1/models/{MODEL}/endpoints",
    f"/v1/model/{MODEL}",
    "/v1/providers",
]


@pytest.mark.parametrize("path", CACHED)
def test_what_has_not_changed_is_not_sent_again(server: RunningServer, path: str) -> None:
    first = get(server, path)
    etag = first.headers["etag"]
    assert etag.startswith('"')
    assert first.headers["vary"] == "authorization"
    assert first.headers["cache-control"].startswith("private, max-age=")
    for held in (etag, f"W/{etag}", f'"other", {etag}', "*"):
        again = get(server, path, **{"If-None-Match": held})
        assert (again.status, again.body) == (304, b"")
        assert again.headers["etag"] == etag
        assert again.headers["vary"] == "authorization"
        assert "content-length" not in again.headers
    for held in ('"other"', "", etag.strip('"')):
        again = get(server, path, **{"If-None-Match": held})
        assert (again.status, again.body) == (200, first.body)


@pytest.mark.parametrize("path", CACHED)
def test_head(server: RunningServer, path: str) -> None:
    whole, head = get(server, path), server.request("HEAD", path)
    assert (head.status, head.body) == (200, b"")
    for name in ("etag", "content-length", "content-type"):
        assert head.headers[name] == whole.headers[name]
    unchanged = {"If-None-Match": whole.headers["etag"]}
    assert server.request("HEAD", path, headers=unchanged).status == 304


def test_tags_differ_by_who_asks(server: RunningServer) -> None:
    mine = key_for(server, "third", profile="reseller")
    tags = {get(server, "/v1/models", **headers).headers["etag"] for headers in ({}, mine)}
    assert len(tags) == 2


def test_tags_outlive_a_restart(tmp_path: Path) -> None:
    seen = set()
    for _ in range(2):
        with running_server(tmp_path) as server:
            etag = get(server, "/v1/models").headers["etag"]
            seen.add(etag)
            assert get(server, "/v1/models", **{"If-None-Match": etag}).status == 304
    assert len(seen) == 1
    overlay = tmp_path / "overlay.yaml"
    overlay.write_text("markup: {default: 100}\n")
    with running_server(tmp_path, catalog_overlay=str(overlay)) as server:
        assert get(server, "/v1/models").headers["etag"] not in seen


# --- the list itself ------------------------------------------------------------------------------

MakeList = Callable[..., ModelList]


@pytest.fixture
def make() -> MakeList:
    def made(**environ: str) -> ModelList:
        settings = Settings(mock="off" if environ else "on")
        catalog = catalog_of(settings)
        snapshot = build_snapshot(
            settings, catalog, profiles_of(settings), environ, mock_base_url="http://h.test/v1"
        )
        return ModelList(model_rows(catalog, snapshot))

    return made


def test_a_list_survives_the_way_to_another_process(make: MakeList) -> None:
    models = make()
    copy = pickle.loads(pickle.dumps(models))
    assert copy.payload() == models.payload()
    query = ModelQuery("q=claude&limit=3")
    assert copy.payload(query) == models.payload(query)
    assert copy.endpoints("gpt-4o") == models.endpoints("gpt-4o")


def test_links_begin_where_the_gateway_is_mounted(make: MakeList) -> None:
    body = json.loads(make().payload(ModelQuery("limit=1"), base="/llm/api/v1"))
    assert body["links"]["next"].startswith("/llm/api/v1/models?")
    assert body["data"][0]["links"]["details"].startswith("/llm/api/v1/models/")


async def _get(app: App, root: str, path: str, key: str) -> Any:
    """What a mounted application answers, without a server."""
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": root + path.partition("?")[0],
        "raw_path": path.partition("?")[0].encode(),
        "query_string": path.partition("?")[2].encode(),
        "root_path": root,
        "headers": [(b"authorization", f"Bearer {key}".encode())],
    }
    parts: list[bytes] = []

    async def send(event: Any) -> None:
        parts.append(event.get("body", b""))

    async def receive() -> Any:
        return {"type": "http.request"}

    await app(scope, receive, send)
    return json.loads(b"".join(parts))


def test_links_lead_back_into_a_mounted_gateway(server: RunningServer) -> None:
    app = App(server.service)
    found = asyncio.run(_get(app, "/llm", "/v1/models?limit=1", server.key))
    next_page = found["links"]["next"]
    assert next_page.startswith("/llm/api/v1/models?")
    more = asyncio.run(_get(app, "/llm", next_page.removeprefix("/llm"), server.key))
    assert more["data"][0]["id"] != found["data"][0]["id"]
    details = found["data"][0]["links"]["details"]
    assert details.startswith("/llm/api/v1/models/")
    shown = asyncio.run(_get(app, "/llm", details.removeprefix("/llm"), server.key))
    assert shown["data"]["id"] == found["data"][0]["id"]


def test_the_mock_is_a_provider(make: MakeList) -> None:
    models = make()
    assert [row["slug"] for row in json.loads(models.providers())["data"]] == ["mock"]
    assert models.count(ModelQuery("providers=mock")) == models.count()
    assert models.count(allow=["openai/*"]) == models.count(ModelQuery("model_authors=openai"))


def test_endpoints_have_their_own_limits_and_prices(make: MakeList) -> None:
    catalog = packaged_catalog()
    variables = {p.env[0]: "k" for p in catalog.providers.values() if p.env}
    models = make(**variables)
    told = 0
    for model in catalog.models:
        body = models.endpoints(model.id)
        served = [each for each in model.endpoints if catalog.is_served(each)]
        if not served:
            assert body is None
            continue
        assert body is not None
        shown = json.loads(body)["data"]["endpoints"]
        assert [each["tag"] for each in shown] == [each.provider for each in served]
        for row, endpoint in zip(shown, served, strict=True):
            assert row["context_length"] == (endpoint.context or model.context)
            told += endpoint.context is not None
    assert told > 0
