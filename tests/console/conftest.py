"""One gateway with its console for all tests that do not stop or break it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from browsing import ConsoleWorld, running_console


@pytest.fixture(scope="session")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleWorld]:
    with running_console(tmp_path_factory.mktemp("console")) as world:
        yield world
