"""What the web server's own log must not keep: the links with which people set passwords."""

from __future__ import annotations

import logging
import re
from typing import Final

_LINK: Final = re.compile(r"(/invitation/)[^/\s?\"]+")


class WithoutLinks(logging.Filter):
    """Takes the secret part of such an address out of a line, wherever it stands in it."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_without(each) for each in record.args)
        record.msg = _without(record.msg)
        return True


def _without(part: object) -> object:
    return _LINK.sub(r"\1…", part) if isinstance(part, str) else part


def keep_links_out() -> None:
    """uvicorn notes each request, Django those that came to nothing."""
    for name in ("uvicorn.access", "uvicorn.error", "django.request"):
        logging.getLogger(name).addFilter(WithoutLinks())
