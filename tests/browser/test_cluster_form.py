"""The cluster's form in a browser: what is folded, what hides, what is previewed while somebody types."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Person, Site

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def form(chromium: Browser, site: Site) -> Page:
    """A fresh form with a whole cluster typed in."""
    site.actor.do("claim", run=0)  # answers when the world is there
    person = Person(chromium.new_context(viewport={"width": 1440, "height": 900}), site.base)
    person.sign_in("alice", "a long enough one").close()
    page = person.open("/clusters/new/")
    for label, text in (
        ("Name", "media"), ("Virtual IP (VIP)", "192.0.2.110"), ("Internal floating address", "10.0.50.5"),
        ("Internal network", "10.0.50.0/24"), ("Firewall mark", "31"),
    ):  # fmt: skip
        page.get_by_label(label, exact=True).fill(text)
    return page


def test_the_guides_case_is_short(form: Page) -> None:
    for fold in form.locator("details.fold").all():
        assert fold.get_attribute("open") is None
    for label in ("Direct routing", "Clients may ask for TLS", "Ports with TLS from the first byte", "VIP (IPv6)"):
        expect(form.get_by_label(label)).to_be_hidden()
    expect(form.get_by_label("Passive ports from")).to_be_visible()


def test_what_machines_would_hold_follows_what_is_typed(form: Page) -> None:
    machine = form.locator("#machine-r1")
    machine.locator("> summary").click()
    config = machine.locator(".diff", has_text="lbftp.d/media.conf")
    config.locator("summary").click()
    expect(config.locator("pre")).to_contain_text("virtual_server fwmark 31")
    form.get_by_label("Firewall mark").fill("32")
    expect(config.locator("pre")).to_contain_text("virtual_server fwmark 32")
    expect(config.locator("pre")).to_be_visible()  # what a person opened stays open


def test_a_section_opens_itself_when_something_in_it_is_wrong(form: Page) -> None:
    fold = form.locator("#fold-balancing")
    fold.locator("> summary").click()
    form.get_by_label("Quorum").fill("0")
    fold.locator("> summary").click()
    expect(form.locator("#sum-balancing")).to_contain_text("quorum 0")
    expect(form.locator("#problems-quorum")).to_contain_text("whole number from 1")
    expect(fold).to_have_attribute("open", "")
    expect(form.locator("#preview-state")).to_have_text("as of before the errors")
    expect(form.locator("#machine-r2")).to_be_visible()
    form.get_by_label("Quorum").fill("1")
    expect(form.locator("#problems-quorum")).to_be_empty()


def test_a_mode_shows_what_belongs_to_it(form: Page) -> None:
    form.get_by_label("Plain and TLS").check()
    for label in ("Direct routing", "Clients may ask for TLS", "Ports with TLS from the first byte"):
        expect(form.get_by_label(label)).to_be_visible()
    form.get_by_label("Direct routing").check()
    expect(form.get_by_label("Internal network", exact=True)).to_be_hidden()
    expect(form.locator("#fold-active > summary")).to_be_hidden()
    form.get_by_label("Clients may ask for TLS").check()
    # Helper mode has no use for it, but something is wrong with it: it stays to be seen.
    form.get_by_label("Direct routing").check()
    form.get_by_role("radio", name="NAT").check()
    form.get_by_label("Plain FTP").check()
    expect(form.locator("#problems-tls")).to_contain_text("TLS")
    expect(form.get_by_label("Clients may ask for TLS")).to_be_visible()
    form.get_by_label("Clients may ask for TLS").uncheck()
    expect(form.get_by_label("Clients may ask for TLS")).to_be_hidden()


def test_options_belong_to_their_scheduler(form: Page) -> None:
    fold = form.locator("#fold-balancing")
    if fold.get_attribute("open") is None:
        fold.locator("> summary").click()
    expect(fold.get_by_text("Options of the scheduler")).to_be_hidden()
    fold.get_by_label("Scheduler", exact=True).select_option("mh")
    expect(fold.get_by_text("mh-port")).to_be_visible()
    expect(fold.get_by_text("sh-port")).to_be_hidden()
