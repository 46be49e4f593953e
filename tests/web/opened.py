"""What a form that replaces stored values carries of what it showed."""

from __future__ import annotations

import re

from django.test import Client


def seen(page: str) -> str:
    """The hidden value of the form in `page`."""
    found = re.search(r'<input type="hidden" name="seen" value="([^"]+)"', page)
    assert found, page
    return found.group(1)


def opened(browser: Client, address: str) -> dict[str, str]:
    """What is sent beside what is typed, once the page at `address` was opened."""
    return {"seen": seen(browser.get(address).content.decode())}
