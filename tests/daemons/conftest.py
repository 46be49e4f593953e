"""Daemons that drop their rights read what the tests write for them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _readable() -> Iterator[None]:
    """The site's umask, which its settings set, would hide a server's files from the account that serves them."""
    before = os.umask(0o022)
    yield
    os.umask(before)
