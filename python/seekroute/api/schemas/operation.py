"""Health, and errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from seekroute.api.schemas.shapes import (
    Schema,
    record,
    text,
)

__all__ = ["SCHEMAS"]

SCHEMAS: Final[Mapping[str, Schema]] = {
    "Health": record(
        {
            "status": text(enum=["ok", "unavailable"]),
            "checks": record({}, others=text(enum=["ok", "warning", "failed"])),
            "reasons": record({}, others=text(), description="Of checks that are not `ok`."),
        },
        required="status",
    ),
    "Error": record(
        {
            "error": record(
                {
                    "message": text(),
                    "type": text(),
                    "param": text(null=True),
                    "code": {
                        "type": ["string", "integer"],
                        "description": (
                            "A word; under `/api/v1` some profiles give the HTTP status."
                        ),
                    },
                    "metadata": record({}, open=True),
                },
                required="message type code",
                open=True,
            )
        },
        required="error",
    ),
}
