"""The table of routes: what each path means, and that all that is made from it has every row."""

from __future__ import annotations

import re

import pytest

from asked_paths import ASKED
from seekroute.api import openapi, table, unknown
from seekroute.api.call import ApiCall, RefusedError, Sources, Viewer
from seekroute.api.models import ModelList
from seekroute.api.table import ROUTES, Kind, Who
from seekroute.client.wires import local
from seekroute.server import routes

NOTHING = ModelList({"names": {}, "providers": [], "models": []})


def meant(path: str, sent: str = "") -> tuple[str, str] | None:
    """The pattern of a path, and the name in it."""
    match = table.find(path, sent)
    return None if match is None else (match.route.pattern, "".join(match.params.values()))


@pytest.mark.parametrize(
    ("path", "pattern", "name"),
    [
        ("/models", "/models", ""),
        ("/models/count", "/models/count", ""),
        ("/models/gpt-4o-mini", "/models/{model}", "gpt-4o-mini"),
        ("/models/openai/gpt-4o-mini", "/models/{model}", "openai/gpt-4o-mini"),
        ("/models/openai/gpt-4o:free", "/models/{model}", "openai/gpt-4o:free"),
        ("/models/a/b/c", "/models/{model}", "a/b/c"),
        ("/models/", "/models/{model}", ""),
        ("/models/count/", "/models/{model}", "count/"),
        ("/models/endpoints", "/models/{model}", "endpoints"),
        ("/models/openai/gpt-4o/endpoints", "/models/{model}/endpoints", "openai/gpt-4o"),
        ("/models//endpoints", "/models/{model}/endpoints", ""),
        ("/models/x/endpoints/", "/models/{model}", "x/endpoints/"),
        ("/models/x/endpoints/endpoints", "/models/{model}/endpoints", "x/endpoints"),
        ("/model/openai/gpt-4o", "/model/{model}", "openai/gpt-4o"),
        ("/model/x/endpoints", "/model/{model}", "x/endpoints"),
    ],
)
def test_what_a_path_means(path: str, pattern: str, name: str) -> None:
    for base in table.BASES:
        assert meant(base + path) == (pattern, name)
    assert meant(path) is None  # without a base


@pytest.mark.parametrize(
    "path",
    [
        *("", "/", "/v1", "/v1/", "/v1//models", "/V1/models", "/v1/models/../key", "/v2/models"),
        *("/v1/credits/", "/v1/chat/completions/", "/v1/livez", "/livez/", "/api/v1/metrics"),
        *("/api/models", "/v1/api/v1/models", "/v1/model", "/v1/modelsx"),
    ],
)
def test_no_path_is_taken_for_one_like_it(path: str) -> None:
    found = meant(path)
    assert found is None or found == ("/models/{model}", "../key")


def test_only_a_name_may_be_encoded() -> None:
    for route in ROUTES:
        for path in route.paths:
            if "{" not in path:
                for at in range(len(path)):
                    sent = f"{path[:at]}%{ord(path[at]):02x}{path[at + 1 :]}"
                    # A model may be called like a route, where its name comes encoded.
                    found = meant(path, sent)
                    assert found is None or found == ("/models/{model}", "count"), sent
    named = ("/models/{model}", "openai/gpt-4o")
    assert meant("/v1/models/openai/gpt-4o", "/v1/models/openai%2Fgpt-4o") == named
    assert meant("/v1/models/openai/gpt-4o", "/v1/models/%6fpenai/gpt-4o") == named
    assert meant("/v1/models/openai/gpt-4o", "/v1/model%73/openai/gpt-4o") is None
    assert meant("/v1/models/openai/gpt-4o", "/v1%2fmodels/openai/gpt-4o") is None
    assert meant("/v1/models/count", "/v1/models/%63ount") == ("/models/{model}", "count")


def test_every_row_can_be_told_from_the_others() -> None:
    paths = [path for route in ROUTES for path in route.paths]
    assert len(set(paths)) == len(paths)
    names = [route.told.id for route in ROUTES]
    assert len(set(names)) == len(names)
    assert all(path.count("{") <= 1 for path in paths)


def test_every_row_is_answered() -> None:
    on_http = {route.label for route in ROUTES if route.kind is Kind.HTTP}
    assert set(routes.HANDLERS) == on_http
    for route in ROUTES:
        assert (route.kind is Kind.ANSWER) == (route.run is not None), route.pattern
        assert (route.kind in (Kind.INFERENCE, Kind.QUOTE)) == bool(route.surface), route.pattern
    quoted = {route.surface for route in ROUTES if route.kind is Kind.QUOTE}
    assert quoted <= {route.surface for route in ROUTES if route.kind is Kind.INFERENCE}


def test_what_is_named_instead_of_a_path_is_served() -> None:
    for end, instead in unknown.INSTEAD:
        assert table.find(f"/v1{end}") is None, f"{end} is served: nothing stands instead of it"
        for method, path in re.findall(r"\b(GET|POST) (/v1/[a-z/]+)", instead):
            match = table.find(path)
            assert match is not None
            assert method in match.route.methods


def test_what_a_gateway_in_process_lacks_is_said() -> None:
    needs_a_key = {route.label for route in ROUTES if route.who is Who.KEY}
    assert set(local._NOT_HERE) == needs_a_key


def test_both_answerers_are_compared_on_every_row() -> None:
    paths = [each.split(" ")[1].partition("?")[0] for each in ASKED]
    compared = [table.find(f"/v1{path}") for path in paths]
    seen = {match.route.pattern for match in compared if match is not None}
    answered = {r.pattern for r in ROUTES if r.kind is Kind.ANSWER and r.who is not Who.KEY}
    assert answered <= seen


def test_the_description_has_every_row() -> None:
    paths = openapi.document()["paths"]
    assert list(paths) == [path for route in ROUTES for path in route.paths]
    for route in ROUTES:
        for path in route.paths:
            (method,) = paths[path]
            assert method.upper() == route.methods[0]
            assert ("security" in paths[path][method]) == (route.who is Who.ANYONE), path


def test_what_reads_the_ledger_says_where_there_is_none() -> None:
    for route in ROUTES:
        if route.who is Who.ORG:
            with pytest.raises(RefusedError) as caught:
                route.answer(ApiCall(Viewer("o"), query="id=x"), Sources(NOTHING))
            assert caught.value.code == "not_found"
            assert "credits.enabled" in caught.value.message
