"""The rows of virtual models in the list of models: what holds whichever member answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

__all__ = ["virtual_row"]

_Row = Mapping[str, Any]


def virtual_row(name: str, members: Sequence[_Row]) -> dict[str, Any]:
    """A virtual model as the list shows it, but for its `id` and `links`.

    The lengths are the least of the members, the price is that of the dearest, and it takes and
    gives what every member does.

    Args:
        name: Its name.
        members: Rows of `model_row`, in the order of the configuration; one at least.
    """
    first = members[0]
    inputs, outputs = (
        list(_in_all(row["architecture"][side] for row in members))
        for side in ("input_modalities", "output_modalities")
    )
    context = min(row["context_length"] for row in members)
    answers = [row["top_provider"]["max_completion_tokens"] for row in members]
    return {
        **first,
        "created": max(row["created"] for row in members),
        "owned_by": name.partition("/")[0] if "/" in name else "seekroute",
        "canonical_slug": name,
        "name": name,
        # No member is named: a key need not be allowed all of them.
        "description": "Stands for several models. The one that answers is billed and named.",
        "context_length": context,
        "architecture": {
            **first["architecture"],
            "modality": f"{'+'.join(inputs)}->{'+'.join(outputs)}",
            "input_modalities": inputs,
            "output_modalities": outputs,
        },
        "pricing": max((row["pricing"] for row in members), key=_sum),
        "top_provider": {
            **first["top_provider"],
            "context_length": context,
            "max_completion_tokens": min((each for each in answers if each), default=None),
        },
        "supported_parameters": sorted(_in_all(row["supported_parameters"] for row in members)),
        "knowledge_cutoff": None,
        "expiration_date": None,
    }


def _in_all(lists: Iterator[Sequence[str]]) -> list[str]:
    """What every one of several lists has, in the order of the first."""
    first, *others = lists
    return [each for each in first if all(each in other for other in others)]


def _sum(pricing: Mapping[str, Any]) -> Decimal:
    return Decimal(pricing["prompt"]) + Decimal(pricing["completion"])
