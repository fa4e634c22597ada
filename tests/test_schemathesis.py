"""The live server against its own description, with generated requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
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


OPERATIONS = [
    pytest.param(path, method, id=f"{method.upper()} {path}")
    for path, methods in openapi.document()["paths"].items()
    for method in methods
]


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


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
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

    try:
        check()
    except Unsatisfiable:
        # A request without parameters cannot be a wrong one.
        assert mode is GenerationMode.NEGATIVE
        pytest.skip("nothing in this operation can be wrong")
    if mode is GenerationMode.POSITIVE and "{model}" not in path:
        assert 200 in statuses


def test_every_path_is_described(api: Any) -> None:
    described = set(api.raw_schema["paths"])
    for path in ("/livez", "/readyz", "/healthz", "/metrics"):
        assert path in described
    for base in ("/v1", "/api/v1"):
        for path in ("/chat/completions", "/models", "/models/{model}", "/key"):
            assert base + path in described
