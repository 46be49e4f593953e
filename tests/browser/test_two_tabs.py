"""Two people in one form, in two browsers: the later one sees both sides and decides, by mouse or keyboard."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Person, Site

pytestmark = pytest.mark.browser


@pytest.fixture
def two(chromium: Browser, site: Site) -> Iterator[tuple[Page, Page, list[str]]]:
    """alice's and bob's page with the same form, and what their consoles said."""
    site.actor.do("claim", run=0)  # answers when the world is there
    people = [Person(chromium.new_context(viewport={"width": 1440, "height": 900}), site.base) for _ in range(2)]
    pages = []
    for person, name in zip(people, ("alice", "bob"), strict=True):
        person.sign_in(name, "a long enough one").close()
        pages.append(person.open("/clusters/1/edit/"))
    yield pages[0], pages[1], people[1].complaints
    for person in people:
        person.context.close()


def test_the_later_one_is_warned_asked_and_saves(two: tuple[Page, Page, list[str]]) -> None:
    alice, bob, complaints = two
    alice.get_by_label("Firewall mark").fill("22")
    alice.get_by_label("Comment").fill("Films")
    bob.get_by_label("Firewall mark").fill("23")
    expect(bob.locator("#lint")).to_contain_text("Check")
    alice.get_by_role("button", name="Save the draft").click()
    alice.wait_for_url("**/clusters/1/")

    bob.get_by_label("Quorum").evaluate("e => e.closest('details').open = true")
    bob.get_by_label("Quorum").fill("2")
    expect(bob.locator("#moved-on")).to_contain_text("alice saved this draft while you were editing")
    bob.get_by_role("button", name="Save the draft").click()

    conflict = bob.locator("#conflict")
    expect(conflict).to_contain_text("alice saved web while you were editing")
    mark = conflict.get_by_role("group", name="Firewall mark")
    expect(mark.get_by_label("Yours")).to_be_checked()
    mark.get_by_label("alice").check()
    expect(bob.get_by_label("Comment")).to_have_value("Films")
    expect(bob.get_by_label("Quorum")).to_have_value("2")
    conflict.get_by_role("button", name="Save with these choices").press("Enter")

    bob.wait_for_url("**/clusters/1/")
    bob.goto(bob.url + "edit/")
    expect(bob.get_by_label("Firewall mark")).to_have_value("22")
    expect(bob.get_by_label("Comment")).to_have_value("Films")
    expect(bob.get_by_label("Quorum")).to_have_value("2")
    # A check of what was typed may be on its way when the page is left: htmx calls that an error.
    left = ("409", "htmx:afterRequest", "htmx:sendAbort")
    assert [line for line in complaints if not any(word in line for word in left)] == []
