"""Reads public price lists into models of our catalog, exactly, with a reason for every row left
out. Pure functions: the caller reads the file or the network.

Example:
    >>> from datetime import date
    >>> text = '{"data": [{"id": "a/b", "context_length": 8192,'
    >>> text += ' "pricing": {"prompt": "0.0000005", "completion": "0.000002"}}]}'
    >>> found = from_openrouter(text, checked_on=date(2026, 7, 2))
    >>> found.models[0].id, found.models[0].endpoints[0].price.output
    ('a/b', '2')
"""

from __future__ import annotations

from seekroute.config.importers.diff import CatalogDiff, PriceChange, diff
from seekroute.config.importers.genai_prices import from_genai_prices
from seekroute.config.importers.litellm import from_litellm
from seekroute.config.importers.models_dev import from_models_dev
from seekroute.config.importers.openrouter import from_openrouter
from seekroute.config.importers.rows import Imported, Remark

__all__ = [
    "CatalogDiff",
    "Imported",
    "PriceChange",
    "Remark",
    "diff",
    "from_genai_prices",
    "from_litellm",
    "from_models_dev",
    "from_openrouter",
]
