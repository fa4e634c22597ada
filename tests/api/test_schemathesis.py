"""The live server against its own description, with generated requests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)

from seekroute.api import openapi
from seekroute.money import nano
from serving import MODEL, PATIENCE, RunningServer, running_server

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
EXAMPLES = 25
EMBEDDER = "openai/text-embedding-3-small"


def operations() -> Iterator[Any]:
    """Each operation with right and with wrong requests, where a request can be wrong."""
    for path, methods in openapi.document()["paths"].items():
        for method, operation in methods.items():
            label = f"{method.upper()} {path}"
            yield pytest.param(path, method, GenerationMode.POSITIVE, id=f"right {label}")
            if "parameters" in operation or "requestBody" in operation:
                yield pytest.param(path, method, GenerationMode.NEGATIVE, id=f"wrong {label}")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A gateway with a ledger and money in it, for the whole module."""
    auto = {"models": [MODEL], "learning": {"enabled": True}}
    with running_server(
        tmp_path_factory.mktemp("api"), credits={"enabled": True}, routing={"auto": auto}
    ) as running:
        assert running.service.ledger is not None
        org = running.service.control.orgs.get("default").id
        running.service.ledger.topup("test:1", org, nano("1000000"))
        yield running


@pytest.fixture(scope="module")
def generation(server: RunningServer) -> str:
    """The id of a request that has ended."""
    return str(server.chat().json()["id"])


@pytest.fixture(scope="module")
def chosen(server: RunningServer) -> str:
    """The id of a request for which a model was chosen."""
    return str(server.chat(model="auto").json()["id"])


@pytest.fixture(scope="module")
def api(server: RunningServer) -> Any:
    """The description that the server publishes."""
    return schemathesis.openapi.from_url(
        f"http://127.0.0.1:{server.port}/openapi.json", timeout=PATIENCE
    )


@pytest.mark.parametrize(("path", "method", "mode"), list(operations()))
def test_operation(
    api: Any,
    server: RunningServer,
    generation: str,
    chosen: str,
    path: str,
    method: str,
    mode: GenerationMode,
) -> None:
    operation = api[path][method]
    statuses = set()

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: schemathesis.Case) -> None:
        if mode is GenerationMode.POSITIVE and path.endswith("/feedback"):
            case.body["generation_id"] = chosen
        elif mode is GenerationMode.POSITIVE and isinstance(case.body, dict):
            # Any string is a valid name, but few are a model's.
            case.body["model"] = EMBEDDER if path.endswith("/embeddings") else MODEL
        if mode is GenerationMode.POSITIVE and path.endswith(("/generation", "/receipt")):
            case.query["id"] = generation  # likewise
        if case.headers and mode is GenerationMode.POSITIVE:
            case.headers.pop("x-seekroute-timeout-ms", None)  # few are long enough
        response = case.call_and_validate(
            headers={"Authorization": f"Bearer {server.key}"},
            timeout=PATIENCE,
            checks=list(CHECKS),
        )
        statuses.add(response.status_code)

    check()
    if mode is GenerationMode.POSITIVE and "{model}" not in path:
        assert 200 in statuses


def test_every_path_is_described(api: Any) -> None:
    described = set(api.raw_schema["paths"])
    for path in ("/livez", "/readyz", "/healthz", "/metrics"):
        assert path in described
    for base in ("/v1", "/api/v1"):
        for path in (
            *("/chat/completions", "/models", "/models/{model}", "/models/{model}/endpoints"),
            *("/models/count", "/model/{model}", "/providers", "/key"),
            *("/credits", "/generation", "/activity", "/receipt", "/quote"),
            *("/embeddings", "/quote/embeddings"),
            *("/feedback", "/generation/feedback"),
        ):
            assert base + path in described
