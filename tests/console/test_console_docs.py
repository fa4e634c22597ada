"""The pages about the console say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from seekroute.console.routes import ROUTES, Who
from seekroute.control.people.roles import RIGHTS, Grant

DOCS = Path(__file__).parents[2] / "docs"
SAID = {"yes": Grant.ALL, "own": Grant.OWN, "sums": Grant.SUMS, "no": Grant.NONE}


def test_the_table_of_roles_is_that_of_the_code() -> None:
    page = (DOCS / "console.md").read_text()
    table = page.partition("<!-- roles")[2].partition("\n\n")[0].splitlines()[1:]
    roles = [cell.strip().replace(" ", "_") for cell in table[0].strip("|").split("|")][1:]
    found = {}
    for line in table[2:]:
        right, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        found[right] = dict(zip(roles, (SAID[cell] for cell in cells), strict=True))
    assert found == {right.value: dict(grants) for right, grants in RIGHTS.items()}


@pytest.mark.parametrize("base", ["/v1", "/api/v1"])
def test_every_path_for_programs_is_in_the_page(base: str) -> None:
    page = (DOCS / "management-api.md").read_text()
    said = set(re.findall(r"^\| `([A-Z]+ [^`]+)` \|", page, re.MULTILINE))
    routes = {
        f"{route.method} {route.path.removeprefix(base).replace('{id}', '{hash}')}"
        for route in ROUTES
        if route.who is Who.PROGRAM and route.path.startswith(f"{base}/")
    }
    assert said == routes
