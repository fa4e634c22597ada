"""Requests that a gateway answers by itself, as method and path below `/v1`."""

from __future__ import annotations

from serving import MODEL

ASKED = [
    "GET /models",
    "GET /models?q=gpt&limit=2",
    "GET /models?sort=best",
    "GET /models?color=red",
    "GET /models/count",
    "GET /models/count?q=gpt",
    "GET /models/count?limit=no",
    f"GET /models/{MODEL}",
    "GET /models/openai%2Fgpt-4o-mini",
    "GET /models/gpt-4o-mini",
    f"GET /models/{MODEL}/endpoints",
    "GET /models/openai%2Fgpt-4o-mini/endpoints",
    "GET /models/nobody/nothing",
    "GET /models/gpt-4o-minni",
    "GET /models/nobody/nothing/endpoints",
    "GET /models/",
    "GET /models//endpoints",
    "GET /models/endpoints",
    "GET /models/%63ount",
    f"GET /model/{MODEL}",
    "GET /model/openai%2Fgpt-4o-mini",
    "GET /model/nobody",
    "GET /model/",
    "GET /providers",
    "GET /credits",
    "GET /generation",
    "GET /generation?id=gen-nobody",
    "GET /generation?name=x",
    "GET /activity",
    "GET /activity?from=2026-01-01&to=2026-01-31&group_by=key",
    "GET /activity?date=yesterday",
    # Wrong methods.
    "DELETE /models",
    "POST /models/count",
    f"DELETE /models/{MODEL}",
    "POST /providers",
    "PUT /credits",
    "GET /quote",
    "GET /chat/completions",
]
