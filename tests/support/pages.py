"""A real browser before the console's pages: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browsing import PASSWORD, ConsoleWorld

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "\u202eevil\u202c \u0645\u0641\u062a\u0627\u062d",
    "n" * 200,
)
"""Names that break a page which trusts them."""


@contextlib.contextmanager
def running_chromium() -> Iterator[Browser]:
    """A browser without a window; skips the test where there is none."""
    if not CHROMIUM.exists():
        pytest.skip("chromium is not installed: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="the test extra has playwright")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page, and all that it says on its console: under a strict policy that is nothing."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.said: list[str] = []
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(f"error: {error}"))
        page.on("dialog", self._opened)

    def _opened(self, dialog: Any) -> None:
        self.said.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def is_quiet(self) -> bool:
        """Whether all that is shown has been loaded."""
        self.page.wait_for_load_state("networkidle")
        return not self.page.locator("[aria-busy=true]").count()

    @property
    def sideways(self) -> int:
        """By how many pixels the page scrolls sideways."""
        found = self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        return int(found)

    def grave(self) -> list[str]:
        """What axe-core finds that is serious or worse."""
        # Below the page's policy: the driver's own evaluation is not the page's.
        self.page.evaluate(AXE.read_text())
        # Colours are those that stand once all has faded in.
        self.page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")
        found = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{row['id']}: {node['html'][:120]}"
            for row in found["violations"]
            if row["impact"] in ("serious", "critical")
            for node in row["nodes"]
        ]


def sign_in(world: ConsoleWorld, page: Page, email: str = "olivia@example.com") -> None:
    """Signs a person in, by the form."""
    page.goto(f"http://localhost:{world.server.port}/console/sign-in")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.locator("#content").wait_for()


def fill_organization(world: ConsoleWorld) -> None:
    """One of everything that the screens list."""
    operator, server = world.operator, world.server
    org = operator.org
    for name in HOSTILE:
        operator.do("POST", f"{org}/keys", {"name": name, "limit": "5", "limit_reset": "daily"})
        operator.do("POST", "/admin/orgs", {"name": name, "credit": "20"})
    operator.do("POST", f"{org}/invitations", {"email": "new@example.com", "role": "admin"})
    operator.do("POST", f"{org}/management-keys", {"name": HOSTILE[0]})
    operator.do("POST", f"{org}/apps", {"name": HOSTILE[2]})
    key = operator.do("POST", f"{org}/keys", {"name": "ci"})["key"]
    server.service.sync_keys()
    assert server.chat_with(key).status == 200
