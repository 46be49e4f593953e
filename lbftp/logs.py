"""The door to the logs: no line has a secret that this process works with, or what a terminal would obey."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any, Final

from lbftp.core.printable import printable, visible
from lbftp.core.secrecy import hidden

# Characters of one value.
_LONGEST: Final = 20_000


def processor(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """For structlog, after exceptions became text and before the line is made."""
    told: dict[str, Any] = printable(hidden({key: _plain(value) for key, value in event.items()}), _LONGEST)
    return told


def _plain(value: Any) -> Any:
    """What the line would make of it, so that nothing is hidden in an object."""
    return value if isinstance(value, str | int | float | dict | list | tuple | None) else repr(value)


class Told(logging.Filter):
    """For handlers of the standard library: the message and the traceback are made text here, and hidden in."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = visible(str(hidden(record.getMessage())), _LONGEST), ()
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = visible(str(hidden(record.exc_text)), _LONGEST)
        return True
