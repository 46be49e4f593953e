"""A page whose session ends in another tab: it keeps what it shows and what was typed, and says what to do."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.conftest import Person, Site

pytestmark = pytest.mark.browser

PASSWORD = "a long enough one"
_TELLS_OF_ITS_NOTICE = """
new MutationObserver(() => console.log("notice")).observe(
  document.getElementById("session-notice"), { childList: true },
)
"""
# A socket looks every five seconds, a page without one likewise.
PATIENCE = 15_000


def _person(chromium: Browser, site: Site, name: str) -> Person:
    person = Person(chromium.new_context(viewport={"width": 1280, "height": 900}), site.base)
    person.sign_in(name, PASSWORD).close()
    return person


def _signs_out_elsewhere(person: Person) -> None:
    other = person.open("/people/")
    other.get_by_role("button", name="Sign out").first.click()
    other.wait_for_url(re.compile(r"/sign-in/"))
    other.close()


def _says_so(page: Page) -> None:
    notice = page.get_by_role("alert").filter(has_text="You are signed out")
    expect(notice).to_be_visible(timeout=PATIENCE)
    expect(notice.get_by_role("link")).to_be_visible()


def _signs_in(page: Page, name: str) -> None:
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture(scope="module")
def places(site: Site) -> dict[str, str]:
    """Pages that go on by themselves, and what each has to keep showing."""
    begun = site.actor.do("begin")
    cluster = site.actor.do("cluster")["cluster"]
    return {
        "/": "web",
        f"/runs/{begun['run']}/": "Apply",
        f"/changes/{begun['change']}/": "Approved",
        f"/clusters/{cluster}/": "192.0.2.100",
        f"/clusters/{cluster}/servers/": "Real servers in rotation",
    }


def test_every_live_page_keeps_what_it_shows_and_leads_back(
    chromium: Browser, site: Site, places: dict[str, str]
) -> None:
    person = _person(chromium, site, "victor")
    pages = {path: person.open(path) for path in places}
    before = {path: page.locator("main h1").inner_text() for path, page in pages.items()}
    _signs_out_elsewhere(person)
    for path, page in pages.items():
        _says_so(page)
        assert page.url == site.base + path
        assert page.locator("main h1").inner_text() == before[path]
        expect(page.locator("main")).to_contain_text(places[path])
        expect(page.get_by_label("Password")).to_have_count(0)

    path, page = next((path, page) for path, page in pages.items() if path.startswith("/runs/"))
    page.get_by_role("link", name="Sign in again").click()
    _signs_in(page, "victor")
    page.wait_for_url(site.base + path)
    expect(page.locator("[data-link=on]")).to_be_visible(timeout=PATIENCE)
    # The other pages learn of it when somebody looks at them.
    home = pages["/"]
    home.bring_to_front()
    home.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(home.get_by_role("alert").filter(has_text="You are signed out")).to_have_count(0)
    expect(home.locator("[data-link=on]")).to_be_visible(timeout=PATIENCE)


def test_a_form_keeps_what_was_typed_and_can_be_sent_after_signing_in(chromium: Browser, site: Site) -> None:
    person = _person(chromium, site, "bob")
    cluster = site.actor.do("cluster")["cluster"]
    page = person.open(f"/clusters/{cluster}/edit/")
    page.get_by_label("Comment").fill("typed before the session ended")
    _signs_out_elsewhere(person)
    page.get_by_role("button", name="Save the draft").click()
    _says_so(page)
    link = page.get_by_role("link", name="Sign in again in a new tab")
    expect(link).to_be_focused()
    expect(page.get_by_label("Comment")).to_have_value("typed before the session ended")
    with page.expect_popup() as opened:
        link.click()
    _signs_in(opened.value, "bob")
    opened.value.wait_for_url(page.url)
    opened.value.close()

    page.evaluate("window.dispatchEvent(new Event('focus'))")
    expect(page.get_by_role("alert").filter(has_text="You are signed out")).to_have_count(0)
    expect(page.get_by_label("Comment")).to_have_value("typed before the session ended")
    page.get_by_role("button", name="Save the draft").click()
    page.wait_for_url(re.compile(rf"/clusters/{cluster}/$"))
    expect(page.locator("main")).to_contain_text("typed before the session ended")


def test_typing_into_a_form_whose_session_ended_says_so(chromium: Browser, site: Site) -> None:
    """What the form asks while somebody types is a fragment as well."""
    person = _person(chromium, site, "carol")
    page = person.open("/clusters/new/")
    _signs_out_elsewhere(person)
    page.get_by_role("textbox", name="Name").fill("files")
    _says_so(page)
    expect(page.get_by_role("textbox", name="Name")).to_have_value("files")
    expect(page.locator("#lint")).to_contain_text("Check")
    expect(page.get_by_role("button", name="Save the draft")).to_be_visible()


def test_nothing_is_sent_in_somebody_elses_name(chromium: Browser, site: Site) -> None:
    person = _person(chromium, site, "bob")
    cluster = site.actor.do("cluster")["cluster"]
    page = person.open(f"/clusters/{cluster}/edit/")
    page.get_by_label("Comment").fill("this is bob's")
    _signs_out_elsewhere(person)
    person.sign_in("carol", PASSWORD).close()
    page.get_by_role("button", name="Save the draft").click()
    notice = page.get_by_role("alert").filter(has_text="This page belongs to bob")
    expect(notice).to_contain_text("carol")
    expect(page.get_by_label("Comment")).to_have_value("this is bob's")
    assert page.url.endswith("/edit/")


def test_a_locked_person_hears_of_it_within_ten_seconds(chromium: Browser, site: Site) -> None:
    person = _person(chromium, site, "carol")
    page = person.open("/")
    expect(page.locator("[data-link=on]")).to_be_visible()
    site.actor.do("lock", name="carol")
    notice = page.get_by_role("alert").filter(has_text="You are signed out")
    expect(notice).to_be_visible(timeout=10_000)
    site.actor.do("unlock", name="carol")


def test_whoever_signs_out_is_not_told_so_by_the_page_that_is_left(chromium: Browser, site: Site) -> None:
    """Its sockets end with the click, not with the session, however long the answer takes."""
    person = _person(chromium, site, "bob")
    page = person.open("/")
    expect(page.locator("[data-link=on]")).to_be_visible(timeout=PATIENCE)
    said: list[str] = []
    page.on("console", lambda line: said.append(line.text))
    page.evaluate(_TELLS_OF_ITS_NOTICE)

    def slowly(route: Route) -> None:
        answer = route.fetch(max_redirects=0)
        # The session is over by now, and each socket learns of it within ten seconds.
        page.wait_for_timeout(12_000)
        route.fulfill(response=answer)

    page.route("**/sign-out/", slowly)
    page.get_by_role("button", name="Sign out").first.click()
    page.wait_for_url(re.compile(r"/sign-in/"), timeout=2 * PATIENCE)
    assert "notice" not in said
