"""A browser that goes from page to page while other tabs hold sockets: every page comes.

Some seconds of it; `make test-soak` takes ten minutes.
"""

from __future__ import annotations

import os
import time

import pytest
from playwright.sync_api import Browser, expect

from ops.readiness import ask
from tests.browser.conftest import Person, Site

SECONDS = 600 if os.environ.get("LBFTP_SOAK") == "all" else 15
pytestmark = [pytest.mark.browser, pytest.mark.timeout(SECONDS + 300)]

PAGES = ("/", "/changes/", "/routers/", "/audit/", "/clusters/1/")
LEAVE = """() => {
  const gone = new AbortController();
  fetch("/changes/", {signal: gone.signal}).catch(() => {});
  setTimeout(() => gone.abort(), 5);
}"""
# A page that takes so long hangs.
PATIENCE = 20_000


def test_every_page_comes_while_sockets_are_open(chromium: Browser, site: Site) -> None:
    run = site.actor.do("begin")["run"]
    person = Person(chromium.new_context(), site.base)
    person.sign_in("victor", "a long enough one").close()
    watching = [person.open(path) for path in (f"/runs/{run}/", "/")]
    expect(watching[0].locator("[data-link=on]")).to_be_visible()

    page = person.open("/")
    until = time.monotonic() + SECONDS
    seen = 0
    while time.monotonic() < until:
        answer = page.goto(site.base + PAGES[seen % len(PAGES)], timeout=PATIENCE)
        assert answer is not None
        assert answer.status == 200, answer.url
        if seen % 3 == 0:
            page.reload(timeout=PATIENCE)
        if seen % 7 == 0:
            # Leaving before the page is there: an aborted request.
            page.evaluate(LEAVE)
        seen += 1
    print(f"{seen} pages in {SECONDS} s, none unanswered")
    expect(watching[0].locator("[data-link=on]")).to_be_visible()
    assert ask(f"{site.base}/healthz", 20)[0] == 200
