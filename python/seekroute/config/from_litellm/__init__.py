"""LiteLLM's `config.yaml` as a `seekroute.yaml`, and what of it could not be taken.

Nothing is looked up: neither files nor the environment nor the network. The text of a file goes in,
the text of another and findings with line numbers come out.
"""

from __future__ import annotations

from seekroute.config.from_litellm.conversion import Converted, TakenModel, convert
from seekroute.config.from_litellm.findings import Finding

__all__ = ["Converted", "Finding", "TakenModel", "convert"]
