"""How an act came to lbftp, noted in each row that people leave: '' for pages, schedules and workers.

A context variable, since every service would hand it on unchanged: it is set once where the act comes in.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

_MOST: Final = 200
_ORIGIN: ContextVar[str] = ContextVar("lbftp_origin", default="")


def present() -> str:
    """How the present act came, such as "by the command line, system account root"; '' by a page or by itself."""
    return _ORIGIN.get()


@contextmanager
def acting(words: str) -> Iterator[None]:
    """Rows that are left in the block say `words`, up to 200 characters of them."""
    token = _ORIGIN.set(words[:_MOST])

    try:
        yield
    finally:
        _ORIGIN.reset(token)
