"""Settings of routing for gateways whose subject is another one."""

from __future__ import annotations

from typing import Any

# Nobody is asked twice for one request, so that a failure is told.
NO_REPEATS: dict[str, Any] = {"retry_budget": {"percent": 0, "min": 0}}
# And each request begins as if nobody had ever failed.
NO_MEMORY: dict[str, Any] = {**NO_REPEATS, "leave_out_failing": False}
