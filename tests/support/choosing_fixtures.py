"""Fixtures of the tests of `auto`: a gateway that chooses, one for the tests of a file, and the
provider that it asks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from choosing import Choosing, choosing, settings_for
from seekroute.testing import MockProvider


@pytest.fixture(scope="module")
def one_upstream() -> Iterator[MockProvider]:
    with MockProvider() as mock:
        yield mock


@pytest.fixture(scope="module")
def one_chooser(
    tmp_path_factory: pytest.TempPathFactory, one_upstream: MockProvider
) -> Iterator[Choosing]:
    folder = tmp_path_factory.mktemp("auto")
    with choosing(folder, one_upstream, **settings_for(one_upstream)) as running:
        yield running


@pytest.fixture
def upstream(one_upstream: MockProvider) -> MockProvider:
    """The provider, as if nobody had asked it yet."""
    one_upstream.reset()
    return one_upstream


@pytest.fixture
def chooser(one_chooser: Choosing, upstream: MockProvider) -> Choosing:
    return one_chooser
