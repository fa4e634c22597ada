"""The settings beside the models: those that have a counterpart, and why the others have none."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from seekroute.config.from_litellm.fallbacks import FALLBACK_WORDS
from seekroute.config.from_litellm.findings import Findings
from seekroute.config.from_litellm.models import ENDS_STREAMS, TIMEOUTS, milliseconds_of
from seekroute.config.from_litellm.tree import Node
from seekroute.config.from_litellm.words import NO_COUNTERPART, SETTINGS

_LARGEST_MB = 1024
_LARGEST_ACTIVE = 1_000_000


def read_settings(tree: Node, findings: Findings) -> dict[str, Any]:
    """The settings of the new file.

    Args:
        tree: LiteLLM's file.
        findings: Where to say what was not taken.
    """
    found: dict[str, Any] = {}

    def put(section: str, key: str, value: object) -> None:
        found.setdefault(section, {})[key] = value

    deadlines: dict[str, list[tuple[str, Node, int]]] = {}
    for section, reasons in SETTINGS.items():
        node = tree.get(section)
        for key, value in (node.fields if node else {}).items():
            if value.is_empty or key == "model_group_alias" or key in FALLBACK_WORDS:
                continue
            word = "timeout" if key == "request_timeout" else key
            if word in TIMEOUTS and section != "general_settings":
                if milliseconds := milliseconds_of(value, 1):
                    deadlines.setdefault(word, []).append((section, value, milliseconds))
                else:
                    findings.skip(value, section, "no deadline up to a day")
            elif key == "drop_params" and value.flag:
                found["drop_refused_parameters"] = True
                findings.change(value, section, "for models that the catalog knows")
            elif key == "json_logs":
                if value.flag:
                    put("server", "log_format", "json")
            elif key == "max_request_size_mb" and (size := _bytes(value)):
                put("limits", "max_body_bytes", size)
            elif key == "global_max_parallel_requests" and (count := value.whole):
                put("limits", "max_active", min(count, _LARGEST_ACTIVE))
            elif value.flag is not False:  # what is off is off here, too
                findings.skip(value, section, reasons.get(key, NO_COUNTERPART))
    for word, given in deadlines.items():
        # The router's comes last, and wins.
        *lost, (section, node, milliseconds) = given
        for name in TIMEOUTS[word]:
            put("timeouts", name, milliseconds)
        if word == "timeout":
            findings.change(node, section, ENDS_STREAMS)
        winner = node.path.rpartition(".")[2]
        for other, value, _ in lost:
            findings.skip(value, other, f"{section}' {winner} wins")
    return found


def _bytes(node: Node) -> int | None:
    """The bytes of a number of megabytes, None where no limit can be so."""
    number = node.number
    if number is None or not Decimal("0.001") <= number <= _LARGEST_MB:
        return None
    return int(number * 1024 * 1024)
