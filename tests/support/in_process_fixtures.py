"""Fixtures of the tests of a gateway in process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import seekroute
from in_process import settings_for
from seekroute.testing import MockProvider


@pytest.fixture
def mock() -> Iterator[MockProvider]:
    """A provider of the test's own."""
    with MockProvider() as provider:
        yield provider


@pytest.fixture
def client(mock: MockProvider) -> Iterator[seekroute.Client]:
    """A client in process whose provider of MODEL is `mock`."""
    with seekroute.Client(**settings_for(mock)) as running:
        yield running
