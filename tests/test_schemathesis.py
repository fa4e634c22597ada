"""The live server against its own description, with generated requests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

from seekroute.server import openapi
from serving import MODEL, PATIENCE, RunningServer

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
)
EXAMPLES = 25


def operations() -> Iterator[Any]:
    """Each operation with right and with wrong requests, where a request can be wrong."""
    for path, methods in openapi.document()["paths"].items():
        for method, operation in methods.items():
            label = f"{method.upper()} {path}"
            yield pytest.param(path, method, GenerationMode.POSITIVE, id=f"right {label}")
            if "parameters" in operation or "requestBody" in operation:
                yield pytest.param(path, method, GenerationMode.NEGATIVE, id=f"wrong {label}")


@pytest.fixture(scope="module")
def server(gateways: Callable[[str], RunningServer]) -> RunningServer:
    """The gateway of the default profile, for the whole module."""
    return gateways("seekroute")


@pytest.fixture(scope="module")
def api(server: RunningServer) -> Any:
    """The description that the server publishes."""
    return schemathesis.openapi.from_url(
        f"http://127.0.0.1:{server.port}/openapi.json", timeout=PATIENCE
    )


@pytest.mark.parametrize(("path", "method", "mode"), list(operations()))
def test_operation(
    api: Any, server: RunningServer, path: str, method: str, mode: GenerationMode
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
        if mode is GenerationMode.POSITIVE and isinstance(case.body, dict):
            case.body["model"] = MODEL  # any string is a valid name, but few are a model's
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
        ):
            assert base + path in described
