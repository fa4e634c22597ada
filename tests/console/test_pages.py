"""The console's pages in a real browser, over real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from browsing import PASSWORD, ConsoleWorld, running_console, wait_for_console
from pages import HOSTILE, Watched, fill_organization, running_chromium, sign_in
from serving import running_server

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Route

SCREENS = (
    *("orgs/{org}", "orgs/{org}/keys", "orgs/{org}/keys/{key}", "orgs/{org}/logs"),
    *("orgs/{org}/logs/{generation}", "orgs/{org}/models", "orgs/{org}/apps"),
    *("orgs/{org}/members", "orgs/{org}/management-keys", "orgs/{org}/audit", "account"),
    *("admin", "admin/orgs", "admin/orgs/{org}", "admin/users", "admin/apps", "admin/audit"),
    "admin/system",
)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleWorld]:
    with running_console(tmp_path_factory.mktemp("pages")) as found:
        fill_organization(found)
        yield found


def address(world: ConsoleWorld, screen: str) -> str:
    org = world.operator.orgs[0]["id"]
    (row,) = world.operator.get(f"/orgs/{org}/generations")["data"]
    path = screen.format(org=org, key=row["key_id"], generation=row["id"])
    return f"http://localhost:{world.server.port}/console/{path}"


def test_a_newcomer_makes_a_key_and_sees_its_request(chromium: Browser, tmp_path: Path) -> None:
    with running_server(tmp_path, with_console=True) as server:
        wait_for_console(server)
        watched = Watched(chromium.new_page())
        page = watched.page
        token = server.service.control.setup_token()
        page.goto(f"http://localhost:{server.port}/console/setup#{token}")
        page.get_by_label("E-mail").fill("olivia@example.com")
        page.get_by_label("Your name").fill("Olivia")
        page.get_by_label("Password").fill(PASSWORD)
        page.get_by_role("button", name="Create operator").click()
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("button", name="Send it").click()
        page.get_by_role("link", name="gen-").wait_for()
        assert token not in page.url
        page.get_by_role("link", name="Open the console").click()

        page.get_by_role("link", name="API keys").click()
        page.get_by_role("button", name="New key").click()
        page.get_by_role("textbox", name="Name", exact=True).fill("ci")
        page.get_by_role("textbox", name="Limit").fill("5")
        page.get_by_role("button", name="Create key").click()
        secret = page.get_by_label("API key", exact=True).inner_text()
        assert page.get_by_role("button", name="Done").is_disabled()
        page.keyboard.press("Escape")  # does not lose it
        page.get_by_label("I have saved it").check()
        page.get_by_role("button", name="Done").click()
        page.get_by_role("link", name="ci", exact=True).wait_for()
        assert secret not in page.content()

        server.service.sync_keys()
        assert server.chat_with(secret).status == 200
        page.get_by_role("link", name="Logs").click()
        page.get_by_label("Key", exact=True).select_option(label="ci")
        page.get_by_role("row").nth(2).wait_for(state="detached")  # that of the first key
        page.get_by_role("table").get_by_role("link").click()
        page.get_by_text("Attempts").wait_for()
        assert page.get_by_role("link", name="ci", exact=True).count() == 1
        assert watched.said == []
        page.close()


def test_no_screen_trusts_a_name_breaks_the_policy_or_shuts_anybody_out(
    chromium: Browser, world: ConsoleWorld
) -> None:
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    watched = Watched(context.new_page())
    sign_in(world, watched.page)
    watched.said.clear()
    troubles = []
    for screen in SCREENS:
        for theme, width in (("light", 1280), ("dark", 320)):
            watched.page.emulate_media(color_scheme=theme)
            watched.page.set_viewport_size({"width": width, "height": 800})
            watched.page.goto(address(world, screen))
            watched.page.get_by_role("heading", level=1).wait_for()
            assert watched.is_quiet(), screen
            troubles += [f"{screen}, {theme}: {each}" for each in watched.grave()]
            if watched.sideways > 0:
                troubles.append(f"{screen}: {watched.sideways} px wider than {width}")
            assert watched.page.locator("img[src=x]").count() == 0, screen
    assert troubles == []
    assert watched.said == []
    context.close()


def test_names_are_shown_as_they_are(chromium: Browser, world: ConsoleWorld) -> None:
    page = chromium.new_page()
    sign_in(world, page)
    page.goto(address(world, "orgs/{org}/keys"))
    for name in HOSTILE:
        page.get_by_role("link", name=name, exact=True).wait_for()
    page.close()


def test_the_palette_goes_to_a_screen_and_finds_a_request(
    chromium: Browser, world: ConsoleWorld
) -> None:
    page = chromium.new_page()
    sign_in(world, page)
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill("audit log")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Audit log", level=1).wait_for()
    wanted = address(world, "orgs/{org}/logs/{generation}")
    page.keyboard.press("Control+k")
    page.get_by_role("combobox").fill(wanted.rpartition("/")[2])
    page.get_by_role("option", name="Request").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(wanted)
    page.close()


def test_who_is_signed_out_comes_back_to_where_it_was(
    chromium: Browser, world: ConsoleWorld
) -> None:
    person = world.person("member", email="mia@example.com")
    assert person.cookie
    page = chromium.new_page()
    wanted = address(world, "orgs/{org}/keys") + "?state=revoked"
    page.goto(wanted)
    page.get_by_label("E-mail").fill("mia@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(wanted)
    # What its role does not let it see, its navigation does not offer.
    page.get_by_role("link", name="Logs").wait_for()
    assert page.get_by_role("link", name="Members").count() == 0
    assert page.get_by_role("link", name="System").count() == 0
    page.get_by_role("button", name="Account of").click()
    page.get_by_role("menuitem", name="Sign out").click()
    page.get_by_role("button", name="Sign in").wait_for()
    page.close()


def test_what_matters_asks_for_the_password_and_goes_on(
    chromium: Browser, world: ConsoleWorld
) -> None:
    page = chromium.new_page()
    sign_in(world, page)
    page.goto(address(world, "orgs/{org}/management-keys"))
    # The session's clock cannot be moved from here: the first answer is that of an old session.
    refused = []

    def answer(route: Route) -> None:
        if refused or route.request.method != "POST":
            route.continue_()
            return
        refused.append(route)
        route.fulfill(
            status=403, json={"error": {"code": "reauthentication_required", "message": "again"}}
        )

    page.route("**/management-keys", answer)
    page.get_by_role("button", name="New management key").click()
    page.get_by_role("textbox", name="Name").fill("robot")
    page.get_by_role("button", name="Create key").click()
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Continue").click()
    assert "mgmt-" in page.get_by_label("Management key", exact=True).inner_text()
    page.close()


def test_a_link_leads_to_no_other_site(chromium: Browser, world: ConsoleWorld) -> None:
    page = chromium.new_page()
    base = f"http://localhost:{world.server.port}/console/"
    page.goto(f"{base}sign-in?next=//evil.example/x")
    page.get_by_label("E-mail").fill("olivia@example.com")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("navigation", name="Main").wait_for()
    assert page.url.startswith(base)
    page.close()
