"""keepalived's configuration: where it lives, and what a single file says of itself (keepalived.conf(5)).

`tree` reads the main file with everything it includes; `typed` gives its blocks their meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lbftp.core.observe.keepalived.lexer import INCLUDES, Segment, matches, segments
from lbftp.core.ours import INCLUDE_DIR

MAIN: Final = "/etc/keepalived/keepalived.conf"

_FOLDER: Final = MAIN.rpartition("/")[0]

__all__ = ["MAIN", "bare", "includes_ours", "marks", "router_ids"]


def bare(text: str) -> str:
    """`text` without comments and with one statement or brace a line."""
    return "\n".join(" ".join(s.words) if s.words else s.text for s in segments(text))


def includes_ours(text: str) -> bool:
    """Whether the main file reads every `*.conf` of our folder."""
    return any(matches(pattern, f"{INCLUDE_DIR}/x.conf", _FOLDER) for pattern in _includes(text))


def router_ids(text: str) -> frozenset[int]:
    """Every virtual_router_id that `text` uses, as far as it is written as a number."""
    return frozenset(_numbers(text, ("virtual_router_id",)))


def marks(text: str) -> frozenset[int]:
    """Every firewall mark that `text` has a virtual server for, by itself or in a group."""
    return frozenset({*_numbers(text, ("virtual_server", "fwmark")), *_numbers(text, ("fwmark",))})


def _includes(text: str) -> Iterator[str]:
    return (s.words[1] for s in segments(text) if s.words[:1] and s.words[0] in INCLUDES and len(s.words) > 1)


def _numbers(text: str, head: tuple[str, ...]) -> Iterator[int]:
    for segment in segments(text):
        words = _without_condition(segment)
        if words[: len(head)] == head and words[len(head) : len(head) + 1]:
            value = words[len(head)]
            if value.isascii() and value.isdigit() and len(value) < _LONGEST:
                yield int(value)


_LONGEST: Final = 12


def _without_condition(segment: Segment) -> tuple[str, ...]:
    """A conditional line counts as if its condition held: what might be in use is in use."""
    return segment.words[1:] if segment.words[:1] and segment.words[0].startswith("@") else segment.words
