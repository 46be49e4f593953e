"""Text of machines, made fit to be shown and stored: no character of it moves a cursor, hides, or turns a line round.

Terminals obey ESC and the C1 controls (ECMA-48), browsers and terminals the marks for writing direction (Unicode,
UAX #9); PostgreSQL refuses NUL and lone surrogates, and JSON has no NaN (RFC 8259).
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

# Characters of one text, elements of one list, and how deep values stand in values.
LONGEST: Final = 1_000_000
_MOST: Final = 20_000
_DEEPEST: Final = 40
_BIGGEST: Final = 2**63 - 1
# Controls but for tab and line feed; marks of direction; separators; surrogates that stand alone; tags.
_ODD: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str, longest: int = LONGEST) -> str:
    """`text` with every such character made visible: ESC as ␛, a byte that was no UTF-8 as �, others as \\u202e.

    Tabs and line feeds stay; CR LF becomes a line feed. What is longer than `longest` is cut, and says so.
    """
    if len(text) > longest:
        text = f"{text[:longest]} … {len(text) - longest} characters left out"
    return _ODD.sub(_shown, text.replace("\r\n", "\n"))


def _shown(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    if code < 0xA0:
        return f"\\x{code:02x}"
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"\\u{code:04x}"


def printable(value: Any, longest: int = LONGEST, *, deep: int = 0) -> Any:
    """A JSON value, all its texts and keys `visible`; numbers that no database takes are clipped, NaN becomes None."""
    if isinstance(value, str):
        return visible(value, longest)
    if isinstance(value, dict | list | tuple):
        return "…" if deep > _DEEPEST else _many(value, longest, deep + 1)
    return _number(value) if isinstance(value, int | float) else value


def _many(value: dict[Any, Any] | list[Any] | tuple[Any, ...], longest: int, deep: int) -> Any:
    if isinstance(value, dict):
        return {visible(str(key), longest): printable(one, longest, deep=deep) for key, one in value.items()}
    return [printable(one, longest, deep=deep) for one in value[:_MOST]]


def _number(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, bool) else max(-_BIGGEST, min(value, _BIGGEST))
