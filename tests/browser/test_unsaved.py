"""What is typed and not saved is not left by accident, and Enter in a text field of the big form saves nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.browser.conftest import Person, Site

pytestmark = pytest.mark.browser


@pytest.fixture
def page(chromium: Browser, site: Site) -> Iterator[Page]:
    """bob's page with the form of the world's cluster."""
    site.actor.do("claim", run=0)  # answers when the world is there
    person = Person(chromium.new_context(viewport={"width": 1440, "height": 900}), site.base)
    person.sign_in("bob", "a long enough one").close()
    yield person.open("/clusters/1/edit/")
    person.context.close()


def asked(page: Page) -> list[str]:
    """Kinds of questions that the browser asks from now on; the answer is always to stay."""
    kinds: list[str] = []

    def stay(dialog: Dialog) -> None:
        kinds.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    return kinds


def test_leaving_with_something_typed_is_asked_about(page: Page) -> None:
    kinds = asked(page)
    page.get_by_label("Comment").fill("Typed and not saved")
    page.get_by_role("link", name="Changes").first.click(no_wait_after=True)
    page.wait_for_timeout(500)
    assert kinds == ["beforeunload"]
    expect(page.get_by_label("Comment")).to_have_value("Typed and not saved")


def test_leaving_untouched_saving_and_cancelling_ask_nothing(page: Page) -> None:
    kinds = asked(page)
    page.get_by_role("link", name="Changes").first.click()
    page.wait_for_url("**/changes/")
    page.goto(page.url.replace("changes/", "clusters/1/edit/"))
    page.get_by_label("Comment").fill("Cancelled")
    page.get_by_role("link", name="Cancel").click()
    page.wait_for_url("**/clusters/1/")
    page.goto(page.url + "edit/")
    page.get_by_label("Comment").fill("Saved")
    page.get_by_role("button", name="Save the draft").click()
    page.wait_for_url("**/clusters/1/")
    assert kinds == []


def test_what_was_refused_is_not_saved_yet(page: Page) -> None:
    kinds = asked(page)
    page.get_by_label("Virtual IP (VIP)", exact=True).fill("192.0.2.999")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.locator("[data-not-saved]")).to_be_visible()
    page.get_by_label("Comment").focus()
    page.keyboard.press("End")
    page.get_by_role("link", name="Changes").first.click(no_wait_after=True)
    page.wait_for_timeout(500)
    assert kinds == ["beforeunload"]


def test_enter_in_a_text_field_saves_nothing(page: Page) -> None:
    before = page.get_by_label("Firewall mark").input_value()
    page.get_by_label("Firewall mark").fill("77")
    page.get_by_label("Firewall mark").press("Enter")
    page.wait_for_timeout(500)
    assert page.url.endswith("/clusters/1/edit/")
    expect(page.get_by_label("Firewall mark")).to_have_value("77")
    page.get_by_label("Firewall mark").fill(before)
    save = page.get_by_role("button", name="Save the draft")
    save.focus()
    save.press("Enter")
    page.wait_for_url("**/clusters/1/")
